"""Variance bridge: why cost changed, in effects that add up to the last decimal and do not depend on any order.

Within a cell `C = N x n_w/N x n_i/n_w x t x r`: calls of the scope, workflow mix, model mix, tokens per call, effective
rate. Additive LMDI-I weights each log change by the logarithmic mean of the two costs. Sources: Ang, Liu (2001), A new
energy decomposition method; Ang, Liu (2007), Handling zero values in the logarithmic mean Divisia index decomposition;
Shapley (1953), A value for n-person games; Albrecht, Francois, Schoors (2002), A Shapley decomposition of carbon
emissions without residuals.

Rules for what no logarithm can take, by name: a cell on one side only is `new` or `retired` (`migration_in` and
`migration_out` where its workflow has both); cost 0 on one side with calls on both is all `rate`; a cost below zero on
either side is all `credits`; calls missing is `unexplained`, never spread; cost 0 on both sides is skipped. A row whose
`line` is not `usage` (credit, shortfall, late_data, ...) is a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import factorial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.models import Array
from forecasting.schemas import DECISION_SCHEMAS, MONEY, QUANTITY, TOKEN_CLASSES

CELL_KEYS = ("scope", "team", "workflow", "model", "variant", "line")
USAGE = "usage"
KNOWN = "known_changes_not_in_forecast"
RESTATED_HISTORY, LATE_DATA = "restated_history", "late_data"
LINES = "lines"
METHODS = ("lmdi", "shapley")

# Effects in the order a bridge shows them, with the group they are a part of.
EFFECT_GROUPS = {
    RESTATED_HISTORY: "late data",
    LATE_DATA: "late data",
    KNOWN: "known changes",
    "volume": "calls",
    "adoption": "calls",
    "fan_out": "calls",
    "workflow_mix": "mix",
    "model_mix": "mix",
    "context": "context",
    "token_mix": "rate",
    "rate": "rate",
    "cost_per_call": "rate",
    "price": "price",
    "list_price": "price",
    "discount": "price",
    "new": "new and retired",
    "retired": "new and retired",
    "migration_in": "migration",
    "migration_out": "migration",
    "fx": "fx",
    "credits": LINES,
    "unexplained": "unexplained",
}

_NEAR = 1e-8
_SAME = 1e-12
_TOLERANCE = 1e-9
_CLASS_COST = [f"cost_{name}" for name in TOKEN_CLASSES]
_CLASS_LIST = [f"list_cost_{name}" for name in TOKEN_CLASSES]
_CLASS_TOKENS = [f"tokens_{name}" for name in TOKEN_CLASSES]


class VarianceError(ValueError):
    """The two sides cannot be compared; the message names the cell and what to do."""


def log_ratio(after: Array, before: Array) -> Array:
    """ln(after / before) of positive values, exactly 0 where they differ by rounding only; flips its sign exactly."""
    same = np.abs(after - before) <= _SAME * np.maximum(after, before)
    return np.where(same, 0.0, np.log(after) - np.log(before))


def log_mean(a: Array, b: Array) -> Array:
    """Logarithmic mean (a - b) / (ln a - ln b) of positive values; (a + b) / 2 where they are within 1e-8."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    near = np.abs(a - b) < _NEAR * np.maximum(a, b)
    spread = np.where(near, 1.0, np.log(a) - np.log(b))
    return np.where(near, (a + b) / 2, (a - b) / spread)


def lmdi(before: Array, after: Array) -> Array:
    """Effects (cells, drivers) of the change of the product of positive drivers (cells, drivers); rows add to it."""
    weight = log_mean(after.prod(axis=1), before.prod(axis=1))
    return weight[:, None] * log_ratio(after, before)


