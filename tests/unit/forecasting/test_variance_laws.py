"""The variance bridge: what holds for any two months, then what each cell that no logarithm can take becomes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.schemas import DECISION_SCHEMAS, MONEY, TOKEN_CLASSES
from forecasting.variance import (
    EFFECT_GROUPS,
    VarianceError,
    bridge,
    decompose,
    impute_drivers,
    lmdi,
    log_mean,
    shapley,
    top_cells,
)

FLIPPED = {"new": "retired", "retired": "new", "migration_in": "migration_out", "migration_out": "migration_in"}


def cells(*rows: dict[str, object]) -> pl.DataFrame:
    """Cells of one side; what a row does not say is one call of 1,000 tokens in scope s, workflow w."""
    start = {"scope": "s", "team": "t", "workflow": "w", "model": "m", "variant": "", "line": "usage", "calls": 1}
    full = [start | {"tokens_input_uncached": 1000, "cost": "1"} | row for row in rows]
    exact = [row | {"cost": None if row["cost"] is None else Decimal(row["cost"])} for row in full]
    return pl.DataFrame(exact, schema=DECISION_SCHEMAS["variance_cells"])


def amounts(effects: pl.DataFrame) -> dict[str, Decimal]:
    """Sum of every effect."""
    return {row["effect"]: row["amount"] for row in effects.group_by("effect").agg(pl.col("amount").sum()).to_dicts()}


def total(frame: pl.DataFrame) -> Decimal:
    return frame["cost"].sum() or Decimal(0)


money = st.decimals(min_value=0, max_value=10**6, places=14, allow_nan=False)
sometimes = st.one_of(st.none(), st.integers(0, 10**7))


@st.composite
def month(draw, names: tuple[str, ...] = ("a", "b", "c", "d"), signed: bool = True) -> pl.DataFrame:
    """A month of up to eight cells in two scopes: missing calls, zero cost, credits and lines included."""
    rows = []
    for scope in ("s1", "s2"):
        for name in draw(st.sets(st.sampled_from(names))):
            cost = draw(money)
            if signed and draw(st.integers(0, 9)) == 0:
                cost = -cost
            rows.append(
                {
                    "scope": scope,
                    "workflow": (name in "ab" and "w1") or "w2",
                    "model": name,
                    "cost": cost,
                    "calls": draw(sometimes),
                    "tokens_input_uncached": draw(sometimes),
                    "tokens_output": draw(sometimes),
                    "line": draw(st.sampled_from(["usage"] * 6 + ["credit"])),
                }
            )
    return cells(*rows)


@settings(max_examples=80, deadline=None)
@given(base=month(), actual=month(), method=st.sampled_from(["lmdi", "shapley"]))
def test_effects_add_to_the_change_to_the_last_decimal(base, actual, method):
    effects = decompose(base, actual, method=method)
    assert (effects["amount"].sum() or Decimal(0)) == total(actual) - total(base)
    by_scope = bridge(effects, base, actual)
    for (_,), rows in by_scope.group_by("scope"):
        assert rows["amount"].sum() == rows["change"][0]
    assert dict(effects.schema) == {
        k: v() if isinstance(v, type) else v for k, v in DECISION_SCHEMAS["variance_effects"].items()
    }


@settings(max_examples=80, deadline=None)
@given(base=month(), actual=month())
def test_swapping_the_periods_negates_every_effect_exactly(base, actual):
    there, back = decompose(base, actual), decompose(actual, base)
    mirrored = back.with_columns(-pl.col("amount"), pl.col("effect").replace(FLIPPED)).sort(there.columns[:7])
    assert_frame_equal(there.drop("effect_group"), mirrored.drop("effect_group"))


@settings(max_examples=60, deadline=None)
@given(base=month(), actual=month(), seed=st.integers(0, 99))
def test_order_of_rows_does_not_matter(base, actual, seed):
    mixed = decompose(
        base.sample(fraction=1, shuffle=True, seed=seed), actual.sample(fraction=1, shuffle=True, seed=seed)
    )
    assert_frame_equal(mixed, decompose(base, actual))


@settings(max_examples=60, deadline=None)
@given(base=month(), actual=month(), calls=sometimes)
def test_an_empty_model_changes_nothing(base, actual, calls):
    empty = {"scope": "s1", "workflow": "w1", "model": "empty", "cost": 0, "calls": calls}
    left, right = (pl.concat([side, cells(empty)]) for side in (base, actual))
    assert_frame_equal(decompose(left, right), decompose(base, actual))


@st.composite
def priced(draw) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two months of the same positive cells with class costs and list costs."""
    sides = ([], [])
    for name in ("a", "b", "c"):
        for side in sides:
            tokens = [draw(st.integers(0, 10**6)) for _ in TOKEN_CLASSES]
            tokens[3] += 1
            listed = [Decimal(t) * draw(st.integers(1, 9)) / 10**6 for t in tokens]
            paid = [value * draw(st.integers(1, 10)) / 10 for value in listed]
            side.append(
                {"model": name, "calls": draw(st.integers(1, 10**5)), "cost": sum(paid)}
                | {f"tokens_{k}": v for k, v in zip(TOKEN_CLASSES, tokens, strict=True)}
                | {f"cost_{k}": v for k, v in zip(TOKEN_CLASSES, paid, strict=True)}
                | {f"list_cost_{k}": v for k, v in zip(TOKEN_CLASSES, listed, strict=True)}
            )
    return cells(*sides[0]), cells(*sides[1])


