{{ config(materialized='view') }}
select
    {{ work_row(pull_request_columns(), {
        'account': 'account',
        'pull_request_id': 'id',
        'repo': 'repo',
        'number': 'number',
        'title': 'title',
        'state': 'state',
        'branch': 'head_ref',
        'base_branch': 'base_ref',
        'merge_commit_sha': 'merge_commit_sha',
        'author_id': 'author_id',
        'author_id_system': "'github_id'",
        'author_login': 'lower(author_login)',
        'author_login_system': "'github_login'",
        'is_bot': "coalesce(author_type = 'Bot', false)",
        'is_draft': 'coalesce(is_draft, false)',
        'closing_reference': closing_reference('repo', 'title'),
        'created_at': 'created_at',
        'updated_at': 'updated_at',
        'closed_at': 'closed_at',
        'merged_at': 'merged_at',
    }, 'pull request') }}
from {{ ref('stg_github__pulls') }}
