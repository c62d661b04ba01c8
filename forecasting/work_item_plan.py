"""Cost of a work item from what is known when it is planned, and of one under way from what it has cost so far.

At plan: ridge on ln(cost) with intercept and ln(points) free and category dummies shrunk as if 8 average items were
added. Leave-one-out residuals, predictions and jackknife+ ends come from one fit. Sources: Duan (1983), Smearing
estimate; Barber, Candes, Ramdas, Tibshirani (2021), Predictive inference with the jackknife+.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import polars as pl

from forecasting.models import Array
from forecasting.schemas import DECISION_SCHEMAS

# Known when the item is planned. Anything else (elapsed time, calls so far, final model) would leak its outcome.
PLAN_CATEGORIES = ("work_item_type", "size", "team", "repo", "workflow", "planned_model", "priority")
POINTS = "points"
PENALTY = 8.0
MIN_ITEMS = 10
MISS = (0.2, 0.05)
BUNDLE = 20
BUNDLES = 200
DRAWS = 2000
BEYOND = 1.25
_CHUNK = 512


class WorkItemError(ValueError):
    """Items no prediction can be made from; the message names the item or feature."""


@dataclass(frozen=True)
class Plan:
    """A fitted at-plan model: what predicts a new item. `residuals` are leave-one-out, in ln(cost)."""

    categories: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    has_points: bool
    design: Array
    inverse: Array
    logs: Array
    beta: Array
    residuals: Array

    @property
    def smearing(self) -> float:
        """Factor from the typical item to the expected one, `mean(exp(r))`."""
        return float(np.exp(self.residuals).mean())


def eligible(items: pl.DataFrame, tiers: Sequence[str]) -> pl.DataFrame:
    """Delivered items (not open, not cancelled) with a cost above zero and an attribution tier of `tiers`."""
    return items.filter(
        pl.col("is_delivered")
        & ~pl.col("is_cancelled")
        & pl.col("fidelity_tier").is_in(list(tiers))
        & (pl.col("cost").cast(pl.Float64) > 0)
    )


def _design(items: pl.DataFrame, categories: Sequence[str], levels: Sequence[Sequence[str]], points: bool) -> Array:
    columns = [np.ones(items.height)]
    if points:
        known = items[POINTS].cast(pl.Float64).fill_null(0.0).to_numpy()
        columns += [np.where(known > 0, np.log(np.maximum(known, 1e-9)), 0.0), (known <= 0).astype(float)]
    for name, values in zip(categories, levels, strict=True):
        told = items[name].cast(pl.String).fill_null("").to_numpy()
        columns += [(told == value).astype(float) for value in values]
    return np.stack(columns, axis=1)


def fit(items: pl.DataFrame, categories: Sequence[str] = ()) -> Plan:
    """Fit the at-plan model on delivered items: item, cost, optional `points`, and the named categories.

    Under 10 items only the overall geometric mean is fitted. Raises WorkItemError for a feature that is not known at
    planning time, a cost that is not positive, or under two items.
    """
    leaking = [name for name in categories if name not in PLAN_CATEGORIES]
    if leaking:
        raise WorkItemError(f"feature {leaking[0]!r} is not known when an item is planned")
    cost = items["cost"].cast(pl.Float64).to_numpy()
    if len(cost) < 2 or not (cost > 0).all():
        raise WorkItemError("at least two items are needed, each with a cost above zero")
    few = len(cost) < MIN_ITEMS
    used = () if few else tuple(categories)
    points = not few and POINTS in items.columns and bool((items[POINTS].cast(pl.Float64).fill_null(0.0) > 0).any())
    levels = tuple(tuple(items[name].cast(pl.String).fill_null("").unique().sort()) for name in used)
    design = _design(items, used, levels, points)
    free = 2 if points else 1
    penalty = np.concatenate([np.zeros(free), np.full(design.shape[1] - free, PENALTY)])
    # The tiny term keeps a size that never varies from making the system singular.
    system = design.T @ design + np.diag(penalty) + 1e-9 * np.eye(design.shape[1])
    inverse = np.asarray(np.linalg.inv(system), dtype=np.float64)
    logs = np.log(cost)
    beta = inverse @ (design.T @ logs)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    residuals = (logs - design @ beta) / np.maximum(1 - leverage, 1e-9)
    return Plan(used, levels, points, design, inverse, logs, beta, residuals)


def _ends(upper: Array, lower: Array, miss: float) -> tuple[Array, Array]:
    """Jackknife+ ends from (rows, n) candidates; infinite where n items are too few for the level."""
    n = upper.shape[1]
    k = ceil((1 - miss) * (n + 1) - 1e-9)
    if k > n:
        return np.full(len(upper), -np.inf), np.full(len(upper), np.inf)
    return np.partition(lower, n - k, axis=1)[:, n - k], np.partition(upper, k - 1, axis=1)[:, k - 1]


def _frame(
    items: pl.DataFrame, mode: str, typical: Array, smear: Array, ends: Sequence[Array], actual: pl.Series | None
) -> pl.DataFrame:
    rows: dict[str, object] = {
        "item": items["item"].cast(pl.String),
        "mode": [mode] * items.height,
        "median": np.exp(typical),
        "mean": np.exp(typical) * smear,
    }
    for name, end in zip(("lo80", "hi80", "lo95", "hi95"), ends, strict=True):
        rows[name] = np.where(np.isfinite(end), np.exp(np.where(np.isfinite(end), end, 0.0)), np.nan)
    frame = pl.DataFrame(rows).with_columns(pl.selectors.float().fill_nan(None))
    state = pl.when(pl.col("hi80").is_null()).then(pl.lit("unbounded: too few items")).otherwise(pl.lit("range"))
    told = frame.with_columns(actual=pl.lit(None) if actual is None else actual, in_sample=pl.lit(False), state=state)
    schema = DECISION_SCHEMAS["work_item_forecasts"]
    return told.select(pl.col(c).cast(dtype) for c, dtype in schema.items()).sort("item")


def predict(plan: Plan, items: pl.DataFrame) -> pl.DataFrame:
    """Rows of `work_item_forecasts` (mode `at_plan`) for items not yet delivered, with jackknife+ ends.

    `mean` is the figure to add up, `median` the typical item. A category value never seen counts as average.
    """
    x = _design(items, plan.categories, plan.levels, plan.has_points)
    typical = x @ plan.beta
    without = typical[:, None] - (x @ plan.inverse @ plan.design.T) * plan.residuals[None, :]
    spread = np.abs(plan.residuals)[None, :]
    ends = [end for miss in MISS for end in _ends(without + spread, without - spread, miss)]
    return _frame(items, "at_plan", typical, np.full(len(typical), plan.smearing), ends, None)


def leave_out(plan: Plan, items: pl.DataFrame) -> pl.DataFrame:
    """Rows of `work_item_forecasts` of the delivered items the plan was fitted on, each as if it had not been there.

    Exact: with items i and j both left out, residuals solve `(I - H) r = e` on the two, so no model is fitted again.
    """
    hat = plan.design @ plan.inverse @ plan.design.T
    error, own = plan.logs - plan.design @ plan.beta, 1 - np.diag(hat)
    n = len(error)
    typical = plan.logs - plan.residuals
    smear, ends = np.empty(n), [np.empty(n) for _ in range(4)]
    for first in range(0, n, _CHUNK):
        j = np.arange(first, min(first + _CHUNK, n))
        h = hat[j]
        det = np.maximum(own[None, :] * own[j, None] - h**2, 1e-12)
        of_i = (own[j, None] * error[None, :] + h * error[j, None]) / det
        of_j = (own[None, :] * error[j, None] + h * error[None, :]) / det
        keep = np.arange(n)[None, :] != j[:, None]
        of_i, of_j = of_i[keep].reshape(len(j), n - 1), of_j[keep].reshape(len(j), n - 1)
        smear[j] = np.exp(of_i).mean(axis=1)
        without = plan.logs[j, None] - of_j
        for m, miss in enumerate(MISS):
            low, high = _ends(without + np.abs(of_i), without - np.abs(of_i), miss)
            ends[2 * m][j], ends[2 * m + 1][j] = low, high
    return _frame(items, "at_plan", typical, smear, ends, items["cost"])


def scores(left_out: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Rows of `work_item_accuracy`: single items and random bundles of 20, measured leave-one-out. One row each.

    Refused under 10 items; bundles under 40. Bundles are 200 draws without replacement from a seed of their own.
    """
    actual = left_out["actual"].cast(pl.Float64).to_numpy()
    mean = left_out["mean"].to_numpy()
    n = len(actual)
    schema = DECISION_SCHEMAS["work_item_accuracy"]
    if n < MIN_ITEMS:
        state = f"insufficient data: {n} of {MIN_ITEMS} items"
        return pl.DataFrame(
            [{"unit": u, "items": n, "state": state} for u in ("item", f"bundle of {BUNDLE}")], schema=schema
        )

    def row(unit: str, told: Array, came: Array) -> dict[str, object]:
        gap = told - came
        return {
            "unit": unit,
            "items": n,
            "wape": float(np.abs(gap).sum() / came.sum()),
            "mdape": float(np.median(np.abs(gap) / came)),
            "bias": float(gap.sum() / came.sum()),
            "state": "measured",
        }

    single = row("item", mean, actual)
    for level in ("80", "95"):
        low, high = left_out[f"lo{level}"], left_out[f"hi{level}"]
        inside = (left_out["actual"].cast(pl.Float64) >= low) & (left_out["actual"].cast(pl.Float64) <= high)
        single[f"coverage{level}"] = inside.mean() if low.null_count() == 0 else None
    bundle: dict[str, object] = {
        "unit": f"bundle of {BUNDLE}",
        "items": n,
        "state": f"insufficient data: {n} of {2 * BUNDLE} items",
    }
    if n >= 2 * BUNDLE:
        rng = np.random.default_rng(seed)
        drawn = np.stack([rng.permutation(n)[:BUNDLE] for _ in range(BUNDLES)])
        bundle = row(f"bundle of {BUNDLE}", mean[drawn].sum(axis=1), actual[drawn].sum(axis=1))
    return pl.DataFrame([single, bundle], schema=schema)


