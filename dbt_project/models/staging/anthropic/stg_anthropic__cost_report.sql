{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('starting_at') }} as starting_at,
    {{ utc_timestamp('ending_at') }} as ending_at,
    workspace_id,
    description,
    cost_type,
    token_type,
    model,
    service_tier,
    context_window,
    inference_geo,
    currency,
    {{ billed_amount('amount_cents', 2) }} as amount_usd,
    {{ billed_remainder('amount_cents', 2) }} as amount_usd_remainder,
    cast({{ utc_timestamp('starting_at') }} as date) as charge_date
from {{ source('raw', 'anthropic__cost_report') }}
