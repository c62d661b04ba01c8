"""Anthropic Admin API: usage and cost reports, coding report, keys, workspaces, members."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from sandbox import bills, calendar, canaries
from sandbox.company import (
    ANTHROPIC_ORGANIZATION_ID,
    CODING_WORKFLOW,
    CREDENTIALS,
    DEFAULT_WORKSPACE,
    PEOPLE,
    PERSON_INDEX,
    SEAT_PEOPLE,
    WORKSPACES,
)
from sandbox.prices import METERS, rates
from sandbox.vendors.base import (
    Answer,
    Refusal,
    Request,
    World,
    bucket_page,
    cursor,
    number,
    position,
    spoil_records,
    whole_days,
)

SECRET = canaries.SECRET_ADMIN_ANTHROPIC
_USAGE_DIMENSIONS = (
    "account_id", "api_key_id", "context_window", "inference_geo", "model", "service_account_id", "service_tier", "speed",
    "workspace_id",
)  # fmt: skip
_COST_DIMENSIONS = ("description", "workspace_id")
_TOKEN_TYPES = (
    "uncached_input_tokens", "cache_read_input_tokens", "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens", "output_tokens",
)  # fmt: skip
_TOKEN_NAMES = ("Input Tokens", "Cache Read Input Tokens", "Cache Write Input Tokens (5m)", "Cache Write Input Tokens (1h)", "Output Tokens")
_NUMBERS = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "amount")


def _error(status: int, kind: str, message: str) -> Refusal:
    return Refusal(status, {"type": "error", "error": {"type": kind, "message": message}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_ANTHROPIC_BASE_URL": base_url, "AISL_ANTHROPIC_ADMIN_KEY": SECRET}


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/v1/organizations`."""
    if request.header("x-api-key") != SECRET:
        raise _error(401, "authentication_error", "invalid x-api-key")
    if not request.header("anthropic-version"):
        raise _error(400, "invalid_request_error", "anthropic-version: header is required")
    routes = {
        "/v1/organizations/usage_report/messages": _usage,
        "/v1/organizations/cost_report": _cost,
        "/v1/organizations/usage_report/claude_code": _claude_code,
        "/v1/organizations/api_keys": _api_keys,
        "/v1/organizations/workspaces": _workspaces,
        "/v1/organizations/users": _users,
    }
    if request.path not in routes:
        raise _error(404, "not_found_error", "Not found")
    if request.method != "GET":
        raise _error(405, "invalid_request_error", "Method not allowed")
    return Answer(200, routes[request.path](world, request))


def _geo(model: str) -> str:
    return "global" if model == "claude-sonnet-5" else "not_available"


def _rows(world: World) -> dict[dt.date, list[dict[str, Any]]]:
    by_day: dict[dt.date, list[dict[str, Any]]] = {}
    for row in bills.visible_usage(world.company, "anthropic", world.clock, world.faults).iter_rows(named=True):
        credential = CREDENTIALS[row["credential"]]
        account = PEOPLE[PERSON_INDEX[credential.user]].anthropic_user_id if credential.user else None
        row |= {
            "api_key_id": credential.key_id, "workspace_id": credential.workspace, "account_id": account,
            "service_account_id": None, "service_tier": row["tier"], "speed": "standard",
            "context_window": "200k-1M" if row["long"] else "0-200k", "inference_geo": _geo(row["model"]),
        }  # fmt: skip
        by_day.setdefault(row["day"], []).append(row)
    return by_day


def _span(world: World, request: Request) -> list[dt.date]:
    if not request.one("starting_at"):
        raise _error(400, "invalid_request_error", "starting_at: Field required")
    if request.one("bucket_width", "1d") != "1d":
        raise _error(400, "invalid_request_error", "bucket_width: only 1d is kept here")
    try:
        start = calendar.parse_instant(request.one("starting_at"))
        end = calendar.parse_instant(request.one("ending_at")) if request.one("ending_at") else world.clock
    except ValueError as wrong:
        raise _error(400, "invalid_request_error", f"invalid date: {wrong}") from wrong
    if end <= start:
        raise _error(400, "invalid_request_error", "ending_at must be after starting_at")
    return whole_days(start, min(end, world.clock))


