"""The workbook: opens, its formulas carry the value they would compute, and text stays text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import openpyxl
import pytest
from openpyxl.utils import range_boundaries
from openpyxl.worksheet.worksheet import Worksheet

from orchestration.review import ReviewContext, build

SHEETS = [
    "Summary", "Spend by provider", "Workflow ledger", "Unit costs", "Coverage", "Tie-out", "Forecast & pacing", "Back-test",
    "Top deltas", "Work items", "Freshness & gates",
]


def _number(values: Worksheet, address: str) -> float:
    value = values[address.replace("$", "")].value
    return 0.0 if value is None else float(value)


def _sum(values: Worksheet, span: str) -> float:
    left, top, right, bottom = range_boundaries(span)
    cells = values.iter_rows(min_row=top, max_row=bottom, min_col=left, max_col=right, values_only=True)
    return math.fsum(float(v) for row in cells for v in row if isinstance(v, int | float))


def _computed(values: Worksheet, formula: str) -> float:
    """The value of the few formula shapes that the workbook uses; anything else fails the test."""
    if match := re.fullmatch(r"=SUM\(([A-Z]+\d+:[A-Z]+\d+)\)", formula):
        return _sum(values, match[1])
    if match := re.fullmatch(r"=SUM\(([A-Z]+\d+:[A-Z]+\d+)\)/(\$?[A-Z]+\$?\d+)", formula):
        return _sum(values, match[1]) / _number(values, match[2])
    if match := re.fullmatch(r"=(\$?[A-Z]+\$?\d+)([-/])(\$?[A-Z]+\$?\d+)", formula):
        left, right = _number(values, match[1]), _number(values, match[3])
        return left - right if match[2] == "-" else left / right
    raise AssertionError(f"unexpected formula {formula}")


@pytest.fixture(scope="module")
def workbook(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return build(filled, tmp_path_factory.mktemp("book"), context).workbook


def test_sheets_are_the_agreed_ones_with_frozen_heads(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    assert book.sheetnames == SHEETS
    assert all(sheet.freeze_panes for sheet in book)
    assert all("As of 22 Sep 2026" in str(sheet["A3"].value) for sheet in book)


def test_every_formula_carries_the_value_it_computes(workbook: Path) -> None:
    formulas, values = openpyxl.load_workbook(workbook), openpyxl.load_workbook(workbook, data_only=True)
    checked = dict.fromkeys(SHEETS, 0)
    for sheet in formulas:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cached = values[sheet.title][cell.coordinate].value
                    expected = _computed(values[sheet.title], str(cell.value))
                    assert cached == pytest.approx(expected, rel=1e-12, abs=1e-6), f"{sheet.title}!{cell.coordinate}"
                    checked[sheet.title] += 1
    for name in ("Spend by provider", "Workflow ledger", "Coverage", "Tie-out", "Forecast & pacing", "Work items"):
        assert checked[name] > 0, f"{name} holds no formula to check"


def test_totals_are_those_of_the_snapshot(workbook: Path, filled: duckdb.DuckDBPyConnection) -> None:
    sheet = openpyxl.load_workbook(workbook, data_only=True)["Spend by provider"]
    total = next(row for row in sheet.iter_rows(values_only=True) if row[0] == "Total")
    (spend,) = filled.execute("select sum(reporting_cost) from marts.daily_spend where cost_basis = 'billed'").fetchone() or (0,)
    assert [v for v in total if v is not None][-1] == pytest.approx(float(spend))


def test_money_has_separators_and_numbers_are_numbers(workbook: Path) -> None:
    sheet = openpyxl.load_workbook(workbook)["Tie-out"]
    head = [cell.value for cell in sheet[5]]
    invoice = sheet.cell(6 + 3, head.index("Invoice") + 1)
    assert invoice.data_type == "n" and invoice.number_format.startswith("#,##0.00")


def test_empty_snapshot_gives_every_sheet_with_a_sentence(
    empty: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(build(empty, tmp_path, context).workbook)
    assert book.sheetnames == SHEETS
    for name in SHEETS[1:]:
        sentences = [c for row in book[name].iter_rows(min_row=5, values_only=True) for c in row if str(c).endswith(".")]
        assert sentences, f"{name} says nothing"


def test_text_is_never_a_formula_or_a_link(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    hostile = '=HYPERLINK("http://evil.example","x")'
    rows = [(date(2026, 8, 1), hostile, None, "http://evil.example/", 1, 1, 1, 5)]
    sheet = openpyxl.load_workbook(build(changed(workflow_ledger=rows), tmp_path, context).workbook)["Workflow ledger"]
    cells = [c for row in sheet.iter_rows() for c in row if "evil" in str(c.value)]
    assert [c.data_type for c in cells] == ["s", "s"]
    assert all(c.hyperlink is None for c in cells)
