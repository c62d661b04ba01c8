{%- set texts = [
    'line_item_id', 'time_interval', 'invoice_id', 'invoicing_entity', 'billing_entity', 'bill_type', 'payer_account_id',
    'usage_account_id', 'line_item_type', 'product_code', 'usage_type', 'operation', 'availability_zone', 'resource_id',
    'currency_code', 'line_item_description', 'tax_type', 'legal_entity', 'product_name', 'product_family', 'region_code',
    'sku', 'rate_code', 'rate_id', 'pricing_term', 'pricing_unit', 'reservation_arn', 'savings_plan_arn', 'iam_principal',
    'tags', 'x_extra', 'file_name'
] -%}
{%- set instants = ['billing_period_start', 'billing_period_end', 'usage_start', 'usage_end'] -%}
{%- set numbers = {
    'usage_amount': [28, 12], 'unblended_rate': [28, 16], 'unblended_cost': [38, 14], 'net_unblended_cost': [38, 14],
    'public_on_demand_cost': [38, 14], 'public_on_demand_rate': [28, 16], 'reservation_effective_cost': [38, 14],
    'reservation_unused_amortized_upfront_fee': [38, 14], 'reservation_unused_recurring_fee': [38, 14],
    'savings_plan_effective_cost': [38, 14], 'savings_plan_total_commitment_to_date': [38, 14],
    'savings_plan_used_commitment': [38, 14]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(source('raw', 'files__aws_cur'), texts[:-1] + instants + numbers | list) }}
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
    {{ cost_remainder('unblended_cost') }} as billed_cost_remainder,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['unblended_cost', 'currency_code', 'billing_period_start', 'billing_period_end', 'usage_start', 'usage_end',
         'line_item_type', 'payer_account_id'],
        instants, numbers
    ) }} as problem
from lines
