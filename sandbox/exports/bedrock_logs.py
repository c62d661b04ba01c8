"""Bedrock model invocation logs in the bucket: some of the gateway's calls, which its own log has too, and some of the data
team's, which no gateway saw. Logging was switched on lately, for two accounts in one region.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from sandbox import calendar, canaries, s3
from sandbox.company import AWS_ACCOUNTS, BEDROCK_GATEWAY_PROFILE, DEPLOYMENT_INDEX, DEPLOYMENTS
from sandbox.outside import BEDROCK_DIRECT
from sandbox.requests import FAILED, REFUSED, aws_request_id
from sandbox.team_calls import Call, of_key
from sandbox.vendors.base import World, owned
from sandbox.work import SECOND

PREFIX = "bedrock-logs"
REGION = "us-east-1"
SINCE = calendar.LAST_DAY - dt.timedelta(days=59)
MOST_A_DAY = 8
GATEWAY_ACCOUNT, DATA_ACCOUNT = AWS_ACCOUNTS[1][0], AWS_ACCOUNTS[2][0]
GATEWAY_ROLE, DATA_ROLE = "llm-gateway", "notebooks"
_HAIKU = DEPLOYMENT_INDEX["gw-bedrock-haiku-4-5"]
_BEDROCK = [i for i, d in enumerate(DEPLOYMENTS) if d.provider == "bedrock"]


def environment(folder: Path, bucket: s3.Bucket) -> dict[str, str]:
    """The variables with which the pipeline finds the log."""
    profile = BEDROCK_GATEWAY_PROFILE.rpartition("/")[2]
    return {
        "AISL_BEDROCK_LOGS_ENDPOINT_URL": bucket.endpoint,
        "AISL_BEDROCK_LOGS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AISL_BEDROCK_LOGS_SECRET_ACCESS_KEY": canaries.SECRET_AWS,
        "AISL_BEDROCK_LOGS_REGION": REGION,
        "AISL_BEDROCK_LOGS_BUCKET": s3.BUCKET,
        "AISL_BEDROCK_LOGS_PREFIX": PREFIX,
        "AISL_BEDROCK_LOGS_PROFILES": f"{profile}={DEPLOYMENTS[_HAIKU].model}",
    }


def ownership() -> list[dict[str, str]]:
    """Whose roles call."""
    return [
        owned("bedrock_logs", "api_key", _role(GATEWAY_ACCOUNT, GATEWAY_ROLE), "platform", is_gateway=True),
        owned("bedrock_logs", "api_key", _role(DATA_ACCOUNT, DATA_ROLE), "data", environment="development"),
    ]


def deliver(world: World, folder: Path, bucket: s3.Bucket) -> None:
    """Write an object per account and hour, with the calls that were logged by the world's clock."""
    objects: dict[str, list[dict[str, Any]]] = {}
    for record in (*_gateway_calls(world), *_data_calls(world)):
        moment = calendar.parse_instant(record["timestamp"])
        if moment + dt.timedelta(minutes=5) > world.clock:
            continue
        # A call in the last seconds of an hour is delivered with the next.
        hour = moment + dt.timedelta(seconds=20)
        place = f"{PREFIX}/AWSLogs/{record['accountId']}/BedrockModelInvocationLogs/{REGION}/{hour:%Y/%m/%d/%H}"
        objects.setdefault(f"{place}/{hour:%Y%m%dT%H}0000000Z_log.json.gz", []).append(record)
    faults = world.faults
    if faults.find("missing_page", "bedrock_logs"):
        objects = {key: records for key, records in objects.items() if not key.endswith("T090000000Z_log.json.gz")}
    contents = {key: _packed(records) for key, records in objects.items()}
    if faults.find("truncated_json", "bedrock_logs"):
        contents = {key: content[: len(content) * 2 // 3] for key, content in contents.items()}
    for key in [k for k in bucket.written if k.startswith(f"{PREFIX}/") and k not in contents]:
        bucket.client.delete_object(Bucket=s3.BUCKET, Key=key)
        del bucket.written[key]
    for key, content in contents.items():
        if bucket.written.get(key) != content:
            bucket.client.put_object(Bucket=s3.BUCKET, Key=key, Body=content)
            bucket.written[key] = content


def _packed(records: list[dict[str, Any]]) -> bytes:
    return gzip.compress(b"\n".join(msgspec.json.encode(r) for r in records) + b"\n", mtime=0)


def _role(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def _record(world: World, account: str, role: str, session: str, moment: str, call_id: str, model: str, tokens: tuple[int, int, int, int],
            metadata: dict[str, str], failed: bool) -> dict[str, Any]:  # fmt: skip
    uncached, read, write, output = tokens
    given: dict[str, Any] = {"inputContentType": "application/json", "inputBodyJson": {"messages": [{"content": canaries.PROMPT}]}}
    out: dict[str, Any] = {"outputContentType": "application/json", "outputBodyJson": {"content": canaries.COMPLETION}}
    if not failed:
        changed = world.faults.find("changed_type", "bedrock_logs")
        given |= {"inputTokenCount": {"value": uncached} if changed else uncached, "cacheReadInputTokenCount": read,
                  "cacheWriteInputTokenCount": write}  # fmt: skip
        out["outputTokenCount"] = output
    record = {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": moment, "accountId": account, "region": REGION,
        "requestId": call_id, "operation": "Converse", "modelId": model, "inferenceRegion": "us-west-2", "requestMetadata": metadata,
        "identity": {"arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}"}, "input": given,
        **({"errorCode": "ThrottlingException"} if failed else {"output": out}),
    }  # fmt: skip
    return record | ({"surprise_field": "unheard of"} if world.faults.find("unknown_field", "bedrock_logs") else {})


def _gateway_calls(world: World) -> Iterator[dict[str, Any]]:
    """Calls of the gateway's Bedrock deployments between nine and eleven, the first few of each day."""
    first = max(SINCE, world.company.log_days[0])
    rows = world.company.log.filter(
        pl.col("deployment").is_in(_BEDROCK) & (pl.col("gateway_hit") == 0) & (pl.col("status") != REFUSED)
        & (pl.col("day") >= first.toordinal()) & ((pl.col("start") // (3600 * SECOND) % 24).is_in([9, 10]))
    ).group_by("day", maintain_order=True).head(MOST_A_DAY)  # fmt: skip
    for row in rows.iter_rows(named=True):
        moment = dt.datetime.fromtimestamp(row["start"] // SECOND, calendar.UTC)
        tokens = (row["uncached"], row["cache_read"], row["write_5m"] + row["write_1h"], row["output"])
        model = BEDROCK_GATEWAY_PROFILE if row["deployment"] == _HAIKU else DEPLOYMENTS[row["deployment"]].model
        yield _record(world, GATEWAY_ACCOUNT, GATEWAY_ROLE, "i-0acme", f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                      aws_request_id(row["request_id"]), model, tokens, {"tenant": "acme"}, row["status"] == FAILED)  # fmt: skip


def _data_calls(world: World) -> Iterator[dict[str, Any]]:
    """Calls of the data team's notebooks."""
    for day, calls in of_key(world.company, "bedrock_logs", "aws", BEDROCK_DIRECT, hours=2).items():
        if day >= SINCE:
            for call in calls[:MOST_A_DAY]:
                yield _data_call(world, call)


def _data_call(world: World, call: Call) -> dict[str, Any]:
    metadata = {"team": "data", "feature": "search-index", "question": canaries.METADATA}
    if call.ticket:
        metadata["ticket"] = call.ticket
    tokens = (call.uncached, call.cache_read, call.write_5m, call.output)
    return _record(world, DATA_ACCOUNT, DATA_ROLE, call.email, call.iso()[:19] + "Z", call.call_id, call.model, tokens, metadata, call.failed)
