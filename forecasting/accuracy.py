"""Scores of forecasts and intervals, and how sure one may be that one method beats another.

Sources: Hyndman, Koehler (2006), Another look at measures of forecast accuracy; Gneiting, Raftery (2007), Strictly
proper scoring rules; Winkler (1972), A decision-theoretic approach to interval estimation.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from forecasting.backtest import independent_windows
from forecasting.models import Array
from forecasting.schemas import DECISION_SCHEMAS

BLOCK_DAYS = 30
DRAWS = 1000
MIN_WINDOWS = 3
MIN_BLOCKS = 2
_PERFECT = 1e-12


def pinball(forecast: Array, actual: Array, level: float) -> Array:
    """Pinball loss of a quantile forecast at `level`, in the unit of the values; 0 is perfect."""
    gap = np.asarray(actual) - np.asarray(forecast)
    return np.maximum(level * gap, (level - 1) * gap)


def interval_score(low: Array, high: Array, actual: Array, miss: float) -> Array:
    """Winkler's score of an interval with miscoverage a: its width plus 2/a times what the actual lies outside."""
    below, above = np.maximum(low - actual, 0.0), np.maximum(actual - high, 0.0)
    return np.asarray((high - low) + 2 / miss * (below + above))


def crps(sample: Array, actual: float, weights: Array | None = None) -> float:
    """Continuous ranked probability score `E|X - A| - E|X - X'| / 2` of a weighted sample; 0 is perfect."""
    w = np.full(len(sample), 1 / len(sample)) if weights is None else weights / weights.sum()
    order = np.argsort(sample, kind="stable")
    x, w = np.asarray(sample, dtype=float)[order], w[order]
    # E|X - X'| over a sorted sample is 2 sum w_i x_i (2 W_i - w_i - 1), W_i the cumulative weight.
    spread = 2 * float((w * x * (2 * np.cumsum(w) - w - 1)).sum())
    return float((w * np.abs(x - actual)).sum()) - spread / 2


def paired_bootstrap(
    backtest: pl.DataFrame, *, method: str, peer: str, horizon: str, days: int, draws: int = DRAWS, seed: int = 0
) -> pl.DataFrame:
    """One row of `method_comparison`: relative WAPE of `method` to `peer` on the same windows with its 95 % interval.

    `backtest` is the published frame of one run, `days` the length of the horizon. Relative WAPE is the geometric mean
    over series of the ratio of absolute errors. Blocks are series x 30 days, drawn with replacement for both methods at
    once. `better` needs the upper end below 1. Nothing is said under 3 non-overlapping windows or 2 blocks.
    """
    keys = ["level", "series_key", "as_of"]
    rows = backtest.filter((pl.col("horizon") == horizon) & pl.col("is_resolved") & pl.col("error").is_not_null())
    sides = [
        rows.filter(pl.col("method") == name).select(*keys, pl.col("error").abs().alias(side))
        for name, side in ((method, "own"), (peer, "other"))
    ]
    both = sides[0].join(sides[1], on=keys).sort(keys)
    out: dict[str, object] = {"horizon": horizon, "method": method, "peer": peer, "seed": seed}
    day = both["as_of"].cast(pl.Int64).to_numpy() if both.height else np.empty(0, dtype=np.int64)
    apart = independent_windows(np.unique(day), np.full(len(np.unique(day)), days))
    name = pl.concat_str("level", "series_key", separator="\x1f")
    blocks = (
        both.with_columns(((pl.col("as_of") - pl.col("as_of").min()).dt.total_days() // BLOCK_DAYS).alias("block"))
        .group_by("level", "series_key", "block")
        .agg(pl.col("own", "other").sum())
        .filter(pl.col("other").sum().over("level", "series_key") > 0)
        .sort("level", "series_key", "block")
        .with_columns((name.rank("dense") - 1).cast(pl.Int64).alias("s"))
    )
    out |= {"blocks": blocks.height, "windows": apart, "series": blocks["s"].n_unique()}
    if apart < MIN_WINDOWS or blocks.height < MIN_BLOCKS:
        out["state"] = f"insufficient data: {apart} of {MIN_WINDOWS} windows, {blocks.height} of {MIN_BLOCKS} blocks"
        return pl.DataFrame([out], schema=DECISION_SCHEMAS["method_comparison"])
    own, other = blocks["own"].to_numpy(), blocks["other"].to_numpy()
    member = np.eye(int(blocks["s"].max()) + 1)[blocks["s"].to_numpy()]  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(blocks.height, np.full(blocks.height, 1 / blocks.height), size=draws)

    def ratio(weights: Array) -> Array:
        error, base = (weights * own) @ member, (weights * other) @ member
        usable = base > 0
        logs = np.where(usable, np.log(np.maximum(error / np.where(usable, base, 1.0), _PERFECT)), 0.0)
        return np.exp(logs.sum(axis=1) / np.maximum(usable.sum(axis=1), 1))

    drawn = ratio(weight.astype(float))
    point = float(ratio(np.ones((1, blocks.height)))[0])
    low, high = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    state = "better" if high < 1 else "worse" if low > 1 else "no difference shown"
    return pl.DataFrame(
        [out | {"relative_wape": point, "lo95": low, "hi95": high, "state": state}],
        schema=DECISION_SCHEMAS["method_comparison"],
    )
