-- Hourly demand at the on-demand rate (R141): what a commitment with the provider could carry, by the workflow that asks.
with context as (
    select as_of_date, cast(as_of_date - interval '{{ var("commitment_window_days") }}' day as date) as first_day
    from {{ source('raw', 'run_context') }}
)

select
    cast(case calls.provider when 'bedrock' then 'aws' when 'vertex' then 'gcp' else calls.provider end as string) as provider,
    cast(case calls.provider when 'bedrock' then 'bedrock' end as string) as deployment,
    cast(calls.model_id as string) as model_id,
    cast(coalesce(calls.workflow, calls.owner_workflow, '(no workflow)') as string) as scope,
    cast(date_trunc('hour', calls.started_at) as timestamp) as hour,
    cast(sum(coalesce(calls.list_cost_usd, 0)) as decimal(38, 14)) as on_demand_usd,
    cast(sum(calls.tokens_input_uncached) as bigint) as tokens_input_uncached,
    cast(sum(calls.tokens_cache_read) as bigint) as tokens_cache_read,
    cast(sum(calls.tokens_cache_write_5m + calls.tokens_cache_write_1h + calls.tokens_cache_write_unspecified) as bigint)
        as tokens_cache_write,
    cast(sum(calls.tokens_output) as bigint) as tokens_output,
    cast(sum(case when calls.list_cost_usd is null and calls.tokens_total > 0 then 1 else 0 end) as bigint) as unpriced_calls,
    max(prices.input_price) as input_price,
    max(prices.cache_read_price) as cache_read_price,
    max(prices.cache_write_5m_price) as cache_write_price,
    max(prices.output_price) as output_price
from {{ ref('fct_model_call') }} as calls
cross join context
left join {{ ref('int_price_card') }} as prices on prices.price_id = calls.price_id
where calls.charge_date >= context.first_day
    and calls.charge_date < context.as_of_date
    and not coalesce(calls.is_gateway_cache_hit, false)
group by
    calls.provider, calls.model_id, coalesce(calls.workflow, calls.owner_workflow, '(no workflow)'),
    date_trunc('hour', calls.started_at)
