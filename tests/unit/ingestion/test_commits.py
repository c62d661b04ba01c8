"""Commits of GitHub and GitLab: what is asked, what lands of a message and of a person, and what does not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from fake_vendor import Reply

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.source import SourceConfig
from ingestion.trackers import github, gitlab
from ingestion.trackers.keys import key_texts
from ingestion.windows import day_window

FIXTURES = Path(__file__).parents[2] / "fixtures/trackers"
DAYS = [day_window(date(2026, 11, n)) for n in (17, 18, 19)]
HOSTS = {
    "github": (SourceConfig("github", options={"repos": "acme/app"}), "/repos/acme/app/commits"),
    "gitlab": (SourceConfig("gitlab", options={"projects": "acme/app"}), "/projects/acme%2Fapp/repository/commits"),
}
ANN = {"id": 501, "login": "Ann", "type": "User"}


def on_github(sha, at="2026-11-18T10:00:00Z", message="SRCH-7 cache", account=ANN, parents=1, written=None):
    who = {"name": "CANARY", "email": "ann@example.com"}
    return {
        "sha": sha, "author": account, "committer": ANN, "parents": [{"sha": f"p{n}", "url": "u"} for n in range(parents)],
        "commit": {"author": {**who, "date": written or at}, "committer": {**who, "date": at}, "message": message, "tree": {"sha": "t"}},
    }  # fmt: skip


def on_gitlab(sha, at="2026-11-18T10:00:00.000+00:00", message="SRCH-7 cache", parents=1, written=None):
    return {
        "id": sha, "title": message.split("\n")[0], "message": message, "author_name": "CANARY", "author_email": "ann@example.com",
        "authored_date": written or at, "committer_name": "CANARY", "committer_email": "ann@example.com", "committed_date": at,
        "parent_ids": [f"p{n}" for n in range(parents)], "trailers": {"Refs": "CANARY-1"},
    }  # fmt: skip


RECORDS = {"github": on_github, "gitlab": on_gitlab}


def fetch(host, client):
    config = HOSTS[host][0]
    return {w.key: batch for w, batch in CONNECTORS[f"{host}__commits"].fetch(client, config, DAYS)}


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        ("SRCH-42: cache prompts", ["SRCH-42"]),
        ("OPS-1, SRCH-42 and SRCH-42 again", ["OPS-1", "SRCH-42"]),
        ("(SRCH-42)[ENG-7]", ["ENG-7", "SRCH-42"]),
        ("read UTF-8 and GPT-4 names", ["GPT-4", "UTF-8"]),
        ("fixes #12 (#340)", ["#12", "#340"]),
        ('Revert "SRCH-42 cache prompts"', ["SRCH-42"]),
        ("a dull subject\n\nRefs: SRCH-42", []),
        ("\n\nSRCH-42 after empty lines", ["SRCH-42"]),
        ("srch-42 in lower case, XSRCH-42x, SRCH-042, SRCH-0, S-4", []),
        ("TOOLONGPREFIX-4 acme/app#12 &#39; colour#5 #0 #12ab", []),
        ("KEY-12345678901 is a number of another kind", []),
        ("", []),
        (None, []),
    ],
)
def test_only_what_looks_like_a_ticket_in_the_first_line_lands(message, keys):
    assert json.loads(key_texts(message)) == keys


@pytest.mark.parametrize("host", HOSTS)
def test_commits_land_on_the_day_they_were_committed_page_by_page(host, vendor, client):
    record, path = RECORDS[host], HOSTS[host][1]
    pages = [
        Reply([record("c", "2026-11-19T01:30:00+02:00"), record("b", written="2026-11-02T08:00:00Z")],
              headers={"Link": f'<{vendor.url}{path}?page=2>; rel="next"'}),
        Reply([record("a", "2026-11-17T00:00:00Z", parents=2), record("z", "2026-11-20T00:00:00Z")]),
    ]  # fmt: skip
    vendor.routes[path] = pages
    days = fetch(host, client)
    assert {day: batch.records["sha"].to_list() for day, batch in days.items()} == {
        "2026-11-17": ["a"], "2026-11-18": ["c", "b"], "2026-11-19": [],
    }  # fmt: skip
    asked = vendor.asked[0]
    assert {n: asked.get(n) for n in ("since", "until", "per_page", "all")} == {
        "since": "2026-11-17T00:00:00Z", "until": "2026-11-20T00:00:00Z", "per_page": "100", "all": "true" if host == "gitlab" else None,
    }  # fmt: skip
    rebased = days["2026-11-18"].records.row(1, named=True)
    assert (rebased["authored_at"], rebased["parent_count"]) == (datetime(2026, 11, 2, 8, tzinfo=UTC), 1)
    assert days["2026-11-17"].records["parent_count"].to_list() == [2]


@pytest.mark.parametrize("host", HOSTS)
def test_no_text_of_a_message_and_no_name_lands(host, vendor, client):
    message = "SRCH-7 the CANARY of Mr Okonkwo\n\nCANARY body ENG-9\n\nCo-authored-by: CANARY <canary@example.com>"
    vendor.routes[HOSTS[host][1]] = Reply([RECORDS[host]("a", message=message)])
    records = fetch(host, client)["2026-11-18"].records
    assert records["key_texts"].to_list() == ['["SRCH-7"]']
    assert "canary" not in records.write_csv().lower() and "okonkwo" not in records.write_csv().lower()


@pytest.mark.parametrize("account", [None, {}])
def test_an_address_lands_on_github_only_where_no_account_stands_for_it(account, vendor, client):
    vendor.routes[HOSTS["github"][1]] = Reply([on_github("a", account=account), on_github("b")])
    rows = fetch("github", client)["2026-11-18"].records.select("author_id", "author_login", "author_email").rows()
    assert rows == [(None, None, "ann@example.com"), ("501", "Ann", None)]


@pytest.mark.parametrize("host", HOSTS)
def test_a_record_of_the_wrong_kind_is_a_reject_and_no_other(host, vendor, client):
    lost = {"github": ("commit", "parents"), "gitlab": ("committed_date", "title")}[host]
    good = RECORDS[host]("good") | {"surprise": {"a": 1}}
    vendor.routes[HOSTS[host][1]] = Reply([*({k: v for k, v in RECORDS[host]("x").items() if k != name} for name in lost), good])
    days = fetch(host, client)
    assert days["2026-11-18"].records["sha"].to_list() == ["good"]
    assert [(r.ordinal, r.reason) for r in days["2026-11-19"].rejects] == [(0, "missing_field"), (1, "missing_field")]


@pytest.mark.parametrize("host", HOSTS)
def test_a_page_that_comes_twice_is_no_page(host, vendor, client):
    path = HOSTS[host][1]
    link = {"Link": f'<{vendor.url}{path}?page=2>; rel="next"'}
    vendor.routes[path] = [Reply([RECORDS[host]("a")], headers=link), Reply([RECORDS[host]("a")], headers=link)]
    with pytest.raises(ContractBroken, match="repeats the records"):
        fetch(host, client)


def test_a_repository_without_commits_is_left_out_and_any_other_refusal_stops(vendor, client):
    config = SourceConfig("github", options={"repos": "acme/new,acme/app"})
    vendor.routes["/repos/acme/new/commits"] = lambda _: Reply({"message": "Git Repository is empty."}, 409)
    vendor.routes["/repos/acme/app/commits"] = lambda _: Reply([on_github("a")])
    found = dict(CONNECTORS["github__commits"].fetch(client, config, DAYS))
    assert [batch.records["repo"].to_list() for batch in found.values()] == [[], ["acme/app"], []]
    vendor.routes["/repos/acme/new/commits"] = lambda _: Reply({"message": "Not Found"}, 404)
    with pytest.raises(RequestRejected, match="HTTP 404"):
        list(CONNECTORS["github__commits"].fetch(client, config, DAYS))


def test_a_message_of_any_length_is_read(vendor, client):
    vendor.routes[HOSTS["github"][1]] = Reply([on_github("a", message="SRCH-7 squashed\n\n" + "x" * 100_000)])
    assert fetch("github", client)["2026-11-18"].records["key_texts"].to_list() == ['["SRCH-7"]']


@pytest.mark.parametrize(("host", "module"), [("github", github), ("gitlab", gitlab)])
def test_recorded_commits_are_read_in_full(host, module):
    lines = (FIXTURES / f"{host}_commits.jsonl").read_text().splitlines()
    names = list(CONNECTORS[f"{host}__commits"].dataset.columns)
    rows = [dict(zip(names, module.commit_row("a/b", msgspec.json.decode(line, type=module.Commit)), strict=True)) for line in lines]
    assert len(rows) == 3 and all(json.loads(r["key_texts"]) == [] for r in rows)
    if host == "github":
        assert [(r["parent_count"], r["authored_at"] == r["committed_at"]) for r in rows] == [(1, False), (2, True), (1, True)]
        assert [r["author_id"] for r in rows] == ["100000001", "100000002", "100000003"] and all(r["author_email"] is None for r in rows)
    else:
        assert [r["author_email"] for r in rows] == [f"user00{n}@example.com" for n in (4, 5, 6)]
