"""Claude Code's own OpenTelemetry export: one event per request, and its token and cost metrics as a control beside them.

Of the events only api_request lands. Prompts and tool results travel in other events and are never kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import RequestRejected
from ingestion.files.folder import look, open_folder
from ingestion.gateways import labels
from ingestion.gateways.otlp import (
    Attributes,
    KeyValue,
    Resource,
    count,
    decimal,
    documents,
    find_files,
    flat,
    nanoseconds,
    word,
)
from ingestion.gateways.otlp import labels as label_pairs
from ingestion.gateways.points import Metric, points
from ingestion.records import Batch, Intake, Reader, Refused, Reject, Row, amount, digest, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

API_REQUESTS = BY_KEY["claude_code_otel__api_requests"]
TOKEN_USAGE = BY_KEY["claude_code_otel__token_usage"]

_BILLED_AS = ("subscription", "api")
_MICRO = Decimal("0.000001")


class LogRecord(msgspec.Struct):
    """One event; its body is read for nothing but its name."""

    timeUnixNano: int | str | None = None
    observedTimeUnixNano: int | str | None = None
    eventName: str | None = None
    attributes: list[KeyValue] = []


class ScopeLogs(msgspec.Struct):
    """The events of one instrumentation."""

    logRecords: msgspec.Raw = msgspec.Raw(b"[]")


class ResourceLogs(msgspec.Struct):
    """The events of one terminal."""

    resource: Resource | None = None
    scopeLogs: list[ScopeLogs] = []


class Logs(msgspec.Struct):
    """A logs document; others of the same folder have none of its field."""

    resourceLogs: list[ResourceLogs] = []


def find(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Every dropped JSON file."""
    return find_files(config)


def fetch_api_requests(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Requests of each file. Control total in dollars as the client estimated them."""
    billed_as = config.option("billed_as", "subscription").lower()
    if billed_as not in _BILLED_AS:
        raise RequestRejected(
            tried=f"{API_REQUESTS.key}: read the settings",
            found="AISL_CLAUDE_CODE_OTEL_BILLED_AS is no word that is known",
            to_do="set it to " + " or ".join(_BILLED_AS),
        )
    folder = open_folder(config)
    for window in windows:
        name = window.locator or ""
        intake = Intake(Reader(LogRecord))
        rows: list[Row] = []
        for document in documents(name, folder.read(name), Logs):
            for resource in document.resourceLogs:
                about = flat(resource.resource.attributes) if resource.resource else {}
                for scope in resource.scopeLogs:
                    good = [(i, record) for i, record in intake.read(scope.logRecords, name) if _is_request(record)]
                    rows += intake.accept(good, _row, about, billed_as, config.option("label_prefix"))
        records = table(API_REQUESTS, rows)
        total = exact_sum(records.get_column("cost_usd"))
        yield window, Batch(records, intake.rejects, total, "USD", 1, _days(records.get_column("ended_at")))


def _is_request(record: LogRecord) -> bool:
    name = record.eventName or next((a.value.stringValue for a in record.attributes if a.key == "event.name" and a.value), None)
    return (name or "").removeprefix("claude_code.") == "api_request"


def _row(record: LogRecord, resource: Attributes, billed_as: str, prefix: str) -> Row:
    about = flat(record.attributes)
    ended = (
        nanoseconds(record.timeUnixNano, "timeUnixNano")
        or instant(word(about, "event.timestamp"), "event.timestamp")
        or nanoseconds(record.observedTimeUnixNano, "observedTimeUnixNano")
    )
    if ended is None:
        raise Refused("missing_value", "timeUnixNano")
    session = word(about, "session.id") or word(resource, "session.id")
    named = word(about, "request_id", "client_request_id")
    sequence = about.get("event.sequence")
    if named is None and (session is None or sequence is None):
        raise Refused("missing_field", "request_id")
    duration = count(about, "duration_ms")
    return (
        named or digest(f"{session}|{sequence}")[:24],
        word(about, "request_id"),
        labels.plain_name(session),
        labels.plain_name(word(about, "prompt.id")),
        word(about, "model"),
        labels.plain_name(word(about, "user.email") or word(resource, "user.email")),
        labels.plain_name(word(about, "user.id") or word(resource, "user.id")),
        labels.plain_name(word(about, "user.account_uuid") or word(resource, "user.account_uuid")),
        labels.plain_name(word(about, "organization.id") or word(resource, "organization.id")),
        labels.plain_name(word(about, "query_source")),
        labels.plain_name(word(about, "speed")),
        billed_as,
        ended - timedelta(milliseconds=duration or 0),
        ended,
        duration,
        count(about, "input_tokens"),
        count(about, "output_tokens"),
        count(about, "cache_read_tokens"),
        count(about, "cache_creation_tokens"),
        amount(_cost(about), "cost_usd"),
        *labels.kept(label_pairs(prefix, labels.KEYS, about, resource)),
    )


def _cost(about: Attributes) -> Decimal | None:
    """Dollars; the count of millionths is exact and preferred. Refuses two costs that differ by more than a rounding."""
    dollars, micros = decimal(about, "cost_usd"), count(about, "cost_usd_micros")
    if micros is None:
        return dollars
    exact = micros * _MICRO
    if dollars is not None and abs(dollars - exact) > _MICRO:
        raise Refused("contradiction", "cost_usd_micros", "does not agree with cost_usd: one is in another unit")
    return exact


def fetch_token_usage(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Points of the token and cost metrics of each file."""
    folder = open_folder(config)
    wanted = ("claude_code.token.usage", "claude_code.cost.usage")
    for window in windows:
        rejects: list[Reject] = []
        rows = points(window.locator or "", folder.read(window.locator or ""), wanted, _usage_row, rejects)
        records = table(TOKEN_USAGE, rows)
        yield window, Batch(records, rejects, pages=1, days=_days(records.get_column("ended_at")))


def _usage_row(point: Metric) -> Row:
    about = point.attributes
    is_cost = point.name == "claude_code.cost.usage"
    return (
        labels.plain_name(word(about, "session.id")),
        labels.plain_name(word(about, "user.email") or word(point.resource, "user.email")),
        word(about, "model"),
        point.name,
        word(about, "type"),
        point.temporality,
        point.series,
        point.started,
        point.ended,
        None if is_cost else int(point.value),
        f"{point.value:f}" if is_cost else None,
    )


def _days(moments: Any) -> list[date]:
    return sorted(moments.dt.date().unique().to_list())


SYSTEM = System(
    "claude_code_otel",
    (Connector(API_REQUESTS, fetch_api_requests, find), Connector(TOKEN_USAGE, fetch_token_usage, find)),
    look=look,
)
