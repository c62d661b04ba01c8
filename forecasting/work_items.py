"""Leave-one-out prediction of work item cost when nothing but past costs is known.

The target is ln(cost), so the typical item is a geometric mean and the expected one carries a smearing factor.
Sources: Duan (1983), Smearing estimate; Barber, Candes, Ramdas, Tibshirani (2021), Predictive inference with the
jackknife+.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from forecasting.models import Array


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out forecasts (`predicted`, one per item) with their error, and the forecast of a new item.

    `lo`, `hi` are None where too few items make the interval unbounded.
    """

    predicted: Array
    wape: float
    mdape: float
    bias: float
    smearing: float
    median: float
    mean: float
    lo: float | None
    hi: float | None


def leave_one_out(costs: Array, miss: float = 0.2) -> LeaveOneOut:
    """Predict each delivered item from the others by their geometric mean, and a new item from all of them.

    Raises ValueError below two items or for a cost that is not positive.
    """
    costs = np.asarray(costs, dtype=float)
    if len(costs) < 2 or not (costs > 0).all():
        raise ValueError("leave-one-out needs at least two items, each with a cost above zero")
    logs, n = np.log(costs), len(costs)
    left_out = (logs.sum() - logs) / (n - 1)
    residual = logs - left_out
    predicted = np.exp(left_out)
    error = predicted - costs
    smearing = float(np.exp(residual).mean())
    k = ceil((1 - miss) * (n + 1))
    bounded = k <= n
    high, low = np.sort(left_out + np.abs(residual)), np.sort(left_out - np.abs(residual))
    median = float(np.exp(logs.mean()))
    return LeaveOneOut(
        predicted=predicted,
        wape=float(np.abs(error).sum() / costs.sum()),
        mdape=float(np.median(np.abs(error) / costs)),
        bias=float(error.sum() / costs.sum()),
        smearing=smearing,
        median=median,
        mean=median * smearing,
        lo=float(np.exp(low[n - k])) if bounded else None,
        hi=float(np.exp(high[k - 1])) if bounded else None,
    )
