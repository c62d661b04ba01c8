-- Requests are counted on their day; a session or user action once, on the day of its first request. Buckets that a vendor
-- reports count only where no request log knows the key that day.
with calls as (
    select
        charge_date,
        coalesce(workflow, owner_workflow) as workflow,
        model_id,
        session_id,
        user_action_id,
        tokens_input_uncached + tokens_cache_read + tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write_unspecified
            as input_tokens,
        tokens_output as output_tokens
    from {{ ref('fct_model_call') }}
    where not is_gateway_cache_hit
),

sessions as (
    select
        workflow, session_id, min(charge_date) as charge_date, count(*) as requests,
        sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
    from calls
    where session_id is not null
    group by workflow, session_id
),

user_actions as (
    select
        workflow, user_action_id, min(charge_date) as charge_date, count(*) as requests,
        sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
    from calls
    where user_action_id is not null
    group by workflow, user_action_id
),

logged_keys as (
    select distinct charge_date, provider_source, provider_account, pool_key from {{ ref('int_call_pool_day') }}
),

reported as (
    select
        reported.charge_date, coalesce(key_owners.workflow, place_owners.workflow) as workflow, reported.model_id,
        reported.requests, reported.input_tokens, reported.output_tokens
    from {{ ref('int_reported_requests') }} as reported
    left join logged_keys
        on logged_keys.charge_date = reported.charge_date
        and logged_keys.provider_source = reported.source
        and logged_keys.provider_account = reported.account
        and logged_keys.pool_key = coalesce(reported.credential_id, reported.workspace_id)
    left join {{ ref('dim_owner') }} as key_owners
        on key_owners.source = reported.source
        and key_owners.object_type = 'api_key'
        and key_owners.external_id = reported.credential_id
        and reported.charge_date >= key_owners.valid_from
        and reported.charge_date < key_owners.valid_to
    left join {{ ref('dim_owner') }} as place_owners
        on place_owners.source = reported.source
        and place_owners.object_type = case reported.source when 'openai' then 'project' else 'workspace' end
        and place_owners.external_id = reported.workspace_id
        and reported.charge_date >= place_owners.valid_from
        and reported.charge_date < place_owners.valid_to
    where logged_keys.pool_key is null and not coalesce(key_owners.is_gateway, false)
),

counts as (
    select
        'request' as kind, charge_date, workflow, model_id, count(*) as quantity, count(*) as requests,
        sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
    from calls
    group by charge_date, workflow, model_id
    union all
    select 'request', charge_date, workflow, model_id, sum(requests), sum(requests), sum(input_tokens), sum(output_tokens)
    from reported
    group by charge_date, workflow, model_id
    union all
    select 'session', charge_date, workflow, null, count(*), sum(requests), sum(input_tokens), sum(output_tokens)
    from sessions
    group by charge_date, workflow
    union all
    select 'user_action', charge_date, workflow, null, count(*), sum(requests), sum(input_tokens), sum(output_tokens)
    from user_actions
    group by charge_date, workflow
)

select
    cast(kind as string) as kind,
    cast(workflow as string) as workflow,
    cast(model_id as string) as model_id,
    cast(sum(quantity) as bigint) as quantity,
    cast(sum(requests) as bigint) as requests,
    cast(sum(input_tokens) as bigint) as input_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    charge_date
from counts
group by kind, workflow, model_id, charge_date
