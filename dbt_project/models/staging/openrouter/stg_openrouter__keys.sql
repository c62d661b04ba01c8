select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    hash,
    name,
    workspace_id,
    creator_user_id,
    disabled as is_disabled,
    {{ utc_timestamp('created_at') }} as created_at,
    {{ utc_timestamp('updated_at') }} as updated_at,
    raw_window = max(raw_window) over (partition by raw_account) as is_current
from {{ source('raw', 'openrouter__keys') }}
qualify row_number() over (partition by raw_account, hash order by raw_window desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
