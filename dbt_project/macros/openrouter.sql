{#- Typed activity of OpenRouter: the account's, or that of its keys. -#}
{% macro openrouter_activity(relation, has_key=false) -%}
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {% if has_key %}api_key_hash,
    {% endif %}model,
    model_permaslug,
    endpoint_id,
    provider_name,
    workspace_id,
    {{ billed_amount('usage_usd') }} as usage_usd,
    {{ billed_remainder('usage_usd') }} as usage_usd_remainder,
    {{ billed_amount('byok_usage_inference_usd') }} as byok_usage_inference_usd,
    {{ billed_remainder('byok_usage_inference_usd') }} as byok_usage_inference_usd_remainder,
    requests,
    -- Reasoning is inside completion. Cached tokens are part of the prompt; more of them than that cannot be.
    prompt_tokens - least(coalesce(cached_tokens, 0), prompt_tokens) as tokens_input_uncached,
    least(coalesce(cached_tokens, 0), prompt_tokens) as tokens_cache_read,
    completion_tokens as tokens_output,
    least(reasoning_tokens, completion_tokens) as tokens_output_reasoning,
    coalesce(cached_tokens, 0) > prompt_tokens as is_cached_above_prompt,
    activity_date as charge_date
from {{ source('raw', relation) }}
{%- endmacro %}
