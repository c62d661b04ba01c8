"""The worked examples of variance, cost model and scenarios, read from the golden file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from forecasting.cost_model import (
    Design,
    Loop,
    Prices,
    attempts,
    compound,
    expected_pairs,
    fit_steps,
    input_total,
    moments,
    run_distribution,
    steps,
)
from forecasting.drivers import driver_cost
from forecasting.scenarios import compose, display_bridge, displayed, run_scenarios, swing
from forecasting.schemas import DECISION_SCHEMAS, MONEY
from forecasting.variance import decompose, lmdi, log_mean, shapley
from tests.unit.forecasting.golden import EXAMPLES, GOLDEN, TOPICS, approx


def test_every_example_of_the_topics_has_its_test():
    """A golden example without a test named after it would be an untested promise."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_golden*.py"))
    for example in EXAMPLES:
        if example["topic"] in TOPICS:
            assert f"def test_{example['id'].replace('-', '_')}(" in text, example["id"]


def cells(side: dict[str, list[float]]) -> pl.DataFrame:
    """Cells (calls, tokens per call, money per token), each a workflow of its own model."""
    rows = [
        {
            "scope": "s",
            "workflow": "w" if len(name) == 1 else name,
            "model": name,
            "calls": calls,
            "tokens_input_uncached": calls * tokens,
            "cost": Decimal(str(calls * tokens)) * Decimal(str(rate)),
        }
        for name, (calls, tokens, rate) in side.items()
    ]
    return pl.DataFrame(rows, schema_overrides={"cost": MONEY}).with_columns(
        **{f"tokens_{k}": pl.lit(0) for k in ("cache_read", "cache_write", "output")}
    )


def amounts(effects: pl.DataFrame) -> dict[str, float]:
    sums = effects.group_by("effect").agg(pl.col("amount").sum().cast(pl.Float64))
    return dict(sums.iter_rows())


@pytest.mark.parametrize("name", ["lmdi-3", "lmdi-seed-unmanaged", "lmdi-seed-levers"])
def test_products_of_three_drivers(name):
    inputs, expected = GOLDEN[name]["inputs"], GOLDEN[name]["expected"]
    before, after = (np.array([inputs[side]], dtype=float) for side in ("base", "actual"))
    assert float(after.prod() - before.prod()) == approx(name, expected["delta"])
    assert lmdi(before, after)[0].tolist() == approx(name, expected["lmdi"])
    assert shapley(before, after)[0].tolist() == approx(name, expected["shapley"])
    whole = [
        decompose(cells({"A": inputs["base"]}), cells({"A": inputs["actual"]}), method=m) for m in ("lmdi", "shapley")
    ]
    for effects, method in zip(whole, ("lmdi", "shapley"), strict=True):
        found = amounts(effects)
        parts = [found.get(effect, 0.0) for effect in ("volume", "context", "rate")]
        assert parts == pytest.approx(expected[method], rel=1e-9, abs=1e-8)
        assert sum(found.values()) == approx(name, expected["delta"])


def test_lmdi_3():
    expected = GOLDEN["lmdi-3"]["expected"]
    assert float(log_mean(np.array(expected["c1"]), np.array(expected["c0"]))) == approx("lmdi-3", expected["log_mean"])
    inputs = GOLDEN["lmdi-3"]["inputs"]
    assert [cells({"A": inputs[s]})["cost"][0] for s in ("base", "actual")] == [Decimal("20"), Decimal("25.2")]


def test_lmdi_seed_unmanaged():
    """A rate that did not move has no effect at all, not a small one."""
    inputs = GOLDEN["lmdi-seed-unmanaged"]["inputs"]
    assert "rate" not in amounts(decompose(cells({"A": inputs["base"]}), cells({"A": inputs["actual"]})))


def test_lmdi_seed_levers():
    """Against the printed figures the change is within half a percent."""
    expected = GOLDEN["lmdi-seed-levers"]["expected"]
    assert sum(expected["lmdi"]) == approx("lmdi-seed-levers", expected["delta"])
    rows = GOLDEN["seed-scenarios"]["expected"]["rows"]
    assert expected["delta"] == pytest.approx(rows[3]["printed"] - rows[0]["printed"], rel=0.005)


def test_lmdi_mix():
    inputs, expected = GOLDEN["lmdi-mix"]["inputs"], GOLDEN["lmdi-mix"]["expected"]
    base, actual = cells(inputs["base"]), cells(inputs["actual"])
    assert float(base["cost"].sum()) == approx("lmdi-mix", expected["c0"])
    assert float(actual["cost"].sum()) == approx("lmdi-mix", expected["c1"])
    for method, key in (("lmdi", "effects"), ("shapley", "shapley")):
        found = amounts(decompose(base, actual, method=method))
        assert "workflow_mix" not in found
        found["mix"] = found.pop("model_mix")
        assert found == approx("lmdi-mix", expected[key])
        assert sum(found.values()) == approx("lmdi-mix", expected["sum"])


