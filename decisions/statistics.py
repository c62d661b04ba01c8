"""Robust building blocks that several decisions share.

Sources: Rousseeuw, Croux (1993), Alternatives to the median absolute deviation; Page (1954), Continuous inspection
schemes; Benjamini, Hochberg (1995), Controlling the false discovery rate; Holm (1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Makes the MAD of a normal distribution its standard deviation.
MAD_SCALE = 1.4826


def floored_spread(history: ArrayLike, relative: float = 0.0, absolute: float = 0.0) -> float:
    """`1.4826 x MAD`, at least `relative` x |median| and at least `absolute`. Raises ValueError without history."""
    x = np.asarray(history, dtype=float)
    if len(x) == 0:
        raise ValueError("a spread needs history")
    median = float(np.median(x))
    return max(MAD_SCALE * float(np.median(np.abs(x - median))), relative * abs(median), absolute)


def cusum(z: ArrayLike, k: float, h: float, reset: bool = False) -> tuple[Array, int | None]:
    """Path of `S_t = max(0, S_{t-1} + z_t - k)` and the index of the first alarm (S > h), None when there is none.

    `reset` starts again from 0 after each alarm; the path then shows the value that alarmed.
    """
    values = np.asarray(z, dtype=float)
    path, first, s = np.zeros(len(values)), None, 0.0
    for t, value in enumerate(values):
        s = max(0.0, s + value - k)
        path[t] = s
        if s > h:
            first = t if first is None else first
            s = 0.0 if reset else s
    return path, first


def holm(p_values: ArrayLike) -> Array:
    """Holm-adjusted p-values in the given order."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out


def benjamini_hochberg(p_values: ArrayLike, q: float) -> NDArray[np.bool_]:
    """Which hypotheses are rejected at false discovery rate q."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    passing = np.flatnonzero(p[order] <= q * np.arange(1, len(p) + 1) / max(len(p), 1))
    out = np.zeros(len(p), dtype=bool)
    if len(passing):
        out[order[: passing[-1] + 1]] = True
    return out
