{#- What an AWS row says about AI: Bedrock token meters, tiers and GPU capacity, read from the usage type text. Fragments are
    searched, never split by position, and the scale of a quantity comes from its unit text, never from its size. -#}

{#- True for model charges of Amazon Bedrock whatever the billing route. `service`: lower-case service names and codes. -#}
{% macro is_bedrock_model(service) -%}
({{ service }} like '%bedrock%' and {{ service }} not like '%agentcore%')
{%- endmacro %}

{#- Disjoint token class of a Bedrock usage type (lower-case text); null for what is not tokens. -#}
{% macro bedrock_token_meter(usage) -%}
case
    when regexp_extract({{ usage }}, 'provisioned[- _]?throughput|modelunits|reserved|custommodelimport|customization|rft-training', 0) <> '' then null
    when regexp_extract({{ usage }}, 'guardrail|evaluations|invokeflow|search[_-]units|rerank', 0) <> '' then null
    when {{ usage }} like '%embed%' then 'embedding'
    when regexp_extract({{ usage }}, 'image|video|sonic|canvas|reel', 0) <> '' then null
    when regexp_extract({{ usage }}, 'cache[-_]?read', 0) <> '' then 'cache_read'
    when regexp_extract({{ usage }}, 'cache[-_]?write[-_]?1h', 0) <> '' then 'cache_write_1h'
    when regexp_extract({{ usage }}, 'cache[-_]?write[-_]?30m', 0) <> '' then 'cache_write'
    when regexp_extract({{ usage }}, 'cache[-_]?write', 0) <> '' and regexp_extract({{ usage }}, '(^|[-_])1h', 0) <> '' then 'cache_write_1h'
    when regexp_extract({{ usage }}, 'cache[-_]?write', 0) <> '' then 'cache_write_5m'
    when {{ usage }} like '%input%' then 'input'
    when {{ usage }} like '%output%' then 'output'
end
{%- endmacro %}

{#- Processing tier of a Bedrock usage type. -#}
{% macro bedrock_service_tier(usage) -%}
case
    when {{ usage }} like '%batch%' then 'batch'
    when {{ usage }} like '%flex%' then 'flex'
    when {{ usage }} like '%priority%' then 'priority'
    when {{ usage }} like '%latency-optimized%' or {{ usage }} like '%latency_optimized%' then 'latency_optimized'
    else 'standard'
end
{%- endmacro %}

{#- Tokens per unit of a token quantity, from the unit text: 1, 1000 or 1000000; null when the text does not say.
    Marketplace rows count `Units` of one million tokens. -#}
{% macro tokens_per_unit(unit) -%}
case
    when regexp_extract(lower({{ unit }}), '1m|million|1000000|1,000,000', 0) <> '' then 1000000
    when lower({{ unit }}) in ('units', 'unit') then 1000000
    when regexp_extract(lower({{ unit }}), '1k|thousand|1000|1,000', 0) <> '' then 1000
    when lower({{ unit }}) in ('tokens', 'token') then 1
end
{%- endmacro %}

{#- Tokens per unit of a billing line: its description saying millions wins over its unit text, as AWS reads its own bill;
    without a unit text the description alone decides. Marketplace descriptions hold the unit in their third field. -#}
{% macro tokens_per_line_unit(unit, description) -%}
case
    when regexp_extract(lower({{ description }}), '(1m|million|1,000,000|1000000)[a-z -]* tokens?', 0) <> '' then 1000000
    else coalesce(
        {{ tokens_per_unit(unit) }},
        case
            when regexp_extract(lower({{ description }}), '(1k|thousand|1,000|1000)[a-z -]* tokens?', 0) <> '' then 1000
        end,
        case when {{ unit }} is null then {{ tokens_per_unit("split_part(" ~ description ~ ", '|', 3)") }} end
    )
end
{%- endmacro %}

{#- A quantity in units of `per_unit` tokens as tokens, exact. -#}
{% macro quantity_in_tokens(quantity, per_unit) -%}
cast(
    case {{ per_unit }}
        when 1000000 then {{ quantity }} * 1000000
        when 1000 then {{ quantity }} * 1000
        else {{ quantity }}
    end as decimal(28, 12)
)
{%- endmacro %}

{#- Input or Output of a token meter; null without one. -#}
{% macro token_direction(meter) -%}
case when {{ meter }} = 'output' then 'Output' when {{ meter }} is not null then 'Input' end
{%- endmacro %}

{#- Uncached, Read or Write of an input token meter; null otherwise. -#}
{% macro token_cache_action(meter) -%}
case
    when {{ meter }} = 'input' or {{ meter }} = 'embedding' then 'Uncached'
    when {{ meter }} = 'cache_read' then 'Read'
    when {{ meter }} like 'cache_write%' then 'Write'
end
{%- endmacro %}

{#- True when lower-case text names a machine with an AI accelerator on AWS, Azure or OCI. -#}
{% macro is_accelerator(text) -%}
(
    regexp_extract({{ text }}, '(^|[^a-z0-9])(p[3-9][a-z]*(-g?b[0-9]+)?|gr?[4-9][a-z]*|trn[0-9]+[a-z]*|inf[0-9]+[a-z]*|dl[12][a-z]*)[.]([0-9]*x?large|metal)', 0) <> ''
    or regexp_extract({{ text }}, 'standard_n[cdv][0-9a-z_]*|(^| )n[cdv][a-z]* [0-9a-z ]*series', 0) <> ''
    or regexp_extract({{ text }}, '(^|[^a-z])gpu[s]?([^a-z]|$)', 0) <> ''
)
{%- endmacro %}

{#- The AWS instance type with an accelerator that lower-case text names, without the `ml.` of SageMaker; else empty. -#}
{% macro accelerator_instance(text) -%}
regexp_extract({{ text }}, '(^|[^a-z0-9])((p[3-9][a-z]*(-g?b[0-9]+)?|gr?[4-9][a-z]*|trn[0-9]+[a-z]*|inf[0-9]+[a-z]*)[.][0-9a-z]+)', 2)
{%- endmacro %}

{#- Hours of single accelerators (GPU hours) of a measured line, as text: instance hours times seed `aws_accelerators`,
    joined as `accelerators`. Null for other lines and units. -#}
{% macro accelerator_hours(is_measured, quantity, unit) -%}
case
    when {{ is_measured }} and lower({{ unit }}) in ('hrs', 'hr', 'hours', 'hour') and accelerators.accelerator_count is not null
        then cast({{ quantity }} * accelerators.accelerator_count as string)
end
{%- endmacro %}

{#- True when lower-case text names a vector database, bought as a service. -#}
{% macro is_vector_database(text) -%}
regexp_extract({{ text }}, 'pinecone|weaviate|qdrant|zilliz|milvus|turbopuffer|s3[- ]?vectors|vector[ _-]?search|vector database', 0) <> ''
{%- endmacro %}

{#- Text for matching model names of bills: lower case without separators. -#}
{% macro model_text(text) -%}
translate(lower({{ text }}), ' -_.:/()', '')
{%- endmacro %}

{#- One row per distinct `model_text` of `relation` that names a known model: the longest fragment of seed cloud_model_names
    found in it that is not followed by a further version digit (20… is a build date). Unknown names give no row. -#}
{% macro match_models(relation) %}
select
    texts.model_text,
    names.model_id,
    names.model_family,
    names.model_developer
from (select distinct model_text from {{ relation }} where model_text is not null) as texts
inner join {{ ref('cloud_model_names') }} as names
    on
        instr(texts.model_text, names.fragment) > 0
        and regexp_extract(
            substring(texts.model_text, instr(texts.model_text, names.fragment) + length(names.fragment), 2),
            '^([013-9]|2[^0])', 0
        ) = ''
qualify row_number() over (
    partition by texts.model_text order by length(names.fragment) desc, names.fragment
) = 1
{% endmacro %}
