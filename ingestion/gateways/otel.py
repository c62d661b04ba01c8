"""OpenTelemetry GenAI: model-call spans and token metrics from dropped OTLP JSON files, spans from Parquet too.

Agent and workflow spans often repeat the sum of the calls below them, so only calls without a call below count. Events,
links and message contents are never decoded.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.files.folder import look, open_folder
from ingestion.gateways import labels
from ingestion.gateways.otlp import (
    JSON_SUFFIXES,
    Attributes,
    KeyValue,
    Resource,
    Scope,
    count,
    documents,
    find_files,
    flat,
    nanoseconds,
    unreadable,
    word,
)
from ingestion.gateways.otlp import labels as label_pairs
from ingestion.gateways.points import Metric, points
from ingestion.records import Batch, Intake, Reader, Refused, Reject, Row, digest, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

SPANS = BY_KEY["otel__spans"]
TOKEN_USAGE = BY_KEY["otel__token_usage"]

# gen_ai.operation.name and older spellings of what asks a model; agents, workflows and tools do not.
_MODEL_CALLS = frozenset(
    {"chat", "text_completion", "completion", "generate_content", "embeddings", "embedding", "responses", "messages", "rerank"}
)
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens")
_READ = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
_WRITTEN = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens")
_REASONING = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens")
_TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens")
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.vendor")
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model")


class Status(msgspec.Struct):
    """Outcome of a span: 2 or STATUS_CODE_ERROR is an error."""

    code: int | str | None = None


class Span(msgspec.Struct):
    """One span, without its events."""

    traceId: str
    spanId: str
    startTimeUnixNano: int | str
    parentSpanId: str | None = None
    endTimeUnixNano: int | str | None = None
    attributes: list[KeyValue] = []
    status: Status | None = None


class ScopeSpans(msgspec.Struct):
    """The spans of one instrumentation."""

    scope: Scope | None = None
    spans: msgspec.Raw = msgspec.Raw(b"[]")


class ResourceSpans(msgspec.Struct):
    """The spans of one service."""

    resource: Resource | None = None
    scopeSpans: list[ScopeSpans] = []


class Traces(msgspec.Struct):
    """A traces document; others of the same folder have none of its field."""

    resourceSpans: list[ResourceSpans] = []


@dataclass(frozen=True)
class Call:
    """A span as far as it is read, whatever file it came in."""

    trace_id: str
    span_id: str
    parent: str | None
    scope: str
    service: str | None
    started: datetime
    ended: datetime | None
    attributes: Attributes
    resource: Attributes
    is_error: bool

    @property
    def is_model_call(self) -> bool:
        """Whether it asked a model itself."""
        operation = word(self.attributes, "gen_ai.operation.name", "llm.request.type")
        if operation is not None:
            return operation.lower() in _MODEL_CALLS
        return any(name in self.attributes for name in (*_INPUT, *_OUTPUT))

    @property
    def is_exclusive(self) -> bool:
        """Whether its own counts prove that cached tokens are beside the input."""
        cached = (count(self.attributes, *_READ) or 0) + (count(self.attributes, *_WRITTEN) or 0)
        counted, output = count(self.attributes, *_INPUT), count(self.attributes, *_OUTPUT) or 0
        if not cached or counted is None:
            return False
        return counted < cached or count(self.attributes, *_TOTAL) == counted + cached + output


def find_spans(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Every dropped JSON or Parquet file."""
    return find_files(config, (*JSON_SUFFIXES, ".parquet"))


