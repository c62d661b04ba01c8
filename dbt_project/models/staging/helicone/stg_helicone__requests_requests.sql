-- Cached tokens stand beside prompt tokens and are not in the total; whether reasoning is in the completion is told by it.
-- An answer from the vendor's own cache reached no provider: it keeps its row with zero tokens and no cost.
with counted as (
    select
        *,
        coalesce(prompt_tokens, 0) as prompt,
        coalesce(completion_tokens, 0) as completion,
        coalesce(reasoning_tokens, 0) as reasoning,
        coalesce(cache_read_tokens, 0) as read_tokens,
        coalesce(cache_write_tokens, 0) as write_tokens
    from {{ ref('stg_helicone__requests') }}
)

select
    {{ model_request({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'ordinal': 'ordinal',
        'request_id': 'request_id',
        'provider_response_id': 'provider_response_id',
        'started_at': 'request_created_at',
        'ended_at': 'ended_at',
        'first_token_at': 'first_token_at',
        'status': "case when response_status between 200 and 299 then 'success' else 'failure' end",
        'provider_name': 'lower(provider)',
        'model_name': 'model',
        'deployment_id': 'model',
        'user_id': 'user_id',
        'user_email': "case when user_id like '%@%' then lower(user_id) end",
        'team_id': 'tag_team',
        'session_id': 'tag_session',
        'is_gateway_cache_hit': 'is_cached_answer',
        'tokens_input_uncached': 'case when is_cached_answer then 0 else prompt end',
        'tokens_cache_read': 'case when is_cached_answer then 0 else read_tokens end',
        'tokens_cache_write_unspecified': 'case when is_cached_answer then 0 else write_tokens end',
        'tokens_output': 'case when is_cached_answer then 0 when total_tokens = prompt + completion and completion >= reasoning'
            ~ ' then completion else completion + reasoning end',
        'tokens_output_reasoning': 'case when is_cached_answer then 0 else reasoning_tokens end',
        'vendor_total_tokens': 'case when not is_cached_answer then total_tokens + read_tokens + write_tokens end',
        'cost_usd': 'case when is_cached_answer then 0 else cost_usd end',
        'tag_ticket': 'tag_ticket',
        'tag_workflow': 'tag_workflow',
        'tag_feature': 'tag_feature',
        'tag_customer': 'tag_customer',
        'tag_environment': 'tag_environment',
        'tag_task_type': 'tag_task_type',
        'repo': 'tag_repo',
        'branch': 'tag_branch',
        'charge_date': 'charge_date',
    }) }}
from counted
