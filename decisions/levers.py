"""Cost levers: what several do together, and whether a promoted one keeps its promise.

Percent savings are never added. A promoted change is watched against what its evaluation said: applied or not, cost per
call, success, cost per successful task, and the saving against the old drivers on the new demand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from decisions.proportions import Z95, newcombe_unpaired
from decisions.schemas import MONEY, PRODUCTION_COLUMNS, PROMOTION_COLUMNS, SCHEMAS, DecisionError, require

BEFORE_DAYS, WATCH_DAYS, ROLL_BACK_DAYS = 28, 14, 7
DRIFT, APPLIED = 0.20, 0.90
_EXACT = Context(prec=60)
_CENT = Decimal(1).scaleb(-14)


def naive_sum(savings: Iterable[float]) -> float:
    """What adding percent savings would claim; shown only to say that it is wrong."""
    return float(sum(savings))


def product_form(savings: Iterable[float]) -> float:
    """Saving of levers that act one after the other on what the others left: `1 - prod (1 - s)`."""
    return 1.0 - math.prod(1.0 - s for s in savings)


def interaction(savings: Sequence[float], cost_before: float, cost_after: float) -> float:
    """ln of measured over product-form remaining cost: above 0 the levers overlap, below 0 they help one another.

    Raises ValueError when a cost or what a lever leaves is not positive.
    """
    left = 1.0 - product_form(savings)
    if cost_before <= 0 or cost_after <= 0 or left <= 0:
        raise ValueError("interaction needs positive costs and levers that leave something")
    return math.log((cost_after / cost_before) / left)


def shapley(measured: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Saving of each lever from the measured saving of every subset (the empty set saves 0); adds to the full set's.

    Raises ValueError when a subset was not measured.
    """
    levers = sorted(frozenset().union(*measured))
    worth = {frozenset[str](): 0.0, **measured}
    missing = [s for k in range(1, len(levers) + 1) for s in combinations(levers, k) if frozenset(s) not in worth]
    if missing:
        raise ValueError(f"not measured: {', '.join('+'.join(s) for s in missing)}")
    out = {}
    for lever in levers:
        others = [x for x in levers if x != lever]
        out[lever] = sum(
            math.factorial(k) * math.factorial(len(others) - k) / math.factorial(len(levers))
            * (worth[frozenset((*s, lever))] - worth[frozenset(s)])
            for k in range(len(others) + 1) for s in combinations(others, k)
        )  # fmt: skip
    return out


def to_run(levers: Sequence[str]) -> list[tuple[str, ...]]:
    """Configurations to evaluate: every subset up to three levers, else singles, leave-one-outs and the full set."""
    names = sorted(levers)
    if len(names) <= 3:
        return [s for k in range(1, len(names) + 1) for s in combinations(names, k)]
    return [*((n,) for n in names), *combinations(names, len(names) - 1), tuple(names)]


def overdispersion(successes: Sequence[float], outcomes: Sequence[float]) -> float:
    """phi of a rate over sessions: Pearson chi-square per degree of freedom, at least 1."""
    x, n = np.asarray(successes, dtype=float), np.asarray(outcomes, dtype=float)
    x, n = x[n > 0], n[n > 0]
    if len(n) < 2:
        return 1.0
    p = x.sum() / n.sum()
    if not 0 < p < 1:
        return 1.0
    return max(1.0, float(((x - n * p) ** 2 / (n * p * (1 - p))).sum() / (len(n) - 1)))


def impact(
    promotions: pl.DataFrame, production: pl.DataFrame, as_of: date, *, run_id: str = "", config_hash: str = ""
) -> pl.DataFrame:
    """`lever_impact`: one row per promoted change; the 28 days before against up to 14 days from the promotion on.

    `production`: per workflow, day and session its calls, calls that carry the lever's mark, outcomes, successes, cost.
    Measured saving = cost per outcome before (per call where no outcomes are recorded) x demand after - actual cost.
    Days from `as_of` on are not looked at. Raises DecisionError for missing columns or a promotion listed twice.
    """
    numbers = ["baseline_cost_per_success", "candidate_cost_per_call", "expected_saving_share", "margin"]
    promotions = require(promotions, PROMOTION_COLUMNS, "promotions").with_columns(pl.col(numbers).cast(pl.Float64))
    rows = require(production, PRODUCTION_COLUMNS, "production").with_columns(pl.col("cost").cast(MONEY))
    for name in promotions.filter(pl.col("promotion_id").is_duplicated())["promotion_id"].head(1):
        raise DecisionError(f"promotion {name!r} is listed twice: the record is immutable")
    audit = {"as_of": as_of, "run_id": run_id, "config_hash": config_hash}
    schema = SCHEMAS["lever_impact"]
    found = [
        dict.fromkeys(schema) | _impact(p, rows.filter(pl.col("workflow") == p["workflow"]), as_of) | audit
        for p in promotions.sort("promotion_id").iter_rows(named=True)
    ]
    return pl.DataFrame(found, schema=schema)


