select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('start_time') }} as start_time,
    {{ utc_timestamp('end_time') }} as end_time,
    project_id,
    num_sessions,
    cast({{ utc_timestamp('start_time') }} as date) as charge_date
from {{ source('raw', 'openai__usage_code_interpreter_sessions') }}
