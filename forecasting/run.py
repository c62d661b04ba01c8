"""One call from series and budgets to every published forecast frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from forecasting.backtest import (
    MONTH_END,
    NOT_MEASURED,
    ScoreBook,
    Windows,
    accuracy_frame,
    backtest_frame,
    coverage,
    run_windows,
)
from forecasting.config import ForecastConfig
from forecasting.hierarchy import TOTAL, Tree, build_tree, reconcile
from forecasting.intervals import NOMINAL_MISS, Pool, Sample, sample, to_total, upper_level, within_whole
from forecasting.models import Array, dormant, history_length, path, weekday_shape
from forecasting.pacing import NO_DATA, pace
from forecasting.schemas import BUDGET_COLUMNS, MONEY, SCHEMAS, empty
from forecasting.selection import BOTTOM_UP, METHODS, PUBLISHED, Candidates, candidates
from forecasting.series import Panel, build_panel, exact_spend


@dataclass(frozen=True)
class ForecastResult:
    """The published frames, each with exactly the columns and types of `forecasting.schemas.SCHEMAS`, sorted."""

    forecast_daily: pl.DataFrame = field(default_factory=lambda: empty("forecast_daily"))
    forecast_total: pl.DataFrame = field(default_factory=lambda: empty("forecast_total"))
    backtest: pl.DataFrame = field(default_factory=lambda: empty("backtest"))
    budget_pacing: pl.DataFrame = field(default_factory=lambda: empty("budget_pacing"))
    accuracy: pl.DataFrame = field(default_factory=lambda: empty("accuracy"))

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every frame by name."""
        return {name: getattr(self, name) for name in SCHEMAS}


@dataclass(frozen=True)
class Prepared:
    """What the frame builders share: one panel, its candidates, back-tests and reconciled daily paths after it."""

    tree: Tree
    found: Candidates
    book: ScoreBook
    windows: dict[str, Windows]
    paths: Array
    config: ForecastConfig
    as_of: date
    drawn: dict[tuple[str, int, bytes], tuple[Array, Array]] = field(default_factory=dict)

    @property
    def panel(self) -> Panel:
        return self.tree.panel

    def method(self, s: int) -> str:
        """Name of the published forecast; `+wls` says that it was reconciled to the total."""
        if s == self.tree.total and self.tree.bottom is not None:
            return BOTTOM_UP
        name = METHODS[self.found.choice[s, -1]]
        level = self.panel.levels[s]
        return f"{name}+wls" if self.tree.member[s] and level not in (TOTAL, self.tree.bottom) else name

    def quality(self, s: int) -> str:
        """`ok`, `thin` (under 14 active days), `dormant` (no spend in 28 days) or `gap` (the last day is not known)."""
        panel = self.panel
        if dormant(panel.cost[s : s + 1])[0, -1]:
            return "dormant"
        if not panel.observed[s, -1]:
            return "gap"
        return "thin" if ((panel.cost[s] > 0) & panel.observed[s]).sum() < self.config.thin_active_days else "ok"

    def sample(self, s: int, horizon: int) -> Sample | None:
        """Scores for series `s`: its own and its siblings'; never those of the `other` it is a part of."""
        if not 0 < horizon < self.panel.days:
            return None
        others = [i for i in self.tree.children(self.panel.levels[s]) if i != s]
        if self.tree.grouped[s]:
            others = [i for i in others if not self.panel.keys[i].endswith(":other")]
        return sample(self.book.scores(horizon), s, others, horizon, self.config)

    def ends(self, s: int, first: date, end: date, miss: Array) -> tuple[float, list[tuple[float, float]]] | None:
        """Effective windows, and (low, high) of what is still to come in [first, end) per column of `miss` (series, levels).

        For published series. None without enough scores; (0, 0) when nothing is to come. A part's upper end is at most
        the total's.
        """
        horizon = max((end - self.panel.cutoff).days - 1, 0)
        if horizon == 0:
            return 0.0, [(0.0, 0.0)] * miss.shape[1]
        if horizon >= self.panel.days:
            return None
        at = self.tree.children(self.panel.levels[s]).index(s)
        n_eff, score = self._scores(self.panel.levels[s], horizon, miss)
        if n_eff[at] < self.config.min_effective_windows:
            return None
        point = np.asarray([self.remaining(s, first, end).sum()])
        low, high = np.split(to_total(point, self.book.offset(horizon)[s, -1], score[at]), 2)
        low, high = np.minimum(low, point), np.maximum(high, point)
        whole = None if s == self.tree.total else self.ends(self.tree.total, first, end, miss)
        if whole is not None:
            high = within_whole(point, high, np.asarray([most for _, most in whole[1]]))
        return float(n_eff[at]), list(zip(low.tolist(), high.tolist(), strict=True))

    def _scores(self, level: str, horizon: int, miss: Array) -> tuple[Array, Array]:
        """Effective windows of a level's published series and their scores at the lower, then the upper ends.

        Sorted once for all of them: for a series at a time the work would grow with the square of their number.
        """
        key = (level, horizon, miss.tobytes())
        if key not in self.drawn:
            rows = self.tree.children(level)
            pool = Pool.at(self.book.scores(horizon)[rows], self.panel.days - 1, horizon, self.config)
            n_eff = pool.n_eff()
            upper = upper_level(miss[rows], np.where(n_eff > 0, n_eff, 1.0)[:, None])
            empty = np.full((len(rows), 2 * miss.shape[1]), np.nan)
            score = pool.quantiles(np.concatenate([1 - upper, upper], axis=1)) if len(pool.values) else empty
            self.drawn[key] = n_eff, score
        return self.drawn[key]

    def remaining(self, s: int, first: date, end: date) -> Array:
        """Daily forecasts of the days of [first, end) that are after the cutoff."""
        day_one = self.panel.cutoff + timedelta(days=1)
        begin, stop = max((first - day_one).days, 0), max((end - day_one).days, 0)
        return self.paths[s, begin:stop]

    def spent(self, s: int, first: date) -> Array:
        """Daily cost from `first` to the cutoff, unknown days filled."""
        begin = (first - self.panel.first_day).days
        return np.pad(self.panel.cost[s, max(begin, 0) :], (max(-begin, 0), 0))


