"""OpenAI organization API: costs, every kind of usage, projects, keys, users."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sandbox import bills, calendar, canaries
from sandbox.company import CREDENTIALS, OPENAI_ORGANIZATION_ID, OPENAI_PROJECTS, PEOPLE, PERSON_INDEX
from sandbox.prices import METERS
from sandbox.vendors.base import Answer, Refusal, Request, World, bucket_page, drawn, number, spoil_records, whole_days

SECRET = canaries.SECRET_ADMIN_OPENAI
_COMPLETION_DIMENSIONS = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
_EMBEDDING_DIMENSIONS = ("project_id", "user_id", "api_key_id", "model")
# Path word: word in results[].object, dimensions, measures with the most of a day. All of it is inside a free allowance,
# so it is in no cost line.
_OTHER_KINDS: dict[str, tuple[str, tuple[str, ...], dict[str, int]]] = {
    "moderations": ("moderations", (*_EMBEDDING_DIMENSIONS,), {"input_tokens": 40_000, "num_model_requests": 300}),
    "images": ("images", (*_EMBEDDING_DIMENSIONS, "size", "source"), {"images": 12, "num_model_requests": 12}),
    "audio_speeches": ("audio_speeches", _EMBEDDING_DIMENSIONS, {"characters": 9_000, "num_model_requests": 30}),
    "audio_transcriptions": ("audio_transcriptions", _EMBEDDING_DIMENSIONS, {"seconds": 1_800, "num_model_requests": 20}),
    "vector_stores": ("vector_stores", ("project_id",), {"usage_bytes": 900_000_000}),
    "code_interpreter_sessions": ("code_interpreter_sessions", ("project_id",), {"num_sessions": 9}),
    "file_search_calls": (
        "file_searches", ("project_id", "user_id", "api_key_id", "vector_store_id"), {"num_requests": 80},
    ),
    "web_search_calls": (
        "web_searches", (*_EMBEDDING_DIMENSIONS, "context_level"), {"num_requests": 25, "num_model_requests": 25},
    ),
}
_OTHER_VALUES: dict[str, tuple[str | None, ...]] = {
    "project_id": ("proj_brand01", "proj_data01"), "api_key_id": ("key_branddirect01", "key_dataembed01"), "user_id": (None, None),
    "model": ("gpt-image-1", "omni-moderation-latest"), "size": ("1024x1024", "1536x1024"),
    "source": ("image.generation", "image.edit"), "vector_store_id": ("vs_brand01", "vs_data01"), "context_level": ("low", "medium"),
}
_OTHER_SINCE = dt.date(2026, 9, 7)
_COST_DIMENSIONS = ("project_id", "line_item", "api_key_id")
_LINE_ITEMS = {"input": "input", "cache_read": "cached input", "output": "output"}
_NUMBERS = ("input_tokens", "output_tokens", "num_model_requests", "amount")


def _error(status: int, message: str, kind: str = "invalid_request_error") -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": kind, "param": None, "code": None}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_OPENAI_BASE_URL": f"{base_url}/v1", "AISL_OPENAI_ADMIN_KEY": SECRET}


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/v1/organization`."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Incorrect API key provided", "authentication_error")
    path = request.path
    if path == "/v1/organization/costs":
        return Answer(200, _costs(world, request))
    if path == "/v1/organization/usage/completions":
        return Answer(200, _usage(world, request, "completions", _COMPLETION_DIMENSIONS))
    if path == "/v1/organization/usage/embeddings":
        return Answer(200, _usage(world, request, "embeddings", _EMBEDDING_DIMENSIONS))
    kind = path.removeprefix("/v1/organization/usage/")
    if kind in _OTHER_KINDS:
        return Answer(200, _other_usage(world, request, kind))
    if path == "/v1/organization/projects":
        return Answer(200, _projects(world, request))
    if path == "/v1/organization/users":
        return Answer(200, _users(world, request))
    parts = path.split("/")
    if len(parts) == 6 and parts[3] == "projects" and parts[5] == "api_keys":
        return Answer(200, _keys(world, request, parts[4]))
    raise _error(404, f"Invalid URL ({request.method} {path})")


def _span(world: World, request: Request) -> list[dt.date]:
    try:
        start = dt.datetime.fromtimestamp(int(request.one("start_time")), calendar.UTC)
        end = dt.datetime.fromtimestamp(int(request.one("end_time")), calendar.UTC) if request.one("end_time") else world.clock
    except ValueError as wrong:
        raise _error(400, "start_time and end_time are Unix seconds") from wrong
    if request.one("bucket_width", "1d") != "1d":
        raise _error(400, "only bucket_width 1d is kept here")
    return whole_days(start, min(end, world.clock))


def _limit(request: Request, default: int, most: int) -> int:
    value = int(request.one("limit", str(default)))
    if not 1 <= value <= most:
        raise _error(400, f"limit must be between 1 and {most}")
    return value


def _grouping(request: Request, allowed: tuple[str, ...]) -> tuple[str, ...]:
    wanted = request.many("group_by")
    for name in wanted:
        if name not in allowed:
            raise _error(400, f"Invalid value: {name!r} for group_by")
    return tuple(sorted(set(wanted)))


def _rows(world: World) -> dict[dt.date, list[dict[str, Any]]]:
    by_day: dict[dt.date, list[dict[str, Any]]] = {}
    for row in bills.visible_usage(world.company, "openai", world.clock, world.faults).iter_rows(named=True):
        credential = CREDENTIALS[row["credential"]]
        user = PEOPLE[PERSON_INDEX[credential.user]].openai_user_id if credential.user else None
        row |= {
            "project_id": credential.workspace, "api_key_id": credential.key_id, "user_id": user, "batch": False,
            "service_tier": "default",
        }  # fmt: skip
        by_day.setdefault(row["day"], []).append(row)
    return by_day


def _bucket(day: dt.date, results: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(calendar.midnight(day).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results}


def _page(world: World, request: Request, buckets: list[dict[str, Any]], most: int, kind: str) -> dict[str, Any]:
    try:
        return {"object": "page", **bucket_page(world, "openai", request, buckets, _limit(request, 7, most), kind)}
    except ValueError as wrong:
        raise _error(400, "invalid page") from wrong


def _usage(world: World, request: Request, kind: str, dimensions: tuple[str, ...]) -> dict[str, Any]:
    groups = _grouping(request, dimensions)
    rows = world.once("openai-rows", lambda: _rows(world))
    double = world.faults.find("cached_double_count", "openai", request.path)

    def bucket(day: dt.date) -> dict[str, Any]:
        sums: dict[tuple, list[int]] = {}
        for row in rows.get(day, []):
            if row["model"].startswith("text-embedding") == (kind == "embeddings"):
                total = sums.setdefault(tuple(row[g] for g in groups), [0] * 4)
                for i, name in enumerate(("uncached", "cache_read", "output", "requests")):
                    total[i] += row[name]
        results = []
        for key in sorted(sums, key=str):
            uncached, read, output, calls = sums[key]
            shown = dict.fromkeys(dimensions) | dict(zip(groups, key, strict=True))
            record: dict[str, Any] = {"object": f"organization.usage.{kind}.result", "num_model_requests": calls, **shown}
            if kind == "embeddings":
                record["input_tokens"] = uncached
            else:
                uncached += read if double else 0
                record |= {
                    "input_tokens": uncached + read, "input_cached_tokens": read, "input_cache_write_tokens": 0,
                    "input_uncached_tokens": uncached, "output_tokens": output, "input_text_tokens": uncached,
                    "input_audio_tokens": 0, "input_image_tokens": 0, "input_cached_text_tokens": read,
                    "input_cached_audio_tokens": 0, "input_cached_image_tokens": 0, "output_text_tokens": output,
                    "output_audio_tokens": 0, "output_image_tokens": 0,
                }  # fmt: skip
            results.append(record)
        return _bucket(day, spoil_records(world.faults, "openai", request.path, results, _NUMBERS))

    key = ("openai-usage", kind, groups, tuple(_span(world, request)))
    return _page(world, request, world.once(key, lambda: [bucket(d) for d in key[3]]), 31, kind)


def _other_usage(world: World, request: Request, kind: str) -> dict[str, Any]:
    word, dimensions, measures = _OTHER_KINDS[kind]
    groups = _grouping(request, dimensions)

    def bucket(day: dt.date) -> dict[str, Any]:
        sums: dict[tuple[str | None, ...], dict[str, int]] = {}
        for user in (0, 1) if day >= _OTHER_SINCE and day in world.company.days else ():
            total = sums.setdefault(tuple(_OTHER_VALUES[g][user] for g in groups), dict.fromkeys(measures, 0))
            for measure, most in measures.items():
                total[measure] += drawn(world.company, f"openai:{day}:{kind}:{user}:{measure}", most // 3, most)
        results = [
            {"object": f"organization.usage.{word}.result", **dict.fromkeys(dimensions), **dict(zip(groups, key, strict=True)), **total}
            for key, total in sorted(sums.items(), key=str)
        ]
        return _bucket(day, spoil_records(world.faults, "openai", request.path, results, tuple(measures)))

    return _page(world, request, [bucket(d) for d in _span(world, request)], 31, kind)


def line_items(rows: list[dict[str, Any]]) -> dict[tuple, tuple[int, int]]:
    """(cost in 1e-12 USD, tokens) of one day's usage rows by (project, key, line item)."""
    sums: dict[tuple, tuple[int, int]] = {}
    for row in rows:
        for token, meter in zip(bills.TOKENS, METERS, strict=False):
            value = row[f"cost_{meter}"]
            if value:
                key = (row["project_id"], row["api_key_id"], f"{row['model']}, {_LINE_ITEMS[meter]}")
                cost, tokens = sums.get(key, (0, 0))
                sums[key] = (cost + value, tokens + row[token])
    return sums


