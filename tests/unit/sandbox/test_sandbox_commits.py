"""The company's commits follow its plan, are the same for a seed, and change nothing else."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from sandbox import calendar, canaries, work
from sandbox.commits import FALSE_KEYS, Commit, commits
from sandbox.company import GITLAB_REPO, PEOPLE


@pytest.fixture(scope="module")
def plan() -> work.Work:
    return work.build(1)


@pytest.fixture(scope="module")
def made(plan: work.Work) -> list[Commit]:
    return commits(1, plan)


def test_the_same_seed_gives_the_same_commits_and_another_seed_others(plan, made):
    assert made == commits(1, plan)
    assert {c.sha for c in made} != {c.sha for c in commits(2, work.build(2))}


def test_a_commit_belongs_to_work_in_progress_and_no_sha_comes_twice(plan, made):
    by_key = {i.key: i for i in plan.issues}
    heads = {p.sha for p in plan.pulls} | {p.merge_sha for p in plan.pulls}
    daily = [c for c in made if c.sha not in heads]
    assert len({(c.repo, c.sha) for c in made}) == len(made)
    assert len(daily) > 10_000 and all(c.authored <= c.committed and (c.merged is None or c.merged >= c.committed) for c in made)
    for c in daily:
        assert all(by_key[k].started <= c.authored <= by_key[k].done and by_key[k].assignee == c.person for k in c.keys[:1])
    weekdays = Counter((dt.date(1970, 1, 1) + dt.timedelta(days=c.authored // work.DAY)).weekday() for c in daily)
    assert set(weekdays) == {0, 1, 2, 3, 4}


def test_every_kind_of_subject_occurs(plan, made):
    assert {len(c.keys) for c in made} == {0, 1, 2}
    assert all(any(text in c.subject for c in made) for text in FALSE_KEYS)
    assert sum(c.parents == 2 for c in made) == sum(p.merged is not None for p in plan.pulls)
    assert {c.login for c in made if c.person < 0} == {"dependabot[bot]"}
    named = sum(bool(c.keys) for c in made) / len(made)
    print(f"{len(made):,} commits, {named:.0%} with a key, {sum(c.is_unlinked for c in made):,} of unlinked authors")
    assert 0.3 < named < 0.8


def test_github_lists_the_default_branch_newest_first_and_each_commit_once(client):
    seen, url = [], "repos/acme/agents/commits?since=2026-10-01T00:00:00Z&until=2026-10-15T00:00:00Z&per_page=20"
    while url:
        reply = client.github(url)
        seen += reply.json
        link = reply.headers.get("Link", "")
        url = link.split("<")[1].split(">")[0] if 'rel="next"' in link else ""
    dates = [c["commit"]["committer"]["date"] for c in seen]
    assert len({c["sha"] for c in seen}) == len(seen) > 20 and dates == sorted(dates, reverse=True)
    assert all("2026-10-01" <= d <= "2026-10-15" for d in dates)
    assert {len(c["parents"]) for c in seen} == {1, 2} and {(c["author"] or {}).get("type") for c in seen} == {None, "Bot", "User"}
    assert all(c["commit"]["message"].split("\n\n")[1].startswith(canaries.COMMIT_BODY) for c in seen)


def test_gitlab_lists_every_branch_only_when_asked_and_never_counts(client):
    headers = {"private-token": client.env["AISL_GITLAB_TOKEN"]}
    url = f"{client.env['AISL_GITLAB_BASE_URL']}/projects/acme%2Ftooling/repository/commits"
    query = {"since": "2026-10-13T00:00:00Z", "per_page": 100}
    every, main = (client.get(url, headers, {**query, **more}) for more in ({"all": "true"}, {}))
    assert {c["id"] for c in main.json} < {c["id"] for c in every.json} and "X-Total" not in every.headers
    private = {c["author_email"] for c in every.json if "users.noreply" in c["author_email"]}
    known = {p.email for p in PEOPLE}
    assert private and known & {c["author_email"] for c in every.json}
    assert GITLAB_REPO == "tooling" and calendar.LAST_DAY.isoformat() >= every.json[0]["committed_date"][:10]
