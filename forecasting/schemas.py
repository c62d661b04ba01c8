"""Columns and types of every frame that goes in or out. Empty results have them too.

Days are UTC calendar days; a `period_end` is the first day AFTER the period (half-open, as in FOCUS).
`as_of` is the day the forecast was asked for, `data_cutoff` the last complete day it was made from.
"""

from __future__ import annotations

import polars as pl

MONEY = pl.Decimal(38, 14)
QUANTITY = pl.Decimal(38, 12)
TOKEN_CLASSES = ("input_uncached", "cache_read", "cache_write", "output")
LEVELS = ("total", "team", "workflow", "provider")

# What the marts hand over; `calls` and the tokens may be null where they are not known.
SERIES_COLUMNS = (
    "series_key", "level", "scope", "charge_date", "cost", "calls", *(f"tokens_{name}" for name in TOKEN_CLASSES),
)
BUDGET_COLUMNS = ("budget_id", "scope_type", "scope", "period_start", "period_end", "amount_usd")

_AUDIT = {"run_id": pl.String, "data_cutoff": pl.Date, "config_hash": pl.String}
AUDIT_COLUMNS = tuple(_AUDIT)
_ENDS = {"lo80": pl.Float64, "hi80": pl.Float64, "lo95": pl.Float64, "hi95": pl.Float64}

SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "forecast_daily": {
        "series_key": pl.String, "level": pl.String, "scope": pl.String, "as_of": pl.Date, "target_date": pl.Date,
        "point": pl.Float64, "method": pl.String, "state": pl.String, **_AUDIT,
    },
    "forecast_total": {
        "series_key": pl.String, "level": pl.String, "scope": pl.String, "as_of": pl.Date, "period_kind": pl.String,
        "period_start": pl.Date, "period_end": pl.Date, "point": pl.Float64, **_ENDS, "n_eff": pl.Float64,
        "coverage80_180d": pl.Float64, "coverage95_180d": pl.Float64, "coverage_state": pl.String,
        "method": pl.String, "quality": pl.String, **_AUDIT,
    },
    "backtest": {
        "series_key": pl.String, "level": pl.String, "as_of": pl.Date, "horizon": pl.String, "method": pl.String,
        "forecast": pl.Float64, "actual": pl.Float64, **_ENDS, "error": pl.Float64, "is_resolved": pl.Boolean, **_AUDIT,
    },
    "budget_pacing": {
        "budget_id": pl.String, "scope_type": pl.String, "scope": pl.String, "period_start": pl.Date,
        "period_end": pl.Date, "as_of": pl.Date, "budget": MONEY, "mtd": MONEY, "mtd_adjusted": pl.Float64,
        "plan_to_date": pl.Float64, "pace_index": pl.Float64, "linear_pace_index": pl.Float64,
        "month_end": pl.Float64, "lo80": pl.Float64, "hi80": pl.Float64, "p_breach": pl.Float64,
        "breach_date_p10": pl.Date, "breach_date_p50": pl.Date, "breach_date_p90": pl.Date, "level": pl.String,
        **_AUDIT,
    },
    "accuracy": {
        "series_key": pl.String, "level": pl.String, "horizon": pl.String, "method": pl.String, "windows": pl.Int64,
        "independent_windows": pl.Int64, "wape": pl.Float64, "bias": pl.Float64, "mase": pl.Float64,
        "relative_wape": pl.Float64, "coverage80": pl.Float64, "coverage80_lo": pl.Float64, "coverage80_hi": pl.Float64,
        "coverage95": pl.Float64, "coverage95_lo": pl.Float64, "coverage95_hi": pl.Float64, "state": pl.String,
        **_AUDIT,
    },
}

_CELL = dict.fromkeys(("scope", "team", "workflow", "model", "variant", "line"), pl.String)

