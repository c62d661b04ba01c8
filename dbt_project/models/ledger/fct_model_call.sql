{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope('(select account, charge_date from ' ~ source('raw', 'scope') ~ \" where source = 'litellm')\", {'account': 'account', 'charge_date': 'charge_date'}) }}",
) }}
-- Answers from the gateway's own cache never reached a provider: they keep their row with zero tokens.
with scope as (
    select distinct account, charge_date from {{ source('raw', 'scope') }} where source = 'litellm'
),

-- A response logged twice is one request; the successful line with most tokens tells its usage. Chosen by its place in the
-- delivery, so that the sort moves no wide rows.
kept as (
    select logs.delivery_id, logs.ordinal
    from {{ ref('stg_litellm__spend_logs') }} as logs
    inner join scope on scope.account = logs.account and scope.charge_date = logs.charge_date
    qualify row_number() over (
        partition by
            logs.account,
            logs.charge_date,
            case
                when coalesce(logs.is_gateway_cache_hit, false) or logs.provider_response_id is null then logs.request_id
                else logs.provider_response_id
            end
        order by case when logs.status = 'success' then 0 else 1 end, coalesce(logs.total_tokens, 0) desc, logs.request_id
    ) = 1
),

logged as (
    select
        logs.*,
        coalesce(logs.is_gateway_cache_hit, false) as is_cached_answer,
        coalesce(logs.cache_read_tokens, 0) as read_tokens,
        coalesce(logs.cache_creation_tokens, 0) as write_tokens
    from {{ ref('stg_litellm__spend_logs') }} as logs
    inner join kept on kept.delivery_id = logs.delivery_id and kept.ordinal = logs.ordinal
),

-- Most emitters count cache tokens inside the prompt; one that does not gives itself away by a prompt smaller than them.
classed as (
    select
        *,
        case
            when is_cached_answer then 0
            when coalesce(prompt_tokens, 0) >= read_tokens + write_tokens then coalesce(prompt_tokens, 0) - read_tokens - write_tokens
            else coalesce(prompt_tokens, 0)
        end as uncached_tokens,
        case when is_cached_answer then 0 else read_tokens end as cached_tokens,
        case
            when is_cached_answer or cache_creation_1h_tokens is null then 0
            else greatest(write_tokens - cache_creation_1h_tokens, 0)
        end as write_5m_tokens,
        case when is_cached_answer then 0 else least(coalesce(cache_creation_1h_tokens, 0), write_tokens) end as write_1h_tokens,
        case when is_cached_answer or cache_creation_1h_tokens is not null then 0 else write_tokens end as write_unspecified_tokens,
        case when is_cached_answer then 0 else coalesce(completion_tokens, 0) end as answer_tokens,
        {{ canonical_model('model') }} as canonical_model,
        lower(coalesce(custom_llm_provider, split_part(model, '/', 1))) as provider_name,
        upper(trim(tag_ticket)) as ticket_text
    from logged
),

deployments as (
    select
        *,
        coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as starts_on,
        coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as ends_on
    from {{ ref('gateway_deployments') }}
),

-- Only ids from the company's own list: a vendor's directory may grow later and must not change a day already built.
declared as (
    select identities.*
    from {{ ref('int_declared_identity') }} as identities
    left join {{ ref('fct_identity_conflict') }} as conflicts
        on conflicts.system = identities.system
        and conflicts.external_id = identities.external_id
        and conflicts.person_id = identities.person_id
        and conflicts.valid_from = identities.valid_from
    where conflicts.external_id is null
),

owners as (
    select * from {{ ref('dim_owner') }} where source = 'litellm'
),

resolved as (
    select
        classed.*,
        coalesce(names.model_id, classed.canonical_model) as model_identity,
        deployments.provider_source,
        deployments.provider_account,
        deployments.provider_credential_id,
        deployments.workspace_id as provider_workspace_id,
        case when projects.project_key is not null then classed.ticket_text end as ticket_key,
        coalesce(team_owners.team, key_owners.team) as team,
        coalesce(declared_users.person_id, declared_emails.person_id, key_owners.person_id) as person_id,
        coalesce(classed.tag_environment, key_owners.environment) as environment,
        key_owners.workflow as owner_workflow,
        case classed.provider_name
            when 'bedrock' then 'aws'
            when 'bedrock_converse' then 'aws'
            when 'vertex_ai' then 'google'
            when 'gemini' then 'google'
            else classed.provider_name
        end as price_provider
    from classed
    left join {{ ref('model_names') }} as names on names.model_name = classed.canonical_model
    left join deployments
        on deployments.model_id = classed.model_id
        and deployments.gateway_source = 'litellm'
        and classed.charge_date >= deployments.starts_on
        and classed.charge_date < deployments.ends_on
    left join {{ ref('int_project_key') }} as projects
        on projects.project_key = regexp_extract(classed.ticket_text, '^([A-Z][A-Z0-9_]{1,9})-[1-9][0-9]*$', 1)
    left join owners as team_owners
        on team_owners.object_type = 'team_id'
        and team_owners.external_id = classed.team_id
        and classed.charge_date >= team_owners.valid_from
        and classed.charge_date < team_owners.valid_to
    left join owners as key_owners
        on key_owners.object_type = 'api_key'
        and key_owners.external_id = classed.api_key_hash
        and classed.charge_date >= key_owners.valid_from
        and classed.charge_date < key_owners.valid_to
    left join declared as declared_users
        on declared_users.system = 'litellm_user_id'
        and declared_users.external_id = classed.user_id
        and classed.charge_date >= declared_users.valid_from
        and classed.charge_date < declared_users.valid_to
    left join declared as declared_emails
        on declared_emails.system = 'email'
        and declared_emails.external_id = lower(classed.user_id)
        and classed.charge_date >= declared_emails.valid_from
        and classed.charge_date < declared_emails.valid_to
)

