"""A slice of `make bench BENCH=forecasts`: twelve series of a seed that no setting was chosen on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks import spend_series
from benchmarks.forecasts import CONFIG, DAYS, END, HORIZONS, backtest, breach_scores
from forecasting import work_item_plan as plans


@pytest.fixture(scope="module")
def world() -> pl.DataFrame:
    return spend_series.series(12, DAYS, 121, END)


def test_the_published_forecast_beats_seasonal_naive_and_covers(world: pl.DataFrame) -> None:
    rows = backtest(world)
    for horizon in HORIZONS:
        part = rows.filter(pl.col("horizon") == horizon).with_columns(error=(pl.col("forecast") - pl.col("actual")).abs())
        error = dict(part.group_by("method").agg(pl.col("error").sum()).iter_rows())
        assert error["published"] < error["seasonal_naive"]
        told = part.filter(pl.col("method") == "published", pl.col("lo80").is_not_null())
        for nominal in (80, 95):
            inside = told.select(pl.col("actual").is_between(f"lo{nominal}", f"hi{nominal}").mean()).item()
            apart = min(told.height, told.height * CONFIG.origin_step / HORIZONS[horizon])
            # Three deviations of as many independent windows, and the two points by which the method may be off.
            assert abs(inside - nominal / 100) < 0.02 + 3 * np.sqrt(nominal / 100 * (1 - nominal / 100) / apart), (horizon, inside)


def test_the_probability_of_a_breach_beats_the_run_rate(world: pl.DataFrame) -> None:
    for day, pairs in breach_scores({121: world}, (10, 20)).items():
        own, rate = np.asarray(pairs).mean(axis=0)
        assert len(pairs) > 30
        assert own < rate, day


def test_bundles_are_unbiased() -> None:
    items = spend_series.work_items(400, 121)
    plan = plans.fit(items, ("work_item_type", "team"))
    bundle = plans.scores(plans.leave_out(plan, items), seed=121).filter(pl.col("unit") == "bundle of 20").row(0, named=True)
    assert abs(bundle["bias"]) < 0.03
