{#- Google Cloud's billing export: credits, Pacific months, and what a SKU's text says. -#}

{#- Sum of `amount` over a JSON array of objects held as text, DECIMAL(38,24): 0 for null and for []. It is one expression of
    the row, never a join: a row with three credits stays one row. -#}
{% macro json_amounts_total(document) -%}{{ return(adapter.dispatch('json_amounts_total')(document)) }}{%- endmacro %}
{% macro duckdb__json_amounts_total(document) -%}
coalesce(cast(list_sum(list_transform(from_json({{ document }}, '[{"amount":"VARCHAR"}]'), credit -> try_cast(credit.amount as decimal(38, 24)))) as decimal(38, 24)), 0)
{%- endmacro %}
{% macro default__json_amounts_total(document) -%}
coalesce(aggregate(from_json({{ document }}, 'array<struct<amount:string>>'), cast(0 as decimal(38, 24)), (total, credit) -> cast(total + coalesce(try_cast(credit.amount as decimal(38, 24)), 0) as decimal(38, 24))), 0)
{%- endmacro %}

{#- Wall-clock time of Google's invoices (America/Los_Angeles) as UTC. -#}
{% macro pacific_to_utc(expression) -%}{{ return(adapter.dispatch('pacific_to_utc')(expression)) }}{%- endmacro %}
{% macro duckdb__pacific_to_utc(expression) -%}((cast({{ expression }} as timestamp) at time zone 'America/Los_Angeles') at time zone 'UTC'){%- endmacro %}
{% macro default__pacific_to_utc(expression) -%}to_utc_timestamp(cast({{ expression }} as timestamp), 'America/Los_Angeles'){%- endmacro %}

{#- A SKU description for matching: lower case, one blank between words, without the trailing platform note. -#}
{% macro gcp_sku_text(description) -%}
trim({{ replace_all_matches("regexp_replace(replace(lower(" ~ description ~ "), '-', ' '), ' predictions$', '')", ' +', ' ') }})
{%- endmacro %}

{#- Words that may follow the model in a SKU of tokens. Whole texts are matched: a word that is not here makes the SKU
    unclassified instead of filing it under a model it only resembles. -#}
{% macro gcp_token_sku_pattern() -%}
^((google )?gemini [0-9]+([.][0-9]+)? (pro|flash lite|flash|ultra)|(anthropic )?claude ((opus|sonnet|haiku) [0-9]+([.][0-9]+)?|[0-9]+([.][0-9]+)? (opus|sonnet|haiku)))( (ga|preview|global|regional|standard|batch|flex|priority|long|short|context|live|native|thinking|reasoning|text|audio|image|video|document|input|output|response|caching|cached|cache|storage|read|reads|hit|hits|write|writes|5m|1h|5 minute|1 hour|token|tokens))+$
{%- endmacro %}

{#- True when a SKU text names an accelerator, or the cores and memory of a machine family that exists for one. -#}
{% macro is_google_accelerator(sku_text) -%}
(
    regexp_extract({{ sku_text }}, '(^|[^a-z])(nvidia|gpus?|tpus?)([^a-z]|$)', 0) <> ''
    or regexp_extract({{ sku_text }}, '(^|[^a-z0-9])(a2|a3|a3plus|a4|a4x|g2|g4)( (ultra|mega|high|edge))? (instance|predefined) ', 0) <> ''
)
{%- endmacro %}
