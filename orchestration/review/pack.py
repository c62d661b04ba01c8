"""Builds the review pack: reads the snapshot once, then writes the pages and the workbook from the same facts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb

from orchestration.review.model import ReviewContext, ReviewFiles
from orchestration.review.queries import read_review


def build(connection: duckdb.DuckDBPyConnection, out_dir: Path, context: ReviewContext) -> ReviewFiles:
    """Write `review.html`, `weekly.html`, `reset.html`, `explain.html`, `review.xlsx` and `gateway-policy.yaml` into a folder.

    Older ones are replaced.

    `connection` is a read-only connection to a published snapshot. The same snapshot and context give the same bytes.
    Raises `duckdb.Error` when a published relation lacks a column that the pages show.
    """
    from orchestration.review.explain import explained
    from orchestration.review.html import render, render_explained, render_reset, render_weekly
    from orchestration.review.policy import policy
    from orchestration.review.reset import read_reset
    from orchestration.review.weekly import read_week
    from orchestration.review.workbook import write_workbook

    review, reset = read_review(connection, context), read_reset(connection)
    out_dir.mkdir(parents=True, exist_ok=True)
    files = ReviewFiles(
        html=out_dir / "review.html",
        explained=out_dir / "explain.html",
        reset=out_dir / "reset.html",
        workbook=out_dir / "review.xlsx",
        weekly=out_dir / "weekly.html",
        policy=out_dir / "gateway-policy.yaml",
    )
    files.html.write_text(render(review), encoding="utf-8")
    files.explained.write_text(render_explained(review, explained(connection, review)), encoding="utf-8")
    files.reset.write_text(render_reset(review, reset), encoding="utf-8")
    files.weekly.write_text(render_weekly(read_week(connection, review)), encoding="utf-8")
    last = context.last_complete_day
    files.policy.write_text(policy(connection, last, last - timedelta(days=27)), encoding="utf-8")
    write_workbook(review, reset, files.workbook)
    return files
