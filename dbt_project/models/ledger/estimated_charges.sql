-- What the gateway saw after the last day the provider has billed, at list price; and value that a vendor names without
-- invoicing it. Never added to billed charges.
with last_billed as (
    select x_SourceId, x_Account, max(charge_date) as last_billed_date
    from {{ ref('focus_cost_and_usage') }}
    where x_TokenMeter is not null
    group by x_SourceId, x_Account
),

calls as (
    select
        calls.*,
        coalesce(calls.workflow, calls.owner_workflow) as share_workflow,
        coalesce(calls.team, people.team, workflows.team) as share_team
    from {{ ref('fct_model_call') }} as calls
    left join last_billed
        on last_billed.x_SourceId = calls.provider_source and last_billed.x_Account = calls.provider_account
    left join {{ ref('dim_person') }} as people
        on people.person_id = calls.person_id
        and calls.charge_date >= people.valid_from
        and calls.charge_date < people.valid_to
    left join {{ ref('dim_workflow') }} as workflows
        on workflows.workflow = coalesce(calls.workflow, calls.owner_workflow)
        and calls.charge_date >= workflows.valid_from
        and calls.charge_date < workflows.valid_to
    where calls.charge_date > coalesce(last_billed.last_billed_date, cast('1900-01-01' as date))
        and calls.provider_source is not null
        and calls.list_cost_usd is not null
        and calls.tokens_total > 0
),

grouped as (
    select
        charge_date, provider_source, provider_account, provider_credential_id, model_id, share_workflow, share_team, person_id,
        ticket_key, customer_id, environment,
        sum(list_cost_usd) as cost,
        count(*) as calls,
        sum(tokens_input_uncached) as tokens_input_uncached,
        sum(tokens_cache_read) as tokens_cache_read,
        sum(tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write_unspecified) as tokens_cache_write,
        sum(tokens_output) as tokens_output,
        sum(tokens_total) as tokens
    from calls
    group by
        charge_date, provider_source, provider_account, provider_credential_id, model_id, share_workflow, share_team, person_id,
        ticket_key, customer_id, environment
),

holders as (
    select estimates.estimate_id, min(known.person_id) as person_id
    from {{ ref('int_vendor_estimate') }} as estimates
    inner join {{ ref('dim_identity') }} as known
        on known.external_id = case when known.system = 'email' then lower(estimates.principal_id) else estimates.principal_id end
        and known.system in ('email', {{ principal_system('estimates.source') }})
        and estimates.charge_date >= known.valid_from
        and estimates.charge_date < known.valid_to
    group by estimates.estimate_id
    having count(distinct known.person_id) = 1
),

owners as (
    select estimates.estimate_id, min(owner.team) as team, min(owner.workflow) as workflow, min(owner.environment) as environment
    from {{ ref('int_vendor_estimate') }} as estimates
    inner join {{ ref('dim_owner') }} as owner
        on owner.source = estimates.source
        and (
            (owner.object_type = 'api_key' and owner.external_id = estimates.credential_id)
            or (owner.object_type in ('workspace', 'project') and owner.external_id = estimates.workspace_id)
        )
        and estimates.charge_date >= owner.valid_from
        and estimates.charge_date < owner.valid_to
    group by estimates.estimate_id
    having count(distinct owner.team) = 1
)

select
    cast({{ row_hash(['charge_date', 'provider_source', 'provider_account', 'provider_credential_id', 'model_id', 'share_workflow',
        'share_team', 'person_id', 'ticket_key', 'customer_id', 'environment']) }} as string) as x_charge_id,
    cast('estimated' as string) as x_CostBasis,
    cast('not yet billed' as string) as x_EstimateKind,
    cast(provider_source as string) as x_SourceId,
    cast(provider_account as string) as x_Account,
    cast(provider_credential_id as string) as x_CredentialId,
    cast('Usage' as string) as ChargeCategory,
    cast(charge_date as timestamp) as ChargePeriodStart,
    cast(charge_date as timestamp) + interval '1' day as ChargePeriodEnd,
    cast('USD' as string) as BillingCurrency,
    cast(cost as decimal(38, 14)) as BilledCost,
    cast(cost as decimal(38, 14)) as EffectiveCost,
    cast(cost as decimal(38, 14)) as ListCost,
    cast(tokens as decimal(28, 12)) as ConsumedQuantity,
    cast('Tokens' as string) as ConsumedUnit,
    cast(model_id as string) as x_ModelId,
    cast(share_workflow as string) as workflow,
    cast(share_team as string) as team,
    cast(person_id as string) as user_id,
    cast(ticket_key as string) as work_item_key,
    cast(customer_id as string) as customer_id,
    cast(environment as string) as environment,
    cast(calls as bigint) as calls,
    cast(tokens_input_uncached as bigint) as tokens_input_uncached,
    cast(tokens_cache_read as bigint) as tokens_cache_read,
    cast(tokens_cache_write as bigint) as tokens_cache_write,
    cast(tokens_output as bigint) as tokens_output,
    charge_date
from grouped
union all
select
    cast(estimates.estimate_id as string),
    cast('estimated' as string),
    cast('not invoiced' as string),
    cast(estimates.source as string),
    cast(estimates.account as string),
    cast(estimates.credential_id as string),
    cast('Usage' as string),
    estimates.charge_start,
    estimates.charge_end,
    cast(estimates.currency as string),
    estimates.estimated_cost,
    estimates.estimated_cost,
    estimates.estimated_cost,
    estimates.quantity,
    cast(estimates.unit as string),
    cast(estimates.model_id as string),
    cast(owners.workflow as string),
    cast(coalesce(people.team, owners.team) as string),
    cast(holders.person_id as string),
    cast(null as string),
    cast(null as string),
    cast(owners.environment as string),
    cast(0 as bigint),
    cast(case when estimates.token_meter in ('input', 'embedding') then estimates.quantity else 0 end as bigint),
    cast(case when estimates.token_meter = 'cache_read' then estimates.quantity else 0 end as bigint),
    cast(case when estimates.token_meter like 'cache_write%' then estimates.quantity else 0 end as bigint),
    cast(case when estimates.token_meter = 'output' then estimates.quantity else 0 end as bigint),
    estimates.charge_date
from {{ ref('int_vendor_estimate') }} as estimates
left join holders on holders.estimate_id = estimates.estimate_id
left join owners on owners.estimate_id = estimates.estimate_id
left join {{ ref('dim_person') }} as people
    on people.person_id = holders.person_id
    and estimates.charge_date >= people.valid_from
    and estimates.charge_date < people.valid_to
