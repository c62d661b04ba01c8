with pulls as (
{{ handed_over('pull_request_models', pull_request_columns()) }}
),

keys as (
    select
        pull_request_id,
        min(origin) as key_origin,
        min(work_item_key) as work_item_key,
        count(*) as work_item_count
    from {{ ref('int_pull_request_key') }}
    group by pull_request_id
),

-- A revert quotes the title it takes back: it takes back the newest pull request of that title merged before it.
reverted as (
    select pulls.pull_request_id, min(reverts.merged_at) as reverted_at
    from pulls
    inner join pulls as reverts
        on reverts.source = pulls.source
        and reverts.repo = pulls.repo
        and reverts.title = concat('Revert "', pulls.title, '"')
        and reverts.merged_at > pulls.merged_at
    left join pulls as newer
        on newer.source = pulls.source
        and newer.repo = pulls.repo
        and newer.title = pulls.title
        and newer.merged_at > pulls.merged_at
        and newer.merged_at < reverts.merged_at
    where newer.pull_request_id is null
    group by pulls.pull_request_id
)

select
    cast(pulls.pull_request_id as string) as pull_request_id,
    cast(pulls.source as string) as source,
    cast(pulls.repo as string) as repo,
    cast(pulls.number as bigint) as number,
    cast(pulls.title as string) as title,
    cast(pulls.state as string) as state,
    cast(pulls.branch as string) as branch,
    cast(pulls.base_branch as string) as base_branch,
    cast(pulls.merge_commit_sha as string) as merge_commit_sha,
    cast(coalesce(by_id.person_id, by_login.person_id) as string) as author_person_id,
    pulls.is_bot,
    pulls.is_draft,
    cast(keys.work_item_key as string) as work_item_key,
    cast(coalesce(keys.work_item_count, 0) as bigint) as work_item_count,
    cast(keys.key_origin as string) as key_origin,
    pulls.created_at,
    pulls.updated_at,
    pulls.closed_at,
    pulls.merged_at,
    coalesce(pulls.title like 'Revert "%', false) as is_revert,
    reverted.reverted_at
from pulls
left join reverted on reverted.pull_request_id = pulls.pull_request_id
left join keys on keys.pull_request_id = pulls.pull_request_id
left join {{ ref('dim_identity') }} as by_id
    on by_id.system = pulls.author_id_system
    and by_id.external_id = pulls.author_id
    and cast(pulls.created_at as date) >= by_id.valid_from
    and cast(pulls.created_at as date) < by_id.valid_to
left join {{ ref('dim_identity') }} as by_login
    on by_login.system = pulls.author_login_system
    and by_login.external_id = pulls.author_login
    and cast(pulls.created_at as date) >= by_login.valid_from
    and cast(pulls.created_at as date) < by_login.valid_to
