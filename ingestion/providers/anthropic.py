"""Anthropic Admin API: messages usage, cost report, Claude Code report, keys, workspaces, members.

Bounds are UTC midnights. Every dimension of a dataset's identity is asked for, because a dimension that is not asked
for is null and cannot be told from one that does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from ingestion import buckets
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.pages import CursorPages, ListPage, Page, TokenPages, walk
from ingestion.records import (
    Batch,
    Count,
    Intake,
    Reader,
    Refused,
    Row,
    Text,
    amount,
    exact_sum,
    instant,
    table,
    usd,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"
BUCKETS_PER_PAGE = 31
ROWS_PER_PAGE = 1000


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication headers of the Admin API."""
    return {"x-api-key": config.secret("ADMIN_KEY"), "anthropic-version": VERSION}


class Bucket(msgspec.Struct):
    """One UTC day."""

    starting_at: datetime
    ending_at: datetime
    results: msgspec.Raw


class CacheCreation(msgspec.Struct):
    """Cache writes by time to live."""

    ephemeral_5m_input_tokens: Count = 0
    ephemeral_1h_input_tokens: Count = 0


class ServerToolUse(msgspec.Struct):
    """Counts of server-side tools."""

    web_search_requests: Count = 0


class UsageResult(msgspec.Struct):
    """Tokens of one combination of dimensions. The classes are disjoint."""

    uncached_input_tokens: Count
    cache_read_input_tokens: Count
    output_tokens: Count
    cache_creation: CacheCreation
    server_tool_use: ServerToolUse | None = None
    api_key_id: Text | None = None
    workspace_id: Text | None = None
    account_id: Text | None = None
    service_account_id: Text | None = None
    model: Text | None = None
    service_tier: Text | None = None
    context_window: Text | None = None
    inference_geo: Text | None = None


class CostResult(msgspec.Struct):
    """Billed amount of one workspace and description, in cents."""

    amount: Decimal
    currency: Text
    workspace_id: Text | None = None
    description: Text | None = None
    cost_type: Text | None = None
    token_type: Text | None = None
    model: Text | None = None
    service_tier: Text | None = None
    context_window: Text | None = None
    inference_geo: Text | None = None


class Actor(msgspec.Struct):
    """Who used Claude Code: a person, or an API key."""

    type: Text
    email_address: Text | None = None
    api_key_name: Text | None = None


class Lines(msgspec.Struct):
    """Lines of code."""

    added: Count = 0
    removed: Count = 0


class CoreMetrics(msgspec.Struct):
    """Activity of the actor that day."""

    num_sessions: Count = 0
    lines_of_code: Lines = msgspec.field(default_factory=Lines)
    commits_by_claude_code: Count = 0
    pull_requests_by_claude_code: Count = 0


class ToolAction(msgspec.Struct):
    """Proposals of one tool."""

    accepted: Count = 0
    rejected: Count = 0


class ModelTokens(msgspec.Struct):
    """Disjoint token classes."""

    input: Count = 0
    output: Count = 0
    cache_read: Count = 0
    cache_creation: Count = 0


class EstimatedCost(msgspec.Struct):
    """An estimate in cents."""

    amount: Decimal
    currency: Text


class ModelUse(msgspec.Struct):
    """What one model did for the actor."""

    model: Text
    tokens: ModelTokens
    estimated_cost: EstimatedCost | None = None


class ClaudeCodeRow(msgspec.Struct):
    """One actor, terminal and customer type on one day."""

    date: Text
    actor: Actor
    customer_type: Text | None = None
    subscription_type: Text | None = None
    terminal_type: Text | None = None
    organization_id: Text | None = None
    core_metrics: CoreMetrics = msgspec.field(default_factory=CoreMetrics)
    tool_actions: dict[str, ToolAction] = msgspec.field(default_factory=dict)
    model_breakdown: list[ModelUse] = msgspec.field(default_factory=list)


class Scope(msgspec.Struct):
    """Where an API key works."""

    workspace_id: Text | None = None


class Person(msgspec.Struct):
    """A reference to a member."""

    id: Text


