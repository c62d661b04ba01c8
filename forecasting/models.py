"""Point forecasts: SES, weekday shape (WK) and their mean with MA7 (ENS3), for all series and as-of days at once.

Shapes: `values` is (series, days), zero before a series' `start`. A forecast is a `pattern` (series, days, 7):
`pattern[s, t, j]` is what was expected on day `t` for the days `t+1+j`, `t+8+j`, ... Entry `t` uses days <= t only.
Sources: Makridakis, Spiliotis, Assimakopoulos (2020), The M4 competition; Petropoulos, Svetunkov (2020), A simple
combination of univariate models.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SES_GRID = (0.05, 0.1, 0.2, 0.3, 0.5)
WEEK = 7
LEVEL_DAYS = 28
SHAPE_WEEKS = 8
SHAPE_PRIOR = 2.0


def history_length(start: Index, days: int) -> Index:
    """Days of history of each series at each as-of day, (series, days); 0 before the start."""
    return np.maximum(np.arange(days)[None, :] - start[:, None] + 1, 0)


def trailing_sum(values: Array, window: int) -> Array:
    """Sum of the last `window` days up to and including each day; days before the first count 0."""
    padded = np.pad(values, ((0, 0), (window - 1, 0)))
    return sliding_window_view(padded, window, axis=1).sum(axis=-1)


def trailing_mean(values: Array, length: Index, window: int) -> Array:
    """Mean of the last `window` days, or of what exists when history is shorter."""
    return trailing_sum(values, window) / np.clip(length, 1, window)


def ses_level(values: Array, start: Index) -> Array:
    """Level of simple exponential smoothing at each as-of day, (series, days); meaningful from 14 days of history on.

    The smoothing weight is the one of `SES_GRID` with the smallest one-step squared error so far; the first level is
    the mean of the first 14 days. Ties go to the smaller weight.
    """
    count, days = values.shape
    grid = np.asarray(SES_GRID)[:, None]
    first = np.arange(14)[None, :] + start[:, None]
    known = first < days
    picked = np.take_along_axis(values, np.minimum(first, max(days - 1, 0)), axis=1)
    opening = np.where(known, picked, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    level = np.tile(opening, (len(SES_GRID), 1))
    squared = np.zeros_like(level)
    out = np.zeros((count, days))
    rows = np.arange(count)
    for t in range(days):
        error = np.where(t >= start, values[:, t] - level, 0.0)
        squared = squared + error**2
        level = level + grid * error
        out[:, t] = level[np.argmin(squared, axis=0), rows]
    return out


def weekday_shape(values: Array, length: Index) -> Array:
    """Shrunk weekday shape with mean 1 at each as-of day, (series, days, 7); position 0 is the day after it.

    Uses the last min(8, n div 7) whole weeks; flat where there is no whole week or no spend in them.
    """
    count, days = values.shape
    span = WEEK * SHAPE_WEEKS
    weeks = np.clip(length // WEEK, 0, SHAPE_WEEKS)
    padded = np.pad(values, ((0, 0), (span - 1, 0)))
    window = sliding_window_view(padded, span, axis=1).reshape(count, days, SHAPE_WEEKS, WEEK)
    used = np.arange(SHAPE_WEEKS, 0, -1)[None, None, :] <= weeks[:, :, None]
    by_position = np.einsum("stwj,stw->stj", window, used.astype(float)) / np.maximum(weeks, 1)[:, :, None]
    mean = by_position.mean(axis=-1, keepdims=True)
    prior = SHAPE_PRIOR * mean / np.maximum(weeks, 1)[:, :, None]
    flat = mean <= 0
    return np.where(flat, 1.0, (by_position + prior) / np.where(flat, 1.0, mean + prior))


def dormant(values: Array) -> NDArray[np.bool_]:
    """True where the last 28 days are all zero, (series, days)."""
    return trailing_sum((values > 0).astype(float), LEVEL_DAYS) == 0


def ens3(values: Array, start: Index) -> Array:
    """ENS3 pattern: mean of MA7, SES and WK from 28 days on, of MA7 and SES from 14, MA7 from 7, the mean before.

    Never negative; zero where the last 28 days are all zero.
    """
    length = history_length(start, values.shape[1])
    ma7 = trailing_mean(values, length, WEEK)[:, :, None]
    ses = ses_level(values, start)[:, :, None]
    wk = trailing_mean(values, length, LEVEL_DAYS)[:, :, None] * weekday_shape(values, length)
    n = length[:, :, None]
    mixed = np.where(n < 14, ma7, np.where(n < LEVEL_DAYS, (ma7 + ses) / 2, (ma7 + ses + wk) / 3))
    return np.where(dormant(values)[:, :, None], 0.0, np.maximum(mixed, 0.0))


def period_sum(pattern: Array, horizon: int) -> Array:
    """Sum of the next `horizon` days of a pattern; the last axis (7) goes away."""
    weeks, rest = divmod(horizon, WEEK)
    return weeks * pattern.sum(axis=-1) + pattern[..., :rest].sum(axis=-1)


def path(pattern: Array, days: int) -> Array:
    """The next `days` daily values of a pattern (..., 7) as (..., days)."""
    return pattern[..., np.arange(days) % WEEK]
