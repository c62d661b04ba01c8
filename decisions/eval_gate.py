"""May a cheaper configuration replace the one in production? Quality is the constraint, cost per success the objective.

Order: data that can be compared, non-inferiority of the pass rate, the point rule, cost per successful task, critical
slices, side limits. A cheaper candidate that loses quality is rejected whatever it saves. Metadata only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from decisions.config import GateConfig
from decisions.proportions import (
    Array,
    mean_difference,
    newcombe_paired,
    newcombe_unpaired,
    paired_items,
    paired_power,
    tango,
    tango_statistic,
    unpaired_items,
    unpaired_power,
)
from decisions.schemas import EVALUATION_COLUMNS, MONEY, SCHEMAS, DecisionError, require
from decisions.statistics import holm

PROMOTE, REJECT, INCONCLUSIVE, INVALID = "PROMOTE", "REJECT", "INCONCLUSIVE", "INVALID"
PAIRED, UNPAIRED = "paired", "unpaired"
# A run of several trials has no cross-check by Newcombe: per-item means, t quantile.
PAIRED_MEANS = "paired means"


@dataclass(frozen=True)
class Quality:
    """Pass rates and the difference candidate - baseline with one-sided bounds; `check_*` from the second method."""

    difference: float
    lower: float
    upper: float
    check_lower: float | None
    check_upper: float | None

    def passes(self, margin: float) -> bool | None:
        """Non-inferior at this margin; None when the two methods disagree."""
        first = self.lower > -margin
        return first if self.check_lower is None or (self.check_lower > -margin) == first else None


def cost_per_success(cost: float, passed: float) -> float:
    """Total cost over passes (or cost per call over pass rate); infinite without a pass."""
    return cost / passed if passed > 0 else math.inf


def loaded_cost_per_success(cost: float, n: float, passed: float, rework_cost: float) -> float:
    """`(AI cost + failures x cost of reworking one) / passes`; infinite without a pass."""
    return cost_per_success(cost + (n - passed) * rework_cost, passed)


def paired_quality(a: float, b: float, c: float, d: float, z: float) -> Quality:
    """Tango's score interval, checked by Newcombe's; cells: both pass, candidate only, baseline only, neither."""
    n = a + b + c + d
    difference, lower, upper = (float(x) for x in tango(n, b, c, z))
    _, check_lower, check_upper = (float(x) for x in newcombe_paired(a, b, c, d, z))
    return Quality(difference, lower, upper, check_lower, check_upper)


def unpaired_quality(passed: float, n: float, base_passed: float, base_n: float, z: float) -> Quality:
    """Newcombe's hybrid score interval for different items."""
    difference, lower, upper = (float(x) for x in newcombe_unpaired(passed, n, base_passed, base_n, z))
    return Quality(difference, lower, upper, None, None)


def cost_ratio_bounds(
    candidate: tuple[Array, Array], baseline: tuple[Array, Array], paired: bool, draws: int, seed: int
) -> tuple[float, float, float]:
    """Ratio of costs per success and its one-sided 5 % and 95 % bootstrap bounds over items; (cost, passes) per item.

    Draws in which the candidate never passes count as infinite, those in which the baseline never does as 0.
    """
    rng = np.random.default_rng(seed)

    def resampled(cost: Array, passed: Array, times: Array | None) -> tuple[Array, Array]:
        n = len(cost)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float) if times is None else times
        totals = counts @ np.column_stack([cost, passed])
        totals[:, 1][totals[:, 1] < 1e-12] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(totals[:, 1] > 0, totals[:, 0] / totals[:, 1], np.inf), counts

    per_baseline, counts = resampled(*baseline, None)
    per_candidate, _ = resampled(*candidate, counts if paired else None)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.isinf(per_candidate), np.inf, per_candidate / per_baseline)
    ratio = np.where(np.isnan(ratio), 1.0, ratio)
    base = cost_per_success(float(baseline[0].sum()), float(baseline[1].sum()))
    ours = cost_per_success(float(candidate[0].sum()), float(candidate[1].sum()))
    point = math.inf if math.isinf(ours) else ours / base if base > 0 else math.inf if ours > 0 else 1.0
    return point, _percentile(ratio, 0.05), _percentile(ratio, 0.95)


def _percentile(values: Array, level: float) -> float:
    return float(np.sort(values)[min(math.ceil(level * len(values)) - 1, len(values) - 1)])


