"""Demand over a term: the window's hours at the level of recent whole weeks, drawn again, times measured errors.

Level errors have two sources, half of the scenarios each: the longest horizon of the back-tested forecast of the
provider (else of the total), and the pool's own folds. Beyond their horizon they widen as a random walk's do.
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
# Weeks that say where the level is, and weeks after them that it is held against: the back-test's month.
_FOLD_WEEKS = 4


@dataclass(frozen=True)
class TermScenarios:
    """Equally likely scenarios: `window` is drawn recent weeks over the window's mean, `level` the term over these.

    Both are factors (1 = the window as it was). `centre` is the median of the log levels of a scenario's source, `drift`
    what of it is a fall that goes on (0 or less), `horizon_hours` how far ahead the source was measured.
    """

    window: Array
    level: Array
    centre: Array
    drift: Array
    horizon_hours: Array
    basis: str

    def over(self, term_hours: float) -> Growth:
        """Growth over a term of any length.

        Log errors around their median grow with the root of the term beyond the horizon; a fall goes on at its rate, so
        the term's mean level is that of an exponential decay. A rise is not carried on: commit to what is likely to stay.
        """
        reach = np.maximum(1.0, term_hours / self.horizon_hours)
        fall = np.where(self.drift < 0, self.drift, -1.0)
        decayed = fall / 2 + np.log(-np.expm1(fall * reach) / (-fall * reach))
        once = fall / 2 + np.log(-np.expm1(fall) / -fall)
        further = np.where((self.drift < 0) & (reach > 1), decayed - once, 0.0)
        logs = self.centre + further + (np.log(self.level) - self.centre) * np.sqrt(reach)
        return Growth.of(self.window * np.exp(logs))


@dataclass(frozen=True)
class ForecastErrors:
    """Actual over forecast of resolved forecasts of one series at one horizon."""

    ratio: Array
    horizon_hours: float
    series: str


def fold_ratios(weekly: Array) -> Array:
    """Total of four weeks over the four before them, at every week it can be taken; empty for a short window."""
    means = np.convolve(weekly, np.ones(_FOLD_WEEKS), "valid")
    before, after = means[:-_FOLD_WEEKS], means[_FOLD_WEEKS:]
    return np.asarray(after[before > 0] / before[before > 0])


def term_scenarios(
    pool: str, hours: Array, errors: ForecastErrors | None, config: CommitmentConfig
) -> TermScenarios | str:
    """Scenarios of one pool, the same for the same inputs and seed; text is the reason why there are none."""
    weekly = weekly_totals(hours)
    recent = weekly[-_FOLD_WEEKS:]
    if not recent.sum() > 0:
        return "no demand in the last whole weeks"
    own = fold_ratios(weekly)
    measured = errors is not None and len(errors.ratio) >= MIN_ERRORS
    if len(own) < MIN_FOLDS and not measured:
        count = 0 if errors is None else len(errors.ratio)
        return f"{count} of {MIN_ERRORS} resolved forecast errors and {len(own)} of {MIN_FOLDS} folds of the window"
    rng = np.random.default_rng([config.seed, zlib.crc32(pool.encode())])
    draws, parts, said = config.scenario_draws, [], []
    if measured:
        assert errors is not None
        parts.append((errors.ratio, errors.horizon_hours, False))
        said.append(f"{len(errors.ratio)} errors of forecast {errors.series} over {errors.horizon_hours / 24:g} days")
    if len(own) >= MIN_FOLDS:
        parts.append((own, float(_FOLD_WEEKS * WEEK), True))
        said.append(f"{len(own)} folds of the window over {_FOLD_WEEKS * 7} days")
    columns: list[list[Array]] = []
    for ratio, horizon, is_own in parts:
        # A level of exactly nothing has no logarithm; a thousandth loses as surely.
        ratio = np.maximum(np.sort(ratio), 1e-3)
        centre = float(np.median(np.log(ratio)))
        count = draws // len(parts) if columns else -(-draws // len(parts))
        fixed = [np.full(count, x) for x in (centre, min(centre, 0.0) if is_own else 0.0, horizon)]
        columns.append([rng.choice(ratio, count), *fixed])
    level, centres, drift, horizons = (np.concatenate(c) for c in zip(*columns, strict=True))
    times = rng.multinomial(len(recent), np.full(len(recent), 1 / len(recent)), size=draws)
    window = times @ recent / len(recent) / weekly.mean()
    basis = f"{draws} scenarios: recent weeks drawn again, " + ", ".join(said)
    return TermScenarios(window, level, centres, drift, horizons, basis)
