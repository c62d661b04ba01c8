-- Pooled ratios: a period's cost over the period's quantity, never a mean of smaller ratios. Nothing counted is a state.
{%- set tolerance = var('unit_cost_tolerance') %}
with context as (
    select as_of_date, start_date from {{ source('raw', 'run_context') }}
),

scoped as (
    {%- for scope_type, scope in unit_scopes().items() %}
    select
        unit, '{{ scope_type }}' as scope_type,
        {{ "'all'" if scope[0] is none else 'coalesce(' ~ scope[0] ~ ", '(no " ~ scope_type ~ ")')" }} as scope,
        member_id, cost, quantity, counted_tokens, billed_tokens, charge_date
    from {{ ref('int_unit_fact') }}
    where unit in ('{{ scope[1] | join("', '") }}')
        {%- if scope_type == 'workflow' %} or unit not in ('{{ own_units() | join("', '") }}'){% endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

sprints as (
    select distinct cast(started_at as date) as period_start, cast(ended_at as date) as period_end
    from {{ ref('dim_sprint') }}
    where started_at is not null and ended_at > started_at
),

placed as (
    select
        'month' as period_kind, cast(date_trunc('month', charge_date) as date) as period_start,
        cast(date_trunc('month', charge_date) + interval '1' month as date) as period_end, scoped.*
    from scoped
    where unit <> 'developer_sprint'
    union all
    select
        'quarter' as period_kind, cast(date_trunc('quarter', charge_date) as date) as period_start,
        cast(date_trunc('quarter', charge_date) + interval '3' month as date) as period_end, scoped.*
    from scoped
    where unit <> 'developer_sprint'
    union all
    select 'sprint' as period_kind, sprints.period_start, sprints.period_end, scoped.*
    from scoped
    inner join sprints on scoped.charge_date >= sprints.period_start and scoped.charge_date < sprints.period_end
    where scoped.unit = 'developer_sprint'
),

sums as (
    select
        unit, scope_type, scope, period_kind, period_start, period_end,
        cast(sum(cost) as decimal(38, 14)) as numerator,
        cast(sum(quantity) + count(distinct member_id) as decimal(28, 12)) as denominator,
        {{ ratio('sum(counted_tokens)', 'sum(billed_tokens)') }} as counted_share
    from placed
    group by unit, scope_type, scope, period_kind, period_start, period_end
),

-- What the dearest tenth of the members cost, at least one of them: said before any average of members.
ranked_members as (
    select
        *,
        row_number() over (partition by unit, scope_type, scope, period_kind, period_start, period_end order by cost desc, member_id) as cost_rank,
        count(*) over (partition by unit, scope_type, scope, period_kind, period_start, period_end) as members
    from (
        select unit, scope_type, scope, period_kind, period_start, period_end, member_id, sum(cost) as cost
        from placed
        where member_id is not null and unit in ('active_user', 'customer')
        group by unit, scope_type, scope, period_kind, period_start, period_end, member_id
    ) as member_sums
),

concentration as (
    select
        unit, scope_type, scope, period_kind, period_start, period_end,
        {{ ratio('sum(case when 10 * (cost_rank - 1) < members then cost else 0 end)', 'sum(cost)') }} as top_decile_share
    from ranked_members
    group by unit, scope_type, scope, period_kind, period_start, period_end
),

costs as (
    select
        sums.*,
        concentration.top_decile_share,
        {{ cost_per_unit('sums.numerator', 'sums.denominator') }} as unit_cost,
        sums.period_start >= context.start_date and sums.period_end <= context.as_of_date as is_complete,
        cast(least(sums.period_end, context.as_of_date) - interval '1' day as date) as last_day
    from sums
    cross join context
    left join concentration
        on concentration.unit = sums.unit
        and concentration.scope_type = sums.scope_type
        and concentration.scope = sums.scope
        and concentration.period_kind = sums.period_kind
        and concentration.period_start = sums.period_start
        and concentration.period_end = sums.period_end
),

definitions as (
    select
        unit, workflow, decision, manual_unit_cost, target_unit_cost, owner_person_id,
        coalesce(valid_from, cast('1900-01-01' as date)) as valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('unit_definitions') }}
),

