-- Cost and quantity of every unit by day, the two sides of marts.unit_cost before they are pooled over a period. Who is counted
-- once in a period (customers, users, developers) is a member; everything else is a quantity. AI spend: all but plain cloud.
with definitions as (
    select
        unit, workflow, event, spend_workflow,
        coalesce(valid_from, cast('1900-01-01' as date)) as valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('unit_definitions') }}
),

ledger as (
    select
        shares.charge_date, shares.team, shares.workflow, shares.customer_id, shares.user_id, shares.work_item_key, shares.model_id,
        shares.token_meter is not null as is_metered,
        coalesce(shares.spend_source, 'cloud') <> 'cloud' as is_ai,
        sum(shares.x_ReportingCost) as cost,
        sum(shares.tokens) as tokens
    from {{ ref('fct_attribution_ledger') }} as shares
    where shares.x_ReportingCost is not null
    group by
        shares.charge_date, shares.team, shares.workflow, shares.customer_id, shares.user_id, shares.work_item_key, shares.model_id,
        shares.token_meter is not null, coalesce(shares.spend_source, 'cloud') <> 'cloud'
),

spend as (
    select
        charge_date, team, workflow, customer_id, user_id, work_item_key is not null as is_tied_to_item,
        case when is_metered then model_id end as model_id, is_metered, is_ai,
        sum(cost) as cost, sum(tokens) as tokens
    from ledger
    group by
        charge_date, team, workflow, customer_id, user_id, work_item_key is not null, case when is_metered then model_id end,
        is_metered, is_ai
),

-- Work of a team is paid by all its AI spend, or by one workflow's where the definition says so; a ticket by what is tied to
-- tickets; an active user by what is known to be theirs.
work_units as (
    select 'pull_request_merged' as unit union all select 'ticket_closed' union all select 'deployment'
    union all select 'developer_sprint' union all select 'active_user'
),

work_cost as (
    select
        work_units.unit, spend.charge_date, spend.team,
        case when work_units.unit = 'active_user' then spend.user_id end as member_id,
        sum(spend.cost) as cost
    from spend
    cross join work_units
    left join definitions
        on definitions.unit = work_units.unit
        and definitions.workflow is null
        and spend.charge_date >= definitions.valid_from
        and spend.charge_date < definitions.valid_to
    where spend.is_ai
        and (definitions.spend_workflow is null or definitions.spend_workflow = spend.workflow)
        and (work_units.unit <> 'ticket_closed' or spend.is_tied_to_item)
        and (work_units.unit <> 'active_user' or spend.user_id is not null)
    group by work_units.unit, spend.charge_date, spend.team, case when work_units.unit = 'active_user' then spend.user_id end
),

outcomes as (
    select
        case when event in ('customer', 'session', 'user_action', 'request', 'million_tokens', 'gpu_hour') then concat(event, '_reported') else event end
            as unit,
        outcome_date as charge_date, workflow, sum(events) as quantity
    from {{ ref('stg_outcomes__daily') }}
    group by event, outcome_date, workflow
    union all
    select definitions.unit, counts.outcome_date, counts.workflow, sum(counts.successes)
    from {{ ref('stg_outcomes__daily') }} as counts
    inner join definitions
        on definitions.unit = 'successful_outcome'
        and definitions.workflow = counts.workflow
        and definitions.event = counts.event
        and counts.outcome_date >= definitions.valid_from
        and counts.outcome_date < definitions.valid_to
    group by definitions.unit, counts.outcome_date, counts.workflow
),

-- A defined outcome has a cost also before it was ever counted.
outcome_units as (
    select distinct unit, workflow from outcomes
    union
    select distinct unit, workflow from definitions where unit = 'successful_outcome'
),

items as (
    select work_item_key, work_item_type, feature, team, status_category, is_delivered, resolved_at, epic_key
    from {{ ref('dim_work_item') }}
),

-- A feature is finished with its last open item; its cost is all spend on its items to date, review and rework included.
features as (
    select feature, cast(max(resolved_at) as date) as charge_date, case when min(team) = max(team) then min(team) end as team
    from items
    where feature is not null
    group by feature
    having sum(case when status_category = 'done' then 0 else 1 end) = 0 and max(case when is_delivered then 1 else 0 end) = 1
),

feature_cost as (
    select items.feature, sum(ledger.cost) as cost
    from ledger
    left join {{ ref('dim_work_item_key') }} as keys on keys.key = ledger.work_item_key
    inner join items on items.work_item_key = coalesce(keys.work_item_key, ledger.work_item_key)
    where ledger.work_item_key is not null and items.feature is not null
    group by items.feature
),

accelerators as (
    select
        x_charge_id, charge_date,
        case
            when lower(ConsumedUnit) in ('gpu-hours', 'gpu hours', 'gpu-hour', 'gpu hour') then ConsumedQuantity
            else {{ exact_decimal(json_text('x_NativeColumns', 'x_AcceleratorHours'), 28, 12) }}
        end as gpu_hours
    from {{ ref('focus_cost_and_usage') }}
    where x_SpendSource = 'ai_infrastructure' and ChargeCategory = 'Usage'
),

