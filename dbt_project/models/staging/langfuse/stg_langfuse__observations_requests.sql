-- `input` and `output` are meant to leave out what other keys count, but some instrumentations leave it in. The total tells:
-- it is the sum of the keys that stand side by side. Without one, and where `inclusive` is set and the total is the sum of
-- every key (then the vendor made it up), the setting decides; a key smaller than its parts gives the opposite away.
with counted as (
    select
        *,
        coalesce(input_tokens, 0) as plain_input,
        coalesce(cache_read_tokens, 0) as read_tokens,
        coalesce(cache_write_5m_tokens, 0) as write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as write_1h_tokens,
        coalesce(cache_write_tokens, 0) as write_tokens,
        coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
            + coalesce(cache_write_tokens, 0) + coalesce(other_input_tokens, 0) as input_parts,
        coalesce(output_tokens, 0) as plain_output,
        coalesce(reasoning_tokens, 0) + coalesce(other_output_tokens, 0) as output_parts,
        coalesce(unknown_tokens, 0) as unknown
    from {{ ref('stg_langfuse__observations') }}
),

told as (
    select
        *,
        total_tokens is not null and total_tokens in (
            plain_input + input_parts + plain_output + output_parts,
            plain_input + input_parts + plain_output + output_parts + unknown
        ) as is_sum_of_all,
        total_tokens is not null and total_tokens in (
            plain_input + plain_output + output_parts, plain_input + plain_output + output_parts + unknown
        ) and plain_input >= input_parts as is_sum_with_inclusive_input,
        total_tokens is not null and total_tokens in (
            plain_input + input_parts + plain_output, plain_input + input_parts + plain_output + unknown
        ) and plain_output >= output_parts as is_sum_with_inclusive_output,
        total_tokens is not null and total_tokens in (plain_input + plain_output, plain_input + plain_output + unknown)
            and plain_input >= input_parts and plain_output >= output_parts as is_sum_of_both
    from counted
),

decided as (
    select
        *,
        is_sum_of_all and input_means = 'inclusive' and input_parts + output_parts > 0 as is_made_up_total,
        case
            when is_sum_of_all and input_means <> 'inclusive' then false
            when is_sum_of_all then plain_input >= input_parts
            when is_sum_with_inclusive_input or is_sum_of_both then true
            when is_sum_with_inclusive_output then false
            else input_means = 'inclusive' and plain_input >= input_parts
        end as is_input_inclusive,
        case
            when is_sum_of_all and input_means <> 'inclusive' then false
            when is_sum_of_all then plain_output >= output_parts
            when is_sum_with_inclusive_input then false
            when is_sum_of_both or is_sum_with_inclusive_output then true
            else input_means = 'inclusive' and plain_output >= output_parts
        end as is_output_inclusive
    from told
),

named as (
    select decided.*, models.model_developer
    from decided
    left join {{ ref('model_names') }} as models on models.model_name = {{ canonical_model('decided.model') }}
)

select
    {{ model_request({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'ordinal': 'ordinal',
        'request_id': 'id',
        'provider_response_id': 'provider_response_id',
        'started_at': 'start_time',
        'ended_at': 'end_time',
        'first_token_at': 'completion_start_time',
        'status': "case when level = 'ERROR' then 'failure' else 'success' end",
        'provider_name': "case when model like '%/%' then lower(split_part(model, '/', 1)) when model_developer = 'Mistral AI'"
            ~ " then 'mistral' when model_developer in ('OpenAI', 'Anthropic') then lower(model_developer) end",
        'model_name': 'model',
        'deployment_id': 'model',
        'user_id': 'user_id',
        'user_email': "case when user_id like '%@%' then lower(user_id) end",
        'team_id': 'tag_team',
        'session_id': 'coalesce(session_id, tag_session)',
        'tokens_input_uncached':
            'case when is_input_inclusive then plain_input - input_parts else plain_input end + coalesce(other_input_tokens, 0)',
        'tokens_cache_read': 'read_tokens',
        'tokens_cache_write_5m': 'write_5m_tokens',
        'tokens_cache_write_1h': 'write_1h_tokens',
        'tokens_cache_write_unspecified': 'write_tokens',
        'tokens_output': 'case when is_output_inclusive then plain_output else plain_output + output_parts end',
        'tokens_output_reasoning': 'reasoning_tokens',
        'vendor_total_tokens': 'case when not is_made_up_total and unknown = 0 then total_tokens end',
        'cost_usd': 'total_cost_usd',
        'tag_ticket': 'tag_ticket',
        'tag_workflow': 'tag_workflow',
        'tag_feature': 'tag_feature',
        'tag_customer': 'tag_customer',
        'tag_environment': "coalesce(tag_environment, nullif(environment, 'default'))",
        'tag_task_type': 'tag_task_type',
        'repo': 'tag_repo',
        'branch': 'tag_branch',
        'charge_date': 'charge_date',
    }) }}
from named
