"""The worked examples of the commitment, eval-gate and anomaly methods, read from the golden file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from decisions.config import Z95
from decisions.eval_gate import cost_per_success, paired_quality, unpaired_quality
from decisions.levers import interaction, naive_sum, product_form
from decisions.offers import (
    Traffic,
    break_even_throughput,
    break_even_utilisation,
    hourly_cost,
    pool_cost,
    purchase_rule,
    spend_commit_covered_cost,
)
from decisions.performance import outcome
from decisions.proportions import (
    newcombe_paired,
    newcombe_unpaired,
    paired_items,
    paired_power,
    tango,
    unpaired_items,
    unpaired_power,
    wilson,
)
from decisions.scoring import precision_recall_f1
from decisions.signals import baseline, cache_fall_cost, cache_fall_multiple, input_cost_share, share_z
from decisions.sizing import Curve, block_candidates, break_even_fall, optimal_level, round_to_blocks
from decisions.statistics import cusum
from decisions.tiers import greedy, linear_programme, tier_cost

GOLDEN = {
    example["id"]: example
    for example in json.loads((Path(__file__).parents[2] / "fixtures/golden/golden.json").read_text())["examples"]
}


def _of(name: str) -> tuple[dict, dict]:
    return GOLDEN[name]["inputs"], GOLDEN[name]["expected"]


def test_every_example_of_these_topics_is_tested_here():
    ours = {k for k, e in GOLDEN.items() if e["topic"] in ("commitments", "eval_gate", "anomalies")}
    text = Path(__file__).read_text()
    assert len(ours) >= 19
    assert [name for name in sorted(ours) if f'_of("{name}")' not in text] == []


def test_u_star():
    given, expected = _of("u-star")
    u = break_even_utilisation(given["provisioned_per_hr"], given["on_demand_per_token"], given["tokens_per_sec"])
    assert u == pytest.approx(expected["U_star"], rel=1e-9)
    tps = break_even_throughput(given["provisioned_per_hr"], given["on_demand_per_token"])
    assert tps == pytest.approx(expected["break_even_tps"], rel=1e-9)
    traffic = Traffic({"input_uncached": 1.0}, {"input_uncached": given["on_demand_per_token"] * 1e6})
    worth = traffic.unit_worth(given["tokens_per_sec"], {})
    assert worth == pytest.approx(expected["on_demand_equiv_per_hr_full"], rel=1e-9)


def test_u_star_blend():
    given, expected = _of("u-star-blend")
    names = {"uncached_input": "input_uncached"}
    shares, prices = ({names.get(k, k): v for k, v in given[x].items()} for x in ("mix", "usd_per_mtok"))
    traffic = Traffic(shares, prices)
    assert traffic.blended_price() == pytest.approx(expected["blended_usd_per_mtok"], rel=1e-9)
    u = break_even_utilisation(given["provisioned_per_hr"], traffic.blended_price() / 1e6, given["tokens_per_sec"])
    assert u == pytest.approx(expected["U_star"], rel=1e-9)


def test_newsvendor():
    given, expected = _of("newsvendor")
    curve = Curve.of(given["hourly_demand"])
    assert curve.total == expected["on_demand"]
    for i, discount in enumerate(given["discounts"]):
        level = optimal_level(curve, 1 - discount)
        result = outcome(given["hourly_demand"], level, 1 - discount)
        assert level == expected["K_star"][i], "ties resolve to the lower K"
        assert result.cost == pytest.approx(expected["cost"][i], rel=1e-9)
        assert result.effective_savings_rate == pytest.approx(expected["esr"][i], rel=1e-9)
        assert result.captured == pytest.approx(1.0, rel=1e-9)
    result = outcome(given["hourly_demand"], 5, 0.7)
    assert [result.utilisation, result.coverage] == pytest.approx(expected["util_cov_at_0.3"], rel=1e-9)
    assert result.forfeiture == pytest.approx(expected["forfeit_at_0.3"], rel=1e-9)
    for discount, levels in (("0.2", (4, 5)), ("0.5", (6, 7))):
        assert expected["ties"][discount] == f"any K in [{levels[0]},{levels[1]}]"
        costs = curve.cost(np.array(levels, dtype=float), 1 - float(discount))
        assert costs[0] == pytest.approx(costs[1], rel=1e-12)


def test_pool_vs_hourly():
    given, expected = _of("pool-vs-hourly")
    hours = len(given["hourly_demand"])
    total = np.array(given["K_total"], dtype=float)
    c = given["unit_price"]
    assert pool_cost(sum(given["hourly_demand"]), total, c) == pytest.approx(expected["pool_cost"], rel=1e-9)
    assert hourly_cost(given["hourly_demand"], total / hours, c) == pytest.approx(expected["hourly_cost"], rel=1e-9)
    curve = Curve.of(given["hourly_demand"])
    assert curve.cost(total / hours, c) == pytest.approx(expected["hourly_cost"], rel=1e-9)


def test_tiers_lp():
    given, expected = _of("tiers-lp")
    curve = Curve.of(given["hourly_demand"])
    prices = [p["unit_price"] for p in given["products"]]
    caps = [p["cap"] for p in given["products"]]
    for solve in (greedy, linear_programme):
        assert solve(curve, prices, caps) == pytest.approx(expected["K"], abs=1e-6)
        assert tier_cost(curve, solve(curve, prices, caps), prices) == pytest.approx(expected["cost"], abs=1e-6)
        free = solve(curve, prices, [None, None])
        assert tier_cost(curve, free, prices) == pytest.approx(expected["uncapped"]["cost"], abs=1e-6)
    assert greedy(curve, prices, [None, None]) == pytest.approx(expected["uncapped"]["K"], abs=1e-9)


def test_spend_commit():
    given, expected = _of("spend-commit")
    usage = np.array(given["usage_list_value"], dtype=float)
    pay = spend_commit_covered_cost(usage, given["commit"], given["discount"])
    assert pay == pytest.approx(expected["pay"], rel=1e-9)
    assert 1 - pay / usage == pytest.approx(expected["effective_saving"], abs=1e-12)
    even = float(expected["break_even_usage_list"])
    assert spend_commit_covered_cost(even, given["commit"], given["discount"]) == even
    assert spend_commit_covered_cost(even - 1, given["commit"], given["discount"]) > even - 1


def test_break_even_fall():
    given, expected = _of("break-even-fall")
    curve = Curve.of(given["hourly_demand"])
    fall = break_even_fall(curve, given["K"], given["unit_price"])
    assert fall == pytest.approx(expected["uniform_fall_to_zero_saving"], rel=1e-6)
    left = Curve.of(np.array(given["hourly_demand"]) * (1 - fall))
    assert left.cost(given["K"], given["unit_price"]) == pytest.approx(left.total, rel=1e-9)


def test_block_rounding():
    given, expected = _of("block-rounding")
    curve = Curve.of(given["hourly_demand"])
    level = optimal_level(curve, given["unit_price"])
    candidates = block_candidates(level, given["block"])
    assert candidates == [float(k) for k in expected["candidates"]]
    costs = curve.cost(np.array(candidates), given["unit_price"])
    assert costs == pytest.approx(list(expected["candidates"].values()), rel=1e-9)
    assert round_to_blocks(curve, level, given["unit_price"], given["block"]) == expected["choose"]


def test_w4_break_even_rule():
    u = break_even_utilisation(10, 0.000005, 1000)
    assert u == pytest.approx(0.555556, abs=5e-7)
    assert [purchase_rule(x, u) for x in (0.50, 0.60, u)] == ["on_demand", "reserve", "on_demand"]
    assert purchase_rule(1.0, 2.81) == "on_demand"
    with pytest.raises(ValueError, match="undefined"):
        break_even_utilisation(10, 0.000005, 0)


def test_w4_commitment_of_four_hours():
    demand = [60.0, 80.0, 100.0, 160.0]
    curve = Curve.of(demand)
    assert curve.cost([0, 60, 80, 100, 160], 0.7) == pytest.approx([400, 328, 324, 340, 448], rel=1e-12)
    assert optimal_level(curve, 0.7) == 80
    result = outcome(demand, 80, 0.7)
    assert result.realised_saving == pytest.approx(76)
    assert (result.effective_savings_rate, result.coverage, result.utilisation, result.forfeiture) == pytest.approx(
        (0.19, 0.75, 0.9375, 14.0)
    )


@pytest.mark.parametrize(
    ("price", "u_star"), [(1.0, 2.807), (260 / 730, 1.0), (2652 / 8760, 0.85)], ids=["hourly", "month", "year"]
)
def test_provisioned_units_of_the_price_sheet(price, u_star):
    """gpt-5 on PTU: 4,750 input tokens a minute per unit, 1.25 USD per million, input only."""
    worth = Traffic({"input_uncached": 1.0}, {"input_uncached": 1.25}).unit_worth(4750 / 60, {})
    assert worth == pytest.approx(0.35625)
    assert price / worth == pytest.approx(u_star, abs=0.005)


def test_exempt_cached_tokens_make_a_unit_worth_more():
    """With cached share h an exempting unit replaces (1 - h + 0.1 h)/(1 - h) of what it would without cache."""
    h, price = 0.6, {"input_uncached": 2.0, "cache_read": 0.2}
    mix = Traffic({"input_uncached": 1 - h, "cache_read": h}, price)
    plain = Traffic({"input_uncached": 1.0}, price).unit_worth(100, {})
    assert mix.unit_worth(100, {"cache_read": 0.0}) == pytest.approx(plain * (1 - h + 0.1 * h) / (1 - h))
    assert mix.unit_worth(100, {"cache_read": 0.1}) == pytest.approx(plain), (
        "weight equal to the price ratio is neutral"
    )


# -- eval gate ---------------------------------------------------------------------------------------------------------


def test_seed_cost_per_success():
    given, expected = _of("seed-cost-per-success")
    cps = [cost_per_success(cost, rate) for cost, rate in given["rows"]]
    assert cps == pytest.approx(expected["cps"], rel=1e-9)
    assert cps == pytest.approx(expected["printed"], abs=GOLDEN["seed-cost-per-success"]["tol_abs"])


def test_wilson():
    given, expected = _of("wilson")
    assert wilson(given["x"], given["n"], given["z"]) == pytest.approx(expected["lo_hi"], rel=1e-9)


def test_newcombe_unpaired():
    given, expected = _of("newcombe-unpaired")
    x1, n1, x2, n2 = np.array(given["cases"], dtype=float).T
    result = np.array(newcombe_unpaired(x1, n1, x2, n2, given["z"])).T
    assert result == pytest.approx(np.array(expected["diff_lo_hi"]), rel=1e-9)
    passes = [unpaired_quality(*case, given["z"]).passes(given["margin"]) for case in given["cases"]]
    assert passes == expected["promote"]
    assert not unpaired_quality(382, 400, 380, 400, given["z"]).passes(given["margin"]), "n = 400 would not do"


def test_newcombe_and_tango_paired():
    given, expected = _of("newcombe-paired")
    a, b, c, d = np.array(given["cells_a_b_c_d"], dtype=float).T
    assert (
        pytest.approx(np.array(expected["newcombe"]), rel=1e-6, abs=1e-12)
        == np.array(newcombe_paired(a, b, c, d, given["z"])).T
    )
    assert (
        pytest.approx(np.array(expected["tango"]), rel=1e-6, abs=1e-9)
        == np.array(tango(a + b + c + d, b, c, given["z"])).T
    )
    passes = [paired_quality(*cells, given["z"]).passes(given["margin"]) for cells in given["cells_a_b_c_d"]]
    assert passes == expected["promote_tango"]


def test_published_check_of_the_paired_formulas():
    z = 1.959964
    assert newcombe_paired(20, 12, 2, 16, z)[1:] == pytest.approx((0.0562, 0.3292), abs=5e-5)
    assert tango(50, 12, 2, z)[1:] == pytest.approx((0.0611, 0.3447), abs=5e-5)


def test_gate_sample_size():
    given, expected = _of("gate-sample-size")
    z = Z95 if given["alpha"] == 0.05 else None
    assert unpaired_items(given["margin"], given["p"], given["power"], z) == pytest.approx(
        expected["unpaired_per_arm"], rel=1e-6
    )
    assert paired_items(given["margin"], given["discordant"], given["power"], z) == pytest.approx(
        expected["paired_items"], rel=1e-6
    )
    assert paired_power(500, 0.02, 0.04) == pytest.approx(0.70, abs=0.03)
    # The formula is a normal approximation; measured with the score interval it is 0.38.
    assert unpaired_power(500, 0.02, 0.95) == pytest.approx(0.38, abs=0.05)


def test_lever_composition():
    given, expected = _of("lever-composition")
    measured = expected["measured_combo_example"]
    assert naive_sum(given["savings"]) == pytest.approx(expected["naive_sum"])
    assert product_form(given["savings"]) == pytest.approx(expected["multiplicative"], rel=1e-9)
    assert 1 - measured["cost_after"] / measured["cost_before"] == pytest.approx(measured["measured"])
    found = interaction(given["savings"], measured["cost_before"], measured["cost_after"])
    assert found == pytest.approx(measured["interaction_log"], rel=1e-9)


def test_w10_lever_ranges():
    assert product_form([0.3, 0.2, 0.1, 0.05]) == pytest.approx(0.5212)
    assert naive_sum([0.3, 0.2, 0.1, 0.05]) == pytest.approx(0.65)
    assert product_form([0.6, 0.5, 0.4, 0.2]) == pytest.approx(0.904)
    assert naive_sum([0.6, 0.5, 0.4, 0.2]) == pytest.approx(1.70)


# -- anomalies ---------------------------------------------------------------------------------------------------------


def test_mad():
    given, expected = _of("mad")
    plain, floored = baseline(given["history"], 0.0), baseline(given["history"])
    seen = given["observed"]
    assert (plain.median, plain.spread) == pytest.approx((expected["median"], expected["mad_scaled"]))
    assert plain.z(seen) == pytest.approx(expected["z"], rel=1e-6)
    assert plain.ratio(seen) == pytest.approx(expected["ratio_to_mean"], rel=1e-6)
    assert (plain.ratio(seen) > 2, plain.z(seen) >= 6) == (expected["fires_2x"], expected["fires_mad6"])
    other = expected["observed_19"]
    assert (plain.z(19), plain.ratio(19)) == pytest.approx((other["z"], other["ratio"]), rel=1e-6)
    assert (plain.ratio(19) > 2, plain.z(19) >= 6) == (other["fires_2x"], other["fires_mad6"])
    with_floor = expected["with_floor_quarter_median"]
    assert (floored.spread, floored.z(seen)) == pytest.approx((with_floor["s"], with_floor["z"]))
    assert (floored.z(seen) >= 6) is with_floor["fires_mad6"]


def test_mix_shift():
    given, expected = _of("mix-shift")
    counts = (given["premium_calls_week"], given["calls_week"], given["premium_calls_prior4w"], given["calls_prior4w"])
    assert (counts[0] / counts[1], counts[2] / counts[3]) == (expected["share_now"], expected["share_prior"])
    assert share_z(*counts, given["overdispersion"]) == pytest.approx(expected["z"], rel=1e-9)


def test_cache_fall_cost():
    given, expected = _of("cache-fall-cost")
    shares = [input_cost_share(given[k], given["read_multiplier"]) for k in ("hit_before", "hit_after")]
    assert shares == pytest.approx([expected["before"], expected["after"]], rel=1e-9)
    multiple = cache_fall_multiple(given["hit_before"], given["hit_after"], given["read_multiplier"])
    assert multiple == pytest.approx(expected["input_cost_multiple"], rel=1e-9)
    cost = cache_fall_cost(1e6, given["hit_before"], given["hit_after"], 3.0, 3.0 * given["read_multiplier"])
    assert cost == pytest.approx(3.0 * (shares[1] - shares[0])), "the money is the rise of the input cost"


def test_cusum():
    given, expected = _of("cusum")
    path, alarm = cusum(given["standardised"], given["k"], given["h"])
    assert path == pytest.approx(expected["path"], rel=1e-9)
    assert alarm == expected["first_alarm_index"]


def test_prf():
    given, expected = _of("prf")
    found = precision_recall_f1(given["faults"], given["detected"], given["alerts"], given["true_alerts"])
    assert found == pytest.approx((expected["precision"], expected["recall"], expected["f1"]), rel=1e-9)
