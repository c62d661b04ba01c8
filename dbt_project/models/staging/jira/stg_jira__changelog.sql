select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    issue_id,
    history_id,
    item_ordinal,
    author_account_id,
    field,
    from_id,
    from_text,
    to_id,
    to_text,
    {{ utc_timestamp('created_at') }} as created_at
from {{ source('raw', 'jira__changelog') }}
qualify row_number() over (partition by raw_account, history_id, item_ordinal order by raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
