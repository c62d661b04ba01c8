"""Split-conformal intervals for h-day totals, pooled over siblings, corrected for overlap, adapted online.

Scores are log-ratios `u = ln((A + c) / (F + c))` of actual and forecast h-day totals. Sources: Vovk, Gammerman, Shafer
(2005); Barber, Candes, Ramdas, Tibshirani (2021, 2023); Gibbs, Candes (2021), Adaptive conformal inference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting.config import ForecastConfig
from forecasting.models import LEVEL_DAYS, Array, Index, history_length, period_sum, trailing_sum
from forecasting.series import Panel

NOMINAL_MISS = (0.2, 0.05)


def effective_windows(own: Array, others: Array, horizon: int) -> Array:
    """Non-overlapping windows behind a pool of overlapping daily ones: own / h + half of others / h."""
    return np.asarray(own / horizon + 0.5 * others / horizon)


def upper_level(miss: Array, n_eff: Array) -> Array:
    """Corrected upper quantile level `min(1, (1 - miss/2)(1 + 1/n_eff))`; the lower level is one minus it."""
    return np.minimum(1.0, (1 - miss / 2) * (1 + 1 / n_eff))


def weighted_quantile(values: Array, weights: Array, level: float) -> float:
    """Smallest value whose cumulative weight reaches the level; level 0 and 1 are the extreme values with weight."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= min(max(level, 1e-12), 1.0) - 1e-12
    picked = int(reached.argmax()) if reached.any() else int(np.flatnonzero(weights[order] > 0)[-1])
    return float(values[order][picked])


def offset(panel: Panel, horizon: int, config: ForecastConfig) -> Array:
    """The constant `c` of the scores, (series, days): a quarter of the mean h-day total so far, at least 0.01 a day."""
    length = np.maximum(history_length(panel.start, panel.days), 1)
    mean = np.cumsum(panel.cost, axis=1) / length
    return np.maximum(config.score_offset * horizon * mean, config.score_offset_floor * horizon)


def to_total(forecast: Array, c: Array, score: Array) -> Array:
    """The total a score stands for: `max(0, (F + c) exp(u) - c)`."""
    return np.maximum(0.0, (forecast + c) * np.exp(score) - c)


def coming_sum(values: Array, horizon: int) -> Array:
    """Sum of the next `horizon` days at each as-of day, NaN where they are not over yet."""
    out = np.full(values.shape, np.nan)
    days = values.shape[1]
    if 0 < horizon < days:
        before = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        sums = before[:, 1 + horizon :] - before[:, 1 : days - horizon + 1]
        unknown = ~np.isfinite(sums)
        out[:, : days - horizon] = np.where(unknown, np.nan, np.maximum(sums, 0.0))
    return out


def actual_totals(panel: Panel, horizon: int) -> Array:
    """Actual h-day totals after each as-of day, NaN where a day is still to come or unknown."""
    gaps = coming_sum((~panel.observed).astype(float), horizon)
    return np.where(gaps == 0, coming_sum(panel.cost, horizon), np.nan)


def scores(panel: Panel, pattern: Array, horizon: int, config: ForecastConfig, lead: int = 0) -> Array:
    """Score of every resolved, eligible as-of day, NaN elsewhere; (series, days).

    The total is over `horizon` days that begin `lead` days after the as-of day. Eligible: at least 21 active days so
    far and 3 in the last 28.
    """
    active = ((panel.cost > 0) & panel.observed).astype(float)
    eligible = (np.cumsum(active, axis=1) >= config.score_min_active) & (
        trailing_sum(active, LEVEL_DAYS) >= config.score_min_active_28
    )
    c = offset(panel, horizon, config)
    actual, expected = actual_totals(panel, lead + horizon), period_sum(pattern, lead + horizon)
    if lead:
        actual = np.maximum(actual - actual_totals(panel, lead), 0.0)
        expected = expected - period_sum(pattern, lead)
    usable = eligible & np.isfinite(actual)
    ratio = (np.where(usable, actual, 0.0) + c) / (np.maximum(expected, 0.0) + c)
    return np.where(usable, np.log(ratio), np.nan)


