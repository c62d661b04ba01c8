"""OpenRouter's connector against the sandbox vendor over HTTP."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from fake_vendor import Reply
from sandbox_vendor import land, plug, rows, world

from ingestion.catalog import BY_KEY
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.run import plan_windows
from sandbox.canaries import CANARIES
from sandbox.vendors import openrouter

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 10, 17)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(3)]
ACTIVITY, BY_API_KEY = "openrouter__activity", "openrouter__activity_by_key"


def at(*faults):
    return world(DAYS, NOW, *faults)


def true_sums(company):
    found = list(openrouter.truth(company))
    return sum(Decimal(d.billed) for d in found), sum(Decimal(d.estimated) for d in found)


def test_activity_is_the_account_s_to_the_digit_and_own_key_inference_stands_apart(vendor, lake):
    now = at()
    config = plug(vendor, openrouter, now, "openrouter")
    report, landed = land(ACTIVITY, config, lake, now, FIRST)
    billed, own = true_sums(now.company)
    assert report.control_total == billed == sum(map(Decimal, landed["usage_usd"]))
    assert own == sum(map(Decimal, landed["byok_usage_inference_usd"])) > 0
    assert (report.windows, report.rejects, landed["activity_date"].unique().sort().to_list()) == (3, 0, DAYS)
    assert [a.get("date") for a in vendor.asked] == [d.isoformat() for d in DAYS]


def test_keys_are_asked_one_by_one_and_leave_out_what_a_deleted_key_used(vendor, lake):
    now = at()
    config = plug(vendor, openrouter, now, "openrouter")
    report, by_key = land(BY_API_KEY, config, lake, now, FIRST)
    _, keys = land("openrouter__keys", config, lake, now, FIRST)
    assert set(by_key["api_key_hash"]) == set(keys["hash"]) and keys.height == 5
    deleted = sum(Decimal(d.billed) for d in openrouter.truth(now.company) if d.team is None)
    assert report.control_total == true_sums(now.company)[0] - deleted < true_sums(now.company)[0]
    listing = [a.get("offset") for a in vendor.asked if a.path.endswith("/keys")]
    assert listing == [None, "5", None, "5"]
    text = str(by_key.to_dicts()) + str(keys.to_dicts())
    assert not [name for name, value in CANARIES.items() if value in text]


def test_a_key_list_that_repeats_itself_is_broken(vendor, client, lake):
    vendor.routes["/keys"] = {"data": [{"hash": "a"}]}
    config = plug(vendor, openrouter, at(), "openrouter")
    del vendor.reply
    config = type(config)("openrouter", "main", vendor.url, config.secrets)
    with pytest.raises(ContractBroken, match="repeats the records"):
        land("openrouter__keys", config, lake, at(), FIRST)


def test_days_the_vendor_has_forgotten_are_not_asked_and_a_refused_one_stays_open(vendor, lake):
    windows = plan_windows(ACTIVITY, [], dt.date(2026, 1, 1), NOW)
    assert (len(windows), windows[0].key, windows[-1].key) == (30, "2026-09-20", "2026-10-19")
    forced = plan_windows(ACTIVITY, [], dt.date(2026, 1, 1), NOW, (dt.date(2026, 9, 1), dt.date(2026, 9, 21)))
    assert [w.key for w in forced] == ["2026-09-20", "2026-09-21"]
    assert BY_KEY[ACTIVITY].history_days == openrouter.DAYS_KEPT
    ahead = at()
    config = plug(vendor, openrouter, ahead, "openrouter")
    ahead.clock = NOW + dt.timedelta(days=40)
    with pytest.raises(RequestRejected, match="400") as raised:
        land(ACTIVITY, config, lake, at(), FIRST)
    assert raised.value.report.failed == [d.isoformat() for d in DAYS]


@pytest.mark.parametrize(
    ("record", "reason", "field"),
    [
        ({"usage": "a lot"}, "wrong_type", "usage"),
        ({"usage": {"value": 1}}, "wrong_type", "usage"),
        ({"prompt_tokens": -1}, "wrong_type", "prompt_tokens"),
        ({"date": "2026-10-18"}, "outside_window", "date"),
        ({"date": "yesterday"}, "unreadable_time", "date"),
        ({"model": None}, "wrong_type", "model"),
    ],
)
def test_a_record_that_cannot_be_read_is_rejected_alone(vendor, client, lake, record, reason, field):
    good = {"date": "2026-10-19T00:00:00Z", "model": "a/b", "usage": 0.1, "requests": 1, "prompt_tokens": 5, "cached_tokens": 9}
    vendor.routes["/activity"] = {"data": [good | {"news": 1}, good | {"model": "c/d"} | record]}
    config = plug(vendor, openrouter, at(), "openrouter")
    del vendor.reply
    config = type(config)("openrouter", "main", vendor.url, config.secrets)
    report, landed = land(ACTIVITY, config, lake, at(), dt.date(2026, 10, 19))
    (reject,) = (lake.root / "rejects/openrouter/activity").glob("*.parquet")
    assert (report.rows, report.rejects, landed["usage_usd"].to_list()) == (1, 1, ["0.1"])
    assert pl.read_parquet(reject).select("reason", "field").rows() == [(reason, field)]


def test_a_limited_rate_is_waited_for_and_a_restated_day_replaces_its_delivery(vendor, lake):
    now = at()
    config = plug(vendor, openrouter, now, "openrouter")
    answer, refused = vendor.reply, []

    def sometimes(asked):
        if len(refused) < 2:
            refused.append(asked)
            return Reply({"error": {"code": 429}}, 429, {"Retry-After": "1"})
        return answer(asked)

    vendor.reply = sometimes
    report, _ = land(ACTIVITY, config, lake, now, FIRST)
    assert report.retries == 2
    again, _ = land(ACTIVITY, config, lake, now, FIRST)
    assert (again.deliveries_new, again.unchanged) == (0, 3)
    now.faults.active.append({"kind": "restated_day", "vendor": "openrouter", "day": "2026-10-18", "permille": 1500})
    restated, _ = land(ACTIVITY, config, lake, now, FIRST)
    assert (restated.deliveries_new, restated.unchanged) == (1, 2)
    assert restated.control_total > report.control_total


def test_credits_are_the_lifetime_sum_of_activity(vendor, lake):
    now = at()
    config = plug(vendor, openrouter, now, "openrouter")
    land("openrouter__credits", config, lake, now, FIRST)
    (total,) = rows("openrouter__credits", lake)["total_usage_usd"]
    assert Decimal(total) == true_sums(now.company)[0]
