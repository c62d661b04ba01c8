"""Linear GraphQL: one team's issues, their history, cycles, states, people and links to merge requests.

Answers hold the selected fields and no others; an unknown field or a query that is too complex is refused as a whole.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox import calendar, canaries
from sandbox.company import GITLAB_REPO, LINEAR_TEAM, PEOPLE, TEAM_INDEX, TEAMS, members, token
from sandbox.vendors.base import Answer, Refusal, Request, World, cursor, position, spoil_records
from sandbox.work import DAY, SECOND, Issue, day_start, micros, sprints

SECRET = canaries.SECRET_LINEAR
TEAM = TEAM_INDEX[LINEAR_TEAM]
GITLAB_URL = f"https://gitlab.acme.example/acme/{GITLAB_REPO}/-/merge_requests"
MOST_COMPLEX = 10_000
LARGEST_PAGE = 250
_STATES = {
    "To Do": "unstarted", "In Progress": "started", "In Review": "started", "Done": "completed", "Backlog": "backlog",
    "Canceled": "canceled",
}  # fmt: skip
_ARCHIVED_AFTER = 90 * DAY
_TOKENS = re.compile(r'"[^"]*"|[A-Za-z_$][A-Za-z0-9_]*|[0-9.]+|[{}():,\[\]!=]')
Record = dict[str, Any]


def _uuid(kind: str, name: str) -> str:
    digits = token(f"linear-{kind}", name, 32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def user_id(person: int) -> str:
    """Linear's id of a person."""
    return _uuid("user", PEOPLE[person].person_id)


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_LINEAR_BASE_URL": base_url, "AISL_LINEAR_API_KEY": SECRET, "AISL_LINEAR_TEAMS": TEAMS[TEAM].project}


def identities() -> list[tuple[str, str, str]]:
    """The company lists half of the team; the others are found by e-mail and, the last one, by their GitHub id."""
    return [(PEOPLE[p].person_id, "linear_user_id", user_id(p)) for p in members(LINEAR_TEAM)[:3]]


@dataclass
class _Field:
    """One selected field: the name it is answered under, its arguments and what is selected below it."""

    alias: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    below: list[_Field] = field(default_factory=list)


def _refuse(code: str, message: str) -> Refusal:
    return Refusal(400, {"errors": [{"message": message, "extensions": {"code": code, "type": code.lower()}}]})


def handle(world: World, request: Request) -> Answer:
    """Answer a query posted to `/graphql`."""
    if request.header("authorization") != SECRET:
        raise Refusal(401, {"errors": [{"message": "Authentication required", "extensions": {"code": "AUTHENTICATION_ERROR"}}]})
    if request.path != "/graphql" or request.method != "POST":
        raise Refusal(404, {"errors": [{"message": "not found"}]})
    body = msgspec.json.decode(request.body)
    selected = _parse(body["query"], body.get("variables") or {})
    complexity = sum(_complexity(f) for f in selected)
    if complexity > MOST_COMPLEX:
        raise _refuse("INPUT_ERROR", "Query too complex")
    data = {f.alias: _root(world, f) for f in selected}
    headers = {"X-Complexity": str(complexity), "X-RateLimit-Requests-Limit": "1500", "X-RateLimit-Requests-Remaining": "1400"}
    return Answer(200, {"data": data}, headers)


def _parse(query: str, variables: dict[str, Any]) -> list[_Field]:
    words = _TOKENS.findall(query)
    at = words.index("{") + 1
    found, _ = _selection(words, at, variables)
    return found


def _selection(words: list[str], at: int, variables: dict[str, Any]) -> tuple[list[_Field], int]:
    found = []
    while words[at] != "}":
        one = _Field(words[at], words[at])
        at += 1
        if words[at] == ":":
            one.name, at = words[at + 1], at + 2
        if words[at] == "(":
            at += 1
            while words[at] != ")":
                name, value = words[at], words[at + 2]
                one.arguments[name] = variables.get(value[1:]) if value[0] == "$" else value
                at += 3 + (words[at + 3] == ",")
            at += 1
        if words[at] == "{":
            one.below, at = _selection(words, at + 1, variables)
        found.append(one)
    return found, at + 1


def _complexity(one: _Field) -> int:
    """Points: a field 1, an object 1 more, a connection times its page size."""
    below = sum(_complexity(f) for f in one.below)
    size = int(one.arguments.get("first") or 50) if any(f.name == "nodes" for f in one.below) else 1
    return 1 + below * size


