select
    commitment_id, period_start, scope, line, on_demand_cost, cost, as_of, run_id, config_hash
from {{ source('raw', 'commitment_chargeback') }}
