"""The worked examples of the forecasting method, read from the golden file."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from forecasting.config import ForecastConfig
from forecasting.drivers import disjoint_classes, driver_cost, token_class_cost
from forecasting.hierarchy import reconcile
from forecasting.intervals import Sample, effective_windows, to_total, upper_level
from forecasting.models import ens3, history_length, path, ses_level, trailing_mean, weekday_shape
from forecasting.pacing import breach_dates, first_crossing, pace
from forecasting.work_items import leave_one_out
from tests.unit.forecasting.golden import GOLDEN


def test_seed_ledger_total():
    rows, expected = GOLDEN["seed-ledger-total"]["inputs"]["rows"], GOLDEN["seed-ledger-total"]["expected"]
    cost = sum(row[3] for row in rows)
    rebuilt = [driver_cost(calls, tokens, 1000 * c / (calls * tokens)) for _, calls, tokens, c in rows]
    assert sum(row[1] for row in rows) == expected["calls"]
    assert sum(rebuilt) == pytest.approx(expected["cost"], rel=1e-12)
    assert [100 * c / cost for c in rebuilt] == pytest.approx(expected["share_pct"], rel=1e-6)
    assert [c / row[1] for c, row in zip(rebuilt, rows, strict=True)] == pytest.approx(
        expected["cost_per_call"], rel=1e-6
    )


def test_seed_scenarios():
    expected = GOLDEN["seed-scenarios"]["expected"]
    baseline = expected["rows"][0]["cost_from_printed_drivers"]
    for row in expected["rows"]:
        cost = driver_cost(row["calls"], row["tokens_per_call"], row["rate_per_1k"])
        assert cost == pytest.approx(row["cost_from_printed_drivers"], rel=1e-9)
        assert cost == pytest.approx(row["printed"], rel=GOLDEN["seed-scenarios"]["tol_rel"])
        assert 100 * (cost / baseline - 1) == pytest.approx(row["printed_pct"], abs=0.5)
    rate = expected["implied_unrounded_rate_per_1k"]
    assert driver_cost(1_240_000, 7_010, rate) == pytest.approx(41_800, rel=1e-9)


def test_rate_token_classes():
    example = GOLDEN["rate-token-classes"]
    price = example["inputs"]["price_usd_per_mtok"]
    named = {
        "input_uncached": price["inp"],
        "cache_read": price["cached"],
        "cache_write": price["write"],
        "output": price["out"],
    }
    blind = named | {"cache_read": price["inp"]}
    for i, call in enumerate(example["inputs"]["calls"]):
        tokens = disjoint_classes(call["input_total"], call["cache_read"], call["output"])
        assert sum(tokens.values()) == call["input_total"] + call["output"]
        cost, overstated = token_class_cost(tokens, named), token_class_cost(tokens, blind)
        assert cost == pytest.approx(example["expected"]["cost"][i], rel=1e-9)
        assert 1000 * cost / sum(tokens.values()) == pytest.approx(
            example["expected"]["effective_usd_per_1k"][i], rel=1e-9
        )
        assert overstated == pytest.approx(example["expected"]["cache_blind_cost"][i], rel=1e-9)
        assert overstated / cost == pytest.approx(example["expected"]["overstatement"][i], rel=1e-9)


def test_ens3_weekly():
    example = GOLDEN["ens3-weekly"]
    y, start = np.array([example["inputs"]["y"]], dtype=float), np.array([0])
    expected, length = example["expected"], history_length(start, y.shape[1])
    assert trailing_mean(y, length, 7)[0, -1] == pytest.approx(expected["ma7"][0], rel=1e-6)
    wk = trailing_mean(y, length, 28)[0, -1] * weekday_shape(y, length)[0, -1]
    assert wk == pytest.approx(expected["weekday_shape_28"], rel=1e-6)
    assert ses_level(y, start)[0, -1] == pytest.approx(expected["ses"][0], rel=1e-6)
    week = path(ens3(y, start)[0, -1], example["inputs"]["h"])
    assert week == pytest.approx(expected["ens3"], rel=1e-6)
    assert week.sum() == pytest.approx(expected["ens3_sum"], rel=1e-6)


def test_pacing_june():
    inputs, expected = GOLDEN["pacing-june"]["inputs"], GOLDEN["pacing-june"]["expected"]
    first, cutoff = date(2026, 6, 1), date(2026, 6, inputs["as_of_day"])
    ahead = [cutoff + timedelta(days=i) for i in range(1, 21)]
    daily = np.array(
        [inputs["weekday_forecast"] if d.weekday() < 5 else inputs["weekend_forecast"] for d in ahead], dtype=float
    )
    spent = np.full(10, inputs["mtd"] / 10)
    scores = Sample(np.array(inputs["log_scores"], dtype=float), np.full(10, 0.1), n_eff=10.0)
    state = pace(
        budget=inputs["budget"],
        first=first,
        end=date(2026, 7, 1),
        cutoff=cutoff,
        spent=spent,
        daily=daily,
        sample=scores,
        c=0.0,
        config=ForecastConfig(),
    )
    assert daily.sum() == expected["remaining"]
    assert state.month_end == expected["month_end"]
    assert state.linear_pace_index == pytest.approx(expected["linear_pace_index"])
    assert state.p_breach == pytest.approx(expected["breach_probability_smoothed"], rel=1e-9)
    assert state.level == "warn"
    ends = inputs["mtd"] + to_total(np.full(2, daily.sum()), np.zeros(2), np.array([inputs["q10"], inputs["q90"]]))
    assert ends == pytest.approx(expected["interval80"], rel=1e-9)
    assert (inputs["mtd"] + np.cumsum(daily)).tolist() == expected["path"]
    assert str(first_crossing(inputs["mtd"], daily, ahead[0], inputs["budget"])) == expected["breach_date"]
    run_rate = np.full(20, inputs["mtd"] / 10)
    assert inputs["mtd"] + run_rate.sum() == expected["run_rate_month_end"]
    assert str(first_crossing(inputs["mtd"], run_rate, ahead[0], inputs["budget"])) == expected["run_rate_breach_date"]
    at_point = Sample(np.zeros(1), np.ones(1), 1.0)
    assert [str(d) for d in breach_dates(inputs["mtd"], daily, ahead[0], inputs["budget"], at_point, 0.0)] == [
        "2026-06-27"
    ] * 3


def test_breach_quantile_past_the_breaching_mass_is_open():
    """Eight of ten scores breach, so p10 and p50 are dates and p90 does not happen inside the month."""
    inputs = GOLDEN["pacing-june"]["inputs"]
    scores = Sample(np.array(inputs["log_scores"], dtype=float), np.full(10, 0.1), n_eff=10.0)
    ahead = [date(2026, 6, 10) + timedelta(days=i) for i in range(1, 21)]
    daily = np.array([700.0 if d.weekday() < 5 else 300.0 for d in ahead])
    p10, p50, p90 = breach_dates(6200, daily, ahead[0], 16000, scores, 0.0)
    assert p10 is not None and p50 is not None and p10 < p50
    assert p90 is None


def test_conformal_neff():
    inputs, expected = GOLDEN["conformal-neff"]["inputs"], GOLDEN["conformal-neff"]["expected"]
    n_eff = effective_windows(np.array(inputs["n"]), np.array(0), inputs["horizon"])
    assert n_eff == expected["n_eff"]
    assert upper_level(np.array(inputs["alpha"]), np.array(np.inf)) == pytest.approx(expected["upper_level_plain"])
    assert upper_level(np.array(inputs["alpha"]), n_eff) == expected["upper_level_adjusted"]
    weekly = effective_windows(np.array(inputs["n"]), np.array(0), 7)
    assert weekly == pytest.approx(expected["h7_n_eff"], rel=1e-9)
    assert upper_level(np.array(inputs["alpha"]), weekly) == pytest.approx(expected["h7_upper_level"], rel=1e-9)


def test_mint_wls():
    base, variance = (GOLDEN["mint-wls"]["inputs"][k] for k in ("base", "variance"))
    parent, children = reconcile(
        np.array([base["total"]], dtype=float),
        np.array([[base["A"]], [base["B"]]], dtype=float),
        np.array([variance["A"], variance["B"]], dtype=float),
        variance["total"],
    )
    expected = GOLDEN["mint-wls"]["expected"]
    assert [children[0, 0], children[1, 0], parent[0]] == pytest.approx(
        [expected[k] for k in ("A", "B", "total")], rel=1e-9
    )


def test_loo_jackknife_plus():
    example = GOLDEN["loo-jackknife-plus"]
    result, expected = (
        leave_one_out(np.array(example["inputs"]["costs"]), example["inputs"]["alpha"]),
        example["expected"],
    )
    assert result.predicted == pytest.approx(expected["loo_pred"], rel=1e-6)
    assert (result.wape, result.mdape, result.bias) == pytest.approx(
        [expected[k] for k in ("wape", "mdape", "bias")], rel=1e-6
    )
    assert (result.lo, result.hi) == pytest.approx(expected["interval80"], rel=1e-6)
    assert result.smearing == pytest.approx(expected["smearing_factor"], rel=1e-6)
    assert result.mean == pytest.approx(expected["expected_cost_new_item"], rel=1e-6)
    assert leave_one_out(np.array([1.0, 2.0, 3.0])).hi is None
