"""The bill of a second AWS payer, Orbit Labs, bought in September 2026: a CUR 2.0 export beside the first payer's FOCUS one.

Small, but with every kind of line that concerns AI: the routes by which Bedrock is billed, seats, GPUs, commitments, split
cost allocation, discounts. Money is whole 1e-8 USD until a line is written; then it is the nearest double, as in AWS's files.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox import bills, calendar
from sandbox.build import Company
from sandbox.company import PEOPLE, token
from sandbox.faults import Faults
from sandbox.s3 import BUCKET, Bucket
from sandbox.vendors.base import DayTruth, World, drawn, owned

ACCOUNT = "orbit"
VENDOR = "aws_cur"
PREFIX = "orbit-exports"
EXPORT = "orbit-cur"
ISSUER = "Amazon Web Services EMEA SARL"
PAYER, APPS, RESEARCH = "012345678901", "023456789012", "034567890123"
NAMES = {PAYER: "orbit-payer", APPS: "orbit-apps", RESEARCH: "orbit-research"}
TEAM_OF_ACCOUNT = {APPS: "brand-ai", RESEARCH: "data"}
ADOPTED = dt.date(2026, 9, 1)
# From this month on the export writes Parquet and overwrites its files; before, gzipped CSV in a folder per run.
PARQUET_FROM = dt.date(2026, 10, 1)
UNITS = 100_000_000  # 1e-8 USD in a dollar

ANN, BEN = PEOPLE[36], PEOPLE[33]
ANN_ROLE = f"arn:aws:sts::{APPS}:assumed-role/Engineer/{ANN.email}"
BEN_USER = f"arn:aws:iam::{APPS}:user/{BEN.github_login}"
AGENT_ROLE = f"arn:aws:sts::{APPS}:assumed-role/agent-runner"
API_KEY_USER = f"arn:aws:iam::{RESEARCH}:user/BedrockAPIKey-7f3a"
PROFILE = f"arn:aws:bedrock:us-east-1:{APPS}:application-inference-profile/brandprofile1"
SEAT_IDS = {p.person_id: f"d-9067f0{token('identity-center', p.person_id, 6)}" for p in (ANN, BEN)}
PLAN = f"arn:aws:savingsplans::{PAYER}:savingsplan/0f1e2d3c-orbit"
RESERVATION = f"arn:aws:rds:us-east-1:{PAYER}:ri:orbit-db"
PARENT = f"arn:aws:ec2:us-east-1:{APPS}:instance/i-0orbitcluster"


@dataclass(frozen=True)
class Meter:
    """A line that comes every day. `price` in 1e-8 USD per pricing unit; about `amount` thousandths of a unit a day."""

    code: str
    usage: str
    unit: str | None
    price: int
    amount: int
    account: str = APPS
    entity: str = "AWS"
    name: str = ""
    family: str = ""
    description: str = ""
    operation: str = "InvokeModelInference"
    resource: str = ""
    principal: str = ""
    product: dict[str, str] = field(default_factory=dict, hash=False)
    tags: dict[str, str] = field(default_factory=dict, hash=False)
    team: str | None = None


def _model(provider: str, model: str, feature: str = "On-demand Inference") -> dict[str, str]:
    return {"provider": provider, "model": model, "feature": feature}


def _meters() -> tuple[Meter, ...]:
    nova, sonnet = _model("Amazon", "Nova Lite"), _model("Anthropic", "Claude Sonnet 4.6")
    opus = _model("Anthropic", "Claude Opus 4.6")
    bedrock = {"family": "Amazon Bedrock"}
    ci = {**bedrock, "principal": BEN_USER, "team": BEN.team}
    agent = {**bedrock, "principal": f"{AGENT_ROLE}/6f0e-session", "team": "revenue-ai"}
    market = {**bedrock, "entity": "AWS Marketplace", "name": "Claude Opus 4.6 (Amazon Bedrock Edition)", "principal": ANN_ROLE,
              "team": ANN.team}  # fmt: skip
    opaque = "9q2orbitopaquecode"
    own = {**bedrock, "account": RESEARCH, "team": "data"}

    def listed(region: str, words: str) -> str:
        return f"AWS Marketplace software usage|{region}|Million {words}"

    return (
        Meter("AmazonBedrock", "USE1-NovaLite-input-tokens", "1K tokens", 6_000, 840_000, **ci, product=nova),
        Meter("AmazonBedrock", "USE1-NovaLite-output-tokens", "1K tokens", 24_000, 120_000, **ci, product=nova),
        Meter("AmazonBedrock", "USE1-NovaLite-cache-read-input-token-count", "1K tokens", 1_500, 400_000, **ci, product=nova),
        Meter("AmazonBedrock", "USE1-Nova2.0Lite-input-tokens-cross-region-global-batch", "1M tokens", 15_000_000, 8_500, **own,
              product=_model("Amazon", "Nova 2 Lite", "Batch Inference")),
        Meter("AmazonBedrock", "USE1-qwen.qwen3-32b-mantle-input-tokens-standard", "1K tokens", 15_000, 310_000, **own),
        Meter("AmazonBedrock", "USE1-qwen.qwen3-32b-mantle-output-tokens-flex", "1K tokens", 30_000, 60_000, **own),
        Meter("AmazonBedrock", "USE1-TitanEmbedV2-Text-input-tokens", "1K tokens", 2_000, 900_000, **own),
        Meter("AmazonBedrockService", "USE1-Claude4Sonnet-input-tokens-cross-region-global", "1K tokens", 300_000, 220_000, **agent),
        Meter("AmazonBedrockService", "USE1-Claude4Sonnet-output-tokens-cross-region-global", "1K tokens", 1_500_000, 31_000, **agent),
        Meter("AmazonBedrockService", "USE1-Claude4.6Sonnet-cache-read-input-token-count", "1K tokens", 30_000, 510_000, **agent,
              product=sonnet),
        Meter("AmazonBedrockService", "USE1-Claude4.6Sonnet-cache-write-input-token-count", "1K tokens", 375_000, 45_000, **agent,
              product=sonnet),
        Meter(opaque, "USE1-MP:USE1_InputTokenCount_Global-Units", "Units", 500_000_000, 1_250, **market, product=opus,
              description=listed("us-east-1", "Input Tokens Global")),
        Meter(opaque, "USE1-MP:USE1_OutputTokenCount_Global-Units", "Units", 2_500_000_000, 310, **market, product=opus,
              description=listed("us-east-1", "Output Tokens Global")),
        Meter(opaque, "USE1-MP:USE1_CacheReadInputTokenCount_Global-Units", "Units", 50_000_000, 4_200, **market, product=opus,
              description=listed("us-east-1", "Cache Read Input Tokens Global")),
        Meter(opaque, "USE1-MP:USE1_CacheWriteInputTokenCount_Global-Units", "Units", 625_000_000, 420, **market, product=opus,
              description=listed("us-east-1", "Cache Write Input Tokens Global")),
        Meter(opaque, "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", "Units", 1_000_000_000, 160, **market, product=opus,
              description=listed("us-east-1", "Cache Write 1h Input Tokens Global")),
        Meter(opaque, "USE1-MP:USE1_InputTokenCount_Batch-Units", "Units", 250_000_000, 900, **{**market, "team": "legal-ai"}, product=opus,
              resource=PROFILE, tags={"resourceTags/user:Team": "legal-ai"}, description=listed("us-east-1", "Batch Input Tokens")),
        # Newer lines of the same models: billed by AWS, and the unit stands in the description alone.
        Meter("AmazonBedrockFoundationModels", "USW2-MP:USW2_input_tokens_long_ctx_global_standard-Units", None, 600_000_000, 700,
              **bedrock, name="Claude Sonnet 4.6 (Amazon Bedrock Edition)", product=sonnet, principal=API_KEY_USER, account=RESEARCH,
              team="legal-ai", tags={"iamPrincipal/project": "northstar"},
              description=listed("us-west-2", "Input Tokens Long Context Global")),
        Meter(opaque, "USE1-MP:USE1_ProvisionedThroughput_1MonthCommit_ModelUnits_Usage-Units", "Units", 3_960_000_000, 1_000,
              **market, description="AWS Marketplace software usage|us-east-1|Model Unit Hours"),
        Meter("AmazonBedrockService", "USE1-Claude4.6Sonnet-reserved-1month-input-tpm", "TPM-Hours", 1_000, 240_000, **agent),
        Meter("AmazonBedrock", "USE1-Guardrail-ContentPolicyUnitsConsumed", "1K text units", 15_000_000, 1_100, **bedrock,
              operation="ApplyGuardrail", team="brand-ai"),
        Meter("AmazonBedrock", "USE1-cohere.rerank-english-v3-search-units", "1K queries", 200_000_000, 300, **own),
        Meter("AmazonBedrockAgentCore", "USE1-AgentCore-Runtime-Consumption-vCPU-Hours", "vCPU-Hours", 8_950_000, 14_000, **bedrock,
              operation="Runtime", team="brand-ai"),
        *(Meter("AmazonQ", "USE1-QDeveloperPro", "User-Month", 1_900_000_000, 30, operation="number-q-dev-subscriptions",
                resource=f"arn:aws:codewhisperer:us-east-1:{APPS}:user/{SEAT_IDS[p.person_id]}", team=p.team,
                tags={"userAttribute/costCenter": "CC-ORBIT"}) for p in (ANN, BEN)),
        Meter("AmazonQ", "USE1-Code-Transformation-LOC", "Lines", 300_000, 12_000, operation="CodeTransformation", team="brand-ai"),
        Meter("Kiro", "USE1-KiroEnterprise-ProPlus", "User-Month", 4_000_000_000, 30, operation="Subscription",
              resource=f"arn:aws:kiro:us-east-1:{APPS}:user/{SEAT_IDS[BEN.person_id]}", team=BEN.team),
        Meter("Kiro", "USE1-KiroEnterprise-Credits", "Credits", 4_000_000, 55_000, operation="Overage",
              resource=f"arn:aws:kiro:us-east-1:{APPS}:user/{SEAT_IDS[BEN.person_id]}", team=BEN.team),
        Meter("AmazonSageMaker", "USE1-Host:ml.g5.2xlarge", "Hrs", 151_500_000, 24_000, RESEARCH, operation="RunInstance", team="data"),
        Meter("AmazonSageMaker", "USE1-Notebk:ml.t3.medium", "Hrs", 5_000_000, 6_000, RESEARCH, operation="RunInstance", team="data"),
        Meter("AmazonEC2", "USE1-SpotUsage:g6.12xlarge", "Hrs", 180_000_000, 5_000, RESEARCH, operation="RunInstances:SV",
              resource=f"arn:aws:ec2:us-east-1:{RESEARCH}:instance/i-0orbitspot", team="data"),
        Meter("AmazonEC2", "USE1-BoxUsage:trn1.2xlarge", "Hrs", 134_380_000, 3_000, RESEARCH, operation="RunInstances", team="data"),
        Meter("AmazonEC2", "USE1-BoxUsage:c7g.4xlarge", "Hrs", 58_000_000, 24_000, operation="RunInstances", resource=PARENT,
              team="brand-ai"),
        Meter("AmazonS3", "USE1-TimedStorage-ByteHrs", "GB-Mo", 2_300_000, 31_000, operation="StandardStorage", team="brand-ai"),
        Meter("7vpineconecode", "USE1-MP:pinecone-usage-Units", "Units", 1_000_000, 210_000, entity="AWS Marketplace", team="brand-ai",
              name="Pinecone Vector Database", operation="Usage", description="AWS Marketplace software usage|us-east-1|Usage units"),
    )  # fmt: skip


METERS = _meters()

COLUMNS = (
    "bill_bill_type", "bill_billing_entity", "bill_billing_period_end_date", "bill_billing_period_start_date", "bill_invoice_id",
    "bill_invoicing_entity", "bill_payer_account_id", "cost_category", "discount", "identity_line_item_id", "identity_time_interval",
    "line_item_currency_code", "line_item_iam_principal", "line_item_legal_entity", "line_item_line_item_description",
    "line_item_line_item_type", "line_item_net_unblended_cost", "line_item_operation", "line_item_product_code",
    "line_item_resource_id", "line_item_tax_type", "line_item_unblended_cost", "line_item_unblended_rate",
    "line_item_usage_account_id", "line_item_usage_account_name", "line_item_usage_amount", "line_item_usage_end_date",
    "line_item_usage_start_date", "line_item_usage_type", "pricing_public_on_demand_cost", "pricing_public_on_demand_rate",
    "pricing_rate_code", "pricing_term", "pricing_unit", "product", "product_pricing_unit", "product_product_family",
    "product_region_code", "product_sku", "reservation_effective_cost", "reservation_reservation_a_r_n",
    "reservation_unused_amortized_upfront_fee_for_billing_period", "reservation_unused_recurring_fee", "resource_tags",
    "savings_plan_savings_plan_a_r_n", "savings_plan_savings_plan_effective_cost", "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment", "split_line_item_parent_resource_id", "split_line_item_split_cost",
    "split_line_item_unused_cost", "tags",
)  # fmt: skip
_DOUBLES = tuple(
    c for c in COLUMNS
    if c.endswith(("_cost", "_amount", "_fee", "_commitment", "_to_date", "_for_billing_period"))
)  # fmt: skip
_MAPS = ("cost_category", "product", "resource_tags", "tags")
_TIMES = tuple(c for c in COLUMNS if c.endswith("_date") and not c.endswith("_to_date"))


def _type(column: str) -> pa.DataType:
    if column in _DOUBLES:
        return pa.float64()
    if column in _TIMES:
        return pa.timestamp("ms", tz="UTC")
    if column in _MAPS:
        return pa.map_(pa.string(), pa.string())
    return pa.map_(pa.string(), pa.float64()) if column == "discount" else pa.string()


SCHEMA = pa.schema([(c, _type(c)) for c in COLUMNS])


@dataclass(frozen=True)
class Line:
    """A line of the report as columns, what it adds to the bill (1e-8 USD) and the team that caused it."""

    day: dt.date
    columns: dict[str, Any]
    billed: int
    team: str | None


def _line(day: dt.date, kind: str, account: str, cost: int, team: str | None, **columns: Any) -> Line:
    month, after = calendar.month_start(day), calendar.next_month(day)
    end = day + dt.timedelta(days=1)
    row: dict[str, Any] = {c: {} if c in (*_MAPS, "discount") else None for c in COLUMNS}
    row |= {
        "bill_bill_type": "Anniversary", "bill_billing_entity": "AWS", "bill_invoicing_entity": ISSUER, "bill_payer_account_id": PAYER,
        "bill_billing_period_start_date": calendar.midnight(month), "bill_billing_period_end_date": calendar.midnight(after),
        "identity_time_interval": f"{day}T00:00:00Z/{end}T00:00:00Z", "line_item_currency_code": "USD",
        "line_item_legal_entity": ISSUER, "line_item_line_item_type": kind, "line_item_usage_account_id": account,
        "line_item_usage_account_name": NAMES[account], "line_item_usage_start_date": calendar.midnight(day),
        "line_item_usage_end_date": calendar.midnight(end), "line_item_unblended_cost": cost / UNITS,
        # Every list price minus 3 per cent of the agreement, which is a line of its own where nothing is net.
        "line_item_net_unblended_cost": round(cost * 97 / 100) / UNITS if kind == "Usage" else 0.0,
    }  # fmt: skip
    return Line(day, row | columns, cost, team)


def _rate(price: int) -> str:
    return f"{price // UNITS}.{price % UNITS:08d}"


def _priced(price: int, thousandths: int, cost: int) -> dict[str, Any]:
    return {
        "line_item_usage_amount": thousandths / 1000, "line_item_unblended_rate": _rate(price), "pricing_term": "OnDemand",
        "pricing_public_on_demand_rate": _rate(price), "pricing_public_on_demand_cost": cost / UNITS,
    }  # fmt: skip


def _metered(company: Company, day: dt.date, number: int, factor: int) -> Line:
    meter = METERS[number]
    permille = drawn(company, f"aws-cur-{day}-{number}", 700, 1300) * (400 if day.weekday() >= 5 else 1000) // 1000
    # In hundredths of a unit price x amount is whole 1e-8 USD.
    amount = max(1, meter.amount * permille // 1000 * factor // 10_000) * 10
    cost, rest = divmod(meter.price * amount, 1000)
    assert rest == 0
    sku = token("cur-sku", meter.usage + meter.code, 16).upper()
    product = meter.product | ({"product_name": meter.name} if meter.name else {})
    if meter.product:
        product["inference_type"] = "Output tokens" if "output" in meter.usage.lower() else "Input tokens"
    return _line(
        day, "Usage", meter.account, cost, meter.team, **_priced(meter.price, amount, cost), bill_billing_entity=meter.entity,
        line_item_product_code=meter.code, line_item_usage_type=meter.usage, line_item_operation=meter.operation, pricing_unit=meter.unit,
        line_item_line_item_description=meter.description or f"${_rate(meter.price)} per {meter.unit} for {meter.usage}",
        line_item_resource_id=meter.resource or None, line_item_iam_principal=meter.principal or None, product=product,
        product_product_family=meter.family or None, product_region_code="us-west-2" if meter.usage.startswith("USW2") else "us-east-1",
        product_sku=sku, pricing_rate_code=f"{sku}.JRTCKXETXF.6YS6EN2CT7", tags=meter.tags,
        resource_tags={"user_team": tagged} if (tagged := meter.tags.get("resourceTags/user:Team")) else {},
    )  # fmt: skip


def _committed(day: dt.date) -> Iterator[Line]:
    """A savings plan with a covered instance and a rest, and a reserved database: 24 hours each."""
    hours, listed, covered, hourly = 24_000, 20_000_000, 13_000_000, 15_000_000
    plan = {"savings_plan_savings_plan_a_r_n": PLAN, "line_item_product_code": "AmazonEC2", "product_region_code": "us-east-1"}
    box = {"line_item_usage_type": "USE1-BoxUsage:m6i.xlarge", "line_item_operation": "RunInstances", "pricing_unit": "Hrs",
           "product_sku": "ORBITM6I", "pricing_rate_code": "ORBITM6I.JRTCKXETXF.6YS6EN2CT7"}  # fmt: skip
    gross = listed * hours // 1000
    yield _line(day, "SavingsPlanCoveredUsage", APPS, gross, "brand-ai", **plan, **box, **_priced(listed, hours, gross),
                savings_plan_savings_plan_effective_cost=covered * 24 / UNITS)  # fmt: skip
    yield _line(day, "SavingsPlanNegation", APPS, -gross, "brand-ai", **plan, line_item_line_item_description="SavingsPlanNegation")
    fee = hourly * 24
    yield _line(day, "SavingsPlanRecurringFee", PAYER, fee, None, **{**plan, "line_item_product_code": "ComputeSavingsPlans"},
                line_item_usage_type="ComputeSP:1yrNoUpfront", pricing_unit="Hrs", product_sku="ORBITSP", pricing_rate_code="ORBITSP.1",
                line_item_usage_amount=24.0, line_item_unblended_rate=_rate(hourly), savings_plan_total_commitment_to_date=fee / UNITS,
                savings_plan_used_commitment=covered * 24 / UNITS)  # fmt: skip
    database = {"line_item_product_code": "AmazonRDS", "reservation_reservation_a_r_n": RESERVATION, "product_region_code": "us-east-1",
                "line_item_usage_type": "USE1-InstanceUsage:db.r6g.large", "pricing_unit": "Hrs", "product_sku": "ORBITRDS",
                "pricing_rate_code": "ORBITRDS.1"}  # fmt: skip
    yield _line(day, "DiscountedUsage", APPS, 0, "brand-ai", **database, line_item_operation="CreateDBInstance",
                line_item_usage_amount=24.0, line_item_unblended_rate="0.0", pricing_public_on_demand_rate="0.225",
                pricing_public_on_demand_cost=5.4, reservation_effective_cost=3.6)  # fmt: skip
    yield _line(day, "RIFee", PAYER, 360_000_000, None, **database, line_item_usage_amount=24.0, line_item_unblended_rate="0.15",
                reservation_unused_amortized_upfront_fee_for_billing_period=0.0, reservation_unused_recurring_fee=0.0)  # fmt: skip


def _shared_out(day: dt.date) -> Iterator[Line]:
    """Split cost allocation: the cluster's instance again, by task; the instance's own line has the whole cost."""
    for task in ("web", "agents"):
        yield _line(day, "Usage", APPS, 0, "brand-ai", line_item_product_code="AmazonEC2", line_item_operation="ECSTask-EC2",
                    line_item_usage_type="USE1-ECS-EC2-vCPU-Hours", line_item_resource_id=f"arn:aws:ecs:us-east-1:{APPS}:task/{task}",
                    line_item_usage_amount=24.0, pricing_unit="vCPU-Hours", split_line_item_parent_resource_id=PARENT,
                    split_line_item_split_cost=5.1, split_line_item_unused_cost=1.4, product_sku=f"SPLIT{task.upper()}")  # fmt: skip


def _day(company: Company, day: dt.date, factor: int) -> Iterator[Line]:
    for number in range(len(METERS)):
        yield _metered(company, day, number, factor)
    yield from _committed(day)
    yield from _shared_out(day)
    yield _line(day, "EdpDiscount", PAYER, -25_000_000, None, line_item_product_code="AmazonEC2",
                line_item_line_item_description="Enterprise discount program discount")  # fmt: skip
    if day.day == 5:
        yield _line(day, "Credit", PAYER, -4_000_000_000, None, line_item_product_code="AmazonBedrock",
                    line_item_line_item_description="AWS Activate credit")  # fmt: skip
    if day.day == 9:
        yield _line(day, "Refund", PAYER, -120_000_000, None, line_item_product_code="AmazonSageMaker",
                    line_item_line_item_description="Refund of an outage")  # fmt: skip


def month_lines(company: Company, month: dt.date, clock: dt.datetime, faults: Faults) -> list[Line]:
    """Lines of a billing month as the export has them at `clock`. The invoice id appears on the 4th of the next month."""
    lines = [
        line
        for day in company.days
        if ADOPTED <= day < clock.date() and calendar.month_start(day) == month
        for line in _day(company, day, faults.restatement(VENDOR, day))
    ]
    invoiced = clock.date() >= calendar.next_month(month) + dt.timedelta(days=3)
    wrong_unit = faults.find("wrong_unit", VENDOR)
    for number, line in enumerate(lines):
        line.columns["bill_invoice_id"] = f"EUINGB26-{month:%m}-0451" if invoiced else None
        # AWS gives every line another id with each refresh.
        line.columns["identity_line_item_id"] = token("cur-line", f"{clock.isoformat()}-{number}", 40)
        if wrong_unit:
            line.columns.update(_other_scale(line.columns, wrong_unit))
    return lines


def _other_scale(columns: dict[str, Any], fault: dict[str, Any]) -> dict[str, Any]:
    """The unit of token lines said a thousand times too large, or with `too_small` of the marketplace's too small."""
    thousands, millions = columns["pricing_unit"] == "1K tokens", "Million" in (columns["line_item_line_item_description"] or "")
    text = columns["line_item_line_item_description"] or ""
    if thousands and not fault.get("too_small"):
        return {"pricing_unit": "1M tokens", "line_item_line_item_description": text.replace("1K tokens", "1M tokens")}
    if millions and fault.get("too_small"):
        return {"pricing_unit": "1K tokens", "line_item_line_item_description": text.replace("Million", "Thousand")}
    return {}


