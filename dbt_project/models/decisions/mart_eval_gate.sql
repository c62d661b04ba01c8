select
    eval_set_id, baseline_config, candidate_config, design, items, baseline_items, trials, judge_version, baseline_coverage,
    candidate_coverage, baseline_passed, candidate_passed, baseline_rate, candidate_rate, rate_difference, rate_lower,
    rate_upper, check_lower, check_upper, margin, both_passed, candidate_only, baseline_only, neither, baseline_cost,
    candidate_cost, baseline_cost_per_success, candidate_cost_per_success, cost_ratio, cost_ratio_lower, cost_ratio_upper,
    expected_saving_share, power, items_needed, items_missing, failed_slices, failed_limits, waiver, outcome, reason, as_of,
    run_id, config_hash
from {{ source('raw', 'eval_gate') }}
