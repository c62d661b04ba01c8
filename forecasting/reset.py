"""Arithmetic of the monthly reset: what was forecast, what came, how wrong it has been so far, what is proposed next.

A human override is kept beside the machine's figure and both are scored on every month. A signed month is frozen by a
hash of its figures; a later restatement is a new version, never a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from forecasting.schemas import DECISION_SCHEMAS, MONEY, TOKEN_CLASSES
from forecasting.variance import CELL_KEYS

MACHINE, OVERRIDE = "machine", "override"
# Days of the month a forecast of it is kept; the first is the one finance signs against.
MONTH_START, CHECKPOINTS = 1, (10, 20)
MIN_MONTHS = 3
TRAILING_MONTHS = 6
WINDOWS = (28, 56)
MIN_CALLS = 30
FORECAST_TOLERANCE = 0.10
BUDGET_TOLERANCE = 0.05


class ResetError(ValueError):
    """A month cannot be reset from these rows; the message names scope and month."""


def _typed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    schema = DECISION_SCHEMAS[name]
    return frame.select(
        (pl.col(c) if c in frame.columns else pl.lit(None)).cast(dtype).alias(c) for c, dtype in schema.items()
    )


def score(frozen: pl.DataFrame, actuals: pl.DataFrame, *, freeze_day: int = MONTH_START) -> pl.DataFrame:
    """Rows of `forecast_scores` for every frozen forecast of a closed month.

    `frozen` are `frozen_forecasts` (one per scope, month and kind), `actuals` has scope, month, actual (MONEY), one row
    per closed month. WAPE and bias are over the last six of the kind's months up to this one, refused below three;
    `machine_wape` is the machine's over the same months, so that an override is compared on what it dared. Forecasts
    of day 10 or 20 (`freeze_day`) are scored among themselves. Raises ResetError for a forecast issued after its month
    began (one within the month: before its day or after the month), an unknown kind, or an override without author and
    reason.
    """
    rows = _typed(frozen, "frozen_forecasts").sort("scope", "month", "kind")
    for row in rows.iter_rows(named=True):
        who = f"forecast of {row['scope']!r} for {row['month']}"
        if row["kind"] not in (MACHINE, OVERRIDE) or row["forecast"] is None or row["issued_on"] is None:
            raise ResetError(f"{who}: kind, figure and day of issue are needed, got {row['kind']!r}")
        start = row["month"]
        ahead = row["issued_on"] <= start and freeze_day == MONTH_START
        within = row["issued_on"].replace(day=1) == start and row["issued_on"].day >= freeze_day > MONTH_START
        if start.day != 1 or not (ahead or within):
            late = "after the month began" if freeze_day == MONTH_START else f"not within the month from its day {freeze_day} on"
            raise ResetError(f"{who}: issued on {row['issued_on']}, {late}, so it proves nothing")
        if row["kind"] == OVERRIDE and not (row["author"] and row["reason"]):
            raise ResetError(f"{who}: an override needs who and why")
    if rows.select("scope", "month", "kind").is_duplicated().any():
        raise ResetError("two frozen forecasts of one kind for one scope and month")
    known = actuals.select(pl.col("scope").cast(pl.String), pl.col("month").cast(pl.Date), pl.col("actual").cast(MONEY))
    if known.select("scope", "month").is_duplicated().any():
        raise ResetError("two actuals for one scope and month")
    told = rows.join(known, on=["scope", "month"]).with_columns(
        error=(pl.col("forecast") - pl.col("actual")).cast(MONEY)
    )
    machine = told.filter(pl.col("kind") == MACHINE).select("scope", "month", machine_error=pl.col("error").abs())
    told = told.join(machine, on=["scope", "month"], how="left").sort("scope", "kind", "month")

    def trailing(value: pl.Expr) -> pl.Expr:
        return value.cast(pl.Float64).rolling_sum(TRAILING_MONTHS, min_samples=1).over("scope", "kind")

    spend = trailing(pl.col("actual").abs())
    months = pl.int_range(1, pl.len() + 1).over("scope", "kind").clip(upper_bound=TRAILING_MONTHS)
    enough = (pl.col("months") >= MIN_MONTHS) & (pl.col("spend") > 0)
    actual = pl.col("actual").cast(pl.Float64)
    scored = told.with_columns(
        freeze_day=pl.lit(freeze_day),
        months=months,
        spend=spend,
        off=trailing(pl.col("error").abs()),
        signed=trailing(pl.col("error")),
        machine_off=trailing(pl.col("machine_error")),
        ape=pl.when(actual > 0).then(pl.col("error").abs().cast(pl.Float64) / actual),
        inside80=actual.is_between(pl.col("lo80"), pl.col("hi80")),
        inside95=actual.is_between(pl.col("lo95"), pl.col("hi95")),
    ).with_columns(
        wape=pl.when(enough).then(pl.col("off") / pl.col("spend")),
        bias=pl.when(enough).then(pl.col("signed") / pl.col("spend")),
        machine_wape=pl.when(enough).then(pl.col("machine_off") / pl.col("spend")),
        state=pl.when(pl.col("months") < MIN_MONTHS)
        .then(pl.format(f"insufficient data: {{}} of {MIN_MONTHS} months", "months"))
        .when(pl.col("spend") <= 0)
        .then(pl.lit("no spend in the months"))
        .otherwise(pl.lit("measured")),
    )
    return _typed(scored, "forecast_scores").sort("scope", "month", "kind")


def new_baseline(usage: pl.DataFrame, cutoff: date, one_offs: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of `baseline_drivers`: ratios of sums over the last 28 days with one-off days removed.

    `usage`: workflow, model, charge_date, calls, cost, tokens by class; days without a row are zero. `one_offs`:
    workflow, model (null: all), first_day, end_day (half-open), of resolved anomalies and non-recurring charges. 56
    days when 28 hold under 30 calls, then everything, as the forecast's own drivers; `source` says which.
    """
    measures = ["calls", "cost", *(f"tokens_{k}" for k in TOKEN_CLASSES)]
    rows = (
        usage.select(
            pl.col("workflow", "model").cast(pl.String),
            pl.col("charge_date").cast(pl.Date),
            pl.col(measures).cast(pl.Float64).fill_null(0.0),
        )
        .filter(pl.col("charge_date") <= cutoff)
        .with_columns(age=(pl.lit(cutoff) - pl.col("charge_date")).dt.total_days())
    )
    if rows.is_empty():
        return pl.DataFrame(schema=DECISION_SCHEMAS["baseline_drivers"])
    pairs = rows.select("workflow", "model").unique().sort("workflow", "model")
    spans = rows.group_by("workflow", "model").agg((pl.col("age").max() + 1).alias("history"))
    marked = [] if one_offs is None else one_offs.to_dicts()
    days = pairs.join(spans, on=["workflow", "model"]).with_columns(age=pl.int_ranges(0, "history")).explode("age")
    days = days.with_columns((pl.lit(cutoff) - pl.duration(days=pl.col("age"))).cast(pl.Date).alias("charge_date"))
    hit = pl.lit(False)
    for row in marked:
        same = (pl.col("workflow") == row["workflow"]) & pl.col("charge_date").is_between(
            pl.lit(row["first_day"]), pl.lit(row["end_day"]), closed="left"
        )
        hit = hit | (same if not row.get("model") else same & (pl.col("model") == row["model"]))
    grid = (
        days.with_columns(removed=hit)
        .join(
            rows.select("workflow", "model", "charge_date", *measures)
            .group_by("workflow", "model", "charge_date")
            .sum(),
            on=["workflow", "model", "charge_date"],
            how="left",
        )
        .with_columns(pl.col(measures).fill_null(0.0))
        .sort("workflow", "model", "charge_date")
    )
    sums = []
    for window in (*WINDOWS, 10**6):
        inside = grid.filter(pl.col("age") < window)
        sums.append(
            inside.group_by("workflow", "model")
            .agg(
                pl.col(measures).filter(~pl.col("removed")).sum(),
                window_days=(~pl.col("removed")).sum().cast(pl.Int64),
                removed_days=pl.col("removed").sum().cast(pl.Int64),
            )
            .with_columns(
                source=pl.lit("all history" if window > WINDOWS[-1] else f"{window} days"),
                enough=(pl.col("calls").sum().over("workflow") >= MIN_CALLS) | pl.lit(window > WINDOWS[-1]),
                order=pl.lit(window),
            )
        )
    best = (
        pl.concat(sums)
        .filter("enough")
        .sort("workflow", "model", "order")
        .group_by("workflow", "model", maintain_order=True)
        .first()
    )
    tokens = pl.sum_horizontal(*(pl.col(f"tokens_{k}") for k in TOKEN_CLASSES))
    calls, kept = pl.col("calls"), pl.col("window_days")
    whole = (calls / kept).sum().over("workflow")
    found = best.filter(kept > 0).select(
        "workflow",
        "model",
        "window_days",
        "removed_days",
        "source",
        calls_per_day=calls / kept,
        share=pl.when(whole > 0).then(calls / kept / whole),
        rate_per_million=pl.when(tokens > 0).then(pl.col("cost") / tokens * 1e6),
        cost_per_day=pl.col("cost") / kept,
        **{f"tokens_{k}": pl.when(calls > 0).then(pl.col(f"tokens_{k}") / calls) for k in TOKEN_CLASSES},
    )
    return _typed(found, "baseline_drivers").sort("workflow", "model")


