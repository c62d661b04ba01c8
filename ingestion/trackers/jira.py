"""Jira Cloud REST: issues, their changelog, sprints, projects.

Custom fields (sprint, story points, epic link) are discovered by their kind or name, never by number. Descriptions and
comments are never asked for. Search times are read in the calling user's zone, so the question overlaps by a day on
both sides and the answer is cut to UTC days here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from ingestion.buckets import by_update_day, whole_list
from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import RequestRejected
from ingestion.pages import ArrayPage, LinkPages, NextTokenPages, OffsetPages, walk
from ingestion.records import Batch, Cell, Intake, Integer, Reader, Refused, Row, Text, amount, epoch, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import DAY, Window

ISSUES_PER_PAGE = 100
ISSUES_PER_CHANGELOG_CALL = 1000
_CHANGED_FIELDS = frozenset({"status", "assignee", "sprint", "key", "resolution"})
_STORY_POINT_NAMES = frozenset({"story points", "story point estimate"})
_STORY_POINT_KINDS = frozenset({"com.pyxis.greenhopper.jira:jsw-story-points"})
_SPRINT_KIND = "com.pyxis.greenhopper.jira:gh-sprint"
_EPIC_LINK_KIND = "com.pyxis.greenhopper.jira:gh-epic-link"
_SPRINT_IN_TEXT = re.compile(r"[\[,]id=(\d+)[,\]]")
_PROJECT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,30}")


def headers(config: SourceConfig) -> dict[str, str]:
    """No header beside basic authentication."""
    return {}


def auth(config: SourceConfig) -> tuple[str, str]:
    """Basic authentication: e-mail and API token."""
    return config.secret("EMAIL"), config.secret("API_TOKEN")


class SearchPage(msgspec.Struct):
    """A page of a search; it may be empty and still point on."""

    issues: msgspec.Raw
    nextPageToken: str | None = None
    isLast: bool | None = None

    def records(self) -> msgspec.Raw:
        """The issues."""
        return self.issues


class ChangelogPage(msgspec.Struct):
    """A page of the bulk changelog."""

    issueChangeLogs: msgspec.Raw
    nextPageToken: str | None = None
    isLast: bool | None = None

    def records(self) -> msgspec.Raw:
        """Histories by issue."""
        return self.issueChangeLogs


class ValuesPage(msgspec.Struct):
    """A page counted by offset."""

    values: msgspec.Raw
    isLast: bool = False

    def records(self) -> msgspec.Raw:
        """The values."""
        return self.values


class FieldKind(msgspec.Struct):
    """What a field is."""

    custom: Text | None = None


class FieldInfo(msgspec.Struct):
    """A field of the site."""

    id: Text
    name: Text | None = None
    schema: FieldKind | None = None


class Category(msgspec.Struct):
    """The language-neutral state: new, indeterminate, done."""

    key: Text


class StatusField(msgspec.Struct):
    """A status; its name is in the site's language."""

    id: Text | None = None
    name: Text | None = None
    statusCategory: Category | None = None


class Named(msgspec.Struct):
    """Anything with a name."""

    name: Text | None = None


class IssueType(msgspec.Struct):
    """An issue type; level 1 is an epic."""

    name: Text | None = None
    subtask: bool | None = None
    hierarchyLevel: Integer | None = None


class Person(msgspec.Struct):
    """A person by account id."""

    accountId: Text


class ProjectRef(msgspec.Struct):
    """The project of an issue."""

    key: Text


class ParentFields(msgspec.Struct):
    """What is shown of a parent."""

    issuetype: IssueType | None = None


class Parent(msgspec.Struct):
    """The parent of an issue."""

    id: Text | None = None
    key: Text | None = None
    fields: ParentFields | None = None


class SprintRef(msgspec.Struct):
    """A sprint an issue is or was in."""

    id: int | str


class IssueFields(msgspec.Struct):
    """The fields asked for; those of the site are added by `Site.fields_type`."""

    updated: Text
    created: Text | None = None
    summary: Text | None = None
    status: StatusField | None = None
    issuetype: IssueType | None = None
    project: ProjectRef | None = None
    resolution: Named | None = None
    resolutiondate: Text | None = None
    priority: Named | None = None
    assignee: Person | None = None
    labels: list[str] = []
    parent: Parent | None = None


