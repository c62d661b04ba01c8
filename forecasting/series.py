"""The one table shape: daily rows per series become a `Panel` of aligned arrays, gaps explicit, everything checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.models import Array, Index
from forecasting.schemas import LEVELS, MONEY, SERIES_COLUMNS, TOKEN_CLASSES

_TOKENS = [f"tokens_{name}" for name in TOKEN_CLASSES]


class SeriesError(ValueError):
    """The series handed in cannot be forecast; the message names series, day and what to do."""


@dataclass(frozen=True)
class Panel:
    """Series (sorted by level, key) over one calendar ending on the last complete day.

    `cost` and `calls` are (series, days), `tokens` (series, days, 4 disjoint classes). `observed` is False on a day
    without a row between a series' first row and the cutoff: an unknown day, filled from the week before for
    estimation only. `start` is the first day with spend (or the first row of a series that never spent),
    `calls_start` the first day with calls, or the number of days when there is none.
    """

    keys: tuple[str, ...]
    levels: tuple[str, ...]
    scopes: tuple[str, ...]
    first_day: date
    cost: Array
    calls: Array
    tokens: Array
    observed: NDArray[np.bool_]
    start: Index
    calls_start: Index

    @property
    def days(self) -> int:
        """Length of the calendar."""
        return self.cost.shape[1]

    @property
    def cutoff(self) -> date:
        """The last complete day."""
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def calendar(self) -> list[date]:
        """Every day of the panel."""
        return [self.first_day + timedelta(days=i) for i in range(self.days)]

    def of_level(self, level: str) -> list[int]:
        """Positions of the series of a level."""
        return [i for i, name in enumerate(self.levels) if name == level]


def starts(values: Array, fallback: Index | int) -> Index:
    """Index of the first positive value per row, `fallback` where there is none."""
    positive = values > 0
    return np.where(positive.any(axis=1), positive.argmax(axis=1), fallback).astype(np.int64)


def validate(series: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Rows up to `as_of`, sorted, with float measures. Raises SeriesError for what no forecast may be built on.

    Errors: a missing column; a null key or day; an unknown level; a series in two levels or scopes; two rows for a
    day; a value below zero (credits are a series of their own, never netted); a value that is not finite.
    A null cost is an unknown day. Rows after `as_of` are not looked at.
    """
    missing = [name for name in SERIES_COLUMNS if name not in series.columns]
    if missing:
        raise SeriesError(f"series frame lacks the columns {', '.join(missing)}")
    measures = ["cost", "calls", *_TOKENS]
    rows = series.select(
        pl.col("series_key", "level").cast(pl.String),
        pl.col("scope").cast(pl.String).fill_null(""),
        pl.col("charge_date").cast(pl.Date),
        pl.col(measures).cast(pl.Float64),
    )
    if rows.select(pl.col("series_key", "level", "charge_date").is_null().any()).row(0) != (False, False, False):
        raise SeriesError("series_key, level and charge_date must not be null")
    rows = rows.filter(pl.col("charge_date") <= as_of).sort("level", "series_key", "charge_date")
    for row in rows.filter(~pl.col("level").is_in(LEVELS)).head(1).iter_rows(named=True):
        raise SeriesError(f"series {row['series_key']!r}: level {row['level']!r} is none of {', '.join(LEVELS)}")
    mixed = rows.group_by("series_key").agg(pl.struct("level", "scope").n_unique().alias("n")).filter(pl.col("n") > 1)
    for key in mixed["series_key"].sort().head(1):
        raise SeriesError(f"series {key!r}: appears with more than one level or scope")
    twice = rows.filter(pl.struct("series_key", "charge_date").is_duplicated())
    for row in twice.head(1).iter_rows(named=True):
        raise SeriesError(f"series {row['series_key']!r}: two rows for {row['charge_date']}")
    for name in measures:
        bad = rows.filter(pl.col(name).is_not_null() & ((pl.col(name) < 0) | ~pl.col(name).is_finite()))
        for row in bad.head(1).iter_rows(named=True):
            hint = "carry credits and refunds as a series of their own" if row[name] < 0 else "must be a finite number"
            raise SeriesError(f"series {row['series_key']!r}: {name} is {row[name]} on {row['charge_date']}; {hint}")
    return rows


