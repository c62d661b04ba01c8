"""How much to commit: the quantile rule and what surrounds it, on one sorted demand curve per scope.

Sources: Arrow, Harris, Marschak (1951), Optimal inventory policy; Rockafellar, Uryasev (2000), Optimization of
conditional value-at-risk. Demand in rack USD per hour, `c` the committed and `p` the on-demand (or shortage) price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[np.float64]

_EPS = 1e-9
TAIL = 0.1


@dataclass(frozen=True)
class Curve:
    """Demand sorted ascending with the hours each level stands for, and suffix sums so that any K costs one look-up."""

    level: Array
    weight: Array
    hours_to: Array
    hours_from: Array
    demand_from: Array

    @classmethod
    def of(cls, demand: ArrayLike, weight: ArrayLike | None = None) -> Curve:
        """Curve of hourly demand; `weight` counts hours (default 1 each). Raises ValueError for what no demand is."""
        values = np.asarray(demand, dtype=float).ravel()
        w = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float).ravel()
        if len(values) == 0 or not np.isfinite(values).all() or values.min() < 0 or w.min() < 0 or w.sum() <= 0:
            raise ValueError("a demand curve needs finite values of 0 or more and hours to count them in")
        order = np.argsort(values, kind="stable")
        return cls.of_sorted(values[order], w[order])

    @classmethod
    def of_sorted(cls, values: Array, weight: Array) -> Curve:
        """Curve of levels that are ascending already."""
        hours_to = np.cumsum(weight)
        mass = weight * values
        demand_to = np.cumsum(mass)
        hours_from = np.append(hours_to[-1] - hours_to + weight, 0.0)
        return cls(values, weight, hours_to, hours_from, np.append(demand_to[-1] - demand_to + mass, 0.0))

    @property
    def hours(self) -> float:
        """Hours of the curve."""
        return float(self.hours_from[0])

    @property
    def total(self) -> float:
        """Demand over all hours, rack USD."""
        return float(self.demand_from[0])

    def shortfall(self, level: ArrayLike) -> Array:
        """`sum (D - K)+` for each K."""
        k = np.asarray(level, dtype=float)
        at = np.searchsorted(self.level, k, side="right")
        return np.asarray(np.maximum(self.demand_from[at] - k * self.hours_from[at], 0.0))

    def covered(self, level: ArrayLike) -> Array:
        """`sum min(D, K)` for each K."""
        return np.asarray(self.total - self.shortfall(level))

    def cost(self, level: ArrayLike, c: float, p: float = 1.0) -> Array:
        """`c K T + p sum (D - K)+` for each K."""
        return np.asarray(c * np.asarray(level, dtype=float) * self.hours + p * self.shortfall(level))

    def quantile(self, share: float) -> float:
        """Smallest level K with F(K) >= share (inverted CDF, no interpolation); 0 when `share` is not above 0."""
        if share <= 0:
            return 0.0
        at = int(np.searchsorted(self.hours_to, (share - _EPS) * self.hours, side="left"))
        return float(self.level[min(at, len(self.level) - 1)])

    def busy_share(self, level: float) -> float:
        """Share of hours with demand of at least `level`."""
        return float(self.hours_from[np.searchsorted(self.level, level, side="left")]) / self.hours


def optimal_level(curve: Curve, c: float, p: float = 1.0) -> float:
    """Smallest K with F(K) >= 1 - c/p: the discount-quantile of hourly demand. 0 when committing is not cheaper."""
    return curve.quantile(1 - c / p) if c < p else 0.0


@dataclass(frozen=True)
class Growth:
    """Scenarios of (demand over the term) / (demand of the window), with weights that add to 1."""

    factor: Array
    weight: Array

    @classmethod
    def of(cls, factor: ArrayLike, weight: ArrayLike | None = None) -> Growth:
        """Sorted scenarios. Raises ValueError for none, a factor below 0 or weights that cannot be shares."""
        g = np.asarray(factor, dtype=float).ravel()
        w = np.ones(len(g)) if weight is None else np.asarray(weight, dtype=float).ravel()
        if len(g) == 0 or not np.isfinite(g).all() or g.min() < 0 or w.min() < 0 or w.sum() <= 0:
            raise ValueError("growth needs at least one finite factor of 0 or more with a positive weight")
        order = np.argsort(g, kind="stable")
        return cls(g[order], w[order] / w.sum())

    def quantile(self, share: float) -> float:
        """Smallest factor whose cumulated weight reaches `share`."""
        return float(self.factor[int((np.cumsum(self.weight) >= share - _EPS).argmax())])

    @property
    def mean(self) -> float:
        """Expected factor."""
        return float(self.factor @ self.weight)


def scenario_cost(curve: Curve, level: float, c: float, growth: Growth, p: float = 1.0) -> Array:
    """Cost of K over the curve's hours for each growth factor."""
    safe = np.where(growth.factor > 0, growth.factor, 1.0)
    spill = np.where(growth.factor > 0, safe * curve.shortfall(level / safe), 0.0)
    return np.asarray(c * level * curve.hours + p * spill)


def tail_mean(loss: ArrayLike, weight: ArrayLike, tail: float = TAIL) -> float:
    """CVaR: weighted mean of the worst `tail` share of the losses (a loss is a positive number)."""
    values, w = np.asarray(loss, dtype=float), np.asarray(weight, dtype=float)
    order = np.argsort(-values, kind="stable")
    values, w = values[order], w[order] / w.sum()
    taken = np.clip(tail - (np.cumsum(w) - w), 0.0, w)
    return float((values * taken).sum() / tail)


