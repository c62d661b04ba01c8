select
    incident_id, family, scope_type, scope, rules, first_day, last_day, detected_day, severity, peak_z,
    cast(round(excess, 6) as decimal(38, 14)) as excess, days, parent_id, owner, state, route, reason, as_of, run_id, config_hash
from {{ source('raw', 'incidents') }}
