{#- What DuckDB and Spark spell differently, one macro each. Everything else in the models is portable as written. -#}

{#- Text under a top-level key of a JSON object held as text; null when absent. -#}
{% macro json_text(document, key) -%}{{ return(adapter.dispatch('json_text')(document, key)) }}{%- endmacro %}
{% macro duckdb__json_text(document, key) -%}json_extract_string({{ document }}, '$."{{ key }}"'){%- endmacro %}
{% macro default__json_text(document, key) -%}get_json_object({{ document }}, '$["{{ key }}"]'){%- endmacro %}

{#- A JSON array of scalars held as text, as one row per element: use in the select list. Null and [] give no row. -#}
{% macro json_array_elements(document) -%}{{ return(adapter.dispatch('json_array_elements')(document)) }}{%- endmacro %}
{% macro duckdb__json_array_elements(document) -%}unnest(from_json({{ document }}, '["VARCHAR"]')){%- endmacro %}
{% macro default__json_array_elements(document) -%}explode(from_json({{ document }}, 'array<string>')){%- endmacro %}

{#- A flat JSON object as text from `pairs` {key: SQL expression}. Text values are escaped; a null value leaves its key
    out. Null when every value is null. -#}
{% macro json_object_text(pairs) -%}{{ return(adapter.dispatch('json_object_text')(pairs)) }}{%- endmacro %}
{% macro duckdb__json_object_text(pairs) -%}
nullif(cast(json_merge_patch('{}', json_object({% for key, value in pairs.items() %}'{{ key }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %})) as string), '{}')
{%- endmacro %}
{% macro default__json_object_text(pairs) -%}
nullif(to_json(struct({% for key, value in pairs.items() %}{{ value }} as `{{ key }}`{{ ', ' if not loop.last }}{% endfor %})), '{}')
{%- endmacro %}

{#- One row per day of [first, last): the select list of a query, column `charge_date`. -#}
{% macro date_spine(first_date, end_date) -%}{{ return(adapter.dispatch('date_spine')(first_date, end_date)) }}{%- endmacro %}
{% macro duckdb__date_spine(first_date, end_date) -%}
select cast(unnest(range(cast({{ first_date }} as timestamp), cast({{ end_date }} as timestamp), interval 1 day)) as date) as charge_date
{%- endmacro %}
{% macro default__date_spine(first_date, end_date) -%}
select explode(sequence(cast({{ first_date }} as date), date_sub(cast({{ end_date }} as date), 1), interval 1 day)) as charge_date
{%- endmacro %}

{#- Whole days from the first date to the second. -#}
{% macro days_between(first_date, second_date) -%}{{ return(adapter.dispatch('days_between')(first_date, second_date)) }}{%- endmacro %}
{% macro duckdb__days_between(first_date, second_date) -%}date_diff('day', cast({{ first_date }} as date), cast({{ second_date }} as date)){%- endmacro %}
{% macro default__days_between(first_date, second_date) -%}datediff(cast({{ second_date }} as date), cast({{ first_date }} as date)){%- endmacro %}

{#- MD5 of values in order, as 32 hex digits. Null and empty text differ; a value cannot imitate a separator. -#}
{% macro row_hash(expressions) -%}
md5(
    {%- for expression in expressions %}
    coalesce(concat(cast(length(cast({{ expression }} as string)) as string), ':', cast({{ expression }} as string)), '-'){{ ' ||' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}

{#- MD5 over the set of row hashes of a group, whatever their order: an aggregate. -#}
{% macro hash_of_rows(row_hash_expression) -%}{{ return(adapter.dispatch('hash_of_rows')(row_hash_expression)) }}{%- endmacro %}
{% macro duckdb__hash_of_rows(row_hash_expression) -%}md5(string_agg({{ row_hash_expression }}, '' order by {{ row_hash_expression }})){%- endmacro %}
{% macro default__hash_of_rows(row_hash_expression) -%}md5(array_join(sort_array(collect_list({{ row_hash_expression }})), '')){%- endmacro %}

{#- An instant with a zone as a UTC TIMESTAMP without one; sessions of both engines run in UTC. -#}
{% macro utc_timestamp(expression) -%}cast({{ expression }} as timestamp){%- endmacro %}

{#- A model name as vendors and gateways write it, as the name that seed `model_names` lists: lower case, without routing
    prefix (`anthropic/`, `us.anthropic.`), build date, or platform suffix (`-v1:0`, `@20250929`, `-latest`). -#}
{% macro canonical_model(expression) -%}
regexp_replace(
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(lower(trim({{ expression }})), '^.*/', ''),
                '^((us|eu|jp|au|apac|global)[.])?(anthropic|openai|amazon|meta|mistral|cohere|deepseek|qwen)[.]', ''
            ),
            '(-v[0-9]+(:[0-9]+)?|:[0-9]+)$', ''
        ),
        '[-@](20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})$', ''
    ),
    '-latest$', ''
)
{%- endmacro %}

{#- Continuous percentile of a number in a group, interpolated: an aggregate. -#}
{% macro percentile(expression, share) -%}{{ return(adapter.dispatch('percentile')(expression, share)) }}{%- endmacro %}
{% macro duckdb__percentile(expression, share) -%}quantile_cont({{ expression }}, {{ share }}){%- endmacro %}
{% macro default__percentile(expression, share) -%}percentile({{ expression }}, {{ share }}){%- endmacro %}