def fill_gaps(values: Array, observed: NDArray[np.bool_]) -> Array:
    """Unknown days take the value a week earlier, else of the day before, else 0: from the past only."""
    filled = values.copy()
    for t in np.flatnonzero(~observed.all(axis=0)):
        gap = ~observed[:, t]
        source = t - 7 if t >= 7 else t - 1
        filled[gap, t] = filled[gap, source] if source >= 0 else 0.0
    return filled


def last_complete_day(series: pl.DataFrame, last: date, wait_days: int) -> date:
    """The newest day up to `last` that `is_closed` calls complete, or `last` when that is more than `wait_days` older.

    So a source that is a few days late moves the cutoff back, and one that has stopped does not stop the forecast.
    Without the column every day with a row is complete.
    """
    if "is_closed" not in series.columns:
        return last
    closed = series.filter(pl.col("is_closed") & (pl.col("charge_date") <= last))["charge_date"].max()
    return closed if isinstance(closed, date) and (last - closed).days <= wait_days else last


def build_panel(series: pl.DataFrame, as_of: date, wait_days: int = 0) -> Panel | None:
    """Panel of everything known on `as_of`; None without rows. The calendar ends on the last complete day.

    `wait_days` as in `last_complete_day`. Raises SeriesError as `validate` does.
    """
    rows = validate(series, as_of)
    known = rows.filter(pl.col("cost").is_not_null())
    if known.is_empty():
        return None
    latest = known["charge_date"].max()
    assert isinstance(latest, date)
    known = known.filter(pl.col("charge_date") <= last_complete_day(series, latest, wait_days))
    bounds = known.select(pl.col("charge_date").min().alias("first"), pl.col("charge_date").max().alias("last")).row(0)
    first_day, cutoff = bounds
    identity = known.select("level", "series_key", "scope").unique().sort("level", "series_key")
    count, days = identity.height, (cutoff - first_day).days + 1
    position = known.join(identity.with_row_index("s"), on="series_key", how="left").select(
        pl.col("s").cast(pl.Int64), (pl.col("charge_date") - first_day).dt.total_days().alias("t")
    )
    s, t = position["s"].to_numpy(), position["t"].to_numpy()
    observed = np.zeros((count, days), dtype=bool)
    observed[s, t] = True
    first_row = observed.argmax(axis=1)
    observed |= np.arange(days)[None, :] < first_row[:, None]

    def grid(name: str) -> Array:
        out = np.zeros((count, days))
        out[s, t] = known[name].fill_null(0.0).to_numpy()
        return fill_gaps(out, observed)

    cost, calls = grid("cost"), grid("calls")
    return Panel(
        keys=tuple(identity["series_key"]),
        levels=tuple(identity["level"]),
        scopes=tuple(identity["scope"]),
        first_day=first_day,
        cost=cost,
        calls=calls,
        tokens=np.stack([grid(name) for name in _TOKENS], axis=-1),
        observed=observed,
        start=starts(cost, first_row),
        calls_start=starts(calls, days),
    )


def exact_spend(series: pl.DataFrame, level: str, scope: str | None, first: date, last: date) -> Decimal:
    """Exact sum of known cost of one scope (None: the whole level) on [first, last], both included; 0 without rows."""
    chosen = series.filter((pl.col("level") == level) & pl.col("charge_date").is_between(first, last))
    if scope is not None:
        chosen = chosen.filter(pl.col("scope").cast(pl.String).fill_null("") == scope)
    return chosen.select(pl.col("cost").cast(MONEY).sum()).item() or Decimal(0)