def _costs(world: World, request: Request) -> dict[str, Any]:
    groups = _grouping(request, _COST_DIMENSIONS)
    rows = world.once("openai-rows", lambda: _rows(world))
    scaled = world.faults.find("cents_as_dollars", "openai", request.path)
    percent = int(scaled.get("factor", 10_000)) if scaled else 100
    currency = "eur" if world.faults.find("wrong_currency", "openai", request.path) else "usd"

    def bucket(day: dt.date) -> dict[str, Any]:
        sums: dict[tuple, tuple[int, int]] = {}
        for (project, key_id, item), (value, tokens) in line_items(rows.get(day, [])).items():
            full = {"project_id": project, "api_key_id": key_id, "line_item": item}
            key = tuple(full[g] for g in groups)
            cost, counted = sums.get(key, (0, 0))
            sums[key] = (cost + value, counted + tokens)
        results = []
        for key in sorted(sums, key=str):
            cost, tokens = sums[key]
            shown = dict.fromkeys(_COST_DIMENSIONS) | dict(zip(groups, key, strict=True))
            by_item = "line_item" in groups
            results.append({
                "object": "organization.costs.result",
                "amount": {"value": number(bills.decimal_text(cost * percent, 14)), "currency": currency},
                **shown, "organization_id": OPENAI_ORGANIZATION_ID,
                "quantity": number(bills.decimal_text(tokens, 3)) if by_item else None,
                "quantity_unit": "1000_tokens" if by_item else None,
            })  # fmt: skip
        return _bucket(day, spoil_records(world.faults, "openai", request.path, results, _NUMBERS))

    key = ("openai-costs", groups, tuple(_span(world, request)))
    return _page(world, request, world.once(key, lambda: [bucket(d) for d in key[2]]), 180, "costs")