@settings(max_examples=15, deadline=None)
@given(months=priced(), method=st.sampled_from(["lmdi", "shapley"]))
def test_price_and_token_mix_add_to_the_rate_effect(months, method):
    split = amounts(decompose(*months, method=method))
    whole = amounts(
        decompose(*(side.drop(pl.selectors.starts_with("list_cost_", "cost_")) for side in months), method=method)
    )
    parts = sum(float(split.get(k, 0)) for k in ("price", "list_price", "discount", "token_mix"))
    assert parts == pytest.approx(float(whole.get("rate", 0)), abs=1e-9)
    assert "rate" not in split and "price" not in split
    for effect in ("volume", "model_mix", "context"):
        assert split.get(effect, Decimal(0)) == pytest.approx(whole.get(effect, Decimal(0)), abs=Decimal("1e-9"))


@settings(max_examples=15, deadline=None)
@given(months=priced())
def test_two_identical_halves_of_a_cell_change_no_effect(months):
    def halves(side: pl.DataFrame) -> pl.DataFrame:
        numbers = ["calls", "cost", *(f"tokens_{k}" for k in TOKEN_CLASSES)]
        half = side.drop(pl.selectors.starts_with("list_cost_", "cost_")).with_columns(
            pl.col(numbers).cast(pl.Float64) / 2
        )
        return pl.concat([half.with_columns(variant=pl.lit(v)) for v in "xy"])

    whole = amounts(decompose(*(side.drop(pl.selectors.starts_with("list_cost_", "cost_")) for side in months)))
    split = amounts(decompose(*(halves(side) for side in months)))
    for effect in whole | split:
        assert float(split.get(effect, 0)) == pytest.approx(float(whole.get(effect, 0)), abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(months=priced(), k=st.integers(2, 1000))
def test_effects_scale_with_money(months, k):
    plain = [side.drop(pl.selectors.starts_with("list_cost_", "cost_")) for side in months]
    scaled = [side.with_columns((pl.col("cost") * k).cast(MONEY)) for side in plain]
    small, large = amounts(decompose(*plain)), amounts(decompose(*scaled))
    for effect in small | large:
        assert float(large.get(effect, 0)) == pytest.approx(k * float(small.get(effect, 0)), rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(*[st.floats(1e-3, 1e6)] * 6), min_size=1, max_size=5))
