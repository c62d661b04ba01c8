"""Columns and types of every frame that goes in or out. Empty results have them too.

Hours and days are UTC; a `period_end` is the first instant AFTER the period (half-open, as in FOCUS). Money is the
reporting currency, shares are 0 to 1. `as_of` is the day the question was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

MONEY = pl.Decimal(38, 14)
TOKEN_CLASSES = ("input_uncached", "cache_read", "cache_write", "output")


class DecisionError(ValueError):
    """The frames handed in cannot be decided on; the message names the row and what to do."""


# What the marts, seeds and forecasts hand over. Optional columns are named where they are read.
DEMAND_COLUMNS = ("pool", "scope", "hour", "on_demand_usd")
POOL_COLUMNS = ("pool", "provider", "model_id", "deployment", "granularity")
OFFER_COLUMNS = (
    "offer_id", "provider", "model_id", "deployment", "shape", "unit", "term_hours", "price_usd", "price_hours",
    "discount", "tokens_per_second", *(f"weight_{name}" for name in TOKEN_CLASSES), "token_direction",
    "minimum_units", "step_units", "maximum_units", "period_hours", "shortage_penalty", "price_multiplier", "rollover",
    "ramp", "is_sold", "valid_from", "valid_to",
)  # fmt: skip
TRAFFIC_COLUMNS = ("pool", "token_class", "tokens", "price_per_million")
DAY_COLUMNS = ("pool", "charge_date", "spend", "attributed_spend", "incident_spend", "is_complete", "is_priced")
EXISTING_COLUMNS = ("pool", "commitment_id", "rack_usd_per_hour", "starts_at", "ends_at")
GROWTH_COLUMNS = ("pool", "growth", "weight")
ERROR_COLUMNS = ("series", "provider", "horizon_days", "ratio")
LEVER_COLUMNS = ("pool", "lever_id", "decision", "expected_effect")
COMMITMENT_USAGE_COLUMNS = (
    "commitment_id", "period_start", "period_end", "status", "scope", "effective_cost", "on_demand_cost",
)  # fmt: skip
EVALUATION_COLUMNS = (
    "eval_set_id", "item_id", "slice", "config_id", "trial", "passed", "cost_usd", "tokens", "latency_ms",
    "judge_version",
)  # fmt: skip
PROMOTION_COLUMNS = (
    "promotion_id", "lever_set", "workflow", "baseline_config", "candidate_config", "promoted_on",
    "baseline_cost_per_success", "candidate_cost_per_call", "expected_saving_share", "margin", "owner",
)  # fmt: skip
PRODUCTION_COLUMNS = (
    "workflow", "charge_date", "session_id", "calls", "lever_calls", "outcomes", "successes", "cost",
)  # fmt: skip

_AUDIT = {"as_of": pl.Date, "run_id": pl.String, "config_hash": pl.String}
AUDIT_COLUMNS = tuple(_AUDIT)

SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "commitment_sizing": {
        "pool": pl.String, "scope": pl.String, "offer_id": pl.String, "kind": pl.String, "shape": pl.String,
        "level": pl.String, "unit": pl.String, "units": pl.Float64, "commit_usd": pl.Float64,
        "commit_period_hours": pl.Float64, "rack_usd": pl.Float64, "term_hours": pl.Float64,
        "on_demand_cost": pl.Float64, "cost": pl.Float64, "saving": pl.Float64, "saving_share": pl.Float64,
        "monthly_saving": pl.Float64, "u_star": pl.Float64, "utilisation": pl.Float64, "headroom": pl.Float64,
        "utilisation_g20": pl.Float64, "utilisation_g50": pl.Float64, "utilisation_g80": pl.Float64,
        "coverage_g20": pl.Float64, "coverage_g50": pl.Float64, "coverage_g80": pl.Float64,
        "p_loss": pl.Float64, "cvar90": pl.Float64, "forfeiture": pl.Float64, "break_even_fall": pl.Float64,
        "payback_months": pl.Float64, "no_regret_units": pl.Float64, "folds": pl.Int64, "regret": pl.Float64,
        "captured_share": pl.Float64, "worst_fold_saving": pl.Float64, "steadiness": pl.String,
        "growth_basis": pl.String, "decision": pl.String, "reason": pl.String, "override": pl.String,
        "is_advised": pl.Boolean, **_AUDIT,
    },
    "commitment_sensitivity": {
        "pool": pl.String, "offer_id": pl.String, "driver": pl.String, "change": pl.Float64, "u_star": pl.Float64,
        "headroom": pl.Float64, **_AUDIT,
    },
    "commitment_performance": {
        "commitment_id": pl.String, "period_start": pl.Datetime("us"), "period_end": pl.Datetime("us"),
        "commitment_cost": MONEY, "used_cost": MONEY, "forfeiture": MONEY, "covered_on_demand": MONEY,
        "eligible_on_demand": MONEY, "actual_cost": MONEY, "realised_saving": MONEY, "utilisation": pl.Float64,
        "coverage": pl.Float64, "effective_savings_rate": pl.Float64, "u_star": pl.Float64,
        "captured_share": pl.Float64, "state": pl.String, "alert": pl.String, **_AUDIT,
    },
    "commitment_chargeback": {
        "commitment_id": pl.String, "period_start": pl.Datetime("us"), "scope": pl.String, "line": pl.String,
        "on_demand_cost": MONEY, "cost": MONEY, **_AUDIT,
    },
    "eval_gate": {
        "eval_set_id": pl.String, "baseline_config": pl.String, "candidate_config": pl.String,
        "design": pl.String, "items": pl.Int64, "baseline_items": pl.Int64, "trials": pl.Int64,
        "judge_version": pl.String, "baseline_coverage": pl.Float64, "candidate_coverage": pl.Float64,
        "baseline_passed": pl.Float64, "candidate_passed": pl.Float64, "baseline_rate": pl.Float64,
        "candidate_rate": pl.Float64, "rate_difference": pl.Float64, "rate_lower": pl.Float64,
        "rate_upper": pl.Float64, "check_lower": pl.Float64, "check_upper": pl.Float64, "margin": pl.Float64,
        "both_passed": pl.Int64, "candidate_only": pl.Int64, "baseline_only": pl.Int64, "neither": pl.Int64,
        "baseline_cost": MONEY, "candidate_cost": MONEY, "baseline_cost_per_success": pl.Float64,
        "candidate_cost_per_success": pl.Float64, "cost_ratio": pl.Float64, "cost_ratio_lower": pl.Float64,
        "cost_ratio_upper": pl.Float64, "expected_saving_share": pl.Float64, "power": pl.Float64,
        "items_needed": pl.Int64, "items_missing": pl.Int64, "failed_slices": pl.String, "failed_limits": pl.String,
        "waiver": pl.String, "outcome": pl.String, "reason": pl.String, **_AUDIT,
    },
    "lever_impact": {
        "promotion_id": pl.String, "lever_set": pl.String, "workflow": pl.String, "promoted_on": pl.Date,
        "days_before": pl.Int64, "days_after": pl.Int64, "cost_after": MONEY, "counterfactual_cost": MONEY,
        "realised_saving": MONEY, "realised_saving_share": pl.Float64, "expected_saving_share": pl.Float64,
        "realised_over_expected": pl.Float64, "cost_per_call": pl.Float64, "cost_per_call_drift": pl.Float64,
        "baseline_cost_per_success": pl.Float64, "cost_per_success": pl.Float64, "days_above_baseline": pl.Int64,
        "success_difference": pl.Float64, "success_lower": pl.Float64, "success_upper": pl.Float64,
        "overdispersion": pl.Float64, "applied_share": pl.Float64, "state": pl.String, "reason": pl.String,
        "owner": pl.String, **_AUDIT,
    },
    "signals": {
        "rule": pl.String, "family": pl.String, "scope_type": pl.String, "scope": pl.String, "day": pl.Date,
        "value": pl.Float64, "baseline": pl.Float64, "spread": pl.Float64, "robust_z": pl.Float64,
        "ratio": pl.Float64, "excess": pl.Float64, "floor": pl.Float64, "history": pl.Int64, "state": pl.String,
        "reason": pl.String, **_AUDIT,
    },
    "incidents": {
        "incident_id": pl.String, "family": pl.String, "scope_type": pl.String, "scope": pl.String,
        "rules": pl.String, "first_day": pl.Date, "last_day": pl.Date, "detected_day": pl.Date, "severity": pl.String,
        "peak_z": pl.Float64, "excess": pl.Float64, "excess_lo80": pl.Float64, "excess_hi80": pl.Float64, "days": pl.Int64, "parent_id": pl.String, "owner": pl.String,
        "state": pl.String, "route": pl.String, "reason": pl.String, **_AUDIT,
    },
    "detection": {
        "scope": pl.String, "incidents": pl.Int64, "true_incidents": pl.Int64, "windows": pl.Int64,
        "detected": pl.Int64, "precision": pl.Float64, "recall": pl.Float64, "f1": pl.Float64,
        "median_delay_hours": pl.Float64,
    },
}  # fmt: skip


# Frames of a daily run; `detection` is measured on labelled windows.
PUBLISHED = tuple(name for name in SCHEMAS if name != "detection")


def empty(name: str) -> pl.DataFrame:
    """A frame of `name` with zero rows and its exact schema."""
    return pl.DataFrame(schema=SCHEMAS[name])


def require(frame: pl.DataFrame, columns: Sequence[str], name: str) -> pl.DataFrame:
    """The frame itself. Raises DecisionError when a column it must carry is missing."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DecisionError(f"{name} frame lacks the columns {', '.join(missing)}")
    return frame
