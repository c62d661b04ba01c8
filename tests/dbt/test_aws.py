"""The AWS exports become FOCUS rows: CUR 2.0 to the digit, Bedrock on every billing route, seats, GPUs, commitments."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal

import polars as pl
import pytest

from ingestion.clouds import aws
from sandbox.build import Company
from sandbox.exports import aws_cur
from sandbox.faults import Faults
from tests.dbt.conftest import Warehouse, statuses

D = Decimal
SCALE = "bedrock_tokens_cost_about_their_list_price"
DAY = dt.date(2026, 9, 9)
NOW = dt.datetime(2026, 9, 10, 6, tzinfo=dt.UTC)
CONTROL = ("focus_aws_charges", "focus_file_rejects")


def day_of_the_sandbox(clock=NOW, *faults):
    """The account's lines of one day, and the same as landed rows."""
    nothing = pl.DataFrame()
    company = Company(seed=1, scale=1.0, days=[DAY], plan=None, log=nothing, usage=nothing, outside=nothing)  # type: ignore[arg-type]
    lines = aws_cur.month_lines(company, DAY.replace(day=1), clock, Faults(list(faults)))
    batch = aws.read_file(aws.CUR_EXPORT, "x.parquet", aws_cur.as_parquet([line.columns for line in lines]))
    assert not batch.rejects
    return lines, batch.records.with_columns(raw_window=pl.lit("2026-09")).to_dicts()


def price(model, meter, usd):
    return {
        "provider_id": "aws", "model_id": model, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
        "price_usd_per_million": usd, "effective_from": "2025-01-01", "package_version": "test", "raw_window": "2026-11-20",
    }  # fmt: skip


PRICES = [
    price("amazon.nova-lite-v1:0", "input", "0.06"), price("amazon.nova-lite-v1:0", "output", "0.24"),
    price("amazon.nova-lite-v1:0", "cache_read", "0.015"), price("global.amazon.nova-2-lite-v1:0", "input", "0.3"),
    price("regional.anthropic.claude-opus-4-6-v1:0", "input", "5.5"), price("global.anthropic.claude-opus-4-6-v1:0", "input", "5"),
    price("regional.anthropic.claude-opus-4-6-v1:0", "output", "27.5"),
]  # fmt: skip


def older(usage_type, unit, description="", **columns):
    """A Bedrock line as it was before July 2026: no product map, no principal, no net cost."""
    return {
        "payer_account_id": "000111222333", "billing_period_start": "2026-05-01T00:00:00.000Z", "currency_code": "USD",
        "billing_period_end": "2026-06-01T00:00:00.000Z", "usage_start": "2026-05-04T00:00:00.000Z",
        "usage_end": "2026-05-05T00:00:00.000Z", "line_item_type": "Usage", "product_code": "AmazonBedrock", "usage_amount": "2",
        "unblended_cost": "1", "unblended_rate": "0.5", "usage_type": usage_type, "pricing_unit": unit,
        "line_item_description": description, "sku": usage_type, "rate_code": f"{usage_type}.T.R", "raw_window": "2026-05", **columns,
    }  # fmt: skip


