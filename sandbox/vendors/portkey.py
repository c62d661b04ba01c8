"""Portkey: the data team's notebooks, exported by jobs: create, start, ask for the state, download from a signed address.

Costs are cents. The signed address wants no key and refuses one.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from sandbox import calendar, canaries
from sandbox.bills import decimal_text
from sandbox.company import CREDENTIAL_INDEX, token
from sandbox.team_calls import Call, of_key
from sandbox.vendors.base import Answer, Refusal, Request, World, number, owned, spoil_records

SECRET = canaries.SECRET_PORTKEY
TEAM, WORKFLOW = "data", "everything-else"
MOST = 50_000
_FIELDS = {
    "id", "trace_id", "created_at", "request", "response", "is_success", "ai_org", "ai_model", "req_units", "res_units", "total_units",
    "request_url", "cost", "cost_currency", "response_time", "response_status_code", "mode", "config", "prompt_slug", "metadata",
}  # fmt: skip


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"success": False, "data": {"message": message}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_PORTKEY_BASE_URL": f"{base_url}/v1", "AISL_PORTKEY_API_KEY": SECRET, "AISL_PORTKEY_COST_UNIT": "cents"}


def ownership() -> list[dict[str, str]]:
    """Who the labels name."""
    return [owned("portkey", "team_id", TEAM, TEAM, environment="development")]


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/v1/logs/exports`, or one for a prepared file."""
    parts = request.path.strip("/").split("/")
    jobs: dict[str, dict[str, Any]] = world.once("portkey-jobs", dict)
    if parts[:2] == ["v1", "files"] and len(parts) == 3 and parts[2] in jobs:
        if request.header("x-portkey-api-key") or request.one("X-Amz-Signature") != token("signature", parts[2]):
            raise _error(403, "SignatureDoesNotMatch")
        return Answer(200, jobs[parts[2]]["file"])
    if request.header("x-portkey-api-key") != SECRET:
        raise _error(401, "Unauthorised. Your API key is invalid.")
    if parts[:3] != ["v1", "logs", "exports"]:
        raise _error(404, "Not Found")
    if len(parts) == 3 and request.method == "GET":
        return Answer(200, {"object": "list", "total": len(jobs), "data": []})
    if len(parts) == 3:
        return Answer(200, _create(world, request, jobs))
    job = jobs.get(parts[3])
    if job is None:
        raise _error(404, "Export not found")
    action = parts[4] if len(parts) == 5 else ""
    if action == "start" and request.method == "POST":
        job["status"] = "in_progress"
        return Answer(200, {"message": "Export started", "object": "export"})
    if action == "download" and job["status"] == "success":
        query = f"X-Amz-Signature={token('signature', parts[3])}"
        return Answer(200, {"signed_url": f"{request.base_url}/v1/files/{parts[3]}?{query}"})
    if action:
        raise _error(400, "Export is not ready")
    shown = job["status"]
    if shown == "in_progress":
        job["status"] = "success"
    return Answer(200, {"id": parts[3], "status": shown, "object": "export"})


def _create(world: World, request: Request, jobs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    asked = msgspec.json.decode(request.body)
    wanted = asked.get("requested_data", [])
    filters = asked.get("filters", {})
    size, page = filters.get("page_size", 50), filters.get("current_page", 0)
    if not wanted or not set(wanted) <= _FIELDS or not 1 <= size <= MOST:
        raise _error(400, "Invalid export request")
    try:
        start = calendar.parse_instant(filters["time_of_generation_min"])
        end = min(calendar.parse_instant(filters["time_of_generation_max"]), world.clock)
    except (KeyError, ValueError) as wrong:
        raise _error(400, "Invalid time range") from wrong
    calls = world.once("portkey-calls", lambda: _calls(world))
    low, high = start.timestamp() * 1e6, end.timestamp() * 1e6
    first, last = max(start.date(), world.company.log_days[0]), min(end.date(), calendar.LAST_DAY)
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    found = [c for d in days for c in calls.get(d, []) if low <= c.start < high]
    faults = world.faults
    records = [_record(world, c) for c in found[page * size : (page + 1) * size]]
    total = len(records)
    if faults.find("missing_page", "portkey", request.path):
        records = records[: len(records) // 2]
    if faults.find("doubled_page", "portkey", request.path):
        records = [*records, *records]
    records = spoil_records(faults, "portkey", request.path, records, ("cost", "req_units"))
    kept = [{k: v for k, v in r.items() if k in wanted or k == "surprise_field"} for r in records]
    name = token("portkey-export", f"{start}{end}{page}{len(jobs)}", 32)
    jobs[name] = {"status": "draft", "file": b"".join(msgspec.json.encode(r) + b"\n" for r in kept)}
    return {"id": name, "total": total, "object": "export"}


def _calls(world: World) -> dict[dt.date, list[Call]]:
    return of_key(world.company, "portkey", "anthropic", CREDENTIAL_INDEX["anthropic", "data-shared-notebooks"])


def _record(world: World, call: Call) -> dict[str, Any]:
    places = 12 if world.faults.find("wrong_unit", "portkey") else 10
    metadata = {"_user": call.email, "team": TEAM, "workflow": WORKFLOW, "environment": "development", "note": canaries.METADATA}
    if call.ticket:
        metadata["ticket"] = call.ticket
    return {
        "id": call.call_id, "trace_id": call.session, "created_at": call.iso(), "request": {"messages": [{"content": canaries.PROMPT}]},
        "response": {"content": canaries.COMPLETION}, "is_success": not call.failed, "ai_org": "anthropic", "ai_model": call.model,
        "req_units": call.uncached + call.cache_read + call.write_5m, "res_units": call.output,
        "total_units": call.uncached + call.cache_read + call.write_5m + call.output, "request_url": "https://api.anthropic.com/v1/messages",
        "cost": number(decimal_text(call.cost, places)), "cost_currency": "USD", "response_time": call.milliseconds,
        "response_status_code": 529 if call.failed else 200, "mode": "single", "config": None, "prompt_slug": None, "metadata": metadata,
    }  # fmt: skip
