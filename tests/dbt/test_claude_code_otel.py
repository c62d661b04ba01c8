"""Notional cost of Claude Code on subscriptions: to the digit, once per request, never as cash."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse

DAY = "2026-11-02"


def request(request_id, cost, **columns):
    return {
        "request_id": request_id, "provider_request_id": request_id, "model": "claude-sonnet-4-5", "user_email": "ann@example.com",
        "billed_as": "subscription", "started_at": f"{DAY} 09:00:00+00", "ended_at": f"{DAY} 09:00:02+00", "cost_usd": cost,
        "input_tokens": 4, "output_tokens": 10, "raw_window": "a.json", **columns,
    }  # fmt: skip


ROWS = [
    request("req_1", "0.012345"),
    request("req_1", "0.012345", raw_window="again.json"),
    request("req_2", "0.000000000000000001"),
    request("req_3", "0.5", user_email="bob@example.com"),
    request("req_4", "7", billed_as="api"),
    request("req_5", None),
]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    path = tmp_path_factory.mktemp("claude") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    found = Warehouse(path, project).land({"claude_code_otel__api_requests": ROWS}, scope=[("claude_code_otel", "main", DAY)])
    found.build("path:models/staging/claude_code_otel", "+int_vendor_estimate", "+int_vendor_charge", full_refresh=True)
    return found


def test_the_notional_cost_of_a_person_s_day_is_exact_and_each_request_counts_once(warehouse):
    rows = warehouse.rows(
        "select principal_id, cost_basis, billed_cost, billed_cost_remainder, quantity from staging.stg_claude_code_otel__charges order by 1"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("ann@example.com", "estimated", Decimal("0.012345"), Decimal("0.000000000000000001"), 2),
        ("bob@example.com", "estimated", Decimal("0.5"), 0, 1),
    ]


def test_an_estimate_never_becomes_a_charge(warehouse):
    estimates = warehouse.rows("select sum(estimated_cost) as cost from focus.int_vendor_estimate where source = 'claude_code_otel'")
    assert estimates == [{"cost": Decimal("0.51234500000000")}]
    assert warehouse.rows("select count(*) as n from focus.int_vendor_charge where source = 'claude_code_otel' and cost_basis = 'billed'") == [
        {"n": 0}
    ]
