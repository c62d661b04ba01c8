select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    repo,
    sha,
    author_id,
    author_login,
    author_type,
    author_email,
    key_texts,
    parent_count,
    {{ utc_timestamp('authored_at') }} as authored_at,
    {{ utc_timestamp('committed_at') }} as committed_at
from {{ source('raw', 'github__commits') }}
qualify row_number() over (partition by raw_account, repo, sha order by committed_at desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
