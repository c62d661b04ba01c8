select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    id,
    issue_id,
    issue_identifier,
    source_type,
    url,
    {{ utc_timestamp('created_at') }} as created_at,
    {{ utc_timestamp('updated_at') }} as updated_at
from {{ source('raw', 'linear__attachments') }}
qualify row_number() over (partition by raw_account, id order by updated_at desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
