"""Jira Cloud: search with page tokens, changelog in bulk, boards, sprints, projects, fields.

The calling user's time zone is UTC, so JQL dates are UTC with minute precision.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from bisect import bisect_left
from typing import Any

import msgspec

from sandbox import calendar, canaries
from sandbox.company import LINEAR_TEAM, PEOPLE, PROJECTS, TEAMS
from sandbox.vendors.base import Answer, Refusal, Request, World, cursor, position, spoil_records
from sandbox.work import DAY, SECOND, STATUSES, Issue, day_start, micros, sprints

EMAIL = "ledger@acme.example"
SECRET = canaries.SECRET_JIRA
_TEAMS = [(i, t) for i, t in enumerate(TEAMS) if t.team != LINEAR_TEAM]
_INDEXES = {i for i, _ in _TEAMS}
STORY_POINTS = "customfield_10016"
SPRINT = "customfield_10020"
EPIC_LINK = "customfield_10014"
_LEVELS = {"Epic": ("10000", 1), "Story": ("10001", 0), "Bug": ("10002", 0), "Task": ("10003", 0), "Case": ("10004", 0)}
_FIELD_IDS = {"status": "status", "assignee": "assignee", "Sprint": SPRINT, "resolution": "resolution"}
_CLAUSE = re.compile(
    r"""^\s*(?:project\s+in\s*\((?P<projects>[^)]*)\)|project\s*=\s*"?(?P<project>\w+)"?"""
    r"""|(?P<field>updated|created)\s*(?P<op>>=|>|<=|<)\s*"(?P<value>[^"]+)")\s*$""",
    re.IGNORECASE,
)


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"errorMessages": [message], "errors": {}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {
        "AISL_JIRA_BASE_URL": base_url,
        "AISL_JIRA_EMAIL": EMAIL,
        "AISL_JIRA_API_TOKEN": SECRET,
        "AISL_JIRA_PROJECTS": ",".join(PROJECTS),
    }


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/rest`."""
    wanted = base64.b64encode(f"{EMAIL}:{SECRET}".encode()).decode()
    if request.header("authorization") != f"Basic {wanted}":
        raise _error(401, "Client must be authenticated to access this resource.")
    path = request.path
    if path == "/rest/api/3/search/jql":
        return Answer(200, _search(world, _arguments(request)))
    if path in ("/rest/api/3/search", "/rest/api/2/search"):
        raise _error(410, "The requested API has been removed. Please migrate to /rest/api/3/search/jql.")
    if path == "/rest/api/3/changelog/bulkfetch" and request.method == "POST":
        return Answer(200, _changelog(world, _arguments(request)))
    if path == "/rest/api/3/myself":
        return Answer(200, {"accountId": "5fledger", "emailAddress": EMAIL, "timeZone": "Etc/UTC", "active": True})
    if path == "/rest/api/3/field":
        return Answer(200, _fields())
    if path == "/rest/api/3/status":
        return Answer(200, [_status(name) for name in STATUSES])
    if path == "/rest/api/3/project/search":
        projects = [{"id": str(10_100 + i), "key": t.project, "name": t.name, "projectTypeKey": "software"} for i, t in _TEAMS]
        return Answer(200, _offset_page(world, request, projects))
    if path == "/rest/agile/1.0/board":
        boards = [
            {"id": i + 1, "name": f"{t.project} board", "type": "scrum", "location": {"projectKey": t.project, "projectId": 10_100 + i}}
            for i, t in _TEAMS
        ]
        wanted_project = request.one("projectKeyOrId")
        if wanted_project:
            boards = [b for b in boards if wanted_project in (b["location"]["projectKey"], str(b["location"]["projectId"]))]
        return Answer(200, _offset_page(world, request, boards))
    found = re.fullmatch(r"/rest/agile/1\.0/board/(\d+)/sprint", path)
    if found and int(found.group(1)) - 1 in _INDEXES:
        return Answer(200, _offset_page(world, request, _sprints(world, int(found.group(1)) - 1)))
    raise _error(404, "null for uri")


def _arguments(request: Request) -> dict[str, Any]:
    if request.method == "POST":
        try:
            return msgspec.json.decode(request.body or b"{}")
        except msgspec.DecodeError as wrong:
            raise _error(400, "Invalid request payload.") from wrong
    found: dict[str, Any] = {k: v[-1] for k, v in request.query.items()}
    found["fields"] = [f for value in request.query.get("fields", []) for f in value.split(",")]
    return found


def _offset_page(world: World, request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    start, size = int(request.one("startAt", "0")), min(int(request.one("maxResults", "50")), 50)
    page = spoil_records(world.faults, "jira", request.path, items[start : start + size], ())
    return {"startAt": start, "maxResults": size, "total": len(items), "isLast": start + size >= len(items), "values": page}


def _time(micro: int | None) -> str | None:
    """Issue dates carry the user's offset without a colon."""
    if micro is None:
        return None
    return dt.datetime.fromtimestamp(micro / SECOND, calendar.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _utc(micro: int) -> str:
    return dt.datetime.fromtimestamp(micro / SECOND, calendar.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _status(name: str) -> dict[str, Any]:
    status, category = STATUSES[name]
    number = {"new": 2, "indeterminate": 4, "done": 3}[category]
    return {"id": status, "name": name, "statusCategory": {"id": number, "key": category, "name": name}}


def _updated(issue: Issue, clock: int) -> int:
    return max([issue.created, *(c.at for c in issue.changes if c.at <= clock)])


def _visible(world: World) -> list[tuple[int, int]]:
    """(last update, index) of every issue that exists now, oldest update first; long finished ones are archived."""
    clock, floor = micros(world.clock), day_start(world.company.days[0]) - 30 * DAY
    found = [(_updated(i, clock), n) for n, i in enumerate(world.company.plan.issues) if i.created <= clock and i.team in _INDEXES]
    return sorted(f for f in found if f[0] >= floor or world.company.plan.issues[f[1]].kind == "Epic")


def _jql(text: str) -> tuple[set[str], int, int, bool]:
    body, _, order = re.split(r"(\border\s+by\b)", text, maxsplit=1, flags=re.IGNORECASE) if re.search(r"\border\s+by\b", text, re.I) else (text, "", "")
    if not body.strip():
        raise _error(400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    projects, low, high = set(PROJECTS), 0, 1 << 62
    for clause in re.split(r"\band\b", body, flags=re.IGNORECASE):
        found = _CLAUSE.match(clause)
        if not found:
            raise _error(400, f"Error in the JQL Query: {clause.strip()}")
        if found["projects"] is not None or found["project"]:
            projects = {p.strip().strip("\"'").upper() for p in (found["projects"] or found["project"]).split(",")}
            for project in projects - set(PROJECTS):
                raise _error(400, f"The value '{project}' does not exist for the field 'project'.")
        elif found["field"].lower() == "updated":
            try:
                at = micros(calendar.parse_instant(found["value"].replace("/", "-")))
            except ValueError as wrong:
                raise _error(400, f"Date value '{found['value']}' is invalid.") from wrong
            if found["op"] == ">=":
                low = max(low, at)
            elif found["op"] == ">":
                low = max(low, at + 60 * SECOND)
            elif found["op"] == "<":
                high = min(high, at)
            else:
                high = min(high, at + 60 * SECOND)
        else:
            raise _error(400, "only updated is understood here")
    return projects, low, high, bool(re.search(r"\bdesc\b", order, re.IGNORECASE))


def _search(world: World, arguments: dict[str, Any]) -> dict[str, Any]:
    projects, low, high, descending = _jql(str(arguments.get("jql", "")))
    fields = list(arguments.get("fields") or [])
    size = int(arguments.get("maxResults", 50))
    size = max(1, min(size, 5000 if set(fields) <= {"id", "key"} else 100))
    visible = world.once("jira-visible", lambda: _visible(world))
    issues = world.company.plan.issues
    chosen = [n for _, n in visible[bisect_left(visible, (low, -1)) : bisect_left(visible, (high, -1))] if TEAMS[issues[n].team].project in projects]
    if descending:
        chosen.reverse()
    try:
        start = position("jql", arguments["nextPageToken"]) if arguments.get("nextPageToken") else 0
    except ValueError as wrong:
        raise _error(400, "The provided next page token is invalid or has expired.") from wrong
    records = [_issue(world, n, fields) for n in chosen[start : start + size]]
    answer: dict[str, Any] = {"issues": spoil_records(world.faults, "jira", "/search/jql", records, ("id",))}
    last = start + size >= len(chosen) or world.faults.find("missing_page", "jira", "/search/jql") is not None
    answer["isLast"] = last
    if not last:
        answer["nextPageToken"] = cursor("jql", start + size)
    return answer


def _issue(world: World, index: int, fields: list[str]) -> dict[str, Any]:
    issue = world.company.plan.issues[index]
    clock = micros(world.clock)
    shown: dict[str, Any] = {"id": str(20_000 + index), "key": issue.key, "self": f"/rest/api/3/issue/{20_000 + index}"}
    if not fields or set(fields) <= {"id", "key"}:
        return shown
    past = [c for c in issue.changes if c.at <= clock]
    status = next((c.to_text for c in reversed(past) if c.field == "status"), "To Do")
    assigned = next((c.to_id for c in reversed(past) if c.field == "assignee"), None)
    in_sprints = next((c.to_id for c in reversed(past) if c.field == "Sprint"), "")
    epic = world.company.plan.issues[issue.epic] if issue.epic >= 0 else None
    type_id, level = _LEVELS[issue.kind]
    who = next((p for p in PEOPLE if p.jira_account_id == assigned), None)
    resolved = next((c.at for c in reversed(past) if c.field == "status"), None) if status == "Done" else None
    planned = {s[0]: s for s in sprints(issue.team)} if in_sprints else {}
    full: dict[str, Any] = {
        "summary": issue.summary,
        "project": {"id": str(10_100 + issue.team), "key": TEAMS[issue.team].project, "name": TEAMS[issue.team].name},
        "issuetype": {"id": type_id, "name": issue.kind, "subtask": False, "hierarchyLevel": level},
        "status": _status(status),
        "resolution": {"id": "10000", "name": "Done"} if resolved else None,
        "resolutiondate": _time(resolved),
        "created": _time(issue.created), "updated": _time(_updated(issue, clock)), "duedate": None,
        "assignee": {"accountId": assigned, "displayName": who.name if who else "", "active": True} if assigned else None,
        "reporter": {"accountId": PEOPLE[0].jira_account_id},
        "labels": issue.labels, "components": [], "priority": {"id": "3", "name": "Medium"},
        "parent": {"id": str(20_000 + issue.epic), "key": epic.key, "fields": {"summary": epic.summary, "issuetype": {"name": "Epic"}}}
        if epic else None,
        EPIC_LINK: None, STORY_POINTS: float(issue.points) if issue.points else None,
        SPRINT: [_sprint(world, issue.team, planned[s.strip()]) for s in in_sprints.split(",")] if in_sprints else None,
    }  # fmt: skip
    if not {"*all", "*navigable"} & set(fields):
        full = {k: v for k, v in full.items() if k in fields}
    # This site sends the description whether it was asked for or not.
    full["description"] = {"type": "doc", "version": 1, "content": [
        {"type": "paragraph", "content": [{"type": "text", "text": canaries.JIRA_DESCRIPTION}]}
    ]}  # fmt: skip
    shown["fields"] = full
    return shown


def _sprint(world: World, team: int, facts: tuple[str, str, int, int]) -> dict[str, Any]:
    sprint_id, name, start, end = facts
    clock = micros(world.clock)
    state = "closed" if end <= clock else "active" if start <= clock else "future"
    record = {
        "id": int(sprint_id), "state": state, "name": name, "boardId": team + 1, "originBoardId": team + 1, "goal": "",
        "startDate": _utc(start), "endDate": _utc(end),
    }  # fmt: skip
    if state == "closed":
        record["completeDate"] = _utc(end)
    return record


def _sprints(world: World, team: int) -> list[dict[str, Any]]:
    floor = day_start(world.company.days[0]) - 30 * DAY
    return [_sprint(world, team, s) for s in sprints(team) if s[3] >= floor]


def _changelog(world: World, arguments: dict[str, Any]) -> dict[str, Any]:
    asked = arguments.get("issueIdsOrKeys") or []
    if not 1 <= len(asked) <= 1000:
        raise _error(400, "issueIdsOrKeys must hold 1 to 1000 issues")
    if len(arguments.get("fieldIds") or []) > 10:
        raise _error(400, "at most 10 fieldIds")
    wanted = set(arguments.get("fieldIds") or _FIELD_IDS.values())
    size = min(int(arguments.get("maxResults", 1000)), 10_000)
    issues = world.company.plan.issues
    by_key = world.once("jira-keys", lambda: {i.key: n for n, i in enumerate(issues)})
    clock = micros(world.clock)
    histories = []
    for text in sorted({str(a) for a in asked}):
        index = int(text) - 20_000 if text.isdigit() else by_key.get(text, -1)
        if not 0 <= index < len(issues) or issues[index].created > clock:
            continue
        for number, change in enumerate(issues[index].changes):
            if change.at <= clock and _FIELD_IDS[change.field] in wanted:
                histories.append((index, number, change))
    start = position("log", arguments["nextPageToken"]) if arguments.get("nextPageToken") else 0
    grouped: dict[int, list[dict[str, Any]]] = {}
    for index, number, change in histories[start : start + size]:
        grouped.setdefault(index, []).append({
            "id": str((20_000 + index) * 100 + number), "author": {"accountId": PEOPLE[change.author].jira_account_id},
            "created": change.at // 1000,
            "items": [{
                "field": change.field, "fieldId": _FIELD_IDS[change.field],
                "fieldtype": "custom" if change.field == "Sprint" else "jira", "from": change.from_id,
                "fromString": change.from_text, "to": change.to_id, "toString": change.to_text,
            }],
        })  # fmt: skip
    answer: dict[str, Any] = {
        "issueChangeLogs": [{"issueId": str(20_000 + i), "changeHistories": h} for i, h in grouped.items()]
    }
    if start + size < len(histories):
        answer["nextPageToken"] = cursor("log", start + size)
    return answer


def _fields() -> list[dict[str, Any]]:
    system = [{"id": f, "key": f, "name": f.title(), "custom": False, "schema": {"type": "string", "system": f}}
              for f in ("summary", "status", "assignee", "created", "updated", "labels", "parent", "resolution")]  # fmt: skip
    custom = [
        {"id": STORY_POINTS, "key": STORY_POINTS, "name": "Story point estimate", "custom": True,
         "schema": {"type": "number", "custom": "com.pyxis.greenhopper.jira:jsw-story-points", "customId": 10016}},
        {"id": SPRINT, "key": SPRINT, "name": "Sprint", "custom": True,
         "schema": {"type": "array", "items": "json", "custom": "com.pyxis.greenhopper.jira:gh-sprint", "customId": 10020}},
        {"id": EPIC_LINK, "key": EPIC_LINK, "name": "Epic Link", "custom": True,
         "schema": {"type": "any", "custom": "com.pyxis.greenhopper.jira:gh-epic-link", "customId": 10014}},
    ]  # fmt: skip
    return system + custom
