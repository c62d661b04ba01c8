{%- set inputs = ['aws__focus_export', 'files__focus', 'files__aws_cur', 'files__oci_cost', 'files__azure_ea'] -%}
{%- for input in inputs %}
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
