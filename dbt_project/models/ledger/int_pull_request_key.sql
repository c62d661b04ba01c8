-- Branch before title; a title counts in upper case only (utf-8, gpt-4). Known project keys decide in both.
with pulls as (
    select * from {{ ref('stg_github__pulls') }}
),

hits as (
    select id, 'branch' as origin, 1 as priority, {{ ticket_key_hits('upper(head_ref)') }} as hit from pulls
    union all
    select id, 'title' as origin, 2 as priority, {{ ticket_key_hits('title') }} as hit from pulls
),

keys as (
    select hits.id, hits.origin, hits.priority, {{ hit_key('hits.hit') }} as work_item_key
    from hits
    inner join {{ ref('int_project_key') }} as projects on projects.project_key = {{ hit_project('hits.hit') }}
    union all
    select
        id,
        'closing_reference' as origin,
        0 as priority,
        concat(repo, '#', regexp_extract(lower(title), '(close|closes|closed|fix|fixes|fixed|resolve|resolves|resolved) #([1-9][0-9]*)', 2)) as work_item_key
    from pulls
    where regexp_extract(lower(title), '(close|closes|closed|fix|fixes|fixed|resolve|resolves|resolved) #([1-9][0-9]*)', 2) <> ''
),

best as (
    select id, min(priority) as priority from keys group by id
)

select distinct
    cast(keys.id as string) as pull_request_id,
    cast(keys.origin as string) as origin,
    cast(keys.work_item_key as string) as work_item_key
from keys
inner join best on best.id = keys.id and best.priority = keys.priority