@dataclass(frozen=True)
class Risk:
    """Expected cost and saving over the curve's hours, P(loss against on demand) and CVaR at 90 % of that loss."""

    cost: float
    on_demand: float
    saving: float
    p_loss: float
    cvar90: float


def risk_of(cost: Array, on_demand: Array, weight: Array) -> Risk:
    """Risk of scenario costs against on demand; a difference within rounding is no loss."""
    loss = cost - on_demand
    noise = 1e-9 * np.maximum(np.abs(on_demand), 1e-12)
    return Risk(
        cost=float(cost @ weight),
        on_demand=float(on_demand @ weight),
        saving=float(-(loss @ weight)),
        p_loss=float(weight[loss > noise].sum()),
        cvar90=tail_mean(loss, weight),
    )


def level_risk(curve: Curve, level: float, c: float, growth: Growth, p: float = 1.0) -> Risk:
    """Risk of an hourly commitment of K."""
    return risk_of(scenario_cost(curve, level, c, growth, p), p * growth.factor * curve.total, growth.weight)


def robust_level(
    cost: Callable[[float], Array], on_demand: Array, weight: Array, risk_aversion: float, top: float
) -> float:
    """K in [0, top] that minimises (1 - a) expected cost + a CVaR90 of (cost - on demand), a in [0, 1].

    `cost` gives the cost of K per scenario. The objective is convex in K (the CVaR of a convex loss is), so a bounded
    search finds it.
    """
    if top <= 0:
        return 0.0

    def objective(level: float) -> float:
        risk = risk_of(cost(level), on_demand, weight)
        return (1 - risk_aversion) * risk.cost + risk_aversion * risk.cvar90

    found = float(minimize_scalar(objective, bounds=(0.0, top), method="bounded", options={"xatol": 1e-9 * top}).x)
    return found if objective(found) < objective(0.0) else 0.0


def break_even_level(curve: Curve, c: float, p: float = 1.0) -> float:
    """Largest K that costs no more than on demand. The saving is concave in K and linear between demand levels."""
    levels = np.unique(curve.level)
    saving = p * curve.covered(levels) - c * levels * curve.hours
    paying = np.flatnonzero((saving >= 0) & (levels > 0))
    if len(paying) == 0:
        return 0.0
    last = int(paying[-1])
    if last == len(levels) - 1:
        return p * curve.total / (c * curve.hours) if c > 0 else np.inf
    low, high = levels[last], levels[last + 1]
    return float(low + (high - low) * saving[last] / (saving[last] - saving[last + 1]))


def safe_level(break_even: ArrayLike, weight: ArrayLike, p_loss: float) -> float:
    """Largest K whose P(loss) is within `p_loss`, from the break-even level of each scenario and its weight.

    A scenario loses exactly when K is above its break-even level. For demand g x D that level is g times D's.
    """
    level, w = np.asarray(break_even, dtype=float), np.asarray(weight, dtype=float)
    order = np.argsort(level, kind="stable")
    below = np.cumsum(w[order]) - w[order]
    return float(level[order][np.flatnonzero(below <= p_loss + _EPS)[-1]])


def break_even_fall(curve: Curve, level: float, c: float, p: float = 1.0) -> float:
    """Uniform demand fall (share) at which the saving of K is gone; 0 when there is none to lose, 1 when K is 0."""
    if level <= 0:
        return 1.0
    bound = break_even_level(curve, c, p)
    return max(0.0, 1.0 - level / bound) if bound > 0 else 0.0


def round_to_blocks(
    curve: Curve, level: float, c: float, block: float, minimum: float = 0.0, cap: float = np.inf, p: float = 1.0
) -> float:
    """Cheapest of 0, the block below and the block above K that respect minimum and cap; ties take the lower.

    The cost is convex in K, so no other block can be cheaper than these.
    """
    return min(block_candidates(level, block, minimum, cap), key=lambda k: (round(float(curve.cost(k, c, p)), 9), k))


def block_candidates(level: float, block: float, minimum: float = 0.0, cap: float = np.inf) -> list[float]:
    """0, floor and ceil of K on the grid of blocks, inside [minimum, cap]; the cap itself lies on the grid or below."""
    if block <= 0:
        return sorted({0.0, min(max(level, minimum), cap) if cap >= minimum else 0.0})
    first = np.ceil(minimum / block - _EPS) * block
    last = np.floor(cap / block + _EPS) * block if np.isfinite(cap) else np.inf
    near = {float(np.clip(f(level / block + s) * block, first, last)) for f, s in ((np.floor, _EPS), (np.ceil, -_EPS))}
    return sorted({0.0, *(k for k in near if first <= k <= last)})


def best_pool(sample: ArrayLike, weight: ArrayLike, c: float, p: float = 1.0) -> float:
    """S2: the (1 - c/p)-quantile of the period total."""
    return optimal_level(Curve.of(sample, weight), c, p)


def best_spend_commit(
    sample: ArrayLike,
    weight: ArrayLike,
    discount: float,
    cost: Callable[..., Array],
    grid: Sequence[float] | None = None,
) -> float:
    """S3/S4: S of a grid (100 points from 0 to the 99th percentile unless given) with the least expected pay.

    `cost` is `spend_commit_covered_cost` or `spend_commit_all_cost`; ties take the lower commitment.
    """
    usage = Curve.of(sample, weight)
    points = np.linspace(0.0, usage.quantile(0.99), 100) if grid is None else np.asarray(sorted(grid), dtype=float)
    pay = cost(usage.level[None, :], points[:, None], discount) @ (usage.weight / usage.hours)
    return float(points[int(np.argmin(np.round(pay, 9)))])
