select
    commitment_id, period_start, period_end, commitment_cost, used_cost, forfeiture, covered_on_demand, eligible_on_demand,
    actual_cost, realised_saving, utilisation, coverage, effective_savings_rate, u_star, captured_share, state, alert, as_of,
    run_id, config_hash
from {{ source('raw', 'commitment_performance') }}
