"""Claude Enterprise analytics from raw rows to charges: cents become dollars to the digit, on the basis the account says."""

from __future__ import annotations

from decimal import Decimal

D = Decimal


def row(cents, listed, product="chat", model="claude-sonnet-4-5", basis="estimated", **fields):
    return {
        "starting_at": "2026-11-18 00:00:00+00", "ending_at": "2026-11-19 00:00:00+00", "product": product, "model": model,
        "amount_cents": cents, "list_amount_cents": listed, "currency": "USD", "cost_basis": basis, "is_remainder": False, **fields,
    }  # fmt: skip


def test_amounts_keep_every_digit_and_the_basis_decides_what_is_cash(raw_warehouse):
    rows = [
        row("250.5", "278.3"),
        row("0.0000000000001234", "0.0000000000001234", "claude_code"),
        row("12", "14", None, None, is_remainder=True),
        row("100", "110", basis="billed", raw_account="other"),
    ]
    warehouse = raw_warehouse({"anthropic_enterprise__analytics_cost": rows})
    warehouse.build("+stg_anthropic_enterprise__analytics_charges")
    found = warehouse.rows(
        "select account, cost_basis, description, billed_cost, billed_cost_remainder as rest, list_cost"
        " from staging.stg_anthropic_enterprise__analytics_charges order by account, billed_cost desc"
    )
    assert [tuple(r.values()) for r in found] == [
        ("main", "estimated", "chat, claude-sonnet-4-5", D("2.505"), 0, D("2.783")),
        ("main", "estimated", "Outside the largest groups of the day", D("0.12"), 0, D("0.14")),
        ("main", "estimated", "claude_code, claude-sonnet-4-5", 0, D("1.234e-15"), 0),
        ("other", "billed", "chat, claude-sonnet-4-5", 1, 0, D("1.1")),
    ]