def fetch_spans(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Model calls of each file. No control total: telemetry has no money."""
    folder = open_folder(config)
    named = set(config.entries("exclusive_scopes"))
    prefix = config.option("label_prefix")
    for window in windows:
        name = window.locator or ""
        content = folder.read(name)
        intake = Intake(Reader(Span))
        read = _from_parquet(name, content, intake) if name.lower().endswith(".parquet") else _from_json(name, content, intake)
        rows = _rows(read, named, prefix)
        records = table(SPANS, rows)
        yield window, Batch(records, intake.rejects, pages=1, days=_days(records.get_column("started_at")))


def _from_json(name: str, content: bytes, intake: Intake[Span]) -> list[Call]:
    read: list[Call] = []
    for document in documents(name, content, Traces):
        for resource in document.resourceSpans:
            about = flat(resource.resource.attributes) if resource.resource else {}
            for scope in resource.scopeSpans:
                good = intake.read(scope.spans, name)
                read += intake.accept(good, _call, scope.scope.name if scope.scope else "", about)
    return read


def _call(span: Span, scope: str, resource: Attributes) -> Call:
    started = nanoseconds(span.startTimeUnixNano, "startTimeUnixNano")
    if started is None or not span.traceId or not span.spanId:
        raise Refused("missing_value", "startTimeUnixNano" if started is None else "traceId")
    attributes = flat(span.attributes)
    _check(attributes)
    code = span.status.code if span.status else None
    return Call(
        span.traceId, span.spanId, span.parentSpanId or None, scope, word(resource, "service.name"), started,
        nanoseconds(span.endTimeUnixNano, "endTimeUnixNano"), attributes, resource,
        code in (2, "2", "STATUS_CODE_ERROR", "Error") or "error.type" in attributes,
    )  # fmt: skip


def _check(attributes: Attributes) -> None:
    """Refuses counts that are none, before other spans are judged by them."""
    for names in (_INPUT, _OUTPUT, _READ, _WRITTEN, _REASONING, _TOTAL):
        count(attributes, *names)


def _rows(read: Sequence[Call], named: set[str], prefix: str) -> list[Row]:
    parents = {(c.trace_id, c.span_id): c.parent for c in read}
    calls = [c for c in read if c.is_model_call]
    above: set[tuple[str, str]] = set()
    for call in calls:
        parent = call.parent
        while parent is not None and (call.trace_id, parent) not in above:
            above.add((call.trace_id, parent))
            parent = parents.get((call.trace_id, parent))
    exclusive = named | {c.scope for c in calls if c.is_exclusive}
    return [_row(c, c.scope not in exclusive, prefix) for c in calls if (c.trace_id, c.span_id) not in above]


def _row(call: Call, is_inside: bool, prefix: str) -> Row:
    about, of = call.attributes, call.resource
    read, written = count(about, *_READ), count(about, *_WRITTEN)
    counted, output, stated = count(about, *_INPUT), count(about, *_OUTPUT), count(about, *_TOTAL)
    if stated is not None and not is_inside and stated == (counted or 0) + (output or 0):
        # such an emitter's total leaves cached tokens out as well
        stated += (read or 0) + (written or 0)
    conversation = word(about, "gen_ai.conversation.id", "session.id")
    return (
        call.trace_id,
        call.span_id,
        call.parent,
        call.scope or None,
        call.service,
        word(about, "gen_ai.operation.name", "llm.request.type"),
        word(about, *_PROVIDER),
        word(about, *_MODEL),
        word(about, "gen_ai.response.id"),
        labels.plain_name(conversation),
        labels.plain_name(word(about, "user.id", "enduser.id") or word(of, "user.id", "enduser.id")),
        labels.plain_name(word(about, "user.email") or word(of, "user.email")),
        word(about, "openai.response.service_tier", "openai.request.service_tier"),
        "failure" if call.is_error else "success",
        call.started,
        call.ended,
        is_inside,
        counted,
        output,
        read,
        written,
        count(about, *_REASONING),
        stated,
        *labels.kept(label_pairs(prefix, labels.KEYS, about, of)),
    )


# Column names of a flattened span table, without case and underscores.
_PARQUET = {
    "trace": ("traceid",), "span": ("spanid",), "parent": ("parentspanid",), "scope": ("scopename",), "service": ("servicename",),
    "start": ("starttimeunixnano", "timestamp", "starttime"), "end": ("endtimeunixnano", "endtime"), "duration": ("duration", "durationns"),
    "about": ("spanattributes", "attributes"), "of": ("resourceattributes",), "status": ("statuscode",),
}  # fmt: skip


def _from_parquet(name: str, content: bytes, intake: Intake[Span]) -> list[Call]:
    """Spans of a flattened table: attributes as a map, a struct or JSON text; duration in nanoseconds."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        present = {c.lower().replace("_", ""): c for c in pyarrow.parquet.read_schema(io.BytesIO(content)).names}
        chosen = {k: present[n] for k, names in _PARQUET.items() for n in names[::-1] if n in present}
        if not {"trace", "span", "start", "about"} <= set(chosen):
            raise unreadable(name, "a table without trace id, span id, start and attributes")
        found = pyarrow.parquet.read_table(io.BytesIO(content), columns=sorted(set(chosen.values())))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, type(error).__name__) from None
    columns: dict[str, list[Any]] = {}
    for key, column in chosen.items():
        values = found.column(column)
        if pa.types.is_timestamp(values.type):
            values = values.cast(pa.timestamp("ns")).cast(pa.int64())
        columns[key] = values.to_pylist()
    read: list[Call] = []
    for ordinal in range(found.num_rows):
        cells = {key: values[ordinal] for key, values in columns.items()}
        try:
            read.append(_parquet_call(cells))
        except Refused as refused:
            content_digest = digest(repr(sorted(cells.items())))
            intake.rejects.append(Reject(ordinal, refused.reason, refused.field, refused.detail, content_digest))
    return read


