{{ config(enabled=is_on('gcp')) }}
-- What each SKU's text says about AI. Whole texts are matched: what resembles a model SKU and fits no pattern is
-- unclassified and stays visible, because totals reconcile even when a model is misfiled.
with delivered as (
    select distinct service_description, sku_description
    from {{ ref('stg_gcp__billing_export') }}
    where sku_description is not null and service_description is not null
    union
    select distinct ServiceName, coalesce(SkuMeter, ChargeDescription)
    from {{ ref('stg_gcp__focus_export') }}
    where ServiceName is not null and coalesce(SkuMeter, ChargeDescription) is not null
),

texts as (
    select
        *,
        {{ gcp_sku_text('sku_description') }} as sku_text,
        lower(service_description) in ('vertex ai', 'gemini api', 'generative language api', 'gemini enterprise agent platform') as is_model_service
    from delivered
),

matched as (
    select
        *,
        is_model_service and regexp_extract(sku_text, '{{ gcp_token_sku_pattern() }}', 0) <> '' as is_token_text,
        regexp_extract(sku_text, '^vertex ai: provisioned throughput', 0) <> '' as is_throughput,
        regexp_extract(sku_text, '^commitment( v[0-9]+)?:? ', 0) <> '' as is_commitment_fee,
        -- The words of the model alone, as seed cloud_model_names spells them.
        {{ model_text("regexp_extract(sku_text, '(gemini [0-9.]+ (pro|flash lite|flash|ultra)|claude ((opus|sonnet|haiku) [0-9.]+|[0-9.]+ (opus|sonnet|haiku)))', 1)") }} as model_text,
        concat(' ', sku_text, ' ') as words
    from texts
),

metered as (
    select
        *,
        words like '% storage %' as is_cache_storage,
        case
            when words like '% storage %' then null
            when regexp_extract(words, ' (output|response) ', 0) <> '' then 'output'
            when regexp_extract(words, ' cach(e|ed|ing) (1h |1 hour )?(input )?writes? ', 0) <> '' and regexp_extract(words, ' (1h|1 hour) ', 0) <> '' then 'cache_write_1h'
            when regexp_extract(words, ' writes? ', 0) <> '' then 'cache_write_5m'
            when regexp_extract(words, ' (caching|cached|cache) ', 0) <> '' then 'cache_read'
            when words like '% input %' then 'input'
        end as token_meter,
        coalesce(nullif(trim(regexp_extract(words, ' (text|audio|image|video|document) (input|output)', 1)), ''), 'text') as modality
    from matched
),

named as (
    select
        metered.*,
        models.model_id,
        models.model_family,
        models.model_developer
    from metered
    left join {{ ref('cloud_model_names') }} as models
        on metered.model_text = models.fragment
)

select
    service_description,
    sku_description,
    case
        when is_throughput then 'provisioned_throughput'
        when is_commitment_fee then 'commitment_fee'
        when {{ is_google_accelerator('sku_text') }} then 'accelerator'
        when regexp_extract(sku_text, '(vector search|matching engine)', 0) <> '' then 'vector_database'
        when regexp_extract(concat(lower(service_description), ' ', sku_text), 'gemini code assist|cloud ai companion|gemini for google cloud', 0) <> '' then 'developer_tool'
        when is_token_text and model_id is not null and is_cache_storage then 'cache_storage'
        -- An image or video that flash puts out belongs to a model of its own.
        when is_token_text and model_id is not null and token_meter is not null
            and not (token_meter = 'output' and modality in ('image', 'video')) then 'tokens'
        when is_model_service and regexp_extract(sku_text, '(gemini|claude|tokens?|predictions|llama|mistral|imagen|veo|embedding)', 0) <> '' then 'unclassified'
        else 'other'
    end as sku_kind,
    {{ is_google_accelerator('sku_text') }} as is_accelerator,
    is_model_service,
    model_id,
    model_family,
    model_developer,
    token_meter,
    case
        when words like '% batch %' then 'batch'
        when words like '% flex %' then 'flex'
        when words like '% priority %' then 'priority'
        else 'standard'
    end as service_tier,
    case when words like '% long %' then 'long' end as context_window,
    modality,
    case when words like '% thinking %' or words like '% reasoning %' then true else false end as is_reasoning,
    regexp_extract(words, ' (preemptible|spot) ', 0) <> '' as is_spot
from named
