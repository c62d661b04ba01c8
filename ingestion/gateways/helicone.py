"""Helicone: the request log, asked by time range.

A full answer may have been cut, so its range is halved and asked again: nothing depends on the vendor's order, and no
offset grows deep. Bodies are not decoded; of properties only allow-listed keys are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.gateways.labels import kept, pairs, plain_name
from ingestion.pages import DataPage, OnePage, walk
from ingestion.records import (
    Batch,
    Count,
    Intake,
    Integer,
    Reader,
    Refused,
    Row,
    Text,
    amount,
    exact_sum,
    instant,
    table,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.helicone.ai"
PATH = "/v1/request/query-clickhouse"
ROWS_PER_ANSWER = 1000
UNITS = ("usd", "nano_usd")
# A duration, at most a week: a longer one is in another unit.
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=7 * 86_400_000)]
_SHORTEST = timedelta(milliseconds=1)
# Properties under which callers or integrations name the id of the provider's answer.
_RESPONSE_ID_KEYS = ("response_id", "provider_response_id")


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of an API key."""
    return {"Authorization": f"Bearer {config.secret('API_KEY')}"}


class Request(msgspec.Struct):
    """One request. Cached tokens are beside prompt tokens."""

    request_id: Text
    request_created_at: Text
    response_status: Integer | None = None
    provider: Text | None = None
    model: Text | None = None
    request_model: Text | None = None
    response_model: Text | None = None
    request_user_id: Text | None = None
    request_properties: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    prompt_cache_read_tokens: Count | None = None
    prompt_cache_write_tokens: Count | None = None
    prompt_audio_tokens: Count | None = None
    completion_audio_tokens: Count | None = None
    total_tokens: Count | None = None
    cost: Decimal | None = None
    costUSD: Decimal | None = None
    cache_reference_id: Text | None = None
    is_passthrough_billing: bool | None = None
    delay_ms: Milliseconds | None = None
    time_to_first_token: Milliseconds | None = None


REQUESTS = BY_KEY["helicone__requests"]


@dataclass(frozen=True)
class _Range:
    """Half-open span of creation times."""

    start: datetime
    end: datetime

    def call(self, limit: int = ROWS_PER_ANSWER) -> Call:
        left = {"request_response_rmt": {"request_created_at": {"gte": _text(self.start)}}}
        right = {"request_response_rmt": {"request_created_at": {"lt": _text(self.end)}}}
        body = {
            "filter": {"left": left, "operator": "and", "right": right},
            "offset": 0,
            "limit": limit,
            "sort": {"created_at": "asc"},
        }
        return Call(PATH, body=body, method="POST")

    def halves(self) -> tuple[_Range, _Range]:
        middle = self.start + (self.end - self.start) / 2
        middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
        return _Range(self.start, middle), _Range(middle, self.end)


def fetch_requests(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Requests by the UTC day they came in. Control total in the unit of the setting COST_UNIT."""
    unit = config.option("cost_unit", "usd").lower()
    if unit not in UNITS:
        raise RequestRejected(
            tried=f"{REQUESTS.key}: read the settings",
            found="AISL_HELICONE_COST_UNIT is no unit that is known",
            to_do="set it to " + " or ".join(UNITS),
        )
    reader = Reader(Request)
    for window in windows:
        context = f"{REQUESTS.key} {window.key}"
        intake = Intake(reader)
        rows: list[Row] = []
        waiting = [_Range(window.start, window.end)]
        while waiting:
            span = waiting.pop()
            (page,) = walk(client, span.call(), OnePage(), DataPage, context)
            if _is_full(page.data):
                if span.end - span.start <= _SHORTEST:
                    raise ContractBroken(
                        tried=f"{context}: ask for the requests of {_text(span.start)}",
                        found=f"{ROWS_PER_ANSWER} of them in one millisecond, or an answer that ignores the range",
                        to_do="compare the filter with the vendor's documentation; the connector may need an update",
                    )
                waiting += reversed(span.halves())
                continue
            rows += intake.accept(intake.read(page.data, context), _row, window, unit)
        records = table(REQUESTS, rows)
        total = exact_sum(records.get_column("cost"))
        yield window, Batch(records, intake.rejects, total, unit, intake.pages)


def _row(r: Request, window: Window, unit: str) -> Row:
    created = instant(r.request_created_at, "request_created_at")
    if created is None or not window.start <= created < window.end:
        raise Refused("outside_window", "request_created_at")
    labels = r.request_properties or r.properties or {}
    cost = r.cost if r.cost is not None else r.costUSD
    return (
        r.request_id,
        next((name for key in _RESPONSE_ID_KEYS if (name := plain_name(labels.get(key)))), None),
        r.provider,
        r.response_model or r.model or r.request_model,
        r.request_model,
        plain_name(r.request_user_id),
        created,
        _later(created, r.delay_ms),
        _later(created, r.time_to_first_token),
        r.response_status,
        r.prompt_tokens,
        r.completion_tokens,
        r.reasoning_tokens,
        r.prompt_cache_read_tokens,
        r.prompt_cache_write_tokens,
        r.prompt_audio_tokens,
        r.completion_audio_tokens,
        r.total_tokens,
        _is_cached(r.cache_reference_id),
        r.is_passthrough_billing,
        amount(cost, "cost"),
        unit,
        *kept(pairs(labels)),
    )


def _is_full(array: msgspec.Raw) -> bool:
    """Whether an answer holds as many records as it may. What is no array is left to the reader to refuse."""
    try:
        return len(msgspec.json.decode(array, type=list[msgspec.Raw])) >= ROWS_PER_ANSWER
    except msgspec.MsgspecError:
        return False


def _later(moment: datetime, milliseconds: float | None) -> datetime | None:
    return None if milliseconds is None else moment + timedelta(milliseconds=milliseconds)


def _is_cached(reference: str | None) -> bool:
    """Whether the answer came from the vendor's own cache: it refers to an earlier request."""
    return bool((reference or "").replace("0", "").replace("-", ""))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return _Range(yesterday, yesterday + timedelta(days=1)).call(1)


SYSTEM = System("helicone", (Connector(REQUESTS, fetch_requests),), Http(BASE_URL, _question, headers))
