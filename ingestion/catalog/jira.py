"""Jira: issues, their history, sprints, projects."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, counts, instants, text

SOURCE = Source(
    "jira",
    "Jira",
    secrets=("EMAIL", "API_TOKEN"),
    required={"BASE_URL": "Address of your Jira"},
    options=(Option("PROJECTS", "all", "Project keys, separated by commas"),),
)

_of = partial(Dataset, source="jira")
_listed = partial(_of, window="snapshot", restatement_days=0, identity=("id",))
_updated = partial(_of, window="updated", restatement_days=2, range_days=3650)


DATASETS: tuple[Dataset, ...] = (
    _updated(
        name="issues",
        grain="issue, one row per version seen on its update day",
        identity=("id",),
        columns={
            **text(
                "id", "key", "project_key", "summary", "issue_type", "is_subtask", "status_id", "status_name",
                "status_category", "resolution", "priority", "assignee_account_id", "parent_id", "parent_key",
                "epic_key",
            ),
            "labels": "json",
            "sprint_ids": "json",
            "story_points": "money_text",
            **instants("created_at", "updated_at", "resolved_at"),
        },
        notes="description and comments are never asked for.",
    ),
    _updated(
        name="changelog",
        grain="changed field of one history entry, landed with the issue's update day",
        identity=("history_id", "item_ordinal"),
        columns={
            **text("issue_id", "history_id"),
            **counts("item_ordinal"),
            **text("author_account_id", "field", "from_id", "from_text", "to_id", "to_text"),
            "created_at": "ts",
        },
        notes="Only status, assignee, Sprint, Key, resolution and story point changes are landed.",
    ),
    _listed(
        name="sprints",
        grain="sprint as it is now",
        columns={
            **text("id", "board_id", "name", "state"),
            **instants("started_at", "ended_at", "completed_at"),
        },
    ),
    _listed(
        name="projects",
        grain="project as it is now: the known ticket prefixes",
        columns=text("id", "key", "name"),
    ),
)
