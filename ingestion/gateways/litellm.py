"""LiteLLM proxy: the request log, one row per gateway request.

Prompt, response and request bodies are never decoded. Of tags and caller metadata only allow-listed keys are kept,
and only values that look like names, because callers can put anything there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.gateways.labels import plain_name
from ingestion.pages import NumberedPages, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, exact_sum, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

ROWS_PER_PAGE = 1000
TAG_KEYS = ("ticket", "workflow", "feature", "customer", "environment", "task_type")
_TAG_POSITION = {key: position for position, key in enumerate(TAG_KEYS)}


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of the proxy's master or admin key."""
    return {"Authorization": f"Bearer {config.secret('MASTER_KEY')}"}


class Page(msgspec.Struct):
    """A numbered page of the log."""

    data: msgspec.Raw
    page: Annotated[int, msgspec.Meta(ge=1)]
    total_pages: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]

    def records(self) -> msgspec.Raw:
        """The requests."""
        return self.data


class CacheCreation(msgspec.Struct):
    """Cache writes by time to live."""

    ephemeral_1h_input_tokens: Count | None = None


class PromptDetails(msgspec.Struct):
    """How the provider split the input."""

    cached_tokens: Count | None = None
    cache_creation_tokens: Count | None = None
    cache_creation_token_details: CacheCreation | None = None


class CompletionDetails(msgspec.Struct):
    """How the provider split the output."""

    reasoning_tokens: Count | None = None


class UsageObject(msgspec.Struct):
    """The provider's own usage, as far as it splits tokens."""

    id: Text | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class AdditionalUsage(msgspec.Struct):
    """Cache tokens as the gateway recorded them."""

    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None


class CallerMetadata(msgspec.Struct):
    """The caller's own keys that are kept. Any type may arrive; what does not fit is null, never a reject."""

    user_action_id: Any = None
    repo: Any = None
    branch: Any = None
    attempt: Any = None
    agent_step: Any = None
    system_prompt_tokens: Any = None
    retrieval_tokens: Any = None
    history_tokens: Any = None
    tool_schema_tokens: Any = None


class Metadata(msgspec.Struct):
    """The parts of a request's metadata that are read."""

    provider_response_id: Text | None = None
    usage_object: UsageObject | None = None
    additional_usage_values: AdditionalUsage | None = None
    user_api_key_alias: Text | None = None
    user_api_key_team_alias: Text | None = None
    spend_logs_metadata: CallerMetadata | None = None


class SpendLog(msgspec.Struct):
    """One request through the gateway."""

    request_id: Text
    startTime: datetime
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    provider_response_id: Text | None = None
    call_type: Text | None = None
    api_key: Text | None = None
    spend: Decimal | None = None
    endTime: datetime | None = None
    completionStartTime: datetime | None = None
    model: Text | None = None
    model_id: Text | None = None
    model_group: Text | None = None
    custom_llm_provider: Text | None = None
    user: Text | None = None
    team_id: Text | None = None
    organization_id: Text | None = None
    end_user: Text | None = None
    session_id: Text | None = None
    status: Text | None = None
    cache_hit: bool | str | None = None
    metadata: Metadata | str | None = None
    request_tags: list[str] | str | None = None


T = TypeVar("T")

SPEND_LOGS = BY_KEY["litellm__spend_logs"]
_METADATA = msgspec.json.Decoder(Metadata)
_TAGS = msgspec.json.Decoder(list[str])
_NO_METADATA, _NO_USAGE, _NO_CALLER = Metadata(), UsageObject(), CallerMetadata()
_NO_ADDITIONAL, _NO_PROMPT, _NO_COMPLETION = AdditionalUsage(), PromptDetails(), CompletionDetails()


