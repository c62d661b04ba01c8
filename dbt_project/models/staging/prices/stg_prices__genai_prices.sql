select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    provider_id,
    model_id,
    token_meter,
    tier,
    context_from_tokens,
    {{ exact_decimal('price_usd_per_million', 28, 16) }} as price_usd_per_million,
    effective_from,
    effective_to,
    package_version
from {{ source('raw', 'prices__genai_prices') }}
qualify raw_window = max(raw_window) over (partition by raw_account)
