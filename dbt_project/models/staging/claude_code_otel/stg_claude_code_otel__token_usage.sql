select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    session_id,
    user_email,
    model,
    metric,
    token_type,
    temporality,
    series,
    {{ utc_timestamp('started_at') }} as started_at,
    {{ utc_timestamp('ended_at') }} as ended_at,
    tokens,
    {{ exact_decimal('cost_usd', 38, 24) }} as cost_usd,
    cast({{ utc_timestamp('ended_at') }} as date) as charge_date
from {{ source('raw', 'claude_code_otel__token_usage') }}