def month_of(day: date) -> tuple[date, date]:
    """First day of the calendar month of a day, and of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _reconciled_paths(tree: Tree, found: Candidates, windows: dict[str, Windows], days: int, horizon: str) -> Array:
    """Daily published paths (series, days): the total bottom-up, every other level reconciled to it day by day."""
    paths = path(found.published[:, -1], days)
    window = windows[horizon]
    for level in dict.fromkeys(tree.panel.levels):
        rows = tree.children(level)
        if level in (TOTAL, tree.bottom) or not rows:
            continue
        error = (window.forecast[PUBLISHED] - window.actual)[rows]
        known = np.isfinite(error) & window.usable[rows]
        measured = known.any(axis=1)
        squared = np.where(known, error, 0.0) ** 2
        guess = window.forecast[PUBLISHED][rows, -1] ** 2
        variance = np.where(measured, squared.sum(axis=1) / np.maximum(known.sum(axis=1), 1), guess)
        floor = 1e-6 * max(float(window.forecast[PUBLISHED][tree.total, -1]) ** 2, 1e-12)
        _, paths[rows] = reconcile(paths[tree.total], paths[rows], np.maximum(np.nan_to_num(variance), floor))
    return paths


def prepare(panel: Panel, as_of: date, config: ForecastConfig, days: int, *, with_intervals: bool = True) -> Prepared:
    """Candidates, back-tests and the published daily paths of the next `days` days. Raises SeriesError.

    Without intervals only the longest horizon is back-tested: it is what levels are reconciled by.
    """
    tree = build_tree(panel, config)
    found = candidates(tree, config)
    book = ScoreBook(tree.panel, found.published, config)
    longest = f"h{max(config.horizons)}"
    kinds = (*(f"h{h}" for h in config.horizons), MONTH_END) if with_intervals else (longest,)
    windows = {k: run_windows(tree, found, book, k, config, with_intervals=with_intervals) for k in kinds}
    paths = _reconciled_paths(tree, found, windows, days, longest)
    return Prepared(tree, found, book, windows, paths, config, as_of)


def _daily(run: Prepared, days: int) -> pl.DataFrame:
    targets = [run.panel.cutoff + timedelta(days=i + 1) for i in range(days)]
    parts = [
        pl.DataFrame({"target_date": targets, "point": run.paths[s, :days]}).with_columns(
            series_key=pl.lit(run.panel.keys[s]),
            level=pl.lit(run.panel.levels[s]),
            scope=pl.lit(run.panel.scopes[s]),
            as_of=pl.lit(run.as_of),
            method=pl.lit(run.method(s)),
            state=pl.lit(run.quality(s)),
        )
        for s in np.flatnonzero(run.tree.member).tolist()
    ]
    return pl.concat(parts).sort("series_key", "level", "target_date")


def _total_row(run: Prepared, s: int, kind: str) -> dict[str, object]:
    panel, config, window = run.panel, run.config, run.windows[kind]
    if kind == MONTH_END:
        first, end = month_of(run.as_of)
        spent = float(run.spent(s, first).sum())
    else:
        first, spent = panel.cutoff + timedelta(days=1), 0.0
        end = first + timedelta(days=int(kind[1:]))
    daily = run.remaining(s, first, end)
    forecast = float(daily.sum())
    row: dict[str, object] = {
        "series_key": panel.keys[s], "level": panel.levels[s], "scope": panel.scopes[s], "as_of": run.as_of,
        "period_kind": kind, "period_start": first, "period_end": end, "point": spent + forecast,
        "method": run.method(s), "quality": run.quality(s), "coverage_state": NOT_MEASURED,
    }
    ends = run.ends(s, first, end, window.miss)
    if ends is not None:
        n_eff, ((lo80, hi80), (lo95, hi95)) = ends
        row |= {"lo80": spent + lo80, "hi80": spent + hi80, "n_eff": n_eff or None}
        row |= {"lo95": spent + min(lo80, lo95), "hi95": spent + max(hi80, hi95)}
    share, count, _ = coverage(window, s, panel.days, config)
    if count >= config.coverage_min_windows:
        row |= {"coverage80_180d": share[0], "coverage95_180d": share[1], "coverage_state": "measured"}
    return row


def validate_budgets(budgets: pl.DataFrame) -> pl.DataFrame:
    """Budgets with exact amounts, sorted. Raises ValueError naming the budget for what cannot be paced."""
    missing = [name for name in BUDGET_COLUMNS if name not in budgets.columns]
    if missing:
        raise ValueError(f"budgets lack the columns {', '.join(missing)}")
    rows = budgets.select(
        pl.col("budget_id", "scope_type").cast(pl.String),
        pl.col("scope").cast(pl.String).fill_null(""),
        pl.col("period_start", "period_end").cast(pl.Date),
        pl.col("amount_usd").cast(MONEY),
    ).sort("budget_id", "period_start")
    for row in rows.iter_rows(named=True):
        if any(value is None for value in row.values()):
            raise ValueError(f"budget {row['budget_id']!r}: every column needs a value")
        if row["amount_usd"] < 0 or row["period_end"] <= row["period_start"]:
            raise ValueError(f"budget {row['budget_id']!r}: negative amount or empty period")
    for key in rows.filter(pl.struct("budget_id", "period_start").is_duplicated())["budget_id"].head(1):
        raise ValueError(f"budget {key!r}: two rows for one period")
    return rows


def _active(budgets: pl.DataFrame, as_of: date) -> pl.DataFrame:
    return budgets.filter((pl.col("period_start") <= as_of) & (pl.col("period_end") > as_of))


def _pacing_row(run: Prepared, series: pl.DataFrame, budget: dict[str, object]) -> dict[str, object]:
    panel, tree = run.panel, run.tree
    first, end, amount = budget["period_start"], budget["period_end"], budget["amount_usd"]
    assert isinstance(first, date) and isinstance(end, date) and isinstance(amount, Decimal)
    level, scope = str(budget["scope_type"]), str(budget["scope"])
    row: dict[str, object] = {
        "budget_id": budget["budget_id"], "scope_type": level, "scope": scope, "period_start": first, "period_end": end,
        "as_of": run.as_of, "budget": amount,
    }
    if level == TOTAL:
        found = [tree.total]
        source = level if (series["level"] == TOTAL).any() else tree.bottom or level
        row["mtd"] = exact_spend(series, source, None, first, panel.cutoff)
    else:
        found = [i for i in panel.of_level(level) if panel.scopes[i] == scope]
        row["mtd"] = exact_spend(series, level, scope, first, panel.cutoff)
    if not found:
        return row | {"level": NO_DATA}
    s = found[0]
    daily = run.remaining(s, first, end)
    horizon = max((end - panel.cutoff).days - 1, 0)
    monthly = (first, end) == month_of(run.as_of)
    miss = run.windows[MONTH_END].miss[:, :1] if monthly else np.full((len(panel.keys), 1), NOMINAL_MISS[0])
    whole = None if s == tree.total else run.ends(tree.total, first, end, miss)
    length = history_length(panel.start, panel.days)[s : s + 1]
    # Position j of the shape is the weekday of cutoff + 1 + j; pacing wants Monday first.
    shape = weekday_shape(panel.cost[s : s + 1], length)[0, -1] if length[0, -1] >= 28 else np.ones(7)
    weekdays = np.roll(shape, (panel.cutoff.weekday() + 1) % 7)
    state = pace(
        budget=float(amount),
        first=first,
        end=end,
        cutoff=panel.cutoff,
        spent=run.spent(s, first),
        daily=daily,
        sample=run.sample(s, horizon),
        c=float(run.book.offset(horizon)[s, -1]) if horizon else 0.0,
        config=run.config,
        completeness=run.config.completeness.get(panel.keys[s], 1.0),
        weekday_weight=[float(w) for w in weekdays],
        miss80=float(miss[s, 0]),
        most=whole[1][0][1] if whole else None,
    )
    return row | {
        "mtd_adjusted": state.mtd_adjusted, "plan_to_date": state.plan_to_date, "pace_index": state.pace_index,
        "linear_pace_index": state.linear_pace_index, "month_end": state.month_end, "lo80": state.lo80,
        "hi80": state.hi80, "p_breach": state.p_breach, "breach_date_p10": state.breach_p10,
        "breach_date_p50": state.breach_p50, "breach_date_p90": state.breach_p90, "level": state.level,
    }


def forecast(
    series: pl.DataFrame, as_of: date, budgets: pl.DataFrame, *, config: ForecastConfig | None = None, run_id: str
) -> ForecastResult:
    """Forecast every series from what is known on `as_of` and pace the budgets whose period holds `as_of`.

    `series`: rows of `SERIES_COLUMNS`, one per series and complete day, zero days included; days after `as_of` are
    ignored. The data cutoff is the last complete day up to `as_of` (`last_complete_day`): `as_of` may be the day after
    it, and late data moves the cutoff, not the month that is forecast. Child points add to the total on every day and
    in every period; intervals come from each series' own scores, before reconciliation, and are not expected to add.
    Same rows (in any order) and config give equal frames. Raises SeriesError or ValueError naming the series or budget.
    """
    config = config or ForecastConfig()
    chosen = validate_budgets(budgets)
    panel = build_panel(series, as_of, config.wait_days)
    if panel is None:
        return ForecastResult()
    active = _active(chosen, as_of)
    cutoff = panel.cutoff
    ahead = max(max(config.horizons), (month_of(as_of)[1] - cutoff).days - 1)
    longest = max([ahead, *((end - cutoff).days - 1 for end in active["period_end"])])
    run = prepare(panel, as_of, config, longest)
    tree, windows, kinds = run.tree, run.windows, list(run.windows)
    audit = {"run_id": run_id, "data_cutoff": cutoff, "config_hash": config.hash()}
    totals = [_total_row(run, s, kind) for s in np.flatnonzero(tree.member).tolist() for kind in kinds]
    pacing = [_pacing_row(run, series, budget) for budget in active.iter_rows(named=True)]

    def shaped(name: str, frame: pl.DataFrame) -> pl.DataFrame:
        with_audit = frame.with_columns(**{key: pl.lit(value) for key, value in audit.items()})
        return with_audit.select(pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items())

    def from_rows(name: str, rows: list[dict[str, object]], *order: str) -> pl.DataFrame:
        schema = {column: dtype for column, dtype in SCHEMAS[name].items() if column not in audit}
        return shaped(name, pl.DataFrame(rows, schema=schema).sort(*order))

    return ForecastResult(
        forecast_daily=shaped("forecast_daily", _daily(run, ahead)),
        forecast_total=from_rows("forecast_total", totals, "series_key", "level", "period_kind"),
        backtest=shaped("backtest", backtest_frame(tree, list(windows.values()))),
        budget_pacing=from_rows("budget_pacing", pacing, "budget_id", "period_start"),
        accuracy=shaped("accuracy", accuracy_frame(tree, list(windows.values()), config)),
    )

