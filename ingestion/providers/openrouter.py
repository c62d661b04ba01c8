"""OpenRouter: activity per complete UTC day, the same by API key, keys, lifetime credits.

Activity is asked a day at a time: the vendor refuses a day it has forgotten, while a longer answer would leave it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from ingestion import buckets
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.pages import DataPage, ObjectPage, OnePage, SkipPages, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://openrouter.ai/api/v1"


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of a management key; inference keys are refused."""
    return {"Authorization": f"Bearer {config.secret('MANAGEMENT_KEY')}"}


class Activity(msgspec.Struct):
    """Dollars, requests and tokens of one model at one endpoint on one day. `date` may carry a time of day."""

    date: Text
    model: Text
    usage: Decimal
    byok_usage_inference: Decimal = Decimal(0)
    requests: Count = 0
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    reasoning_tokens: Count = 0
    cached_tokens: Count | None = None
    model_permaslug: Text | None = None
    endpoint_id: Text | None = None
    provider_name: Text | None = None
    workspace_id: Text | None = None


class Key(msgspec.Struct):
    """An API key by its hash, without the part of it that the vendor shows."""

    hash: Text
    name: Text | None = None
    workspace_id: Text | None = None
    creator_user_id: Text | None = None
    disabled: bool | None = None
    created_at: Text | None = None
    updated_at: Text | None = None


class Credits(msgspec.Struct):
    """Lifetime dollars bought and used."""

    total_credits: Decimal
    total_usage: Decimal


ACTIVITY = BY_KEY["openrouter__activity"]
ACTIVITY_BY_KEY = BY_KEY["openrouter__activity_by_key"]
KEYS = BY_KEY["openrouter__keys"]
CREDITS = BY_KEY["openrouter__credits"]
_ALL_KEYS = Call("/keys", (("include_disabled", "true"),))


def fetch_activity(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Dollars and tokens of complete days. Control total in dollars."""
    for window in windows:
        context = f"{ACTIVITY.key} {window.key}"
        intake = Intake(Reader(Activity))
        rows = [(row[0], *row[2:]) for row in _day(client, window, intake, context)]
        yield window, _batch(ACTIVITY, window, rows, intake)


def fetch_activity_by_key(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """The same by API key: one call per day and listed key. Control total in dollars."""
    context = f"{ACTIVITY_BY_KEY.key} {windows[0].key}..{windows[-1].key}"
    reader, keys = Reader(Activity), Intake(Reader(Key))
    listed = [
        key.hash for page in walk(client, _ALL_KEYS, SkipPages(), DataPage, context) for _, key in keys.read(page.data, context)
    ]
    for window in windows:
        intake = Intake(reader)
        rows = [row for key in listed for row in _day(client, window, intake, context, key)]
        # A key that cannot be read is not asked for: its record says so among every day's rejects.
        intake.rejects += keys.rejects
        yield window, _batch(ACTIVITY_BY_KEY, window, rows, intake)


def fetch_keys(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Keys as they are now, disabled ones too."""
    return buckets.whole_list(client, windows, KEYS, _ALL_KEYS, SkipPages(), DataPage, Key, _key_row)


def fetch_credits(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Lifetime dollars bought and used, as they are now."""
    return buckets.whole_list(client, windows, CREDITS, Call("/credits"), OnePage(), ObjectPage, Credits, _credits_row)


def _day(client: Client, window: Window, intake: Intake[Activity], context: str, key: str | None = None) -> list[Row]:
    params = (("date", window.key), *((("api_key_hash", key),) if key else ()))
    rows: list[Row] = []
    for page in walk(client, Call("/activity", params), OnePage(), DataPage, context):
        rows += intake.accept(intake.read(page.data, context), _activity_row, window, key)
    return rows


def _batch(dataset: Dataset, window: Window, rows: Sequence[Row], intake: Intake[Activity]) -> Batch:
    records = table(dataset, rows)
    total = exact_sum(records.get_column("usage_usd"))
    return Batch(records, intake.rejects, total, dataset.money_unit, intake.pages)


def _activity_row(a: Activity, window: Window, key: str | None) -> Row:
    moment = instant(a.date, "date")
    if moment is None or moment.date() != window.day:
        raise Refused("outside_window", "date")
    return (
        moment.date(), key, a.model, a.model_permaslug, a.endpoint_id, a.provider_name, a.workspace_id,
        amount(a.usage, "usage"), amount(a.byok_usage_inference, "byok_usage_inference"), a.requests, a.prompt_tokens,
        a.completion_tokens, a.reasoning_tokens, a.cached_tokens,
    )  # fmt: skip


def _key_row(k: Key) -> Row:
    return (
        k.hash, k.name, k.workspace_id, k.creator_user_id, k.disabled, instant(k.created_at, "created_at"),
        instant(k.updated_at, "updated_at"),
    )  # fmt: skip


def _credits_row(c: Credits) -> Row:
    return amount(c.total_credits, "total_credits"), amount(c.total_usage, "total_usage")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call("/activity", (("date", f"{yesterday:%Y-%m-%d}"),))


SYSTEM = System(
    "openrouter",
    (
        Connector(ACTIVITY, fetch_activity),
        Connector(ACTIVITY_BY_KEY, fetch_activity_by_key),
        Connector(KEYS, fetch_keys),
        Connector(CREDITS, fetch_credits),
    ),
    Http(BASE_URL, _question, headers),
)
