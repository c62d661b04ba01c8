{{ config(materialized='table') }}
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    usage_date,
    product,
    sku,
    model,
    unit_type,
    meter,
    {{ exact_decimal('gross_quantity', 28, 12) }} as quantity,
    {{ exact_decimal('discount_quantity', 28, 12) }} as discount_quantity,
    {{ exact_decimal('net_quantity', 28, 12) }} as net_quantity,
    {{ exact_decimal('price_per_unit_usd', 28, 16) }} as price_per_unit_usd,
    {{ billed_amount('gross_usd') }} as gross_usd,
    {{ billed_amount('discount_usd') }} as discount_usd,
    {{ billed_remainder('discount_usd') }} as discount_usd_remainder,
    {{ billed_amount('net_usd') }} as net_usd,
    {{ billed_remainder('net_usd') }} as net_usd_remainder,
    usage_date as charge_date
from {{ source('raw', 'copilot__model_usage') }}
