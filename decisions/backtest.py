"""Would the rule have worked here? Expanding weekly folds, and the gate that refuses thin or disturbed data.

Fold k sizes on weeks 1..k and pays on week k + 1; hindsight is the best commitment for that very week. Weeks are whole
and counted back from the last hour, so the newest data are always used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from decisions.config import CommitmentConfig
from decisions.offers import (
    PERIOD_POOL,
    SPEND_COMMIT_COVERED,
    Offer,
    Terms,
    pool_cost,
    spend_commit_all_cost,
    spend_commit_covered_cost,
)
from decisions.sizing import Array, Curve, best_pool, best_spend_commit, optimal_level, round_to_blocks
from decisions.statistics import cusum, floored_spread
from decisions.tiers import greedy, tier_cost

WEEK = 168
STEADY, DIURNAL, BURSTY = "steady", "diurnal", "bursty"


@dataclass(frozen=True)
class Folds:
    """Per fold: what was committed, the saving it realised and the best saving hindsight could have had (USD)."""

    committed: Array
    realised: Array
    hindsight: Array

    @property
    def captured(self) -> float | None:
        """Realised over hindsight saving; None when there was nothing to save."""
        best = float(self.hindsight.sum())
        return float(self.realised.sum()) / best if best > 0 else None

    @property
    def worst(self) -> float | None:
        """Saving of the worst fold; None without folds."""
        return float(self.realised.min()) if len(self.realised) else None

    @property
    def regret(self) -> float:
        """Hindsight less realised saving over all folds, USD; never below 0."""
        return float((self.hindsight - self.realised).sum())


def steadiness(demand: Array) -> str:
    """`steady` (hourly p10 over mean at least 0.5), `diurnal` (0.1 to 0.5) or `bursty`."""
    mean = float(demand.mean())
    ratio = float(np.quantile(demand, 0.1, method="inverted_cdf")) / mean if mean > 0 else 0.0
    return STEADY if ratio >= 0.5 else DIURNAL if ratio >= 0.1 else BURSTY


@dataclass(frozen=True)
class FoldBook:
    """Sorted curves of every fold of one scope, made once and asked for every offer: (train, halves, test)."""

    folds: tuple[tuple[Curve, tuple[Curve, ...], Curve], ...]

    @classmethod
    def of(cls, demand: Array, config: CommitmentConfig) -> FoldBook:
        """Folds over whole weeks of hours (rack USD); halves of the training weeks only where these are young."""
        weeks = len(demand) // WEEK
        d = demand[len(demand) - weeks * WEEK :]
        order = np.argsort(d, kind="stable")
        values = d[order]

        def hours(start: int, end: int) -> Curve:
            kept = values[(order >= start) & (order < end)]
            return Curve.of_sorted(kept, np.ones(len(kept)))

        folds = []
        for k in range(max(1, weeks - config.max_folds), weeks):
            end = k * WEEK
            young = end < config.young_days * 24
            cut = end - k // 2 * WEEK
            halves = (hours(0, cut), hours(cut, end)) if young and k > 1 else ()
            folds.append((hours(0, end), halves, hours(end, end + WEEK)))
        return cls(tuple(folds))


def capped_level(curve: Curve, halves: tuple[Curve, ...], terms: Terms) -> float:
    """The quantile rule, never above the quantile of either half of a young window."""
    return min(optimal_level(part, terms.c, terms.shortage) for part in (curve, *halves))


def window_halves(demand: Array, young_days: int) -> tuple[Curve, ...]:
    """Curves of the two halves of a window below `young_days`; none for a longer one or one below two weeks.

    The later half is whole weeks: a half with more weekends than the other would only tell weekdays from weekends.
    """
    weeks = len(demand) // WEEK
    if len(demand) >= young_days * 24 or weeks < 2:
        return ()
    cut = len(demand) - weeks // 2 * WEEK
    return Curve.of(demand[:cut]), Curve.of(demand[cut:])


def hourly_folds(book: FoldBook, terms: Terms) -> Folds:
    """Back-test of the rule for an hourly offer on one scope."""
    c, p = terms.c, terms.shortage

    def rounded(curve: Curve, level: float) -> float:
        return round_to_blocks(curve, level, c, terms.block, terms.minimum, terms.cap, p)

    committed, realised, hindsight = [], [], []
    for train, halves, test in book.folds:
        level = rounded(train, capped_level(train, halves, terms))
        best = rounded(test, optimal_level(test, c, p))
        # Nothing committed is all on demand, also for a product that cannot spill over.
        saving = np.where(np.array([level, best]) > 0, test.total - test.cost([level, best], c, p), 0.0)
        committed.append(level)
        realised.append(float(saving[0]))
        hindsight.append(max(float(saving.max()), 0.0))
    return Folds(np.array(committed), np.array(realised), np.array(hindsight))


def period_choice(
    offer: Offer, c: float, scale: float = 1.0
) -> tuple[Callable[[Array, Array], float], Callable[[Array, float], Array]]:
    """(best commitment for a weighted sample of period totals, pay for totals and a commitment) of S2, S3 and S4.

    S4 has one commitment, its minimum (a tier is an offer of its own): 0 when on demand is expected to cost less.
    `scale` shortens the period (a week of a longer one).
    """
    if offer.shape == PERIOD_POOL:
        return (lambda u, w: best_pool(u, w, c)), (lambda u, q: pool_cost(u, q, c))
    if offer.shape == SPEND_COMMIT_COVERED:
        return (lambda u, w: best_spend_commit(u, w, 1 - c, spend_commit_covered_cost)), (
            lambda u, s: spend_commit_covered_cost(u, s, 1 - c)
        )
    tier = offer.minimum * scale

    def pay(u: Array, s: float) -> Array:
        return spend_commit_all_cost(u, s, 1 - c) if s > 0 else u

    return (lambda u, w: tier if float((pay(u, tier) - u) @ w) < 0 else 0.0), pay


def period_folds(weekly: Array, offer: Offer, c: float, config: CommitmentConfig) -> Folds:
    """Back-test of a period product on weekly totals: a week stands for its (longer) period, which only adds noise."""
    choose, pay = period_choice(offer, c, WEEK / (offer.period_hours or offer.term_hours))
    committed, realised, hindsight = [], [], []
    for k in range(max(1, len(weekly) - config.max_folds), len(weekly)):
        level, total = choose(weekly[:k], np.ones(k)), weekly[k : k + 1]
        best = choose(total, np.ones(1))
        committed.append(level)
        realised.append(float((total - pay(total, level))[0]))
        hindsight.append(max(float((total - pay(total, best))[0]), realised[-1], 0.0))
    return Folds(np.array(committed), np.array(realised), np.array(hindsight))


def weekly_totals(demand: Array) -> Array:
    """Totals of whole weeks, counted back from the last hour."""
    weeks = len(demand) // WEEK
    return np.asarray(demand[len(demand) - weeks * WEEK :].reshape(weeks, WEEK).sum(axis=1))


def no_regret_level(demand: Array, terms: Terms, config: CommitmentConfig) -> float | None:
    """Lowest K over bootstraps of whole weeks (seeded); None with fewer than two weeks. Weeks keep autocorrelation."""
    weeks = len(demand) // WEEK
    if weeks < 2 or terms.c >= terms.shortage:
        return 0.0 if weeks >= 2 else None
    d = demand[len(demand) - weeks * WEEK :]
    order = np.argsort(d, kind="stable")
    of_week = order // WEEK
    rng = np.random.default_rng(config.seed)
    times = rng.multinomial(weeks, np.full(weeks, 1 / weeks), size=config.bootstrap_draws)
    share = (1 - terms.c / terms.shortage) * len(d)
    reached = np.cumsum(times[:, of_week], axis=1) >= share - 1e-9 * len(d)
    return float(d[order][reached.argmax(axis=1)].min())


def level_shift(totals: Array, days: list[date], config: CommitmentConfig) -> date | None:
    """First day of the last `shift_days` on which a two-sided CUSUM on log daily totals alarms; None when none does.

    Log totals are standardised with the median of their kind of day (weekday or weekend; each weekday from eight weeks
    on) and the MAD of the days before (floor 0.10). z is held within +/-2: one odd day is no shift, several are.
    """
    recent = min(config.shift_days, len(totals))
    base = len(totals) - recent
    if base < 7:
        return None
    logs = np.log(np.maximum(totals, max(1e-9, 0.01 * float(np.median(totals)))))
    kind = np.array([day.weekday() if base >= 8 * 7 else day.weekday() // 5 for day in days])
    centre = np.full(len(logs), float(np.median(logs[:base])))
    for k in np.unique(kind[:base]):
        centre[kind == k] = np.median(logs[:base][kind[:base] == k])
    residual = logs - centre
    # Centres fitted on the same days make their residuals too small.
    optimism = np.sqrt(base / max(base - len(np.unique(kind[:base])), 1))
    spread = floored_spread(residual[:base] * optimism, absolute=0.10)
    z = np.clip(residual[base:] / spread, -2.0, 2.0)
    alarms = [a for a in (cusum(s * z, config.shift_k, config.shift_h)[1] for s in (1, -1)) if a is not None]
    return days[base + min(alarms)] if alarms else None


def whole_weeks(complete: list[date]) -> int:
    """Runs of seven complete days that follow one another, counted back from the last complete day."""
    known = set(complete)
    if not known:
        return 0
    day, run = max(known), 0
    while day - timedelta(days=run) in known:
        run += 1
    return run // 7


def data_gate(days: pl.DataFrame, config: CommitmentConfig) -> list[str]:
    """Why nothing may be sized on these days of one pool; empty when the gate is open.

    `days` carries charge_date, spend, attributed_spend (tiers call, session, person and team), incident_spend (of
    unresolved incidents), is_complete and is_priced (a price is known for every row of the day).
    """
    rows = days.sort("charge_date")
    complete = rows.filter(pl.col("is_complete") & (pl.col("attributed_spend") > 0))
    reasons = []
    if complete.height < config.min_days:
        reasons.append(f"{complete.height} of {config.min_days} complete attributed days")
    weeks = whole_weeks(complete["charge_date"].to_list())
    if weeks < config.min_weeks:
        reasons.append(f"{weeks} of {config.min_weeks} whole weeks")
    sums = rows.select(pl.col("spend", "attributed_spend", "incident_spend").cast(pl.Float64).sum()).row(0)
    spend, attributed, incident = (float(x) for x in sums)
    if spend <= 0:
        return [*reasons, "no spend in the window"]
    if attributed < config.min_attribution * spend:
        reasons.append(f"{attributed / spend:.1%} of spend attributed, {config.min_attribution:.0%} needed")
    if incident > config.max_incident_share * spend:
        reasons.append(
            f"unresolved incidents hold {incident / spend:.1%} of spend, {config.max_incident_share:.0%} allowed"
        )
    unpriced = rows.filter(~pl.col("is_priced")).height
    if unpriced:
        reasons.append(f"price versions unknown on {unpriced} days")
    shift = level_shift(
        complete["spend"].cast(pl.Float64).to_numpy(), complete["charge_date"].to_list(), config
    ) if complete.height else None  # fmt: skip
    if shift is not None:
        reasons.append(f"level shift on {shift.isoformat()}, inside the last {config.shift_days} days")
    return reasons


def tier_folds(book: FoldBook, prices: Sequence[float], caps: Sequence[float | None]) -> Folds:
    """Back-test of several capped products bought together by the greedy rule."""
    committed, realised, hindsight = [], [], []
    for train, halves, test in book.folds:
        options = [greedy(part, prices, caps) for part in (train, *halves)]
        amounts = min(options, key=lambda k: float(k.sum()))
        saving = test.total - tier_cost(test, amounts, prices)
        committed.append(float(amounts.sum()))
        realised.append(saving)
        hindsight.append(max(test.total - tier_cost(test, greedy(test, prices, caps), prices), saving, 0.0))
    return Folds(np.array(committed), np.array(realised), np.array(hindsight))
