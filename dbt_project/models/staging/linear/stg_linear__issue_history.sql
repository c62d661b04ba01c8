select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    issue_id,
    history_id,
    field,
    actor_id,
    from_id,
    to_id,
    {{ utc_timestamp('created_at') }} as created_at
from {{ source('raw', 'linear__issue_history') }}
qualify row_number() over (partition by raw_account, history_id, field order by raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
