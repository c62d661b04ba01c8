"""Planted faults in real runs: each stops at its door, nothing behind the door changes, and the old snapshot stays."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration import dbt_build, publish, warehouse
from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, content

# The steps behind each door; none of them may run when the door stops the run.
BEHIND = {
    "landing": "warehouse__prepared",
    "raw": "dbt_focus",
    "focus": "dbt_ledger",
    "ledger": "dbt_marts",
    "marts": "forecasts",
    "forecasts": "decisions__frozen_periods",
    "decisions": "decisions__frozen_periods",
}
ROOMS = ["warehouse__prepared", "dbt_focus", "dbt_ledger", "dbt_marts", "forecasts", "decisions", "dbt_decisions"]
ROOMS += ["decisions__frozen_periods", "publish"]
# A fault planted in the run itself needs no other run than from there on.
FROM = {stage: f'group:"{stage}"+' for stage in ("ledger", "marts", "forecasts", "decisions")}
CENTS = {"kind": "cents_as_dollars", "vendor": "anthropic"}
VENDOR_FAULTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no answer": ("landing", "costs", {"kind": "storm_500", "vendor": "openai", "path": "costs"}),
    "a doubled page": ("landing", "repeat", {"kind": "doubled_page", "vendor": "anthropic", "path": "cost_report"}),
    "another currency": ("raw", "raw_reject_share", {"kind": "wrong_currency", "vendor": "openai"}),
    "a missing page": ("focus", "source_days_outside_band", {"kind": "missing_page", "vendor": "anthropic", "path": "cost_report"}),
    "cached tokens twice": ("focus", "source_days_outside_band", {"kind": "cached_double_count", "vendor": "anthropic"}),
}  # fmt: skip


def stopped(home: Home, door: str, reason: str, **run: Any) -> str:
    """Run; assert that the door stopped it for that reason and that readers see what they saw. Gives all it said."""
    link, before = (home.path / "published/current").readlink(), content(home)
    assert not home.run(**run), "the fault was published"
    said = "\n".join([*home.failed, *home.failures])
    assert re.search(reason, said), said
    behind = ROOMS if door == "landing" else ROOMS[ROOMS.index(BEHIND.get(door, "publish")) :]
    if door == "publish":
        behind = []
    assert not [step for step in behind if step in home.steps], home.steps
    assert (home.path / "published/current").readlink() == link
    assert content(home) == before
    assert not list((home.path / "published").glob(".building-*"))
    return said


@pytest.mark.parametrize("name", VENDOR_FAULTS)
def test_a_vendors_fault_is_stopped(name: str, home: Home, vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import orchestration.assets.raw as raw
    from ingestion.client import Client

    monkeypatch.setattr(Client, "_pause", lambda self, seconds: None)
    monkeypatch.setattr(raw, "RETRY", None)
    door, reason, fault = VENDOR_FAULTS[name]
    vendors.change(faults=[fault])
    stopped(home, door, reason)


def test_a_fault_that_goes_away_leaves_no_trace_nor_does_the_same_day_twice(home: Home, vendors: Sandbox) -> None:
    """Twice: what the stopped run landed wrongly is landed again, and nothing else is new."""
    before = content(home)
    vendors.change(faults=[CENTS])
    said = stopped(home, "focus", "source_days_outside_band")
    assert "source=anthropic" in said, "a failed gate shows rows"
    assert (home.path / "data_docs/focus/index.html").is_file()
    vendors.change(faults=[])
    assert home.run(), (home.failed, home.failures)
    assert content(home) == before
    assert home.query("select is_full_rebuild from raw.run_context", published=False) == [(False,)]
    others = "select count(*) from raw.scope where source not in ('anthropic')"
    assert home.query(others, published=False) == [(0,)], "only what was landed again is built again"


def _a_cost_file(home: Home) -> Path:
    """A landed file of the home, made its own: the copy shares files with the home it was copied from."""
    path = max((home.path / "lake/raw/anthropic/cost_report").glob("window=*/*.parquet"))
    content_of = path.read_bytes()
    path.unlink()
    path.write_bytes(content_of)
    return path


def test_a_landed_file_that_was_edited_is_stopped_at_the_raw_door(home: Home) -> None:
    path = _a_cost_file(home)
    frame = pl.read_parquet(path)
    richer = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("123456")).otherwise("amount_cents").alias("amount_cents")
    frame.with_columns(richer).write_parquet(path)
    said = stopped(home, "raw", "raw_deliveries_not_as_landed", full=True)
    assert "dataset=cost_report" in said
    frame.head(frame.height - 1).write_parquet(path)
    assert "dataset=cost_report" in stopped(home, "raw", "raw_deliveries_not_as_landed", full=True)
    path.write_bytes(path.read_bytes()[:-100])
    assert "anthropic__cost_report cannot be read" in stopped(home, "raw", "cannot be read", full=True)


def _plant(monkeypatch: pytest.MonkeyPatch, stage: str, statement: str) -> None:
    """Change rows right after a dbt stage was built, inside the run, as a wrong model would."""
    build = dbt_build.build

    def spoilt(settings: Any, at: str, *, full_refresh: bool) -> Any:
        results = build(settings, at, full_refresh=full_refresh)
        if at == stage:
            with warehouse.session(settings) as connection:
                connection.execute(statement)
        return results

    monkeypatch.setattr(dbt_build, "build", spoilt)


def test_a_share_too_much_is_stopped_at_the_ledger_door(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        monkeypatch,
        "ledger",
        "update ledger.fct_attribution_ledger set BilledCost = BilledCost + 0.00000000000001 where ledger_id ="
        " (select min(ledger_id) from ledger.fct_attribution_ledger)",
    )
    stopped(home, "ledger", "ledger_days_with_a_difference", assets=FROM["ledger"])


def test_a_day_lost_in_a_mart_is_stopped_at_the_marts_door(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        monkeypatch,
        "marts",
        "delete from marts.mart_daily_spend where charge_date = (select min(charge_date) from marts.mart_daily_spend)",
    )
    stopped(home, "marts", "marts_days_with_a_difference", assets=FROM["marts"])


def test_a_forecast_with_crossed_intervals_is_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from forecasting import run as forecasting_run

    forecast = forecasting_run.forecast

    def crossed(*arguments: Any, **options: Any) -> Any:
        result = forecast(*arguments, **options)
        low = (pl.col("point") + 10).alias("lo80"), (pl.col("point") - 10).alias("hi80")
        return dataclasses.replace(result, forecast_total=result.forecast_total.with_columns(*low))

    monkeypatch.setattr(forecasting_run, "forecast", crossed)
    stopped(home, "forecasts", "forecasts_crossed_intervals|forecast_total", assets=FROM["forecasts"])


def test_a_variance_with_a_remainder_is_stopped_at_the_forecasts_door(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        monkeypatch,
        "decisions",
        "insert into marts.mart_variance_bridge by name select 'total:total' as scope, date '2026-09-01' as month, 'forecast' as comparison,"
        " 1 as position, 'calls' as effect_group, 'volume' as effect, 4.99999999999999::decimal(38,14) as amount, 10 as base_cost,"
        " 15 as actual_cost, 5 as change",
    )
    stopped(home, "forecasts", "forecasts_variances_not_explained", assets=FROM["decisions"])


def test_decisions_nobody_can_answer_for_are_stopped_before_publishing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        monkeypatch,
        "decisions",
        """
        insert into marts.mart_commitment_sizing (pool, scope, offer_id, level, units, decision) values ('p', '', 'o', 'advised', -1, 'recommend');
        insert into marts.mart_incidents (incident_id, family, scope_type, scope, state) values ('i', 'spend', 'user', 'u', 'closed');
        insert into marts.mart_eval_gate (eval_set_id, outcome, rate_lower, margin) values ('s', 'PROMOTE', -0.03, 0.02);
        insert into seeds.raci (activity, role, responsibility) values ('review_kpis', 'Product', 'A');
        """,
    )
    said = stopped(home, "decisions", "decisions_impossible_sizes", assets=FROM["decisions"])
    for name in ("incidents_without_owner", "promotions_without_proof", "activities_without_one_accountable"):
        assert f"decisions_{name}" in said
    assert "decisions_incidents_without_signal" not in said


def test_a_snapshot_that_lost_rows_is_not_switched_to(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = publish._copy

    def lossy(connection: duckdb.DuckDBPyConnection, name: str, *rest: Any) -> int:
        written = copy(connection, name, *rest)
        if name == "ledger.attribution":
            connection.execute("delete from snapshot.ledger.attribution where charge_date = date '2026-10-05'")
        return written

    monkeypatch.setattr(publish, "_copy", lossy)
    stopped(home, "publish", "differs from the warehouse in ledger.attribution", assets=FROM["decisions"])
