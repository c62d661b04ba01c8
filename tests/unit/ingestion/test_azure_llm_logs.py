"""LLM logs of Azure API Management as dropped files: both spellings, split rows, what is never decoded."""

from __future__ import annotations

import gzip
import json

import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken
from ingestion.source import SourceConfig

LLM, GATEWAY = "azure_llm_logs__llm_log", "azure_llm_logs__gateway_log"


def row(name, number=0, **values):
    return {"TimeGenerated": "2026-10-05T09:00:00.5Z", "CorrelationId": name, "SequenceNumber": number, "ModelName": "gpt-5-mini", **values}


WHOLE = {"PromptTokens": 400, "CompletionTokens": 100, "TotalTokens": 500}


def fetch(folder, key, **options):
    connector = CONNECTORS[key]
    config = SourceConfig("azure_llm_logs", options={"location": str(folder), **options})
    return [batch for _, batch in connector.fetch(None, config, connector.find(config, ()))]


def write(folder, name, *lines):
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def test_only_the_row_with_tokens_counts_and_messages_are_not_decoded(tmp_path):
    write(
        tmp_path, "table.jsonl",
        row("a", 0, RequestMessages="CANARY", TotalTokens=None), row("a", 1, ResponseMessages="CANARY", TotalTokens=0),
        row("a", 2, **WHOLE, IsStreamCompletion=True, ResponseMessages="CANARY"), b"",
        row("b", 0, PromptTokens=20, TotalTokens=20, TimeGenerated="2026-10-06T00:00:00Z"),
    )  # fmt: skip
    (batch,) = fetch(tmp_path, LLM)
    rows = batch.records.to_dicts()
    assert "CANARY" not in str(rows) and batch.rejects == []
    assert [(r["correlation_id"], r["sequence_number"], r["prompt_tokens"], r["completion_tokens"], r["total_tokens"]) for r in rows] == [
        ("a", 2, 400, 100, 500), ("b", 0, 20, None, 20),
    ]  # fmt: skip
    assert (rows[0]["is_stream"], rows[0]["provider"], rows[0]["file_name"]) == (True, "azure", "table.jsonl")
    assert [d.isoformat() for d in batch.days] == ["2026-10-05", "2026-10-06"]
    assert fetch(tmp_path, GATEWAY)[0].records.height == 0


def test_the_spelling_of_diagnostic_settings_is_read_too_and_requests_without_tokens_are_no_source(tmp_path):
    setting = {
        "time": "2026-10-05T09:00:00Z", "category": "GatewayLlmLogs", "resourceId": "/SUBSCRIPTIONS/CANARY",
        "properties": {"correlationId": "a", "sequenceNumber": 0, "modelName": "gpt-5", "promptTokens": 1, "completionTokens": 2,
                       "totalTokens": 3, "requestMessages": [{"content": "CANARY"}]},
    }  # fmt: skip
    request_response = {"time": "2026-10-05T09:00:00Z", "category": "RequestResponse", "properties": {"requestLength": 10, "modelName": "gpt-5"}}
    ended = {"time": "2026-10-05T09:00:01Z", "category": "GatewayLogs", "correlationId": "a",
             "properties": {"apimSubscriptionId": "sub", "userId": "ada@acme.example", "responseCode": 200, "totalTime": 1500.4, "url": "CANARY"}}  # fmt: skip
    write(tmp_path, "hour.json.gz", setting, request_response, ended)
    (llm,), (gateway,) = fetch(tmp_path, LLM, provider="OpenAI"), fetch(tmp_path, GATEWAY)
    (call,), (end,) = llm.records.to_dicts(), gateway.records.to_dicts()
    assert "CANARY" not in str(call) + str(end)
    assert (call["correlation_id"], call["total_tokens"], call["provider"]) == ("a", 3, "openai")
    assert (end["correlation_id"], end["subscription_id"], end["user_id"], end["response_code"], end["total_time_ms"]) == ("a", "sub", "ada@acme.example", 200, 1500)


def test_bad_lines_are_rejected_and_no_other(tmp_path):
    write(
        tmp_path, "table.jsonl", row("good", **WHOLE), row("typed", PromptTokens={"value": "CANARY"}, TotalTokens=1),
        row("when", **WHOLE | {"TimeGenerated": "CANARY"}), {"TimeGenerated": "2026-10-05T09:00:00Z", **WHOLE}, b"[]",
        {"properties": "CANARY", "CorrelationId": "x"}, row("negative", TotalTokens=-5), b'{"TimeGenerated": "20',
    )  # fmt: skip
    (batch,) = fetch(tmp_path, LLM)
    assert batch.records["correlation_id"].to_list() == ["good"]
    assert "CANARY" not in str(batch.rejects)
    assert [(r.ordinal, r.reason, r.field) for r in sorted(batch.rejects, key=lambda r: r.ordinal)] == [
        (1, "wrong_type", "prompttokens"), (2, "unreadable_time", "TimeGenerated"), (3, "missing_field", "correlationid"),
        (4, "wrong_type", None), (5, "wrong_type", "properties"), (6, "wrong_type", "totaltokens"), (7, "malformed", None),
    ]  # fmt: skip


def test_half_an_archive_is_no_file(tmp_path):
    write(tmp_path, "table.jsonl.gz", *(row(f"r{n}", **WHOLE) for n in range(50)))
    path = tmp_path / "table.jsonl.gz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ContractBroken, match="no whole gzip file"):
        fetch(tmp_path, LLM)


def test_durations_in_another_unit_are_rejected(tmp_path):
    line = {"TimeGenerated": "2026-10-05T09:00:00Z", "CorrelationId": "a", "ResponseCode": 200}
    write(tmp_path, "gateway.jsonl", line | {"TotalTime": 1500}, line | {"TotalTime": 1_500_000_000_000})
    (batch,) = fetch(tmp_path, GATEWAY)
    assert batch.records.height == 1 and [(r.reason, r.field) for r in batch.rejects] == [("wrong_type", "totaltime")]
