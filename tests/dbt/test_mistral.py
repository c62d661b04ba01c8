"""Mistral from raw rows to booked charges in euros, and what becomes of a currency without a rate."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal
SCOPE = [("mistral", "main", day) for day in ("2026-10-01", "2026-11-01")]
RATE = {"currency": "EUR", "reporting_currency": "USD", "source": "ECB", "valid_from": "2026-10-01", "valid_to": "2026-11-01"}


def entry(month, path, amount, workspace=None, currency="EUR"):
    category, _, model, direction, _ = path.split("/")
    return {
        "period_start": f"{month}-01", "period_end": f"{month}-28", "currency": currency, "workspace_id": workspace,
        "category": category, "model": model, "direction": direction, "entry_path": path, "amount": amount, "quantity": "5",
        "raw_window": month,
    }  # fmt: skip


CHAT_IN, CHAT_OUT = "chat/models/mistral-large-2512/input/0", "chat/models/mistral-large-2512/output/0"
OCR = "ocr/models/mistral-ocr-2512/input/0"
FRAMES = {
    "mistral__usage": [
        entry("2026-10", CHAT_IN, "100.000000000000001"), entry("2026-10", CHAT_OUT, "40"), entry("2026-10", OCR, "7.5"),
        entry("2026-11", CHAT_IN, "3"),
    ],
    "mistral__usage_by_workspace": [
        entry("2026-10", CHAT_IN, "60", "w1"), entry("2026-10", CHAT_IN, "30.5", "w2"), entry("2026-10", CHAT_OUT, "40", "w1"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows booked at a rate for October only, and the status of every test."""
    path = tmp_path_factory.mktemp("mistral") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES, scope=SCOPE)
    warehouse.seed("fx_rates", [RATE | {"rate": "1.16"}])
    warehouse.build("+focus_unconverted_charges", full_refresh=True)
    return warehouse, statuses(warehouse.build("path:models/staging/mistral", "focus_unconverted_charges", tests=True))


def booked(warehouse):
    return [
        tuple(r.values())
        for r in warehouse.rows(
            "select charge_date::varchar as day, ChargeDescription, x_WorkspaceId, BilledCost + x_BilledCostRemainder as cost,"
            " BillingCurrency, x_ReportingCost, x_FxRate from focus.int_booked_charge where x_SourceId = 'mistral' order by 1, 2, 3"
        )
    ]


def test_the_account_s_month_is_booked_in_its_currency_and_converted_at_the_month_s_rate(built):
    warehouse, found = built
    assert booked(warehouse) == [
        ("2026-10-01", "chat mistral-large-2512 input", "w1", 60, "EUR", D("69.6"), D("1.16")),
        ("2026-10-01", "chat mistral-large-2512 input", "w2", D("30.5"), "EUR", D("35.38"), D("1.16")),
        ("2026-10-01", "chat mistral-large-2512 input", None, D("9.500000000000001"), "EUR", D("11.02"), D("1.16")),
        ("2026-10-01", "chat mistral-large-2512 output", "w1", 40, "EUR", D("46.4"), D("1.16")),
        ("2026-10-01", "ocr mistral-ocr-2512 input", None, D("7.5"), "EUR", D("8.7"), D("1.16")),
        ("2026-11-01", "chat mistral-large-2512 input", None, 3, "EUR", None, None),
    ]
    periods = warehouse.rows(
        "select distinct ChargePeriodStart, ChargePeriodEnd, BillingPeriodStart, BillingPeriodEnd from focus.int_booked_charge"
        " where x_SourceId = 'mistral' and charge_date = '2026-10-01'"
    )
    assert [tuple(p.values()) for p in periods] == [(dt.datetime(2026, 10, 1), dt.datetime(2026, 11, 1)) * 2]
    assert {name for name, status in found.items() if status not in ("pass", "success")} == {"every_charge_has_a_rate"}


def test_a_charge_without_a_rate_is_a_named_exception(built):
    warehouse, found = built
    assert found["every_charge_has_a_rate"] == "warn"
    (exception,) = warehouse.rows("select * from focus.focus_unconverted_charges")
    assert tuple(exception.values()) == ("mistral", "main", "EUR", "USD", 1, 3, dt.date(2026, 11, 1))


@pytest.mark.parametrize(("source", "profile", "cost"), [("sandbox", "sandbox", 464), ("sandbox", "production", None), ("ECB", "production", 464)])
def test_rates_of_the_sandbox_convert_nobody_else_s_bill(built, source, profile, cost):
    warehouse, _ = built
    warehouse.land({"mistral__usage": [entry("2026-10", CHAT_IN, "400")]}, scope=SCOPE)
    warehouse.seed("fx_rates", [RATE | {"rate": "1.16", "source": source}])
    with warehouse.connect() as connection:
        connection.execute("update raw.run_context set profile = ?", [profile])
    warehouse.build("stg_mistral__usage_charges", "int_booked_charge")
    assert [row[5] for row in booked(warehouse)] == [cost]


def test_workspaces_that_sum_to_more_than_the_account_are_reported_and_the_account_stays_right(built):
    warehouse, _ = built
    twice = [*FRAMES["mistral__usage_by_workspace"], entry("2026-10", CHAT_OUT, "40", "w2")]
    warehouse.land(FRAMES | {"mistral__usage_by_workspace": twice}, scope=SCOPE)
    found = statuses(warehouse.build("path:models/staging/mistral", tests=True))
    assert found["mistral_workspaces_explain_no_more_than_the_account"] == "warn"
    (total,) = warehouse.rows("select sum(billed_cost + billed_cost_remainder) as cost from staging.stg_mistral__usage_charges")
    assert total["cost"] == D("150.500000000000001")
