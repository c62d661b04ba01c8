"""How to pay: every way to pay for a pool of demand in one table, sized, risked, back-tested and decided.

Portfolio first: what one commitment can cover (same vendor, model family, region) is pooled exactly, workloads
alone are shown beside it. Existing commitments come off first, open levers too. Refusals are rows with their reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from decisions.backtest import (
    BURSTY,
    FoldBook,
    Folds,
    capped_level,
    data_gate,
    hourly_folds,
    no_regret_level,
    period_choice,
    period_folds,
    steadiness,
    tier_folds,
    weekly_totals,
    window_halves,
)
from decisions.config import CommitmentConfig
from decisions.offers import (
    BATCH,
    HOURLY_SHAPES,
    ON_DEMAND,
    PERIOD_POOL,
    SPEND_COMMIT_ALL,
    Array,
    Offer,
    Terms,
    Traffic,
    hourly_terms,
    offers_in_force,
    ramp_segments,
    sensitivity,
)
from decisions.scenarios import MIN_ERRORS, ForecastErrors, TermScenarios, term_scenarios
from decisions.schemas import (
    DAY_COLUMNS,
    DEMAND_COLUMNS,
    ERROR_COLUMNS,
    EXISTING_COLUMNS,
    GROWTH_COLUMNS,
    LEVER_COLUMNS,
    POOL_COLUMNS,
    SCHEMAS,
    TRAFFIC_COLUMNS,
    DecisionError,
    empty,
    require,
)
from decisions.sizing import (
    Curve,
    Growth,
    Risk,
    block_candidates,
    break_even_fall,
    break_even_level,
    optimal_level,
    risk_of,
    robust_level,
    round_to_blocks,
    safe_level,
    scenario_cost,
)
from decisions.tiers import greedy, shared_demand

MONTH_HOURS = 730.0
PORTFOLIO = ""
NO_FORECAST = "no forecast: the window as it was"
RECOMMEND, STAY, REFUSED = "recommend", "stay_on_demand", "insufficient_data"
OVERRIDE, COVERED, NOT_APPLICABLE, UNKNOWN, LEVER = (
    "override",
    "covered_by_portfolio",
    "not_applicable",
    "unknown_terms",
    "lever",
)
# A scenario per draw is kept up to this many where existing commitments make each one a curve of its own.
_MAX_CURVES = 41


@dataclass(frozen=True)
class Advice:
    """Results by the names of `schemas.SCHEMAS`."""

    commitment_sizing: pl.DataFrame
    commitment_sensitivity: pl.DataFrame

    def frames(self) -> dict[str, pl.DataFrame]:
        """The frames by name."""
        return {"commitment_sizing": self.commitment_sizing, "commitment_sensitivity": self.commitment_sensitivity}


@dataclass(frozen=True)
class TermDemand:
    """Demand over an offer's term in rack USD: a curve per growth factor, or one curve that scales with growth.

    `outside` is demand (USD per growth factor) in hours when a ramp commits nothing.
    """

    growth: Growth
    base: Curve
    curves: tuple[Curve, ...] = ()
    outside: Array = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of(
        cls, hours: Array, growth: Growth, term_hours: float, segments: Sequence[tuple[float, float, float]]
    ) -> TermDemand:
        """`segments`: (share of the term, existing rack USD per hour then, share of the commitment then)."""
        per_hour = term_hours / len(hours)

        def build(factor: float) -> Curve:
            parts = [(np.maximum(factor * hours - k, 0.0) / r, s * r * per_hour) for s, k, r in segments if r > 0]
            values = np.concatenate([v for v, _ in parts])
            return Curve.of(values, np.repeat([w for _, w in parts], len(hours)))

        idle = [(s, k) for s, k, r in segments if r == 0]
        if not any(k for _, k, _ in segments):
            outside = growth.factor * sum(s for s, _ in idle) * per_hour * hours.sum()
            return cls(growth, build(1.0), (), outside)
        if len(growth.factor) > _MAX_CURVES:
            points = (np.arange(_MAX_CURVES) + 0.5) / _MAX_CURVES
            growth = Growth.of([growth.quantile(float(q)) for q in points])
        curves = tuple(build(float(g)) for g in growth.factor)
        outside = np.array(
            [sum(s * np.maximum(g * hours - k, 0).sum() for s, k in idle) * per_hour for g in growth.factor]
        )
        return cls(growth, build(1.0), curves, outside + np.zeros(len(growth.factor)))

    def at(self, share: float) -> Curve:
        """Curve at a quantile of growth."""
        factor = self.growth.quantile(share)
        if self.curves:
            return self.curves[int(np.searchsorted(self.growth.factor, factor))]
        return Curve.of_sorted(self.base.level * factor, self.base.weight)

    def cost(self, level: float, terms: Terms) -> Array:
        """Cost of the demand per growth factor with K committed; K = 0 is on demand."""
        if level <= 0:
            return self.on_demand
        if not self.curves:
            return scenario_cost(self.base, level, terms.c, self.growth, terms.shortage) + self.outside
        return np.array([float(c.cost(level, terms.c, terms.shortage)) for c in self.curves]) + self.outside

    @property
    def on_demand(self) -> Array:
        """On-demand cost per growth factor."""
        if not self.curves:
            return self.growth.factor * self.base.total + self.outside
        return np.array([c.total for c in self.curves]) + self.outside

    def covered(self, level: float) -> Array:
        """Demand carried by K per growth factor."""
        if self.curves:
            return np.array([float(c.covered(level)) for c in self.curves])
        g = np.where(self.growth.factor > 0, self.growth.factor, 1.0)
        return np.where(self.growth.factor > 0, g * self.base.covered(level / g), 0.0)

    def break_even(self, terms: Terms) -> Array:
        """Break-even level per growth factor."""
        if self.curves:
            return np.array([break_even_level(c, terms.c) for c in self.curves])
        return self.growth.factor * break_even_level(self.base, terms.c)


@dataclass(frozen=True)
class _Pool:
    """What is known about one pool on `as_of`."""

    name: str
    provider: str
    model_id: str | None
    deployment: str | None
    is_hourly: bool
    tolerant_share: float | None
    scopes: tuple[str, ...]
    demand: Array
    traffic: Traffic | None
    growth: Growth
    growth_basis: str
    scenarios: TermScenarios | None
    existing: tuple[tuple[float, datetime, datetime], ...]
    levers: tuple[Mapping[str, Any], ...]
    gate: tuple[str, ...]

    def growth_over(self, term_hours: float, annual_fall: float) -> Growth:
        """Growth over a term at its mean on-demand price."""
        growth = self.growth if self.scenarios is None else self.scenarios.over(term_hours)
        return replace(growth, factor=growth.factor * price_path(annual_fall, term_hours))


def price_path(annual_fall: float, term_hours: float) -> float:
    """Mean on-demand price over a term as a share of today's, when list prices fall by `annual_fall` a year."""
    rate = -np.log1p(-annual_fall) * term_hours / 8760
    return float(-np.expm1(-rate) / rate) if rate > 0 else 1.0