def test_lmdi_entry_exit():
    inputs, expected = GOLDEN["lmdi-entry-exit"]["inputs"], GOLDEN["lmdi-entry-exit"]["expected"]
    base, actual = cells(inputs["base"]), cells(inputs["actual"])
    assert [float(side["cost"].sum()) for side in (base, actual)] == approx(
        "lmdi-entry-exit", [expected["c0"], expected["c1"]]
    )
    for method in ("lmdi", "shapley"):
        found = amounts(decompose(base, actual, method=method))
        told = {"new": expected["new"], "retired": expected["retired"], "volume": expected["continuing_volume"]}
        assert found == approx("lmdi-entry-exit", told)
        assert sum(found.values()) == approx("lmdi-entry-exit", expected["sum"])


def _prices(usd: dict[str, float]) -> Prices:
    return Prices(input=usd["inp"], output=usd["out"], cache_read=usd.get("cached"), cache_write=usd.get("write"))


def _loop(inputs: dict, **more: object) -> Loop:
    return Loop(inputs["prefix"], inputs["user_tokens"], inputs["growth_per_turn"], inputs["output_per_turn"], **more)


def test_context_accumulation():
    inputs, expected = GOLDEN["context-accumulation"]["inputs"], GOLDEN["context-accumulation"]["expected"]
    price, loop, turns = _prices(inputs["usd_per_mtok"]), _loop(inputs), inputs["turns"]
    plain, cached = steps(loop, turns), steps(_loop(inputs, cached=1.0), turns)
    assert plain.input.tolist() == expected["input_per_turn"]
    assert plain.input.sum() == expected["input_total"]
    assert input_total(loop, turns) == expected["closed_form"]
    assert plain.cost(price) == approx("context-accumulation", expected["cost_no_cache"])
    assert cached.read.sum() == expected["cache_read_tokens"]
    assert cached.write.sum() == expected["cache_write_tokens"]
    assert cached.cost(price) == approx("context-accumulation", expected["cost_cached"])
    far = steps(loop, 40).input
    assert far[39] / far[0] == approx("context-accumulation", expected["turn40_over_turn1_input"])


def test_retry_loop():
    inputs, expected = GOLDEN["retry-loop"]["inputs"], GOLDEN["retry-loop"]["expected"]
    mean, lost = attempts(inputs["fail_prob"], inputs["max_attempts"])
    assert (mean, lost) == approx("retry-loop", (expected["expected_attempts"], expected["give_up_prob"]))
    assert attempts(inputs["fail_prob"])[0] == approx("retry-loop", expected["unbounded"])


def test_fan_out():
    inputs, expected = GOLDEN["fan-out"]["inputs"], GOLDEN["fan-out"]["expected"]
    mean, _ = moments({int(n): p for n, p in inputs["fan_out_pmf"].items()})
    assert mean == approx("fan-out", expected["mean_fan_out"])
    assert inputs["actions"] * mean == approx("fan-out", expected["calls"])


def test_linear_quadratic_fit():
    inputs, expected = GOLDEN["linear-quadratic-fit"]["inputs"], GOLDEN["linear-quadratic-fit"]["expected"]
    fit = fit_steps(np.array(inputs["steps"]), np.array(inputs["cost"]))
    assert (fit.a, fit.b) == approx("linear-quadratic-fit", (expected["a"], expected["b"]))
    assert fit.r2 == pytest.approx(1.0)
    assert not fit.usable


def test_jensen_loops():
    expected = GOLDEN["jensen-loops"]["expected"]
    pmf = {int(n): p for n, p in GOLDEN["jensen-loops"]["inputs"]["n_pmf"].items()}
    mean, variance = moments(pmf)
    assert mean == approx("jensen-loops", expected["mean_n"])
    pairs, plug_in = expected_pairs(mean, variance), expected_pairs(mean, 0.0)
    assert (pairs, plug_in) == approx("jensen-loops", (expected["expected_pairs"], expected["plug_in_pairs"]))
    assert 1 - plug_in / pairs == approx("jensen-loops", expected["underestimate"])
    growth_only = Design(Loop(0, 0, 1e6, 0), Prices(1.0, 1.0), pmf, max_steps=99)
    run = run_distribution(growth_only)
    assert (run.mean, run.plug_in) == approx("jensen-loops", (expected["expected_pairs"], expected["plug_in_pairs"]))


def test_compaction():
    inputs, expected = GOLDEN["compaction"]["inputs"], GOLDEN["compaction"]["expected"]
    price = _prices(inputs["usd_per_mtok"])
    compacted = _loop(inputs, compact_every=inputs["every"], summary_tokens=inputs["summary_tokens"])
    for turns in (10, 40):
        run, told = steps(compacted, turns), expected[f"turns{turns}"]
        assert (run.input.sum(), run.output.sum()) == (told["input"], told["output"])
        assert run.cost(price) == approx("compaction", told["cost"])
        assert steps(_loop(inputs), turns).cost(price) == approx("compaction", told["cost_without"])


