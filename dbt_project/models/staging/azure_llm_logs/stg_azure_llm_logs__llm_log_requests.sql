-- A call has one row that counts tokens; of several (a file exported twice, a chunk counted early) the last one of the call
-- counts. Who called and how it ended is in the gateway's own log, under the same correlation id.
with counted as (
    select *
    from {{ ref('stg_azure_llm_logs__llm_log') }}
    qualify row_number() over (
        partition by account, correlation_id
        order by sequence_number desc, coalesce(total_tokens, 0) desc, fetched_at desc, delivery_id, ordinal
    ) = 1
),

ended as (
    select *
    from {{ ref('stg_azure_llm_logs__gateway_log') }}
    qualify row_number() over (
        partition by account, correlation_id order by time_generated desc, fetched_at desc, delivery_id, ordinal
    ) = 1
)

select
    {{ model_request({
        'account': 'counted.account',
        'delivery_id': 'counted.delivery_id',
        'ordinal': 'counted.ordinal',
        'request_id': 'counted.correlation_id',
        'started_at': 'counted.time_generated',
        'status': "case when ended.response_code >= 400 then 'failure' else 'success' end",
        'provider_name': 'counted.provider',
        'model_name': 'counted.model_name',
        'deployment_id': 'counted.deployment_name',
        'key_hash': 'ended.subscription_id',
        'user_id': 'ended.user_id',
        'user_email': "case when ended.user_id like '%@%' then lower(ended.user_id) end",
        'tokens_input_uncached': 'coalesce(counted.prompt_tokens, counted.total_tokens - counted.completion_tokens, 0)',
        'tokens_output': 'coalesce(counted.completion_tokens, counted.total_tokens - counted.prompt_tokens, 0)',
        'vendor_total_tokens': 'counted.total_tokens',
        'charge_date': 'counted.charge_date',
    }) }}
from counted
left join ended on ended.account = counted.account and ended.correlation_id = counted.correlation_id
