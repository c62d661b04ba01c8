-- R221 to R227: calls and context come from the requests, cost from the ledger; what no workflow explains is one row.
with spend as (
    select
        cast(date_trunc('month', charge_date) as date) as month,
        coalesce(workflow, '(no workflow)') as workflow,
        sum(x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }}
    where workflow is not null or token_meter is not null
    group by cast(date_trunc('month', charge_date) as date), coalesce(workflow, '(no workflow)')
),

calls as (
    select
        cast(date_trunc('month', charge_date) as date) as month,
        coalesce(workflow, '(no workflow)') as workflow,
        sum(case when kind = 'request' then quantity else 0 end) as calls,
        sum(case when kind = 'request' then input_tokens end) as input_tokens,
        sum(case when kind = 'request' then output_tokens end) as output_tokens,
        sum(case when kind = 'user_action' then quantity else 0 end) as user_actions,
        sum(case when kind = 'user_action' then requests end) as requests_of_user_actions
    from {{ ref('int_usage_count_day') }}
    group by cast(date_trunc('month', charge_date) as date), coalesce(workflow, '(no workflow)')
),

workflows as (
    select workflow, workflow_name, team
    from {{ ref('dim_workflow') }}
    qualify row_number() over (partition by workflow order by valid_from desc) = 1
),

rows_of_month as (
    select
        coalesce(spend.month, calls.month) as month,
        coalesce(spend.workflow, calls.workflow) as workflow,
        coalesce(calls.calls, 0) as calls,
        calls.input_tokens,
        calls.output_tokens,
        coalesce(calls.user_actions, 0) as user_actions,
        calls.requests_of_user_actions,
        cast(coalesce(spend.cost, 0) as decimal(38, 14)) as cost
    from spend
    full outer join calls on calls.month = spend.month and calls.workflow = spend.workflow
)

select
    rows_of_month.month,
    cast(rows_of_month.workflow as string) as workflow,
    cast(workflows.workflow_name as string) as workflow_name,
    cast(workflows.team as string) as team,
    cast(rows_of_month.calls as bigint) as calls,
    {{ ratio('rows_of_month.input_tokens', 'rows_of_month.calls') }} as average_input_tokens,
    {{ ratio('rows_of_month.output_tokens', 'rows_of_month.calls') }} as average_output_tokens,
    cast(rows_of_month.user_actions as bigint) as user_actions,
    {{ ratio('rows_of_month.requests_of_user_actions', 'rows_of_month.user_actions') }} as fan_out,
    {{ ratio('rows_of_month.cost', 'sum(rows_of_month.cost) over (partition by rows_of_month.month)') }} as share_of_spend,
    {{ cost_per_unit('rows_of_month.cost', 'cast(rows_of_month.calls as decimal(28, 12))') }} as cost_per_call,
    rows_of_month.cost
from rows_of_month
left join workflows on workflows.workflow = rows_of_month.workflow
