select
    budget_id, period_start, as_of, level, open_level, previous_level, is_change, scope_type, scope, period_end,
    budget, mtd, month_end, p_breach, breach_date_p50, pace_70, pace_80, typical_80
from {{ source('raw', 'budget_alerts') }}
