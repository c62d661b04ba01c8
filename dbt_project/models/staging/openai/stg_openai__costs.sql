{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('start_time') }} as start_time,
    {{ utc_timestamp('end_time') }} as end_time,
    organization_id,
    project_id,
    api_key_id,
    line_item,
    {{ billed_amount('amount_usd') }} as amount_usd,
    {{ billed_remainder('amount_usd') }} as amount_usd_remainder,
    currency,
    {{ exact_decimal('quantity', 28, 12) }} as quantity,
    quantity_unit,
    cast({{ utc_timestamp('start_time') }} as date) as charge_date
from {{ source('raw', 'openai__costs') }}
