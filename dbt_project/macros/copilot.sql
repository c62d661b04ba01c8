{#- What a line of GitHub's bill meters, from its SKU and unit: the API writes display words, the report snake case.
    `ai_credit`, `premium_request`, `seat`, `other_copilot`, or null for what is not Copilot. -#}
{% macro copilot_meter(product, sku, unit) -%}
{%- set plain_sku = "replace(replace(replace(lower(" ~ sku ~ "), '_', ''), '-', ''), ' ', '')" -%}
{%- set plain_unit = "replace(replace(replace(coalesce(lower(" ~ unit ~ "), ''), '_', ''), '-', ''), ' ', '')" -%}
case
    when {{ plain_sku }} like '%aicredit%' or {{ plain_unit }} like '%credit%' then 'ai_credit'
    when {{ plain_sku }} like '%premiumrequest%' then 'premium_request'
    when lower({{ product }}) not like '%copilot%' and {{ plain_sku }} not like '%copilot%' and {{ plain_sku }} not like 'spark%' then null
    when {{ plain_unit }} like 'usermonth%' then 'seat'
    when {{ plain_unit }} like 'request%' then 'premium_request'
    else 'other_copilot'
end
{%- endmacro %}
