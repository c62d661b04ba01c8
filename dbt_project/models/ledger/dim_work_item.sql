with handed_over as (
{{ handed_over('work_item_models', work_item_columns()) }}
),

named_by_pull_request as (
    select distinct work_item_key from {{ ref('int_pull_request_key') }}
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
    coalesce(items.is_delivered, false) as is_delivered
from items
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
