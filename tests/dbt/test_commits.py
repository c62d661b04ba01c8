"""Commits as evidence of work: whose they are, which tickets they name, and that none counts twice."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.dbt.conftest import Warehouse, statuses

PEOPLE = ("ann", "bob", "cas")
SEEDS = {
    "people": [{"person_id": p, "display_name": p.title(), "team": "search"} for p in PEOPLE],
    "identities": [
        {"person_id": "ann", "system": "github_id", "external_id": "501"},
        {"person_id": "ann", "system": "email", "external_id": "Ann@example.com"},
        {"person_id": "bob", "system": "github_login", "external_id": "Bob"},
        {"person_id": "bob", "system": "gitlab_user_id", "external_id": "31"},
        {"person_id": "cas", "system": "email", "external_id": "cas@example.com", "valid_to": "2026-11-05"},
        {"person_id": "cas", "system": "gitlab_username", "external_id": "cas.gl"},
    ],
}  # fmt: skip


def at(day, hour=9):
    return f"2026-11-{day:02d} {hour:02d}:00:00+00"


def commit(sha, keys, day=3, **columns):
    return {
        "repo": "acme/app", "sha": sha, "key_texts": json.dumps(keys), "parent_count": 1, "authored_at": at(day), "committed_at": at(day),
        **columns,
    }  # fmt: skip


ANN = {"author_id": "501", "author_login": "ann", "author_type": "User"}
FRAMES = {
    "jira__projects": [{"id": "1", "key": "SRCH"}, {"id": "2", "key": "OPS"}],
    "linear__teams": [{"id": "t1", "key": "ENG", "name": "Engineering"}],
    "linear__issues": [
        {"id": "i4", "identifier": "ENG-4", "team_key": "ENG", "title": "Moved", "state_id": "s", "state_name": "Backlog",
         "state_type": "backlog", "previous_identifiers": '["OLD-9"]', "label_ids": "[]", "created_at": at(1), "updated_at": at(1)},
    ],
    "github__issues": [
        {"repo": "acme/app", "id": str(n), "number": n, "state": "open", "title": "report", "created_at": at(1), "updated_at": at(1)}
        for n in (12, 13)
    ],
    "github__pulls": [
        {"repo": "acme/app", "id": "7001", "number": 17, "state": "open", "title": "fixes #12", "head_ref": "wip", "author_id": "999",
         "created_at": at(2), "updated_at": at(2)},
    ],
    "github__commits": [
        commit("one", ["SRCH-1"], **ANN),
        # A rebase and a cherry-pick: other commits, written at the same time by the same person.
        commit("one-rebased", ["SRCH-1"], committed_at=at(6), **ANN),
        commit("one-again", ["SRCH-1"], repo="acme/fork", **ANN),
        commit("two-keys", ["OPS-2", "SRCH-1"], **ANN),
        commit("false-keys", ["GPT-4", "ISO-8601", "UTF-8"], **ANN),
        commit("no-key", [], **ANN),
        commit("merge", ["SRCH-3"], parent_count=2, **ANN),
        commit("bot", ["SRCH-3"], author_id="49", author_login="dependabot[bot]", author_type="Bot"),
        commit("bot-unlinked", ["SRCH-3"], author_email="49+helper[bot]@users.noreply.github.com"),
        commit("stranger", ["SRCH-3"], author_id="777", author_login="eve", author_type="User"),
        commit("by-email", ["SRCH-4"], day=4, author_email="ANN@example.com"),
        commit("by-private-address", ["SRCH-4"], day=4, author_email="501+ann@users.noreply.github.com"),
        commit("by-login", ["SRCH-5"], day=4, author_id="502", author_login="Bob", author_type="User"),
        # A former key leads to its ticket; an issue of the repository counts when a pull request made it work; #17 is a pull request.
        commit("former-key", ["OLD-9"], day=4, author_id="502", author_login="Bob", author_type="User"),
        commit("issue", ["#12", "#13", "#17"], day=5, **ANN),
        commit("tomorrow", ["SRCH-9"], day=20, **ANN),
    ],
    "gitlab__commits": [
        commit("l1", ["ENG-4"], author_email="31-bob@users.noreply.gitlab.com"),
        commit("l2", ["ENG-4"], author_email="88-Cas.GL@users.noreply.gitlab.com"),
        commit("l3", ["ENG-5"], author_email="project_88_bot_4f1c@noreply.gitlab.example"),
        commit("l4", ["SRCH-6"], day=4, author_email="cas@example.com"),
        # The address was theirs until the fifth.
        commit("l5", ["SRCH-6"], day=5, author_email="cas@example.com"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    folder = tmp_path_factory.mktemp("commits")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    made = Warehouse(folder / "warehouse.duckdb", project).land(FRAMES)
    for name, rows in SEEDS.items():
        made.seed(name, rows)
    made.build("+fct_work_activity")
    return made


def test_a_day_s_commits_name_known_work_of_known_people_only(warehouse):
    rows = warehouse.rows(
        "select charge_date::varchar as day, person_id, work_item_key, commits from ledger.int_commit_activity order by all"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("2026-11-03", "ann", "OPS-2", 1), ("2026-11-03", "ann", "SRCH-1", 4), ("2026-11-03", "bob", "ENG-4", 1),
        ("2026-11-03", "cas", "ENG-4", 1), ("2026-11-04", "ann", "SRCH-4", 2), ("2026-11-04", "bob", "ENG-4", 1),
        ("2026-11-04", "bob", "SRCH-5", 1), ("2026-11-04", "cas", "SRCH-6", 1), ("2026-11-05", "ann", "acme/app#12", 1),
        ("2026-11-20", "ann", "SRCH-9", 1),
    ]  # fmt: skip


def test_commits_weigh_one_per_day_and_ticket_however_many_and_a_day_stays_whole(warehouse):
    rows = warehouse.rows(
        "select charge_date::varchar as day, person_id, work_item_key, weight, share_ppm from ledger.fct_work_activity order by all"
    )
    assert [tuple(r.values()) for r in rows if r["person_id"] == "ann"] == [
        ("2026-11-03", "ann", "OPS-2", 1, 500_000), ("2026-11-03", "ann", "SRCH-1", 1, 500_000),
        ("2026-11-04", "ann", "SRCH-4", 1, 1_000_000), ("2026-11-05", "ann", "acme/app#12", 1, 1_000_000),
    ]  # fmt: skip
    days = warehouse.rows("select sum(share_ppm) as whole from ledger.fct_work_activity group by charge_date, person_id")
    assert {d["whole"] for d in days} == {1_000_000}


def test_a_branch_is_not_tied_by_commits_and_the_models_pass_their_tests(warehouse):
    assert warehouse.rows("select * from ledger.int_pull_request_key") == [
        {"pull_request_id": "7001", "origin": "closing_reference", "work_item_key": "acme/app#12"}
    ]
    found = statuses(warehouse.build("stg_github__commits", "stg_gitlab__commits", "stg_github__work_commits", "stg_gitlab__work_commits",
                                     "int_commit_activity", "fct_work_activity", tests=True))  # fmt: skip
    assert {"pass"} <= set(found.values()) <= {"pass", "success"}
