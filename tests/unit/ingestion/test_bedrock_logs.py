"""Bedrock model invocation logs against an S3 server: days by prefix, late hours, profiles, what is never decoded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.source import SourceConfig
from ingestion.windows import day_window

DAYS = [day_window(date(2026, 9, 30)), day_window(date(2026, 10, 1))]
LOGS = "logs/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1"
PROFILE = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/p1"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server, request):
    """(client, config) of an empty bucket of the test's own."""
    s3 = boto3.client("s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    name = "b-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:50].strip("-").lower()
    s3.create_bucket(Bucket=name)
    config = SourceConfig(
        "bedrock_logs", base_url=server, secrets={"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"},
        options={"bucket": name, "prefix": "logs", "profiles": "p1=us.anthropic.claude-haiku-4-5-20251001-v1:0", "endpoint_url": server},
    )  # fmt: skip
    return s3, config


def invocation(name, moment="2026-10-01T09:00:00Z", **values):
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": moment, "accountId": "111122223333", "region": "us-east-1",
        "requestId": name, "operation": "Converse", "modelId": "amazon.nova-lite-v1:0", "identity": {"arn": "arn:aws:iam::111122223333:user/ada"},
        "input": {"inputTokenCount": 4, "cacheReadInputTokenCount": 600, "cacheWriteInputTokenCount": 50, "inputBodyJson": {"messages": "CANARY"}},
        "output": {"outputTokenCount": 100, "outputBodyJson": {"content": "CANARY"}}, **values,
    }  # fmt: skip


def put(bucket, key, *records, content=None):
    s3, config = bucket
    body = content if content is not None else gzip.compress(b"\n".join(json.dumps(r).encode() for r in records))
    s3.put_object(Bucket=config.option("bucket"), Key=f"{LOGS}/{key}", Body=body)


def fetch(bucket, days=DAYS):
    connector = CONNECTORS["bedrock_logs__invocations"]
    windows = connector.find(bucket[1], days)
    return {window.key: batch for window, batch in connector.fetch(None, bucket[1], windows)}


def test_days_are_found_by_prefix_and_a_late_hour_belongs_to_the_day_before(bucket):
    put(bucket, "2026/09/30/23/a.json.gz", invocation("evening", "2026-09-30T23:30:00Z"))
    put(bucket, "2026/10/01/00/b.json.gz", invocation("late", "2026-09-30T23:59:58Z"), invocation("early", "2026-10-01T00:00:01Z"))
    put(bucket, "2026/10/01/09/c.json.gz", invocation("day"))
    put(bucket, "2026/10/02/00/d.json.gz", invocation("next", "2026-10-02T00:10:00Z"))
    put(bucket, "2026/10/01/09/data/body_input.json.gz", content=b"no gzip: a body of its own")
    put(bucket, "amazon-bedrock-logs-permission-check", content=b"")
    found = fetch(bucket)
    assert found["2026-09-30"].records["request_id"].to_list() == ["evening", "late"]
    assert found["2026-10-01"].records["request_id"].to_list() == ["early", "day"]
    assert not any(batch.rejects for batch in found.values())


def test_a_day_is_read_again_only_when_objects_were_added(bucket):
    find = CONNECTORS["bedrock_logs__invocations"].find
    empty = [w.version for w in find(bucket[1], DAYS)]
    put(bucket, "2026/10/01/09/a.json.gz", invocation("a"))
    first = [w.version for w in find(bucket[1], DAYS)]
    assert first == [w.version for w in find(bucket[1], DAYS)]
    put(bucket, "2026/10/01/10/b.json.gz", invocation("b", "2026-10-01T10:00:00Z"))
    second = [w.version for w in find(bucket[1], DAYS)]
    assert empty[0] == first[0] == second[0] and len({empty[1], first[1], second[1]}) == 3
    assert {key: batch.records.height for key, batch in fetch(bucket).items()} == {"2026-09-30": 0, "2026-10-01": 2}


def test_counts_identity_profile_and_labels_land_and_texts_do_not(bucket):
    role = {"arn": "arn:aws:sts::111122223333:assumed-role/app/ada@acme.example"}
    metadata = {"Ticket": "ACME-1", "team": "data", "prompt": "CANARY", "workflow": "please do CANARY for me in very many words"}
    put(
        bucket, "2026/10/01/09/a.json.gz",
        invocation("a", identity=role, requestMetadata=metadata, modelId=PROFILE, inferenceRegion="us-west-2"),
        invocation("b", errorCode="ThrottlingException", input={"inputBodyJson": "CANARY"}, output=None),
        invocation("c", modelId="arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"),
        invocation("d", modelId=PROFILE.replace("/p1", "/unknown")),
    )  # fmt: skip
    rows = {r["request_id"]: r for r in fetch(bucket)["2026-10-01"].records.to_dicts()}
    assert "CANARY" not in str(rows)
    a, b = rows["a"], rows["b"]
    counts = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    assert [a[c] for c in counts] == [4, 600, 50, 100] and [b[c] for c in counts] == [None] * 4
    assert (a["role_arn"], a["session_name"]) == ("arn:aws:iam::111122223333:role/app", "ada@acme.example")
    assert (a["tag_ticket"], a["tag_team"], a["tag_workflow"], a["dropped_tag_count"]) == ("ACME-1", "data", None, 2)
    assert b["error_code"] == "ThrottlingException" and b["role_arn"] == b["identity_arn"]
    assert [rows[n]["model"] for n in "acd"] == ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0", None]


def test_bad_lines_are_rejected_and_no_other(bucket):
    lines = [invocation("good"), invocation("typed", input={"inputTokenCount": {"value": 1}}), invocation("old", "2026-08-01T00:00:00Z"),
             invocation("when", "CANARY"), {"requestId": "x"}]  # fmt: skip
    body = b"\n".join(json.dumps(line).encode() for line in lines) + b'\n{"timestamp": "20'
    put(bucket, "2026/10/01/09/a.json.gz", content=gzip.compress(body))
    batch = fetch(bucket)["2026-10-01"]
    assert batch.records["request_id"].to_list() == ["good"]
    assert {(r.ordinal, r.reason, r.field) for r in batch.rejects} == {
        (1, "wrong_type", "input.inputTokenCount"), (2, "outside_window", "timestamp"), (3, "unreadable_time", "timestamp"),
        (4, "missing_field", None), (5, "malformed", None),
    }  # fmt: skip


def test_half_an_object_is_no_day(bucket):
    whole = gzip.compress(json.dumps(invocation("a")).encode() * 50)
    put(bucket, "2026/10/01/09/a.json.gz", content=whole[: len(whole) // 2])
    with pytest.raises(ContractBroken, match="no whole gzip file"):
        fetch(bucket)


def test_settings_that_cannot_be_read_are_said(bucket):
    config = SourceConfig("bedrock_logs", options=dict(bucket[1].options) | {"profiles": "p1"}, secrets=dict(bucket[1].secrets))
    with pytest.raises(RequestRejected, match="PROFILES"):
        fetch((bucket[0], config))
