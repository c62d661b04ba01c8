-- What a tracker or the host itself ties first, then the branch, then the title; a title counts in upper case only (utf-8,
-- gpt-4). Known project keys decide in both.
with pulls as (
{{ handed_over('pull_request_models', pull_request_columns()) }}
),

links as (
{{ handed_over('pull_request_link_models', pull_request_link_columns()) }}
),

hits as (
    select pull_request_id, 'branch' as origin, 1 as priority, {{ ticket_key_hits('upper(branch)') }} as hit from pulls
    union all
    select pull_request_id, 'title' as origin, 2 as priority, {{ ticket_key_hits('title') }} as hit from pulls
),

keys as (
    select hits.pull_request_id, hits.origin, hits.priority, {{ hit_key('hits.hit') }} as work_item_key
    from hits
    inner join {{ ref('int_project_key') }} as projects on projects.project_key = {{ hit_project('hits.hit') }}
    union all
    select pull_request_id, 'closing_reference' as origin, 0 as priority, closing_reference as work_item_key
    from pulls
    where closing_reference is not null
    union all
    select pulls.pull_request_id, 'tracker_link' as origin, 0 as priority, links.work_item_key
    from pulls
    inner join links on lower(links.repo) = lower(pulls.repo) and links.number = pulls.number
    union all
    select pull_request_id, 'branch_reference' as origin, 3 as priority, branch_reference as work_item_key
    from pulls
    where branch_reference is not null
),

best as (
    select pull_request_id, min(priority) as priority from keys group by pull_request_id
)

select
    cast(keys.pull_request_id as string) as pull_request_id,
    cast(min(keys.origin) as string) as origin,
    cast(keys.work_item_key as string) as work_item_key
from keys
inner join best on best.pull_request_id = keys.pull_request_id and best.priority = keys.priority
group by keys.pull_request_id, keys.work_item_key
