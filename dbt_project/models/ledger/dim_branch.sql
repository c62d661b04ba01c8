-- A branch is tied by the keys in its name, else by its pull requests when these agree on one set of work items.
with branches as (
    select distinct repo, branch from {{ ref('fct_model_call') }} where branch is not null
    union
    select distinct repo, branch from {{ ref('dim_pull_request') }} where branch is not null
),

name_hits as (
    select repo, branch, {{ ticket_key_hits('upper(branch)') }} as hit from branches
),

by_name as (
    select distinct name_hits.repo, name_hits.branch, {{ hit_key('name_hits.hit') }} as work_item_key
    from name_hits
    inner join {{ ref('int_project_key') }} as projects on projects.project_key = {{ hit_project('name_hits.hit') }}
),

pull_request_keys as (
    select pulls.repo, pulls.branch, pulls.pull_request_id, keys.work_item_key
    from {{ ref('dim_pull_request') }} as pulls
    inner join {{ ref('int_pull_request_key') }} as keys on keys.pull_request_id = pulls.pull_request_id
    where pulls.branch is not null
),

agreed as (
    select repo, branch
    from pull_request_keys
    group by repo, branch
    having count(distinct work_item_key) = 1 or count(distinct pull_request_id) = 1
),

by_pull_request as (
    select distinct pull_request_keys.repo, pull_request_keys.branch, pull_request_keys.work_item_key
    from pull_request_keys
    inner join agreed on agreed.repo = pull_request_keys.repo and agreed.branch = pull_request_keys.branch
    left join (select distinct repo, branch from by_name) as named
        on named.repo is not distinct from pull_request_keys.repo and named.branch = pull_request_keys.branch
    where named.branch is null
),

tied as (
    select repo, branch, work_item_key, 'branch_name' as origin from by_name
    union all
    select repo, branch, work_item_key, 'pull_request' as origin from by_pull_request
),

counted as (
    select
        *,
        count(*) over (partition by repo, branch) as item_count,
        row_number() over (partition by repo, branch order by work_item_key) as item_ordinal
    from tied
)

select
    cast(repo as string) as repo,
    cast(branch as string) as branch,
    cast(work_item_key as string) as work_item_key,
    cast(origin as string) as origin,
    cast({{ integer_quotient('1000000 * item_ordinal', 'item_count') }}
        - {{ integer_quotient('1000000 * (item_ordinal - 1)', 'item_count') }} as bigint) as share_ppm,
    cast({{ integer_quotient('1000000 * item_ordinal', 'item_count') }} as bigint) as share_ppm_to
from counted
