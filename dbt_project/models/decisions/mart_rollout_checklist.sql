-- R181: the first 90 days as a checklist that the data ticks. A step is done when its evidence is there, not when somebody says so.
{%- set steps = [
    (1, 30, 'inform', 'Every source that is on delivers on time', "select count(*) from " ~ ref('mart_source_freshness') ~ " where state in ('late', 'stale', 'failed', 'missing')", '=', 0, 'sources late or failed', 'Open source_freshness and repair the sources named.'),
    (2, 30, 'inform', 'Closed periods tie out with their invoices', "select count(*) from " ~ ref('mart_invoice_tie_out') ~ " where state = 'difference'", '=', 0, 'periods with a difference', 'Open invoice_tie_out: a bill or an invoice is missing.'),
    (3, 30, 'inform', 'At least 95 % of last month has an owner', "select coalesce(max(value), 0) from scorecard where kpi = 'attribution_coverage' and month = last_month", '>=', 0.95, 'share of spend', 'Work through attribution_worklist from the top.'),
    (4, 30, 'inform', 'Every workflow with spend has an accountable team', "select count(*) from (select distinct workflow from " ~ ref('mart_workflow_ledger') ~ " where team is null and workflow <> '(no workflow)' and cost > 0) as x", '=', 0, 'workflows without a team', 'Name the team in seed workflows.'),
    (5, 30, 'inform', 'Every activity has one accountable role', "select count(*) from (select activity from " ~ ref('raci') ~ " group by activity having sum(case when responsibility = 'A' then 1 else 0 end) <> 1) as x", '=', 0, 'activities', 'Correct seed raci.'),
    (6, 60, 'optimise', 'Unit cost per success is measured', "select count(distinct scope) from scorecard where kpi = 'unit_cost_per_success' and scope <> '' and month = last_month", '>=', 1, 'workflows measured', 'Drop outcome counts and fill seed unit_definitions.'),
    (7, 60, 'optimise', 'A budget is paced', "select count(*) from " ~ ref('mart_budget_pacing'), '>=', 1, 'budgets paced', 'Fill seed budgets.'),
    (8, 60, 'optimise', 'The month-end forecast is within 10 %', "select coalesce(max(value), 9) from scorecard where kpi = 'forecast_accuracy' and month = last_month", '<=', 0.10, 'error of last month', 'Read backtest: which series misses, and what it did not know.'),
    (9, 60, 'optimise', 'Signals are judged and every open incident has an owner', "select case when count(*) = 0 then 1 else 0 end + (select count(*) from " ~ ref('mart_incidents') ~ " where owner is null) from " ~ ref('mart_signals'), '=', 0, 'gaps', 'Let 14 days of requests land; name owners in seed teams.'),
    (10, 90, 'operate', 'A change went through the evaluation gate', "select count(*) from " ~ ref('mart_eval_gate') ~ " where outcome in ('PROMOTE', 'REJECT')", '>=', 1, 'candidates decided', 'Drop evaluation results and fill seed eval_plans.'),
    (11, 90, 'operate', 'A promoted change is verified in production', "select count(*) from " ~ ref('mart_lever_impact') ~ " where state <> 'not_measured'", '>=', 1, 'changes verified', 'Record the change in seed promotions.'),
    (12, 90, 'operate', 'Commitments were sized on the ledger', "select count(distinct pool) from " ~ ref('mart_commitment_sizing') ~ " where decision in ('recommend', 'stay_on_demand', 'override')", '>=', 1, 'pools decided', 'See the reasons in commitment_sizing.'),
    (13, 90, 'operate', 'No non-negotiable KPI is missed', "select count(*) from scorecard where is_non_negotiable and state = 'missed' and month = last_month and scope = ''", '=', 0, 'KPIs missed', 'Open kpi_scorecard and ask its accountable owner.'),
] %}
with scorecard as (
    select card.*, cast(date_trunc('month', context.as_of_date) - interval '1' month as date) as last_month
    from {{ ref('mart_kpi_scorecard') }} as card
    cross join {{ source('raw', 'run_context') }} as context
),

facts as (
    {%- for step, by_day, phase, name, query, sign, wanted, unit, next_step in steps %}
    select {{ step }} as step, {{ by_day }} as by_day, '{{ phase }}' as phase, '{{ name }}' as step_name,
        cast(({{ query }}) as double) as found, '{{ sign }}' as sign, cast({{ wanted }} as double) as wanted, '{{ unit }}' as unit,
        '{{ next_step }}' as next_step
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    cast(step as integer) as step,
    cast(by_day as integer) as by_day,
    cast(phase as string) as phase,
    cast(step_name as string) as step_name,
    case sign when '=' then found = wanted when '>=' then found >= wanted else found <= wanted end as is_done,
    cast(round(found, 6) as decimal(38, 14)) as evidence,
    cast(unit as string) as unit,
    cast(case
        when case sign when '=' then found = wanted when '>=' then found >= wanted else found <= wanted end then null else next_step
    end as string) as next_step
from facts
