"""Builds the review pack: reads the snapshot once, then writes the pages and the workbook from the same facts."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.review.model import ReviewContext, ReviewFiles
from orchestration.review.queries import read_review


def build(connection: duckdb.DuckDBPyConnection, out_dir: Path, context: ReviewContext) -> ReviewFiles:
    """Write `review.html`, `explain.html`, `reset.html` and `review.xlsx` into a folder, replacing older ones.

    `connection` is a read-only connection to a published snapshot. The same snapshot and context give the same bytes.
    Raises `duckdb.Error` when a published relation lacks a column that the pages show.
    """
    from orchestration.review.explain import explained
    from orchestration.review.html import render, render_explained, render_reset
    from orchestration.review.reset import read_reset
    from orchestration.review.workbook import write_workbook

    review, reset = read_review(connection, context), read_reset(connection)
    out_dir.mkdir(parents=True, exist_ok=True)
    files = ReviewFiles(html=out_dir / "review.html", explained=out_dir / "explain.html", reset=out_dir / "reset.html", workbook=out_dir / "review.xlsx")
    files.html.write_text(render(review), encoding="utf-8")
    files.explained.write_text(render_explained(review, explained(connection, review)), encoding="utf-8")
    files.reset.write_text(render_reset(review, reset), encoding="utf-8")
    write_workbook(review, reset, files.workbook)
    return files
