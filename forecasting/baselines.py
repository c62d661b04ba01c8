"""The forecasts every other one has to beat. They are always in the back-test and are published when they win.

Patterns as in `forecasting.models`. Source: Hyndman, Koehler (2006), Another look at measures of forecast accuracy.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecasting.models import WEEK, Array, Index, history_length, trailing_mean


def _flat(level: Array) -> Array:
    return np.repeat(level[:, :, None], WEEK, axis=2)


def naive_last(values: Array) -> Array:
    """Every coming day equals the last one."""
    return _flat(values)


def seasonal_naive(values: Array, start: Index) -> Array:
    """Every coming day equals the same weekday of the last week; the mean of what exists below 7 days."""
    length = history_length(start, values.shape[1])
    padded = np.pad(values, ((0, 0), (WEEK - 1, 0)))
    last_week = sliding_window_view(padded, WEEK, axis=1)
    return np.where(length[:, :, None] < WEEK, _flat(trailing_mean(values, length, WEEK)), last_week)


def ma7(values: Array, start: Index) -> Array:
    """Every coming day equals the mean of the last 7."""
    return _flat(trailing_mean(values, history_length(start, values.shape[1]), WEEK))


def run_rate(values: Array, start: Index, day_of_month: Index) -> Array:
    """Every coming day equals the month-to-date mean; `day_of_month` is 1-based, one per day of `values`."""
    days = values.shape[1]
    before = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    opening = np.maximum(np.arange(days) - day_of_month + 1, 0)
    elapsed = np.clip(history_length(start, days), 1, np.minimum(day_of_month, np.arange(days) + 1)[None, :])
    return _flat(np.maximum(before[:, 1:] - before[:, opening], 0.0) / elapsed)
