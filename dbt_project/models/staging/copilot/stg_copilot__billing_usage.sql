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
    unit_type,
    {{ copilot_meter('product', 'sku', 'unit_type') }} as meter,
    {{ exact_decimal('quantity', 28, 12) }} as quantity,
    {{ exact_decimal('price_per_unit_usd', 28, 16) }} as price_per_unit_usd,
    {{ billed_amount('gross_usd') }} as gross_usd,
    {{ billed_amount('discount_usd') }} as discount_usd,
    {{ billed_remainder('discount_usd') }} as discount_usd_remainder,
    {{ billed_amount('net_usd') }} as net_usd,
    {{ billed_remainder('net_usd') }} as net_usd_remainder,
    organization_name,
    repository_name,
    usage_date as charge_date
from {{ source('raw', 'copilot__billing_usage') }}
