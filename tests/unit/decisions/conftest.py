"""Made-up demand, offers and evaluation records: frames only, every draw from a seed given by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from decisions.schemas import OFFER_COLUMNS

AS_OF = date(2026, 9, 21)


def offer_rows(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Offer list; a row names only what differs from an always valid hourly capacity without blocks."""
    base: dict[str, Any] = dict.fromkeys(OFFER_COLUMNS) | {
        "offer_id": "plan", "provider": "v", "shape": "savings_plan", "unit": "rack USD", "term_hours": 8760.0,
        "discount": 0.3, "is_sold": True,
    }  # fmt: skip
    schema: dict[str, Any] = {
        n: pl.Boolean if n == "is_sold" else pl.Date if n.startswith("valid") else pl.String
        if n in ("offer_id", "provider", "model_id", "deployment", "shape", "unit", "token_direction", "ramp")
        else pl.Float64
        for n in OFFER_COLUMNS
    }  # fmt: skip
    return pl.DataFrame([base | dict(row) for row in rows], schema=schema)


def demand_rows(matrix: Mapping[str, np.ndarray], as_of: date = AS_OF, pool: str = "p") -> pl.DataFrame:
    """Hours of each scope that end with the day before `as_of`; whole days."""
    parts = []
    for scope, values in matrix.items():
        end = datetime(as_of.year, as_of.month, as_of.day)
        hours = [end - timedelta(hours=len(values) - i) for i in range(len(values))]
        parts.append(pl.DataFrame({"pool": pool, "scope": scope, "hour": hours, "on_demand_usd": values}))
    return pl.concat(parts)


def day_rows(demand: pl.DataFrame, attributed: float = 1.0, incident: float = 0.0) -> pl.DataFrame:
    """Facts of the data gate: every day of the demand complete and priced."""
    daily = demand.group_by("pool", pl.col("hour").dt.date().alias("charge_date")).agg(
        pl.col("on_demand_usd").sum().alias("spend")
    )
    return daily.with_columns(
        (pl.col("spend") * attributed).alias("attributed_spend"),
        (pl.col("spend") * incident).alias("incident_spend"),
        pl.lit(True).alias("is_complete"),
        pl.lit(True).alias("is_priced"),
    ).sort("pool", "charge_date")


def pool_rows(granularity: str = "hour", **more: Any) -> pl.DataFrame:
    """One pool `p` of vendor `v`."""
    row = {"pool": "p", "provider": "v", "model_id": "m", "deployment": None, "granularity": granularity} | more
    return pl.DataFrame([row], schema_overrides={"deployment": pl.String})


def office_hours(scopes: int, days: int, seed: int, night: float = 0.3) -> dict[str, np.ndarray]:
    """Workloads with a day-and-night shape, weekends and noise around constant levels."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    end = AS_OF - timedelta(days=days)
    weekday = np.array([(end + timedelta(days=int(h) // 24)).weekday() < 5 for h in hour])
    shape = (night + (1 - night) * np.exp(-0.5 * ((hour % 24 - 14) / 4) ** 2)) * np.where(weekday, 1.0, 0.7)
    level = np.exp(rng.normal(2, 0.6, scopes))
    return {f"w{i:03d}": level[i] * shape * np.exp(rng.normal(0, 0.25, len(hour))) for i in range(scopes)}


@pytest.fixture(scope="session")
def make() -> dict[str, Callable]:
    """The builders above, by name."""
    return {
        "offers": offer_rows,
        "demand": demand_rows,
        "days": day_rows,
        "pools": pool_rows,
        "office": office_hours,
    }
