"""OpenAI organization API: costs, all kinds of usage, projects, project keys, members.

Bounds are UTC midnights, because bucket edges follow the request and not the clock. Amounts are dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

import msgspec

from ingestion import buckets
from ingestion.catalog import BY_KEY, Dataset
from ingestion.catalog.openai import USAGE_KINDS
from ingestion.client import Call, Client
from ingestion.pages import CursorPages, ListPage, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, epoch, table, usd
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.openai.com/v1"
USAGE_BUCKETS_PER_PAGE = 31
COST_BUCKETS_PER_PAGE = 180
ROWS_PER_PAGE = 100


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of an organization admin key."""
    return {"Authorization": f"Bearer {config.secret('ADMIN_KEY')}"}


class Bucket(msgspec.Struct):
    """One UTC day, bounds in Unix seconds."""

    start_time: int
    end_time: int
    results: msgspec.Raw


class Amount(msgspec.Struct):
    """Dollars; the currency is spelled in lower case."""

    value: Decimal
    currency: Text


class CostResult(msgspec.Struct):
    """Billed dollars of one project, key and line item."""

    amount: Amount
    line_item: Text | None = None
    project_id: Text | None = None
    api_key_id: Text | None = None
    organization_id: Text | None = None
    quantity: Decimal | None = None
    quantity_unit: Text | None = None


class CompletionsResult(msgspec.Struct):
    """Tokens of one combination of dimensions; `input_tokens` includes cached and cache-written ones."""

    input_tokens: Count
    output_tokens: Count
    num_model_requests: Count
    input_cached_tokens: Count = 0
    input_cache_write_tokens: Count | None = None
    input_uncached_tokens: Count | None = None
    input_audio_tokens: Count = 0
    output_audio_tokens: Count = 0
    project_id: Text | None = None
    user_id: Text | None = None
    api_key_id: Text | None = None
    model: Text | None = None
    batch: bool | None = None
    service_tier: Text | None = None


class EmbeddingsResult(msgspec.Struct):
    """Embedded tokens of one combination of dimensions."""

    input_tokens: Count
    num_model_requests: Count
    project_id: Text | None = None
    user_id: Text | None = None
    api_key_id: Text | None = None
    model: Text | None = None


class OtherResult(msgspec.Struct):
    """Any further kind's result: of the measures those of its kind must be there."""

    project_id: Text | None = None
    user_id: Text | None = None
    api_key_id: Text | None = None
    model: Text | None = None
    size: Text | None = None
    source: Text | None = None
    vector_store_id: Text | None = None
    context_level: Text | None = None
    input_tokens: Count | None = None
    images: Count | None = None
    characters: Count | None = None
    seconds: Count | None = None
    usage_bytes: Count | None = None
    num_sessions: Count | None = None
    num_requests: Count | None = None
    num_model_requests: Count | None = None


class Project(msgspec.Struct):
    """A project."""

    id: Text
    name: Text | None = None
    status: Text | None = None
    created_at: int | None = None
    archived_at: int | None = None


class Owner(msgspec.Struct):
    """The user or service account behind a key."""

    id: Text | None = None
    email: Text | None = None


class KeyOwner(msgspec.Struct):
    """Who owns a key."""

    type: Text | None = None
    user: Owner | None = None
    service_account: Owner | None = None


class ProjectKey(msgspec.Struct):
    """A project API key without its redacted value."""

    id: Text
    name: Text | None = None
    created_at: int | None = None
    owner: KeyOwner | None = None


class User(msgspec.Struct):
    """A member of the organization."""

    id: Text
    email: Text | None = None
    name: Text | None = None
    role: Text | None = None
    added_at: int | None = None


T = TypeVar("T")

