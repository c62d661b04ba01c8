"""One call from marts and seeds to every frame of the monthly decisions, and what is kept from month to month.

Scopes are series keys (`level:member`). A month is forecast from data up to its first day; the first run that sees a
month keeps that forecast and its drivers for good. A month kept more than three days after it began was not forecast
then: it is `reconstructed` from today's data of the days before it, and says so. The first run on or after days 10 and
20 keeps the month's forecast of that day too. Beside a forecast stand the figures it was made from, and those of the
month at its close, so that what is restated later is a line of the bridge and no effect of the month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from forecasting import alerts, cost_model, reset, variance, work_item_plan
from forecasting.accuracy import paired_bootstrap
from forecasting.config import ForecastConfig
from forecasting.hierarchy import OTHER, TOTAL
from forecasting.known_changes import as_levers, factors, forecast_with_changes, known_on
from forecasting.outlook import next_months, outlook
from forecasting.run import month_of
from forecasting.scenarios import run_scenarios
from forecasting.schemas import DECISION_SCHEMAS, MONEY, MONTHLY_SCHEMAS, QUANTITY, TOKEN_CLASSES
from forecasting.selection import NAIVE_METHODS, PUBLISHED

WHOLE = f"{TOTAL}:{TOTAL}"
MIN_HISTORY = 28
KEPT_MONTHS = 7
FROZEN_DAYS = 3
# Sides of `frozen_cells`: drivers of the forecast, the days it was made from, the month as it closed.
FORECAST, HISTORY, CLOSE = "forecast", "history", "close"
BASELINE_DAYS = 28
MAX_ITEMS = 1500
SCENARIO_MONTHS = 3
CLOUD, UNLOGGED, UNDRIVEN = "services_without_tokens", "tokens_without_requests", "forecast_without_drivers"
_TOKENS = [f"tokens_{k}" for k in TOKEN_CLASSES]
_COSTS = [f"cost_{k}" for k in TOKEN_CLASSES]
_CELL = list(variance.CELL_KEYS)


@dataclass(frozen=True)
class Inputs:
    """What the marts and seeds hand over. Money is the reporting currency.

    `usage`: charge_date, provider, team, workflow, model, currency, cost, billed, calls, tokens and costs by class of
    the Usage charges that `series` adds up. `actions`: workflow, charge_date, user_actions, requests, retries.
    `items`: item, cost, points, work_item_type, team, fidelity_tier, resolved_on, is_delivered, is_cancelled.
    `unit_costs`: workflow, month, unit, unit_cost. The rest are the seeds of their names, `pacing` and `backtest` today's.
    """

    series: pl.DataFrame
    usage: pl.DataFrame
    actions: pl.DataFrame
    items: pl.DataFrame
    unit_costs: pl.DataFrame
    budgets: pl.DataFrame
    known_changes: pl.DataFrame
    scenario_levers: pl.DataFrame
    forecast_overrides: pl.DataFrame
    reset_sign_offs: pl.DataFrame
    one_offs: pl.DataFrame
    cost_notes: pl.DataFrame
    pacing: pl.DataFrame
    backtest: pl.DataFrame


def typed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The frame with exactly the columns and types of a schema; what it lacks is null."""
    schema = MONTHLY_SCHEMAS[name]
    return frame.select(
        (pl.col(c) if c in frame.columns else pl.lit(None)).cast(dtype).alias(c) for c, dtype in schema.items()
    )


def monthly(
    given: Inputs,
    kept: dict[str, pl.DataFrame],
    as_of: date,
    *,
    run_id: str,
    config: ForecastConfig | None = None,
) -> dict[str, pl.DataFrame]:
    """Every frame of `MONTHLY_SCHEMAS`. `kept` are those of the last run; what is frozen in them stays as it is.

    Same inputs give equal frames. Raises as the methods do, naming the change, lever, override or item at fault.
    """
    config = config or ForecastConfig()
    usage = _usage(given.usage)
    out = {name: pl.DataFrame(schema=schema) for name, schema in MONTHLY_SCHEMAS.items()}
    out |= {name: typed(kept[name], name) for name in ("frozen_outlook", "frozen_cells") if name in kept}
    out["frozen_outlook"] = out["frozen_outlook"].with_columns(pl.col("freeze_day").fill_null(reset.MONTH_START))
    out["frozen_cells"] = out["frozen_cells"].with_columns(pl.col("side").fill_null(FORECAST))
    if given.series.is_empty():
        return out
    last_closed = _last_closed(given.series, as_of)
    for month in _months_to_freeze(given.series, as_of, out["frozen_outlook"]):
        _freeze(given, usage, month, as_of, out, config, run_id)
    closed = _closed_months(given.series, last_closed)
    _resets(given, usage, closed, kept, out)
    drivers = estimate_drivers(usage, given.actions, last_closed)
    out["forecast_drivers"] = typed(drivers.with_columns(data_cutoff=pl.lit(last_closed)), "forecast_drivers")
    out["forecast_outlook"] = _coming(given, usage, as_of, config, run_id)
    out["frozen_outlook"] = with_checkpoint(out["frozen_outlook"], out["forecast_outlook"], as_of)
    out["forecast_changes"] = _with_and_without(given, usage, as_of, config, run_id)
    _scenarios(given, drivers, last_closed, out)
    _work_items(given.items, out)
    out["baseline_drivers"] = typed(
        reset.new_baseline(
            usage.select(
                "workflow", "model", "charge_date", "calls", pl.col("cost").cast(pl.Float64), *_TOKENS
            ),
            last_closed,
            given.one_offs,
        ),
        "baseline_drivers",
    )
    out["cost_notes"] = _cost_notes(given, as_of)
    _alerts(given, kept, out, config)
    out["method_comparison"] = _comparison(given.backtest)
    return out


