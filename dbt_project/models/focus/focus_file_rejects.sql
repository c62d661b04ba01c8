{%- set inputs = ['aws__focus_export', 'aws__cur_export', 'files__focus', 'files__aws_cur', 'files__oci_cost', 'files__azure_ea', 'gcp__billing_export', 'gcp__focus_export', 'azure__focus_cost', 'azure__cost_details'] -%}
{%- for input in inputs if is_on(input.split('__')[0]) %}
select
    source,
    dataset,
    account,
    window_key,
    delivery_id,
    ordinal,
    file_name,
    problem as reason
from {{ ref('stg_' ~ input) }}
where problem is not null
{{ 'union all' if not loop.last }}
{%- endfor %}