def _root(world: World, one: _Field) -> Any:
    records: dict[str, Callable[[World], list[Record]]] = {
        "issues": _issues, "attachments": _attachments, "cycles": _cycles, "teams": _teams, "workflowStates": _states, "users": _users,
    }  # fmt: skip
    if one.name == "issue":
        chosen = next((r for r in _issues(world) if one.arguments.get("id") in (r["id"], r["identifier"])), None)
        if chosen is None:
            raise _refuse("INVALID_INPUT", "Entity not found: Issue")
        return _shown(chosen, one.below)
    if one.name not in records:
        raise _refuse("GRAPHQL_VALIDATION_FAILED", f'Cannot query field "{one.name}" on type "Query".')
    kept = world.once(("linear", one.name), lambda: records[one.name](world))
    if str(one.arguments.get("includeArchived")).lower() != "true":
        kept = [r for r in kept if not r.get("archivedAt")]
    for name, condition in (one.arguments.get("filter") or {}).items():
        kept = [r for r in kept if _matches(r.get(name), condition)]
    order = one.arguments.get("orderBy") or "createdAt"
    kept = sorted(kept, key=lambda r: (r.get(order) or "", r["id"]), reverse=True)
    return _connection(world, one, kept)


def _matches(value: Any, condition: dict[str, Any]) -> bool:
    for operator, wanted in condition.items():
        if isinstance(wanted, dict):
            if not _matches((value or {}).get(operator), wanted):
                return False
        elif operator == "in":
            if value not in wanted:
                return False
        elif operator in ("gte", "lt"):
            shown = calendar.parse_instant(value)
            limit = calendar.parse_instant(wanted)
            if shown < limit if operator == "gte" else shown >= limit:
                return False
        else:
            raise _refuse("INVALID_INPUT", f"unknown comparator {operator}")
    return True


def _connection(world: World, one: _Field, records: list[Record]) -> Record:
    size = int(one.arguments.get("first") or 50)
    if size > LARGEST_PAGE:
        raise _refuse("INPUT_ERROR", f"first must not be greater than {LARGEST_PAGE}")
    try:
        start = position(one.name, one.arguments["after"]) if one.arguments.get("after") else 0
    except ValueError as wrong:
        raise _refuse("INVALID_INPUT", "invalid cursor") from wrong
    page = records[start : start + size]
    more = start + size < len(records) and world.faults.find("missing_page", "linear", one.name) is None
    shown: Record = {}
    for part in one.below:
        if part.name == "nodes":
            nodes = [_shown(r, part.below) for r in page]
            shown[part.alias] = spoil_records(world.faults, "linear", one.name, nodes, ("estimate",))
        elif part.name == "pageInfo":
            info = {"hasNextPage": more, "endCursor": cursor(one.name, start + len(page)) if page else None}
            shown[part.alias] = _shown(info, part.below)
        else:
            raise _refuse("GRAPHQL_VALIDATION_FAILED", f'Cannot query field "{part.name}" on a connection.')
    return shown


def _shown(record: Record, below: list[_Field]) -> Record:
    shown = {}
    for part in below:
        if part.name not in record:
            raise _refuse("GRAPHQL_VALIDATION_FAILED", f'Cannot query field "{part.name}".')
        value = record[part.name]
        if isinstance(value, list) and part.below:
            size = int(part.arguments.get("first") or 50)
            info = {"hasNextPage": len(value) > size, "endCursor": cursor(part.name, size) if value else None}
            inner = {f.alias: [_shown(v, f.below) for v in value[:size]] if f.name == "nodes" else _shown(info, f.below) for f in part.below}
            shown[part.alias] = inner
        else:
            shown[part.alias] = _shown(value, part.below) if isinstance(value, dict) else value
    return shown