def _impact(p: Mapping[str, Any], rows: pl.DataFrame, as_of: date) -> dict[str, Any]:
    start: date = p["promoted_on"]
    day = pl.col("charge_date")
    before = rows.filter((day >= start - timedelta(days=BEFORE_DAYS)) & (day < start))
    after = rows.filter((day >= start) & (day < min(as_of, start + timedelta(days=WATCH_DAYS))))
    out: dict[str, Any] = {
        "promotion_id": p["promotion_id"], "lever_set": p["lever_set"], "workflow": p["workflow"],
        "promoted_on": start, "owner": p["owner"], "expected_saving_share": p["expected_saving_share"],
        "baseline_cost_per_success": p["baseline_cost_per_success"],
        "days_before": before["charge_date"].n_unique(), "days_after": after["charge_date"].n_unique(),
    }  # fmt: skip
    calls = float(after["calls"].sum())
    if calls <= 0 or not float(before["calls"].sum()) > 0:
        return out | {"state": "not_measured", "reason": "no calls before or after the promotion"}
    demand = "outcomes" if before["outcomes"].sum() > 0 and after["outcomes"].sum() > 0 else "calls"
    actual, old_cost = (Decimal(str(side["cost"].sum())) for side in (after, before))
    ratio = _EXACT.divide(Decimal(int(after[demand].sum())), Decimal(int(before[demand].sum())))
    counterfactual = _EXACT.multiply(old_cost, ratio).quantize(_CENT, ROUND_HALF_EVEN, _EXACT)
    saving = counterfactual - actual
    share = float(saving / counterfactual) if counterfactual > 0 else None
    expected = p["expected_saving_share"]
    per_call = float(actual) / calls
    out |= {
        "cost_after": actual, "counterfactual_cost": counterfactual, "realised_saving": saving,
        "realised_saving_share": share,
        "realised_over_expected": share / expected if share is not None and expected else None,
        "cost_per_call": per_call, "applied_share": float(after["lever_calls"].sum()) / calls,
    }  # fmt: skip
    evaluated = p["candidate_cost_per_call"]
    drift = per_call / evaluated - 1 if evaluated else None
    out["cost_per_call_drift"] = drift
    out |= _success(before, after)
    out |= _cost_per_success(after, p["baseline_cost_per_success"])
    return out | _state(out, p)


def _success(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Any]:
    """Success rate after against before, unpaired; counts are divided by the overdispersion of sessions."""
    n0, n1 = float(before["outcomes"].sum()), float(after["outcomes"].sum())
    if n0 <= 0 or n1 <= 0:
        return {}
    sessions = pl.concat([before, after]).group_by("session_id").agg(pl.col("successes", "outcomes").sum())
    phi = overdispersion(sessions["successes"].to_list(), sessions["outcomes"].to_list())
    x0, x1 = float(before["successes"].sum()), float(after["successes"].sum())
    d, low, high = (float(v) for v in newcombe_unpaired(x1 / phi, n1 / phi, x0 / phi, n0 / phi, Z95))
    return {"success_difference": d, "success_lower": low, "success_upper": high, "overdispersion": phi}


def _cost_per_success(after: pl.DataFrame, baseline: float | None) -> dict[str, Any]:
    """Cost per success after, and for how many days up to the last it has been above the baseline."""
    daily = (
        after.group_by("charge_date")
        .agg(pl.col("cost").sum().cast(pl.Float64), pl.col("successes").sum())
        .sort("charge_date")
    )
    passed = float(after["successes"].sum())
    above = 0
    if baseline is not None and passed > 0:
        for row in reversed(list(daily.iter_rows(named=True))):
            if row["cost"] <= baseline * row["successes"]:
                break
            above += 1
    return {
        "cost_per_success": float(after["cost"].sum()) / passed if passed > 0 else None,
        "days_above_baseline": above,
    }


def _state(out: Mapping[str, Any], p: Mapping[str, Any]) -> dict[str, Any]:
    drift, ratio = out["cost_per_call_drift"], out["realised_over_expected"]
    if out["applied_share"] < APPLIED:
        return {"state": "not_applied", "reason": f"{out['applied_share']:.0%} of calls carry the lever"}
    upper = out.get("success_upper")
    if upper is not None and upper < -p["margin"] / 2:
        return {"state": "roll_back", "reason": f"success fell: upper bound {upper:+.4f} below {-p['margin'] / 2:+.4f}"}
    if out["days_above_baseline"] >= ROLL_BACK_DAYS:
        return {
            "state": "roll_back",
            "reason": f"cost per success above the baseline for {out['days_above_baseline']} days",
        }
    if drift is not None and abs(drift) > DRIFT:
        return {"state": "re_gate", "reason": f"cost per call {drift:+.0%} against the evaluation"}
    if ratio is not None and ratio < 1 - DRIFT:
        return {"state": "below_expectation", "reason": f"{ratio:.0%} of the expected saving"}
    return {"state": "as_expected", "reason": None}
