"""GitLab projects: merge requests, issues, deployments, commits."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Source, counts, flags, instants, text

SOURCE = Source(
    "gitlab",
    "GitLab",
    secrets=("TOKEN",),
    required={"PROJECTS": "Projects, `group/name`, separated by commas"},
)

_of = partial(
    Dataset, source="gitlab", window="updated", restatement_days=2, range_days=3650, identity=("id",), confidence="medium"
)


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="merge_requests",
        grain="merge request, one row per version seen on its update day",
        columns={
            **text("repo", "id", "project_id"),
            **counts("iid"),
            **text(
                "state", "title", "source_branch", "target_branch", "sha", "merge_commit_sha", "squash_commit_sha",
                "author_id", "author_username", "merged_by_id", "merged_by_username",
            ),
            "labels": "json",
            "is_draft": "bool",
            **instants("created_at", "updated_at", "closed_at", "merged_at"),
        },
        notes="Descriptions are never decoded.",
    ),
    _of(
        name="issues",
        grain="issue, one row per version seen on its update day",
        columns={
            **text("repo", "id", "project_id"),
            **counts("iid"),
            **text("state", "issue_type", "title", "author_id", "author_username", "assignee_id", "assignee_username"),
            "labels": "json",
            **text("iteration_id", "iteration_title"),
            "weight": "int",
            "moved_to_id": "text",
            "is_confidential": "bool",
            **instants("iteration_start", "iteration_due", "created_at", "updated_at", "closed_at"),
        },
        notes="The title of a confidential issue is left out. State and label history are not read.",
    ),
    _of(
        name="deployments",
        grain="deployment, one row per version seen on its update day",
        columns={
            **text("repo", "id"),
            **counts("iid"),
            **text("sha", "ref", "environment", "environment_tier", "status", "user_id", "username"),
            **flags("is_production"),
            **instants("created_at", "updated_at", "finished_at"),
        },
        notes="Without a tier, an environment named production or prod is production.",
    ),
    # A commit stays as it is, but is pushed later than its day: a month is asked again.
    _of(
        name="commits",
        grain="commit of any branch by the day it was committed",
        restatement_days=30,
        identity=("repo", "sha"),
        columns={
            **text("repo", "sha", "author_email"),
            "key_texts": "json",
            **counts("parent_count"),
            **instants("authored_at", "committed_at"),
        },
        notes="Of a message only what looks like a ticket in its first line lands.",
    ),
)
