"""Tickets, sprints, pull requests and deployments of the whole company, with every step's time.

The work is the same for every length of company: a shorter one sees its end. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from sandbox import calendar
from sandbox.company import PEOPLE, REPOS, TEAM_INDEX, TEAMS, WORKFLOWS, members, token

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
STATUSES = {
    "To Do": ("10001", "new"), "In Progress": ("10002", "indeterminate"), "In Review": ("10003", "indeterminate"),
    "Done": ("10004", "done"),
}  # fmt: skip
# Cases that open per day in each workflow; requests of a case fall on the three days after it opened.
CASES_PER_DAY = (6, 1, 1, 2, 1, 1)
CASE_DAYS = 3
_VERBS = ("add", "fix", "cache", "tune", "migrate", "measure", "simplify", "harden", "split", "document")
_NOUNS = ("prompt", "retriever", "router", "export", "quota", "parser", "dashboard", "evaluation", "schema", "webhook")


def micros(instant: dt.datetime) -> int:
    """Microseconds since 1970."""
    return int(instant.timestamp()) * SECOND


def day_start(day: dt.date) -> int:
    """Microseconds since 1970 at which `day` begins, UTC."""
    return (day - dt.date(1970, 1, 1)).days * DAY


@dataclass(slots=True)
class Change:
    """One changed field of an issue."""

    at: int
    author: int
    field: str
    from_id: str | None
    from_text: str | None
    to_id: str | None
    to_text: str | None


@dataclass(slots=True)
class Issue:
    """A ticket. `assignee`, `epic` are indexes or -1; `branch` is empty for work without code."""

    kind: str
    team: int
    summary: str
    created: int
    started: int | None
    done: int | None
    assignee: int = -1
    workflow: int = -1
    epic: int = -1
    points: int | None = None
    sprints: list[str] = field(default_factory=list)
    branch: str = ""
    labels: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    number: int = 0
    pulls: list[int] = field(default_factory=list)

    @property
    def key(self) -> str:
        """`SUPP-12`."""
        return f"{TEAMS[self.team].project}-{self.number}"


@dataclass(slots=True)
class Pull:
    """A pull request. `issue` is -1 when it belongs to no ticket."""

    repo: str
    issue: int
    author: int
    login: str
    title: str
    branch: str
    created: int
    merged: int | None
    closed: int | None
    is_bot: bool = False
    labels: tuple[str, ...] = ()
    number: int = 0
    sha: str = ""
    merge_sha: str | None = None


@dataclass(slots=True)
class Deployment:
    """A deployment of a repository with its status history (state, time)."""

    repo: str
    deployment_id: int
    sha: str
    environment: str
    created: int
    statuses: list[tuple[str, int]]


@dataclass(slots=True)
class Work:
    """Everything the trackers know, and two look-ups for the request generator."""

    issues: list[Issue]
    pulls: list[Pull]
    deployments: list[Deployment]
    # (workflow, day) -> indexes of cases opened that day; (person, day) -> indexes of tickets in progress that day
    cases: dict[tuple[int, dt.date], list[int]]
    active: dict[tuple[int, dt.date], list[int]]


SPRINT_DAYS = 14
_FIRST_SPRINT = dt.date(2025, 8, 4)


def sprint_of(team: int, at: int) -> str:
    """Id of the sprint of a team's board that runs at an instant."""
    return str((team + 1) * 1000 + (at - day_start(_FIRST_SPRINT)) // (SPRINT_DAYS * DAY) + 1)


def sprints(team: int) -> list[tuple[str, str, int, int]]:
    """(id, name, start, end) of every sprint of a team's board, one planned sprint past the end included."""
    count = (calendar.LAST_DAY - _FIRST_SPRINT).days // SPRINT_DAYS + 2
    start = day_start(_FIRST_SPRINT)
    return [
        (str((team + 1) * 1000 + n + 1), f"{TEAMS[team].project} Sprint {n + 1}",
         start + n * SPRINT_DAYS * DAY, start + (n + 1) * SPRINT_DAYS * DAY)
        for n in range(count)
    ]  # fmt: skip


def _weekday_of(at: int) -> int:
    return (at // DAY + 3) % 7


def _next_morning(at: int, rng: np.random.Generator) -> int:
    day = at // DAY + 1
    while (day + 3) % 7 >= 5:
        day += 1
    return day * DAY + 7 * HOUR + int(rng.integers(0, 80)) * 60 * SECOND


def _status_changes(issue: Issue, author: int, review: int | None) -> None:
    def step(at: int, before: str, after: str) -> None:
        issue.changes.append(
            Change(at, author, "status", STATUSES[before][0], before, STATUSES[after][0], after)
        )

    if issue.assignee >= 0:
        account = PEOPLE[issue.assignee].jira_account_id
        at = issue.created + 10 * 60 * SECOND if issue.started is None else max(issue.created, issue.started - HOUR)
        issue.changes.append(Change(at, author, "assignee", None, None, account, PEOPLE[issue.assignee].name))
    if issue.started is not None:
        step(issue.started, "To Do", "In Progress")
    if review is not None:
        step(review, "In Progress", "In Review")
    if issue.done is not None:
        step(issue.done, "In Review" if review is not None else "In Progress", "Done")
        issue.changes.append(Change(issue.done, author, "resolution", None, None, "10000", "Done"))
    issue.changes.sort(key=lambda c: c.at)


def _epics(issues: list[Issue]) -> dict[tuple[int, int], int]:
    found = {}
    for team in range(len(TEAMS)):
        for quarter in range(6):
            year, month = divmod(2025 * 12 + 6 + quarter * 3, 12)
            start = day_start(dt.date(year, month + 1, 1))
            issue = Issue("Epic", team, f"{TEAMS[team].name} goals {year} Q{month // 3 + 1}", start + 9 * HOUR,
                          start + 30 * HOUR, start + 95 * DAY)  # fmt: skip
            _status_changes(issue, members(TEAMS[team].team)[0], None)
            found[team, year * 12 + month] = len(issues)
            issues.append(issue)
    return found


def _epic_at(epics: dict[tuple[int, int], int], team: int, at: int) -> int:
    day = dt.date(1970, 1, 1) + dt.timedelta(days=at // DAY)
    return epics.get((team, day.year * 12 + (day.month - 1) // 3 * 3), -1)


def _tickets(seed: int, issues: list[Issue], epics: dict[tuple[int, int], int]) -> None:
    end = day_start(calendar.LAST_DAY) + DAY + 6 * HOUR
    for person, who in enumerate(PEOPLE):
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 11, person])))
        team = TEAM_INDEX[who.team]
        at = day_start(calendar.FIRST_DAY) - 20 * DAY + int(rng.integers(0, 5)) * DAY
        while at < end:
            started = _next_morning(at, rng)
            length = 1 + int(rng.gamma(2.0, 2.0))
            done = started - started % DAY + length * DAY + 17 * HOUR + int(rng.integers(30, 170)) * 60 * SECOND
            while _weekday_of(done) >= 5:
                done += DAY
            created = started - started % DAY - int(rng.integers(1, 16)) * DAY + int(rng.integers(8, 17)) * HOUR
            kind = ("Story", "Bug", "Task")[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
            summary = f"{_VERBS[int(rng.integers(10))]} {_NOUNS[int(rng.integers(10))]}"
            issue = Issue(
                kind, team, summary, created, started, done, person,
                epic=_epic_at(epics, team, created) if rng.random() < 0.8 else -1,
                points=int(rng.choice([1, 2, 3, 5, 8])) if rng.random() < 0.85 else None,
                branch="keyed" if rng.random() < 0.88 else "plain",
                labels=["ai"] if rng.random() < 0.4 else [],
            )  # fmt: skip
            review = started + (done - started) * 3 // 4 if done - started > DAY else None
            _status_changes(issue, person, review)
            first, last = sprint_of(team, started), sprint_of(team, done)
            issue.sprints = [first]
            issue.changes.append(Change(created + HOUR, person, "Sprint", "", "", first, first))
            if last != first:
                issue.sprints.append(last)
                moved = max(started + HOUR, done - done % DAY - DAY)
                issue.changes.append(Change(moved, person, "Sprint", first, first, f"{first}, {last}", f"{first}, {last}"))
            if rng.random() < 0.04:  # reopened next morning, closed again in the afternoon
                again = _next_morning(done, rng)
                issue.changes.append(Change(again, person, "status", *_pair("Done", "In Progress")))
                issue.changes.append(Change(again + 6 * HOUR, person, "status", *_pair("In Progress", "Done")))
                issue.done = again + 6 * HOUR
            issue.changes.sort(key=lambda c: c.at)
            issues.append(issue)
            at = started + int((done - started) * float(rng.uniform(0.55, 1.05)))


def _pair(before: str, after: str) -> tuple[str, str, str, str]:
    return STATUSES[before][0], before, STATUSES[after][0], after


def _cases(seed: int, issues: list[Issue]) -> dict[tuple[int, dt.date], list[int]]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 12])))
    opened: dict[tuple[int, dt.date], list[int]] = {}
    day = calendar.FIRST_DAY - dt.timedelta(days=CASE_DAYS + 1)
    while day <= calendar.LAST_DAY:
        for workflow, per_day in enumerate(CASES_PER_DAY):
            facts = WORKFLOWS[workflow]
            team = TEAM_INDEX[facts.team]
            crew = members(facts.team)
            for _ in range(per_day):
                created = day_start(day) + int(rng.integers(30, 23 * 60)) * 60 * SECOND
                done = day_start(day) + (CASE_DAYS + 1) * DAY + int(rng.integers(5 * 60, 11 * 60)) * 60 * SECOND
                who = crew[int(rng.integers(len(crew)))]
                issue = Issue("Case", team, f"{facts.name} request {len(issues)}", created, created + 20 * 60 * SECOND,
                              done, who, workflow)  # fmt: skip
                _status_changes(issue, who, None)
                opened.setdefault((workflow, day), []).append(len(issues))
                issues.append(issue)
        day += dt.timedelta(days=1)
    return opened


