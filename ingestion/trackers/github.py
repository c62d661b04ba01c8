"""GitHub REST: pull requests, issues, deployments with their first success, commits of the default branch.

Lists are walked newest first, once for all wanted days. Bodies are never decoded, and of a commit's message only what
looks like a ticket lands. People are known by their numeric id, because a login can be renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from ingestion.buckets import newest_first
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import RequestRejected
from ingestion.pages import ArrayPage, LinkPages, walk
from ingestion.records import Batch, Integer, Reader, Refused, Row, Text
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.trackers.keys import key_texts
from ingestion.windows import Window

BASE_URL = "https://api.github.com"
API_VERSION = "2022-11-28"
ROWS_PER_PAGE = "100"


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication and version headers."""
    return {
        "Authorization": f"Bearer {config.secret('TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": API_VERSION,
    }


def repositories(config: SourceConfig) -> list[str]:
    """`owner/name` of the repositories to read, from the option `repos` (comma separated)."""
    names = config.entries("repos")
    bad = [name for name in names if name.count("/") != 1]
    if bad or not names:
        raise RequestRejected(
            tried="github: read the list of repositories",
            found=f"{len(bad)} names that are not owner/name" if bad else "no repository",
            to_do="set AISL_GITHUB_REPOS to names such as acme/search, separated by commas",
        )
    return names


class Account(msgspec.Struct):
    """A person or bot."""

    id: Integer
    login: Text
    type: Text | None = None


class Label(msgspec.Struct):
    """A label."""

    name: Text


class Branch(msgspec.Struct):
    """One side of a pull request; the branch name outlives the branch."""

    ref: Text
    sha: Text | None = None


class Pull(msgspec.Struct):
    """A pull request as the list shows it."""

    id: Integer
    number: Integer
    state: Text
    created_at: datetime
    updated_at: datetime
    head: Branch
    base: Branch
    title: Text | None = None
    user: Account | None = None
    labels: list[Label] = []
    draft: bool | None = None
    merge_commit_sha: Text | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None


class Issue(msgspec.Struct):
    """An issue, or a pull request seen as an issue."""

    id: Integer
    number: Integer
    state: Text
    created_at: datetime
    updated_at: datetime
    title: Text | None = None
    state_reason: Text | None = None
    user: Account | None = None
    assignee: Account | None = None
    labels: list[Label | str] = []
    closed_at: datetime | None = None
    pull_request: msgspec.Raw = msgspec.Raw()


class Deployment(msgspec.Struct):
    """A deployment; whether it succeeded is in its statuses."""

    id: Integer
    created_at: datetime
    updated_at: datetime
    sha: Text | None = None
    ref: Text | None = None
    task: Text | None = None
    environment: Text | None = None
    production_environment: bool | None = None
    creator: Account | None = None


class Status(msgspec.Struct):
    """One status of a deployment."""

    id: Integer
    state: Text
    created_at: datetime


class CommitAccount(msgspec.Struct):
    """The account of a commit's author: null or empty when nobody has the author's e-mail address."""

    id: Integer | None = None
    login: Text | None = None
    type: Text | None = None


class Authored(msgspec.Struct):
    """Who wrote a commit and when, as the commit itself says."""

    date: datetime | None = None
    email: Text | None = None


class Committed(msgspec.Struct):
    """When a commit was made as it is now; a rebase or an amendment makes it anew and keeps who wrote it and when."""

    date: datetime


class CommitText(msgspec.Struct):
    """What git keeps of a commit."""

    message: str
    committer: Committed
    author: Authored | None = None


class Parent(msgspec.Struct):
    """A commit that another follows."""

    sha: Text


class Commit(msgspec.Struct):
    """A commit as the list shows it."""

    sha: Text
    commit: CommitText
    parents: list[Parent]
    author: CommitAccount | None = None


T = TypeVar("T")

PULLS = BY_KEY["github__pulls"]
ISSUES = BY_KEY["github__issues"]
DEPLOYMENTS = BY_KEY["github__deployments"]
COMMITS = BY_KEY["github__commits"]


