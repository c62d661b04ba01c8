"""Ways to pay and what each costs: contract shapes, break-even utilisation, one unit for every product.

Demand is counted in USD at the on-demand rack rate ("rack dollars"), so an on-demand unit costs 1 and a capacity unit
is worth what it would cost on demand when fully used. The committed price `c` of a rack dollar is then U*, the
break-even utilisation, and `1 - c` the discount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from decisions.schemas import OFFER_COLUMNS, TOKEN_CLASSES, DecisionError

Array = NDArray[np.float64]

ON_DEMAND = "on_demand"
HOURLY_CAPACITY = "hourly_capacity"
HOURLY_CAPACITY_NO_SPILL = "hourly_capacity_no_spill"
SAVINGS_PLAN = "savings_plan"
PERIOD_POOL = "period_pool"
SPEND_COMMIT_COVERED = "spend_commit_covered"
SPEND_COMMIT_ALL = "spend_commit_all"
BATCH = "batch"
HOURLY_SHAPES = (HOURLY_CAPACITY, HOURLY_CAPACITY_NO_SPILL, SAVINGS_PLAN)
SHAPES = (ON_DEMAND, *HOURLY_SHAPES, PERIOD_POOL, SPEND_COMMIT_COVERED, SPEND_COMMIT_ALL, BATCH)

RESERVE, STAY = "reserve", "on_demand"
SENSITIVITY_CHANGES = (-0.25, -0.10, 0.10, 0.25)


def break_even_utilisation(per_hour: float, per_token: float, tokens_per_second: float) -> float:
    """U* = provisioned USD per hour / (on-demand USD per token x tokens per second x 3600).

    Raises ValueError when the capacity is worth nothing on demand: U* is then undefined, not infinite.
    """
    worth = per_token * tokens_per_second * 3600
    if not worth > 0 or per_hour < 0:
        raise ValueError(f"U* is undefined for {per_hour} USD/h against an on-demand value of {worth} USD/h")
    return per_hour / worth


def break_even_throughput(per_hour: float, per_token: float) -> float:
    """Tokens per second at which provisioned capacity costs as much as on demand. Raises ValueError without a price."""
    if per_token <= 0:
        raise ValueError("break-even throughput needs a positive on-demand price")
    return per_hour / (per_token * 3600)


def purchase_rule(utilisation: float, u_star: float) -> str:
    """`reserve` strictly above U*, else `on_demand`; a tie stays on demand, and so does any U* above 1."""
    return RESERVE if u_star <= 1 and utilisation > u_star else STAY


def sensitivity(u_star: float, utilisation: float | None = None) -> pl.DataFrame:
    """U* when one driver moves by +/-10 and +/-25 %: driver, change (share), u_star, headroom (utilisation - U*).

    Elasticities are +1 in the provisioned price, -1 in the on-demand price and -1 in sustained tokens per second.
    """
    rows = [
        {"driver": driver, "change": change, "u_star": u_star * (1 + change) ** power}
        for driver, power in (("provisioned_price", 1), ("on_demand_price", -1), ("tokens_per_second", -1))
        for change in SENSITIVITY_CHANGES
    ]
    headroom = pl.lit(utilisation, pl.Float64) - pl.col("u_star")
    return pl.DataFrame(rows).with_columns(headroom.alias("headroom"))


@dataclass(frozen=True)
class Traffic:
    """Token mix of what would move (shares of disjoint classes that add to 1) and its on-demand USD per million tokens.

    `burst` is the peak minute over the mean minute inside a busy hour: capacity is sized on minutes and paid by hours.
    """

    shares: Mapping[str, float]
    price_per_million: Mapping[str, float]
    burst: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown class, shares that are not a mix, a negative price or a burst below 1."""
        unknown = (set(self.shares) | set(self.price_per_million)) - set(TOKEN_CLASSES)
        if unknown:
            raise ValueError(f"token classes {sorted(unknown)} are none of {', '.join(TOKEN_CLASSES)}")
        if min(self.shares.values(), default=-1.0) < 0 or abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"token shares must be non-negative and add to 1, got {dict(self.shares)}")
        if min(self.price_per_million.get(name, -1.0) for name, share in self.shares.items() if share) < 0:
            raise ValueError("every class with tokens needs a price of 0 or more")
        if self.burst < 1:
            raise ValueError(f"burst is peak over mean and at least 1, got {self.burst}")

    def _priced(self, names: Sequence[str]) -> float:
        return sum(self.shares.get(n, 0.0) * self.price_per_million.get(n, 0.0) for n in names)

    def blended_price(self) -> float:
        """USD per 1,000,000 tokens over every class, cached reads included."""
        return self._priced(TOKEN_CLASSES)

    def value_share(self, direction: str | None) -> float:
        """Share of the on-demand cost in one direction (`input`, `output`; None: all). 0 when the mix costs nothing."""
        whole = self.blended_price()
        return self._priced(_classes(direction)) / whole if whole > 0 else 0.0

    def unit_worth(
        self, tokens_per_second: float, weights: Mapping[str, float], direction: str | None = None
    ) -> float | None:
        """On-demand USD per hour that a fully used unit replaces; None when the mix puts no load on such a unit.

        `weights` say how much capacity a token of a class takes (cached reads 0 where the vendor exempts them); the
        price blend still counts every class.
        """
        names = _classes(direction)
        load = sum(self.shares.get(n, 0.0) * weights.get(n, 1.0) for n in names)
        return 3600 * tokens_per_second / self.burst * self._priced(names) / load / 1e6 if load > 0 else None


