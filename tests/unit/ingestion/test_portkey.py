"""Portkey exports over real HTTP, and the step they need: start a job, wait for it, download from a signed address."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from fake_vendor import Reply

from ingestion import jobs
from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable
from ingestion.gateways import portkey
from ingestion.source import SourceConfig
from ingestion.windows import day_window

DAYS = [day_window(date(2026, 11, 17)), day_window(date(2026, 11, 18))]
CONFIG = SourceConfig("portkey", secrets={"API_KEY": "pk-secret"})
SIGNED = "X-Amz-Signature=5ecre7"


def log(name, **values):
    return {
        "id": name, "created_at": "2026-11-18T09:00:00.000Z", "ai_org": "anthropic", "ai_model": "claude-haiku-4-5", "is_success": True,
        "req_units": 400, "res_units": 100, "total_units": 500, "cost": 0.09, "cost_currency": "USD", "response_time": 1500,
        "response_status_code": 200, "metadata": {}, **values,
    }  # fmt: skip


def serve(vendor, lines, *, states=("success",), total=None, signed=None):
    """An export job whose file holds `lines`."""
    content = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    vendor.routes |= {
        "/logs/exports": {"id": "e-1", "total": total, "object": "export"}, "/logs/exports/e-1/start": {"message": "started"},
        "/logs/exports/e-1": [Reply({"id": "e-1", "status": s}) for s in states],
        "/logs/exports/e-1/download": {"signed_url": signed or f"{vendor.url}/files/e-1?{SIGNED}"}, "/files/e-1": Reply(content),
    }  # fmt: skip


def fetch(client, config=CONFIG, days=DAYS):
    return [batch for _, batch in CONNECTORS["portkey__logs"].fetch(client, config, days)]


def test_an_export_is_waited_for_downloaded_without_the_key_and_cut_into_days(vendor, connect, waits):
    lines = [
        log("a", metadata={"_user": "ada@acme.example", "Ticket": "ACME-1", "note": "CANARY"}, request={"messages": "CANARY"}),
        log("b", created_at="2026-11-17T23:59:59.999Z", cost=1e-05), log("c", created_at="Tue Nov 17 2026 08:00:00 GMT+0000 (Coordinated Universal Time)"),
        log("at_the_end", created_at="2026-11-19T00:00:00Z"),
    ]  # fmt: skip
    serve(vendor, lines, states=("in_progress", "in_progress", "success"), total=4)
    first, second = fetch(connect(headers=portkey.headers(CONFIG), secrets=("pk-secret",)))
    assert (first.records["id"].to_list(), second.records["id"].to_list()) == (["b", "c"], ["a"])
    assert (first.control_total, first.control_unit, second.control_total) == (Decimal("0.09001"), "cents", Decimal("0.09"))
    (row,) = second.records.to_dicts()
    assert "CANARY" not in str(row) and (row["user_id"], row["tag_ticket"], row["dropped_tag_count"]) == ("ada@acme.example", "ACME-1", 1)
    assert (row["ended_at"] - row["created_at"]).total_seconds() == 1.5
    assert waits == [0.25, 0.5]
    by_path = {a.path: a for a in vendor.asked}
    assert by_path["/logs/exports"].headers["x-portkey-api-key"] == "pk-secret"
    assert "x-portkey-api-key" not in by_path["/files/e-1"].headers and by_path["/files/e-1"].get("X-Amz-Signature") == "5ecre7"
    asked = by_path["/logs/exports"].body
    assert not {"request", "response"} & set(asked["requested_data"])
    assert asked["filters"]["time_of_generation_min"] == "2026-11-17T00:00:00Z"
    assert asked["filters"]["time_of_generation_max"] == "2026-11-19T00:00:00Z"


def test_fewer_records_than_promised_are_no_whole_export(vendor, client):
    serve(vendor, [log("a")], total=2)
    with pytest.raises(ContractBroken, match="1 records where the vendor promised 2"):
        fetch(client)


def test_a_full_export_is_followed_by_the_next_page(vendor, client, monkeypatch):
    monkeypatch.setattr(portkey, "ROWS_PER_EXPORT", 2)
    serve(vendor, [log("a"), log("b")])
    pages = [b'{"id":"a","created_at":"2026-11-18T01:00:00Z"}\n{"id":"b","created_at":"2026-11-18T01:00:00Z"}\n', b'{"id":"c","created_at":"2026-11-18T02:00:00Z"}\n']
    vendor.routes["/files/e-1"] = [Reply(p) for p in pages]
    assert fetch(client)[1].records["id"].to_list() == ["a", "b", "c"]
    assert [a.body["filters"]["current_page"] for a in vendor.asked if a.path == "/logs/exports"] == [0, 1]
    vendor.routes["/files/e-1"] = Reply(pages[0])
    with pytest.raises(ContractBroken, match="repeats one before"):
        fetch(client)


def test_bad_lines_are_rejected_and_no_other(vendor, client):
    lines = [log("good"), log("typed", req_units={"value": 1}), log("euros", cost_currency="EUR"), log("old", created_at="2026-11-01T00:00:00Z"),
             log("when", created_at="CANARY")]  # fmt: skip
    serve(vendor, b"\n".join(json.dumps(line).encode() for line in lines) + b'\n{"id": "cut", "crea')
    batch = fetch(client)[1]
    assert batch.records["id"].to_list() == ["good"]
    assert {(r.ordinal, r.reason, r.field) for r in batch.rejects} == {
        (1, "wrong_type", "req_units"), (2, "unexpected_currency", "cost_currency"), (3, "outside_window", "created_at"),
        (4, "unreadable_time", "created_at"), (5, "malformed", None),
    }  # fmt: skip
    assert "CANARY" not in str(batch.rejects)


@pytest.mark.parametrize(("states", "error", "message"), [
    (("failed",), ContractBroken, "failed or was stopped"), (("paused",), ContractBroken, "not documented"),
    (("in_progress",), SourceUnavailable, "not done after"),
])  # fmt: skip
def test_a_job_that_does_not_end_well_is_said(vendor, client, waits, states, error, message):
    serve(vendor, [log("a")], states=states)
    with pytest.raises(error, match=message):
        fetch(client)
    assert sum(waits) <= jobs.PATIENCE + jobs.LONGEST_PAUSE


@pytest.mark.parametrize("address", ["ftp://files.example/e-1", "file:///etc/passwd", "/files/e-1", "", "http://"])
def test_only_web_addresses_are_downloaded(vendor, client, address):
    serve(vendor, [log("a")], signed=address or " ")
    with pytest.raises(ContractBroken, match="not https"):
        fetch(client)


def test_a_vendor_over_https_may_not_send_us_to_plain_http(connect):
    client = connect()
    client.base_url = "https://api.portkey.ai/v1"
    with pytest.raises(ContractBroken, match="not https"):
        jobs.download(client, "http://files.example/e-1?X-Amz-Signature=5ecre7", "test")


def test_a_download_is_retried_and_its_signature_shows_in_no_message(vendor, client):
    serve(vendor, [log("a")])
    vendor.routes["/files/e-1"] = [Reply(b"", 503), Reply(b"", 503), Reply(b'{"id":"a","created_at":"2026-11-18T01:00:00Z"}\n')]
    assert fetch(client)[1].records.height == 1
    assert client.retries == 2
    vendor.routes["/files/e-1"] = Reply({"error": {"code": "AccessDenied"}}, 403)
    with pytest.raises(RequestRejected) as refused:
        fetch(client)
    assert "5ecre7" not in str(refused.value) and "AccessDenied" in str(refused.value)


def test_an_unknown_unit_is_said_before_anything_is_asked(vendor, client):
    with pytest.raises(RequestRejected, match="COST_UNIT"):
        fetch(client, SourceConfig("portkey", options={"cost_unit": "euros"}))
    assert vendor.asked == []
