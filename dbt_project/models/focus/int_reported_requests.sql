{{ config(
    materialized='table' if target.type == 'spark' else 'incremental',
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_focus_scope'), {'source': 'source', 'account': 'account', 'charge_date': 'charge_date'}) }}",
) }}
-- Request counts of vendors that report usage in buckets: the only count there is for keys without a request log.
with reported as (
    select
        'openai' as source, account, charge_date, project_id as workspace_id, api_key_id as credential_id, model as model_name,
        num_model_requests as requests, input_tokens, output_tokens
    from {{ ref('stg_openai__usage_completions') }}
    union all
    select 'openai', account, charge_date, project_id, api_key_id, model, num_model_requests, input_tokens, 0
    from {{ ref('stg_openai__usage_embeddings') }}
    {%- if is_on('openrouter') %}
    union all
    select
        'openrouter', account, charge_date, workspace_id, api_key_hash, model,
        requests, tokens_input_uncached + tokens_cache_read, tokens_output
    from {{ ref('stg_openrouter__activity_by_key') }}
    {%- endif %}
)

select
    cast(reported.source as string) as source,
    cast(reported.account as string) as account,
    cast(reported.workspace_id as string) as workspace_id,
    cast(reported.credential_id as string) as credential_id,
    cast(coalesce(names.model_id, {{ canonical_model('reported.model_name') }}) as string) as model_id,
    cast(sum(reported.requests) as bigint) as requests,
    cast(sum(reported.input_tokens) as bigint) as input_tokens,
    cast(sum(reported.output_tokens) as bigint) as output_tokens,
    reported.charge_date
from reported
left join {{ ref('model_names') }} as names on names.model_name = {{ canonical_model('reported.model_name') }}
group by
    reported.source, reported.account, reported.workspace_id, reported.credential_id,
    coalesce(names.model_id, {{ canonical_model('reported.model_name') }}), reported.charge_date
