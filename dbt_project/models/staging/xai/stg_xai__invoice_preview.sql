select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    cast(concat(cycle_year, '-', cycle_month, '-01') as date) as billing_period_start,
    {{ to_money('total_with_corrections_cents', 2) }} as total_with_corrections_usd,
    -({{ to_money('prepaid_credits_cents', 2) }}) as prepaid_credits_usd,
    cast(raw_window as date) as snapshot_date
from {{ source('raw', 'xai__invoice_preview') }}
