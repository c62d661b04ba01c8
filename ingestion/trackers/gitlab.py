"""GitLab REST: merge requests, issues, deployments, commits of every branch.

Lists are walked newest update first, once for all wanted days. Descriptions are never decoded, and of a commit's message
only what looks like a ticket lands. People are known by their numeric id, because a username can be changed; commits name
their author by e-mail address only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from ingestion.buckets import newest_first
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import RequestRejected
from ingestion.records import Batch, Integer, Row, Text
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.trackers.keys import key_texts
from ingestion.windows import Window, midnight

BASE_URL = "https://gitlab.com/api/v4"
ROWS_PER_PAGE = "100"
_PRODUCTION_NAMES = ("production", "prod")

T = TypeVar("T")


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of a personal, project or group access token."""
    return {"PRIVATE-TOKEN": config.secret("TOKEN")}


def projects(config: SourceConfig) -> list[str]:
    """`group/name` of the projects to read, from the option `projects` (comma separated)."""
    names = [name.strip("/") for name in config.entries("projects")]
    bad = [name for name in names if "/" not in name]
    if bad or not names:
        raise RequestRejected(
            tried="gitlab: read the list of projects",
            found=f"{len(bad)} names that are not group/name" if bad else "no project",
            to_do="set AISL_GITLAB_PROJECTS to names such as acme/search, separated by commas",
        )
    return names


class Account(msgspec.Struct):
    """A person or bot."""

    id: Integer
    username: Text | None = None


class MergeRequest(msgspec.Struct):
    """A merge request as the list shows it; `id` is unique everywhere, `iid` in its project."""

    id: Integer
    iid: Integer
    project_id: Integer
    state: Text
    created_at: datetime
    updated_at: datetime
    title: Text | None = None
    source_branch: Text | None = None
    target_branch: Text | None = None
    sha: Text | None = None
    merge_commit_sha: Text | None = None
    squash_commit_sha: Text | None = None
    author: Account | None = None
    merge_user: Account | None = None
    merged_by: Account | None = None
    labels: list[str] = []
    draft: bool | None = None
    work_in_progress: bool | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None


class Iteration(msgspec.Struct):
    """The iteration an issue is planned in; `due_date` is its last day."""

    id: Integer
    title: Text | None = None
    start_date: date | None = None
    due_date: date | None = None


class Issue(msgspec.Struct):
    """An issue; `moved_to_id` is the id it goes on under in another project."""

    id: Integer
    iid: Integer
    project_id: Integer
    state: Text
    created_at: datetime
    updated_at: datetime
    title: Text | None = None
    issue_type: Text | None = None
    author: Account | None = None
    assignees: list[Account] = []
    labels: list[str] = []
    iteration: Iteration | None = None
    weight: Integer | None = None
    moved_to_id: Integer | None = None
    confidential: bool | None = None
    closed_at: datetime | None = None


class Environment(msgspec.Struct):
    """Where a deployment goes."""

    name: Text
    tier: Text | None = None


class Job(msgspec.Struct):
    """The job that deployed."""

    finished_at: datetime | None = None


class Deployment(msgspec.Struct):
    """A deployment; old ones have no time of update."""

    id: Integer
    iid: Integer
    status: Text
    created_at: datetime
    updated_at: datetime | None = None
    sha: Text | None = None
    ref: Text | None = None
    environment: Environment | None = None
    user: Account | None = None
    deployable: Job | None = None


class Commit(msgspec.Struct):
    """A commit as the list shows it; `title` is the first line of its message."""

    id: Text
    title: str
    committed_date: datetime
    parent_ids: list[Text]
    author_email: Text | None = None
    authored_date: datetime | None = None


MERGE_REQUESTS = BY_KEY["gitlab__merge_requests"]
ISSUES = BY_KEY["gitlab__issues"]
DEPLOYMENTS = BY_KEY["gitlab__deployments"]
COMMITS = BY_KEY["gitlab__commits"]