def fetch_spend_logs(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Requests by the UTC day they started on. Control total in dollars as the gateway calculated them."""
    reader = Reader(SpendLog)
    for window in windows:
        context = f"{SPEND_LOGS.key} {window.key}"
        call = Call(
            "/spend/logs/v2",
            (
                ("start_date", f"{window.start:%Y-%m-%d %H:%M:%S}"),
                ("end_date", f"{window.end:%Y-%m-%d %H:%M:%S}"),
                ("page", "1"),
                ("page_size", str(ROWS_PER_PAGE)),
            ),
        )
        intake = Intake(reader)
        rows: list[Row] = []
        for page in walk(client, call, NumberedPages(), Page, context):
            # the proxy's end bound is inclusive: a request at the next midnight belongs to the next window
            good = intake.read(page.data, context)
            inside = [(i, log) for i, log in good if _utc(log.startTime) != window.end]
            rows += intake.accept(inside, _row, window)
        records = table(SPEND_LOGS, rows)
        total = exact_sum(records.get_column("spend_usd"))
        yield window, Batch(records, intake.rejects, total, "USD", intake.pages)


def _row(r: SpendLog, window: Window) -> Row:
    started = _utc(r.startTime)
    if not window.start <= started < window.end:
        raise Refused("outside_window", "startTime")
    meta = r.metadata or _NO_METADATA
    if isinstance(meta, str):
        meta = _nested(_METADATA, meta, "metadata")
    usage = meta.usage_object or _NO_USAGE
    extra = meta.additional_usage_values or _NO_ADDITIONAL
    prompt = usage.prompt_tokens_details or _NO_PROMPT
    caller = meta.spend_logs_metadata or _NO_CALLER
    tags, dropped = _tags(r.request_tags)
    written = usage.cache_creation or prompt.cache_creation_token_details
    hit = r.cache_hit
    return (
        r.request_id,
        r.provider_response_id or meta.provider_response_id or usage.id,
        r.call_type or None,
        r.api_key or None,
        r.model or None,
        r.model_id or None,
        r.model_group or None,
        r.custom_llm_provider or None,
        r.user or None,
        r.team_id or None,
        r.organization_id or None,
        r.end_user or None,
        r.session_id or None,
        r.status or None,
        started,
        _utc(r.endTime) if r.endTime else None,
        _utc(r.completionStartTime) if r.completionStartTime else None,
        hit.lower() == "true" if isinstance(hit, str) else hit,
        r.prompt_tokens,
        r.completion_tokens,
        r.total_tokens,
        _first(extra.cache_read_input_tokens, usage.cache_read_input_tokens, prompt.cached_tokens),
        _first(extra.cache_creation_input_tokens, usage.cache_creation_input_tokens, prompt.cache_creation_tokens),
        written.ephemeral_1h_input_tokens if written else None,
        (usage.completion_tokens_details or _NO_COMPLETION).reasoning_tokens,
        amount(r.spend, "spend"),
        meta.user_api_key_alias,
        meta.user_api_key_team_alias,
        *tags,
        plain_name(caller.user_action_id),
        plain_name(caller.repo),
        plain_name(caller.branch),
        _whole(caller.attempt),
        _whole(caller.agent_step),
        _whole(caller.system_prompt_tokens),
        _whole(caller.retrieval_tokens),
        _whole(caller.history_tokens),
        _whole(caller.tool_schema_tokens),
        dropped,
    )


def _tags(tags: list[str] | str | None) -> tuple[list[str | None], int]:
    """Values of the allow-listed keys in the order of TAG_KEYS, first value wins; and how many tags were not kept."""
    values: list[str | None] = [None] * len(TAG_KEYS)
    if not tags:
        return values, 0
    if isinstance(tags, str):
        tags = _nested(_TAGS, tags, "request_tags")
    dropped = 0
    for tag in tags:
        key, _, value = tag.partition(":")
        position = _TAG_POSITION.get(key)
        if position is None or values[position] is not None or (kept := plain_name(value)) is None:
            dropped += 1
        else:
            values[position] = kept
    return values, dropped


def _whole(value: Any) -> int | None:
    """A caller's count, also when written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    return value if type(value) is int and 0 <= value < 10**15 else None


def _first(*values: int | None) -> int | None:
    """The first that is known. Zero beside a known number of another field is a gap of the gateway, not a fact."""
    known = [v for v in values if v is not None]
    return next((v for v in known if v), known[0] if known else None)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _nested(decoder: msgspec.json.Decoder[T], text: str, field: str) -> T:
    """A document that the proxy hands over as text."""
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise Refused("wrong_type", field) from None


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    bounds = (("start_date", f"{yesterday:%Y-%m-%d %H:%M:%S}"), ("end_date", f"{yesterday:%Y-%m-%d} 23:59:59"))
    return Call("/spend/logs/v2", (*bounds, ("page", "1"), ("page_size", "1")))


SYSTEM = System("litellm", (Connector(SPEND_LOGS, fetch_spend_logs),), Http(None, _question, headers))
