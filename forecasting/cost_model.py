"""What a workflow that does not exist yet will cost, by its loops and context; and later how wrong that was.

A step sends everything before it again, so input grows with the square of the steps. Prices are per 1,000,000 tokens in
one currency; token classes are disjoint. Sources: Wald (1944), On cumulative sums of random variables; Feller (1968),
An Introduction to Probability Theory; Sobol (1993), Sensitivity estimates for nonlinear mathematical models; Lawson,
Hanson (1974), Solving Least Squares Problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import nnls
from scipy.special import ndtr

from forecasting.intervals import weighted_quantile
from forecasting.models import Array

MILLION = 1e6
FEW_RUNS = 10_000
MANY_RUNS = 2_000
MANY = 100_000
FIT_MIN_RUNS = 100
FIT_MIN_R2 = 0.6
LAUNCH_RUNS = 30
REVIEW_DAYS = 60
PRIOR_DAYS = 14
Z_P95 = 1.6448536269514722


class CostModelError(ValueError):
    """A figure of the note is impossible; the message names the field."""


@dataclass(frozen=True)
class Prices:
    """Prices per 1,000,000 tokens. `above` prices steps that send more than its tokens: (tokens, prices)."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    above: tuple[int, Prices] | None = None

    def of(self, uncached: Array, read: Array, write: Array, output: Array) -> Array:
        """Cost of steps, each at the tier of what it sends; a cached class without a price costs the input price."""
        cached = self.input if self.cache_read is None else self.cache_read
        written = self.input if self.cache_write is None else self.cache_write
        cost = (uncached * self.input + read * cached + write * written + output * self.output) / MILLION
        if self.above is None:
            return np.asarray(cost)
        limit, dearer = self.above
        return np.where(uncached + read + write > limit, dearer.of(uncached, read, write, output), cost)


@dataclass(frozen=True)
class Loop:
    """Tokens of one agent loop. Compaction every `compact_every` steps replaces history by `summary_tokens`.

    `cached` is the probability that a step finds what was sent before still cached; None means no caching at all.
    """

    prefix: float
    user_tokens: float
    growth: float
    output: float
    window: float | None = None
    compact_every: int | None = None
    summary_tokens: float = 0.0
    cached: float | None = None

    def __post_init__(self) -> None:
        """Raise CostModelError for figures no loop can have."""
        for name in ("prefix", "user_tokens", "growth", "output", "summary_tokens"):
            if getattr(self, name) < 0:
                raise CostModelError(f"{name}: {getattr(self, name)} is below zero")
        if self.compact_every is not None and self.compact_every < 1:
            raise CostModelError(f"compact_every: {self.compact_every} is not a number of steps")
        if self.cached is not None and not 0 <= self.cached <= 1:
            raise CostModelError(f"cached: {self.cached} is not a probability")
        if self.window is not None and self.window < self.prefix + self.user_tokens:
            raise CostModelError("window: smaller than prefix and user tokens")


@dataclass(frozen=True)
class Steps:
    """Tokens of every model call of one run, in order, compaction calls included; `step` is 0 for those."""

    step: Array
    uncached: Array
    read: Array
    write: Array
    output: Array
    truncated: bool

    @property
    def input(self) -> Array:
        """All tokens sent."""
        return self.uncached + self.read + self.write

    def cost(self, prices: Prices) -> float:
        """Cost of the run."""
        return float(prices.of(self.uncached, self.read, self.write, self.output).sum())


def steps(loop: Loop, count: int) -> Steps:
    """Every call of a run of `count` steps. Step i sends `min(S + u + (i - 1) g, W)`; 0 steps are no call.

    With caching a step reads what the one before sent with probability h and writes the rest. A compaction call sends
    the context and the last output, writes the summary, and breaks the cache, as a cut at the window does; there is
    none after the last step.
    """
    opening = loop.prefix + loop.user_tokens
    numbers, sent, produced, fresh = [], [], [], []
    context, broken, truncated = opening, True, False
    for i in range(1, count + 1):
        if loop.window is not None and context > loop.window:
            truncated = broken = True
        now = context if loop.window is None else min(context, loop.window)
        numbers.append(i)
        sent.append(now)
        produced.append(loop.output)
        fresh.append(broken)
        context, broken = context + loop.growth, False
        if loop.compact_every and i % loop.compact_every == 0 and i < count:
            numbers.append(0)
            sent.append(now + loop.output)
            produced.append(loop.summary_tokens)
            fresh.append(False)
            context, broken = opening + loop.summary_tokens, True
    total = np.asarray(sent, dtype=float)
    read = np.zeros_like(total)
    if loop.cached is not None and len(total) > 1:
        before = np.minimum(total[:-1], total[1:])
        read[1:] = np.where(fresh[1:], 0.0, loop.cached * before)
    cached = loop.cached is not None
    return Steps(
        step=np.asarray(numbers, dtype=float),
        uncached=np.zeros_like(total) if cached else total,
        read=read,
        write=total - read if cached else np.zeros_like(total),
        output=np.asarray(produced, dtype=float),
        truncated=truncated,
    )


