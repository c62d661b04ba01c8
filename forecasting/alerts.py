"""Alerts of budgets: one open alert per budget and period, raised at once, cleared slowly, told once per change.

A pure fold over the pacing rows of all days so far, so a rerun of any day gives the same alerts.
"""

from __future__ import annotations

import polars as pl

from forecasting.config import ForecastConfig
from forecasting.pacing import CRITICAL, OK, WARN, WATCH
from forecasting.schemas import DECISION_SCHEMAS

RANK = {OK: 0, WATCH: 1, WARN: 2, CRITICAL: 3}
MARGIN = 0.1
QUIET_DAYS = 2
PACE_SHARES = (0.7, 0.8)
TYPICAL_SHARE = 0.8
TYPICAL_DAYS_LEFT = 14


def named_rules(mtd: float, budget: float, typical: float | None, days_left: int) -> dict[str, bool]:
    """The two published pace rules by name; shares of different wholes, so both are told.

    `pace_70` and `pace_80`: month to date has reached that share of the budget. `typical_80`: it has reached 80 % of a
    typical month (the caller's median of past months, None when unknown) with at least 14 days left. A budget of 0 is
    reached by the first cost.
    """
    reached = {f"pace_{round(100 * share)}": mtd > 0 and mtd >= share * budget - 1e-9 for share in PACE_SHARES}
    early = typical is not None and typical > 0 and days_left >= TYPICAL_DAYS_LEFT
    return reached | {"typical_80": bool(early and mtd >= TYPICAL_SHARE * (typical or 0.0) - 1e-9)}


def alert_states(pacing: pl.DataFrame, config: ForecastConfig | None = None) -> pl.DataFrame:
    """Rows of `budget_alerts`, one per pacing row (budget x period x as-of day), sorted.

    `open_level` rises with the day's level at once and falls to it after two days in a row with P(breach) below the
    open level's threshold less 0.1; a day without a level (no data) changes nothing. `is_change` marks the days to
    tell: a higher or lower open level than the day before, never a repetition.
    """
    config = config or ForecastConfig()
    threshold = {
        OK: 0.0, WATCH: config.watch_probability, WARN: config.warn_probability, CRITICAL: config.critical_probability,
    }
    rows = []
    keys = ["budget_id", "period_start"]
    for key, days in pacing.sort(*keys, "as_of").group_by(keys, maintain_order=True):
        open_level, quiet = OK, 0
        for day in days.iter_rows(named=True):
            level, before = day["level"], open_level
            if level in RANK:
                p = day["p_breach"] or 0.0
                if RANK[level] >= RANK[open_level]:
                    open_level, quiet = level, 0
                elif p < threshold[open_level] - MARGIN:
                    quiet += 1
                    if quiet >= QUIET_DAYS:
                        open_level, quiet = level, 0
                else:
                    quiet = 0
            rows.append(
                {"budget_id": key[0], "period_start": key[1], "as_of": day["as_of"], "level": level,
                 "open_level": open_level, "previous_level": before, "is_change": open_level != before}
            )
    return pl.DataFrame(rows, schema=DECISION_SCHEMAS["budget_alerts"])
