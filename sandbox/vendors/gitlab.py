"""GitLab REST v4: merge requests, issues, deployments and commits of one project."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote, unquote

from sandbox import calendar, canaries
from sandbox.commits import Commit, commits
from sandbox.company import GITLAB_REPO, LINEAR_TEAM, PEOPLE, members
from sandbox.vendors.base import Answer, Refusal, Request, World, spoil_records
from sandbox.work import DAY, HOUR, SECOND, Deployment, Pull, day_start, micros

SECRET = canaries.SECRET_GITLAB
PROJECT = f"acme/{GITLAB_REPO}"
PROJECT_ID = 88
_BOT = {"id": 7_000_001, "username": f"project_{PROJECT_ID}_bot_4f1c22", "name": "dependency updates", "state": "active"}
_RELEASE_BOT = {"id": 7_000_002, "username": f"project_{PROJECT_ID}_bot_9d0e31", "name": "release", "state": "active"}
Records = list[tuple[int, dict[str, Any]]]


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_GITLAB_BASE_URL": f"{base_url}/api/v4", "AISL_GITLAB_TOKEN": SECRET, "AISL_GITLAB_PROJECTS": PROJECT}


def identities() -> list[tuple[str, str, str]]:
    """Half of the team by id, the others by username."""
    crew = members(LINEAR_TEAM)
    by_id = [(PEOPLE[p].person_id, "gitlab_user_id", str(_user(p)["id"])) for p in crew[::2]]
    return by_id + [(PEOPLE[p].person_id, "gitlab_username", _user(p)["username"]) for p in crew[1::2]]


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/api/v4/projects/{id or path}`."""
    if request.header("private-token") != SECRET and request.header("authorization") != f"Bearer {SECRET}":
        raise Refusal(401, {"message": "401 Unauthorized"})
    parts = request.path.strip("/").split("/")
    if parts[:3] != ["api", "v4", "projects"] or len(parts) < 5 or unquote(parts[3]) not in (PROJECT, str(PROJECT_ID)):
        raise Refusal(404, {"message": "404 Project Not Found"})
    if parts[4:] == ["repository", "commits"]:
        return _page(world, request, _commits(world, request), is_counted=False)
    kinds = {"merge_requests": _merge_requests, "issues": _issues, "deployments": _deployments}
    if len(parts) != 5 or parts[4] not in kinds:
        raise Refusal(404, {"error": "404 Not Found"})
    if parts[4] == "deployments" and request.one("updated_after") and request.one("order_by") != "updated_at":
        raise Refusal(400, {"message": "400 Bad request - `updated_at` filter and `updated_at` sorting must be paired"})
    records = world.once(("gitlab", parts[4]), lambda: kinds[parts[4]](world))
    since = micros(calendar.parse_instant(request.one("updated_after"))) if request.one("updated_after") else 0
    state = request.one("state", "all")
    kept = [(at, r) for at, r in records if at >= since and state in ("all", r.get("state"))]
    if request.one("order_by", "created_at") == "updated_at":
        kept.sort(key=lambda found: (found[0], found[1]["id"]))
    else:
        kept.sort(key=lambda found: (found[1]["created_at"], found[1]["id"]))
    if request.one("sort", "desc") == "desc":
        kept.reverse()
    return _page(world, request, [r for _, r in kept])


