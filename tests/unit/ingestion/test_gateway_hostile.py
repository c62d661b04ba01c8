"""Spoiled records of gateways and request logs: each is landed or rejected with its reason, and the total is what landed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.gateways import azure_llm_logs, bedrock_logs, helicone, langfuse, portkey
from ingestion.records import Intake, Reader, exact_sum, table
from ingestion.windows import day_window

DAY = day_window(date(2026, 11, 18))
HOUR = datetime(2026, 11, 18, 9, tzinfo=UTC)
AT = "2026-11-18T09:00:00Z"
# record type, dataset, row function and its arguments, a whole record
SOURCES = {
    "langfuse": (langfuse.Observation, langfuse.OBSERVATIONS, lambda r: langfuse._row(r, DAY, "exclusive"), {
        "id": "a", "startTime": AT, "type": "GENERATION", "providedModelName": "gpt-5", "usageDetails": {"input": 1, "total": 1},
        "totalCost": 0.5, "costDetails": {"total": 0.5}, "tags": ["ticket:A-1"], "metadata": {"attributes": {"gen_ai.response.id": "x"}},
    }),
    "helicone": (helicone.Request, helicone.REQUESTS, lambda r: helicone._row(r, DAY, "usd"), {
        "request_id": "a", "request_created_at": AT, "response_status": 200, "prompt_tokens": 1, "total_tokens": 1, "cost": 0.5,
        "request_properties": {"ticket": "A-1"}, "cache_reference_id": "", "delay_ms": 5,
    }),
    "portkey": (portkey.Log, portkey.LOGS, lambda r: portkey._row(r, [DAY], "cents")[1], {
        "id": "a", "created_at": AT, "is_success": True, "req_units": 1, "total_units": 1, "cost": 0.5, "cost_currency": "USD",
        "metadata": {"_user": "u"}, "response_time": 5, "config": None,
    }),
    "bedrock_logs": (bedrock_logs.Invocation, bedrock_logs.INVOCATIONS, lambda r: bedrock_logs._row(r, DAY, HOUR, {}), {
        "timestamp": AT, "requestId": "a", "accountId": "1", "region": "r", "modelId": "m", "identity": {"arn": "arn:aws:sts::1:assumed-role/r/s"},
        "requestMetadata": {"ticket": "A-1"}, "input": {"inputTokenCount": 1}, "output": {"outputTokenCount": 1}, "errorCode": None,
    }),
    "azure_llm_log": (azure_llm_logs.Line, azure_llm_logs.LLM_LOG, lambda r: azure_llm_logs._llm_row(r, "f", "azure"), {
        "TimeGenerated": AT, "CorrelationId": "a", "SequenceNumber": 0, "PromptTokens": 1, "TotalTokens": 1, "properties": {"modelName": "m"},
    }),
    "azure_gateway_log": (azure_llm_logs.Line, azure_llm_logs.GATEWAY_LOG, lambda r: azure_llm_logs._gateway_row(r, "f"), {
        "time": AT, "correlationId": "a", "properties": {"responseCode": 200, "totalTime": 5, "userId": "u"},
    }),
}  # fmt: skip
HUGE = [None, "", "NaN", "x" * 30_000, -1, 0, 1.5, 1e300, 10**30, True, [], {}, [[]], {"value": 1}, "2026-02-30", "9999-99-99", "\ud800", "\u0000"]


@st.composite
def spoiled(draw, record):
    """The record with some fields missing or holding what they never should, or a line cut short."""
    found = json.loads(json.dumps(record))
    for key in draw(st.lists(st.sampled_from(sorted(found)), max_size=3, unique=True)):
        if draw(st.booleans()):
            del found[key]
        elif isinstance(found[key], dict) and draw(st.booleans()):
            found[key] = dict.fromkeys(found[key], draw(st.sampled_from(HUGE)))
        else:
            found[key] = draw(st.sampled_from(HUGE))
    line = json.dumps(found).encode("utf-8", "surrogatepass")
    return line[: draw(st.integers(1, len(line)))] if draw(st.integers(0, 9)) == 0 else line


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_spoiled_record_lands_or_is_rejected(source, data):
    record_type, dataset, row, whole = SOURCES[source]
    lines = data.draw(st.lists(spoiled(whole), max_size=4))
    intake = Intake(Reader(record_type))
    taken = intake.accept(intake.read_lines(b"\n".join([*lines, json.dumps(whole).encode()])), row)
    assert len(taken) + len(intake.rejects) == len([line for line in lines if line.strip()]) + 1
    assert all(r.reason and r.record_digest for r in intake.rejects)
    records = table(dataset, [values for values in taken if values is not None])
    assert records.height >= 1
    if dataset.control_column:
        amounts = records.get_column(dataset.control_column)
        assert exact_sum(amounts) == sum((Decimal(a) for a in amounts if a is not None), Decimal(0))
    assert msgspec.json.encode([r.detail for r in intake.rejects]).count(b"x" * 100) == 0
