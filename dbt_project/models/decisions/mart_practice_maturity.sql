-- R182 to R186: how far the practice is, told by what its own data shows. A stage is reached when it and every stage before it is met.
{%- set stages = [
    (1, 'invoice awareness', 'The totals of last month are known', "select count(*) from (select invoice_issuer_name from " ~ ref('mart_invoice_tie_out') ~ " where billing_period = cast((select last_month from months) as date) group by invoice_issuer_name having sum(case when state = 'difference' then 1 else 0 end) = 0) as x", 1, 'issuers whose bill of last month does not differ from the ledger', 'marts.invoice_tie_out', 'Connect a bill, and look at it every day instead of once a month.'),
    (2, 'provider visibility', 'Spend is known by provider and day, with its forecast and its anomalies', "select count(*) from " ~ ref('mart_forecast_total') ~ " where level = 'provider' and period_kind = 'month_end' and lo80 is not null", 1, 'providers with a month-end forecast and its range', 'marts.forecast_total', 'Let 28 days of spend land: trend, forecast and anomalies need them.'),
    (3, 'ownership', 'Spend is mapped to people, products and cost centres', "select coalesce(max(value), 0) from " ~ ref('mart_kpi_scorecard') ~ " where kpi = 'attribution_coverage' and scope = '' and month = cast((select last_month from months) as date)", none, 'share of last month that has an owner', 'marts.kpi_scorecard', 'Name owners from the top of attribution_worklist, and review deltas with them every week.'),
    (4, 'unit economics', 'The cost of a success is tracked', "select count(distinct scope) from " ~ ref('mart_unit_cost') ~ " where unit = 'successful_outcome' and scope_type = 'workflow' and period_kind = 'month' and unit_cost is not null and period_start = cast((select last_month from months) as date)", 1, 'workflows with a cost per successful outcome last month', 'marts.unit_cost', 'Drop outcome counts, and choose products and models by what a success costs.'),
    (5, 'optimisation loop', 'Changes are measured before and after', "select count(*) from " ~ ref('mart_lever_impact') ~ " where state <> 'not_measured'", 1, 'promoted changes measured in production', 'marts.lever_impact', 'Send cheaper configurations through the evaluation gate, and decide trade-offs in the release review.'),
] %}
with months as (
    select cast(date_trunc('month', as_of_date) - interval '1' month as date) as last_month from {{ source('raw', 'run_context') }}
),

-- What counts as owned is the company's own target.
wanted as (
    select coalesce(max(target), 0.95) as coverage
    from {{ ref('kpi_targets') }}
    cross join months
    where kpi = 'attribution_coverage' and scope is null
        and (valid_from is null or months.last_month >= valid_from) and (valid_to is null or months.last_month < valid_to)
),

found as (
    {%- for stage, name, meaning, query, threshold, unit, relation, next_step in stages %}
    select {{ stage }} as stage, '{{ name }}' as stage_name, '{{ meaning }}' as meaning, cast(({{ query }}) as double) as evidence,
        cast({{ threshold if threshold is not none else '(select coverage from wanted)' }} as double) as threshold, '{{ unit }}' as unit,
        '{{ relation }}' as evidence_from, '{{ next_step }}' as next_step
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

judged as (
    select found.*, evidence >= threshold as is_met from found
)

select
    cast(stage as integer) as stage,
    cast(stage_name as string) as stage_name,
    cast(meaning as string) as meaning,
    cast(round(evidence, 6) as decimal(38, 14)) as evidence,
    cast(threshold as decimal(38, 14)) as threshold,
    cast(unit as string) as unit,
    cast(evidence_from as string) as evidence_from,
    is_met,
    min(case when is_met then 1 else 0 end) over (order by stage rows between unbounded preceding and current row) = 1 as is_reached,
    cast(case when not is_met then next_step end as string) as next_step
from judged
