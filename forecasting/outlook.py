"""The coming months after a close, each with its range, and their sum: what the monthly reset proposes to plan with.

The range of a month that begins weeks ahead comes from scores of totals with the same lead and length, so it is wider
than that of the next days. Months add to the quarter in points; ranges are not expected to add.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from forecasting.config import ForecastConfig
from forecasting.hierarchy import TOTAL
from forecasting.intervals import NOMINAL_MISS, offset, sample, scores, within_whole
from forecasting.known_changes import factors, known_on, restate, target_factors
from forecasting.models import Array
from forecasting.run import Prepared, month_of, prepare
from forecasting.schemas import DECISION_SCHEMAS
from forecasting.series import Panel, build_panel

NO_RANGE = "range: not yet measured"


def next_months(closed: date, count: int = 3) -> list[tuple[date, date]]:
    """The `count` calendar months after the month of `closed`, half-open, and the whole of them last."""
    periods, first = [], month_of(closed)[1]
    for _ in range(count):
        periods.append(month_of(first))
        first = periods[-1][1]
    return [*periods, (periods[0][0], periods[-1][1])]


def outlook(
    series: pl.DataFrame,
    as_of: date,
    periods: Sequence[tuple[date, date]],
    *,
    changes: pl.DataFrame | None = None,
    drivers: pl.DataFrame | None = None,
    config: ForecastConfig | None = None,
    run_id: str,
) -> pl.DataFrame:
    """Rows of `forecast_outlook` for every published series and period, sorted. Raises as `forecast` does.

    With `changes` (and the `drivers` they act on) history and future carry the known changes of that day; then only the
    total and its workflows are returned, which add up. A range needs two effective windows, else `range_state` says so.
    """
    config = config or ForecastConfig()
    plain = build_panel(series, as_of, config.wait_days)
    if plain is None or not periods:
        return pl.DataFrame(schema=DECISION_SCHEMAS["forecast_outlook"])
    cutoff = plain.cutoff
    ahead = [cutoff + timedelta(days=i + 1) for i in range(max((max(e for _, e in periods) - cutoff).days - 1, 1))]
    used = known_on(changes, as_of) if changes is not None and drivers is not None else None
    found = {}
    days = [*plain.calendar, *ahead]
    if used is not None and drivers is not None:
        found = factors(drivers, used, days)
    panel = build_panel(restate(series, found, days), as_of, config.wait_days) if found else plain
    assert panel is not None and panel.cutoff == cutoff
    run = prepare(panel, as_of, config, len(ahead), with_intervals=False)
    scaled = run.paths.copy()
    members = np.flatnonzero(run.tree.member).tolist()
    if found:
        members = [i for i in members if run.panel.levels[i] in (TOTAL, "workflow")]
        flow = [i for i in members if run.panel.levels[i] == "workflow"]
        by_scope = target_factors([run.panel.scopes[i] for i in flow], ahead, series, found, days)
        for i in flow:
            scaled[i] = run.paths[i] * by_scope.get(run.panel.scopes[i], 1.0)
        scaled[run.tree.total] = scaled[flow].sum(axis=0)
    known = {key: plain.cost[i] for i, key in enumerate(plain.keys)} if found else {}
    book: dict[tuple[int, int], Array] = {}
    rows = []
    for first, end in periods:
        begin, stop = max((first - cutoff).days - 1, 0), max((end - cutoff).days - 1, 0)
        whole: dict[str, object] = {}
        for i in sorted(members, key=lambda k: k != run.tree.total):  # the whole first
            spent = _spent(run, plain, known, i, first, end)
            base, point = float(run.paths[i, begin:stop].sum()), float(scaled[i, begin:stop].sum())
            row: dict[str, object] = {
                "series_key": run.panel.keys[i],
                "level": run.panel.levels[i],
                "scope": run.panel.scopes[i],
                "as_of": as_of,
                "period_start": first,
                "period_end": end,
                "spent": spent,
                "point": spent + point,
                "method": run.method(i),
                "quality": run.quality(i),
                "has_known_changes": bool(found),
                "range_state": NO_RANGE,
                "run_id": run_id,
                "data_cutoff": cutoff,
                "config_hash": config.hash(),
            }
            ends = _range(run, book, i, begin, stop - begin, base, point, spent, config)
            whole = whole or {"spent": spent, **ends}
            rows.append(row | ends | _within(whole, ends, spent, spent + point))
    frame = pl.DataFrame(rows, schema=DECISION_SCHEMAS["forecast_outlook"])
    return frame.sort("level", "series_key", "period_start", "period_end")


def _within(whole: dict[str, object], ends: dict[str, object], spent: float, point: float) -> dict[str, object]:
    """Upper ends of a part, held to what the whole may still cost (`within_whole`)."""
    out: dict[str, object] = {}
    for name in ("hi80", "hi95"):
        high, most = ends.get(name), whole.get(name)
        if isinstance(high, float) and isinstance(most, float):
            room = spent + most - float(str(whole["spent"]))
            out[name] = float(within_whole(np.asarray(point), np.asarray(high), np.asarray(room)))
    return out


def _spent(run: Prepared, plain: Panel, known: dict[str, Array], i: int, first: date, end: date) -> float:
    """Cost from `first` up to the cutoff or the end, as measured; for grouped series as the tree has it."""
    key = run.panel.keys[i]
    begin, stop = max((first - plain.first_day).days, 0), max((end - plain.first_day).days, 0)
    return float(known.get(key, run.panel.cost[i])[begin:stop].sum())


def _range(
    run: Prepared,
    book: dict[tuple[int, int], Array],
    i: int,
    lead: int,
    length: int,
    base: float,
    point: float,
    spent: float,
    config: ForecastConfig,
) -> dict[str, object]:
    if length <= 0:
        return {**dict.fromkeys(("lo80", "hi80", "lo95", "hi95"), spent), "range_state": "known"}
    if lead + length >= run.panel.days:
        return {}
    if (lead, length) not in book:
        book[lead, length] = scores(run.panel, run.found.published, length, config, lead)
    others = [k for k in run.tree.children(run.panel.levels[i]) if k != i]
    drawn = sample(book[lead, length], i, others, lead + length, config)
    if drawn is None:
        return {}
    c = float(offset(run.panel, length, config)[i, -1])
    ratio = point / base if base > 0 else 1.0
    ends = [drawn.interval(base, c, miss) for miss in NOMINAL_MISS]
    lo80, hi80, lo95, hi95 = (spent + ratio * value for pair in ends for value in pair)
    return {
        "lo80": lo80,
        "hi80": hi80,
        "lo95": min(lo80, lo95),
        "hi95": max(hi80, hi95),
        "n_eff": drawn.n_eff,
        "range_state": "from scores of the same lead",
    }