def input_total(loop: Loop, count: float) -> float:
    """Closed form `n (S + u) + g n (n - 1) / 2` of the tokens sent, without window and compaction."""
    return count * (loop.prefix + loop.user_tokens) + loop.growth * count * (count - 1) / 2


def window_step(loop: Loop) -> int | None:
    """First step that fills the window, `1 + ceil((W - S - u) / g)`; from there quality is at risk. None: never."""
    if loop.window is None or loop.growth <= 0:
        return None
    return 1 + int(np.ceil((loop.window - loop.prefix - loop.user_tokens) / loop.growth))


def moments(pmf: Mapping[int, float]) -> tuple[float, float]:
    """Mean and variance of a distribution {value: probability}. Raises CostModelError when it does not add to 1."""
    values, weights = np.asarray(list(pmf), dtype=float), np.asarray(list(pmf.values()), dtype=float)
    if len(values) == 0 or (weights < 0).any() or abs(weights.sum() - 1) > 1e-9 or (values < 0).any():
        raise CostModelError("a distribution needs values of at least 0 whose probabilities add to 1")
    mean = float((values * weights).sum())
    return mean, float(((values - mean) ** 2 * weights).sum())


def expected_pairs(mean: float, variance: float) -> float:
    """`E[n (n - 1) / 2] = (Var n + (E n)^2 - E n) / 2`, what multiplies the growth term; the mean alone is too low."""
    return (variance + mean**2 - mean) / 2


def attempts(fail_probability: float, most: int | None = None) -> tuple[float, float]:
    """Expected attempts `(1 - q^R) / (1 - q)` and the probability `q^R` of giving up; None: tried until it works."""
    q = fail_probability
    if not 0 <= q <= 1 or (most is not None and most < 1) or (most is None and q == 1):
        raise CostModelError(f"retries: failure probability {q} with at most {most} attempts")
    if most is None:
        return 1 / (1 - q), 0.0
    return (float(most) if q == 1 else (1 - q**most) / (1 - q)), q**most


def escalated_cost(cheap: float, strong: float, probability: float) -> float:
    """`(1 - e) C_cheap + e (C_cheap + C_strong)`: the cheap attempt is paid too."""
    return (1 - probability) * cheap + probability * (cheap + strong)


def parallel_input(loop: Loop, count: int, agents: int) -> float:
    """Tokens sent by `agents` sub-agents of count / agents steps each, `n (S + u) + g n (n / k - 1) / 2`.

    They multiply the fixed prefix, not the growth; the parent's merge call comes on top.
    """
    if agents < 1:
        raise CostModelError(f"agents: {agents}")
    return count * (loop.prefix + loop.user_tokens) + loop.growth * count * (count / agents - 1) / 2


def lognormal_pmf(median: float, p95: float, cap: int) -> dict[int, float]:
    """Steps per run from median and p95: a lognormal rounded up, all mass above `cap` on the cap."""
    if not 0 < median <= p95 or cap < 1:
        raise CostModelError(f"steps: median {median}, p95 {p95}, cap {cap}")
    if median == p95:
        return {min(int(np.ceil(median)), cap): 1.0}
    sigma = np.log(p95 / median) / Z_P95
    reached = ndtr(np.log(np.arange(1, cap + 1) / median) / sigma)
    reached[-1] = 1.0
    mass = np.diff(np.concatenate([[0.0], reached]))
    return {i + 1: float(m) for i, m in enumerate(mass) if m > 0}


def compound(count_mean: float, count_variance: float, mean: float, variance: float) -> tuple[float, float]:
    """Mean and standard deviation of a sum of N independent costs: `E N Var c + Var N (E c)^2`."""
    return count_mean * mean, float(np.sqrt(count_mean * variance + count_variance * mean**2))


