"""xAI's connector against the sandbox vendor over HTTP."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from sandbox_vendor import land, plug, world

from ingestion.errors import ContractBroken, RequestRejected
from sandbox.vendors import xai

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 10, 17)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(3)]
USAGE = "xai__usage"


def at(*faults):
    return world(DAYS, NOW, *faults)


def true_cost(now):
    return sum(Decimal(d.billed) for d in xai.truth(now.company))


def with_option(config, name, value):
    return dataclasses.replace(config, options={**config.options, name: value})


def test_usage_is_dollars_by_key_and_description_to_the_digit(vendor, lake):
    now = at()
    config = plug(vendor, xai, now, "xai")
    report, landed = land(USAGE, config, lake, now, FIRST)
    assert report.control_total == true_cost(now) == sum(map(Decimal, landed["usage_usd"]))
    assert (report.windows, report.rows, report.rejects) == (3, 27, 0)
    assert landed["bucket_start"].unique().sort().dt.date().to_list() == DAYS
    assert set(landed.select("api_key_id", "api_key_name").rows()) == {("xai-key-01", "knowledge-bot"), ("xai-key-02", "devx-agents")}
    asked = vendor.asked[0].body["analyticsRequest"]
    assert (asked["timeUnit"], asked["groupBy"]) == ("TIME_UNIT_DAY", ["description", "api_key_id"])


def test_a_truncated_answer_is_never_landed_and_leaves_the_other_days(vendor, lake):
    now = at({"kind": "missing_page", "vendor": "xai"})
    config = plug(vendor, xai, now, "xai")
    with pytest.raises(ContractBroken, match="limitReached") as raised:
        land(USAGE, config, lake, now, FIRST)
    assert raised.value.report.failed == [d.isoformat() for d in DAYS]
    assert not list((lake.root / "raw/xai/usage").glob("window=*"))


def test_a_doubled_answer_is_caught_by_its_repeated_identities(vendor, lake):
    now = at({"kind": "doubled_page", "vendor": "xai"})
    config = plug(vendor, xai, now, "xai")
    with pytest.raises(ContractBroken, match="repeat an identity"):
        land(USAGE, config, lake, now, FIRST)


def test_days_of_another_time_zone_are_refused(vendor, lake):
    now = at()
    config = with_option(plug(vendor, xai, now, "xai"), "time_zone", "America/Los_Angeles")
    with pytest.raises(ContractBroken, match="AISL_XAI_TIME_ZONE"):
        land(USAGE, config, lake, now, FIRST)


def test_spellings_are_settings(vendor, lake):
    now = at()
    config = plug(vendor, xai, now, "xai")
    with pytest.raises(RequestRejected, match="400"):
        land(USAGE, with_option(config, "time_unit", "DAY"), lake, now, FIRST)
    without_keys = with_option(with_option(config, "key_dimension", "none"), "time_format", "%Y-%m-%dT%H:%M:%SZ")
    report, landed = land(USAGE, without_keys, lake, now, FIRST)
    assert report.control_total == true_cost(now)
    assert (landed["api_key_id"].null_count(), landed.height, landed["description"].n_unique()) == (18, 18, 6)


def test_balances_and_invoice_are_cents_as_delivered(vendor, lake):
    now = at()
    config = plug(vendor, xai, now, "xai")
    _, balance = land("xai__prepaid_balance", config, lake, now, FIRST)
    _, changes = land("xai__balance_changes", config, lake, now, FIRST)
    _, preview = land("xai__invoice_preview", config, lake, now, FIRST)
    cents = [Decimal(c) for c in changes["amount_cents"]]
    assert sum(cents) == Decimal(balance["total_cents"][0]) < 0
    assert sorted(changes["change_origin"]) == ["PURCHASE", "SPEND", "SPEND", "SPEND"]
    assert preview.select("cycle_year", "cycle_month", "prepaid_credits_cents").rows() == [("2026", "10", "0")]
    assert abs(Decimal(preview["total_with_corrections_cents"][0]) / 100 - true_cost(now)) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("series", "reason", "field"),
    [
        ({"group": "grok"}, "wrong_type", "group"),
        ({"group": ["grok"]}, "wrong_type", "group"),
        ({"dataPoints": [{"timestamp": "2026-10-19T00:00:00Z", "values": ["much"]}]}, "wrong_type", "dataPoints[0].values[0]"),
        ({"dataPoints": [{"timestamp": "2026-10-19T00:00:00Z", "values": [1, 2]}]}, "wrong_type", "dataPoints[...].values"),
        ({"dataPoints": [{"timestamp": "today", "values": [1]}]}, "unreadable_time", "dataPoints[...].timestamp"),
        ({"dataPoints": None}, "wrong_type", "dataPoints"),
    ],
)
def test_a_series_that_cannot_be_read_is_rejected_alone(vendor, lake, series, reason, field):
    good = {"group": ["a input", "k"], "dataPoints": [{"timestamp": "2026-10-19T00:00:00Z", "values": ["1.42"]}], "news": 1}
    config = plug(vendor, xai, at(), "xai")
    del vendor.reply
    vendor.routes[f"/v1/billing/teams/{xai.TEAM_ID}/usage"] = {"timeSeries": [good, good | series], "limitReached": False}
    report, landed = land(USAGE, config, lake, at(), dt.date(2026, 10, 19))
    assert (report.rows, report.rejects, landed["usage_usd"].to_list()) == (1, 1, ["1.42"])
    (reject,) = (lake.root / "rejects/xai/usage").glob("*.parquet")
    assert pl.read_parquet(reject).select("reason", "field").rows() == [(reason, field)]


def test_an_answer_without_the_truncation_flag_is_no_answer(vendor, lake):
    config = plug(vendor, xai, at(), "xai")
    del vendor.reply
    vendor.routes[f"/v1/billing/teams/{xai.TEAM_ID}/usage"] = {"timeSeries": []}
    with pytest.raises(ContractBroken, match="documented page"):
        land(USAGE, config, lake, at(), FIRST)
