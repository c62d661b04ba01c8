"""What the sizing rule would have saved on the sandbox's hourly demand, beside hindsight, seed by seed.

`python -m benchmarks.commitments [--seeds 1 2 3] [--days 120] [--discounts 0.2 0.35 0.5]`. Frames only, no run: the company
is drawn for each seed, its gateway's requests are summed to hours at list price, and the rule is back-tested week by week
(sized on the weeks before, paid for the next one). Ends with what 14 days of the same demand are told, with and without an
override, and with the greedy tiers beside the linear programme.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time

import numpy as np
import polars as pl

from decisions import commitments
from decisions.backtest import FoldBook, hourly_folds, steadiness
from decisions.config import CommitmentConfig, Override
from decisions.offers import Terms
from decisions.schemas import OFFER_COLUMNS
from decisions.sizing import Array, Curve
from decisions.tiers import greedy, linear_programme, tier_cost
from sandbox import calendar
from sandbox.build import generate
from sandbox.company import DEPLOYMENTS

TARGET = 0.85
PICO_USD = 1e-12


def main() -> None:
    """Print the tables. Exits with 1 when the portfolio is below its target or one of its folds below zero."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--discounts", type=float, nargs="+", default=[0.2, 0.35, 0.5])
    options = parser.parse_args()
    demand = {seed: hourly_demand(seed, options.days) for seed in options.seeds}
    is_good = captured(demand, options.discounts)
    refused(demand[options.seeds[0]])
    tiers(demand)
    raise SystemExit(0 if is_good else 1)


def hourly_demand(seed: int, days: int) -> pl.DataFrame:
    """List cost in USD of the company's sent requests: pool (provider), scope (workflow), hour; every hour, also empty ones."""
    log = generate(calendar.days_ending(days), seed, 1.0).log
    names = pl.DataFrame({"deployment": range(len(DEPLOYMENTS)), "pool": [d.source for d in DEPLOYMENTS]}, schema_overrides={"deployment": pl.Int64})
    sent = log.filter((pl.col("gateway_hit") == 0) & (pl.col("cost") > 0)).join(names, on="deployment")
    found = sent.group_by("pool", pl.col("stream").cast(pl.String).alias("scope"), pl.from_epoch("start", "us").dt.truncate("1h").alias("hour")).agg(
        (pl.col("cost").sum() * PICO_USD).alias("on_demand_usd")
    )
    hours = pl.DataFrame({"hour": pl.datetime_range(found["hour"].min(), found["hour"].max(), "1h", eager=True)})
    grid = found.select("pool", "scope").unique().join(hours, how="cross")
    return grid.join(found, on=["pool", "scope", "hour"], how="left").fill_null(0.0).sort("pool", "scope", "hour")


def whole(demand: pl.DataFrame, pool: str) -> Array:
    """Demand of a pool by the hour; `all` is the portfolio."""
    rows = demand if pool == "all" else demand.filter(pl.col("pool") == pool)
    return rows.group_by("hour").agg(pl.col("on_demand_usd").sum()).sort("hour")["on_demand_usd"].to_numpy()


def captured(demand: dict[int, pl.DataFrame], discounts: list[float]) -> bool:
    """The table of captured hindsight; whether the portfolio reaches the target and none of its folds loses.

    A single pool may have a losing week: then the advice says so and recommends nothing.
    """
    print("\n| pool | demand | discount | captured, mean | lowest seed | worst fold USD | folds | hindsight saves |\n|---|---|---:|---:|---:|---:|---:|---:|")
    is_good = True
    for pool in ("all", *sorted(set.intersection(*(set(d["pool"]) for d in demand.values())))):
        series = [whole(d, pool) for d in demand.values()]
        books = [FoldBook.of(s, CommitmentConfig()) for s in series]
        for discount in discounts:
            folds = [hourly_folds(book, Terms(1 - discount, 1.0, 0.0, 0.0, np.inf)) for book in books]
            shares = [f.captured for f in folds if f.captured is not None]
            worst = min(f.worst for f in folds if f.worst is not None)
            best = sum(float(f.hindsight.sum()) for f in folds) / sum(float(test.total) for book in books for _, _, test in book.folds)
            mean, low = (f"{np.mean(shares):.2f}", f"{min(shares):.2f}") if shares else ("nothing to save", "")
            print(f"| {pool} | {steadiness(series[0])} | {discount:.0%} | {mean} | {low} | {worst:.4f} | {sum(len(f.realised) for f in folds)} | {best:.1%} |")
            is_good &= pool != "all" or (worst >= 0 and bool(shares) and float(np.mean(shares)) >= TARGET)
    return is_good


def refused(demand: pl.DataFrame) -> None:
    """What an advice on the last 14 days says, without and with an override."""
    last = demand["hour"].max()
    assert isinstance(last, dt.datetime)
    as_of = last.date() + dt.timedelta(days=1)
    young = demand.filter(pl.col("hour") >= dt.datetime.combine(as_of, dt.time()) - dt.timedelta(days=14)).with_columns(pl.lit("all").alias("pool"))
    young = young.group_by("pool", "scope", "hour").agg(pl.col("on_demand_usd").sum()).sort("scope", "hour")
    days = young.group_by("pool", pl.col("hour").dt.date().alias("charge_date")).agg(pl.col("on_demand_usd").sum().alias("spend"))
    days = days.with_columns(
        pl.col("spend").alias("attributed_spend"), pl.lit(0.0).alias("incident_spend"), pl.lit(True).alias("is_complete"), pl.lit(True).alias("is_priced")
    )
    pools = pl.DataFrame({"pool": ["all"], "provider": ["v"], "model_id": ["m"], "deployment": [None], "granularity": ["hour"]}, schema_overrides={"deployment": pl.String})
    offer = {"offer_id": "year", "provider": "v", "shape": "savings_plan", "unit": "rack USD", "term_hours": 8760.0, "discount": 0.35, "is_sold": True}
    text = ("offer_id", "provider", "model_id", "deployment", "shape", "unit", "token_direction", "ramp")
    schema = {n: pl.Boolean if n == "is_sold" else pl.Date if n.startswith("valid") else pl.String if n in text else pl.Float64 for n in OFFER_COLUMNS}
    offers = pl.DataFrame([dict.fromkeys(schema) | offer], schema=schema)
    print()
    for config in (CommitmentConfig(), CommitmentConfig(overrides={"all": Override("cfo", "contract ends Friday")})):
        rows = commitments.advise(young, pools, offers, as_of, days=days.sort("charge_date"), config=config).commitment_sizing
        row = rows.filter((pl.col("offer_id") == "year") & (pl.col("scope") == "")).row(0, named=True)
        print("14 days:", {name: row[name] for name in ("decision", "units", "saving", "reason", "override") if row[name] is not None})


def tiers(demand: dict[int, pl.DataFrame]) -> None:
    """Two capped products on every portfolio: cost by the greedy rule over cost by the linear programme."""
    ratios, began = [], time.perf_counter()
    for frame in demand.values():
        curve = Curve.of(whole(frame, "all"))
        prices, caps = (0.5, 0.65), (float(np.median(whole(frame, "all"))) / 2, None)
        by_greedy, by_programme = (tier_cost(curve, amounts, prices) for amounts in (greedy(curve, prices, caps), linear_programme(curve, prices, caps)))
        ratios.append(by_greedy / by_programme)
    print(f"\ntiers: greedy over linear programme {min(ratios):.12f} to {max(ratios):.12f}, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
