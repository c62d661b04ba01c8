{#- Typed usage of Mistral: the account's lines and those of one workspace have the same columns. -#}
{% macro mistral_usage(relation) -%}
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    period_start,
    period_end,
    currency,
    workspace_id,
    category,
    model,
    direction,
    entry_path,
    {{ billed_amount('amount') }} as amount,
    {{ billed_remainder('amount') }} as amount_remainder,
    {{ exact_decimal('quantity', 28, 12) }} as quantity,
    cast(date_trunc('month', period_start) as date) as charge_date
from {{ source('raw', relation) }}
{%- endmacro %}
