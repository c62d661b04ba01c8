-- R162 to R171: every KPI for every month there is spend, with its target, cadence and who is accountable (the A of seed raci).
-- What cannot be measured says so and why; it is never zero.
{%- set kpis = {
    'unit_cost_per_success': ['Unit cost per success, change against the quarter before (worst workflow)', 'share'],
    'attribution_coverage': ['Attribution coverage', 'share'],
    'forecast_accuracy': ['Error of the month-end forecast', 'share'],
    'input_share_of_spend': ['Input share of token spend', 'share'],
    'eval_pass_at_promotion': ['Pass rate at promotion, less the baseline', 'share'],
    'budget_variance': ['Budget variance', 'share'],
    'cache_hit_share': ['Cache hits over input tokens', 'share'],
    'all_in_spend': ['All-in spend', 'reporting currency'],
    'month_end_against_budget': ['Projected month end over budget', 'ratio'],
    'lever_saving': ['Saving of changes promoted in the month', 'reporting currency'],
} %}
with context as (
    select as_of_date, cast(date_trunc('month', as_of_date) as date) as open_month from {{ source('raw', 'run_context') }}
),

months as (
    select distinct cast(date_trunc('month', charge_date) as date) as month from {{ ref('mart_daily_spend') }}
    where charge_date < (select as_of_date from context)
),

unit_cost as (
    select
        period_start as month, scope,
        cast(unit_cost as double) / nullif(cast(previous_quarter_unit_cost as double), 0) - 1 as value
    from {{ ref('mart_unit_cost') }}
    where unit = 'successful_outcome' and period_kind = 'month' and scope_type = 'workflow'
        and unit_cost is not null and previous_quarter_unit_cost > 0
),

coverage as (
    select
        month,
        cast(sum(case when is_attributed then cost else 0 end) as double) / nullif(cast(sum(cost) as double), 0) as value
    from {{ ref('mart_attribution_coverage') }}
    where team is null
    group by month
),

forecast_error as (
    select
        cast(date_trunc('month', as_of) as date) as month,
        sum(abs(error)) / nullif(sum(actual), 0) as value
    from {{ ref('mart_backtest') }}
    where level = 'total' and horizon = 'month_end' and method = 'published' and is_resolved
    group by cast(date_trunc('month', as_of) as date)
),

tokens as (
    select
        month,
        cast(sum(input_cost) as double) / nullif(cast(sum(input_cost + cost_output) as double), 0) as input_share,
        cast(sum(tokens_cache_read) as double)
            / nullif(cast(sum(tokens_input_uncached + tokens_cache_read + tokens_cache_write) as double), 0) as cached_share
    from {{ ref('mart_cache_recount') }}
    group by month
),

cached_by_workflow as (
    select
        cast(date_trunc('month', day) as date) as month, workflow as scope,
        cast(sum(tokens_cache_read) as double)
            / nullif(cast(sum(tokens_input_uncached + tokens_cache_read + tokens_cache_write) as double), 0) as value
    from {{ ref('int_signal_model_day') }}
    group by cast(date_trunc('month', day) as date), workflow
),

promoted as (
    select
        cast(date_trunc('month', promotions.promoted_on) as date) as month,
        min(gate.rate_difference) as pass_difference,
        sum(impact.realised_saving) as saving
    from {{ ref('promotions') }} as promotions
    left join {{ ref('mart_eval_gate') }} as gate
        on gate.baseline_config = promotions.baseline_config and gate.candidate_config = promotions.candidate_config
    left join {{ ref('mart_lever_impact') }} as impact on impact.promotion_id = promotions.promotion_id
    group by cast(date_trunc('month', promotions.promoted_on) as date)
),

spend as (
    select
        cast(date_trunc('month', charge_date) as date) as month, provider, team,
        sum(reporting_cost) as cost,
        sum(case when charge_category = 'Usage' then reporting_cost else 0 end) as usage_cost
    from {{ ref('mart_daily_spend') }}
    where cost_basis = 'billed'
    group by cast(date_trunc('month', charge_date) as date), provider, team
),

-- A budget is held against Usage: its forecast and its pace are.
variance as (
    select budgets.month, abs(cast(used.cost as double) / cast(budgets.amount as double) - 1) as value
    from (
        select cast(period_start as date) as month, sum(amount_usd) as amount from {{ ref('budgets') }}
        where scope_type = 'total' group by cast(period_start as date)
    ) as budgets
    inner join (select month, sum(usage_cost) as cost from spend group by month) as used on used.month = budgets.month
    cross join context
    where budgets.month < context.open_month and budgets.amount > 0
),

pacing as (
    select cast(date_trunc('month', period_start) as date) as month, sum(month_end) / nullif(cast(sum(budget) as double), 0) as value
    from {{ ref('mart_budget_pacing') }}
    where scope_type = 'total'
    group by cast(date_trunc('month', period_start) as date)
),

