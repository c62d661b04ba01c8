select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    snapshot_date,
    lower(trim(vendor)) as vendor,
    trim(product) as product,
    plan,
    seat_key,
    seat_id,
    user_id,
    user_email,
    status,
    team,
    cost_center,
    {{ to_money('unit_price') }} as unit_price,
    upper(currency) as currency,
    billing_period,
    contract_id,
    file_name,
    {{ utc_timestamp('assigned_at') }} as assigned_at,
    {{ utc_timestamp('removed_at') }} as removed_at,
    {{ utc_timestamp('last_activity_at') }} as last_activity_at
from {{ source('raw', 'seats__snapshot') }}
qualify row_number() over (
    partition by raw_account, snapshot_date, lower(trim(vendor)), trim(product), seat_key
    order by raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc
) = 1