def advise(
    demand: pl.DataFrame,
    pools: pl.DataFrame,
    offers: pl.DataFrame,
    as_of: date,
    *,
    days: pl.DataFrame,
    traffic: pl.DataFrame | None = None,
    existing: pl.DataFrame | None = None,
    growth: pl.DataFrame | None = None,
    errors: pl.DataFrame | None = None,
    levers: pl.DataFrame | None = None,
    config: CommitmentConfig | None = None,
    run_id: str = "",
) -> Advice:
    """Size every offer in force for every pool and the workloads in it.

    `demand`: pool, scope, hour (UTC), on_demand_usd (at rack rate); hours without a row are 0. `pools`: provider,
    model_id, deployment, granularity (`hour` or `day`), optional latency_tolerant_share, burst (peak minute over mean
    minute of a busy hour). `days`: facts of the data gate.
    `growth`: scenarios of term demand over window demand; without them they are drawn (`scenarios`) when `errors`
    (actual over forecast of back-tested forecasts, provider `` = the total) is given. Rows after `as_of` are not looked at.
    Raises DecisionError for frames nothing can be said about.
    """
    settings = config or CommitmentConfig()
    book = offers_in_force(offers, as_of)
    rows: list[dict[str, Any]] = []
    sensitive: list[pl.DataFrame] = []
    for pool in _read_pools(demand, pools, as_of, days, traffic, existing, growth, errors, levers, settings):
        found, table = _advise_pool(pool, _applicable(pool, book), as_of, settings)
        rows += found
        sensitive += table
    audit = {"as_of": as_of, "run_id": run_id, "config_hash": settings.hash()}
    schema = SCHEMAS["commitment_sizing"]
    sizing = pl.DataFrame([dict.fromkeys(schema) | row | audit for row in rows], schema=schema)
    whole = pl.concat(sensitive) if sensitive else empty("commitment_sensitivity").drop(list(audit))
    lits = [pl.lit(as_of).alias("as_of"), pl.lit(run_id).alias("run_id"), pl.lit(settings.hash()).alias("config_hash")]
    whole = whole.with_columns(lits).cast(SCHEMAS["commitment_sensitivity"])  # type: ignore[arg-type]
    return Advice(
        sizing.sort("pool", "scope", "kind", "offer_id", "level"),
        whole.sort("pool", "offer_id", "driver", "change"),
    )


def _applicable(pool: _Pool, book: Sequence[Offer]) -> list[Offer]:
    return [
        o
        for o in book
        if o.provider == pool.provider
        and o.is_sold
        and o.model_id in (None, pool.model_id)
        and (o.deployment is None or pool.deployment is None or o.deployment == pool.deployment)
    ]


def _advise_pool(
    pool: _Pool, book: Sequence[Offer], as_of: date, config: CommitmentConfig
) -> tuple[list[dict[str, Any]], list[pl.DataFrame]]:
    override = config.overrides.get(pool.name)
    open_effect = np.prod([1 - r["expected_effect"] for r in pool.levers if r["decision"] in ("open", "inconclusive")])
    whole = pool.demand.sum(axis=0) * float(open_effect)
    base = {"pool": pool.name, "scope": PORTFOLIO, "growth_basis": pool.growth_basis, "steadiness": steadiness(whole)}
    rows = [_on_demand_row(base, whole, pool, config), *_lever_rows(base, pool, book, config)]
    if pool.gate and override is None:
        reason = "; ".join(pool.gate)
        rows += [
            base | _blank(o) | {"decision": REFUSED, "reason": reason}
            for o in book
            if o.shape not in (ON_DEMAND, BATCH)
        ]
        return rows, []
    text = override and f"{override.owner}: {override.reason}" + (
        f" (gate: {'; '.join(pool.gate)})" if pool.gate else ""
    )
    portfolio, tables = _evaluate_scope(pool, PORTFOLIO, whole, book, as_of, config, with_levels=True)
    portfolio += _tier_rows(pool, whole, book, as_of, config, portfolio)
    _choose(portfolio)
    if pool.gate:
        for row in portfolio:
            row["override"] = text
            if row["decision"] == RECOMMEND:
                row["decision"] = OVERRIDE
    rows += [base | _public(row, pool) for row in portfolio]
    advised = any(row["is_advised"] for row in portfolio)
    for i, scope in enumerate(pool.scopes):
        alone = pool.demand[i] * float(open_effect)
        label = steadiness(alone)
        found, _ = _evaluate_scope(pool, scope, alone, book, as_of, config, share_of=whole)
        for row in found:
            if row["decision"] == RECOMMEND and label == BURSTY:
                row |= {"decision": STAY, "reason": "bursty: never commits alone, only inside the portfolio"}
            elif row["decision"] == RECOMMEND and advised:
                row |= {"decision": COVERED, "reason": "the portfolio's commitment covers it"}
        _choose(found)
        for row in found:
            if pool.gate:
                row["override"] = text
                if row["decision"] == RECOMMEND:
                    row["decision"] = OVERRIDE
            rows.append(base | {"scope": scope, "steadiness": label} | _public(row, pool))
    return rows, tables


