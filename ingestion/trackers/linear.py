"""Linear GraphQL: issues, their history, links to pull requests, cycles, teams, workflow states, people.

Every query gives its connection the alias `page`. Inner connections are kept short, because they multiply a query's
complexity; a longer history is read on its own. Descriptions, comments and names are never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from ingestion.buckets import by_update_day, whole_list
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import RequestRejected
from ingestion.pages import Connection, GraphPage, GraphPages, PageInfo, walk
from ingestion.records import Batch, Intake, Reader, Row, Text, amount
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.linear.app"
NODES_PER_PAGE = 50
HISTORY_PER_ISSUE = 10
ISSUES_WITH_HISTORY_PER_PAGE = 25
_TEAM_KEY = re.compile(r"[A-Z][A-Z0-9]{0,9}")
_REQUEST_URL = re.compile(r"https?://[^/\s]+/[^?#\s]+?(?:/pull/|/-/merge_requests/)[0-9]+")

T = TypeVar("T")


def headers(config: SourceConfig) -> dict[str, str]:
    """A personal key stands alone; any other token is a bearer token."""
    key = config.secret("API_KEY")
    return {"Authorization": key if key.startswith("lin_api_") else f"Bearer {key}"}


class Named(msgspec.Struct):
    """Anything with an id and, where asked for, a name."""

    id: Text
    name: Text | None = None


class State(msgspec.Struct):
    """A workflow state; its type is triage, backlog, unstarted, started, completed, canceled or a newer word."""

    id: Text
    name: Text | None = None
    type: Text | None = None


class Team(msgspec.Struct):
    """A team by its key, the prefix of its issues."""

    key: Text


class Parent(msgspec.Struct):
    """The issue above a sub-issue."""

    id: Text
    identifier: Text | None = None


class Issue(msgspec.Struct, rename="camel"):
    """An issue."""

    id: Text
    identifier: Text
    created_at: datetime
    updated_at: datetime
    team: Team
    title: Text | None = None
    branch_name: Text | None = None
    state: State | None = None
    estimate: Decimal | None = None
    priority_label: Text | None = None
    assignee: Named | None = None
    delegate: Named | None = None
    cycle: Named | None = None
    project: Named | None = None
    parent: Parent | None = None
    label_ids: list[str] = []
    previous_identifiers: list[str] = []
    trashed: bool | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    archived_at: datetime | None = None


class Entry(msgspec.Struct, rename="camel"):
    """One history entry; it may hold several changes made close together. GraphQL answers every field that was asked for, so a
    side that is missing, unlike one that is null, is a fault."""

    id: Text
    created_at: datetime
    actor_id: Text | None
    from_state_id: Text | None
    to_state_id: Text | None
    from_assignee_id: Text | None
    to_assignee_id: Text | None
    from_cycle_id: Text | None
    to_cycle_id: Text | None
    from_team_id: Text | None
    to_team_id: Text | None
    from_estimate: Decimal | None
    to_estimate: Decimal | None


class History(msgspec.Struct):
    """The first entries of an issue's history."""

    nodes: list[Entry]
    pageInfo: PageInfo


class IssueHistory(msgspec.Struct, rename="camel"):
    """An issue with the first entries of its history."""

    id: Text
    updated_at: datetime
    history: History


class IssueConnection(msgspec.Struct):
    """One issue's history by the alias `page`."""

    page: Connection


class OneIssue(msgspec.Struct):
    """The data of a query for one issue."""

    issue: IssueConnection


class HistoryPage(msgspec.Struct):
    """A page of one issue's history."""

    data: OneIssue
    errors: None = None

    def records(self) -> msgspec.Raw:
        """The entries."""
        return self.data.issue.page.nodes

    def page_info(self) -> PageInfo:
        """Where it goes on."""
        return self.data.issue.page.pageInfo


class Attachment(msgspec.Struct, rename="camel"):
    """A link of an issue to something elsewhere."""

    id: Text
    created_at: datetime
    updated_at: datetime
    issue: Parent
    url: Text
    source_type: Text | None = None


class Cycle(msgspec.Struct, rename="camel"):
    """A cycle of a team; its number is a float in the schema."""

    id: Text
    team: Team
    number: Decimal | None = None
    name: Text | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    completed_at: datetime | None = None


class TeamRecord(msgspec.Struct):
    """A team."""

    id: Text
    key: Text
    name: Text | None = None


class StateRecord(msgspec.Struct):
    """A workflow state of a team."""

    id: Text
    name: Text
    type: Text
    team: Team | None = None


class User(msgspec.Struct, rename={"github_user_id": "gitHubUserId"}):
    """A member; apps are members too."""

    id: Text
    email: Text | None = None
    active: bool | None = None
    app: bool | None = None
    guest: bool | None = None
    github_user_id: str | int | None = None


