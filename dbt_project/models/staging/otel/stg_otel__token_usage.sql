select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    service_name,
    scope_name,
    provider,
    model,
    token_type,
    temporality,
    series,
    {{ utc_timestamp('started_at') }} as started_at,
    {{ utc_timestamp('ended_at') }} as ended_at,
    tokens,
    calls,
    cast({{ utc_timestamp('ended_at') }} as date) as charge_date
from {{ source('raw', 'otel__token_usage') }}