def as_csv(rows: list[dict[str, Any]], columns: tuple[str, ...] = COLUMNS) -> bytes:
    """Gzipped CSV as AWS writes it: byte order mark, maps as JSON, times with milliseconds, nothing as an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[c]) for c in columns])
    return gzip.compress(out.getvalue().encode("utf-8-sig"), mtime=0)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return json.dumps(value) if isinstance(value, dict) else str(value)


def as_parquet(rows: list[dict[str, Any]], columns: tuple[str, ...] = COLUMNS) -> bytes:
    """Parquet with maps and timestamps."""
    arrays = []
    for name in columns:
        values = [row[name] for row in rows]
        if pa.types.is_map(SCHEMA.field(name).type):
            values = [list(v.items()) for v in values]
        arrays.append(pa.array(values, type=SCHEMA.field(name).type))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), out, compression="snappy")
    return out.getvalue()


def months(company: Company) -> list[dt.date]:
    """First days of the billing months of the account, oldest first."""
    return sorted({calendar.month_start(d) for d in company.days if d >= ADOPTED})


def deliver(world: World, folder: Path, bucket: Bucket) -> None:
    """Write each month's newest files and its manifest; a month in CSV keeps an older run beside, a later one is overwritten."""
    _accounts_file(folder).write_text(ACCOUNTS)
    for month in months(world.company):
        if world.clock.date() <= max(month, world.company.days[0], ADOPTED):
            bucket.remove(f"{PREFIX}/{EXPORT}/metadata/{_partition(month)}/")
            bucket.shown.pop((EXPORT, month), None)
            continue
        closed = calendar.midnight(calendar.next_month(month) + dt.timedelta(days=15))
        clock = min(world.clock, closed)
        state = (clock, json.dumps(world.faults.concerning(VENDOR), sort_keys=True))
        if bucket.shown.get((EXPORT, month)) == state:
            continue
        bucket.shown[EXPORT, month] = state
        if month < PARQUET_FROM:
            earlier = month_lines(world.company, month, clock - dt.timedelta(days=1), world.faults)
            if earlier:
                _put_run(bucket, month, clock - dt.timedelta(days=1), earlier)
        lines = month_lines(world.company, month, clock, world.faults)
        files = _put_run(bucket, month, clock, lines)
        if world.faults.find("missing_page", VENDOR):
            files = files[:-1] or files
        if world.faults.find("doubled_page", VENDOR):
            files = [files[0], *files]
        # What AWS says of the columns here is not documented: this export says nothing.
        mark = token("cur-execution", "".join(bucket.tag(file) for file in files), 8)
        manifest = {"exportName": EXPORT, "executionId": f"{calendar.iso(clock)}-{mark}", "dataFiles": files}
        key = f"{PREFIX}/{EXPORT}/metadata/{_partition(month)}/{EXPORT}-Manifest.json"
        bucket.put(key, json.dumps(manifest, indent=1).encode())