def shapley(before: Array, after: Array) -> Array:
    """Shapley effects (cells, drivers) of a product of drivers (cells, drivers): mean over all orders of moving them.

    Zeros and negatives are allowed. Cost grows with 2^drivers; meant for up to six.
    """
    cells, drivers = before.shape
    out = np.zeros((cells, drivers))
    for j in range(drivers):
        others = [k for k in range(drivers) if k != j]
        for size in range(drivers):
            share = factorial(size) * factorial(drivers - size - 1) / factorial(drivers)
            for moved in combinations(others, size):
                product = np.ones(cells)
                for k in others:
                    product = product * (after[:, k] if k in moved else before[:, k])
                out[:, j] += share * product * (after[:, j] - before[:, j])
    return out


def close(parts: pl.DataFrame, total: pl.Series) -> pl.DataFrame:
    """Float parts (one column each) as MONEY whose row sums are exactly `total`: the largest part takes the rounding.

    Raises VarianceError where more than rounding is missing (over 1e-9 of the parts or of 1).
    """
    if parts.width == 0 or parts.height == 0:
        return parts.select(pl.all().cast(MONEY))
    size = parts.select(pl.all().abs()).to_numpy()
    largest = size.argmax(axis=1)
    exact = parts.select(pl.all().cast(MONEY))
    gap = exact.select(total.alias("t") - pl.sum_horizontal(pl.all())).to_series()
    missing = np.abs(gap.cast(pl.Float64).to_numpy())
    if (missing > _TOLERANCE * np.maximum(1.0, size.sum(axis=1))).any():
        raise VarianceError(f"parts miss their total by up to {missing.max()}")
    return exact.select(
        (pl.col(name) + pl.when(pl.Series(largest == i)).then(gap).otherwise(pl.lit(0, MONEY))).cast(MONEY).alias(name)
        for i, name in enumerate(exact.columns)
    )