def blend(forecast: float, prior: float, active_days: int) -> float:
    """Daily forecast of a new workflow: `(n ENS + 14 prior) / (n + 14)` with the modelled daily cost as the prior."""
    return (active_days * forecast + PRIOR_DAYS * prior) / (active_days + PRIOR_DAYS)


@dataclass(frozen=True)
class Design:
    """One way to build a workflow. Distributions are {value: probability}; `step_pmf` is capped at `max_steps`.

    `runs_per_action` is the fan-out; a step that fails is tried again up to `max_attempts`, its failed attempts stay in
    the context unless `drop_failed`. `escalation` is the probability that a run is done again at the `strong` prices.
    `batch_share` of runs cost `batch_multiplier` of the uncached price.
    """

    loop: Loop
    prices: Prices
    step_pmf: Mapping[int, float]
    max_steps: int
    runs_per_action: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    fail_probability: float = 0.0
    max_attempts: int = 1
    drop_failed: bool = True
    escalation: float = 0.0
    strong: Prices | None = None
    batch_share: float = 0.0
    batch_multiplier: float = 1.0

    def capped_steps(self) -> tuple[Array, Array]:
        """Steps and probabilities with everything above `max_steps` on it."""
        moments(self.step_pmf)
        out: dict[int, float] = {}
        for n, p in sorted(self.step_pmf.items()):
            out[min(n, self.max_steps)] = out.get(min(n, self.max_steps), 0.0) + p
        return np.asarray(list(out), dtype=float), np.asarray(list(out.values()))


def run_cost(design: Design, count: int, *, escalated: bool = False) -> float:
    """Expected cost of a run of `count` steps with retries, caching and batch share; `escalated` adds the strong run.

    Failed attempts that stay in the context make the run longer, at fractional length between the two whole ones;
    dropped ones repeat a step of the same length.
    """
    per_step = attempts(design.fail_probability, design.max_attempts)[0]

    def once(loop: Loop, prices: Prices) -> float:
        if design.drop_failed or per_step == 1:
            return per_step * steps(loop, count).cost(prices)
        low, part = divmod(count * per_step, 1)
        below = steps(loop, int(low)).cost(prices)
        return below if part == 0 else (1 - part) * below + part * steps(loop, int(low) + 1).cost(prices)

    cost = once(design.loop, design.prices)
    if design.batch_share:
        batch = once(replace(design.loop, cached=None), design.prices) * design.batch_multiplier
        cost = (1 - design.batch_share) * cost + design.batch_share * batch
    return cost + once(design.loop, design.strong) if escalated and design.strong else cost


def run_classes(design: Design) -> tuple[Array, Array, Array]:
    """Steps, probability and cost of every class of runs: each number of steps, with and without escalation."""
    count, mass = design.capped_steps()
    e = design.escalation if design.strong is not None else 0.0
    parts = [(mass * (1 - e), False)] + ([(mass * e, True)] if e else [])
    cost = [[run_cost(design, int(n), escalated=again) for n in count] for _, again in parts]
    return np.tile(count, len(parts)), np.concatenate([m for m, _ in parts]), np.concatenate(cost)


@dataclass(frozen=True)
class RunCost:
    """Distribution of the cost of one run and what drives it.

    `one_call` is the cost of one step (the chatbot assumption), `plug_in` the cost at the mean number of steps,
    `elasticity` of cost in steps 1 plus the share of growth. A cap at p99 cuts `cut_share` of runs and `bounded` money
    per run; `window_share` of runs fill the window, where quality is at risk.
    """

    mean: float
    variance: float
    p50: float
    p90: float
    p95: float
    p99: float
    one_call: float
    plug_in: float
    elasticity: float
    cap: float
    cut_share: float
    bounded: float
    window_share: float


