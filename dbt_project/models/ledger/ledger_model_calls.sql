{{ config(materialized='view') }}
-- A request's attributed cost is its tokens' part of what was billed to its pool. The sum over requests is the pool's cost
-- without the share that the gateway never saw, up to the last printed digit; the ledger itself is exact.
with pool_cost as (
    select
        charges.charge_date,
        charges.x_SourceId as provider_source,
        charges.x_Account as provider_account,
        coalesce(charges.x_CredentialId, workspaces.workspace_id, '') as pool_key,
        charges.x_ModelId as model_id,
        case
            when charges.x_TokenMeter like 'cache_write%' then 'cache_write'
            when charges.x_TokenMeter = 'embedding' then 'input'
            else charges.x_TokenMeter
        end as token_meter,
        sum(charges.x_ReportingCost) as cost,
        sum(charges.ConsumedQuantity) as tokens
    from {{ ref('focus_cost_and_usage') }} as charges
    left join {{ ref('int_gateway_workspace') }} as workspaces
        on {{ is_gateway_workspace('charges', 'workspaces') }}
    where charges.x_TokenMeter is not null and charges.x_ModelId is not null
    group by
        charges.charge_date, charges.x_SourceId, charges.x_Account, coalesce(charges.x_CredentialId, workspaces.workspace_id, ''), charges.x_ModelId,
        case
            when charges.x_TokenMeter like 'cache_write%' then 'cache_write'
            when charges.x_TokenMeter = 'embedding' then 'input'
            else charges.x_TokenMeter
        end
),

seen as (
    select
        charge_date, provider_source, provider_account, pool_key, model_id,
        case when token_meter like 'cache_write%' then 'cache_write' else token_meter end as token_meter,
        cast(sum(weight) as decimal(28, 0)) * cast(0.000001 as decimal(6, 6)) as tokens
    from {{ ref('int_call_pool_day') }}
    group by
        charge_date, provider_source, provider_account, pool_key, model_id,
        case when token_meter like 'cache_write%' then 'cache_write' else token_meter end
),

rates as (
    select
        pool_cost.charge_date, pool_cost.provider_source, pool_cost.provider_account, pool_cost.pool_key,
        pool_cost.model_id, pool_cost.token_meter,
        cast(case when pool_cost.cost < 0 then -1 else 1 end
            * {{ integer_quotient(
                decimal_units('abs(pool_cost.cost)', 14) ~ ' * cast(10000 as ' ~ wide_integer_type() ~ ')',
                'cast(nullif(greatest(floor(coalesce(pool_cost.tokens, 0)), floor(seen.tokens)), 0) as ' ~ wide_integer_type() ~ ')') }}
            as decimal(38, 0)) * cast(0.000000000000000001 as decimal(18, 18))
            as cost_per_token
    from pool_cost
    inner join seen
        on seen.charge_date = pool_cost.charge_date
        and seen.provider_source = pool_cost.provider_source
        and seen.provider_account = pool_cost.provider_account
        and seen.pool_key = pool_cost.pool_key
        and seen.model_id = pool_cost.model_id
        and seen.token_meter = pool_cost.token_meter
),

pool_rates as (
    select
        charge_date, provider_source, provider_account, pool_key, model_id,
        cast(max(case when token_meter = 'input' then cost_per_token end) as decimal(19, 18)) as input_rate,
        cast(max(case when token_meter = 'cache_read' then cost_per_token end) as decimal(19, 18)) as cache_read_rate,
        cast(max(case when token_meter = 'cache_write' then cost_per_token end) as decimal(19, 18)) as cache_write_rate,
        cast(max(case when token_meter = 'output' then cost_per_token end) as decimal(19, 18)) as output_rate
    from rates
    group by charge_date, provider_source, provider_account, pool_key, model_id
)

select
    calls.*,
    cast(case when rates.model_id is not null then
        calls.tokens_input_uncached * coalesce(rates.input_rate, 0)
        + calls.tokens_cache_read * coalesce(rates.cache_read_rate, 0)
        + (calls.tokens_cache_write_5m + calls.tokens_cache_write_1h + calls.tokens_cache_write_unspecified) * coalesce(rates.cache_write_rate, 0)
        + calls.tokens_output * coalesce(rates.output_rate, 0)
    end as decimal(28, 12)) as attributed_cost_reporting
from {{ ref('fct_model_call') }} as calls
left join pool_rates as rates
    on rates.charge_date = calls.charge_date
    and rates.provider_source = calls.provider_source
    and rates.provider_account = calls.provider_account
    and rates.pool_key = coalesce(calls.provider_credential_id, calls.provider_workspace_id, '')
    and rates.model_id = calls.model_id
