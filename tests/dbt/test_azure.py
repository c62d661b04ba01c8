"""Azure exports become FOCUS rows: token meters, provisioned throughput with its reservation, and one view of cost counted once."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from decimal import Decimal
from types import SimpleNamespace

import pytest

from ingestion.clouds.azure import SYSTEM
from ingestion.source import SourceConfig
from ingestion.windows import month_window, months
from sandbox import calendar
from sandbox.exports import azure
from sandbox.faults import Faults
from sandbox.vendors.base import World
from tests.dbt.conftest import Warehouse, statuses

D = Decimal
CLOCK = dt.datetime(2026, 10, 3, 6, tzinfo=dt.UTC)
UNITS_FIT = "cloud_token_quantities_fit_the_price_list"
DAYS = [d for d in calendar.days_ending(52) if d < CLOCK.date()]
COMPANY = SimpleNamespace(days=DAYS, seed=1)
PRICES = {
    "gpt-4.1": {"input": "2", "cache_read": "0.5", "output": "8"}, "gpt-5-mini": {"input": "0.25", "cache_read": "0.025", "output": "2"},
    "gpt-4o": {"input": "2.5", "output": "10"}, "text-embedding-3-small": {"input": "0.02"},
}  # fmt: skip
PRICE_ROWS = [
    {"provider_id": "openai", "model_id": model, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
     "price_usd_per_million": price, "effective_from": "2020-01-01", "package_version": "test"}
    for model, meters in PRICES.items() for meter, price in meters.items()
]  # fmt: skip


def exported(folder, days=DAYS, faults=()):
    """Raw rows of the sandbox's exports as the connector lands them."""
    azure.deliver(World(SimpleNamespace(days=days, seed=1), CLOCK, Faults(list(faults))), folder / "bills", None)
    config = SourceConfig("azure", options={"location": str(folder / "azure")})
    frames = {"prices__genai_prices": PRICE_ROWS}
    for connector in SYSTEM.connectors:
        windows = connector.find(config, [month_window(m) for m in months(days[0], days[-1])])
        rows = frames.setdefault(connector.dataset.key, [])
        for window, batch in connector.fetch(None, config, windows):
            rows += [{"raw_window": window.key, **row} for row in batch.records.to_dicts()]
    return frames


def scope(days):
    """Every day of the account is rebuilt."""
    return [("azure", "main", day.isoformat()) for day in days]


@pytest.fixture(scope="module")
def booked(tmp_path_factory, seeded_file, project):
    """A warehouse with the sandbox's Azure bill booked and judged."""
    folder = tmp_path_factory.mktemp("azure")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    warehouse = Warehouse(folder / "warehouse.duckdb", project).land(exported(folder), scope=scope(DAYS))
    warehouse.build("+focus_conformance_check", "int_price", full_refresh=True)
    return warehouse


def charges():
    return [charge for day in DAYS for charge in azure.charges(COMPANY, day, Faults())]


def test_every_day_is_booked_once_and_to_the_digit_whatever_export_told_it(booked):
    truth = {}
    for row in azure.truth(COMPANY):
        truth[row.day] = truth.get(row.day, 0) + D(row.billed)
    rows = booked.rows(
        "select charge_date, sum(cast(BilledCost as decimal(38, 24)) + x_BilledCostRemainder) as billed"
        " from focus.focus_cost_and_usage where x_SourceId = 'azure' group by 1"
    )
    assert {r["charge_date"]: r["billed"] for r in rows} == truth
    # September lies in all three exports; FOCUS tells it.
    told = booked.rows(
        "select x_Dataset as d, min(charge_date)::varchar as a, max(charge_date)::varchar as z, count(*) as n"
        " from focus.focus_azure_charges group by 1 order by 1"
    )
    first = len([c for c in charges() if c.day < azure.FOCUS_FROM])
    assert [tuple(r.values()) for r in told] == [
        ("cost_details", DAYS[0].isoformat(), "2026-08-31", first),
        ("focus_cost", "2026-09-01", "2026-10-02", len(charges()) - first),
    ]
    assert sum(truth.values()) > 5000
    print("azure:", len(rows), "days,", sum(r["n"] for r in told), "rows,", sum(truth.values()), "USD")


