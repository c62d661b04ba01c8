-- Most emitters count cache tokens inside the prompt; one that does not gives itself away by a prompt smaller than them.
-- Answers from the gateway's own cache never reached a provider: they keep their row with zero tokens.
with counted as (
    select
        *,
        coalesce(is_gateway_cache_hit, false) as is_cached_answer,
        coalesce(prompt_tokens, 0) as prompt,
        coalesce(cache_read_tokens, 0) as read_tokens,
        coalesce(cache_creation_tokens, 0) as write_tokens,
        coalesce(prompt_tokens, 0) >= coalesce(cache_read_tokens, 0) + coalesce(cache_creation_tokens, 0) as is_inside
    from {{ ref('stg_litellm__spend_logs') }}
)

select
    {{ model_request({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'ordinal': 'ordinal',
        'request_id': 'request_id',
        'provider_response_id': 'provider_response_id',
        'response_alias': 'request_id',
        'started_at': 'start_time',
        'ended_at': 'end_time',
        'first_token_at': 'completion_start_time',
        'status': 'status',
        'provider_name': "lower(coalesce(custom_llm_provider, split_part(model, '/', 1)))",
        'model_name': 'model',
        'deployment_id': 'model_id',
        'key_hash': 'api_key_hash',
        'user_id': 'user_id',
        'team_id': 'team_id',
        'end_user': 'end_user',
        'session_id': 'session_id',
        'is_gateway_cache_hit': 'is_cached_answer',
        'tokens_input_uncached':
            'case when is_cached_answer then 0 when is_inside then prompt - read_tokens - write_tokens else prompt end',
        'tokens_cache_read': 'case when is_cached_answer then 0 else read_tokens end',
        'tokens_cache_write_5m': 'case when is_cached_answer or cache_creation_1h_tokens is null then 0'
            ~ ' else greatest(write_tokens - cache_creation_1h_tokens, 0) end',
        'tokens_cache_write_1h':
            'case when is_cached_answer then 0 else least(coalesce(cache_creation_1h_tokens, 0), write_tokens) end',
        'tokens_cache_write_unspecified':
            'case when is_cached_answer or cache_creation_1h_tokens is not null then 0 else write_tokens end',
        'tokens_output': 'case when is_cached_answer then 0 else coalesce(completion_tokens, 0) end',
        'tokens_output_reasoning': 'case when is_cached_answer then 0 else reasoning_tokens end',
        'vendor_total_tokens': 'case when is_cached_answer then null when is_inside then total_tokens'
            ~ ' else total_tokens + read_tokens + write_tokens end',
        'cost_usd': 'spend_usd',
        'tag_ticket': 'tag_ticket',
        'tag_workflow': 'tag_workflow',
        'tag_feature': 'tag_feature',
        'tag_customer': 'tag_customer',
        'tag_environment': 'tag_environment',
        'tag_task_type': 'tag_task_type',
        'user_action_id': 'meta_user_action_id',
        'repo': 'meta_repo',
        'branch': 'meta_branch',
        'attempt': 'meta_attempt',
        'agent_step': 'meta_agent_step',
        'system_prompt_tokens': 'meta_system_prompt_tokens',
        'retrieval_tokens': 'meta_retrieval_tokens',
        'history_tokens': 'meta_history_tokens',
        'tool_schema_tokens': 'meta_tool_schema_tokens',
        'charge_date': 'charge_date',
    }) }}
from counted
