-- The newest list holds every change there was. The vendor's sign says what is owed; here credit is positive.
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    change_origin,
    {{ utc_timestamp('created_at') }} as created_at,
    -({{ to_money('amount_cents', 2) }}) as credit_usd
from {{ source('raw', 'xai__balance_changes') }}
qualify raw_window = max(raw_window) over (partition by raw_account)