def test_meters_name_model_class_tier_and_tokens_in_either_export(booked):
    expected = {}
    for charge in charges():
        if charge.meter.block > 1:
            expected[charge.meter.name] = expected.get(charge.meter.name, 0) + charge.units
    rows = booked.rows(
        "select SkuMeter as meter, x_ModelId as model, x_TokenMeter as class, x_ServiceTier as tier,"
        " x_NativeColumns->>'x_DeploymentScope' as scope, sum(ConsumedQuantity) as tokens, count(distinct x_Dataset) as datasets,"
        " string_agg(distinct ConsumedUnit) as unit, string_agg(distinct PricingUnit) as priced, string_agg(distinct x_SpendSource) as source"
        " from focus.focus_azure_charges where x_TokenMeter is not null group by all order by 1"
    )
    assert {r["meter"]: r["tokens"] for r in rows} == expected
    assert {(r["unit"], r["datasets"], r["source"]) for r in rows} == {("Tokens", 2, "managed_ai_platform")}
    assert {r["meter"]: (r["model"], r["class"], r["tier"], r["scope"], r["priced"]) for r in rows} == {
        "gpt 4.1 Inp glbl Tokens": ("gpt-4.1", "input", "standard", "Global", "1000 Tokens"),
        "gpt 4.1 cached Inp glbl Tokens": ("gpt-4.1", "cache_read", "standard", "Global", "1000 Tokens"),
        "gpt 4.1 Outp glbl Tokens": ("gpt-4.1", "output", "standard", "Global", "1000 Tokens"),
        "GPT 5 Mini Inpt Glbl 1M Tokens": ("gpt-5-mini", "input", "standard", "Global", "1000000 Tokens"),
        "GPT 5 Mini cd Inpt Glbl 1M Tokens": ("gpt-5-mini", "cache_read", "standard", "Global", "1000000 Tokens"),
        "GPT 5 Mini outpt Glbl 1M Tokens": ("gpt-5-mini", "output", "standard", "Global", "1000000 Tokens"),
        "5.4 mini Inp DZ 1M Tokens": ("gpt-5.4-mini", "input", "standard", "Data Zone", "1000000 Tokens"),
        "5.4 mini Outp DZ 1M Tokens": ("gpt-5.4-mini", "output", "standard", "Data Zone", "1000000 Tokens"),
        "gpt-4o-0806-Batch-Inp-glbl Tokens": ("gpt-4o", "input", "batch", "Global", "1000 Tokens"),
        "gpt-4o-0806-Batch-Outp-glbl Tokens": ("gpt-4o", "output", "batch", "Global", "1000 Tokens"),
        "text embedding 3 small glbl Tokens": ("text-embedding-3-small", "embedding", "standard", "Global", "1000 Tokens"),
    }


def usd(rows, kind, covered, field):
    """The sum of a field over charges of a kind."""
    return D(sum(getattr(c, field) for c in rows if (c.kind, c.covered) == (kind, covered))).scaleb(-12)


def test_provisioned_throughput_is_bought_once_used_and_left_unused(booked):
    rows = booked.rows(
        "select x_Dataset as dataset, ChargeCategory as category, CommitmentDiscountStatus as status, count(*) as n,"
        " sum(BilledCost) as billed, sum(EffectiveCost) as effective, sum(ConsumedQuantity) as hours,"
        " bool_and(CommitmentDiscountId is not null and CommitmentDiscountType = 'Reservation' and CommitmentDiscountCategory = 'Usage') as named,"
        " bool_and(ResourceId = CommitmentDiscountId) as at_plan, string_agg(distinct x_SpendSource) as source"
        " from focus.focus_azure_charges where SkuMeter = 'Provisioned Managed Global Unit' or CommitmentDiscountId is not null"
        " group by 1, 2, 3 order by 1, 2, 3"
    )
    for dataset, days in (
        ("cost_details", [d for d in DAYS if d < azure.FOCUS_FROM]), ("focus_cost", [d for d in DAYS if d >= azure.FOCUS_FROM]),
    ):  # fmt: skip
        found = {(r["category"], r["status"]): r for r in rows if r["dataset"] == dataset}
        own = [c for c in charges() if c.meter is azure.PTU and c.day in days]
        used, unused, over = found["Usage", "Used"], found["Usage", "Unused"], found["Usage", None]
        assert (used["billed"], used["effective"]) == (0, usd(own, "Usage", True, "effective"))
        assert (unused["billed"], unused["effective"], unused["hours"]) == (0, usd(own, "Unused", True, "effective"), None)
        assert over["billed"] == over["effective"] == usd(own, "Usage", False, "billed")
        assert used["hours"] + over["hours"] == sum(c.units for c in own if c.kind == "Usage")
        assert (used["named"], unused["named"], over["named"], unused["at_plan"]) == (True, True, False, True)
        assert {r["source"] for r in found.values()} == {"managed_ai_platform"}
    bought = next(r for r in rows if r["category"] == "Purchase")
    assert (bought["n"], bought["billed"], bought["effective"], bought["at_plan"]) == (2, 2 * 15 * 260, 0, True)
    september = booked.rows(
        "select sum(EffectiveCost) as e from focus.focus_azure_charges"
        " where CommitmentDiscountId is not null and ChargeCategory = 'Usage' and month(charge_date) = 9"
    )
    assert september == [{"e": D(3900)}]


