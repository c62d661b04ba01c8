"""Made-up daily spend for the forecast benchmark: what can happen to a workflow, drawn without looking at any forecaster.

Every workflow has a level, a weekday shape, persistent noise and, each with its own odds, a launch ramp, growth, a level
shift, bursts of a few days, dormant weeks and a late start. Cost is calls x tokens x price, so the drivers are there too.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

CLASSES = ("input_uncached", "cache_read", "cache_write", "output")
_SPLIT = np.array([0.35, 0.45, 0.08, 0.12])
TEAMS = 6


def series(count: int, days: int, seed: int, end: date) -> pl.DataFrame:
    """Rows of a forecast's input for `count` workflows in `TEAMS` teams and their total; `days` days up to `end`. Cost in USD."""
    rng = np.random.default_rng(seed)
    calendar = [end - timedelta(days=days - 1 - i) for i in range(days)]
    calls, cost = np.zeros((count, days)), np.zeros((count, days))
    for s in range(count):
        calls[s] = _calls(rng, calendar)
        cost[s] = calls[s] * _unit_cost(rng, days)
    parts = [_rows("total", "total", "", calendar, cost.sum(0), calls.sum(0))]
    for t in range(TEAMS):
        mine = slice(t, None, TEAMS)
        parts.append(_rows(f"team={t}", "team", f"t{t}", calendar, cost[mine].sum(0), calls[mine].sum(0)))
    parts += [_rows(f"workflow={s:04d}", "workflow", f"w{s:04d}", calendar, cost[s], calls[s]) for s in range(count)]
    return pl.concat(parts)


def _calls(rng: np.random.Generator, calendar: list[date]) -> np.ndarray:
    days = len(calendar)
    t = np.arange(days)
    level = np.exp(rng.normal(6.0, 1.2))
    weekend = rng.choice([0.1, 0.25, 0.6, 0.9])
    shape = np.array([1.0] * 5 + [weekend, weekend * rng.uniform(0.7, 1.0)]) * np.exp(rng.normal(0, 0.08, 7))
    noise, spread = np.zeros(days), rng.uniform(0.1, 0.45)
    keep = rng.uniform(0.2, 0.8)
    shock = rng.normal(0, spread, days)
    for i in range(1, days):
        noise[i] = keep * noise[i - 1] + np.sqrt(1 - keep**2) * shock[i]
    log = noise + rng.normal(0, 0.001) * t
    log += np.cumsum(rng.normal(0, rng.uniform(0.0, 0.03), days))
    for _ in range(rng.poisson(days / 250)):
        log[rng.integers(days) :] += rng.normal(0, 0.5)
    for _ in range(rng.poisson(days / 90)):
        first = rng.integers(days)
        log[first : first + rng.integers(1, 5)] += rng.uniform(0.7, 2.2)
    found = level * np.exp(log) * shape[[day.weekday() for day in calendar]]
    if rng.random() < 0.2:
        first = rng.integers(days)
        found[first:] *= np.minimum(1.0, 0.1 + 0.9 * np.arange(days - first) / rng.integers(14, 60))
    if rng.random() < 0.15:
        first = rng.integers(days)
        found[first : first + rng.integers(14, 50)] = 0.0
    if rng.random() < 0.15:
        found[: rng.integers(30, 150)] = 0.0
    return np.floor(found)


def _unit_cost(rng: np.random.Generator, days: int) -> np.ndarray:
    """USD per call: context that grows, a model change, day-to-day variation."""
    log = np.log(rng.uniform(0.002, 0.05)) + rng.normal(0, 0.0006) * np.arange(days) + rng.normal(0, 0.08, days)
    if rng.random() < 0.4:
        log[rng.integers(days) :] += rng.normal(0, 0.35)
    return np.exp(log)


def _rows(key: str, level: str, scope: str, calendar: list[date], cost: np.ndarray, calls: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {"series_key": key, "level": level, "scope": scope, "charge_date": calendar, "cost": cost, "calls": calls}
    ).with_columns(**{f"tokens_{name}": pl.col("calls") * 5000.0 * float(share) for name, share in zip(CLASSES, _SPLIT, strict=True)})


def work_items(count: int, seed: int) -> pl.DataFrame:
    """Delivered work items: size points, team and type known at planning, cost spread log-normally around them. Cost in USD."""
    rng = np.random.default_rng(seed)
    points = rng.choice([1, 2, 3, 5, 8, 13], count, p=[0.2, 0.25, 0.25, 0.15, 0.1, 0.05])
    team, kind = rng.integers(0, 5, count), rng.integers(0, 3, count)
    effect = rng.normal(0, 0.4, 5)[team] + np.array([0.0, -0.4, 0.3])[kind]
    cost = np.exp(0.3 + 0.7 * np.log(points) + effect + rng.normal(0, rng.uniform(0.5, 0.9), count))
    return pl.DataFrame(
        {
            "item": [f"i{i}" for i in range(count)], "cost": cost, "points": points.astype(float),
            "team": [f"t{i}" for i in team], "work_item_type": [f"k{i}" for i in kind],
            "fidelity_tier": "session", "is_delivered": True, "is_cancelled": False,
        }
    )  # fmt: skip