accelerated as (
    select
        shares.charge_date, shares.team, shares.workflow,
        sum(shares.x_ReportingCost) as cost,
        sum(cast(accelerators.gpu_hours as decimal(18, 6)) * cast(shares.share as decimal(18, 12))) as quantity
    from accelerators
    inner join {{ ref('fct_attribution_ledger') }} as shares
        on shares.x_charge_id = accelerators.x_charge_id and shares.charge_date = accelerators.charge_date
    where accelerators.gpu_hours > 0
    group by shares.charge_date, shares.team, shares.workflow
),

merged as (
    select cast(pulls.merged_at as date) as charge_date, people.team
    from {{ ref('dim_pull_request') }} as pulls
    left join {{ ref('dim_person') }} as people
        on people.person_id = pulls.author_person_id
        and cast(pulls.merged_at as date) >= people.valid_from
        and cast(pulls.merged_at as date) < people.valid_to
    where pulls.merged_at is not null and not coalesce(pulls.is_bot, false)
),

deployed as (
    select cast(deployments.first_success_at as date) as charge_date, people.team
    from {{ ref('dim_deployment') }} as deployments
    left join {{ ref('dim_pull_request') }} as pulls on pulls.pull_request_id = deployments.pull_request_id
    left join {{ ref('dim_person') }} as people
        on people.person_id = coalesce(pulls.author_person_id, deployments.creator_person_id)
        and cast(deployments.first_success_at as date) >= people.valid_from
        and cast(deployments.first_success_at as date) < people.valid_to
    where deployments.is_counted
),

developers as (
    select distinct cast(sprints.started_at as date) as charge_date, people.team, people.person_id
    from {{ ref('dim_sprint') }} as sprints
    inner join {{ ref('dim_person') }} as people
        on cast(sprints.started_at as date) >= people.valid_from
        and cast(sprints.started_at as date) < people.valid_to
    cross join {{ source('raw', 'run_context') }} as context
    where cast(sprints.started_at as date) < context.as_of_date and cast(sprints.ended_at as date) > context.start_date
),

-- columns: unit, day, team, workflow, customer, model, member, cost, quantity, tokens counted, tokens billed
facts as (
    select
        unit, charge_date, team, cast(null as string) as workflow, cast(null as string) as customer_id, cast(null as string) as model_id,
        member_id, cost, cast(0 as decimal(28, 12)) as quantity, cast(null as bigint) as counted_tokens, cast(null as decimal(28, 12)) as billed_tokens
    from work_cost
    union all
    select 'pull_request_merged', charge_date, team, null, null, null, null, 0, count(*), null, null from merged group by charge_date, team
    union all
    select 'ticket_closed', cast(resolved_at as date), team, null, null, null, null, 0, count(*), null, null
    from items
    where is_delivered and resolved_at is not null and work_item_key not in (select epic_key from items where epic_key is not null)
    group by cast(resolved_at as date), team
    union all
    select 'deployment', charge_date, team, null, null, null, null, 0, count(*), null, null from deployed group by charge_date, team
    union all
    select 'developer_sprint', charge_date, team, null, null, null, person_id, 0, 0, null, null from developers
    union all
    select 'ai_assisted_feature', features.charge_date, features.team, null, null, null, null, feature_cost.cost, 1, null, null
    from features
    inner join feature_cost on feature_cost.feature = features.feature
    where feature_cost.cost <> 0
    union all
    select outcome_units.unit, spend.charge_date, null, spend.workflow, null, null, null, sum(spend.cost), 0, null, null
    from spend
    inner join outcome_units on outcome_units.workflow = spend.workflow
    group by outcome_units.unit, spend.charge_date, spend.workflow
    union all
    select unit, charge_date, null, workflow, null, null, null, 0, quantity, null, null from outcomes
    union all
    select 'customer', charge_date, null, workflow, customer_id, null, customer_id, sum(cost), 0, null, null
    from spend
    where customer_id is not null
    group by charge_date, workflow, customer_id
    union all
    select units.unit, spend.charge_date, null, spend.workflow, null, case when units.unit = 'request' then spend.model_id end, null,
        sum(spend.cost), 0, 0, sum(spend.tokens)
    from spend
    cross join (select 'request' as unit union all select 'session' union all select 'user_action') as units
    where spend.is_metered
    group by units.unit, spend.charge_date, spend.workflow, case when units.unit = 'request' then spend.model_id end
    union all
    select kind, charge_date, null, workflow, null, model_id, null, 0, quantity, input_tokens + output_tokens, 0
    from {{ ref('int_usage_count_day') }}
    union all
    select 'million_tokens', charge_date, team, workflow, null, model_id, null, sum(cost),
        sum(cast(coalesce(tokens, 0) as decimal(28, 6))) * cast(0.000001 as decimal(6, 6)), null, null
    from spend
    where is_metered
    group by charge_date, team, workflow, model_id
    union all
    select 'gpu_hour', charge_date, team, workflow, null, null, null, cost, quantity, null, null from accelerated
)

select
    cast(unit as string) as unit,
    cast(team as string) as team,
    cast(workflow as string) as workflow,
    cast(customer_id as string) as customer_id,
    cast(model_id as string) as model_id,
    cast(member_id as string) as member_id,
    cast(cost as decimal(38, 14)) as cost,
    cast(quantity as decimal(28, 12)) as quantity,
    cast(counted_tokens as decimal(28, 12)) as counted_tokens,
    cast(billed_tokens as decimal(28, 12)) as billed_tokens,
    charge_date
from facts