def test_machines_seats_and_search_have_their_spend_source(booked):
    rows = booked.rows(
        "select SkuMeter as meter, x_SpendSource as s from focus.focus_azure_charges where x_TokenMeter is null group by all"
    )
    assert {r["meter"]: r["s"] for r in rows} == {
        "NC24ads A100 v4": "ai_infrastructure", "D4s v5": "cloud", "Hot LRS Data Stored": "cloud", "vCore": "cloud",
        "Standard S1 Search Unit": "ai_infrastructure", "Standard Data Transfer Out": "cloud", "Copilot Business": "developer_ai_tool",
        "Provisioned Managed Global Unit": "managed_ai_platform",
    }  # fmt: skip


def test_no_blocking_rule_of_focus_is_broken(booked):
    assert booked.rows(
        "select rule_id, rows_failing, example from focus.focus_conformance_check where source = 'azure' and level = 'blocking' and state = 'fail'"
    ) == []


def test_thousands_read_as_millions_are_caught(booked, raw_warehouse, tmp_path):
    assert statuses(booked.build(UNITS_FIT, tests=True)) == {UNITS_FIT: "pass"}
    day = [DAYS[-1]]
    frames = exported(tmp_path, day, [{"kind": "wrong_unit", "vendor": "azure"}])
    warehouse = raw_warehouse({**frames, "azure__cost_details": []}, scope=scope(day))
    warehouse.build("+int_booked_charge", "+int_price", full_refresh=True)
    assert statuses(warehouse.build(UNITS_FIT, tests=True)) == {UNITS_FIT: "fail"}


def focus(**columns):
    return {
        "BilledCost": "1", "EffectiveCost": "1", "ListCost": "1", "ContractedCost": "1", "BillingCurrency": "USD", "BillingAccountId": "b",
        "BillingPeriodStart": "2026-09-01T00:00Z", "BillingPeriodEnd": "2026-10-01T00:00Z", "ChargePeriodStart": "2026-09-02T00:00Z",
        "ChargePeriodEnd": "2026-09-03T00:00Z", "ChargeCategory": "Usage", "ProviderName": "Microsoft", "InvoiceIssuerName": "Microsoft",
        "focus_version_in": "1.0", "SkuPriceId": "p", "PricingQuantity": "5", "PricingUnit": "Units", "ConsumedQuantity": "5000",
        "ConsumedUnit": "Units", **columns,
    }  # fmt: skip


def extra(name, series="Azure OpenAI", block="1000", **more):
    return json.dumps(
        {"x_SkuMeterName": name, "x_SkuMeterSubcategory": series, "x_SkuMeterCategory": "Foundry Models", "x_PricingBlockSize": block, **more}
    )


NAMES = [
    # meter name, subcategory, block, model, class, tier
    ("gpt 4o 0806 Inp Data Zone Tokens", "Azure OpenAI", "1000", "gpt-4o", "input", "standard"),
    ("5.6 sol LongCo Cd Wr PP DZ 1M Tokens", "Azure OpenAI GPT5", "1000000", "gpt-5.6-sol", "cache_write", "priority"),
    ("5.4 mini cd Inp Gl 1M Tokens", "Azure OpenAI GPT5", "1000000", "gpt-5.4-mini", "cache_read", "standard"),
    ("4.6 Inp DZ Tokens", "Azure Grok Models", "1000", "grok-4.6", "input", "standard"),
    ("o3 0416 Outp regnl Tokens", "Azure OpenAI Reasoning", "1000", "o3", "output", "standard"),
    ("gpt 9 colossal Inp glbl Tokens", "Azure OpenAI", "1000", None, "input", "standard"),
    # No tokens: an hourly meter, training, pictures. A block nobody named is no token quantity either.
    ("Provisioned Managed Data Zone Unit", "Azure OpenAI", "1", None, None, None),
    ("gpt 4o FT Training Tokens", "Azure OpenAI", "1000", "gpt-4o", None, None),
    ("gpt image 1 Inp glbl Tokens", "Azure OpenAI Media", "1000", None, None, None),
    ("gpt 4.1 Inp glbl Tokens", "Azure OpenAI", "", "gpt-4.1", None, None),
]  # fmt: skip