def _parquet_call(cells: Mapping[str, Any]) -> Call:
    about, of = _mapping(cells["about"], "attributes"), _mapping(cells.get("of"), "resource_attributes")
    started = nanoseconds(cells["start"], "start")
    if started is None or not cells["trace"] or not cells["span"]:
        raise Refused("missing_value", "start" if started is None else "trace_id")
    _check(about)
    end, duration = cells.get("end"), cells.get("duration")
    if end is None and isinstance(duration, int):
        end = int(cells["start"]) + duration
    return Call(
        str(cells["trace"]), str(cells["span"]), cells.get("parent") or None, cells.get("scope") or "",
        cells.get("service") or word(of, "service.name"), started, nanoseconds(end, "end"), about, of,
        str(cells.get("status")) in ("2", "STATUS_CODE_ERROR", "Error") or "error.type" in about,
    )  # fmt: skip


def _mapping(value: Any, field: str) -> Attributes:
    """Attributes however a table holds them; nested values are left out."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Refused("wrong_type", field) from None
    pairs = value.items() if isinstance(value, dict) else value or ()
    try:
        return {str(k): v for k, v in pairs if isinstance(v, (str, int, float))}
    except (TypeError, ValueError):
        raise Refused("wrong_type", field) from None


def _days(moments: Any) -> list[date]:
    return sorted(moments.dt.date().unique().to_list())


def fetch_token_usage(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Points of the token metric of each file."""
    folder = open_folder(config)
    for window in windows:
        rejects: list[Reject] = []
        rows = points(window.locator or "", folder.read(window.locator or ""), _METRICS, _usage_row, rejects)
        records = table(TOKEN_USAGE, rows)
        yield window, Batch(records, rejects, pages=1, days=_days(records.get_column("ended_at")))


_METRICS = ("gen_ai.client.token.usage",)


def _usage_row(point: Metric) -> Row:
    return (
        word(point.resource, "service.name"),
        point.scope or None,
        word(point.attributes, *_PROVIDER),
        word(point.attributes, *_MODEL),
        word(point.attributes, "gen_ai.token.type"),
        point.temporality,
        point.series,
        point.started,
        point.ended,
        point.whole("sum"),
        point.events,
    )


def find_token_usage(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Every dropped JSON file."""
    return find_files(config)


SYSTEM = System(
    "otel", (Connector(SPANS, fetch_spans, find_spans), Connector(TOKEN_USAGE, fetch_token_usage, find_token_usage)), look=look
)