def _classes(direction: str | None) -> tuple[str, ...]:
    if direction is None:
        return TOKEN_CLASSES
    return ("output",) if direction == "output" else tuple(n for n in TOKEN_CLASSES if n != "output")


@dataclass(frozen=True)
class Offer:
    """One row of the offer list in force; prices in USD, lengths in hours, shares as fractions.

    `price` is per unit-hour, None where the vendor publishes none. `ramp` is (share of the term, share of the
    commitment) steps. `rollover` is the share of an unused period pool that stays usable in the next period: it never
    costs more, and sizing leaves it out.
    """

    offer_id: str
    provider: str
    shape: str
    unit: str
    term_hours: float
    model_id: str | None = None
    deployment: str | None = None
    price: float | None = None
    discount: float | None = None
    tokens_per_second: float | None = None
    weights: Mapping[str, float] | None = None
    direction: str | None = None
    minimum: float = 0.0
    step: float = 0.0
    maximum: float | None = None
    period_hours: float | None = None
    penalty: float = 0.0
    multiplier: float = 1.0
    rollover: float = 0.0
    ramp: tuple[tuple[float, float], ...] = ()
    is_sold: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for a shape or a number no cost can be computed with."""
        if self.shape not in SHAPES:
            raise ValueError(f"offer {self.offer_id!r}: shape {self.shape!r} is none of {', '.join(SHAPES)}")
        if self.term_hours <= 0 or self.step < 0 or self.minimum < 0 or not 0 <= self.rollover <= 1:
            raise ValueError(f"offer {self.offer_id!r}: term, step, minimum or rollover has no meaning")
        if self.discount is not None and not 0 <= self.discount < 1:
            raise ValueError(f"offer {self.offer_id!r}: discount {self.discount} is not in [0, 1)")


@dataclass(frozen=True)
class Terms:
    """An hourly offer in rack dollars: `c` USD per rack dollar (= U*), block, minimum and cap in rack USD per hour.

    `unit_worth` is the rack USD per hour of one native unit; `shortage` the USD a rack dollar above capacity costs;
    `value_share` the part of the demand (by cost) this offer can carry.
    """

    c: float
    unit_worth: float
    block: float
    minimum: float
    cap: float
    shortage: float = 1.0
    value_share: float = 1.0


def hourly_terms(offer: Offer, traffic: Traffic | None) -> Terms | str:
    """Terms of an hourly offer for this traffic, or the reason why they cannot be known."""
    shortage = 1.0 + (offer.penalty if offer.shape == HOURLY_CAPACITY_NO_SPILL else 0.0)
    if offer.shape == SAVINGS_PLAN:
        if offer.discount is None:
            return "no discount on record: enter the plan's rate"
        # A unit is a USD per hour at the plan's rates, which covers 1 / (1 - discount) rack dollars.
        worth = 1 / (1 - offer.discount)
        cap = np.inf if offer.maximum is None else offer.maximum * worth
        return Terms(1 - offer.discount, worth, offer.step * worth, offer.minimum * worth, cap)
    if offer.price is None:
        return "no public price: enter the vendor's quote"
    if offer.tokens_per_second is None:
        return "throughput per unit is not published: measure it with your own traffic"
    if traffic is None:
        return "no token mix with prices for this pool"
    unit = traffic.unit_worth(offer.tokens_per_second, offer.weights or {}, offer.direction)
    if unit is None or unit <= 0:
        return "U* is undefined: a unit of this offer replaces no on-demand cost of this traffic"
    limit = np.inf if offer.maximum is None else offer.maximum * unit
    share = traffic.value_share(offer.direction)
    return Terms(offer.price / unit, unit, offer.step * unit, offer.minimum * unit, limit, shortage, share)


def hourly_cost(
    demand: ArrayLike, level: ArrayLike, c: float, p: float = 1.0, weights: ArrayLike | None = None
) -> Array:
    """S1/S5: `c K T + p sum (D - K)+` over the last axis of `demand`; `weights` count hours, `p`: shortage price."""
    d, k = np.asarray(demand, dtype=float), np.asarray(level, dtype=float)[..., None]
    w = np.ones(d.shape[-1]) if weights is None else np.asarray(weights, dtype=float)
    return np.asarray((w * (c * k + p * np.maximum(d - k, 0.0))).sum(axis=-1))


def pool_cost(total: ArrayLike, quantity: ArrayLike, c: float, p: float = 1.0) -> Array:
    """S2: `c Q + p (total - Q)+` of one period."""
    u, q = np.asarray(total, dtype=float), np.asarray(quantity, dtype=float)
    return np.asarray(c * q + p * np.maximum(u - q, 0.0))


def pool_cost_with_rollover(totals: ArrayLike, quantity: float, c: float, rollover: float, p: float = 1.0) -> float:
    """S2 over successive periods (last axis): what is left of a pool stays usable once, in the next period.

    Carried units are used first; only this period's own units can be carried, at the share `rollover`.
    """
    carried, cost = 0.0, 0.0
    for u in np.asarray(totals, dtype=float).tolist():
        after_carried = max(u - carried, 0.0)
        cost += c * quantity + p * max(after_carried - quantity, 0.0)
        carried = rollover * max(quantity - after_carried, 0.0)
    return cost


def spend_commit_covered_cost(usage: ArrayLike, commit: ArrayLike, discount: float) -> Array:
    """S3: pay the commitment S; usage (USD at list) beyond the S/(1 - discount) it covers is paid at rack rate."""
    u, s = np.asarray(usage, dtype=float), np.asarray(commit, dtype=float)
    return np.asarray(s + np.maximum(u - s / (1 - discount), 0.0))


def spend_commit_all_cost(usage: ArrayLike, commit: ArrayLike, discount: float) -> Array:
    """S4: `max(S, (1 - discount) U)`: the discount holds for everything once committed."""
    return np.maximum(np.asarray(commit, dtype=float), (1 - discount) * np.asarray(usage, dtype=float))


def parse_ramp(text: str | None) -> tuple[tuple[float, float], ...]:
    """`0:0.5;0.25:1` → from the start half of the commitment, from a quarter of the term all of it.

    Raises ValueError when the steps do not start at 0 or do not rise.
    """
    if not text:
        return ()
    steps = tuple((float(a), float(b)) for a, b in (part.split(":") for part in text.split(";")))
    starts = [a for a, _ in steps]
    if starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] >= 1 or min(b for _, b in steps) < 0:
        raise ValueError(f"ramp {text!r} must start at 0 and rise within the term")
    return steps


def ramp_segments(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(share of the term, share of the commitment) per segment; shares of the term add to 1. No steps: all at once."""
    if not steps:
        return [(1.0, 1.0)]
    ends = [start for start, _ in steps[1:]] + [1.0]
    return [(end - start, level) for (start, level), end in zip(steps, ends, strict=True)]


