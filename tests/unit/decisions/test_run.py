"""The daily run of the decisions: typed frames whatever comes, no order in the rows, incidents with owners, refusals with reasons."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from decisions import run
from decisions.run import Inputs, decide
from decisions.schemas import MONEY, PUBLISHED, SCHEMAS, empty

AS_OF = dt.date(2026, 10, 1)
DAYS = [AS_OF - dt.timedelta(days=n) for n in range(100, 0, -1)]
TEXT, DAY, WHOLE, REAL, HOUR = pl.String, pl.Date, pl.Int64, pl.Float64, pl.Datetime("us")
COLUMNS: dict[str, dict] = {
    "spend_day": {"scope_type": TEXT, "scope": TEXT, "parent": TEXT, "day": DAY, "cost": MONEY},
    "model_day": {
        "workflow": TEXT, "team": TEXT, "caller_key": TEXT, "provider": TEXT, "model_id": TEXT, "day": DAY, "is_premium": pl.Boolean,
        "calls": WHOLE, "retries": WHOLE, "tokens_input_uncached": WHOLE, "tokens_cache_read": WHOLE, "tokens_cache_write": WHOLE,
        "tokens_output": WHOLE, "input_price": MONEY, "cache_read_price": MONEY, "output_price": MONEY, "list_cost_usd": MONEY,
    },
    "rule_day": {k: v for k, v in SCHEMAS["signals"].items() if k not in ("as_of", "run_id", "config_hash")},
    "source_hour": {"source": TEXT, "hour": HOUR, "rows": WHOLE},
    "scopes": dict.fromkeys(("scope_type", "scope", "parent_type", "parent", "owner"), TEXT),
    "changes": {"scope_type": TEXT, "scope": TEXT, "family": TEXT, "first_day": DAY, "last_day": DAY, "multiplier": REAL},
    "demand_hour": {
        "provider": TEXT, "deployment": TEXT, "model_id": TEXT, "scope": TEXT, "hour": HOUR, "on_demand_usd": MONEY,
        **dict.fromkeys(("tokens_input_uncached", "tokens_cache_read", "tokens_cache_write", "tokens_output", "unpriced_calls"), WHOLE),
        **dict.fromkeys(("input_price", "cache_read_price", "cache_write_price", "output_price"), MONEY),
    },
    "demand_day": {"provider": TEXT, "charge_date": DAY, "spend": MONEY, "attributed_spend": MONEY},
    "forecast_errors": {"series": TEXT, "provider": TEXT, "horizon_days": WHOLE, "ratio": REAL},
    "commitment_usage": {
        "commitment_id": TEXT, "status": TEXT, "scope": TEXT, "period_start": HOUR, "period_end": HOUR, "effective_cost": MONEY,
        "on_demand_cost": MONEY,
    },
    "commitment_terms": {"commitment_id": TEXT, "ends_at": HOUR},
    "evaluations": {
        "eval_set_id": TEXT, "item_id": TEXT, "slice": TEXT, "config_id": TEXT, "trial": WHOLE, "passed": pl.Boolean, "cost_usd": MONEY,
        "tokens": WHOLE, "latency_ms": WHOLE, "judge_version": TEXT, "evaluated_on": DAY, "refused": pl.Boolean, "safety_failure": pl.Boolean,
    },
    "eval_plans": {
        **dict.fromkeys(("plan_id", "eval_set_id", "baseline_config", "candidate_config", "critical_slices", "waiver_owner", "waiver_reason"), TEXT),
        "margin": MONEY, "margin_slice": MONEY, "latency_p95_ms": MONEY, "refusal_rate": MONEY, "looks": WHOLE, "look": WHOLE,
    },
    "promotions": {
        **dict.fromkeys(("promotion_id", "lever_set", "workflow", "baseline_config", "candidate_config", "owner"), TEXT), "promoted_on": DAY,
        **dict.fromkeys(("baseline_cost_per_success", "candidate_cost_per_call", "expected_saving_share", "margin"), MONEY),
    },
    "production": {
        "workflow": TEXT, "charge_date": DAY, "session_id": TEXT, "calls": WHOLE, "lever_calls": WHOLE, "outcomes": WHOLE, "successes": WHOLE, "cost": MONEY,
    },
}  # fmt: skip


def _frame(name: str, rows: list[dict] = ()) -> pl.DataFrame:
    filled = [dict.fromkeys(COLUMNS[name]) | row for row in rows]
    return pl.DataFrame(filled, schema=COLUMNS[name], strict=False)


@pytest.fixture(scope="module")
def offers() -> pl.DataFrame:
    frame = pl.read_csv("dbt_project/seeds/shared/commitment_offers.csv", infer_schema=False)
    return frame.with_columns(pl.col("valid_from", "valid_to").str.to_date())


@pytest.fixture
def nothing(offers: pl.DataFrame) -> Inputs:
    return Inputs(**{n: _frame(n) for n in COLUMNS}, offers=offers, previous_incidents=empty("incidents"))


def _spend(spike: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    rows = [
        {"scope_type": kind, "scope": scope, "parent": parent, "day": day, "cost": Decimal(str(round(float(level), 2)))}
        for kind, scope, parent in [*(("user", f"u{i}", "t") for i in range(5)), ("workflow", "w", "t"), ("team", "t", "")]
        for day, level in zip(DAYS, rng.normal(20, 2, len(DAYS)), strict=True)
    ]  # fmt: skip
    rows[90]["cost"] += Decimal(str(spike))
    return _frame("spend_day", rows)


SCOPES = [("user", f"u{i}", "team", "t", f"owner{i}") for i in range(5)] + [("default", "", None, None, "Finance")]


def _scopes() -> pl.DataFrame:
    return pl.DataFrame(SCOPES, schema=COLUMNS["scopes"], orient="row")


def test_nothing_gives_typed_empty_frames(nothing: Inputs) -> None:
    frames = decide(nothing, AS_OF)
    assert {n: f.schema for n, f in frames.items()} == {n: pl.Schema(SCHEMAS[n]) for n in PUBLISHED}
    assert all(f.is_empty() for f in frames.values())


def test_a_planted_day_pages_its_owner_and_the_order_of_rows_does_not_matter(nothing: Inputs) -> None:
    given = replace(nothing, spend_day=_spend(400.0), scopes=_scopes())
    found = decide(given, AS_OF)
    [page] = found["incidents"].filter(pl.col("route") == "page").iter_rows(named=True)
    assert (page["scope"], page["owner"], page["first_day"], page["rules"]) == ("u0", "owner0", DAYS[90], "A1")
    assert page["excess"] == pytest.approx(400, abs=15)
    shuffled = {f.name: getattr(given, f.name).sample(fraction=1, shuffle=True, seed=3) for f in fields(given)}
    again = decide(Inputs(**shuffled), AS_OF)
    assert all(found[n].equals(again[n]) for n in PUBLISHED)


def test_a_second_run_keeps_what_is_found_and_withdraws_what_went_away(nothing: Inputs) -> None:
    given = replace(nothing, spend_day=_spend(400.0), scopes=_scopes())
    first = decide(given, AS_OF)["incidents"]
    assert decide(replace(given, previous_incidents=first), AS_OF)["incidents"].equals(first)
    gone = decide(replace(given, spend_day=_spend(), previous_incidents=first), AS_OF)["incidents"]
    was = first.filter(pl.col("route") == "page")["incident_id"].item()
    assert gone.filter(pl.col("incident_id") == was)["state"].to_list() == ["withdrawn"]
    much_later = decide(replace(nothing, previous_incidents=first), AS_OF + dt.timedelta(days=200))["incidents"]
    assert much_later.drop("as_of").equals(first.drop("as_of"))


def test_who_has_no_owner_gets_the_accountable_role(nothing: Inputs) -> None:
    given = replace(nothing, spend_day=_spend(400.0), scopes=_scopes().filter(pl.col("scope_type") == "default"))
    assert set(decide(given, AS_OF)["incidents"]["owner"]) == {"Finance"}


def test_windows_count_money_per_day(nothing: Inputs) -> None:
    doubled = _spend().with_columns(
        pl.when((pl.col("scope_type") == "team") & (pl.col("day") >= DAYS[80])).then(pl.col("cost") * 3).otherwise("cost").cast(MONEY).alias("cost")
    )
    week = decide(replace(nothing, spend_day=doubled), AS_OF)["signals"].filter((pl.col("rule") == "A2") & (pl.col("day") == DAYS[86]) & (pl.col("scope") == "t"))
    assert week["state"].item() == "page" and week["excess"].item() == pytest.approx(40, abs=6)


def test_retries_without_money_are_no_page(nothing: Inputs) -> None:
    rows = [
        {"workflow": "w", "team": "t", "caller_key": "k", "provider": "p", "model_id": "m", "day": day, "is_premium": False, "calls": 1000,
         "retries": 20 if day < DAYS[90] else 500, "tokens_input_uncached": 1000, "tokens_cache_read": 0, "tokens_cache_write": 0,
         "tokens_output": 10, "list_cost_usd": cost}
        for cost in (Decimal("0.5"),) for day in DAYS
    ]  # fmt: skip
    cheap = decide(replace(nothing, model_day=_frame("model_day", rows)), AS_OF)["signals"].filter(pl.col("rule") == "A5r")
    dear = decide(replace(nothing, model_day=_frame("model_day", [r | {"list_cost_usd": Decimal(500)} for r in rows])), AS_OF)["signals"]
    assert "page" not in set(cheap["state"]) and "notice" in set(cheap["state"])
    assert "page" in set(dear.filter(pl.col("rule") == "A5r")["state"])


def test_a_silent_day_of_a_source_pages_and_a_thin_source_does_not(nothing: Inputs) -> None:
    midnight = dt.datetime(2026, 6, 23)
    rows = [
        {"source": source, "hour": midnight + dt.timedelta(hours=h), "rows": size}
        for source, size in (("busy", 40), ("thin", 1)) for h in range(0, 24 * 100, 2) if h // 24 != 95
    ]  # fmt: skip
    found = decide(replace(nothing, source_hour=_frame("source_hour", rows)), AS_OF)["signals"].filter(pl.col("state") != "silent")
    assert found.select("rule", "scope", "day", "state").rows() == [("A12", "busy", midnight.date() + dt.timedelta(days=95), "page")]


def test_demand_is_pooled_by_provider_and_young_demand_is_refused(nothing: Inputs) -> None:
    def inputs(days: int) -> Inputs:
        hours = [
            {"provider": "aws", "deployment": "bedrock", "model_id": model, "scope": scope, "hour": dt.datetime(2026, 10, 1) - dt.timedelta(hours=h),
             "on_demand_usd": Decimal(3), "tokens_input_uncached": 10, "tokens_cache_read": 0, "tokens_cache_write": 0, "tokens_output": 1,
             "unpriced_calls": 0, "input_price": Decimal("0.000003"), "output_price": Decimal("0.000015")}
            for h in range(1, 24 * days + 1) for model in ("m1", "m2") for scope in ("w1", "w2")
        ]  # fmt: skip
        spend = [{"provider": "aws", "charge_date": d, "spend": Decimal(288), "attributed_spend": Decimal(288)} for d in DAYS[-days:]]
        return replace(nothing, demand_hour=_frame("demand_hour", hours), demand_day=_frame("demand_day", spend))

    young = decide(inputs(14), AS_OF)["commitment_sizing"]
    refused = young.filter(pl.col("decision") == "insufficient_data")
    assert refused.height > 0 and refused["units"].null_count() == refused.height and refused["reason"].str.contains("14 of 30").all()
    grown = decide(inputs(60), AS_OF)["commitment_sizing"]
    assert "insufficient_data" not in set(grown["decision"]) and set(grown["pool"]) == {"aws"}
    assert set(grown["scope"]) == {"", "w1", "w2"}


def test_only_planned_comparisons_with_records_are_decided(nothing: Inputs) -> None:
    plan = {"eval_set_id": "s", "baseline_config": "b", "margin": Decimal("0.02"), "margin_slice": Decimal("0.05"), "looks": 1, "look": 1}
    plans = [plan | {"plan_id": c, "candidate_config": c} for c in ("good", "bad", "not yet")]
    records = [
        {"eval_set_id": "s", "item_id": str(i), "slice": "", "config_id": c, "trial": 1, "passed": i < passes, "cost_usd": Decimal(cost), "judge_version": "j",
         "evaluated_on": AS_OF}
        for c, passes, cost in (("b", 950, "0.03"), ("good", 954, "0.01"), ("bad", 850, "0.005"), ("unplanned", 999, "0.001")) for i in range(1000)
    ]  # fmt: skip
    given = replace(nothing, evaluations=_frame("evaluations", records), eval_plans=_frame("eval_plans", plans))
    decided = run.decide(given, AS_OF)["eval_gate"]
    assert dict(decided.select("candidate_config", "outcome").iter_rows()) == {"good": "PROMOTE", "bad": "REJECT"}
