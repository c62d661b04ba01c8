-- R57, R68: who the AI spend of a month comes from, largest first, before anyone reads an average.
{%- set dimensions = {'user': 'user_id', 'customer': 'customer_id', 'team': 'team', 'workflow': 'workflow', 'model': 'model_id'} %}
with spend as (
    select
        cast(date_trunc('month', charge_date) as date) as month, user_id, customer_id, team, workflow, model_id,
        sum(x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }}
    where spend_source <> 'cloud' and x_ReportingCost is not null
    group by cast(date_trunc('month', charge_date) as date), user_id, customer_id, team, workflow, model_id
),

members as (
    {%- for dimension, column in dimensions.items() %}
    select month, '{{ dimension }}' as dimension, {{ column }} as member, sum(cost) as cost
    from spend
    where {{ column }} is not null
    group by month, {{ column }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

bills as (
    select month, sum(cost) as cost from spend group by month
)

select
    members.month,
    cast(members.dimension as string) as dimension,
    cast(members.member as string) as member,
    cast(row_number() over (partition by members.month, members.dimension order by members.cost desc, members.member) as integer) as rank,
    cast(count(*) over (partition by members.month, members.dimension) as integer) as members,
    cast(members.cost as decimal(38, 14)) as cost,
    {{ ratio('members.cost', 'bills.cost') }} as share_of_spend,
    {{ ratio('members.cost', 'sum(members.cost) over (partition by members.month, members.dimension)') }} as share_of_dimension,
    {{ ratio(
        'sum(members.cost) over (partition by members.month, members.dimension order by members.cost desc, members.member rows between unbounded preceding and current row)',
        'sum(members.cost) over (partition by members.month, members.dimension)') }} as cumulative_share
from members
inner join bills on bills.month = members.month
