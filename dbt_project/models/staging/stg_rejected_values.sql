{{ config(materialized='table') }}
-- The types here are the ones the staging models cast to.
select
    cast(null as string) as source, cast(null as string) as dataset, cast(null as string) as account, cast(null as string) as window_key,
    cast(null as string) as delivery_id, cast(null as bigint) as ordinal, cast(null as string) as field, cast(null as boolean) as is_billed,
    cast(null as string) as reason
where false
{{ rejected_values('anthropic', 'cost_report', billed={'amount_cents': 2}) }}
{{ rejected_values('anthropic', 'claude_code', {'estimated_cost_cents': [36, 12]}) }}
{{ rejected_values('anthropic_enterprise', 'analytics_cost', billed={'amount_cents': 2, 'list_amount_cents': 2}) }}
{{ rejected_values('openai', 'costs', {'quantity': [28, 12]}, billed={'amount_usd': 0}) }}
{{ rejected_values('copilot', 'billing_usage', {'quantity': [28, 12], 'price_per_unit_usd': [28, 16], 'gross_usd': [38, 24]}, billed={'discount_usd': 0, 'net_usd': 0}) }}
{{ rejected_values('copilot', 'model_usage', {'gross_quantity': [28, 12], 'discount_quantity': [28, 12], 'net_quantity': [28, 12], 'price_per_unit_usd': [28, 16], 'gross_usd': [38, 24]}, billed={'discount_usd': 0, 'net_usd': 0}) }}
{{ rejected_values('copilot', 'usage_report', {'quantity': [28, 12], 'price_per_unit_usd': [28, 16], 'gross_usd': [38, 24]}, billed={'discount_usd': 0, 'net_usd': 0}) }}
{{ rejected_values('copilot', 'user_metrics', {'ai_credits_used': [28, 12]}) }}
{{ rejected_values('cursor', 'usage_events', {'request_units': [28, 12], 'model_cents': [36, 12], 'discount_percent_off': [28, 12], 'token_fee_cents': [36, 12], 'charged_cents': [36, 22]}, booked=['charged_cents']) }}
{{ rejected_values('cursor', 'spend', {'spend_cents': [36, 12], 'overall_spend_cents': [36, 12], 'included_spend_cents': [36, 12], 'hard_limit_override_usd': [38, 14], 'monthly_limit_usd': [38, 14]}) }}
{{ rejected_values('litellm', 'spend_logs', {'spend_usd': [38, 24]}) }}
{{ rejected_values('jira', 'issues', {'story_points': [28, 12]}) }}
{{ rejected_values('linear', 'issues', {'estimate': [28, 12]}) }}
{{ rejected_values('invoices', 'lines', {'amount': [38, 14], 'quantity': [28, 12]}, not_null=['amount']) }}
{{ rejected_values('seats', 'snapshot', {'unit_price': [38, 14]}) }}
{{ rejected_values('expenses', 'lines', {'amount': [38, 14]}, not_null=['amount']) }}
{{ rejected_values('prices', 'genai_prices', {'price_usd_per_million': [28, 16]}) }}
{{ rejected_values('openrouter', 'activity', billed={'usage_usd': 0, 'byok_usage_inference_usd': 0}) }}
{{ rejected_values('openrouter', 'activity_by_key', billed={'usage_usd': 0, 'byok_usage_inference_usd': 0}) }}
{{ rejected_values('openrouter', 'credits', {'total_credits_usd': [38, 14], 'total_usage_usd': [38, 14]}) }}
{{ rejected_values('claude_code_otel', 'api_requests', {'cost_usd': [38, 24]}) }}
{{ rejected_values('claude_code_otel', 'token_usage', {'cost_usd': [38, 24]}) }}
{{ rejected_values('agent_logs', 'answers', {'cost_usd': [38, 24]}) }}
{{ rejected_values('xai', 'usage', billed={'usage_usd': 0}) }}
{{ rejected_values('xai', 'balance_changes', {'amount_cents': [36, 12]}) }}
{{ rejected_values('xai', 'prepaid_balance', {'total_cents': [36, 12]}) }}
{{ rejected_values('xai', 'invoice_preview', {'total_with_corrections_cents': [36, 12], 'prepaid_credits_cents': [36, 12]}) }}
{{ rejected_values('huggingface', 'usage', {'used_nano_usd': [29, 15], 'used_micro_usd': [32, 18], 'included_nano_usd': [29, 5], 'limit_nano_usd': [29, 5], 'used_before_nano_usd': [29, 5], 'total_minutes': [28, 12]}, booked=['used_nano_usd', 'used_micro_usd']) }}
{{ rejected_values('langfuse', 'observations', {'total_cost_usd': [38, 24]}) }}
{{ rejected_values('helicone', 'requests', {'cost': [38, 24]}) }}
{{ rejected_values('portkey', 'logs', {'cost': [36, 22]}) }}
{{ rejected_values('mistral', 'usage', {'quantity': [28, 12]}, billed={'amount': 0}) }}
{{ rejected_values('mistral', 'usage_by_workspace', {'quantity': [28, 12]}, billed={'amount': 0}) }}
