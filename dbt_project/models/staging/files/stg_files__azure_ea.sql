{%- set texts = [
    'cost_view', 'billing_account_id', 'billing_account_name', 'billing_profile_id', 'billing_profile_name',
    'subscription_id', 'subscription_name', 'product_name', 'part_number', 'meter_id', 'service_family', 'meter_category',
    'meter_subcategory', 'meter_region', 'meter_name', 'billing_currency', 'resource_location', 'availability_zone',
    'consumed_service', 'resource_id', 'resource_name', 'additional_info', 'tags_text', 'cost_center', 'unit_of_measure',
    'resource_group', 'reservation_id', 'reservation_name', 'product_order_id', 'product_order_name', 'offer_id', 'term',
    'publisher_name', 'publisher_type', 'plan_name', 'charge_type', 'frequency', 'pricing_model', 'invoice_section_id',
    'invoice_section_name', 'benefit_id', 'benefit_name', 'x_extra', 'file_name'
] -%}
{%- set instants = ['billing_period_start', 'billing_period_end', 'usage_date'] -%}
{%- set numbers = {
    'quantity': [28, 12], 'effective_price': [28, 16], 'cost': [38, 14], 'unit_price': [28, 16], 'payg_price': [28, 16]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(source('raw', 'files__azure_ea'), texts[:-1] + instants + numbers | list) }}
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
    {{ cost_remainder('cost') }} as cost_remainder,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['cost', 'billing_currency', 'usage_date', 'billing_account_id', 'cost_view', 'charge_type'], instants, numbers
    ) }} as problem
from lines
