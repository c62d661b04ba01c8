select
    rule, family, scope_type, scope, day, value, baseline, spread, robust_z, ratio,
    cast(round(excess, 6) as decimal(38, 14)) as excess, cast(round(floor, 6) as decimal(38, 14)) as floor, history, state,
    reason, as_of, run_id, config_hash
from {{ source('raw', 'signals') }}
