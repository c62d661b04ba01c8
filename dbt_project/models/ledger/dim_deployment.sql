-- One release retried is one deployment: the first success of a commit in an environment counts.
with deployments as (
{{ handed_over('deployment_models', deployment_columns()) }}
),

counted as (
    select
        *,
        row_number() over (
            partition by source, account, repo, sha, environment
            order by first_success_at nulls last, created_at, deployment_id
        ) as attempt_of_commit
    from deployments
),

merged as (
    select source, repo, merge_commit_sha, min(pull_request_id) as pull_request_id, min(work_item_key) as work_item_key
    from {{ ref('dim_pull_request') }}
    where merged_at is not null and merge_commit_sha is not null
    group by source, repo, merge_commit_sha
)

select
    cast(counted.deployment_id as string) as deployment_id,
    cast(counted.source as string) as source,
    cast(counted.repo as string) as repo,
    cast(counted.sha as string) as sha,
    cast(counted.ref as string) as ref,
    cast(counted.environment as string) as environment,
    counted.is_production,
    cast(counted.latest_state as string) as latest_state,
    coalesce(counted.is_production and counted.first_success_at is not null and counted.attempt_of_commit = 1, false) as is_counted,
    cast(identities.person_id as string) as creator_person_id,
    cast(merged.pull_request_id as string) as pull_request_id,
    cast(merged.work_item_key as string) as work_item_key,
    counted.created_at,
    counted.first_success_at
from counted
left join merged
    on merged.source = counted.source and merged.repo = counted.repo and merged.merge_commit_sha = counted.sha
left join {{ ref('dim_identity') }} as identities
    on identities.system = counted.creator_id_system
    and identities.external_id = counted.creator_id
    and cast(counted.created_at as date) >= identities.valid_from
    and cast(counted.created_at as date) < identities.valid_to
