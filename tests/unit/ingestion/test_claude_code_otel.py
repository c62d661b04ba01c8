"""Claude Code's telemetry: one row per request, its estimate in the right unit, nothing of what was typed."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import RequestRejected
from ingestion.source import SourceConfig
from sandbox import build, calendar
from sandbox.exports import otel as sandbox_otel
from sandbox.faults import Faults
from sandbox.vendors.base import World

START = 1_759_658_400_000_000_000


def read(folder, dataset="api_requests", **options):
    connector = CONNECTORS[f"claude_code_otel__{dataset}"]
    config = SourceConfig("claude_code_otel", options={"location": str(folder), **options})
    return [batch for _, batch in connector.fetch(None, config, connector.find(config, ()))]


def attributes(values):
    kinds = {str: "stringValue", float: "doubleValue"}
    return [
        {"key": k, "value": {"intValue": str(v)} if type(v) is int else {kinds[type(v)]: v}} for k, v in values.items() if v is not None
    ]


def event(request_id="req_1", name="api_request", **more):
    about = {
        "event.name": name, "session.id": "s-1", "user.email": "dev@example.com", "model": "claude-sonnet-4-5", "cost_usd": 0.012345,
        "cost_usd_micros": 12345, "duration_ms": 1500, "input_tokens": 4, "output_tokens": 80, "cache_read_tokens": 900,
        "cache_creation_tokens": 70, "request_id": request_id, **more,
    }  # fmt: skip
    return {"timeUnixNano": str(START), "body": {"stringValue": f"claude_code.{name}"}, "attributes": attributes(about)}


def drop(folder, *records, name="a.json", **resource):
    logs = {"resourceLogs": [{"resource": {"attributes": attributes(resource)}, "scopeLogs": [{"logRecords": list(records)}]}]}
    (folder / name).write_text(json.dumps(logs))


def test_a_request_is_one_row_with_disjoint_counts_and_its_exact_estimate(tmp_path):
    drop(tmp_path, event(), event("x", "user_prompt", prompt="CANARY"), **{"team.id": "search"})
    [batch] = read(tmp_path)
    [row] = batch.records.rows(named=True)
    expected = {
        "request_id": "req_1", "user_email": "dev@example.com", "session_id": "s-1", "input_tokens": 4, "output_tokens": 80,
        "cache_read_tokens": 900, "cache_creation_tokens": 70, "cost_usd": "0.012345", "billed_as": "subscription", "tag_team": "search",
    }  # fmt: skip
    assert {k: row[k] for k in expected} == expected
    assert (row["ended_at"] - row["started_at"]).total_seconds() == 1.5
    assert (batch.control_total, batch.control_unit) == (Decimal("0.012345"), "USD")
    assert "CANARY" not in str(row)


def test_counts_and_costs_written_as_text_are_read_alike(tmp_path):
    as_text = {"input_tokens": "4", "cost_usd": "0.012345", "cost_usd_micros": "12345", "duration_ms": "1500"}
    drop(tmp_path, event(**as_text), event("req_2"))
    [batch] = read(tmp_path)
    rows = batch.records.drop("request_id", "provider_request_id").rows()
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("costs", "cost"),
    [({"cost_usd": None}, "0.012345"), ({"cost_usd_micros": None}, "0.012345"), ({"cost_usd": 0.0123454}, "0.012345"),
     ({"cost_usd": None, "cost_usd_micros": None}, None)],
)  # fmt: skip
def test_millionths_are_dollars_to_the_digit(tmp_path, costs, cost):
    drop(tmp_path, event(**costs))
    [batch] = read(tmp_path)
    assert batch.records.get_column("cost_usd").to_list() == [cost]


@pytest.mark.parametrize("costs", [{"cost_usd": 12345.0}, {"cost_usd_micros": 12345000}, {"cost_usd": 1.2345}, {"cost_usd_micros": 0}])
def test_two_costs_of_different_units_are_refused(tmp_path, costs):
    drop(tmp_path, event(**costs), event("req_2"))
    [batch] = read(tmp_path)
    assert batch.records.get_column("request_id").to_list() == ["req_2"]
    assert [(r.ordinal, r.reason, r.field) for r in batch.rejects] == [(0, "contradiction", "cost_usd_micros")]


def test_an_event_without_an_id_is_named_by_its_place_in_the_session_or_refused(tmp_path):
    drop(tmp_path, event(None, **{"event.sequence": 7}), event(None, **{"event.sequence": 8}), event(None))
    [batch] = read(tmp_path)
    assert batch.records.get_column("request_id").n_unique() == 2
    assert [(r.reason, r.field) for r in batch.rejects] == [("missing_field", "request_id")]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"input_tokens": -4}, "wrong_type"), ({"output_tokens": "lots"}, "wrong_type"), ({"cost_usd": "NaN"}, "not_a_number")],
)
def test_a_wrong_value_rejects_its_event_alone(tmp_path, wrong, reason):
    drop(tmp_path, event(**wrong), event("req_2"))
    [batch] = read(tmp_path)
    assert batch.records.get_column("request_id").to_list() == ["req_2"]
    assert [r.reason for r in batch.rejects] == [reason]


def test_who_bills_is_a_setting_of_two_words(tmp_path):
    drop(tmp_path, event())
    assert read(tmp_path, billed_as="API")[0].records.get_column("billed_as").to_list() == ["api"]
    with pytest.raises(RequestRejected, match="BILLED_AS"):
        read(tmp_path, billed_as="nobody")


def test_metric_points_keep_whether_they_add_up(tmp_path):
    point = {"asInt": "640", "startTimeUnixNano": str(START), "timeUnixNano": str(START + 10**9),
             "attributes": attributes({"type": "cacheRead", "model": "m", "user.email": "dev@example.com"})}  # fmt: skip
    cost = {"asDouble": 0.1, "timeUnixNano": str(START), "attributes": attributes({"model": "m"})}
    metrics = [
        {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}},
        {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 2, "dataPoints": [point]}},
        {"name": "claude_code.cost.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [cost]}},
        {"name": "claude_code.session.count", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}))
    [batch] = read(tmp_path, "token_usage")
    assert batch.records.select("token_type", "temporality", "tokens", "cost_usd").rows() == [
        ("cacheRead", "delta", 640, None), ("cacheRead", "cumulative", 640, None), (None, "delta", None, "0.1"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def company():
    return build.generate(calendar.days_ending(8), 7, 0.02)


def test_the_sandbox_s_estimates_come_out_to_the_digit(company, tmp_path):
    sandbox_otel.deliver(World(company, calendar.AS_OF), tmp_path / "bills", None)
    batches = read(tmp_path / "claude_code_otel")
    true = sum(Decimal(row.estimated) for row in sandbox_otel.truth(company))
    assert sum(b.control_total for b in batches) == true > 0
    assert not any(b.rejects for b in batches)
    rows = [r for b in batches for r in b.records.iter_rows(named=True)]
    # The metric says the same tokens as the requests: a control beside them.
    points = [r for b in read(tmp_path / "claude_code_otel", "token_usage") for r in b.records.iter_rows(named=True)]
    assert sum(p["tokens"] for p in points) == sum(
        r["input_tokens"] + r["output_tokens"] + r["cache_read_tokens"] + r["cache_creation_tokens"] for r in rows
    )
    assert "CANARY" not in msgspec.json.encode([str(rows), str(points)]).decode()


def test_micros_read_as_thousandths_more_are_caught(company, tmp_path):
    world = World(company, calendar.AS_OF, Faults([{"kind": "wrong_unit", "vendor": "claude_code_otel"}]))
    sandbox_otel.deliver(world, tmp_path / "bills", None)
    batches = read(tmp_path / "claude_code_otel")
    assert sum(b.records.height for b in batches) == 0
    assert {r.reason for b in batches for r in b.rejects} == {"contradiction"}
