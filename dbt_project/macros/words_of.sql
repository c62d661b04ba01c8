{#- Text as lower-case words between single spaces, with one at each end: ` openai chatgpt subscr `. A pattern of whole words is
    then found by position, and `perplexity` is not found in `complexity`. Null stays null. -#}
{% macro words_of(expression) -%}
(' ' || nullif(trim({{ replace_all("lower(" ~ expression ~ ")", '[^a-z0-9]+', ' ') }}), '') || ' ')
{%- endmacro %}

{#- Every match of a pattern replaced. -#}
{% macro replace_all(expression, pattern, replacement) -%}{{ return(adapter.dispatch('replace_all')(expression, pattern, replacement)) }}{%- endmacro %}
{% macro duckdb__replace_all(expression, pattern, replacement) -%}regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}', 'g'){%- endmacro %}
{% macro default__replace_all(expression, pattern, replacement) -%}regexp_replace({{ expression }}, '{{ pattern }}', '{{ replacement }}'){%- endmacro %}
