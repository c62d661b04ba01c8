-- What the request logs count, and the buckets that a vendor reports where no request log knows the key that day.
with logged_keys as (
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
    select kind, charge_date, workflow, model_id, quantity, requests, input_tokens, output_tokens from {{ ref('int_logged_usage_day') }}
    union all
    select 'request', charge_date, workflow, model_id, requests, requests, input_tokens, output_tokens from reported
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