def fetch_pulls(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Pull requests by the day of their last update."""
    asked = (("state", "all"), ("sort", "updated"), ("direction", "desc"))
    yield from _fetch(client, config, windows, PULLS, "pulls", asked, Pull, lambda p: p.updated_at, _pull_row)


def fetch_issues(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Issues by the day of their last update; rows that are pull requests are left out."""
    since = f"{windows[0].start:%Y-%m-%dT%H:%M:%SZ}"
    asked = (("state", "all"), ("sort", "updated"), ("direction", "desc"), ("since", since))
    yield from _fetch(client, config, windows, ISSUES, "issues", asked, Issue, lambda i: i.updated_at, _issue_row)


def fetch_deployments(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Deployments by the day they were created, each with one call for its statuses."""
    statuses = Reader(Status)

    def row(repo: str, d: Deployment) -> Row:
        context = f"{DEPLOYMENTS.key} {repo} statuses of {d.id}"
        call = Call(f"/repos/{repo}/deployments/{d.id}/statuses", (("per_page", ROWS_PER_PAGE),))
        known: list[Status] = []
        for page in walk(client, call, LinkPages(), ArrayPage, context):
            good, bad = statuses.read(page.array, context)
            if bad:
                raise Refused(bad[0].reason, f"statuses.{bad[0].field}", bad[0].detail)
            known += [status for _, status in good]
        return _deployment_row(repo, d, known)

    yield from _fetch(client, config, windows, DEPLOYMENTS, "deployments", (), Deployment, lambda d: d.created_at, row)


def fetch_commits(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Commits of the default branch by the day they were committed. A repository without any is refused with 409."""
    since, until = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (windows[0].start, windows[-1].end))
    asked = (("since", since), ("until", until), ("per_page", ROWS_PER_PAGE))
    calls = [(repo, Call(f"/repos/{repo}/commits", asked)) for repo in repositories(config)]
    while True:
        try:
            # Nothing is given before the last list was read, so starting again repeats no window.
            yield from newest_first(client, windows, COMMITS, calls, Commit, lambda c: c.commit.committer.date, commit_row)
            return
        except RequestRejected as refused:
            empty = next((found for found in calls if _is_empty(client, found, refused)), None)
            if empty is None:
                raise
            calls.remove(empty)


def _is_empty(client: Client, found: tuple[str, Call], refused: RequestRejected) -> bool:
    """Whether it was this list that was refused for want of any commit."""
    if not refused.found.startswith("HTTP 409"):
        return False
    try:
        client.send(found[1].with_param("per_page", "1"), f"{COMMITS.key} {found[0]}")
    except RequestRejected as again:
        return again.found.startswith("HTTP 409")
    return False


def _fetch(
    client: Client,
    config: SourceConfig,
    windows: Sequence[Window],
    dataset: Dataset,
    path: str,
    params: tuple[tuple[str, str], ...],
    record_type: type[T],
    moment: Callable[[T], datetime],
    row: Callable[[str, T], Row | None],
) -> Iterator[tuple[Window, Batch]]:
    """A list of each repository."""
    asked = (*params, ("per_page", ROWS_PER_PAGE))
    lists = [(repo, Call(f"/repos/{repo}/{path}", asked)) for repo in repositories(config)]
    return newest_first(client, windows, dataset, lists, record_type, moment, row)


def _pull_row(repo: str, p: Pull) -> Row:
    return (
        repo, str(p.id), p.number, p.state, p.title, p.head.ref, p.head.sha, p.base.ref, p.merge_commit_sha,
        *_who(p.user), p.user.type if p.user else None, _labels(p.labels), p.draft, p.created_at, p.updated_at,
        p.closed_at, p.merged_at,
    )  # fmt: skip


def _issue_row(repo: str, i: Issue) -> Row | None:
    if bytes(i.pull_request) not in (b"", b"null"):
        return None
    return (
        repo, str(i.id), i.number, i.state, i.state_reason, i.title, *_who(i.user), *_who(i.assignee),
        _labels(i.labels), i.created_at, i.updated_at, i.closed_at,
    )  # fmt: skip


def _deployment_row(repo: str, d: Deployment, statuses: Sequence[Status]) -> Row:
    latest = max(statuses, key=lambda s: (s.created_at, s.id), default=None)
    succeeded = min((s.created_at for s in statuses if s.state == "success"), default=None)
    is_production = d.production_environment
    if is_production is None and d.environment is not None:
        is_production = d.environment.lower() in ("production", "prod")
    return (
        repo, str(d.id), d.sha, d.ref, d.task, d.environment, *_who(d.creator), latest.state if latest else None,
        is_production, d.created_at, d.updated_at, succeeded,
    )  # fmt: skip


def commit_row(repo: str, c: Commit) -> Row:
    """One commit in the order of the catalog. The e-mail address lands only where no account stands for the author."""
    authored, account = c.commit.author or Authored(), c.author or CommitAccount()
    committed_at = c.commit.committer.date
    is_known = account.id is not None
    return (
        repo, c.sha, str(account.id) if is_known else None, account.login, account.type, None if is_known else authored.email,
        key_texts(c.commit.message), len(c.parents), authored.date or committed_at, committed_at,
    )  # fmt: skip


def _who(account: Account | None) -> tuple[str | None, str | None]:
    return (str(account.id), account.login) if account else (None, None)


def _labels(labels: Sequence[Label | str]) -> str:
    names = sorted(label if isinstance(label, str) else label.name for label in labels)
    return msgspec.json.encode(names).decode()


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call(f"/repos/{repositories(config)[0]}/pulls", (("state", "all"), ("per_page", "1")))


SYSTEM = System(
    "github",
    (
        Connector(PULLS, fetch_pulls),
        Connector(ISSUES, fetch_issues),
        Connector(DEPLOYMENTS, fetch_deployments),
        Connector(COMMITS, fetch_commits),
    ),
    Http(BASE_URL, _question, headers),
)
