"""Dropped bills become FOCUS rows: nothing lost, nothing rounded, quirks of real files handled."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.dbt.sample_bills import BILLS, landed, money, spec_examples

FILE_MODELS = ("+focus_files_charges", "+focus_aws_charges", "+focus_file_rejects")
AWS_CUR, OCI, FOCUS_1_0 = "aws_cur_legacy_csv.csv.gz", "oci_cost_report.csv.gz", "focus_1_0_aws_azure_oracle.csv.gz"


@pytest.fixture(scope="module")
def real(request):
    """Raw frames of every real sample file."""
    return landed(*BILLS)


@pytest.fixture
def mapped(raw_warehouse):
    """Function: raw frames to a warehouse with the file models built."""

    def build(frames):
        warehouse = raw_warehouse(frames, scope=[])
        warehouse.build(*FILE_MODELS)
        return warehouse

    return build


def _covered(row):
    return row["pricing_model"] in ("Reservation", "SavingsPlan")


def _told_once(rows):
    """Lines of both views without those that the other view of the day tells: what is not covered stands in the actual one."""
    days = {(r["billing_account_id"], r["usage_date"]) for r in rows if r["cost_view"] == "actual"}
    return [r for r in rows if r["cost_view"] == "actual" or _covered(r) or (r["billing_account_id"], r["usage_date"]) not in days]


def _total(warehouse, dataset):
    """Rows and exact billed amount of one dataset, the part below 1e-14 included."""
    return tuple(
        warehouse.rows(
            "select count(*) as n, sum(cast(BilledCost as decimal(38, 24)) + x_BilledCostRemainder) as billed"
            " from focus.focus_files_charges where x_Dataset = ?",
            dataset,
        )[0].values()
    )


def test_the_real_files_come_through_row_for_row_and_to_the_digit(mapped, real):
    warehouse = mapped(real)
    assert warehouse.rows("select * from focus.focus_file_rejects") == []
    azure = _told_once(real["files__azure_ea"])
    expected = {
        "focus": (616, money(real["files__focus"], "BilledCost")),
        "aws_cur": (776, money(real["files__aws_cur"], "unblended_cost")),
        "oci_cost": (314, money(real["files__oci_cost"], "my_cost")),
        "azure_ea": (31, money([r for r in azure if r["cost_view"] == "actual" or not _covered(r)], "cost")),
    }
    assert {dataset: _total(warehouse, dataset) for dataset in expected} == expected
    assert expected["oci_cost"][1] == Decimal("1.486488923555995409")

    # Accrual by account and day: what the commitment did not cover, and what it did.
    views = warehouse.rows(
        "select cast(charge_date as varchar) as day, BillingAccountId as account, sum(EffectiveCost) as effective"
        " from focus.focus_file_azure group by all"
    )
    accrued: dict[tuple[str, str], Decimal] = {}
    for row in azure:
        month, day, year = row["usage_date"].split("/")
        account = f"/providers/Microsoft.Billing/billingAccounts/{row['billing_account_id']}"
        key = (f"{year}-{int(month):02}-{int(day):02}", account)
        accrued[key] = accrued.get(key, Decimal(0)) + (Decimal(row["cost"]) if row["charge_type"] != "Purchase" else 0)
    assert len(views) == len(accrued)
    assert all(abs(r["effective"] - accrued[r["day"], r["account"]]) < Decimal("1e-12") for r in views)

    ids = warehouse.rows("select count(*) as n, count(distinct x_charge_id) as ids from focus.focus_files_charges")[0]
    assert ids == {"n": 1737, "ids": 1737}


def test_quirks_of_the_real_files(mapped, real):
    warehouse = mapped(real)
    frequencies = warehouse.rows("select distinct ChargeFrequency as f from focus.focus_file_focus order by 1")
    assert [r["f"] for r in frequencies] == ["One-Time", "Usage-Based"]
    red_hat = warehouse.rows(
        "select ServiceProviderName, HostProviderName, x_ProviderName, x_PublisherName from focus.focus_file_focus"
        " where x_PublisherName = 'Red Hat Inc.'"
    )
    assert red_hat == [
        {
            "ServiceProviderName": "AWS",
            "HostProviderName": "AWS",
            "x_ProviderName": "AWS",
            "x_PublisherName": "Red Hat Inc.",
        }
    ]
    # More digits than a quantity holds: the number as delivered is kept beside the typed one.
    native = warehouse.rows(
        "select x_NativeColumns as j from focus.focus_file_focus where x_NativeColumns like '%Delivered%'"
    )
    kept = {json.loads(r["j"])["x_DeliveredConsumedQuantity"] for r in native}
    assert len(native) == 6 and "-0.001528156921268" in kept

    taxes = warehouse.rows(
        "select distinct ChargePeriodStart as s, ChargePeriodEnd as e, SkuId, PricingQuantity, ConsumedQuantity"
        " from focus.focus_file_aws_cur where ChargeCategory = 'Tax'"
    )
    assert len(taxes) == 1 and (taxes[0]["e"] - taxes[0]["s"]).days == 30
    assert (taxes[0]["SkuId"], taxes[0]["PricingQuantity"], taxes[0]["ConsumedQuantity"]) == (None, None, None)
    other = warehouse.rows("select count(*) as n from focus.focus_file_aws_cur where ServiceCategory = 'Other'")
    assert other == [{"n": 0}]

    oci = warehouse.rows(
        "select distinct PricingUnit, ConsumedUnit from focus.focus_file_oci where ServiceName = 'OCI Monitoring'"
    )
    assert oci == [{"PricingUnit": "1000000 Datapoints", "ConsumedUnit": "Datapoints"}]
    lengths = warehouse.rows("select distinct ChargePeriodEnd - ChargePeriodStart as l from focus.focus_file_oci")
    assert [r["l"].total_seconds() for r in lengths] == [3600]

    tags = warehouse.rows("select Tags, x_NativeColumns as j from focus.focus_file_azure")
    assert all(json.loads(r["Tags"]) for r in tags if r["Tags"])
    assert not any("x_DeliveredTags" in r["j"] for r in tags)
    blocks = warehouse.rows(
        "select distinct PricingUnit as u from focus.focus_file_azure where PricingUnit like '%000%' order by 1"
    )
    assert [r["u"] for r in blocks] == ["1000 Units", "10000 Units"]
    reads = warehouse.rows(
        "select PricingQuantity as p, ConsumedQuantity as c from focus.focus_file_azure where PricingUnit = '10000 Units'"
    )
    assert reads and all(r["c"] == r["p"] * 10000 for r in reads)
    ends = warehouse.rows("select distinct BillingPeriodStart as s, BillingPeriodEnd as e from focus.focus_file_azure")
    assert [(r["s"].isoformat()[:10], r["e"].isoformat()[:10]) for r in ends] == [("2023-09-01", "2023-10-01")]


def test_what_cannot_be_read_is_a_named_reject_and_the_rest_goes_on(mapped):
    good = _cur(line_item_id="1")
    warehouse = mapped(
        {
            "files__aws_cur": [
                good,
                _cur(line_item_id="2", unblended_cost="12,50"),
                _cur(line_item_id="3", usage_start="soon"),
                _cur(line_item_id="4", currency_code=None),
                _cur(line_item_id="5", usage_amount="99999999999999999999"),
            ]
        }
    )
    rejects = warehouse.rows("select ordinal, reason from focus.focus_file_rejects order by ordinal")
    assert [tuple(r.values()) for r in rejects] == [
        (1, "unblended_cost: not a number"),
        (2, "usage_start: not an instant"),
        (3, "currency_code: missing"),
        (4, "usage_amount: too many digits"),
    ]
    assert _total(warehouse, "aws_cur") == (1, Decimal("12.5"))


def test_a_charge_keeps_its_id_when_the_file_is_delivered_again(mapped):
    rows = [_cur(line_item_id="1"), _cur(line_item_id="1"), _cur(line_item_id="2")]
    ids = "select x_charge_id from focus.focus_files_charges order by 1"
    first = mapped({"files__aws_cur": rows}).rows(ids)
    again = mapped({"files__aws_cur": [{**r, "raw_delivery_id": "later"} for r in reversed(rows)]}).rows(ids)
    assert first == again and len({r["x_charge_id"] for r in first}) == 3


def _cur(**columns):
    return {
        "line_item_type": "Usage", "product_code": "AmazonEC2", "product_name": "Amazon Elastic Compute Cloud",
        "usage_type": "BoxUsage:m5.large", "payer_account_id": "000111222333", "usage_account_id": "111222333444",
        "billing_period_start": "2026-09-01T00:00:00.000Z", "billing_period_end": "2026-10-01T00:00:00.000Z",
        "usage_start": "2026-09-02T00:00:00Z", "usage_end": "2026-09-02T01:00:00Z", "usage_amount": "1.0",
        "pricing_unit": "Hrs", "currency_code": "USD", "unblended_rate": "12.5", "unblended_cost": "1.25E+1",
        "public_on_demand_cost": "20", "public_on_demand_rate": "20", "sku": "S", "rate_code": "S.T.R", "file_name": "cur",
        "region_code": "us-east-1", **columns,
    }  # fmt: skip


PLAN = "arn:aws:savingsplans::111222333444:savingsplan/one"


def test_savings_plan_lines_of_a_cost_and_usage_report_are_amortised(mapped):
    plan = {"savings_plan_arn": PLAN}
    warehouse = mapped(
        {
            "files__aws_cur": [
                _cur(line_item_type="SavingsPlanCoveredUsage", unblended_cost="20", savings_plan_effective_cost="12", **plan),
                _cur(line_item_type="SavingsPlanNegation", unblended_cost="-20", **plan),
                _cur(
                    line_item_type="SavingsPlanRecurringFee", unblended_cost="15", unblended_rate="15",
                    savings_plan_total_commitment_to_date="15", savings_plan_used_commitment="12", **plan,
                ),
                _cur(line_item_type="Credit", unblended_cost="-3"),
                _cur(line_item_type="Refund", unblended_cost="-2", usage_start="2026-08-30", usage_end="2026-08-31"),
                _cur(line_item_type="EdpDiscount", unblended_cost="-1"),
            ]
        }
    )  # fmt: skip
    rows = warehouse.rows(
        "select ChargeCategory, ChargeClass, BilledCost, EffectiveCost, CommitmentDiscountStatus as status, ResourceId"
        " from focus.focus_file_aws_cur order by 1, 2, 3, 4, 5"
    )
    zero = Decimal(0)
    assert [tuple(r.values()) for r in rows] == [
        ("Adjustment", "Correction", Decimal(-2), Decimal(-2), None, None),
        ("Adjustment", None, Decimal(-1), Decimal(-1), None, None),
        ("Adjustment", None, zero, zero, None, None),
        ("Credit", None, Decimal(-3), Decimal(-3), None, None),
        ("Purchase", None, Decimal(15), zero, None, PLAN),
        ("Usage", None, zero, Decimal(3), "Unused", PLAN),
        ("Usage", None, zero, Decimal(12), "Used", None),
    ]
    # The whole: cash is what was delivered, and the plan's accrual equals its cash.
    assert sum(r["BilledCost"] for r in rows) == Decimal(15) - 6
    assert sum(r["EffectiveCost"] for r in rows if r["status"]) == Decimal(15)


def test_an_oci_correction_of_an_earlier_month_is_billed_in_the_month_of_its_file(mapped):
    line = {
        "tenant_id": "t", "service": "COMPUTE", "currency_code": "USD", "billed_quantity": "1", "unit_price": "2",
        "billing_unit_readable": "1 NONE HOURS INSTANCE", "file_name": "oci", "is_correction": "false",
    }  # fmt: skip
    warehouse = mapped(
        {
            "files__oci_cost": [
                {**line, "interval_usage_start": "2026-10-01T00:00Z", "interval_usage_end": "2026-10-01T01:00:00Z", "my_cost": "2"},
                {**line, "interval_usage_start": "2026-10-01T01:00Z", "interval_usage_end": "2026-10-01T02:00:00Z"},
                {
                    **line, "interval_usage_start": "2026-09-30T23:00Z", "interval_usage_end": "2026-10-01T00:00:00Z",
                    "my_cost": "-2", "is_correction": "true", "backreference_no": "ref-7",
                },
            ]
        }
    )  # fmt: skip
    rows = warehouse.rows(
        "select ChargeClass, BilledCost, cast(BillingPeriodStart as date)::varchar as period, x_OriginChargeId as origin"
        " from focus.focus_file_oci order by ChargePeriodStart"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("Correction", Decimal(-2), "2026-10-01", "ref-7"),
        (None, Decimal(2), "2026-10-01", None),
        (None, Decimal(0), "2026-10-01", None),
    ]


def _focus(**columns):
    return {
        "BilledCost": "1", "EffectiveCost": "1", "ListCost": "1", "ContractedCost": "1", "BillingCurrency": "USD",
        "BillingAccountId": "000111222333", "BillingPeriodStart": "2026-09-01T00:00:00Z",
        "BillingPeriodEnd": "2026-10-01T00:00:00Z", "ChargePeriodStart": "2026-09-02T00:00:00Z",
        "ChargePeriodEnd": "2026-09-03T00:00:00Z", "ChargeCategory": "Usage", "ServiceName": "Amazon Bedrock",
        "ServiceCategory": "AI and Machine Learning", "ProviderName": "AWS", "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "focus_version_in": "1.2", "SkuPriceId": "p", **columns,
    }  # fmt: skip


BEDROCK_ROWS = [
    # delivered columns, token meter, model, tokens
    ({"SkuMeter": "USE1-NovaLite-output-tokens", "ConsumedUnit": "1K tokens", "ConsumedQuantity": "840"},
     "output", "nova-lite", "840000"),
    ({"SkuMeter": "USE1-Claude4.5Haiku-input-tokens-cross-region-global", "ConsumedUnit": "1M tokens",
      "ConsumedQuantity": "840"}, "input", "claude-haiku-4-5", "840000000"),
    ({"ServiceName": "Claude Opus 4.6 (Amazon Bedrock Edition)",
      "SkuMeter": "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", "ConsumedUnit": "Units",
      "ConsumedQuantity": "1.25"}, "cache_write_1h", "claude-opus-4-6", "1250000"),
    ({"SkuMeter": "USE1-Claude4.6Sonnet-cache-read-input-token-count", "ConsumedUnit": "Tokens",
      "ConsumedQuantity": "7"}, "cache_read", "claude-sonnet-4-6", "7"),
    ({"SkuMeter": "USE1-anthropic.claude-haiku-4-5-20251001-mantle-cache-write-tokens", "ConsumedUnit": "1K tokens",
      "ConsumedQuantity": "2"}, "cache_write_5m", "claude-haiku-4-5", "2000"),
    ({"SkuMeter": "USE1-TitanEmbedV2-Text-input-tokens", "ConsumedUnit": "1K tokens", "ConsumedQuantity": "1"},
     "embedding", "titan-embed-text", "1000"),
    # An unknown model stays unmapped, an unknown unit unscaled, and other features are not tokens.
    ({"SkuMeter": "USE1-Claude4.9Opus-input-tokens", "ConsumedUnit": "1K tokens", "ConsumedQuantity": "1"},
     "input", None, "1000"),
    ({"SkuMeter": "USE1-NovaLite-input-tokens", "ConsumedUnit": "bushels", "ConsumedQuantity": "3"},
     "input", "nova-lite", "3"),
    ({"SkuMeter": "USE1-Guardrail-input-units", "ConsumedUnit": "1K tokens", "ConsumedQuantity": "3"}, None, None, "3"),
    ({"SkuMeter": "USE1-NovaLite-ProvisionedThroughput-ModelUnits", "ConsumedUnit": "Hours", "ConsumedQuantity": "3"},
     None, "nova-lite", "3"),
]  # fmt: skip
MACHINES = {
    "USE1-BoxUsage:p5.48xlarge": "ai_infrastructure", "BoxUsage:g6e.2xlarge": "ai_infrastructure",
    "BoxUsage:m5.large": "cloud", "BoxUsage:trn1.32xlarge": "ai_infrastructure", "BoxUsage:r6g.large": "cloud",
}  # fmt: skip


def test_bedrock_rows_name_model_meter_and_tokens(mapped):
    frames = [_focus(SkuId=str(i), **columns) for i, (columns, *_) in enumerate(BEDROCK_ROWS)]
    rows = mapped({"aws__focus_export": frames}).rows(
        "select x_TokenMeter, x_ModelId, cast(ConsumedQuantity as integer)::varchar as tokens, x_SpendSource, BilledCost"
        " from focus.focus_aws_charges order by cast(SkuId as integer)"
    )
    expected = [(meter, model, tokens, "managed_ai_platform", Decimal(1)) for _, meter, model, tokens in BEDROCK_ROWS]
    assert [tuple(r.values()) for r in rows] == expected


def test_accelerator_machines_are_ai_infrastructure(mapped):
    ec2 = {"ServiceName": "Amazon Elastic Compute Cloud", "ServiceCategory": "Compute"}
    rows = mapped({"aws__focus_export": [_focus(SkuMeter=meter, **ec2) for meter in MACHINES]}).rows(
        "select SkuMeter, x_SpendSource, x_TokenMeter from focus.focus_aws_charges"
    )
    assert {r["SkuMeter"]: r["x_SpendSource"] for r in rows} == MACHINES
    assert {r["x_TokenMeter"] for r in rows} == {None}


INSTANTS = {
    "2026-09-02T05:00Z": "2026-09-02 05:00:00", "2026-09-02 05:00:00": "2026-09-02 05:00:00",
    "2026-09-02T05:00:00.000Z": "2026-09-02 05:00:00", "9/2/2026": "2026-09-02 00:00:00",
    "09/02/2026": "2026-09-02 00:00:00", "9/2/26": "2026-09-02 00:00:00", "2026-09-02": "2026-09-02 00:00:00",
    "2026-09-02T05:00:00+02:00": "2026-09-02 03:00:00", "2026-09-02 05:00:00+00": "2026-09-02 05:00:00",
}  # fmt: skip


def test_every_way_that_bills_write_an_instant(mapped):
    frames = [_focus(ChargePeriodStart=text, ResourceId=text, raw_window="w") for text in INSTANTS]
    rows = mapped({"files__focus": frames}).rows(
        "select ResourceId, cast(ChargePeriodStart as varchar) as t from focus.focus_file_focus"
    )
    assert {r["ResourceId"]: r["t"] for r in rows} == INSTANTS


def test_every_focus_version_is_upgraded_without_inventing(mapped):
    parties = {"ServiceProviderName": "Anthropic", "HostProviderName": "AWS"}
    newest = {**parties, "ProviderName": None, "InvoiceDetailId": "line-1"}
    added = {"1.0": {}, "1.1": {}, "1.2": {}, "1.3": parties, "1.4": newest}
    frames = [_focus(focus_version_in=version, raw_window="w", **columns) for version, columns in added.items()]
    rows = mapped({"files__focus": frames}).rows("select * from focus.focus_file_focus order by x_FocusVersionIn")
    assert [r["x_FocusVersionIn"] for r in rows] == list(added)
    assert [r["ServiceProviderName"] for r in rows] == ["AWS", "AWS", "AWS", "Anthropic", "Anthropic"]
    assert [r["x_ProviderName"] for r in rows] == ["AWS", "AWS", "AWS", "AWS", None]
    assert [r["InvoiceDetailId"] for r in rows] == [None, None, None, None, "line-1"]
    assert all(r["ContractApplied"] is None and r["CommitmentProgramEligibilityDetails"] is None for r in rows)


def test_the_examples_of_the_specification_keep_their_money(mapped):
    """The 1.2 examples for spend agreements and virtual currency, the draft's corrections of a closed period and AI bills."""
    names = [
        "v1_2_virtual_currency_pricing_model_a1.csv", "v1_2_virtual_currency_pricing_model_a2.csv",
        "v1_2_virtual_currency_pricing_model_b1.csv", "v1_2_virtual_currency_pricing_model_b2.csv",
        "v1_2_saas_spend_agreements_a2.csv", "draft_1_4_correction_scenario_1_original.csv",
        "draft_1_4_correction_scenario_1_ledger.csv", "draft_1_5_ai_drawdown_via_prepayment.csv",
        "draft_1_5_ai_cached_tokens_via_marketplace.csv",
    ]  # fmt: skip
    rows = spec_examples(*names)
    warehouse = mapped({"files__focus": rows})
    assert warehouse.rows("select * from focus.focus_file_rejects") == []
    got = warehouse.rows(
        "select count(*) as n, sum(BilledCost) as billed, sum(EffectiveCost) as effective from focus.focus_file_focus"
    )
    assert got == [{"n": len(rows), "billed": money(rows, "BilledCost"), "effective": money(rows, "EffectiveCost")}]
    tokens = warehouse.rows(
        "select PricingCurrency, PricingCurrencyEffectiveCost as cost from focus.focus_file_focus"
        " where PricingCurrency = 'Token' order by 2"
    )
    assert [r["cost"] for r in tokens] == [Decimal(n) for n in (10, 10, 245, 245, 360, 360)]
    corrections = warehouse.rows(
        "select sum(BilledCost) as billed from focus.focus_file_focus"
        " where ChargeClass = 'Correction' and ChargePeriodEnd <= BillingPeriodStart"
    )
    assert corrections == [{"billed": Decimal(0)}]


