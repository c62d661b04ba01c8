"""xAI from raw rows to charges: dollars of usage, cents of balances with their sign turned, and the control between them."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal
CONTROL, BALANCE = "xai_usage_agrees_with_the_invoice_preview", "xai_balance_is_the_sum_of_its_changes"


def usage(day, usd, description, key="k1"):
    return {"bucket_start": f"{day} 00:00:00+00", "api_key_id": key, "api_key_name": "one", "description": description, "usage_usd": usd}


def preview(day, cents, credits="0"):
    return {
        "cycle_year": "2026", "cycle_month": "11", "total_with_corrections_cents": cents, "prepaid_credits_cents": credits,
        "raw_window": day,
    }  # fmt: skip


FRAMES = {
    "xai__usage": [
        usage("2026-11-18", "1.42", "grok-4.7 input"),
        usage("2026-11-18", "0.123456789012345678", "grok-4.7 cached input"),
        usage("2026-11-18", "2.5", "grok-4.7 output", "k2"),
        usage("2026-11-18", "0", "Live search"),
        usage("2026-11-19", "-0.5", "Correction", None),
    ],
    "xai__prepaid_balance": [{"total_cents": "-9550", "raw_window": "2026-11-20"}],
    "xai__balance_changes": [
        {"change_origin": "PURCHASE", "amount_cents": "-10000", "raw_window": "2026-11-20"},
        {"change_origin": "SPEND", "amount_cents": "450", "raw_window": "2026-11-20"},
        {"change_origin": "PURCHASE", "amount_cents": "-10000", "raw_window": "2026-11-19"},
    ],
    "xai__invoice_preview": [preview("2026-11-20", "354")],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows booked, and the status of every test."""
    path = tmp_path_factory.mktemp("xai") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES)
    warehouse.build("+int_booked_charge", full_refresh=True)
    return warehouse, statuses(warehouse.build("path:models/staging/xai", CONTROL, BALANCE, tests=True))


def test_usage_is_booked_to_the_digit_with_its_model_meter_and_key(built):
    warehouse, found = built
    rows = warehouse.rows(
        "select x_ModelId as model, x_TokenMeter as meter, x_CredentialId as key, BilledCost, x_BilledCostRemainder as rest"
        " from focus.int_booked_charge where x_SourceId = 'xai' order by charge_date, ChargeDescription"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("grok-4.7", "cache_read", "k1", D("0.12345678901235"), D("-4.322e-15")),
        ("grok-4.7", "input", "k1", D("1.42"), 0),
        ("grok-4.7", "output", "k2", D("2.5"), 0),
        (None, None, None, D("-0.5"), 0),
    ]
    assert set(found.values()) <= {"pass", "success"}


def test_balances_are_cents_and_their_sign_is_turned(built):
    warehouse, _ = built
    balance = warehouse.rows("select credit_left_usd from staging.stg_xai__prepaid_balance")
    changes = warehouse.rows("select change_origin, credit_usd from staging.stg_xai__balance_changes order by 1")
    assert balance == [{"credit_left_usd": D("95.5")}]
    assert [tuple(r.values()) for r in changes] == [("PURCHASE", D(100)), ("SPEND", D("-4.5"))]
    assert warehouse.rows("select count(*) as charges from focus.int_booked_charge where x_SourceId = 'xai'") == [{"charges": 4}]


@pytest.mark.parametrize(
    ("frames", "test", "status"),
    [
        ({"xai__invoice_preview": [preview("2026-11-20", "254", "-100")]}, CONTROL, "pass"),
        # the preview in dollars where cents are said
        ({"xai__invoice_preview": [preview("2026-11-20", "3.54")]}, CONTROL, "warn"),
        # the preview a hundred times the usage: usage was dollars divided once too often, or days are missing
        ({"xai__invoice_preview": [preview("2026-11-19", "35400")]}, CONTROL, "fail"),
        # the sign of the balance read as it stands
        ({"xai__prepaid_balance": [{"total_cents": "9550", "raw_window": "2026-11-20"}]}, BALANCE, "warn"),
    ],
)
def test_a_wrong_unit_or_sign_is_caught(built, frames, test, status):
    warehouse, _ = built
    warehouse.land(FRAMES | frames)
    assert statuses(warehouse.build(test, tests=True))[test] == status