def test_product_decompositions_add_up_and_agree_on_one_moving_driver(rows):
    values = np.asarray(rows)
    before, after = values[:, :3], values[:, 3:]
    change = after.prod(axis=1) - before.prod(axis=1)
    ends = np.maximum(after.prod(axis=1), before.prod(axis=1))
    # Shapley adds up products of both months' drivers, which may be far larger than either month.
    mixed = np.maximum(after, before).prod(axis=1)
    for effects, scale in ((lmdi(before, after), ends), (shapley(before, after), mixed)):
        np.testing.assert_allclose(effects.sum(axis=1) / scale, change / scale, atol=1e-9)
    one = before.copy()
    one[:, 1] = after[:, 1]
    alone = one.prod(axis=1) - before.prod(axis=1)
    either = np.maximum(one.prod(axis=1), before.prod(axis=1))
    np.testing.assert_allclose(shapley(before, one)[:, 1] / either, alone / either, atol=1e-9)
    assert (lmdi(before, one)[:, [0, 2]] == 0).all()


def test_log_mean_is_symmetric_and_between():
    a, b = np.array([1.0, 2.0, 5.0, 1.0]), np.array([1.0, 3.0, 5.0 * (1 + 1e-10), 1e9])
    assert (log_mean(a, b) == log_mean(b, a)).all()
    assert ((log_mean(a, b) >= a) & (log_mean(a, b) <= b)).all()


def test_same_month_twice_has_no_effect():
    month = cells({"cost": "3.3", "calls": 7}, {"model": "n", "cost": "0.1"})
    effects = decompose(month, month)
    assert effects.is_empty()
    assert bridge(effects, month, month)["effect"].to_list() == ["none"]


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ({"cost": "0", "calls": 10}, {"cost": "4", "calls": 10}, "rate"),
        ({"cost": "4", "calls": 10}, {"cost": "0", "calls": 20}, "rate"),
        ({"cost": "4", "calls": None}, {"cost": "5", "calls": 10}, "unexplained"),
        ({"cost": "4", "calls": 0}, {"cost": "5", "calls": 0}, "unexplained"),
        ({"cost": "4"}, {"cost": "-1"}, "credits"),
        ({"cost": "-4"}, {"cost": "0", "calls": 0}, "credits"),
        ({"cost": "-4", "line": "refund"}, {"cost": "-1", "line": "refund"}, "refund"),
        ({"cost": "0", "calls": None}, {"cost": "5", "calls": 10}, "new"),
        ({"cost": "5", "calls": 10}, {"cost": "0", "calls": 0}, "retired"),
    ],
)
def test_a_cell_no_logarithm_can_take_is_one_named_effect(before, after, effect):
    left, right = cells(before), cells(after)
    assert amounts(decompose(left, right)) == {effect: total(right) - total(left)}


def test_a_swap_of_models_within_a_workflow_is_a_migration():
    effects = decompose(cells({"model": "old", "cost": "9"}), cells({"model": "next", "cost": "4"}))
    assert amounts(effects) == {"migration_in": Decimal(4), "migration_out": Decimal(-9)}
    assert effects["effect_group"].unique().to_list() == ["migration"]
    apart = decompose(cells({"model": "old", "cost": "9"}), cells({"model": "x", "workflow": "v", "cost": "4"}))
    assert amounts(apart) == {"new": Decimal(4), "retired": Decimal(-9)}


def test_calls_without_tokens_are_explained_by_cost_per_call():
    none = dict.fromkeys(f"tokens_{k}" for k in TOKEN_CLASSES)
    effects = amounts(decompose(cells({"cost": "10", "calls": 10} | none), cells({"cost": "20", "calls": 10} | none)))
    assert effects == {"cost_per_call": Decimal(10)}


def test_user_actions_split_volume_into_adoption_and_fan_out():
    base, actual = cells({"cost": "10", "calls": 100}), cells({"cost": "30", "calls": 300})
    base, actual = (side.with_columns(pl.col("calls") * 1000 / 1000) for side in (base, actual))
    acted = pl.DataFrame({"scope": ["s"], "base_actions": [50], "actual_actions": [100]})
    tokens = [side.with_columns(tokens_input_uncached=pl.col("calls") * 10) for side in (base, actual)]
    effects = {k: float(v) for k, v in amounts(decompose(*tokens, actions=acted)).items()}
    weight = 20 / np.log(3)
    assert effects == pytest.approx({"adoption": weight * np.log(2), "fan_out": weight * np.log(1.5)})