def test_spellings_of_meters_and_the_gaps_of_the_preview(raw_warehouse):
    rows = [
        focus(SkuId=str(i), ServiceName="Azure OpenAI", ServiceCategory="AI and Machine Learning", x_extra=extra(name, series, block))
        for i, (name, series, block, *_) in enumerate(NAMES)
    ]
    odd = focus(SkuId="90", ChargeCategory="Purchase", CommitmentDiscountId="/Providers/RES/1", ResourceId="/providers/res/1",
                x_extra=extra("PTU", x_InvoiceId="INV-7"))  # fmt: skip
    warehouse = raw_warehouse({"azure__focus_cost": [*rows, odd]}, scope=[])
    warehouse.build("+focus_azure_charges")
    found = warehouse.rows(
        "select x_ModelId, x_TokenMeter, x_ServiceTier, x_SpendSource, cast(ConsumedQuantity as bigint) as q, ConsumedUnit as u"
        " from focus.focus_azure_charges where SkuId <> '90' order by cast(SkuId as integer)"
    )
    assert [(r["x_ModelId"], r["x_TokenMeter"], r["x_ServiceTier"]) for r in found] == [tuple(n[3:]) for n in NAMES]
    assert {r["x_SpendSource"] for r in found} == {"managed_ai_platform"}
    assert [(r["q"], r["u"]) for r in found[:3]] == [(5000, "Tokens"), (5000000, "Tokens"), (5000000, "Tokens")]
    assert {(r["q"], r["u"]) for r in found[6:]} == {(5000, "Units")}
    (purchase,) = warehouse.rows(
        "select ServiceName, ServiceCategory, ResourceId, InvoiceId, x_NativeColumns->>'x_DeliveredResourceId' as delivered,"
        " BillingPeriodEnd::varchar as e from focus.focus_azure_charges where SkuId = '90'"
    )
    assert tuple(purchase.values()) == (
        "Foundry Models", "Other", "/Providers/RES/1", "INV-7", "/providers/res/1", "2026-10-01 00:00:00",
    )  # fmt: skip


def detail(**columns):
    return {
        "cost_view": "actual", "billing_account_id": "b", "usage_date": "09/02/2026", "billing_currency": "EUR", "cost": "1.8", "quantity": "1",
        "unit_price": "2", "payg_price": "3", "charge_type": "Usage", "subscription_id": "S-1", "meter_id": "m", "part_number": "p",
        "unit_of_measure": "1 Hour", "meter_category": "Storage", **columns,
    }  # fmt: skip


def test_prices_in_another_currency_are_converted_or_left_out_and_views_are_not_added(raw_warehouse):
    rate = {"pricingCurrency": "USD", "exchangeRatePricingToBilling": "0.9", "invoiceId": "G1"}
    rows = [
        detail(x_extra=json.dumps(rate)),
        detail(meter_id="n", x_extra=json.dumps({"pricingCurrency": "USD"})),
        detail(usage_date="09/03/2026", meter_id="o", cost="5"),
        detail(usage_date="09/03/2026", meter_id="o", cost="5", cost_view="amortized"),
        detail(usage_date="09/03/2026", meter_id="r", cost="0", pricing_model="Reservation", reservation_id="R"),
        detail(usage_date="09/03/2026", meter_id="r", cost="4", pricing_model="Reservation", reservation_id="R", cost_view="amortized"),
        detail(usage_date="09/04/2026", meter_id="o", cost="7", cost_view="amortized"),
    ]
    warehouse = raw_warehouse({"azure__cost_details": rows}, scope=[])
    warehouse.build("+focus_azure_charges")
    found = warehouse.rows(
        "select SkuId, day(charge_date) as d, BilledCost, EffectiveCost, ContractedUnitPrice, ListUnitPrice, InvoiceId"
        " from focus.focus_azure_charges order by 2, 1"
    )
    assert [tuple(r.values()) for r in found] == [
        ("m", 2, D("1.8"), D("1.8"), D("1.8"), D("2.7"), "G1"), ("n", 2, D("1.8"), D("1.8"), None, None, None),
        ("o", 3, 5, 5, 2, 3, None), ("r", 3, 0, 4, 2, 3, None), ("o", 4, 7, 7, 2, 3, None),
    ]  # fmt: skip
