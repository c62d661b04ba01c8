"""Builds the review pack: reads the snapshot once, then writes the page and the workbook from the same facts."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.review.model import ReviewContext, ReviewFiles
from orchestration.review.queries import read_review


def build(connection: duckdb.DuckDBPyConnection, out_dir: Path, context: ReviewContext) -> ReviewFiles:
    """Write `review.html` and `review.xlsx` into a folder, replacing older ones.

    `connection` is a read-only connection to a published snapshot. The same snapshot and context give the same bytes.
    Raises `duckdb.Error` when a published relation lacks a column that the pages show.
    """
    from orchestration.review.html import render
    from orchestration.review.workbook import write_workbook

    review = read_review(connection, context)
    out_dir.mkdir(parents=True, exist_ok=True)
    files = ReviewFiles(html=out_dir / "review.html", workbook=out_dir / "review.xlsx")
    files.html.write_text(render(review), encoding="utf-8")
    write_workbook(review, files.workbook)
    return files