def test_fx_is_the_actual_billing_cost_times_the_move_of_the_rate():
    base = cells({"cost": "110", "calls": 10, "fx_rate": 1.1})
    actual = cells({"cost": "240", "calls": 20, "fx_rate": 1.2, "tokens_input_uncached": 2000})
    effects = {k: float(v) for k, v in amounts(decompose(base, actual)).items()}
    assert effects == pytest.approx({"fx": 200 * 0.1, "volume": 110.0})


def test_workflow_mix_and_model_mix_are_two_terms():
    base = cells(
        *(
            {"workflow": w, "model": m, "calls": 10, "tokens_input_uncached": 10, "cost": c}
            for w, m, c in [("w1", "a", "10"), ("w1", "b", "1"), ("w2", "a", "10")]
        )
    )
    moved = cells(
        *(
            {"workflow": w, "model": m, "calls": n, "tokens_input_uncached": n, "cost": c}
            for w, m, n, c in [("w1", "a", 5, "5"), ("w1", "b", 15, "1.5"), ("w2", "a", 10, "10")]
        )
    )
    assert set(amounts(decompose(base, moved))) == {"model_mix"}
    between = cells(
        *(
            {"workflow": w, "model": m, "calls": n, "tokens_input_uncached": n, "cost": c}
            for w, m, n, c in [("w1", "a", 5, "5"), ("w1", "b", 5, "0.5"), ("w2", "a", 20, "20")]
        )
    )
    assert set(amounts(decompose(base, between))) == {"workflow_mix"}


def test_known_changes_the_forecast_did_not_contain_come_first():
    base, known = cells({"cost": "10", "calls": 10}), cells({"cost": "14", "calls": 14, "tokens_input_uncached": 1400})
    actual = cells({"cost": "28", "calls": 28, "tokens_input_uncached": 2800})
    effects = amounts(decompose(base, actual, known=known))
    assert effects["known_changes_not_in_forecast"] == Decimal(4)
    assert sum(effects.values()) == Decimal(18)
    assert float(effects["volume"]) == pytest.approx(14)


def test_imputed_drivers_add_to_the_forecast_exactly_and_say_so():
    month = cells({"cost": "1", "calls": 3}, {"model": "n", "cost": "2", "calls": 6})
    forecast = pl.DataFrame(
        {"scope": ["s"], "cost": [Decimal("1000.00000000000001")]}, schema_overrides={"cost": MONEY}
    )
    rows = impute_drivers(month, forecast)
    assert rows["cost"].sum() == Decimal("1000.00000000000001")
    assert rows["calls"].cast(pl.Float64).to_list() == pytest.approx([1000, 2000])
    assert rows["drivers_imputed"].all()
    with pytest.raises(VarianceError, match="'x'"):
        impute_drivers(month, pl.DataFrame({"scope": ["x"], "cost": [Decimal(1)]}))


def test_bridge_reads_in_order_and_names_largest_cells():
    base = cells(
        {"cost": "10", "calls": 10}, {"model": "n", "cost": "2"}, {"line": "credit", "model": "", "cost": "-1"}
    )
    actual = cells({"cost": "30", "calls": 15, "tokens_input_uncached": 1100}, {"model": "n", "cost": "2"})
    effects = decompose(base, actual)
    read = bridge(effects, base, actual)
    assert read["position"].is_sorted()
    assert read["amount"].sum() == Decimal(21)
    assert top_cells(effects, 1)["amount"].to_list() == [Decimal(20)]
    assert set(read["effect"]) - {"credit"} <= set(EFFECT_GROUPS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [([{}, {}], "two rows for the cell"), ([{"calls": -1}], "negative calls"), ([{"cost": None}], "no cost")],
)
def test_sides_that_cannot_be_compared_are_refused(rows, message):
    with pytest.raises(VarianceError, match=message):
        decompose(cells(*rows), cells({}))


def test_columns_and_method_are_checked():
    with pytest.raises(VarianceError, match="lack the columns"):
        decompose(pl.DataFrame({"scope": ["s"]}), cells({}))
    with pytest.raises(VarianceError, match="method"):
        decompose(cells({}), cells({}), method="sequential")
    assert decompose(cells(), cells()).is_empty()
