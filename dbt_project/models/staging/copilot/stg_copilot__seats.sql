select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    assignee_login,
    assignee_id,
    organization,
    assigning_team,
    plan_type,
    pending_cancellation_date,
    {{ utc_timestamp('created_at') }} as created_at,
    {{ utc_timestamp('last_activity_at') }} as last_activity_at,
    {{ utc_timestamp('last_authenticated_at') }} as last_authenticated_at,
    last_activity_editor,
    -- A person whom two teams assign is two rows and one seat.
    row_number() over (partition by raw_account, raw_window, assignee_id order by organization, assigning_team) = 1 as is_counted,
    raw_window = max(raw_window) over (partition by raw_account) as is_current
from {{ source('raw', 'copilot__seats') }}
