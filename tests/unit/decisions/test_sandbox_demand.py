"""The sizing rule on the hourly demand of the sandbox's requests; `make bench BENCH=commitments` has the table."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.commitments import hourly_demand, whole
from decisions.backtest import FoldBook, hourly_folds
from decisions.config import CommitmentConfig
from decisions.offers import Terms


@pytest.mark.parametrize("seed", [1, 2])
def test_the_portfolio_captures_most_of_hindsight_and_no_week_loses(seed):
    demand = hourly_demand(seed, 90)
    portfolio = whole(demand, "all")
    assert len(portfolio) >= 89 * 24 and portfolio.sum() == pytest.approx(sum(whole(demand, p).sum() for p in set(demand["pool"])))
    book = FoldBook.of(portfolio, CommitmentConfig())
    for discount in (0.2, 0.35, 0.5):
        folds = hourly_folds(book, Terms(1 - discount, 1.0, 0.0, 0.0, np.inf))
        assert folds.captured is not None and folds.captured >= 0.85
        assert folds.worst is not None and folds.worst >= 0