def _number(issues: list[Issue]) -> None:
    order = sorted(range(len(issues)), key=lambda i: (issues[i].created, i))
    last: dict[int, int] = {}
    for index in order:
        issue = issues[index]
        last[issue.team] = issue.number = last.get(issue.team, 0) + 1
    for issue in issues:
        slug = issue.summary.replace(" ", "-")
        if issue.branch == "keyed":
            issue.branch = f"feature/{issue.key.lower()}-{slug}"
        elif issue.branch == "plain":
            issue.branch = f"{PEOPLE[issue.assignee].github_login}/{slug}-{issue.number}"


def _pulls(seed: int, issues: list[Issue]) -> list[Pull]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 13])))
    pulls: list[Pull] = []
    for index, issue in enumerate(issues):
        if not issue.branch or issue.started is None or issue.done is None:
            continue
        who = PEOPLE[issue.assignee]
        repo = TEAMS[issue.team].repo
        keyed = issue.key.lower() in issue.branch
        opened = issue.started + (issue.done - issue.started) * 7 // 10
        merged = issue.done - int(rng.integers(5, 90)) * 60 * SECOND
        title = f"{issue.key} {issue.summary}" if keyed or rng.random() < 0.6 else issue.summary
        closed_unmerged = rng.random() < 0.03
        pulls.append(Pull(repo, index, issue.assignee, who.github_login, title, issue.branch, opened,
                          None if closed_unmerged else merged, merged, labels=tuple(issue.labels)))  # fmt: skip
        if rng.random() < 0.06 or closed_unmerged:
            pulls.append(Pull(repo, index, issue.assignee, who.github_login, f"{issue.key} follow-up", f"{issue.branch}-2",
                              opened + HOUR, merged + 60 * SECOND, merged + 60 * SECOND))  # fmt: skip
        if rng.random() < 0.015:
            back = merged + 2 * HOUR
            pulls.append(Pull(repo, index, issue.assignee, who.github_login, f'Revert "{title}"',
                              f"revert-{index}-{issue.branch.split('/')[-1]}", back, back + HOUR, back + HOUR))  # fmt: skip
        if rng.random() < 0.04:
            pulls.append(Pull(repo, -1, issue.assignee, who.github_login, "tidy imports", f"{who.github_login}/tidy-{index}",
                              opened, merged - 120 * SECOND, merged - 120 * SECOND))  # fmt: skip
    for repo in REPOS:
        at = day_start(calendar.FIRST_DAY) + 5 * HOUR
        while at < day_start(calendar.LAST_DAY) + DAY:
            merged = at + int(rng.integers(2, 40)) * HOUR if rng.random() < 0.7 else None
            pulls.append(Pull(repo, -1, -1, "dependabot[bot]", "Bump httpcore from 1.0.1 to 1.0.2",
                              f"dependabot/pip/httpcore-{at // DAY}", at, merged, merged, True, ("dependencies",)))  # fmt: skip
            at += int(rng.integers(3, 8)) * DAY
    order = sorted(range(len(pulls)), key=lambda i: (pulls[i].repo, pulls[i].created, i))
    last: dict[str, int] = {}
    for index in order:
        pull = pulls[index]
        # GitHub numbers issues and pull requests together; plain issues take every tenth number.
        number = last.get(pull.repo, 0) + 1
        last[pull.repo] = pull.number = number + 1 if number % 10 == 0 else number
        pull.sha = token("head", f"{pull.repo}-{pull.number}", 40)
        pull.merge_sha = token("merge", f"{pull.repo}-{pull.number}", 40) if pull.merged is not None else None
        if pull.issue >= 0:
            issues[pull.issue].pulls.append(index)
    return pulls