def run_distribution(design: Design) -> RunCost:
    """Cost per run over steps and escalation, exactly (no draws); retries and cache hits at their expectation."""
    count, mass, cost = run_classes(design)
    mean, average = float((cost * mass).sum()), float((count * mass).sum())
    p50, p90, p95, p99 = (weighted_quantile(cost, mass, level) for level in (0.5, 0.9, 0.95, 0.99))
    low = int(np.floor(average))
    e = design.escalation if design.strong is not None else 0.0
    ends = [(1 - e) * run_cost(design, n) + e * run_cost(design, n, escalated=True) for n in (low, low + 1)]
    flat = replace(design, loop=replace(design.loop, growth=0.0))
    _, flat_mass, flat_cost = run_classes(flat)
    full = window_step(design.loop)
    return RunCost(
        mean=mean,
        variance=float(((cost - mean) ** 2 * mass).sum()),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        one_call=run_cost(design, 1),
        plug_in=ends[0] + (average - low) * (ends[1] - ends[0]),
        elasticity=1 + (1 - float((flat_cost * flat_mass).sum()) / mean if mean > 0 else 0.0),
        cap=p99,
        cut_share=float(mass[cost > p99].sum()),
        bounded=float((np.maximum(cost - p99, 0) * mass).sum()),
        window_share=0.0 if full is None else float(mass[count >= full].sum()),
    )


@dataclass(frozen=True)
class Demand:
    """User actions of a month: mean per day, uncertainty of that level, noise from day to day (both as sd / mean).

    `weekday` weights (Monday first) shape the days; `growth_30` is growth per 30 days from the first day on.
    """

    actions_per_day: float
    level_cv: float = 0.2
    daily_cv: float = 0.0
    growth_30: float = 0.0
    weekday: tuple[float, ...] = (1.0,) * 7

    def daily(self, days: Sequence[date]) -> Array:
        """Expected user actions of each day."""
        weight = np.asarray([self.weekday[d.weekday()] for d in days]) / (sum(self.weekday) / 7)
        return self.actions_per_day * weight * (1 + self.growth_30) ** (np.arange(len(days)) / 30)


@dataclass(frozen=True)
class MonthCost:
    """Cost of a month in the currency of the prices: simulated quantiles, exact mean, and what they mean."""

    mean: float
    p10: float
    p50: float
    p80: float
    p95: float
    runs_mean: float
    runs_sd: float
    top_percent_share: float
    p_over_budget: float | None
    cost_per_success: float
    surprise: float
    draws: int


def _lognormal(rng: np.random.Generator, cv: float, size: tuple[int, ...]) -> Array:
    """Multipliers with mean 1 and the given coefficient of variation."""
    sigma2 = np.log1p(cv**2)
    return np.exp(rng.normal(-sigma2 / 2, np.sqrt(sigma2), size)) if cv > 0 else np.ones(size)


def simulate_month(
    design: Design,
    demand: Demand,
    days: Sequence[date],
    *,
    success: float = 1.0,
    budget: float | None = None,
    seed: int = 0,
    draws: int | None = None,
) -> MonthCost:
    """Monthly cost by simulation with a seed of its own: demand level, days, fan-out, and steps of every run.

    Runs of a class (equal steps, escalated or not) are drawn together (multinomial), so a month takes the same time
    however many runs it has; retries and cache hits count at their expectation within a class. 10,000 months, or 2,000
    above 100,000 runs. Raises CostModelError for a success rate outside (0, 1].
    """
    if not 0 < success <= 1:
        raise CostModelError(f"success: {success} is not a rate in (0, 1]")
    fan, fan_var = moments(design.runs_per_action)
    expected = demand.daily(days)
    runs_mean = float(expected.sum() * fan)
    count = draws or (MANY_RUNS if runs_mean > MANY else FEW_RUNS)
    rng = np.random.default_rng(seed)
    level = _lognormal(rng, demand.level_cv, (count,))
    daily = expected[None, :] * _lognormal(rng, demand.daily_cv, (count, len(days)))
    actions = rng.poisson(level * daily.sum(axis=1))
    width, probability = np.asarray(list(design.runs_per_action)), np.asarray(list(design.runs_per_action.values()))
    runs = rng.multinomial(actions, probability) @ width
    _, mass, cost = run_classes(design)
    months = rng.multinomial(runs, mass / mass.sum()) @ cost
    run = run_distribution(design)
    level_var = demand.level_cv**2 * expected.sum() ** 2
    day_var = (1 + demand.level_cv**2) * demand.daily_cv**2 * (expected**2).sum()
    actions_var = expected.sum() + level_var + day_var
    runs_var = expected.sum() * fan_var + actions_var * fan**2
    order = np.argsort(cost)[::-1]
    above = np.minimum(np.cumsum(mass[order]), 0.01) - np.minimum(np.cumsum(mass[order]) - mass[order], 0.01)
    p10, p50, p80, p95 = (float(q) for q in np.quantile(months, [0.1, 0.5, 0.8, 0.95]))
    mean = runs_mean * run.mean
    once = float(expected.sum()) * run.one_call
    return MonthCost(
        mean=mean,
        p10=p10,
        p50=p50,
        p80=p80,
        p95=p95,
        runs_mean=runs_mean,
        runs_sd=float(np.sqrt(runs_var)),
        top_percent_share=float((above * cost[order]).sum() / run.mean) if run.mean > 0 else 0.0,
        p_over_budget=None if budget is None else float((months > budget).mean()),
        cost_per_success=run.mean / success,
        surprise=mean / once if once > 0 else 1.0,
        draws=count,
    )


