{{ config(materialized='table') }}
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('starting_at') }} as starting_at,
    {{ utc_timestamp('ending_at') }} as ending_at,
    product,
    model,
    is_remainder,
    {{ billed_amount('amount_cents', 2) }} as amount_usd,
    {{ billed_remainder('amount_cents', 2) }} as amount_usd_remainder,
    {{ billed_amount('list_amount_cents', 2) }} as list_amount_usd,
    currency,
    cost_basis,
    cast({{ utc_timestamp('starting_at') }} as date) as charge_date
from {{ source('raw', 'anthropic_enterprise__analytics_cost') }}