def label_effects(effects: pl.DataFrame, one_offs: pl.DataFrame, month: date) -> pl.DataFrame:
    """`variance_effects` with `label`: `one-off` where the cell has a one-off (as in `new_baseline`) in the month."""
    end = (month + timedelta(days=32)).replace(day=1)
    hit = pl.lit(False)
    for row in one_offs.to_dicts():
        if row["first_day"] < end and row["end_day"] > month:
            same = pl.col("workflow") == row["workflow"]
            hit = hit | (same if not row.get("model") else same & (pl.col("model") == row["model"]))
    return effects.with_columns(label=pl.when(hit).then(pl.lit("one-off")).otherwise(pl.lit("structural"))).sort(
        *CELL_KEYS, "effect"
    )


def to_confirm(changes: pl.DataFrame, month: date) -> pl.DataFrame:
    """Known changes whose ramp touches the closed month: what finance says did or did not happen; sorted by start."""
    end = (month + timedelta(days=32)).replace(day=1)
    last = pl.col("start") + pl.duration(days=pl.col("ramp_days").fill_null(0).clip(lower_bound=1))
    return changes.filter((pl.col("start") < end) & (last.cast(pl.Date) > month)).sort("start", "change_id")


def notes_due(notes: pl.DataFrame, today: date) -> pl.DataFrame:
    """Cost notes (with `review_date`) due for review by `today`, oldest first, with `days_overdue`."""
    due = notes.filter(pl.col("review_date") <= today)
    return due.with_columns(days_overdue=(pl.lit(today) - pl.col("review_date")).dt.total_days()).sort("review_date")


