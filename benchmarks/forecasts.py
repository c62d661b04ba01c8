"""Error of the published forecast beside automatic models of a well-kept library, coverage, pacing, bundles, speed.

`python -m benchmarks.forecasts [accuracy pacing bundles speed] [--seeds 111 112] [--series 40] [--peers PYTHON]`. Frames
only, no run. PYTHON is an interpreter with `benchmarks/requirements.lock` installed (`make bench BENCH=forecasts` builds
it); without it the peers' columns are left out. The series are those of `benchmarks.spend_series`; how a method is
chosen was settled on seeds 101 to 103, so the published table is of 111 to 113.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import spend_series
from forecasting import work_item_plan as plans
from forecasting.config import ForecastConfig
from forecasting.intervals import wilson
from forecasting.run import forecast

END = date(2026, 9, 30)
DAYS = 420
HORIZONS = {"h7": 7, "h14": 14, "h30": 30}
ORIGINS = 12
STEP = 28
PARTS = ("accuracy", "pacing", "bundles", "speed")
PEERS = ("AutoARIMA", "AutoETS", "AutoTheta", "AutoCES", "IMAPA", "ADIDA")
LONGEST = 120.0
"""Seconds a peer may take on every series; a slower one is measured on ten of them."""
CHECKPOINTS = (5, 10, 15, 20, 25)
NO_BUDGETS = {"budget_id": pl.String, "scope_type": pl.String, "scope": pl.String, "period_start": pl.Date, "period_end": pl.Date, "amount_usd": pl.String}
CONFIG = ForecastConfig(materiality=0.0, origin_step=7)


def main() -> None:
    """Run every part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"any of {', '.join(PARTS)}; all unless named")
    parser.add_argument("--seeds", type=int, nargs="+", default=[111, 112, 113])
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--many", type=int, default=1000, help="series of the speed table")
    parser.add_argument("--peers", help="interpreter with the library installed")
    options = parser.parse_args()
    parts = set(options.parts or PARTS)
    if unknown := parts - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not a part; the parts are {', '.join(PARTS)}")
    worlds = {seed: spend_series.series(options.series, DAYS, seed, END) for seed in options.seeds}
    if "accuracy" in parts:
        accuracy(worlds, options.peers)
    if "pacing" in parts:
        pacing(worlds)
    if "bundles" in parts:
        bundles(options.seeds)
    if "speed" in parts:
        speed(options.many, options.peers)


def _no_budgets() -> pl.DataFrame:
    return pl.DataFrame(schema=NO_BUDGETS)


def backtest(frame: pl.DataFrame, config: ForecastConfig = CONFIG) -> pl.DataFrame:
    """Resolved windows of the workflows, every method and the published one, at the horizons of the tables."""
    found = forecast(frame, END + timedelta(days=1), _no_budgets(), config=config, run_id="benchmark").backtest
    return found.filter(pl.col("level") == "workflow", pl.col("is_resolved"), pl.col("horizon").is_in(list(HORIZONS)))


