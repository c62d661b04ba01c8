{%- set texts = [
    'reference_no', 'tenant_id', 'service', 'compartment_id', 'compartment_name', 'region', 'availability_domain',
    'resource_id', 'subscription_id', 'product_sku', 'description', 'currency_code', 'billing_unit_readable',
    'sku_unit_description', 'overage_flag', 'is_correction', 'backreference_no', 'tags', 'x_extra', 'file_name'
] -%}
{%- set instants = ['interval_usage_start', 'interval_usage_end'] -%}
{%- set numbers = {
    'billed_quantity': [28, 12], 'billed_quantity_overage': [28, 12], 'unit_price': [28, 16], 'unit_price_overage': [28, 16],
    'my_cost': [38, 14], 'my_cost_overage': [38, 14]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(source('raw', 'files__oci_cost'), texts[:-1] + instants + numbers | list) }}
)

select
    {{ billing_line_keys() }},
    {%- for name in texts %}
    {{ name }},
    {%- endfor %}
    {%- for name in instants %}
    {{ utc_from_text(name) }} as {{ name }},
    {%- endfor %}
    {%- for name, (precision, scale) in numbers.items() %}
    try_cast({{ name }} as decimal({{ precision }}, {{ scale }})) as {{ name }},
    {%- endfor %}
    {{ cost_remainder('my_cost') }} as billed_cost_remainder,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['currency_code', 'interval_usage_start', 'interval_usage_end', 'tenant_id', 'service'], instants, numbers
    ) }} as problem
from lines
