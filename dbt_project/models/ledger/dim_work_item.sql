with handed_over as (
{{ handed_over('work_item_models', work_item_columns()) }}
),

pulls as (
{{ handed_over('pull_request_models', pull_request_columns()) }}
),

changes as (
{{ handed_over('work_item_change_models', work_item_change_columns()) }}
),

statuses_known as (
{{ handed_over('work_item_status_models', work_item_status_columns()) }}
),

named_by_pull_request as (
    select keys.work_item_key, min(pulls.created_at) as first_opened_at, min(pulls.merged_at) as first_merged_at
    from {{ ref('int_pull_request_key') }} as keys
    inner join pulls on pulls.pull_request_id = keys.pull_request_id
    group by keys.work_item_key
),

first_done as (
    select changes.source, changes.account, changes.native_id, min(changes.changed_at) as done_at
    from changes
    inner join statuses_known
        on statuses_known.source = changes.source
        and statuses_known.account = changes.account
        and statuses_known.status_id = changes.to_id
        and statuses_known.status_category = 'done'
    where changes.field = 'status'
    group by changes.source, changes.account, changes.native_id
),

items as (
    select handed_over.*
    from handed_over
    left join named_by_pull_request as named on named.work_item_key = handed_over.work_item_key
    where not handed_over.needs_reference or named.work_item_key is not null
    qualify row_number() over (
        partition by handed_over.work_item_key order by handed_over.updated_at desc, handed_over.source, handed_over.account
    ) = 1
),

item_sprints as (
    select source, account, native_id, {{ json_array_elements('sprint_ids') }} as sprint_id
    from items
),

last_sprint as (
    select item_sprints.source, item_sprints.account, item_sprints.native_id, sprints.name as sprint
    from item_sprints
    inner join {{ ref('dim_sprint') }} as sprints
        on sprints.source = item_sprints.source
        and sprints.account = item_sprints.account
        and sprints.sprint_id = item_sprints.sprint_id
    qualify row_number() over (
        partition by item_sprints.source, item_sprints.account, item_sprints.native_id
        order by sprints.started_at desc nulls last, sprints.sprint_id desc
    ) = 1
)

select
    cast(items.work_item_key as string) as work_item_key,
    cast(items.source as string) as source,
    cast(items.account as string) as account,
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
    cast(last_sprint.sprint as string) as sprint,
    cast(items.priority as string) as priority,
    cast(items.story_points as decimal(28, 12)) as story_points,
    cast(identities.person_id as string) as assignee_person_id,
    cast(people.team as string) as team,
    items.created_at,
    items.updated_at,
    items.resolved_at,
    named.first_opened_at as first_pull_request_at,
    least(
        coalesce(named.first_merged_at, first_done.done_at, items.resolved_at),
        coalesce(first_done.done_at, items.resolved_at, named.first_merged_at)
    ) as first_done_at,
    coalesce(items.is_delivered, false) as is_delivered
from items
left join named_by_pull_request as named on named.work_item_key = items.work_item_key
left join first_done
    on first_done.source = items.source
    and first_done.account = items.account
    and first_done.native_id = items.native_id
left join last_sprint
    on last_sprint.source = items.source
    and last_sprint.account = items.account
    and last_sprint.native_id = items.native_id
left join {{ ref('dim_identity') }} as identities
    on identities.system = items.assignee_system
    and identities.external_id = items.assignee_id
    and cast(items.updated_at as date) >= identities.valid_from
    and cast(items.updated_at as date) < identities.valid_to
left join {{ ref('dim_person') }} as people
    on people.person_id = identities.person_id
    and cast(items.updated_at as date) >= people.valid_from
    and cast(items.updated_at as date) < people.valid_to