def _deployments(seed: int, pulls: list[Pull]) -> list[Deployment]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 14])))
    found: list[Deployment] = []
    for repo_index, repo in enumerate(REPOS):
        merges = sorted((p.merged, p.merge_sha) for p in pulls if p.repo == repo and p.merged is not None)
        position = -1
        day = calendar.FIRST_DAY
        while day <= calendar.LAST_DAY:
            if day.weekday() in (1, 3):
                at = day_start(day) + 15 * HOUR + int(rng.integers(0, 60)) * 60 * SECOND
                before = position
                while position + 1 < len(merges) and merges[position + 1][0] <= at:
                    position += 1
                if position > before:
                    sha = merges[position][1]
                    number = 700_000 + repo_index * 10_000 + len(found)
                    good = rng.random() < 0.93
                    statuses = [("in_progress", at + 60 * SECOND), ("success" if good else "failure", at + 9 * 60 * SECOND)]
                    if not good:
                        statuses.append(("success", at + 50 * 60 * SECOND))
                    found.append(Deployment(repo, number, sha, "production", at, statuses))
                    if rng.random() < 0.15:
                        found.append(Deployment(repo, number + 5_000, sha, "preview", at - HOUR,
                                                [("success", at - HOUR + 120 * SECOND), ("inactive", at)]))  # fmt: skip
            day += dt.timedelta(days=1)
    return found


def build(seed: int) -> Work:
    """Every ticket, pull request and deployment of the company for a seed."""
    issues: list[Issue] = []
    epics = _epics(issues)
    _tickets(seed, issues, epics)
    cases = _cases(seed, issues)
    _number(issues)
    pulls = _pulls(seed, issues)
    deployments = _deployments(seed, pulls)
    active: dict[tuple[int, dt.date], list[int]] = {}
    epoch = dt.date(1970, 1, 1)
    for index, issue in enumerate(issues):
        if issue.branch and issue.started is not None and issue.done is not None:
            for ordinal in range(issue.started // DAY, issue.done // DAY + 1):
                active.setdefault((issue.assignee, epoch + dt.timedelta(days=ordinal)), []).append(index)
    return Work(issues, pulls, deployments, cases, active)