def _time(micro: int | None) -> str | None:
    if micro is None:
        return None
    return dt.datetime.fromtimestamp(micro / SECOND, calendar.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _issues(world: World) -> list[Record]:
    clock, floor = micros(world.clock), day_start(world.company.days[0]) - 30 * DAY
    found = []
    for issue in world.company.plan.issues:
        # What Jira calls an epic is a project here, and a project is no issue.
        if issue.team == TEAM and issue.kind != "Epic" and issue.created <= clock:
            record = _issue(world, issue, clock)
            if record["updatedAt"] >= (_time(floor) or ""):
                found.append(record)
    return found


def _issue(world: World, issue: Issue, clock: int) -> Record:
    past = [c for c in issue.changes if c.at <= clock]
    state = next((c.to_text for c in reversed(past) if c.field == "status"), "To Do")
    assignee = next((c.to_id for c in reversed(past) if c.field == "assignee"), None)
    person = next((p for p in members(LINEAR_TEAM) if PEOPLE[p].jira_account_id == assignee), None)
    planned = next((c.to_id for c in reversed(past) if c.field == "Sprint"), "")
    done = next((c.at for c in reversed(past) if c.field == "status"), None) if state == "Done" else None
    started = next((c.at for c in past if c.field == "status" and c.to_text == "In Progress"), None)
    updated = max([issue.created, *(c.at for c in past)])
    epic = world.company.plan.issues[issue.epic] if issue.epic >= 0 else None
    archived = done + _ARCHIVED_AFTER if done is not None and done + _ARCHIVED_AFTER <= clock else None
    return {
        "id": _uuid("issue", issue.key), "identifier": issue.key, "number": float(issue.number), "previousIdentifiers": [],
        "title": issue.summary, "description": canaries.LINEAR_DESCRIPTION, "branchName": issue.branch,
        "estimate": float(issue.points) if issue.points else None, "priority": 3.0, "priorityLabel": "Medium",
        "labelIds": [_uuid("label", name) for name in issue.labels], "trashed": None, "url": f"https://linear.app/acme/issue/{issue.key}",
        "createdAt": _time(issue.created), "updatedAt": _time(updated), "startedAt": _time(started), "completedAt": _time(done),
        "canceledAt": None, "archivedAt": _time(archived), "team": _team(),
        "state": {"id": _uuid("state", state), "name": state, "type": _STATES[state]},
        "assignee": {"id": user_id(person), "name": PEOPLE[person].name} if person is not None else None, "delegate": None,
        "cycle": {"id": _uuid("cycle", planned.split(",")[-1].strip())} if planned else None,
        "project": {"id": _uuid("project", epic.key), "name": epic.summary} if epic else None, "parent": None,
        "history": [e for n, c in enumerate(past) if (e := _entry(issue, n, c))],
    }  # fmt: skip


def _entry(issue: Issue, number: int, change: Any) -> Record | None:
    names = ("State", "Assignee", "Cycle", "Team")
    entry: Record = {
        "id": _uuid("history", f"{issue.key}-{number}"), "createdAt": _time(change.at), "actorId": user_id(change.author),
        "fromEstimate": None, "toEstimate": None, **{f"{side}{name}Id": None for side in ("from", "to") for name in names},
    }  # fmt: skip
    if change.field == "status":
        entry |= {"fromStateId": _uuid("state", change.from_text), "toStateId": _uuid("state", change.to_text)}
    elif change.field == "assignee":
        people = {PEOPLE[p].jira_account_id: user_id(p) for p in members(LINEAR_TEAM)}
        entry |= {"fromAssigneeId": people.get(change.from_id), "toAssigneeId": people.get(change.to_id)}
    elif change.field == "Sprint":
        sides = [_uuid("cycle", s.split(",")[-1].strip()) if s else None for s in (change.from_id, change.to_id)]
        entry |= {"fromCycleId": sides[0], "toCycleId": sides[1]}
    else:
        return None
    return entry


def _attachments(world: World) -> list[Record]:
    """Linear links what names the issue in branch or title, and people link what they like."""
    clock = micros(world.clock)
    shown = {r["identifier"] for r in _issues(world)}
    found = []
    for issue in world.company.plan.issues:
        if issue.team != TEAM or issue.key not in shown:
            continue
        target = {"id": _uuid("issue", issue.key), "identifier": issue.key}
        links = [
            (f"{GITLAB_URL}/{p.number}", "gitlab", p.created)
            for p in (world.company.plan.pulls[i] for i in issue.pulls)
            if p.created <= clock and (issue.key.lower() in p.branch or issue.key in p.title)
        ]
        if issue.number % 9 == 0:
            links.append((f"https://chat.example/archives/{issue.number}", "slack", issue.created))
        found += [
            {"id": _uuid("attachment", url), "url": url, "title": "", "sourceType": kind, "metadata": {}, "issue": target,
             "createdAt": _time(at), "updatedAt": _time(at)}
            for url, kind, at in links
        ]  # fmt: skip
    return found


def _team() -> Record:
    return {"id": _uuid("team", LINEAR_TEAM), "key": TEAMS[TEAM].project, "name": TEAMS[TEAM].name}


def _teams(world: World) -> list[Record]:
    return [_team()]


def _states(world: World) -> list[Record]:
    return [{"id": _uuid("state", name), "name": name, "type": kind, "team": _team()} for name, kind in _STATES.items()]


def _cycles(world: World) -> list[Record]:
    clock, floor = micros(world.clock), day_start(world.company.days[0]) - 30 * DAY
    return [
        {"id": _uuid("cycle", sprint), "number": float(int(sprint) % 1000), "name": name, "startsAt": _time(start),
         "endsAt": _time(end), "completedAt": _time(end) if end <= clock else None, "progress": 0.5, "team": _team()}
        for sprint, name, start, end in sprints(TEAM)
        if end >= floor
    ]  # fmt: skip


def _users(world: World) -> list[Record]:
    crew = members(LINEAR_TEAM)
    found = [
        {"id": user_id(p), "email": PEOPLE[p].email if p != crew[-1] else "side.project@mail.example", "displayName": PEOPLE[p].name,
         "active": True, "app": False, "guest": False, "gitHubUserId": str(PEOPLE[p].github_id) if p == crew[-1] else None}
        for p in crew
    ]  # fmt: skip
    agent = {"id": _uuid("user", "agent"), "email": "agent@linear.example", "displayName": "Coding agent", "active": True, "app": True,
             "guest": False, "gitHubUserId": None}  # fmt: skip
    return [*found, agent]
