"""GenAI telemetry from dropped files: leaf calls, both spellings, inside or beside, units, and what must never land."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet
import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken
from ingestion.source import SourceConfig
from sandbox import build, calendar
from sandbox.exports import otel as sandbox_otel
from sandbox.faults import Faults
from sandbox.vendors.base import World

START = 1_759_658_400_000_000_000
SCOPE = "opentelemetry.instrumentation.anthropic"


def read(folder, dataset="spans", **options):
    """Batches of every file of a folder by name."""
    connector = CONNECTORS[f"otel__{dataset}"]
    config = SourceConfig("otel", options={"location": str(folder), **options})
    return {w.locator: batch for w, batch in connector.fetch(None, config, connector.find(config, ()))}


def attributes(values):
    """OTLP attributes as its JSON writes them."""
    kinds = {str: "stringValue", bool: "boolValue", float: "doubleValue"}
    return [
        {"key": k, "value": {"intValue": str(v)} if type(v) is int else {kinds[type(v)]: v}} for k, v in values.items()
    ]


def span(span_id, counted, output=10, *, parent="", operation="chat", **more):
    about = {"gen_ai.operation.name": operation, "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
             "gen_ai.usage.input_tokens": counted, "gen_ai.usage.output_tokens": output, **more}  # fmt: skip
    return {
        "traceId": "t", "spanId": span_id, "parentSpanId": parent, "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 2_500_000_000),
        "attributes": attributes({k: v for k, v in about.items() if v is not None}),
        "events": [{"name": "gen_ai.content.prompt", "attributes": attributes({"gen_ai.prompt": "CANARY"})}],
    }  # fmt: skip


def cached(read_tokens, written=0):
    return {"gen_ai.usage.cache_read.input_tokens": read_tokens, "gen_ai.usage.cache_creation.input_tokens": written}


def document(*spans, scope=SCOPE, **resource):
    about = {"service.name": "helpdesk", **resource}
    return {"resourceSpans": [{"resource": {"attributes": attributes(about)}, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def drop(folder, name, *documents):
    content = b"\n".join(json.dumps(d).encode() for d in documents)
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def shown(batch, *columns):
    return batch.records.select(columns).rows()


def test_new_and_old_spellings_say_the_same(tmp_path):
    old = span("old", None, None, operation=None)
    old["attributes"] = attributes({
        "gen_ai.system": "openai", "llm.request.type": "chat", "gen_ai.response.model": "gpt-5", "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 10, "gen_ai.usage.cache_read_input_tokens": 60, "gen_ai.usage.reasoning_tokens": 5,
    })  # fmt: skip
    new = span("new", 100, 10, **cached(60), **{"gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5",
                                                "gen_ai.usage.reasoning.output_tokens": 5})  # fmt: skip
    drop(tmp_path, "a.jsonl.gz", document(old), document(new))
    [batch] = read(tmp_path).values()
    columns = ("provider", "model", "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "is_cache_inside_input")
    assert shown(batch, *columns) == [("openai", "gpt-5", 100, 10, 60, 5, True)] * 2


def test_only_calls_without_a_call_below_count(tmp_path):
    spans = [
        span("workflow", 300, 30, operation=None),
        span("agent", 300, 30, parent="workflow", operation="invoke_agent"),
        span("tool", None, None, parent="agent", operation="execute_tool"),
        span("c1", 100, 10, parent="tool"), span("c2", 200, 20, parent="agent"),
        span("sql", None, None, parent="c2", operation="execute_tool"),
    ]  # fmt: skip
    drop(tmp_path, "a.json", document(*spans))
    [batch] = read(tmp_path).values()
    assert shown(batch, "span_id", "input_tokens") == [("c1", 100), ("c2", 200)]


def test_a_scope_that_gives_itself_away_once_is_read_as_exclusive_throughout(tmp_path):
    both = [span("proof", 5, **cached(1000)), span("other", 1500, **cached(1000))]
    drop(tmp_path, "a.json", document(*both, scope="bedrock"), document(span("third", 1500, **cached(1000)), scope="openai"))
    [batch] = read(tmp_path).values()
    assert shown(batch, "span_id", "is_cache_inside_input") == [("proof", False), ("other", False), ("third", True)]


def test_a_total_that_adds_the_cached_tokens_proves_an_exclusive_scope_and_an_option_names_one(tmp_path):
    drop(tmp_path, "a.json", document(span("total", 100, 10, **cached(60), **{"gen_ai.usage.total_tokens": 170}), scope="x"))
    drop(tmp_path, "b.json", document(span("named", 100, 10, **cached(60), **{"gen_ai.usage.total_tokens": 110}), scope="y"))
    told = read(tmp_path, exclusive_scopes="y, z")
    assert shown(told["a.json"], "is_cache_inside_input", "stated_total_tokens") == [(False, 170)]
    # This emitter's total leaves the cached tokens out as its input does.
    assert shown(told["b.json"], "is_cache_inside_input", "stated_total_tokens") == [(False, 170)]
    assert shown(read(tmp_path)["b.json"], "is_cache_inside_input", "stated_total_tokens") == [(True, 110)]


@pytest.mark.parametrize("divisor", [1000, 1_000_000, 1_000_000_000])
def test_instants_that_are_no_nanoseconds_are_refused(tmp_path, divisor):
    wrong = span("ms", 5) | {"startTimeUnixNano": str(START // divisor), "endTimeUnixNano": str(START // divisor)}
    drop(tmp_path, "a.json", document(wrong, span("ns", 5)))
    [batch] = read(tmp_path).values()
    assert [(r.ordinal, r.reason, r.field) for r in batch.rejects] == [(0, "unreadable_time", "startTimeUnixNano")]
    [(started, ended)] = shown(batch, "started_at", "ended_at")
    assert (started, (ended - started).total_seconds()) == (datetime(2025, 10, 5, 10, tzinfo=UTC), 2.5)


def test_a_span_with_a_wrong_count_is_rejected_alone(tmp_path):
    spans = [span("good", 5), span("text", "many"), span("negative", -5), span("half", 0.5), span("huge", 10**17), span("whole", 6.0)]
    spans.append({"spanId": "no trace"})
    drop(tmp_path, "a.json", document(*spans))
    [batch] = read(tmp_path).values()
    assert shown(batch, "span_id", "input_tokens") == [("good", 5), ("whole", 6)]
    assert sorted((r.ordinal, r.reason) for r in batch.rejects) == [
        (1, "wrong_type"), (2, "wrong_type"), (3, "wrong_type"), (4, "wrong_type"), (6, "missing_field"),
    ]  # fmt: skip


def test_labels_are_kept_when_they_look_like_names_and_contents_never(tmp_path):
    secret = span("a", 5, **{
        "acme.ticket": "SRCH-7", "acme.feature": "please write a very angry mail to them all", "session.id": "s-1", "user.email": "ann@example.com",
        "gen_ai.prompt.0.content": "CANARY", "gen_ai.input.messages": "CANARY",
    })  # fmt: skip
    drop(tmp_path, "a.json", document(secret, **{"deployment.environment.name": "production", "team.id": "search"}))
    [batch] = read(tmp_path, label_prefix="acme.").values()
    columns = ("tag_ticket", "tag_feature", "tag_environment", "tag_team", "conversation_id", "user_email", "dropped_tag_count")
    assert shown(batch, *columns) == [("SRCH-7", None, "production", "search", "s-1", "ann@example.com", 1)]
    assert "CANARY" not in str(batch.records.rows())


def test_an_error_span_is_a_failure_and_other_signals_are_passed_over(tmp_path):
    failed = span("a", None, None, **{"error.type": "timeout"})
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "CANARY"}}]}]}]}
    drop(tmp_path, "a.jsonl", document(failed), logs)
    [batch] = read(tmp_path).values()
    assert shown(batch, "status", "input_tokens") == [("failure", None)]


@pytest.mark.parametrize("content", [b"", b"no json", b'{"resourceSpans": 5}', b'{"resourceSpans": [{"a', b"\x1f\x8b broken"])
def test_a_file_that_is_no_telemetry_says_so(tmp_path, content):
    (tmp_path / ("a.json.gz" if content.startswith(b"\x1f") else "a.json")).write_bytes(content)
    with pytest.raises(ContractBroken, match=r"a\.json"):
        read(tmp_path)


@pytest.mark.parametrize("shape", ["map", "json"])
def test_a_flattened_parquet_table_holds_the_same_spans(tmp_path, shape):
    spans = [span("agent", 100, operation="invoke_agent"), span("call", 100, 10, parent="agent", **cached(60)), span("bad", "many")]
    flat = [{a["key"]: next(iter(a["value"].values())) for a in s["attributes"]} for s in spans]
    kind = pa.map_(pa.string(), pa.string()) if shape == "map" else pa.string()
    told = [list(f.items()) for f in flat] if shape == "map" else [json.dumps(f) for f in flat]
    table = pa.table({
        "Timestamp": pa.array([START] * 3, pa.timestamp("ns", "UTC")), "TraceId": ["t"] * 3, "SpanId": ["agent", "call", "bad"],
        "ParentSpanId": ["", "agent", ""], "ScopeName": [SCOPE] * 3, "ServiceName": ["helpdesk"] * 3, "Duration": pa.array([2_500_000_000] * 3),
        "StatusCode": ["Ok"] * 3, "SpanAttributes": pa.array(told, kind), "Events.Name": ["CANARY"] * 3,
    })  # fmt: skip
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    (tmp_path / "a.parquet").write_bytes(out.getvalue())
    drop(tmp_path, "a.json", document(*spans[:2]))
    batches = read(tmp_path)
    parquet, plain = batches["a.parquet"].records, batches["a.json"].records
    assert parquet.rows() == plain.rows() and parquet.height == 1
    assert [(r.ordinal, r.reason) for r in batches["a.parquet"].rejects] == [(2, "wrong_type")]


def test_a_table_without_spans_says_so(tmp_path):
    pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ContractBroken, match="trace id"):
        read(tmp_path)


def metric(temporality, **point):
    about = attributes({"gen_ai.token.type": "input", "gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai"})
    points = [{"timeUnixNano": str(START), "count": "3", "bucketCounts": ["1", "2"], "attributes": about, **point}]
    series = {"dataPoints": points, **({"aggregationTemporality": temporality} if temporality else {})}
    return {"resourceMetrics": [{"scopeMetrics": [{"scope": {"name": "s"}, "metrics": [{"name": "gen_ai.client.token.usage", "histogram": series}]}]}]}


def test_a_histogram_counts_by_its_sum_and_says_whether_its_points_add_up(tmp_path):
    drop(tmp_path, "a.jsonl", metric(1, sum=640), metric("AGGREGATION_TEMPORALITY_CUMULATIVE", sum=900.0))
    [batch] = read(tmp_path, "token_usage").values()
    assert shown(batch, "tokens", "calls", "temporality") == [(640, 3, "delta"), (900, 3, "cumulative")]
    assert batch.records.get_column("series").n_unique() == 1


@pytest.mark.parametrize(
    ("temporality", "point", "reason"),
    [(None, {"sum": 5}, "missing_value"), (1, {}, "missing_value"), (1, {"sum": 0.5}, "wrong_type"), (1, {"sum": -5}, "out_of_range"),
     (1, {"sum": 5, "timeUnixNano": "5"}, "unreadable_time")],
)  # fmt: skip
def test_a_point_that_cannot_be_counted_is_rejected(tmp_path, temporality, point, reason):
    drop(tmp_path, "a.json", metric(temporality, **point))
    [batch] = read(tmp_path, "token_usage").values()
    assert (batch.records.height, [r.reason for r in batch.rejects]) == (0, [reason])


@pytest.fixture(scope="module")
def company():
    return build.generate(calendar.days_ending(5), 7, 0.1)


def test_the_sandbox_s_telemetry_holds_the_gateway_s_tokens(company, tmp_path):
    sandbox_otel.deliver(World(company, calendar.AS_OF), tmp_path / "bills", None)
    spans = [r for b in read(tmp_path / "otel").values() for r in b.records.iter_rows(named=True)]
    logged = {r["request_id"]: r for r in company.log.iter_rows(named=True)}
    both = [s for s in spans if s["response_id"] in logged]
    assert both and len(both) < len(spans)
    for s in both:
        row = logged[s["response_id"]]
        seen = s["input_tokens"] - (s["cache_read_tokens"] + s["cache_creation_tokens"]) * s["is_cache_inside_input"]
        assert (seen, s["output_tokens"], s["cache_read_tokens"]) == (row["uncached"], row["output"], row["cache_read"])
    assert "CANARY" not in str(spans)
    points = [r for b in read(tmp_path / "otel", "token_usage").values() for r in b.records.iter_rows(named=True)]
    # The metric of the one service that has it is a control for its spans, not more tokens.
    embedded = [s for s in spans if s["service_name"] == sandbox_otel.EMBEDDER]
    assert sum(p["tokens"] for p in points) == sum(s["input_tokens"] for s in embedded) > 0


@pytest.mark.parametrize(("kind", "reason"), [("changed_type", "wrong_type"), ("wrong_unit", "unreadable_time")])
def test_the_sandbox_s_faults_become_rejects(company, tmp_path, kind, reason):
    sandbox_otel.deliver(World(company, calendar.AS_OF, Faults([{"kind": kind, "vendor": "otel"}])), tmp_path / "bills", None)
    batches = read(tmp_path / "otel").values()
    assert {r.reason for b in batches for r in b.rejects} == {reason}
    assert sum(b.records.height for b in batches) == 0
