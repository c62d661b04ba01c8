-- Production of workflows with a promoted change: the calls it is about, those that carry it, outcomes, successes and their cost
-- at the company's prices, by day. Outcomes are counted by day, so the day is the cluster in the place of a session.
with promoted as (
    select distinct workflow, applied_kind, applied_from, applied_to from {{ ref('promotions') }}
),

calls as (
    select
        promoted.workflow, calls.charge_date, count(*) as calls,
        sum(case
            when promoted.applied_kind = 'model' and calls.model_id = promoted.applied_to then 1
            when promoted.applied_kind = 'cache' and calls.tokens_cache_read > 0 then 1
            else 0
        end) as lever_calls,
        sum(calls.list_cost_usd) as cost
    from {{ ref('fct_model_call') }} as calls
    inner join promoted
        on promoted.workflow = coalesce(calls.workflow, calls.owner_workflow)
        and (promoted.applied_kind <> 'model' or calls.model_id in (promoted.applied_from, promoted.applied_to))
    group by promoted.workflow, calls.charge_date
),

outcomes as (
    select counted.workflow, counted.outcome_date as charge_date, sum(counted.events) as outcomes, sum(counted.successes) as successes
    from {{ ref('stg_outcomes__daily') }} as counted
    inner join {{ ref('unit_definitions') }} as units
        on units.unit = 'successful_outcome' and units.workflow = counted.workflow and units.event = counted.event
        and counted.outcome_date >= coalesce(units.valid_from, cast('1900-01-01' as date))
        and counted.outcome_date < coalesce(units.valid_to, cast('9999-12-31' as date))
    where counted.workflow in (select workflow from promoted)
    group by counted.workflow, counted.outcome_date
)

select
    cast(calls.workflow as string) as workflow,
    calls.charge_date,
    cast(calls.charge_date as string) as session_id,
    cast(calls.calls as bigint) as calls,
    cast(calls.lever_calls as bigint) as lever_calls,
    cast(coalesce(outcomes.outcomes, 0) as bigint) as outcomes,
    cast(coalesce(outcomes.successes, 0) as bigint) as successes,
    cast(coalesce(calls.cost, 0) as decimal(38, 14)) as cost
from calls
left join outcomes on outcomes.workflow = calls.workflow and outcomes.charge_date = calls.charge_date
