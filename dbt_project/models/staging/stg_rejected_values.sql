{{ config(materialized='table') }}
-- The types here are the ones the staging models cast to.
{{ rejected_values('anthropic', 'cost_report', billed={'amount_cents': 2}) }}
union all
{{ rejected_values('anthropic', 'claude_code', {'estimated_cost_cents': [36, 12]}) }}
union all
{{ rejected_values('openai', 'costs', {'quantity': [28, 12]}, billed={'amount_usd': 0}) }}
union all
{{ rejected_values('litellm', 'spend_logs', {'spend_usd': [38, 24]}) }}
union all
{{ rejected_values('jira', 'issues', {'story_points': [28, 12]}) }}
union all
{{ rejected_values('invoices', 'lines', {'amount': [38, 14], 'quantity': [28, 12]}, not_null=['amount']) }}
union all
{{ rejected_values('prices', 'genai_prices', {'price_usd_per_million': [28, 16]}) }}