@dataclass(frozen=True)
class Pool:
    """Scores known at one as-of day for a group of siblings, sorted once and read by every sibling.

    `flat_own` and `flat_recent` hold, per series, the sorted positions of its (recent) scores plus series x size.
    """

    values: Array
    recent_count: Index
    flat_own: Index
    flat_recent: Index
    n_own: Index
    n_recent: Index
    own_weight: float
    horizon: int

    @classmethod
    def at(cls, score: Array, origin: int, horizon: int, config: ForecastConfig) -> Pool:
        """Pool of all scores (siblings, days) resolved by day `origin`."""
        last = origin - horizon
        known = score[:, : max(last + 1, 0)]
        sid, day = np.nonzero(np.isfinite(known))
        values = known[sid, day]
        order = np.argsort(values, kind="stable")
        sid, recent = sid[order], day[order] > origin - config.pool_days
        size = max(len(values), 1)
        position = np.arange(len(values))
        count = score.shape[0]
        return cls(
            values=values[order],
            recent_count=np.cumsum(recent),
            flat_own=np.sort(sid * size + position),
            flat_recent=np.sort((sid * size + position)[recent]),
            n_own=np.bincount(sid, minlength=count),
            n_recent=np.bincount(sid[recent], minlength=count),
            own_weight=config.own_weight,
            horizon=horizon,
        )

    @property
    def n_others(self) -> Index:
        """Scores of the other siblings each series may use."""
        return self.n_recent.sum() - self.n_recent

    def weights(self) -> tuple[Array, Array]:
        """Weight of one own and of one other score per series; each side has half, or all when it is alone."""
        own_share = np.where(self.n_others == 0, 1.0, np.where(self.n_own == 0, 0.0, self.own_weight))
        return own_share / np.maximum(self.n_own, 1), (1 - own_share) / np.maximum(self.n_others, 1)

    def n_eff(self) -> Array:
        """Effective windows per series; 0 where there is no score at all."""
        return effective_windows(self.n_own.astype(float), self.n_others.astype(float), self.horizon)

    def quantiles(self, level: Array) -> Array:
        """Weighted quantiles at `level` (series, levels) by bisection on the sorted pool; needs a non-empty pool."""
        size = len(self.values)
        series = np.arange(level.shape[0])[:, None]
        own_weight, other_weight = (w[:, None] for w in self.weights())
        before_own = (np.cumsum(self.n_own) - self.n_own)[:, None]
        before_recent = (np.cumsum(self.n_recent) - self.n_recent)[:, None]
        target = np.clip(level, 1e-12, 1.0) - 1e-12
        low, high = np.zeros(level.shape, dtype=np.int64), np.full(level.shape, size - 1)
        while (low < high).any():
            middle = (low + high) // 2
            own = np.searchsorted(self.flat_own, series * size + middle, side="right") - before_own
            recent = np.searchsorted(self.flat_recent, series * size + middle, side="right") - before_recent
            weight = own_weight * own + other_weight * (self.recent_count[middle] - recent)
            reached = (weight >= target) & (weight > 0)
            high = np.where(reached, middle, high)
            low = np.where(reached, low, np.minimum(middle + 1, high))
        return self.values[low]


@dataclass(frozen=True)
class Sample:
    """Weighted scores of one series: the predictive distribution of a coming total."""

    scores: Array
    weights: Array
    n_eff: float

    def interval(self, forecast: float, c: float, miss: float) -> tuple[float, float]:
        """Ends of the interval with the given miscoverage; both ends are widened to hold the forecast itself."""
        level = float(upper_level(np.asarray(miss), np.asarray(self.n_eff)))
        score = np.asarray([weighted_quantile(self.scores, self.weights, q) for q in (1 - level, level)])
        low, high = to_total(np.asarray(forecast), np.asarray(c), score).tolist()
        return min(low, forecast), max(high, forecast)

    def exceeds(self, forecast: float, c: float, threshold: float) -> float:
        """P(total > threshold), shrunk as `(P n_eff + 0.5) / (n_eff + 1)`."""
        above = (forecast + c) * np.exp(self.scores) - c > threshold
        return float((self.weights[above].sum() * self.n_eff + 0.5) / (self.n_eff + 1))


def sample(score: Array, series: int, others: list[int], horizon: int, config: ForecastConfig) -> Sample | None:
    """Scores series `series` may use on the last day; None below the least number of effective windows."""
    days = score.shape[1]
    own = score[series][np.isfinite(score[series])]
    pool = score[others, max(days - config.pool_days, 0) :] if others else np.empty((0, 0))
    other = pool[np.isfinite(pool)]
    n_eff = float(effective_windows(np.asarray(len(own)), np.asarray(len(other)), horizon))
    if n_eff < config.min_effective_windows:
        return None
    own_share = 1.0 if len(other) == 0 else (0.0 if len(own) == 0 else config.own_weight)
    weights = np.concatenate(
        [np.full(len(own), own_share / max(len(own), 1)), np.full(len(other), (1 - own_share) / max(len(other), 1))]
    )
    return Sample(np.concatenate([own, other]), weights, n_eff)


def wilson(hits: float, windows: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson interval of a share from `hits` of (effective, possibly fractional) `windows`."""
    share = hits / windows
    centre = (share + z**2 / (2 * windows)) / (1 + z**2 / windows)
    half = z / (1 + z**2 / windows) * np.sqrt(share * (1 - share) / windows + z**2 / (4 * windows**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def within_whole(forecast: Array, high: Array, whole: Array) -> Array:
    """Upper ends of a part, given those of the whole it belongs to; never below its own forecast.

    Costs are not negative, so a part is at most the whole and each of its quantiles at most the whole's. Without that a
    large part takes the spread of small siblings, and one workflow's upper end is several times the company's.
    """
    return np.where(np.isfinite(whole), np.maximum(forecast, np.minimum(high, whole)), high)


def widen(forecast: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Intervals (..., nominal) made to hold the forecast and to nest: 80 % inside 95 %."""
    low = np.minimum.accumulate(np.minimum(low, forecast[..., None]), axis=-1)
    high = np.maximum.accumulate(np.maximum(high, forecast[..., None]), axis=-1)
    return low, high


def adapt(miss: Array, missed: NDArray[np.bool_], config: ForecastConfig) -> Array:
    """Miscoverage (series, 80/95) after a resolved window: `a + 0.02 (nominal - missed)`, kept within bounds."""
    step = config.adaptive_rate * (np.asarray(NOMINAL_MISS) - missed)
    return np.clip(miss + step, *config.adaptive_bounds)


def bounds(count: int) -> NDArray[np.float64]:
    """Starting miscoverage per series and nominal level, (series, 2)."""
    return np.tile(np.asarray(NOMINAL_MISS), (count, 1))
