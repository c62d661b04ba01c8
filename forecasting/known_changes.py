"""Known changes: dated facts (launch, migration, price, routing, roll-out) a forecast is told, not left to learn.

A change moves one driver from `start` on, in equal steps over `ramp_days`. History before and after it is put on equal
terms when a level is estimated, so the estimator is not diluted; the future carries the ramp. A change below 0.5
confidence appears in scenarios only. A back-test sees a change from the day it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from forecasting.config import ForecastConfig
from forecasting.hierarchy import OTHER, TOTAL
from forecasting.models import LEVEL_DAYS, Array
from forecasting.run import ForecastResult, forecast
from forecasting.scenarios import Drivers, Lever, ScenarioError, check, evaluate
from forecasting.schemas import DECISION_SCHEMAS, TOKEN_CLASSES

KINDS = ("launch", "migration", "price", "routing", "rollout", "retirement", "other")
MIN_CONFIDENCE = 0.5
_GONE = 1e-6


class KnownChangeError(ValueError):
    """A known change cannot be applied; the message names it and the field."""


def validate(changes: pl.DataFrame) -> pl.DataFrame:
    """Rows of `known_changes`, sorted by id. Raises KnownChangeError naming the change."""
    schema = DECISION_SCHEMAS["known_changes"]
    missing = [name for name in schema if name not in changes.columns]
    if missing:
        raise KnownChangeError(f"known changes lack the columns {', '.join(missing)}")
    rows = changes.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort("change_id")
    for row in rows.iter_rows(named=True):
        who = f"known change {row['change_id']!r}"
        needed = ("change_id", "driver", "value", "start", "confidence", "recorded_on", "owner")
        empty = [name for name in needed if row[name] is None or row[name] == ""]
        if empty:
            raise KnownChangeError(f"{who}: {empty[0]} is needed")
        if row["kind"] not in KINDS:
            raise KnownChangeError(f"{who}: kind {row['kind']!r} is none of {', '.join(KINDS)}")
        if not 0 <= row["confidence"] <= 1:
            raise KnownChangeError(f"{who}: confidence {row['confidence']} is not between 0 and 1")
        lever(row)
    for key in rows.filter(pl.col("change_id").is_duplicated())["change_id"].head(1):
        raise KnownChangeError(f"known change {key!r}: two rows")
    return rows


def lever(row: Mapping[str, object]) -> Lever:
    """The change as a lever with its start and ramp. Raises KnownChangeError for one that means nothing."""

    def text(name: str) -> str | None:
        return str(row[name]) if row[name] else None

    start = row["start"]
    assert isinstance(start, date)
    try:
        return Lever(
            lever_id=str(row["change_id"]),
            driver=str(row["driver"]),
            value=float(str(row["value"])),
            mode=text("mode") or "multiplier",
            workflow=text("workflow"),
            model=text("model"),
            token_class=text("token_class"),
            start=start,
            ramp_days=int(str(row["ramp_days"] or 0)),
        )
    except ScenarioError as error:
        raise KnownChangeError(str(error)) from error


def known_on(changes: pl.DataFrame, as_of: date, *, unsure: bool = False) -> pl.DataFrame:
    """Changes recorded by `as_of` that a forecast may use; with `unsure` those for scenarios only, too."""
    recorded = validate(changes).filter(pl.col("recorded_on") <= as_of)
    return recorded if unsure else recorded.filter(pl.col("confidence") >= MIN_CONFIDENCE)


def as_levers(changes: pl.DataFrame, scenario_id: str) -> pl.DataFrame:
    """Known changes as rows of `levers` of one scenario, to compose with what-if levers."""
    rows = validate(changes).with_columns(scenario_id=pl.lit(scenario_id), lever_id=pl.col("change_id"))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in DECISION_SCHEMAS["levers"].items())


@dataclass(frozen=True)
class Factors:
    """What the changes multiply cost, calls and tokens of a workflow with, by day; 1 on days before any of them."""

    cost: Array
    calls: Array
    tokens: Array


def factors(drivers: pl.DataFrame, changes: pl.DataFrame, days: Sequence[date]) -> dict[str, Factors]:
    """Factors of every workflow the changes touch, from the driver tree with and without them.

    `drivers` are those of the days before the first of the changes. A workflow that cost nothing then has no factor
    that could scale it and is left out: it needs a cost model of its own. Raises KnownChangeError.
    """
    tree, levers = Drivers.from_frame(drivers), [lever(row) for row in validate(changes).iter_rows(named=True)]
    if not levers or not len(days):
        return {}
    try:
        check(levers)
        before, after = evaluate(tree, [], days), evaluate(tree, levers, days)
    except ScenarioError as error:
        raise KnownChangeError(str(error)) from error
    out = {}
    for workflow in dict.fromkeys(tree.workflow):
        inside = np.asarray([w == workflow for w in tree.workflow])

        def ratio(new: Array, old: Array, rows: np.ndarray = inside) -> Array:
            below = old[rows].sum(axis=0)
            return np.where(below > 0, new[rows].sum(axis=0) / np.where(below > 0, below, 1.0), 1.0)

        found = Factors(
            ratio(after.cost, before.cost), ratio(after.calls, before.calls), ratio(after.tokens, before.tokens)
        )
        if before.cost[inside].sum() > 0 and any((m != 1).any() for m in (found.cost, found.calls, found.tokens)):
            out[workflow] = found
    return out


def restate(series: pl.DataFrame, found: Mapping[str, Factors], days: Sequence[date]) -> pl.DataFrame:
    """Workflow and total rows of the series on the terms from before the changes: each day divided by its factor.

    A day on which the change leaves nothing (a retirement) says nothing about those terms: it becomes unknown. The
    total moves by what its workflows move. Levels between are left out, as their members are not in the series.
    """
    table = pl.concat(
        [
            pl.DataFrame(
                {
                    "scope": [workflow] * len(days),
                    "charge_date": list(days),
                    "f_cost": f.cost,
                    "f_calls": f.calls,
                    **{f"f_{k}": f.tokens[:, i] for i, k in enumerate(TOKEN_CLASSES)},
                },
                schema={
                    "scope": pl.String,
                    "charge_date": pl.Date,
                    "f_cost": pl.Float64,
                    "f_calls": pl.Float64,
                    **{f"f_{k}": pl.Float64 for k in TOKEN_CLASSES},
                },
            )
            for workflow, f in sorted(found.items())
        ]
    )
    measures = {"cost": "f_cost", "calls": "f_calls", **{f"tokens_{k}": f"f_{k}" for k in TOKEN_CLASSES}}
    typed = series.with_columns(
        pl.col("scope").cast(pl.String).fill_null(""),
        pl.col("charge_date").cast(pl.Date),
        pl.col(list(measures)).cast(pl.Float64),
    )
    # Sums of floats depend on their order, so there is one.
    flow = (
        typed.filter(pl.col("level") == "workflow")
        .join(table, on=["scope", "charge_date"], how="left")
        .sort("scope", "charge_date")
    )
    gone = pl.col("f_cost").fill_null(1.0) < _GONE
    restated = flow.with_columns(
        pl.when(gone)
        .then(None)
        .otherwise(pl.col(name) / pl.when(pl.col(f) >= _GONE).then(pl.col(f)).otherwise(1.0).fill_null(1.0))
        .alias(name)
        for name, f in measures.items()
    )
    moved = (
        flow.select("charge_date", *(pl.col(m).fill_null(0.0) for m in measures))
        .with_columns(restated.select(pl.col(m).fill_null(0.0).alias(f"new_{m}") for m in measures))
        .group_by("charge_date", maintain_order=True)
        .agg(((pl.col(f"new_{m}") - pl.col(m)).sum()).alias(f"by_{m}") for m in measures)
    )
    whole = (
        typed.filter(pl.col("level") == TOTAL)
        .join(moved, on="charge_date", how="left")
        .with_columns((pl.col(m) + pl.col(f"by_{m}").fill_null(0.0)).clip(lower_bound=0.0).alias(m) for m in measures)
        .sort("charge_date")
    )
    return pl.concat([restated.select(typed.columns), whole.select(typed.columns)])


def forecast_with_changes(
    series: pl.DataFrame,
    as_of: date,
    changes: pl.DataFrame,
    drivers: pl.DataFrame,
    *,
    parents: Mapping[str, Mapping[str, str]] | None = None,
    config: ForecastConfig | None = None,
    run_id: str,
) -> tuple[ForecastResult, pl.DataFrame]:
    """The forecast as published (without the changes) and `forecast_changes`: daily, with and without them.

    With them: history restated, forecast by the same methods, and multiplied by the factors of the target days. Rows of
    `parents` (level -> workflow -> scope, for teams or providers) move by what their workflows move; without it only
    workflows and the total are returned. Each column adds up over the levels. Raises as `forecast` and `factors` do.
    """
    config = config or ForecastConfig()
    no_budgets = pl.DataFrame(
        schema={
            "budget_id": pl.String,
            "scope_type": pl.String,
            "scope": pl.String,
            "period_start": pl.Date,
            "period_end": pl.Date,
            "amount_usd": pl.String,
        }
    )
    plain = forecast(series, as_of, no_budgets, config=config, run_id=run_id)
    keys = ["series_key", "level", "scope", "target_date"]
    without = plain.forecast_daily.select(*keys, pl.col("point").alias("without_changes"))
    used = known_on(changes, as_of)
    wanted = [TOTAL, "workflow", *(parents or {})]
    if used.is_empty() or without.is_empty():
        same = without.filter(pl.col("level").is_in(wanted)).with_columns(with_changes=pl.col("without_changes"))
        return plain, _typed(same)
    first = series["charge_date"].cast(pl.Date).min()
    last = without["target_date"].max()
    assert isinstance(first, date) and isinstance(last, date)
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    found = factors(drivers, used, days)
    if not found:
        return plain, _typed(
            without.filter(pl.col("level").is_in(wanted)).with_columns(with_changes=pl.col("without_changes"))
        )
    changed = forecast(restate(series, found, days), as_of, no_budgets, config=config, run_id=run_id)
    points = changed.forecast_daily.filter(pl.col("level") == "workflow")
    targets = points["target_date"].unique().sort().to_list()
    ahead = target_factors(points["scope"].unique().to_list(), targets, series, found, days)
    table = pl.concat(
        [
            pl.DataFrame(schema={"scope": pl.String, "target_date": pl.Date, "factor": pl.Float64}),
            *(
                pl.DataFrame({"scope": scope, "target_date": targets, "factor": f})
                for scope, f in sorted(ahead.items())
            ),
        ]
    )
    points = points.join(table, on=["scope", "target_date"], how="left").select(
        *keys, (pl.col("point") * pl.col("factor").fill_null(1.0)).alias("with_changes")
    )
    flow = without.filter(pl.col("level") == "workflow").join(points, on=keys, how="full", coalesce=True)
    moved = flow.sort("scope", "target_date").with_columns(
        by=pl.col("with_changes").fill_null(0.0) - pl.col("without_changes").fill_null(0.0)
    )
    parts = [flow]
    for level, member in {TOTAL: None, **(parents or {})}.items():
        rows = without.filter(pl.col("level") == level)
        if member is None:
            total = moved.group_by("target_date", maintain_order=True).agg(pl.col("by").sum())
            joined = rows.join(total, on="target_date", how="left")
        else:
            lost = sorted(set(found) - set(member))
            if lost:
                raise KnownChangeError(f"workflow {lost[0]!r} has no {level}, so the {level}s would not add up")
            named = moved.with_columns(pl.col("scope").replace_strict(dict(member), default=OTHER).alias("scope"))
            here = rows["scope"].unique().to_list()
            named = named.with_columns(
                pl.when(pl.col("scope").is_in(here)).then("scope").otherwise(pl.lit(OTHER)).alias("scope")
            )
            grouped = named.group_by("scope", "target_date", maintain_order=True).agg(pl.col("by").sum())
            key = f"{level}:{OTHER}"
            extra = (
                grouped.join(rows, on=["scope", "target_date"], how="anti")
                .filter(pl.col("by") != 0)
                .select(
                    pl.lit(key).alias("series_key"),
                    pl.lit(level).alias("level"),
                    "scope",
                    "target_date",
                    pl.lit(0.0).alias("without_changes"),
                )
            )
            joined = pl.concat([rows, extra]).join(grouped, on=["scope", "target_date"], how="left")
        parts.append(
            joined.select(
                *keys, "without_changes", with_changes=pl.col("without_changes") + pl.col("by").fill_null(0.0)
            )
        )
    return plain, _typed(pl.concat([part.select(*keys, "without_changes", "with_changes") for part in parts]))


def target_factors(
    shown: Sequence[str],
    targets: Sequence[date],
    series: pl.DataFrame,
    found: Mapping[str, Factors],
    days: Sequence[date],
) -> dict[str, Array]:
    """Cost factor of published workflows on the target days; `other` takes its members' by their last 28 days' cost."""
    index = [days.index(day) for day in targets]
    out = {scope: f.cost[index] for scope, f in found.items() if scope in shown}
    hidden = sorted(set(found) - set(shown))
    if hidden and OTHER in shown:
        cutoff = targets[0] - timedelta(days=1)
        recent = restate(series, found, days).filter(
            (pl.col("charge_date") <= cutoff) & (pl.col("charge_date") > cutoff - timedelta(days=LEVEL_DAYS))
        )
        level = dict(
            recent.filter(pl.col("level") == "workflow")
            .group_by("scope", maintain_order=True)
            .agg(pl.col("cost").sum())
            .iter_rows()
        )
        total = recent.filter(pl.col("level") == TOTAL)["cost"].sum() or sum(level.values())
        whole = total - sum(v for k, v in level.items() if k in shown and k != OTHER)
        if whole > 0:
            out[OTHER] = 1 + sum((level.get(k, 0.0) / whole) * (found[k].cost[index] - 1) for k in hidden)
    return out


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    schema = DECISION_SCHEMAS["forecast_changes"]
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(
        "level", "series_key", "target_date"
    )
