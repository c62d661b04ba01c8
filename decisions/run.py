"""One call from the ledger's frames to every decision frame: what the pipeline runs each day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from decisions import commitments, eval_gate, incidents, levers, performance, signals
from decisions.config import CommitmentConfig, GateConfig, SignalConfig, Waiver
from decisions.schemas import PUBLISHED, SCHEMAS, TOKEN_CLASSES, empty

# Days whose signals are published; everything before is history to judge them by.
SHOWN_DAYS = 90
# A source that usually gives fewer rows a day may have a day without any.
_FEWEST_ROWS = 24


@dataclass(frozen=True)
class Inputs:
    """What the warehouse hands over, one frame per relation of the same name (columns: the models' descriptions)."""

    spend_day: pl.DataFrame
    model_day: pl.DataFrame
    rule_day: pl.DataFrame
    source_hour: pl.DataFrame
    scopes: pl.DataFrame
    changes: pl.DataFrame
    demand_hour: pl.DataFrame
    demand_day: pl.DataFrame
    forecast_errors: pl.DataFrame
    offers: pl.DataFrame
    commitment_usage: pl.DataFrame
    commitment_terms: pl.DataFrame
    evaluations: pl.DataFrame
    eval_plans: pl.DataFrame
    promotions: pl.DataFrame
    production: pl.DataFrame
    previous_incidents: pl.DataFrame


def decide(inputs: Inputs, as_of: date, *, run_id: str = "") -> dict[str, pl.DataFrame]:
    """Every published frame by name, with exactly the columns and types of `SCHEMAS`, sorted."""
    settings = SignalConfig()
    found = {"signals": all_signals(inputs, as_of, settings, run_id)}
    found["incidents"] = all_incidents(inputs, found["signals"], as_of, settings, run_id)
    sized = advise(inputs, found["incidents"], as_of, run_id)
    found |= sized.frames()
    digest = CommitmentConfig().hash()
    found["commitment_performance"] = performance.performance(
        inputs.commitment_usage, as_of, commitments=inputs.commitment_terms, run_id=run_id, config_hash=digest
    )
    found["commitment_chargeback"] = performance.chargeback(
        inputs.commitment_usage, as_of, run_id=run_id, config_hash=digest
    )
    found["eval_gate"] = gate(inputs.evaluations, inputs.eval_plans, as_of, run_id)
    found["lever_impact"] = levers.impact(
        inputs.promotions, inputs.production, as_of, run_id=run_id, config_hash=GateConfig().hash()
    )
    return {name: _stable(found[name].select(SCHEMAS[name].keys())) for name in PUBLISHED}


def _stable(frame: pl.DataFrame) -> pl.DataFrame:
    """Twelve figures of every float: more would depend on the order in which rows were met."""
    floats = [name for name, kind in frame.schema.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(floats).round_sig_figs(12)) if floats else frame


# -- signals and incidents ---------------------------------------------------------------------------------------------


def all_signals(inputs: Inputs, as_of: date, config: SignalConfig, run_id: str) -> pl.DataFrame:
    """Rules A1 to A3, A7 to A9 and A12 on the frames, and those the warehouse found itself (A4 to A6, A10, A11)."""
    first = as_of - timedelta(days=SHOWN_DAYS)
    shared: dict[str, Any] = {"first_day": first, "config": config, "run_id": run_id}
    spend = inputs.spend_day.rename({"cost": "value"})
    parts = []
    for scope_type in ("user", "workflow"):
        parts.append(signals.day_signals(spend.filter(pl.col("scope_type") == scope_type), as_of, **shared))
    for scope_type in ("team", "workflow"):
        mine = spend.filter(pl.col("scope_type") == scope_type)
        parts.append(_per_day(signals.trend_signals(mine, as_of, **shared), 7))
        parts.append(_per_day(signals.trend_signals(mine, as_of, rule="A2m", recent=28, **shared), 28))
    models = inputs.model_day.with_columns(
        pl.lit("workflow").alias("scope_type"), pl.col("workflow").alias("scope"),
        pl.col("team").max().over("workflow").alias("parent"),
        pl.sum_horizontal("tokens_input_uncached", "tokens_cache_read", "tokens_cache_write").alias("input_tokens"),
    )  # fmt: skip
    parts.append(_per_day(signals.share_signals(_mix(models), as_of, signals.PREMIUM_MIX, **shared), 7))
    parts.append(signals.cache_signals(_cache(models), as_of, **shared))
    cost = models.group_by("scope", "day").agg(pl.col("list_cost_usd").sum().cast(pl.Float64).alias("cost"))
    context = signals.drift_signals(_per_call(models, "input_tokens"), as_of, **shared)
    parts.append(_priced(context, cost, 1 - 1 / pl.col("ratio"), config))
    retries = signals.drift_signals(_per_call(models, "retries"), as_of, rule="A5r", family="loop", **shared)
    parts.append(_priced(retries, cost, pl.col("value") - pl.col("baseline"), config))
    parts.append(_missing_rows(inputs.source_hour, as_of, first, config, run_id))
    audit = {"as_of": as_of, "run_id": run_id, "config_hash": config.hash()}
    own = inputs.rule_day.filter(pl.col("day").is_between(first, as_of, closed="left"))
    parts.append(own.with_columns(pl.lit(v).alias(k) for k, v in audit.items()).select(SCHEMAS["signals"].keys()))
    whole = pl.concat([p.cast(SCHEMAS["signals"]) for p in parts])  # type: ignore[arg-type]
    return whole.sort("rule", "scope_type", "scope", "day")


def _per_day(found: pl.DataFrame, days: int) -> pl.DataFrame:
    """Excess and floor of a window as money per day, so that an incident's days add up."""
    return found.with_columns(pl.col("excess", "floor") / days)


def _priced(found: pl.DataFrame, cost: pl.DataFrame, share: pl.Expr, config: SignalConfig) -> pl.DataFrame:
    """A drift with its money: the share of the day's cost it stands for. Below the floor it is a notice, not a page."""
    rows = found.join(cost, on=["scope", "day"], how="left")
    excess = (pl.col("cost").fill_null(0.0) * share.clip(lower_bound=0.0)).fill_null(0.0)
    quiet = (pl.col("state") == signals.PAGE) & (excess < config.floor)
    return rows.with_columns(
        excess.alias("excess"), pl.lit(config.floor).alias("floor"),
        pl.when(quiet).then(pl.lit(signals.NOTICE)).otherwise(pl.col("state")).alias("state"),
    ).select(SCHEMAS["signals"].keys())  # fmt: skip


def _mix(models: pl.DataFrame) -> pl.DataFrame:
    """Premium share of calls by workflow and day, and what the day's calls cost at their mix and at the usual one."""
    keys = ["scope_type", "scope", "parent", "day"]
    daily = models.group_by(keys).agg(
        pl.col("calls").filter(pl.col("is_premium")).sum().alias("hits"),
        pl.col("calls").sum().alias("n"),
        pl.col("list_cost_usd").sum().cast(pl.Float64).alias("cost_now"),
        pl.col("list_cost_usd").filter(pl.col("is_premium")).sum().cast(pl.Float64).alias("premium"),
    )
    daily = daily.sort("scope", "day")
    # The usual mix: premium share of the 28 days that end a week before, at the day's own cost per call of each side.
    usual = daily.rolling("day", period="28d", offset="-35d", group_by="scope").agg(
        (pl.col("hits").sum() / pl.col("n").sum()).alias("share")
    )
    joined = daily.join(usual.unique(["scope", "day"]), on=["scope", "day"], how="left")
    dear = pl.col("premium") / pl.col("hits")
    cheap = (pl.col("cost_now") - pl.col("premium")) / (pl.col("n") - pl.col("hits"))
    at_usual = pl.col("n") * (pl.col("share") * dear + (1 - pl.col("share")) * cheap)
    known = (pl.col("hits") > 0) & (pl.col("n") > pl.col("hits")) & pl.col("share").is_not_nan()
    cost_before = pl.when(known).then(at_usual).otherwise(pl.col("cost_now")).fill_null(pl.col("cost_now"))
    return joined.with_columns(cost_before.alias("cost_before")).select(*keys, "hits", "n", "cost_now", "cost_before")


def _cache(models: pl.DataFrame) -> pl.DataFrame:
    """Cache reads over input by workflow and model; prices per 1,000,000 tokens. Models that never read are left out."""
    cached = models.filter(pl.col("input_price").is_not_null()).with_columns(
        pl.lit("workflow x model").alias("scope_type"), (pl.col("scope") + " / " + pl.col("model_id")).alias("scope")
    )
    million = 1_000_000.0
    daily = cached.group_by("scope_type", "scope", "parent", "day").agg(
        pl.col("tokens_cache_read").sum().alias("reads"),
        pl.col("input_tokens").sum(),
        (pl.col("input_price").max().cast(pl.Float64) * million).alias("price_input"),
        (pl.col("cache_read_price").max().cast(pl.Float64) * million).alias("price_read"),
    )
    return daily.filter(pl.col("reads").sum().over("scope") > 0)


def _per_call(models: pl.DataFrame, measure: str) -> pl.DataFrame:
    """A measure per call by workflow and day."""
    daily = models.group_by("scope_type", "scope", "parent", "day").agg(pl.col(measure, "calls").sum())
    value = pl.col(measure).cast(pl.Float64) / pl.col("calls")
    return daily.select("scope_type", "scope", "parent", "day", value.alias("value"))


def _missing_rows(hours: pl.DataFrame, as_of: date, first: date, config: SignalConfig, run_id: str) -> pl.DataFrame:
    """A12: rows a source delivered in an hour against the same hour of the 14 days before; the day's worst hours speak.

    Notice: the sum of a day is at most half of what its hours usually give and the median z is at or below -6. Page: a
    whole day without a row. Other sources' silence is `source_freshness`.
    """
    rows: list[dict[str, Any]] = []
    for (source,), mine in hours.group_by(["source"], maintain_order=True):
        start = mine["hour"].dt.date().min()
        assert isinstance(start, date)
        count = (as_of - start).days
        if count <= 0:
            continue
        grid = np.zeros(count * 24)
        at = (mine["hour"] - pl.Series([start]).cast(pl.Datetime("us"))[0]).dt.total_hours().to_numpy()
        grid[at] = mine["rows"].to_numpy()
        z = signals.seasonal_z(grid).reshape(count, 24)
        daily = grid.reshape(count, 24).sum(axis=1)
        for t in range(signals.SEASON_DAYS, count):
            day = start + timedelta(days=t)
            if day < first:
                continue
            same = [daily[t - 7 * k] for k in range(1, 5) if t - 7 * k >= 0]
            usual = float(np.median(same)) if same else 0.0
            middle = float(np.nanmedian(z[t])) if np.isfinite(z[t]).any() else 0.0
            state = signals.SILENT
            if usual < _FEWEST_ROWS:
                pass
            elif daily[t] == 0:
                state = signals.PAGE
            elif daily[t] <= 0.5 * usual and middle <= -config.page_z:
                state = signals.NOTICE
            rows.append({
                "rule": "A12", "family": "data", "scope_type": "source", "scope": source, "day": day,
                "value": float(daily[t]), "baseline": usual, "robust_z": middle if np.isfinite(middle) else None,
                "ratio": daily[t] / usual if usual > 0 else None, "history": min(t, signals.SEASON_DAYS), "state": state,
            })  # fmt: skip
    schema = SCHEMAS["signals"]
    audit = {"as_of": as_of, "run_id": run_id, "config_hash": config.hash()}
    return pl.DataFrame([dict.fromkeys(schema) | row | audit for row in rows], schema=schema)


def all_incidents(
    inputs: Inputs, found: pl.DataFrame, as_of: date, config: SignalConfig, run_id: str
) -> pl.DataFrame:
    """Incidents of the signals. Those the window has passed are carried on as they were last seen."""
    first = as_of - timedelta(days=SHOWN_DAYS)
    before = inputs.previous_incidents
    carried = before.filter(pl.col("last_day") < first)
    again = before.filter(pl.col("last_day") >= first, pl.col("as_of") <= as_of)
    owners = inputs.scopes
    table = incidents.fold(
        found, as_of, scopes=owners, changes=inputs.changes, previous=again, config=config, run_id=run_id
    )
    fallback = owners.filter(pl.col("scope_type") == "default")["owner"].head(1).to_list()
    if fallback:
        table = table.with_columns(pl.col("owner").fill_null(fallback[0]))
    return pl.concat([carried.select(table.columns).cast(table.schema), table]).sort("first_day", "incident_id")


# -- commitments -------------------------------------------------------------------------------------------------------


def advise(inputs: Inputs, open_incidents: pl.DataFrame, as_of: date, run_id: str) -> commitments.Advice:
    """One pool per provider, and one per model that an offer in force is made for; scopes are workflows."""
    demand = _pooled(inputs.demand_hour, inputs.offers, as_of)
    if demand.is_empty():
        return commitments.Advice(empty("commitment_sizing"), empty("commitment_sensitivity"))
    pools = demand.group_by("pool").agg(pl.col("provider", "pool_model", "deployment").first()).with_columns(
        pl.col("pool_model").alias("model_id"), pl.lit("hour").alias("granularity")
    )
    hourly = demand.group_by("pool", "scope", "hour").agg(pl.col("on_demand_usd").sum())
    return commitments.advise(
        hourly, pools, inputs.offers, as_of,
        days=_days(demand, inputs.demand_day, open_incidents), traffic=_traffic(demand),
        errors=inputs.forecast_errors, run_id=run_id,
    )  # fmt: skip


def _pooled(hours: pl.DataFrame, offers: pl.DataFrame, as_of: date) -> pl.DataFrame:
    held = offers.filter(
        (pl.col("valid_from").is_null() | (pl.col("valid_from") <= as_of))
        & (pl.col("valid_to").is_null() | (pl.col("valid_to") > as_of))
        & pl.col("model_id").is_not_null()
    )
    known = hours.join(
        held.select("provider", "model_id").unique().with_columns(pl.lit(True).alias("has_offer")),
        on=["provider", "model_id"], how="left",
    )  # fmt: skip
    own = pl.col("has_offer").fill_null(False)
    return known.with_columns(
        pl.when(own).then(pl.col("model_id")).alias("pool_model"),
        pl.when(own).then(pl.col("provider") + " / " + pl.col("model_id")).otherwise(pl.col("provider")).alias("pool"),
    )


def _days(demand: pl.DataFrame, days: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Facts of the data gate: spend and attribution by the provider's bill, prices by the pool's own calls."""
    priced = demand.group_by("pool", "provider", pl.col("hour").dt.date().alias("charge_date")).agg(
        (pl.col("unpriced_calls").sum() == 0).alias("is_priced")
    )
    open_excess = found.filter(
        (pl.col("state") == incidents.OPEN) & (pl.col("scope_type") == "workflow") & (pl.col("family") == "spend")
    ).group_by("scope").agg(pl.col("excess").max(), pl.col("last_day").max())
    hit = demand.select("pool", "scope").unique().join(open_excess, on="scope").group_by(
        "pool", pl.col("last_day").alias("charge_date")
    ).agg(pl.col("excess").sum().alias("incident_spend"))
    joined = priced.join(days, on=["provider", "charge_date"], how="left").join(
        hit, on=["pool", "charge_date"], how="left"
    )
    return joined.select(
        "pool", "charge_date", pl.col("spend").fill_null(0), pl.col("attributed_spend").fill_null(0),
        pl.col("incident_spend").fill_null(0.0), pl.col("spend").is_not_null().alias("is_complete"), "is_priced",
    ).sort("pool", "charge_date")  # fmt: skip


def _traffic(demand: pl.DataFrame) -> pl.DataFrame:
    """Token mix of a pool with its mean on-demand price, USD per 1,000,000 tokens."""
    names = dict(zip(TOKEN_CLASSES, ("input", "cache_read", "cache_write", "output"), strict=True))
    parts = []
    for token_class, price in names.items():
        tokens, unit = pl.col(f"tokens_{token_class}").cast(pl.Float64), pl.col(f"{price}_price").cast(pl.Float64)
        paid = (tokens * unit).sum() * 1_000_000 / tokens.filter(unit.is_not_null()).sum()
        parts.append(
            demand.group_by("pool").agg(
                pl.lit(token_class).alias("token_class"), tokens.sum().alias("tokens"), paid.alias("price_per_million")
            )
        )
    return pl.concat(parts).with_columns(pl.col("price_per_million").fill_nan(None))


# -- evaluations -------------------------------------------------------------------------------------------------------


def gate(records: pl.DataFrame, plans: pl.DataFrame, as_of: date, run_id: str) -> pl.DataFrame:
    """One row per planned comparison whose configurations have records; plans without are left out until they come."""
    found = [empty("eval_gate")]
    for plan in plans.sort("plan_id").iter_rows(named=True):
        mine = records.filter(pl.col("eval_set_id") == plan["eval_set_id"])
        wanted = (plan["baseline_config"], plan["candidate_config"])
        if not set(wanted) <= set(mine["config_id"].unique()):
            continue
        found.append(eval_gate.evaluate(mine, *wanted, as_of, config=_gate_config(plan), run_id=run_id))
    return pl.concat(found).sort("eval_set_id", "baseline_config", "candidate_config")


def _gate_config(plan: Mapping[str, Any]) -> GateConfig:
    limits = {
        name: float(plan[name]) for name in ("latency_p95_ms", "refusal_rate") if plan[name] is not None
    }
    slices: Sequence[str] = tuple(s.strip() for s in (plan["critical_slices"] or "").split(";") if s.strip())
    waiver = Waiver(plan["waiver_owner"], plan["waiver_reason"]) if plan["waiver_owner"] else None
    return GateConfig(
        margin=float(plan["margin"]), margin_slice=float(plan["margin_slice"]), critical_slices=tuple(slices),
        limits=limits, waiver=waiver, looks=int(plan["looks"]), look=int(plan["look"]),
    )  # fmt: skip
