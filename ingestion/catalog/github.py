"""GitHub repositories: pull requests, issues, deployments, commits."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Source, counts, instants, text

SOURCE = Source(
    "github",
    "GitHub",
    secrets=("TOKEN",),
    required={"REPOS": "Repositories, `owner/name`, separated by commas"},
)

_of = partial(
    Dataset, source="github", window="updated", restatement_days=2, range_days=3650, identity=("id",)
)


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="pulls",
        grain="pull request, one row per version seen on its update day",
        columns={
            **text("repo", "id"),
            **counts("number"),
            **text(
                "state", "title", "head_ref", "head_sha", "base_ref", "merge_commit_sha", "author_id", "author_login",
                "author_type",
            ),
            "labels": "json",
            "is_draft": "bool",
            **instants("created_at", "updated_at", "closed_at", "merged_at"),
        },
    ),
    _of(
        name="issues",
        grain="issue (pull requests dropped), one row per version seen on its update day",
        columns={
            **text("repo", "id"),
            **counts("number"),
            **text("state", "state_reason", "title", "author_id", "author_login", "assignee_id", "assignee_login"),
            "labels": "json",
            **instants("created_at", "updated_at", "closed_at"),
        },
    ),
    _of(
        name="deployments",
        grain="deployment by creation day, with its latest success time",
        columns={
            **text("repo", "id", "sha", "ref", "task", "environment", "creator_id", "creator_login", "latest_state"),
            "is_production": "bool",
            **instants("created_at", "updated_at", "first_success_at"),
        },
    ),
    # A commit stays as it is, but comes to the default branch later than its day, with its merge: a month is asked again.
    _of(
        name="commits",
        grain="commit of the default branch by the day it was committed",
        restatement_days=30,
        identity=("repo", "sha"),
        columns={
            **text("repo", "sha", "author_id", "author_login", "author_type", "author_email"),
            "key_texts": "json",
            **counts("parent_count"),
            **instants("authored_at", "committed_at"),
        },
        notes="Of a message only what looks like a ticket in its first line lands, an e-mail address only without an account.",
    ),
)
