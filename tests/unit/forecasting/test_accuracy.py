"""Scores and the paired bootstrap: laws of proper scores, then what is said about two methods and what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.accuracy import crps, interval_score, paired_bootstrap, pinball
from forecasting.config import ForecastConfig
from forecasting.intervals import adapt, bounds

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8)


@given(sample=values, actual=st.floats(-1e6, 1e6))
def test_crps_is_its_definition_and_never_negative(sample, actual):
    x = np.asarray(sample)
    direct = np.abs(x - actual).mean() - np.abs(x[:, None] - x[None, :]).mean() / 2
    assert crps(x, actual) == pytest.approx(direct, rel=1e-9, abs=1e-6)
    assert crps(x, actual) >= -1e-6
    assert crps(np.repeat(x, 2), actual) == pytest.approx(crps(x, actual), abs=1e-6)
    assert crps(x, actual, np.full(len(x), 7.0)) == pytest.approx(crps(x, actual), abs=1e-6)


@given(actual=st.floats(-1e6, 1e6), forecast=st.floats(-1e6, 1e6), level=st.floats(0.01, 0.99))
def test_pinball_is_zero_at_the_actual_only_and_tilts_by_level(actual, forecast, level):
    loss = float(pinball(np.array(forecast), np.array(actual), level))
    assert loss >= 0
    assert float(pinball(np.array(actual), np.array(actual), level)) == 0
    both = loss + float(pinball(np.array(forecast), np.array(actual), 1 - level))
    assert both == pytest.approx(abs(actual - forecast))


def test_the_interval_score_is_the_width_inside_and_costs_more_outside():
    low, high = np.array([0.0, 0.0, 0.0]), np.array([10.0, 10.0, 10.0])
    assert interval_score(low, high, np.array([5.0, 12.0, -1.0]), 0.2).tolist() == [10, 30, 20]


@settings(max_examples=50)
@given(misses=st.lists(st.booleans(), min_size=1, max_size=400))
def test_the_adaptive_level_stays_in_bounds_and_follows_the_misses(misses):
    config, miss = ForecastConfig(), bounds(1)
    for hit in misses:
        before = miss
        miss = adapt(miss, np.asarray([[hit, hit]]), config)
        assert ((miss <= before) if hit else (miss >= before)).all()
    low, high = config.adaptive_bounds
    assert ((miss >= low) & (miss <= high)).all()


def frame(
    own: float, other: float, series: int = 4, origins: int = 40, seed: int = 1, noise: float = 0.3
) -> pl.DataFrame:
    """A back-test in which two methods err by so much on average, origins every five days, horizon seven."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(series):
        for k in range(origins):
            for method, size in (("a", own), ("b", other)):
                rows.append(
                    {
                        "series_key": f"s{s}",
                        "level": "workflow",
                        "as_of": date(2026, 1, 1) + timedelta(days=5 * k),
                        "horizon": "h7",
                        "method": method,
                        "error": size * rng.lognormal(0, noise) * rng.choice([-1, 1]),
                        "is_resolved": True,
                    }
                )
    return pl.DataFrame(rows)


def compare(backtest: pl.DataFrame, **more: object) -> dict:
    return paired_bootstrap(backtest, **({"method": "a", "peer": "b", "horizon": "h7", "days": 7} | more)).row(
        0, named=True
    )


def test_a_clearly_better_method_is_called_better_and_an_equal_one_is_not():
    better = compare(frame(0.5, 1.0))
    assert better["state"] == "better"
    assert better["lo95"] <= better["relative_wape"] <= better["hi95"] < 1
    assert better["relative_wape"] == pytest.approx(0.5, rel=0.1)
    assert compare(frame(2.0, 1.0))["state"] == "worse"
    assert compare(frame(1.0, 1.0))["state"] == "no difference shown"
    same = compare(frame(1.0, 1.0), method="b")
    assert (same["relative_wape"], same["lo95"], same["hi95"]) == (1.0, 1.0, 1.0)


def test_the_bootstrap_repeats_scales_and_does_not_mind_order():
    base = frame(0.8, 1.0)
    assert compare(base) == compare(base.sample(fraction=1, shuffle=True, seed=3))
    scaled = compare(base.with_columns(pl.col("error") * 1000))
    assert scaled["relative_wape"] == pytest.approx(compare(base)["relative_wape"])
    assert compare(base, seed=9)["hi95"] != compare(base)["hi95"]
    inverse = compare(base, method="b", peer="a")
    assert inverse["relative_wape"] == pytest.approx(1 / compare(base)["relative_wape"])


def test_too_few_windows_are_refused_and_a_perfect_method_is_not_left_out():
    few = compare(frame(0.5, 1.0, origins=3))
    assert few["state"].startswith("insufficient data: 2 of 3 windows") and few["relative_wape"] is None
    assert compare(frame(1, 1).clear())["state"].startswith("insufficient data: 0 of 3")
    assert compare(frame(0.0, 1.0))["relative_wape"] == pytest.approx(0, abs=1e-9)


def test_only_windows_both_methods_have_are_compared():
    base = frame(0.5, 1.0)
    late = base.filter((pl.col("method") == "b") | (pl.col("as_of") >= date(2026, 3, 1)))
    cut = base.filter(pl.col("as_of") >= date(2026, 3, 1))
    assert_frame_equal(pl.DataFrame([compare(late)]), pl.DataFrame([compare(cut)]))
