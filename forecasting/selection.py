"""Which forecast is published: chosen by resolved back-test windows, at every as-of day anew, never by taste.

The choice at day `t` uses errors of windows that were over by `t`, so the back-test of the published forecast contains
the cost of choosing. Source: Tashman (2000), Out-of-sample tests of forecasting accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting import baselines
from forecasting.config import ForecastConfig
from forecasting.drivers import driver_pattern
from forecasting.hierarchy import Tree
from forecasting.intervals import actual_totals
from forecasting.models import Array, Index, dormant, ens3, history_length, period_sum
from forecasting.series import Panel

OWN_METHODS = ("ens3", "driver", "combined")
NAIVE_METHODS = ("seasonal_naive", "ma7", "naive_last", "run_rate")
METHODS = (*OWN_METHODS, *NAIVE_METHODS)
BOTTOM_UP = "bottom_up"
PUBLISHED = "published"
EXACT = 1e-9
"""Error below which forecasts count as equally exact: a constant series has no winner."""


@dataclass(frozen=True)
class Candidates:
    """Patterns (series, days, 7) per method, the published one, and the index into METHODS chosen at each day."""

    patterns: dict[str, Array]
    published: Array
    choice: Index


def min_training(panel: Panel, config: ForecastConfig) -> Index:
    """Least days of history of a back-test origin per series: 70, or 21 where 70 leave no month to test on."""
    length = history_length(panel.start, panel.days)[:, -1]
    return np.where(length >= config.min_training + max(config.horizons), config.min_training, config.min_training_thin)


def _resolved(values: Array, horizon: int) -> Array:
    """Running sum of what was known by each day about windows of `horizon` days."""
    total = np.cumsum(values, axis=1)
    out = np.zeros_like(total)
    if horizon < values.shape[1]:
        out[:, horizon:] = total[:, :-horizon]
    return out


def _running_wape(panel: Panel, pattern: Array, horizon: int, usable: NDArray[np.bool_]) -> tuple[Array, Array]:
    """WAPE over daily origins resolved by each day (NaN without one) and the number of non-overlapping windows."""
    actual = actual_totals(panel, horizon)
    usable = usable & np.isfinite(actual) & np.isfinite(pattern[:, :, 0])
    error = np.where(usable, np.abs(period_sum(np.nan_to_num(pattern), horizon) - np.nan_to_num(actual)), 0.0)
    spend = _resolved(np.where(usable, actual, 0.0), horizon)
    wape = _resolved(error, horizon) / np.where(spend > 0, spend, np.nan)
    return wape, np.ceil(_resolved(usable.astype(float), horizon) / horizon)


def _combine(direct: Array, driver: Array, wape_direct: Array, wape_driver: Array) -> Array:
    """Inverse-WAPE weighted mean; the direct one alone where the driver's error is not measured."""
    measured = np.isfinite(wape_direct) & np.isfinite(wape_driver) & (wape_direct + wape_driver > 0)
    weight = np.where(measured, wape_driver / np.where(measured, wape_direct + wape_driver, 1.0), 1.0)[:, :, None]
    return np.where(np.isfinite(driver), weight * direct + (1 - weight) * np.nan_to_num(driver), direct)


def _log_of(wape: Array, windows: Array, config: ForecastConfig) -> Array:
    """Log of a running WAPE, NaN below the number of windows a choice needs."""
    return np.where(windows >= config.min_windows_to_choose, np.log(np.maximum(wape, EXACT)), np.nan)


def _mean_log(logs: list[Array]) -> Array:
    """Mean over the horizons that are measured by each day, NaN where none is."""
    stacked = np.stack(logs)
    known = np.isfinite(stacked)
    return np.where(known.any(axis=0), np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def _choose(error: dict[str, Array], gain: Array, config: ForecastConfig) -> Index:
    """Index into METHODS at each day, -1 where nothing is measured.

    `error`: mean log WAPE per method; `gain`: that of the driver less that of the direct forecast of the same windows,
    NaN below the number of windows a choice needs. Direct and driver are combined unless one is clearly better, by
    `clear_winner_margin`. A naive forecast replaces the result when it is clearly better too: the smallest of several
    measured errors is small by luck.
    """
    clear = np.log(1 - config.clear_winner_margin)
    own = np.select([~np.isfinite(gain), gain > -clear, gain < clear], [0, 0, 1], default=2)
    own_error = np.choose(own, [error["ens3"], error["ens3"] + np.nan_to_num(gain), error["combined"]])
    naive = np.stack([np.nan_to_num(error[name], nan=np.inf) for name in NAIVE_METHODS])
    chosen = np.where(naive.min(axis=0) < own_error + clear, naive.argmin(axis=0) + len(OWN_METHODS), own)
    return np.where(np.isfinite(own_error), chosen, -1)


def candidates(tree: Tree, config: ForecastConfig) -> Candidates:
    """All forecasts of all series at all as-of days, and the published one.

    What decides is the mean over the horizons with enough windows of the log of the WAPE: short horizons have more windows
    that do not overlap, long ones are what is read. ENS3 until one has enough. The total is published bottom-up.
    """
    panel = tree.panel
    day_of_month = np.asarray([day.day for day in panel.calendar])
    patterns = {
        "ens3": ens3(panel.cost, panel.start),
        "driver": driver_pattern(panel),
        "seasonal_naive": baselines.seasonal_naive(panel.cost, panel.start),
        "ma7": baselines.ma7(panel.cost, panel.start),
        "naive_last": baselines.naive_last(panel.cost),
        "run_rate": baselines.run_rate(panel.cost, panel.start, day_of_month),
    }
    asleep = dormant(panel.cost)
    patterns["driver"] = np.where(asleep[:, :, None], 0.0, patterns["driver"])
    has_driver = np.isfinite(patterns["driver"][:, :, 0]) & (panel.calls_start < panel.days)[:, None]
    patterns["driver"] = np.where(has_driver[:, :, None], patterns["driver"], np.nan)
    trained = history_length(panel.start, panel.days) >= min_training(panel, config)[:, None]
    paired = trained & has_driver
    logs: dict[str, list[Array]] = {}
    for horizon in sorted(config.horizons, reverse=True):
        direct, driver = (_running_wape(panel, patterns[name], horizon, paired) for name in ("ens3", "driver"))
        if "combined" not in patterns:
            patterns["combined"] = _combine(patterns["ens3"], patterns["driver"], direct[0], driver[0])
        for name in METHODS:
            if name != "driver":
                logs.setdefault(name, []).append(_log_of(*_running_wape(panel, patterns[name], horizon, trained), config))
        logs.setdefault("gain", []).append(_log_of(*driver, config) - _log_of(*direct, config))
    error = {name: _mean_log(values) for name, values in logs.items()}
    choice = _choose(error, error.pop("gain"), config)
    choice = np.where((choice < 0) | asleep, 0, choice)
    stacked = np.stack([patterns[name] for name in METHODS])
    published = np.take_along_axis(stacked, choice[None, :, :, None], axis=0)[0]
    if tree.bottom is not None:
        published[tree.total] = published[tree.children(tree.bottom)].sum(axis=0)
    return Candidates(patterns={name: patterns[name] for name in METHODS}, published=published, choice=choice)
