{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope('(select distinct charge_date from ' ~ source('raw', 'scope') ~ ' where source in (' ~ request_sources() ~ '))', {'charge_date': 'charge_date'}) }}",
) }}
with requests as (
    select
        *,
        {{ canonical_model('model_name') }} as canonical_model,
        lower(provider_name) as provider,
        upper(trim(tag_ticket)) as ticket_text,
        tokens_input_uncached + tokens_cache_read + tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write_unspecified
            as tokens_input,
        tokens_cache_write_5m + tokens_cache_write_unspecified as tokens_cache_write_short
    from {{ ref('int_request') }}
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
    select * from {{ ref('dim_owner') }} where source in ({{ request_sources() }})
),

resolved as (
    select
        requests.*,
        coalesce(names.model_id, requests.canonical_model) as model_id,
        deployments.provider_source,
        deployments.provider_account,
        deployments.provider_credential_id,
        deployments.workspace_id as provider_workspace_id,
        case when projects.project_key is not null then requests.ticket_text end as ticket_key,
        coalesce(team_owners.team, key_owners.team) as team,
        coalesce(declared_users.person_id, declared_emails.person_id, key_owners.person_id) as person_id,
        coalesce(requests.tag_environment, key_owners.environment) as environment,
        key_owners.workflow as owner_workflow,
        {{ price_provider('requests.provider') }} as price_provider
    from requests
    left join {{ ref('model_names') }} as names on names.model_name = requests.canonical_model
    left join deployments
        on deployments.model_id = requests.deployment_id
        and deployments.gateway_source = requests.source
        and requests.charge_date >= deployments.starts_on
        and requests.charge_date < deployments.ends_on
    left join {{ ref('int_project_key') }} as projects
        on projects.project_key = regexp_extract(requests.ticket_text, '^([A-Z][A-Z0-9_]{1,9})-[1-9][0-9]*$', 1)
    left join owners as team_owners
        on team_owners.object_type = 'team_id'
        and team_owners.source = requests.source
        and team_owners.external_id = requests.team_id
        and requests.charge_date >= team_owners.valid_from
        and requests.charge_date < team_owners.valid_to
    left join owners as key_owners
        on key_owners.object_type = 'api_key'
        and key_owners.source = requests.source
        and key_owners.external_id = requests.key_hash
        and requests.charge_date >= key_owners.valid_from
        and requests.charge_date < key_owners.valid_to
    left join declared as declared_users
        on declared_users.system = {{ principal_system('requests.source') }}
        and declared_users.external_id = requests.user_id
        and requests.charge_date >= declared_users.valid_from
        and requests.charge_date < declared_users.valid_to
    left join declared as declared_emails
        on declared_emails.system = 'email'
        and declared_emails.external_id = lower(coalesce(requests.user_email, requests.user_id))
        and requests.charge_date >= declared_emails.valid_from
        and requests.charge_date < declared_emails.valid_to
)

select
    resolved.request_id,
    resolved.provider_response_id,
    cast(resolved.source as string) as source,
    resolved.account,
    resolved.started_at,
    resolved.ended_at,
    cast({{ milliseconds_between('resolved.started_at', 'resolved.ended_at') }} as bigint) as latency_ms,
    cast({{ milliseconds_between('resolved.started_at', 'resolved.first_token_at') }} as bigint) as ttft_ms,
    resolved.status,
    cast(resolved.provider as string) as provider,
    cast(resolved.model_id as string) as model_id,
    resolved.key_hash,
    cast(resolved.provider_source as string) as provider_source,
    cast(resolved.provider_account as string) as provider_account,
    cast(resolved.provider_credential_id as string) as provider_credential_id,
    cast(resolved.provider_workspace_id as string) as provider_workspace_id,
    resolved.tokens_input_uncached,
    resolved.tokens_cache_read,
    resolved.tokens_cache_write_5m,
    resolved.tokens_cache_write_1h,
    resolved.tokens_cache_write_unspecified,
    resolved.tokens_output,
    resolved.tokens_output_reasoning,
    cast(resolved.tokens_input + resolved.tokens_output as bigint) as tokens_total,
    resolved.vendor_total_tokens,
    cast(resolved.ticket_key as string) as ticket_key,
    resolved.tag_workflow as workflow,
    resolved.tag_feature as feature,
    cast(resolved.team as string) as team,
    cast(coalesce(resolved.tag_customer, resolved.end_user) as string) as customer_id,
    cast(resolved.environment as string) as environment,
    cast(resolved.owner_workflow as string) as owner_workflow,
    resolved.tag_task_type as task_type,
    cast(coalesce(resolved.user_id, resolved.user_email) as string) as user_id,
    cast(resolved.person_id as string) as person_id,
    resolved.session_id,
    resolved.user_action_id,
    resolved.repo,
    resolved.branch,
    resolved.attempt,
    coalesce(resolved.attempt > 1, false) as is_retry,
    resolved.agent_step,
    resolved.is_gateway_cache_hit,
    resolved.cost_usd as gateway_cost_usd,
    cast(case
        when resolved.is_gateway_cache_hit then 0
        when (resolved.tokens_input_uncached > 0 and cards.input_price is null)
            or (resolved.tokens_cache_read > 0 and cards.cache_read_price is null)
            or (resolved.tokens_cache_write_short > 0 and cards.cache_write_5m_price is null)
            or (resolved.tokens_cache_write_1h > 0 and cards.cache_write_1h_price is null)
            or (resolved.tokens_output > 0 and cards.output_price is null)
            then null
        else
            coalesce(resolved.tokens_input_uncached * cards.input_price, 0)
            + coalesce(resolved.tokens_cache_read * cards.cache_read_price, 0)
            + coalesce(resolved.tokens_cache_write_short * cards.cache_write_5m_price, 0)
            + coalesce(resolved.tokens_cache_write_1h * cards.cache_write_1h_price, 0)
            + coalesce(resolved.tokens_output * cards.output_price, 0)
    end as decimal(38, 14)) as list_cost_usd,
    cast(cards.price_id as string) as price_id,
    resolved.sightings,
    cast(resolved.delivery_id as string) as raw_delivery_id,
    resolved.charge_date
from resolved
left join {{ ref('int_price_card') }} as cards
    on cards.provider_id = resolved.price_provider
    and cards.model_id = resolved.canonical_model
    and resolved.charge_date >= cards.effective_from
    and resolved.charge_date < cards.effective_to
    and resolved.tokens_input >= cards.context_from_tokens
    and resolved.tokens_input < cards.context_to_tokens
