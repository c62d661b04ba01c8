"""Helicone: requests of the support team's evaluations, `POST /v1/request/query-clickhouse`.

Cached tokens stand beside prompt tokens and outside the total; reasoning is outside the completion. The vendor's own cache
answers some requests for nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from sandbox import calendar, canaries
from sandbox.bills import decimal_text
from sandbox.company import CREDENTIAL_INDEX
from sandbox.team_calls import Call, of_key
from sandbox.vendors.base import Answer, Refusal, Request, World, number, owned, spoil_records

SECRET = canaries.SECRET_HELICONE
TEAM, WORKFLOW = "support-ai", "support-copilot"
MOST = 1000
_NOTHING = "00000000-0000-0000-0000-000000000000"
_FEATURES = ("triage", "case-summary", "draft-reply")


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"data": None, "error": message})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_HELICONE_BASE_URL": base_url, "AISL_HELICONE_API_KEY": SECRET}


def ownership() -> list[dict[str, str]]:
    """Who the labels name."""
    return [owned("helicone", "team_id", TEAM, TEAM, WORKFLOW, environment="test")]


def handle(world: World, request: Request) -> Answer:
    """Answer a query."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Unauthorized")
    if request.path != "/v1/request/query-clickhouse" or request.method != "POST":
        raise _error(404, "Not Found")
    return Answer(200, {"data": _requests(world, request), "error": None})


def _bounds(node: Any) -> tuple[dt.datetime, dt.datetime]:
    """The creation times that a filter tree of `and` branches allows."""
    first, last = dt.datetime(1970, 1, 1, tzinfo=calendar.UTC), dt.datetime(2970, 1, 1, tzinfo=calendar.UTC)
    if node == "all":
        return first, last
    if isinstance(node, dict) and "operator" in node:
        if node["operator"] != "and":
            raise _error(400, "only and is understood here")
        sides = [_bounds(node[side]) for side in ("left", "right")]
        return max(s[0] for s in sides), min(s[1] for s in sides)
    try:
        limits = node["request_response_rmt"]["request_created_at"]
        return (
            calendar.parse_instant(limits["gte"]) if "gte" in limits else first,
            calendar.parse_instant(limits["lt"]) if "lt" in limits else last,
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise _error(400, "Invalid filter") from wrong


def _requests(world: World, request: Request) -> list[dict[str, Any]]:
    asked = msgspec.json.decode(request.body)
    limit = asked.get("limit", 10)
    if not 1 <= limit <= MOST:
        raise _error(400, f"limit must be at most {MOST}")
    start, end = _bounds(asked["filter"])
    end = min(end, world.clock)
    calls = world.once("helicone-calls", lambda: of_key(world.company, "helicone", "anthropic", CREDENTIAL_INDEX["anthropic", "support-evals"]))
    low, high = start.timestamp() * 1e6, end.timestamp() * 1e6
    first, last = max(start.date(), world.company.log_days[0]), min(end.date(), calendar.LAST_DAY)
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    found = sorted((c for d in days for c in calls.get(d, []) if low <= c.start < high), key=lambda c: c.start)
    faults = world.faults
    page = [_record(world, c) for c in found[asked.get("offset", 0) :][:limit]]
    if faults.find("missing_page", "helicone", request.path):
        page = page[: len(page) // 2]
    if faults.find("doubled_page", "helicone", request.path):
        page = [*page, *page]
    return spoil_records(faults, "helicone", request.path, page, ("cost", "prompt_tokens"))


def _record(world: World, call: Call) -> dict[str, Any]:
    # Evaluations come with a reasoning model now and then: a third of its output is thought.
    reasoning = call.output // 3 if call.number % 4 == 1 else 0
    nano = world.faults.find("wrong_unit", "helicone")
    cost = 0 if call.repeated else call.cost
    labels = {"Workflow": WORKFLOW, "Feature": _FEATURES[call.number % 3], "team": TEAM, "environment": "test", "Task-Type": "evaluation",
              "response_id": call.response_id, "customer_question": canaries.METADATA}  # fmt: skip
    if call.ticket:
        labels["ticket"] = call.ticket
    return {
        "request_id": call.call_id, "request_created_at": call.iso(), "response_id": call.call_id, "response_status": 529 if call.failed else 200,
        "response_created_at": call.iso(call.milliseconds), "request_body": {"messages": [{"role": "user", "content": canaries.PROMPT}]},
        "response_body": {"content": [{"type": "text", "text": canaries.COMPLETION}]}, "provider": "ANTHROPIC", "request_model": call.model,
        "response_model": None if call.failed else call.model, "model": call.model, "request_user_id": call.email,
        "request_properties": labels, "prompt_tokens": call.uncached, "completion_tokens": call.output - reasoning,
        "reasoning_tokens": reasoning, "prompt_cache_read_tokens": call.cache_read, "prompt_cache_write_tokens": call.write_5m,
        "prompt_audio_tokens": 0, "completion_audio_tokens": 0, "total_tokens": call.uncached + call.output,
        "cost": cost // 1000 if nano else number(decimal_text(cost, 12)), "delay_ms": call.milliseconds,
        "time_to_first_token": min(600, call.milliseconds), "cache_enabled": True, "is_passthrough_billing": False,
        "cache_reference_id": call.session.encode().hex().ljust(32, "a") if call.repeated else _NOTHING,
        "target_url": "https://api.anthropic.com/v1/messages", "country_code": None,
    }  # fmt: skip