def _public(row: Mapping[str, Any], pool: _Pool) -> dict[str, Any]:
    """Columns of the table; without a forecast there is one scenario, so the risk of the term is not known."""
    out = {name: value for name, value in row.items() if not name.startswith("_")}
    if pool.growth_basis.startswith(NO_FORECAST) and out.get("p_loss") is not None:
        out |= {"p_loss": None, "cvar90": None}
        if out["decision"] in (RECOMMEND, OVERRIDE):
            out["reason"] = "; ".join(
                part for part in (out.get("reason"), "P(loss) is not measured without a forecast") if part
            )
    return out


def _blank(offer: Offer) -> dict[str, Any]:
    return {
        "offer_id": offer.offer_id,
        "kind": "commitment",
        "shape": offer.shape,
        "level": "advised",
        "unit": offer.unit,
        "term_hours": offer.term_hours,
        "is_advised": False,
    }


def _on_demand_row(base: Mapping[str, Any], whole: Array, pool: _Pool, config: CommitmentConfig) -> dict[str, Any]:
    cost = float(whole.mean()) * config.lever_horizon_hours * pool.growth.mean
    return dict(base) | {
        "offer_id": ON_DEMAND, "kind": ON_DEMAND, "shape": ON_DEMAND, "level": "none", "unit": "rack USD", "units": 0.0,
        "term_hours": config.lever_horizon_hours, "on_demand_cost": cost, "cost": cost, "saving": 0.0,
        "saving_share": 0.0, "monthly_saving": 0.0, "p_loss": 0.0, "cvar90": 0.0, "forfeiture": 0.0,
        "decision": ON_DEMAND, "is_advised": False,
    }  # fmt: skip


def _lever_rows(
    base: Mapping[str, Any], pool: _Pool, book: Sequence[Offer], config: CommitmentConfig
) -> list[dict[str, Any]]:
    """Cheaper alternatives priced over the same horizon: the gate's levers and the vendor's batch prices."""
    before = float(pool.demand.sum()) / max(pool.demand.shape[1], 1) * config.lever_horizon_hours * pool.growth.mean
    said = {
        "open": "open at the gate: commitments are sized on what it leaves",
        "inconclusive": "inconclusive at the gate: commitments are sized on what it would leave",
        "promoted": "promoted: already in the demand",
        "rejected": "rejected at the gate: not an option",
    }
    found: list[tuple[str, float | None, str]] = []
    for r in pool.levers:
        found.append(
            (
                r["lever_id"],
                0.0 if r["decision"] in ("promoted", "rejected") else r["expected_effect"],
                said[r["decision"]],
            )
        )
    for o in book:
        if o.shape == BATCH:
            share = pool.tolerant_share
            reason = (
                "share of latency-tolerant demand is not measured"
                if share is None
                else f"{share:.0%} of demand can wait"
            )
            found.append((o.offer_id, None if share is None else share * (1 - o.multiplier), reason))
    rows = []
    for lever, effect, reason in found:
        saving = None if effect is None else effect * before
        rows.append(
            dict(base) | {
                "offer_id": lever, "kind": LEVER, "shape": LEVER, "level": "none", "unit": "share of demand",
                "units": effect, "term_hours": config.lever_horizon_hours, "on_demand_cost": before,
                "cost": None if saving is None else before - saving, "saving": saving, "saving_share": effect,
                "monthly_saving": None if saving is None else saving / config.lever_horizon_hours * MONTH_HOURS,
                "decision": LEVER, "reason": reason, "is_advised": False,
            }
        )  # fmt: skip
    return rows


def _segments(pool: _Pool, offer: Offer, as_of: date, share: float) -> list[tuple[float, float, float]]:
    """(share of the term, existing rack USD per hour then, ramp share then); existing ones until each expires."""
    start = datetime(as_of.year, as_of.month, as_of.day)
    ramp = ramp_segments(offer.ramp)
    cuts = {0.0, 1.0, *np.cumsum([s for s, _ in ramp])[:-1].tolist()}
    for _, begins, ends in pool.existing:
        for moment in (begins, ends):
            cuts.add(float(np.clip((moment - start) / timedelta(hours=offer.term_hours), 0.0, 1.0)))
    edges = sorted(cuts)
    ramp_ends = np.cumsum([s for s, _ in ramp])
    out = []
    for low, high in pairwise(edges):
        if high - low < 1e-12:
            continue
        moment = start + timedelta(hours=offer.term_hours * (low + high) / 2)
        held = sum(k for k, begins, ends in pool.existing if begins <= moment < ends)
        level = ramp[min(int(np.searchsorted(ramp_ends, (low + high) / 2)), len(ramp) - 1)][1]
        out.append((high - low, share * held, level))
    return out


