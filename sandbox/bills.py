"""What a provider reports at an instant: usage that is still arriving, and its cost, exact to the last digit."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from sandbox import calendar
from sandbox.build import Company
from sandbox.faults import Faults
from sandbox.prices import METERS, rates

PICO_PER_USD = 1_000_000_000_000
TOKENS = ("uncached", "cache_read", "write_5m", "write_1h", "output", "web", "requests")


def permille_visible(day: dt.date, clock: dt.datetime) -> int:
    """How much of a day's usage the providers show at `clock`, in thousandths: 970 next morning, all after two days."""
    begin, end = calendar.midnight(day), calendar.midnight(day + dt.timedelta(days=1))
    if clock <= begin:
        return 0
    if clock < end:
        return int(970 * (clock - begin).total_seconds() // 86_400)
    age = clock - end
    if age < dt.timedelta(hours=24):
        return 970
    if age < dt.timedelta(hours=48):
        return 993
    return 1000


def visible_usage(company: Company, source: str, clock: dt.datetime, faults: Faults) -> pl.DataFrame:
    """Usage rows of a source as its vendor shows them at `clock`, with the cost of each meter in 1e-12 USD.

    Adds `cost_<meter>` columns for METERS; rows with `billed` false cost nothing. Restated days and months of
    `faults` change tokens and cost alike.
    """
    shown = {d: permille_visible(d, clock) for d in company.days}
    scale = pl.DataFrame(
        {"day": list(shown), "permille": list(shown.values()), "factor": [faults.restatement(source, d) for d in shown]},
        schema={"day": pl.Date, "permille": pl.Int64, "factor": pl.Int64},
    )
    usage = company.usage.filter(pl.col("source") == source).join(scale, on="day").filter(pl.col("permille") > 0)
    usage = usage.with_columns(
        *((pl.col(c) * pl.col("permille") // 1000 * pl.col("factor") // 1000).alias(c) for c in TOKENS)
    ).filter(pl.sum_horizontal(*TOKENS[:5]) > 0)
    table = [
        rates(source, model, day, tier, long) if billed else (0,) * len(METERS)
        for day, model, tier, long, billed in usage.select("day", "model", "tier", "long", "billed").iter_rows()
    ]
    prices = np.array(table, dtype=np.int64).reshape(-1, len(METERS))
    return usage.with_columns(
        *(
            (pl.col(token) * pl.Series(prices[:, i])).alias(f"cost_{meter}")
            for i, (token, meter) in enumerate(zip(TOKENS[:6], METERS, strict=True))
        )
    ).sort("day", "credential", "model", "tier", "long", "billed")


def decimal_text(value: int, places: int) -> str:
    """`value` x 10^-`places` as plain decimal text without trailing zeros."""
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    digits = digits.rjust(places + 1, "0")
    whole, fraction = digits[:-places], digits[-places:].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
