"""Dropped seat inventories and expense reports: what is kept, what is refused, and what never lands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken
from ingestion.files.expenses import read_expenses
from ingestion.files.seats import read_seats
from ingestion.source import SourceConfig

SEATS = b"""snapshot_date,vendor,product,plan,user_email,status,assigned_at,last_activity_at,unit_price,currency,billing_period,unheard_of
2026-09-30,github,copilot,business,Ann@Example.test ,active,2026-02-01,2026-09-28T22:12:15+03:00,19.00,USD,month,x
2026-09-30,github,copilot,business,bo@example.test,Active,2026-02-01,None,19.00,USD,month,x
2026-09-30,github,copilot,business,,active,2026-02-01,,19.00,USD,month,x
2026-09-30,github,copilot,business,cy@example.test,asleep,2026-02-01,,19.00,USD,month,x
2026-09-30,github,copilot,business,di@example.test,active,2026-02-01,,"19,00",USD,month,x
2026-09-30,github,copilot,business,ed@example.test,active,soon,,19.00,USD,month,x
2026-09-30,github,copilot,business,fi@example.test,active,,,19.00,USD,week,x
2026-09-30,github
"""
EXPENSES = b"""report_id,expense_id,expense_date,employee_email,merchant,card_descriptor,amount,currency,memo
R1,1,2026-09-03,ann@example.test,OpenAI,OPENAI *CHATGPT SUBSCR,20.00,USD,CANARY
R1,2,2026-09-04,ann@example.test,Hotel,,149.5,EUR,CANARY
R1,3,2026-09-04,ann@example.test,Hotel,,NaN,EUR,CANARY
R1,,2026-09-04,ann@example.test,Hotel,,1,EUR,CANARY
"""


def test_seats_are_keyed_by_what_there_is_and_never_used_is_no_activity():
    batch = read_seats("seats.csv", SEATS)
    assert batch.records.select("seat_key", "user_email", "status", "unit_price").rows() == [
        ("ann@example.test", "ann@example.test", "active", "19.00"), ("bo@example.test", "bo@example.test", "active", "19.00"),
    ]  # fmt: skip
    first, second = batch.records["last_activity_at"].to_list()
    assert first.isoformat() == "2026-09-28T19:12:15+00:00" and second is None
    assert sorted((r.ordinal, r.reason, r.field) for r in batch.rejects) == [
        (2, "missing_value", "seat_id"), (3, "unknown_value", "status"), (4, "not_a_number", "unit_price"),
        (5, "unreadable_time", "assigned_at"), (6, "unknown_value", "billing_period"), (7, "ragged_row", None),
    ]  # fmt: skip
    assert batch.control_total is None and [str(d) for d in batch.days] == ["2026-09-30"]


def test_expense_lines_have_an_exact_total_and_no_memo():
    batch = read_expenses("expenses.csv", EXPENSES)
    assert (batch.control_total, batch.control_unit, batch.records.height) == (Decimal("169.50"), "several currencies", 2)
    assert [(r.reason, r.field) for r in batch.rejects] == [("not_a_number", "amount"), ("missing_value", "expense_id")]
    assert "CANARY" not in batch.records.write_csv()


@pytest.mark.parametrize("read", [read_seats, read_expenses])
def test_a_file_in_another_template_says_which_columns_are_missing(read):
    with pytest.raises(ContractBroken, match="no column"):
        read("other.csv", b"date,name\n2026-09-01,x\n")


def test_files_of_a_folder_are_found_and_read(tmp_path):
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026" / "seats.csv").write_bytes(SEATS)
    (tmp_path / "notes.txt").write_text("no table")
    config = SourceConfig("seats", options={"location": str(tmp_path)})
    connector = CONNECTORS["seats__snapshot"]
    windows = connector.find(config, [])
    [(window, batch)] = list(connector.fetch(None, config, windows))
    assert window.locator == "2026/seats.csv" and batch.records["file_name"].to_list() == ["2026/seats.csv"] * 2
