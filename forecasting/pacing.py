"""Budgets: month end, pace, P(breach) and breach dates. The same code serves months, quarters and custom periods.

Periods are half-open: `period_end` is the first day after. Money is the currency of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from forecasting.config import ForecastConfig
from forecasting.intervals import NOMINAL_MISS, Sample
from forecasting.models import Array

OK, WATCH, WARN, CRITICAL = "ok", "watch", "warn", "critical"
NO_DATA = "no data"


@dataclass(frozen=True)
class Pace:
    """State of one budget on one day; None where it cannot be said. Dates are first days over budget."""

    mtd_adjusted: float
    plan_to_date: float
    pace_index: float | None
    linear_pace_index: float | None
    month_end: float
    lo80: float | None
    hi80: float | None
    p_breach: float | None
    breach_p10: date | None
    breach_p50: date | None
    breach_p90: date | None
    level: str


def expected_share(first: date, end: date, cutoff: date, weekday_weight: Sequence[float] | None) -> float:
    """Share of the period's spend expected by `cutoff`; `weekday_weight` is Monday first, None means days elapsed."""
    weights = [1.0] * 7 if weekday_weight is None or sum(weekday_weight) <= 0 else list(weekday_weight)
    days = [first + timedelta(days=i) for i in range((end - first).days)]
    whole = sum(weights[day.weekday()] for day in days)
    return sum(weights[day.weekday()] for day in days if day <= cutoff) / whole


def first_crossing(spent: float, daily: Array, first: date, budget: float) -> date | None:
    """First day on which spent + cumulative `daily` exceeds the budget; `daily[0]` falls on `first`."""
    over = spent + np.cumsum(daily) > budget
    return first + timedelta(days=int(over.argmax())) if over.any() else None


def breach_dates(
    spent: float,
    daily: Array,
    first: date,
    budget: float,
    sample: Sample,
    c: float,
    levels: Sequence[float] = (0.1, 0.5, 0.9),
) -> list[date | None]:
    """Weighted quantiles of the breach date; None where that quantile does not breach inside the period.

    Score j scales the whole remaining path by `k_j = ((F + c) exp(u_j) - c) / F`.
    """
    cumulative = np.cumsum(daily)
    forecast = float(cumulative[-1]) if len(cumulative) else 0.0
    if forecast <= 0:
        return [None] * len(levels)
    factor = ((forecast + c) * np.exp(sample.scores) - c) / forecast
    room = np.where(factor > 0, (budget - spent) / np.where(factor > 0, factor, 1.0), np.inf)
    crossing = np.searchsorted(cumulative, room, side="right")
    order = np.argsort(crossing, kind="stable")
    reached = np.cumsum(sample.weights[order])
    out: list[date | None] = []
    for level in levels:
        hit = reached >= level - 1e-12
        index = int(crossing[order][hit.argmax()]) if hit.any() else len(cumulative)
        out.append(first + timedelta(days=index) if index < len(cumulative) else None)
    return out


def alert_level(
    p_breach: float | None, pace_index: float | None, period_left: float, breached: bool, config: ForecastConfig
) -> str:
    """`ok`, `watch`, `warn` or `critical`; `period_left` is a share. Unknown probability counts as 0."""
    p = p_breach or 0.0
    if breached or p >= config.critical_probability:
        return CRITICAL
    if p >= config.warn_probability:
        return WARN
    early = period_left > config.watch_period_left
    if early and p >= config.watch_probability and (pace_index or 0.0) >= config.watch_pace:
        return WATCH
    return OK


def pace(
    *,
    budget: float,
    first: date,
    end: date,
    cutoff: date,
    spent: Array,
    daily: Array,
    sample: Sample | None,
    c: float,
    config: ForecastConfig,
    completeness: float = 1.0,
    weekday_weight: Sequence[float] | None = None,
    miss80: float = NOMINAL_MISS[0],
    most: float | None = None,
) -> Pace:
    """Pace of a budget. `spent` are the period's daily costs up to the cutoff, `daily` the forecasts after it.

    `daily` ends with the period; `most` is the upper end of what the whole company still spends in it. Raises ValueError for a negative budget, an empty period or a completeness outside
    (0, 1].
    """
    if budget < 0 or end <= first or not 0 < completeness <= 1:
        raise ValueError(f"budget {budget} over [{first}, {end}) with completeness {completeness} has no meaning")
    to_date = float(spent.sum())
    adjusted = to_date / completeness
    remaining = float(daily.sum())
    length = (end - first).days
    elapsed = min(max((cutoff - first).days + 1, 0), length)
    share = expected_share(first, end, cutoff, weekday_weight)
    plan = budget * share
    linear = budget * elapsed / length
    next_day = max(cutoff + timedelta(days=1), first)
    month_end = adjusted + remaining
    low = high = p_breach = None
    dates: list[date | None] = [None, None, None]
    breached = to_date > budget
    if remaining <= 0 or len(daily) == 0:
        low = high = month_end
    elif sample is not None:
        below, above = sample.interval(remaining, c, miss80)
        above = above if most is None else max(remaining, min(above, most))
        low, high = adjusted + below, adjusted + above
    if breached:
        p_breach = 1.0
        dates = [first_crossing(0.0, spent, first, budget)] * 3
    elif remaining <= 0 or len(daily) == 0:
        p_breach = float(adjusted > budget)
        dates = [cutoff] * 3 if p_breach else dates
    elif sample is not None:
        # With late data still out, the part not yet visible may already be over: then the breach has happened.
        p_breach = 1.0 if adjusted > budget else sample.exceeds(remaining, c, budget - adjusted)
        dates = [cutoff] * 3 if adjusted > budget else breach_dates(adjusted, daily, next_day, budget, sample, c)
    pace_index = to_date / plan if plan > 0 else None
    return Pace(
        mtd_adjusted=adjusted,
        plan_to_date=plan,
        pace_index=pace_index,
        linear_pace_index=to_date / linear if linear > 0 else None,
        month_end=month_end,
        lo80=low,
        hi80=high,
        p_breach=p_breach,
        breach_p10=dates[0],
        breach_p50=dates[1],
        breach_p90=dates[2],
        level=alert_level(p_breach, pace_index, 1 - elapsed / length, breached, config),
    )
