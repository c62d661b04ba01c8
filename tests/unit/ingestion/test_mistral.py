"""Mistral's connector against the sandbox vendor over HTTP, and the flattening of shapes nobody documented."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import polars as pl
import pytest
from fake_vendor import Reply
from sandbox_vendor import land, plug, rows, world

from ingestion.errors import ContractBroken
from ingestion.manifest import current, read
from sandbox.vendors import mistral

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 9, 28)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(22)]
USAGE, BY_WORKSPACE = "mistral__usage", "mistral__usage_by_workspace"
HEAD = {"start_date": "2026-10-01", "end_date": "2026-10-31", "currency": "EUR"}


def at(*faults):
    return world(DAYS, NOW, *faults)


def answer(vendor, lake, body, **options):
    """What is landed of an answer of October."""
    config = plug(vendor, mistral, at(), "mistral")
    if "reply" in vars(vendor):
        del vendor.reply
    vendor.routes["/v1/admin/usage"] = body
    config = dataclasses.replace(config, options={**config.options, **options})
    return land(USAGE, config, lake, at(), dt.date(2026, 10, 1))


def test_months_are_the_account_s_in_its_own_currency_to_the_digit(vendor, lake):
    now = at()
    config = plug(vendor, mistral, now, "mistral")
    report, landed = land(USAGE, config, lake, now, FIRST)
    true = {d.day: Decimal(0) for d in mistral.truth(now.company)}
    for d in mistral.truth(now.company):
        true[d.day] += Decimal(d.billed)
    sums = {m: sum(map(Decimal, f["amount"])) for (m,), f in landed.group_by("period_start")}
    assert sums == true and len(true) == 2
    assert (report.control_total, report.control_unit, report.rejects) == (sum(true.values()), "EUR", 0)
    assert set(landed["currency"]) == {"EUR"}
    assert landed.filter(category="ocr").select("model", "direction").unique().sort("direction").rows() == [
        ("mistral-ocr-2512", "input"), ("mistral-ocr-2512", "output"),
    ]  # fmt: skip
    days = {d.window: d.days for d in current(read(lake, USAGE))}
    assert days == {"2026-09": ["2026-09-01"], "2026-10": ["2026-10-01"]}


def test_listed_workspaces_are_asked_and_the_open_month_is_replaced(vendor, lake):
    early = world(DAYS, NOW - dt.timedelta(days=5))
    config = plug(vendor, mistral, early, "mistral")
    first, _ = land(BY_WORKSPACE, config, lake, early, FIRST)
    plug(vendor, mistral, at(), "mistral")
    later, _ = land(BY_WORKSPACE, config, lake, at(), FIRST)
    assert (first.deliveries_new, later.deliveries_new, later.unchanged) == (2, 1, 1)
    assert later.control_total > first.control_total
    newest = {d.delivery_id for d in current(read(lake, BY_WORKSPACE))}
    kept = rows(BY_WORKSPACE, lake).filter(pl.col("raw_delivery_id").is_in(list(newest)))
    assert sum(map(Decimal, kept["amount"])) == later.control_total
    assert set(kept["workspace_id"]) == {"ws-legal-eu", "ws-brand-eu"}


def test_without_listed_workspaces_their_dataset_is_complete_and_empty(vendor, lake):
    config = plug(vendor, mistral, at(), "mistral")
    config = dataclasses.replace(config, options={})
    report, landed = land(BY_WORKSPACE, config, lake, at(), FIRST)
    assert (report.windows, report.rows, landed.height, report.failed) == (2, 0, 0, [])


def test_innermost_objects_are_entries_and_sums_around_them_are_not(vendor, lake):
    body = HEAD | {
        "chat": {"amount": 9, "models": {"mistral-large": {"input": [{"amount": "1.10"}, {"amount": "@"}], "output": []}}},
        "a_new_category": {"amount": -3, "total": None},
        "connectors": {}, "note": "text",
    }  # fmt: skip
    exact = json.dumps(body).replace('"@"', "2.250000000000000001")
    _, landed = answer(vendor, lake, Reply(exact.encode()))
    assert landed.select("category", "model", "direction", "entry_path", "amount").sort("entry_path").rows() == [
        ("a_new_category", None, None, "a_new_category", "-3"),
        ("chat", "mistral-large", "input", "chat/models/mistral-large/input/0", "1.10"),
        ("chat", "mistral-large", "input", "chat/models/mistral-large/input/1", "2.250000000000000001"),
    ]


def test_field_names_are_settings_and_an_entry_without_amount_is_rejected(vendor, lake):
    entries = [{"cost": 1.5, "value": 7}, {"price": 2}, {"cost": True}, {"cost": "much"}, {"cost": "NaN"}]
    report, landed = answer(vendor, lake, HEAD | {"chat": entries}, amount_field="cost", quantity_field="value")
    assert landed.select("amount", "quantity").rows() == [("1.5", "7")]
    (reject,) = (lake.root / "rejects/mistral/usage").glob("*.parquet")
    assert pl.read_parquet(reject).select("ordinal", "reason", "field").sort("ordinal").rows() == [
        (1, "missing_field", "cost"), (2, "wrong_type", "cost"), (3, "not_a_number", "cost"), (4, "not_a_number", "cost"),
    ]  # fmt: skip
    assert report.control_total == Decimal("1.5")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HEAD | {"start_date": "2026-09-01"}, "an answer about 2026-09-01"),
        (HEAD | {"currency": "€"}, "no three letters"),
        ({k: v for k, v in HEAD.items() if k != "currency"}, "not the documented one"),
        (Reply([]), "not the documented one"),
    ],
)
def test_another_month_or_no_currency_is_broken(vendor, lake, body, message):
    with pytest.raises(ContractBroken, match=message):
        answer(vendor, lake, body)
