"""Rolling-origin back-tests: every method side by side, intervals as they would have been published, measured error.

Origins are every 5 days counted back from the cutoff, so the last one is the forecast published today. All estimation
and selection at an origin uses days up to it. Source: Tashman (2000), Out-of-sample tests of forecasting accuracy.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from forecasting.config import ForecastConfig
from forecasting.hierarchy import Tree
from forecasting.intervals import (
    Pool,
    actual_totals,
    adapt,
    bounds,
    offset,
    scores,
    to_total,
    upper_level,
    widen,
    wilson,
    within_whole,
)
from forecasting.models import Array, Index, history_length, path, period_sum
from forecasting.schemas import AUDIT_COLUMNS, SCHEMAS
from forecasting.selection import METHODS, PUBLISHED, Candidates, min_training
from forecasting.series import Panel

MONTH_END = "month_end"
NOT_MEASURED = "coverage: not yet measured"


def days_left(day: date) -> int:
    """Days of the calendar month after `day`."""
    return monthrange(day.year, day.month)[1] - day.day


@dataclass(frozen=True)
class Windows:
    """Back-test of one horizon. Arrays are (series, origins) and, for intervals, (series, origins, 80/95).

    `forecast` holds one array per method and `published`; `actual` is NaN while a window is open. For `month_end` both
    are month totals, month to date included. `miss` is the adapted miscoverage each series holds after the last origin.
    """

    kind: str
    origins: Index
    lengths: Index
    usable: np.ndarray
    forecast: dict[str, Array]
    actual: Array
    mase: dict[str, Array]
    low: Array
    high: Array
    n_eff: Array
    miss: Array


class ScoreBook:
    """Scores of the published forecast by horizon, computed once each."""

    def __init__(self, panel: Panel, published: Array, config: ForecastConfig) -> None:
        self._panel, self._published, self._config = panel, published, config
        self._scores: dict[int, Array] = {}
        self._offsets: dict[int, Array] = {}

    def scores(self, horizon: int) -> Array:
        """Scores (series, days) for totals over `horizon` days."""
        if horizon not in self._scores:
            self._scores[horizon] = scores(self._panel, self._published, horizon, self._config)
        return self._scores[horizon]

    def offset(self, horizon: int) -> Array:
        """The constant `c` (series, days) for totals over `horizon` days."""
        if horizon not in self._offsets:
            self._offsets[horizon] = offset(self._panel, horizon, self._config)
        return self._offsets[horizon]


def origins(panel: Panel, step: int) -> Index:
    """As-of days of the back-test, ascending; the last is the cutoff."""
    return np.arange(panel.days - 1, -1, -step)[::-1].astype(np.int64)


def _seasonal_scale(panel: Panel) -> Array:
    """In-sample mean |y(t) - y(t-7)| up to each day, NaN where it is zero; (series, days)."""
    change = np.zeros_like(panel.cost)
    change[:, 7:] = np.abs(panel.cost[:, 7:] - panel.cost[:, :-7])
    inside = np.arange(panel.days)[None, :] >= panel.start[:, None] + 7
    total, count = np.cumsum(np.where(inside, change, 0.0), axis=1), np.cumsum(inside, axis=1)
    return np.where(total > 0, total / np.maximum(count, 1), np.nan)


def run_windows(
    tree: Tree, found: Candidates, book: ScoreBook, kind: str, config: ForecastConfig, *, with_intervals: bool = True
) -> Windows:
    """Back-test one horizon: `month_end`, or `h` followed by a number of days. Intervals are NaN where not asked for."""
    panel = tree.panel
    calendar = panel.calendar
    points = origins(panel, config.origin_step)
    if kind == MONTH_END:
        lengths = np.asarray([days_left(calendar[o]) for o in points], dtype=np.int64)
    else:
        lengths = np.full(len(points), int(kind[1:]), dtype=np.int64)
    patterns = {**found.patterns, PUBLISHED: found.published}
    count, width = len(panel.keys), len(points)
    forecast = {name: np.full((count, width), np.nan) for name in patterns}
    mase = {name: np.full((count, width), np.nan) for name in patterns}
    actual, c = np.full((count, width), np.nan), np.zeros((count, width))
    spent = np.zeros((count, width))
    scale = _seasonal_scale(panel)
    before = np.pad(np.cumsum(panel.cost, axis=1), ((0, 0), (1, 0)))
    for h in np.unique(lengths[lengths > 0]):
        at = np.flatnonzero(lengths == h)
        days = points[at]
        if kind == MONTH_END:
            opening = days - np.asarray([calendar[o].day for o in days]) + 1
            spent[:, at] = before[:, days + 1] - before[:, np.maximum(opening, 0)]
        actual[:, at] = actual_totals(panel, int(h))[:, days]
        c[:, at] = book.offset(int(h))[:, days]
        resolved = days + h < panel.days
        coming = panel.cost[:, (days[resolved, None] + 1 + np.arange(h)[None, :])]
        for name, pattern in patterns.items():
            here = pattern[:, days]
            forecast[name][:, at] = period_sum(here, int(h))
            error = np.abs(path(here[:, resolved], int(h)) - coming).mean(axis=-1)
            mase[name][:, at[resolved]] = error / scale[:, days[resolved]]
    trained = history_length(panel.start, panel.days)[:, points] >= min_training(panel, config)[:, None]
    measured = points if with_intervals else points[:0]
    low, high, n_eff, miss = _intervals(tree, book, kind, measured, lengths, forecast[PUBLISHED], actual, c, config)
    return Windows(
        kind=kind,
        origins=points,
        lengths=lengths,
        usable=trained & (lengths > 0),
        forecast={name: value + spent for name, value in forecast.items()},
        actual=actual + spent,
        mase=mase,
        low=low + spent[:, :, None],
        high=high + spent[:, :, None],
        n_eff=n_eff,
        miss=miss,
    )


def _intervals(
    tree: Tree, book: ScoreBook, kind: str, points: Index, lengths: Index, point: Array, actual: Array, c: Array,
    config: ForecastConfig,
) -> tuple[Array, Array, Array, Array]:
    """Adaptive pooled conformal intervals at each origin; feedback of a window arrives when it is over."""
    count, width = point.shape
    low, high = np.full((count, width, 2), np.nan), np.full((count, width, 2), np.nan)
    effective = np.zeros((count, width))
    miss = bounds(count)
    waiting = 0
    panel = tree.panel
    groups = [np.asarray(tree.children(level)) for level in dict.fromkeys(panel.levels) if tree.children(level)]
    for k, origin in enumerate(points):
        while waiting < k and points[waiting] + lengths[waiting] <= origin:
            a, lo, hi = actual[:, waiting, None], low[:, waiting], high[:, waiting]
            heard = np.isfinite(a) & np.isfinite(lo)
            miss = np.where(heard, adapt(miss, (a < lo) | (a > hi), config), miss)
            waiting += 1
        h = int(lengths[k])
        if h == 0:
            continue
        for rows in groups:
            pool = Pool.at(book.scores(h)[rows], int(origin), h, config)
            n_eff = pool.n_eff()
            enough = n_eff >= config.min_effective_windows
            if not enough.any():
                continue
            upper = upper_level(miss[rows], np.where(enough, n_eff, 1.0)[:, None])
            score = pool.quantiles(np.concatenate([1 - upper, upper], axis=1))
            ends = to_total(point[rows, k, None], c[rows, k, None], score)
            below, above = widen(point[rows, k], ends[:, :2], ends[:, 2:])
            low[rows, k] = np.where(enough[:, None], below, np.nan)
            high[rows, k] = np.where(enough[:, None], above, np.nan)
            effective[rows, k] = np.where(enough, n_eff, 0.0)
        parts = np.arange(count) != tree.total
        high[parts, k] = within_whole(point[parts, k, None], high[parts, k], high[tree.total, k])
    return low, high, effective, miss


def backtest_frame(tree: Tree, results: list[Windows]) -> pl.DataFrame:
    """One row per published series, origin, horizon and method, no audit columns; intervals for `published` only."""
    panel = tree.panel
    keys, levels = np.asarray(panel.keys), np.asarray(panel.levels)
    calendar = np.asarray(panel.calendar, dtype="datetime64[D]")
    parts = []
    for window in results:
        for name in (*METHODS, PUBLISHED):
            value = window.forecast[name]
            s, k = np.nonzero(window.usable & np.isfinite(value) & tree.member[:, None])
            blank = np.full(len(s), np.nan)
            own = name == PUBLISHED
            parts.append(
                pl.DataFrame(
                    {
                        "series_key": keys[s],
                        "level": levels[s],
                        "as_of": calendar[window.origins[k]],
                        "horizon": pl.Series([window.kind], dtype=pl.String).new_from_index(0, len(s)),
                        "method": pl.Series([name], dtype=pl.String).new_from_index(0, len(s)),
                        "forecast": value[s, k],
                        "actual": window.actual[s, k],
                        "lo80": window.low[s, k, 0] if own else blank,
                        "hi80": window.high[s, k, 0] if own else blank,
                        "lo95": window.low[s, k, 1] if own else blank,
                        "hi95": window.high[s, k, 1] if own else blank,
                        "error": value[s, k] - window.actual[s, k],
                        "is_resolved": np.isfinite(window.actual[s, k]),
                    }
                )
            )
    frame = pl.concat(parts).with_columns(pl.selectors.float().fill_nan(None))
    return frame.sort("series_key", "level", "as_of", "horizon", "method")


def independent_windows(origin: Index, lengths: Index) -> int:
    """Largest number of the resolved windows (origin, length) that do not overlap."""
    taken, free = 0, -1
    for end, first in sorted(zip((origin + lengths).tolist(), origin.tolist(), strict=True)):
        if first >= free:
            taken, free = taken + 1, end
    return taken


def coverage(window: Windows, series: int, days: int, config: ForecastConfig) -> tuple[list[float], int, float]:
    """Measured coverage (80, 95) over the trailing days, resolved windows behind it, and their effective number."""
    ends = window.origins + window.lengths
    known = np.isfinite(window.actual[series]) & np.isfinite(window.low[series, :, 0]) & window.usable[series]
    known &= ends >= days - config.coverage_days
    count = int(known.sum())
    if count == 0:
        return [], 0, 0.0
    actual = window.actual[series, known, None]
    inside = (actual >= window.low[series, known]) & (actual <= window.high[series, known])
    span = count * config.origin_step / float(window.lengths[known].mean())
    return [float(x) for x in inside.mean(axis=0)], count, min(float(count), span)


def accuracy_frame(tree: Tree, results: list[Windows], config: ForecastConfig) -> pl.DataFrame:
    """Measured error per published series, horizon and method, without audit columns.

    Nothing is printed below 3 non-overlapping windows: the state says how many there are.
    """
    rows = []
    panel = tree.panel
    for s in np.flatnonzero(tree.member):
        for window in results:
            resolved = window.usable[s] & np.isfinite(window.actual[s])
            share, count, span = coverage(window, int(s), panel.days, config)
            naive = np.abs(window.forecast["seasonal_naive"][s] - window.actual[s])
            for name in (*METHODS, PUBLISHED):
                row: dict[str, object] = {
                    "series_key": panel.keys[s], "level": panel.levels[s], "horizon": window.kind, "method": name,
                }
                both = resolved & np.isfinite(window.forecast[name][s])
                error = window.forecast[name][s, both] - window.actual[s, both]
                apart = independent_windows(window.origins[both], window.lengths[both])
                row |= {"windows": int(both.sum()), "independent_windows": apart}
                if apart < config.min_windows:
                    row["state"] = f"insufficient data: {apart} of {config.min_windows} windows"
                else:
                    spend, peer = window.actual[s, both].sum(), naive[both].sum()
                    scaled = window.mase[name][s, both]
                    scaled = scaled[np.isfinite(scaled)]
                    row |= {
                        "wape": float(np.abs(error).sum() / spend) if spend > 0 else None,
                        "bias": float(error.sum() / spend) if spend > 0 else None,
                        "mase": float(scaled.mean()) if len(scaled) else None,
                        "relative_wape": float(np.abs(error).sum() / peer) if peer > 0 else None,
                        "state": "measured" if spend > 0 else "no spend in the windows",
                    }
                    if name == PUBLISHED and count >= config.coverage_min_windows:
                        for label, hit in zip(("80", "95"), share, strict=True):
                            lo, hi = wilson(hit * span, span)
                            row |= {f"coverage{label}": hit, f"coverage{label}_lo": lo, f"coverage{label}_hi": hi}
                rows.append(row)
    schema = {name: dtype for name, dtype in SCHEMAS["accuracy"].items() if name not in AUDIT_COLUMNS}
    return pl.DataFrame(rows, schema=schema).sort("series_key", "level", "horizon", "method")
