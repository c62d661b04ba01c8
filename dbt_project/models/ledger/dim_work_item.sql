{%- set not_delivered = "('won''t do', 'won''t fix', 'duplicate', 'cannot reproduce', 'declined', 'cancelled', 'canceled', 'not planned')" -%}
with issues as (
    select * from {{ ref('stg_jira__issues') }}
),

issue_sprints as (
    select account, id as issue_id, {{ json_array_elements('sprint_ids') }} as sprint_id
    from issues
),

last_sprint as (
    select issue_sprints.account, issue_sprints.issue_id, sprints.name as sprint
    from issue_sprints
    inner join {{ ref('stg_jira__sprints') }} as sprints
        on sprints.account = issue_sprints.account and sprints.id = issue_sprints.sprint_id
    qualify row_number() over (
        partition by issue_sprints.account, issue_sprints.issue_id order by sprints.started_at desc nulls last, sprints.id desc
    ) = 1
),

jira as (
    select
        issues.*,
        coalesce(issues.epic_key, case when lower(parents.issue_type) = 'epic' then issues.parent_key end) as own_epic_key,
        last_sprint.sprint
    from issues
    left join issues as parents on parents.account = issues.account and parents.key = issues.parent_key
    left join last_sprint on last_sprint.account = issues.account and last_sprint.issue_id = issues.id
),

jira_items as (
    select
        upper(jira.key) as work_item_key,
        'jira' as source,
        jira.id as native_id,
        jira.project_key as project,
        jira.summary as title,
        jira.issue_type as work_item_type,
        jira.status_name as status,
        jira.status_category,
        jira.resolution,
        jira.parent_key,
        jira.own_epic_key as epic_key,
        coalesce(epics.summary, case when lower(jira.issue_type) = 'epic' then jira.summary end) as feature,
        jira.sprint,
        jira.priority,
        jira.story_points,
        jira.assignee_account_id as assignee_id,
        'jira_account_id' as assignee_system,
        jira.created_at,
        jira.updated_at,
        jira.resolved_at,
        jira.status_category = 'done' and coalesce(lower(jira.resolution), '') not in {{ not_delivered }} as is_delivered
    from jira
    left join issues as epics on epics.account = jira.account and epics.key = jira.own_epic_key
    qualify row_number() over (partition by upper(jira.key) order by jira.updated_at desc, jira.account) = 1
),

closed_by_pull_request as (
    select distinct work_item_key from {{ ref('int_pull_request_key') }} where origin = 'closing_reference'
),

github_items as (
    select
        concat(issues.repo, '#', cast(issues.number as string)) as work_item_key,
        'github' as source,
        issues.id as native_id,
        issues.repo as project,
        issues.title,
        'Issue' as work_item_type,
        issues.state as status,
        case when issues.state = 'closed' then 'done' else 'new' end as status_category,
        issues.state_reason as resolution,
        cast(null as string) as parent_key,
        cast(null as string) as epic_key,
        cast(null as string) as feature,
        cast(null as string) as sprint,
        cast(null as string) as priority,
        null as story_points,
        issues.assignee_id as assignee_id,
        'github_id' as assignee_system,
        issues.created_at,
        issues.updated_at,
        issues.closed_at as resolved_at,
        coalesce(issues.state = 'closed' and coalesce(issues.state_reason, 'completed') = 'completed', false) as is_delivered
    from {{ ref('stg_github__issues') }} as issues
    inner join closed_by_pull_request
        on closed_by_pull_request.work_item_key = concat(issues.repo, '#', cast(issues.number as string))
),

items as (
    select * from jira_items
    union all
    select * from github_items
)

select
    cast(items.work_item_key as string) as work_item_key,
    cast(items.source as string) as source,
    cast(items.native_id as string) as native_id,
    cast(items.project as string) as project,
    cast(items.title as string) as title,
    cast(items.work_item_type as string) as work_item_type,
    cast(items.status as string) as status,
    cast(items.status_category as string) as status_category,
    cast(items.resolution as string) as resolution,
    cast(items.parent_key as string) as parent_key,
    cast(items.epic_key as string) as epic_key,
    cast(items.feature as string) as feature,
    cast(items.sprint as string) as sprint,
    cast(items.priority as string) as priority,
    cast(items.story_points as decimal(28, 12)) as story_points,
    cast(identities.person_id as string) as assignee_person_id,
    cast(people.team as string) as team,
    items.created_at,
    items.updated_at,
    items.resolved_at,
    coalesce(items.is_delivered, false) as is_delivered
from items
left join {{ ref('dim_identity') }} as identities
    on identities.system = items.assignee_system
    and identities.external_id = items.assignee_id
    and cast(items.updated_at as date) >= identities.valid_from
    and cast(items.updated_at as date) < identities.valid_to
left join {{ ref('dim_person') }} as people
    on people.person_id = identities.person_id
    and cast(items.updated_at as date) >= people.valid_from
    and cast(items.updated_at as date) < people.valid_to
