"""LiteLLM proxy: the request log, `GET /spend/logs/v2`.

`start_date` and `end_date` are a date (its UTC midnight) or `YYYY-MM-DD HH:MM:SS`; rows start at or after the first and
before the second. Pages are numbered from 1, ordered by start time and hold at most 1000 rows.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import polars as pl

from sandbox import calendar, canaries
from sandbox.company import CODING, DEPLOYMENTS, VIRTUAL_KEYS
from sandbox.requests import FAILED, aws_request_id
from sandbox.vendors.base import Answer, Refusal, Request, World, spoil_records
from sandbox.work import micros

SECRET = canaries.SECRET_LITELLM
_AHEAD = ThreadPoolExecutor(1, "litellm ahead")
_CALL_TYPES = ("acompletion", "aembedding")
_KEY_HASHES = [k.key_hash for k in VIRTUAL_KEYS]
_PROMPT = [{"role": "user", "content": canaries.PROMPT}]
_RESPONSE = {"choices": [{"message": {"role": "assistant", "content": canaries.COMPLETION}}]}
_NO_TEXTS: dict[str, Any] = {"messages": {}, "response": {}, "proxy_server_request": {}}
_PROXY_REQUEST = {"body": {"messages": [{"role": "system", "content": canaries.PROXY_REQUEST}]}}
# Storing prompts is switched on for one caller in ten.
_TEXTS: dict[str, Any] = {"messages": _PROMPT, "response": _RESPONSE, "proxy_server_request": _PROXY_REQUEST}


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": "auth_error" if status == 401 else "bad_request", "code": str(status)}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_LITELLM_BASE_URL": base_url, "AISL_LITELLM_MASTER_KEY": SECRET}


def handle(world: World, request: Request) -> Answer:
    """Answer a request to the proxy."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Authentication Error, Invalid proxy server token passed")
    if request.path in ("/health/liveliness", "/health/liveness"):
        return Answer(200, "I'm alive!")
    if request.path != "/spend/logs/v2" or request.method != "GET":
        raise _error(404, "Not Found")
    return Answer(200, _logs(world, request))


def _instant(request: Request, name: str) -> int:
    try:
        return micros(calendar.parse_instant(request.one(name)))
    except ValueError as wrong:
        raise _error(400, f"{name}: expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS") from wrong


def _logs(world: World, request: Request) -> bytes:
    start, end = _instant(request, "start_date"), _instant(request, "end_date")
    page, size = int(request.one("page", "1")), int(request.one("page_size", "50"))
    if page < 1 or not 1 <= size <= 1000:
        raise _error(400, "page must be at least 1 and page_size between 1 and 1000")
    asked = (request.path, start, end, page, size)
    if world.faults.active:
        return _answer(world, *asked)[0]
    # Days are asked for in their order. A proxy works on a machine of its own while its client reads; here they share one.
    guess, ready = world.memo.pop("litellm-ahead", (None, None))
    body, pages = ready.result() if guess == asked else _answer(world, *asked)
    coming = (request.path, start, end, page + 1, size) if page < pages else (request.path, end, 2 * end - start, 1, size)
    world.memo["litellm-ahead"] = (coming, _AHEAD.submit(_answer, world, *coming))
    return body


def _answer(world: World, path: str, start: int, end: int, page: int, size: int) -> tuple[bytes, int]:
    """A page of the log and how many there are."""
    log = world.company.log
    starts = world.once("litellm-starts", lambda: log["start"].to_numpy())
    first, last = (int(i) for i in np.searchsorted(starts, [start, min(end, micros(world.clock))]))
    rows = log.slice(first, max(0, last - first))
    if end > micros(world.clock) - 3600 * 1_000_000:
        rows = rows.filter(pl.col("end") <= micros(world.clock))
    total = rows.height
    pages = math.ceil(total / size)
    served = page
    if world.faults.find("doubled_page", "litellm", path) and pages:
        pages += 1
        served = max(1, page - 1)
    if world.faults.find("missing_page", "litellm", path) and pages > 1:
        pages -= 1
        total = pages * size
    records = [] if page > pages else [_record(r) for r in _page(rows.slice((served - 1) * size, size)).iter_rows(named=True)]
    records = spoil_records(world.faults, "litellm", path, records, ("prompt_tokens", "total_tokens"))
    body = {"data": records, "total": total, "page": page, "page_size": size, "total_pages": pages}
    return msgspec.json.encode(body), pages


_SHOWN = (
    "request_id", "ordinal", "status", "deployment", "virtual_key", "attempt", "step", "stream", "gateway_hit", "uncached",
    "cache_read", "write_5m", "write_1h", "output", "reasoning", "cost", "is_embedding", "tag_ticket", "tag_workflow",
    "tag_feature", "end_user", "user", "team_id", "branch", "repo", "session_id", "user_action",
)  # fmt: skip
_TIMES = ("start", "end", "first_token")


