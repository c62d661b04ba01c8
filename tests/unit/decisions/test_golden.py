"""The worked examples of the commitment, eval-gate and anomaly methods, read from the golden file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

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
from decisions.sizing import Curve, block_candidates, break_even_fall, optimal_level, round_to_blocks
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
    traffic = Traffic(given["mix"], given["usd_per_mtok"])
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
    assert mix.unit_worth(100, {"cache_read": 0.1}) == pytest.approx(plain), "weight equal to the price ratio is neutral"
