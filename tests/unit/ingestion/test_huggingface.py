"""Hugging Face's connector against the sandbox vendor over HTTP."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from sandbox_vendor import land, plug, world

from ingestion.client import Call
from ingestion.connectors import make_client
from ingestion.errors import ContractBroken, SourceUnavailable
from sandbox.vendors import huggingface

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
# The billing period changes on the 12th.
FIRST = dt.date(2026, 10, 10)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(10)]
USAGE = "huggingface__usage"
PATH = f"/api/organizations/{huggingface.ORGANIZATION}/billing/usage-v2"


def at(*faults):
    return world(DAYS, NOW, *faults)


def test_each_day_is_asked_in_seconds_and_both_units_land_as_delivered(vendor, lake):
    now = at()
    config = plug(vendor, huggingface, now, "huggingface")
    report, landed = land(USAGE, config, lake, now, FIRST)
    assert (report.windows, report.rows, report.rejects) == (10, 20, 0)
    assert {len(a.get(name)) for a in vendor.asked for name in ("startDate", "endDate")} == {10}
    nano = sum(Decimal(v) for v in landed["used_nano_usd"].drop_nulls())
    micro = sum(Decimal(v) for v in landed["used_micro_usd"].drop_nulls())
    assert report.control_total == nano
    true = [(Decimal(d.billed), Decimal(d.estimated)) for d in huggingface.truth(now.company)]
    assert nano / 10**9 + micro / 10**6 == sum(billed + covered for billed, covered in true)
    assert landed.filter(product="jobs")["used_nano_usd"].null_count() == 10
    assert landed["other_measures"].null_count() == 20


def test_what_the_period_used_before_the_day_is_asked_from_its_own_start(vendor, lake):
    now = at()
    config = plug(vendor, huggingface, now, "huggingface")
    _, landed = land(USAGE, config, lake, now, FIRST)
    inference = landed.filter(product="inferenceProviders").sort("usage_date")
    used = [int(v) for v in inference["used_nano_usd"]]
    before = [int(v) for v in inference["used_before_nano_usd"]]
    assert before == [0, used[0], *(sum(used[2:n]) for n in range(2, 10))]
    assert inference["period_start"].dt.date().unique().sort().to_list() == [dt.date(2026, 9, 12), dt.date(2026, 10, 12)]


def test_milliseconds_make_the_vendor_fail(vendor):
    config = plug(vendor, huggingface, at(), "huggingface")
    with make_client(config) as client:
        client.sleep = lambda _: None
        with pytest.raises(SourceUnavailable, match="HTTP 500"):
            client.send(Call(PATH, (("startDate", "1792281600000"), ("endDate", "1792368000000"))))


def test_a_product_of_unknown_shape_keeps_its_numbers_and_a_documented_one_must_be_readable(vendor, lake):
    config = plug(vendor, huggingface, at(), "huggingface")
    del vendor.reply
    blocks = {
        "jobs": {"usedMicroUsd": "340000", "totalMinutes": 17, "owner": "text"},
        "inferenceProviders": {"usedNanoUsd": "lots"},
        "storage": {"usedTB": 1.50, "name": "CANARY", "billed": True, "usedNanoUsd": 12},
        "spaces": [{"hours": 3}],
    }
    vendor.routes[PATH] = {"usage": blocks}
    report, landed = land(USAGE, config, lake, at(), dt.date(2026, 10, 19))
    found = landed.select("product", "used_nano_usd", "used_micro_usd", "total_minutes", "other_measures").sort("product").rows()
    assert found == [
        ("jobs", None, "340000", "17", None),
        ("spaces", None, None, None, None),
        ("storage", "12", None, None, '{"usedTB":1.5}'),
    ]
    (reject,) = (lake.root / "rejects/huggingface/usage").glob("*.parquet")
    assert pl.read_parquet(reject).select("reason", "field").rows() == [("wrong_type", "usage.inferenceProviders")]
    assert report.control_total == 12


@pytest.mark.parametrize("body", [{"usage": None}, {"usage": [1]}, {"use": {}}])
def test_an_answer_of_another_shape_is_no_answer(vendor, lake, body):
    config = plug(vendor, huggingface, at(), "huggingface")
    del vendor.reply
    vendor.routes[PATH] = body
    with pytest.raises(ContractBroken, match="documented page"):
        land(USAGE, config, lake, at(), dt.date(2026, 10, 19))


def test_a_restated_day_changes_the_days_behind_it_too(vendor, lake):
    now = at()
    config = plug(vendor, huggingface, now, "huggingface")
    land(USAGE, config, lake, now, FIRST)
    now.faults.active.append({"kind": "restated_day", "vendor": "huggingface", "day": "2026-10-17"})
    again, _ = land(USAGE, config, lake, now, FIRST)
    assert (again.windows, again.deliveries_new) == (3, 3)