ISSUES = BY_KEY["linear__issues"]
ISSUE_HISTORY = BY_KEY["linear__issue_history"]
ATTACHMENTS = BY_KEY["linear__attachments"]
CYCLES = BY_KEY["linear__cycles"]
TEAMS = BY_KEY["linear__teams"]
WORKFLOW_STATES = BY_KEY["linear__workflow_states"]
USERS = BY_KEY["linear__users"]

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_ISSUE_FIELDS = (
    "id identifier previousIdentifiers title branchName estimate priorityLabel labelIds trashed createdAt updatedAt "
    "startedAt completedAt canceledAt archivedAt team { key } state { id name type } assignee { id } delegate { id } "
    "cycle { id } project { id name } parent { id identifier }"
)
_ENTRY_FIELDS = (
    "id createdAt actorId fromStateId toStateId fromAssigneeId toAssigneeId fromCycleId toCycleId fromTeamId toTeamId "
    "fromEstimate toEstimate"
)
_CHANGES = ("state", "assignee", "cycle", "team")


def fetch_issues(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Issues by the day of their last update, archived ones included."""
    intake = Intake(Reader(Issue))
    newest: dict[str, tuple[datetime, Row]] = {}
    for good in _updated(client, windows, ISSUES, "issues", _ISSUE_FIELDS, _issue_filter(config, windows), intake):
        for issue_id, moment, row in intake.accept(good, _issue_version):
            if issue_id not in newest or newest[issue_id][0] < moment:
                newest[issue_id] = moment, row
    yield from by_update_day(ISSUES, windows, list(newest.values()), intake.rejects, intake.pages)


def fetch_issue_history(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Changes of the issues updated in the windows; a history longer than the first entries is read to its end."""
    issues, entries = Intake(Reader(IssueHistory)), Intake(Reader(Entry))
    fields = f"id updatedAt history(first: {HISTORY_PER_ISSUE}) {{ nodes {{ {_ENTRY_FIELDS} }} {_PAGE_INFO} }}"
    changes: dict[str, tuple[datetime, list[Row]]] = {}
    condition, size = _issue_filter(config, windows), ISSUES_WITH_HISTORY_PER_PAGE
    for good in _updated(client, windows, ISSUE_HISTORY, "issues", fields, condition, issues, size):
        for issue, known in issues.accept(good, _known_history):
            if issue.id in changes and changes[issue.id][0] >= issue.updated_at:
                continue
            if issue.history.pageInfo.hasNextPage:
                known = list(_whole_history(client, issue.id, entries))
            changes[issue.id] = issue.updated_at, known
    dated = [(moment, row) for moment, rows in changes.values() for row in rows]
    rejects, pages = [*issues.rejects, *entries.rejects], issues.pages + entries.pages
    yield from by_update_day(ISSUE_HISTORY, windows, dated, rejects, pages)


def _known_history(issue: IssueHistory) -> tuple[IssueHistory, list[Row]]:
    return issue, [row for entry in issue.history.nodes for row in history_rows(entry, issue.id)]


def _whole_history(client: Client, issue_id: str, entries: Intake[Entry]) -> Iterator[Row]:
    query = (
        "query($id: String!, $first: Int!, $after: String) { issue(id: $id) "
        f"{{ page: history(first: $first, after: $after) {{ nodes {{ {_ENTRY_FIELDS} }} {_PAGE_INFO} }} }} }}"
    )
    context = f"{ISSUE_HISTORY.key} of issue {issue_id}"
    call = _call(query, {"id": issue_id, "first": NODES_PER_PAGE})
    for page in walk(client, call, GraphPages(), HistoryPage, context):
        for rows in entries.accept(entries.read(page.records(), context), history_rows, issue_id):
            yield from rows


def fetch_attachments(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Links to pull and merge requests by the day of their last update."""
    intake = Intake(Reader(Attachment))
    fields = "id url sourceType createdAt updatedAt issue { id identifier }"
    newest: dict[str, tuple[datetime, Row]] = {}
    for good in _updated(client, windows, ATTACHMENTS, "attachments", fields, _between(windows), intake):
        for _, link in good:
            if _REQUEST_URL.fullmatch(link.url) and (link.id not in newest or newest[link.id][0] < link.updated_at):
                newest[link.id] = link.updated_at, (
                    link.id, link.issue.id, link.issue.identifier, link.source_type, link.url, link.created_at, link.updated_at,
                )  # fmt: skip
    yield from by_update_day(ATTACHMENTS, windows, list(newest.values()), intake.rejects, intake.pages)


def fetch_cycles(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Cycles as they are now."""
    fields = "id number name startsAt endsAt completedAt team { key }"
    return _snapshot(client, windows, CYCLES, "cycles", fields, Cycle, _cycle_row)


def fetch_teams(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Teams as they are now: their keys are the known ticket prefixes."""
    return _snapshot(client, windows, TEAMS, "teams", "id key name", TeamRecord, lambda t: (t.id, t.key, t.name))


def fetch_workflow_states(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Workflow states as they are now: the history names them by id only."""
    return _snapshot(
        client, windows, WORKFLOW_STATES, "workflowStates", "id name type team { key }", StateRecord,
        lambda s: (s.id, s.team.key if s.team else None, s.name, s.type),
    )  # fmt: skip


def fetch_users(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Members as they are now."""
    return _snapshot(client, windows, USERS, "users", "id email active app guest gitHubUserId", User, _user_row)


def _snapshot(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    connection: str,
    fields: str,
    record_type: type[T],
    row: Callable[[T], Row],
) -> Iterator[tuple[Window, Batch]]:
    query = (
        f"query($first: Int!, $after: String) {{ page: {connection}(first: $first, after: $after, includeArchived: true) "
        f"{{ nodes {{ {fields} }} {_PAGE_INFO} }} }}"
    )
    call = _call(query, {"first": NODES_PER_PAGE})
    return whole_list(client, windows, dataset, call, GraphPages(), GraphPage, record_type, row)


def _updated(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    connection: str,
    fields: str,
    condition: dict[str, Any],
    intake: Intake[T],
    size: int = NODES_PER_PAGE,
) -> Iterator[list[tuple[int, T]]]:
    """Good records of each page, newest update first; pages and rejects are kept by the intake."""
    kind = {"issues": "IssueFilter", "attachments": "AttachmentFilter"}[connection]
    query = (
        f"query($first: Int!, $after: String, $filter: {kind}) {{ page: {connection}(first: $first, after: $after, "
        f"filter: $filter, orderBy: updatedAt, includeArchived: true) {{ nodes {{ {fields} }} {_PAGE_INFO} }} }}"
    )
    context = f"{dataset.key} {windows[0].key}..{windows[-1].key}"
    call = _call(query, {"first": size, "filter": condition})
    for page in walk(client, call, GraphPages(), GraphPage, context):
        yield intake.read(page.records(), context)


def _call(query: str, variables: dict[str, Any]) -> Call:
    return Call("/graphql", (), {"query": query, "variables": variables}, "POST")


def _between(windows: Sequence[Window]) -> dict[str, Any]:
    first, after = windows[0].start, windows[-1].end
    return {"updatedAt": {"gte": f"{first:%Y-%m-%dT%H:%M:%S.000Z}", "lt": f"{after:%Y-%m-%dT%H:%M:%S.000Z}"}}


def _issue_filter(config: SourceConfig, windows: Sequence[Window]) -> dict[str, Any]:
    keys = config.entries("teams")
    if any(not _TEAM_KEY.fullmatch(key) for key in keys):
        raise RequestRejected(
            tried="linear: read the list of teams",
            found="names that are not team keys",
            to_do="set AISL_LINEAR_TEAMS to keys such as ENG,OPS, or leave it empty for all",
        )
    return {**_between(windows), **({"team": {"key": {"in": keys}}} if keys else {})}


def _issue_version(issue: Issue) -> tuple[str, datetime, Row]:
    return issue.id, issue.updated_at, issue_row(issue)


def issue_row(i: Issue) -> Row:
    """One issue in the order of the catalog."""
    state = i.state or State("")
    return (
        i.id, i.identifier, i.team.key, i.title, i.branch_name, state.id or None, state.name, state.type, i.priority_label,
        *(ref.id if ref else None for ref in (i.assignee, i.delegate, i.cycle, i.project)), i.project.name if i.project else None,
        i.parent.id if i.parent else None, i.parent.identifier if i.parent else None,
        msgspec.json.encode(sorted(i.label_ids)).decode(), msgspec.json.encode(i.previous_identifiers).decode(),
        amount(i.estimate, "estimate"), i.trashed, i.created_at, i.updated_at, i.started_at, i.completed_at, i.canceled_at,
        i.archived_at,
    )  # fmt: skip


def history_rows(entry: Entry, issue_id: str) -> list[Row]:
    """A row for each field that an entry changed."""
    changes = [(name, getattr(entry, f"from_{name}_id"), getattr(entry, f"to_{name}_id")) for name in _CHANGES]
    changes.append(("estimate", amount(entry.from_estimate, "fromEstimate"), amount(entry.to_estimate, "toEstimate")))
    return [
        (issue_id, entry.id, name, entry.actor_id, before, after, entry.created_at)
        for name, before, after in changes
        if before is not None or after is not None
    ]


def _cycle_row(cycle: Cycle) -> Row:
    number = amount(cycle.number, "number")
    return (
        cycle.id, cycle.team.key, number.removesuffix(".0") if number else None, cycle.name, cycle.starts_at, cycle.ends_at,
        cycle.completed_at,
    )  # fmt: skip


def _user_row(user: User) -> Row:
    github = str(user.github_user_id) if user.github_user_id is not None else None
    return user.id, user.email, github, user.active, user.app, user.guest


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return _call(f"query {{ page: teams(first: 1) {{ nodes {{ id }} {_PAGE_INFO} }} }}", {})


SYSTEM = System(
    "linear",
    (
        Connector(ISSUES, fetch_issues),
        Connector(ISSUE_HISTORY, fetch_issue_history),
        Connector(ATTACHMENTS, fetch_attachments),
        Connector(CYCLES, fetch_cycles),
        Connector(TEAMS, fetch_teams),
        Connector(WORKFLOW_STATES, fetch_workflow_states),
        Connector(USERS, fetch_users),
    ),
    Http(BASE_URL, _question, headers),
)
