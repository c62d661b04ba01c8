"""Work items at plan and in flight: exact leave-one-out against refitting, coverage, bundles, no leak of outcomes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.work_item_plan import (
    PENALTY,
    WorkItemError,
    bundle,
    eligible,
    fit,
    in_flight,
    leave_out,
    predict,
    scores,
)
from forecasting.work_items import leave_one_out
from tests.unit.forecasting.golden import GOLDEN

CATEGORIES = ("work_item_type", "team")


def company(n: int, seed: int = 1, noise: float = 0.6) -> pl.DataFrame:
    """Items whose cost grows with points and differs by type and team, with log-normal noise."""
    rng = np.random.default_rng(seed)
    points, kind, team = rng.choice([1, 2, 3, 5, 8], n), rng.choice(["bug", "story"], n), rng.choice(["a", "b", "c"], n)
    logs = 1 + 0.8 * np.log(points) + 0.5 * (kind == "story") + 0.3 * (team == "b") + rng.normal(0, noise, n)
    return pl.DataFrame(
        {
            "item": [f"i{k:04d}" for k in range(n)],
            "points": points,
            "work_item_type": kind,
            "team": team,
            "cost": np.exp(logs),
        }
    )


@pytest.mark.parametrize("n", [12, 40])
def test_leaving_one_out_equals_fitting_without_it(n):
    items = company(n)
    found = leave_out(fit(items, CATEGORIES), items)
    for j in (0, 3, n - 1):
        rest = items.filter(pl.col("item") != items["item"][j])
        again = predict(fit(rest, CATEGORIES), items[j : j + 1]).row(0, named=True)
        row = found.row(j, named=True)
        for name in ("median", "mean", "lo80", "hi80", "lo95", "hi95"):
            same = row[name] is again[name] is None or row[name] == pytest.approx(again[name], rel=1e-6)
            assert same, name


def test_few_items_are_the_geometric_mean_of_the_golden_example():
    example = GOLDEN["loo-jackknife-plus"]
    costs = example["inputs"]["costs"]
    items = pl.DataFrame({"item": [str(i) for i in range(9)], "cost": costs, "team": ["a"] * 5 + ["b"] * 4})
    plan = fit(items, ("team",))
    assert np.exp(plan.logs - plan.residuals) == pytest.approx(example["expected"]["loo_pred"], rel=1e-6)
    assert plan.smearing == pytest.approx(example["expected"]["smearing_factor"], rel=1e-6)
    row = predict(plan, items[:1]).row(0, named=True)
    assert [row["lo80"], row["hi80"]] == pytest.approx(example["expected"]["interval80"], rel=1e-6)
    assert row["mean"] == pytest.approx(example["expected"]["expected_cost_new_item"], rel=1e-6)
    assert row["hi95"] is None
    assert leave_one_out(np.array(costs)).median == pytest.approx(row["median"], rel=1e-6)


def test_a_category_is_shrunk_as_if_eight_average_items_were_added():
    logs = np.array([1.0] * 8 + [2.0] * 8)
    items = pl.DataFrame({"item": [str(i) for i in range(16)], "cost": np.exp(logs), "team": ["a"] * 8 + ["b"] * 8})
    medians = np.log(predict(fit(items, ("team",)), items)["median"].to_numpy())
    assert sorted(set(np.round(medians, 6))) == pytest.approx([1.25, 1.75], abs=1e-5)
    assert PENALTY == 8


@settings(max_examples=25, deadline=None)
@given(n=st.integers(10, 60), seed=st.integers(0, 99), k=st.floats(0.01, 100))
def test_predictions_scale_with_money_and_do_not_mind_order(n, seed, k):
    items = company(n, seed)
    one = leave_out(fit(items, CATEGORIES), items)
    mixed = items.sample(fraction=1, shuffle=True, seed=seed)
    assert_frame_equal(leave_out(fit(mixed, CATEGORIES), mixed), one, rel_tol=1e-6, abs_tol=1e-9)
    scaled = items.with_columns(pl.col("cost") * k)
    # ln(k) moves the intercept only, which is free.
    assert (leave_out(fit(scaled, CATEGORIES), scaled)["median"] / one["median"]).to_list() == pytest.approx(
        [k] * n, rel=1e-6
    )


def test_means_are_unbiased_where_medians_are_low_and_ranges_cover():
    items = company(400, seed=4)
    found = leave_out(fit(items, CATEGORIES), items)
    table = scores(found, seed=1)
    single, many = table.row(0, named=True), table.row(1, named=True)
    assert abs(single["bias"]) < 0.05
    assert found["median"].sum() / items["cost"].sum() - 1 < -0.08
    assert single["coverage80"] == pytest.approx(0.8, abs=0.05)
    assert single["coverage95"] == pytest.approx(0.95, abs=0.03)
    assert many["wape"] < single["wape"] / 2
    assert scores(found, seed=1).equals(table)


def test_a_size_is_worth_more_than_none():
    items = company(200)
    with_size = scores(leave_out(fit(items, CATEGORIES), items))["wape"][0]
    bare = items.drop("points")
    assert with_size < scores(leave_out(fit(bare, CATEGORIES), bare))["wape"][0]


def test_accuracy_is_refused_for_few_items():
    items = company(9)
    told = scores(leave_out(fit(items), items))
    assert told["state"].to_list() == ["insufficient data: 9 of 10 items"] * 2
    some = company(39)
    assert scores(leave_out(fit(some), some))["state"].to_list() == ["measured", "insufficient data: 39 of 40 items"]


@pytest.mark.parametrize("feature", ["elapsed_days", "calls", "final_model", "cost", "spent"])
def test_what_is_known_only_later_is_refused_at_plan(feature):
    with pytest.raises(WorkItemError, match=feature):
        fit(company(20).with_columns(pl.lit(1).alias("elapsed_days")), (feature,))


def test_at_plan_forecasts_do_not_move_with_what_happens_later():
    items, new = company(50), company(5, seed=9)
    plan = fit(items, CATEGORIES)
    later = new.with_columns(spent=pl.lit(1e6), elapsed_days=pl.lit(99), cost=pl.lit(7.0))
    assert_frame_equal(predict(plan, later), predict(plan, new))


def test_in_flight_never_ends_below_what_is_spent_and_starts_at_plan():
    items, new = company(100), company(4, seed=9)
    plan = fit(items, CATEGORIES)
    start = in_flight(plan, new.with_columns(spent=pl.lit(0.0)))
    assert start["mean"].to_list() == pytest.approx(predict(plan, new)["mean"].to_list())
    before = start["mean"]
    for spent in (5.0, 20.0, 50.0):
        now = in_flight(plan, new.with_columns(spent=pl.lit(spent)))
        assert (now["mean"] >= before - 1e-9).all() and (now["mean"] > spent).all()
        before = now["mean"]
    far = in_flight(plan, new.with_columns(spent=pl.lit(1e9)))
    assert far["state"].unique().to_list() == ["beyond history"]
    assert far["mean"].to_list() == [1.25e9] * 4


def test_a_bundle_is_the_sum_of_means_with_a_narrower_range():
    items, new = company(200), company(20, seed=9)
    plan = fit(items, CATEGORIES)
    whole, single = bundle(plan, new, seed=3), predict(plan, new)
    assert whole["mean"] == pytest.approx(single["mean"].sum())
    assert single["lo80"].sum() < whole["lo80"] < whole["mean"] < whole["hi80"] < single["hi80"].sum()
    assert whole["lo95"] < whole["lo80"] and whole["hi80"] < whole["hi95"]
    assert bundle(plan, new, seed=3) == whole


def test_unknown_categories_and_missing_points_still_have_a_forecast():
    plan = fit(company(60), CATEGORIES)
    odd = pl.DataFrame(
        {"item": ["x"], "points": [None], "work_item_type": ["epic"], "team": [None]},
        schema_overrides={"points": pl.Int64, "team": pl.String},
    )
    assert predict(plan, odd)["mean"][0] > 0


def test_open_cancelled_and_poorly_attributed_items_are_left_out():
    items = pl.DataFrame(
        {
            "item": list("abcde"),
            "cost": [1.0, 1, 1, 1, 0],
            "is_delivered": [True, False, True, True, True],
            "is_cancelled": [False, False, True, False, False],
            "fidelity_tier": ["call", "call", "call", "policy", "call"],
        }
    )
    assert eligible(items, ("call", "session"))["item"].to_list() == ["a"]
    with pytest.raises(WorkItemError, match="two items"):
        fit(items[:1])
    with pytest.raises(WorkItemError, match="above zero"):
        fit(items)
