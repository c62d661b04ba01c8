select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    correlation_id,
    subscription_id,
    product_id,
    user_id,
    api_id,
    region,
    {{ utc_timestamp('time_generated') }} as time_generated,
    response_code,
    total_time_ms,
    file_name,
    cast({{ utc_timestamp('time_generated') }} as date) as charge_date
from {{ source('raw', 'azure_llm_logs__gateway_log') }}
