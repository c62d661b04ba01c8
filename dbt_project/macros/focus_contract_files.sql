{#- A landed FOCUS file of version 1.0 to 1.4 (every column text) typed as the contract says, one row per landed row.
    Adds: `line_digest` (hash of the delivered line), `ordinal_among_equal` (1, 2, … for equal lines of one window),
    `native_columns` (JSON: custom columns, and delivered text of numbers that lost digits), `problem` (why the row cannot
    be loaded, else null). Nothing is synthesised: a column that the version lacks stays null. -#}
{% macro stage_focus_file(relation) %}
{%- set columns = focus_columns() -%}
{%- set allowed = focus_allowed_values() -%}
{%- set names = [] -%}
{%- set numbers = {} -%}
{%- set typed = [] -%}
{%- for name, sql_type in columns if not name.startswith('x_') and name != 'charge_date' -%}
    {%- do names.append(name) -%}
    {%- if sql_type.startswith('decimal') -%}
        {%- do numbers.update({name: [name] + (sql_type | replace('decimal(', '') | replace(')', '')).split(',') | map('int') | list}) -%}
        {%- do typed.append('try_cast(' ~ name ~ ' as ' ~ sql_type ~ ') as ' ~ name) -%}
    {%- elif sql_type == 'timestamp' -%}
        {%- do typed.append(utc_from_text(name) ~ ' as ' ~ name) -%}
    {%- elif name in allowed -%}
        {%- do typed.append(canonical_case(name, allowed[name]) ~ ' as ' ~ name) -%}
    {%- else -%}
        {%- do typed.append(name) -%}
    {%- endif -%}
{%- endfor -%}
with hashed as (
    select
        *,
        {{ row_hash(names + ['ProviderName', 'PublisherName', 'x_extra']) }} as line_digest
    from {{ relation }}
)

select
    raw_source as source,
    raw_dataset as dataset,
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    file_name,
    focus_version_in,
    line_digest,
    row_number() over (partition by raw_account, raw_window, line_digest order by raw_ordinal) as ordinal_among_equal,
    {%- for expression in typed %}
    {{ expression }},
    {%- endfor %}
    ProviderName,
    PublisherName,
    BilledCost as delivered_billed_cost,
    {{ cost_remainder('BilledCost') }} as billed_cost_remainder,
    {{ json_merge_text('x_extra', json_object_text(delivered_beyond_scale(numbers))) }} as native_columns,
    coalesce(
        {%- for name in ['BilledCost', 'BillingCurrency', 'BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd', 'ChargeCategory'] %}
        case when {{ name }} is null then '{{ name }}: missing' end,
        {%- endfor %}
        {%- for name in ['BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd'] %}
        case when {{ utc_from_text(name) }} is null then '{{ name }}: not an instant' end,
        {%- endfor %}
        {%- for name, (text, precision, scale) in numbers.items() %}
        '{{ name }}: ' || {{ unreadable_number(text, precision, scale, name == 'BilledCost') }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) as problem
from hashed
{% endmacro %}
