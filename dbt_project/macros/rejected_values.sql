{#- Rows of a raw relation whose number text does not fit its decimal type, one per value, without the text itself.
    `fields`: {raw column: [precision, scale]}; `not_null`: columns of `fields` where a missing value is a reject too. -#}
{% macro rejected_values(source_name, dataset, fields, not_null=[]) -%}
{%- for field, type in fields.items() %}
select
    raw_source as source,
    raw_dataset as dataset,
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    '{{ field }}' as field,
    {%- if field in not_null %}
    coalesce({{ decimal_problem(field, type[0], type[1]) }}, 'missing') as reason
    {%- else %}
    {{ decimal_problem(field, type[0], type[1]) }} as reason
    {%- endif %}
from {{ source('raw', source_name ~ '__' ~ dataset) }}
where {{ decimal_problem(field, type[0], type[1]) }} is not null
    {%- if field in not_null %} or {{ field }} is null{% endif %}
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}