# Frames of the monthly decisions. Money is the reporting currency; tokens and calls are counts of the period.
DECISION_SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    # One side of a variance: scope x cell x line of one period; `line` is `usage` or the name of a line of its own.
    "variance_cells": {
        **_CELL, "calls": QUANTITY, **{f"tokens_{k}": QUANTITY for k in TOKEN_CLASSES}, "cost": MONEY,
        "fx_rate": pl.Float64, **{f"cost_{k}": MONEY for k in TOKEN_CLASSES},
        **{f"list_cost_{k}": MONEY for k in TOKEN_CLASSES},
    },
    # Scope x cell x effect; amounts of a cell add to its change of cost exactly.
    "variance_effects": {**_CELL, "effect": pl.String, "effect_group": pl.String, "amount": MONEY},
    # Workflow x model: user actions per day (of the workflow), runs per action, retries per call, share of the
    # workflow's calls, tokens per call by class, price per 1,000,000 tokens by class.
    "drivers": {
        "workflow": pl.String, "model": pl.String, "user_actions": pl.Float64, "fan_out": pl.Float64,
        "retry": pl.Float64, "share": pl.Float64, **{f"tokens_{k}": pl.Float64 for k in TOKEN_CLASSES},
        **{f"price_{k}": pl.Float64 for k in TOKEN_CLASSES},
    },
    # Scenario x lever x target; empty workflow, model or token class means all of them.
    "levers": {
        "scenario_id": pl.String, "lever_id": pl.String, "driver": pl.String, "workflow": pl.String, "model": pl.String,
        "token_class": pl.String, "mode": pl.String, "value": pl.Float64, "start": pl.Date, "ramp_days": pl.Int64,
    },
    # One dated change; `recorded_on` is the day it became known, `confidence` is 0 to 1.
    "known_changes": {
        "change_id": pl.String, "kind": pl.String, "driver": pl.String, "workflow": pl.String, "model": pl.String,
        "token_class": pl.String, "mode": pl.String, "value": pl.Float64, "start": pl.Date, "ramp_days": pl.Int64,
        "confidence": pl.Float64, "recorded_on": pl.Date, "owner": pl.String, "note": pl.String,
    },
    # Scenario x workflow x month (first day); `baseline` is a scenario. Rate per 1,000,000 tokens.
    "scenarios": {
        "scenario_id": pl.String, "workflow": pl.String, "month": pl.Date, "calls": pl.Float64,
        "tokens_per_call": pl.Float64, "rate_per_million": pl.Float64, "cost": MONEY, "baseline_cost": MONEY,
        "change": MONEY, "change_share": pl.Float64,
    },
    # Scenario x lever over the whole period; `amount` (Shapley) adds to the scenario's change exactly.
    "scenario_levers": {
        "scenario_id": pl.String, "lever_id": pl.String, "alone_cost": MONEY, "alone_saving": pl.Float64,
        "amount": MONEY, "share_of_change": pl.Float64,
    },
    # Scenario over the whole period. Savings are shares of baseline cost; `combined` is the one to plan with.
    "scenario_summary": {
        "scenario_id": pl.String, "baseline_cost": MONEY, "cost": MONEY, "change": MONEY, "naive_sum": pl.Float64,
        "product_form": pl.Float64, "combined": pl.Float64, "interaction_log": pl.Float64, "shapley": pl.String,
    },
    # Series x coming period (months and their sum); `spent` is what is known of it, the point includes it.
    "forecast_outlook": {
        "series_key": pl.String, "level": pl.String, "scope": pl.String, "as_of": pl.Date, "period_start": pl.Date,
        "period_end": pl.Date, "spent": pl.Float64, "point": pl.Float64, **_ENDS, "n_eff": pl.Float64,
        "range_state": pl.String, "method": pl.String, "quality": pl.String, "has_known_changes": pl.Boolean, **_AUDIT,
    },
    # Scope x month x forecast kind (`machine` or `override`), as issued before the month; signed figures in MONEY.
    "frozen_forecasts": {
        "scope": pl.String, "month": pl.Date, "kind": pl.String, "forecast": MONEY, **_ENDS, "issued_on": pl.Date,
        "author": pl.String, "reason": pl.String,
    },
    # Scope x month x kind x day of the freeze (1, 10, 20): its own error, and error so far over up to six months ending with it.
    "forecast_scores": {
        "scope": pl.String, "month": pl.Date, "kind": pl.String, "freeze_day": pl.Int64, "forecast": MONEY, "actual": MONEY, "error": MONEY,
        "ape": pl.Float64, "inside80": pl.Boolean, "inside95": pl.Boolean, "months": pl.Int64, "wape": pl.Float64,
        "bias": pl.Float64, "machine_wape": pl.Float64, "state": pl.String,
    },
    # Workflow x model after a close: what the next forecast starts from. Calls and money per day, tokens per call.
    "baseline_drivers": {
        "workflow": pl.String, "model": pl.String, "window_days": pl.Int64, "removed_days": pl.Int64,
        "calls_per_day": pl.Float64, "share": pl.Float64, **{f"tokens_{k}": pl.Float64 for k in TOKEN_CLASSES},
        "rate_per_million": pl.Float64, "cost_per_day": pl.Float64, "source": pl.String,
    },
    # Scope x month: one line of the pack finance signs.
    "forecast_reset": {
        "scope": pl.String, "month": pl.Date, "version": pl.Int64, "frozen_forecast": MONEY, "override": MONEY,
        "actual": MONEY, "variance": MONEY, "variance_share": pl.Float64, "inside80": pl.Boolean,
        "inside95": pl.Boolean, "months": pl.Int64, "wape": pl.Float64, "bias": pl.Float64, "override_wape": pl.Float64,
        "accuracy_state": pl.String, "forecast_kpi": pl.String, "budget": MONEY, "budget_variance": MONEY,
        "budget_kpi": pl.String, "new_baseline": pl.Float64, "new_baseline_lo80": pl.Float64,
        "new_baseline_hi80": pl.Float64, "content_hash": pl.String, "signed_by": pl.String, "signed_on": pl.Date,
        "sign_off_state": pl.String,
    },
    # Budget x period x as-of day: the day's level and the alert that is open after it.
    "budget_alerts": {
        "budget_id": pl.String, "period_start": pl.Date, "as_of": pl.Date, "level": pl.String, "open_level": pl.String,
        "previous_level": pl.String, "is_change": pl.Boolean,
    },
    # Work item x mode (`at_plan`, `in_flight`); money. `mean` adds up, `median` is the typical item. Never in sample.
    "work_item_forecasts": {
        "item": pl.String, "mode": pl.String, "mean": pl.Float64, "median": pl.Float64, **_ENDS, "actual": pl.Float64,
        "in_sample": pl.Boolean, "state": pl.String,
    },
    # Single items and random bundles of 20, measured leave-one-out; shares of cost.
    "work_item_accuracy": {
        "unit": pl.String, "items": pl.Int64, "wape": pl.Float64, "mdape": pl.Float64, "bias": pl.Float64,
        "coverage80": pl.Float64, "coverage95": pl.Float64, "state": pl.String,
    },
    # Horizon x method x peer; relative WAPE is dimensionless, below 1 is better than the peer.
    "method_comparison": {
        "horizon": pl.String, "method": pl.String, "peer": pl.String, "series": pl.Int64, "windows": pl.Int64,
        "blocks": pl.Int64, "relative_wape": pl.Float64, "lo95": pl.Float64, "hi95": pl.Float64, "seed": pl.Int64,
        "state": pl.String,
    },
    # Series x day; each of the two columns adds up over the levels.
    "forecast_changes": {
        "series_key": pl.String, "level": pl.String, "scope": pl.String, "target_date": pl.Date,
        "without_changes": pl.Float64, "with_changes": pl.Float64,
    },
}

