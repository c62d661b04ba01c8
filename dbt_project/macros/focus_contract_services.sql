{#- What names on a bill say about AI where the bill does not come from a big cloud. Names of products, never guesses. -#}

{#- True for a lower-case provider name that rents out GPUs and little else. -#}
{% macro is_gpu_cloud(provider) -%}
{{ provider }} in ('coreweave', 'lambda', 'lambda labs', 'lambda, inc.', 'runpod', 'crusoe', 'nebius', 'vast.ai', 'voltage park', 'hyperstack', 'fluidstack')
{%- endmacro %}

{#- True when lower-case text names models that a data platform runs for its customers. -#}
{% macro is_platform_model(text) -%}
regexp_extract({{ text }}, 'snowflake.*(cortex|ai[ _]services)|databricks.*(model[ _]serving|foundation[ _]model|ai[ _]gateway)|watsonx', 0) <> ''
{%- endmacro %}