def test_compound_month():
    inputs, expected = GOLDEN["compound-month"]["inputs"], GOLDEN["compound-month"]["expected"]
    for kind in ("poisson", "overdispersed"):
        mean, sd = compound(
            inputs["runs_mean"], inputs[f"runs_var_{kind}"], inputs["run_cost_mean"], inputs["run_cost_sd"] ** 2
        )
        assert mean == approx("compound-month", expected["mean"])
        assert sd == approx("compound-month", expected[f"sd_{kind}"])


def test_lever_composition():
    inputs, expected = GOLDEN["lever-composition"]["inputs"], GOLDEN["lever-composition"]["expected"]
    measured = expected["measured_combo_example"]
    how = compose([1 - s for s in inputs["savings"]], measured["cost_after"] / measured["cost_before"])
    assert how.naive_sum == approx("lever-composition", expected["naive_sum"])
    assert how.product_form == approx("lever-composition", expected["multiplicative"])
    assert how.combined == approx("lever-composition", measured["measured"])
    assert how.interaction_log == approx("lever-composition", measured["interaction_log"])


def _seed_scenarios(rate_per_1k: float) -> dict[str, dict]:
    """The six rows of the scenario table from one baseline and its levers, at a rate per 1,000 tokens, over one day."""
    zero = {f"{m}_{k}": 0.0 for m in ("tokens", "price") for k in ("cache_read", "cache_write", "output")}
    drivers = pl.DataFrame(
        [
            {
                "workflow": "support",
                "model": "m",
                "user_actions": 1_240_000,
                "fan_out": 1,
                "retry": 0,
                "share": 1,
                "tokens_input_uncached": 7010,
                "price_input_uncached": 1000 * rate_per_1k,
            }
            | zero
        ],
        schema=DECISION_SCHEMAS["drivers"],
        strict=False,
    )
    adoption = {"lever_id": "adoption", "driver": "user_actions", "mode": "multiplier", "value": 1.4}
    rows = [
        {"scenario_id": "flat", "lever_id": "none", "driver": "user_actions", "mode": "multiplier", "value": 1.0},
        *({"scenario_id": s} | adoption for s in ("adoption", "unmanaged", "levers")),
        {"scenario_id": "unmanaged", "lever_id": "drift", "driver": "context", "mode": "absolute", "value": 9100},
        {"scenario_id": "levers", "lever_id": "context", "driver": "context", "mode": "absolute", "value": 3900},
        {"scenario_id": "levers", "lever_id": "rate", "driver": "rate", "mode": "absolute", "value": 4.2},
    ]
    levers = pl.DataFrame(rows, schema=DECISION_SCHEMAS["levers"], strict=False)
    table = run_scenarios(drivers, levers, date(2026, 9, 1), date(2026, 9, 2)).scenarios
    return {row["scenario_id"]: row for row in table.to_dicts()}


PRINTED_ORDER = ("baseline", "adoption", "unmanaged", "levers")


def test_scenario_table_at_the_printed_rate_gives_the_unrounded_driver_products():
    expected = GOLDEN["seed-scenarios"]["expected"]["rows"]
    table = _seed_scenarios(0.0048)
    for name, row in zip(PRINTED_ORDER, expected, strict=True):
        found = table[name]
        assert float(found["cost"]) == pytest.approx(row["cost_from_printed_drivers"], rel=1e-9)
        assert float(found["cost"]) == approx("seed-scenarios", row["printed"])
        assert 100 * found["change_share"] == pytest.approx(row["printed_pct"], abs=0.5)
        assert (found["calls"], found["tokens_per_call"]) == pytest.approx((row["calls"], row["tokens_per_call"]))
        assert found["rate_per_million"] == pytest.approx(1000 * row["rate_per_1k"])
    assert table["flat"]["cost"] == table["baseline"]["cost"]
    assert swing(float(row["cost"]) for row in table.values()) == pytest.approx(47_392.80)


def test_scenario_table_at_the_hidden_rate_shows_every_printed_figure():
    expected = GOLDEN["seed-scenarios"]["expected"]
    table = _seed_scenarios(0.004805)
    assert [displayed(table[name]["cost"]) for name in PRINTED_ORDER] == [row["printed"] for row in expected["rows"]]
    assert displayed(swing(float(row["cost"]) for row in table.values())) == expected["swing_printed"]
    shares = [round(100 * table[name]["change_share"]) for name in PRINTED_ORDER]
    assert shares == [row["printed_pct"] for row in expected["rows"]]


def test_scenario_table_bridge_for_display():
    """Moved one after the other the steps are those printed; the order-free effects are the ones that decide."""
    base, unmanaged, levers = ((1_240_000, 7010, 4.8e-6), (1_736_000, 9100, 4.8e-6), (1_736_000, 3900, 4.2e-6))
    assert display_bridge(base, unmanaged) == pytest.approx([16_689.408, 17_415.552, 0])
    assert display_bridge(base, levers) == pytest.approx([16_689.408, -25_915.008, -4_062.24])
    assert lmdi(np.array([base]), np.array([levers]))[0].tolist() == pytest.approx(
        [11_660.80, -20_320.97, -4_627.67], abs=0.01
    )
    assert driver_cost(*base[:2], 1000 * base[2]) + sum(display_bridge(base, levers)) == pytest.approx(28_435.68)
