{{ config(materialized='view') }}
-- Where no account stands for the author, a private address of the host still names one: 501+ann@users.noreply.github.com.
select
    {{ work_row(commit_columns(), {
        'account': 'account',
        'repo': 'repo',
        'sha': 'sha',
        'author_id': "coalesce(author_id, nullif(regexp_extract(author_email, '^([0-9]+)[+][^@]+@users[.]noreply[.]', 1), ''))",
        'author_id_system': "'github_id'",
        'author_login': "lower(coalesce(author_login, nullif(regexp_extract(author_email, '^([0-9]+[+])?([^@+]+)@users[.]noreply[.]', 2), '')))",
        'author_login_system': "'github_login'",
        'author_email': 'lower(author_email)',
        'is_bot': "coalesce(author_type = 'Bot' or author_login like '%[bot]' or author_email like '%[bot]@%', false)",
        'is_merge': 'parent_count > 1',
        'key_texts': 'key_texts',
        'authored_at': 'authored_at',
        'committed_at': 'committed_at',
    }, 'commit') }}
from {{ ref('stg_github__commits') }}
