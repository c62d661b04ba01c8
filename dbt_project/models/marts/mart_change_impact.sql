-- R83: as many days before a change as after it, at most its window; cost and quantity are pooled on each side.
with context as (
    select as_of_date, start_date from {{ source('raw', 'run_context') }}
),

windows as (
    select
        changes.*,
        greatest(least(
            changes.window_days,
            {{ days_between('changes.changed_on', 'context.as_of_date') }},
            {{ days_between('context.start_date', 'changes.changed_on') }}
        ), 0) as days
    from {{ ref('changes') }} as changes
    cross join context
),

others as (
    select windows.change_id, count(*) as other_changes
    from windows
    inner join windows as others
        on others.change_id <> windows.change_id
        and (others.workflow is null or windows.workflow is null or others.workflow = windows.workflow)
        and abs({{ days_between('windows.changed_on', 'others.changed_on') }}) < windows.days
    group by windows.change_id
),

-- Outcomes of different workflows do not add up, so a change of all workflows is read on units that do.
affected as (
    select
        windows.change_id, facts.unit,
        sum(case when facts.charge_date < windows.changed_on then facts.cost else 0 end) as before_cost,
        sum(case when facts.charge_date < windows.changed_on then facts.quantity else 0 end) as before_quantity,
        sum(case when facts.charge_date >= windows.changed_on then facts.cost else 0 end) as after_cost,
        sum(case when facts.charge_date >= windows.changed_on then facts.quantity else 0 end) as after_quantity
    from windows
    inner join {{ ref('int_unit_fact') }} as facts
        on {{ days_between('facts.charge_date', 'windows.changed_on') }} <= windows.days
        and {{ days_between('windows.changed_on', 'facts.charge_date') }} < windows.days
        and (windows.workflow is null or facts.workflow = windows.workflow)
    where facts.unit in ('request', 'session', 'user_action', 'million_tokens')
        or (windows.workflow is not null and facts.unit not in ('{{ own_units() | join("', '") }}'))
    group by windows.change_id, facts.unit
),

sides as (
    select
        windows.change_id, windows.changed_on, windows.kind, windows.workflow, windows.description, windows.owner_person_id, windows.days,
        windows.window_days, others.other_changes, affected.unit,
        cast(affected.before_cost as decimal(38, 14)) as before_cost,
        cast(affected.before_quantity as decimal(28, 12)) as before_quantity,
        cast(affected.after_cost as decimal(38, 14)) as after_cost,
        cast(affected.after_quantity as decimal(28, 12)) as after_quantity
    from windows
    inner join affected on affected.change_id = windows.change_id
    left join others on others.change_id = windows.change_id
),

costs as (
    select
        *,
        {{ cost_per_unit('before_cost', 'before_quantity') }} as before_unit_cost,
        {{ cost_per_unit('after_cost', 'after_quantity') }} as after_unit_cost
    from sides
)

select
    cast(change_id as string) as change_id,
    cast(unit as string) as unit,
    changed_on,
    cast(kind as string) as kind,
    cast(workflow as string) as workflow,
    cast(description as string) as description,
    cast(days as integer) as days,
    before_cost,
    before_quantity,
    before_unit_cost,
    after_cost,
    after_quantity,
    after_unit_cost,
    cast(after_unit_cost - before_unit_cost as decimal(38, 14)) as change,
    {{ ratio('after_unit_cost - before_unit_cost', 'before_unit_cost') }} as change_share,
    case when abs(before_unit_cost) < 100000000000 then
        cast(after_cost - {{ decimal_product('after_quantity', 'cast(before_unit_cost as decimal(28, 16))') }} as decimal(38, 14))
    end as cost_effect,
    cast(coalesce(other_changes, 0) as integer) as other_changes,
    cast(case
        when before_unit_cost is null or after_unit_cost is null then 'no_outcomes'
        when days < window_days then 'shortened'
        else 'measured'
    end as string) as state,
    cast(owner_person_id as string) as owner_person_id
from costs
