"""Demand over a term: the window's whole weeks drawn again, times a level by the errors that were measured.

Level errors have two sources, half of the scenarios each: the longest horizon of the back-tested forecast of the
provider (else of the total), and the pool's own expanding folds. Beyond their horizon they widen as a random walk's do.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from decisions.backtest import WEEK, weekly_totals
from decisions.config import CommitmentConfig
from decisions.sizing import Array, Growth

# Fewer resolved errors, or fewer folds of the window, are no distribution.
MIN_ERRORS = 8
MIN_FOLDS = 3
# Weeks a fold is sized on at least, and weeks it is paid on.
_FOLD_WEEKS = 4


@dataclass(frozen=True)
class TermScenarios:
    """Equally likely scenarios: `window` is drawn weeks over the window's mean, `level` the term over the window.

    `level` was measured over `horizon_hours`. Both are factors (1 = the window as it was).
    """

    window: Array
    level: Array
    horizon_hours: float
    basis: str

    def over(self, term_hours: float) -> Growth:
        """Growth over a term. Log errors around their median grow with the root of the term beyond the horizon."""
        logs = np.log(self.level)
        middle = float(np.median(logs))
        wider = np.sqrt(max(1.0, term_hours / self.horizon_hours))
        return Growth.of(self.window * np.exp(middle + (logs - middle) * wider))


@dataclass(frozen=True)
class ForecastErrors:
    """Actual over forecast of resolved forecasts of one series at one horizon."""

    ratio: Array
    horizon_hours: float
    series: str


def fold_ratios(weekly: Array) -> Array:
    """Mean of the four weeks after a fold over the mean of all before it, at least four; empty for a short window."""
    ends = range(_FOLD_WEEKS, len(weekly) - _FOLD_WEEKS + 1)
    return np.array([weekly[k : k + _FOLD_WEEKS].mean() / weekly[:k].mean() for k in ends if weekly[:k].sum() > 0])


def term_scenarios(
    pool: str, hours: Array, errors: ForecastErrors | None, config: CommitmentConfig
) -> TermScenarios | str:
    """Scenarios of one pool, the same for the same inputs and seed; text is the reason why there are none."""
    weekly = weekly_totals(hours)
    if not weekly.sum() > 0:
        return f"{len(weekly)} whole weeks with demand"
    own = fold_ratios(weekly)
    measured = errors is not None and len(errors.ratio) >= MIN_ERRORS
    if len(own) < MIN_FOLDS and not measured:
        count = 0 if errors is None else len(errors.ratio)
        return f"{count} of {MIN_ERRORS} resolved forecast errors and {len(own)} of {MIN_FOLDS} folds of the window"
    rng = np.random.default_rng([config.seed, zlib.crc32(pool.encode())])
    draws, parts, said, horizons = config.scenario_draws, [], [], []
    if measured:
        assert errors is not None
        parts.append(errors.ratio)
        said.append(f"{len(errors.ratio)} errors of forecast {errors.series} over {errors.horizon_hours / 24:g} days")
        horizons.append(errors.horizon_hours)
    if len(own) >= MIN_FOLDS:
        parts.append(own)
        said.append(f"{len(own)} folds of the window over {_FOLD_WEEKS * 7} days")
        horizons.append(float(_FOLD_WEEKS * WEEK))
    # A level of exactly nothing has no logarithm; a thousandth loses as surely.
    levels = [np.maximum(rng.choice(np.sort(part), draws), 1e-3) for part in parts]
    level = np.where(np.arange(draws) % len(parts) == 0, levels[0], levels[-1])
    times = rng.multinomial(len(weekly), np.full(len(weekly), 1 / len(weekly)), size=draws)
    window = times @ weekly / weekly.sum()
    return TermScenarios(window, level, min(horizons), f"{draws} scenarios: whole weeks, " + ", ".join(said))