def _list(world: World, request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    limit = _limit(request, 20, 100)
    ids = [i["id"] for i in items]
    start = ids.index(request.one("after")) + 1 if request.one("after") in ids else 0
    page = spoil_records(world.faults, "openai", request.path, items[start : start + limit], ())
    return {
        "object": "list", "data": page, "has_more": start + limit < len(items),
        "first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None,
    }  # fmt: skip


def _projects(world: World, request: Request) -> dict[str, Any]:
    archived = request.one("include_archived") == "true"
    return _list(world, request, [
        {"id": i, "object": "organization.project", "name": name, "status": status, "created_at": 1_746_086_400,
         "archived_at": gone}
        for i, name, status, gone in OPENAI_PROJECTS
        if archived or status == "active"
    ])  # fmt: skip


def _keys(world: World, request: Request, project: str) -> dict[str, Any]:
    if project not in {p[0] for p in OPENAI_PROJECTS}:
        raise _error(404, f"No such project: {project}")
    keys = []
    for c in CREDENTIALS:
        if c.source == "openai" and c.workspace == project and c.key_id:
            who = PEOPLE[PERSON_INDEX[c.creator]]
            owner = {"type": "user", "user": {"id": who.openai_user_id, "object": "organization.project.user", "email": who.email,
                                              "name": who.name, "role": "member", "added_at": 1_746_086_400}}  # fmt: skip
            keys.append({
                "object": "organization.project.api_key", "id": c.key_id, "name": c.name,
                "redacted_value": canaries.REDACTED_KEY, "created_at": 1_748_851_200, "last_used_at": None, "owner": owner,
            })  # fmt: skip
    return _list(world, request, keys)


def _users(world: World, request: Request) -> dict[str, Any]:
    return _list(world, request, [
        {"object": "organization.user", "id": p.openai_user_id, "email": p.email, "name": p.name,
         "role": "owner" if p.person_id == "p038" else "reader", "added_at": 1_746_086_400}
        for p in PEOPLE
    ])  # fmt: skip
