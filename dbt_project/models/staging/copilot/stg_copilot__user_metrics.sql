select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    usage_date,
    user_id,
    user_login,
    interactions,
    generations,
    acceptances,
    lines_added,
    cli_sessions,
    cli_requests,
    cli_prompt_tokens,
    cli_output_tokens,
    {{ exact_decimal('ai_credits_used', 28, 12) }} as ai_credits_used
from {{ source('raw', 'copilot__user_metrics') }}
