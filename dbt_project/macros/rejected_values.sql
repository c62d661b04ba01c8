{#- Rows of a raw relation whose number text does not fit its decimal type, one per value, without the text itself.
    `fields`: {raw column: [precision, scale]}; `billed`: {raw column: minor digits} of billed costs that may be finer than
    the ledger. A missing value of `billed` or `not_null` is a reject too.
    `booked`: fields that are charges, but may be missing. Follows another select. -#}
{% macro rejected_values(source_name, dataset, fields={}, not_null=[], billed={}, booked=[]) -%}
{%- set problems = {} -%}
{%- for field, minor_digits in billed.items() -%}
{%- do problems.update({field: billed_problem(field, minor_digits)}) -%}
{%- endfor -%}
{%- for field, type in fields.items() -%}
{%- do problems.update({field: decimal_problem(field, type[0], type[1])}) -%}
{%- endfor -%}
{%- for field, problem in problems.items() if is_on(source_name) %}
union all
select *
from (
    select
        raw_source as source,
        raw_dataset as dataset,
        raw_account as account,
        raw_window as window_key,
        raw_delivery_id as delivery_id,
        raw_ordinal as ordinal,
        '{{ field }}' as field,
        {{ 'true' if field in billed or field in not_null or field in booked else 'false' }} as is_billed,
        {% if field in billed or field in not_null %}case when {{ field }} is null then 'missing' else {{ problem }} end{% else %}{{ problem }}{% endif %} as reason
    from {{ source('raw', source_name ~ '__' ~ dataset) }}
) as judged
where reason is not null
{%- endfor %}
{%- endmacro %}
