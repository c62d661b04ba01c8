select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    id,
    team_key,
    name,
    type,
    raw_window = max(raw_window) over (partition by raw_account) as is_current
from {{ source('raw', 'linear__workflow_states') }}
qualify row_number() over (partition by raw_account, id order by raw_window desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