select
    cast(resolved.request_id as string) as request_id,
    cast(resolved.provider_response_id as string) as provider_response_id,
    cast('litellm' as string) as source,
    cast(resolved.account as string) as account,
    resolved.start_time as started_at,
    resolved.end_time as ended_at,
    cast({{ milliseconds_between('resolved.start_time', 'resolved.end_time') }} as bigint) as latency_ms,
    cast({{ milliseconds_between('resolved.start_time', 'resolved.completion_start_time') }} as bigint) as ttft_ms,
    cast(resolved.status as string) as status,
    cast(resolved.provider_name as string) as provider,
    cast(resolved.model_identity as string) as model_id,
    cast(resolved.api_key_hash as string) as key_hash,
    cast(resolved.provider_source as string) as provider_source,
    cast(resolved.provider_account as string) as provider_account,
    cast(resolved.provider_credential_id as string) as provider_credential_id,
    cast(resolved.provider_workspace_id as string) as provider_workspace_id,
    cast(resolved.uncached_tokens as bigint) as tokens_input_uncached,
    cast(resolved.cached_tokens as bigint) as tokens_cache_read,
    cast(resolved.write_5m_tokens as bigint) as tokens_cache_write_5m,
    cast(resolved.write_1h_tokens as bigint) as tokens_cache_write_1h,
    cast(resolved.write_unspecified_tokens as bigint) as tokens_cache_write_unspecified,
    cast(resolved.answer_tokens as bigint) as tokens_output,
    cast(case when resolved.is_cached_answer then 0 else resolved.reasoning_tokens end as bigint) as tokens_output_reasoning,
    cast(
        resolved.uncached_tokens + resolved.cached_tokens + resolved.write_5m_tokens + resolved.write_1h_tokens
        + resolved.write_unspecified_tokens + resolved.answer_tokens as bigint
    ) as tokens_total,
    cast(resolved.ticket_key as string) as ticket_key,
    cast(resolved.tag_workflow as string) as workflow,
    cast(resolved.tag_feature as string) as feature,
    cast(resolved.team as string) as team,
    cast(coalesce(resolved.tag_customer, resolved.end_user) as string) as customer_id,
    cast(resolved.environment as string) as environment,
    cast(resolved.owner_workflow as string) as owner_workflow,
    cast(resolved.tag_task_type as string) as task_type,
    cast(resolved.user_id as string) as user_id,
    cast(resolved.person_id as string) as person_id,
    cast(resolved.session_id as string) as session_id,
    cast(resolved.meta_user_action_id as string) as user_action_id,
    cast(resolved.meta_repo as string) as repo,
    cast(resolved.meta_branch as string) as branch,
    cast(resolved.meta_attempt as bigint) as attempt,
    coalesce(resolved.meta_attempt > 1, false) as is_retry,
    cast(resolved.meta_agent_step as bigint) as agent_step,
    resolved.is_cached_answer as is_gateway_cache_hit,
    cast(resolved.spend_usd as decimal(38, 24)) as gateway_cost_usd,
    cast(case
        when resolved.is_cached_answer then 0
        when (resolved.uncached_tokens > 0 and cards.input_price is null)
            or (resolved.cached_tokens > 0 and cards.cache_read_price is null)
            or (resolved.write_5m_tokens + resolved.write_unspecified_tokens > 0 and cards.cache_write_5m_price is null)
            or (resolved.write_1h_tokens > 0 and cards.cache_write_1h_price is null)
            or (resolved.answer_tokens > 0 and cards.output_price is null)
            then null
        else
            coalesce(cast(resolved.uncached_tokens as bigint) * cards.input_price, 0)
            + coalesce(cast(resolved.cached_tokens as bigint) * cards.cache_read_price, 0)
            + coalesce(cast(resolved.write_5m_tokens + resolved.write_unspecified_tokens as bigint) * cards.cache_write_5m_price, 0)
            + coalesce(cast(resolved.write_1h_tokens as bigint) * cards.cache_write_1h_price, 0)
            + coalesce(cast(resolved.answer_tokens as bigint) * cards.output_price, 0)
    end as decimal(38, 14)) as list_cost_usd,
    cast(cards.price_id as string) as price_id,
    cast(resolved.delivery_id as string) as raw_delivery_id,
    resolved.charge_date
from resolved
left join {{ ref('int_price_card') }} as cards
    on cards.provider_id = resolved.price_provider
    and cards.model_id = resolved.canonical_model
    and resolved.charge_date >= cards.effective_from
    and resolved.charge_date < cards.effective_to
    and resolved.uncached_tokens + resolved.cached_tokens + resolved.write_5m_tokens + resolved.write_1h_tokens
        + resolved.write_unspecified_tokens >= cards.context_from_tokens
    and resolved.uncached_tokens + resolved.cached_tokens + resolved.write_5m_tokens + resolved.write_1h_tokens
        + resolved.write_unspecified_tokens < cards.context_to_tokens
