-- A call below another one in a later file makes the upper one a sum that must not be counted again. The convention counts
-- cached tokens inside the input; a prompt smaller than them is not read that way whatever the emitter says.
with calls as (
    select
        spans.*,
        coalesce(spans.input_tokens, 0) as counted,
        coalesce(spans.cache_read_tokens, 0) as read_tokens,
        coalesce(spans.cache_creation_tokens, 0) as write_tokens,
        row_number() over (
            partition by spans.account, spans.trace_id, spans.span_id, spans.charge_date order by spans.delivery_id, spans.ordinal
        ) as place
    from {{ ref('stg_otel__spans') }} as spans
    left join (
        select distinct account, trace_id, parent_span_id, charge_date
        from {{ ref('stg_otel__spans') }}
        where parent_span_id is not null
    ) as below
        on below.account = spans.account
        and below.trace_id = spans.trace_id
        and below.parent_span_id = spans.span_id
        and below.charge_date = spans.charge_date
    where below.parent_span_id is null
)

select
    {{ model_request({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'ordinal': 'ordinal',
        'request_id': "concat(trace_id, ':', span_id)",
        'provider_response_id': 'response_id',
        'started_at': 'started_at',
        'ended_at': 'ended_at',
        'status': 'status',
        'provider_name': 'provider',
        'model_name': 'model',
        'deployment_id': 'service_name',
        'user_id': 'user_id',
        'user_email': 'user_email',
        'team_id': 'tag_team',
        'session_id': 'coalesce(conversation_id, tag_session)',
        'tokens_input_uncached':
            'case when is_cache_inside_input and counted >= read_tokens + write_tokens'
            ~ ' then counted - read_tokens - write_tokens else counted end',
        'tokens_cache_read': 'read_tokens',
        'tokens_cache_write_unspecified': 'write_tokens',
        'tokens_output': 'coalesce(output_tokens, 0)',
        'tokens_output_reasoning': 'reasoning_tokens',
        'vendor_total_tokens': 'stated_total_tokens',
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
from calls
where place = 1
