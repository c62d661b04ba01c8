"""Work from Linear and GitLab beside Jira and GitHub: one shape for tickets, pull requests, deployments and sprints."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, messages, statuses


def at(day, hour=9):
    return f"2026-11-{day:02d} {hour:02d}:00:00+00"


def linear_issue(number, state="started", **columns):
    return {
        "id": f"i{number}", "identifier": f"ENG-{number}", "team_key": "ENG", "title": f"Work {number}", "state_id": f"s-{state}",
        "state_name": state.title(), "state_type": state, "previous_identifiers": "[]", "label_ids": "[]",
        "created_at": "2026-10-30 00:00:00+00", "updated_at": at(10), **columns,
    }  # fmt: skip


def merge_request(iid, branch, **columns):
    return {
        "repo": "acme/app", "id": str(7000 + iid), "project_id": "88", "iid": iid, "state": "opened", "title": "work", "source_branch": branch,
        "target_branch": "main", "sha": f"head{iid}", "author_id": "31", "author_username": "ann", "created_at": at(5), "updated_at": at(6),
        **columns,
    }  # fmt: skip


def gitlab_issue(iid, **columns):
    return {
        "repo": "acme/app", "id": str(900 + iid), "project_id": "88", "iid": iid, "state": "opened", "title": f"Report {iid}",
        "issue_type": "issue", "created_at": at(1), "updated_at": at(2), **columns,
    }  # fmt: skip


SEEDS = {
    "people": [{"person_id": p, "display_name": p.title(), "team": t} for p, t in (("ann", "search"), ("bob", "platform"), ("cas", "support"))],
    "identities": [
        {"person_id": "ann", "system": "email", "external_id": "Ann@example.com"},
        {"person_id": "cas", "system": "email", "external_id": "cas@example.com"},
        {"person_id": "ann", "system": "gitlab_user_id", "external_id": "31"},
        {"person_id": "bob", "system": "gitlab_username", "external_id": "Bob.GL"},
        {"person_id": "bob", "system": "github_id", "external_id": "502"},
        {"person_id": "ann", "system": "jira_account_id", "external_id": "jira-ann"},
    ],
}  # fmt: skip
FRAMES = {
    "jira__projects": [{"id": "1", "key": "SRCH"}],
    "jira__issues": [
        {"id": "11", "key": "SRCH-7", "project_key": "SRCH", "summary": "Cache", "issue_type": "Story", "status_id": "3",
         "status_name": "In Progress", "status_category": "indeterminate", "assignee_account_id": "jira-ann",
         "created_at": "2026-11-01 00:00:00+00", "updated_at": at(1)},
    ],
    "linear__teams": [{"id": "t1", "key": "ENG", "name": "Engineering"}],
    "linear__workflow_states": [
        {"id": f"s-{kind}", "team_key": "ENG", "name": kind.title(), "type": kind}
        for kind in ("backlog", "unstarted", "started", "completed", "canceled", "duplicate")
    ],
    "linear__users": [
        {"id": "lu-ann", "email": "ann@example.com"},
        {"id": "lu-bob", "email": "bob@home.example", "github_user_id": "502"},
        {"id": "lu-cas", "email": "cas@example.com", "github_user_id": "502"},
        {"id": "lu-agent", "email": "ann@example.com", "is_app": True},
    ],
    "linear__cycles": [{"id": "c1", "team_key": "ENG", "number": "14", "started_at": "2026-11-02 00:00:00+00", "ended_at": "2026-11-16 00:00:00+00"}],
    "linear__issues": [
        linear_issue(1, "completed", assignee_id="lu-ann", estimate="3.5", cycle_id="c1", project_id="p1", project_name="Ranking",
                     started_at=at(2), completed_at=at(4), priority_label="High"),
        linear_issue(2, "canceled", canceled_at=at(3)),
        linear_issue(3, "duplicate"),
        linear_issue(4, "started", assignee_id="lu-bob", previous_identifiers='["OPS-9"]'),
        linear_issue(5, "asleep"),
    ],
    "linear__issue_history": [
        {"issue_id": "i1", "history_id": "h1", "field": "assignee", "to_id": "lu-ann", "created_at": at(2)},
        {"issue_id": "i1", "history_id": "h1", "field": "state", "from_id": "s-unstarted", "to_id": "s-started", "created_at": at(2)},
        {"issue_id": "i1", "history_id": "h2", "field": "state", "from_id": "s-started", "to_id": "s-completed", "created_at": at(4)},
        {"issue_id": "i4", "history_id": "h3", "field": "assignee", "from_id": "lu-cas", "to_id": "lu-bob", "created_at": at(8, 0)},
    ],
    "linear__attachments": [
        {"id": "a1", "issue_id": "i4", "issue_identifier": "ENG-4", "source_type": "gitlab", "updated_at": at(5),
         "url": "https://gitlab.acme.example/acme/app/-/merge_requests/5"},
        {"id": "a2", "issue_id": "i4", "issue_identifier": "ENG-4", "source_type": "github", "updated_at": at(5),
         "url": "https://github.com/Acme/search/pull/12"},
    ],
    "gitlab__issues": [
        gitlab_issue(5, state="closed", closed_at=at(7), assignee_id="31", weight=2, iteration_id="4", iteration_title="W46",
                     iteration_start="2026-11-09 00:00:00+00", iteration_due="2026-11-15 00:00:00+00"),
        gitlab_issue(6), gitlab_issue(8), gitlab_issue(9, moved_to_id="905"),
    ],
    "gitlab__merge_requests": [
        merge_request(1, "ann/eng-1-cache", state="merged", updated_at=at(7)),
        merge_request(2, "5-fix-it", author_id="77", author_username="bob.gl"),
        merge_request(3, "7-nothing-here"),
        merge_request(4, "update-deps", author_id="99", author_username="project_88_bot_4f1c"),
        merge_request(5, "quick-one", state="merged", merged_at=at(6), squash_commit_sha="squash5"),
        merge_request(6, "5-with-title", title="Fixes #6", state="closed", closed_at=at(6)),
    ],
    "gitlab__deployments": [
        {"repo": "acme/app", "id": "1", "iid": 1, "sha": "squash5", "ref": "main", "environment": "eu", "is_production": True, "status": "failed",
         "user_id": "31", "created_at": at(7), "updated_at": at(7, 10)},
        {"repo": "acme/app", "id": "2", "iid": 2, "sha": "squash5", "ref": "main", "environment": "eu", "is_production": True, "status": "success",
         "user_id": "31", "created_at": at(7, 11), "updated_at": at(7, 13), "finished_at": at(7, 12)},
        {"repo": "acme/app", "id": "3", "iid": 3, "sha": "squash5", "ref": "main", "environment": "eu", "is_production": True, "status": "success",
         "user_id": "31", "created_at": at(8), "updated_at": at(8)},
    ],
    "github__pulls": [
        {"repo": "acme/search", "id": "7002", "number": 12, "state": "open", "title": "wip", "head_ref": "wip", "author_id": "502",
         "created_at": at(5), "updated_at": at(6)},
    ],
    "github__issues": [{"repo": "acme/search", "id": "1", "number": 3, "state": "open", "title": "mirrored", "created_at": at(1), "updated_at": at(2)}],
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    folder = tmp_path_factory.mktemp("trackers")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    made = Warehouse(folder / "warehouse.duckdb", project).land(FRAMES)
    for name, rows in SEEDS.items():
        made.seed(name, rows)
    made.build("+dim_deployment", "+fct_work_activity", "+dim_work_item_key", "stg_rejected_values")
    return made


def test_work_items_of_all_trackers_have_one_shape_and_no_issue_counts_twice(warehouse):
    rows = warehouse.rows(
        "select work_item_key, source, status_category, is_delivered, feature, sprint, story_points, assignee_person_id, team "
        "from ledger.dim_work_item order by source, work_item_key"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("acme/app#5", "gitlab", "done", True, None, "W46", Decimal(2), "ann", "search"),
        ("acme/app#6", "gitlab", "new", False, None, None, None, None, None),
        ("SRCH-7", "jira", "indeterminate", False, None, None, None, "ann", "search"),
        ("ENG-1", "linear", "done", True, "Ranking", "Cycle 14", Decimal("3.5"), "ann", "search"),
        ("ENG-2", "linear", "canceled", False, None, None, None, None, None),
        ("ENG-3", "linear", "canceled", False, None, None, None, None, None),
        ("ENG-4", "linear", "indeterminate", False, None, None, None, "bob", "platform"),
        ("ENG-5", "linear", None, False, None, None, None, None, None),
    ]  # fmt: skip


def test_moved_work_is_found_under_every_key_it_had(warehouse):
    rows = warehouse.rows("select key, work_item_key from ledger.dim_work_item_key where not is_current order by key")
    assert [tuple(r.values()) for r in rows] == [("OPS-9", "ENG-4"), ("acme/app#9", "acme/app#5")]


def test_a_day_in_progress_is_told_by_each_tracker_s_history(warehouse):
    rows = warehouse.rows(
        "select person_id, work_item_key, min(charge_date)::varchar as first, max(charge_date)::varchar as last, count(*) as days "
        "from ledger.fct_work_activity where charge_date < '2026-11-10' group by all order by person_id, work_item_key"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("ann", "ENG-1", "2026-11-02", "2026-11-07", 5), ("ann", "ENG-4", "2026-11-05", "2026-11-06", 2),
        ("ann", "SRCH-7", "2026-11-01", "2026-11-09", 9), ("ann", "acme/app#6", "2026-11-05", "2026-11-05", 1),
        ("bob", "ENG-4", "2026-11-05", "2026-11-09", 3), ("bob", "acme/app#5", "2026-11-05", "2026-11-05", 1),
        ("cas", "ENG-4", "2026-10-30", "2026-11-07", 9),
    ]  # fmt: skip


def test_pull_requests_name_their_work_by_host_tracker_branch_and_branch_number(warehouse):
    rows = warehouse.rows(
        "select pull_request_id, work_item_key, key_origin, author_person_id, is_bot, merge_commit_sha, merged_at::date::varchar as merged "
        "from ledger.dim_pull_request order by source, number"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("7002", "ENG-4", "tracker_link", "bob", False, None, None),
        ("gitlab:7001", "ENG-1", "branch", "ann", False, "head1", "2026-11-07"),
        ("gitlab:7002", "acme/app#5", "branch_reference", "bob", False, None, None),
        ("gitlab:7003", None, None, "ann", False, None, None),
        ("gitlab:7004", None, None, None, True, None, None),
        ("gitlab:7005", "ENG-4", "tracker_link", "ann", False, "squash5", "2026-11-06"),
        ("gitlab:7006", "acme/app#6", "closing_reference", "ann", False, None, None),
    ]  # fmt: skip


def test_a_deployment_tried_again_counts_once_and_ships_its_merge_request(warehouse):
    rows = warehouse.rows(
        "select deployment_id, is_counted, first_success_at::varchar as at, creator_person_id, pull_request_id, work_item_key "
        "from ledger.dim_deployment order by deployment_id"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("gitlab:1", False, None, "ann", "gitlab:7005", "ENG-4"),
        ("gitlab:2", True, "2026-11-07 12:00:00", "ann", "gitlab:7005", "ENG-4"),
        ("gitlab:3", False, "2026-11-08 09:00:00", "ann", "gitlab:7005", "ENG-4"),
    ]  # fmt: skip


def test_sprints_of_all_trackers_end_on_an_exclusive_instant(warehouse):
    rows = warehouse.rows("select sprint_key, name, board, ended_at::varchar as ended from ledger.dim_sprint order by sprint_key")
    assert [tuple(r.values()) for r in rows] == [
        ("gitlab:main:4", "W46", None, "2026-11-16 00:00:00"), ("linear:main:c1", "Cycle 14", "ENG", "2026-11-16 00:00:00"),
    ]  # fmt: skip


def test_one_person_across_systems_and_an_app_is_nobody(warehouse):
    rows = warehouse.rows(
        "select system, external_id, person_id, origin from ledger.dim_identity where system like 'linear%' or system like 'gitlab%' order by 1, 2"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("gitlab_user_id", "31", "ann", "seed"), ("gitlab_username", "bob.gl", "bob", "seed"),
        ("linear_user_id", "lu-ann", "ann", "vendor_directory"), ("linear_user_id", "lu-bob", "bob", "vendor_directory"),
        ("linear_user_id", "lu-cas", "cas", "vendor_directory"),
    ]  # fmt: skip


def test_the_data_tests_of_the_work_models_hold(warehouse):
    result = warehouse.build("models/staging/linear", "models/staging/gitlab", "dim_sprint", "dim_work_item", "dim_pull_request", tests=True)
    assert result.success, messages(result)
    assert sum(s == "pass" for s in statuses(result).values()) > 20
