"""Cursor from raw rows to booked charges: chargeable events to the digit, everything else as an estimate."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal
CONTROL = "cursor_events_agree_with_the_spend_of_the_cycle"


def event(at, cents, chargeable=True, email="Ada.Abbott@acme.example", model="claude-sonnet-4-5", **fields):
    tokens = {"input_tokens": 310, "output_tokens": 900, "cache_write_tokens": 1200, "cache_read_tokens": 40000}
    return {
        "event_at": f"{at}+00", "charged_cents": cents, "is_chargeable": chargeable, "user_email": email, "model": model,
        "kind": "Usage-based" if chargeable else "Included in Business", **tokens, **fields,
    }  # fmt: skip


def spend(cents, day="2026-11-20", start="2026-11-05 14:00:00+00"):
    return [{"cycle_start": start, "user_id": str(n), "spend_cents": c, "raw_window": day} for n, c in enumerate(cents)]


SERVICE = {"email": None, "service_account_id": "sa_01reviewbot", "model": "gpt-5"}
FRAMES = {
    "cursor__usage_events": [
        event("2026-11-18 09:00:00", "4.16"),
        event("2026-11-18 09:00:00", "4.16"),
        event("2026-11-18 23:59:59.999", "0.012345678901234567"),
        event("2026-11-18 10:00:00", "1000", False),
        event("2026-11-18 11:00:00", None, False, kind="Errored, Not Charged", input_tokens=None, output_tokens=None),
        event("2026-11-18 12:00:00", "700", None, kind="USAGE_EVENT_KIND_USAGE_BASED", model="default"),
        event("2026-11-18 12:00:00", "30", None, kind="USAGE_EVENT_KIND_INCLUDED_IN_BUSINESS", model="default"),
        event("2026-11-19 00:00:00", "250000", **SERVICE),
    ],
    "cursor__spend": spend(["708.33", "250000"]),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows booked, and the status of every test."""
    path = tmp_path_factory.mktemp("cursor") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES)
    warehouse.build("+focus_cost_and_usage", "+int_vendor_estimate", full_refresh=True)
    result = warehouse.build("path:models/staging/cursor", CONTROL, tests=True)
    return warehouse, statuses(result)


def test_chargeable_events_are_booked_to_the_digit_by_day_caller_and_model(built):
    warehouse, found = built
    booked = warehouse.rows(
        "select charge_date::varchar as day, x_PrincipalId as who, x_CredentialId as key, x_ModelId as model, BilledCost,"
        " x_BilledCostRemainder as rest, ConsumedQuantity as tokens, x_SpendSource as spend_source, InvoiceIssuerName as issuer"
        " from focus.focus_cost_and_usage where x_SourceId = 'cursor' order by 1, 4"
    )
    ada = "Ada.Abbott@acme.example"
    assert [tuple(r.values()) for r in booked] == [
        ("2026-11-18", ada, None, "claude-sonnet-4-5", D("0.08332345678901"), D("2.34567e-15"), 127230, "developer_ai_tool", "Cursor"),
        ("2026-11-18", ada, None, "default", 7, 0, 42410, "developer_ai_tool", "Cursor"),
        ("2026-11-19", None, "sa_01reviewbot", "gpt-5", 2500, 0, 42410, "developer_ai_tool", "Cursor"),
    ]
    assert {name: status for name, status in found.items() if status not in ("pass", "success")} == {}


def test_what_is_included_is_an_estimate_and_never_a_charge(built):
    warehouse, _ = built
    included = warehouse.rows(
        "select model_id, estimated_cost, principal_id from focus.int_vendor_estimate where source = 'cursor' order by 1"
    )
    assert [(r["model_id"], r["estimated_cost"]) for r in included] == [("claude-sonnet-4-5", 10), ("default", D("0.3"))]


@pytest.mark.parametrize(
    ("cents", "status"),
    [
        (["708.33", "250000"], "pass"),
        # the open day runs ahead
        (["708.33", "400000"], "pass"),
        # cents landed as dollars make the events a hundred times the cycle's total, dollars as cents a hundredth
        (["7.0833", "2500"], "fail"),
        (["70833", "25000000"], "fail"),
        # one member's page of spend is missing
        (["708.33"], "fail"),
    ],
)
def test_spend_of_the_cycle_catches_the_wrong_unit_of_events(built, cents, status):
    warehouse, _ = built
    warehouse.land(FRAMES | {"cursor__spend": spend(["1"], "2026-11-19") + spend(cents)})
    assert statuses(warehouse.build(CONTROL, tests=True))[CONTROL] == status


def test_charges_before_the_cycle_began_are_not_held_against_it(built):
    warehouse, _ = built
    warehouse.land(FRAMES | {"cursor__spend": spend(["250000"], start="2026-11-18 14:00:00+00")})
    assert statuses(warehouse.build(CONTROL, tests=True))[CONTROL] == "pass"
