-- R107: objectives for cost and their error budgets, in the sense of Site Reliability Engineering (Google, The Site Reliability
-- Workbook, ch. 2 and 5). An event is a complete day of a scope, or a request; it is bad when it costs more than its ceiling. The
-- error budget is the number of bad events that the objective's target allows in its window; a burn rate of 1 uses it up exactly.
with context as (
    select as_of_date from {{ source('raw', 'run_context') }}
),

objectives as (
    select
        cost_objectives.*,
        context.as_of_date,
        {{ dbt.dateadd('day', '-window_days', 'context.as_of_date') }} as window_start
    from {{ ref('cost_objectives') }} as cost_objectives
    cross join context
),

events as (
    select
        objectives.objective_id,
        series.charge_date,
        cast(1 as bigint) as events,
        cast(case when series.cost > objectives.ceiling then 1 else 0 end as bigint) as bad_events
    from objectives
    inner join {{ ref('mart_forecast_series') }} as series
        on series.level = objectives.scope_type
        and (objectives.scope_type = 'total' or series.scope = objectives.scope)
        and series.charge_date >= objectives.window_start and series.charge_date < objectives.as_of_date
    where objectives.kind = 'daily_spend'
    union all
    select
        objectives.objective_id,
        calls.charge_date,
        count(*) as events,
        sum(case when calls.list_cost_usd > objectives.ceiling then 1 else 0 end) as bad_events
    from objectives
    inner join {{ ref('fct_model_call') }} as calls
        on calls.charge_date >= objectives.window_start and calls.charge_date < objectives.as_of_date
        and (
            objectives.scope_type = 'total'
            or (objectives.scope_type = 'workflow' and calls.workflow = objectives.scope)
            or (objectives.scope_type = 'team' and calls.team = objectives.scope)
        )
    where objectives.kind = 'request_cost' and calls.list_cost_usd is not null
    group by objectives.objective_id, calls.charge_date
),

-- Days are counted back from the last one of the scope: what arrives late does not look like a quiet day.
dated as (
    select events.*, max(charge_date) over (partition by objective_id) as last_date from events
),

counted as (
    select
        objective_id,
        min(charge_date) as first_date,
        max(charge_date) as last_date,
        sum(events) as events,
        sum(bad_events) as bad_events,
        sum(case when charge_date = last_date then events else 0 end) as events_1d,
        sum(case when charge_date = last_date then bad_events else 0 end) as bad_events_1d,
        sum(case when charge_date > {{ dbt.dateadd('day', -7, 'last_date') }} then events else 0 end) as events_7d,
        sum(case when charge_date > {{ dbt.dateadd('day', -7, 'last_date') }} then bad_events else 0 end) as bad_events_7d
    from dated
    group by objective_id
),

rated as (
    select
        objectives.*,
        coalesce(counted.events, 0) as events,
        coalesce(counted.bad_events, 0) as bad_events,
        counted.first_date,
        counted.last_date,
        (1 - cast(objectives.target as double)) * counted.events as allowed,
        cast(counted.bad_events_1d as double) / nullif(counted.events_1d, 0) / (1 - cast(objectives.target as double)) as burn_rate_1d,
        cast(counted.bad_events_7d as double) / nullif(counted.events_7d, 0) / (1 - cast(objectives.target as double)) as burn_rate_7d,
        cast(counted.bad_events as double) / nullif(counted.events, 0) / (1 - cast(objectives.target as double)) as burn_rate_window
    from objectives
    left join counted on counted.objective_id = objectives.objective_id
),

people as (
    select person_id, display_name from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
)

select
    cast(rated.objective_id as string) as objective_id,
    rated.as_of_date as as_of,
    cast(rated.objective_name as string) as objective_name,
    cast(rated.kind as string) as kind,
    cast(rated.scope_type as string) as scope_type,
    cast(coalesce(rated.scope, '') as string) as scope,
    cast(rated.ceiling as decimal(38, 14)) as ceiling,
    cast(case rated.kind when 'daily_spend' then 'reporting currency per day' else 'USD per request at list price' end as string) as ceiling_unit,
    cast(rated.window_days as integer) as window_days,
    rated.first_date,
    rated.last_date,
    cast(rated.events as bigint) as events,
    cast(rated.bad_events as bigint) as bad_events,
    cast(1 - rated.bad_events / nullif(cast(rated.events as double), 0) as decimal(20, 18)) as compliance,
    cast(rated.target as decimal(20, 18)) as target,
    cast(rated.allowed as decimal(38, 14)) as allowed_bad_events,
    cast(rated.bad_events / nullif(rated.allowed, 0) as decimal(38, 14)) as consumed_share,
    cast(rated.allowed - rated.bad_events as decimal(38, 14)) as remaining_bad_events,
    cast(rated.burn_rate_1d as decimal(38, 14)) as burn_rate_1d,
    cast(rated.burn_rate_7d as decimal(38, 14)) as burn_rate_7d,
    cast(rated.burn_rate_window as decimal(38, 14)) as burn_rate_window,
    cast(case
        when rated.events = 0 then 'not yet measured'
        when rated.bad_events >= rated.allowed and rated.bad_events > 0 then 'spent'
        when rated.burn_rate_7d > 1 then 'burning'
        else 'ok'
    end as string) as state,
    cast(case
        when rated.events > 0 then null
        when rated.kind = 'daily_spend' then 'no complete day of this scope in the window'
        else 'no priced request of this scope in the window'
    end as string) as reason,
    cast(accountable.role as string) as accountable_role,
    cast(coalesce(people.display_name, accountable.person_id, accountable.role) as string) as owner
from rated
left join {{ ref('raci') }} as accountable on accountable.activity = rated.activity and accountable.responsibility = 'A'
left join people on people.person_id = accountable.person_id