class ChangedItem(msgspec.Struct, rename={"from_": "from"}):
    """One changed field."""

    field: Text
    fieldId: Text | None = None
    from_: str | None = None
    fromString: str | None = None
    to: str | None = None
    toString: str | None = None


class History(msgspec.Struct):
    """One entry of a changelog; its time is ISO text, or Unix seconds, or milliseconds."""

    id: str | int
    created: str | int
    items: list[ChangedItem]
    author: Person | None = None


class IssueChangelog(msgspec.Struct):
    """Histories of one issue."""

    issueId: str | int
    changeHistories: list[History]


class Board(msgspec.Struct):
    """A board; kanban boards have no sprints."""

    id: int
    type: Text | None = None


class Sprint(msgspec.Struct):
    """A sprint; its times are UTC."""

    id: int | str
    name: Text | None = None
    state: Text | None = None
    startDate: Text | None = None
    endDate: Text | None = None
    completeDate: Text | None = None
    originBoardId: Integer | None = None


class Project(msgspec.Struct):
    """A project."""

    id: Text
    key: Text
    name: Text | None = None


ISSUES = BY_KEY["jira__issues"]
CHANGELOG = BY_KEY["jira__changelog"]
SPRINTS = BY_KEY["jira__sprints"]
PROJECTS = BY_KEY["jira__projects"]
_BASE_FIELDS = tuple(IssueFields.__struct_fields__)


@dataclass(frozen=True)
class Site:
    """Which custom fields this site uses for sprint, story points and epic link."""

    sprint: str | None
    story_points: tuple[str, ...]
    epic_link: str | None

    def fields_type(self) -> type[Any]:
        """IssueFields with this site's custom fields under fixed names."""
        sprints = list[SprintRef | str] | SprintRef | None
        extra: list[tuple[str, Any, Any]] = []
        renamed: dict[str, str] = {}
        if self.sprint:
            extra.append(("sprints", sprints, None))
            renamed["sprints"] = self.sprint
        if self.epic_link:
            extra.append(("epic_link", str | None, None))
            renamed["epic_link"] = self.epic_link
        for position, field in enumerate(self.story_points):
            extra.append((f"points_{position}", Decimal | None, None))
            renamed[f"points_{position}"] = field
        return msgspec.defstruct("SiteFields", extra, bases=(IssueFields,), rename=renamed)

    def asked(self) -> list[str]:
        """Field ids to ask a search for."""
        customs = [self.sprint, self.epic_link, *self.story_points]
        return [*_BASE_FIELDS, *(f for f in customs if f)]


def discover_site(client: Client) -> Site:
    """Reads the site's field list."""
    reader = Reader(FieldInfo)
    context = "jira: list of fields"
    fields = [
        field
        for page in walk(client, Call("/rest/api/3/field"), LinkPages(), ArrayPage, context)
        for _, field in reader.read(page.array, context)[0]
    ]
    return site_of(fields)


def site_of(fields: Sequence[FieldInfo]) -> Site:
    """Which of these fields are sprint, story points and epic link: by kind, or else by name."""

    def find(kinds: frozenset[str], names: frozenset[str]) -> list[str]:
        by_kind = [f.id for f in fields if f.schema and f.schema.custom in kinds]
        by_name = [f.id for f in fields if (f.name or "").lower() in names and f.id.startswith("customfield_")]
        return sorted(dict.fromkeys([*by_kind, *by_name]))

    sprint = find(frozenset({_SPRINT_KIND}), frozenset({"sprint"}))
    epic = find(frozenset({_EPIC_LINK_KIND}), frozenset({"epic link"}))
    points = find(_STORY_POINT_KINDS, _STORY_POINT_NAMES)
    return Site(sprint[0] if sprint else None, tuple(points), epic[0] if epic else None)