def _usage(frame: pl.DataFrame) -> pl.DataFrame:
    """Usage with every key filled and the line each row belongs to."""
    tokens = pl.sum_horizontal(pl.col(c).fill_null(0) for c in _TOKENS)
    named = frame.with_columns(
        pl.when(tokens <= 0)
        .then(pl.lit(CLOUD))
        .when(pl.col("workflow").is_null())
        .then(pl.lit(UNLOGGED))
        .otherwise(pl.lit(variance.USAGE))
        .alias("line")
    )
    # The words of mart_forecast_series for what nobody claims.
    return named.with_columns(
        *(pl.col(c).fill_null(f"(no {c})") for c in ("provider", "team", "workflow")),
        pl.col("model").fill_null(""),
        pl.col("currency").fill_null(""),
    )


def _last_closed(series: pl.DataFrame, as_of: date) -> date:
    days = series.filter(pl.col("charge_date") < as_of)
    found = days.filter(pl.col("is_closed"))["charge_date"].max() or days["charge_date"].max()
    return found if isinstance(found, date) else as_of - timedelta(days=1)


def _months_to_freeze(series: pl.DataFrame, as_of: date, frozen: pl.DataFrame) -> list[date]:
    first, there = series["charge_date"].min(), set(frozen["as_of"].unique())
    assert isinstance(first, date)
    months: list[date] = []
    month = as_of.replace(day=1)
    while len(months) < KEPT_MONTHS and (month - first).days >= MIN_HISTORY:
        months.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return [m for m in sorted(months) if m not in there]


def _closed_months(series: pl.DataFrame, last_closed: date) -> list[date]:
    first = series["charge_date"].min()
    assert isinstance(first, date)
    month = first if first.day == 1 else month_of(first)[1]
    months = []
    while month_of(month)[1] <= last_closed + timedelta(days=1):
        months.append(month)
        month = month_of(month)[1]
    return months[1 - KEPT_MONTHS :]


def usable_changes(changes: pl.DataFrame, drivers: pl.DataFrame) -> pl.DataFrame:
    """Known changes whose workflow and model are in the drivers; the others have nothing to be a multiple of."""
    there = drivers.select("workflow", "model")

    def has(workflow: str | None, model: str | None) -> bool:
        hit = pl.lit(True)
        for name, value in (("workflow", workflow), ("model", model)):
            hit = hit & (pl.col(name) == value if value else pl.lit(True))
        return not there.filter(hit).is_empty()

    keep = [has(row["workflow"], row["model"]) for row in changes.iter_rows(named=True)]
    return changes.filter(pl.Series(keep, dtype=pl.Boolean))