class ApiKey(msgspec.Struct):
    """An API key without its secret and without the hint to it."""

    id: Text
    name: Text | None = None
    status: Text | None = None
    created_at: Text | None = None
    created_by: Person | None = None
    scope: Scope | None = None
    workspace_id: Text | None = None


class Workspace(msgspec.Struct):
    """A workspace, with its tags for cost allocation."""

    id: Text
    name: Text | None = None
    is_default: bool | None = None
    created_at: Text | None = None
    archived_at: Text | None = None
    tags: dict[str, Text] | None = None


class User(msgspec.Struct):
    """A member of the organization."""

    id: Text
    email: Text | None = None
    name: Text | None = None
    role: Text | None = None
    added_at: Text | None = None


T = TypeVar("T")

USAGE = BY_KEY["anthropic__usage_messages"]
COST = BY_KEY["anthropic__cost_report"]
CLAUDE_CODE = BY_KEY["anthropic__claude_code"]
API_KEYS = BY_KEY["anthropic__api_keys"]
WORKSPACES = BY_KEY["anthropic__workspaces"]
USERS = BY_KEY["anthropic__users"]


def fetch_usage_messages(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Token counts of consecutive days, by every priced dimension."""
    return _fetch_buckets(client, windows, USAGE, "messages", UsageResult, _usage_row, "/usage_report/messages")


def fetch_cost_report(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Billed cents of consecutive days, by workspace and description. Control total in cents."""
    return _fetch_buckets(client, windows, COST, "cost", CostResult, _cost_row, "/cost_report")


def fetch_claude_code(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Claude Code activity and estimated cents; the endpoint answers one day a call."""
    reader = Reader(ClaudeCodeRow)
    for window in windows:
        context = f"{CLAUDE_CODE.key} {window.key}"
        call = Call(
            "/v1/organizations/usage_report/claude_code",
            (("starting_at", window.day.isoformat()), ("limit", str(ROWS_PER_PAGE))),
        )
        intake = Intake(reader)
        rows: list[Row] = []
        for page in walk(client, call, TokenPages(), Page, context):
            for per_actor in intake.accept(intake.read(page.data, context), _claude_code_rows, window):
                rows += per_actor
        records = table(CLAUDE_CODE, rows)
        total = exact_sum(records.get_column("estimated_cost_cents"))
        yield window, Batch(records, intake.rejects, total, "USD cents, estimated", intake.pages)


def fetch_api_keys(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """API keys as they are now, archived and expired ones too."""
    return _fetch_list(client, windows, API_KEYS, "/v1/organizations/api_keys", (), ApiKey, _api_key_row)


def fetch_workspaces(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Workspaces as they are now, the archived and the default one too."""
    asked = (("include_archived", "true"), ("include_default", "true"))
    return _fetch_list(client, windows, WORKSPACES, "/v1/organizations/workspaces", asked, Workspace, _workspace_row)


def fetch_users(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Members as they are now."""
    return _fetch_list(client, windows, USERS, "/v1/organizations/users", (), User, _user_row)


_GROUPS = {
    "messages": (
        "api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier", "context_window",
        "inference_geo",
    ),
    "cost": ("workspace_id", "description"),
}  # fmt: skip
_BUCKETS = msgspec.json.Decoder(list[Bucket])


def _fetch_buckets(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    kind: str,
    result_type: type[T],
    row: Callable[[T, datetime, datetime], Row],
    path: str,
) -> Iterator[tuple[Window, Batch]]:
    call = Call(
        "/v1/organizations" + path,
        (
            ("starting_at", f"{windows[0].start:%Y-%m-%dT%H:%M:%SZ}"),
            ("ending_at", f"{windows[-1].end:%Y-%m-%dT%H:%M:%SZ}"),
            ("bucket_width", "1d"),
            ("limit", str(BUCKETS_PER_PAGE)),
            *(("group_by[]", name) for name in _GROUPS[kind]),
        ),
    )
    return buckets.by_day(client, windows, dataset, call, _buckets, result_type, row)


def _buckets(array: msgspec.Raw) -> list[buckets.Bucket]:
    return [(b.starting_at, b.ending_at, b.results) for b in _BUCKETS.decode(array)]


def _fetch_list(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    path: str,
    params: tuple[tuple[str, str], ...],
    record_type: type[T],
    row: Callable[[T], Row],
) -> Iterator[tuple[Window, Batch]]:
    call = Call(path, (*params, ("limit", str(ROWS_PER_PAGE))))
    return buckets.whole_list(client, windows, dataset, call, CursorPages("after_id"), ListPage, record_type, row)


def _usage_row(r: UsageResult, start: datetime, end: datetime) -> Row:
    searches = r.server_tool_use.web_search_requests if r.server_tool_use else 0
    return (
        start, end, r.api_key_id, r.workspace_id, r.account_id, r.service_account_id, r.model, r.service_tier,
        r.context_window, r.inference_geo, r.uncached_input_tokens, r.cache_read_input_tokens,
        r.cache_creation.ephemeral_5m_input_tokens, r.cache_creation.ephemeral_1h_input_tokens, r.output_tokens,
        searches,
    )  # fmt: skip


def _cost_row(r: CostResult, start: datetime, end: datetime) -> Row:
    return (
        start, end, r.workspace_id, r.description, r.cost_type, r.token_type, r.model, r.service_tier,
        r.context_window, r.inference_geo, usd(r.currency), amount(r.amount, "amount"),
    )  # fmt: skip


def _claude_code_rows(r: ClaudeCodeRow, window: Window) -> list[Row]:
    """One row per model; activity counts stand on the first, so that they add up. An actor without a model has one."""
    day = instant(r.date, "date")
    if day is None or day.date() != window.day:
        raise Refused("outside_window", "date")
    who = r.actor.email_address if r.actor.type == "user_actor" else r.actor.api_key_name
    if who is None:
        raise Refused("missing_field", "actor")
    m, tools = r.core_metrics, r.tool_actions.values()
    head = (day.date(), r.organization_id, r.actor.type, who, r.customer_type, r.subscription_type, r.terminal_type)
    activity = (
        m.num_sessions, m.lines_of_code.added, m.lines_of_code.removed, m.commits_by_claude_code,
        m.pull_requests_by_claude_code, sum(t.accepted for t in tools), sum(t.rejected for t in tools),
    )  # fmt: skip
    if not r.model_breakdown:
        return [(*head, *activity, 0, None, 0, 0, 0, 0, None, None)]
    rows = []
    for ordinal, use in enumerate(sorted(r.model_breakdown, key=lambda use: use.model)):
        cost = use.estimated_cost
        rows.append(
            (
                *head, *(activity if ordinal == 0 else (0,) * len(activity)), ordinal, use.model, use.tokens.input,
                use.tokens.output, use.tokens.cache_read, use.tokens.cache_creation,
                amount(cost.amount, "estimated_cost.amount") if cost else None,
                usd(cost.currency, "estimated_cost.currency") if cost else None,
            )
        )  # fmt: skip
    return rows


def _api_key_row(k: ApiKey) -> Row:
    workspace = k.scope.workspace_id if k.scope else k.workspace_id
    creator = k.created_by.id if k.created_by else None
    return k.id, k.name, k.status, workspace, creator, instant(k.created_at, "created_at")


def _workspace_row(w: Workspace) -> Row:
    tags = None if w.tags is None else msgspec.json.encode(w.tags, order="sorted").decode()
    created, archived = instant(w.created_at, "created_at"), instant(w.archived_at, "archived_at")
    return w.id, w.name, w.is_default, created, archived, tags


def _user_row(u: User) -> Row:
    return u.id, u.email, u.name, u.role, instant(u.added_at, "added_at")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    bounds = (
        ("starting_at", f"{yesterday:%Y-%m-%dT%H:%M:%SZ}"),
        ("ending_at", f"{yesterday + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"),
    )
    return Call("/v1/organizations/usage_report/messages", (*bounds, ("bucket_width", "1d"), ("limit", "1")))


SYSTEM = System(
    "anthropic",
    (
        Connector(USAGE, fetch_usage_messages),
        Connector(COST, fetch_cost_report),
        Connector(CLAUDE_CODE, fetch_claude_code),
        Connector(API_KEYS, fetch_api_keys),
        Connector(WORKSPACES, fetch_workspaces),
        Connector(USERS, fetch_users),
    ),
    Http(BASE_URL, _question, headers),
)