_FREEZE = {"frozen_on": pl.Date, "basis": pl.String}

# What `forecasting.monthly` gives: the frames above as they are published. Scopes are series keys.
MONTHLY_SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    # Day of the freeze (as_of) x series x period: never changed once written. `basis` is `frozen` or `reconstructed`;
    # `freeze_day` is 1 (made from the days before the month), 10 or 20 (of the month under way).
    "frozen_outlook": {**DECISION_SCHEMAS["forecast_outlook"], **_FREEZE, "freeze_day": pl.Int64},
    # Month x side, never changed once written: `forecast`, the drivers behind the frozen one (costs of a scope add to it
    # exactly), `history`, the 28 days before the month at the freeze, `close`, the month at the first run that saw it closed.
    "frozen_cells": {"month": pl.Date, "side": pl.String, **DECISION_SCHEMAS["variance_cells"]},
    "forecast_scores": {
        **DECISION_SCHEMAS["forecast_scores"], "issued_on": pl.Date, "author": pl.String, "reason": pl.String,
        **_FREEZE, "data_cutoff": pl.Date, "method": pl.String,
    },
    # Scope x month x comparison (`forecast`, `previous month`) x effect; amounts add to `change` exactly.
    "variance_bridge": {
        "scope": pl.String, "month": pl.Date, "comparison": pl.String, "position": pl.Int64, "effect_group": pl.String,
        "effect": pl.String, "amount": MONEY, "base_cost": MONEY, "actual_cost": MONEY, "change": MONEY,
    },
    # The cells of the total that moved most against the forecast of a month.
    "variance_cells": {**_CELL, "month": pl.Date, "amount": MONEY, "rank": pl.Int64, "label": pl.String},
    "forecast_reset": DECISION_SCHEMAS["forecast_reset"],
    "baseline_drivers": DECISION_SCHEMAS["baseline_drivers"],
    "forecast_drivers": {**DECISION_SCHEMAS["drivers"], "data_cutoff": pl.Date},
    "forecast_outlook": DECISION_SCHEMAS["forecast_outlook"],
    "forecast_changes": {**DECISION_SCHEMAS["forecast_changes"], "as_of": pl.Date, "run_id": pl.String},
    "scenarios": {
        **DECISION_SCHEMAS["scenarios"], "naive_sum": pl.Float64, "product_form": pl.Float64, "combined": pl.Float64,
        "interaction_log": pl.Float64,
    },
    "scenario_lever_shares": DECISION_SCHEMAS["scenario_levers"],
    "work_item_forecasts": DECISION_SCHEMAS["work_item_forecasts"],
    "work_item_accuracy": DECISION_SCHEMAS["work_item_accuracy"],
    # Note x launch: what was told, what the model says, what came. Money of runs and months is modelled.
    "cost_notes": {
        **dict.fromkeys(("note_id", "workflow"), pl.String), "launched_on": pl.Date, "driver": pl.String, "unit": pl.String,
        "expected_unit_cost": MONEY, "actual_unit_cost": MONEY, "error": pl.Float64, "monthly_budget": MONEY,
        "fallback": pl.String, "owner_person_id": pl.String, "review_date": pl.Date, "is_due": pl.Boolean,
        **dict.fromkeys(
            ("run_p50", "run_p90", "run_p95", "run_mean", "one_call", "month_mean", "month_p80", "p_over_budget",
             "cost_per_success", "surprise"), pl.Float64,
        ),
        "state": pl.String, "reasons": pl.String,
    },
    # Every day's pacing so far, newest run of a day.
    "pacing_history": {k: v for k, v in SCHEMAS["budget_pacing"].items() if k not in ("run_id", "data_cutoff", "config_hash")},
    "budget_alerts": {
        **DECISION_SCHEMAS["budget_alerts"], "scope_type": pl.String, "scope": pl.String, "period_end": pl.Date,
        "budget": MONEY, "mtd": MONEY, "month_end": pl.Float64, "p_breach": pl.Float64, "breach_date_p50": pl.Date,
        "pace_70": pl.Boolean, "pace_80": pl.Boolean, "typical_80": pl.Boolean,
    },
    "method_comparison": DECISION_SCHEMAS["method_comparison"],
}


def empty(name: str) -> pl.DataFrame:
    """A frame of `name` with zero rows and its exact schema."""
    return pl.DataFrame(schema=SCHEMAS[name])
