"""Google Cloud's exports become FOCUS rows: credits without fan-out, Pacific months, models from whole SKU texts."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.conftest import Project, Warehouse

FLASH_IN = "Gemini 2.5 Flash GA Text Input - Predictions"


def line(**columns: Any) -> dict[str, Any]:
    row = {
        "billing_account_id": "01AAAA-2BBBBB-3CCCCC", "invoice_month": "202609", "service_id": "C7E2-9256-1C43",
        "service_description": "Vertex AI", "sku_id": "SKU-1", "sku_description": FLASH_IN,
        "usage_start_time": "2026-09-02T05:00:00+00", "usage_end_time": "2026-09-02T06:00:00+00",
        "export_time": "2026-09-02T11:31:07+00", "project_id": "search", "project_name": "Search", "currency": "USD",
        "usage_amount": "1000000", "usage_unit": "requests", "usage_amount_in_pricing_units": "1000000", "usage_pricing_unit": "count",
        "price_effective_price": "0.3", "price_list_price": "0.3", "price_unit": "count", "price_pricing_unit_quantity": "1000000",
        "price_tier_start_amount": "0", "cost": "0.3", "cost_at_list": "0.3", "cost_type": "regular", "net_cost": "0.3",
        "file_name": "billing_period=2026-09", "raw_window": "2026-09",
    } | columns  # fmt: skip
    credits = json.loads(row.get("credits") or "[]")
    row["net_cost"] = str(Decimal(row["cost"]) + sum((Decimal(c["amount"]) for c in credits), Decimal(0)))
    return row


def credits(*amounts: str, kind: str = "PROMOTION") -> str:
    return json.dumps([{"type": kind, "name": "c", "amount": a} for a in amounts])


SKUS = {
    ("Vertex AI", FLASH_IN): ("tokens", "gemini-2.5-flash", "input", "standard", None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 3.7 Flash Global Text Input - Predictions"): ("tokens", "gemini-3.7-flash", "input", "standard", None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Pro GA Thinking Text Output - Predictions"): ("tokens", "gemini-2.5-pro", "output", "standard", None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Pro Long Batch Audio Input - Predictions"): ("tokens", "gemini-2.5-pro", "input", "batch", "long", "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Flash Input Text Caching - Predictions"): ("tokens", "gemini-2.5-flash", "cache_read", "standard", None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Flash Priority Text Output - Predictions"): ("tokens", "gemini-2.5-flash", "output", "priority", None, "managed_ai_platform"),
    ("Vertex AI", "Claude Haiku 4.5 Cache Write 1h Input Tokens"): ("tokens", "claude-haiku-4-5", "cache_write_1h", "standard", None, "managed_ai_platform"),
    ("Vertex AI", "Claude Sonnet 4.5 Cache Read Input Tokens"): ("tokens", "claude-sonnet-4-5", "cache_read", "standard", None, "managed_ai_platform"),
    ("Gemini API", "Gemini 2.5 Flash Lite Flex Text Output"): ("tokens", "gemini-2.5-flash-lite", "output", "flex", None, "direct_model_api"),
    ("Vertex AI", "Gemini 2.5 Flash Input Caching Storage - Predictions"): ("cache_storage", "gemini-2.5-flash", None, None, None, "managed_ai_platform"),
    # What only resembles a known model is filed under none.
    ("Vertex AI", "Gemini 3.7 Flash Lite Text Input - Predictions"): ("unclassified", None, None, None, None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Flash Image Output - Predictions"): ("unclassified", None, None, None, None, "managed_ai_platform"),
    ("Vertex AI", "Gemini 2.5 Flash Tuned Text Input - Predictions"): ("unclassified", None, None, None, None, "managed_ai_platform"),
    ("Vertex AI", "Vertex AI: Provisioned Throughput 1 Year"): ("provisioned_throughput", None, None, None, None, "managed_ai_platform"),
    ("Vertex AI", "Vertex AI Vector Search Index Serving e2-standard-16"): ("vector_database", None, None, None, None, "ai_infrastructure"),
    ("Compute Engine", "Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in Iowa"): ("accelerator", None, None, None, None, "ai_infrastructure"),
    ("Compute Engine", "A3 Instance Ram running in Iowa"): ("accelerator", None, None, None, None, "ai_infrastructure"),
    ("Compute Engine", "N2 Instance Core running in Iowa"): (None, None, None, None, None, "cloud"),
    ("Gemini for Google Cloud", "Gemini Code Assist Standard Subscription"): ("developer_tool", None, None, None, None, "developer_ai_tool"),
}  # fmt: skip
FOCUS_ROW = {
    "BilledCost": "0.25", "EffectiveCost": "0.25", "ListCost": "0.3", "ContractedCost": "0.3", "BillingCurrency": "USD",
    "BillingAccountId": "01AAAA", "BillingPeriodStart": "2026-09-01T07:00:00Z", "BillingPeriodEnd": "2026-10-01T07:00:00Z",
    "ChargePeriodStart": "2026-09-02T05:00:00Z", "ChargePeriodEnd": "2026-09-02T06:00:00Z", "ChargeCategory": "Usage",
    "ChargeDescription": FLASH_IN, "ServiceName": "Vertex AI", "ProviderName": "Google Cloud", "SkuId": "SKU-1", "SkuPriceId": "SKU-1/0",
    "ConsumedQuantity": "1000000", "ConsumedUnit": "requests", "PricingQuantity": "1000000", "PricingUnit": "count",
    "PricingCategory": "Standard", "SubAccountId": "search", "Tags": '{"project_label/team":"search"}',
    "x_extra": '{"x_Credits":"[{\\"Amount\\":\\"-0.05\\"}]","x_ExportTime":"2026-09-02T11:00:00Z"}', "focus_version_in": "1.2",
    "raw_window": "2026-09",
}  # fmt: skip
_NO_USAGE = {"project_id": None, "usage_amount_in_pricing_units": None, "usage_amount": None, "service_description": "Invoice"}
_GPU = {
    "service_description": "Compute Engine", "sku_description": "Nvidia L4 GPU running in Iowa", "usage_pricing_unit": "hour",
    "usage_unit": "seconds", "usage_amount": "36000", "usage_amount_in_pricing_units": "10", "price_pricing_unit_quantity": "1",
}  # fmt: skip
_FEE = _GPU | {"sku_description": "Commitment v1: Nvidia L4 GPU in Iowa for 1 Year"}
SCENARIOS = {
    "credits": [
        line(cost="1.000000000000000000000001"),
        line(cost="2", credits=credits("-0.05", "-0.000000000000000001", "-1e-7")),
        line(cost="2", credits=credits("-0.05", "-0.000000000000000001", "-1e-7")),
        line(cost="3", credits="[]"),
        line(cost="0", credits=credits("-4")),
    ],
    "golden": [line(credits=credits("-0.05"), tags='{"label/env":"prod","tag/acme/cc":"9"}')],
    "skus": [line(service_description=service, sku_description=sku) for service, sku in SKUS],
    "months": [
        line(sku_id="evening", usage_start_time="2026-10-01T03:00:00+00", usage_end_time="2026-10-01T04:00:00+00"),
        line(sku_id="winter", invoice_month="202512", usage_start_time="2025-12-05T03:00:00+00", usage_end_time="2025-12-05T04:00:00+00"),
        line(sku_id="late", invoice_month="202610"),
        line(sku_id="corrected", invoice_month="202610", cost="-0.1", adjustment_type="USAGE_CORRECTION", adjustment_id="a1"),
        line(sku_id="goodwill", cost="-0.2", cost_type="adjustment", adjustment_type="GOODWILL"),
        line(sku_id="tax", sku_description="Tax", cost="0.02", cost_type="tax", **_NO_USAGE),
        line(sku_id="rounding", sku_description="Rounding error", cost="0.003", cost_type="rounding_error", **_NO_USAGE),
        line(sku_id="market", service_description="Acme DB", sku_description="DB hours", publisher_type="PARTNER", seller_name="Acme GmbH"),
    ],
    "old commitment": [
        line(**_GPU, cost="10", price_effective_price="1", credits=credits("-10", kind="COMMITTED_USAGE_DISCOUNT")),
        line(**_FEE, cost="6", price_effective_price="0.6"),
    ],
    "new commitment": [
        line(**_GPU, cost="6", price_effective_price="0.6", consumption_model_id="7754", consumption_model_description="1 year flex"),
        line(**_FEE, cost="6", price_effective_price="0.6", credits=credits("-6", kind="FEE_UTILIZATION_OFFSET")),
    ],
    "throughput": [
        line(
            sku_description="Vertex AI: Provisioned Throughput 1 month", usage_pricing_unit="mo", usage_unit="seconds",
            usage_amount="86400", usage_amount_in_pricing_units="0.032258", price_effective_price="2700",
            price_pricing_unit_quantity="1", cost="87.0966", subscription_instance_id="gsu-1",
        )
    ],
    "rejects": [line(), line(usage_amount="9" * 20), line(service_description=None)],
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, seeded_file: Path, project: Project) -> Warehouse:
    """Every scenario built at once; the account of a row is the name of its scenario."""
    folder = tmp_path_factory.mktemp("gcp")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    exports = [{"raw_account": name, **row} for name, rows in SCENARIOS.items() for row in rows]
    frames = {"gcp__billing_export": exports, "gcp__focus_export": [FOCUS_ROW, FOCUS_ROW]}
    made = Warehouse(folder / "warehouse.duckdb", project).land(frames, scope=[])
    made.build("+focus_gcp_charges", "+focus_file_rejects")
    return made


def charges(warehouse: Warehouse, scenario: str, columns: str = "*", order: str = "1") -> list[dict[str, Any]]:
    return warehouse.rows(f"select {columns} from focus.focus_gcp_charges where x_Account = ? order by {order}", scenario)


def test_credits_do_not_multiply_rows_or_cost(warehouse: Warehouse) -> None:
    found = charges(
        warehouse, "credits",
        "count(*) as n, count(distinct x_charge_id) as ids, sum(cast(BilledCost as decimal(38, 24)) + x_BilledCostRemainder) as billed",
    )[0]  # fmt: skip
    assert (found["n"], found["ids"]) == (5, 5)
    delivered = sum(Decimal(r["net_cost"]) for r in SCENARIOS["credits"])
    assert found["billed"] == delivered == Decimal("3.899999799999999998000001")


def test_golden_row_in_tokens_whatever_the_unit_says(warehouse: Warehouse) -> None:
    found = charges(warehouse, "golden")[0]
    expected = {
        "BilledCost": Decimal("0.25"), "EffectiveCost": Decimal("0.25"), "ContractedCost": Decimal("0.3"), "ListCost": Decimal("0.3"),
        "ConsumedQuantity": Decimal(1_000_000), "ConsumedUnit": "Tokens", "PricingQuantity": Decimal(1), "PricingUnit": "1000000 Tokens",
        "ListUnitPrice": Decimal("0.3"), "BillingPeriodStart": datetime(2026, 9, 1, 7), "BillingPeriodEnd": datetime(2026, 10, 1, 7),
        "ChargeCategory": "Usage", "ChargeClass": None, "ServiceName": "Vertex AI", "ServiceCategory": "AI and Machine Learning",
        "SubAccountId": "search", "SubAccountName": "Search", "x_ModelId": "gemini-2.5-flash", "x_ModelFamily": "gemini-flash",
        "x_ModelDeveloper": "Google", "x_TokenMeter": "input", "x_TokenDirection": "Input", "x_TokenCacheAction": "Uncached",
        "x_ServiceTier": "standard", "x_SpendSource": "managed_ai_platform", "InvoiceIssuerName": "Google Cloud", "x_SourceId": "gcp",
    }  # fmt: skip
    assert {k: found[k] for k in expected} == expected
    assert json.loads(found["Tags"]) == {"label/env": "prod", "tag/acme/cc": "9"}
    native = json.loads(found["x_NativeColumns"])
    assert native["x_UsageUnit"] == "requests" and json.loads(native["x_Credits"])[0]["amount"] == "-0.05"


def test_models_meters_tiers_and_spend_sources_come_from_whole_sku_texts(warehouse: Warehouse) -> None:
    columns = (
        "ServiceName as service, ChargeDescription as sku, json_extract_string(x_NativeColumns, '$.x_SkuKind') as kind, x_ModelId as model,"
        " x_TokenMeter as meter, x_ServiceTier as tier, x_ContextWindow as context, x_SpendSource as source, ConsumedUnit as unit,"
        " x_OriginChargeId as origin"
    )
    rows = [r for r in charges(warehouse, "skus", columns) if r["origin"] is None]
    found = {(r["service"], r["sku"]): tuple(r[c] for c in ("kind", "model", "meter", "tier", "context", "source")) for r in rows}
    assert found == {("Gemini Code Assist" if "Google Cloud" in s else s, sku): facts for (s, sku), facts in SKUS.items()}
    units = {r["kind"]: r["unit"] for r in rows if r["kind"] in ("tokens", "cache_storage", "unclassified")}
    assert units == {"tokens": "Tokens", "cache_storage": "Token-Hours", "unclassified": "count"}


def test_the_month_of_the_invoice_is_pacific_and_corrections_are_told_apart(warehouse: Warehouse) -> None:
    found = {
        r["sku"]: (r["category"], r["class"], r["start"], r["seller"], r["skuid"])
        for r in warehouse.rows(
            "select lines.sku_id as sku, ChargeCategory as category, ChargeClass as class, BillingPeriodStart as start,"
            " ServiceProviderName as seller, SkuId as skuid from focus.focus_gcp_charges as charges"
            " join staging.stg_gcp__billing_export as lines on lines.charge_id = charges.x_charge_id where x_Account = 'months'"
        )
    }
    september, october = datetime(2026, 9, 1, 7), datetime(2026, 10, 1, 7)
    assert found == {
        "evening": ("Usage", None, september, "Google Cloud", "evening"),
        "winter": ("Usage", None, datetime(2025, 12, 1, 8), "Google Cloud", "winter"),
        "late": ("Usage", None, october, "Google Cloud", "late"),
        "corrected": ("Usage", "Correction", october, "Google Cloud", "corrected"),
        "goodwill": ("Adjustment", None, september, "Google Cloud", None),
        "tax": ("Tax", None, september, "Google Cloud", None),
        "rounding": ("Adjustment", None, september, "Google Cloud", None),
        "market": ("Usage", None, september, "Acme GmbH", "market"),
    }


def test_both_commitment_models_cost_the_same(warehouse: Warehouse) -> None:
    columns = "ChargeCategory as c, PricingCategory as p, sum(BilledCost) over () as total"
    for scenario in ("old commitment", "new commitment"):
        assert charges(warehouse, scenario, columns) == [
            {"c": "Purchase", "p": "Standard", "total": Decimal(6)}, {"c": "Usage", "p": "Committed", "total": Decimal(6)}
        ]  # fmt: skip


def test_provisioned_throughput_is_a_commitment_with_cash_and_use_apart(warehouse: Warehouse) -> None:
    columns = (
        "ChargeCategory as c, BilledCost as b, EffectiveCost as e, CommitmentDiscountStatus as s, CommitmentDiscountId as id,"
        " CommitmentDiscountQuantity as q, CommitmentDiscountUnit as u, ResourceId as r"
    )
    cost, months = Decimal("87.0966"), Decimal("0.032258")
    shared = {"id": "gsu-1", "q": months, "u": "GSU-Months", "r": "gsu-1"}
    assert charges(warehouse, "throughput", columns) == [
        {"c": "Purchase", "b": cost, "e": Decimal(0), "s": None, **shared}, {"c": "Usage", "b": Decimal(0), "e": cost, "s": "Used", **shared}
    ]  # fmt: skip


def test_what_cannot_be_typed_is_a_named_reject(warehouse: Warehouse) -> None:
    rejects = warehouse.rows("select reason from focus.focus_file_rejects where source = 'gcp' order by ordinal")
    assert [r["reason"] for r in rejects] == ["usage_amount: too many digits", "service_description: missing"]
    assert len(charges(warehouse, "rejects")) == 1


def test_the_native_focus_export_gets_what_it_lacks(warehouse: Warehouse) -> None:
    found = warehouse.rows("select * from focus.focus_gcp_charges where x_Dataset = 'focus_export'")
    assert len(found) == 2 and len({r["x_charge_id"] for r in found}) == 2
    expected = {
        "BilledCost": Decimal("0.25"), "ServiceCategory": "AI and Machine Learning", "ServiceSubcategory": "Generative AI",
        "InvoiceIssuerName": "Google Cloud", "ServiceProviderName": "Google Cloud", "HostProviderName": "Google Cloud", "SkuMeter": FLASH_IN,
        "SubAccountName": "search", "SubAccountType": "Project", "x_ModelId": "gemini-2.5-flash", "x_TokenMeter": "input",
        "ConsumedQuantity": Decimal(1_000_000), "ConsumedUnit": "Tokens", "x_SpendSource": "managed_ai_platform",
        "BillingPeriodStart": datetime(2026, 9, 1, 7), "Tags": '{"project_label/team":"search"}',
    }  # fmt: skip
    assert {k: found[0][k] for k in expected} == expected
    native = json.loads(found[0]["x_NativeColumns"])
    assert native["x_DeliveredConsumedUnit"] == "requests" and json.loads(native["x_Credits"])[0]["Amount"] == "-0.05"


@pytest.mark.parametrize("divisor", [1, 1_000, 1_000_000])
def test_thousands_or_millions_of_tokens_are_caught_by_the_price(warehouse: Warehouse, divisor: int) -> None:
    amount = str(5_000_000 // divisor)
    warehouse.land({"gcp__billing_export": [line(cost="1.5", usage_amount=amount, usage_amount_in_pricing_units=amount)]}, scope=[])
    result = warehouse.build("gcp_token_quantities_fit_their_price", tests=True)
    status = {r.node.name: str(r.status) for r in result.result.results}
    assert status == {"gcp_token_quantities_fit_their_price": "pass" if divisor == 1 else "fail"}


def test_a_wrong_sum_of_credits_is_caught(warehouse: Warehouse) -> None:
    warehouse.land({"gcp__billing_export": [line(credits=credits("-0.05")) | {"net_cost": "0.3"}]}, scope=[])
    result = warehouse.build("stg_gcp__billing_export,test_type:data", tests=True)
    failed = [r.node.name for r in result.result.results if str(r.status) == "fail"]
    assert len(failed) == 1 and failed[0].startswith("expression_is_true_stg_gcp__billing_export")
