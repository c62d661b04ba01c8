{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_daily_spend_scope'), {'charge_date': 'charge_date'}) }}",
) }}
with scope as (
    select charge_date from {{ ref('int_daily_spend_scope') }}
),

spend as (
    select
        ledger.charge_date,
        ledger.ServiceProviderName as provider,
        ledger.ServiceName as service,
        ledger.model_id,
        ledger.team,
        ledger.workflow,
        ledger.BillingCurrency as billing_currency,
        ledger.ChargeCategory as charge_category,
        'billed' as cost_basis,
        ledger.BilledCost as billed_cost,
        ledger.EffectiveCost as effective_cost,
        ledger.x_ReportingCost as reporting_cost,
        ledger.calls,
        case when ledger.token_meter in ('input', 'embedding') then ledger.tokens end as tokens_input_uncached,
        case when ledger.token_meter = 'cache_read' then ledger.tokens end as tokens_cache_read,
        case when ledger.token_meter like 'cache_write%' then ledger.tokens end as tokens_cache_write,
        case when ledger.token_meter = 'output' then ledger.tokens end as tokens_output,
        case when ledger.token_meter in ('input', 'embedding') then ledger.x_ReportingCost end as cost_input_uncached,
        case when ledger.token_meter = 'cache_read' then ledger.x_ReportingCost end as cost_cache_read,
        case when ledger.token_meter like 'cache_write%' then ledger.x_ReportingCost end as cost_cache_write,
        case when ledger.token_meter = 'output' then ledger.x_ReportingCost end as cost_output
    from {{ ref('fct_attribution_ledger') }} as ledger
    inner join scope on scope.charge_date = ledger.charge_date
    union all
    select
        estimates.charge_date,
        providers.ServiceProviderName as provider,
        providers.ServiceName as service,
        estimates.x_ModelId as model_id,
        estimates.team,
        estimates.workflow,
        estimates.BillingCurrency as billing_currency,
        estimates.ChargeCategory as charge_category,
        'estimated' as cost_basis,
        estimates.BilledCost as billed_cost,
        estimates.EffectiveCost as effective_cost,
        estimates.EffectiveCost as reporting_cost,
        estimates.calls,
        cast(estimates.tokens_input_uncached as decimal(28, 12)) as tokens_input_uncached,
        cast(estimates.tokens_cache_read as decimal(28, 12)) as tokens_cache_read,
        cast(estimates.tokens_cache_write as decimal(28, 12)) as tokens_cache_write,
        cast(estimates.tokens_output as decimal(28, 12)) as tokens_output,
        cast(null as decimal(38, 14)) as cost_input_uncached,
        cast(null as decimal(38, 14)) as cost_cache_read,
        cast(null as decimal(38, 14)) as cost_cache_write,
        cast(null as decimal(38, 14)) as cost_output
    from {{ ref('estimated_charges') }} as estimates
    inner join scope on scope.charge_date = estimates.charge_date and estimates.x_EstimateKind = 'not yet billed'
    left join (
        select source, min(ServiceProviderName) as ServiceProviderName, min(ServiceName) as ServiceName
        from {{ ref('fct_attribution_ledger') }}
        where token_meter is not null
        group by source
    ) as providers on providers.source = estimates.x_SourceId
)

select
    cast(spend.provider as string) as provider,
    cast(spend.service as string) as service,
    cast(spend.model_id as string) as model_id,
    cast(spend.team as string) as team,
    cast(spend.workflow as string) as workflow,
    cast(spend.billing_currency as string) as billing_currency,
    cast(spend.charge_category as string) as charge_category,
    cast(spend.cost_basis as string) as cost_basis,
    cast(sum(spend.billed_cost) as decimal(38, 14)) as billed_cost,
    cast(sum(spend.effective_cost) as decimal(38, 14)) as effective_cost,
    cast(sum(spend.reporting_cost) as decimal(38, 14)) as reporting_cost,
    cast(sum(spend.calls) as bigint) as calls,
    cast(coalesce(sum(spend.tokens_input_uncached), 0) as decimal(28, 12)) as tokens_input_uncached,
    cast(coalesce(sum(spend.tokens_cache_read), 0) as decimal(28, 12)) as tokens_cache_read,
    cast(coalesce(sum(spend.tokens_cache_write), 0) as decimal(28, 12)) as tokens_cache_write,
    cast(coalesce(sum(spend.tokens_output), 0) as decimal(28, 12)) as tokens_output,
    cast(sum(spend.cost_input_uncached) as decimal(38, 14)) as cost_input_uncached,
    cast(sum(spend.cost_cache_read) as decimal(38, 14)) as cost_cache_read,
    cast(sum(spend.cost_cache_write) as decimal(38, 14)) as cost_cache_write,
    cast(sum(spend.cost_output) as decimal(38, 14)) as cost_output,
    cast(max(state.input_digest) as string) as raw_input_digest,
    spend.charge_date
from spend
left join {{ ref('ledger_day_state') }} as state on state.charge_date = spend.charge_date
group by
    spend.provider, spend.service, spend.model_id, spend.team, spend.workflow, spend.billing_currency, spend.charge_category,
    spend.cost_basis, spend.charge_date
