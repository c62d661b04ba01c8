"""Linear: Relay paging, refusals by body, histories longer than their first entries, and what is never asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from fake_vendor import Reply

from ingestion.connectors import CONNECTORS, make_client
from ingestion.doctor import check
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.source import SourceConfig
from ingestion.trackers.linear import headers
from ingestion.windows import day_window

DAYS = [day_window(date(2026, 11, n)) for n in (18, 19)]
CONFIG = SourceConfig("linear", secrets={"API_KEY": "lin_api_x"})


def issue(number, updated="2026-11-18T10:00:00.000Z", **fields):
    return {
        "id": f"i{number}", "identifier": f"ENG-{number}", "createdAt": "2026-11-01T00:00:00.000Z", "updatedAt": updated, "estimate": 3.5,
        "team": {"key": "ENG"}, "state": {"id": "s2", "name": "In Progress", "type": "started"}, "assignee": {"id": "u1"},
        "cycle": {"id": "c1"}, "project": {"id": "p1", "name": "Ranking"}, "previousIdentifiers": ["OPS-9"], "labelIds": ["l2", "l1"],
        **fields,
    }  # fmt: skip


def page(nodes, cursor=None, **more):
    return Reply({"data": {"page": {"nodes": nodes, "pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor}}}, **more})


def fetch(name, client, windows=DAYS, config=CONFIG):
    return {w.key: batch for w, batch in CONNECTORS[f"linear__{name}"].fetch(client, config, windows)}


def test_pages_are_followed_by_cursor_and_an_issue_seen_twice_lands_newest(vendor, client):
    vendor.routes["/graphql"] = [
        page([issue(1, "2026-11-19T09:00:00.000Z", title="new"), issue(2)], "abc"),
        page([issue(3, estimate=None), issue(1, "2026-11-18T08:00:00.000Z", title="old")]),
    ]
    days = fetch("issues", client)
    assert {day: sorted(batch.records["identifier"]) for day, batch in days.items()} == {
        "2026-11-18": ["ENG-2", "ENG-3"], "2026-11-19": ["ENG-1"],
    }  # fmt: skip
    assert days["2026-11-19"].records["title"].to_list() == ["new"]
    rows = days["2026-11-18"].records.sort("id")
    assert (rows["estimate"].to_list(), rows["previous_identifiers"][0]) == (["3.5", None], '["OPS-9"]')
    first, second = vendor.asked
    assert first.body["variables"]["filter"] == {
        "updatedAt": {"gte": "2026-11-18T00:00:00.000Z", "lt": "2026-11-20T00:00:00.000Z"}
    }
    assert second.body["variables"]["after"] == "abc" and "after" not in first.body["variables"]
    # without it a finished issue is gone after some months, and its cost with it
    assert "includeArchived: true" in first.body["query"]
    for forbidden in ("description", "comments", "displayName", "documentContent"):
        assert forbidden not in first.body["query"]


def test_over_the_limit_is_http_400_and_waits_for_the_reset_in_milliseconds(vendor, client, waits):
    reset = str(int(datetime(2026, 11, 20, 6, 2, tzinfo=UTC).timestamp() * 1000))
    refused = Reply(
        {"errors": [{"message": "too many", "extensions": {"code": "RATELIMITED"}}]}, 400,
        {"X-RateLimit-Requests-Remaining": "0", "X-RateLimit-Requests-Reset": reset},
    )  # fmt: skip
    vendor.routes["/graphql"] = [refused, page([])]
    fetch("issues", client)
    assert 120 <= waits[0] <= 121


def test_any_other_400_is_told_by_its_code_and_not_tried_again(vendor, client, waits):
    vendor.routes["/graphql"] = Reply({"errors": [{"message": "no such field prompt", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, 400)
    with pytest.raises(RequestRejected, match="GRAPHQL_VALIDATION_FAILED") as refused:
        fetch("issues", client)
    assert waits == [] and "prompt" not in str(refused.value)


@pytest.mark.parametrize(
    "reply",
    [
        page([issue(1)], errors=[{"message": "half of it"}]),
        Reply({"data": None, "errors": [{"message": "no"}]}),
        Reply({"data": {"page": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}}),
    ],
)
def test_an_answer_with_errors_or_without_a_cursor_is_not_trusted(vendor, client, reply):
    vendor.routes["/graphql"] = reply
    with pytest.raises(ContractBroken):
        fetch("issues", client)


def test_a_cursor_that_loops_is_found(vendor, client):
    vendor.routes["/graphql"] = [page([issue(1)], "abc"), page([issue(2)], "abc")]
    with pytest.raises(ContractBroken, match="points back"):
        fetch("issues", client)


def entry(number, **changed):
    sides = [f"{side}{name}" for side in ("from", "to") for name in ("StateId", "AssigneeId", "CycleId", "TeamId", "Estimate")]
    return {"id": f"h{number}", "createdAt": f"2026-11-1{number}T00:00:00.000Z", "actorId": "u1", **dict.fromkeys(sides), **changed}


def test_a_history_entry_without_a_side_that_was_asked_for_is_rejected(vendor, client):
    half = entry(1, fromCycleId="c1", toCycleId="c2")
    del half["fromCycleId"], half["toCycleId"]
    history = {"nodes": [half], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    vendor.routes["/graphql"] = page([{"id": "i1", "updatedAt": "2026-11-18T10:00:00.000Z", "history": history}])
    days = fetch("issue_history", client)
    assert [(r.reason, r.field) for batch in days.values() for r in batch.rejects] == [("missing_field", "history.nodes[0]")]


def test_history_is_flattened_and_a_long_one_is_read_to_its_end(vendor, client):
    both = entry(1, fromStateId="s1", toStateId="s2", toAssigneeId="u1", fromEstimate=2.0, toEstimate=3.5)
    later = entry(2, fromStateId="s2", toStateId="s3")
    nothing = entry(3)
    updated = "2026-11-18T10:00:00.000Z"
    short = {"id": "i1", "updatedAt": updated, "history": {"nodes": [both, nothing], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    long = {"id": "i2", "updatedAt": updated, "history": {"nodes": [later], "pageInfo": {"hasNextPage": True, "endCursor": "x"}}}

    def answer(asked):
        if "issue(id" not in asked.body["query"]:
            return page([short, long])
        assert asked.body["variables"]["id"] == "i2"
        more = asked.body["variables"].get("after")
        nodes = [entry(5, toAssigneeId="u2")] if more else [later, entry(4, fromStateId="s3", toStateId="s2")]
        info = {"hasNextPage": not more, "endCursor": None if more else "y"}
        return Reply({"data": {"issue": {"page": {"nodes": nodes, "pageInfo": info}}}})

    vendor.routes["/graphql"] = answer
    rows = fetch("issue_history", client)["2026-11-18"].records
    assert rows.select("issue_id", "history_id", "field", "from_id", "to_id").rows() == [
        ("i1", "h1", "state", "s1", "s2"), ("i1", "h1", "assignee", None, "u1"), ("i1", "h1", "estimate", "2.0", "3.5"),
        ("i2", "h2", "state", "s2", "s3"), ("i2", "h4", "state", "s3", "s2"), ("i2", "h5", "assignee", None, "u2"),
    ]  # fmt: skip


def test_only_links_to_pull_and_merge_requests_land(vendor, client):
    urls = [
        "https://github.com/acme/search/pull/12", "https://gitlab.acme.example/acme/a/b/-/merge_requests/7",
        "https://chat.example/archives/C1/p99", "https://docs.example/secret?x=/pull/3", "https://github.com/acme/search/pull/12/files",
    ]  # fmt: skip
    stamp = {"createdAt": "2026-11-18T00:00:00.000Z", "updatedAt": "2026-11-18T00:00:00.000Z"}
    vendor.routes["/graphql"] = page([{"id": f"a{n}", "url": url, "issue": {"id": "i1"}, **stamp} for n, url in enumerate(urls)])
    assert fetch("attachments", client)["2026-11-18"].records["url"].to_list() == urls[:2]


def test_lists_are_whole_and_a_wrong_type_rejects_its_row_only(vendor, client):
    vendor.routes["/graphql"] = [
        page([{"id": "u1", "email": "a@x", "gitHubUserId": 501, "active": True}], "n"),
        page([{"id": "u2", "email": 7}, {"id": "u3", "app": True}]),
    ]
    [batch] = CONNECTORS["linear__users"].fetch(client, CONFIG, DAYS[:1])
    assert batch[1].records.select("id", "github_user_id", "is_app").rows() == [("u1", "501", None), ("u3", None, True)]
    assert [(r.reason, r.field) for r in batch[1].rejects] == [("wrong_type", "email")]


def test_a_personal_key_stands_alone_and_teams_limit_the_question(vendor):
    assert headers(CONFIG) == {"Authorization": "lin_api_x"}
    assert headers(SourceConfig("linear", secrets={"API_KEY": "tok"})) == {"Authorization": "Bearer tok"}
    config = SourceConfig("linear", base_url=vendor.url, secrets={"API_KEY": "lin_api_x"}, options={"teams": "ENG, OPS"})
    vendor.routes["/graphql"] = page([])
    with make_client(config) as client:
        fetch("issues", client, config=config)
    assert vendor.asked[-1].body["variables"]["filter"]["team"] == {"key": {"in": ["ENG", "OPS"]}}
    assert check(config, now=datetime(2026, 11, 20, tzinfo=UTC)).state == "ok"
    with pytest.raises(RequestRejected, match="AISL_LINEAR_TEAMS"), make_client(config) as client:
        fetch("issues", client, config=SourceConfig("linear", options={"teams": "ENG;drop"}))