@dataclass(frozen=True)
class _Arm:
    """One configuration: per item (sorted by id) its slice, mean pass, cost as billed, and the trials behind it."""

    items: pl.DataFrame
    rows: pl.DataFrame


def evaluate(
    records: pl.DataFrame,
    baseline: str,
    candidate: str,
    as_of: date,
    *,
    config: GateConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """`eval_gate`: one row with the decision on `candidate` against `baseline`.

    `records`: one row per item, configuration and trial; `passed` null (error, time-out) counts as a fail with its
    cost. Optional columns: evaluated_on (date), refused, safety_failure (booleans). What cannot be compared is INVALID
    with the reason. Raises DecisionError for missing columns, a configuration without records or a negative cost.
    """
    settings = config or GateConfig()
    rows = _records(records)
    arms = {name: rows.filter(pl.col("config_id") == name) for name in (baseline, candidate)}
    for name, arm in arms.items():
        if arm.is_empty():
            raise DecisionError(f"configuration {name!r} has no evaluation records")
    pair = rows.filter(pl.col("config_id").is_in([baseline, candidate]))
    facts: dict[str, Any] = {
        "eval_set_id": "+".join(sorted(pair["eval_set_id"].unique())),
        "baseline_config": baseline,
        "candidate_config": candidate,
        "judge_version": "+".join(sorted(pair["judge_version"].fill_null("none").unique())),
        "margin": settings.margin,
        "waiver": settings.waiver and f"{settings.waiver.owner}: {settings.waiver.reason}",
    }
    wrong = _invalid(pair, baseline, candidate)
    if wrong:
        facts |= {"outcome": INVALID, "reason": "; ".join(wrong)}
    else:
        facts |= _decide(_arm(arms[baseline]), _arm(arms[candidate]), settings)
    facts |= {"as_of": as_of, "run_id": run_id, "config_hash": settings.hash()}
    schema = SCHEMAS["eval_gate"]
    return pl.DataFrame([dict.fromkeys(schema) | facts], schema=schema)


def _records(records: pl.DataFrame) -> pl.DataFrame:
    rows = require(records, EVALUATION_COLUMNS, "evaluation")
    optional = {"evaluated_on": pl.Date, "refused": pl.Boolean, "safety_failure": pl.Boolean}
    rows = rows.with_columns(pl.lit(None, t).alias(n) for n, t in optional.items() if n not in rows.columns)
    rows = rows.with_columns(
        pl.col("eval_set_id", "item_id", "config_id", "judge_version").cast(pl.String),
        pl.col("slice").cast(pl.String).fill_null(""),
        pl.col("cost_usd").cast(MONEY),
        pl.col("passed").cast(pl.Boolean),
        pl.col("latency_ms").cast(pl.Float64),
    )
    if (
        rows.select(pl.col("eval_set_id", "item_id", "config_id", "trial", "cost_usd").is_null().any()).row(0)
        != (False,) * 5
    ):
        raise DecisionError(
            "evaluation: set, item, configuration, trial and cost must not be null (an error has a cost too)"
        )
    for row in rows.filter(pl.col("cost_usd") < 0).head(1).iter_rows(named=True):
        raise DecisionError(f"evaluation of item {row['item_id']!r}: cost {row['cost_usd']} is negative")
    return rows


def _invalid(pair: pl.DataFrame, baseline: str, candidate: str) -> list[str]:
    """Why the two configurations cannot be compared."""
    wrong = []
    if pair["eval_set_id"].n_unique() > 1:
        wrong.append("different evaluation sets")
    if pair["judge_version"].n_unique() > 1:
        wrong.append("different judge versions")
    if pair.select(pl.struct("item_id", "config_id", "trial").is_duplicated().any()).item():
        wrong.append("an item has two results for one trial")
    if pair.group_by("item_id").agg(pl.col("slice").n_unique().alias("n"))["n"].max() != 1:
        wrong.append("an item is in two slices")
    spans = pair.filter(pl.col("evaluated_on").is_not_null()).group_by("config_id").agg(
        pl.col("evaluated_on").min().alias("first"), pl.col("evaluated_on").max().alias("last")
    )  # fmt: skip
    by = {r["config_id"]: r for r in spans.iter_rows(named=True)}
    if len(by) == 2 and (
        by[baseline]["first"] > by[candidate]["last"] or by[candidate]["first"] > by[baseline]["last"]
    ):
        wrong.append("different day windows")
    return wrong


def _arm(rows: pl.DataFrame) -> _Arm:
    items = (
        rows.group_by("item_id")
        .agg(
            pl.col("slice").first(),
            pl.col("passed").fill_null(False).cast(pl.Float64).mean().alias("passed"),
            # Sessions of several trials cost their mean, so that items weigh the same whatever was repeated.
            (pl.col("cost_usd").sum().cast(pl.Float64) / pl.len()).alias("cost"),
            pl.len().alias("trials"),
        )
        .sort("item_id")
    )
    return _Arm(items, rows)


def _align(base: _Arm, cand: _Arm) -> tuple[pl.DataFrame, pl.DataFrame, bool, float, float]:
    """Items to compare: (baseline, candidate, paired?, coverages). An item the candidate lacks is a fail of it.

    Items the baseline lacks say nothing about a change and are left out. No item in common: unpaired.
    """
    union = pl.concat([base.items["item_id"], cand.items["item_id"]]).n_unique()
    shared = base.items.join(cand.items, on="item_id", how="semi")
    if shared.is_empty():
        return base.items, cand.items, False, 1.0, 1.0
    full = base.items.select("item_id", "slice").join(
        cand.items.select("item_id", "passed", "cost", "trials"), on="item_id", how="left"
    )
    full = full.with_columns(pl.col("passed", "cost").fill_null(0.0), pl.col("trials").fill_null(0)).sort("item_id")
    return base.items, full, True, base.items.height / union, cand.items.height / union


def _cells(base: Array, cand: Array) -> tuple[int, int, int, int]:
    b, c = base > 0.5, cand > 0.5
    return int((b & c).sum()), int((~b & c).sum()), int((b & ~c).sum()), int((~b & ~c).sum())


def _decide(base: _Arm, cand: _Arm, config: GateConfig) -> dict[str, Any]:
    items, ours, paired, base_coverage, coverage = _align(base, cand)
    x0, x1 = items["passed"].to_numpy(), ours["passed"].to_numpy()
    c0, c1 = items["cost"].to_numpy(), ours["cost"].to_numpy()
    many = bool(max(items["trials"].max() or 1, ours["trials"].max() or 1) > 1)  # type: ignore[operator]
    n = min(len(x0), len(x1))
    facts: dict[str, Any] = {
        "items": len(x1),
        "baseline_items": len(x0),
        "trials": base.rows.height + cand.rows.height,
        "baseline_coverage": base_coverage,
        "candidate_coverage": coverage,
        "baseline_passed": float(x0.sum()),
        "candidate_passed": float(x1.sum()),
        "baseline_rate": float(x0.mean()),
        "candidate_rate": float(x1.mean()),
        "baseline_cost": base.rows["cost_usd"].sum(),
        "candidate_cost": cand.rows["cost_usd"].sum(),
    }
    if not paired:
        design = UNPAIRED
        rate = float((x0.sum() + x1.sum()) / (len(x0) + len(x1)))
        if many:
            # Means of items of two independent sets: Welch-like bound is not defined by the method, so refuse.
            return facts | {
                "design": design,
                "outcome": INVALID,
                "reason": "several trials need the same items in both runs",
            }
        quality = unpaired_quality(float(x1.sum()), len(x1), float(x0.sum()), len(x0), config.z)
        needed = unpaired_items(config.margin, rate, config.power, config.z)
        power = unpaired_power(n, config.margin, rate, config.z)
    elif many:
        design = PAIRED_MEANS
        d, low, high = mean_difference(x1 - x0, config.z) if n > 1 else (float((x1 - x0).mean()), -1.0, 1.0)
        quality = Quality(d, low, high, None, None)
        spread = float((x1 - x0).var(ddof=1)) if n > 1 else 1.0
        needed, power = (
            paired_items(config.margin, spread, config.power, config.z),
            paired_power(n, config.margin, spread, config.z),
        )
    else:
        design = PAIRED
        cells = _cells(x0, x1)
        quality = paired_quality(*cells, config.z)
        facts |= dict(zip(("both_passed", "candidate_only", "baseline_only", "neither"), cells, strict=True))
        discordant = (cells[1] + cells[2]) / n
        needed, power = (
            paired_items(config.margin, discordant, config.power, config.z),
            paired_power(n, config.margin, discordant, config.z),
        )
        # Identical outcomes still need enough items for the bound of a difference never seen.
        needed = max(needed, config.z**2 * (1 / config.margin - 1))
    if config.rework_cost is not None:
        c0, c1 = c0 + (1 - x0) * config.rework_cost, c1 + (1 - x1) * config.rework_cost
    ratio, ratio_low, ratio_high = cost_ratio_bounds((c1, x1), (c0, x0), paired, config.draws, config.seed)
    facts |= {
        "design": design,
        "rate_difference": quality.difference,
        "rate_lower": quality.lower,
        "rate_upper": quality.upper,
        "check_lower": quality.check_lower,
        "check_upper": quality.check_upper,
        "baseline_cost_per_success": _finite(cost_per_success(float(c0.sum()), float(x0.sum()))),
        "candidate_cost_per_success": _finite(cost_per_success(float(c1.sum()), float(x1.sum()))),
        "cost_ratio": _finite(ratio),
        "cost_ratio_lower": _finite(ratio_low),
        "cost_ratio_upper": _finite(ratio_high),
        "expected_saving_share": _finite(1 - ratio),
        "power": power,
        "items_needed": math.ceil(needed),
        "items_missing": max(0, math.ceil(needed) - n),
    }
    slices = _failed_slices(items, ours, paired, many, config)
    limits = _failed_limits(cand.rows, config)
    facts |= {"failed_slices": ", ".join(slices) or None, "failed_limits": ", ".join(limits) or None}
    outcome, reasons = rule(
        quality,
        config=config,
        n=n,
        coverage=min(base_coverage, coverage),
        passes=float(x1.sum()),
        point=(float(x1.mean()), float(x0.mean())),
        ratio_bounds=(ratio_low, ratio_high),
        failed_slices=slices,
        failed_limits=limits,
        items_missing=facts["items_missing"],
    )
    return facts | {"outcome": outcome, "reason": "; ".join(reasons) or None}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def rule(
    quality: Quality,
    *,
    config: GateConfig,
    n: int,
    coverage: float,
    passes: float,
    point: tuple[float, float],
    ratio_bounds: tuple[float, float],
    failed_slices: Sequence[str] = (),
    failed_limits: Sequence[str] = (),
    items_missing: int = 0,
) -> tuple[str, list[str]]:
    """The decision and its reasons, quality before cost. `point` is (candidate rate, baseline rate).

    Below `min_items` a run is reported only: never promoted, and rejected for a side limit alone.
    """
    enough = n >= config.min_items
    reject = [f"side limit {name}" for name in failed_limits]
    if enough:
        reject += [f"slice {name} lost quality" for name in failed_slices]
        if quality.upper < 0 and quality.difference <= -config.margin:
            reject.append(f"pass rate fell by {-quality.difference:.3f}, upper bound {quality.upper:+.4f} below 0")
        if passes <= 0:
            reject.append("the candidate never passed")
        elif ratio_bounds[0] >= 1:
            reject.append(f"cost per success rose, lower bound of the ratio {ratio_bounds[0]:.3f}")
    if reject:
        return REJECT, reject
    open_points = []
    if not enough:
        open_points.append(f"{n} items: below {config.min_items} nothing is promoted")
    if coverage < config.min_coverage:
        open_points.append(f"{coverage:.1%} of items have results in both runs, {config.min_coverage:.0%} needed")
    verdict = quality.passes(config.margin)
    if verdict is None:
        open_points.append("the two intervals disagree on the margin")
    elif not verdict:
        open_points.append(
            f"lower bound {quality.lower:+.4f} is not above {-config.margin:+.3f}: {items_missing} more items needed"
        )
    if config.point_rule and config.waiver is None and point[0] < point[1] - 1e-12:
        open_points.append("pass rate below the baseline and no waiver")
    if not ratio_bounds[1] < 1:
        open_points.append(f"cost per success not shown to fall, upper bound of the ratio {ratio_bounds[1]:.3f}")
    if open_points:
        return INCONCLUSIVE, open_points
    return PROMOTE, []


def _failed_slices(items: pl.DataFrame, ours: pl.DataFrame, paired: bool, many: bool, config: GateConfig) -> list[str]:
    """Critical slices whose loss beyond `margin_slice` is shown, Holm-adjusted over the slices."""
    named = [s for s in config.critical_slices if (items["slice"] == s).any() and (ours["slice"] == s).any()]
    p_values = []
    for name in named:
        x0 = items.filter(pl.col("slice") == name)["passed"].to_numpy()
        x1 = ours.filter(pl.col("slice") == name)["passed"].to_numpy()
        if paired and not many:
            _, b, c, _ = _cells(x0, x1)
            statistic = float(tango_statistic(len(x0), b, c, -config.margin_slice))
        elif paired:
            spread = float((x1 - x0).std(ddof=1)) / math.sqrt(len(x0)) if len(x0) > 1 else 1.0
            statistic = (float((x1 - x0).mean()) + config.margin_slice) / max(spread, 1e-12)
        else:
            statistic = _unpaired_statistic(x1, x0, config.margin_slice)
        p_values.append(float(norm.cdf(statistic)))
    adjusted = holm(p_values)
    return [name for name, p in zip(named, adjusted, strict=True) if p <= 0.05]


def _unpaired_statistic(x1: Array, x0: Array, margin: float) -> float:
    """z at which Newcombe's upper bound of the difference equals -margin (bisection); positive when d > -margin."""
    d = float(x1.mean() - x0.mean())
    sign = 1.0 if d > -margin else -1.0
    low, high = 0.0, 40.0
    for _ in range(60):
        z = (low + high) / 2
        _, lower, upper = (float(v) for v in newcombe_unpaired(x1.sum(), len(x1), x0.sum(), len(x0), z))
        inside = lower <= -margin <= upper
        low, high = (low, z) if inside else (z, high)
    return sign * (low + high) / 2


def _failed_limits(rows: pl.DataFrame, config: GateConfig) -> list[str]:
    failed = []
    unsafe = rows["safety_failure"].fill_null(False).sum()
    if unsafe:
        failed.append(f"safety ({unsafe} failures)")
    latency = config.limits.get("latency_p95_ms")
    if latency is not None:
        seen = rows["latency_ms"].drop_nulls().to_numpy()
        p95 = float(np.quantile(seen, 0.95, method="inverted_cdf")) if len(seen) else math.inf
        if p95 > latency:
            failed.append(f"latency p95 {p95:.0f} ms above {latency:.0f}" if len(seen) else "latency not recorded")
    refusals = config.limits.get("refusal_rate")
    if refusals is not None:
        known = rows["refused"].drop_nulls()
        share = float(known.sum()) / len(known) if len(known) else None
        if share is None or share > refusals:
            failed.append("refusals not recorded" if share is None else f"refusals {share:.1%} above {refusals:.1%}")
    return failed


def choose(decisions: Mapping[str, tuple[str, float]]) -> str | None:
    """Of candidates gated against one baseline, {name: (outcome, cost per success)}: the cheapest promoted one.

    Quality filters first, cost decides among what is left: a rejected candidate never wins by being cheap.
    """
    promoted = sorted((cost, name) for name, (outcome, cost) in decisions.items() if outcome == PROMOTE)
    return promoted[0][1] if promoted else None


def simulated_pass_rate(
    gates: int, n: int, *, rate: float, difference: float, discordant: float, config: GateConfig | None = None
) -> float:
    """Self-test: share of simulated paired runs whose pass rate is called non-inferior, both intervals agreeing.

    `rate` is the baseline's true pass rate, `difference` candidate - baseline, `discordant` the share of items on which
    they differ. At `difference = -margin` this is the type-I error, at 0 the power. Seeded by the config.
    Raises ValueError for probabilities that do not exist.
    """
    settings = config or GateConfig()
    b, c = (discordant + difference) / 2, (discordant - difference) / 2
    shares = [rate - c, b, c, 1 - rate - b]
    if min(shares) < -1e-12:
        raise ValueError(f"no paired outcomes have rate {rate}, difference {difference} and discordance {discordant}")
    rng = np.random.default_rng(settings.seed)
    both, ours, theirs, none = rng.multinomial(n, np.clip(shares, 0, 1), size=gates).T
    first = tango(np.full(gates, n), ours, theirs, settings.z)[1] > -settings.margin
    second = newcombe_paired(both, ours, theirs, none, settings.z)[1] > -settings.margin
    return float((first & second).mean())