def _partition(month: dt.date) -> str:
    return f"{'billing_period' if month < PARQUET_FROM else 'BILLING_PERIOD'}={month:%Y-%m}"


def _put_run(bucket: Bucket, month: dt.date, clock: dt.datetime, lines: list[Line]) -> list[str]:
    rows = [line.columns for line in lines]
    half = (len(rows) + 1) // 2
    chunks = [rows[:half], rows[half:]] if len(rows) > 1 else [rows]
    run = "" if month >= PARQUET_FROM else f"{clock:%Y-%m-%dT%H_%M_%S}.000Z-{token('cur-run', clock.isoformat(), 8)}/"
    urls = []
    for number, chunk in enumerate(chunks, start=1):
        name = f"{EXPORT}-{number:05d}"
        key = f"{PREFIX}/{EXPORT}/data/{_partition(month)}/{run}{name}{'.csv.gz' if run else '.snappy.parquet'}"
        bucket.put(key, as_csv(chunk) if run else as_parquet(chunk))
        urls.append(f"s3://{BUCKET}/{key}")
    return urls


ACCOUNTS = f"""# The company has two payers at AWS. Bucket and keys are those of the AISL_AWS_* variables.
[[account]]
source = "aws"
name = "default"

[[account]]
source = "aws"
name = "{ACCOUNT}"
options = {{ prefix = "{PREFIX}", export = "{EXPORT}", iam_principal = "required" }}
"""


