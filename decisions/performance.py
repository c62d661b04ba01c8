"""What a commitment did: utilisation, coverage, effective savings rate, forfeiture, realised saving; who pays what.

From FOCUS rows: `Used` rows carry the commitment's amortised cost of covered usage, `Unused` rows what was forfeited,
rows without a status are usage the commitment could have covered. Money stays DECIMAL, ratios are floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from decisions.offers import Array
from decisions.schemas import COMMITMENT_USAGE_COLUMNS, MONEY, SCHEMAS, DecisionError, require
from decisions.sizing import Curve, optimal_level

USED, UNUSED = "Used", "Unused"
# Utilisation this far above U* is safe; coverage above this leaves room to commit more.
UTILISATION_ROOM = 0.05
FULL_COVERAGE = 0.98
EXPIRY_DAYS = 30


@dataclass(frozen=True)
class Outcome:
    """Realised arithmetic of K over hours of demand, USD at `p` per unit; ratios are None with nothing to divide."""

    utilisation: float | None
    coverage: float | None
    effective_savings_rate: float | None
    forfeiture: float
    cost: float
    realised_saving: float
    captured: float | None


def outcome(demand: ArrayLike, level: float, c: float, p: float = 1.0) -> Outcome:
    """Section 6 of the method for an hourly commitment: what K did, and its saving against the best K in hindsight."""
    curve = Curve.of(demand)
    covered, paid = float(curve.covered(level)), level * curve.hours
    cost, on_demand = float(curve.cost(level, c, p)), p * curve.total
    best = on_demand - float(curve.cost(optimal_level(curve, c, p), c, p))
    return Outcome(
        utilisation=covered / paid if paid > 0 else None,
        coverage=covered / curve.total if curve.total > 0 else None,
        effective_savings_rate=1 - cost / on_demand if on_demand > 0 else None,
        forfeiture=c * (paid - covered),
        cost=cost,
        realised_saving=on_demand - cost,
        captured=(on_demand - cost) / best if best > 0 else None,
    )


def chargeback_hours(demand: ArrayLike, level: float, c: float, p: float = 1.0) -> tuple[Array, float]:
    """(cost per scope, forfeiture): in each hour the covered usage is shared pro rata to usage at on-demand value.

    `demand` is (scopes, hours). Scopes pay c for what is covered and p for the rest; the forfeiture stays with the
    commitment's owner, so both add to the actual cost.
    """
    d = np.asarray(demand, dtype=float)
    whole = d.sum(axis=0)
    share = np.divide(np.minimum(whole, level), whole, out=np.zeros_like(whole), where=whole > 0)
    cost = (d * (c * share + p * (1 - share))).sum(axis=1)
    return cost, float(c * np.maximum(level - whole, 0.0).sum())


def _usage(usage: pl.DataFrame) -> pl.DataFrame:
    rows = require(usage, COMMITMENT_USAGE_COLUMNS, "commitment usage").with_columns(
        pl.col("effective_cost", "on_demand_cost").cast(MONEY),
        pl.col("period_start", "period_end").cast(pl.Datetime("us")),
        pl.col("scope").cast(pl.String).fill_null(""),
        pl.col("status").cast(pl.String),
    )
    bad = rows.filter(pl.col("status").is_not_null() & ~pl.col("status").is_in([USED, UNUSED]))
    for row in bad.head(1).iter_rows(named=True):
        raise DecisionError(f"commitment {row['commitment_id']!r}: status {row['status']!r} is neither Used nor Unused")
    wrong = rows.filter(
        pl.any_horizontal(pl.col("commitment_id", "period_start", "effective_cost", "on_demand_cost").is_null())
    )
    for row in wrong.head(1).iter_rows(named=True):
        raise DecisionError(f"commitment {row['commitment_id']!r}: a row lacks its id, period or amounts")
    return rows


def performance(
    usage: pl.DataFrame,
    as_of: date,
    *,
    commitments: pl.DataFrame | None = None,
    run_id: str = "",
    config_hash: str = "",
) -> pl.DataFrame:
    """`commitment_performance`: one row per commitment and period.

    `usage`: commitment_id, period_start, period_end, status (`Used`, `Unused`, null: eligible but not covered), scope,
    effective_cost (amortised), on_demand_cost (the same usage at on-demand price). `commitments`, optional:
    commitment_id, u_star, ends_at, best_saving (hindsight). Alerts: `below_break_even` when the utilisation of
    the last 7 days is under U* + 5 points, `room_to_add` above 98 % coverage, `expires_soon` within 30 days.
    """
    rows = _usage(usage)
    used, unused = pl.col("status") == USED, pl.col("status") == UNUSED
    zero = pl.lit(0).cast(MONEY)

    def sum_of(column: str, where: pl.Expr) -> pl.Expr:
        return pl.when(where.fill_null(False)).then(pl.col(column)).otherwise(zero).sum()

    table = rows.group_by("commitment_id", "period_start", "period_end").agg(
        sum_of("effective_cost", used).alias("used_cost"),
        sum_of("effective_cost", unused).alias("forfeiture"),
        sum_of("on_demand_cost", used).alias("covered_on_demand"),
        # What is unused is no usage: it has no on-demand equivalent.
        sum_of("on_demand_cost", ~unused.fill_null(False)).alias("eligible_on_demand"),
        pl.col("effective_cost").sum().alias("actual_cost"),
    )
    table = table.with_columns(
        (pl.col("used_cost") + pl.col("forfeiture")).alias("commitment_cost"),
        (pl.col("eligible_on_demand") - pl.col("actual_cost")).alias("realised_saving"),
    )
    facts: dict[str, Any] = {"u_star": pl.Float64, "ends_at": pl.Datetime("us"), "best_saving": pl.Float64}
    known = commitments if commitments is not None else pl.DataFrame(schema={"commitment_id": pl.String})
    known = known.with_columns(pl.lit(None, t).alias(n) for n, t in facts.items() if n not in known.columns)
    known = known.select("commitment_id", *(pl.col(n).cast(t) for n, t in facts.items()))
    if known["commitment_id"].is_duplicated().any():
        raise DecisionError("commitments: one row per commitment_id")

    def ratio(part: str, whole: str) -> pl.Expr:
        bottom = pl.col(whole).cast(pl.Float64)
        return pl.when(bottom > 0).then(pl.col(part).cast(pl.Float64) / bottom)

    table = table.join(known, on="commitment_id", how="left").with_columns(
        ratio("used_cost", "commitment_cost").alias("utilisation"),
        ratio("covered_on_demand", "eligible_on_demand").alias("coverage"),
        ratio("realised_saving", "eligible_on_demand").alias("effective_savings_rate"),
        pl.when(pl.col("best_saving") > 0)
        .then(pl.col("realised_saving").cast(pl.Float64) / pl.col("best_saving"))
        .alias("captured_share"),
    )
    week = (
        table.sort("period_start")
        .rolling("period_start", period="7d", group_by="commitment_id")
        .agg(
            (pl.col("used_cost").cast(pl.Float64).sum() / pl.col("commitment_cost").cast(pl.Float64).sum()).alias(
                "week"
            )
        )
    )
    table = table.join(week.unique(["commitment_id", "period_start"]), on=["commitment_id", "period_start"], how="left")
    alerts = pl.concat_list(
        pl.when(pl.col("week") < pl.col("u_star") + UTILISATION_ROOM).then(pl.lit("below_break_even")),
        pl.when(pl.col("coverage") > FULL_COVERAGE).then(pl.lit("room_to_add")),
        pl.when(pl.col("ends_at").is_between(pl.lit(as_of), pl.lit(as_of + timedelta(days=EXPIRY_DAYS)))).then(
            pl.lit("expires_soon")
        ),
    ).list.drop_nulls()
    result = pl.when(pl.col("realised_saving") < zero).then(pl.lit("loss")).otherwise(pl.lit("saving"))
    state = pl.when(pl.col("commitment_cost") <= zero).then(pl.lit("not_in_force")).otherwise(result)
    return (
        table.with_columns(
            alerts.list.join(", ").alias("alert"),
            state.alias("state"),
            pl.lit(as_of).alias("as_of"),
            pl.lit(run_id).alias("run_id"),
            pl.lit(config_hash).alias("config_hash"),
        )
        .with_columns(pl.when(pl.col("alert") != "").then(pl.col("alert")).alias("alert"))
        .select(SCHEMAS["commitment_performance"].keys())
        .cast(SCHEMAS["commitment_performance"])  # type: ignore[arg-type]
        .sort("commitment_id", "period_start")
    )


def chargeback(usage: pl.DataFrame, as_of: date, *, run_id: str = "", config_hash: str = "") -> pl.DataFrame:
    """`commitment_chargeback`: per commitment and period each scope's cost, and the forfeiture on a line of its own.

    The commitment's cost of covered usage is shared pro rata to usage at on-demand value over everyone eligible in that
    period (hour), on-demand cost likewise, so nobody wins by being matched first. The lines of a period add to its
    actual cost exactly; the rounding remainder goes to the largest user (ties: first by name).
    """
    rows = _usage(usage)
    key = ["commitment_id", "period_start"]
    unused = (pl.col("status") == UNUSED).fill_null(False)
    forfeited = (
        rows.filter(unused)
        .group_by(key)
        .agg(pl.col("effective_cost").sum().alias("cost"))
        .with_columns(
            pl.lit("").alias("scope"), pl.lit("forfeiture").alias("line"), pl.lit(0).cast(MONEY).alias("on_demand_cost")
        )
    )
    parts = rows.filter(~unused).group_by(*key, "scope").agg(pl.col("on_demand_cost", "effective_cost").sum())
    parts = parts.sort(*key, "on_demand_cost", "scope", descending=[False, False, True, False])
    amount, whole = pl.col("effective_cost").sum().over(key), pl.col("on_demand_cost").sum().over(key)
    weight = pl.col("on_demand_cost").cast(pl.Float64) / whole.cast(pl.Float64)
    first = pl.int_range(pl.len()).over(key) == 0
    # Usage without a value has no weight: the first by name pays what there is.
    share = pl.when(whole > pl.lit(0).cast(MONEY)).then(amount.cast(pl.Float64) * weight).otherwise(0.0)
    parts = parts.with_columns(
        amount.alias("amount"), share.round(9).cast(MONEY).alias("rounded"), first.alias("first")
    )
    others = pl.when(pl.col("first")).then(pl.lit(0).cast(MONEY)).otherwise(pl.col("rounded"))
    parts = parts.with_columns(others.alias("others"))
    parts = parts.with_columns(
        pl.when(pl.col("first"))
        .then(pl.col("amount") - pl.col("others").sum().over(key))
        .otherwise(pl.col("others"))
        .alias("cost"),
        pl.lit("usage").alias("line"),
    )
    columns = [*key, "scope", "line", "on_demand_cost", "cost"]
    return (
        pl.concat([parts.select(columns), forfeited.select(columns)])
        .with_columns(
            pl.lit(as_of).alias("as_of"), pl.lit(run_id).alias("run_id"), pl.lit(config_hash).alias("config_hash")
        )
        .cast(SCHEMAS["commitment_chargeback"])  # type: ignore[arg-type]
        .sort("commitment_id", "period_start", "line", "scope")
    )
