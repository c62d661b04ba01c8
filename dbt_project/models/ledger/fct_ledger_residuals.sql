{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_ledger_scope'), {'charge_date': 'charge_date'}) }}",
) }}
-- Money that a name explains but nobody caused, and tokens that were seen but not billed. The two cache-write spellings
-- of a pool are compared together, since bill and gateway may differ in them.
with ledger as (
    select ledger.*
    from {{ ref('fct_attribution_ledger') }} as ledger
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = ledger.charge_date
    where ledger.residual_name is not null
),

charged as (
    select
        ledger.charge_date,
        ledger.residual_name,
        ledger.source,
        ledger.account,
        coalesce(charges.x_CredentialId, workspaces.workspace_id) as credential_id,
        ledger.model_id,
        ledger.token_meter,
        ledger.fidelity_tier,
        ledger.BillingCurrency,
        sum(ledger.tokens) as tokens,
        sum(ledger.BilledCost) as BilledCost,
        sum(ledger.EffectiveCost) as EffectiveCost,
        sum(ledger.x_ReportingCost) as x_ReportingCost
    from ledger
    inner join {{ ref('focus_cost_and_usage') }} as charges
        on charges.x_charge_id = ledger.x_charge_id and charges.charge_date = ledger.charge_date
    left join {{ ref('int_gateway_workspace') }} as workspaces
        on {{ is_gateway_workspace('charges', 'workspaces') }}
    group by
        ledger.charge_date, ledger.residual_name, ledger.source, ledger.account, coalesce(charges.x_CredentialId, workspaces.workspace_id), ledger.model_id,
        ledger.token_meter, ledger.fidelity_tier, ledger.BillingCurrency
),

billed as (
    select
        charges.charge_date, charges.x_SourceId as source, charges.x_Account as account,
        coalesce(charges.x_CredentialId, workspaces.workspace_id, '') as credential_id, charges.x_ModelId as model_id,
        case
            when charges.x_TokenMeter like 'cache_write%' then 'cache_write'
            when charges.x_TokenMeter = 'embedding' then 'input'
            else charges.x_TokenMeter
        end as token_meter,
        sum(charges.ConsumedQuantity) as tokens
    from {{ ref('focus_cost_and_usage') }} as charges
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = charges.charge_date
    left join {{ ref('int_gateway_workspace') }} as workspaces
        on {{ is_gateway_workspace('charges', 'workspaces') }}
    where charges.x_TokenMeter is not null and charges.ConsumedUnit = 'Tokens'
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
        pools.charge_date, pools.provider_source as source, pools.provider_account as account,
        pools.pool_key as credential_id, pools.model_id,
        case when pools.token_meter like 'cache_write%' then 'cache_write' else pools.token_meter end as token_meter,
        cast(sum(pools.weight) as decimal(28, 0)) * cast(0.000001 as decimal(6, 6)) as tokens
    from {{ ref('int_call_pool_day') }} as pools
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = pools.charge_date
    group by
        pools.charge_date, pools.provider_source, pools.provider_account, pools.pool_key, pools.model_id,
        case when pools.token_meter like 'cache_write%' then 'cache_write' else pools.token_meter end
),

not_billed as (
    select
        seen.charge_date, seen.source, seen.account, seen.credential_id, seen.model_id, seen.token_meter,
        seen.tokens - coalesce(billed.tokens, 0) as tokens
    from seen
    left join billed
        on billed.charge_date = seen.charge_date
        and billed.source = seen.source
        and billed.account = seen.account
        and billed.credential_id = seen.credential_id
        and billed.model_id = seen.model_id
        and billed.token_meter = seen.token_meter
    where seen.tokens > coalesce(billed.tokens, 0)
)

select
    cast(residual_name as string) as residual_name,
    cast(source as string) as source,
    cast(account as string) as account,
    cast(credential_id as string) as credential_id,
    cast(model_id as string) as model_id,
    cast(token_meter as string) as token_meter,
    cast(fidelity_tier as string) as fidelity_tier,
    cast(BillingCurrency as string) as BillingCurrency,
    cast(tokens as decimal(28, 12)) as tokens,
    cast(BilledCost as decimal(38, 14)) as BilledCost,
    cast(EffectiveCost as decimal(38, 14)) as EffectiveCost,
    cast(x_ReportingCost as decimal(38, 14)) as x_ReportingCost,
    charge_date
from charged
union all
select
    'seen_not_billed' as residual_name,
    cast(source as string) as source,
    cast(account as string) as account,
    cast(nullif(credential_id, '') as string) as credential_id,
    cast(model_id as string) as model_id,
    cast(token_meter as string) as token_meter,
    cast(null as string) as fidelity_tier,
    cast(null as string) as BillingCurrency,
    cast(tokens as decimal(28, 12)) as tokens,
    cast(null as decimal(38, 14)) as BilledCost,
    cast(null as decimal(38, 14)) as EffectiveCost,
    cast(null as decimal(38, 14)) as x_ReportingCost,
    charge_date
from not_billed
