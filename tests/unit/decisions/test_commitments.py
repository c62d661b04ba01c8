"""How to pay: what holds for any demand and offer, then the gate, the portfolio and the refusals."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from decisions.backtest import FoldBook, data_gate, hourly_folds, level_shift, no_regret_level, steadiness, whole_weeks
from decisions.commitments import advise, price_path
from decisions.config import CommitmentConfig, Override
from decisions.offers import (
    SHAPES,
    Terms,
    Traffic,
    break_even_utilisation,
    hourly_cost,
    hourly_terms,
    offers_in_force,
    parse_ramp,
    pool_cost,
    pool_cost_with_rollover,
    ramp_segments,
    sensitivity,
    spend_commit_all_cost,
    spend_commit_covered_cost,
)
from decisions.performance import chargeback, chargeback_hours, outcome, performance
from decisions.scenarios import TermScenarios, fold_ratios
from decisions.schemas import SCHEMAS, DecisionError
from decisions.sizing import (
    Curve,
    Growth,
    best_spend_commit,
    break_even_fall,
    break_even_level,
    optimal_level,
    risk_of,
    robust_level,
    round_to_blocks,
    safe_level,
    scenario_cost,
    tail_mean,
)
from decisions.tiers import cluster, greedy, linear_programme, shared_demand, tier_cost
from tests.unit.decisions.conftest import AS_OF

DEMAND = st.lists(st.integers(0, 100_000).map(lambda cents: cents / 100), min_size=1, max_size=60)
PRICE = st.floats(0.01, 1.5)
QUICK = settings(max_examples=60, deadline=None)
FEW = settings(max_examples=25, deadline=None)


@QUICK
@given(DEMAND, PRICE, st.floats(0, 1500))
def test_no_level_is_cheaper_than_the_quantile_and_it_never_costs_more_than_on_demand(demand, c, other):
    curve = Curve.of(demand)
    best = float(curve.cost(optimal_level(curve, c), c))
    assert best <= curve.total + 1e-6
    assert best <= float(curve.cost(other, c)) + 1e-6
    assert float(curve.cost(other, c)) == pytest.approx(float(hourly_cost(demand, other, c)), rel=1e-9, abs=1e-6)


@QUICK
@given(DEMAND, st.floats(0.05, 0.9), st.floats(0.01, 0.5))
def test_a_deeper_discount_never_commits_less(demand, c, step):
    curve = Curve.of(demand)
    assert optimal_level(curve, c + step) <= optimal_level(curve, c)


@QUICK
@given(DEMAND, PRICE)
def test_a_unit_is_bought_iff_it_is_busy_often_enough(demand, c):
    curve = Curve.of(demand)
    level = optimal_level(curve, c)
    for k in np.unique(demand):
        if 0 < k <= level:
            assert curve.busy_share(k) >= c - 1e-6
        elif k > level:
            assert curve.busy_share(k) <= c + 1e-6


@pytest.mark.parametrize("c", [0.3, 0.5, 0.7, 0.99])
def test_constant_and_on_off_demand(c):
    assert optimal_level(Curve.of([7.0] * 50), c) == 7
    duty = np.array([10.0] * 6 + [0.0] * 4)
    assert optimal_level(Curve.of(duty), c) == (10 if c < 0.6 else 0)


@QUICK
@given(DEMAND, st.floats(0.05, 0.99), st.floats(0, 1200), st.floats(0.1, 500), st.floats(0, 600), st.floats(100, 2000))
def test_rounding_finds_the_cheapest_block(demand, c, level, block, minimum, cap):
    curve = Curve.of(demand)
    best = optimal_level(curve, c)
    chosen = round_to_blocks(curve, best, c, block, minimum, cap)
    grid = np.array([0.0, *[k * block for k in range(1, int(cap / block) + 1) if minimum <= k * block <= cap]])
    assert float(curve.cost(chosen, c)) == pytest.approx(float(curve.cost(grid, c).min()), rel=1e-7, abs=1e-6)
    assert chosen == 0 or (
        minimum - 1e-6 <= chosen <= cap + 1e-6 and abs(chosen / block - round(chosen / block)) < 1e-6
    )


@FEW
@given(
    DEMAND, st.lists(st.tuples(st.floats(0.05, 1.2), st.one_of(st.none(), st.floats(0, 300))), min_size=1, max_size=4)
)
def test_greedy_equals_the_linear_programme(demand, products):
    curve = Curve.of(demand)
    prices, caps = [c for c, _ in products], [cap for _, cap in products]
    by_rule, by_solver = greedy(curve, prices, caps), linear_programme(curve, prices, caps)
    assert tier_cost(curve, by_rule, prices) == pytest.approx(tier_cost(curve, by_solver, prices), rel=1e-6, abs=1e-5)
    assert all(cap is None or k <= cap + 1e-9 for k, cap in zip(by_rule, caps, strict=True))
    shared = shared_demand(curve, by_rule, prices)
    assert sum(c for c, _ in shared) == pytest.approx(float(curve.covered(by_rule.sum())), rel=1e-9, abs=1e-6)
    assert min(f for _, f in shared) >= -1e-6


def test_clustered_levels_keep_demand_and_hours_and_nearly_the_optimum():
    demand = np.exp(np.random.default_rng(3).normal(2, 1, 8760))
    curve, coarse = Curve.of(demand), cluster(Curve.of(demand))
    assert len(coarse.level) <= 500
    assert (coarse.hours, coarse.total) == pytest.approx((curve.hours, curve.total))
    prices, caps = [0.5, 0.6, 0.8], [2.0, 3.0, None]
    exact = tier_cost(curve, greedy(curve, prices, caps), prices)
    assert exact <= tier_cost(curve, linear_programme(curve, prices, caps), prices) <= exact * 1.0005


@QUICK
@given(DEMAND, st.floats(0.05, 0.99), st.floats(0.01, 900))
def test_break_even_level_is_where_the_saving_ends(demand, c, level):
    curve = Curve.of(demand)
    bound = break_even_level(curve, c)
    assert float(curve.cost(bound, c)) == pytest.approx(curve.total, rel=1e-6, abs=1e-5)
    assert float(curve.cost(bound * 1.01 + 1e-3, c)) > curve.total
    fall = break_even_fall(curve, level, c)
    saves = float(curve.cost(level, c)) < curve.total - 1e-6 * (1 + curve.total)
    if saves:
        left = Curve.of(np.asarray(demand) * (1 - fall))
        assert float(left.cost(level, c)) == pytest.approx(left.total, rel=1e-5, abs=1e-4)


@QUICK
@given(DEMAND, st.floats(0.05, 0.95), st.lists(st.floats(0.1, 3), min_size=2, max_size=20), st.floats(0, 0.5))
def test_a_safe_level_keeps_the_probability_of_loss(demand, c, factors, allowed):
    curve, growth = Curve.of(demand), Growth.of(factors)
    bound = safe_level(growth.factor * break_even_level(curve, c), growth.weight, allowed)
    on_demand = growth.factor * curve.total
    risk = risk_of(scenario_cost(curve, bound * (1 - 1e-9), c, growth), on_demand, growth.weight)
    assert risk.p_loss <= allowed + 1e-6
    if bound > 0:
        over = risk_of(scenario_cost(curve, bound * 1.001, c, growth), on_demand, growth.weight)
        assert over.p_loss > allowed - 1e-6


@QUICK
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_tail_mean_is_between_mean_and_worst(losses):
    weight = np.full(len(losses), 1 / len(losses))
    tail = tail_mean(losses, weight)
    assert np.mean(losses) - 1e-9 <= tail <= max(losses) + 1e-9
    assert tail_mean([1.0, 2.0, 9.0], [0.8, 0.1, 0.1]) == pytest.approx(9.0)
    assert tail_mean([1.0, 2.0, 9.0], [0.8, 0.15, 0.05]) == pytest.approx(5.5)


def test_risk_aversion_never_commits_more_and_beats_every_level_on_a_grid():
    curve = Curve.of(np.exp(np.random.default_rng(1).normal(1, 0.5, 200)))
    growth = Growth.of(np.exp(np.random.default_rng(2).normal(0, 0.3, 50)))
    on_demand = growth.factor * curve.total
    levels, c = [], 0.6
    for a in (0.0, 0.5, 1.0):
        found = robust_level(lambda k: scenario_cost(curve, k, c, growth), on_demand, growth.weight, a, 30.0)

        def objective(k: float, a: float = a) -> float:
            risk = risk_of(scenario_cost(curve, k, c, growth), on_demand, growth.weight)
            return (1 - a) * risk.cost + a * risk.cvar90

        assert objective(found) <= min(objective(float(k)) for k in np.linspace(0, 30, 301)) + 1e-6
        levels.append(found)
    assert levels[0] >= levels[1] >= levels[2] > 0


@QUICK
@given(st.floats(0.1, 1e4), st.floats(1e-7, 1e-3), st.floats(1, 1e6), st.floats(1.01, 3))
def test_u_star_is_monotone_in_each_driver(per_hour, per_token, tps, more):
    u = break_even_utilisation(per_hour, per_token, tps)
    assert break_even_utilisation(per_hour * more, per_token, tps) == pytest.approx(u * more)
    assert (
        break_even_utilisation(per_hour, per_token * more, tps)
        < u
        > break_even_utilisation(per_hour, per_token, tps * more)
    )
    table = sensitivity(u, 0.5)
    assert table.height == 12
    assert (table["headroom"] + table["u_star"]).to_list() == pytest.approx([0.5] * 12)


@QUICK
@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 0.9))
def test_spend_commitments_never_pay_less_than_discounted_usage_or_less_than_the_commitment(usage, commit, discount):
    covered, everything = (f(usage, commit, discount) for f in (spend_commit_covered_cost, spend_commit_all_cost))
    assert covered >= everything - 1e-6, "a discount on everything is never worse"
    assert everything >= max(commit, (1 - discount) * usage) - 1e-6
    below = (1 - discount) * usage <= commit
    assert covered == pytest.approx(commit if below else commit + usage - commit / (1 - discount), rel=1e-9, abs=1e-6)


@QUICK
@given(DEMAND, st.floats(0.05, 1), st.floats(0, 1000))
def test_a_pool_is_never_dearer_than_the_same_units_by_the_hour(demand, c, level):
    hourly = float(hourly_cost(demand, level, c))
    assert float(pool_cost(sum(demand), level * len(demand), c)) <= hourly + 1e-6


@QUICK
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0, 80), st.floats(0, 1))
def test_rollover_never_costs_more(totals, quantity, rollover):
    plain = float(pool_cost(np.array(totals), quantity, 0.7).sum())
    assert pool_cost_with_rollover(totals, quantity, 0.7, 0.0) == pytest.approx(plain)
    assert pool_cost_with_rollover(totals, quantity, 0.7, rollover) <= plain + 1e-6


def test_rollover_is_used_once():
    assert pool_cost_with_rollover([4, 16, 16], 10, 0.5, 1.0) == pytest.approx(15 + 0 + 6)


def test_the_best_spend_commitment_is_on_the_grid_and_below_the_99th_percentile():
    usage = np.exp(np.random.default_rng(5).normal(9, 0.4, 400))
    best = best_spend_commit(usage, np.ones(400), 0.2, spend_commit_covered_cost)
    pay = [
        float(spend_commit_covered_cost(usage, s, 0.2).mean()) for s in np.linspace(0, np.quantile(usage, 0.99), 100)
    ]
    assert float(spend_commit_covered_cost(usage, best, 0.2).mean()) <= min(pay) + 1e-6


def test_ramps_and_price_paths():
    assert ramp_segments(parse_ramp("0:0.5;0.25:1")) == [(0.25, 0.5), (0.75, 1.0)]
    with pytest.raises(ValueError, match="ramp"):
        parse_ramp("0.5:1;0.2:1")
    assert price_path(0.0, 8760) == 1.0
    assert price_path(0.5, 8760) == pytest.approx(0.5 / np.log(2))
    assert price_path(0.5, 730) > price_path(0.5, 8760)


@QUICK
@given(st.integers(0, 10_000), st.floats(0.1, 0.95), st.sampled_from([0.0, 3.0]))
def test_regret_is_never_negative(seed, c, block):
    demand = np.random.default_rng(seed).gamma(2, 5, 168 * 5)
    folds = hourly_folds(FoldBook.of(demand, CommitmentConfig()), Terms(c, 1.0, block, 0.0, np.inf))
    assert len(folds.realised) == 4
    assert (folds.hindsight >= folds.realised - 1e-9).all() and folds.regret >= -1e-6
    assert folds.captured is None or folds.captured <= 1 + 1e-9


def test_folds_size_on_the_weeks_before_only():
    rng = np.random.default_rng(4)
    demand = rng.gamma(3, 5, 168 * 12)
    later = demand.copy()
    later[-168:] *= 9
    book = [
        hourly_folds(FoldBook.of(d, CommitmentConfig()), Terms(0.7, 1.0, 0.0, 0.0, np.inf)) for d in (demand, later)
    ]
    assert (book[0].committed == book[1].committed).all()
    train = demand[: 168 * 11]
    assert book[0].committed[-1] == optimal_level(Curve.of(train), 0.7)
    young = demand[: 168 * 3]
    halves = [optimal_level(Curve.of(h), 0.7) for h in (young, young[: 2 * 168], young[2 * 168 :])]
    assert book[0].committed[2] == min(halves)


@pytest.mark.parametrize("discount", [0.2, 0.35, 0.5])
def test_the_pooled_rule_captures_most_of_hindsight(make, discount):
    """Half of the workloads are bursts and the level wanders 5 % a day: 0.85 of hindsight, no week below zero."""
    captured = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        workloads = list(make["office"](20, 56, seed).values())
        bursts = [v * (rng.random(len(v)) < 0.12) * 6 if i % 2 else v for i, v in enumerate(workloads)]
        level = np.repeat(np.exp(np.cumsum(rng.normal(0, 0.05, 56))), 24)
        folds = hourly_folds(
            FoldBook.of(np.sum(bursts, axis=0) * level, CommitmentConfig()), Terms(1 - discount, 1.0, 0.0, 0.0, np.inf)
        )
        captured.append(folds.captured)
        assert folds.worst >= 0
    assert np.mean(captured) >= 0.85


def test_no_regret_level_is_at_most_the_quantile():
    demand = np.random.default_rng(6).gamma(3, 5, 168 * 8)
    terms = Terms(0.7, 1.0, 0.0, 0.0, np.inf)
    low = no_regret_level(demand, terms, CommitmentConfig())
    assert low == no_regret_level(demand, terms, CommitmentConfig())
    assert 0 < low <= optimal_level(Curve.of(demand), 0.7)


@pytest.mark.parametrize(
    ("values", "label"),
    [([1.0] * 24, "steady"), ([0.3] * 12 + [1.0] * 12, "diurnal"), ([0.0] * 20 + [9.0] * 4, "bursty")],
)
def test_steadiness(values, label):
    assert steadiness(np.array(values)) == label


# -- the table ---------------------------------------------------------------------------------------------------------


OFFERS = (
    {"offer_id": "year", "discount": 0.35, "term_hours": 8760.0},
    {"offer_id": "month", "discount": 0.2, "term_hours": 730.0},
    {"offer_id": "batch", "shape": "batch", "price_multiplier": 0.5},
)


def _advise(make, matrix, offers=OFFERS, pools=None, days=None, **more):
    demand = make["demand"](matrix)
    days = make["days"](demand) if days is None else days
    return advise(
        demand, make["pools"]() if pools is None else pools, make["offers"](*offers), AS_OF, days=days, **more
    )


@pytest.fixture(scope="module")
def table(make):
    return _advise(
        make, make["office"](4, 84, seed=1), pools=make["pools"](latency_tolerant_share=0.1)
    ).commitment_sizing


def _portfolio(frame, level="advised"):
    return frame.filter((pl.col("scope") == "") & (pl.col("level") == level))


def test_frames_have_exactly_the_agreed_columns(make, table):
    advice = _advise(make, make["office"](2, 84, seed=1))
    for name, frame in advice.frames().items():
        assert dict(frame.schema) == {k: (v() if isinstance(v, type) else v) for k, v in SCHEMAS[name].items()}, name
        assert frame.height > 0
    nothing = make["demand"]({"a": np.zeros(24)})
    none = advise(nothing, make["pools"](), make["offers"](), AS_OF, days=make["days"](nothing))
    assert none.commitment_sizing.is_empty() and none.commitment_sizing.schema == table.schema


def test_money_adds_up_in_every_row(table):
    rows = table.filter(pl.col("cost").is_not_null())
    assert rows.height > 10
    np.testing.assert_allclose(rows["cost"] + rows["saving"], rows["on_demand_cost"], rtol=1e-9)
    kept = rows.filter(pl.col("is_advised"))
    assert kept.height == 1 and kept["scope"][0] == "" and kept["decision"][0] == "recommend"
    assert kept["saving"][0] > 0 and kept["p_loss"][0] is None and "without a forecast" in kept["reason"][0]
    assert kept["captured_share"][0] >= 0.5
    assert kept["worst_fold_saving"][0] >= 0


def test_the_portfolio_saves_at_least_as_much_as_workloads_alone(table):
    for offer in ("year", "month"):
        whole = _portfolio(table).filter(pl.col("offer_id") == offer)["saving"][0]
        alone = table.filter((pl.col("scope") != "") & (pl.col("offer_id") == offer))
        assert alone.height == 4
        assert whole >= alone["saving"].sum() - 1e-6


def test_a_lever_is_priced_in_the_same_table(table):
    batch = table.filter(pl.col("offer_id") == "batch")
    assert batch["saving_share"][0] == pytest.approx(0.05)
    assert batch["on_demand_cost"][0] == pytest.approx(table.filter(pl.col("offer_id") == "on_demand")["cost"][0])


def test_rows_in_any_order_give_the_same_table(make):
    matrix = make["office"](3, 84, seed=2)
    demand, days = make["demand"](matrix), make["days"](make["demand"](matrix))
    results = [
        advise(d, make["pools"](), make["offers"](*o), AS_OF, days=days.sample(fraction=1, shuffle=True, seed=s))
        for s, (d, o) in enumerate([(demand, OFFERS), (demand.reverse(), OFFERS[::-1])])
    ]
    assert_frame_equal(results[0].commitment_sizing, results[1].commitment_sizing, check_exact=True)


def test_decimals_of_the_warehouse_give_the_same_table_as_floats(make):
    matrix = {k: np.round(v, 6) for k, v in make["office"](2, 84, seed=2).items()}
    demand = make["demand"](matrix)
    days = make["days"](demand)
    levers = pl.DataFrame({"pool": ["p"], "lever_id": ["cache"], "decision": ["open"], "expected_effect": [0.25]})
    plain = advise(demand, make["pools"](), make["offers"](*OFFERS), AS_OF, days=days, levers=levers)
    exact = advise(
        demand.with_columns(pl.col("on_demand_usd").cast(pl.Decimal(38, 14))),
        make["pools"](),
        make["offers"](*OFFERS).with_columns(pl.col("discount", "term_hours").cast(pl.Decimal(28, 12))),
        AS_OF,
        days=days.with_columns(pl.col("spend", "attributed_spend", "incident_spend").cast(pl.Decimal(38, 14))),
        levers=levers.with_columns(pl.col("expected_effect").cast(pl.Decimal(20, 18))),
    )
    assert_frame_equal(plain.commitment_sizing, exact.commitment_sizing, rel_tol=1e-9)


def test_a_currency_factor_scales_money_and_nothing_else(make):
    matrix = make["office"](2, 84, seed=3)
    one = _advise(make, matrix).commitment_sizing
    ten = _advise(make, {k: v * 10 for k, v in matrix.items()}).commitment_sizing
    for name in ("units", "cost", "saving", "forfeiture", "regret", "cvar90"):
        np.testing.assert_allclose(ten[name].fill_null(0), 10 * one[name].fill_null(0), rtol=1e-6, atol=1e-6)
    for name in ("decision", "offer_id", "level", "is_advised"):
        assert ten[name].to_list() == one[name].to_list()


def test_fourteen_days_are_refused_with_the_reason_and_no_size(make):
    rows = _advise(make, make["office"](2, 14, seed=1)).commitment_sizing
    refused = rows.filter(pl.col("kind") == "commitment")
    assert set(refused["decision"]) == {"insufficient_data"}
    assert refused["units"].null_count() == refused.height and refused["saving"].null_count() == refused.height
    assert refused["reason"][0].startswith("14 of 30 complete attributed days; 2 of 4 whole weeks")
    assert not rows["is_advised"].any()


def test_an_override_prints_a_size_with_name_reason_and_what_the_gate_said(make):
    config = CommitmentConfig(overrides={"p": Override("cfo", "contract ends Friday")})
    rows = _portfolio(_advise(make, make["office"](2, 14, seed=1), config=config).commitment_sizing)
    row = rows.filter(pl.col("offer_id") == "year").row(0, named=True)
    assert row["decision"] == "override" and row["units"] > 0
    assert row["override"] == "cfo: contract ends Friday (gate: 14 of 30 complete attributed days; 2 of 4 whole weeks)"
    matrix = make["office"](2, 14, seed=1)
    whole = np.sum(list(matrix.values()), axis=0)
    halves = [optimal_level(Curve.of(h), 0.65) for h in (whole, whole[: 7 * 24], whole[7 * 24 :])]
    assert row["rack_usd"] == pytest.approx(min(halves)), "capped at the lower half of a young window"
    with pytest.raises(ValueError, match="owner and a reason"):
        Override("", "because")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attributed": 0.9}, "90.0% of spend attributed, 95% needed"),
        ({"incident": 0.06}, "unresolved incidents hold 6.0% of spend"),
    ],
)
def test_the_gate_names_what_is_missing(make, change, words):
    demand = make["demand"](make["office"](2, 40, seed=1))
    assert data_gate(make["days"](demand), CommitmentConfig()) == []
    assert words in "; ".join(data_gate(make["days"](demand, **change), CommitmentConfig()))


def test_the_gate_wants_prices_whole_weeks_and_a_steady_level(make):
    days = make["days"](make["demand"](make["office"](2, 40, seed=1)))
    last = days["charge_date"].max()
    unpriced = days.with_columns(pl.col("charge_date") < last)
    unpriced = days.with_columns((pl.col("charge_date") < last).alias("is_priced"))
    assert data_gate(unpriced, CommitmentConfig()) == ["price versions unknown on 1 days"]
    hole = days.with_columns((pl.col("charge_date") != last - timedelta(days=10)).alias("is_complete"))
    assert "1 of 4 whole weeks" in data_gate(hole, CommitmentConfig())
    factor = pl.when(pl.col("charge_date") > last - timedelta(days=7)).then(2.0).otherwise(1.0)
    jump = days.with_columns(pl.col("spend", "attributed_spend") * factor)
    assert any("level shift on" in reason for reason in data_gate(jump, CommitmentConfig()))
    assert data_gate(days.head(0), CommitmentConfig())[-1] == "no spend in the window"
    assert whole_weeks([]) == 0


def test_weekends_are_no_level_shift():
    days = [AS_OF - timedelta(days=70 - i) for i in range(70)]
    totals = np.array([100.0 if d.weekday() < 5 else 20.0 for d in days])
    assert level_shift(totals, days, CommitmentConfig()) is None


@pytest.mark.parametrize("noise", ["normal", "heavy"])
def test_noise_is_rarely_taken_for_a_level_shift_and_a_shift_is_found(noise):
    """Thirty-five days with 30 % noise: a false refusal in at most one of six, a rise by half in most."""
    rng = np.random.default_rng(21)
    days = [AS_OF - timedelta(days=35 - i) for i in range(35)]
    shape = np.array([1.0 if d.weekday() < 5 else 0.4 for d in days])
    false = found = 0
    for _ in range(120):
        error = rng.normal(0, 0.3, 35) if noise == "normal" else 0.3 * rng.standard_t(3, 35)
        totals = 100 * shape * np.exp(error)
        false += level_shift(totals, days, CommitmentConfig()) is not None
        totals[-10:] *= 1.5
        found += level_shift(totals, days, CommitmentConfig()) is not None
    assert false <= 20 and found >= 65


def test_daily_data_sizes_pools_and_refuses_hours(make):
    offers = [OFFERS[0], {"offer_id": "pool", "shape": "period_pool", "discount": 0.2, "period_hours": 730.0}]
    rows = _advise(make, make["office"](2, 60, seed=1), offers, pools=make["pools"]("day")).commitment_sizing
    hourly = _portfolio(rows).filter(pl.col("offer_id") == "year")
    assert hourly["decision"][0] == "not_applicable" and "daily data" in hourly["reason"][0]
    assert _portfolio(rows).filter(pl.col("offer_id") == "pool")["decision"][0] == "recommend"


def test_existing_commitments_come_off_first(make):
    matrix = make["office"](2, 84, seed=1)
    free = _advise(make, matrix).commitment_sizing
    want = _portfolio(free).filter(pl.col("offer_id") == "year")["rack_usd"][0]

    def held(amount: float, days: int) -> float:
        start = datetime(AS_OF.year, AS_OF.month, AS_OF.day)
        existing = pl.DataFrame(
            {"pool": ["p"], "commitment_id": ["old"], "rack_usd_per_hour": [amount],
             "starts_at": [start - timedelta(days=9)], "ends_at": [start + timedelta(days=days)]}
        )  # fmt: skip
        rows = _advise(make, matrix, existing=existing).commitment_sizing
        return _portfolio(rows).filter(pl.col("offer_id") == "year")["rack_usd"][0]

    assert held(0.4 * want, 4000) == pytest.approx(0.6 * want, rel=1e-6)
    assert held(want, 4000) == pytest.approx(0.0, abs=1e-6)
    assert 0 < held(want, 60) <= want, "what expires soon must not block a year"


def test_open_levers_reduce_the_demand_that_is_committed(make):
    matrix = make["office"](2, 84, seed=1)
    levers = pl.DataFrame(
        {
            "pool": ["p", "p"],
            "lever_id": ["cache", "old"],
            "decision": ["open", "rejected"],
            "expected_effect": [0.25, 0.9],
        }
    )
    plain, less = (_portfolio(_advise(make, matrix, levers=x).commitment_sizing) for x in (None, levers))
    year = pl.col("offer_id") == "year"
    assert less.filter(year)["rack_usd"][0] == pytest.approx(0.75 * plain.filter(year)["rack_usd"][0])
    rows = _advise(make, matrix, levers=levers).commitment_sizing.filter(pl.col("kind") == "lever")
    assert dict(zip(rows["offer_id"], rows["saving_share"], strict=True))["cache"] == 0.25
    assert "not an option" in rows.filter(pl.col("offer_id") == "old")["reason"][0]


def test_growth_is_sized_low_and_loss_is_bounded(make):
    matrix = make["office"](2, 84, seed=1)
    draws = np.exp(np.random.default_rng(8).normal(-0.2, 0.5, 200))
    growth = pl.DataFrame({"pool": "p", "growth": draws, "weight": np.full(200, 1 / 200)})
    plain, grown = (_portfolio(_advise(make, matrix, growth=g).commitment_sizing) for g in (None, growth))
    year = pl.col("offer_id") == "year"
    row = grown.filter(year).row(0, named=True)
    low = Growth.of(draws).quantile(0.2)
    assert row["rack_usd"] <= low * plain.filter(year)["rack_usd"][0] + 1e-9
    assert row["p_loss"] <= 0.1 + 1e-9 and row["growth_basis"] == "forecast"
    assert row["utilisation_g20"] <= row["utilisation_g50"] <= row["utilisation_g80"]
    sizes = _advise(make, matrix, growth=growth).commitment_sizing
    sizes = sizes.filter((pl.col("offer_id") == "year") & pl.col("level").str.starts_with("g")).sort("level")
    assert sizes["units"].is_sorted() and sizes.height == 3


def test_a_bursty_workload_never_commits_alone(make):
    calm = make["office"](1, 84, seed=1)["w000"]
    rare = np.where(np.arange(84 * 24) % 24 < 20, 0.0, 60.0)
    rows = _advise(make, {"calm": calm, "rare": rare}, [{"offer_id": "deep", "discount": 0.9}]).commitment_sizing
    alone = rows.filter(pl.col("scope") == "rare").row(0, named=True)
    assert alone["steadiness"] == "bursty" and alone["decision"] == "stay_on_demand"
    assert "bursty" in alone["reason"]


def test_capped_products_are_bought_in_tiers(make):
    offers = [{"offer_id": "cheap", "discount": 0.5, "maximum_units": 2.0}, {"offer_id": "dear", "discount": 0.3}]
    rows = _advise(make, make["office"](3, 84, seed=1), offers).commitment_sizing
    tier = rows.filter(pl.col("level") == "tier")
    assert set(tier["offer_id"]) == {"cheap", "dear"} and tier["is_advised"].all()
    best = _portfolio(rows)["saving"].max()
    assert tier["saving"].sum() > best
    assert tier.filter(pl.col("offer_id") == "cheap")["units"][0] == pytest.approx(2.0)


def test_units_blocks_and_unknown_terms_of_capacity(make):
    traffic = pl.DataFrame(
        {
            "pool": "p",
            "token_class": ["input_uncached", "output"],
            "tokens": [80.0, 20.0],
            "price_per_million": [2.0, 10.0],
        }
    )
    unit = {"shape": "hourly_capacity", "discount": None, "unit": "PTU", "weight_output": 5.0, "price_hours": 8760.0}
    offers = [
        unit
        | {
            "offer_id": "known",
            "price_usd": 2000.0,
            "tokens_per_second": 100.0,
            "minimum_units": 5.0,
            "step_units": 5.0,
        },
        unit | {"offer_id": "no price", "tokens_per_second": 100.0},
        unit | {"offer_id": "no rate", "price_usd": 2000.0},
        unit | {"offer_id": "dear", "price_usd": 90000.0, "tokens_per_second": 100.0},
    ]
    rows = _portfolio(_advise(make, make["office"](4, 84, seed=1), offers, traffic=traffic).commitment_sizing)
    by = {r["offer_id"]: r for r in rows.iter_rows(named=True)}
    worth = 3600 * 100 / (0.8 + 0.2 * 5) * (0.8 * 2 + 0.2 * 10) / 1e6
    assert by["known"]["u_star"] == pytest.approx(2000 / 8760 / worth)
    assert by["known"]["units"] % 5 == 0 and by["known"]["units"] >= 5
    assert by["known"]["commit_usd"] == pytest.approx(by["known"]["units"] * 2000 / 8760)
    assert by["no price"]["decision"] == by["no rate"]["decision"] == "unknown_terms"
    assert "quote" in by["no price"]["reason"] and "measure" in by["no rate"]["reason"]
    assert by["dear"]["decision"] == "stay_on_demand" and "never reserve" in by["dear"]["reason"]


def test_a_longer_term_must_survive_low_growth(make):
    growth = pl.DataFrame({"pool": "p", "growth": [0.1, 1.0], "weight": [0.05, 0.95]})
    rows = _advise(make, make["office"](3, 84, seed=1), growth=growth).commitment_sizing
    assert rows.filter(pl.col("is_advised"))["offer_id"].to_list() == ["year"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop("scope"), "lacks the columns scope"),
        (lambda d: d.with_columns(-pl.col("on_demand_usd")), "credits are no demand"),
        (lambda d: pl.concat([d, d.head(1)]), "two rows"),
        (lambda d: d.with_columns(pl.col("hour") + timedelta(minutes=5)), "start of an hour"),
        (lambda d: d.with_columns(pl.lit(None, pl.String).alias("scope")), "must not be null"),
    ],
)
def test_broken_demand_is_named(make, change, words):
    demand = make["demand"](make["office"](1, 30, seed=1))
    with pytest.raises(DecisionError, match=words):
        advise(change(demand), make["pools"](), make["offers"](), AS_OF, days=make["days"](demand))


def test_offers_are_dated(make):
    old = {"offer_id": "x", "discount": 0.1, "valid_to": AS_OF}
    new = {"offer_id": "x", "discount": 0.2, "valid_from": AS_OF}
    assert [o.discount for o in offers_in_force(make["offers"](old, new), AS_OF)] == [0.2]
    assert [o.discount for o in offers_in_force(make["offers"](old, new), AS_OF - timedelta(days=1))] == [0.1]
    with pytest.raises(DecisionError, match="two rows hold"):
        offers_in_force(make["offers"](new, new), AS_OF)
    with pytest.raises(DecisionError, match="shape"):
        offers_in_force(make["offers"]({"shape": "lottery"}), AS_OF)


def test_traffic_must_be_a_mix():
    with pytest.raises(ValueError, match="none of"):
        Traffic({"prompt": 1.0}, {"prompt": 1.0})
    with pytest.raises(ValueError, match="add to 1"):
        Traffic({"input_uncached": 0.5}, {"input_uncached": 1.0})
    with pytest.raises(ValueError, match="price"):
        Traffic({"input_uncached": 0.5, "output": 0.5}, {"input_uncached": 1.0})
    burst = Traffic({"output": 1.0}, {"output": 10.0}, burst=2.0)
    assert burst.unit_worth(100, {}) == pytest.approx(1.8)


# -- the offers we ship ------------------------------------------------------------------------------------------------


SEED = Path(__file__).parents[3] / "dbt_project/seeds/shared/commitment_offers.csv"


def test_the_shipped_offers_can_be_read_and_cover_every_shape():
    frame = pl.read_csv(SEED, infer_schema=False).with_columns(pl.col("valid_from", "valid_to").str.to_date())
    offers = {o.offer_id: o for o in offers_in_force(frame, AS_OF)}
    assert set(SHAPES) == {o.shape for o in offers.values()} and len(offers) == frame.height
    assert frame["source"].null_count() == frame["as_of_date"].null_count() == 0
    plain = Traffic({"input_uncached": 1.0}, {"input_uncached": 1.25})
    found = [hourly_terms(offers[f"azure-ptu-gpt-5-global-{term}"], plain) for term in ("hour", "month", "year")]
    assert [t.c for t in found] == pytest.approx([2.81, 1.0, 0.85], abs=0.01)
    gemini = hourly_terms(
        offers["google-gsu-gemini-2.5-flash-year"], Traffic({"input_uncached": 1.0}, {"input_uncached": 0.3})
    )
    assert gemini.c == pytest.approx(0.83, abs=0.005)
    both = Traffic({"input_uncached": 0.8, "output": 0.2}, {"input_uncached": 1.25, "output": 10.0})
    halves = [hourly_terms(offers[f"openai-scale-tier-gpt-5-{d}"], both) for d in ("input", "output")]
    assert sum(t.value_share for t in halves) == pytest.approx(1.0)
    assert not offers["anthropic-priority-tier-input"].is_sold


# -- what it did -------------------------------------------------------------------------------------------------------


def _usage(*rows: tuple) -> pl.DataFrame:
    names = ("commitment_id", "status", "scope", "effective_cost", "on_demand_cost")
    start = datetime(2026, 9, 1)
    frame = pl.DataFrame([dict(zip(names, r, strict=True)) for r in rows], schema_overrides={"status": pl.String})
    return frame.with_columns(
        pl.lit(start).alias("period_start"), pl.lit(start + timedelta(hours=1)).alias("period_end")
    )


USAGE = (
    ("c", "Used", "a", "7.00", "10.00"),
    ("c", "Unused", None, "3.00", "0"),
    ("c", None, "b", "5.00", "5.00"),
)


def test_performance_from_billed_rows():
    row = performance(_usage(*USAGE), AS_OF).row(0, named=True)
    assert row["commitment_cost"] == Decimal(10) and row["forfeiture"] == Decimal(3)
    assert (row["utilisation"], row["coverage"]) == pytest.approx((0.7, 10 / 15))
    assert row["realised_saving"] == Decimal(0) and row["effective_savings_rate"] == 0
    facts = pl.DataFrame(
        {"commitment_id": ["c"], "u_star": [0.7], "ends_at": [datetime(2026, 10, 1)], "best_saving": [4.0]}
    )
    known = performance(_usage(*USAGE), AS_OF, commitments=facts).row(0, named=True)
    assert known["alert"] == "below_break_even, expires_soon" and known["captured_share"] == 0
    with pytest.raises(DecisionError, match="neither Used nor Unused"):
        performance(_usage(("c", "Lost", "a", "1", "1")), AS_OF)


def test_the_utilisation_alert_looks_at_seven_days():
    hours = [datetime(2026, 9, 1) + timedelta(days=i) for i in range(10)]
    frame = pl.concat(
        [_usage(("c", "Used", "a", u, "20"), ("c", "Unused", None, x, "0"))
         .with_columns(pl.lit(h).alias("period_start"), pl.lit(h + timedelta(days=1)).alias("period_end"))
         for h, (u, x) in zip(hours, [("10", "0")] * 9 + [("0", "10")], strict=True)]
    )  # fmt: skip
    facts = pl.DataFrame({"commitment_id": ["c"], "u_star": [0.7]})
    last = performance(frame, AS_OF, commitments=facts).tail(1).row(0, named=True)
    assert last["utilisation"] == 0 and last["alert"] == "room_to_add", "one idle day of seven is 86 %"
    strict = performance(frame, AS_OF, commitments=facts.with_columns(pl.lit(0.85).alias("u_star"))).tail(1)
    assert strict["alert"].to_list() == ["below_break_even, room_to_add"]


def test_short_windows_and_empty_workloads_can_be_overridden(make):
    config = CommitmentConfig(overrides={"p": Override("cfo", "pilot")})
    matrix = make["office"](1, 3, seed=1) | {"idle": np.zeros(72)}
    rows = _advise(make, matrix, config=config).commitment_sizing
    assert not rows["is_advised"].any() and set(rows.filter(pl.col("scope") == "idle")["decision"]) <= {
        "stay_on_demand"
    }
    assert "no week to test the rule on" in _portfolio(rows).filter(pl.col("offer_id") == "year")["reason"][0]


def test_forfeiture_alone_is_a_loss_and_has_no_coverage():
    row = performance(_usage(("c", "Unused", None, "3", "0")), AS_OF).row(0, named=True)
    assert row["state"] == "loss" and row["coverage"] is None and row["utilisation"] == 0


@FEW
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Used", "Unused", None]), st.sampled_from("abcde"), *[st.integers(0, 10**12)] * 2
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_chargeback_adds_to_the_cost_to_the_last_digit(rows):
    scale = Decimal(10) ** -9
    usage = _usage(*(("c", s, w, str(e * scale), str((0 if s == "Unused" else o) * scale)) for s, w, e, o in rows))
    lines = chargeback(usage, AS_OF)
    assert lines["cost"].sum() == sum((e * scale for _, _, e, _ in rows), Decimal(0))
    assert_frame_equal(lines, chargeback(usage.reverse(), AS_OF), check_exact=True)
    assert lines.select(pl.struct("scope", "line").is_unique().all()).item()


def test_everyone_in_the_hour_pays_the_same_rate():
    lines = chargeback(_usage(*USAGE), AS_OF).filter(pl.col("line") == "usage").sort("scope")
    assert lines["cost"].to_list() == [Decimal(8), Decimal(4)]


@QUICK
@given(
    st.lists(st.lists(st.floats(0, 50), min_size=4, max_size=4), min_size=1, max_size=5),
    st.floats(0, 100),
    st.floats(0.05, 1),
)
def test_hours_shared_pro_rata_add_to_the_cost(matrix, level, c):
    cost, forfeited = chargeback_hours(matrix, level, c)
    whole = outcome(np.sum(matrix, axis=0), level, c)
    assert cost.sum() + forfeited == pytest.approx(whole.cost, rel=1e-9, abs=1e-6)
    assert forfeited == pytest.approx(whole.forfeiture, rel=1e-9, abs=1e-6)


# -- scenarios of the term ---------------------------------------------------------------------------------------------


def _errors(ratios, provider="", days=30):
    return pl.DataFrame(
        {"series": f"s:{provider}", "provider": provider, "horizon_days": days, "ratio": ratios},
        schema={"series": pl.String, "provider": pl.String, "horizon_days": pl.Int64, "ratio": pl.Float64},
    )


def _levels(make, levels, seed=3):
    """Workloads whose weeks stand at these levels."""
    weeks = np.repeat(np.asarray(levels, dtype=float), 168)
    return {scope: values * weeks for scope, values in make["office"](3, len(levels) * 7, seed).items()}


STEADY_ERRORS = _errors(np.exp(np.random.default_rng(5).normal(0, 0.05, 40)))


def test_a_term_has_scenarios_and_steady_demand_is_still_advised(make):
    rows = _portfolio(_advise(make, _levels(make, np.ones(12)), errors=STEADY_ERRORS).commitment_sizing)
    sized = rows.filter(pl.col("kind") == "commitment")
    assert sized["is_advised"].any() and sized["decision"].to_list() == ["recommend", "recommend"]
    named = ("p_loss", "cvar90", "utilisation_g20", "utilisation_g80", "coverage_g50", "forfeiture", "break_even_fall", "payback_months", "regret")
    assert sized.select(named).null_count().sum_horizontal().item() == 0
    assert sized["p_loss"].max() <= 0.1 + 1e-9
    assert sized["growth_basis"].str.contains("1000 scenarios.*40 errors of forecast s: over 30 days.*5 folds").all()
    assert (sized["coverage_g20"] >= sized["coverage_g80"]).all() and (sized["utilisation_g20"] <= sized["utilisation_g80"]).all()


POOR_ERRORS = _errors(np.exp(np.random.default_rng(5).normal(0, 0.4, 40)))


@pytest.mark.parametrize(
    ("levels", "errors", "share"),
    [
        (np.linspace(1.0, 0.4, 12), STEADY_ERRORS, 0.6),
        (np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.3, 12))), STEADY_ERRORS, 0.8),
        (np.ones(12), POOR_ERRORS, 0.2),
    ],
    ids=["falling", "volatile weeks", "poor forecast"],
)
def test_uncertain_demand_is_sized_smaller_because_of_p_loss(make, levels, errors, share):
    """Without the bound the same scenarios commit more and lose more often than one time in ten."""
    matrix, year = _levels(make, levels), ({"offer_id": "year", "discount": 0.2},)
    # The gate's level shift is another rule: it is switched off, so that only P(loss) is seen to bind.
    strict, loose = (
        _portfolio(_advise(make, matrix, year, errors=errors, config=config).commitment_sizing).row(0, named=True)
        for config in (CommitmentConfig(max_p_loss=p, shift_h=1e9, size_growth=share) for p in (0.1, 1.0))
    )
    assert loose["p_loss"] > 0.1 and loose["units"] > 0
    assert strict["units"] < loose["units"] and strict["p_loss"] <= 0.1 + 1e-9


def test_falling_demand_commits_far_less_than_the_window_as_it_was(make):
    matrix = _levels(make, np.linspace(1.0, 0.4, 12))
    config = CommitmentConfig(shift_h=1e9)
    plain, drawn = (
        _portfolio(_advise(make, matrix, OFFERS[:1], errors=e, config=config).commitment_sizing).row(0, named=True)
        for e in (None, STEADY_ERRORS)
    )
    assert plain["p_loss"] is None and 0 < drawn["units"] < 0.5 * plain["units"]


def test_a_commitment_that_cannot_be_made_smaller_is_refused_because_of_p_loss(make):
    matrix = _levels(make, np.ones(12))
    least = 0.75 * sum(float(v.mean()) for v in matrix.values()) * 8760
    deal = ({"offer_id": "deal", "shape": "spend_commit_all", "unit": "USD", "discount": 0.2, "minimum_units": least},)
    poor, good = (
        _portfolio(_advise(make, matrix, deal, errors=e).commitment_sizing).row(0, named=True)
        for e in (POOR_ERRORS, STEADY_ERRORS)
    )
    assert good["decision"] == "recommend" and good["p_loss"] <= 0.1
    assert poor["saving"] > 0 and poor["decision"] == "stay_on_demand" and "P(loss)" in poor["reason"]


def test_scenarios_are_the_same_again_and_do_not_mind_the_order(make):
    matrix = _levels(make, np.ones(12))
    one = _advise(make, matrix, errors=STEADY_ERRORS).commitment_sizing
    two = _advise(make, dict(reversed(matrix.items())), errors=STEADY_ERRORS.reverse()).commitment_sizing
    assert one.equals(two) and "recommend" in one["decision"]
    other = _advise(make, matrix, errors=STEADY_ERRORS, config=CommitmentConfig(seed=1)).commitment_sizing
    assert not one["cvar90"].equals(other["cvar90"])


def test_too_little_for_a_distribution_says_so_and_claims_no_risk(make):
    rows = _portfolio(_advise(make, _levels(make, np.ones(6)), errors=_errors([1.0] * 5)).commitment_sizing)
    sized = rows.filter(pl.col("kind") == "commitment")
    assert sized["p_loss"].null_count() == sized["cvar90"].null_count() == sized.height
    assert sized["growth_basis"].str.contains("5 of 8 resolved forecast errors and 0 of 3 folds").all()


def test_the_provider_s_errors_come_first_and_the_longest_horizon_counts(make):
    frame = pl.concat([_errors([1.1] * 9), _errors([0.9] * 8, "V"), _errors([0.5] * 20, "V", 7), _errors([2.0] * 3, "v", 14)])
    matrix = _levels(make, np.ones(6))
    basis = _advise(make, matrix, errors=frame).commitment_sizing["growth_basis"][0]
    assert "8 errors of forecast s:V over 30 days" in basis
    few = _advise(make, matrix, errors=pl.concat([_errors([1.1] * 9), _errors([0.9] * 7, "v")])).commitment_sizing
    assert "9 errors of forecast s: over" in few["growth_basis"][0]


@given(st.floats(0.5, 2.0), st.floats(0.01, 0.5), st.floats(1.0, 20.0), st.floats(-0.5, 0.0))
def test_a_longer_term_widens_the_level_and_a_fall_goes_on(centre, spread, times, fall):
    level = np.exp(np.log(centre) + np.linspace(-spread, spread, 101))
    fixed = (np.full(101, x) for x in (np.log(centre), fall, 672.0))
    drawn = TermScenarios(np.ones(101), level, *fixed, "")
    near, far = drawn.over(100.0), drawn.over(672.0 * times)
    assert np.log(far.factor).std() == pytest.approx(np.log(near.factor).std() * np.sqrt(times))
    moved = far.quantile(0.5) / near.quantile(0.5)
    assert moved == pytest.approx(1.0) if fall == 0 or times == 1 else moved <= 1 + 1e-9


def test_a_fall_over_the_term_is_the_mean_of_a_decay():
    fixed = (np.array([x]) for x in (np.log(0.9), np.log(0.9), 672.0))
    growth = TermScenarios(np.ones(1), np.array([0.9]), *fixed, "").over(672.0 * 13)
    hours = (np.arange(130_000) + 0.5) / 10_000
    # Recent weeks stand half a horizon back; each horizon takes a tenth.
    assert growth.mean == pytest.approx(np.mean(0.9 ** (hours + 0.5)) * 0.9 / np.mean(0.9 ** (hours[:10_000] + 0.5)), rel=1e-6)


def test_fold_ratios_look_ahead_only():
    assert list(fold_ratios(np.array([9, 1, 1, 1, 1, 2, 2, 2, 2.0]))) == [7 / 12, 2.0]
    assert len(fold_ratios(np.ones(7))) == 0 and len(fold_ratios(np.ones(12))) == 5
