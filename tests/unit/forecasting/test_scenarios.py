"""Scenarios: what holds for any tree and levers, then each driver, then what is refused."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.scenarios import (
    Drivers,
    Lever,
    ScenarioError,
    break_even,
    cache_break_even,
    compose,
    displayed,
    evaluate,
    levers_of,
    run_scenarios,
    shapley_values,
)
from forecasting.schemas import DECISION_SCHEMAS

FIRST, END = date(2026, 10, 1), date(2026, 12, 1)
DAYS = [date(2026, 10, d) for d in range(1, 31)]
TOKENS = {"tokens_input_uncached": 4000, "tokens_cache_read": 1000, "tokens_cache_write": 500, "tokens_output": 300}
PRICES = {"price_input_uncached": 3, "price_cache_read": 0.3, "price_cache_write": 3.75, "price_output": 15}


def tree(*rows: dict[str, object]) -> pl.DataFrame:
    start = {"workflow": "w", "model": "m", "user_actions": 100, "fan_out": 3, "retry": 0.1, "share": 1}
    return pl.DataFrame(
        [start | TOKENS | PRICES | row for row in rows], schema=DECISION_SCHEMAS["drivers"], strict=False
    )


TWO = tree(
    {"model": "big", "share": 0.25, "price_output": 75},
    {"model": "small", "share": 0.75},
    {"workflow": "v", "user_actions": 7},
)


def levers(*rows: dict[str, object]) -> pl.DataFrame:
    start = {"scenario_id": "plan", "lever_id": "l", "mode": "multiplier"}
    return pl.DataFrame([start | row for row in rows], schema=DECISION_SCHEMAS["levers"], strict=False)


def cost(*chosen: Lever, frame: pl.DataFrame = TWO) -> float:
    return float(evaluate(Drivers.from_frame(frame), chosen, DAYS).cost.sum())


some = st.lists(
    st.builds(
        Lever,
        lever_id=st.sampled_from("abcd"),
        driver=st.sampled_from(["user_actions", "fan_out", "retry", "context", "context_in", "context_out", "price"]),
        value=st.floats(0.1, 3),
        workflow=st.sampled_from([None, "w", "v"]),
        start=st.sampled_from([None, date(2026, 10, 10)]),
        ramp_days=st.integers(0, 20),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda lever: lever.lever_id,
)
cached = st.lists(
    st.builds(
        Lever,
        lever_id=st.sampled_from("xyz"),
        driver=st.just("cache_hit"),
        mode=st.just("absolute"),
        value=st.floats(0, 1),
        ramp_days=st.integers(0, 9),
        start=st.just(DAYS[4]),
    ),
    max_size=2,
)


@settings(deadline=None, max_examples=60)
@given(chosen=some, caches=cached, seed=st.randoms(use_true_random=False))
def test_levers_compose_in_any_order(chosen, caches, seed):
    everything = [*chosen, *caches]
    mixed = seed.sample(everything, len(everything))
    assert cost(*mixed) == pytest.approx(cost(*everything), rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(chosen=some)
def test_shapley_amounts_add_to_the_change_exactly_and_rows_to_the_summary(chosen):
    rows = [
        {
            "lever_id": v.lever_id,
            "driver": v.driver,
            "value": v.value,
            "workflow": v.workflow,
            "start": v.start,
            "ramp_days": v.ramp_days,
        }
        for v in chosen
    ]
    found = run_scenarios(TWO, levers(*rows), FIRST, END)
    summary = found.summary.row(0, named=True)
    assert found.levers["amount"].sum() == summary["change"] == summary["cost"] - summary["baseline_cost"]
    plan = found.scenarios.filter(pl.col("scenario_id") == "plan")
    assert plan["change"].sum() == summary["change"]
    assert plan["cost"].sum() == summary["cost"]
    assert_frame_equal(run_scenarios(TWO.reverse(), levers(*rows[::-1]), FIRST, END).scenarios, found.scenarios)


@settings(deadline=None, max_examples=30)
@given(values=st.lists(st.floats(0.2, 2), min_size=1, max_size=5))
def test_multipliers_of_separate_drivers_multiply_and_do_not_interact(values):
    names = ["user_actions", "fan_out", "price", "context"][: len(values)]
    chosen = [Lever(n, n, v) for n, v in zip(names, values, strict=False)]
    assert cost(*chosen) == pytest.approx(cost() * math.prod(v.value for v in chosen))
    how = compose([cost(v) / cost() for v in chosen], cost(*chosen) / cost())
    assert how.interaction_log == pytest.approx(0, abs=1e-9)
    assert how.combined == pytest.approx(how.product_form)


def test_a_scenario_without_effect_changes_nothing():
    found = run_scenarios(TWO, levers({"driver": "price", "value": 1.0}), FIRST, END)
    assert found.scenarios["change"].unique().to_list() == [Decimal(0)]
    assert found.summary["combined"].to_list() == [0.0]
    assert found.scenarios["cost"].sum() > 0


def test_calls_tokens_and_rate_multiply_back_to_cost():
    table = run_scenarios(TWO, levers({"driver": "context_in", "value": 0.5}), FIRST, END).scenarios
    product = table["calls"] * table["tokens_per_call"] * table["rate_per_million"] / 1e6
    assert product.to_list() == pytest.approx(table["cost"].cast(pl.Float64).to_list())


def test_symmetric_levers_have_equal_shares_and_an_idle_one_none():
    def value(group: frozenset[str]) -> float:
        return {0: 0.0, 1: 3.0, 2: 10.0}[len(group - {"idle"})]

    assert shapley_values(value, ["a", "b", "idle"]) == pytest.approx({"a": 5, "b": 5, "idle": 0})


def test_seven_levers_are_sampled_with_a_seed_and_still_add_up():
    rows = [{"lever_id": f"l{i}", "driver": "user_actions", "value": 1.1 + i / 10} for i in range(7)]
    one, two = (run_scenarios(tree({}), levers(*rows), FIRST, date(2026, 10, 2), seed=s) for s in (1, 2))
    assert one.levers["amount"].sum() == one.summary["change"][0]
    assert "seed 1" in one.summary["shapley"][0]
    exact = shapley_values(lambda g: math.prod(1.1 + int(n[1]) / 10 for n in g), [f"l{i}" for i in range(6)])
    assert sum(exact.values()) == pytest.approx(math.prod(1.1 + i / 10 for i in range(6)) - 1)
    assert one.levers["amount"].to_list() != two.levers["amount"].to_list()


def test_two_cache_levers_combine_by_what_both_miss():
    half, third = (Lever(str(h), "cache_hit", h, "absolute", workflow="v") for h in (0.5, 0.3))
    both = Lever("both", "cache_hit", 1 - 0.5 * 0.7, "absolute", workflow="v")
    assert cost(half, third) == pytest.approx(cost(both))
    split = evaluate(Drivers.from_frame(tree({})), [Lever("h", "cache_hit", 0.6, "absolute")], DAYS[:1])
    sent = split.tokens[0, 0, :3] / 330
    assert sent == pytest.approx([5500 * 0.4 - 500, 5500 * 0.6, 500])


def test_a_cache_lever_that_has_not_started_leaves_the_measured_hits():
    later = Lever("h", "cache_hit", 0.9, "absolute", start=date(2027, 1, 1))
    assert cost(later) == pytest.approx(cost(), rel=1e-12)


def test_a_mix_moves_calls_between_models_and_keeps_their_sum():
    out = evaluate(Drivers.from_frame(TWO), [Lever("r", "mix", 0.05, "absolute", "w", "big")], DAYS)
    assert out.calls[1].sum() / out.calls[1:].sum() == pytest.approx(0.05)
    assert out.calls.sum() == pytest.approx(evaluate(Drivers.from_frame(TWO), [], DAYS).calls.sum())
    with pytest.raises(ScenarioError, match="not 1"):
        cost(Lever("r", "mix", 0.5, "absolute", "v", "m"))


def test_context_drift_compounds_per_thirty_days():
    grown = evaluate(
        Drivers.from_frame(tree({})), [Lever("d", "context_drift", 0.1, start=DAYS[0])], [DAYS[0], date(2026, 10, 31)]
    )
    assert grown.cost[0, 1] / grown.cost[0, 0] == pytest.approx(1.1)


def test_a_ramp_comes_in_equal_steps():
    lever = Lever("a", "user_actions", 2.0, start=DAYS[10], ramp_days=5)
    assert lever.ramp(DAYS)[9:16].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    assert Lever("a", "user_actions", 2.0, start=DAYS[10]).ramp(DAYS)[9:12].tolist() == [0, 1, 1]


def test_absolute_values_replace_and_multipliers_follow():
    assert cost(Lever("a", "user_actions", 50, "absolute", "w"), frame=tree({})) == pytest.approx(
        cost(frame=tree({})) / 2
    )
    both = [Lever("m", "user_actions", 2.0), Lever("a", "user_actions", 50, "absolute")]
    assert cost(*both, frame=tree({})) == pytest.approx(cost(frame=tree({})))
    half = Lever("r", "retry", 0.0, "absolute")
    assert cost(half, frame=tree({})) == pytest.approx(cost(frame=tree({})) / 1.1)
    assert cost(Lever("c", "context", 2900, "absolute"), frame=tree({})) == pytest.approx(cost(frame=tree({})) / 2)
    halved = Lever("p", "price", 7.5, "absolute", token_class="output")
    assert cost(halved, frame=tree({})) == pytest.approx(cost(frame=tree({"price_output": 7.5})))


def test_demand_by_day_replaces_the_constant():
    demand = pl.DataFrame(
        {"workflow": ["w"] * 2, "target_date": [FIRST, date(2026, 10, 2)], "user_actions": [100.0, 300.0]}
    )
    found = run_scenarios(tree({}), levers(), FIRST, date(2026, 10, 3), demand=demand)
    assert found.scenarios["calls"].to_list() == pytest.approx([400 * 3.3])
    assert found.levers.is_empty() and found.summary.is_empty()
    with pytest.raises(ScenarioError, match="every day"):
        run_scenarios(tree({}), levers(), FIRST, date(2026, 10, 4), demand=demand)


def test_break_even_is_where_the_period_costs_the_target():
    half = Lever("p", "price", 0.5)
    base = float(evaluate(Drivers.from_frame(TWO), [], [FIRST]).cost.sum())
    found = break_even(TWO, [half], "user_actions", base, FIRST, date(2026, 10, 2))
    assert found == pytest.approx(2.0)
    assert break_even(TWO, [half], "context_out", base / 1e6, FIRST, date(2026, 10, 2)) is None


def test_cache_pays_from_the_reads_that_earn_the_write():
    assert cache_break_even(1.25, 0.1) == pytest.approx(0.25 / 0.9)
    assert cache_break_even(2.0, 0.1) == pytest.approx(1 / 0.9)
    assert cache_break_even(1.0, 0.5) == 0
    assert cache_break_even(1.25, 1.0) == math.inf


def test_display_rounds_half_up():
    assert [displayed(v) for v in ("41749.99", "41750", "-50", 0.0)] == [41700, 41800, -100, 0]


def test_a_free_scenario_has_no_interaction():
    assert math.isnan(compose([0.0, 0.5], 0.0).interaction_log)
    found = run_scenarios(tree({}), levers({"driver": "price", "value": 0.0}), FIRST, date(2026, 10, 2))
    assert found.summary["interaction_log"][0] is None
    assert found.summary["combined"][0] == 1.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"driver": "colour", "value": 1}], "none of"),
        ([{"driver": "price", "value": -1}], "value"),
        ([{"driver": "price", "value": 1, "mode": "plus"}], "neither"),
        ([{"driver": "price", "value": 1, "mode": "absolute"}], "token class"),
        ([{"driver": "cache_hit", "value": 0.5}], "absolute share"),
        ([{"driver": "mix", "value": 0.5, "mode": "absolute"}], "names a model"),
        ([{"driver": "context", "value": 1, "token_class": "output"}], "token class"),
        ([{"driver": "fan_out", "value": 1, "scenario_id": "baseline"}], "no levers"),
        ([{"driver": "fan_out", "value": None}], "needed"),
        ([{"driver": "fan_out", "value": 1, "workflow": "gone"}], "no workflow"),
        ([{"driver": "fan_out", "value": 1, "mode": "absolute"}] * 2, "two absolute"),
        (
            [
                {"driver": "mix", "value": 0.5, "mode": "absolute", "model": "big", "workflow": "w", "lever_id": i}
                for i in "ab"
            ],
            "two mixes",
        ),
    ],
)
def test_levers_that_mean_nothing_are_refused(rows, message):
    with pytest.raises(ScenarioError, match=message):
        run_scenarios(TWO, levers(*rows), FIRST, END)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"share": 0.5}], "add to 0.5"),
        ([{}, {}], "two rows"),
        ([{"user_actions": -1}], "user_actions"),
        ([{"share": 0.5}, {"model": "n", "share": 0.5, "fan_out": 9}], "differ by model"),
        ([{"price_output": None}], "price_output"),
    ],
)
def test_trees_that_mean_nothing_are_refused(rows, message):
    with pytest.raises(ScenarioError, match=message):
        Drivers.from_frame(tree(*rows))


def test_missing_columns_and_empty_periods_are_refused():
    with pytest.raises(ScenarioError, match="lack"):
        Drivers.from_frame(pl.DataFrame({"workflow": ["w"]}))
    with pytest.raises(ScenarioError, match="lack"):
        levers_of(pl.DataFrame({"lever_id": ["w"]}))
    with pytest.raises(ScenarioError, match="empty"):
        run_scenarios(TWO, levers(), END, FIRST)
