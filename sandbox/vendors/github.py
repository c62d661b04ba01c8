"""GitHub REST: pull requests, issues (pull requests among them), deployments and their statuses, commits."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sandbox import calendar, canaries
from sandbox.commits import Commit, commits
from sandbox.company import GITHUB_REPOS, PEOPLE, REPOS, TEAMS, members
from sandbox.vendors.base import Answer, Refusal, Request, World, spoil_records
from sandbox.work import DAY, HOUR, SECOND, Pull, day_start, micros

SECRET = canaries.SECRET_GITHUB
OWNER = "acme"


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {
        "AISL_GITHUB_BASE_URL": base_url,
        "AISL_GITHUB_TOKEN": SECRET,
        "AISL_GITHUB_REPOS": ",".join(f"{OWNER}/{repo}" for repo in GITHUB_REPOS),
    }


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/repos/{owner}/{repo}`, `/user` or `/rate_limit`."""
    if request.header("authorization") not in (f"Bearer {SECRET}", f"token {SECRET}"):
        raise Refusal(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
    if request.path in ("/user", "/rate_limit"):
        return Answer(200, {"login": "acme-ledger", "id": 50_000, "type": "User"})
    parts = request.path.strip("/").split("/")
    if len(parts) < 3 or parts[0] != "repos" or parts[1] != OWNER or parts[2] not in GITHUB_REPOS:
        raise Refusal(404, {"message": "Not Found"})
    repo, rest = parts[2], parts[3:]
    if not rest:
        return Answer(200, {"id": 900 + REPOS.index(repo), "full_name": f"{OWNER}/{repo}", "default_branch": "main"})
    if rest == ["pulls"]:
        return _page(world, request, _pulls(world, request, repo))
    if rest == ["issues"]:
        return _page(world, request, _issues(world, request, repo))
    if rest == ["deployments"]:
        return _page(world, request, _deployments(world, request, repo))
    if rest == ["commits"]:
        return _page(world, request, _commits(world, request, repo))
    if len(rest) == 3 and rest[0] == "deployments" and rest[2] == "statuses":
        return _page(world, request, _statuses(world, repo, rest[1]))
    raise Refusal(404, {"message": "Not Found"})


def _page(world: World, request: Request, items: list[dict[str, Any]]) -> Answer:
    size, number = int(request.one("per_page", "30")), int(request.one("page", "1"))
    size = min(max(size, 1), 100)
    last = max(1, -(-len(items) // size))
    page = spoil_records(world.faults, "github", request.path, items[(number - 1) * size : number * size], ("number",))
    headers = {"X-GitHub-Media-Type": "github.v3; format=json"}
    links = []
    if number < last and not world.faults.find("missing_page", "github", request.path):
        for name, to in (("next", number + 1), ("last", last)):
            query = "&".join([f"{k}={v}" for k, vs in request.query.items() if k != "page" for v in vs] + [f"page={to}"])
            links.append(f'<{request.base_url}{request.path}?{query}>; rel="{name}"')
        headers["Link"] = ", ".join(links)
    return Answer(200, page, headers)


def _time(micro: int | None) -> str | None:
    return None if micro is None else calendar.iso(dt.datetime.fromtimestamp(micro / SECOND, calendar.UTC))


def _user(person: int, login: str) -> dict[str, Any]:
    if person < 0:
        return {"id": 49_699_333, "login": login, "type": "Bot"}
    return {"id": PEOPLE[person].github_id, "login": login, "type": "User"}


def _touched(pull: Pull, clock: int) -> int:
    """Last update of a pull request that is visible at `clock`; its head is pushed to until it closes."""
    if pull.closed is not None and pull.closed <= clock:
        return pull.closed
    return pull.created


def _since_start(world: World) -> int:
    return day_start(world.company.days[0]) - 30 * DAY


def _pull_records(world: World, repo: str) -> list[tuple[int, dict[str, Any]]]:
    clock, floor = micros(world.clock), _since_start(world)
    found = []
    for pull in world.company.plan.pulls:
        if pull.repo != repo or pull.created > clock or _touched(pull, clock) < floor:
            continue
        closed = pull.closed is not None and pull.closed <= clock
        merged = closed and pull.merged is not None
        found.append((_touched(pull, clock), {
            "id": 3_000_000 + REPOS.index(repo) * 100_000 + pull.number, "node_id": f"PR_{repo}{pull.number}",
            "number": pull.number, "state": "closed" if closed else "open", "title": pull.title,
            "body": f"{canaries.PULL_BODY}", "user": _user(pull.author, pull.login),
            "head": {"ref": pull.branch, "sha": pull.sha, "repo": {"full_name": f"{OWNER}/{repo}"}},
            "base": {"ref": "main"}, "labels": [{"id": 1, "name": name} for name in pull.labels], "draft": False,
            "milestone": None, "author_association": "MEMBER",
            "merge_commit_sha": pull.merge_sha if merged else None, "created_at": _time(pull.created),
            "updated_at": _time(_touched(pull, clock)), "closed_at": _time(pull.closed) if closed else None,
            "merged_at": _time(pull.merged) if merged else None,
        }))  # fmt: skip
    return sorted(found, key=lambda f: (-f[0], -f[1]["id"]))


def _pulls(world: World, request: Request, repo: str) -> list[dict[str, Any]]:
    state = request.one("state", "open")
    records = [r for _, r in world.once(("github-pulls", repo), lambda: _pull_records(world, repo))]
    if state != "all":
        records = [r for r in records if r["state"] == state]
    if request.one("sort", "created") == "created":
        records = sorted(records, key=lambda r: r["created_at"], reverse=request.one("direction", "desc") == "desc")
    elif request.one("direction", "desc") == "asc":
        records = records[::-1]
    return records


def _issue_records(world: World, repo: str) -> list[tuple[int, dict[str, Any]]]:
    clock, floor = micros(world.clock), _since_start(world)
    found = []
    team = next(t for t in TEAMS if t.repo == repo)
    crew = members(team.team)
    span = (world.company.plan.pulls and max(p.number for p in world.company.plan.pulls if p.repo == repo)) or 0
    begin, end = day_start(calendar.FIRST_DAY), day_start(calendar.LAST_DAY)
    for number in range(10, span, 10):
        created = begin + (end - begin) * number // span + 9 * HOUR
        closed_at = created + (number % 70) * HOUR + 5 * HOUR
        if created > clock:
            continue
        closed = closed_at <= clock
        touched = closed_at if closed else created
        if touched < floor:
            continue
        author, assignee = crew[number % len(crew)], crew[(number // 10) % len(crew)]
        found.append((touched, {
            "id": 2_000_000 + REPOS.index(repo) * 100_000 + number, "number": number, "title": f"Report {number}",
            "state": "closed" if closed else "open",
            "state_reason": (("not_planned" if number % 30 == 0 else "completed") if closed else None),
            "user": _user(author, PEOPLE[author].github_login), "assignee": _user(assignee, PEOPLE[assignee].github_login),
            "assignees": [_user(assignee, PEOPLE[assignee].github_login)], "labels": [{"id": 2, "name": "bug"}],
            "body": canaries.PULL_BODY, "created_at": _time(created), "updated_at": _time(touched),
            "closed_at": _time(closed_at) if closed else None,
        }))  # fmt: skip
    for touched, pull in world.once(("github-pulls", repo), lambda: _pull_records(world, repo)):
        # The same number, another id: to the issues endpoint a pull request is an issue with one more key.
        found.append((touched, {
            "id": pull["id"] + 5_000_000, "number": pull["number"], "title": pull["title"], "state": pull["state"],
            "state_reason": None, "user": pull["user"], "assignee": None, "assignees": [], "labels": pull["labels"],
            "body": pull["body"], "created_at": pull["created_at"], "updated_at": pull["updated_at"],
            "closed_at": pull["closed_at"], "pull_request": {"merged_at": pull["merged_at"]},
        }))  # fmt: skip
    return sorted(found, key=lambda f: (-f[0], -f[1]["id"]))


def _issues(world: World, request: Request, repo: str) -> list[dict[str, Any]]:
    records = world.once(("github-issues", repo), lambda: _issue_records(world, repo))
    since = micros(calendar.parse_instant(request.one("since"))) if request.one("since") else 0
    state = request.one("state", "open")
    kept = [r for at, r in records if at >= since and state in ("all", r["state"])]
    if request.one("sort", "created") == "created":
        kept.sort(key=lambda r: r["created_at"], reverse=True)
    return kept[::-1] if request.one("direction", "desc") == "asc" else kept


def _commits(world: World, request: Request, repo: str) -> list[dict[str, Any]]:
    """Commits of the default branch, newest first; `since` and `until` go by when they were committed."""
    clock, floor = micros(world.clock), _since_start(world)
    company = world.company
    every = world.once("commits", lambda: commits(company.seed, company.plan))
    records = world.once(("github-commits", repo), lambda: sorted(
        ((c.committed, _commit(c)) for c in every if c.repo == repo and c.committed >= floor and c.is_shown(clock)),
        key=lambda f: (-f[0], f[1]["sha"]),
    ))  # fmt: skip
    since, until = (request.one(name) for name in ("since", "until"))
    first = micros(calendar.parse_instant(since)) if since else 0
    last = micros(calendar.parse_instant(until)) if until else clock
    return [record for at, record in records if first <= at <= last]


def _commit(c: Commit) -> dict[str, Any]:
    email = "49699333+dependabot[bot]@users.noreply.github.com" if c.person < 0 else PEOPLE[c.person].email
    account = None if c.is_unlinked else _user(c.person, c.login)
    signed = {"name": canaries.COMMIT_AUTHOR, "email": email}
    return {
        "sha": c.sha, "node_id": f"C_{c.sha[:12]}", "url": f"https://api.github.example/commits/{c.sha}", "author": account,
        "committer": {"id": 19_864_447, "login": "web-flow", "type": "User"} if c.parents > 1 else account,
        "commit": {
            "author": {**signed, "date": _time(c.authored)}, "committer": {**signed, "date": _time(c.committed)},
            "message": c.message, "tree": {"sha": c.sha[::-1]}, "comment_count": 0,
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None},
        },
        "parents": [{"sha": f"{c.sha[n:]}{c.sha[:n]}"} for n in range(1, c.parents + 1)],
    }  # fmt: skip


def _deployments(world: World, request: Request, repo: str) -> list[dict[str, Any]]:
    clock, floor = micros(world.clock), _since_start(world)
    environment = request.one("environment")
    records = [
        {
            "id": d.deployment_id, "sha": d.sha, "ref": "main", "task": "deploy", "environment": d.environment,
            "original_environment": d.environment, "creator": {"id": 49_699_334, "login": "acme-release[bot]", "type": "Bot"},
            "production_environment": d.environment == "production", "transient_environment": d.environment == "preview",
            "created_at": _time(d.created), "updated_at": _time(max([d.created, *(at for _, at in d.statuses if at <= clock)])),
        }
        for d in world.company.plan.deployments
        if d.repo == repo and floor <= d.created <= clock and environment in ("", d.environment)
    ]  # fmt: skip
    return sorted(records, key=lambda r: (r["created_at"], r["id"]), reverse=True)


def _statuses(world: World, repo: str, deployment: str) -> list[dict[str, Any]]:
    clock = micros(world.clock)
    by_id = world.once("github-deployments", lambda: {str(d.deployment_id): d for d in world.company.plan.deployments})
    found = by_id.get(deployment)
    if found is None or found.repo != repo or found.created > clock:
        raise Refusal(404, {"message": "Not Found"})
    return [
        {"id": found.deployment_id * 10 + n, "state": state, "created_at": _time(at), "updated_at": _time(at),
         "environment": found.environment, "creator": {"id": 49_699_334, "login": "acme-release[bot]", "type": "Bot"}}
        for n, (state, at) in reversed(list(enumerate(found.statuses)))
        if at <= clock
    ]  # fmt: skip