def _page(world: World, request: Request, items: list[dict[str, Any]], is_counted: bool = True) -> Answer:
    size, number = min(max(int(request.one("per_page", "20")), 1), 100), int(request.one("page", "1"))
    last = max(1, -(-len(items) // size))
    page = spoil_records(world.faults, "gitlab", request.path, items[(number - 1) * size : number * size], ("iid",))
    headers = {"X-Page": str(number), "X-Per-Page": str(size), "X-Next-Page": ""}
    if is_counted:
        headers |= {"X-Total": str(len(items)), "X-Total-Pages": str(last)}
    if number < last and not world.faults.find("missing_page", "gitlab", request.path):
        headers["X-Next-Page"] = str(number + 1)
        query = "&".join(
            [f"{k}={quote(v)}" for k, vs in request.query.items() if k != "page" for v in vs] + [f"page={number + 1}"]
        )
        headers["Link"] = f'<{request.base_url}{request.path}?{query}>; rel="next"'
    return Answer(200, page, headers)


def _commits(world: World, request: Request) -> list[dict[str, Any]]:
    """Commits, newest first; of every branch with `all=true`, else of the default branch."""
    clock = micros(world.clock)
    records = world.once("gitlab-commits", lambda: _commit_records(world))
    since, until = (request.one(name) for name in ("since", "until"))
    first = micros(calendar.parse_instant(since)) if since else 0
    last = micros(calendar.parse_instant(until)) if until else clock
    every = request.one("all") == "true"
    return [
        record for c, record in records
        if first <= c.committed <= last and (every or (c.merged is not None and c.merged <= clock))
    ]  # fmt: skip


def _commit_records(world: World) -> list[tuple[Commit, dict[str, Any]]]:
    clock, floor, company = micros(world.clock), _floor(world), world.company
    every = world.once("commits", lambda: commits(company.seed, company.plan))
    shown = (c for c in every if c.repo == GITLAB_REPO and floor <= c.committed and c.is_shown(clock))
    return [(c, _commit(c)) for c in sorted(shown, key=lambda c: (-c.committed, c.sha))]


def _commit(c: Commit) -> dict[str, Any]:
    """The author is an e-mail address; every other engineer keeps theirs private, so it is one of the host's."""
    email = f"{_BOT['username']}@noreply.gitlab.example"
    if c.person >= 0:
        user = _user(c.person)
        email = PEOPLE[c.person].email if c.person % 2 else f"{user['id']}-{user['username']}@users.noreply.gitlab.com"
    return {
        "id": c.sha, "short_id": c.sha[:8], "created_at": _time(c.committed), "title": c.subject, "message": c.message,
        "parent_ids": [f"{c.sha[n:]}{c.sha[:n]}" for n in range(1, c.parents + 1)],
        "author_name": canaries.COMMIT_AUTHOR, "author_email": email, "authored_date": _time(c.authored),
        "committer_name": canaries.COMMIT_AUTHOR, "committer_email": email, "committed_date": _time(c.committed),
        "trailers": {}, "extended_trailers": {}, "web_url": f"https://gitlab.example/{PROJECT}/-/commit/{c.sha}",
    }  # fmt: skip


def _time(micro: int | None) -> str | None:
    """Milliseconds, and the instance's own offset."""
    if micro is None:
        return None
    moment = dt.datetime.fromtimestamp(micro / SECOND, dt.timezone(dt.timedelta(hours=2)))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+02:00")


def _user(person: int) -> dict[str, Any]:
    who = PEOPLE[person]
    return {"id": 6_000_000 + person, "username": f"{who.github_login}.gl", "name": who.name, "state": "active"}


def _floor(world: World) -> int:
    return day_start(world.company.days[0]) - 30 * DAY


def _merge_requests(world: World) -> Records:
    clock = micros(world.clock)
    found = []
    for pull in world.company.plan.pulls:
        closed = pull.closed is not None and pull.closed <= clock
        touched = pull.closed if closed and pull.closed is not None else pull.created
        if pull.repo == GITLAB_REPO and pull.created <= clock and touched >= _floor(world):
            found.append((touched, _merge_request(pull, closed, touched)))
    return found


def _merge_request(pull: Pull, closed: bool, touched: int) -> dict[str, Any]:
    merged = closed and pull.merged is not None
    return {
        "id": 30_000_000 + pull.number, "iid": pull.number, "project_id": PROJECT_ID, "title": pull.title,
        "description": canaries.GITLAB_DESCRIPTION, "state": "merged" if merged else "closed" if closed else "opened",
        "created_at": _time(pull.created), "updated_at": _time(touched), "merged_at": _time(pull.merged) if merged else None,
        "closed_at": _time(pull.closed) if closed and not merged else None, "source_branch": pull.branch, "target_branch": "main",
        "author": _BOT if pull.author < 0 else _user(pull.author), "merge_user": _user(members(LINEAR_TEAM)[0]) if merged else None,
        "assignees": [], "reviewers": [], "labels": list(pull.labels), "milestone": None, "draft": False, "sha": pull.sha,
        "merge_commit_sha": pull.merge_sha if merged else None, "squash_commit_sha": None,
        "references": {"full": f"{PROJECT}!{pull.number}"}, "time_stats": {"time_estimate": 0, "total_time_spent": 0},
    }  # fmt: skip


def _issues(world: World) -> Records:
    clock = micros(world.clock)
    crew = members(LINEAR_TEAM)
    found = []
    for number in range(1, 41):
        created = day_start(calendar.FIRST_DAY) + number * 10 * DAY + 9 * HOUR
        closed_at = created + (number % 7 + 1) * DAY
        touched = closed_at if closed_at <= clock else created
        if created > clock or touched < _floor(world):
            continue
        confidential = number % 8 == 0
        found.append((touched, {
            "id": 40_000_000 + number, "iid": number, "project_id": PROJECT_ID,
            "title": canaries.GITLAB_CONFIDENTIAL if confidential else f"Report {number}", "description": canaries.GITLAB_DESCRIPTION,
            "state": "closed" if closed_at <= clock else "opened", "created_at": _time(created), "updated_at": _time(touched),
            "closed_at": _time(closed_at) if closed_at <= clock else None, "labels": ["bug"], "milestone": None,
            "author": _user(crew[number % len(crew)]), "assignees": [_user(crew[(number + 1) % len(crew)])], "issue_type": "issue",
            "weight": None, "iteration": None, "epic": None, "confidential": confidential, "moved_to_id": None,
        }))  # fmt: skip
    return found


def _deployments(world: World) -> Records:
    """A deployment that failed and went well later is two here: the job was run again."""
    clock = micros(world.clock)
    found = []
    for d in world.company.plan.deployments:
        if d.repo != GITLAB_REPO:
            continue
        failed = next((at for state, at in d.statuses if state == "failure"), None)
        good = next((at for state, at in d.statuses if state == "success"), None)
        attempts = [(0, d.created, failed, "failed"), (1, failed, good, "success")] if failed else [(0, d.created, good, "success")]
        for ordinal, begun, ended, outcome in attempts:
            if begun is not None and ended is not None and _floor(world) <= begun <= clock:
                found.append(_deployment(d, ordinal, begun, ended, outcome if ended <= clock else "running", clock))
    return found


def _deployment(d: Deployment, ordinal: int, begun: int, ended: int, status: str, clock: int) -> tuple[int, dict[str, Any]]:
    touched = ended if ended <= clock else begun
    number = d.deployment_id * 2 + ordinal
    job = {"id": number * 10, "status": status, "name": "deploy", "ref": "main", "started_at": _time(begun),
           "finished_at": _time(ended) if ended <= clock else None, "duration": (touched - begun) / SECOND,
           "commit": {"id": d.sha, "message": canaries.GITLAB_DESCRIPTION}, "pipeline": {"id": number * 100, "sha": d.sha, "ref": "main"}}  # fmt: skip
    tier = "production" if d.environment == "production" else "development"
    return touched, {
        "id": number, "iid": number % 10_000, "ref": "main", "sha": d.sha, "status": status, "created_at": _time(begun),
        "updated_at": _time(touched), "user": _RELEASE_BOT, "deployable": job,
        "environment": {"id": 1, "name": d.environment, "slug": d.environment, "tier": tier, "external_url": None},
    }  # fmt: skip
