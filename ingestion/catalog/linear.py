"""Linear: issues, their history, links to pull requests, cycles, teams, workflow states, people."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, flags, instants, text

SOURCE = Source(
    "linear",
    "Linear",
    secrets=("API_KEY",),
    options=(Option("TEAMS", "all", "Team keys, separated by commas"),),
)

_of = partial(Dataset, source="linear", confidence="medium")
_listed = partial(_of, window="snapshot", restatement_days=0, identity=("id",))
_updated = partial(_of, window="updated", restatement_days=2, range_days=3650)


DATASETS: tuple[Dataset, ...] = (
    _updated(
        name="issues",
        grain="issue, one row per version seen on its update day",
        identity=("id",),
        columns={
            **text(
                "id", "identifier", "team_key", "title", "branch_name", "state_id", "state_name", "state_type",
                "priority_label", "assignee_id", "delegate_id", "cycle_id", "project_id", "project_name", "parent_id",
                "parent_identifier",
            ),
            "label_ids": "json",
            "previous_identifiers": "json",
            "estimate": "money_text",
            "is_trashed": "bool",
            **instants(
                "created_at", "updated_at", "started_at", "completed_at", "canceled_at", "archived_at",
            ),
        },
        notes="Archived issues are asked for: finished ones are archived by themselves. Descriptions never are.",
    ),
    _updated(
        name="issue_history",
        grain="changed field of one history entry, landed with the issue's update day",
        identity=("history_id", "field"),
        columns={
            **text("issue_id", "history_id", "field", "actor_id", "from_id", "to_id"),
            "created_at": "ts",
        },
        notes="Only state, assignee, cycle, team and estimate changes; Linear folds changes made close together.",
    ),
    _updated(
        name="attachments",
        grain="link of an issue to a pull or merge request, by its update day",
        identity=("id",),
        columns={
            **text("id", "issue_id", "issue_identifier", "source_type", "url"),
            **instants("created_at", "updated_at"),
        },
        notes="Links to anything but a pull or merge request are left out.",
    ),
    _listed(
        name="cycles",
        grain="cycle as it is now",
        columns={
            **text("id", "team_key", "number", "name"),
            **instants("started_at", "ended_at", "completed_at"),
        },
    ),
    _listed(
        name="teams",
        grain="team as it is now: the known ticket prefixes",
        columns=text("id", "key", "name"),
        notes="A key sees no private team that its user is not in.",
    ),
    _listed(
        name="workflow_states",
        grain="workflow state as it is now, archived ones too",
        columns=text("id", "team_key", "name", "type"),
    ),
    _listed(
        name="users",
        grain="member as it is now",
        columns={**text("id", "email", "github_user_id"), **flags("is_active", "is_app", "is_guest")},
    ),
)
