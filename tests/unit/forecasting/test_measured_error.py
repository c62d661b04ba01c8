"""Measured error: coverage near nominal on stationary spend, metrics by hand, the choice between methods, refusals."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from forecasting.backtest import ScoreBook, independent_windows, run_windows
from forecasting.baselines import ma7, naive_last, run_rate, seasonal_naive
from forecasting.config import ForecastConfig
from forecasting.drivers import driver_pattern, driver_table, price_factor
from forecasting.hierarchy import build_tree
from forecasting.intervals import Pool, wilson
from forecasting.run import forecast
from forecasting.selection import METHODS, NAIVE_METHODS, _choose, _combine, candidates
from forecasting.series import build_panel

AS_OF = date(2026, 9, 20)


@pytest.fixture(scope="module")
def covered(make):
    frame = make["hierarchy"](make["stationary"](20, 330, seed=11), teams=4)
    return forecast(frame, AS_OF, make["budget"](), config=ForecastConfig(materiality=0.0), run_id="r")


@pytest.mark.parametrize("horizon", ["h7", "h14", "month_end"])
def test_coverage_is_near_nominal_on_stationary_spend(covered, horizon):
    """20 independent series, at least 100 independent windows: four binomial deviations are 16 and 9 points."""
    rows = covered.accuracy.filter(level="workflow", horizon=horizon, method="published")
    assert rows.height == 20
    assert rows["coverage80"].mean() == pytest.approx(0.80, abs=0.12)
    assert rows["coverage95"].mean() == pytest.approx(0.95, abs=0.06)
    around = rows.select(
        ((pl.col("coverage80_lo") <= pl.col("coverage80")) & (pl.col("coverage80") <= pl.col("coverage80_hi"))).all()
    )
    assert around.item()


def test_coverage_in_the_totals_is_the_share_of_backtest_windows_inside(covered):
    row = covered.forecast_total.filter(series_key="workflow=w03", period_kind="h7").row(0, named=True)
    windows = covered.backtest.filter(series_key="workflow=w03", horizon="h7", method="published", is_resolved=True)
    recent = windows.filter(pl.col("as_of") > AS_OF - timedelta(days=180 + 7 - 1) - timedelta(days=1)).drop_nulls(
        "lo80"
    )
    inside = recent.select(((pl.col("actual") >= pl.col("lo80")) & (pl.col("actual") <= pl.col("hi80"))).mean()).item()
    assert row["coverage_state"] == "measured" and row["coverage80_180d"] == pytest.approx(inside)


def test_accuracy_is_what_the_backtest_rows_say(covered):
    rows = covered.backtest.filter(series_key="workflow=w01", horizon="h14", is_resolved=True)
    for method in ("ens3", "driver", "seasonal_naive", "published"):
        own, naive = rows.filter(method=method), rows.filter(method="seasonal_naive")
        stated = covered.accuracy.filter(series_key="workflow=w01", horizon="h14", method=method).row(0, named=True)
        assert stated["windows"] == own.height
        assert stated["wape"] == pytest.approx(own["error"].abs().sum() / own["actual"].sum())
        assert stated["bias"] == pytest.approx(own["error"].sum() / own["actual"].sum())
        assert stated["relative_wape"] == pytest.approx(own["error"].abs().sum() / naive["error"].abs().sum())


def test_mase_of_seasonal_naive_on_a_sawtooth(make):
    """Weeks alternate between 1 and 3, so every daily error and every in-sample weekly change is 2: MASE is 1."""
    weeks = np.repeat([1.0, 3.0] * 15, 7)
    frame = make["rows"]("total", "total", "", weeks)
    accuracy = forecast(frame, AS_OF, make["budget"](), run_id="r").accuracy
    row = accuracy.filter(method="seasonal_naive", horizon="h7").row(0, named=True)
    assert row["mase"] == pytest.approx(1.0, rel=0.02)


def test_ens3_beats_the_naive_forecasts_on_stationary_spend(covered):
    own = covered.accuracy.filter(level="workflow", horizon="h30", method="ens3")["relative_wape"]
    assert np.exp(own.log().mean()) < 0.9


def test_the_naive_forecast_is_published_when_it_clearly_wins(make):
    """A level that stays until it jumps is best forecast by its last value; what is published says so by name."""
    steps = np.repeat([1.0, 4.0, 1.5, 6.0, 2.0], 80)
    result = forecast(make["rows"]("workflow=a", "workflow", "a", 100 * steps), AS_OF, make["budget"](), run_id="r")
    row = result.forecast_total.filter(series_key="workflow=a", period_kind="h30").row(0, named=True)
    errors = dict(result.accuracy.filter(series_key="workflow=a", horizon="h30").select("method", "wape").iter_rows())
    assert row["method"] in NAIVE_METHODS
    assert errors[row["method"]] < 0.9 * errors["ens3"]


def test_a_naive_forecast_that_wins_by_a_little_is_luck(make):
    """The last value of a noisy random walk is the better forecast by less than the margin: the ensemble stays."""
    draws = np.random.default_rng(4)
    walk = np.exp(np.cumsum(draws.normal(0, 0.08, 300)) + draws.normal(0, 0.2, 300))
    result = forecast(make["rows"]("workflow=a", "workflow", "a", 100 * walk), AS_OF, make["budget"](), run_id="r")
    ratio = []
    for horizon in ("h7", "h14", "h30"):
        errors = dict(result.accuracy.filter(series_key="workflow=a", horizon=horizon).select("method", "wape").iter_rows())
        ratio.append(min(errors[name] for name in NAIVE_METHODS) / errors["ens3"])
    assert 0.9 < np.exp(np.log(ratio).mean()) < 1
    assert result.forecast_total.filter(series_key="workflow=a", period_kind="h30")["method"].to_list() == ["ens3"]


def test_a_driver_forecast_counts_from_its_sixth_window_on(make):
    """Calls begin late and say nothing about the cost: unmeasured, their forecast is no part of the published one."""
    cost = make["stationary"](1, 330, seed=2)["w00"]
    calls = np.zeros(330)
    calls[-60:] = np.random.default_rng(1).lognormal(3, 2, 60)
    found = candidates(build_tree(build_panel(make["rows"]("w=a", "workflow", "a", cost, calls=calls), AS_OF, 7), ForecastConfig()), ForecastConfig())
    assert np.isfinite(found.patterns["driver"][0, -1]).all()
    assert {METHODS[i] for i in found.choice[0, -60:-42]} == {"ens3"}
    assert "combined" not in {METHODS[i] for i in found.choice[0]}


@pytest.mark.parametrize(
    ("direct", "gain", "naive", "chosen"),
    [
        (0.20, 1.00, 0.30, "combined"),
        (0.20, 1.15, 0.30, "ens3"),
        (0.23, 0.87, 0.30, "driver"),
        (0.20, 1.10, 0.30, "combined"),
        (0.20, 1.00, 0.185, "combined"),
        (0.20, 1.00, 0.175, "ma7"),
        (0.20, 0.80, 0.150, "driver"),
        (0.20, 0.80, 0.140, "ma7"),
        (0.20, None, 0.30, "ens3"),
        (None, None, None, None),
    ],
)
def test_choice_between_methods(direct, gain, naive, chosen):
    def cell(value):
        return np.array([[np.nan if value is None else np.log(value)]])

    error = {"ens3": cell(direct), "combined": cell(direct)}
    error |= {name: cell(naive if name == "ma7" else None if naive is None else 0.9) for name in NAIVE_METHODS}
    index = int(_choose(error, cell(gain), ForecastConfig())[0, 0])
    assert (METHODS[index] if index >= 0 else None) == chosen


def test_accuracy_is_refused_under_three_windows(make):
    frame = make["rows"]("total", "total", "", make["stationary"](1, 95, seed=1)["w00"])
    accuracy = forecast(frame, AS_OF, make["budget"](), run_id="r").accuracy.filter(method="ens3")
    refused = accuracy.filter(horizon="h30").row(0, named=True)
    assert refused["wape"] is None and refused["state"] == "insufficient data: 2 of 3 windows"
    assert accuracy.filter(horizon="h7")["wape"].item() is not None


def test_independent_windows_do_not_overlap():
    assert independent_windows(np.array([0, 5, 10, 15]), np.array([7, 7, 7, 7])) == 2
    assert independent_windows(np.array([0, 5, 10, 14]), np.array([7, 7, 7, 7])) == 2
    assert independent_windows(np.array([0, 7, 14]), np.array([7, 7, 7])) == 3
    assert independent_windows(np.array([], dtype=int), np.array([], dtype=int)) == 0


def test_wilson_interval_of_nine_in_ten():
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_pool_halves_the_weight_and_forgets_others_after_150_days():
    config = ForecastConfig()
    score = np.full((2, 400), np.nan)
    score[0, 10:110] = 1.0
    score[1, 300:340] = -1.0
    pool = Pool.at(score, 399, 7, config)
    assert pool.n_own.tolist() == [100, 40] and pool.n_others.tolist() == [40, 0]
    assert pool.n_eff() == pytest.approx([100 / 7 + 0.5 * 40 / 7, 40 / 7])
    own, other = pool.weights()
    assert own * pool.n_own == pytest.approx([0.5, 1.0]) and other[0] * 40 == pytest.approx(0.5)
    assert pool.quantiles(np.array([[0.5, 0.51], [0.5, 1.0]])).tolist() == [[-1.0, 1.0], [-1.0, -1.0]]


def test_a_series_without_scores_takes_its_siblings_whole():
    score = np.full((2, 100), np.nan)
    score[1, 40:44] = [1.0, 2.0, 3.0, 4.0]
    pool = Pool.at(score, 99, 2, ForecastConfig())
    assert pool.quantiles(np.array([[0.25, 0.75], [0.25, 0.75]])).tolist() == [[1.0, 3.0], [1.0, 3.0]]


def test_miscoverage_adapts_by_each_resolved_window(make):
    """Misses lower the level, hits raise it, by the stated step, and only windows that are over count."""
    costs = make["stationary"](1, 300, seed=9)["w00"] * np.where(np.arange(300) >= 270, 6.0, 1.0)
    panel = build_panel(make["rows"]("total", "total", "", costs), AS_OF)
    ends = {}
    for rate in (0.0, 0.02):
        config = ForecastConfig(adaptive_rate=rate)
        tree = build_tree(panel, config)
        found = candidates(tree, config)
        ends[rate] = run_windows(tree, found, ScoreBook(panel, found.published, config), "h7", config)
    window = ends[0.02]
    heard = np.isfinite(window.actual[0]) & np.isfinite(window.low[0, :, 0])
    actual = window.actual[0, heard, None]
    missed = (actual < window.low[0, heard]) | (actual > window.high[0, heard])
    nominal = np.array([0.2, 0.05])
    assert missed.any() and not missed.all()
    level = nominal
    for miss in missed:
        level = np.clip(level + 0.02 * (nominal - miss), 0.004, 0.6)
    assert window.miss[0] == pytest.approx(level)
    assert ends[0.0].miss[0].tolist() == [0.2, 0.05]
    assert not np.array_equal(ends[0.0].high, window.high, equal_nan=True)


def test_driver_ratio_starts_where_calls_are_known(make):
    """Calls logged for the last 10 days only: the ratio does not divide 28 days of cost by 10 days of calls."""
    calls = [0.0] * 90 + [10.0] * 10
    panel = build_panel(make["rows"]("workflow=a", "workflow", "a", [5.0] * 100, calls=calls), AS_OF)
    assert driver_pattern(panel)[0, -1] == pytest.approx([5.0] * 7)
    assert np.isnan(driver_pattern(panel)[0, 89]).all()


def test_driver_ratio_widens_until_it_holds_thirty_calls(make):
    """One call a day at cost 2, before that at cost 4: 28 calls are too few, 56 days hold half of each."""
    calls, cost = [1.0] * 100, [4.0] * 72 + [2.0] * 28
    table = driver_table(build_panel(make["rows"]("workflow=a", "workflow", "a", cost, calls=calls), AS_OF))
    assert table["context"].item() * table["rate"].item() == pytest.approx(3.0)
    busy = driver_table(build_panel(make["rows"]("workflow=a", "workflow", "a", cost, calls=[2.0] * 100), AS_OF))
    assert busy["context"].item() * busy["rate"].item() == pytest.approx(1.0)


def test_combination_leans_to_the_smaller_error():
    direct, driver, missing = np.full((1, 1, 7), 10.0), np.full((1, 1, 7), 20.0), np.full((1, 1, 7), np.nan)
    small, large, unknown = np.array([[0.1]]), np.array([[0.3]]), np.array([[np.nan]])
    assert _combine(direct, driver, small, large)[0, 0, 0] == pytest.approx(12.5)
    assert _combine(direct, driver, large, small)[0, 0, 0] == pytest.approx(17.5)
    assert _combine(direct, driver, unknown, small)[0, 0, 0] == pytest.approx(10.0), "a driver that was never measured has no weight"
    assert _combine(direct, missing, small, large)[0, 0, 0] == pytest.approx(10.0)


def test_naive_forecasts_by_hand():
    """Days 28 to 31 of one month and 1 to 3 of the next, spend 1 to 7; a second series starts on day 6."""
    values = np.array([np.arange(1.0, 8.0), [0, 0, 0, 0, 0, 4.0, 8.0]])
    start, day = np.array([0, 5]), np.array([28, 29, 30, 31, 1, 2, 3])
    assert run_rate(values, start, day)[:, -1, 0].tolist() == [6.0, 6.0]
    assert run_rate(values, start, day)[0, 3, 0] == 2.5
    assert ma7(values, start)[:, -1, 0].tolist() == [4.0, 6.0]
    assert naive_last(values)[:, -1, 3].tolist() == [7.0, 8.0]
    assert seasonal_naive(values, start)[0, -1].tolist() == list(range(1, 8))
    assert seasonal_naive(values, start)[1, -1].tolist() == [6.0] * 7


def test_price_factor_reprices_the_mix():
    mix = {"input_uncached": 2e6, "output": 1e6}
    assert price_factor(
        mix, {"input_uncached": 3.0, "output": 15.0}, {"input_uncached": 3.0, "output": 7.5}
    ) == pytest.approx(13.5 / 21)
    with pytest.raises(ValueError, match="costs nothing"):
        price_factor(mix, {"input_uncached": 0.0, "output": 0.0}, {"input_uncached": 1.0, "output": 1.0})