def _side(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Cells of one period with every optional column; one row per cell."""
    need = [*CELL_KEYS[:1], "workflow", "model", "calls", *_CLASS_TOKENS, "cost"]
    missing = [column for column in need if column not in frame.columns]
    if missing:
        raise VarianceError(f"{name}: the cells lack the columns {', '.join(missing)}")
    types = DECISION_SCHEMAS["variance_cells"]
    rows = frame.select(
        *(
            (pl.col(key) if key in frame.columns else pl.lit(None))
            .cast(pl.String)
            .fill_null(USAGE if key == "line" else "")
            .alias(key)
            for key in CELL_KEYS
        ),
        *(
            (pl.col(column) if column in frame.columns else pl.lit(None)).cast(types[column]).alias(column)
            for column in ("calls", *_CLASS_TOKENS, "cost", "fx_rate", *_CLASS_COST, *_CLASS_LIST)
        ),
    )
    for row in rows.filter(pl.struct(CELL_KEYS).is_duplicated()).sort(CELL_KEYS).head(1).iter_rows(named=True):
        cell = ", ".join(row[key] for key in CELL_KEYS)
        raise VarianceError(f"{name}: two rows for the cell ({cell}); add them up first")
    bad = (pl.col("calls") < 0) | pl.any_horizontal(pl.col(_CLASS_TOKENS) < 0) | (pl.col("fx_rate") <= 0)
    for row in rows.filter(bad | pl.col("cost").is_null()).sort(CELL_KEYS).head(1).iter_rows(named=True):
        cell = ", ".join(row[key] for key in CELL_KEYS)
        raise VarianceError(f"{name}: cell ({cell}) has negative calls or tokens, a rate of exchange of 0, or no cost")
    tokens = pl.sum_horizontal(*(pl.col(c).fill_null(0) for c in _CLASS_TOKENS))
    unknown = pl.all_horizontal(pl.col(c).is_null() for c in _CLASS_TOKENS)
    return rows.with_columns(pl.when(unknown).then(None).otherwise(tokens).cast(QUANTITY).alias("tokens"))


def _pairs(base: pl.DataFrame, actual: pl.DataFrame) -> pl.DataFrame:
    """Both sides of every cell, sorted; measures end in 0 and 1, null cost is 0 and `here0`, `here1` say who is there.

    A row without cost and calls says that the cell is not there.
    """
    sides = []
    for name, frame in (("0", _side(base, "base")), ("1", _side(actual, "actual"))):
        there = (pl.col("cost") != 0) | (pl.col("calls").fill_null(0) > 0)
        measures = [c for c in frame.columns if c not in CELL_KEYS]
        sides.append(frame.with_columns(there.alias("here")).rename({m: m + name for m in [*measures, "here"]}))
    joined = sides[0].join(sides[1], on=list(CELL_KEYS), how="full", coalesce=True).sort(CELL_KEYS)
    return joined.with_columns(
        pl.col("cost0", "cost1").fill_null(pl.lit(0, MONEY)), pl.col("here0", "here1").fill_null(False)
    ).filter((pl.col("cost0") != 0) | (pl.col("cost1") != 0))


def _floats(frame: pl.DataFrame, column: str) -> Array:
    return frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(float)


def _group_calls(frame: pl.DataFrame, keys: list[str]) -> tuple[Array, Array]:
    """Calls of the group each row is in, both periods; summed as decimals, so in any order."""
    sums = frame.select(pl.col("calls0").sum().over(keys), pl.col("calls1").sum().over(keys))
    return _floats(sums, "calls0"), _floats(sums, "calls1")


def _snapped(after: Array, before: Array) -> Array:
    """`after`, or `before` where they differ by rounding only."""
    return np.where(np.abs(after - before) <= _SAME * np.maximum(np.abs(after), np.abs(before)), before, after)


def _rate_parts(cells: pl.DataFrame, weight: Array, old_money: Array) -> tuple[NDArray[np.bool_], dict[str, Array]]:
    """Rate effect of each cell split into price (list price, discount) and token mix, and where it can be split.

    `weight` is the rate effect per unit of rate. `old_money` turns cost of the second period into the first's rate of
    exchange. Cells without class costs that add to their cost cannot be split.
    """

    def classes(columns: list[str], side: str) -> Array:
        return np.stack([_floats(cells, c + side) for c in columns], axis=1)

    tokens = [np.nan_to_num(classes(_CLASS_TOKENS, s)) for s in "01"]
    cost = [classes(_CLASS_COST, "0"), classes(_CLASS_COST, "1") * old_money[:, None]]
    listed = [classes(_CLASS_LIST, "0"), classes(_CLASS_LIST, "1") * old_money[:, None]]
    totals = [_floats(cells, "cost0"), _floats(cells, "cost1") * old_money]

    def usable(values: list[Array]) -> NDArray[np.bool_]:
        filled = [np.nan_to_num(v) for v in values]
        sound = [((v >= 0) & ((t > 0) | (v == 0))).all(axis=1) for v, t in zip(filled, tokens, strict=True)]
        known = [np.isfinite(v).any(axis=1) for v in values]
        return np.logical_and.reduce([*sound, *known])

    def prices(values: list[Array]) -> list[Array]:
        own = [np.nan_to_num(v) / np.where(t > 0, t, 1.0) for v, t in zip(values, tokens, strict=True)]
        known = [np.where(t > 0, p, q) for p, q, t in zip(own, own[::-1], tokens, strict=True)]
        return [known[0], _snapped(known[1], known[0])]

    split = usable(cost)
    for values, total in zip(cost, totals, strict=True):
        split &= np.abs(np.nan_to_num(values).sum(axis=1) - total) <= _TOLERANCE * np.maximum(total, 1e-9)
    share = [t / np.where(t.sum(axis=1, keepdims=True) > 0, t.sum(axis=1, keepdims=True), 1.0) for t in tokens]
    share[1] = _snapped(share[1], share[0])
    price, list_price = prices(cost), prices(listed)
    mean_share, mean_price = (share[0] + share[1]) / 2, (price[0] + price[1]) / 2
    by_list = split & usable(listed) & ((list_price[0] > 0) | (price[0] == 0)).all(axis=1)
    by_list &= ((list_price[1] > 0) | (price[1] == 0)).all(axis=1)
    paid = [p / np.where(q > 0, q, 1.0) for p, q in zip(price, list_price, strict=True)]
    paid = [np.where(q > 0, d, e) for d, e, q in zip(paid, paid[::-1], list_price, strict=True)]
    paid[1] = _snapped(paid[1], paid[0])
    from_list = (mean_share * (paid[0] + paid[1]) / 2 * (list_price[1] - list_price[0])).sum(axis=1)
    from_discount = (mean_share * (list_price[0] + list_price[1]) / 2 * (paid[1] - paid[0])).sum(axis=1)
    from_price = (mean_share * (price[1] - price[0])).sum(axis=1)
    from_mix = (mean_price * (share[1] - share[0])).sum(axis=1)
    return split, {
        "token_mix": np.where(split, weight * from_mix, 0.0),
        "price": np.where(split & ~by_list, weight * from_price, 0.0),
        "list_price": np.where(by_list, weight * from_list, 0.0),
        "discount": np.where(by_list, weight * from_discount, 0.0),
    }


def _continuing(cells: pl.DataFrame, actions: pl.DataFrame | None, method: str, old_money: Array) -> dict[str, Array]:
    """Float effects of cells with calls and a positive cost on both sides."""
    calls = [_floats(cells, "calls0"), _floats(cells, "calls1")]
    whole = _group_calls(cells, ["scope"])
    flow = _group_calls(cells, ["scope", "team", "workflow"])
    cost = [_floats(cells, "cost0"), _floats(cells, "cost1") * old_money]
    tokens = [np.nan_to_num(_floats(cells, f"tokens{s}")) for s in "01"]
    known = (tokens[0] > 0) & (tokens[1] > 0)
    acted = [np.full(cells.height, np.nan)] * 2
    if actions is not None:
        found = cells.select("scope").join(actions, on="scope", how="left", maintain_order="left")
        acted = [_floats(found, f"{side}_actions") for side in ("base", "actual")]
    split = (acted[0] > 0) & (acted[1] > 0)
    drivers = []
    for side in (0, 1):
        safe = np.where(split, acted[side], 1.0)
        context = np.where(known, tokens[side] / calls[side], 1.0)
        drivers.append(
            np.stack(
                [
                    np.where(split, safe, whole[side]),
                    np.where(split, whole[side] / safe, 1.0),
                    flow[side] / whole[side],
                    calls[side] / flow[side],
                    context,
                    cost[side] / (calls[side] * context),
                ],
                axis=1,
            )
        )
    effects = (lmdi if method == "lmdi" else shapley)(*drivers)
    rate = [d[:, 5] for d in drivers]
    if method == "lmdi":
        weight = log_mean(cost[1], cost[0]) / log_mean(rate[1], rate[0])
    else:
        apart = np.abs(rate[1] - rate[0]) > _NEAR * np.maximum(*rate)
        mean_tokens = (cost[0] / rate[0] + cost[1] / rate[1]) / 2
        weight = np.where(apart, effects[:, 5] / np.where(apart, rate[1] - rate[0], 1.0), mean_tokens)
    by_class, parts = _rate_parts(cells, weight, old_money)
    return {
        "volume": np.where(split, 0.0, effects[:, 0]),
        "adoption": np.where(split, effects[:, 0], 0.0),
        "fan_out": np.where(split, effects[:, 1], 0.0),
        "workflow_mix": effects[:, 2],
        "model_mix": effects[:, 3],
        "context": np.where(known, effects[:, 4], 0.0),
        **{name: np.where(known, part, 0.0) for name, part in parts.items()},
        "rate": np.where(known & ~by_class, effects[:, 5], 0.0),
        "cost_per_call": np.where(known, 0.0, effects[:, 5]),
    }


def decompose(
    base: pl.DataFrame,
    actual: pl.DataFrame,
    *,
    actions: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
    method: str = "lmdi",
) -> pl.DataFrame:
    """Effects of every cell: rows of `variance_effects`, zero amounts left out, sorted.

    `base` and `actual` are `variance_cells`: one row per (scope, team, workflow, model, variant, line), `cost` in the
    reporting currency, calls and disjoint tokens of the period. Many scopes go in at once; mix is measured within each.
    Amounts of a cell add to its change of cost exactly, in MONEY. Optional: `fx_rate` (reporting per billing unit, both
    sides; else no fx effect), `cost_<class>` and `list_cost_<class>` (split the rate into price and token mix, the
    price into list price and discount). `actions` (scope, base_actions, actual_actions: user actions of the continuing
    workflows) splits volume into adoption and fan-out. `known` holds the base cells after the known changes the base
    did not contain; the step to them is one effect and the rest is explained from there. Errors: VarianceError.
    """
    if method not in METHODS:
        raise VarianceError(f"method {method!r} is none of {', '.join(METHODS)}")
    if known is not None:
        told = [restated(base, known, KNOWN), decompose(known, actual, actions=actions, method=method)]
        return _shaped(pl.concat(told))
    pairs = _pairs(base, actual)
    both, positive = pl.col("here0") & pl.col("here1"), (pl.col("cost0") > 0) & (pl.col("cost1") > 0)
    called = (pl.col("calls0") > 0).fill_null(False) & (pl.col("calls1") > 0).fill_null(False)
    pairs = pairs.with_columns(
        pl.when(pl.col("line") != USAGE)
        .then(pl.col("line"))
        .when((pl.col("cost0") < 0) | (pl.col("cost1") < 0))
        .then(pl.lit("credits"))
        .when(~pl.col("here0"))
        .then(pl.lit("new"))
        .when(~pl.col("here1"))
        .then(pl.lit("retired"))
        .when(both & called & positive)
        .then(None)
        .when(both & called)
        .then(pl.lit("rate"))
        .otherwise(pl.lit("unexplained"))
        .alias("whole")
    )
    swap = ["scope", "team", "workflow"]
    swapped = (pl.col("whole") == "new").any().over(swap) & (pl.col("whole") == "retired").any().over(swap)
    renamed = pl.col("whole").replace({"new": "migration_in", "retired": "migration_out"})
    pairs = pairs.with_columns(pl.when(swapped).then(renamed).otherwise(pl.col("whole")).alias("whole"))
    change = (pl.col("cost1") - pl.col("cost0")).cast(MONEY)
    single = pairs.filter(pl.col("whole").is_not_null()).select(
        *CELL_KEYS, pl.col("whole").alias("effect"), change.alias("amount")
    )
    cells = pairs.filter(pl.col("whole").is_null())
    if cells.is_empty():
        return _shaped(single)
    rates = [_floats(cells, "fx_rate0"), _floats(cells, "fx_rate1")]
    old_money = np.where(np.isfinite(rates[0]) & np.isfinite(rates[1]), rates[0] / rates[1], 1.0)
    effects = _continuing(cells, actions, method, old_money)
    effects["fx"] = _floats(cells, "cost1") * (1 - old_money)
    exact = close(pl.DataFrame(effects), cells.select(change.alias("c")).to_series())
    parts = pl.concat([cells.select(CELL_KEYS), exact], how="horizontal").unpivot(
        index=list(CELL_KEYS), variable_name="effect", value_name="amount"
    )
    return _shaped(pl.concat([single, parts.select(single.columns)]))


def restated(before: pl.DataFrame, after: pl.DataFrame, effect: str) -> pl.DataFrame:
    """The step between two states of the same period as one effect per cell: rows of `variance_effects`.

    Both are `variance_cells`. It is a line beside `decompose`, so that figures which came late explain no driver.
    """
    step = (pl.col("cost1") - pl.col("cost0")).cast(MONEY).alias("amount")
    return _shaped(_pairs(before, after).select(*CELL_KEYS, pl.lit(effect).alias("effect"), step))


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    schema = DECISION_SCHEMAS["variance_effects"]
    group = pl.col("effect").replace_strict(EFFECT_GROUPS, default=LINES, return_dtype=pl.String)
    return (
        rows.filter(pl.col("amount") != 0)
        .with_columns(group.alias("effect_group"))
        .select(pl.col(column).cast(dtype) for column, dtype in schema.items())
        .sort(*CELL_KEYS, "effect")
    )


def bridge(
    effects: pl.DataFrame, base: pl.DataFrame, actual: pl.DataFrame, by: Sequence[str] = ("scope",)
) -> pl.DataFrame:
    """Effects added up by the given cell keys: rows of `variance_bridge`, in the order a bridge is read.

    Amounts of a group add to `actual_cost - base_cost` exactly. Groups without any change have one row `none`.
    """
    keys = list(by)
    costs = []
    for name, frame in (("base_cost", _side(base, "base")), ("actual_cost", _side(actual, "actual"))):
        costs.append(frame.group_by(keys).agg(pl.col("cost").sum().alias(name)))
    totals = costs[0].join(costs[1], on=keys, how="full", coalesce=True)
    sums = effects.group_by([*keys, "effect_group", "effect"]).agg(pl.col("amount").sum()).filter(pl.col("amount") != 0)
    order = {name: i for i, name in enumerate(EFFECT_GROUPS)}
    return (
        totals.join(sums, on=keys, how="left")
        .with_columns(
            pl.col("base_cost", "actual_cost", "amount").fill_null(pl.lit(0, MONEY)),
            pl.col("effect", "effect_group").fill_null("none"),
        )
        .with_columns(
            (pl.col("actual_cost") - pl.col("base_cost")).cast(MONEY).alias("change"),
            pl.col("effect").replace_strict(order, default=len(order), return_dtype=pl.Int64).alias("position"),
        )
        .select(*keys, "position", "effect_group", "effect", "amount", "base_cost", "actual_cost", "change")
        .sort(*keys, "position", "effect")
    )


def top_cells(effects: pl.DataFrame, count: int = 5) -> pl.DataFrame:
    """The `count` largest cells of each scope by absolute change, ties by key: scope, cell keys, amount, rank."""
    sums = (
        effects.group_by(CELL_KEYS)
        .agg(pl.col("amount").sum())
        .sort(pl.col("scope"), pl.col("amount").abs(), *CELL_KEYS[1:], descending=[False, True, *[False] * 5])
    )
    return sums.with_columns(pl.int_range(1, pl.len() + 1).over("scope").alias("rank")).filter(pl.col("rank") <= count)


def impute_drivers(baseline: pl.DataFrame, forecast: pl.DataFrame) -> pl.DataFrame:
    """Cells of a cost-only forecast: the baseline month with calls scaled by forecast cost / baseline cost.

    `forecast` has scope and cost (MONEY). Tokens per call, mix and rate stay; costs of a scope add to the forecast
    exactly; every row is flagged `drivers_imputed`. Raises VarianceError for a scope without a positive baseline cost.
    """
    rows = _side(baseline, "baseline").filter(pl.col("line") == USAGE).drop("tokens")
    joined = rows.join(
        forecast.select(pl.col("scope").cast(pl.String), pl.col("cost").cast(MONEY).alias("wanted")), on="scope"
    ).sort(CELL_KEYS)
    whole = pl.col("cost").sum().over("scope")
    lost = forecast.join(joined.filter(whole > 0), on="scope", how="anti")["scope"].sort()
    for scope in lost.head(1):
        raise VarianceError(f"scope {scope!r}: no baseline cost to take drivers from")
    scale = pl.col("wanted").cast(pl.Float64) / whole.cast(pl.Float64)
    measures = ["calls", *_CLASS_TOKENS]
    money = [*_CLASS_COST, *_CLASS_LIST]
    scaled = joined.with_columns(
        *((pl.col(c).cast(pl.Float64) * scale).cast(QUANTITY) for c in measures),
        *((pl.col(c).cast(pl.Float64) * scale).cast(MONEY) for c in ("cost", *money)),
    )
    first = pl.int_range(0, pl.len()).over("scope") == pl.col("cost").arg_max().over("scope")
    rest = (pl.col("wanted") - pl.col("cost").sum().over("scope")).cast(MONEY)
    exact = pl.when(first).then(pl.col("cost") + rest).otherwise(pl.col("cost")).cast(MONEY)
    return scaled.with_columns(exact.alias("cost")).with_columns(pl.lit(True).alias("drivers_imputed")).drop("wanted")