def accuracy(worlds: dict[int, pl.DataFrame], peers: str | None) -> None:
    """WAPE on totals over workflows and origins, relative to seasonal naive and to each peer; coverage."""
    tested = {seed: backtest(frame) for seed, frame in worlds.items()}
    rows = pl.concat(part.with_columns(pl.format("{}:{}", pl.lit(seed), "series_key").alias("series_key")) for seed, part in tested.items())
    own = rows.select("series_key", "as_of", "horizon", "method", "forecast", "actual")
    names = list(dict.fromkeys(own["method"]))
    if peers:
        last = END - timedelta(days=max(HORIZONS.values()))
        days = [last - timedelta(days=(last - d).days) for d in sorted(own["as_of"].unique()) if d <= last]
        chosen = days[-1 :: -(STEP // CONFIG.origin_step)][:ORIGINS]
        own = own.filter(pl.col("as_of").is_in(chosen))
        told, seconds = _peer_totals(worlds, own, peers, PEERS)
        own, names = pl.concat([own, told]), [*names, *PEERS]
        print(f"peers' seconds: {', '.join(f'{k} {v:.1f}' for k, v in seconds.items())}\n")
    _print_accuracy(own, names, bool(peers))
    print("\n| horizon | nominal | covered | effective windows | 95 % interval (Wilson) | median width / forecast |\n|---|---:|---:|---:|---:|---:|")
    published = rows.filter(pl.col("method") == "published", pl.col("lo80").is_not_null())
    for horizon, length in HORIZONS.items():
        part = published.filter(pl.col("horizon") == horizon)
        for nominal in (80, 95):
            inside = part.select(((pl.col("actual") >= pl.col(f"lo{nominal}")) & (pl.col("actual") <= pl.col(f"hi{nominal}"))).mean()).item()
            effective = max(part.height * CONFIG.origin_step / length, 1) if length > CONFIG.origin_step else part.height
            low, high = wilson(inside * effective, effective)
            width = part.filter(pl.col("forecast") > 0).select(((pl.col(f"hi{nominal}") - pl.col(f"lo{nominal}")) / pl.col("forecast")).median()).item()
            print(f"| {horizon} | {nominal} % | {inside:.1%} | {effective:,.0f} | {low:.1%} to {high:.1%} | {width:.2f} |")


def _peer_totals(worlds: dict[int, pl.DataFrame], own: pl.DataFrame, python: str, names: tuple[str, ...]) -> tuple[pl.DataFrame, dict[str, float]]:
    history = pl.concat(
        frame.filter(pl.col("level") == "workflow").select(unique_id=pl.format("{}:{}", pl.lit(seed), "series_key"), ds="charge_date", y="cost")
        for seed, frame in worlds.items()
    )
    wanted = own.select("series_key", "as_of").unique().sort("series_key", "as_of")
    paths, seconds = _peer_paths(history, wanted, python, names)
    actual = own.filter(pl.col("method") == "published").select("series_key", "as_of", "horizon", "actual")
    length = pl.col("horizon").replace_strict(HORIZONS, return_dtype=pl.Int64)
    told = actual.join(paths, on=["series_key", "as_of"]).with_columns(forecast=pl.col("path").list.head(length).list.sum())
    return told.select(own.columns), seconds


def _peer_paths(history: pl.DataFrame, wanted: pl.DataFrame, python: str, names: tuple[str, ...]) -> tuple[pl.DataFrame, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        source, target, timing = Path(folder) / "in.parquet", Path(folder) / "out.parquet", Path(folder) / "seconds.json"
        history.write_parquet(source)
        wanted.write_parquet(source.with_name("in-origins.parquet"))
        script = Path(__file__).with_name("peers.py")
        subprocess.run([python, str(script), str(source), str(target), str(timing), *names], check=True)
        return pl.read_parquet(target), json.loads(timing.read_text())


def _print_accuracy(own: pl.DataFrame, names: list[str], with_peers: bool) -> None:
    print(f"{own['series_key'].n_unique()} series, {own['as_of'].n_unique()} origins\n")
    print("| method | " + " | ".join(f"{h} WAPE | relative" for h in HORIZONS) + " |\n|---|" + "---:|" * (2 * len(HORIZONS)))
    table: dict[tuple[str, str], tuple[float, float]] = {}
    for horizon in HORIZONS:
        part = own.filter(pl.col("horizon") == horizon)
        error = part.with_columns(error=(pl.col("forecast") - pl.col("actual")).abs()).group_by("method", "series_key").agg(pl.col("error", "actual").sum())
        naive = error.filter(pl.col("method") == "seasonal_naive").select("series_key", naive="error")
        for name in names:
            mine = error.filter(pl.col("method") == name).join(naive, on="series_key").filter((pl.col("naive") > 0) & (pl.col("error") > 0))
            relative = mine.select((pl.col("error") / pl.col("naive")).log().mean().exp()).item()
            table[name, horizon] = (mine["error"].sum() / mine["actual"].sum(), relative)
    for name in names:
        print(f"| {name} | " + " | ".join(f"{table[name, h][0]:.3f} | {table[name, h][1]:.3f}" for h in HORIZONS) + " |")
    if not with_peers:
        return
    print("\n| horizon | best peer | published / best peer, geometric mean over series | 95 % interval (bootstrap over series) | pooled WAPE ratio |\n|---|---|---:|---:|---:|")
    for horizon in HORIZONS:
        best = min(PEERS, key=lambda name: table[name, horizon][1])
        part = own.filter(pl.col("horizon") == horizon, pl.col("method").is_in(["published", best]))
        error = part.with_columns(error=(pl.col("forecast") - pl.col("actual")).abs()).group_by("series_key", "method").agg(pl.col("error").sum())
        wide = error.pivot(on="method", index="series_key", values="error").sort("series_key").filter((pl.col("published") > 0) & (pl.col(best) > 0))
        ratio = np.log(wide["published"].to_numpy() / wide[best].to_numpy())
        draws = np.random.default_rng(1).integers(0, len(ratio), (1000, len(ratio)))
        low, high = np.exp(np.quantile(ratio[draws].mean(axis=1), [0.025, 0.975]))
        pooled = table["published", horizon][0] / table[best, horizon][0]
        print(f"| {horizon} | {best} | {np.exp(ratio.mean()):.3f} | {low:.3f} to {high:.3f} | {pooled:.3f} |")


def pacing(worlds: dict[int, pl.DataFrame]) -> None:
    """Brier score of P(breach) beside the run-rate's yes or no, per day of the month."""
    print("\n| day | projections | Brier, P(breach) | Brier, run-rate |\n|---:|---:|---:|---:|")
    for day, pairs in breach_scores(worlds).items():
        own, rate = np.asarray(pairs).mean(axis=0)
        print(f"| {day} | {len(pairs):,} | {own:.3f} | {rate:.3f} |")


def breach_scores(worlds: dict[int, pl.DataFrame], checkpoints: tuple[int, ...] = CHECKPOINTS) -> dict[int, list[tuple[float, float]]]:
    """Squared errors of P(breach) and of the run-rate by day of the month; budgets drawn around the month before."""
    scores: dict[int, list[tuple[float, float]]] = {day: [] for day in checkpoints}
    months = [(date(2026, m, 1), date(2026, m + 1, 1)) for m in range(5, 10)]
    for seed, frame in worlds.items():
        rng = np.random.default_rng(seed)
        flow = frame.filter(pl.col("level") == "workflow")
        for first, end in months:
            before = (first - timedelta(days=1)).replace(day=1)
            base = dict(flow.filter(pl.col("charge_date").is_between(before, first, closed="left")).group_by("scope").agg(pl.col("cost").sum()).sort("scope").iter_rows())
            actual = dict(flow.filter(pl.col("charge_date").is_between(first, end, closed="left")).group_by("scope").agg(pl.col("cost").sum()).iter_rows())
            amounts = {scope: round(cost * float(np.exp(rng.normal(0.0, 0.25))), 2) for scope, cost in base.items() if cost > 1}
            budgets = pl.DataFrame(
                [{"budget_id": s, "scope_type": "workflow", "scope": s, "period_start": first, "period_end": end, "amount_usd": f"{a:.2f}"} for s, a in amounts.items()],
                schema=NO_BUDGETS,
            )
            for day in checkpoints:
                as_of = first + timedelta(days=day)
                known = frame.filter(pl.col("charge_date") < as_of)
                found = forecast(known, as_of, budgets, config=CONFIG, run_id="benchmark").budget_pacing
                for scope, spent, p in found.select("scope", pl.col("mtd").cast(pl.Float64), "p_breach").iter_rows():
                    if p is None:
                        continue
                    over = float(actual[scope] > amounts[scope])
                    rate = float(spent / day * (end - first).days > amounts[scope])
                    scores[day].append(((p - over) ** 2, (rate - over) ** 2))
    return scores


def bundles(seeds: list[int]) -> None:
    """Bias and coverage of items and of bundles of 20, each item as if it had not been there."""
    parts = []
    for seed in seeds:
        items = spend_series.work_items(400, seed)
        plan = plans.fit(items, ("work_item_type", "team"))
        parts.append(plans.scores(plans.leave_out(plan, items), seed=seed))
    print("\n| unit | seeds | WAPE | bias | covered at 80 | covered at 95 |\n|---|---:|---:|---:|---:|---:|")
    for (unit,), part in pl.concat(parts).group_by("unit", maintain_order=True):
        told = [part[name].mean() for name in ("wape", "bias", "coverage80", "coverage95")]
        print(f"| {unit} | {part.height} | " + " | ".join("no interval" if v is None else f"{v:.1%}" for v in told) + " |")


def speed(count: int, peers: str | None) -> None:
    """Seconds for every own method and interval over 12 origins, beside the library's fastest automatic model on the same."""
    frame = spend_series.series(count, DAYS, 7, END)
    config = ForecastConfig(materiality=0.0, origin_step=STEP)
    begin = time.perf_counter()
    forecast(frame, END + timedelta(days=1), _no_budgets(), config=config, run_id="benchmark")
    seconds = time.perf_counter() - begin
    print(f"\n{count:,} series, {ORIGINS} origins: {seconds:.1f} s for 7 methods, intervals, back-test and totals")
    if not peers:
        return
    flow = frame.filter(pl.col("level") == "workflow")
    history = flow.select(unique_id="series_key", ds="charge_date", y="cost")
    days = [END - timedelta(days=STEP * i) for i in range(ORIGINS)]
    few = flow["series_key"].unique().sort().head(10)
    _, each = _peer_paths(history, pl.DataFrame({"series_key": few}).join(pl.DataFrame({"as_of": days}), how="cross"), peers, PEERS)
    order = sorted(each, key=lambda name: each[name])
    every = pl.DataFrame({"series_key": flow["series_key"].unique().sort()}).join(pl.DataFrame({"as_of": days}), how="cross")
    timed = [name for name in order if each[name] * count / few.len() < LONGEST]
    _, whole = _peer_paths(history, every, peers, tuple(timed))
    for name in order:
        took = whole.get(name, each[name] * count / few.len())
        measured = "measured" if name in whole else f"from {few.len()} of the series"
        print(f"{name} alone, point forecasts: {took:.1f} s ({measured}), {took / seconds:.2f} times as long")


if __name__ == "__main__":
    main()