compared as (
    select
        costs.*,
        previous.numerator as previous_numerator,
        previous.denominator as previous_denominator,
        previous.unit_cost as previous_unit_cost,
        previous.is_complete as previous_is_complete,
        quarters.unit_cost as previous_quarter_unit_cost,
        cast(costs.numerator - previous.numerator as decimal(38, 14)) as cost_change,
        cast(costs.unit_cost - previous.unit_cost as decimal(38, 14)) as change,
        {{ volume_effect('costs.denominator', 'costs.unit_cost', 'previous.denominator', 'previous.unit_cost') }} as volume_effect,
        {{ ratio('costs.numerator - previous.numerator', 'previous.numerator') }} as cost_change_share,
        {{ ratio('costs.unit_cost - previous.unit_cost', 'previous.unit_cost') }} as change_share,
        coalesce(own.decision, general.decision) as decision,
        coalesce(own.manual_unit_cost, general.manual_unit_cost) as manual_unit_cost,
        coalesce(own.target_unit_cost, general.target_unit_cost) as target_unit_cost,
        coalesce(own.owner_person_id, general.owner_person_id) as owner_person_id
    from costs
    left join costs as previous
        on previous.unit = costs.unit
        and previous.scope_type = costs.scope_type
        and previous.scope = costs.scope
        and previous.period_kind = costs.period_kind
        and previous.period_end = costs.period_start
        -- Another board's sprint may end on the same day; the one before has the same length.
        and (
            costs.period_kind <> 'sprint'
            or {{ days_between('previous.period_start', 'previous.period_end') }} = {{ days_between('costs.period_start', 'costs.period_end') }}
        )
    left join costs as quarters
        on quarters.unit = costs.unit
        and quarters.scope_type = costs.scope_type
        and quarters.scope = costs.scope
        and quarters.period_kind = 'quarter'
        and quarters.period_start = cast(date_trunc('quarter', costs.period_start) - interval '3' month as date)
    left join definitions as own
        on own.unit = costs.unit
        and own.workflow = costs.scope
        and costs.scope_type = 'workflow'
        and costs.last_day >= own.valid_from
        and costs.last_day < own.valid_to
    left join definitions as general
        on general.unit = costs.unit
        and general.workflow is null
        and costs.last_day >= general.valid_from
        and costs.last_day < general.valid_to
)

select
    cast(unit as string) as unit,
    cast(scope_type as string) as scope_type,
    cast(scope as string) as scope,
    cast(period_kind as string) as period_kind,
    period_start,
    period_end,
    is_complete,
    numerator,
    denominator,
    top_decile_share,
    unit_cost,
    previous_unit_cost,
    change,
    change_share,
    previous_quarter_unit_cost,
    cost_change,
    volume_effect,
    cast(case when volume_effect is not null then cost_change - volume_effect end as decimal(38, 14)) as unit_cost_effect,
    cast(case
        when unit_cost is null or previous_unit_cost is null or cost_change_share is null or change_share is null
            or previous_numerator <= 0 then 'not comparable'
        when not (is_complete and previous_is_complete) then 'incomplete period'
        when change_share < -{{ tolerance }} and cost_change_share > {{ tolerance }} then 'succeeding'
        when change_share < -{{ tolerance }} then 'cheaper'
        when change_share > {{ tolerance }} and cost_change_share < -{{ tolerance }} then 'shrinking'
        when change_share > {{ tolerance }} then 'failing'
        when abs(cost_change_share) > {{ tolerance }} then 'volume'
        else 'steady'
    end as string) as reading,
    manual_unit_cost,
    {{ ratio('unit_cost', 'manual_unit_cost') }} as share_of_manual,
    target_unit_cost,
    cast(case
        when target_unit_cost is null then 'no target'
        when unit_cost is null then 'no outcomes'
        when unit_cost <= target_unit_cost then 'met'
        else 'missed'
    end as string) as target_state,
    counted_share,
    cast(case
        when unit_cost is null then 'no_outcomes'
        when counted_share < 0.9 then 'partly_counted'
        else 'measured'
    end as string) as state,
    cast(decision as string) as decision,
    decision is not null as is_core,
    cast(owner_person_id as string) as owner_person_id
from compared
