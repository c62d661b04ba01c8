select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ exact_decimal('total_credits_usd') }} as total_credits_usd,
    {{ exact_decimal('total_usage_usd') }} as total_usage_usd,
    cast(raw_window as date) as snapshot_date
from {{ source('raw', 'openrouter__credits') }}