def offers_in_force(frame: pl.DataFrame, as_of: date) -> list[Offer]:
    """Offers of the dated list that hold on `as_of`, by id.

    Raises DecisionError for missing columns, an offer that is listed twice for that day or a row without meaning.
    """
    missing = [name for name in OFFER_COLUMNS if name not in frame.columns]
    if missing:
        raise DecisionError(f"offers frame lacks the columns {', '.join(missing)}")
    held = frame.filter(
        (pl.col("valid_from").cast(pl.Date).is_null() | (pl.col("valid_from").cast(pl.Date) <= as_of))
        & (pl.col("valid_to").cast(pl.Date).is_null() | (pl.col("valid_to").cast(pl.Date) > as_of))
    ).sort("offer_id")
    twice = held.filter(pl.col("offer_id").is_duplicated())
    for row in twice.head(1).iter_rows(named=True):
        raise DecisionError(f"offer {row['offer_id']!r}: two rows hold on {as_of}")
    try:
        return [_offer(row) for row in held.iter_rows(named=True)]
    except ValueError as error:
        raise DecisionError(str(error)) from error


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _offer(row: Mapping[str, Any]) -> Offer:
    price, hours = _number(row["price_usd"]), _number(row["price_hours"])
    if price is not None and not hours:
        raise ValueError(f"offer {row['offer_id']!r}: a price needs the hours it pays for")
    multiplier = _number(row["price_multiplier"])
    weights = {n: w for n in TOKEN_CLASSES if (w := _number(row[f"weight_{n}"])) is not None}
    return Offer(
        offer_id=row["offer_id"],
        provider=row["provider"],
        shape=row["shape"],
        unit=row["unit"] or "",
        term_hours=_number(row["term_hours"]) or 1.0,
        model_id=row["model_id"] or None,
        deployment=row["deployment"] or None,
        price=None if price is None or not hours else price / hours,
        discount=_number(row["discount"]),
        tokens_per_second=_number(row["tokens_per_second"]),
        weights=weights,
        direction=row["token_direction"] or None,
        minimum=_number(row["minimum_units"]) or 0.0,
        step=_number(row["step_units"]) or 0.0,
        maximum=_number(row["maximum_units"]),
        period_hours=_number(row["period_hours"]),
        penalty=_number(row["shortage_penalty"]) or 0.0,
        multiplier=1.0 if multiplier is None else multiplier,
        rollover=_number(row["rollover"]) or 0.0,
        ramp=parse_ramp(row["ramp"]),
        is_sold=row["is_sold"] in (True, "true", "True", None, ""),
    )
