"""Langfuse: observations of the brand team's drafting tool, `GET /api/public/v2/observations`, paged by cursor.

Usage comes in three dialects: the vendor's own, OpenTelemetry with everything inside `input` and `output`, and one without
a total. A call's cost may be filled in a day later.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from sandbox import calendar, canaries
from sandbox.bills import decimal_text
from sandbox.company import CREDENTIAL_INDEX
from sandbox.team_calls import Call, of_key
from sandbox.vendors.base import Answer, Refusal, Request, World, cursor, number, owned, position, spoil_records

PUBLIC = "pk-lf-sandbox"
SECRET = canaries.SECRET_LANGFUSE
TEAM, WORKFLOW = "brand-ai", "marketing-drafting"
_BASIC = "Basic " + base64.b64encode(f"{PUBLIC}:{SECRET}".encode()).decode()
_GROUPS = {"core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context"}
_FEATURES = ("copy-draft", "localisation")


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"message": message, "error": "Unauthorized" if status == 401 else "InvalidRequestError"})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_LANGFUSE_BASE_URL": base_url, "AISL_LANGFUSE_PUBLIC_KEY": PUBLIC, "AISL_LANGFUSE_SECRET_KEY": SECRET}


def ownership() -> list[dict[str, str]]:
    """Who the labels name."""
    return [owned("langfuse", "team_id", TEAM, TEAM, WORKFLOW)]


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/api/public`."""
    if request.header("authorization") != _BASIC:
        raise _error(401, "Invalid credentials. Confirm that you've configured the correct host.")
    if request.path != "/api/public/v2/observations" or request.method != "GET":
        raise _error(404, "Not found")
    return Answer(200, _observations(world, request))


def _observations(world: World, request: Request) -> dict[str, Any]:
    groups = set(request.one("fields", "core,basic").split(","))
    limit = int(request.one("limit", "50"))
    if not groups <= _GROUPS or not 1 <= limit <= 1000:
        raise _error(400, "Invalid request data")
    try:
        start = calendar.parse_instant(request.one("fromStartTime", "1970-01-01"))
        end = min(calendar.parse_instant(request.one("toStartTime", "2970-01-01")), world.clock - dt.timedelta(minutes=10))
    except ValueError as wrong:
        raise _error(400, "Invalid datetime") from wrong
    calls = world.once("langfuse-calls", lambda: of_key(world.company, "langfuse", "openai", CREDENTIAL_INDEX["openai", "brand-direct"]))
    day, listed = start.date(), []
    while calendar.midnight(day) < end and day <= calendar.LAST_DAY + dt.timedelta(days=1):
        listed += [c for c in calls.get(day, []) if start.timestamp() * 1e6 <= c.start < end.timestamp() * 1e6]
        day += dt.timedelta(days=1)
    token = request.one("cursor")
    try:
        first = position("observations", token) if token else 0
    except ValueError as wrong:
        raise _error(400, "Invalid cursor") from wrong
    page = [_record(world, c, groups) for c in listed[first : first + limit]]
    following = first + limit
    faults = world.faults
    if faults.find("wrong_unit", "langfuse", request.path):
        page = [r | {"totalCost": number(decimal_text(r["totalCost_pico"] * 100, 12))} if "totalCost_pico" in r else r for r in page]
    if faults.find("missing_page", "langfuse", request.path):
        page, following = page[: len(page) // 2], len(listed)
    page = [{k: v for k, v in r.items() if k != "totalCost_pico"} for r in page]
    page = spoil_records(faults, "langfuse", request.path, page, ("totalCost",))
    if faults.find("doubled_page", "langfuse", request.path) and listed:
        return {"data": page, "meta": {"cursor": cursor("observations", first)}}
    return {"data": page, "meta": {"cursor": cursor("observations", following)} if following < len(listed) else {}}


def _usage(call: Call) -> dict[str, int]:
    total = call.uncached + call.cache_read + call.output
    if call.number % 3 == 0:
        return {"input": call.uncached, "input_cached_tokens": call.cache_read, "output": call.output - call.reasoning,
                "output_reasoning_tokens": call.reasoning, "total": total}  # fmt: skip
    if call.number % 3 == 1:
        return {"input": call.uncached + call.cache_read, "input_cached_tokens": call.cache_read, "output": call.output,
                "output_reasoning_tokens": call.reasoning, "total": total}  # fmt: skip
    return {"input": call.uncached, "cache_read_input_tokens": call.cache_read, "output": call.output}


def _record(world: World, call: Call, groups: set[str]) -> dict[str, Any]:
    settled = call.number % 6 != 4 or world.clock >= calendar.midnight(call.day) + dt.timedelta(hours=48)
    record: dict[str, Any] = {
        "id": call.call_id, "traceId": call.session, "startTime": call.iso(), "endTime": call.iso(call.milliseconds),
        "projectId": "proj-brand", "parentObservationId": None, "type": "GENERATION",
    }  # fmt: skip
    if "basic" in groups:
        record |= {"name": "draft", "level": "ERROR" if call.failed else "DEFAULT", "statusMessage": None, "version": None,
                   "environment": "production", "userId": call.email, "sessionId": call.session,
                   "tags": [f"workflow:{WORKFLOW}", f"prompt_preview:{canaries.TAG_UNKNOWN_KEY}"]}  # fmt: skip
    if "time" in groups:
        updated = call.iso(86_400_000 if settled and call.number % 6 == 4 else call.milliseconds)
        record |= {"completionStartTime": call.iso(min(600, call.milliseconds)), "createdAt": call.iso(), "updatedAt": updated}
    if "model" in groups:
        record |= {"providedModelName": call.model, "internalModelId": "m-1", "modelParameters": {"temperature": "0.7"}}
    if "usage" in groups:
        record |= {"usageDetails": {} if call.failed else _usage(call), "usagePricingTierName": "Standard"}
        if settled:
            cost = number(decimal_text(call.cost, 12))
            record |= {"costDetails": {"total": cost}, "totalCost": cost, "totalCost_pico": call.cost}
    if "metadata" in groups:
        record["metadata"] = {
            "feature": _FEATURES[call.number % 2], "team": TEAM, "customer_question": canaries.METADATA,
            "attributes": {"gen_ai.response.id": call.response_id},
        } | ({"ticket": call.ticket} if call.ticket else {})  # fmt: skip
    if "io" in groups:
        record |= {"input": canaries.PROMPT, "output": canaries.COMPLETION}
    return record
