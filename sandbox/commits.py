"""The commits of the company's repositories, drawn from its plan with a generator of their own: nothing else changes by them.

Engineers commit on weekdays to the tickets they have in progress, most to the one they began first, as with all their work.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from sandbox import calendar, canaries
from sandbox.company import GITLAB_REPO, PEOPLE, TEAMS, token
from sandbox.work import HOUR, SECOND, Pull, Work, day_start

_PURPOSE = 31
# Commits of one engineer on one weekday.
_A_DAY = 1.6
# Shares of subjects: the ticket's key (by how its branch is named), a second ticket of theirs, texts that only look like keys.
_KEYED, _KEYED_ON_PLAIN_BRANCH, _TWO_KEYS, _FALSE_KEYS = 0.85, 0.35, 0.04, 0.06
FALSE_KEYS = ("UTF-8", "GPT-4", "SHA-256", "ISO-8601")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; times are microseconds since 1970. `person` is -1 for a bot; `merged` is when it came to the default branch,
    None when it never did. `is_unlinked`: the author's e-mail address belongs to no account of the host."""

    repo: str
    sha: str
    person: int
    login: str
    subject: str
    keys: tuple[str, ...]
    authored: int
    committed: int
    merged: int | None
    parents: int = 1
    is_unlinked: bool = False

    @property
    def message(self) -> str:
        """Subject and body."""
        return f"{self.subject}\n\n{canaries.COMMIT_BODY}\n"

    def is_shown(self, clock: int) -> bool:
        """The host lists it: GitLab as soon as it is pushed to any branch, GitHub once it is on the default branch."""
        since = self.committed if self.repo == GITLAB_REPO else self.merged
        return since is not None and since <= clock


def commits(seed: int, plan: Work) -> list[Commit]:
    """Every commit of the company for a seed: daily work, the head of each pull request, and the merges."""
    found = [commit for person in range(len(PEOPLE)) for commit in _daily(seed, plan, person)]
    for pull in plan.pulls:
        found.append(_head(plan, pull))
        if pull.merged is not None and pull.merge_sha is not None:
            found.append(_merge(pull))
    return found


def _daily(seed: int, plan: Work, person: int) -> list[Commit]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _PURPOSE, person])))
    days = calendar.MAX_DAYS
    # The same draws whatever becomes of them, so that one day's commits do not depend on another's.
    counts = rng.poisson(_A_DAY, days)
    draws = rng.random((days, 8, 7))
    found: list[Commit] = []
    for number in range(days):
        day = calendar.FIRST_DAY + dt.timedelta(days=number)
        tickets = plan.active.get((person, day), [])
        if day.weekday() >= 5 or not tickets:
            continue
        for nth in range(min(int(counts[number]), 8)):
            made = _work_commit(plan, person, tickets, day_start(day), (number, nth), draws[number, nth])
            if made is not None:
                found.append(made)
    return found


def _work_commit(
    plan: Work, person: int, tickets: list[int], midnight: int, number: tuple[int, int], draw: np.ndarray
) -> Commit | None:
    """A commit to one of the tickets of the day, or None when the ticket was not begun or done already at that hour."""
    weights = np.array([2.0**-n for n in range(len(tickets))])
    issue = plan.issues[tickets[min(int(np.searchsorted(np.cumsum(weights / weights.sum()), draw[0])), len(tickets) - 1)]]
    at = midnight + 8 * HOUR + int(draw[1] * 9 * 3600) * SECOND
    assert issue.started is not None and issue.done is not None
    if not issue.started <= at <= issue.done:
        return None
    keyed = issue.key.lower() in issue.branch
    keys = [issue.key] if draw[2] < (_KEYED if keyed else _KEYED_ON_PLAIN_BRANCH) else []
    if keys and draw[3] < _TWO_KEYS and len(tickets) > 1:
        keys.append(next(plan.issues[t].key for t in tickets if plan.issues[t] is not issue))
    subject = " ".join([*keys, issue.summary])
    if draw[4] < _FALSE_KEYS:
        subject += f", {FALSE_KEYS[number[0] % len(FALSE_KEYS)]} read"
    elif draw[4] > 0.97:
        subject += f" {canaries.COMMIT_SUBJECT}"
    # Now and then it is amended an hour later: the author's time stays.
    committed = at + HOUR if draw[5] < 0.08 else at
    carriers = [p.merged for i in issue.pulls if (p := plan.pulls[i]).merged is not None and p.merged >= committed]
    repo = TEAMS[issue.team].repo
    sha = token("commit", f"{PEOPLE[person].person_id}-{number[0]}-{number[1]}-{issue.key}", 40)
    return Commit(
        repo, sha, person, PEOPLE[person].github_login, subject, tuple(keys), at, committed,
        min((m for m in carriers if m is not None), default=None), is_unlinked=bool(draw[6] < 0.03),
    )  # fmt: skip


def _head(plan: Work, pull: Pull) -> Commit:
    """The commit with which a pull request was opened; its subject became the title."""
    key = plan.issues[pull.issue].key if pull.issue >= 0 else None
    keys = (key,) if key and key in pull.title else ()
    return Commit(pull.repo, pull.sha, pull.author, pull.login, pull.title, keys, pull.created, pull.created, pull.merged)


def _merge(pull: Pull) -> Commit:
    assert pull.merged is not None and pull.merge_sha is not None
    subject = (
        f"Merge branch '{pull.branch}' into 'main'"
        if pull.repo == GITLAB_REPO
        else f"Merge pull request #{pull.number} from acme/{pull.branch}"
    )
    return Commit(
        pull.repo, pull.merge_sha, pull.author, pull.login, subject, (), pull.merged, pull.merged, pull.merged, parents=2
    )