def _evaluate_scope(
    pool: _Pool,
    scope: str,
    hours: Array,
    book: Sequence[Offer],
    as_of: date,
    config: CommitmentConfig,
    *,
    with_levels: bool = False,
    share_of: Array | None = None,
) -> tuple[list[dict[str, Any]], list[pl.DataFrame]]:
    """Rows of every commitment offer for one demand; existing commitments cover a workload pro rata to its demand."""
    share = float(hours.sum() / share_of.sum()) if share_of is not None and share_of.sum() > 0 else 1.0
    rows: list[dict[str, Any]] = []
    tables: list[pl.DataFrame] = []
    folds = FoldBook.of(hours, config)
    demands: dict[tuple[Any, ...], TermDemand] = {}
    for offer in book:
        if offer.shape in (ON_DEMAND, BATCH):
            continue
        growth = pool.growth_over(offer.term_hours, config.annual_price_fall)
        if offer.shape in HOURLY_SHAPES:
            if not pool.is_hourly:
                reason = "daily data: hourly capacity cannot be sized, only period pools and spend commitments"
                rows.append(_blank(offer) | {"decision": NOT_APPLICABLE, "reason": reason})
                continue
            terms = hourly_terms(offer, pool.traffic)
            if isinstance(terms, str):
                rows.append(_blank(offer) | {"decision": UNKNOWN, "reason": terms})
                continue
            segments = _segments(pool, offer, as_of, share * terms.value_share)
            key = (terms.value_share, offer.term_hours, tuple(segments))
            if key not in demands:
                demands[key] = TermDemand.of(hours * terms.value_share, growth, offer.term_hours, segments)
            held = _existing_now(pool, as_of) * share * terms.value_share
            left = np.maximum(hours * terms.value_share - held, 0.0)
            tested = FoldBook.of(left, config) if held or terms.value_share != 1 else folds
            found = _hourly_rows(offer, terms, demands[key], left, tested, config, with_levels)
            if with_levels:
                main = found[0]
                table = sensitivity(terms.c, main["utilisation"]).with_columns(
                    pl.lit(pool.name).alias("pool"), pl.lit(offer.offer_id).alias("offer_id")
                )
                tables.append(table.select("pool", "offer_id", "driver", "change", "u_star", "headroom"))
                main["no_regret_units"] = _optional(no_regret_level(left, terms, config), 1 / terms.unit_worth)
                note = _ladder(pool, offer, main, as_of)
                main["reason"] = "; ".join(part for part in (main["reason"], note) if part) or None
            rows += found
        else:
            rows.append(_period_row(pool, offer, hours, growth, as_of, share, config))
    return rows, tables


def _existing_now(pool: _Pool, as_of: date) -> float:
    start = datetime(as_of.year, as_of.month, as_of.day)
    return sum(k for k, begins, ends in pool.existing if begins <= start < ends)


