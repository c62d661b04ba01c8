-- What each workflow asked of each model on a day, with the prices it was asked at: mix, cache, context and retries.
with context as (
    select as_of_date, cast(as_of_date - interval '{{ var("signal_history_days") }}' day as date) as first_day
    from {{ source('raw', 'run_context') }}
)

select
    cast(coalesce(calls.workflow, calls.owner_workflow) as string) as workflow,
    cast(coalesce(max(calls.team), '') as string) as team,
    cast(coalesce(calls.key_hash, '') as string) as caller_key,
    cast(calls.provider as string) as provider,
    cast(calls.model_id as string) as model_id,
    calls.charge_date as day,
    coalesce(max(prices.output_price) * 1000000 >= {{ var('premium_output_price') }}, false) as is_premium,
    cast(count(*) as bigint) as calls,
    cast(sum(case when calls.is_retry then 1 else 0 end) as bigint) as retries,
    cast(sum(calls.tokens_input_uncached) as bigint) as tokens_input_uncached,
    cast(sum(calls.tokens_cache_read) as bigint) as tokens_cache_read,
    cast(sum(calls.tokens_cache_write_5m + calls.tokens_cache_write_1h + calls.tokens_cache_write_unspecified) as bigint)
        as tokens_cache_write,
    cast(sum(calls.tokens_output) as bigint) as tokens_output,
    max(prices.input_price) as input_price,
    max(prices.cache_read_price) as cache_read_price,
    max(prices.output_price) as output_price,
    cast(coalesce(sum(calls.list_cost_usd), 0) as decimal(38, 14)) as list_cost_usd
from {{ ref('fct_model_call') }} as calls
cross join context
left join {{ ref('int_price_card') }} as prices on prices.price_id = calls.price_id
where calls.charge_date >= context.first_day
    and calls.charge_date < context.as_of_date
    and coalesce(calls.workflow, calls.owner_workflow) is not null
group by
    coalesce(calls.workflow, calls.owner_workflow), coalesce(calls.key_hash, ''), calls.provider, calls.model_id,
    calls.charge_date
