"""Planted faults: each is stopped at a door, nothing behind the door changes, and the old snapshot stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, content

FAULTS: dict[str, dict[str, Any]] = {
    "a missing page": {"kind": "missing_page", "vendor": "anthropic", "path": "cost_report"},
    "a doubled page": {"kind": "doubled_page", "vendor": "anthropic", "path": "cost_report"},
    "cents read as dollars": {"kind": "cents_as_dollars", "vendor": "anthropic"},
    "cached tokens counted twice": {"kind": "cached_double_count", "vendor": "anthropic"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_stopped_and_the_old_snapshot_stays(name: str, home: Home, vendors: Sandbox) -> None:
    link, before = (home.path / "published/current").readlink(), content(home)
    ledger_before = _ledger(home)
    vendors.change(faults=[FAULTS[name]])
    assert not home.run(), f"{name} was published"
    assert home.failed or home.failures
    assert "publish" not in home.steps and "dbt_ledger" not in home.steps
    assert (home.path / "published/current").readlink() == link
    assert content(home) == before
    assert _ledger(home) == ledger_before


def _ledger(home: Home) -> Any:
    return home.query(
        "select count(*), sum(BilledCost), sum(hash(ledger_id)::hugeint)::varchar from ledger.fct_attribution_ledger",
        published=False,
    )


def test_a_fault_that_goes_away_leaves_no_trace(home: Home, vendors: Sandbox) -> None:
    before = content(home)
    vendors.change(faults=[FAULTS["cents read as dollars"]])
    assert not home.run()
    vendors.change(faults=[])
    assert home.run(), (home.failed, home.failures)
    assert content(home) == before


@pytest.mark.parametrize(
    ("door", "spoil"),
    [
        ("ledger", "update ledger.fct_attribution_ledger set BilledCost = BilledCost + 1 where ledger_id ="
         " (select min(ledger_id) from ledger.fct_attribution_ledger)"),
        ("marts", "update marts.mart_daily_spend set billed_cost = billed_cost + 1 where charge_date ="
         " (select max(charge_date) from marts.mart_daily_spend)"),
        ("forecasts", "update marts.mart_forecast_total set method = null"),
    ],
)  # fmt: skip
def test_a_bad_row_in_a_stage_fails_its_own_gate_and_is_shown(door: str, spoil: str, home: Home) -> None:
    """Spoils the warehouse after a stage, as a wrong model would; that a failed gate stops what follows is shown above."""
    from orchestration import warehouse
    from orchestration.definitions import GATES
    from orchestration.gates.suites import judge

    settings = home.settings()
    with warehouse.session(settings) as connection:
        connection.execute(spoil)
    gate = next(g for g in GATES if g.name == door)
    failed = [v for v in judge(gate, settings) if not v.passed]
    assert failed and all(v.expectation.is_blocking for v in failed)
    assert all(v.rows for v in failed), "a failed gate shows rows"
    assert (Path(settings.home) / "data_docs" / door / "index.html").is_file()


def test_a_source_that_does_not_answer_stops_at_the_raw_door(home: Home, vendors: Sandbox, monkeypatch: Any) -> None:
    import orchestration.assets.raw as raw
    from ingestion.client import Client

    monkeypatch.setattr(Client, "_pause", lambda self, seconds: None)
    monkeypatch.setattr(raw, "RETRY", None)
    before = content(home)
    vendors.change(faults=[{"kind": "storm_500", "vendor": "openai", "path": "costs"}])
    assert not home.run()
    assert "warehouse__prepared" not in home.steps
    assert any("costs" in reason for reason in home.failures)
    assert content(home) == before