MARKET = {"product_code": "7qopaque", "product_name": "Claude Opus 4.6 (Amazon Bedrock Edition)", "billing_entity": "AWS Marketplace"}
# usage type, unit, description, other columns → token meter, tier, model, quantity, unit
ROUTES = [
    (older("USE1-NovaLite-input-tokens", "1K tokens"), "input", "standard", "nova-lite", "2000", "Tokens"),
    (older("USE1-NovaLite-input-tokens", "1M tokens"), "input", "standard", "nova-lite", "2000000", "Tokens"),
    (older("USE1-Nova2.0Lite-input-tokens-cross-region-global-batch", None, "$0.15 per 1M tokens, batch"), "input", "batch",
     "nova-2-lite", "2000000", "Tokens"),
    # AWS reads its own bill so: a description that says millions wins.
    (older("USE1-NovaLite-output-tokens", "1K tokens", "$0.24 per Million output tokens"), "output", "standard", "nova-lite",
     "2000000", "Tokens"),
    (older("EU-Claude3-5Haiku-input-tokens-latency-optimized", None, "per 1,000 input tokens"), "input", "latency_optimized",
     "claude-3-5-haiku", "2000", "Tokens"),
    (older("USE1-anthropic.claude-sonnet-4-6-mantle-output-tokens-priority", "1K tokens"), "output", "priority",
     "claude-sonnet-4-6", "2000", "Tokens"),
    (older("USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", "Units", **MARKET), "cache_write_1h", "standard",
     "claude-opus-4-6", "2000000", "Tokens"),
    (older("USE1-MP:USE1_cache_write_input_tokens_global_standard-Units", "Units", **MARKET), "cache_write_5m", "standard",
     "claude-opus-4-6", "2000000", "Tokens"),
    (older("USE1-MP:USE1_cacheread_Input-Units", None, "AWS Marketplace software usage|us-east-1|Units", **MARKET), "cache_read",
     "standard", "claude-opus-4-6", "2000000", "Tokens"),
    # A unit that nobody says is not guessed from the size of the number.
    (older("USE1-NovaPro-input-tokens", None, "tokens"), "input", "standard", "nova-pro", None, None),
    (older("USE1-NovaPro-input-tokens", "bushels"), "input", "standard", "nova-pro", "2", "bushels"),
    (older("USE1-MP:USE1_ProvisionedThroughput_6MonthCommit_ModelUnits-Units", "Units", **MARKET), None, None, "claude-opus-4-6",
     "2", "Units"),
    (older("USE1-Claude4Sonnet-reserved-1month-output-tpm", "TPM-Hours"), None, None, "claude-sonnet-4", "2", "TPM-Hours"),
    (older("USE1-NovaCanvas-T2I-1024-Standard", "images"), None, None, None, "2", "images"),
    (older("USE1-NovaLite-Customization-Training", "1K tokens"), None, None, "nova-lite", "2", "1K tokens"),
    (older("USE1-CustomModelImport-CMU", "minutes"), None, None, None, "2", "minutes"),
]  # fmt: skip


def _focus(**columns):
    return {
        "BilledCost": "3", "EffectiveCost": "3", "ListCost": "3", "ContractedCost": "3", "BillingCurrency": "USD",
        "BillingAccountId": "000111222333", "BillingPeriodStart": "2026-09-01 00:00:00", "BillingPeriodEnd": "2026-10-01 00:00:00",
        "ChargePeriodStart": "2026-09-02 00:00:00", "ChargePeriodEnd": "2026-09-03 00:00:00", "ChargeCategory": "Usage",
        "ProviderName": "AWS", "InvoiceIssuerName": "Amazon Web Services, Inc.", "SkuId": "s", "SkuPriceId": "s.1", **columns,
    }  # fmt: skip