def tornado(
    design: Design,
    demand: Demand,
    days: Sequence[date],
    ranges: Mapping[str, tuple[float, float] | None],
    *,
    seed: int = 0,
    draws: int = MANY_RUNS,
) -> pl.DataFrame:
    """Each input at its p10 and p90 (None: 25 % down and up), ranked by the change of the month's p80.

    Inputs: fields of `Loop` and `Demand`, `fail_probability`, `escalation`. Columns: rank, input, low, high (values),
    p80_low, p80_high, swing (money, absolute), variance_share (first order, adds to 1 over the inputs).
    """
    loops = {f.name for f in fields(Loop)} - {"compact_every"}
    demands = {"actions_per_day", "level_cv", "daily_cv", "growth_30"}

    def at(name: str, value: float) -> float:
        change: dict[str, Any] = {name: value}
        if name in loops:
            changed, asked = replace(design, loop=replace(design.loop, **change)), demand
        elif name in demands:
            changed, asked = design, replace(demand, **change)
        elif name in ("fail_probability", "escalation"):
            changed, asked = replace(design, **change), demand
        else:
            raise CostModelError(f"tornado: {name} is not an input of the model")
        return simulate_month(changed, asked, days, seed=seed, draws=draws).p80

    rows = []
    for name, ends in ranges.items():
        source = design.loop if name in loops else demand if name in demands else design
        now = getattr(source, name, None)
        low, high = ends if ends is not None else (0.75 * (now or 0.0), 1.25 * (now or 0.0))
        p80 = at(name, low), at(name, high)
        rows.append(
            {
                "input": name,
                "low": low,
                "high": high,
                "p80_low": p80[0],
                "p80_high": p80[1],
                "swing": abs(p80[1] - p80[0]),
            }
        )
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(("low", "high", "p80_low", "p80_high", "swing"), pl.Float64) | {"input": pl.String}
    )
    squared = pl.col("swing") ** 2
    return (
        frame.with_columns(
            pl.when(squared.sum() > 0).then(squared / squared.sum()).otherwise(0.0).alias("variance_share")
        )
        .sort(pl.col("swing"), "input", descending=[True, False])
        .with_columns(pl.int_range(1, pl.len() + 1).alias("rank"))
        .select("rank", "input", "low", "high", "p80_low", "p80_high", "swing", "variance_share")
    )


@dataclass(frozen=True)
class Fit:
    """Non-negative least squares of `cost ~ a n + b n^2` over completed runs; `usable` says whether to trust it."""

    a: float
    b: float
    r2: float
    runs: int

    @property
    def usable(self) -> bool:
        """At least 100 runs and R^2 of at least 0.6; else the formula is used."""
        return self.runs >= FIT_MIN_RUNS and self.r2 >= FIT_MIN_R2


def fit_steps(count: Array, cost: Array) -> Fit:
    """Fit cost per run on steps. Raises CostModelError without runs or with other than positive steps."""
    n, y = np.asarray(count, dtype=float), np.asarray(cost, dtype=float)
    if len(n) == 0 or len(n) != len(y) or not (n > 0).all() or not np.isfinite(y).all():
        raise CostModelError("fit: every run needs its steps (at least 1) and its cost")
    scale = n.max()
    (a, b), _ = nnls(np.stack([n / scale, (n / scale) ** 2], axis=1), y)
    a, b = a / scale, b / scale**2
    spread = ((y - y.mean()) ** 2).sum()
    left = ((y - a * n - b * n**2) ** 2).sum()
    r2 = 1 - left / spread if spread > 0 else (1.0 if left == 0 else 0.0)
    return Fit(a=float(a), b=float(b), r2=float(r2), runs=len(n))


