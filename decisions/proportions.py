"""Pass rates: intervals for one rate and for a difference, paired and not, and how many items a test needs.

Differences are candidate minus baseline. All functions take arrays. Sources: Wilson (1927); Newcombe (1998a, b),
methods 10 of both papers; Tango (1998), Equivalence test and confidence interval for the difference in proportions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student

from decisions.config import Z95

Array = NDArray[np.float64]

_BISECTIONS = 60


def wilson(passed: ArrayLike, n: ArrayLike, z: float = Z95) -> tuple[Array, Array]:
    """Lower and upper bound of one rate."""
    x, count = np.asarray(passed, dtype=float), np.asarray(n, dtype=float)
    p = x / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return np.asarray(centre - half), np.asarray(centre + half)


def newcombe_unpaired(
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, z: float = Z95
) -> tuple[Array, Array, Array]:
    """Difference, lower and upper bound of two independent rates (1 = candidate), hybrid score."""
    (l1, u1), (l2, u2) = wilson(x1, n1, z), wilson(x2, n2, z)
    p1, p2 = np.asarray(x1, dtype=float) / np.asarray(n1), np.asarray(x2, dtype=float) / np.asarray(n2)
    d = p1 - p2
    return d, d - np.hypot(p1 - l1, u2 - p2), d + np.hypot(u1 - p1, p2 - l2)


def newcombe_paired(
    a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike, z: float = Z95
) -> tuple[Array, Array, Array]:
    """Difference, lower and upper bound from paired cells: both pass, candidate only, baseline only, neither."""
    a, b, c, d = (np.asarray(x, dtype=float) for x in (a, b, c, d))
    n = a + b + c + d
    (l1, u1), (l2, u2) = wilson(a + b, n, z), wilson(a + c, n, z)
    p1, p2 = (a + b) / n, (a + c) / n
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    product = a * d - b * c
    product = np.where(product > 0, np.maximum(product - n / 2, 0.0), product)
    phi = np.where(margins > 0, product / np.sqrt(np.where(margins > 0, margins, 1.0)), 0.0)

    def side(one: Array, two: Array) -> Array:
        return np.sqrt(np.maximum(one * one - 2 * phi * one * two + two * two, 0.0))

    return p1 - p2, p1 - p2 - side(p1 - l1, u2 - p2), p1 - p2 + side(u1 - p1, p2 - l2)


def tango_statistic(n: ArrayLike, b: ArrayLike, c: ArrayLike, difference: ArrayLike) -> Array:
    """Score statistic of a trial difference in (-1, 1); falls as the difference grows."""
    n, b, c, t = (np.asarray(x, dtype=float) for x in (n, b, c, difference))
    linear = -b - c + (2 * n - b + c) * t
    q = (np.sqrt(np.maximum(linear**2 + 8 * n * c * t * (1 - t), 0.0)) - linear) / (4 * n)
    return np.asarray((b - c - n * t) / np.sqrt(np.maximum(n * (2 * q + t * (1 - t)), 1e-300)))


def tango(n: ArrayLike, b: ArrayLike, c: ArrayLike, z: float = Z95) -> tuple[Array, Array, Array]:
    """Difference, lower and upper bound of a paired difference; b candidate only, c baseline only, of n items."""
    n, b, c = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (n, b, c)))
    bounds = []
    for target in (z, -z):
        low, high = np.full(n.shape, -1.0), np.full(n.shape, 1.0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = tango_statistic(n, b, c, middle) > target
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        bounds.append((low + high) / 2)
    return (b - c) / n, bounds[0], bounds[1]


def mean_difference(differences: ArrayLike, z: float = Z95) -> tuple[float, float, float]:
    """Mean, lower and upper bound of per-item differences (several trials, continuous scores): items are the unit.

    The t quantile has the one-sided level of `z` and n - 1 degrees of freedom. Raises ValueError below two items.
    """
    x = np.asarray(differences, dtype=float)
    if len(x) < 2:
        raise ValueError("a bound on a mean needs at least two items")
    half = float(student.ppf(norm.cdf(z), len(x) - 1)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return float(x.mean()), float(x.mean()) - half, float(x.mean()) + half


def paired_items(margin: float, discordant: float, power: float = 0.8, z: float = Z95) -> float:
    """Items a paired test needs at a true difference of 0: `(z_a + z_b)^2 psi / margin^2` (not rounded)."""
    return float((z + norm.ppf(power)) ** 2 * discordant / margin**2)


def unpaired_items(margin: float, rate: float, power: float = 0.8, z: float = Z95) -> float:
    """Items per arm an unpaired test needs at equal rates: `(z_a + z_b)^2 2 p (1 - p) / margin^2` (not rounded)."""
    return paired_items(margin, 2 * rate * (1 - rate), power, z)


def paired_power(n: float, margin: float, discordant: float, z: float = Z95) -> float:
    """Chance that non-inferiority is shown at a true difference of 0 with n items; 1 when nothing ever differs."""
    if discordant <= 0:
        return 1.0 if z * z / (n + z * z) < margin else 0.0
    return float(norm.cdf(margin * math.sqrt(n / discordant) - z))


def unpaired_power(n: float, margin: float, rate: float, z: float = Z95) -> float:
    """As `paired_power` for n items per arm at equal rates."""
    return paired_power(n, margin, 2 * rate * (1 - rate), z)