def _limit(request: Request, default: int, most: int) -> int:
    value = int(request.one("limit", str(default)))
    if not 1 <= value <= most:
        raise _error(400, "invalid_request_error", f"limit: must be between 1 and {most}")
    return value


def _grouping(request: Request, allowed: tuple[str, ...]) -> tuple[str, ...]:
    wanted = request.many("group_by")
    for name in wanted:
        if name not in allowed:
            raise _error(400, "invalid_request_error", f"group_by: {name} is not allowed")
    return tuple(sorted(set(wanted)))


def _page(world: World, request: Request, buckets: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    try:
        return bucket_page(world, "anthropic", request, buckets, _limit(request, 7, 31), kind)
    except ValueError as wrong:
        raise _error(400, "invalid_request_error", "page: invalid token") from wrong


def _usage(world: World, request: Request) -> dict[str, Any]:
    groups = _grouping(request, _USAGE_DIMENSIONS)
    rows = world.once("anthropic-rows", lambda: _rows(world))
    filters = {
        field: set(request.many(name))
        for name, field in (("models", "model"), ("api_key_ids", "api_key_id"), ("workspace_ids", "workspace_id"))
        if request.many(name)
    }
    double = world.faults.find("cached_double_count", "anthropic", request.path)

    def bucket(day: dt.date) -> dict[str, Any]:
        sums: dict[tuple, list[int]] = {}
        for row in rows.get(day, []):
            if any(row[field] not in wanted for field, wanted in filters.items()):
                continue
            key = tuple(row[g] for g in groups)
            total = sums.setdefault(key, [0] * 6)
            for i, name in enumerate(bills.TOKENS[:6]):
                total[i] += row[name]
        results = []
        for key in sorted(sums, key=str):
            shown = dict(zip(groups, key, strict=True))
            uncached, read, five, hour, output, web = sums[key]
            results.append({
                "uncached_input_tokens": uncached + (read if double else 0), "cache_read_input_tokens": read,
                "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
                "output_tokens": output, "server_tool_use": {"web_search_requests": web},
                **{d: shown.get(d) for d in _USAGE_DIMENSIONS},
            })  # fmt: skip
        return _bucket(day, spoil_records(world.faults, "anthropic", request.path, results, _NUMBERS))

    key = ("anthropic-usage", groups, str(filters), tuple(_span(world, request)))
    return _page(world, request, world.once(key, lambda: [bucket(d) for d in key[3]]), "u")


def _bucket(day: dt.date, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + dt.timedelta(days=1)}T00:00:00Z", "results": results}


def cost_rows(rows: list[dict[str, Any]]) -> dict[tuple, int]:
    """Cost of one day's usage rows in 1e-12 USD by (workspace, model, meter, tier, context window, geo).

    Web searches are one row per workspace, with None for what does not apply.
    """
    sums: dict[tuple, int] = {}
    for row in rows:
        for meter in METERS:
            value = row[f"cost_{meter}"]
            if value:
                if meter == "web_search":
                    key = (row["workspace_id"], None, meter, None, None, None)
                else:
                    key = (row["workspace_id"], row["model"], meter, row["tier"], row["context_window"], row["inference_geo"])
                sums[key] = sums.get(key, 0) + value
    return sums


def _cost(world: World, request: Request) -> dict[str, Any]:
    groups = _grouping(request, _COST_DIMENSIONS)
    rows = world.once("anthropic-rows", lambda: _rows(world))
    scaled = world.faults.find("cents_as_dollars", "anthropic", request.path)
    percent = int(scaled.get("factor", 1)) if scaled else 100
    currency = "EUR" if world.faults.find("wrong_currency", "anthropic", request.path) else "USD"

    def bucket(day: dt.date) -> dict[str, Any]:
        sums: dict[tuple, int] = {}
        for (workspace, model, meter, tier, window, geo), value in cost_rows(rows.get(day, [])).items():
            described = (model, meter, tier, window, geo) if "description" in groups else None
            key = (workspace if "workspace_id" in groups else None, described)
            sums[key] = sums.get(key, 0) + value
        results = []
        for workspace, described in sorted(sums, key=str):
            amount = bills.decimal_text(sums[workspace, described] * percent, 12)
            record: dict[str, Any] = {"amount": amount, "currency": currency, "workspace_id": workspace}
            names = ("cost_type", "token_type", "model", "service_tier", "context_window", "inference_geo", "description")
            record |= dict.fromkeys(names)
            if described:
                model, meter, tier, window, geo = described
                if meter == "web_search":
                    record |= {"cost_type": "web_search", "description": "Web Search Usage"}
                else:
                    place = METERS.index(meter)
                    text = " - ".join(
                        [f"{model} Usage", _TOKEN_NAMES[place]]
                        + (["Batch"] if tier == "batch" else []) + ([">200k"] if window == "200k-1M" else [])
                    )  # fmt: skip
                    record |= {
                        "cost_type": "tokens", "token_type": _TOKEN_TYPES[place], "model": model, "service_tier": tier,
                        "context_window": window, "inference_geo": geo, "description": text,
                    }  # fmt: skip
            results.append(record)
        return _bucket(day, spoil_records(world.faults, "anthropic", request.path, results, _NUMBERS))

    key = ("anthropic-cost", groups, tuple(_span(world, request)))
    return _page(world, request, world.once(key, lambda: [bucket(d) for d in key[2]]), "c")


def _claude_code(world: World, request: Request) -> dict[str, Any]:
    try:
        day = dt.date.fromisoformat(request.one("starting_at"))
    except ValueError as wrong:
        raise _error(400, "invalid_request_error", "starting_at: use YYYY-MM-DD") from wrong
    records = world.once(("claude-code", day), lambda: _coding_day(world, day))
    limit = _limit(request, 20, 1000)
    start = position("cc", request.one("page")) if request.one("page") else 0
    more = start + limit < len(records)
    page = spoil_records(world.faults, "anthropic", request.path, records[start : start + limit], ("num_sessions",))
    return {"data": page, "has_more": more, "next_page": cursor("cc", start + limit) if more else None}


def _coding_day(world: World, day: dt.date) -> list[dict[str, Any]]:
    if day not in world.company.days or calendar.midnight(day) > world.clock:
        return []
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([world.company.seed, 41, day.toordinal()])))
    records = []
    rows = world.once("anthropic-rows", lambda: _rows(world)).get(day, [])
    by_key: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        credential = CREDENTIALS[row["credential"]]
        if credential.workflow == CODING_WORKFLOW and credential.person:
            by_key.setdefault(row["credential"], []).append(row)
    for index, used in sorted(by_key.items()):
        actor = {"type": "api_actor", "api_key_name": CREDENTIALS[index].name}
        models = [
            _model(r["model"], [r[t] for t in bills.TOKENS[:5]], sum(r[f"cost_{m}"] for m in METERS)) for r in used
        ]
        records.append(_coding_record(day, actor, "api", None, "vscode", sum(r["requests"] for r in used), models, rng))
    busy = 1.0 if day.weekday() < 5 else 0.08
    for person in SEAT_PEOPLE:
        calls = int(rng.poisson(55 * busy))
        if calls:
            model = "claude-sonnet-5" if day >= calendar.MODEL_UPGRADE else "claude-sonnet-4-5"
            tokens = [calls * 1_500, calls * 30_000, calls * 1_800, 0, calls * 600]
            price = rates("anthropic", model, day)
            cost = sum(t * p for t, p in zip(tokens, price[:5], strict=True))
            actor = {"type": "user_actor", "email_address": PEOPLE[PERSON_INDEX[person]].email}
            records.append(_coding_record(day, actor, "subscription", "team", "iTerm.app", calls, [_model(model, tokens, cost)], rng))
    return records


