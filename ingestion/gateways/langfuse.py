"""Langfuse: model calls from the observations API, version 2, walked by cursor.

Inputs, outputs and prompts are not asked for. Of metadata and tags only allow-listed keys are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import RequestRejected
from ingestion.gateways.labels import kept, pairs, plain_name
from ingestion.pages import MetaCursorPages, MetaPage, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://cloud.langfuse.com"
PATH = "/api/public/v2/observations"
ROWS_PER_PAGE = 1000
FIELDS = "core,basic,time,metadata,model,usage,trace_context"
# Where instrumentations put the id that the model's provider gave its answer.
RESPONSE_ID_KEYS = ("response_id", "gen_ai.response.id", "provider_response_id")
_MEANINGS = ("exclusive", "inclusive")


class Observation(msgspec.Struct):
    """One model call."""

    id: Text
    startTime: Text
    traceId: Text | None = None
    type: Text | None = None
    endTime: Text | None = None
    completionStartTime: Text | None = None
    updatedAt: Text | None = None
    model: Text | None = None
    providedModelName: Text | None = None
    level: Text | None = None
    environment: Text | None = None
    userId: Text | None = None
    sessionId: Text | None = None
    usagePricingTierName: Text | None = None
    usageDetails: dict[str, Count | None] | None = None
    costDetails: dict[str, Decimal | None] | None = None
    totalCost: Decimal | None = None
    tags: list[str] | None = None
    metadata: Any = None


OBSERVATIONS = BY_KEY["langfuse__observations"]


def fetch_observations(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Model calls by the UTC day they started on. Control total in dollars as the vendor calculated them."""
    meaning = config.option("input_tokens", "exclusive").lower()
    if meaning not in _MEANINGS:
        raise RequestRejected(
            tried=f"{OBSERVATIONS.key}: read the settings",
            found="AISL_LANGFUSE_INPUT_TOKENS is no meaning that is known",
            to_do="set it to " + " or ".join(_MEANINGS),
        )
    reader = Reader(Observation)
    for window in windows:
        context = f"{OBSERVATIONS.key} {window.key}"
        call = Call(
            PATH,
            (
                ("type", "GENERATION"),
                ("fromStartTime", f"{window.start:%Y-%m-%dT%H:%M:%SZ}"),
                ("toStartTime", f"{window.end:%Y-%m-%dT%H:%M:%SZ}"),
                ("fields", FIELDS),
                ("limit", str(ROWS_PER_PAGE)),
            ),
        )
        intake = Intake(reader)
        rows: list[Row] = []
        for page in walk(client, call, MetaCursorPages(), MetaPage, context):
            good = intake.read(page.data, context)
            calls = [(i, o) for i, o in good if o.type in (None, "GENERATION")]
            rows += intake.accept(calls, _row, window, meaning)
        records = table(OBSERVATIONS, rows)
        total = exact_sum(records.get_column("total_cost_usd"))
        yield window, Batch(records, intake.rejects, total, "USD", intake.pages)


def _row(o: Observation, window: Window, meaning: str) -> Row:
    started = instant(o.startTime, "startTime")
    if started is None or not window.start <= started < window.end:
        raise Refused("outside_window", "startTime")
    usage = {key: count for key, count in (o.usageDetails or {}).items() if count is not None}
    metadata = o.metadata if isinstance(o.metadata, dict) else {}
    cost = o.totalCost if o.totalCost is not None else (o.costDetails or {}).get("total")
    return (
        o.id,
        o.traceId,
        _response_id(metadata),
        o.providedModelName or o.model,
        o.level,
        o.environment,
        plain_name(o.userId),
        plain_name(o.sessionId),
        o.usagePricingTierName,
        started,
        instant(o.endTime, "endTime"),
        instant(o.completionStartTime, "completionStartTime"),
        instant(o.updatedAt, "updatedAt"),
        *_tokens(usage),
        msgspec.json.encode({k: usage[k] for k in sorted(usage) if plain_name(k)}).decode() if usage else None,
        meaning,
        amount(cost, "totalCost"),
        *kept(pairs(metadata, o.tags)),
    )


def _tokens(usage: Mapping[str, int]) -> tuple[int | None, ...]:
    """Usage by class in the order of the catalog; null where nothing was said about a class."""
    sums: dict[str, int] = {}
    for key, count in usage.items():
        kind = _kind(key)
        sums[kind] = sums.get(kind, 0) + count
    order = (
        "input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write", "other_input", "output", "reasoning",
        "other_output", "unknown", "total",
    )  # fmt: skip
    return tuple(sums.get(kind) for kind in order)


def _kind(key: str) -> str:
    """Class of a free-form usage key, by its words."""
    name = key.lower()
    if name in ("total", "total_tokens"):
        return "total"
    if "cache" in name:
        if any(word in name for word in ("creation", "write", "written")):
            return "cache_write_1h" if "1h" in name else "cache_write_5m" if "5m" in name else "cache_write"
        return "cache_read"
    if "reasoning" in name or "thinking" in name or "thoughts" in name:
        return "reasoning"
    if name in ("input", "input_tokens", "prompt_tokens"):
        return "input"
    if name in ("output", "output_tokens", "completion_tokens"):
        return "output"
    if name.startswith(("input", "prompt")):
        return "other_input"
    return "other_output" if name.startswith(("output", "completion")) else "unknown"


def _response_id(metadata: Mapping[str, Any]) -> str | None:
    attributes = metadata.get("attributes")
    for place in (metadata, attributes if isinstance(attributes, dict) else {}):
        for key in RESPONSE_ID_KEYS:
            if found := plain_name(place.get(key)):
                return found
    return None


def _auth(config: SourceConfig) -> tuple[str, str]:
    return config.secret("PUBLIC_KEY"), config.secret("SECRET_KEY")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call(PATH, (("fromStartTime", f"{yesterday:%Y-%m-%dT%H:%M:%SZ}"), ("fields", "core"), ("limit", "1")))


SYSTEM = System("langfuse", (Connector(OBSERVATIONS, fetch_observations),), Http(BASE_URL, _question, auth=_auth))
