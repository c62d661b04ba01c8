"""The pre-deployment cost model: closed forms and bounds for any loop, then single rules, then its later error."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.cost_model import (
    NOTE_FIELDS,
    CostModelError,
    Demand,
    Design,
    Fit,
    Loop,
    Prices,
    attempts,
    blend,
    compound,
    drift_alerts,
    escalated_cost,
    expected_pairs,
    fit_steps,
    input_total,
    launch_error,
    lognormal_pmf,
    moments,
    note_state,
    parallel_input,
    run_classes,
    run_cost,
    run_distribution,
    simulate_month,
    steps,
    tornado,
    window_step,
)

PRICES = Prices(input=3.0, output=15.0, cache_read=0.3, cache_write=3.75)
LOOP = Loop(prefix=2000, user_tokens=500, growth=800, output=300)
DESIGN = Design(loop=LOOP, prices=PRICES, step_pmf={1: 0.4, 5: 0.4, 25: 0.2}, max_steps=40)
JUNE = [date(2026, 6, 1) + timedelta(days=i) for i in range(30)]

loops = st.builds(
    Loop,
    prefix=st.integers(0, 5000),
    user_tokens=st.integers(0, 5000),
    growth=st.integers(0, 2000),
    output=st.integers(0, 2000),
)


@given(loop=loops, count=st.integers(0, 60))
def test_tokens_sent_follow_the_closed_form(loop, count):
    run = steps(loop, count)
    assert run.input.sum() == input_total(loop, count)
    assert run.output.sum() == count * loop.output
    assert (run.read == 0).all() and (run.write == 0).all()


@given(loop=loops, count=st.integers(0, 40), hit=st.floats(0, 1))
def test_caching_moves_tokens_between_classes_and_keeps_their_sum(loop, count, hit):
    run = steps(replace(loop, cached=hit), count)
    assert run.input.sum() == pytest.approx(input_total(loop, count))
    assert (run.uncached == 0).all()
    sent = steps(loop, count).input
    assert run.read.sum() == pytest.approx(hit * sent[:-1].sum())
    full = steps(replace(loop, cached=1.0), count)
    assert full.cost(PRICES) <= run.cost(PRICES) + 1e-12


@given(loop=loops, count=st.integers(1, 40), every=st.integers(1, 10), summary=st.integers(0, 500))
def test_compaction_never_lets_the_context_exceed_one_stretch(loop, count, every, summary):
    run = steps(replace(loop, compact_every=every, summary_tokens=summary), count)
    assert (run.step == 0).sum() == (count - 1) // every
    stretch = loop.prefix + loop.user_tokens + summary + (every - 1) * loop.growth
    assert run.input[run.step > 0].max() <= stretch


@given(loop=loops, count=st.integers(1, 60), room=st.integers(0, 20000))
def test_the_window_bounds_every_step(loop, count, room):
    window = loop.prefix + loop.user_tokens + room
    run = steps(replace(loop, window=window), count)
    assert run.input.max() <= window
    full = window_step(replace(loop, window=window))
    if full is not None and count >= full:
        assert (run.input[full - 1 :] == window).all()
    assert run.truncated == (full is not None and loop.prefix + loop.user_tokens + (count - 1) * loop.growth > window)


pmfs = st.lists(st.tuples(st.integers(1, 60), st.floats(0.01, 1)), min_size=1, max_size=5).map(
    lambda pairs: {n: w / sum(dict(pairs).values()) for n, w in dict(pairs).items()}
)


@given(pmf=pmfs)
def test_two_moments_give_the_expected_pairs(pmf):
    mean, variance = moments(pmf)
    assert expected_pairs(mean, variance) == pytest.approx(sum(p * n * (n - 1) / 2 for n, p in pmf.items()))
    assert expected_pairs(mean, 0) <= expected_pairs(mean, variance) + 1e-9


@settings(deadline=None, max_examples=30)
@given(pmf=pmfs, growth=st.integers(0, 2000))
def test_a_mean_number_of_steps_never_costs_more_than_the_mean_cost(pmf, growth):
    run = run_distribution(replace(DESIGN, step_pmf=pmf, loop=replace(LOOP, growth=growth), max_steps=60))
    assert run.plug_in <= run.mean * (1 + 1e-9)
    assert run.p50 <= run.p90 <= run.p95 <= run.p99
    assert 1 <= run.elasticity <= 2
    assert run.cut_share <= 0.01 + 1e-9


@given(q=st.floats(0, 0.99), most=st.integers(1, 9))
def test_retries_are_between_one_and_the_cap(q, most):
    expected, lost = attempts(q, most)
    assert 1 <= expected <= most
    assert lost == pytest.approx(q**most)
    assert expected <= attempts(q)[0] + 1e-9
    assert expected == pytest.approx(sum(q**k for k in range(most)))


@given(median=st.floats(1, 30), ratio=st.floats(1, 5), cap=st.integers(1, 200))
def test_steps_from_median_and_p95_are_a_distribution_with_that_median(median, ratio, cap):
    pmf = lognormal_pmf(median, median * ratio, cap)
    assert sum(pmf.values()) == pytest.approx(1)
    assert max(pmf) <= cap
    if cap > median * ratio * 2 + 2:
        assert sum(p for n, p in pmf.items() if n <= np.ceil(median)) >= 0.5 - 1e-9


@given(a=st.floats(0, 1), b=st.floats(0, 0.01))
def test_the_fit_finds_the_curve_it_was_drawn_from(a, b):
    n = np.arange(1, 121, dtype=float)
    fit = fit_steps(n, a * n + b * n**2)
    assert (fit.a, fit.b) == pytest.approx((a, b), abs=1e-9)
    assert fit.runs == 120
    assert fit.a >= 0 and fit.b >= 0


def test_the_fit_is_never_negative_and_says_when_it_is_not_to_be_used():
    n = np.arange(1, 11, dtype=float)
    falling = fit_steps(n, 10 - n)
    assert falling.a >= 0 and falling.b >= 0 and not falling.usable
    rng = np.random.default_rng(3)
    long = rng.integers(1, 40, 300).astype(float)
    assert fit_steps(long, 0.01 * long + 0.001 * long**2 * rng.lognormal(0, 0.3, 300)).usable
    with pytest.raises(CostModelError):
        fit_steps(np.array([]), np.array([]))


def test_parallel_agents_multiply_the_prefix_not_the_growth():
    assert parallel_input(LOOP, 12, 1) == input_total(LOOP, 12)
    assert parallel_input(LOOP, 12, 3) == 3 * input_total(LOOP, 4)


def test_an_escalated_run_pays_the_cheap_attempt_too():
    strong = Prices(input=15, output=75)
    design = replace(DESIGN, escalation=0.3, strong=strong)
    cheap, dear = run_cost(DESIGN, 5), run_cost(replace(DESIGN, prices=strong), 5)
    assert run_cost(design, 5, escalated=True) == pytest.approx(cheap + dear)
    only = replace(design, step_pmf={5: 1.0})
    assert run_distribution(only).mean == pytest.approx(escalated_cost(cheap, dear, 0.3))
    _, mass, _ = run_classes(design)
    assert mass.sum() == pytest.approx(1)


def test_dropped_failures_cost_less_than_kept_ones():
    failing = replace(DESIGN, fail_probability=0.2, max_attempts=3)
    assert run_cost(failing, 10) == pytest.approx(1.24 * run_cost(DESIGN, 10))
    assert run_cost(replace(failing, drop_failed=False), 10) > run_cost(failing, 10)


def test_a_step_is_priced_at_the_tier_of_what_it_sends():
    tiered = replace(PRICES, above=(200_000, Prices(input=6.0, output=22.5)))
    long = Loop(prefix=150_000, user_tokens=0, growth=30_000, output=100)
    expected = sum((i * 3 + 1500) if i <= 200_000 else (i * 6 + 2250) for i in (150_000, 180_000, 210_000)) / 1e6
    assert steps(long, 3).cost(tiered) == pytest.approx(expected)


def test_batch_runs_have_no_cache_and_their_own_multiplier():
    cached = replace(DESIGN, loop=replace(LOOP, cached=1.0))
    half = replace(cached, batch_share=0.5, batch_multiplier=0.5)
    assert run_cost(half, 10) == pytest.approx(0.5 * run_cost(cached, 10) + 0.25 * run_cost(DESIGN, 10))


def test_an_edit_at_the_window_breaks_the_cache():
    run = steps(replace(LOOP, cached=1.0, window=4000), 5)
    assert run.input.tolist() == [2500, 3300, 4000, 4000, 4000]
    assert run.read.tolist() == [0, 2500, 0, 0, 0]


def test_no_step_and_one_step_have_no_growth():
    assert steps(LOOP, 0).cost(PRICES) == 0
    assert steps(LOOP, 1).cost(PRICES) == steps(replace(LOOP, growth=0), 1).cost(PRICES)


DEMAND = Demand(actions_per_day=300, level_cv=0.2, weekday=(1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5), growth_30=0.1)


def test_the_simulated_month_has_the_moments_of_the_compound_sum():
    design = replace(DESIGN, runs_per_action={1: 0.5, 5: 0.3, 30: 0.2})
    month = simulate_month(design, DEMAND, JUNE, seed=7, draws=4000, budget=1e9, success=0.8)
    run = run_distribution(design)
    mean, sd = compound(month.runs_mean, month.runs_sd**2, run.mean, run.variance)
    assert month.mean == pytest.approx(mean)
    assert month.p10 < month.p50 < month.p80 < month.p95
    assert (month.p95 - month.p10) / sd == pytest.approx(1.645 + 1.282, rel=0.1)
    assert month.p50 == pytest.approx(mean, rel=0.05)
    assert month.p_over_budget == 0
    assert month.cost_per_success == pytest.approx(run.mean / 0.8)
    assert month.surprise == pytest.approx(8 * run.mean / run.one_call)
    assert 0.01 < month.top_percent_share < 1


def test_same_seed_same_month_another_seed_another():
    one, again, other = (simulate_month(DESIGN, DEMAND, JUNE, seed=s, draws=200) for s in (1, 1, 2))
    assert one == again
    assert one.p80 != other.p80


def test_the_tornado_ranks_what_moves_the_month_most():
    table = tornado(
        DESIGN, DEMAND, JUNE, {"actions_per_day": None, "growth": None, "user_tokens": (500, 500)}, draws=200
    )
    assert table["swing"].is_sorted(descending=True)
    assert table["input"][0] == "actions_per_day"
    assert table["swing"][-1] == 0
    assert table["variance_share"].sum() == pytest.approx(1)
    with pytest.raises(CostModelError, match="colour"):
        tornado(DESIGN, DEMAND, JUNE, {"colour": (1, 2)}, draws=10)


def test_error_after_launch_is_near_zero_for_runs_of_the_model_and_large_for_others():
    run = run_distribution(DESIGN)
    rng = np.random.default_rng(5)
    _, mass, cost = run_classes(DESIGN)
    frame = pl.DataFrame({"steps": np.ones(3000), "cost": rng.choice(cost, 3000, p=mass)})
    same = launch_error(run, frame, {"fan_out": 2.0, "steps": 7.4}, {"fan_out": 3.0})
    rows = {row["measure"]: row for row in same.to_dicts()}
    assert abs(rows["run_cost_mean"]["error"]) < 0.06
    assert rows["run_cost_p90"]["share_below"] >= 0.9
    assert rows["fan_out"]["error"] == pytest.approx(0.5)
    assert rows["steps"]["state"] == "not measured" and rows["steps"]["error"] is None
    doubled = launch_error(run, frame.with_columns(pl.col("cost") * 2), {}, {})
    assert doubled["error"][0] > 0.8
    few = launch_error(run, frame.head(29), {}, {})
    assert few["state"].unique().to_list() == ["insufficient data: 29 of 30 runs"]
    assert few["realised"].null_count() == few.height


def test_drift_is_told_at_its_thresholds():
    before = Fit(a=0.01, b=0.001, r2=0.9, runs=200)
    assert drift_alerts(before, replace(before, b=0.0013), (0.9, 0.8), (20, 40)) == [
        "context bloat",
        "cache hit fell",
        "longest runs doubled",
    ]
    assert drift_alerts(before, replace(before, b=0.00129), (0.9, 0.81), (20, 39)) == []


def test_a_new_workflow_moves_from_its_model_to_its_data():
    assert blend(100.0, 10.0, 0) == 10.0
    assert blend(100.0, 10.0, 14) == 55.0
    assert blend(100.0, 10.0, 10**6) == pytest.approx(100.0, rel=1e-3)


def test_a_note_is_draft_until_complete_and_approved_only_with_all_reasons_gone():
    note: dict[str, object] = dict.fromkeys(NOTE_FIELDS, "x") | {"review_date": date(2026, 7, 1)}
    today = date(2026, 6, 1)
    assert note_state(note, p80=9, budget=10, designs=2, today=today) == ("approved", [])
    assert note_state(note | {"owner": None}, p80=9, budget=10, designs=2, today=today) == ("draft", ["missing: owner"])
    state, reasons = note_state(note | {"review_date": date(2026, 9, 1)}, p80=11, budget=10, designs=1, today=today)
    assert state == "open" and len(reasons) == 3
    assert note_state(note, p80=11, budget=10, designs=2, today=today, exception=True)[0] == "approved"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Loop(prefix=-1, user_tokens=0, growth=0, output=0),
        lambda: replace(LOOP, cached=1.5),
        lambda: replace(LOOP, compact_every=0),
        lambda: replace(LOOP, window=100),
        lambda: moments({1: 0.5}),
        lambda: attempts(1.0),
        lambda: attempts(0.5, 0),
        lambda: lognormal_pmf(5, 2, 10),
        lambda: simulate_month(DESIGN, DEMAND, JUNE, success=0),
        lambda: parallel_input(LOOP, 4, 0),
    ],
)
def test_impossible_figures_are_refused(make):
    with pytest.raises(CostModelError):
        make()
