"""Levels that add up: total over workflows, over teams, over providers.

The total is the sum of its bottom level (workflows where there are any). Each other tree is reconciled to that total
by weighted least squares. Children below materiality, and spend of the total no child carries, are one `other` child.
Source: Wickramasuriya, Athanasopoulos, Hyndman (2019), Optimal forecast reconciliation through trace minimization.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecasting.config import ForecastConfig
from forecasting.models import Array
from forecasting.series import Panel, SeriesError, starts

OTHER = "other"
TOTAL = "total"


@dataclass(frozen=True)
class Tree:
    """A panel completed with `total` and `other` series. `member`: in a published tree; `grouped`: inside `other`."""

    panel: Panel
    member: NDArray[np.bool_]
    grouped: NDArray[np.bool_]
    total: int
    bottom: str | None

    def children(self, level: str) -> list[int]:
        """Positions of the published children of a level."""
        return [i for i in self.panel.of_level(level) if self.member[i]]


def _append(
    panel: Panel, level: str, key: str, scope: str, measures: tuple[Array, Array, Array], observed: NDArray[np.bool_]
) -> Panel:
    cost, calls, tokens = measures
    joined = np.concatenate([panel.cost, cost[None]])
    return replace(
        panel,
        keys=(*panel.keys, key),
        levels=(*panel.levels, level),
        scopes=(*panel.scopes, scope),
        cost=joined,
        calls=np.concatenate([panel.calls, calls[None]]),
        tokens=np.concatenate([panel.tokens, tokens[None]]),
        observed=np.concatenate([panel.observed, observed[None]]),
        start=np.append(panel.start, starts(cost[None], 0)),
        calls_start=np.append(panel.calls_start, starts(calls[None], panel.days)),
    )


def build_tree(panel: Panel, config: ForecastConfig) -> Tree:
    """Add the total when it is missing and `other` where a level needs one.

    Raises SeriesError when there are several totals, when a level adds to more than the total, or without any level.
    """
    totals = panel.of_level(TOTAL)
    if len(totals) > 1:
        raise SeriesError(f"more than one total: {', '.join(panel.keys[i] for i in totals)}")
    bottom = next((level for level in config.bottom_levels if panel.of_level(level)), None)
    if not totals:
        if bottom is None:
            raise SeriesError("no total and no level it could be the sum of")
        rows = panel.of_level(bottom)
        sums = (panel.cost[rows].sum(axis=0), panel.calls[rows].sum(axis=0), panel.tokens[rows].sum(axis=0))
        panel = _append(panel, TOTAL, TOTAL, TOTAL, sums, np.asarray(panel.observed[rows].all(axis=0)))
        totals = panel.of_level(TOTAL)
    total = totals[0]
    grouped = np.zeros(len(panel.keys), dtype=bool)
    for level in config.bottom_levels:
        children = panel.of_level(level)
        if not children:
            continue
        recent = panel.cost[:, -config.materiality_days :].sum(axis=1)
        for i in children:
            grouped[i] = panel.scopes[i] == OTHER or recent[i] < config.materiality * recent[total]
        kept = [i for i in children if not grouped[i]]
        rest = panel.cost[total] - panel.cost[kept].sum(axis=0)
        known = panel.observed[total] & panel.observed[children].all(axis=0)
        noise = 1e-9 * (1.0 + panel.cost[total])
        over = known & (panel.cost[total] - panel.cost[children].sum(axis=0) < -1e-6 - noise)
        if over.any():
            raise SeriesError(f"level {level!r} adds to more than the total on {panel.calendar[int(over.argmax())]}")
        rest = np.where(rest > 1e-6 + noise, rest, 0.0)
        if grouped[children].any() or rest.any():
            other = (
                rest,
                np.maximum(panel.calls[total] - panel.calls[kept].sum(axis=0), 0.0),
                np.maximum(panel.tokens[total] - panel.tokens[kept].sum(axis=0), 0.0),
            )
            panel = _append(panel, level, f"{level}:{OTHER}", OTHER, other, known)
            grouped = np.append(grouped, False)
    return Tree(panel=panel, member=~grouped, grouped=grouped, total=total, bottom=bottom)


def reconcile(
    parent: Array, children: Array, variance: Array, parent_variance: float = 0.0
) -> tuple[Array, Array]:
    """Weighted least squares so that parent = sum of children on every day; returns (parent, children).

    `parent` is (days,), `children` (children, days), `variance` (children,) the mean squared back-test errors. A
    `parent_variance` of 0 keeps the parent as it is. Children below zero become 0 and the rest is solved again.
    """
    free = np.ones_like(children, dtype=bool)
    for _ in range(len(children)):
        weight = np.where(free, variance[:, None], 0.0)
        gap = parent - np.where(free, children, 0.0).sum(axis=0)
        scale = weight.sum(axis=0) + parent_variance
        step = gap / np.where(scale > 0, scale, 1.0)
        solved = np.where(free, children + weight * step, 0.0)
        negative = solved < 0
        if not negative.any():
            break
        free &= ~negative
    solved = np.maximum(solved, 0.0)
    return (parent - parent_variance * step if parent_variance else solved.sum(axis=0)), solved
