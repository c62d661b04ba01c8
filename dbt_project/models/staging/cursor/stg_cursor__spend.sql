select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('cycle_start') }} as cycle_start,
    user_id,
    user_email,
    name,
    role,
    {{ to_money('spend_cents', 2) }} as spend_usd,
    {{ to_money('overall_spend_cents', 2) }} as overall_spend_usd,
    {{ to_money('included_spend_cents', 2) }} as included_spend_usd,
    fast_premium_requests,
    {{ to_money('hard_limit_override_usd') }} as hard_limit_override_usd,
    {{ to_money('monthly_limit_usd') }} as monthly_limit_usd,
    raw_window = max(raw_window) over (partition by raw_account) as is_current
from {{ source('raw', 'cursor__spend') }}