def launch_error(
    run: RunCost, runs: pl.DataFrame, modelled: Mapping[str, float], realised: Mapping[str, float]
) -> pl.DataFrame:
    """Realised against modelled after launch: one row per measure.

    `modelled` and `realised` map driver names (actions, fan_out, steps, prefix, growth, output, cache_hit, ...) to
    their values; `runs` has one completed run per row: steps, cost. Columns: measure, modelled,
    realised, error (realised / modelled - 1), state. For p50, p90, p95 `share_below` is the share of realised runs up
    to the modelled quantile, which is the quantile's level when the model is right. Under 30 runs the state of the
    run measures is `insufficient data`; a driver without a realised value is `not measured`.
    """
    cost = runs["cost"].cast(pl.Float64).to_numpy()
    rows: list[dict[str, object]] = []
    for measure, level in (("mean", None), ("p50", 0.5), ("p90", 0.9), ("p95", 0.95)):
        row: dict[str, object] = {"measure": f"run_cost_{measure}", "modelled": getattr(run, measure)}
        if len(cost) < LAUNCH_RUNS:
            row["state"] = f"insufficient data: {len(cost)} of {LAUNCH_RUNS} runs"
        elif level is None:
            row |= {"realised": float(cost.mean()), "state": "measured"}
        else:
            row |= {"realised": float(np.quantile(cost, level)), "state": "measured"}
            row["share_below"] = float((cost <= getattr(run, measure) * (1 + 1e-9)).mean())
        rows.append(row)
    for name in sorted(modelled):
        told = realised.get(name)
        state = "not measured" if told is None else "measured"
        rows.append({"measure": name, "modelled": modelled[name], "realised": told, "state": state})
    frame = pl.DataFrame(
        rows,
        schema={
            "measure": pl.String,
            "modelled": pl.Float64,
            "realised": pl.Float64,
            "share_below": pl.Float64,
            "state": pl.String,
        },
    )
    ratio = pl.when(pl.col("modelled") != 0).then(pl.col("realised") / pl.col("modelled") - 1)
    return frame.select("measure", "modelled", "realised", ratio.alias("error"), "share_below", "state")


def drift_alerts(before: Fit, after: Fit, cache_hit: tuple[float, float], p99_steps: tuple[float, float]) -> list[str]:
    """What moved enough since the model to say so: b up 30 % (context bloat), h down 10 points, p99 steps doubled."""
    out = []
    if after.b > 0 and after.b >= 1.3 * before.b * (1 - 1e-12):
        out.append("context bloat")
    if cache_hit[0] - cache_hit[1] >= 0.1 - 1e-12:
        out.append("cache hit fell")
    if p99_steps[0] > 0 and p99_steps[1] >= 2 * p99_steps[0]:
        out.append("longest runs doubled")
    return out


# What a note must say before a number is published, by group of the method.
NOTE_FIELDS = (
    "workflow",
    "driver",
    "actions_per_day",
    "step_pmf",
    "prefix",
    "user_tokens",
    "growth",
    "output",
    "prices",
    "price_version",
    "success",
    "rework_cost",
    "unit_cost",
    "fallback",
    "owner",
    "review_date",
)


def note_state(
    note: Mapping[str, object],
    *,
    p80: float | None,
    budget: float | None,
    designs: int,
    today: date,
    exception: bool = False,
) -> tuple[str, list[str]]:
    """`draft` (a field is missing), `open` or `approved`, with every reason against approval.

    Approved needs all fields, p80 within the budget or an accepted exception, a review at most 60 days away and at
    least two designs compared.
    """
    missing = [name for name in NOTE_FIELDS if note.get(name) is None or note.get(name) == ""]
    if missing:
        return "draft", [f"missing: {name}" for name in missing]
    reasons = []
    if p80 is None or budget is None:
        reasons.append("p80 or budget is not known")
    elif p80 > budget and not exception:
        reasons.append("p80 is over the budget")
    review = note["review_date"]
    if not isinstance(review, date) or not 0 <= (review - today).days <= REVIEW_DAYS:
        reasons.append(f"review date is not within {REVIEW_DAYS} days")
    if designs < 2:
        reasons.append("no second design to compare with")
    return ("open" if reasons else "approved"), reasons