COSTS = BY_KEY["openai__costs"]
COMPLETIONS = BY_KEY["openai__usage_completions"]
EMBEDDINGS = BY_KEY["openai__usage_embeddings"]
PROJECTS = BY_KEY["openai__projects"]
PROJECT_API_KEYS = BY_KEY["openai__project_api_keys"]
USERS = BY_KEY["openai__users"]
_BUCKETS = msgspec.json.Decoder(list[Bucket])
_ALL_PROJECTS = Call("/organization/projects", (("include_archived", "true"), ("limit", str(ROWS_PER_PAGE))))
_BY_ID = CursorPages("after")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fetch_costs(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Billed dollars of consecutive days by project, key and line item. Control total in dollars."""
    groups = ("project_id", "api_key_id", "line_item")
    return _fetch_buckets(
        client, windows, COSTS, "/organization/costs", groups, COST_BUCKETS_PER_PAGE, CostResult, _cost_row
    )


def fetch_usage_completions(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Completion tokens and requests of consecutive days, by every dimension there is."""
    groups = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
    path = "/organization/usage/completions"
    return _fetch_buckets(
        client, windows, COMPLETIONS, path, groups, USAGE_BUCKETS_PER_PAGE, CompletionsResult, _completions_row
    )


def fetch_usage_embeddings(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Embedded tokens and requests of consecutive days, by every dimension there is."""
    groups = ("project_id", "user_id", "api_key_id", "model")
    path = "/organization/usage/embeddings"
    return _fetch_buckets(
        client, windows, EMBEDDINGS, path, groups, USAGE_BUCKETS_PER_PAGE, EmbeddingsResult, _embeddings_row
    )


def fetch_usage_kind(
    kind: str, client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Usage of one further kind on consecutive days, by every dimension the kind has."""
    dataset = USAGE_KINDS[kind]
    measures = [name for name, column in dataset.columns.items() if column == "int"]

    def row(r: OtherResult, start: datetime, end: datetime) -> Row:
        values = [getattr(r, name) for name in measures]
        if None in values:
            raise Refused("missing_field", measures[values.index(None)])
        return start, end, *(getattr(r, name) for name in dataset.identity), *values

    path = f"/organization/usage/{kind}"
    return _fetch_buckets(
        client, windows, dataset, path, dataset.identity, USAGE_BUCKETS_PER_PAGE, OtherResult, row
    )


def fetch_projects(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Projects as they are now, archived ones too."""
    return buckets.whole_list(client, windows, PROJECTS, _ALL_PROJECTS, _BY_ID, ListPage, Project, _project_row)


def fetch_project_api_keys(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Keys of every project, archived projects too; one call and more per project."""
    (window,) = windows
    context = f"{PROJECT_API_KEYS.key} {window.key}"
    projects, intake = Intake(Reader(Project)), Intake(Reader(ProjectKey))
    rows: list[Row] = []
    for listed in walk(client, _ALL_PROJECTS, _BY_ID, ListPage, context):
        for _, project in projects.read(listed.data, context):
            call = Call(f"/organization/projects/{project.id}/api_keys", (("limit", str(ROWS_PER_PAGE)),))
            for page in walk(client, call, _BY_ID, ListPage, context):
                rows += intake.accept(intake.read(page.data, context), _key_row, project.id)
    # The keys of a project that cannot be read are not asked for: its record says so among the rejects.
    yield window, Batch(table(PROJECT_API_KEYS, rows), [*projects.rejects, *intake.rejects], pages=intake.pages)


def fetch_users(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Members as they are now."""
    call = Call("/organization/users", (("limit", str(ROWS_PER_PAGE)),))
    return buckets.whole_list(client, windows, USERS, call, _BY_ID, ListPage, User, _user_row)


def _fetch_buckets(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    path: str,
    groups: tuple[str, ...],
    limit: int,
    result_type: type[T],
    row: Callable[[T, datetime, datetime], Row],
) -> Iterator[tuple[Window, Batch]]:
    call = Call(
        path,
        (
            ("start_time", str(int(windows[0].start.timestamp()))),
            ("end_time", str(int(windows[-1].end.timestamp()))),
            ("bucket_width", "1d"),
            ("limit", str(limit)),
            *(("group_by[]", name) for name in groups),
        ),
    )
    return buckets.by_day(client, windows, dataset, call, _buckets, result_type, row)


def _buckets(array: msgspec.Raw) -> list[buckets.Bucket]:
    return [(_moment(b.start_time), _moment(b.end_time), b.results) for b in _BUCKETS.decode(array)]


def _moment(seconds: int) -> datetime:
    """Unix seconds as UTC; a number that is no instant becomes the epoch, which is no day of any range."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return _EPOCH


def _cost_row(r: CostResult, start: datetime, end: datetime) -> Row:
    return (
        start, end, r.organization_id, r.project_id, r.api_key_id, r.line_item, amount(r.amount.value, "amount.value"),
        usd(r.amount.currency, "amount.currency"), amount(r.quantity, "quantity"), r.quantity_unit,
    )  # fmt: skip


def _completions_row(r: CompletionsResult, start: datetime, end: datetime) -> Row:
    return (
        start, end, r.project_id, r.user_id, r.api_key_id, r.model, r.batch, r.service_tier, r.input_tokens,
        r.input_cached_tokens, r.input_cache_write_tokens, r.input_uncached_tokens, r.output_tokens,
        r.input_audio_tokens, r.output_audio_tokens, r.num_model_requests,
    )  # fmt: skip


def _embeddings_row(r: EmbeddingsResult, start: datetime, end: datetime) -> Row:
    return start, end, r.project_id, r.user_id, r.api_key_id, r.model, r.input_tokens, r.num_model_requests


def _project_row(p: Project) -> Row:
    return p.id, p.name, p.status, epoch(p.created_at, "created_at"), epoch(p.archived_at, "archived_at")


def _key_row(k: ProjectKey, project_id: str) -> Row:
    owner = k.owner or KeyOwner()
    who = owner.user or owner.service_account or Owner()
    return k.id, project_id, k.name, owner.type, who.id, who.email, epoch(k.created_at, "created_at")


def _user_row(u: User) -> Row:
    return u.id, u.email, u.name, u.role, epoch(u.added_at, "added_at")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    start = str(int(yesterday.timestamp()))
    return Call("/organization/costs", (("start_time", start), ("bucket_width", "1d"), ("limit", "1")))


SYSTEM = System(
    "openai",
    (
        Connector(COSTS, fetch_costs),
        Connector(COMPLETIONS, fetch_usage_completions),
        Connector(EMBEDDINGS, fetch_usage_embeddings),
        *(Connector(dataset, partial(fetch_usage_kind, kind)) for kind, dataset in USAGE_KINDS.items()),
        Connector(PROJECTS, fetch_projects),
        Connector(PROJECT_API_KEYS, fetch_project_api_keys),
        Connector(USERS, fetch_users),
    ),
    Http(BASE_URL, _question, headers),
)
