"""The driver tree: cost = calls x context x rate, estimated as ratios of sums, and its forecast.

`context` is tokens per call, `rate` the effective cost per token. The rate moves with price, model mix and the split of
token classes, so it is held, never extrapolated. Token classes are disjoint: uncached input, cache read, cache write,
output including reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from forecasting.models import LEVEL_DAYS, Array, ens3
from forecasting.schemas import TOKEN_CLASSES
from forecasting.series import Panel

MIN_CALLS = 30


def driver_cost(calls: float, tokens_per_call: float, rate_per_1k: float) -> float:
    """Cost of calls x tokens per call x rate per 1,000 tokens, in the currency of the rate."""
    return calls * tokens_per_call * rate_per_1k / 1000


def disjoint_classes(
    input_total: float, cache_read: float, output: float, cache_write: float = 0.0
) -> dict[str, float]:
    """Disjoint token classes from a vendor whose input total includes the cached tokens.

    Raises ValueError when the cached tokens exceed the input total.
    """
    uncached = input_total - cache_read - cache_write
    if uncached < 0:
        raise ValueError(f"cached tokens ({cache_read} + {cache_write}) exceed the input total ({input_total})")
    return dict(zip(TOKEN_CLASSES, (uncached, cache_read, cache_write, output), strict=True))


def token_class_cost(tokens: Mapping[str, float], price_per_million: Mapping[str, float]) -> float:
    """Cost of disjoint token classes at prices per 1,000,000 tokens. Raises KeyError for a class without a price."""
    return sum(count * price_per_million[name] for name, count in tokens.items()) / 1e6


def price_factor(mix: Mapping[str, float], before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """What a dated price change multiplies the effective rate with, at an unchanged token mix.

    `before` and `after` are prices per 1,000,000 tokens in force in the estimation window and on the target date.
    Raises ValueError when the mix costs nothing at the old prices.
    """
    base = token_class_cost(mix, before)
    if base <= 0:
        raise ValueError("price factor: the token mix costs nothing at the old prices")
    return token_class_cost(mix, after) / base


def _windowed(values: Array, first: np.ndarray, window: int) -> Array:
    """Sum over the last `window` days, not before `first` of each series; (series, days)."""
    days = values.shape[1]
    before = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    t = np.arange(days)[None, :]
    opening = np.minimum(np.maximum(t - window + 1, first[:, None]), t + 1)
    return before[:, 1:] - np.take_along_axis(before, opening, axis=1)


def _estimation_sums(panel: Panel) -> tuple[Array, Array, Array]:
    """Sums of cost, calls and tokens the ratios are taken from, (series, days) each.

    28 days; 56 when those hold fewer than 30 calls; then all history; then the pooled 28 days of the level. Days
    before a series' first call are left out: there the calls are unknown, not zero.
    """
    measures = (panel.cost, panel.calls, panel.tokens.sum(axis=-1))
    by_window = [
        [_windowed(m, panel.calls_start, window) for m in measures]
        for window in (LEVEL_DAYS, 2 * LEVEL_DAYS, panel.days)
    ]
    levels = np.asarray(panel.levels)
    pooled = []
    for m in by_window[0]:
        by_level = np.zeros_like(m)
        for level in np.unique(levels):
            by_level[levels == level] = m[levels == level].sum(axis=0)
        pooled.append(by_level)
    enough = [window[1] >= MIN_CALLS for window in by_window]
    cost, calls, tokens = (
        np.select(enough, [window[k] for window in by_window], default=pooled[k]) for k in range(3)
    )
    return cost, calls, tokens


def driver_pattern(panel: Panel) -> Array:
    """ENS3 of daily calls x context x rate as a pattern (series, days, 7); NaN before the first call of a series."""
    cost, calls, _ = _estimation_sums(panel)
    known = (np.arange(panel.days)[None, :] >= panel.calls_start[:, None]) & (calls > 0)
    per_call = np.where(known, cost / np.where(calls > 0, calls, 1.0), np.nan)
    return ens3(panel.calls, panel.calls_start) * per_call[:, :, None]


def driver_table(panel: Panel) -> pl.DataFrame:
    """Drivers of every series on the cutoff day: series_key, calls (per day, last 28 days), context, rate, cost.

    `calls * context * rate` is the mean daily cost of the estimation window; null where a series has no calls or no
    tokens. Cost in the series' currency, context in tokens per call, rate in currency per token.
    """
    cost, calls, tokens = (m[:, -1] for m in _estimation_sums(panel))
    daily = _windowed(panel.calls, panel.calls_start, LEVEL_DAYS)[:, -1] / LEVEL_DAYS
    usable = (calls > 0) & (tokens > 0)
    context = np.where(usable, tokens / np.where(usable, calls, 1.0), np.nan)
    rate = np.where(usable, cost / np.where(usable, tokens, 1.0), np.nan)
    frame = pl.DataFrame(
        {"series_key": panel.keys, "calls": daily, "context": context, "rate": rate, "cost": daily * context * rate}
    )
    return frame.with_columns(pl.col("context", "rate", "cost").fill_nan(None))
