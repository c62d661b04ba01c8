select
    pacing.budget_id, pacing.scope_type, pacing.scope, pacing.period_start, pacing.period_end, pacing.as_of, pacing.budget,
    pacing.mtd, pacing.mtd_adjusted, pacing.plan_to_date, pacing.pace_index, pacing.linear_pace_index, pacing.month_end,
    pacing.lo80, pacing.hi80, pacing.p_breach, pacing.breach_date_p10, pacing.breach_date_p50, pacing.breach_date_p90,
    pacing.level, cast(budgets.owner_person_id as string) as owner, pacing.run_id, pacing.data_cutoff, pacing.config_hash
from {{ source('raw', 'budget_pacing') }} as pacing
left join {{ ref('budgets') }} as budgets on budgets.budget_id = pacing.budget_id
