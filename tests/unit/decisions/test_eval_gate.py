"""The evaluation gate: laws of its intervals, its decisions in order, its error rates, what became of promotions."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from decisions.config import Z95, GateConfig, Waiver
from decisions.eval_gate import (
    choose,
    cost_per_success,
    cost_ratio_bounds,
    evaluate,
    loaded_cost_per_success,
    paired_quality,
    simulated_pass_rate,
)
from decisions.levers import impact, overdispersion, product_form, shapley, to_run
from decisions.proportions import (
    mean_difference,
    newcombe_paired,
    newcombe_unpaired,
    paired_items,
    paired_power,
    tango,
    tango_statistic,
    unpaired_items,
    wilson,
)
from decisions.schemas import PRODUCTION_COLUMNS, SCHEMAS, DecisionError
from decisions.statistics import holm

AS_OF = date(2026, 9, 21)
QUICK = settings(max_examples=100, deadline=None)
CELLS = st.tuples(*[st.integers(0, 300)] * 4).filter(lambda c: sum(c) > 0)


@QUICK
@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_is_a_proper_interval(n, share):
    x = round(share * n)
    low, high = (float(v) for v in wilson(x, n))
    assert -1e-12 <= low <= x / n + 1e-12 and x / n - 1e-12 <= high <= 1 + 1e-12
    assert (low, high) == pytest.approx(tuple(1 - float(v) for v in wilson(n - x, n))[::-1], abs=1e-12)


@QUICK
@given(CELLS)
def test_paired_intervals_hold_the_difference_and_mirror_when_roles_change(cells):
    a, b, c, d = cells
    n = a + b + c + d
    for one, two in (
        (tango(n, b, c), tango(n, c, b)),
        (newcombe_paired(a, b, c, d), newcombe_paired(a, c, b, d)),
    ):
        difference, low, high = (float(v) for v in one)
        assert low - 1e-9 <= difference <= high + 1e-9
        assert (difference, low, high) == pytest.approx(tuple(-float(v) for v in (two[0], two[2], two[1])), abs=1e-8)
        assert low >= -1 - 1e-9 and high <= 1 + 1e-9


@QUICK
@given(CELLS.filter(lambda c: c[1] + c[2] > 0))
def test_tango_bounds_solve_the_score_equation(cells):
    a, b, c, d = cells
    n = a + b + c + d
    _, low, high = (float(v) for v in tango(n, b, c))
    for bound, target in ((low, Z95), (high, -Z95)):
        if -0.999 < bound < 0.999:
            assert float(tango_statistic(n, b, c, bound)) == pytest.approx(target, abs=1e-5)


@pytest.mark.parametrize(("n", "passes"), [(132, False), (133, True)])
def test_identical_outcomes_still_need_items(n, passes):
    quality = paired_quality(n, 0, 0, 0, Z95)
    assert quality.difference == 0 and quality.lower == pytest.approx(-(Z95**2) / (n + Z95**2), rel=1e-6)
    assert (quality.lower > -0.02) is passes


@QUICK
@given(st.floats(0.005, 0.2), st.floats(0.005, 0.5), st.floats(0.55, 0.95), st.floats(1.05, 2))
def test_sample_size_and_power_are_monotone(margin, discordant, power, more):
    n = paired_items(margin, discordant, power)
    assert paired_items(margin * more, discordant, power) < n < paired_items(margin, discordant * more, power)
    assert paired_items(margin, discordant, min(power * 1.02, 0.99)) > n
    assert paired_power(n, margin, discordant) == pytest.approx(power, abs=1e-9)
    assert unpaired_items(margin, 0.95, power) == pytest.approx(paired_items(margin, 0.095, power))


def test_means_of_trials_use_items_as_the_unit():
    rng = np.random.default_rng(1)
    once = rng.normal(0, 0.3, 40)
    assert mean_difference(once) == mean_difference(once)
    wide, narrow = (mean_difference(np.tile(once, k)) for k in (1, 4))
    assert wide[2] - wide[1] > narrow[2] - narrow[1]
    with pytest.raises(ValueError, match="two items"):
        mean_difference([0.1])


@QUICK
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_raw_and_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p) - 1e-12).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


# -- decisions ---------------------------------------------------------------------------------------------------------


def _records(cells, costs=(0.02, 0.01), slices=None, **more) -> pl.DataFrame:
    """Records of baseline `b` and candidate `c` with these paired cells."""
    a, b, c, d = cells
    pairs = [(True, True)] * a + [(False, True)] * b + [(True, False)] * c + [(False, False)] * d
    rows = []
    for i, outcome in enumerate(pairs):
        for config, passed, cost in zip("bc", outcome, costs, strict=True):
            rows.append(
                {
                    "eval_set_id": "set", "item_id": f"i{i:05d}", "slice": slices[i] if slices else "all",
                    "config_id": config, "trial": 1, "passed": passed,
                    "cost_usd": str(round(cost * (1 + (i % 7) / 20), 6)),
                    "tokens": 100, "latency_ms": 900.0 + i % 50, "judge_version": "j1",
                }
            )  # fmt: skip
    return pl.DataFrame(rows).with_columns(pl.lit(v).alias(k) for k, v in more.items())


def _of_candidate(name: str, value: object, otherwise: object) -> pl.Expr:
    return pl.when(pl.col("config_id") == "c").then(pl.lit(value)).otherwise(pl.lit(otherwise)).alias(name)


def _decide(records, **config):
    return evaluate(records, "b", "c", AS_OF, config=GateConfig(**config)).row(0, named=True)


def test_frame_has_exactly_the_agreed_columns():
    frame = evaluate(_records((470, 7, 5, 18)), "b", "c", AS_OF)
    assert dict(frame.schema) == {k: (v() if isinstance(v, type) else v) for k, v in SCHEMAS["eval_gate"].items()}


@pytest.mark.parametrize(
    ("cells", "costs", "outcome", "words"),
    [
        ((470, 7, 5, 18), (0.02, 0.01), "PROMOTE", None),
        ((343, 28, 29, 100), (0.02, 0.01), "INCONCLUSIVE", "more items needed"),
        ((271, 28, 54, 147), (0.02, 0.0028), "REJECT", "pass rate fell"),
        ((80, 5, 5, 10), (0.02, 0.01), "INCONCLUSIVE", "lower bound"),
        ((470, 7, 5, 18), (0.01, 0.02), "REJECT", "cost per success rose"),
        ((470, 7, 5, 18), (0.02, 0.0201), "REJECT", "cost per success"),
        ((0, 0, 480, 20), (0.02, 0.0), "REJECT", "never passed"),
        ((25, 0, 0, 4), (0.02, 0.01), "INCONCLUSIVE", "29 items: below 30"),
        ((2, 0, 20, 0), (0.02, 0.0001), "INCONCLUSIVE", "22 items: below 30"),
    ],
)
def test_decisions(cells, costs, outcome, words):
    row = _decide(_records(cells, costs))
    if cells == (470, 7, 5, 18) and costs == (0.02, 0.0201):
        # 0.5 % dearer per call and 0.4 points better: the ratio may be on either side of 1.
        assert row["outcome"] in ("REJECT", "INCONCLUSIVE")
        return
    assert row["outcome"] == outcome, row["reason"]
    assert words is None or words in row["reason"]


def test_items_still_needed_are_printed():
    row = _decide(_records((343, 28, 29, 100)))
    assert row["items_needed"] == pytest.approx(1762, abs=2)
    assert row["items_missing"] == row["items_needed"] - 500


def test_w3_quality_filters_before_cost():
    """Aggressive compression has the lowest cost per success and still loses; n = 1,000 items of our own."""
    base = 950
    aggressive = _decide(_records((870, 10, 80, 40), (0.0336, 0.0121)))
    gated = _decide(_records((945, 9, 5, 41), (0.0336, 0.0149)))
    assert (aggressive["outcome"], gated["outcome"]) == ("REJECT", "PROMOTE")
    assert aggressive["baseline_passed"] == gated["baseline_passed"] == base
    costs = [cost_per_success(*row) for row in ((0.0336, 0.95), (0.0121, 0.88), (0.0149, 0.954))]
    assert [1 - c / costs[0] for c in costs[1:]] == pytest.approx([0.611, 0.558], abs=5e-4)
    assert 1 - costs[1] / costs[2] == pytest.approx(0.12, abs=5e-4), "the rejected one is 12 % cheaper"
    decisions = {"aggressive": (aggressive["outcome"], costs[1]), "gated": (gated["outcome"], costs[2])}
    assert choose(decisions) == "gated"
    assert choose({"aggressive": ("REJECT", 0.0)}) is None
    assert aggressive["candidate_cost_per_success"] < gated["candidate_cost_per_success"]


def test_point_rule_needs_a_waiver():
    cells = (1900, 8, 9, 83)
    assert _decide(_records(cells))["reason"] == "pass rate below the baseline and no waiver"
    waived = _decide(_records(cells), waiver=Waiver("head of support", "agreed for a month"))
    assert waived["outcome"] == "PROMOTE" and waived["waiver"] == "head of support: agreed for a month"
    assert _decide(_records(cells), point_rule=False)["outcome"] == "PROMOTE"
    with pytest.raises(ValueError, match="owner and a reason"):
        Waiver("x", " ")


def test_an_error_is_a_fail_with_its_cost():
    records = _records((470, 7, 5, 18))
    failed = (pl.col("config_id") == "c") & (pl.col("item_id") < "i00100")
    broken = records.with_columns(pl.when(failed).then(None).otherwise(pl.col("passed")).alias("passed"))
    row = _decide(broken)
    assert row["outcome"] == "REJECT" and row["candidate_passed"] == 377
    assert row["candidate_cost"] == _decide(records)["candidate_cost"]


def test_items_the_candidate_lacks_are_fails_and_coverage_is_checked():
    records = _records((470, 7, 5, 18))
    few = records.filter((pl.col("config_id") == "b") | (pl.col("item_id") >= "i00004"))
    assert _decide(few)["candidate_passed"] == 473
    many = records.filter((pl.col("config_id") == "b") | (pl.col("item_id") >= "i00010"))
    row = _decide(many)
    assert row["outcome"] != "PROMOTE" and row["candidate_coverage"] == pytest.approx(0.98)
    assert "99% needed" in row["reason"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.with_columns(_of_candidate("judge_version", "j2", "j1")), "judge versions"),
        (lambda r: r.with_columns(_of_candidate("eval_set_id", "s2", "set")), "evaluation sets"),
        (lambda r: pl.concat([r, r.head(1)]), "two results"),
        (lambda r: r.with_columns(_of_candidate("evaluated_on", AS_OF, AS_OF - timedelta(days=9))), "day windows"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_invalid(change, words):
    row = _decide(change(_records((470, 7, 5, 18))))
    assert row["outcome"] == "INVALID" and words in row["reason"] and row["rate_lower"] is None


def test_different_items_are_compared_unpaired():
    records = _records((946, 8, 4, 42)).with_columns(pl.col("item_id") + pl.col("config_id"))
    row = _decide(records)
    assert row["design"] == "unpaired" and row["outcome"] == "PROMOTE"
    assert row["rate_lower"] == pytest.approx(float(newcombe_unpaired(954, 1000, 950, 1000)[1]))


def test_a_critical_slice_can_stop_it():
    slices = ["legal"] * 60 + ["all"] * 440
    cells_legal = [(True, False)] * 14 + [(True, True)] * 46
    records = _records((470, 7, 5, 18), slices=slices)
    lost = {f"i{i:05d}" for i, pair in enumerate(cells_legal) if not pair[1]}
    hit = (pl.col("config_id") == "c") & pl.col("item_id").is_in(sorted(lost))
    records = records.with_columns(pl.when(hit).then(False).otherwise(pl.col("passed")).alias("passed"))
    row = _decide(records, critical_slices=("legal", "all"))
    assert row["outcome"] == "REJECT" and row["failed_slices"] == "legal"
    assert _decide(_records((470, 7, 5, 18), slices=slices), critical_slices=("legal", "all"))["failed_slices"] is None


def test_side_limits():
    good = _records((470, 7, 5, 18), refused=False, safety_failure=False)
    assert _decide(good, limits={"latency_p95_ms": 1000, "refusal_rate": 0.01})["outcome"] == "PROMOTE"
    assert "latency p95" in _decide(good, limits={"latency_p95_ms": 900})["failed_limits"]
    assert "not recorded" in _decide(_records((470, 7, 5, 18)), limits={"refusal_rate": 0.5})["failed_limits"]
    one = pl.col("item_id") == "i00003"
    unsafe = good.with_columns(one.alias("safety_failure"))
    assert _decide(unsafe)["outcome"] == "REJECT"
    small = _records((20, 0, 0, 2)).with_columns(one.alias("safety_failure"))
    assert _decide(small)["outcome"] == "REJECT", "safety is not a matter of n"


def test_several_trials_weigh_items_not_trials():
    records = _records((470, 7, 5, 18))
    again = pl.concat([records.with_columns(pl.lit(t).alias("trial")) for t in range(1, 4)])
    one, three = _decide(records), _decide(again)
    assert three["design"] == "paired means" and three["items"] == 500 and three["trials"] == 3000
    assert three["rate_difference"] == pytest.approx(one["rate_difference"])
    assert three["cost_ratio"] == pytest.approx(one["cost_ratio"])
    assert three["rate_lower"] == pytest.approx(one["rate_lower"], abs=0.002), "repeating the same says nothing new"


def test_rows_in_any_order_give_the_same_row():
    records = _records((470, 7, 5, 18))
    assert_frame_equal(
        *(evaluate(r, "b", "c", AS_OF) for r in (records, records.sample(fraction=1, shuffle=True, seed=3))),
        check_exact=True,
    )


def test_two_looks_are_stricter_first_and_nothing_else_is_allowed():
    assert GateConfig(looks=2, look=1).z > GateConfig(looks=2, look=2).z > GateConfig().z
    for plan in ({"looks": 3}, {"look": 2}, {"looks": 2, "look": 3}):
        with pytest.raises(ValueError, match="two planned looks"):
            GateConfig(**plan)
    assert GateConfig().hash() != GateConfig(margin=0.03).hash()


def test_cost_ratio_bounds_hold_the_ratio_and_infinite_draws():
    rng = np.random.default_rng(2)
    cost, passed = rng.gamma(2, 1, 200), (rng.random(200) < 0.8).astype(float)
    point, low, high = cost_ratio_bounds((cost * 0.5, passed), (cost, passed), True, 500, 1)
    assert (point, low, high) == pytest.approx((0.5, 0.5, 0.5))
    _, low, high = cost_ratio_bounds((cost, np.eye(200)[0]), (cost, passed), True, 500, 1)
    assert math.isinf(high) and low > 10
    assert cost_per_success(1, 0) == math.inf and loaded_cost_per_success(10, 10, 8, 5) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.drop("slice"), "slice"),
        (lambda r: r.filter(pl.col("config_id") == "b"), "no evaluation records"),
        (lambda r: r.with_columns(pl.lit("-1").alias("cost_usd")), "negative"),
    ],
)  # fmt: skip
def test_broken_records_are_named(change, words):
    with pytest.raises(DecisionError, match=words):
        evaluate(change(_records((40, 1, 1, 8))), "b", "c", AS_OF)


# -- error rates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [200, 500, 1000])
def test_type_one_error_stays_below_six_percent(n):
    assert simulated_pass_rate(3000, n, rate=0.95, difference=-0.02, discordant=0.04) <= 0.06


def test_power_at_equal_quality():
    passed = {n: simulated_pass_rate(3000, n, rate=0.95, difference=0.0, discordant=0.04) for n in (200, 500, 1000)}
    assert 0.66 <= passed[500] <= 0.74
    assert passed[200] < passed[500] < passed[1000]
    with pytest.raises(ValueError, match="no paired outcomes"):
        simulated_pass_rate(10, 100, rate=0.99, difference=0.02, discordant=0.04)


def test_the_decision_itself_promotes_no_more_than_its_intervals():
    """The whole rule on whole records, a few at the margin: none may pass that the intervals would stop."""
    rng = np.random.default_rng(13)
    for cells in rng.multinomial(300, [0.915, 0.015, 0.035, 0.035], size=12):
        row = _decide(_records(tuple(int(x) for x in cells)), draws=200)
        assert row["outcome"] != "PROMOTE" or paired_quality(*cells, Z95).passes(0.02)


@pytest.mark.soak
@pytest.mark.parametrize("rate", [0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("discordant", [0.03, 0.06, 0.12])
def test_type_one_error_over_rates_and_discordance(rate, discordant):
    if rate + (discordant - 0.02) / 2 > 1:
        pytest.skip("no such outcomes")
    for n in (100, 200, 500, 1000):
        assert simulated_pass_rate(20_000, n, rate=rate, difference=-0.02, discordant=discordant) <= 0.06, n


# -- levers ------------------------------------------------------------------------------------------------------------


@QUICK
@given(st.lists(st.floats(0, 0.95), min_size=1, max_size=6))
def test_levers_together_save_more_than_any_and_less_than_their_sum(savings):
    whole = product_form(savings)
    assert max(savings) - 1e-12 <= whole <= min(sum(savings), 1.0) + 1e-12


@QUICK
@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_shapley_shares_add_to_the_full_set(values):
    subsets = [frozenset(s) for s in to_run(["x", "y", "z"])]
    measured = dict(zip(subsets, values, strict=True))
    assert sum(shapley(measured).values()) == pytest.approx(measured[frozenset("xyz")], abs=1e-9)
    with pytest.raises(ValueError, match="not measured"):
        shapley({frozenset("xy"): 0.5})
    assert len(to_run("abcd")) == 9


def test_clustered_outcomes_are_overdispersed():
    assert overdispersion([10, 0] * 20, [10, 10] * 20) == pytest.approx(10.26, abs=0.05)
    assert overdispersion([9] * 30, [10] * 30) == 1.0
    assert overdispersion([5], [5]) == 1.0


PROMOTION = {
    "promotion_id": "p1", "lever_set": "cache", "workflow": "w", "baseline_config": "b", "candidate_config": "c",
    "promoted_on": date(2026, 9, 1), "baseline_cost_per_success": 0.11, "candidate_cost_per_call": 0.05,
    "expected_saving_share": 0.5, "margin": 0.02, "owner": "ana",
}  # fmt: skip


def _impact(after_cost="5.00", success=95, lever=100, **changes):
    rows = []
    for i in range(-28, 14):
        after = i >= 0
        rows.append(
            {
                "workflow": "w", "charge_date": date(2026, 9, 1) + timedelta(days=i), "session_id": f"s{i}",
                "calls": 100,
                "lever_calls": lever if after else 0, "outcomes": 100, "successes": success if after else 95,
                "cost": after_cost if after else "10.00",
            }
        )  # fmt: skip
    return impact(pl.DataFrame([PROMOTION | changes]), pl.DataFrame(rows), AS_OF).row(0, named=True)


def test_a_promise_kept():
    row = _impact()
    assert row["realised_saving"] == Decimal("70") and row["counterfactual_cost"] == Decimal("140")
    assert (row["realised_saving_share"], row["realised_over_expected"]) == pytest.approx((0.5, 1.0))
    assert row["state"] == "as_expected" and row["days_after"] == 14
    assert row["cost_per_call_drift"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"lever": 60}, "not_applied"),
        ({"success": 80}, "roll_back"),
        ({"after_cost": "11.00"}, "roll_back"),
        ({"after_cost": "6.50"}, "re_gate"),
        ({"after_cost": "5.90", "expected_saving_share": 0.6}, "below_expectation"),
        ({"promoted_on": date(2027, 1, 1)}, "not_measured"),
    ],
)
def test_promises_not_kept(changes, state):
    assert _impact(**changes)["state"] == state


def test_decimals_of_the_warehouse_are_taken():
    exact = {k: Decimal(str(v)) for k, v in PROMOTION.items() if isinstance(v, float)}
    assert _impact(**exact)["realised_over_expected"] == pytest.approx(1.0)


def test_realised_saving_grows_with_demand_not_with_it_mistaken_for_saving():
    """Twice the demand at the same unit cost is no saving and no loss."""
    assert _impact(after_cost="10.00", candidate_cost_per_call=0.1)["realised_saving"] == 0
    with pytest.raises(DecisionError, match="twice"):
        nothing = pl.DataFrame(schema=dict.fromkeys(PRODUCTION_COLUMNS, pl.String))
        impact(pl.DataFrame([PROMOTION, PROMOTION]), nothing, AS_OF)
