"""The reset pack: what it says is what the rows say, its sums can be checked, and nothing in it is a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import polars as pl
import pytest

from forecasting.schemas import MONTHLY_SCHEMAS
from orchestration.review import ReviewContext, build

SEPTEMBER, AUGUST = date(2026, 9, 1), date(2026, 8, 1)
EFFECTS = ((1, "volume", "40.25"), (2, "price", "-15.125"), (3, "services_without_tokens", "74.875"))


def _rows(name: str, rows: list[dict]) -> pl.DataFrame:
    """Rows of a published frame; what is not given is null."""
    schema = MONTHLY_SCHEMAS[name]
    return pl.DataFrame([{c: r.get(c) for c in schema} for r in rows], schema=schema, orient="row")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two closed months: August signed and restated, September open."""
    line = {
        "scope": "total:total", "version": 1, "frozen_forecast": Decimal(1000), "actual": Decimal(1100), "variance": Decimal(100),
        "variance_share": 0.1, "inside80": True, "months": 4, "wape": 0.08, "bias": -0.05, "accuracy_state": "measured", "forecast_kpi": "met",
        "budget": Decimal(1000), "budget_variance": Decimal(100), "budget_kpi": "missed", "new_baseline": 1150.0, "new_baseline_lo80": 1000.0,
        "new_baseline_hi80": 1300.0, "content_hash": "abcdef0123456789", "sign_off_state": "open",
    }  # fmt: skip
    signed = line | {"month": AUGUST, "signed_by": "p9", "signed_on": date(2026, 9, 8), "sign_off_state": "signed"}
    again = line | {"month": AUGUST, "version": 2, "actual": Decimal(1130), "variance": Decimal(130), "variance_share": 0.13, "sign_off_state": "restated after sign-off"}
    hostile = line | {"month": SEPTEMBER, "scope": "workflow:<b>=cmd()</b>", "override": Decimal(1050)}
    bridge = [
        {"scope": "total:total", "month": SEPTEMBER, "comparison": "forecast", "position": n, "effect_group": "g", "effect": effect,
         "amount": Decimal(amount), "base_cost": Decimal(1000), "actual_cost": Decimal(1100), "change": Decimal(100)}
        for n, effect, amount in EFFECTS
    ]  # fmt: skip
    frames = {
        "forecast_reset": _rows("forecast_reset", [line | {"month": SEPTEMBER}, hostile, signed, again]),
        "variance_bridge": _rows("variance_bridge", bridge),
        "variance_cell": _rows("variance_cells", [{"month": SEPTEMBER, "rank": 1, "workflow": "agent", "team": "t", "model": "m", "variant": "A", "line": "usage", "amount": Decimal(80), "label": "one-off"}]),
        "forecast_score": _rows("forecast_scores", [{"scope": "total:total", "month": SEPTEMBER, "kind": "machine", "freeze_day": day, "forecast": Decimal(1000), "actual": Decimal(1100), "error": Decimal(-100), "months": 4, "wape": 0.08, "bias": -0.05, "state": "measured", "basis": "reconstructed"} for day in (1, 20)]),
        "frozen_forecast": _rows("frozen_outlook", [{"series_key": "total:total", "level": "total", "scope": "total", "as_of": date(2026, 10, 1), "period_start": date(2026, 10, 1), "period_end": date(2026, 11, 1), "point": 1150.0, "has_known_changes": True, "basis": "frozen", "freeze_day": 1}]),
        "cost_notes": _rows("cost_notes", [{"note_id": "n1", "workflow": "agent", "state": "open", "reasons": "no second design to compare with", "is_due": True}]),
    }  # fmt: skip
    connection = duckdb.connect()
    connection.execute("create schema marts")
    for name, frame in frames.items():
        connection.register("rows_of", frame.to_arrow())
        connection.execute(f"create table marts.{name} as select * from rows_of")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def pack(snapshot: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    files = build(snapshot, tmp_path_factory.mktemp("reset"), context)
    return files.reset.read_text(encoding="utf-8"), files.workbook


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_the_first_sentences_say_what_came_against_forecast_and_budget(pack: tuple[str, Path]) -> None:
    said = _text(pack[0])
    assert "Sep 2026 came to USD 1,100, 10.0 % above the forecast of USD 1,000 and 10.0 % above the budget of USD 1,000. Not signed yet." in said
    assert "Against forecast +10.0 % error 9.1 % of the actual, target at most 10 %: met" in said, "variance and error have another base"
    assert "Aug 2026 came to USD 1,130, 13.0 % above" in said and "Restated after it was signed" in said
    assert "Forecasts marked reconstructed were made later" in said


def test_signed_and_restated_lines_stand_beside_each_other(pack: tuple[str, Path]) -> None:
    said = _text(pack[0])
    assert "Total (version 2)" in said and "restated after sign-off" in said and "abcdef012345" in said


def test_the_bridge_runs_from_forecast_to_actual(pack: tuple[str, Path]) -> None:
    said = _text(pack[0])
    assert said.index("Number of calls +40") < said.index("Price per token −15") < said.index("Services without tokens (cloud, compute) +75 1,100")
    assert "one-off" in said and "no second design to compare with" in said


def test_forecasts_within_the_month_are_a_table_of_their_own(pack: tuple[str, Path]) -> None:
    said = _text(pack[0])
    assert "How the forecast of Sep 2026 came closer" in said and "Total day 1" in said and "Total day 20" in said


def test_names_are_text_and_nothing_is_fetched(pack: tuple[str, Path]) -> None:
    assert "<b>=cmd()" not in pack[0] and "&lt;b&gt;=cmd()" in pack[0]
    assert "<script" not in pack[0] and set(re.findall(r'href="([^#"][^"]*)"', pack[0])) == {"review.html"}


def test_the_workbook_s_variances_and_sums_are_formulas_with_their_values(pack: tuple[str, Path]) -> None:
    live, shown = openpyxl.load_workbook(pack[1]), openpyxl.load_workbook(pack[1], data_only=True)
    assert {"Reset 2026-09", "Reset 2026-08"} <= set(live.sheetnames)
    sheet, values = live["Reset 2026-09"], shown["Reset 2026-09"]
    heads = [c.value for c in sheet[5]]
    actual, forecast, variance = (heads.index(h) + 1 for h in ("Actual", "Forecast, frozen", "Variance"))
    for row in (6, 7):
        assert sheet.cell(row, variance).value.startswith("=")
        assert values.cell(row, variance).value == values.cell(row, actual).value - values.cell(row, forecast).value
    found = {values.cell(r, 1).value: r for r in range(1, values.max_row + 1)}
    total, check = found["Sum of effects"], next(r for label, r in found.items() if str(label).startswith("Check"))
    first = found["Number of calls"]
    assert sheet.cell(total, 3).value == f"=SUM(C{first}:C{first + 2})" and values.cell(total, 3).value == 100
    assert sheet.cell(check, 3).value.startswith("=ROUND(") and values.cell(check, 3).value == 0
    assert values.cell(found["Actual"], 3).value - values.cell(found["Forecast, frozen"], 3).value - values.cell(total, 3).value == 0
    inputs = [sheet.cell(6, heads.index(h) + 1) for h in ("Next month, agreed", "Sign here", "Remark")]
    assert all(c.value is None and c.fill.fgColor.rgb == "FFFFF6CC" for c in inputs)
    assert sheet.cell(7, 1).data_type == "s"


def test_a_company_without_a_closed_month_is_told_so(context: ReviewContext, tmp_path: Path) -> None:
    connection = duckdb.connect()
    files = build(connection, tmp_path, context)
    assert "No month is closed yet" in _text(files.reset.read_text(encoding="utf-8"))
    assert not [n for n in openpyxl.load_workbook(files.workbook).sheetnames if n.startswith("Reset")]
