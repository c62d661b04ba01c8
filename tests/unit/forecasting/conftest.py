"""Made-up companies for forecasting tests: frames only, every draw from a seed given by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

END = date(2026, 9, 20)


def rows(
    key: str, level: str, scope: str, costs: Sequence[float], end: date = END, calls: Sequence[float] | None = None
) -> pl.DataFrame:
    """One daily series ending on `end`; 1,000 tokens a call in equal parts."""
    days = len(costs)
    known = np.zeros(days) if calls is None else np.asarray(calls, dtype=float)
    return pl.DataFrame(
        {
            "series_key": [key] * days,
            "level": [level] * days,
            "scope": [scope] * days,
            "charge_date": [end - timedelta(days=days - 1 - i) for i in range(days)],
            "cost": np.asarray(costs, dtype=float),
            "calls": known,
            **{f"tokens_{k}": known * 250 for k in ("input_uncached", "cache_read", "cache_write", "output")},
        }
    )


def hierarchy(workflows: Mapping[str, Sequence[float]], teams: int = 2, end: date = END) -> pl.DataFrame:
    """Total, workflows and teams (workflows dealt out in turn) that add up on every day."""
    names = list(workflows)
    matrix = np.asarray([workflows[name] for name in names], dtype=float)
    calls = np.round(matrix * 50)
    parts = [rows("total", "total", "", matrix.sum(0), end, calls.sum(0))]
    parts += [rows(f"workflow={n}", "workflow", n, matrix[i], end, calls[i]) for i, n in enumerate(names)]
    for t in range(teams):
        member = list(range(t, len(names), teams))
        parts.append(rows(f"team={t}", "team", f"t{t}", matrix[member].sum(0), end, calls[member].sum(0)))
    return pl.concat(parts)


def stationary(count: int, days: int, seed: int, end: date = END) -> dict[str, np.ndarray]:
    """Independent workflows with a weekday shape and day-to-day noise around a constant level."""
    rng = np.random.default_rng(seed)
    weekday = np.array([1.15 if (end - timedelta(days=days - 1 - i)).weekday() < 5 else 0.6 for i in range(days)])
    level = np.exp(rng.normal(4, 0.5, count))
    return {f"w{i:02d}": level[i] * weekday * np.exp(rng.normal(0, 0.35, days)) for i in range(count)}


def budget(**changes: object) -> pl.DataFrame:
    """One budget for September 2026 on the total, changed as asked."""
    row = {
        "budget_id": "b",
        "scope_type": "total",
        "scope": None,
        "period_start": date(2026, 9, 1),
        "period_end": date(2026, 10, 1),
        "amount_usd": "10000",
    }
    return pl.DataFrame([row | changes], schema_overrides={"scope": pl.String})


@pytest.fixture(scope="session")
def company() -> pl.DataFrame:
    """Six stationary workflows in two teams over 260 days."""
    return hierarchy(stationary(6, 260, seed=5))


@pytest.fixture(scope="session")
def make() -> dict[str, Callable]:
    """The builders above, by name."""
    return {"rows": rows, "hierarchy": hierarchy, "stationary": stationary, "budget": budget}