def bundle(plan: Plan, items: pl.DataFrame, *, seed: int = 0, draws: int = DRAWS) -> dict[str, float]:
    """Cost of several planned items together: sum of means, and the 80 and 95 % range of resampled residuals."""
    typical = _design(items, plan.categories, plan.levels, plan.has_points) @ plan.beta
    rng = np.random.default_rng(seed)
    totals = np.exp(typical[None, :] + rng.choice(plan.residuals, (draws, len(typical)))).sum(axis=1)
    lo95, lo80, hi80, hi95 = (float(q) for q in np.quantile(totals, [0.025, 0.1, 0.9, 0.975]))
    return {
        "mean": float(np.exp(typical).sum() * plan.smearing),
        "lo80": lo80,
        "hi80": hi80,
        "lo95": lo95,
        "hi95": hi95,
    }


def in_flight(plan: Plan, items: pl.DataFrame) -> pl.DataFrame:
    """Rows of `work_item_forecasts` (mode `in_flight`) for items under way, from their `spent` so far.

    The expected final cost is the mean of `exp(l + r)` over residuals that leave more than is spent; where none does,
    1.25 times what is spent, with the state `beyond history`.
    """
    typical = _design(items, plan.categories, plan.levels, plan.has_points) @ plan.beta
    spent = items["spent"].cast(pl.Float64).fill_null(0.0).to_numpy()
    rows = []
    for name, centre, so_far in zip(items["item"].cast(pl.String), typical, spent, strict=True):
        final = np.exp(centre + plan.residuals)
        final = np.sort(final[final > so_far])
        row: dict[str, object] = {"item": name, "mode": "in_flight", "in_sample": False}
        if len(final) == 0:
            rows.append(row | {"mean": BEYOND * so_far, "state": "beyond history"})
            continue
        lo95, lo80, middle, hi80, hi95 = (float(q) for q in np.quantile(final, [0.025, 0.1, 0.5, 0.9, 0.975]))
        rows.append(
            row
            | {
                "mean": float(final.mean()),
                "median": middle,
                "lo80": lo80,
                "hi80": hi80,
                "lo95": lo95,
                "hi95": hi95,
                "state": "range",
            }
        )
    return pl.DataFrame(rows, schema=DECISION_SCHEMAS["work_item_forecasts"]).sort("item")
