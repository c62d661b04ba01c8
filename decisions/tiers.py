"""Several interchangeable hourly products on one demand: exact greedy rule, and the linear programme that checks it.

All products cover the same demand over the same term. Source: Chaisiri, Lee, Niyato (2012), Optimization of resource
provisioning cost in cloud computing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, eye_array, kron

from decisions.sizing import Array, Curve

MAX_LEVELS = 500


def cluster(curve: Curve, limit: int = MAX_LEVELS) -> Curve:
    """At most `limit` demand levels of (nearly) equal hours, each the mean of its hours; exact when there are few.

    Total demand and hours are kept; a cost computed on it is at most the exact one (Jensen).
    """
    levels, index = np.unique(curve.level, return_inverse=True)
    hours = np.bincount(index, weights=curve.weight)
    if len(levels) > limit:
        index = np.minimum(((np.cumsum(hours) - hours / 2) / hours.sum() * limit).astype(np.int64), limit - 1)
        _, index = np.unique(index, return_inverse=True)
        demand = np.bincount(index, weights=hours * levels)
        hours = np.bincount(index, weights=hours)
        levels = demand / hours
    return Curve.of(levels[hours > 0], hours[hours > 0])


def tier_cost(curve: Curve, amounts: Sequence[float] | Array, prices: Sequence[float], p: float = 1.0) -> float:
    """Cost of K_j of each product: what is committed plus on demand for the rest."""
    k = np.asarray(amounts, dtype=float)
    return float(np.asarray(prices) @ k * curve.hours + p * curve.shortfall(k.sum()))


def greedy(curve: Curve, prices: Sequence[float], caps: Sequence[float | None], p: float = 1.0) -> Array:
    """K_j: the cheapest product up to min(cap, its quantile), the next from the level reached. Exact for one term."""
    out = np.zeros(len(prices))
    reached = 0.0
    for j in np.argsort(np.asarray(prices, dtype=float), kind="stable"):
        target = curve.quantile(1 - prices[j] / p) if prices[j] < p else 0.0
        cap = caps[j]
        out[j] = min(np.inf if cap is None else cap, max(target - reached, 0.0))
        reached += out[j]
    return out


def linear_programme(
    curve: Curve, prices: Sequence[float], caps: Sequence[float | None], p: float = 1.0, limit: int = MAX_LEVELS
) -> Array:
    """K_j of `min sum c_j K_j T + sum p o_t`, `sum_j u_jt + o_t = D_t`, `0 <= u_jt <= K_j`, `K_j <= cap_j`.

    Variables are K (products), u (products x levels), o (levels), over at most `limit` demand levels.
    Raises ArithmeticError when the solver gives up (it cannot for valid input: all on demand is feasible).
    """
    coarse = cluster(curve, limit)
    products, count = len(prices), len(coarse.level)
    cost = np.concatenate([np.asarray(prices) * coarse.hours, np.zeros(products * count), p * coarse.weight])
    ones = csr_array(np.ones((1, products)))
    served = block_array([[csr_array((count, products)), kron(ones, eye_array(count)), eye_array(count)]])
    bound = kron(eye_array(products), csr_array(-np.ones((count, 1))))
    within = block_array([[bound, eye_array(products * count), csr_array((products * count, count))]])
    solved = linprog(
        cost,
        A_ub=within.tocsr(),
        b_ub=np.zeros(products * count),
        A_eq=served.tocsr(),
        b_eq=coarse.level,
        bounds=[(0, cap) for cap in caps] + [(0, None)] * (products * count + count),
        method="highs",
    )
    if solved.status != 0:
        raise ArithmeticError(f"linear programme over {products} products and {count} levels: {solved.message}")
    return np.asarray(solved.x[:products], dtype=float)


def shared_demand(curve: Curve, amounts: Sequence[float] | Array, prices: Sequence[float]) -> list[tuple[float, float]]:
    """(covered, forfeited) rack USD per product; the cheapest is used first, as a marginal unit would be."""
    out = [(0.0, 0.0)] * len(prices)
    below = 0.0
    for j in np.argsort(np.asarray(prices, dtype=float), kind="stable"):
        covered = float(curve.covered(below + amounts[j]) - curve.covered(below))
        out[j] = (covered, amounts[j] * curve.hours - covered)
        below += float(amounts[j])
    return out