def _optional(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _hourly_rows(
    offer: Offer,
    terms: Terms,
    demand: TermDemand,
    left: Array,
    book: FoldBook,
    config: CommitmentConfig,
    with_levels: bool,
) -> list[dict[str, Any]]:
    sized = _sized(terms, demand, window_halves(left, config.young_days), config)
    tested = hourly_folds(book, terms)
    rows = [_row(offer, terms, demand, sized, "advised") | _verdict(offer, terms, demand, sized, tested, config)]
    if with_levels:
        for share in (0.2, 0.5, 0.8):
            level = _rounded(demand.at(share), optimal_level(demand.at(share), terms.c, terms.shortage), terms)
            rows.append(
                _row(offer, terms, demand, level, f"g{share * 100:.0f}") | {"decision": "candidate", "reason": None}
            )
    return rows


def _rounded(curve: Curve, level: float, terms: Terms) -> float:
    return round_to_blocks(curve, level, terms.c, terms.block, terms.minimum, terms.cap, terms.shortage)


def _sized(terms: Terms, demand: TermDemand, halves: tuple[Curve, ...], config: CommitmentConfig) -> float:
    """K: the quantile at low growth, lowered by risk aversion, by a young window's halves and to P(loss) in bounds."""
    curve = demand.at(config.size_growth)
    factor = demand.growth.quantile(config.size_growth)
    scaled = tuple(Curve.of_sorted(h.level * factor, h.weight) for h in halves)
    level = capped_level(curve, scaled, terms)
    if config.risk_aversion > 0:
        robust = robust_level(
            lambda k: demand.cost(k, terms), demand.on_demand, demand.growth.weight, config.risk_aversion, level
        )
        level = min(level, robust)
    level = _rounded(curve, level, terms)
    if level > 0 and terms.shortage == 1.0:
        bound = safe_level(demand.break_even(terms), demand.growth.weight, config.max_p_loss)
        if level > bound:
            level = max(k for k in block_candidates(bound, terms.block, terms.minimum, terms.cap) if k <= bound + 1e-12)
    return level


def _row(offer: Offer, terms: Terms, demand: TermDemand, level: float, label: str) -> dict[str, Any]:
    weight = demand.growth.weight
    risk = risk_of(demand.cost(level, terms), demand.on_demand, weight)
    covered = demand.covered(level)
    paid = level * demand.base.hours
    on_demand = demand.on_demand / terms.value_share
    total = float(on_demand @ weight)
    at = {f"g{q}": int(np.searchsorted(demand.growth.factor, demand.growth.quantile(q / 100))) for q in (20, 50, 80)}
    utilisation = float(covered @ weight) / paid if paid > 0 else None
    at20 = demand.on_demand[at["g20"]] - demand.cost(level, terms)[at["g20"]]
    return _blank(offer) | {
        "level": label,
        "units": round(level / terms.unit_worth, 9),
        "commit_usd": terms.c * level,
        "commit_period_hours": 1.0,
        "rack_usd": level,
        **_money(risk, total, offer.term_hours),
        "u_star": terms.c,
        "utilisation": utilisation,
        "headroom": None if utilisation is None else utilisation - terms.c,
        **{f"utilisation_{g}": float(covered[i]) / paid if paid > 0 else None for g, i in at.items()},
        **{f"coverage_{g}": float(covered[i] / on_demand[i]) if on_demand[i] > 0 else None for g, i in at.items()},
        "forfeiture": terms.c * (paid - float(covered @ weight)),
        "break_even_fall": break_even_fall(demand.at(0.5), level, terms.c) if terms.shortage == 1 else None,
        "payback_months": _payback(terms.c * paid, float(covered @ weight), offer.term_hours) if level > 0 else None,
        "_monthly_saving_g20": float(at20) / offer.term_hours * MONTH_HOURS,
    }


def _money(risk: Risk, total: float, term_hours: float) -> dict[str, float]:
    return {
        "on_demand_cost": total,
        "cost": total - risk.saving,
        "saving": risk.saving + 0.0,
        "saving_share": risk.saving / total + 0.0 if total > 0 else 0.0,
        "monthly_saving": risk.saving / term_hours * MONTH_HOURS + 0.0,
        "p_loss": risk.p_loss,
        "cvar90": risk.cvar90,
    }


def _payback(committed: float, covered: float, term_hours: float) -> float | None:
    """Months until the on-demand cost avoided equals the whole commitment; None when it never does at this rate."""
    return committed / covered * term_hours / MONTH_HOURS if covered > 0 else None


def _verdict(
    offer: Offer, terms: Terms, demand: TermDemand, level: float, tested: Folds, config: CommitmentConfig
) -> dict[str, Any]:
    risk = risk_of(demand.cost(level, terms), demand.on_demand, demand.growth.weight)
    facts = {
        "folds": len(tested.realised),
        "regret": tested.regret,
        "captured_share": tested.captured,
        "worst_fold_saving": tested.worst,
    }
    if terms.c > 1:
        return facts | {"decision": STAY, "reason": f"U* {terms.c:.2f} above 1: never reserve"}
    if level <= 0:
        why = "no level of demand is busy often enough: " + (
            f"U* {terms.c:.2f} against {_any_demand(demand, config):.2f} of hours with any demand"
            if terms.minimum == 0
            else f"the smallest commitment ({offer.minimum:g} {offer.unit}) costs more than it saves"
        )
        return facts | {"decision": STAY, "reason": why}
    return facts | _judge(risk, tested, config)


def _any_demand(demand: TermDemand, config: CommitmentConfig) -> float:
    return demand.at(config.size_growth).busy_share(float(np.nextafter(0.0, 1.0)))


def _judge(risk: Risk, tested: Folds, config: CommitmentConfig) -> dict[str, Any]:
    """Recommend only with an expected saving, P(loss) in bounds, half of hindsight captured, no fold below 0."""
    against = []
    if risk.saving <= 0:
        against.append("no expected saving")
    if risk.p_loss > config.max_p_loss + 1e-9:
        against.append(f"P(loss) {risk.p_loss:.0%} above {config.max_p_loss:.0%}")
    if not len(tested.realised):
        against.append("no week to test the rule on")
    elif tested.worst is not None and tested.worst < -1e-9:
        against.append(f"worst back-test week lost {-tested.worst:.2f}")
    elif tested.captured is None or tested.captured < config.min_captured:
        share = "nothing" if tested.captured is None else f"{tested.captured:.0%}"
        against.append(f"back-test captured {share} of the hindsight optimum, {config.min_captured:.0%} needed")
    return {"decision": STAY if against else RECOMMEND, "reason": "; ".join(against) or None}


def _ladder(pool: _Pool, offer: Offer, row: Mapping[str, Any], as_of: date) -> str | None:
    """Warn when more than half of the pool's commitments would expire in one month."""
    new = row["rack_usd"] or 0.0
    if not pool.existing or new <= 0:
        return None
    end = datetime(as_of.year, as_of.month, as_of.day) + timedelta(hours=offer.term_hours)
    same = sum(k for k, _, ends in pool.existing if (ends.year, ends.month) == (end.year, end.month))
    whole = sum(k for k, _, _ in pool.existing) + new
    if same > 0 and same + new > 0.5 * whole:
        return f"stagger the terms: {(same + new) / whole:.0%} of the pool would expire in {end:%Y-%m}"
    return None


def _period_row(
    pool: _Pool, offer: Offer, hours: Array, growth: Growth, as_of: date, share: float, config: CommitmentConfig
) -> dict[str, Any]:
    """S2, S3 and S4 on the distribution of the period total."""
    if offer.discount is None:
        return _blank(offer) | {"decision": UNKNOWN, "reason": "no discount on record: enter the vendor's quote"}
    if offer.shape == SPEND_COMMIT_ALL and offer.minimum <= 0:
        return _blank(offer) | {"decision": UNKNOWN, "reason": "a discount on everything needs its minimum commitment"}
    c = 1 - offer.discount
    period = offer.period_hours or offer.term_hours
    demand = TermDemand.of(hours, growth, period, [(s, k, 1.0) for s, k, _ in _segments(pool, offer, as_of, share)])
    total, weight = demand.on_demand, demand.growth.weight
    choose, pay = period_choice(offer, c)
    level = choose(total, weight)
    candidates = block_candidates(level, offer.step, offer.minimum, np.inf if offer.maximum is None else offer.maximum)
    level = min(candidates, key=lambda k: (round(float(pay(total, k) @ weight), 9), k))
    cost = pay(total, level) if level > 0 else total
    risk = risk_of(cost, total, weight)
    if level > 0 and risk.p_loss > config.max_p_loss and offer.shape != SPEND_COMMIT_ALL:
        bound = safe_level(total if offer.shape != PERIOD_POOL else total / c, weight, config.max_p_loss)
        level = max(k for k in block_candidates(bound, offer.step, offer.minimum) if k <= bound + 1e-12)
        cost = pay(total, level) if level > 0 else total
        risk = risk_of(cost, total, weight)
    tested = period_folds(weekly_totals(hours), offer, c, config)
    rack = level if offer.shape == PERIOD_POOL else level / c
    used = np.minimum(total, rack)
    periods = offer.term_hours / period
    scaled = replace(
        risk,
        cost=risk.cost * periods,
        on_demand=risk.on_demand * periods,
        saving=risk.saving * periods,
        cvar90=risk.cvar90 * periods,
    )
    at = {f"g{q}": int(np.searchsorted(demand.growth.factor, demand.growth.quantile(q / 100))) for q in (20, 50, 80)}
    utilisation = float(used @ weight) / rack if rack > 0 else None
    verdict = (
        _judge(risk, tested, config)
        if level > 0
        else {"decision": STAY, "reason": "no commitment is cheaper than on demand"}
    )
    median = float(total[at["g50"]])
    return _blank(offer) | {
        "units": level,
        "commit_usd": c * level if offer.shape == PERIOD_POOL else level,
        "commit_period_hours": period,
        "rack_usd": rack,
        **_money(scaled, scaled.on_demand, offer.term_hours),
        "u_star": c,
        "utilisation": utilisation,
        "headroom": None if utilisation is None else utilisation - c,
        **{f"utilisation_{g}": float(used[i]) / rack if rack > 0 else None for g, i in at.items()},
        **{f"coverage_{g}": float(used[i] / total[i]) if total[i] > 0 else None for g, i in at.items()},
        "forfeiture": c * (rack - float(used @ weight)) * periods,
        "break_even_fall": max(0.0, 1 - (c * level if offer.shape == PERIOD_POOL else level) / median)
        if level > 0 and median > 0
        else None,
        "payback_months": _payback(c * rack, float(used @ weight), period) if level > 0 else None,
        "folds": len(tested.realised),
        "regret": tested.regret,
        "captured_share": tested.captured,
        "worst_fold_saving": tested.worst,
        **verdict,
        **(
            {"reason": "; ".join(p for p in (verdict["reason"], "rollover comes on top") if p)}
            if offer.rollover
            else {}
        ),
        "_monthly_saving_g20": float(total[at["g20"]] - cost[at["g20"]]) / period * MONTH_HOURS,
    }


def _tier_rows(
    pool: _Pool,
    hours: Array,
    book: Sequence[Offer],
    as_of: date,
    config: CommitmentConfig,
    single: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Hourly offers of one term that are capped, bought together: the cheapest first, each to its own quantile."""
    if not pool.is_hourly:
        return []
    known = [
        (o, t)
        for o in book
        if o.shape in HOURLY_SHAPES and not o.ramp and isinstance(t := hourly_terms(o, pool.traffic), Terms)
        and t.shortage == 1 and t.value_share == 1 and t.c < 1
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    for term in sorted({o.term_hours for o, _ in known}):
        group = [(o, t) for o, t in known if o.term_hours == term]
        if len(group) < 2 or all(np.isinf(t.cap) for _, t in group):
            continue
        growth = pool.growth_over(term, config.annual_price_fall)
        demand = TermDemand.of(hours, growth, term, _segments(pool, group[0][0], as_of, 1.0))
        prices = [t.c for _, t in group]
        caps = [None if np.isinf(t.cap) else t.cap for _, t in group]
        curve = demand.at(config.size_growth)
        bought = zip(greedy(curve, prices, caps).tolist(), group, strict=True)
        whole = [(np.floor(k / t.block + 1e-9) * t.block if t.block else k, t.minimum) for k, (_, t) in bought]
        amounts = np.array([k if k >= least else 0.0 for k, least in whole])
        if (amounts > 0).sum() < 2:
            continue
        held = _existing_now(pool, as_of)
        tested = tier_folds(FoldBook.of(np.maximum(hours - held, 0.0), config), prices, caps)
        spent = float(np.dot(prices, amounts)) / float(amounts.sum())
        blend = Terms(spent, 1.0, 0.0, 0.0, np.inf)
        risk = risk_of(demand.cost(float(amounts.sum()), blend), demand.on_demand, demand.growth.weight)
        verdict = _judge(risk, tested, config)
        ahead = max((r["monthly_saving"] for r in single if r["decision"] == RECOMMEND), default=0.0)
        if verdict["decision"] == RECOMMEND and risk.saving / term * MONTH_HOURS <= ahead + 1e-9:
            verdict = {"decision": STAY, "reason": "one product alone saves as much"}
        paths = [Curve.of_sorted(demand.base.level * g, demand.base.weight) for g in demand.growth.factor]
        shares = [shared_demand(path, amounts, prices) for path in paths]
        for j, (offer, terms) in enumerate(group):
            if amounts[j] <= 0:
                continue
            covered = float(np.array([s[j][0] for s in shares]) @ demand.growth.weight)
            paid = float(amounts[j]) * demand.base.hours
            saving = covered - terms.c * paid
            rows.append(
                _blank(offer) | {
                    "level": "tier", "units": round(float(amounts[j]) / terms.unit_worth, 9),
                    "commit_usd": terms.c * amounts[j],
                    "commit_period_hours": 1.0, "rack_usd": float(amounts[j]), "on_demand_cost": risk.on_demand,
                    "saving": saving, "saving_share": saving / risk.on_demand if risk.on_demand > 0 else 0.0,
                    "cost": risk.on_demand - saving, "monthly_saving": saving / term * MONTH_HOURS, "u_star": terms.c,
                    "utilisation": covered / paid, "headroom": covered / paid - terms.c,
                    "forfeiture": terms.c * (paid - covered), "p_loss": risk.p_loss, "cvar90": risk.cvar90,
                    "folds": len(tested.realised), "regret": tested.regret, "captured_share": tested.captured,
                    "worst_fold_saving": tested.worst, **verdict, "_tier": term, "_tier_saving": risk.saving,
                }
            )  # fmt: skip
    return rows


def _choose(rows: Sequence[dict[str, Any]]) -> None:
    """Mark what to buy: a plan of tiers that beats every single product, else the best single one.

    A longer term replaces a shorter one only if it saves more a month as expected and at low growth too.
    """
    tiers = [r for r in rows if "_tier" in r and r["decision"] == RECOMMEND]
    if tiers:
        best_term = max(tiers, key=lambda r: r["_tier_saving"] / r["term_hours"])["_tier"]
        for row in tiers:
            row["is_advised"] = row["_tier"] == best_term
        return
    best: dict[str, Any] | None = None
    for row in sorted((r for r in rows if r["decision"] == RECOMMEND), key=lambda r: (r["term_hours"], r["offer_id"])):
        if best is None or (
            row["monthly_saving"] > best["monthly_saving"] and row["_monthly_saving_g20"] > best["_monthly_saving_g20"]
        ):
            best = row
    if best is not None:
        best["is_advised"] = True


def _read_pools(
    demand: pl.DataFrame,
    pools: pl.DataFrame,
    as_of: date,
    days: pl.DataFrame,
    traffic: pl.DataFrame | None,
    existing: pl.DataFrame | None,
    growth: pl.DataFrame | None,
    errors: pl.DataFrame | None,
    levers: pl.DataFrame | None,
    config: CommitmentConfig,
) -> list[_Pool]:
    require(pools, POOL_COLUMNS, "pools")
    require(days, DAY_COLUMNS, "days")
    rows = require(demand, DEMAND_COLUMNS, "demand").select(
        pl.col("pool", "scope").cast(pl.String),
        pl.col("hour").cast(pl.Datetime("us")),
        pl.col("on_demand_usd").cast(pl.Float64),
    )
    if rows.null_count().sum_horizontal().item():
        raise DecisionError("demand: pool, scope, hour and on_demand_usd must not be null")
    for row in (
        rows.filter((pl.col("on_demand_usd") < 0) | ~pl.col("on_demand_usd").is_finite()).head(1).iter_rows(named=True)
    ):
        raise DecisionError(
            f"demand of {row['scope']!r} at {row['hour']} is {row['on_demand_usd']}; credits are no demand"
        )
    for row in rows.filter(pl.struct("pool", "scope", "hour").is_duplicated()).head(1).iter_rows(named=True):
        raise DecisionError(f"demand of {row['scope']!r} has two rows at {row['hour']}")
    if rows.filter(pl.col("hour") != pl.col("hour").dt.truncate("1h")).height:
        raise DecisionError("demand: hour must be the start of an hour (UTC)")
    if pools["pool"].is_duplicated().any():
        raise DecisionError("pools: one row per pool")
    end = datetime(as_of.year, as_of.month, as_of.day)
    rows = rows.filter((pl.col("hour") < end) & (pl.col("hour") >= end - timedelta(days=config.window_days)))
    known_days = days.filter(
        (pl.col("charge_date") < as_of) & (pl.col("charge_date") >= as_of - timedelta(days=config.window_days))
    )
    out = []
    for pool in pools.sort("pool").iter_rows(named=True):
        name = pool["pool"]
        mine = rows.filter(pl.col("pool") == name)
        if mine.is_empty() or not mine["on_demand_usd"].sum() > 0:
            continue
        is_hourly = pool["granularity"] == "hour"
        facts = known_days.filter(pl.col("pool") == name)
        scopes, matrix = _matrix(mine, is_hourly, set(facts.filter(pl.col("is_complete"))["charge_date"]))
        term, (growths, basis) = None, _growth_of(growth, name)
        if basis == NO_FORECAST and errors is not None:
            drawn = term_scenarios(name, matrix.sum(axis=0), _errors_of(errors, pool["provider"]), config)
            if isinstance(drawn, str):
                basis = f"{NO_FORECAST}; {drawn}"
            else:
                term, growths, basis = drawn, drawn.over(config.lever_horizon_hours), drawn.basis
        out.append(
            _Pool(
                name=name,
                provider=pool["provider"],
                model_id=pool["model_id"],
                deployment=pool["deployment"],
                is_hourly=is_hourly,
                tolerant_share=pool.get("latency_tolerant_share"),
                scopes=scopes,
                demand=matrix,
                traffic=_traffic_of(traffic, name, pool.get("burst")),
                growth=growths,
                growth_basis=basis,
                scenarios=term,
                existing=_existing_of(existing, name),
                levers=_levers_of(levers, name),
                gate=tuple(data_gate(facts, config)),
            )
        )
    return out


def _matrix(rows: pl.DataFrame, is_hourly: bool, complete: set[date]) -> tuple[tuple[str, ...], Array]:
    """Scopes by name and their hours over whole days, gaps 0; a daily total is spread evenly over its hours.

    Days that are not complete are left out, unless none is (then the gate refuses anyway).
    """
    day = pl.col("hour").dt.date()
    first, last = rows.select(day.min().alias("first"), day.max().alias("last")).row(0)
    calendar = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    scopes = rows.select(pl.col("scope").unique().sort())
    at = rows.join(scopes.with_row_index("s"), on="scope").select(
        "s",
        (pl.col("hour") - datetime(first.year, first.month, first.day)).dt.total_hours().alias("t"),
        "on_demand_usd",
    )
    matrix = np.zeros((scopes.height, len(calendar) * 24))
    matrix[at["s"].to_numpy(), at["t"].to_numpy()] = at["on_demand_usd"].to_numpy()
    kept = np.array([d in complete for d in calendar])
    if kept.any():
        matrix = matrix[:, np.repeat(kept, 24)]
    if not is_hourly:
        matrix = np.repeat(matrix.reshape(scopes.height, -1, 24).sum(axis=2) / 24, 24, axis=1)
    return tuple(scopes["scope"]), matrix


def _traffic_of(frame: pl.DataFrame | None, pool: str, burst: float | None) -> Traffic | None:
    if frame is None:
        return None
    rows = require(frame, TRAFFIC_COLUMNS, "traffic").filter(pl.col("pool") == pool)
    tokens = {r["token_class"]: float(r["tokens"]) for r in rows.iter_rows(named=True)}
    prices = {
        r["token_class"]: float(r["price_per_million"])
        for r in rows.iter_rows(named=True)
        if r["price_per_million"] is not None
    }
    whole = sum(tokens.values())
    if whole <= 0 or any(count and name not in prices for name, count in tokens.items()):
        return None
    return Traffic({name: count / whole for name, count in tokens.items()}, prices, burst or 1.0)


def _growth_of(frame: pl.DataFrame | None, pool: str) -> tuple[Growth, str]:
    rows = None if frame is None else require(frame, GROWTH_COLUMNS, "growth").filter(pl.col("pool") == pool)
    if rows is None or rows.is_empty():
        return Growth.of([1.0]), NO_FORECAST
    try:
        return Growth.of(
            rows["growth"].cast(pl.Float64).to_numpy(), rows["weight"].cast(pl.Float64).to_numpy()
        ), "forecast"
    except ValueError as error:
        raise DecisionError(f"growth of pool {pool!r}: {error}") from error


def _errors_of(frame: pl.DataFrame, provider: str) -> ForecastErrors | None:
    """Errors at the longest horizon with any, of the provider's series or else of the total."""
    rows = require(frame, ERROR_COLUMNS, "errors").with_columns(pl.col("ratio").cast(pl.Float64))
    rows = rows.filter(pl.col("ratio").is_finite() & (pl.col("ratio") >= 0))
    found = []
    for name in (provider.lower(), ""):
        mine = rows.filter(pl.col("provider").str.to_lowercase() == name)
        mine = mine.filter(pl.col("horizon_days") == pl.col("horizon_days").max()).sort("series", "ratio")
        if mine.height:
            hours = float(mine["horizon_days"][0]) * 24
            found.append(ForecastErrors(mine["ratio"].to_numpy(), hours, mine["series"][0]))
    return next((e for e in found if len(e.ratio) >= MIN_ERRORS), found[0] if found else None)


def _existing_of(frame: pl.DataFrame | None, pool: str) -> tuple[tuple[float, datetime, datetime], ...]:
    if frame is None:
        return ()
    rows = require(frame, EXISTING_COLUMNS, "existing").filter(pl.col("pool") == pool).sort("commitment_id")
    rows = rows.with_columns(
        pl.col("starts_at", "ends_at").cast(pl.Datetime("us")), pl.col("rack_usd_per_hour").cast(pl.Float64)
    )
    return tuple((r["rack_usd_per_hour"], r["starts_at"], r["ends_at"]) for r in rows.iter_rows(named=True))


def _levers_of(frame: pl.DataFrame | None, pool: str) -> tuple[Mapping[str, Any], ...]:
    if frame is None:
        return ()
    rows = require(frame, LEVER_COLUMNS, "levers").filter(pl.col("pool") == pool).sort("lever_id")
    rows = rows.with_columns(pl.col("expected_effect").cast(pl.Float64))
    for row in rows.iter_rows(named=True):
        if (
            row["decision"] not in ("open", "inconclusive", "promoted", "rejected")
            or not 0 <= row["expected_effect"] <= 1
        ):
            raise DecisionError(
                f"lever {row['lever_id']!r}: decision {row['decision']!r}, effect {row['expected_effect']}"
            )
    return tuple(rows.iter_rows(named=True))
