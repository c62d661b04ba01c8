"""The lines printed after a run."""

from __future__ import annotations

import duckdb

from orchestration.review import ReviewContext, summary


def test_summary_says_spend_coverage_tie_out_and_forecast(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext
) -> None:
    lines = summary(filled, context)
    spent = filled.execute(
        "select sum(reporting_cost) filter (where charge_date >= '2026-09-01'), "
        "sum(reporting_cost) filter (where month(charge_date) = 8) from marts.daily_spend where cost_basis = 'billed'"
    ).fetchone()
    assert spent is not None
    total = next(line for line in lines if line.strip().startswith("total"))
    assert total.split()[1:] == [f"{spent[0]:,.2f}", f"{spent[1]:,.2f}"]
    assert any("Aug 2026: 91.0 %" in line for line in lines)
    assert any("session" in line and "WAPE 8.3 % (6.1 % to 10.9 %)" in line for line in lines)
    assert any("key owner: not yet measured" in line for line in lines)
    assert "Invoice tie-out: 15 tied, 3 open" in lines
    assert any("USD 118,401 (80 % interval 110,300 to 128,901, measured coverage 82 %" in line for line in lines)


def test_summary_needs_no_context(filled: duckdb.DuckDBPyConnection, context: ReviewContext) -> None:
    assert summary(filled) == summary(filled, context)


def test_summary_of_an_empty_snapshot_says_what_is_missing(empty: duckdb.DuckDBPyConnection) -> None:
    lines = summary(empty)
    assert "  nothing billed yet" in lines
    assert "Month-end forecast: none (insufficient data: 0 of 14 days)" in lines