def fetch_issues(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Issues by the day of their last update."""
    site = discover_site(client)
    intake = Intake(Reader(issue_type(site.fields_type())))
    dated: list[tuple[datetime, Row]] = []
    for good in _search(client, config, windows, site.asked(), intake, ISSUES.key):
        dated += intake.accept(good, _dated_row)
    yield from by_update_day(ISSUES, windows, dated, intake.rejects, intake.pages)


def fetch_changelog(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Changes of status, assignee, sprint, key, resolution and story points of the issues updated in the windows."""
    site = discover_site(client)
    issues = Intake(Reader(issue_type(IssueFields)))
    updated: dict[str, datetime] = {}
    for good in _search(client, config, windows, ["updated"], issues, CHANGELOG.key):
        for issue_id, moment in issues.accept(good, _updated):
            if windows[0].start <= moment < windows[-1].end:
                updated[issue_id] = moment
    logs = Intake(Reader(IssueChangelog))
    dated: list[tuple[datetime, Row]] = []
    ids = sorted(updated)
    for at in range(0, len(ids), ISSUES_PER_CHANGELOG_CALL):
        part = ids[at : at + ISSUES_PER_CHANGELOG_CALL]
        context = f"{CHANGELOG.key} {windows[0].key}..{windows[-1].key} issues {at + 1} to {at + len(part)}"
        call = Call("/rest/api/3/changelog/bulkfetch", (), {"issueIdsOrKeys": part, "maxResults": 1000}, "POST")
        for page in walk(client, call, NextTokenPages(in_body=True), ChangelogPage, context):
            read = logs.read(page.issueChangeLogs, context)
            for issue_id, rows in logs.accept(read, _asked_changelog, site, updated):
                dated += [(updated[issue_id], row) for row in rows]
    rejects, pages = [*issues.rejects, *logs.rejects], issues.pages + logs.pages
    yield from by_update_day(CHANGELOG, windows, dated, rejects, pages)


def fetch_sprints(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Sprints of every board that has some, each once."""
    (window,) = windows
    context = f"{SPRINTS.key} {window.key}"
    boards, sprints = Intake(Reader(Board)), Intake(Reader(Sprint))
    rows: dict[Cell, Row] = {}
    for board_page in walk(client, Call("/rest/agile/1.0/board"), OffsetPages(), ValuesPage, context):
        for _, board in boards.read(board_page.values, context):
            if board.type == "kanban":
                continue
            call = Call(f"/rest/agile/1.0/board/{board.id}/sprint")
            for page in walk(client, call, OffsetPages(), ValuesPage, f"{context} board {board.id}"):
                for row in sprints.accept(sprints.read(page.values, context), sprint_row, board.id):
                    rows.setdefault(row[0], row)
    pages = boards.pages + sprints.pages
    # The sprints of a board that cannot be read are not asked for: its record says so among the rejects.
    yield window, Batch(table(SPRINTS, list(rows.values())), [*boards.rejects, *sprints.rejects], pages=pages)


def fetch_projects(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Projects as they are now: their keys are the known ticket prefixes."""
    call = Call("/rest/api/3/project/search")
    return whole_list(client, windows, PROJECTS, call, OffsetPages(), ValuesPage, Project, _project_row)


def issue_type(fields_type: type[Any]) -> type[Any]:
    """An issue with fields of that type."""
    return msgspec.defstruct("Issue", [("id", Text), ("key", Text), ("fields", fields_type)])


def issue_row(issue: Any) -> Row:
    """One issue in the order of the catalog."""
    f = issue.fields
    status, kind = f.status or StatusField(), f.issuetype or IssueType()
    points = (getattr(f, name) for name in f.__struct_fields__ if name.startswith("points_"))
    subtask = None if kind.subtask is None else str(kind.subtask).lower()
    return (
        issue.id, issue.key, f.project.key if f.project else issue.key.rpartition("-")[0], f.summary, kind.name,
        subtask, status.id, status.name, status.statusCategory.key if status.statusCategory else None,
        f.resolution.name if f.resolution else None, f.priority.name if f.priority else None,
        f.assignee.accountId if f.assignee else None, f.parent.id if f.parent else None,
        f.parent.key if f.parent else None, _epic(f), msgspec.json.encode(sorted(f.labels)).decode(),
        msgspec.json.encode(_sprint_ids(getattr(f, "sprints", None))).decode(),
        amount(next((p for p in points if p is not None), None), "story_points"),
        instant(f.created, "created"), instant(f.updated, "updated"), instant(f.resolutiondate, "resolutiondate"),
    )  # fmt: skip


def _updated(issue: Any) -> tuple[str, datetime]:
    """Issue id and the moment of its last update."""
    moment = instant(issue.fields.updated, "updated")
    if moment is None:
        raise Refused("missing_field", "updated")
    return issue.id, moment


def _dated_row(issue: Any) -> tuple[datetime, Row]:
    row = issue_row(issue)
    return _updated(issue)[1], row


def changelog_rows(log: IssueChangelog, site: Site) -> tuple[str, list[Row]]:
    """Issue id, and a row for each change of a kept field."""
    issue_id = str(log.issueId)
    rows: list[Row] = []
    for history in log.changeHistories:
        at = history.created
        created = epoch(at, "created") if isinstance(at, int) else instant(at, "created")
        author = history.author.accountId if history.author else None
        for ordinal, item in enumerate(history.items):
            name = item.field.lower()
            if name not in _CHANGED_FIELDS | _STORY_POINT_NAMES and item.fieldId not in site.story_points:
                continue
            # an assignee's text is a person's name: the account ids say it without
            texts = (None, None) if name == "assignee" else (item.fromString, item.toString)
            rows.append(
                (issue_id, str(history.id), ordinal, author, item.field, item.from_, texts[0], item.to, texts[1], created)
            )
    return issue_id, rows


def _asked_changelog(log: IssueChangelog, site: Site, asked: Collection[str]) -> tuple[str, list[Row]]:
    if str(log.issueId) not in asked:
        raise Refused("not_asked_for", "issueId")
    return changelog_rows(log, site)


def _project_row(project: Project) -> Row:
    return project.id, project.key, project.name


def sprint_row(sprint: Sprint, board_id: int) -> Row:
    """One sprint in the order of the catalog."""
    home = sprint.originBoardId if sprint.originBoardId is not None else board_id
    times = [instant(getattr(sprint, name), name) for name in ("startDate", "endDate", "completeDate")]
    return str(sprint.id), str(home), sprint.name, sprint.state, *times


def _search(
    client: Client,
    config: SourceConfig,
    windows: Sequence[Window],
    fields: Sequence[str],
    intake: Intake[Any],
    dataset_key: str,
) -> Iterator[list[tuple[int, Any]]]:
    """Good records of each page of a search; pages and rejects are kept by the intake."""
    context = f"{dataset_key} {windows[0].key}..{windows[-1].key}"
    body = {"jql": _jql(config, windows), "fields": list(fields), "maxResults": ISSUES_PER_PAGE}
    call = Call("/rest/api/3/search/jql", (), body, "POST")
    for page in walk(client, call, NextTokenPages(in_body=True), SearchPage, context):
        yield intake.read(page.issues, context)


def _jql(config: SourceConfig, windows: Sequence[Window]) -> str:
    first, after = windows[0].start - DAY, windows[-1].end + DAY
    jql = f'updated >= "{first:%Y-%m-%d %H:%M}" AND updated <= "{after:%Y-%m-%d %H:%M}"'
    keys = config.entries("projects")
    if any(not _PROJECT_KEY.fullmatch(key) for key in keys):
        raise RequestRejected(
            tried="jira: read the list of projects",
            found="names that are not project keys",
            to_do="set AISL_JIRA_PROJECTS to keys such as SRCH,PAY, or leave it empty for all",
        )
    if keys:
        jql += " AND project in (" + ", ".join(f'"{key}"' for key in keys) + ")"
    return jql + " ORDER BY updated DESC"


def _sprint_ids(value: Any) -> list[str]:
    """Ids of the sprints an issue is or was in, as text, from today's objects or old servers' strings."""
    ids = []
    for sprint in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(sprint, str):
            ids.append(str(sprint.id))
        elif found := _SPRINT_IN_TEXT.search(sprint):
            ids.append(found.group(1))
        else:
            raise Refused("wrong_type", "sprint", "a sprint text without an id")
    return ids


def _epic(fields: Any) -> str | None:
    """Key of the epic: the old epic link, or a parent one level up."""
    link = getattr(fields, "epic_link", None)
    if link or fields.parent is None:
        return link
    kind = fields.parent.fields.issuetype if fields.parent.fields else None
    is_epic = kind is not None and (kind.hierarchyLevel == 1 or (kind.name or "").lower() == "epic")
    return fields.parent.key if is_epic else None


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call("/rest/api/3/project/search", (("maxResults", "1"),))


SYSTEM = System(
    "jira",
    (
        Connector(ISSUES, fetch_issues),
        Connector(CHANGELOG, fetch_changelog),
        Connector(SPRINTS, fetch_sprints),
        Connector(PROJECTS, fetch_projects),
    ),
    Http(None, _question, headers, auth),
)