def fetch_merge_requests(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Merge requests by the day of their last update."""
    asked = (("state", "all"), ("scope", "all"))
    yield from _fetch(
        client, config, windows, MERGE_REQUESTS, "merge_requests", asked, MergeRequest, lambda m: m.updated_at, merge_request_row
    )


def fetch_issues(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Issues by the day of their last update."""
    asked = (("state", "all"), ("scope", "all"))
    yield from _fetch(client, config, windows, ISSUES, "issues", asked, Issue, lambda i: i.updated_at, issue_row)


def fetch_deployments(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Deployments by the day of their last update."""
    yield from _fetch(
        client, config, windows, DEPLOYMENTS, "deployments", (), Deployment, touched, deployment_row
    )


def fetch_commits(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Commits of every branch by the day they were committed."""
    since, until = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (windows[0].start, windows[-1].end))
    asked = (("all", "true"), ("since", since), ("until", until), ("per_page", ROWS_PER_PAGE))
    lists = [(name, Call(f"/projects/{quote(name, safe='')}/repository/commits", asked)) for name in projects(config)]
    return newest_first(client, windows, COMMITS, lists, Commit, lambda c: c.committed_date, commit_row)


def _fetch(
    client: Client,
    config: SourceConfig,
    windows: Sequence[Window],
    dataset: Dataset,
    path: str,
    params: tuple[tuple[str, str], ...],
    record_type: type[T],
    moment: Callable[[T], datetime],
    row: Callable[[str, T], Row],
) -> Iterator[tuple[Window, Batch]]:
    """A list of each project; the host leaves out what was not updated since the first wanted day."""
    since = f"{windows[0].start:%Y-%m-%dT%H:%M:%SZ}"
    asked = (
        *params, ("updated_after", since), ("order_by", "updated_at"), ("sort", "desc"), ("per_page", ROWS_PER_PAGE),
    )  # fmt: skip
    lists = [(name, Call(f"/projects/{quote(name, safe='')}/{path}", asked)) for name in projects(config)]
    return newest_first(client, windows, dataset, lists, record_type, moment, row)


def merge_request_row(repo: str, m: MergeRequest) -> Row:
    """One merge request in the order of the catalog."""
    draft = m.work_in_progress if m.draft is None else m.draft
    return (
        repo, str(m.id), str(m.project_id), m.iid, m.state, m.title, m.source_branch, m.target_branch, m.sha,
        m.merge_commit_sha, m.squash_commit_sha, *_who(m.author), *_who(m.merge_user or m.merged_by), _labels(m.labels),
        draft, m.created_at, m.updated_at, m.closed_at, m.merged_at,
    )  # fmt: skip


def issue_row(repo: str, i: Issue) -> Row:
    """One issue in the order of the catalog."""
    iteration = i.iteration
    return (
        repo, str(i.id), str(i.project_id), i.iid, i.state, i.issue_type, None if i.confidential else i.title,
        *_who(i.author), *_who(i.assignees[0] if i.assignees else None), _labels(i.labels),
        str(iteration.id) if iteration else None, iteration.title if iteration else None, i.weight,
        str(i.moved_to_id) if i.moved_to_id is not None else None, i.confidential,
        midnight(iteration.start_date) if iteration and iteration.start_date else None,
        midnight(iteration.due_date) if iteration and iteration.due_date else None,
        i.created_at, i.updated_at, i.closed_at,
    )  # fmt: skip


def touched(d: Deployment) -> datetime:
    """When a deployment was last updated, or created."""
    return d.updated_at or d.created_at


def deployment_row(repo: str, d: Deployment) -> Row:
    """One deployment in the order of the catalog."""
    name, tier = (d.environment.name, d.environment.tier) if d.environment else (None, None)
    is_production = tier == "production" if tier else name is not None and name.lower() in _PRODUCTION_NAMES
    return (
        repo, str(d.id), d.iid, d.sha, d.ref, name, tier, d.status, *_who(d.user), is_production, d.created_at, touched(d),
        d.deployable.finished_at if d.deployable else None,
    )  # fmt: skip


def commit_row(repo: str, c: Commit) -> Row:
    """One commit in the order of the catalog."""
    return (
        repo, c.id, c.author_email, key_texts(c.title), len(c.parent_ids), c.authored_date or c.committed_date, c.committed_date,
    )  # fmt: skip


def _who(account: Account | None) -> tuple[str | None, str | None]:
    return (str(account.id), account.username) if account else (None, None)


def _labels(labels: Sequence[str]) -> str:
    return msgspec.json.encode(sorted(labels)).decode()


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call(f"/projects/{quote(projects(config)[0], safe='')}/merge_requests", (("state", "all"), ("per_page", "1")))


SYSTEM = System(
    "gitlab",
    (
        Connector(MERGE_REQUESTS, fetch_merge_requests),
        Connector(ISSUES, fetch_issues),
        Connector(DEPLOYMENTS, fetch_deployments),
        Connector(COMMITS, fetch_commits),
    ),
    Http(BASE_URL, _question, headers),
)
