"""LLM log and gateway log of Azure API Management, dropped as JSON lines: what the knowledge team's playground asked.

A file holds a week of one table; the week that is still running grows. Long calls are split over several rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sandbox import canaries, s3
from sandbox.company import CREDENTIAL_INDEX
from sandbox.team_calls import Call, of_key
from sandbox.vendors.base import World, owned
from sandbox.work import SECOND

TEAM, WORKFLOW, SUBSCRIPTION = "it-knowledge", "internal-knowledge-bot", "apim-it-knowledge"


def _folder(bills: Path) -> Path:
    return bills.parent / "azure_llm_logs"


def environment(folder: Path, bucket: s3.Bucket) -> dict[str, str]:
    """The variables with which the pipeline finds the files. The gateway stands before OpenAI's own API."""
    return {"AISL_AZURE_LLM_LOGS_LOCATION": str(_folder(folder)), "AISL_AZURE_LLM_LOGS_PROVIDER": "openai"}


def ownership() -> list[dict[str, str]]:
    """Whose subscription of the gateway it is."""
    return [owned("azure_llm_logs", "api_key", SUBSCRIPTION, TEAM, WORKFLOW, environment="development")]


def deliver(world: World, folder: Path, bucket: s3.Bucket) -> None:
    """Write the weeks that have begun by the world's clock."""
    target = _folder(folder)
    target.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[dict[str, Any]]] = {}
    for day, calls in of_key(world.company, "azure_llm_logs", "openai", CREDENTIAL_INDEX["openai", "playground"]).items():
        monday = day - dt.timedelta(days=day.weekday())
        for call in calls:
            if call.start < world.clock.timestamp() * SECOND:
                files.setdefault(f"ApiManagementGatewayLlmLog-{monday}.jsonl", []).extend(_llm_rows(world, call))
                files.setdefault(f"ApiManagementGatewayLogs-{monday}.jsonl", []).append(_gateway_row(call))
    contents = {name: b"".join(msgspec.json.encode(r) + b"\n" for r in rows) for name, rows in files.items()}
    if world.faults.find("truncated_json", "azure_llm_logs"):
        contents = {name: content[: len(content) * 2 // 3] for name, content in contents.items()}
    for path in target.glob("*.jsonl"):
        if path.name not in contents:
            path.unlink()
    for name, content in contents.items():
        path = target / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def _llm_rows(world: World, call: Call) -> Iterator[dict[str, Any]]:
    faults = world.faults
    message = {"TimeGenerated": call.iso(call.milliseconds), "CorrelationId": call.call_id, "OperationId": "chat", "Region": "West Europe",
               "Type": "ApiManagementGatewayLlmLog", "DeploymentName": "", "ModelName": "", "IsStreamCompletion": False}  # fmt: skip
    if faults.find("unknown_field", "azure_llm_logs"):
        message["SurpriseField"] = "unheard of"
    last = 2 if call.number % 4 == 0 else 0
    for piece in range(last):
        yield message | {"SequenceNumber": piece, "RequestMessages": canaries.PROMPT, "PromptTokens": None, "TotalTokens": None}
    if call.failed:
        return
    prompt = call.uncached + call.cache_read
    yield message | {
        "SequenceNumber": last, "ResponseMessages": canaries.COMPLETION, "ModelName": call.model, "DeploymentName": "playground-mini",
        "PromptTokens": {"value": prompt} if faults.find("changed_type", "azure_llm_logs") else prompt,
        "CompletionTokens": call.output, "TotalTokens": prompt + call.output,
    }  # fmt: skip


def _gateway_row(call: Call) -> dict[str, Any]:
    return {
        "TimeGenerated": call.iso(call.milliseconds), "CorrelationId": call.call_id, "ApimSubscriptionId": SUBSCRIPTION, "ProductId": "ai",
        "UserId": call.email, "ApiId": "knowledge", "Region": "West Europe", "ResponseCode": 429 if call.failed else 200,
        "TotalTime": call.milliseconds, "CallerIpAddress": "10.0.0.9", "Url": f"https://apim.acme.example/chat?q={canaries.METADATA}",
        "RequestBody": canaries.PROMPT, "Type": "ApiManagementGatewayLogs",
    }  # fmt: skip