def _page(rows: pl.DataFrame) -> pl.DataFrame:
    """What one page needs; times as the vendor writes them."""
    return rows.select(
        *_SHOWN, ((pl.col("end") - pl.col("start")) // 1000).alias("milliseconds"),
        *(pl.from_epoch(c, time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ") for c in _TIMES),
    )  # fmt: skip


def _record(row: dict[str, Any]) -> dict[str, Any]:
    deployment = DEPLOYMENTS[row["deployment"]]
    key = VIRTUAL_KEYS[row["virtual_key"]]
    key_hash = _KEY_HASHES[row["virtual_key"]]
    failed = row["status"] == FAILED
    prompt = row["uncached"] + row["cache_read"] + row["write_5m"] + row["write_1h"]
    written = row["write_5m"] + row["write_1h"]
    tags = []
    if row["tag_ticket"]:
        tags = [f"ticket:{row['tag_ticket']}", f"workflow:{row['tag_workflow']}", f"feature:{row['tag_feature']}"]
        if row["end_user"]:
            tags.append(f"customer:{row['end_user']}")
        tags.append("task_type:code" if row["stream"] == CODING else "task_type:answer")
    ordinal = row["ordinal"]
    tags.append(f"environment:{key.environment}")
    if ordinal % 97 == 3:
        tags.append(f"prompt_preview:{canaries.TAG_UNKNOWN_KEY}")
    if ordinal % 997 == 5:
        # What careless callers do: free text in a label that is otherwise kept.
        tags = [t for t in tags if not t.startswith("task_type:")] + [f"task_type:{canaries.TAG_FREE_TEXT}"]
    if ordinal % 499 == 7 and not row["tag_ticket"]:
        tags.append("ticket:UTF-8")
    caller: dict[str, Any] = {"user_action_id": row["user_action"], "attempt": row["attempt"], "agent_step": row["step"]}
    if row["branch"]:
        caller |= {"repo": row["repo"], "branch": row["branch"]}
    if row["stream"] != CODING and not failed and not row["is_embedding"]:
        caller |= {"system_prompt_tokens": prompt // 8, "retrieval_tokens": prompt // 2, "history_tokens": prompt // 5,
                   "tool_schema_tokens": prompt // 16}  # fmt: skip
    if ordinal % 89 == 1:
        caller["user_question"] = canaries.METADATA
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": row["output"], "total_tokens": prompt + row["output"]}
    if deployment.provider == "openai":
        usage["prompt_tokens_details"] = {"cached_tokens": row["cache_read"]}
        if not row["is_embedding"]:
            usage["completion_tokens_details"] = {"reasoning_tokens": row["reasoning"]}
    else:
        usage |= {"cache_read_input_tokens": row["cache_read"], "cache_creation_input_tokens": written,
                  "prompt_tokens_details": {"cached_tokens": row["cache_read"], "cache_creation_tokens": written,
                                            "cache_creation_token_details": {"ephemeral_5m_input_tokens": row["write_5m"],
                                                                             "ephemeral_1h_input_tokens": row["write_1h"]}}}  # fmt: skip
    metadata: dict[str, Any] = {
        "user_api_key_alias": key.alias, "user_api_key_team_id": row["team_id"],
        "user_api_key_team_alias": key.team or None, "user_api_key_user_id": row["user"],
        "usage_object": usage, "spend_logs_metadata": caller,
        "additional_usage_values": {"cache_read_input_tokens": row["cache_read"], "cache_creation_input_tokens": written},
        "status": "failure" if failed else "success", "attempted_fallbacks": 0,
    }  # fmt: skip
    if deployment.provider == "bedrock" and not row["gateway_hit"]:
        metadata["provider_response_id"] = aws_request_id(row["request_id"])
    if failed:
        metadata["error_information"] = {"error_code": "529", "error_class": "InternalServerError", "error_message": "Overloaded"}
    return {
        "request_id": row["request_id"], "call_type": _CALL_TYPES[row["is_embedding"]], "api_key": key_hash,
        "spend": row["cost"] / 1e12, "total_tokens": prompt + row["output"], "prompt_tokens": prompt,
        "completion_tokens": row["output"], "startTime": row["start"], "endTime": row["end"],
        "completionStartTime": row["first_token"], "request_duration_ms": row["milliseconds"],
        "model": deployment.model if failed else f"{deployment.provider}/{deployment.model}", "model_id": deployment.deployment_id,
        "model_group": deployment.alias, "custom_llm_provider": deployment.provider, "api_base": "",
        "user": row["user"] or "", "team_id": row["team_id"], "organization_id": None, "end_user": row["end_user"] or "",
        "agent_id": None, "metadata": metadata, "request_tags": tags, "cache_hit": "True" if row["gateway_hit"] else "False",
        "cache_key": "Cache OFF", "session_id": row["session_id"], "status": "failure" if failed else "success",
        "mcp_namespaced_tool_name": None, "requester_ip_address": "10.0.0.7", "litellm_call_id": f"call-{row['request_id']}",
        **(_TEXTS if ordinal % 10 == 5 else _NO_TEXTS),
    }  # fmt: skip