measured as (
    select 'unit_cost_per_success' as kpi, '' as scope, month, max(value) as value from unit_cost group by month
    union all
    select 'unit_cost_per_success', scope, month, value from unit_cost
    union all
    select 'attribution_coverage', '', month, value from coverage
    union all
    select 'forecast_accuracy', '', month, value from forecast_error
    union all
    select 'input_share_of_spend', '', month, input_share from tokens
    union all
    select 'eval_pass_at_promotion', '', month, pass_difference from promoted
    union all
    select 'budget_variance', '', month, value from variance
    union all
    select 'cache_hit_share', '', month, cached_share from tokens
    union all
    select 'cache_hit_share', scope, month, value from cached_by_workflow
    union all
    select 'all_in_spend', '', month, cast(sum(cost) as double) from spend group by month
    union all
    select 'all_in_spend', concat('provider ', provider), month, cast(sum(cost) as double) from spend where provider is not null group by month, provider
    union all
    select 'all_in_spend', concat('team ', team), month, cast(sum(cost) as double) from spend where team is not null group by month, team
    union all
    select 'month_end_against_budget', '', month, value from pacing
    union all
    select 'lever_saving', '', month, cast(saving as double) from promoted
),

wanted as (
    {%- for kpi, (name, unit) in kpis.items() %}
    select '{{ kpi }}' as kpi, '{{ name }}' as kpi_name, '{{ unit }}' as unit, months.month from months
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

rows_of_month as (
    select wanted.kpi, wanted.kpi_name, wanted.unit, wanted.month, coalesce(measured.scope, '') as scope, measured.value
    from wanted
    left join measured on measured.kpi = wanted.kpi and measured.month = wanted.month
),

targets as (
    select
        kpi, coalesce(scope, '') as scope, direction, target, cadence, is_non_negotiable, activity,
        coalesce(valid_from, cast('1900-01-01' as date)) as valid_from, coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('kpi_targets') }}
),

judged as (
    select
        rows_of_month.*,
        coalesce(own.target, general.target) as target,
        coalesce(own.direction, general.direction) as direction,
        coalesce(own.cadence, general.cadence) as cadence,
        coalesce(own.is_non_negotiable, general.is_non_negotiable, false) as is_non_negotiable,
        coalesce(own.activity, general.activity) as activity,
        rows_of_month.month < context.open_month as is_complete
    from rows_of_month
    cross join context
    left join targets as own
        on own.kpi = rows_of_month.kpi and own.scope = rows_of_month.scope and own.scope <> ''
        and rows_of_month.month >= own.valid_from and rows_of_month.month < own.valid_to
    left join targets as general
        on general.kpi = rows_of_month.kpi and general.scope = ''
        and rows_of_month.month >= general.valid_from and rows_of_month.month < general.valid_to
),

people as (
    select person_id, display_name from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
)

select
    cast(judged.kpi as string) as kpi,
    cast(judged.kpi_name as string) as kpi_name,
    cast(judged.scope as string) as scope,
    judged.month,
    judged.is_complete,
    cast(judged.value as decimal(38, 14)) as value,
    cast(judged.unit as string) as unit,
    cast(case when judged.direction <> 'none' then judged.target end as decimal(38, 14)) as target,
    cast(coalesce(judged.direction, 'none') as string) as direction,
    cast(case
        when judged.value is null then 'not yet measured'
        when coalesce(judged.direction, 'none') = 'none' then 'tracked'
        when judged.direction = 'max' and judged.value <= judged.target then 'met'
        when judged.direction = 'min' and judged.value >= judged.target then 'met'
        else 'missed'
    end as string) as state,
    cast(case
        when judged.value is not null then null
        when judged.kpi = 'unit_cost_per_success' then 'no successful outcomes in this month and the quarter before'
        when judged.kpi = 'forecast_accuracy' then 'no month-end forecast of the month has met its actual'
        when judged.kpi in ('eval_pass_at_promotion', 'lever_saving') then 'nothing promoted in the month, or no evaluation and production data of it'
        when judged.kpi = 'budget_variance' then 'the month is open, or has no budget'
        when judged.kpi = 'month_end_against_budget' then 'paced for open months with a total budget only'
        else 'no data for the month'
    end as string) as reason,
    cast(judged.cadence as string) as cadence,
    judged.is_non_negotiable,
    cast(accountable.role as string) as accountable_role,
    cast(coalesce(people.display_name, accountable.person_id, accountable.role) as string) as owner
from judged
left join {{ ref('raci') }} as accountable on accountable.activity = judged.activity and accountable.responsibility = 'A'
left join people on people.person_id = accountable.person_id
