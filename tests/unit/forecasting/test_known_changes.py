"""Known changes: told, not learned. Laws of factors and restated history first, then the forecast with and without."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forecasting.known_changes import (
    KnownChangeError,
    as_levers,
    factors,
    forecast_with_changes,
    known_on,
    restate,
    target_factors,
    validate,
)
from forecasting.outlook import next_months, outlook
from forecasting.scenarios import run_scenarios
from forecasting.schemas import DECISION_SCHEMAS

END = date(2026, 9, 20)
DAYS = [END - timedelta(days=119 - i) for i in range(160)]


def changes(*rows: dict[str, object]) -> pl.DataFrame:
    start = {
        "change_id": "c",
        "kind": "launch",
        "driver": "user_actions",
        "workflow": "w00",
        "mode": "multiplier",
        "value": 2.0,
        "start": END + timedelta(days=5),
        "ramp_days": 0,
        "confidence": 0.9,
        "recorded_on": date(2026, 8, 1),
        "owner": "p1",
        "note": "",
    }
    return pl.DataFrame([start | row for row in rows], schema=DECISION_SCHEMAS["known_changes"], strict=False)


def drivers(*workflows: str) -> pl.DataFrame:
    row = {
        "model": "m",
        "user_actions": 10,
        "fan_out": 5,
        "retry": 0,
        "share": 1,
        "tokens_input_uncached": 900,
        "tokens_cache_read": 0,
        "tokens_cache_write": 0,
        "tokens_output": 100,
        "price_input_uncached": 3,
        "price_cache_read": 0.3,
        "price_cache_write": 3.75,
        "price_output": 15,
    }
    return pl.DataFrame([row | {"workflow": w} for w in workflows], schema=DECISION_SCHEMAS["drivers"], strict=False)


TREE = drivers(*(f"w{i:02d}" for i in range(4)))


@pytest.fixture(scope="module")
def flat(make) -> pl.DataFrame:
    """Four workflows that cost the same every day: 10, 20, 30, 40."""
    return make["hierarchy"]({f"w{i:02d}": np.full(120, 10.0 * (i + 1)) for i in range(4)})


def total(frame: pl.DataFrame, column: str, level: str = "total") -> list[float]:
    return (
        frame.filter(pl.col("level") == level)
        .group_by("target_date")
        .agg(pl.col(column).sum())
        .sort("target_date")[column]
        .to_list()
    )


def test_restating_takes_out_what_a_change_put_in(flat):
    change = changes({"start": DAYS[100], "ramp_days": 10})
    found = factors(TREE, change, DAYS)
    assert list(found) == ["w00"]
    moved = (
        flat.join(pl.DataFrame({"charge_date": DAYS, "f": found["w00"].cost}), on="charge_date", how="left")
        .with_columns(
            cost=pl.when(pl.col("scope") == "w00")
            .then(pl.col("cost") * pl.col("f"))
            .when(pl.col("level") == "total")
            .then(pl.col("cost") + 10 * (pl.col("f") - 1))
            .otherwise("cost")
        )
        .drop("f")
    )
    back = restate(moved, found, DAYS).sort("series_key", "charge_date")
    plain = flat.filter(pl.col("level").is_in(["workflow", "total"])).sort("series_key", "charge_date")
    assert back["cost"].to_list() == pytest.approx(plain["cost"].to_list())


def test_the_order_of_rows_changes_no_bit_of_a_restated_history(flat):
    noise = np.random.default_rng(5).lognormal(2.0, 1.0, flat.height)
    series = flat.with_columns(cost=pl.Series(noise))
    found = factors(TREE, changes({"start": DAYS[100], "ramp_days": 10}), DAYS)
    first = restate(series, found, DAYS)
    assert_frame_equal(restate(series.sample(fraction=1, shuffle=True, seed=6), found, DAYS), first, check_exact=True)
    one, two = (
        target_factors(["other"], DAYS[130:], rows, found, DAYS)["other"]
        for rows in (series, series.sample(fraction=1, shuffle=True, seed=7))
    )
    assert (one == two).all() and (one != 1).any()


def test_factors_are_one_before_the_start_and_the_tree_after_the_ramp():
    found = factors(TREE, changes({"ramp_days": 4}), DAYS)["w00"]
    start = DAYS.index(END + timedelta(days=5))
    assert (found.cost[:start] == 1).all()
    assert found.cost[start : start + 5].tolist() == pytest.approx([1.25, 1.5, 1.75, 2, 2])
    assert found.calls[-1] == pytest.approx(2)
    cheaper = factors(TREE, changes({"driver": "price", "value": 0.5, "token_class": "output"}), DAYS)["w00"]
    assert cheaper.cost[-1] == pytest.approx((900 * 3 + 100 * 7.5) / (900 * 3 + 100 * 15))
    assert (cheaper.calls == 1).all() and (cheaper.tokens == 1).all()


def test_a_launch_in_the_future_multiplies_its_days_only(flat):
    plain, both = forecast_with_changes(flat, END, changes({}), TREE, run_id="r")
    assert plain.forecast_daily.height > 0
    w = both.filter(pl.col("scope") == "w00").sort("target_date")
    before = w.filter(pl.col("target_date") < END + timedelta(days=5))
    after = w.filter(pl.col("target_date") >= END + timedelta(days=5))
    assert before["with_changes"].to_list() == pytest.approx([10] * before.height)
    assert after["with_changes"].to_list() == pytest.approx([20] * after.height)
    assert w["without_changes"].to_list() == pytest.approx([10] * w.height)


def test_a_price_cut_in_the_past_is_not_diluted_by_older_days(flat):
    """Cost halved four days ago: without the change the forecast still sees the old price, with it it does not."""
    start = END - timedelta(days=3)
    halved = flat.with_columns(
        cost=pl.when((pl.col("scope") == "w00") & (pl.col("charge_date") >= start))
        .then(5.0)
        .when((pl.col("level") == "total") & (pl.col("charge_date") >= start))
        .then(95.0)
        .when((pl.col("series_key") == "team=0") & (pl.col("charge_date") >= start))
        .then(35.0)
        .otherwise("cost")
    )
    change = changes({"kind": "price", "driver": "price", "value": 0.5, "start": start})
    _, both = forecast_with_changes(halved, END, change, TREE, run_id="r")
    w = both.filter(pl.col("scope") == "w00")
    assert w["with_changes"].to_list() == pytest.approx([5.0] * w.height)
    assert w["without_changes"].min() > 6


@pytest.mark.parametrize("name", ["w00", "w03"])
def test_both_forecasts_add_up_over_every_level(company, name):
    members = {f"w{i:02d}": f"t{i % 2}" for i in range(6)}
    tree = drivers(*members)
    change = changes(
        {"workflow": name, "ramp_days": 6}, {"change_id": "d", "workflow": "w01", "driver": "price", "value": 0.5}
    )
    _, both = forecast_with_changes(company, END, change, tree, parents={"team": members}, run_id="r")
    for column in ("without_changes", "with_changes"):
        whole = total(both, column)
        assert len(whole) > 0
        for level in ("workflow", "team"):
            assert total(both, column, level) == pytest.approx(whole)
    assert total(both, "with_changes") != pytest.approx(total(both, "without_changes"))


def test_a_small_workflow_inside_other_still_moves_the_total(make):
    series = make["hierarchy"](
        {"big": np.full(120, 1000.0), "w00": np.full(120, 2.0), "tiny": np.full(120, 2.0)}, teams=1
    )
    change = changes({"value": 10.0, "start": END + timedelta(days=1)})
    _, both = forecast_with_changes(series, END, change, drivers("big", "w00", "tiny"), run_id="r")
    assert "w00" not in both["scope"].to_list()
    assert total(both, "with_changes") == pytest.approx([1022.0] * len(total(both, "with_changes")))
    assert total(both, "with_changes", "workflow") == pytest.approx(total(both, "with_changes"))


def test_a_retired_workflow_ends_and_its_last_days_say_nothing_about_before(flat):
    start = END - timedelta(days=2)
    gone = flat.with_columns(
        cost=pl.when((pl.col("scope") == "w00") & (pl.col("charge_date") >= start))
        .then(0.0)
        .when((pl.col("level") == "total") & (pl.col("charge_date") >= start))
        .then(90.0)
        .when((pl.col("series_key") == "team=0") & (pl.col("charge_date") >= start))
        .then(30.0)
        .otherwise("cost")
    )
    change = changes({"kind": "retirement", "value": 0.0, "start": start})
    found = factors(TREE, change, DAYS)
    unknown = restate(gone, found, DAYS).filter((pl.col("scope") == "w00") & (pl.col("charge_date") >= start))
    assert unknown["cost"].null_count() == 3
    _, both = forecast_with_changes(gone, END, change, TREE, run_id="r")
    assert both.filter(pl.col("scope") == "w00")["with_changes"].to_list() == [0.0] * 30
    assert both.filter(pl.col("scope") == "w00")["without_changes"].min() > 0


@pytest.mark.parametrize("row", [{"confidence": 0.49}, {"recorded_on": END + timedelta(days=1)}])
def test_what_is_unsure_or_not_yet_known_stays_out_of_the_forecast(flat, row):
    assert known_on(changes(row), END).is_empty()
    _, both = forecast_with_changes(flat, END, changes(row), TREE, run_id="r")
    assert both["with_changes"].to_list() == both["without_changes"].to_list()


def test_an_unsure_change_appears_in_scenarios():
    unsure = known_on(changes({"confidence": 0.2}), END, unsure=True)
    found = run_scenarios(TREE, as_levers(unsure, "maybe"), date(2026, 9, 1), date(2026, 11, 1))
    assert found.summary["change"][0] > 0


def test_no_changes_and_a_workflow_without_cost_leave_the_forecast_alone(flat):
    _, both = forecast_with_changes(flat, END, changes(), TREE, run_id="r")
    assert set(both["level"]) == {"total", "workflow"}
    free = TREE.with_columns(pl.selectors.starts_with("price_") * 0.0)
    _, same = forecast_with_changes(flat, END, changes({}), free, run_id="r")
    assert_frame_equal(both, same)


def test_a_changed_workflow_without_a_parent_is_refused(flat):
    with pytest.raises(KnownChangeError, match="w00"):
        forecast_with_changes(flat, END, changes({}), TREE, parents={"team": {"w01": "t1"}}, run_id="r")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"owner": ""}], "owner"),
        ([{"kind": "party"}], "kind"),
        ([{"confidence": 1.5}], "confidence"),
        ([{"driver": "colour"}], "colour"),
        ([{}, {}], "two rows"),
        ([{"value": -1.0}], "value"),
        ([{"start": None}], "start"),
    ],
)
def test_changes_that_mean_nothing_are_refused(rows, message):
    with pytest.raises(KnownChangeError, match=message):
        validate(changes(*rows))


def test_two_absolute_values_of_one_driver_are_refused():
    two = changes({"mode": "absolute"}, {"change_id": "d", "mode": "absolute"})
    with pytest.raises(KnownChangeError, match="two absolute"):
        factors(TREE, two, DAYS)
    with pytest.raises(KnownChangeError, match="lack"):
        validate(pl.DataFrame({"change_id": ["x"]}))


def test_rows_as_the_marts_hand_them_over_give_the_same_forecast(flat):
    """Exact cost, integer counts that may be unknown, and a closing flag: what a warehouse returns."""
    handed = flat.with_columns(
        pl.col("cost").cast(pl.Decimal(38, 14)),
        pl.col("calls").cast(pl.Int64),
        pl.lit(None, pl.Int64).alias("tokens_cache_write"),
        pl.lit(True).alias("is_closed"),
    )
    _, one = forecast_with_changes(flat, END, changes({}), TREE, run_id="r")
    _, two = forecast_with_changes(handed, END, changes({}), TREE, run_id="r")
    assert_frame_equal(one, two)
    found = outlook(handed, END, next_months(END), changes=changes({}), drivers=TREE, run_id="r")
    assert found.filter(pl.col("level") == "total")["point"].min() > 0