def _accounts_file(folder: Path) -> Path:
    return folder.parent / "accounts.toml"


def environment(folder: Path, bucket: Bucket) -> dict[str, str]:
    """Both payers as accounts of the source."""
    return {"AISL_ACCOUNTS_FILE": str(_accounts_file(folder))}


def ownership() -> list[dict[str, str]]:
    """Accounts, the agent's role, and the project that principals are tagged with."""
    return [
        *(owned("aws", "sub_account", account, team) for account, team in TEAM_OF_ACCOUNT.items()),
        owned("aws", "api_key", AGENT_ROLE, "revenue-ai", "sales-research-agent"),
        owned("aws", "tag", "iamPrincipal/project=northstar", "legal-ai"),
    ]


def identities() -> list[tuple[str, str, str]]:
    """An IAM user and the users of seats; sessions carry e-mail addresses, which everyone has."""
    return [
        (BEN.person_id, "aws_principal", BEN_USER),
        *((person, "aws_principal", seat) for person, seat in SEAT_IDS.items()),
    ]


def truth(company: Company) -> Iterator[DayTruth]:
    """What each day cost by the team that caused it."""
    for day in company.days:
        if day < ADOPTED:
            continue
        sums: dict[str | None, int] = {}
        for line in _day(company, day, 1000):
            sums[line.team] = sums.get(line.team, 0) + line.billed
        for team, units in sorted(sums.items(), key=lambda item: item[0] or ""):
            yield DayTruth("aws", ACCOUNT, day, "USD", bills.decimal_text(units, 8), team=team, issuer=ISSUER)
