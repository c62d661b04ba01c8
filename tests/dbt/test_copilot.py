"""Copilot from raw rows to booked charges: net is cash, what the plan covers is an estimate, no list is counted twice."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal
AGREE = "copilot_lists_agree_on_credits_and_requests"
IDENTITY, PRODUCT, PRICE = (
    "copilot_{}_net_is_gross_less_discount", "copilot_{}_gross_is_quantity_times_price", "copilot_{}_units_have_their_order_of_price",
)  # fmt: skip


def amounts(quantity, price, covered):
    """Delivered texts of a line: quantity at a price, of which `covered` units are in the plan."""
    gross, discount = D(quantity) * D(price), D(covered) * D(price)
    return {"price_per_unit_usd": price, "gross_usd": f"{gross:f}", "discount_usd": f"{discount:f}", "net_usd": f"{gross - discount:f}"}


def by_model(day, quantity, covered, model="Claude Sonnet 4.5", price="0.01", **fields):
    return {
        "usage_date": day, "meter": "ai_credit", "product": "Copilot", "sku": "Copilot AI Credits", "model": model, "unit_type": "credits",
        "gross_quantity": quantity, "discount_quantity": covered, "net_quantity": str(D(quantity) - D(covered)), "raw_window": day[:7],
        **amounts(quantity, price, covered), **fields,
    }  # fmt: skip


def reported(day, user, quantity, covered, model="Claude Sonnet 4.5", **fields):
    return {
        "usage_date": day, "username": user, "product": "copilot", "sku": "copilot_ai_credit", "model": model, "unit_type": "ai-credits",
        "quantity": quantity, "organization": "acme", "raw_window": day[:7], **amounts(quantity, "0.01", covered), **fields,
    }  # fmt: skip


def billed(day, sku, unit, quantity, price, covered="0", product="Copilot", **fields):
    return {
        "usage_date": day, "product": product, "sku": sku, "unit_type": unit, "quantity": quantity, "organization_name": "acme",
        "raw_window": day[:7], **amounts(quantity, price, covered), **fields,
    }  # fmt: skip


FRAMES = {
    "copilot__usage_report": [
        reported("2026-11-17", "ada-abbott", "120.5", "100"),
        reported("2026-11-17", "chloe-costa", "30", "0", "Auto: GPT-5"),
        reported("2026-11-17", "ben-berg", "50", "50"),
    ],
    "copilot__model_usage": [
        by_model("2026-11-17", "170.5", "150"),
        by_model("2026-11-17", "30", "0", "Auto: GPT-5"),
        by_model("2026-11-18", "10", "4", gross_usd="0.10000000000000000123", net_usd="0.06000000000000000123"),
    ],
    "copilot__billing_usage": [
        billed("2026-11-17", "Copilot AI Credits", "credits", "200.5", "0.01", "150"),
        billed("2026-11-17", "Copilot Business", "user-months", "0.5", "19"),
        billed("2026-11-17", "Actions Linux", "minutes", "100", "0.008", product="Actions"),
        billed("2026-11-19", "Copilot Premium Request", "requests", "3", "0.04", "1"),
    ],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows booked, and the status of every test."""
    path = tmp_path_factory.mktemp("copilot") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES)
    warehouse.build("+int_booked_charge", "+int_vendor_estimate", full_refresh=True)
    result = warehouse.build("path:models/staging/copilot", AGREE, tests=True)
    return warehouse, statuses(result)


def test_net_is_booked_once_by_user_where_the_report_names_one(built):
    warehouse, found = built
    booked = warehouse.rows(
        "select charge_date::varchar as day, SkuMeter as meter, x_PrincipalId as who, SubAccountId as account, BilledCost,"
        " x_BilledCostRemainder as rest, ConsumedQuantity as quantity, x_SpendSource as spend_source"
        " from focus.int_booked_charge where x_SourceId = 'copilot' order by 1, 2, 3"
    )
    tool = "developer_ai_tool"
    assert [tuple(r.values()) for r in booked] == [
        ("2026-11-17", "ai_credit", "ada-abbott", None, D("0.205"), 0, None, tool),
        ("2026-11-17", "ai_credit", "chloe-costa", None, D("0.3"), 0, 30, tool),
        ("2026-11-17", "seat", None, "acme", D("9.5"), 0, D("0.5"), tool),
        ("2026-11-18", "ai_credit", None, None, D("0.06"), D("1.23e-18"), 6, tool),
        ("2026-11-19", "premium_request", None, None, D("0.08"), 0, None, tool),
    ]
    assert {name: status for name, status in found.items() if status not in ("pass", "success")} == {}


def test_what_the_plan_covers_is_an_estimate(built):
    warehouse, _ = built
    covered = warehouse.rows(
        "select charge_date::varchar as day, principal_id as who, estimated_cost as cost from focus.int_vendor_estimate"
        " where source = 'copilot' order by 1, 2"
    )
    assert [tuple(r.values()) for r in covered] == [
        ("2026-11-17", "ada-abbott", 1), ("2026-11-17", "ben-berg", D("0.5")), ("2026-11-18", None, D("0.04")), ("2026-11-19", None, D("0.04")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "caught"),
    [
        # net alone in cents
        ({"net_usd": "20.5"}, [AGREE, IDENTITY.format("model_usage")]),
        # gross, discount and net in cents, the price still in dollars
        ({"gross_usd": "170.5", "discount_usd": "150", "net_usd": "20.5"}, [AGREE, PRODUCT.format("model_usage")]),
        # everything in cents, the price too
        (
            {"gross_usd": "170.5", "discount_usd": "150", "net_usd": "20.5", "price_per_unit_usd": "1"},
            [AGREE, PRICE.format("model_usage")],
        ),
        # quantity in nano-credits
        ({"gross_quantity": "170500000000"}, [PRODUCT.format("model_usage")]),
    ],
)
def test_a_wrong_unit_is_caught(built, changed, caught):
    warehouse, _ = built
    first, *rest = FRAMES["copilot__model_usage"]
    warehouse.land(FRAMES | {"copilot__model_usage": [first | changed, *rest]})
    found = statuses(warehouse.build("path:models/staging/copilot", AGREE, tests=True))
    failed = {name for name, status in found.items() if status in ("fail", "error")}
    assert set(caught) <= failed and failed <= {*caught, PRICE.format("model_usage"), PRODUCT.format("model_usage")}
