-- Who answers for what a signal watches: people for themselves, the team's owner for teams and workflows, and by default the
-- role that is accountable for reviewing the numbers.
with teams as (
    select team, owner_person_id from {{ ref('dim_team') }}
    qualify row_number() over (partition by team order by valid_from desc) = 1
),

workflows as (
    select workflow, team from {{ ref('dim_workflow') }}
    qualify row_number() over (partition by workflow order by valid_from desc) = 1
),

people as (
    select person_id, team from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
),

members as (
    select 'user' as scope_type, people.person_id as scope, 'team' as parent_type, people.team as parent, people.person_id as owner
    from people
    union all
    select 'team', teams.team, cast(null as string), cast(null as string), teams.owner_person_id from teams
    union all
    select 'workflow', workflows.workflow, 'team', workflows.team, teams.owner_person_id
    from workflows
    left join teams on teams.team = workflows.team
    union all
    select distinct
        'workflow x model', concat(models.workflow, ' / ', models.model_id), 'workflow', models.workflow, teams.owner_person_id
    from {{ ref('int_signal_model_day') }} as models
    left join workflows on workflows.workflow = models.workflow
    left join teams on teams.team = workflows.team
    union all
    select 'session', sessions.session_id, 'workflow', max(sessions.workflow), coalesce(max(sessions.person_id), max(teams.owner_person_id))
    from {{ ref('int_signal_session') }} as sessions
    left join workflows on workflows.workflow = sessions.workflow
    left join teams on teams.team = workflows.team
    where sessions.session_id in (select scope from {{ ref('int_signal_rule_day') }} where scope_type = 'session')
    group by sessions.session_id
    union all
    select 'default', '', cast(null as string), cast(null as string), coalesce(person_id, role)
    from {{ ref('raci') }}
    where activity = 'review_kpis' and responsibility = 'A'
)

select
    cast(scope_type as string) as scope_type, cast(scope as string) as scope, cast(parent_type as string) as parent_type,
    cast(parent as string) as parent, cast(owner as string) as owner
from members
