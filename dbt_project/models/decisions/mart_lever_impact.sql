select
    promotion_id, lever_set, workflow, promoted_on, days_before, days_after, cost_after, counterfactual_cost, realised_saving,
    realised_saving_share, expected_saving_share, realised_over_expected, cost_per_call, cost_per_call_drift,
    baseline_cost_per_success, cost_per_success, days_above_baseline, success_difference, success_lower, success_upper,
    overdispersion, applied_share, state, reason, owner, as_of, run_id, config_hash
from {{ source('raw', 'lever_impact') }}
