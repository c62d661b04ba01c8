"""Helicone requests over real HTTP: ranges are halved, cached answers, units, what is never kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from fake_vendor import Reply

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.gateways import helicone
from ingestion.source import SourceConfig
from ingestion.windows import day_window

DAY = day_window(date(2026, 11, 18))
CONFIG = SourceConfig("helicone", secrets={"API_KEY": "sk-helicone-secret"})


def request(name, created="2026-11-18T09:00:00.000Z", **values):
    return {
        "request_id": name, "request_created_at": created, "response_status": 200, "provider": "ANTHROPIC", "model": "claude-haiku-4-5",
        "prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500, "cost": 0.0009, **values,
    }  # fmt: skip


def fetch(client, config=CONFIG):
    ((_, batch),) = CONNECTORS["helicone__requests"].fetch(client, config, [DAY])
    return batch


def bounds(asked):
    """Half-open range of creation times that a request asked for."""
    tree = asked.body["filter"]
    sides = [tree[side]["request_response_rmt"]["request_created_at"] for side in ("left", "right")]
    return datetime.fromisoformat(sides[0]["gte"]), datetime.fromisoformat(sides[1]["lt"])


def test_a_full_answer_is_never_believed_and_no_request_is_lost(vendor, client):
    start = datetime(2026, 11, 18, tzinfo=UTC)
    # 2,600 requests within one minute of the day, in no order
    moments = {f"r{n}": start + timedelta(hours=9, milliseconds=23 * n) for n in range(2600)}

    def answer(asked):
        low, high = bounds(asked)
        inside = [request(name, at.isoformat()) for name, at in reversed(moments.items()) if low <= at < high]
        return Reply({"data": inside[: asked.body["limit"]], "error": None})

    vendor.routes[helicone.PATH] = answer
    batch = fetch(client)
    assert batch.records.height == 2600 and batch.records["request_id"].n_unique() == 2600
    assert batch.control_total == 2600 * Decimal("0.0009")
    assert all(a.body["offset"] == 0 and a.body["limit"] == 1000 for a in vendor.asked)
    assert len(vendor.asked) < 40


def test_an_answer_that_ignores_the_range_is_broken(vendor, client):
    vendor.routes[helicone.PATH] = {"data": [request(f"r{n}") for n in range(1000)]}
    with pytest.raises(ContractBroken, match="ignores the range"):
        fetch(client)
    assert len(vendor.asked) < 40


def test_cached_answers_reasoning_and_durations_land_as_said(vendor, client):
    vendor.routes[helicone.PATH] = {"data": [
        request("plain", reasoning_tokens=30, prompt_cache_read_tokens=600, delay_ms=1500, time_to_first_token=250.5),
        request("cached", cache_reference_id="5f3c0000-0000-0000-0000-000000000000", cost=0),
        request("not_cached", cache_reference_id="00000000-0000-0000-0000-000000000000", cost=None, costUSD=0.5),
        request("in_seconds", delay_ms=10**12),
    ]}  # fmt: skip
    batch = fetch(client)
    rows = {r["request_id"]: r for r in batch.records.to_dicts()}
    assert {name: r["is_cached_answer"] for name, r in rows.items()} == {"plain": False, "cached": True, "not_cached": False}
    assert (rows["plain"]["reasoning_tokens"], rows["plain"]["cache_read_tokens"]) == (30, 600)
    assert rows["plain"]["ended_at"] - rows["plain"]["request_created_at"] == timedelta(milliseconds=1500)
    assert rows["plain"]["first_token_at"] - rows["plain"]["request_created_at"] == timedelta(milliseconds=250.5)
    assert batch.control_total == Decimal("0.5009")
    assert [(r.reason, r.field) for r in batch.rejects] == [("wrong_type", "delay_ms")]


def test_the_unit_of_cost_is_the_setting_s_and_lands_beside_it(vendor, client):
    vendor.routes[helicone.PATH] = {"data": [request("a", cost=900_000)]}
    batch = fetch(client, SourceConfig("helicone", options={"cost_unit": "NANO_USD"}))
    assert batch.records.select("cost", "cost_unit").row(0) == ("900000", "nano_usd")
    assert (batch.control_total, batch.control_unit) == (Decimal(900_000), "nano_usd")
    with pytest.raises(RequestRejected, match="COST_UNIT"):
        fetch(client, SourceConfig("helicone", options={"cost_unit": "euros"}))


def test_bodies_and_other_properties_are_not_kept(vendor, connect):
    vendor.routes[helicone.PATH] = {"data": [request(
        "a", request_body={"messages": ["CANARY"]}, response_body="CANARY", target_url="https://x/?key=CANARY", request_user_id="ada@acme.example",
        request_properties={"Ticket": "ACME-1", "Feature": "triage", "Prompt": "CANARY", "workflow": "CANARY " * 30, "response_id": "msg_1"},
    )]}  # fmt: skip
    batch = fetch(connect(headers=helicone.headers(CONFIG)))
    (row,) = batch.records.to_dicts()
    assert "CANARY" not in str(row) + str(batch.rejects)
    assert (row["tag_ticket"], row["tag_feature"], row["tag_workflow"], row["provider_response_id"]) == ("ACME-1", "triage", None, "msg_1")
    assert row["dropped_tag_count"] == 3
    assert vendor.asked[0].headers["authorization"] == "Bearer sk-helicone-secret"


@pytest.mark.parametrize("body", [{"data": None, "error": "boom"}, {"data": {}, "error": None}, {"error": "boom"}, b'{"data": [{"requ'])
def test_what_is_no_list_is_broken_and_no_day_is_landed(vendor, client, body):
    vendor.routes[helicone.PATH] = Reply(body)
    with pytest.raises(ContractBroken):
        fetch(client)


def test_records_of_another_day_or_type_are_rejected(vendor, client):
    vendor.routes[helicone.PATH] = {"data": [
        request("good"), request("late", "2026-11-19T00:00:00Z"), request("typed", prompt_tokens={"value": 1}), request("when", "yesterday"),
    ]}  # fmt: skip
    batch = fetch(client)
    assert batch.records["request_id"].to_list() == ["good"]
    assert {(r.ordinal, r.reason, r.field) for r in batch.rejects} == {
        (1, "outside_window", "request_created_at"), (2, "wrong_type", "prompt_tokens"), (3, "unreadable_time", "request_created_at"),
    }  # fmt: skip
