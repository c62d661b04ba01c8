"""Seats and expenses: lists of a day become intervals, seat lines follow their holders, and expense lines become findings."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, messages, statuses
from tests.dbt.ledger_rows import COMPANY, charge, money, put_charges, shares


def seat(day, email, **columns):
    return {
        "snapshot_date": day, "vendor": "Anthropic", "product": "Claude Team", "plan": "team", "seat_key": email, "user_email": email,
        "status": "active", "unit_price": "30.00", "currency": "usd", "billing_period": "month", "contract_id": "C-1",
        "assigned_at": "2026-09-10 08:00:00+00", "last_activity_at": f"{day} 07:00:00+00", "file_name": f"seats-{day}.csv", **columns,
    }  # fmt: skip


SEATS = [
    seat("2026-10-01", "ann@example.com"), seat("2026-11-01", "ann@example.com", last_activity_at="2026-09-20 00:00:00+00"),
    # never seen working: still in memory in October, beyond the vendor's memory in January
    seat("2026-10-01", "cas@example.com", last_activity_at=None, assigned_at="2026-09-25 00:00:00+00"),
    seat("2026-11-01", "cas@example.com", last_activity_at=None, assigned_at="2026-09-25 00:00:00+00"),
    seat("2026-10-01", "old@example.com", last_activity_at=None, assigned_at="2026-01-01 00:00:00+00"),
    # assigned between the lists, and one that is gone on the second
    seat("2026-11-01", "bob@example.com", assigned_at="2026-10-21 10:00:00+00"),
    seat("2026-10-01", "gone@example.com", team="platform"),
    seat("2026-11-01", "gone@example.com", status="removed", removed_at="2026-10-16 00:00:00+00"),
]  # fmt: skip
LINE = {
    "x_SourceId": "invoices", "x_Account": "default", "ChargeCategory": "Purchase", "PricingUnit": "Seats", "ServiceName": "Claude Team",
    "InvoiceIssuerName": "Anthropic", "ServiceProviderName": "Anthropic", "x_SpendSource": "ai_in_saas",
}  # fmt: skip


def seat_line(name, month, after, **columns):
    return charge(name, "120", f"{month}-01", **{
        **LINE, "ChargePeriodStart": f"{month}-01 00:00:00", "ChargePeriodEnd": f"{after}-01 00:00:00", **columns,
    })  # fmt: skip


CHARGES = [
    seat_line("october", "2026-10", "2026-11"), seat_line("before any list", "2026-09", "2026-10"),
    seat_line("other product", "2026-10", "2026-11", ServiceName="ChatGPT Team", InvoiceIssuerName="OpenAI", ServiceProviderName="OpenAI"),
]  # fmt: skip
INVOICES = [
    {"invoice_issuer_name": "Anthropic", "invoice_id": "A-10", "invoice_detail_id": "1", "line_type": "seat", "service_name": "Claude Team",
     "billing_period_start": "2026-10-01", "billing_period_end": "2026-11-01", "quantity": "4", "amount": "120.00", "currency": "USD",
     "contract_id": "C-1"},
    {"invoice_issuer_name": "Anthropic", "invoice_id": "A-11", "invoice_detail_id": "1", "line_type": "seat", "service_name": "Claude Team",
     "billing_period_start": "2026-11-01", "billing_period_end": "2026-12-01", "quantity": "3", "amount": "90.00", "currency": "USD"},
    {"invoice_issuer_name": "AWS", "invoice_id": "M-11", "invoice_detail_id": "1", "line_type": "seat", "service_name": "Marketplace",
     "billing_period_start": "2026-11-01", "billing_period_end": "2026-12-01", "quantity": "3", "amount": "90.00", "currency": "USD",
     "contract_id": "C-1"},
]  # fmt: skip


def expense(number, amount="20.00", **columns):
    return {
        "report_id": "R1", "expense_id": str(number), "expense_date": "2026-10-05", "employee_email": "Ann@example.com", "amount": amount,
        "currency": "USD", **columns,
    }  # fmt: skip


EXPENSES = [
    expense(1, card_descriptor="ANTHROPIC* CLAUDE 4155551234"), expense(2, merchant="Midjourney Inc.", amount="28.50", currency="EUR"),
    expense(3, merchant="Complexity Books"), expense(4, merchant="Cursor Hardware Ltd"), expense(5, merchant_domain="chat.mistral.ai"),
    expense(6, merchant="Hotel Runaway"), expense(7, merchant="OpenAI", amount="-20.00", employee_email="who@example.com"), expense(8),
]  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    folder = tmp_path_factory.mktemp("seats")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    frames = {"seats__snapshot": SEATS, "invoices__lines": INVOICES, "expenses__lines": EXPENSES}
    made = Warehouse(folder / "warehouse.duckdb", project).land(frames)
    rule = {"rule_id": "seats-even", "priority": 80, "source": "invoices", "charge_category": "Purchase", "method": "even"}
    emails = [{"person_id": p, "system": "email", "external_id": f"{p}@example.com"} for p in ("bob", "cas")]
    seeds = {**COMPANY, "allocation_rules": [rule], "identities": [*COMPANY["identities"], *emails]}
    for name, rows in seeds.items():
        made.seed(name, rows)
    put_charges(made, CHARGES)
    made.build("models/staging")
    made.build("models/ledger", "mart_shadow_ai", "mart_seat_check")
    return made


def test_lists_of_a_day_become_dated_intervals(warehouse):
    rows = warehouse.rows(
        "select seat_key, team, activity_state, valid_from::varchar as a, valid_to::varchar as b from ledger.dim_seat order by seat_key"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("ann@example.com", "search", "idle", "2026-09-10", "9999-12-31"),
        ("bob@example.com", "platform", "active", "2026-10-21", "9999-12-31"),
        ("cas@example.com", "support", "idle", "2026-09-25", "9999-12-31"),
        ("gone@example.com", "platform", "active", "2026-09-10", "2026-10-16"),
        ("old@example.com", None, "unknown", "2026-01-01", "2026-11-01"),
    ]  # fmt: skip


def test_a_seat_line_follows_the_seat_days_of_each_team_and_policy_stays_where_nobody_knows(warehouse):
    # 31 days each for ann, cas and old, 15 for gone and 11 for bob: 119 seat-days
    found = {(r["team"], r["residual_name"], r["allocation_method"]): r["BilledCost"] for r in shares(warehouse, "october")}
    assert set(found) == {
        ("search", None, "seat_inventory"), ("support", None, "seat_inventory"), ("platform", None, "seat_inventory"),
        (None, "seat_holder_unknown", "none"),
    }  # fmt: skip
    assert sum(found.values()) == money("120")
    third, rest = found["search", None, "seat_inventory"], found["platform", None, "seat_inventory"]
    assert abs(third - money("120") * 31 / 119) < Decimal("1e-13") and abs(rest - money("120") * 26 / 119) < Decimal("1e-13")
    for name in ("before any list", "other product"):
        assert {(r["team"], r["allocation_method"], r["BilledCost"]) for r in shares(warehouse, name)} == {
            (team, "even", money("40")) for team in ("platform", "search", "support")
        }


def test_seats_times_price_checks_the_invoice_and_a_contract_billed_twice_is_seen(warehouse):
    rows = warehouse.rows(
        "select month::varchar as m, seats, expected_amount, invoiced_amount, difference, issuers, state from marts.mart_seat_check order by 1"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("2026-10-01", 4, money("120"), money("120"), money("0"), 1, "tied"),
        ("2026-11-01", 3, money("90"), money("180"), money("90"), 2, "billed by several issuers"),
    ]  # fmt: skip
    # the price of the inventory is booked nowhere
    [total] = warehouse.rows("select sum(BilledCost) as billed from ledger.fct_attribution_ledger")
    assert total["billed"] == money("360")


def test_expense_lines_become_findings_with_their_evidence_and_no_accusation(warehouse):
    rows = warehouse.rows(
        "select expense_id, vendor, matched_on, confidence, amount, currency, team, is_also_invoiced from ledger.fct_shadow_ai_finding order by 1"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("1", "Anthropic", "descriptor", "high", money("20"), "USD", "search", True),
        ("2", "Midjourney", "name", "high", money("28.5"), "EUR", "search", None),
        ("4", "Cursor", "name", "low", money("20"), "USD", "search", False),
        ("5", "Mistral AI", "domain", "high", money("20"), "USD", "search", False),
        ("7", "OpenAI", "name", "high", money("-20"), "USD", None, False),
    ]  # fmt: skip
    [text] = warehouse.rows("select finding from ledger.fct_shadow_ai_finding where expense_id = '1'")
    assert text["finding"] == (
        "Expense at a merchant whose descriptor matches Anthropic; the vendor also invoices the company in that month"
    )
    rows = warehouse.rows("select vendor, currency, findings, amount, amount_also_invoiced from marts.mart_shadow_ai order by 1")
    assert tuple(rows[0].values()) == ("Anthropic", "USD", 1, money("20"), money("20"))


def test_the_data_tests_of_seats_and_findings_hold(warehouse):
    result = warehouse.build(
        "models/staging/seats", "models/staging/expenses", "dim_seat", "fct_shadow_ai_finding", "fct_attribution_ledger", tests=True
    )
    assert result.success, messages(result)
    assert sum(s == "pass" for s in statuses(result).values()) > 6