# The same in the columns of 1.0 and of 1.2: the first says the usage type in a column of its own.
FOCUS_ROWS = [
    _focus(focus_version_in="1.0", ServiceName="Amazon Elastic Compute Cloud", ServiceCategory="Compute", ConsumedQuantity="3",
           ConsumedUnit="Hrs", x_extra='{"x_UsageType":"USE1-BoxUsage:p5.48xlarge","x_ServiceCode":"AmazonEC2"}'),
    _focus(focus_version_in="1.0", ServiceName="Amazon Bedrock", ServiceCategory="AI and Machine Learning", ConsumedQuantity="3",
           ConsumedUnit="1K tokens", x_extra='{"x_UsageType":"USE1-NovaLite-output-tokens","x_ServiceCode":"AmazonBedrock"}'),
    _focus(focus_version_in="1.2", ServiceName="Kiro", ServiceCategory="AI and Machine Learning", ConsumedQuantity="3",
           ConsumedUnit="Credits", SkuMeter="USE1-KiroEnterprise-Credits", x_extra='{"x_ServiceCode":"Kiro"}',
           ResourceId=f"arn:aws:kiro:us-east-1:1:user/{aws_cur.SEAT_IDS['p037']}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A day of the sandbox, older lines and FOCUS rows as charges, with the status of every test."""
    path = tmp_path_factory.mktemp("aws") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    lines, rows = day_of_the_sandbox()
    frames = {
        "aws__cur_export": [*rows, *(row for row, *_ in ROUTES)],
        "aws__focus_export": FOCUS_ROWS,
        "prices__genai_prices": PRICES,
    }
    warehouse = Warehouse(path, project).land(frames)
    warehouse.build("+focus_cost_and_usage", "focus_file_rejects", "+int_price", full_refresh=True)
    result = warehouse.build("path:models/staging/aws", tests=True)
    return warehouse, lines, statuses(result)


def test_a_day_is_booked_to_the_digit_and_split_cost_allocation_is_not(built):
    warehouse, lines, found = built
    assert set(found.values()) <= {"success", "pass"}
    assert warehouse.rows("select * from focus.focus_file_rejects") == []
    got = warehouse.rows(
        "select count(*) as n, sum(BilledCost) as billed, sum(EffectiveCost) as effective, sum(x_BilledCostRemainder) as rest,"
        " count(distinct x_charge_id) as ids from focus.focus_cost_and_usage where charge_date = ?", DAY
    )  # fmt: skip
    cost = D(sum(line.billed for line in lines)) / aws_cur.UNITS
    split = [line for line in lines if line.columns["line_item_operation"] == "ECSTask-EC2"]
    assert len(split) == 2 and all(line.columns["split_line_item_split_cost"] for line in split)
    charges = len(lines) - len(split) + 1  # the unused part of the savings plan is a row of its own
    # Cash and accrual agree on a day whose commitments are bought by the hour.
    assert got == [{"n": charges, "billed": cost, "effective": cost, "rest": 0, "ids": charges}]
    seen = warehouse.rows("select count(*) as n from staging.stg_aws__cur_export where usage_start::date = ?", DAY)
    assert seen == [{"n": len(lines)}]


def test_commitments_are_amortised(built):
    warehouse, *_ = built
    rows = warehouse.rows(
        "select ChargeCategory, CommitmentDiscountStatus as status, BilledCost, EffectiveCost, ListCost from focus.focus_aws_charges"
        " where CommitmentDiscountId is not null order by CommitmentDiscountId, ChargeCategory, status nulls first"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("Purchase", None, D("3.6"), D(0), D("3.6")),
        ("Usage", "Used", D(0), D("3.6"), D("5.4")),
        ("Adjustment", None, D(0), D(0), D("-4.8")),
        ("Purchase", None, D("3.6"), D(0), D("3.6")),
        ("Usage", "Unused", D(0), D("0.48"), D(0)),
        ("Usage", "Used", D(0), D("3.12"), D("4.8")),
    ]


def test_every_billing_route_gives_model_meter_tier_and_tokens(built):
    warehouse, *_ = built
    rows = warehouse.rows(
        "select SkuMeter, x_TokenMeter, x_ServiceTier, x_ModelId, cast(cast(ConsumedQuantity as bigint) as varchar) as q, ConsumedUnit,"
        " ChargeDescription as text, x_SpendSource, ServiceCategory from focus.focus_aws_charges where charge_date = date '2026-05-04'"
    )
    got = sorted((r["SkuMeter"], r["text"], *list(r.values())[1:6]) for r in rows)
    assert [tuple(map(str, r)) for r in got] == sorted(
        tuple(map(str, (row["usage_type"], row["line_item_description"], *expected))) for row, *expected in ROUTES
    )
    assert {(r["x_SpendSource"], r["ServiceCategory"]) for r in rows} == {("managed_ai_platform", "AI and Machine Learning")}


def _of(warehouse, meter, columns):
    (row,) = warehouse.rows(f"select distinct {columns} from focus.focus_aws_charges where charge_date = ? and SkuMeter = ?", DAY, meter)
    return tuple(row.values())


def test_lines_of_today_say_who_called_and_what_they_are_tagged_with(built):
    warehouse, *_ = built
    who = "x_PrincipalId, x_CredentialId, Tags"
    engineer = "arn:aws:sts::023456789012:assumed-role/Engineer"
    assert _of(warehouse, "USE1-MP:USE1_OutputTokenCount_Global-Units", who) == (aws_cur.ANN.email, engineer, None)
    assert _of(warehouse, "USE1-MP:USE1_InputTokenCount_Batch-Units", who) == (
        aws_cur.ANN.email, engineer, '{"user:Team":"legal-ai","user:team":"legal-ai"}',
    )  # fmt: skip
    assert _of(warehouse, "USE1-NovaLite-output-tokens", who) == (aws_cur.BEN_USER, aws_cur.BEN_USER, None)
    assert _of(warehouse, "USE1-Claude4Sonnet-output-tokens-cross-region-global", who) == (
        f"{aws_cur.AGENT_ROLE}/6f0e-session", aws_cur.AGENT_ROLE, None,
    )  # fmt: skip
    assert _of(warehouse, "USW2-MP:USW2_input_tokens_long_ctx_global_standard-Units", f"{who}, x_ContextWindow, x_ModelId") == (
        aws_cur.API_KEY_USER, aws_cur.API_KEY_USER, '{"iamPrincipal/project":"northstar"}', "long", "claude-sonnet-4-6",
    )  # fmt: skip
    assert _of(warehouse, "USE1-AgentCore-Runtime-Consumption-vCPU-Hours", "x_ModelId, x_SpendSource") == (None, "managed_ai_platform")


def test_the_five_spend_sources_seats_and_gpu_hours(built):
    warehouse, *_ = built
    rows = warehouse.rows(
        "select SkuMeter, x_SpendSource as kind, json_extract_string(SkuPriceDetails, '$.x_Accelerator') as chip,"
        " cast(json_extract_string(x_NativeColumns, '$.x_AcceleratorHours') as double) / cast(ConsumedQuantity as double) as per_hour"
        " from focus.focus_aws_charges where ServiceCategory <> 'AI and Machine Learning' or ServiceName in ('Amazon SageMaker', 'Amazon Q', 'Kiro')"
    )
    found = {r["SkuMeter"]: (r["kind"], r["chip"], r["per_hour"]) for r in rows if r["SkuMeter"]}
    gpu, none = "ai_infrastructure", (None, None)
    assert {meter: found[meter] for meter in found if found[meter][0] != "cloud"} == {
        "USE1-SpotUsage:g6.12xlarge": (gpu, "NVIDIA L4", 4.0), "USE1-BoxUsage:trn1.2xlarge": (gpu, "AWS Trainium", 1.0),
        "USE1-Host:ml.g5.2xlarge": (gpu, "NVIDIA A10G", 1.0), "USE1-Notebk:ml.t3.medium": (gpu, *none),
        "USE1-MP:pinecone-usage-Units": (gpu, *none), "USE1-QDeveloperPro": ("developer_ai_tool", *none),
        "USE1-Code-Transformation-LOC": ("developer_ai_tool", *none), "USE1-KiroEnterprise-ProPlus": ("developer_ai_tool", *none),
        "USE1-KiroEnterprise-Credits": ("developer_ai_tool", *none),
    }  # fmt: skip
    seats = warehouse.rows(
        "select distinct x_PrincipalId as who from focus.focus_aws_charges where ServiceName in ('Amazon Q', 'Kiro')"
        " and x_Dataset = 'cur_export' and SkuMeter not like '%Transformation%' order by 1"
    )
    assert [s["who"] for s in seats] == sorted(aws_cur.SEAT_IDS.values())


def test_focus_1_0_and_1_2_say_the_same(built):
    warehouse, *_ = built
    rows = warehouse.rows(
        "select x_FocusVersionIn as version, x_SpendSource as kind, x_TokenMeter as meter, cast(ConsumedQuantity as int) as q,"
        " json_extract_string(x_NativeColumns, '$.x_AcceleratorHours') as gpu_hours, x_PrincipalId as who"
        " from focus.focus_aws_charges where x_Dataset = 'focus_export' order by 1, 2"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("1.0", "ai_infrastructure", None, 3, "24.000000000000", None),
        ("1.0", "managed_ai_platform", "output", 3000, None, None),
        ("1.2", "developer_ai_tool", None, 3, None, aws_cur.SEAT_IDS["p037"]),
    ]


def test_a_refresh_with_other_line_ids_keeps_the_charges(raw_warehouse):
    ids = []
    for clock in (NOW, NOW + dt.timedelta(hours=8)):
        _, rows = day_of_the_sandbox(clock)
        ids.append(([r["line_item_id"] for r in rows], rows))
    assert set(ids[0][0]).isdisjoint(ids[1][0])
    seen = []
    for _, rows in ids:
        warehouse = raw_warehouse({"aws__cur_export": rows}, scope=[])
        warehouse.build("stg_aws__cur_export")
        seen.append(warehouse.rows("select charge_id from staging.stg_aws__cur_export order by 1"))
    assert seen[0] == seen[1]


WRONG = {"kind": "wrong_unit", "vendor": "aws_cur"}
SCALES = {
    "as delivered": ([], "pass"), "thousands read as millions": ([WRONG], "fail"),
    "millions read as thousands": ([{**WRONG, "too_small": True}], "fail"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCALES)
def test_tokens_on_the_wrong_scale_stop_the_run(built, case):
    """Price x amount stays right whatever the unit is called, so only the list price of the model can tell."""
    warehouse, *_ = built
    faults, expected = SCALES[case]
    _, rows = day_of_the_sandbox(NOW, *faults)
    warehouse.land({"aws__cur_export": rows, "prices__genai_prices": PRICES})
    warehouse.build("stg_aws__cur_export", "stg_aws__focus_export", "int_focus_scope", "int_booked_charge")
    found = statuses(warehouse.build(SCALE, tests=True))
    assert found == {SCALE: expected}
