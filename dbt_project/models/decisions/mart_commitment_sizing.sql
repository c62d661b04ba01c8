select
    pool, scope, offer_id, kind, shape, level, unit, units, cast(round(commit_usd, 6) as decimal(38, 14)) as commit_usd,
    commit_period_hours, cast(round(rack_usd, 6) as decimal(38, 14)) as rack_usd, term_hours,
    cast(round(on_demand_cost, 6) as decimal(38, 14)) as on_demand_cost, cast(round(cost, 6) as decimal(38, 14)) as cost,
    cast(round(saving, 6) as decimal(38, 14)) as saving, saving_share,
    cast(round(monthly_saving, 6) as decimal(38, 14)) as monthly_saving, u_star, utilisation, headroom, utilisation_g20,
    utilisation_g50, utilisation_g80, coverage_g20, coverage_g50, coverage_g80, p_loss,
    cast(round(cvar90, 6) as decimal(38, 14)) as cvar90, cast(round(forfeiture, 6) as decimal(38, 14)) as forfeiture,
    break_even_fall, payback_months, no_regret_units, folds, cast(round(regret, 6) as decimal(38, 14)) as regret, captured_share,
    worst_fold_saving, steadiness, growth_basis, decision, reason, override, is_advised, as_of, run_id, config_hash
from {{ source('raw', 'commitment_sizing') }}
