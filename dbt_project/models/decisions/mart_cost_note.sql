select
    note_id, workflow, launched_on, driver, unit, expected_unit_cost, actual_unit_cost, error, monthly_budget,
    fallback, owner_person_id, review_date, is_due, run_p50, run_p90, run_p95, run_mean, one_call, month_mean,
    month_p80, p_over_budget, cost_per_success, surprise, state, reasons
from {{ source('raw', 'cost_notes') }}