def kpi(value: float | None, tolerance: float) -> str:
    """`met` within the tolerance (a share, both sides), `missed` outside, `not measured` without a value."""
    if value is None:
        return "not measured"
    return "met" if abs(value) <= tolerance + 1e-12 else "missed"


def content_hash(row: Mapping[str, object]) -> str:
    """Hash of the figures of a reset line: everything but version and sign-off."""
    left_out = {"version", "content_hash", "signed_by", "signed_on", "sign_off_state"}
    figures = {k: None if v is None else str(v) for k, v in sorted(row.items()) if k not in left_out}
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def reset(
    month: date,
    scores: pl.DataFrame,
    actuals: pl.DataFrame,
    outlook: pl.DataFrame,
    *,
    budgets: pl.DataFrame | None = None,
    previous: pl.DataFrame | None = None,
    sign_offs: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Rows of `forecast_reset` for one closed month, older versions included, sorted by scope and version.

    `scores` from `score`; `actuals` as there; `outlook` from `forecasting.outlook.outlook`, made on the day of the
    freeze with the same scopes (the next month is read); `budgets`: scope, month, budget (MONEY); `previous`: rows of
    earlier runs; `sign_offs`: scope, month, content_hash, signed_by, signed_on. Equal figures give the same row. An
    unsigned line is replaced; a signed one stays as it is, and changed figures become version n + 1, `restated`, open
    for a new signature. Raises ResetError for a scope without an actual or a sign-off that matches no line.
    """
    here = actuals.filter(pl.col("month") == month)
    told = scores.filter(pl.col("month") == month)
    nxt = (month + timedelta(days=32)).replace(day=1)
    coming = {
        row["scope"]: row
        for row in outlook.filter(
            (pl.col("period_start") == nxt) & (pl.col("period_end") == (nxt + timedelta(days=32)).replace(day=1))
        ).iter_rows(named=True)
    }
    limits = (
        {}
        if budgets is None
        else {row["scope"]: row["budget"] for row in budgets.filter(pl.col("month") == month).iter_rows(named=True)}
    )
    by = {(row["scope"], row["kind"]): row for row in told.iter_rows(named=True)}
    rows: list[dict[str, object]] = []
    for item in here.sort("scope").iter_rows(named=True):
        scope, actual = item["scope"], item["actual"]
        if actual is None:
            raise ResetError(f"scope {scope!r}: no actual for {month}")
        machine, human, ahead = by.get((scope, MACHINE)), by.get((scope, OVERRIDE)), coming.get(scope)
        forecast, budget = machine["forecast"] if machine else None, limits.get(scope)
        variance = actual - forecast if forecast is not None else None
        share = float((actual - forecast) / forecast) if forecast is not None and forecast > 0 else None
        over = actual - budget if budget is not None else None
        row: dict[str, object] = {
            "scope": scope,
            "month": month,
            "frozen_forecast": forecast,
            "override": human["forecast"] if human else None,
            "actual": actual,
            "variance": variance,
            "variance_share": share,
            "inside80": machine["inside80"] if machine else None,
            "inside95": machine["inside95"] if machine else None,
            "months": machine["months"] if machine else 0,
            "wape": machine["wape"] if machine else None,
            "bias": machine["bias"] if machine else None,
            "override_wape": human["wape"] if human else None,
            "accuracy_state": machine["state"] if machine else "no forecast was frozen",
            "forecast_kpi": kpi(machine["ape"] if machine else None, FORECAST_TOLERANCE),
            "budget": budget,
            "budget_variance": over,
            "budget_kpi": "no budget"
            if budget is None
            else kpi(float(over / budget) if budget > 0 else (0.0 if over == 0 else 1.0), BUDGET_TOLERANCE),
            "new_baseline": ahead["point"] if ahead else None,
            "new_baseline_lo80": ahead["lo80"] if ahead else None,
            "new_baseline_hi80": ahead["hi80"] if ahead else None,
        }
        rows.append(row)
    schema = DECISION_SCHEMAS["forecast_reset"]
    fresh = _typed(
        pl.DataFrame(rows, schema={k: v for k, v in schema.items() if rows and k in rows[0]}), "forecast_reset"
    )
    return _versions(fresh, previous, sign_offs, month)


def _versions(
    fresh: pl.DataFrame, previous: pl.DataFrame | None, sign_offs: pl.DataFrame | None, month: date
) -> pl.DataFrame:
    signed = (
        {}
        if sign_offs is None
        else {
            (row["scope"], row["content_hash"]): row for row in sign_offs.iter_rows(named=True) if row["month"] == month
        }
    )
    kept: dict[str, list[dict[str, object]]] = {}
    old = [] if previous is None else previous.filter(pl.col("month") == month).sort("scope", "version").to_dicts()
    for row in old:
        if (row["scope"], row["content_hash"]) in signed:
            kept.setdefault(row["scope"], []).append(row)
    out: list[dict[str, object]] = []
    for row in fresh.to_dicts():
        scope, digest = str(row["scope"]), content_hash(row)
        before = kept.get(scope, [])
        out += before
        if all(digest != other["content_hash"] for other in before):
            out.append(row | {"version": len(before) + 1, "content_hash": digest})
    matched = set()
    for row in out:
        found = signed.get((str(row["scope"]), str(row["content_hash"])))
        if found is not None:
            matched.add((row["scope"], row["content_hash"]))
            row |= {"signed_by": found["signed_by"], "signed_on": found["signed_on"], "sign_off_state": "signed"}
        else:
            row["sign_off_state"] = "open" if row["version"] == 1 else "restated after sign-off"
    for scope, digest in sorted(set(signed) - matched):
        raise ResetError(f"sign-off of {scope!r} for {month}: no line has the hash {digest[:12]}")
    return _typed(pl.DataFrame(out, schema=DECISION_SCHEMAS["forecast_reset"]), "forecast_reset").sort(
        "scope", "version"
    )
