select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('bucket_start') }} as bucket_start,
    api_key_id,
    api_key_name,
    description,
    {{ billed_amount('usage_usd') }} as usage_usd,
    {{ billed_remainder('usage_usd') }} as usage_usd_remainder,
    cast({{ utc_timestamp('bucket_start') }} as date) as charge_date
from {{ source('raw', 'xai__usage') }}
