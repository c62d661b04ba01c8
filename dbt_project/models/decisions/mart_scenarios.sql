select
    scenario_id, workflow, month, calls, tokens_per_call, rate_per_million, cost, baseline_cost, change, change_share,
    naive_sum, product_form, combined, interaction_log
from {{ source('raw', 'scenarios') }}
