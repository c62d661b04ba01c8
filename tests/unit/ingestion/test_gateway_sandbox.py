"""Langfuse, Helicone and Portkey: the connector against the sandbox vendor over HTTP, landed in a lake, faults included."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import polars as pl
import pytest
from sandbox_vendor import company, land, plug, rows

from ingestion.errors import ContractBroken, RequestRejected
from sandbox.build import _OUTSIDE_SCHEMA
from sandbox.canaries import CANARIES
from sandbox.company import CREDENTIAL_INDEX, TEAM_INDEX
from sandbox.faults import Faults
from sandbox.team_calls import of_key
from sandbox.vendors import helicone, langfuse, portkey
from sandbox.vendors.base import World

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
DAYS = [dt.date(2026, 10, 17) + dt.timedelta(days=n) for n in range(3)]
# source, dataset, id column, cost column, key that its log saw, factor of its unit to 1e-12 USD
SOURCES = {
    "langfuse": (langfuse, "langfuse__observations", "id", "total_cost_usd", ("openai", "brand-direct"), 10**12),
    "helicone": (helicone, "helicone__requests", "request_id", "cost", ("anthropic", "support-evals"), 10**12),
    "portkey": (portkey, "portkey__logs", "id", "cost", ("anthropic", "data-shared-notebooks"), 10**10),
}
every_source = pytest.mark.parametrize("source", SOURCES)


def at(clock, *faults):
    """The world at an instant: each key made 40 calls a day."""
    models = {"openai": "gpt-5", "anthropic": "claude-haiku-4-5"}
    usage = [
        {"day": day, "source": key[0], "credential": CREDENTIAL_INDEX[key], "model": models[key[0]], "tier": "standard", "long": False,
         "billed": True, "uncached": 88_000, "cache_read": 12_000, "write_5m": 0 if key[0] == "openai" else 4_000, "write_1h": 0,
         "output": 52_000, "web": 0, "requests": 40, "issue": -1, "person": -1, "team": TEAM_INDEX["data"], "kind": "outside"}
        for day in DAYS
        for *_, key, _ in SOURCES.values()
    ]  # fmt: skip
    frame = pl.DataFrame(usage, schema=_OUTSIDE_SCHEMA)
    return World(replace(company(DAYS), outside=frame, plan=SimpleNamespace(issues=[])), clock, Faults(list(faults)))


def calls(source, world):
    key = SOURCES[source][4]
    return [c for day in of_key(world.company, source, key[0], CREDENTIAL_INDEX[key]).values() for c in day]


@every_source
def test_every_call_lands_with_its_cost_to_the_digit_and_no_text(source, vendor, lake):
    module, key, name, cost, _, unit = SOURCES[source]
    later = at(NOW + dt.timedelta(days=2))
    report, landed = land(key, plug(vendor, module, later, source), lake, later, DAYS[0])
    expected = [c for c in calls(source, later) if not (source == "helicone" and c.repeated)]
    assert len(expected) > 15
    assert report.control_total == sum((Decimal(c.cost) / unit for c in expected), Decimal(0)) == sum(map(Decimal, landed[cost].drop_nulls()))
    assert set(landed[name]) == {c.call_id for c in calls(source, later)} and report.rejects == 0
    text = str(landed.to_dicts())
    assert not [leaked for leaked, value in CANARIES.items() if value in text]


@every_source
def test_hiccups_and_unknown_fields_change_nothing(source, vendor, lake, tmp_path):
    module, key, *_ = SOURCES[source]
    plain = at(NOW)
    first, landed = land(key, plug(vendor, module, plain, source), lake, plain, DAYS[0])
    odd = at(NOW, {"kind": "unknown_field", "vendor": source})
    second, again = land(key, plug(vendor, module, odd, source), lake, odd, DAYS[0])
    assert (first.deliveries_new, second.deliveries_new, second.unchanged) == (3, 0, 3)
    assert landed.equals(again)


@every_source
def test_numbers_of_another_type_are_rejected_and_nothing_is_guessed(source, vendor, lake):
    module, key, _, cost, *_ = SOURCES[source]
    world = at(NOW, {"kind": "changed_type", "vendor": source})
    report, landed = land(key, plug(vendor, module, world, source), lake, world, DAYS[0])
    # Only calls that have no cost yet are left.
    assert landed.is_empty() or landed[cost].null_count() == landed.height
    assert report.rejects + landed.height == len(calls(source, world)) and report.control_total == 0


@every_source
def test_a_doubled_page_fails_its_days_and_the_old_delivery_stays(source, vendor, lake):
    module, key, *_ = SOURCES[source]
    plain = at(NOW)
    _, landed = land(key, plug(vendor, module, plain, source), lake, plain, DAYS[0])
    world = at(NOW, {"kind": "doubled_page", "vendor": source})
    with pytest.raises(ContractBroken):
        land(key, plug(vendor, module, world, source), lake, world, DAYS[0])
    assert rows(key, lake).equals(landed)


@every_source
def test_a_wrong_key_is_refused_and_not_shown(source, vendor, lake):
    module, key, *_ = SOURCES[source]
    world = at(NOW)
    config = plug(vendor, module, world, source)
    config = replace(config, secrets=dict.fromkeys(config.secrets, "wrong-secret"))
    with pytest.raises(RequestRejected, match="401") as refused:
        land(key, config, lake, world, DAYS[0])
    assert "wrong-secret" not in str(refused.value)


def test_an_export_that_holds_fewer_records_than_promised_is_broken(vendor, lake):
    world = at(NOW, {"kind": "missing_page", "vendor": "portkey"})
    with pytest.raises(ContractBroken, match="promised"):
        land("portkey__logs", plug(vendor, portkey, world, "portkey"), lake, world, DAYS[0])


def test_a_cost_that_langfuse_fills_in_later_replaces_the_observation(vendor, lake):
    early, late = at(NOW), at(NOW + dt.timedelta(days=1))
    land("langfuse__observations", plug(vendor, langfuse, early, "langfuse"), lake, early, DAYS[0])
    report, _ = land("langfuse__observations", plug(vendor, langfuse, late, "langfuse"), lake, late, DAYS[0])
    settled = [c for c in calls("langfuse", late) if c.number % 6 == 4 and c.day == DAYS[1]]
    assert settled and report.deliveries_new == 2 and report.unchanged == 1
    newest = max((lake.root / "raw/langfuse/observations" / f"window={DAYS[1]}").glob("*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    costs = dict(pl.read_parquet(newest).select("id", "total_cost_usd").iter_rows())
    assert all(Decimal(costs[c.call_id]) == Decimal(c.cost) / 10**12 for c in settled)
