"""Claude Enterprise analytics against the sandbox vendor: nothing is lost beyond the vendor's top groups."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sandbox_vendor import land, plug, world

from ingestion.doctor import check
from ingestion.errors import ContractBroken
from sandbox.canaries import CANARIES
from sandbox.vendors import anthropic_enterprise as vendor_side

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 10, 10)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(10)]
KEY = "anthropic_enterprise__analytics_cost"


def at(*faults):
    return world(DAYS, NOW, *faults)


def cents(landed, column="amount_cents"):
    return sum(map(Decimal, landed[column]))


def test_groups_and_remainder_are_the_whole_day_to_the_digit(vendor, lake):
    now = at()
    report, landed = land(KEY, plug(vendor, vendor_side, now, "anthropic_enterprise"), lake, now, FIRST)
    true = sum(Decimal(d.estimated) for d in vendor_side.truth(now.company)) * 100
    assert report.control_total == cents(landed) == true > 0
    assert cents(landed, "list_amount_cents") == true * Decimal("1.1")
    assert landed.height == 10 * (vendor_side.TOP_GROUPS + 1) and landed["is_remainder"].sum() == 10
    assert set(landed["cost_basis"]) == {"estimated"} and report.rejects == 0
    assert not [name for name, value in CANARIES.items() if value in str(landed.to_dicts())]


def test_groups_the_vendor_shows_whole_leave_no_remainder(vendor, lake):
    now = at()
    config = plug(vendor, vendor_side, now, "anthropic_enterprise")
    config.options.update({"groups": "product", "cost_basis": "billed"})
    _, landed = land(KEY, config, lake, now, FIRST)
    assert landed.height == 30 and landed["is_remainder"].sum() == 0
    assert landed["model"].null_count() == 30 and set(landed["cost_basis"]) == {"billed"}


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ({"kind": "doubled_page"}, "repeats the records"),
        # half of the rows are gone: the whole day's only row is, and its groups cost more than nothing
        ({"kind": "missing_page"}, "cents more than the whole day"),
    ],
)
def test_a_lost_or_doubled_page_lands_nothing(vendor, lake, fault, found):
    now = at(fault | {"vendor": "anthropic_enterprise"})
    with pytest.raises(ContractBroken, match=found):
        land(KEY, plug(vendor, vendor_side, now, "anthropic_enterprise"), lake, now, FIRST)


def test_groups_in_another_unit_become_a_remainder_and_the_total_stays(vendor, lake):
    now = at({"kind": "wrong_unit", "vendor": "anthropic_enterprise"})
    report, landed = land(KEY, plug(vendor, vendor_side, now, "anthropic_enterprise"), lake, now, FIRST)
    assert report.control_total == sum(Decimal(d.estimated) for d in vendor_side.truth(now.company)) * 100 == cents(landed)


def test_a_restated_day_is_landed_again_and_the_doctor_is_answered(vendor, lake):
    now = at()
    config = plug(vendor, vendor_side, now, "anthropic_enterprise")
    assert check(config, now=NOW).state == "ok"
    land(KEY, config, lake, now, FIRST)
    after = at({"kind": "restated_day", "vendor": "anthropic_enterprise", "day": "2026-10-15"})
    report, _ = land(KEY, plug(vendor, vendor_side, after, "anthropic_enterprise"), lake, after, FIRST)
    assert (report.deliveries_new, report.unchanged) == (1, 6)
