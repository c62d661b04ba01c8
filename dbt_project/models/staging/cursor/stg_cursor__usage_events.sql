{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
with event as (
    select *, replace(replace(replace(lower(kind), '_', ''), '-', ''), ' ', '') as plain_kind
    from {{ source('raw', 'cursor__usage_events') }}
)

select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('event_at') }} as event_at,
    user_email,
    user_id,
    service_account_id,
    service_account_name,
    model,
    kind,
    -- The flag is the contract; where an event has none, the words of its kind say it in one of several spellings.
    coalesce(is_chargeable, plain_kind like '%usagebased%' and plain_kind not like '%notcharged%', false) as is_chargeable,
    is_token_based_call,
    is_max_mode,
    is_headless,
    is_free_bugbot,
    {{ exact_decimal('request_units', 28, 12) }} as request_units,
    input_tokens,
    output_tokens,
    cache_write_tokens,
    cache_read_tokens,
    input_tokens + output_tokens + cache_write_tokens + cache_read_tokens as tokens,
    {{ to_money('model_cents', 2) }} as model_cost_usd,
    {{ exact_decimal('discount_percent_off', 28, 12) }} as discount_percent_off,
    {{ to_money('token_fee_cents', 2) }} as token_fee_usd,
    {{ billed_amount('charged_cents', 2) }} as charged_usd,
    {{ billed_remainder('charged_cents', 2) }} as charged_usd_remainder,
    conversation_id,
    cloud_agent_id,
    automation_id,
    cast({{ utc_timestamp('event_at') }} as date) as charge_date
from event
