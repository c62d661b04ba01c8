select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    outcome_date,
    workflow,
    lower(event) as event,
    customer_id,
    events,
    successes,
    file_name
from {{ source('raw', 'outcomes__daily') }}
qualify row_number() over (
    partition by raw_account, outcome_date, workflow, lower(event), customer_id
    order by raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc
) = 1
