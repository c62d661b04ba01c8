"""Cursor's connector against the sandbox vendor over HTTP, the recorded page, and units that are not the contract's."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest
from fake_vendor import Reply
from sandbox_vendor import land, plug, world

from ingestion import manifest
from ingestion.connectors import CONNECTORS, make_client
from ingestion.doctor import check
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.source import SourceConfig
from ingestion.windows import day_window
from sandbox.canaries import CANARIES
from sandbox.vendors import cursor

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 10, 6)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(14)]
EVENTS = "cursor__usage_events"
RECORDED = Path(__file__).parents[2] / "fixtures/providers/cursor_admin_usage_page.json"
EVENT = {"timestamp": "1792108800123", "userEmail": "a@example.com", "isChargeable": True, "chargedCents": 4.16}
DAY = day_window(dt.date(2026, 10, 16))


def at(*faults):
    return world(DAYS, NOW, *faults)


def page(*events, **more):
    return {"totalUsageEventsCount": len(events), "pagination": {"currentPage": 1, "hasNextPage": False}, "usageEvents": list(events), **more}


def fetch(client, key=EVENTS, window=DAY):
    ((_, batch),) = CONNECTORS[key].fetch(client, SourceConfig("cursor"), [window])
    return batch


def test_events_are_the_vendor_s_to_the_digit_over_pages_and_ranges(vendor, lake):
    now = at()
    config = plug(vendor, cursor, now, "cursor")
    config.options["page_size"] = "7"
    report, landed = land(EVENTS, config, lake, now, FIRST)
    true = list(cursor.truth(now.company))
    billed, estimated = (sum(Decimal(getattr(d, kind)) for d in true) for kind in ("billed", "estimated"))
    cash = sum(Decimal(r["charged_cents"]) for r in landed.iter_rows(named=True) if r["is_chargeable"])
    assert cash == billed * 100 > 0
    assert report.control_total == (billed + estimated) * 100 > cash
    assert (report.windows, report.rejects, landed.height) == (14, 0, len(cursor.events(now.company)))
    assert {a.body["endDate"] - a.body["startDate"] for a in vendor.asked} == {7 * 86_400_000 - 1}
    assert len(vendor.asked) > 4 and {a.body["pageSize"] for a in vendor.asked} == {7}
    assert landed["event_at"].dt.date().n_unique() == len({e.at.date() for e in cursor.events(now.company)})
    assert not [name for name, value in CANARIES.items() if value in str(landed.to_dicts())]


def test_spend_of_the_cycle_is_the_sum_of_its_chargeable_events(vendor, lake):
    now = at()
    config = plug(vendor, cursor, now, "cursor")
    report, spend = land("cursor__spend", config, lake, now, FIRST)
    start = dt.datetime(2026, 10, 5, 14, tzinfo=dt.UTC)
    assert set(spend["cycle_start"]) == {start}
    assert report.control_total == sum(Decimal(d.billed) for d in cursor.truth(now.company)) * 100
    _, members = land("cursor__members", config, lake, now, FIRST)
    _, daily = land("cursor__daily_usage", config, lake, now, FIRST)
    assert members.height == 12 and members["is_removed"].sum() == 1
    assert daily.height == 14 * 11 and 0 < daily["is_active"].sum() < daily.height


def test_a_restated_day_is_landed_again_and_no_other(vendor, lake):
    before = at()
    land(EVENTS, plug(vendor, cursor, before, "cursor"), lake, before, FIRST)
    after = at({"kind": "restated_day", "vendor": "cursor", "day": "2026-10-15", "permille": 1200})
    report, _ = land(EVENTS, plug(vendor, cursor, after, "cursor"), lake, after, FIRST)
    assert (report.windows, report.deliveries_new, report.unchanged) == (7, 1, 6)


@pytest.mark.parametrize(
    ("fault", "found"), [("missing_page", "where the vendor counts"), ("doubled_page", "repeats the records|where the vendor counts")]
)
def test_a_lost_or_doubled_page_lands_nothing(vendor, lake, fault, found):
    now = at({"kind": fault, "vendor": "cursor", "path": "usage-events"})
    with pytest.raises(ContractBroken, match=found):
        land(EVENTS, plug(vendor, cursor, now, "cursor"), lake, now, FIRST)
    with_events = {e.at.date().isoformat() for e in cursor.events(now.company)}
    assert not with_events & {d.window for d in manifest.current(manifest.read(lake, EVENTS))}


def test_unknown_fields_are_welcome_and_changed_types_reject_the_record(vendor, lake):
    strange = at({"kind": "unknown_field", "vendor": "cursor"})
    report, _ = land(EVENTS, plug(vendor, cursor, strange, "cursor"), lake, strange, FIRST)
    assert report.rejects == 0 < report.rows
    broken = at({"kind": "changed_type", "vendor": "cursor"})
    report, _ = land(EVENTS, plug(vendor, cursor, broken, "cursor"), lake, broken, FIRST)
    assert (report.rows, report.control_total) == (0, 0) and report.rejects > 0


def test_a_wrong_key_is_refused_and_the_doctor_asks_one_event(vendor):
    now = at()
    config = plug(vendor, cursor, now, "cursor")
    assert check(config, now=NOW).state == "ok" and vendor.asked[-1].body["pageSize"] == 1
    wrong = SourceConfig("cursor", "main", config.base_url, {"API_KEY": "other"}, config.options)
    assert check(wrong, now=NOW).state == "denied"
    with make_client(wrong) as client, pytest.raises(RequestRejected):
        fetch(client)


def test_the_recorded_page_is_read_in_full(vendor, client):
    recorded = json.loads(RECORDED.read_text())
    vendor.routes["/teams/filtered-usage-events"] = recorded
    batch = fetch(client, window=day_window(dt.date(2025, 5, 31)))
    assert (batch.records.height, batch.rejects, batch.control_total) == (2, [], Decimal("15.66"))
    paid, included = batch.records.to_dicts()
    assert (paid["is_chargeable"], paid["charged_cents"], paid["model_cents"], paid["token_fee_cents"]) == (True, "15.66", "12.34", "3.32")
    assert sum(paid[f"{c}_tokens"] for c in ("input", "output", "cache_write", "cache_read")) == 1234 + 567 + 8901
    assert (included["is_chargeable"], included["is_headless"], included["charged_cents"]) == (False, True, "0")


def test_fractional_cents_keep_every_digit(vendor, client):
    cents = "0.012345678901234567"
    vendor.routes["/teams/filtered-usage-events"] = Reply(json.dumps(page(EVENT)).replace("4.16", cents).encode())
    assert fetch(client).records["charged_cents"].to_list() == [cents]


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("1792108800123", None), (1792108800123, None), ("1792108800", None), ("1792108800123000", "unreadable_time|outside_window"),
        ("1792195200000", "outside_window"), ("2026-10-16", "unreadable_time"), (None, "wrong_type"),
    ],
)  # fmt: skip
def test_milliseconds_are_told_from_seconds_and_from_what_is_neither(vendor, client, stamp, reason):
    vendor.routes["/teams/filtered-usage-events"] = page(EVENT | {"timestamp": stamp})
    batch = fetch(client)
    if reason is None:
        assert batch.records["event_at"].to_list()[0].replace(microsecond=0) == dt.datetime(2026, 10, 16, tzinfo=dt.UTC)
    else:
        assert batch.records.height == 0 and batch.rejects[0].reason in reason.split("|")


@pytest.mark.parametrize("charge", [{"chargedCents": None}, {"chargedCents": "4.16x"}, {"chargedCents": 1e30}, {"tokenUsage": {"inputTokens": -1}}])
def test_a_charge_that_cannot_be_read_is_a_reject_and_not_a_zero(vendor, client, charge):
    vendor.routes["/teams/filtered-usage-events"] = page(EVENT, EVENT | charge)
    batch = fetch(client)
    assert batch.records.height == 1 and batch.control_total == Decimal("4.16") and len(batch.rejects) == 1


def test_a_page_out_of_turn_is_broken(vendor, client):
    wrong = page(EVENT, pagination={"currentPage": 3, "hasNextPage": False})
    vendor.routes["/teams/filtered-usage-events"] = wrong
    with pytest.raises(ContractBroken, match="page 1 was asked for, page 3 came"):
        fetch(client)


def test_spend_pages_that_echo_no_number_are_followed_to_the_last(vendor, client):
    def answer(asked):
        users = [{"userId": asked.body["page"], "email": f"{asked.body['page']}@example.com", "spendCents": 1.5}]
        return {"teamMemberSpend": users, "subscriptionCycleStart": 1791208800000, "totalMembers": 3, "totalPages": 3}

    vendor.routes["/teams/spend"] = answer
    batch = fetch(client, "cursor__spend", day_window(dt.date(2026, 10, 20)))
    assert batch.records.height == 3 and batch.control_total == Decimal("4.5")


def test_the_limit_of_the_admin_api_is_kept_unless_the_account_says_otherwise(vendor):
    config = SourceConfig("cursor", "main", vendor.url, {"API_KEY": "k"})
    assert make_client(config).requests_per_minute == 20
    assert make_client(SourceConfig("cursor", options={"requests_per_minute": "50"})).requests_per_minute == 50
    assert make_client(SourceConfig("openai")).requests_per_minute is None
