select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    -({{ to_money('total_cents', 2) }}) as credit_left_usd,
    cast(raw_window as date) as snapshot_date
from {{ source('raw', 'xai__prepaid_balance') }}