def _told(given: Inputs, usage: pl.DataFrame, as_of: date, start: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Changes a forecast of `as_of` may use, and the drivers of the days before the first of them."""
    first = given.series["charge_date"].min()
    assert isinstance(first, date)
    used = known_on(given.known_changes, as_of).filter(pl.col("start") >= first + timedelta(days=MIN_HISTORY))
    if used.is_empty():
        return used, pl.DataFrame(schema=DECISION_SCHEMAS["drivers"])
    before = used["start"].min()
    assert isinstance(before, date)
    drivers = estimate_drivers(usage, given.actions, min(before, start) - timedelta(days=1))
    return usable_changes(used, drivers), drivers


def _outlook(
    given: Inputs, usage: pl.DataFrame, as_of: date, start: date, periods: Sequence[tuple[date, date]],
    config: ForecastConfig, run_id: str,
) -> pl.DataFrame:  # fmt: skip
    """`forecast_outlook` of every level with the known changes of the day: what they move in a workflow is moved in its
    teams and providers by their shares of its last 28 days."""
    series = given.series.filter(pl.col("charge_date") < start)
    plain = outlook(series, as_of, periods, config=config, run_id=run_id)
    used, drivers = _told(given, usage, as_of, start)
    if used.is_empty() or plain.is_empty():
        return plain
    changed = outlook(series, as_of, periods, changes=used, drivers=drivers, config=config, run_id=run_id)
    keys = ["series_key", "period_start", "period_end"]
    now, kinds = [*keys, "point"], ["total", "workflow"]
    moved = (
        changed.filter(pl.col("level") == "workflow")
        .select("scope", *now)
        .join(plain.select(now), on=keys, how="full", coalesce=True, suffix="_plain")
        .filter(pl.col("scope").is_not_null())
        .with_columns(by=pl.col("point") - pl.col("point_plain").fill_null(0.0))
    )
    # The method of a series may change with its history, so only what the named workflows move is dealt out.
    touched = set(factors(drivers, used, [p[0] for p in periods] + [p[1] for p in periods]))
    moved = moved.filter(pl.col("scope").is_in(sorted(touched)))
    rest = plain.filter(~pl.col("level").is_in(kinds))
    recent = usage.filter(
        (pl.col("charge_date") < start) & (pl.col("charge_date") >= start - timedelta(days=BASELINE_DAYS))
    )
    parts = [changed]
    for level in rest["level"].unique().sort():
        rows = rest.filter(pl.col("level") == level)
        shown = rows["scope"].unique().to_list()
        shares = (
            recent.with_columns(_member(level, shown))
            .group_by("workflow", "member")
            .agg(pl.col("cost").sum().cast(pl.Float64))
            .sort("workflow", "member")
            .with_columns(share=pl.col("cost") / pl.col("cost").sum().over("workflow"))
        )
        by = (
            moved.join(shares, left_on="scope", right_on="workflow")
            .sort("member", "scope", "period_start", "period_end")
            .group_by("member", "period_start", "period_end", maintain_order=True)
            .agg((pl.col("by") * pl.col("share")).sum().alias("shift"))
        )
        joined = rows.join(
            by, left_on=["scope", "period_start", "period_end"], right_on=["member", "period_start", "period_end"], how="left"
        ).sort(keys)
        shift = pl.col("shift").fill_null(0.0)
        ends = [(pl.col(c) + shift).clip(lower_bound=0.0).alias(c) for c in ("point", "lo80", "hi80", "lo95", "hi95")]
        parts.append(joined.with_columns(*ends, has_known_changes=pl.lit(True)).drop("shift").select(changed.columns))
    return pl.concat(parts).sort("level", "series_key", "period_start", "period_end")


def _member(level: str, shown: Sequence[str]) -> pl.Expr:
    """The published member of a level each usage row counts to."""
    if level == TOTAL:
        return pl.lit(TOTAL).alias("member")
    return pl.when(pl.col(level).is_in(list(shown))).then(pl.col(level)).otherwise(pl.lit(OTHER)).alias("member")


def _freeze(
    given: Inputs, usage: pl.DataFrame, month: date, as_of: date, out: dict[str, pl.DataFrame], config: ForecastConfig,
    run_id: str,
) -> None:  # fmt: skip
    closed = month - timedelta(days=1)
    found = _outlook(given, usage, month, month, next_months(closed), config, run_id)
    basis = "frozen" if (as_of - month).days <= FROZEN_DAYS else "reconstructed"
    found = found.with_columns(frozen_on=pl.lit(as_of), basis=pl.lit(basis), freeze_day=pl.lit(reset.MONTH_START))
    out["frozen_outlook"] = pl.concat([out["frozen_outlook"], typed(found, "frozen_outlook")])
    sides = ((FORECAST, _base_cells(found, usage, month)), (HISTORY, _history_cells(found, usage, month)))
    for side, cells in sides:
        kept = typed(cells.with_columns(month=pl.lit(month), side=pl.lit(side)), "frozen_cells")
        out["frozen_cells"] = pl.concat([out["frozen_cells"], kept])


def with_checkpoint(frozen: pl.DataFrame, coming: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """`frozen_outlook` with the forecast of the month under way, where today is the first run on or after day 10 or 20.

    `coming` is today's `forecast_outlook`. What is there stays. Without a run from day 10 to 19 there is no day-10
    forecast: one made on day 20 or later knows more than its name says.
    """
    day = max((d for d in reset.CHECKPOINTS if d <= as_of.day), default=None)
    month, end = month_of(as_of)
    if day is None or frozen.filter((pl.col("period_start") == month) & (pl.col("freeze_day") == day)).height:
        return frozen
    now = coming.filter((pl.col("period_start") == month) & (pl.col("period_end") == end)).sort("level", "series_key")
    now = now.with_columns(frozen_on=pl.lit(as_of), basis=pl.lit("frozen"), freeze_day=pl.lit(day))
    return pl.concat([frozen, typed(now, "frozen_outlook")])


def _cells(usage: pl.DataFrame, level: str, shown: Sequence[str], first: date, end: date) -> pl.DataFrame:
    """`variance_cells` of [first, end): the provider, and the currency where it is foreign, tell variants apart."""
    foreign = pl.col("currency") != pl.col("reporting_currency")
    inside = usage.filter(pl.col("charge_date").is_between(first, end, closed="left")).with_columns(
        _member(level, shown),
        variant=pl.when(foreign).then(pl.format("{} {}", "provider", "currency")).otherwise(pl.col("provider")),
    )
    sums = inside.group_by("member", "team", "workflow", "model", "variant", "line", foreign=foreign).agg(
        pl.col("cost", *_COSTS, "calls", *_TOKENS, "billed").sum(), *(pl.col(c).is_null().all().alias(f"no_{c}") for c in _COSTS)
    )
    line = pl.col("line") == variance.USAGE
    rate = pl.col("cost").cast(pl.Float64) / pl.col("billed").cast(pl.Float64)
    return sums.select(
        pl.format(f"{level}:{{}}", "member").alias("scope"), "team", "workflow", "model", "variant", "line",
        pl.when(line).then(pl.col("calls")).cast(QUANTITY).alias("calls"),
        *(pl.when(line).then(pl.col(c).fill_null(0)).cast(QUANTITY).alias(c) for c in _TOKENS),
        pl.col("cost").cast(MONEY),
        pl.when(pl.col("foreign") & (pl.col("billed") > 0)).then(rate).alias("fx_rate"),
        *(pl.when(line & ~pl.col(f"no_{c}")).then(pl.col(c)).cast(MONEY).alias(c) for c in _COSTS),
    )  # fmt: skip


def _scaled(baseline: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Baseline cells with calls scaled to the forecast of their scope (scope, cost), which they add up to exactly.

    A scope without baseline cost has one cell without drivers.
    """
    rows = baseline.join(wanted.rename({"cost": "wanted"}), on="scope").sort(_CELL)
    whole = pl.col("cost").sum().over("scope")
    rows = rows.filter(whole > 0)
    scale = pl.col("wanted").cast(pl.Float64) / whole.cast(pl.Float64)
    scaled = rows.with_columns(
        *((pl.col(c).cast(pl.Float64) * scale).cast(QUANTITY).alias(c) for c in ["calls", *_TOKENS]),
        *((pl.col(c).cast(pl.Float64) * scale).cast(MONEY).alias(c) for c in ["cost", *_COSTS]),
    )
    first = pl.int_range(0, pl.len()).over("scope") == pl.col("cost").arg_max().over("scope")
    left = (pl.col("wanted") - pl.col("cost").sum().over("scope")).cast(MONEY)
    exact = scaled.with_columns(cost=pl.when(first).then(pl.col("cost") + left).otherwise(pl.col("cost")).cast(MONEY))
    bare = wanted.join(rows, on="scope", how="anti").select(
        "scope", *(pl.lit("").alias(c) for c in _CELL[1:-1]), pl.lit(UNDRIVEN).alias("line"), "cost"
    )
    schema = DECISION_SCHEMAS["variance_cells"]
    return pl.concat(
        [
            frame.select((pl.col(c) if c in frame.columns else pl.lit(None)).cast(t).alias(c) for c, t in schema.items())
            for frame in (exact, bare)
        ]
    )


def _base_cells(found: pl.DataFrame, usage: pl.DataFrame, month: date) -> pl.DataFrame:
    """Drivers behind the frozen forecast of a month, per scope: mix, tokens per call and rate of the 28 days before it."""
    mine = found.filter((pl.col("period_start") == month) & (pl.col("period_end") == month_of(month)[1]))
    first = month - timedelta(days=BASELINE_DAYS)
    parts = []
    for level in mine["level"].unique().sort():
        rows = mine.filter(pl.col("level") == level)
        wanted = rows.select(pl.col("series_key").alias("scope"), pl.col("point").cast(MONEY).alias("cost"))
        parts.append(_scaled(_cells(usage, level, rows["scope"].to_list(), first, month), wanted))
    whole = mine.filter(pl.col("level") == TOTAL)
    flow = [p for p in parts if p.height and p["scope"][0].startswith("workflow:")]
    if flow and whole.height:
        # The total is the sum of its workflows, so its cells are theirs.
        kept = [p for p in parts if not (p.height and p["scope"][0] == WHOLE)]
        as_whole = flow[0].with_columns(scope=pl.lit(WHOLE))
        sums = [pl.col(c).sum() for c in ("calls", *_TOKENS, "cost", *_COSTS)]
        merged = as_whole.group_by(_CELL).agg(*sums, pl.col("fx_rate").first(), *(pl.col(c).is_null().all().alias(f"no_{c}") for c in ("calls", *_TOKENS, *_COSTS)))
        merged = merged.with_columns(pl.when(~pl.col(f"no_{c}")).then(pl.col(c)).alias(c) for c in ("calls", *_TOKENS, *_COSTS))
        wanted = whole.select(pl.lit(WHOLE).alias("scope"), pl.col("point").cast(MONEY).alias("cost"))
        parts = [*kept, _scaled(merged, wanted)]
    return pl.concat(parts).with_columns(month=pl.lit(month)).sort(_CELL) if parts else pl.DataFrame()


def _history_cells(found: pl.DataFrame, usage: pl.DataFrame, month: date) -> pl.DataFrame:
    """Cells of the 28 days before a month for every scope that has a frozen forecast of it but the total."""
    mine = found.filter((pl.col("period_start") == month) & (pl.col("as_of") == month) & (pl.col("level") != TOTAL))
    first = month - timedelta(days=BASELINE_DAYS)
    parts = [
        _cells(usage, level, mine.filter(pl.col("level") == level)["scope"].unique().sort().to_list(), first, month)
        for level in mine["level"].unique().sort()
    ]
    return pl.concat(parts).sort(_CELL) if parts else pl.DataFrame(schema=DECISION_SCHEMAS["variance_cells"])


def restated_base(base: pl.DataFrame, then: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """`base`, the cells of a frozen forecast, moved by what its history has been restated by since.

    `then` and `now` are the cells of the 28 days behind it, at the freeze and today. A scope's forecast was its history
    times one factor; the same factor is put on the difference, cell by cell. The total moves by its workflows. A scope
    without positive history stays. Equal histories give `base` itself. All are `variance_cells`.
    """
    measures = ["calls", *_TOKENS, "cost", *_COSTS]
    there = then.group_by("scope").agg(pl.col("cost").sum().cast(pl.Float64).alias("history"))
    told = base.group_by("scope").agg(pl.col("cost").sum().cast(pl.Float64).alias("told"))
    scales = there.filter(pl.col("history") > 0).join(told, on="scope").with_columns(scale=pl.col("told") / pl.col("history"))
    both = then.select(*_CELL, *measures).join(now.select(*_CELL, *measures), on=_CELL, how="full", coalesce=True, suffix="_now")

    def step(name: str, dtype: pl.Decimal) -> pl.Expr:
        moved = pl.col(f"{name}_now").fill_null(0) - pl.col(name).fill_null(0)
        return (moved.cast(pl.Float64) * pl.col("scale")).cast(dtype).alias(name)

    types = {c: MONEY if c in ("cost", *_COSTS) else QUANTITY for c in measures}
    steps = both.join(scales, on="scope").select(*_CELL, *(step(c, t) for c, t in types.items()))
    flow = steps.filter(pl.col("scope").str.starts_with("workflow:")).with_columns(scope=pl.lit(WHOLE))
    whole = flow.join(base.select("scope").unique(), on="scope", how="semi")
    steps = pl.concat([steps, whole]).group_by(_CELL).agg(pl.col(measures).sum())
    steps = steps.filter(pl.any_horizontal(pl.col(measures) != 0))
    if steps.is_empty():
        return base
    met = base.join(steps, on=_CELL, how="full", coalesce=True, suffix="_step")
    counted = pl.col("line") == variance.USAGE

    def plus(name: str) -> pl.Expr:
        step_of, left = pl.col(f"{name}_step"), pl.col(name)
        value = left.fill_null(0) + step_of.fill_null(0)
        value = value if types[name] is MONEY else pl.max_horizontal(value, pl.lit(0, QUANTITY))
        kept = value if name == "cost" else pl.when(counted & (left.is_not_null() | (step_of != 0))).then(value)
        return kept.cast(types[name]).alias(name)

    return met.with_columns(plus(c) for c in measures).select(base.columns).sort(_CELL)


def _frozen_forecasts(frozen: pl.DataFrame, overrides: pl.DataFrame) -> pl.DataFrame:
    """`frozen_forecasts` of the month's start: the machine's figure of every month and the people's beside it."""
    own = frozen.filter(
        (pl.col("period_start") == pl.col("as_of"))
        & (pl.col("period_end") == pl.col("period_start").dt.offset_by("1mo"))
    )
    machine = own.select(
        pl.col("series_key").alias("scope"), pl.col("period_start").alias("month"), pl.lit(reset.MACHINE).alias("kind"),
        pl.col("point").cast(MONEY).alias("forecast"), "lo80", "hi80", "lo95", "hi95", pl.col("as_of").alias("issued_on"),
        pl.lit(None, pl.String).alias("author"), pl.lit(None, pl.String).alias("reason"),
    )  # fmt: skip
    human = overrides.select(
        "scope", "month", pl.lit(reset.OVERRIDE).alias("kind"), pl.col("forecast").cast(MONEY),
        *(pl.lit(None, pl.Float64).alias(c) for c in ("lo80", "hi80", "lo95", "hi95")), "issued_on", "author", "reason",
    )  # fmt: skip
    return pl.concat([machine, human.cast({"month": pl.Date, "issued_on": pl.Date})])


def _checkpoints(frozen: pl.DataFrame, day: int) -> pl.DataFrame:
    """`frozen_forecasts` of a day within the month."""
    return frozen.filter(pl.col("freeze_day") == day).select(
        pl.col("series_key").alias("scope"), pl.col("period_start").alias("month"), pl.lit(reset.MACHINE).alias("kind"),
        pl.col("point").cast(MONEY).alias("forecast"), "lo80", "hi80", "lo95", "hi95", pl.col("as_of").alias("issued_on"),
    )  # fmt: skip


def _resets(
    given: Inputs, usage: pl.DataFrame, closed: list[date], kept: dict[str, pl.DataFrame], out: dict[str, pl.DataFrame]
) -> None:
    """Bridge, scores and reset lines of every closed month, against its frozen forecast and against the month before."""
    frozen, snapshots = out["frozen_outlook"], [out["frozen_cells"]]
    actuals, bridges, tops = [], [], []
    for month in closed:
        end = month_of(month)[1]
        mine = frozen.filter((pl.col("as_of") == month) & (pl.col("period_start") == month) & (pl.col("period_end") == end))
        shown = {
            level: mine.filter(pl.col("level") == level)["scope"].to_list() for level in ("provider", "team", "workflow")
        }
        if mine.is_empty():
            known = given.series.filter(pl.col("charge_date").is_between(month, end, closed="left"))
            shown = {level: known.filter(pl.col("level") == level)["scope"].unique().to_list() for level in shown}
        sides = [_cells(usage, level, shown.get(level, []), month, end) for level in (TOTAL, *shown)]
        came = pl.concat(sides)
        actual = came.group_by("scope").agg(pl.col("cost").sum().alias("actual"))
        quiet = mine.select(pl.col("series_key").alias("scope")).join(actual, on="scope", how="anti")
        actual = pl.concat([actual, quiet.with_columns(actual=pl.lit(0, MONEY))])
        actuals.append(actual.with_columns(month=pl.lit(month)).sort("scope"))
        cells = {side: _snapshot(out["frozen_cells"], month, side) for side in (FORECAST, HISTORY, CLOSE)}
        if cells[CLOSE].is_empty():
            cells[CLOSE] = came.sort(_CELL)
            taken = came.with_columns(month=pl.lit(month), side=pl.lit(CLOSE)).sort(_CELL)
            snapshots.append(typed(taken, "frozen_cells"))
        base = cells[FORECAST]
        started = pl.col("start").is_between(month - timedelta(days=BASELINE_DAYS), end, closed="left")
        late = given.known_changes.filter(
            (pl.col("confidence") >= 0.5) & (pl.col("recorded_on") > month) & started & (pl.col("start") >= month)
        )
        if base.height:
            here = came.join(base.select("scope").unique(), on="scope", how="semi")
            scopes = base.select("scope").unique()
            at_close = cells[CLOSE].join(scopes, on="scope", how="semi")
            history = cells[HISTORY]
            base_now = restated_base(base, history, _history_cells(mine, usage, month)) if history.height else base
            then_known = _known_cells(base_now, late, usage, given.actions, month)
            effects = pl.concat(
                [
                    variance.restated(base, base_now, variance.RESTATED_HISTORY),
                    variance.decompose(base_now, at_close, known=then_known),
                    variance.restated(at_close, here, variance.LATE_DATA),
                ]
            )
            bridges.append(_told_bridge(effects, base, here, month, "forecast"))
            tops.append(_top(effects, given.one_offs, month))
        before = month_of(month - timedelta(days=1))[0]
        if before in closed:
            then = pl.concat([_cells(usage, level, shown.get(level, []), before, month) for level in (TOTAL, *shown)])
            bridges.append(_told_bridge(variance.decompose(then, came), then, came, month, "previous month"))
    out["frozen_cells"] = pl.concat(snapshots)
    if bridges:
        out["variance_bridge"] = typed(pl.concat(bridges), "variance_bridge").sort("scope", "month", "comparison", "position", "effect")
    if tops:
        out["variance_cells"] = typed(pl.concat(tops), "variance_cells").sort("month", "rank")
    if not actuals:
        return
    told = pl.concat(actuals)
    scores = reset.score(_frozen_forecasts(frozen, given.forecast_overrides), told)
    within = [reset.score(_checkpoints(frozen, day), told, freeze_day=day) for day in reset.CHECKPOINTS]
    own = (pl.col("freeze_day") != reset.MONTH_START) | (pl.col("period_start") == pl.col("as_of"))
    basis = frozen.filter(own).select(
        pl.col("series_key").alias("scope"), pl.col("period_start").alias("month"), "freeze_day", "basis", "frozen_on",
        "data_cutoff", "method", machine_on=pl.col("as_of"),
    ).unique(subset=["scope", "month", "freeze_day"])  # fmt: skip
    people = given.forecast_overrides.select("scope", "month", pl.lit(reset.OVERRIDE).alias("kind"), "author", "reason", "issued_on")
    out["forecast_scores"] = typed(
        pl.concat([scores, *within])
        .join(basis, on=["scope", "month", "freeze_day"], how="left")
        .join(people.cast({"month": pl.Date, "issued_on": pl.Date}), on=["scope", "month", "kind"], how="left")
        .with_columns(pl.when(pl.col("freeze_day") == reset.MONTH_START).then("issued_on").otherwise("machine_on").alias("issued_on")),
        "forecast_scores",
    ).sort("scope", "month", "kind", "freeze_day")
    budgets = _monthly_budgets(given.budgets)
    # What was signed years ago is still what was signed.
    earlier = kept.get("forecast_reset", out["forecast_reset"])
    lines = [typed(earlier.filter(~pl.col("month").is_in(closed)), "forecast_reset")]
    for month in closed:
        following = frozen.filter(pl.col("as_of") == month_of(month)[1]).with_columns(scope=pl.col("series_key"))
        previous = kept.get("forecast_reset")
        signed = _signatures(given.reset_sign_offs, month, scores, told, following, budgets, previous)
        lines.append(
            reset.reset(month, scores, told, following, budgets=budgets, previous=previous, sign_offs=signed)
        )
    out["forecast_reset"] = pl.concat(lines).sort("scope", "month", "version")


def _monthly_budgets(budgets: pl.DataFrame) -> pl.DataFrame:
    whole = pl.col("period_end") == pl.col("period_start").dt.offset_by("1mo")
    member = pl.when(pl.col("scope_type") == TOTAL).then(pl.lit(TOTAL)).otherwise(pl.col("scope"))
    return (
        budgets.filter(whole & (pl.col("period_start").dt.day() == 1))
        .select(
            "budget_id", scope=pl.concat_str("scope_type", member, separator=":"), month=pl.col("period_start"),
            budget=pl.col("amount_usd").cast(MONEY),
        )
        .sort("budget_id")
        .unique(subset=["scope", "month"], keep="first", maintain_order=True)
    )  # fmt: skip


def _signatures(
    seed: pl.DataFrame, month: date, scores: pl.DataFrame, told: pl.DataFrame, following: pl.DataFrame,
    budgets: pl.DataFrame, previous: pl.DataFrame | None,
) -> pl.DataFrame:  # fmt: skip
    """Sign-offs of a month as scope and hash. One without a hash signs what it signed before, else the figures of now."""
    mine = seed.filter(pl.col("month") == month)
    schema = {"scope": pl.String, "month": pl.Date, "content_hash": pl.String, "signed_by": pl.String, "signed_on": pl.Date}
    if mine.is_empty():
        return pl.DataFrame(schema=schema)
    now = reset.reset(month, scores, told, following, budgets=budgets)
    signed_before = (
        {}
        if previous is None
        else {
            (row["scope"], row["signed_by"], row["signed_on"]): row["content_hash"]
            for row in previous.filter((pl.col("month") == month) & pl.col("signed_by").is_not_null()).iter_rows(named=True)
        }
    )
    rows = []
    for row in mine.iter_rows(named=True):
        scopes = [row["scope"]] if row["scope"] else now["scope"].to_list()
        for scope in scopes:
            fresh = now.filter(pl.col("scope") == scope)["content_hash"]
            digest = row["content_hash"] or signed_before.get(
                (scope, row["signed_by"], row["signed_on"]), fresh[0] if len(fresh) else None
            )
            if digest:
                rows.append({"scope": scope, "month": month, "content_hash": digest, "signed_by": row["signed_by"], "signed_on": row["signed_on"]})
    return pl.DataFrame(rows, schema=schema)


def _known_cells(
    base: pl.DataFrame, changes: pl.DataFrame, usage: pl.DataFrame, actions: pl.DataFrame, month: date
) -> pl.DataFrame | None:
    """Base cells with the changes the forecast could not know of, averaged over the month; None without such."""
    if changes.is_empty():
        return None
    drivers = estimate_drivers(usage, actions, month - timedelta(days=1))
    end = month_of(month)[1]
    days = [month + timedelta(days=i) for i in range((end - month).days)]
    found = factors(drivers, usable_changes(known_on(changes, end), drivers), days)
    if not found:
        return None
    table = pl.DataFrame(
        [
            {"workflow": w, "f_cost": f.cost.mean(), "f_calls": f.calls.mean(), **{f"f_{c}": f.tokens[:, i].mean() for i, c in enumerate(_TOKENS)}}
            for w, f in sorted(found.items())
        ]
    )
    rows = base.join(table, on="workflow", how="left").sort(_CELL)

    def times(column: str, factor: str, dtype: pl.Decimal) -> pl.Expr:
        on = pl.col(factor).is_not_null() & (pl.col("line") == variance.USAGE)
        return pl.when(on).then((pl.col(column).cast(pl.Float64) * pl.col(factor)).cast(dtype)).otherwise(pl.col(column)).alias(column)

    moved = rows.with_columns(
        times("calls", "f_calls", QUANTITY), *(times(c, f"f_{c}", QUANTITY) for c in _TOKENS),
        *(times(c, "f_cost", MONEY) for c in ["cost", *_COSTS]),
    )  # fmt: skip
    return moved.select(base.columns)


def _snapshot(cells: pl.DataFrame, month: date, side: str) -> pl.DataFrame:
    return cells.filter((pl.col("month") == month) & (pl.col("side") == side)).drop("month", "side")


def _told_bridge(effects: pl.DataFrame, base: pl.DataFrame, actual: pl.DataFrame, month: date, comparison: str) -> pl.DataFrame:
    return variance.bridge(effects, base, actual).with_columns(month=pl.lit(month), comparison=pl.lit(comparison))


def _top(effects: pl.DataFrame, one_offs: pl.DataFrame, month: date) -> pl.DataFrame:
    """The five cells of the total that moved most, labelled."""
    whole = effects.filter(pl.col("scope") == WHOLE)
    labels = reset.label_effects(whole, one_offs, month).group_by(_CELL).agg(pl.col("label").first())
    return variance.top_cells(whole).join(labels, on=_CELL).with_columns(month=pl.lit(month))


def estimate_drivers(usage: pl.DataFrame, actions: pl.DataFrame, cutoff: date) -> pl.DataFrame:
    """`drivers` of logged workflows over the 28 days up to `cutoff`: ratios of sums; 56 days, then all, below 30 calls.

    Prices are what was paid per 1,000,000 tokens of a class. Without user actions a request is its own action.
    """
    logged = usage.filter((pl.col("line") == variance.USAGE) & (pl.col("charge_date") <= cutoff))
    age = (pl.lit(cutoff) - pl.col("charge_date")).dt.total_days()
    # A workflow younger than the window is averaged over its own days.
    lives = logged.group_by("workflow").agg((age.max() + 1).alias("life"))
    sums = []
    for order, window in enumerate((*reset.WINDOWS, 10**6)):
        inside = logged.filter(age < window)
        enough = (pl.col("calls").sum().over("workflow") >= reset.MIN_CALLS) | pl.lit(window > max(reset.WINDOWS))
        acts = (
            actions.filter((pl.col("charge_date") <= cutoff) & (age < window))
            .group_by("workflow")
            .agg(pl.col("user_actions", "requests", "retries").sum().cast(pl.Float64))
        )
        # Sums of decimals do not depend on their order; sums of floats would.
        grouped = inside.group_by("workflow", "model").agg(pl.col("calls", *_TOKENS, *_COSTS).sum().cast(pl.Float64))
        sums.append(
            grouped.sort("workflow", "model")
            .filter(enough)
            .join(acts, on="workflow", how="left")
            .join(lives, on="workflow")
            .with_columns(order=pl.lit(order), days=pl.min_horizontal("life", pl.lit(window)))
        )
    best = pl.concat(sums).sort("workflow", "model", "order").filter(pl.col("order") == pl.col("order").min().over("workflow")).filter(pl.col("calls") > 0)
    whole, calls = pl.col("calls").sum().over("workflow"), pl.col("calls")
    counted = (pl.col("user_actions").fill_null(0) > 0) & (pl.col("requests").fill_null(0) > 0)
    # Attributed calls and logged requests differ a little; actions are scaled to the calls that cost money.
    retry = pl.when(counted).then(pl.col("retries") / (pl.col("requests") - pl.col("retries")).clip(lower_bound=1)).otherwise(0.0)
    fan_out = pl.when(counted).then(pl.col("requests") / pl.col("user_actions") / (1 + retry)).otherwise(1.0)
    return (
        best.with_columns(retry=retry.fill_null(0.0))
        .with_columns(fan_out=fan_out.fill_null(1.0))
        .select(
            "workflow", "model",
            user_actions=whole / pl.col("days") / pl.col("fan_out") / (1 + pl.col("retry")),
            fan_out=pl.col("fan_out"), retry=pl.col("retry"), share=calls / whole,
            **{f"tokens_{k}": pl.col(f"tokens_{k}") / calls for k in TOKEN_CLASSES},
            **{f"price_{k}": pl.when(pl.col(f"tokens_{k}") > 0).then(pl.col(f"cost_{k}") / pl.col(f"tokens_{k}") * 1e6).otherwise(0.0) for k in TOKEN_CLASSES},
        )
        .select(pl.col(c).cast(t) for c, t in DECISION_SCHEMAS["drivers"].items())
        .sort("workflow", "model")
    )  # fmt: skip


def _coming(given: Inputs, usage: pl.DataFrame, as_of: date, config: ForecastConfig, run_id: str) -> pl.DataFrame:
    """The month under way, the next three and their sum."""
    periods = [month_of(as_of), *next_months(as_of)]
    return typed(_outlook(given, usage, as_of, as_of, periods, config, run_id), "forecast_outlook")


def _with_and_without(given: Inputs, usage: pl.DataFrame, as_of: date, config: ForecastConfig, run_id: str) -> pl.DataFrame:
    used, drivers = _told(given, usage, as_of, as_of)
    _, found = forecast_with_changes(given.series, as_of, used, drivers, config=config, run_id=run_id)
    return typed(found.with_columns(as_of=pl.lit(as_of), run_id=pl.lit(run_id)), "forecast_changes")


def _scenarios(given: Inputs, drivers: pl.DataFrame, cutoff: date, out: dict[str, pl.DataFrame]) -> None:
    """User scenarios over the next three months, and one of every known change, the unsure ones too."""
    if drivers.is_empty():
        return
    periods = next_months(cutoff, SCENARIO_MONTHS)
    coming = given.known_changes.filter(pl.col("start") > cutoff)
    levers = [
        usable_changes(given.scenario_levers, drivers).select(
            pl.col(c).cast(t) for c, t in DECISION_SCHEMAS["levers"].items()
        ),
        as_levers(usable_changes(coming, drivers), "known-changes"),
    ]
    found = run_scenarios(drivers, pl.concat(levers), periods[0][0], periods[-1][1])
    composed = found.summary.select("scenario_id", "naive_sum", "product_form", "combined", "interaction_log")
    out["scenarios"] = typed(found.scenarios.join(composed, on="scenario_id", how="left"), "scenarios").sort(
        "scenario_id", "workflow", "month"
    )
    out["scenario_lever_shares"] = typed(found.levers, "scenario_lever_shares")


def _work_items(items: pl.DataFrame, out: dict[str, pl.DataFrame]) -> None:
    """Leave-one-out predictions of delivered items (the newest 1,500) and predictions of open ones."""
    done = (
        work_item_plan.eligible(items, ("call", "session", "person"))
        .sort("resolved_on", "item", descending=[True, False], nulls_last=True)
        .head(MAX_ITEMS)
        .sort("item")
    )
    if done.height < 2:
        return
    categories = ("work_item_type", "team")
    plan = work_item_plan.fit(done, categories)
    left_out = work_item_plan.leave_out(plan, done)
    parts = [left_out]
    under_way = items.filter(~pl.col("is_delivered") & ~pl.col("is_cancelled")).sort("item")
    if under_way.height:
        parts.append(work_item_plan.predict(plan, under_way))
        spent = under_way.with_columns(spent=pl.col("cost")).filter(pl.col("spent").cast(pl.Float64) > 0)
        parts.append(work_item_plan.in_flight(plan, spent))
    out["work_item_forecasts"] = typed(pl.concat(parts), "work_item_forecasts").sort("item", "mode")
    out["work_item_accuracy"] = typed(work_item_plan.scores(left_out), "work_item_accuracy")


def _steps_pmf(mean: float, longest: int) -> dict[int, float]:
    """Steps of a run from their mean and the step at which it is cut: geometric, the tail on the last step."""
    p = min(1.0, 1 / mean)
    mass = {n: p * (1 - p) ** (n - 1) for n in range(1, longest)}
    return mass | {longest: 1 - sum(mass.values())}


def _cost_notes(given: Inputs, as_of: date) -> pl.DataFrame:
    """Every note with what its model says and what the unit has cost since, at the newest month."""
    rows = []
    first, end = month_of(as_of)[1], month_of(month_of(as_of)[1])[1]
    days = [first + timedelta(days=i) for i in range((end - first).days)]
    for note in given.cost_notes.sort("note_id").iter_rows(named=True):
        prices = cost_model.Prices(
            note["input_price"], note["output_price"], note["cache_read_price"], note["cache_write_price"]
        )
        loop = cost_model.Loop(
            note["prefix_tokens"], note["user_tokens"], note["growth_tokens"], note["output_tokens"], cached=note["cached"]
        )
        longest = note["longest_run_steps"]
        design = cost_model.Design(loop, prices, _steps_pmf(note["mean_steps"], longest), longest)
        run = cost_model.run_distribution(design)
        limit = float(note["monthly_budget_usd"]) if note["monthly_budget_usd"] is not None else None
        month = cost_model.simulate_month(
            design, cost_model.Demand(note["actions_per_day"]), days, success=note["success_rate"], budget=limit
        )
        came = given.unit_costs.filter(
            (pl.col("workflow") == note["workflow"]) & (pl.col("unit") == note["unit"]) & (pl.col("month") >= note["launched_on"].replace(day=1))
        ).sort("month")
        actual = came["unit_cost"][-1] if came.height else None
        fields = ("driver", "expected_unit_cost", "fallback", "owner_person_id", "review_date")
        missing = [name for name in fields if note[name] in (None, "")]
        reasons = [f"missing: {name}" for name in missing]
        reasons += ["p80 of the month is over the budget"] if limit is not None and month.p80 > limit else []
        reasons += ["no second design to compare with"] if (note["designs_compared"] or 0) < 2 else []
        rows.append(
            {
                **{c: note[c] for c in ("note_id", "workflow", "launched_on", "driver", "unit", "expected_unit_cost", "fallback", "owner_person_id", "review_date")},
                "monthly_budget": note["monthly_budget_usd"], "actual_unit_cost": actual, "run_p50": run.p50, "run_p90": run.p90,
                "run_p95": run.p95, "run_mean": run.mean, "one_call": run.one_call, "month_mean": month.mean, "month_p80": month.p80,
                "p_over_budget": month.p_over_budget, "cost_per_success": month.cost_per_success, "surprise": month.surprise,
                "state": "draft" if missing else "open" if reasons else "approved", "reasons": "; ".join(reasons) or None,
                "is_due": note["review_date"] is not None and note["review_date"] <= as_of,
            }
        )  # fmt: skip
    schema = MONTHLY_SCHEMAS["cost_notes"]
    return pl.DataFrame(rows, schema={c: t for c, t in schema.items() if c != "error"}, orient="row").with_columns(
        error=(pl.col("actual_unit_cost") / pl.col("expected_unit_cost")).cast(pl.Float64) - 1
    ).select(schema.keys())  # fmt: skip


def _alerts(given: Inputs, kept: dict[str, pl.DataFrame], out: dict[str, pl.DataFrame], config: ForecastConfig) -> None:
    """Today's pacing joins what earlier days said; alerts are the fold over all of it."""
    keys = ["budget_id", "period_start", "as_of"]
    today = typed(given.pacing, "pacing_history")
    before = typed(kept["pacing_history"], "pacing_history") if "pacing_history" in kept else today.clear()
    history = pl.concat([before.join(today, on=keys, how="anti"), today]).sort(keys)
    out["pacing_history"] = history
    states = alerts.alert_states(history, config)
    told = history.select(*keys, "scope_type", "scope", "period_end", "budget", "mtd", "month_end", "p_breach", "breach_date_p50")
    rows = []
    for row in states.join(told, on=keys).iter_rows(named=True):
        left = (row["period_end"] - row["as_of"]).days
        typical = _typical_month(given.series, row["scope_type"], row["scope"], row["as_of"])
        rules = alerts.named_rules(float(row["mtd"]), float(row["budget"]), typical, left)
        rows.append(row | rules)
    schema = MONTHLY_SCHEMAS["budget_alerts"]
    out["budget_alerts"] = pl.DataFrame(rows, schema_overrides=dict(schema)).pipe(typed, "budget_alerts").sort(keys) if rows else pl.DataFrame(schema=schema)


def _typical_month(series: pl.DataFrame, level: str, scope: str | None, as_of: date) -> float | None:
    """Median of the last six whole months of a scope; None without any."""
    month = as_of.replace(day=1)
    mine = series.filter(
        (pl.col("level") == level)
        & ((pl.col("scope") == scope) | pl.lit(level == TOTAL))
        & (pl.col("charge_date") < month)
    )
    sums = (
        mine.group_by(pl.col("charge_date").dt.truncate("1mo"))
        .agg(pl.col("cost").sum().cast(pl.Float64), first=pl.col("charge_date").min())
        .filter(pl.col("first").dt.day() == 1)
        .sort("charge_date")
        .tail(reset.TRAILING_MONTHS)
    )
    found = sums["cost"].median()
    return float(found) if isinstance(found, (int, float)) else None


def _comparison(backtest: pl.DataFrame) -> pl.DataFrame:
    """The published method against the seasonal naive one at every horizon of days, on the same windows."""
    lengths = (("h7", 7), ("h14", 14), ("h30", 30))
    rows = [
        paired_bootstrap(backtest, method=PUBLISHED, peer=NAIVE_METHODS[0], horizon=horizon, days=days)
        for horizon, days in lengths
    ]
    return typed(pl.concat(rows), "method_comparison")
