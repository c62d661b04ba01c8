{{ config(materialized='view') }}
-- Old merged rows have no merge time: their last update stands for it. Without a merge commit the squashed or the head
-- commit is what was merged. A branch `12-title` is what GitLab names a branch made from issue 12.
with issues as (
    select distinct account, repo, cast(iid as string) as iid from {{ ref('stg_gitlab__issues') }}
)

select
    {{ work_row(pull_request_columns(), {
        'account': 'requests.account',
        'pull_request_id': "concat('gitlab:', requests.id)",
        'repo': 'requests.repo',
        'number': 'requests.iid',
        'title': 'requests.title',
        'state': 'requests.state',
        'branch': 'requests.source_branch',
        'base_branch': 'requests.target_branch',
        'merge_commit_sha': "case when requests.state = 'merged' then coalesce(requests.merge_commit_sha, requests.squash_commit_sha, requests.sha) end",
        'author_id': 'requests.author_id',
        'author_id_system': "'gitlab_user_id'",
        'author_login': 'lower(requests.author_username)',
        'author_login_system': "'gitlab_username'",
        'is_bot': "coalesce(regexp_extract(requests.author_username, '^(project|group)_[0-9]+_bot', 1) <> '', false)",
        'is_draft': 'coalesce(requests.is_draft, false)',
        'closing_reference': closing_reference('requests.repo', 'requests.title'),
        'branch_reference': "issues.repo || '#' || issues.iid",
        'created_at': 'requests.created_at',
        'updated_at': 'requests.updated_at',
        'closed_at': 'coalesce(requests.closed_at, requests.merged_at)',
        'merged_at': "case when requests.state = 'merged' then coalesce(requests.merged_at, requests.updated_at) end",
    }, 'pull request') }}
from {{ ref('stg_gitlab__merge_requests') }} as requests
left join issues
    on issues.account = requests.account
    and issues.repo = requests.repo
    and issues.iid = regexp_extract(requests.source_branch, '^([1-9][0-9]*)-', 1)