def _model(model: str, tokens: list[int], pico: int) -> dict[str, Any]:
    uncached, read, five, hour, output = tokens
    return {
        "model": model,
        "tokens": {"input": uncached, "output": output, "cache_read": read, "cache_creation": five + hour},
        "estimated_cost": {"amount": number(bills.decimal_text(pico, 10)), "currency": "USD"},
    }


def _coding_record(day: dt.date, actor: dict[str, str], customer: str, plan: str | None, terminal: str, calls: int,
                   models: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:  # fmt: skip
    lines = int(rng.poisson(4 * calls))
    return {
        "date": f"{day}T00:00:00Z", "organization_id": ANTHROPIC_ORGANIZATION_ID, "actor": actor,
        "customer_type": customer, "subscription_type": plan, "terminal_type": terminal, "is_remote": False,
        "core_metrics": {
            "num_sessions": max(1, calls // 30), "lines_of_code": {"added": lines, "removed": lines // 3},
            "commits_by_claude_code": calls // 25, "pull_requests_by_claude_code": calls // 80,
        },
        "tool_actions": {
            name: {"accepted": int(rng.poisson(calls / d)), "rejected": int(rng.poisson(calls / d / 8))}
            for name, d in (("edit_tool", 5), ("multi_edit_tool", 15), ("write_tool", 12), ("notebook_edit_tool", 200))
        },
        "model_breakdown": models,
    }  # fmt: skip


def _list(world: World, request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    limit = _limit(request, 20, 1000)
    ids = [i["id"] for i in items]
    start = 0
    if request.one("after_id"):
        if request.one("after_id") not in ids:
            raise _error(400, "invalid_request_error", "after_id: unknown")
        start = ids.index(request.one("after_id")) + 1
    page = spoil_records(world.faults, "anthropic", request.path, items[start : start + limit], ())
    return {
        "data": page, "has_more": start + limit < len(items),
        "first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None,
    }  # fmt: skip


def _api_keys(world: World, request: Request) -> dict[str, Any]:
    keys = []
    for c in CREDENTIALS:
        if c.source == "anthropic" and c.key_id:
            creator = PEOPLE[PERSON_INDEX[c.creator]].anthropic_user_id
            keys.append({
                "id": c.key_id, "type": "api_key", "name": c.name, "status": c.status, "created_at": "2025-06-02T09:00:00Z",
                "created_by": {"id": creator, "type": "user"}, "expires_at": None,
                "partial_key_hint": canaries.KEY_HINT, "workspace_id": c.workspace,
                "scope": {"type": "workspace", "workspace_id": c.workspace or DEFAULT_WORKSPACE},
            })  # fmt: skip
    return _list(world, request, keys)


def _workspaces(world: World, request: Request) -> dict[str, Any]:
    archived = request.one("include_archived") == "true"
    with_default = request.one("include_default", "false") == "true"
    items = [
        {"id": i, "type": "workspace", "name": name, "created_at": "2025-05-01T08:00:00Z", "archived_at": gone,
         "display_color": "#6C5BB9", "tags": tags, "data_residency": None}
        for i, name, gone, tags in WORKSPACES
        if (archived or gone is None) and (with_default or i != DEFAULT_WORKSPACE)
    ]  # fmt: skip
    return _list(world, request, items)


def _users(world: World, request: Request) -> dict[str, Any]:
    items = [
        {"id": p.anthropic_user_id, "type": "user", "email": p.email, "name": p.name,
         "role": "admin" if p.person_id == "p038" else "developer", "added_at": "2025-05-02T08:00:00Z"}
        for p in PEOPLE
    ]  # fmt: skip
    return _list(world, request, items)
