"""GitLab: paging by link, rows that move while they are read, what is left out, and the recorded answers in full."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from fake_vendor import Reply

from ingestion.connectors import CONNECTORS
from ingestion.doctor import check
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.source import SourceConfig
from ingestion.trackers.gitlab import Deployment, MergeRequest, deployment_row, merge_request_row
from ingestion.windows import day_window

FIXTURES = Path(__file__).parents[2] / "fixtures/trackers"
DAYS = [day_window(date(2026, 11, n)) for n in (17, 18, 19)]
CONFIG = SourceConfig("gitlab", secrets={"TOKEN": "glpat-x"}, options={"projects": "acme/search/api"})
LIST = "/projects/acme%2Fsearch%2Fapi/merge_requests"
ANN = {"id": 31, "username": "ann"}


def request(number, updated="2026-11-18T10:00:00.120+02:00", **fields):
    return {
        "id": 7000 + number, "iid": number, "project_id": 88, "state": "merged", "title": f"SRCH-{number}", "description": "CANARY",
        "created_at": "2026-11-17T08:00:00Z", "updated_at": updated, "source_branch": f"srch-{number}-x", "target_branch": "main",
        "author": ANN, "labels": ["b", "a"], "merge_commit_sha": "abc", "draft": False, **fields,
    }  # fmt: skip


def fetch(name, client, windows=DAYS, config=CONFIG):
    return {w.key: batch for w, batch in CONNECTORS[f"gitlab__{name}"].fetch(client, config, windows)}


def test_pages_are_followed_by_link_and_rows_land_on_their_update_day_in_utc(vendor, client):
    pages = [
        Reply([request(3, "2026-11-19T01:30:00.000+02:00"), request(2)], headers={"Link": f'<{vendor.url}{LIST}?page=2>; rel="next"'}),
        Reply([request(1, "2026-11-17T09:00:00Z")]),
    ]
    vendor.routes[LIST] = pages
    days = fetch("merge_requests", client)
    assert {day: batch.records["iid"].to_list() for day, batch in days.items()} == {
        "2026-11-17": [1], "2026-11-18": [3, 2], "2026-11-19": [],
    }  # fmt: skip
    first = vendor.asked[0]
    assert {n: first.get(n) for n in ("state", "scope", "order_by", "sort", "updated_after", "per_page")} == {
        "state": "all", "scope": "all", "order_by": "updated_at", "sort": "desc", "updated_after": "2026-11-17T00:00:00Z", "per_page": "100",
    }  # fmt: skip
    assert "CANARY" not in days["2026-11-18"].records.write_csv()


def test_a_row_that_moves_to_the_front_while_pages_are_read_lands_once_and_newest(vendor, client):
    vendor.routes[LIST] = [
        Reply([request(1, "2026-11-18T12:00:00Z", title="new"), request(2)], headers={"Link": f'<{vendor.url}{LIST}?page=2>; rel="next"'}),
        Reply([request(2), request(1, "2026-11-18T07:00:00Z", title="old")]),
    ]
    batch = fetch("merge_requests", client)["2026-11-18"]
    assert sorted(zip(batch.records["iid"], batch.records["title"], strict=True)) == [(1, "new"), (2, "SRCH-2")]
    assert batch.rejects == []


def test_the_limit_is_waited_for_and_a_repeated_page_is_no_page(vendor, client, waits):
    link = {"Link": f'<{vendor.url}{LIST}?page=2>; rel="next"'}
    vendor.routes[LIST] = [Reply({}, 429, {"Retry-After": "7"}), Reply([request(1)], headers=link), Reply([request(1)], headers=link)]
    with pytest.raises(ContractBroken, match="repeats the records"):
        fetch("merge_requests", client)
    assert 7 <= waits[0] < 8


def test_an_exhausted_limit_says_when_to_ask_again(vendor, client, waits):
    reset = str(int(datetime(2026, 11, 20, 6, 1, tzinfo=UTC).timestamp()))
    vendor.routes[LIST] = [Reply({}, 429, {"RateLimit-Remaining": "0", "RateLimit-Reset": reset}), Reply([])]
    fetch("merge_requests", client)
    assert 60 <= waits[0] <= 61


def test_a_wrong_type_rejects_its_row_only_and_unknown_fields_are_welcome(vendor, client):
    vendor.routes[LIST] = Reply([request(1, iid="one"), request(2, surprise={"a": 1}), request(3, merged_at="soon")])
    days = fetch("merge_requests", client)
    assert days["2026-11-18"].records["iid"].to_list() == [2]
    assert [(r.ordinal, r.reason, r.field) for r in days["2026-11-19"].rejects] == [(0, "wrong_type", "iid"), (2, "wrong_type", "merged_at")]


def test_confidential_titles_are_left_out_and_iterations_are_kept(vendor, client):
    issue = {
        "id": 9, "iid": 5, "project_id": 88, "state": "closed", "title": "CANARY", "created_at": "2026-11-01T00:00:00Z",
        "updated_at": "2026-11-18T00:00:00Z", "assignees": [ANN], "author": ANN, "moved_to_id": 12, "weight": 3, "confidential": True,
        "iteration": {"id": 4, "title": "W47", "start_date": "2026-11-16", "due_date": "2026-11-29"},
    }  # fmt: skip
    vendor.routes["/projects/acme%2Fsearch%2Fapi/issues"] = Reply([issue, issue | {"id": 10, "iid": 6, "title": "open", "confidential": False}])
    rows = fetch("issues", client)["2026-11-18"].records
    assert rows["title"].to_list() == [None, "open"]
    assert rows.row(0, named=True) | {"is_confidential": True} == rows.row(0, named=True)
    assert (rows["iteration_id"][0], rows["iteration_due"][0], rows["moved_to_id"][0]) == ("4", datetime(2026, 11, 29, tzinfo=UTC), "12")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"name": "eu", "tier": "production"}, True), ({"name": "production", "tier": "staging"}, False), ({"name": "PROD"}, True),
     ({"name": "review/x"}, False), (None, False)],
)  # fmt: skip
def test_production_is_told_by_tier_and_else_by_name(environment, expected):
    found = msgspec.convert(
        {"id": 1, "iid": 1, "status": "success", "created_at": "2026-11-18T00:00:00Z", "updated_at": "2026-11-18T00:00:00Z",
         "environment": environment}, Deployment,
    )  # fmt: skip
    names = list(CONNECTORS["gitlab__deployments"].dataset.columns)
    assert dict(zip(names, deployment_row("acme/api", found), strict=True))["is_production"] is expected


def test_settings_are_explained_and_the_doctor_asks_with_the_token(vendor, client):
    with pytest.raises(RequestRejected, match="AISL_GITLAB_PROJECTS"):
        fetch("merge_requests", client, config=SourceConfig("gitlab", options={"projects": "search"}))
    vendor.routes[LIST] = Reply([])
    config = SourceConfig("gitlab", base_url=vendor.url, secrets=CONFIG.secrets, options=CONFIG.options)
    assert check(config, now=datetime(2026, 11, 20, tzinfo=UTC)).state == "ok"
    assert vendor.asked[-1].headers["private-token"] == "glpat-x"


def test_recorded_merge_requests_and_deployments_are_read_in_full():
    lines = [json.loads(line) for line in (FIXTURES / "gitlab_merge_requests.jsonl").read_text().splitlines()]
    requests = msgspec.json.decode(json.dumps(lines).encode(), type=list[MergeRequest])
    names = list(CONNECTORS["gitlab__merge_requests"].dataset.columns)
    rows = [dict(zip(names, merge_request_row("a/b", m), strict=True)) for m in requests]
    states = Counter(r["state"] for r in rows)
    assert (len(rows), states) == (12, {"merged": 7, "opened": 4, "closed": 1})
    assert sum(r["merged_at"] is not None for r in rows) == 7 and all(r["author_id"] for r in rows)
    lines = [json.loads(line) for line in (FIXTURES / "gitlab_deployments.jsonl").read_text().splitlines()]
    found = msgspec.json.decode(json.dumps(lines).encode(), type=list[Deployment])
    names = list(CONNECTORS["gitlab__deployments"].dataset.columns)
    deployed = [dict(zip(names, deployment_row("a/b", d), strict=True)) for d in found]
    print(f"recorded: {len(rows)} merge requests {dict(states)}, {len(deployed)} deployments {Counter(d['status'] for d in deployed)}")
    assert len(deployed) == 3 and all(d["updated_at"] for d in deployed) and lines[2].get("updated_at") is None
