-- R63: the last eight complete weeks that have a week before them. A member without an owner of its own gets the
-- owner of the team that moved most in it.
{%- set dimensions = {'team': 'team', 'workflow': 'workflow', 'provider': 'ServiceProviderName', 'service': 'ServiceName',
    'model': 'model_id', 'customer': 'customer_id'} %}
with context as (
    select cast(date_trunc('week', as_of_date) as date) as open_week from {{ source('raw', 'run_context') }}
),

ledger as (
    select ledger.*, cast(date_trunc('week', ledger.charge_date) as date) as week
    from {{ ref('fct_attribution_ledger') }} as ledger
    cross join context
    where ledger.charge_date < context.open_week
        and ledger.charge_date >= context.open_week - interval '63' day
        and ledger.ChargeCategory = 'Usage'
),

members as (
    {%- for dimension, column in dimensions.items() %}
    select week, '{{ dimension }}' as dimension, {{ column }} as member, team, sum(x_ReportingCost) as cost
    from ledger
    where {{ column }} is not null
    group by week, {{ column }}, team
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

weeks as (
    select distinct cast(date_trunc('week', spine.charge_date) as date) as week
    from (
        {{ date_spine("(select open_week - interval '56' day from context)", "(select open_week from context)") }}
    ) as spine
    inner join (select min(week) as first_week from ledger) as known
        on cast(date_trunc('week', spine.charge_date) as date) > known.first_week
),

pairs as (
    select
        weeks.week,
        members.dimension,
        members.member,
        members.team,
        sum(case when members.week = weeks.week then members.cost else 0 end) as cost,
        sum(case when members.week <> weeks.week then members.cost else 0 end) as previous_cost
    from weeks
    inner join members on members.week = weeks.week or members.week = cast(weeks.week - interval '7' day as date)
    group by weeks.week, members.dimension, members.member, members.team
),

mover as (
    select week, dimension, member, team
    from pairs
    where team is not null
    qualify row_number() over (partition by week, dimension, member order by abs(cost - previous_cost) desc, team) = 1
),

changes as (
    select week, dimension, member, sum(cost) as cost, sum(previous_cost) as previous_cost
    from pairs
    group by week, dimension, member
),

workflows as (
    select workflow, team from {{ ref('dim_workflow') }}
    qualify row_number() over (partition by workflow order by valid_from desc) = 1
)

select
    changes.week,
    cast(changes.dimension as string) as dimension,
    cast(changes.member as string) as member,
    cast(changes.cost as decimal(38, 14)) as cost,
    cast(changes.previous_cost as decimal(38, 14)) as previous_cost,
    cast(changes.cost - changes.previous_cost as decimal(38, 14)) as change,
    {{ ratio('changes.cost - changes.previous_cost', 'changes.previous_cost') }} as change_share,
    cast(row_number() over (
        partition by changes.week, changes.dimension order by abs(changes.cost - changes.previous_cost) desc, changes.member
    ) as integer) as rank,
    cast(coalesce(people.display_name, teams.owner_person_id) as string) as owner,
    cast(teams.owner_person_id as string) as owner_person_id
from changes
left join mover
    on mover.week = changes.week and mover.dimension = changes.dimension and mover.member = changes.member
left join workflows on changes.dimension = 'workflow' and workflows.workflow = changes.member
left join {{ ref('dim_team') }} as teams
    on teams.team = case
        when changes.dimension = 'team' then changes.member
        else coalesce(workflows.team, mover.team)
    end
    and changes.week >= teams.valid_from
    and changes.week < teams.valid_to
left join {{ ref('dim_person') }} as people
    on people.person_id = teams.owner_person_id
    and changes.week >= people.valid_from
    and changes.week < people.valid_to
