{%- set texts = [
    'billing_account_id', 'invoice_month', 'publisher_type', 'service_id', 'service_description', 'sku_id', 'sku_description',
    'project_id', 'project_number', 'project_name', 'project_ancestry', 'location', 'country', 'region', 'zone',
    'resource_name', 'resource_global_name', 'currency', 'usage_unit', 'usage_pricing_unit', 'price_unit', 'cost_type',
    'adjustment_id', 'adjustment_description', 'adjustment_mode', 'adjustment_type', 'transaction_type', 'seller_name',
    'consumption_model_id', 'consumption_model_description', 'subscription_instance_id', 'credits', 'tags', 'file_name'
] -%}
{%- set instants = ['usage_start_time', 'usage_end_time', 'export_time'] -%}
{%- set numbers = {
    'currency_conversion_rate': [28, 16], 'usage_amount': [28, 12], 'usage_amount_in_pricing_units': [28, 12],
    'price_effective_price': [28, 16], 'price_tier_start_amount': [28, 12], 'price_pricing_unit_quantity': [28, 12],
    'price_list_price': [28, 16], 'cost': [38, 24], 'cost_at_list': [38, 14], 'cost_at_effective_price_default': [38, 14],
    'net_cost': [38, 24]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(source('raw', 'gcp__billing_export'), texts[:-1] + instants + numbers | list) }}
)

select
    {{ billing_line_keys() }},
    {%- for name in texts %}
    {{ name }},
    {%- endfor %}
    {%- for name in instants %}
    {{ utc_timestamp(name) }} as {{ name }},
    {%- endfor %}
    {%- for name, (precision, scale) in numbers.items() if name != 'net_cost' %}
    try_cast({{ name }} as decimal({{ precision }}, {{ scale }})) as {{ name }},
    {%- endfor %}
    try_cast(net_cost as decimal(38, 24)) as landed_net_cost,
    cast({{ json_amounts_total('credits') }} as decimal(38, 24)) as credit_total,
    cast(try_cast(cost as decimal(38, 24)) + {{ json_amounts_total('credits') }} as decimal(38, 24)) as net_cost,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['billing_account_id', 'invoice_month', 'service_description', 'sku_id', 'currency', 'cost', 'usage_start_time',
         'usage_end_time'], [], numbers
    ) }} as problem
from lines
