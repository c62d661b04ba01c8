-- The ledger never counts more requests of a provider's day than the gateway logged for it.
with counted as (
    select charge_date, source, account, sum(calls) as calls
    from {{ ref('fct_attribution_ledger') }}
    group by charge_date, source, account
),

logged as (
    select charge_date, provider_source, provider_account, count(*) as calls
    from {{ ref('fct_model_call') }}
    where not is_gateway_cache_hit and tokens_total > 0
    group by charge_date, provider_source, provider_account
)

select counted.*, logged.calls as logged_calls
from counted
left join logged
    on logged.charge_date = counted.charge_date
    and logged.provider_source = counted.source
    and logged.provider_account = counted.account
where counted.calls > coalesce(logged.calls, 0)
