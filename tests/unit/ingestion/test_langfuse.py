"""Langfuse observations over real HTTP: cursor, Basic auth, free-form usage keys, what is never kept."""

from __future__ import annotations

import base64
from datetime import date
from decimal import Decimal

import pytest
from fake_vendor import Reply

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.gateways import langfuse
from ingestion.source import SourceConfig
from ingestion.windows import day_window

DAY = day_window(date(2026, 11, 18))
CONFIG = SourceConfig("langfuse", secrets={"PUBLIC_KEY": "pk-lf-1", "SECRET_KEY": "sk-lf-secret"})


def observation(name, **values):
    return {
        "id": name, "traceId": "t", "type": "GENERATION", "startTime": "2026-11-18T09:00:00.500Z", "providedModelName": "gpt-5",
        "level": "DEFAULT", "environment": "production", "userId": "ada@acme.example", "usageDetails": {"input": 10, "output": 2, "total": 12},
        "totalCost": 0.0042, **values,
    }  # fmt: skip


def fetch(client, config=CONFIG):
    ((_, batch),) = CONNECTORS["langfuse__observations"].fetch(client, config, [DAY])
    return batch


def test_pages_follow_the_cursor_and_cost_is_dollars_to_the_digit(vendor, connect):
    vendor.routes[langfuse.PATH] = [
        Reply({"error": "Too many requests"}, 429, {"Retry-After": "1"}),
        Reply({"data": [observation("a", totalCost=0.00421)], "meta": {"cursor": "c1"}}),
        Reply({"data": [observation("b", totalCost=None, costDetails={"input": 0.5, "total": 1.25}, new_field=1)], "meta": {}}),
    ]
    batch = fetch(connect(auth=langfuse._auth(CONFIG)))
    assert batch.records["id"].to_list() == ["a", "b"]
    assert (batch.control_total, batch.control_unit, batch.pages, batch.rejects) == (Decimal("1.25421"), "USD", 2, [])
    asked = vendor.asked[1]
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-secret").decode()
    assert (asked.get("fromStartTime"), asked.get("toStartTime"), asked.get("limit")) == ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z", "1000")
    assert "io" not in asked.get("fields").split(",") and asked.get("type") == "GENERATION"
    assert vendor.asked[2].get("cursor") == "c1"


@pytest.mark.parametrize(("usage", "expected"), [
    ({"input": 400, "input_cached_tokens": 600, "output": 70, "output_reasoning_tokens": 30, "total": 1100},
     {"input_tokens": 400, "cache_read_tokens": 600, "output_tokens": 70, "reasoning_tokens": 30, "total_tokens": 1100}),
    ({"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3, "output_tokens": 4},
     {"input_tokens": 1, "cache_read_tokens": 2, "cache_write_tokens": 3, "output_tokens": 4}),
    ({"input_cache_creation_5m": 5, "input_cache_creation_1h": 6, "input_audio_tokens": 7, "output_image_tokens": 8},
     {"cache_write_5m_tokens": 5, "cache_write_1h_tokens": 6, "other_input_tokens": 7, "other_output_tokens": 8}),
    ({"prompt_tokens": 1, "completion_tokens": 2, "thoughts_token_count": 3, "search_units": 4, "nothing": None},
     {"input_tokens": 1, "output_tokens": 2, "reasoning_tokens": 3, "unknown_tokens": 4}),
    ({}, {}),
])  # fmt: skip
def test_usage_keys_are_told_by_their_words(vendor, client, usage, expected):
    vendor.routes[langfuse.PATH] = {"data": [observation("a", usageDetails=usage)], "meta": {}}
    (row,) = fetch(client).records.to_dicts()
    tokens = {k: v for k, v in row.items() if k.endswith("_tokens") and v is not None}
    assert tokens == expected


def test_only_allow_listed_labels_and_no_texts_are_kept(vendor, client):
    vendor.routes[langfuse.PATH] = {"data": [observation(
        "a", input="CANARY", output="CANARY", statusMessage="CANARY", userId="write me a poem about our secret plan now",
        tags=["Workflow:drafting", "workflow:second", "prompt:CANARY", "free text CANARY"],
        metadata={"ticket": "ACME-12", "Task-Type": "answer", "feature": "please write CANARY in very many words here", "question": "CANARY",
                  "attributes": {"gen_ai.response.id": "chatcmpl-1", "gen_ai.prompt": "CANARY"}},
    )], "meta": {}}  # fmt: skip
    batch = fetch(client)
    (row,) = batch.records.to_dicts()
    assert "CANARY" not in str(row)
    assert (row["tag_ticket"], row["tag_workflow"], row["tag_task_type"], row["tag_feature"], row["user_id"]) == ("ACME-12", "drafting", "answer", None, None)
    assert (row["provider_response_id"], row["dropped_tag_count"]) == ("chatcmpl-1", 6)


def test_a_record_of_wrong_type_or_another_day_is_rejected_and_no_other(vendor, client):
    vendor.routes[langfuse.PATH] = {"data": [
        observation("good"), observation("typed", usageDetails={"input": "CANARY"}), observation("late", startTime="2026-11-19T00:00:00Z"),
        observation("negative", usageDetails={"input": -1}), observation("span", type="SPAN"), observation("nan", totalCost="NaN"),
    ], "meta": {}}  # fmt: skip
    batch = fetch(client)
    assert batch.records["id"].to_list() == ["good"] and batch.control_total == Decimal("0.0042")
    found = {(r.ordinal, r.reason, r.field) for r in batch.rejects}
    assert found == {
        (1, "wrong_type", "usageDetails[...]"), (2, "outside_window", "startTime"), (3, "wrong_type", "usageDetails[...]"),
        (5, "not_a_number", "totalCost"),
    }  # fmt: skip
    assert "CANARY" not in str(batch.rejects)


@pytest.mark.parametrize(("replies", "message"), [
    ([{"data": [observation("a")], "meta": {"cursor": "c"}}], "repeats the records"),
    ([{"data": [], "meta": {"cursor": "c"}}, {"data": [], "meta": {"cursor": "c"}}], "points back"),
    ([{"data": [observation("a")]}], "not the documented page"),
    ([Reply(b'{"data": [{"id": "a", "sta')], "not the documented page"),
])  # fmt: skip
def test_a_walk_that_cannot_be_trusted_is_stopped(vendor, client, replies, message):
    vendor.routes[langfuse.PATH] = replies
    with pytest.raises(ContractBroken, match=message):
        fetch(client)


def test_an_unknown_setting_is_said_before_anything_is_asked(vendor, client):
    with pytest.raises(RequestRejected, match="INPUT_TOKENS"):
        fetch(client, SourceConfig("langfuse", options={"input_tokens": "maybe"}))
    assert vendor.asked == []
