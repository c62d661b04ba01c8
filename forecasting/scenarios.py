"""Scenarios: levers composed on drivers, never added as percentages, with interaction and Shapley shares.

Cost of a workflow on a day is calls = user actions x fan-out x (1 + retries), dealt out to models by share, times
tokens per call by class at their price. Levers change drivers; every subset of them is evaluated through the same tree.
Sources: Shapley (1953), A value for n-person games; Albrecht, Francois, Schoors (2002), A Shapley decomposition of
carbon emissions without residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations
from math import factorial, log, prod

import numpy as np
import polars as pl
from scipy.optimize import brentq

from forecasting.models import Array
from forecasting.schemas import DECISION_SCHEMAS, MONEY, TOKEN_CLASSES
from forecasting.variance import close

BASELINE = "baseline"
MULTIPLIER, ABSOLUTE = "multiplier", "absolute"
SCALARS = ("user_actions", "fan_out", "retry")
CONTEXT = {"context": (0, 1, 2, 3), "context_in": (0, 1, 2), "context_out": (3,)}
LEVER_DRIVERS = (*SCALARS, *CONTEXT, "context_drift", "cache_hit", "mix", "price", "rate")
EXACT_LEVERS = 6
PERMUTATIONS = 2000
DRIFT_DAYS = 30


class ScenarioError(ValueError):
    """A driver or lever makes no sense; the message names it and says what to do."""


@dataclass(frozen=True)
class Drivers:
    """Driver tree, one row per (workflow, model), sorted; arrays are (rows,) or (rows, 4 token classes)."""

    workflow: tuple[str, ...]
    model: tuple[str, ...]
    user_actions: Array
    fan_out: Array
    retry: Array
    share: Array
    tokens: Array
    price: Array

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Drivers:
        """Checked rows of `drivers`. Raises ScenarioError naming the row."""
        schema = DECISION_SCHEMAS["drivers"]
        missing = [name for name in schema if name not in frame.columns]
        if missing:
            raise ScenarioError(f"drivers lack the columns {', '.join(missing)}")
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort("workflow", "model")
        for row in rows.iter_rows(named=True):
            bad = [
                k for k, v in row.items() if v is None or (not isinstance(v, str) and not (np.isfinite(v) and v >= 0))
            ]
            if bad:
                raise ScenarioError(f"driver {bad[0]} of ({row['workflow']}, {row['model']}) is {row[bad[0]]}")
        if rows.select("workflow", "model").is_duplicated().any():
            raise ScenarioError("drivers: two rows for one workflow and model")
        groups = rows.group_by("workflow", maintain_order=True).agg(
            pl.col("share").sum(), pl.col("user_actions", "fan_out", "retry").n_unique()
        )
        for row in groups.iter_rows(named=True):
            if abs(row["share"] - 1) > 1e-9:
                raise ScenarioError(f"workflow {row['workflow']!r}: shares of its models add to {row['share']}, not 1")
            if max(row[name] for name in SCALARS) > 1:
                raise ScenarioError(f"workflow {row['workflow']!r}: user actions, fan-out and retries differ by model")

        def columns(*names: str) -> Array:
            return rows.select(names).to_numpy().astype(float)

        return cls(
            workflow=tuple(rows["workflow"]),
            model=tuple(rows["model"]),
            user_actions=columns("user_actions")[:, 0],
            fan_out=columns("fan_out")[:, 0],
            retry=columns("retry")[:, 0],
            share=columns("share")[:, 0],
            tokens=columns(*(f"tokens_{k}" for k in TOKEN_CLASSES)),
            price=columns(*(f"price_{k}" for k in TOKEN_CLASSES)),
        )


@dataclass(frozen=True)
class Lever:
    """One change of one driver on what it names (None: all). `ramp_days` days from `start` it comes in, in equal steps.

    `multiplier` multiplies the driver; `absolute` replaces it: actions, runs per action, retries per call, tokens per
    call, cost per 1,000,000 tokens, the share of input read from the cache, the share of calls. `context_drift` is the
    growth per 30 days, compounding.
    """

    lever_id: str
    driver: str
    value: float
    mode: str = MULTIPLIER
    workflow: str | None = None
    model: str | None = None
    token_class: str | None = None
    start: date | None = None
    ramp_days: int = 0

    def __post_init__(self) -> None:
        """Raise ScenarioError for a lever that means nothing."""
        where = f"lever {self.lever_id!r}"
        if self.driver not in LEVER_DRIVERS:
            raise ScenarioError(f"{where}: driver {self.driver!r} is none of {', '.join(LEVER_DRIVERS)}")
        if self.mode not in (MULTIPLIER, ABSOLUTE):
            raise ScenarioError(f"{where}: mode {self.mode!r} is neither multiplier nor absolute")
        lowest = -1.0 if self.driver == "context_drift" else 0.0
        if not np.isfinite(self.value) or self.value < lowest or self.ramp_days < 0:
            raise ScenarioError(f"{where}: value {self.value} with a ramp of {self.ramp_days} days")
        if self.driver in ("cache_hit", "mix") and (self.mode != ABSOLUTE or self.value > 1):
            raise ScenarioError(f"{where}: {self.driver} is an absolute share of at most 1")
        if self.driver == "mix" and self.model is None:
            raise ScenarioError(f"{where}: mix names a model")
        if self.driver == "price" and self.mode == ABSOLUTE and self.token_class is None:
            raise ScenarioError(f"{where}: an absolute price names its token class")
        if self.token_class is not None and (self.token_class not in TOKEN_CLASSES or self.driver != "price"):
            raise ScenarioError(f"{where}: token class {self.token_class!r} of {self.driver}")

    def ramp(self, days: Sequence[date]) -> Array:
        """Share of the change in force on each day: 0 before the start, 1 from the last day of the ramp on."""
        if self.start is None:
            return np.ones(len(days))
        passed = np.asarray([(day - self.start).days + 1 for day in days], dtype=float)
        return np.clip(passed / max(self.ramp_days, 1), 0.0, 1.0)

    def drift_days(self, days: Sequence[date]) -> Array:
        """Days since the start, 0 before it; without a start since the first of the days."""
        first = self.start or days[0]
        return np.maximum(np.asarray([(day - first).days for day in days], dtype=float), 0.0)


@dataclass(frozen=True)
class Outcome:
    """Calls, tokens by class and cost of every row on every day: (rows, days), (rows, days, 4), (rows, days)."""

    calls: Array
    tokens: Array
    cost: Array


def levers_of(frame: pl.DataFrame) -> dict[str, list[Lever]]:
    """Levers by scenario, from rows of `levers`; empty text means all. Raises ScenarioError naming the lever."""
    out: dict[str, list[Lever]] = {}
    schema = DECISION_SCHEMAS["levers"]
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise ScenarioError(f"levers lack the columns {', '.join(missing)}")
    rows = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    for row in rows.sort("scenario_id", "lever_id", "driver", "workflow", "model", "token_class").iter_rows(named=True):
        if not row["scenario_id"] or row["scenario_id"] == BASELINE or not row["lever_id"] or row["value"] is None:
            raise ScenarioError(
                f"lever {row['lever_id']!r} of {row['scenario_id']!r}: ids and value are needed; "
                f"{BASELINE!r} has no levers"
            )
        out.setdefault(row["scenario_id"], []).append(
            Lever(
                lever_id=row["lever_id"],
                driver=row["driver"],
                value=row["value"],
                mode=row["mode"] or MULTIPLIER,
                workflow=row["workflow"] or None,
                model=row["model"] or None,
                token_class=row["token_class"] or None,
                start=row["start"],
                ramp_days=row["ramp_days"] or 0,
            )
        )
    for levers in out.values():
        check(levers)
    return out


def check(levers: Sequence[Lever]) -> None:
    """Raise ScenarioError where two levers cannot both hold: two absolute values, or two mixes, for one target."""
    for a, b in combinations(levers, 2):
        if a.driver != b.driver or not all(
            x is None or y is None or x == y for x, y in ((a.workflow, b.workflow), (a.token_class, b.token_class))
        ):
            continue
        together = a.model is None or b.model is None or a.model == b.model
        both = a.mode == b.mode == ABSOLUTE and a.driver != "cache_hit"
        if a.driver == "mix" and a.lever_id != b.lever_id:
            raise ScenarioError(f"levers {a.lever_id!r} and {b.lever_id!r}: two mixes of one workflow; make them one")
        if a.driver == "mix" and (a.start, a.ramp_days) != (b.start, b.ramp_days):
            raise ScenarioError(f"lever {a.lever_id!r}: the shares of one mix start and ramp together")
        if both and together:
            raise ScenarioError(f"levers {a.lever_id!r} and {b.lever_id!r}: two absolute values of {a.driver}")


def _mask(drivers: Drivers, lever: Lever) -> np.ndarray:
    hit = np.asarray(
        [
            (lever.workflow is None or lever.workflow == w) and (lever.model is None or lever.model == m)
            for w, m in zip(drivers.workflow, drivers.model, strict=True)
        ]
    )
    if not hit.any():
        raise ScenarioError(f"lever {lever.lever_id!r}: no workflow {lever.workflow!r} with model {lever.model!r}")
    return hit


def _scaled(factor: Array, base: Array, lever: Lever, hit: np.ndarray, ramp: Array) -> Array:
    """`factor` (rows, days) times what the lever does to a driver with value `base` (rows,)."""
    if lever.mode == ABSOLUTE:
        if (base[hit] <= 0).any():
            raise ScenarioError(f"lever {lever.lever_id!r}: {lever.driver} is 0 today, so it has no absolute target")
        target = lever.value / np.where(hit, base, 1.0)
    else:
        target = np.full(len(base), lever.value)
    return np.where(hit[:, None], factor * (1 + (target[:, None] - 1) * ramp[None, :]), factor)


def evaluate(
    drivers: Drivers, levers: Sequence[Lever], days: Sequence[date], demand: Mapping[str, Array] | None = None
) -> Outcome:
    """The tree with the levers in force, in any order. `demand` maps workflows to user actions by day.

    Absolute values hold before multipliers. Cache levers combine to `h = 1 - (1 - h1)(1 - h2)`; input that is not read
    stays written in the old proportion, or uncached. A mix gives named models their share and scales the others.
    """
    rows, count = len(drivers.workflow), len(days)
    scalar: dict[str, Array] = {name: np.repeat(getattr(drivers, name)[:, None], count, axis=1) for name in SCALARS}
    for i, workflow in enumerate(drivers.workflow):
        if demand is not None and workflow in demand:
            scalar["user_actions"][i] = demand[workflow]
    share = np.repeat(drivers.share[:, None], count, axis=1)
    token_factor, price_factor = np.ones((rows, count, 4)), np.ones((rows, count, 4))
    not_ramped, missed = np.ones((rows, count)), np.ones((rows, count))
    context = {name: drivers.tokens[:, list(classes)].sum(axis=1) for name, classes in CONTEXT.items()}
    per_call = (drivers.tokens * drivers.price).sum(axis=1)
    effective = np.where(context["context"] > 0, per_call / np.maximum(context["context"], 1e-300), 0.0)
    mixes: dict[tuple[str, str], list[Lever]] = {}
    for lever in sorted(levers, key=lambda lever: lever.mode != ABSOLUTE):
        hit, ramp = _mask(drivers, lever), lever.ramp(days)
        if lever.driver in SCALARS:
            now = scalar[lever.driver]
            moved = lever.value if lever.mode == ABSOLUTE else now * lever.value
            scalar[lever.driver] = np.where(hit[:, None], now + (moved - now) * ramp[None, :], now)
        elif lever.driver == "context_drift":
            grown = (1 + lever.value) ** (lever.drift_days(days) / DRIFT_DAYS)
            token_factor = np.where(hit[:, None, None], token_factor * grown[None, :, None], token_factor)
        elif lever.driver in CONTEXT:
            factor = _scaled(np.ones((rows, count)), context[lever.driver], lever, hit, ramp)
            for k in CONTEXT[lever.driver]:
                token_factor[:, :, k] *= factor
        elif lever.driver == "cache_hit":
            not_ramped = np.where(hit[:, None], not_ramped * (1 - ramp)[None, :], not_ramped)
            missed = np.where(hit[:, None], missed * (1 - ramp * lever.value)[None, :], missed)
        elif lever.driver == "mix":
            for workflow in {w for w, h in zip(drivers.workflow, hit, strict=True) if h}:
                mixes.setdefault((lever.lever_id, workflow), []).append(lever)
        else:
            chosen = range(4) if lever.token_class is None else (TOKEN_CLASSES.index(lever.token_class),)
            for k in chosen:
                base = effective if lever.driver == "rate" else drivers.price[:, k]
                price_factor[:, :, k] = _scaled(price_factor[:, :, k], base, lever, hit, ramp)
    for (lever_id, workflow), group in sorted(mixes.items(), key=lambda item: item[0]):
        share = _mixed(drivers, share, lever_id, workflow, group, days)
    tokens = drivers.tokens[:, None, :] * token_factor
    cached = not_ramped < 1
    if cached.any():
        sent = tokens[:, :, :3].sum(axis=2)
        safe = np.where(sent > 0, sent, 1.0)
        hits = not_ramped * tokens[:, :, 1] / safe + (1 - missed)
        written = np.minimum(tokens[:, :, 2] / safe, 1 - hits)
        split = np.stack([(1 - hits - written) * sent, hits * sent, written * sent, tokens[:, :, 3]], axis=2)
        tokens = np.where(cached[:, :, None], split, tokens)
    calls = scalar["user_actions"] * scalar["fan_out"] * (1 + scalar["retry"]) * share
    used = calls[:, :, None] * tokens
    return Outcome(calls, used, (used * drivers.price[:, None, :] * price_factor).sum(axis=2) / 1e6)


def _mixed(
    drivers: Drivers, share: Array, lever_id: str, workflow: str, group: Sequence[Lever], days: Sequence[date]
) -> Array:
    inside = np.asarray([w == workflow for w in drivers.workflow])
    named = {lever.model: lever.value for lever in group}
    left = 1 - sum(named.values())
    rest = inside & np.asarray([m not in named for m in drivers.model])
    free = drivers.share[rest].sum()
    if left < -1e-9 or (left > 1e-9 and free <= 0):
        raise ScenarioError(f"lever {lever_id!r}: shares of {workflow!r} add to {1 - left}, not 1")
    target = np.where(rest, drivers.share * (left / free if free > 0 else 0.0), 0.0)
    target += np.asarray([named.get(m, 0.0) if w else 0.0 for m, w in zip(drivers.model, inside, strict=True)])
    ramp = group[0].ramp(days)[None, :]
    return np.where(inside[:, None], (1 - ramp) * share + ramp * target[:, None], share)


def shapley_values(
    value: Callable[[frozenset[str]], float], names: Sequence[str], *, seed: int = 0
) -> dict[str, float]:
    """Shapley share of each name in `value(all) - value(none)`; exact up to 6 names, else 2,000 seeded permutations.

    Shares add to the total change in both cases.
    """
    known: dict[frozenset[str], float] = {}

    def at(group: Iterable[str]) -> float:
        key = frozenset(group)
        if key not in known:
            known[key] = value(key)
        return known[key]

    ordered = sorted(names)
    count = len(ordered)
    out = dict.fromkeys(ordered, 0.0)
    if count <= EXACT_LEVERS:
        for name in ordered:
            others = [other for other in ordered if other != name]
            for size in range(count):
                weight = factorial(size) * factorial(count - size - 1) / factorial(count)
                for group in combinations(others, size):
                    out[name] += weight * (at((*group, name)) - at(group))
        return out
    rng = np.random.default_rng(seed)
    for _ in range(PERMUTATIONS):
        before: list[str] = []
        for i in rng.permutation(count):
            after = [*before, ordered[i]]
            out[ordered[i]] += (at(after) - at(before)) / PERMUTATIONS
            before = after
    return out


@dataclass(frozen=True)
class Composition:
    """How savings of several levers compose, as shares of the cost before. Only `combined` may go into a plan.

    `interaction_log` above 0: the levers overlap; below 0: they reinforce one another.
    """

    naive_sum: float
    product_form: float
    combined: float
    interaction_log: float


def compose(alone: Sequence[float], together: float) -> Composition:
    """Composition from the remaining share of cost with each lever alone and with all of them, 1 = no saving."""
    if together <= 0 or min(alone, default=1.0) <= 0:
        interaction = float("nan")
    else:
        interaction = log(together) - sum(log(share) for share in alone)
    return Composition(sum(1 - share for share in alone), 1 - prod(alone), 1 - together, interaction)


@dataclass(frozen=True)
class ScenarioResult:
    """Frames `scenarios`, `scenario_levers`, `scenario_summary` of `forecasting.schemas.DECISION_SCHEMAS`, sorted."""

    scenarios: pl.DataFrame
    levers: pl.DataFrame
    summary: pl.DataFrame


def _months(days: Sequence[date]) -> list[tuple[date, np.ndarray]]:
    first = [day.replace(day=1) for day in days]
    return [(month, np.asarray([f == month for f in first])) for month in dict.fromkeys(first)]


def _rows(scenario: str, drivers: Drivers, days: Sequence[date], outcome: Outcome) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for workflow in dict.fromkeys(drivers.workflow):
        inside = np.asarray([w == workflow for w in drivers.workflow])
        for month, chosen in _months(days):
            block = np.ix_(inside, chosen)
            calls, tokens, cost = (float(m[block].sum()) for m in (outcome.calls, outcome.tokens, outcome.cost))
            out.append(
                {
                    "scenario_id": scenario,
                    "workflow": workflow,
                    "month": month,
                    "calls": calls,
                    "tokens_per_call": tokens / calls if calls > 0 else None,
                    "rate_per_million": cost / tokens * 1e6 if tokens > 0 else None,
                    "cost": cost,
                }
            )
    return out


def run_scenarios(
    drivers: pl.DataFrame,
    levers: pl.DataFrame,
    first: date,
    end: date,
    *,
    demand: pl.DataFrame | None = None,
    seed: int = 0,
) -> ScenarioResult:
    """Every scenario on every workflow over [first, end), beside the baseline, with its levers' shares of the change.

    `demand` (workflow, target_date, user_actions) replaces the constant user actions per day of `drivers` on all days.
    Money has the currency of the prices. Raises ScenarioError.
    """
    if end <= first:
        raise ScenarioError(f"the period [{first}, {end}) is empty")
    tree, named = Drivers.from_frame(drivers), levers_of(levers)
    days = [first + timedelta(days=i) for i in range((end - first).days)]
    asked = _demand(demand, days)
    base = evaluate(tree, [], days, asked)
    outcomes = {BASELINE: base} | {name: evaluate(tree, group, days, asked) for name, group in named.items()}
    schema = DECISION_SCHEMAS["scenarios"]
    raw = [row for name, outcome in outcomes.items() for row in _rows(name, tree, days, outcome)]
    table = pl.DataFrame(raw, schema={k: schema.get(k) for k in list(schema)[:6]} | {"cost": pl.Float64})
    table = table.with_columns(pl.col("cost").cast(MONEY))
    keys = ["workflow", "month"]
    today = table.filter(pl.col("scenario_id") == BASELINE).select(*keys, pl.col("cost").alias("baseline_cost"))
    table = table.join(today, on=keys).with_columns(change=(pl.col("cost") - pl.col("baseline_cost")).cast(MONEY))
    share = pl.col("change").cast(pl.Float64) / pl.col("baseline_cost").cast(pl.Float64)
    table = table.with_columns(change_share=pl.when(pl.col("baseline_cost") > 0).then(share))
    sums = table.group_by("scenario_id").agg(pl.col("cost", "baseline_cost", "change").sum())
    exact = {row["scenario_id"]: row for row in sums.to_dicts()}
    summary, shares = [], []
    for name, group in named.items():
        found, told = _attribution(tree, name, group, days, asked, exact[name], seed)
        shares.append(found)
        summary.append(told)
    lever_schema, summary_schema = DECISION_SCHEMAS["scenario_levers"], DECISION_SCHEMAS["scenario_summary"]
    return ScenarioResult(
        scenarios=table.select(pl.col(k).cast(v) for k, v in schema.items()).sort("scenario_id", *keys),
        levers=pl.concat([pl.DataFrame(schema=lever_schema), *shares]).sort("scenario_id", "lever_id"),
        summary=pl.DataFrame(summary, schema=summary_schema).sort("scenario_id"),
    )


def _demand(demand: pl.DataFrame | None, days: Sequence[date]) -> dict[str, Array] | None:
    if demand is None:
        return None
    out = {}
    wide = demand.filter(pl.col("target_date").is_in(list(days))).sort("workflow", "target_date")
    for (workflow,), rows in wide.group_by("workflow", maintain_order=True):
        if rows["target_date"].to_list() != list(days):
            raise ScenarioError(
                f"demand of {workflow!r}: every day of the period once, {rows.height} of {len(days)} there"
            )
        out[str(workflow)] = rows["user_actions"].cast(pl.Float64).to_numpy()
    return out


def _attribution(
    tree: Drivers,
    name: str,
    group: Sequence[Lever],
    days: Sequence[date],
    demand: dict[str, Array] | None,
    exact: Mapping[str, Decimal],
    seed: int,
) -> tuple[pl.DataFrame, dict[str, object]]:
    ids = sorted({lever.lever_id for lever in group})

    def cost(chosen: frozenset[str]) -> float:
        return float(evaluate(tree, [lever for lever in group if lever.lever_id in chosen], days, demand).cost.sum())

    before, after = cost(frozenset()), cost(frozenset(ids))
    alone = {i: cost(frozenset([i])) for i in ids}
    parts = shapley_values(cost, ids, seed=seed)
    amounts = close(pl.DataFrame({i: [v] for i, v in parts.items()}), pl.Series([exact["change"]], dtype=MONEY))
    change = after - before
    frame = pl.DataFrame(
        [
            {
                "scenario_id": name,
                "lever_id": i,
                "alone_cost": alone[i],
                "alone_saving": 1 - alone[i] / before if before > 0 else None,
                "share_of_change": parts[i] / change if change else None,
            }
            for i in ids
        ],
        schema={
            "scenario_id": pl.String,
            "lever_id": pl.String,
            "alone_cost": pl.Float64,
            "alone_saving": pl.Float64,
            "share_of_change": pl.Float64,
        },
    ).with_columns(pl.col("alone_cost").cast(MONEY), amount=pl.Series([amounts[i][0] for i in ids], dtype=MONEY))
    told: dict[str, object] = {
        "scenario_id": name,
        "baseline_cost": exact["baseline_cost"],
        "cost": exact["cost"],
        "change": exact["change"],
        "shapley": "exact" if len(ids) <= EXACT_LEVERS else f"{PERMUTATIONS} permutations, seed {seed}",
    }
    if before > 0:
        how = compose([alone[i] / before for i in ids], after / before)
        interaction = how.interaction_log if np.isfinite(how.interaction_log) else None
        told |= {
            "naive_sum": how.naive_sum,
            "product_form": how.product_form,
            "combined": how.combined,
            "interaction_log": interaction,
        }
    return frame.select(DECISION_SCHEMAS["scenario_levers"].keys()), told


def break_even(
    drivers: pl.DataFrame,
    levers: Sequence[Lever],
    driver: str,
    target: float,
    first: date,
    end: date,
    *,
    workflow: str | None = None,
    most: float = 1000.0,
) -> float | None:
    """Multiplier of `driver` at which the period [first, end) costs `target` with the levers in force.

    None where no multiplier from 0 to `most` gets there. Answers: how much adoption does the budget leave room for?
    """
    tree = Drivers.from_frame(drivers)
    days = [first + timedelta(days=i) for i in range((end - first).days)]

    def missing(multiplier: float) -> float:
        extra = Lever("break-even", driver, multiplier, workflow=workflow)
        return float(evaluate(tree, [*levers, extra], days).cost.sum()) - target

    low, high = missing(0.0), missing(most)
    if low == 0:
        return 0.0
    return None if low * high > 0 else float(brentq(missing, 0.0, most, xtol=1e-12, rtol=1e-12))


def cache_break_even(write_multiplier: float, read_multiplier: float) -> float:
    """Reads per write from which caching is cheaper: `(w - 1) / (1 - r)`, multipliers of the input price.

    Infinite where a read is not cheaper than input.
    """
    return float("inf") if read_multiplier >= 1 else max(write_multiplier - 1, 0.0) / (1 - read_multiplier)


def displayed(amount: Decimal | float, step: int = 100) -> int:
    """Amount rounded half up to a multiple of `step`, for display only."""
    return int((Decimal(str(amount)) / step).quantize(Decimal(1), rounding=ROUND_HALF_UP)) * step


def swing(costs: Iterable[float]) -> float:
    """Dearest less cheapest scenario."""
    values = list(costs)
    return max(values) - min(values)


def display_bridge(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Steps of moving the drivers of a product one after the other, in the order given. For display only.

    They add up, but each depends on its place; `forecasting.variance` decides what an effect is.
    """
    moved = [prod((*after[:i], *before[i:])) for i in range(len(before) + 1)]
    return [moved[i + 1] - moved[i] for i in range(len(before))]
