"""GitHub's own examples of the lists and objects that are read, in full."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from ingestion.trackers.github import Commit, Deployment, Issue, Pull, Status

FILE = Path(__file__).parents[2] / "fixtures/trackers/github_openapi_examples.json.gz"
EXAMPLES = {e["operation_id"]: e["body"] for e in json.loads(gzip.decompress(FILE.read_bytes()))}


@pytest.mark.parametrize(
    ("operation", "record", "facts"),
    [
        ("pulls/list", Pull, {"number": 1347}),
        ("pulls/get", Pull, {"number": 1347}),
        ("repos/list-pull-requests-associated-with-commit", Pull, {"number": 1347}),
        ("issues/list-for-repo", Issue, {"number": 1347}),
        ("repos/list-deployments", Deployment, {"environment": "production"}),
        ("repos/get-deployment", Deployment, {"environment": "production"}),
        ("repos/list-commits", Commit, {"sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e"}),
        ("repos/list-deployment-statuses", Status, {"state": "success"}),
    ],
)
def test_github_s_own_example_is_read(operation, record, facts):
    body = EXAMPLES[operation]
    [found] = msgspec.json.decode(json.dumps(body if isinstance(body, list) else [body]).encode(), type=list[record])
    assert {name: getattr(found, name) for name in facts} == facts