def test_files_of_any_vendor_name_their_spend_source(mapped):
    vendors = {
        "a": ({"ServiceProviderName": "Pinecone", "ServiceName": "Pinecone Database"}, "ai_infrastructure"),
        "b": ({"ServiceProviderName": "MongoDB", "ServiceName": "MongoDB Atlas", "SkuMeter": "Atlas Vector Search nodes"}, "ai_infrastructure"),
        "c": ({"ServiceProviderName": "MongoDB", "ServiceName": "MongoDB Atlas", "SkuMeter": "M30 Cluster"}, "cloud"),
        "d": ({"ServiceProviderName": "Weaviate", "ServiceName": "Weaviate Cloud"}, "ai_infrastructure"),
        "e": ({"ProviderName": "CoreWeave", "ServiceName": "HGX Instances"}, "ai_infrastructure"),
        "f": ({"ProviderName": "AWS", "ServiceName": "AWS Lambda"}, "cloud"),
        "g": ({"ServiceProviderName": "Snowflake", "ServiceName": "Snowflake Cortex AI"}, "managed_ai_platform"),
        "h": ({"ServiceProviderName": "Snowflake", "ServiceName": "Snowflake Warehouse"}, "cloud"),
        "i": ({"ProviderName": "Databricks", "ServiceName": "Databricks", "SkuMeter": "PREMIUM_MODEL_SERVING"}, "managed_ai_platform"),
        "j": ({"ProviderName": "IBM", "ServiceName": "watsonx.ai Runtime"}, "managed_ai_platform"),
        "k": ({"ProviderName": "Alibaba Cloud", "ServiceName": "ECS", "BillingCurrency": "CNY"}, "cloud"),
    }  # fmt: skip
    other = {"ServiceCategory": "Compute", "InvoiceIssuerName": "x", "ProviderName": None}
    rows = [_focus(**{**other, "SkuId": key, **columns}) for key, (columns, _) in vendors.items()]
    found = mapped({"files__focus": rows}).rows(
        "select SkuId, x_SpendSource, BillingCurrency, ServiceProviderName as p from focus.focus_file_focus order by 1"
    )
    assert {r["SkuId"]: r["x_SpendSource"] for r in found} == {key: source for key, (_, source) in vendors.items()}
    assert found[-1]["BillingCurrency"] == "CNY" and found[4]["p"] == "CoreWeave"


def test_a_draft_older_than_1_0_has_its_costs_completed_and_its_corrections_linked(mapped):
    old = _focus(
        focus_version_in="0.5", ContractedCost=None, ProviderName="Oracle", ServiceName="Compute", RegionId="eu-frankfurt-1",
        BilledCost="-2.5", EffectiveCost="-2.5", ListCost="-3", x_extra='{"oci_BackReferenceNumber": "ref-0", "oci_OverageFlag": "N"}',
    )  # fmt: skip
    (row,) = mapped({"files__focus": [old]}).rows(
        "select ContractedCost, ListCost, RegionName, x_OriginChargeId, x_FocusVersionIn, x_NativeColumns->>'oci_OverageFlag' as flag"
        " from focus.focus_file_focus"
    )
    assert tuple(row.values()) == (Decimal("-2.5"), Decimal(-3), "eu-frankfurt-1", "ref-0", "0.5", "N")
