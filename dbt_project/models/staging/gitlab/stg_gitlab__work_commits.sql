{{ config(materialized='view') }}
-- A private address of the host names its user: 31-ann@users.noreply.gitlab.com.
select
    {{ work_row(commit_columns(), {
        'account': 'account',
        'repo': 'repo',
        'sha': 'sha',
        'author_id': "nullif(regexp_extract(author_email, '^([0-9]+)-[^@]+@users[.]noreply[.]', 1), '')",
        'author_id_system': "'gitlab_user_id'",
        'author_login': "lower(nullif(regexp_extract(author_email, '^[0-9]+-([^@]+)@users[.]noreply[.]', 1), ''))",
        'author_login_system': "'gitlab_username'",
        'author_email': 'lower(author_email)',
        'is_bot': "coalesce(regexp_extract(author_email, '^(project|group)_[0-9]+_bot', 1) <> '', false)",
        'is_merge': 'parent_count > 1',
        'key_texts': 'key_texts',
        'authored_at': 'authored_at',
        'committed_at': 'committed_at',
    }, 'commit') }}
from {{ ref('stg_gitlab__commits') }}
