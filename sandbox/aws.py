"""The AWS bill: ordinary services, GPU instances, a savings plan, Bedrock, support, tax and a credit, as FOCUS 1.2 rows.

Money is whole 1e-12 USD until the row is written; then it is the nearest double, as the vendor's own Parquet has it.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sandbox import bills, calendar
from sandbox.build import Company
from sandbox.company import AWS_ACCOUNTS, AWS_PAYER, BEDROCK_GATEWAY_PROFILE, TEAMS, token
from sandbox.faults import Faults

ISSUER = "Amazon Web Services, Inc."
SAVINGS_PLAN = "arn:aws:savingsplans::000111222333:savingsplan/5b1c7a2e-0000-4000-8000-00acme000001"
SAVINGS_PLAN_HOURLY = 3_200_000  # millionths of a dollar
COVERED_RATE = 135_000
CREDIT_MONTHS = (dt.date(2026, 1, 1), dt.date(2026, 12, 31))
CREDIT_CENTS = 50_000
TAX_PERCENT = 6
INVOICED_ON_DAY = 4
_ACCOUNT_NAMES = {i: name for i, name, _ in AWS_ACCOUNTS}


@dataclass(frozen=True)
class Line:
    """A meter that runs on most days. `price` is 1e-8 USD a unit, `quantity` units on an ordinary weekday."""

    service: str
    category: str
    subcategory: str
    code: str
    operation: str
    account: str
    resource: str
    meter: str
    unit: str
    price: int
    quantity: float
    weekend: float = 0.8
    team: str = ""
    environment: str = "production"
    first: dt.date = calendar.FIRST_DAY
    last: dt.date = calendar.LAST_DAY
    covered: bool = False
    instance: str = ""


def _lines() -> tuple[Line, ...]:
    prod, data, dev, ml = (AWS_ACCOUNTS[i][0] for i in (1, 2, 3, 4))
    ec2 = ("Amazon Elastic Compute Cloud", "Compute", "Virtual Machines", "AmazonEC2", "RunInstances")
    found: list[Line] = []
    for number, team in enumerate(TEAMS):
        name = f"i-0{token('ec2', team.team, 16)}"
        found.append(Line(*ec2, prod, f"arn:aws:ec2:us-east-1:{prod}:instance/{name}", "USE1-BoxUsage:m6i.xlarge", "Hrs",
                          19_200_000, 48 if number < 6 else 72, 1.0, team.team, covered=True, instance="m6i.xlarge"))  # fmt: skip
        found.append(Line(*ec2, dev, f"arn:aws:ec2:us-east-1:{dev}:instance/{name}d", "USE1-BoxUsage:t3.large", "Hrs",
                          8_320_000, 10 * team.size, 0.1, team.team, "development", instance="t3.large"))  # fmt: skip
        rds = f"arn:aws:rds:us-east-1:{prod}:db:{team.team}"
        found.append(Line("Amazon Relational Database Service", "Databases", "Relational Databases", "AmazonRDS", "CreateDBInstance",
                          prod, rds, "USE1-InstanceUsage:db.r6g.large", "Hrs", 22_500_000, 48, 1.0, team.team))  # fmt: skip
        found.append(Line("Amazon Relational Database Service", "Databases", "Relational Databases", "AmazonRDS", "CreateDBInstance:Storage",
                          prod, rds, "USE1-RDS:GP3-Storage", "GB-Mo", 11_500_000, 12.5, 1.0, team.team))  # fmt: skip
        bucket = f"arn:aws:s3:::acme-{team.team}"
        found.append(Line("Amazon Simple Storage Service", "Storage", "Object Storage", "AmazonS3", "StandardStorage", prod, bucket,
                          "USE1-TimedStorage-ByteHrs", "GB-Mo", 2_300_000, 160 + 40 * number, 1.0, team.team))  # fmt: skip
        found.append(Line("Amazon Simple Storage Service", "Storage", "Object Storage", "AmazonS3", "PutObject", prod, bucket,
                          "USE1-Requests-Tier1", "Requests", 500, 220_000, 0.5, team.team))  # fmt: skip
        logs = f"arn:aws:logs:us-east-1:{prod}:log-group:/acme/{team.team}"
        found.append(Line("AmazonCloudWatch", "Management and Governance", "Observability", "AmazonCloudWatch", "PutLogEvents", prod, logs,
                          "USE1-DataProcessing-Bytes", "GB", 50_000_000, 9, 0.6, team.team))  # fmt: skip
        fn = f"arn:aws:lambda:us-east-1:{prod}:function:{team.team}"
        found.append(Line("AWS Lambda", "Compute", "Serverless Compute", "AWSLambda", "Invoke", prod, fn, "USE1-Lambda-GB-Second",
                          "Lambda-GB-Second", 1_667, 190_000, 0.6, team.team))  # fmt: skip
    found += [
        Line("Amazon Elastic Container Service", "Compute", "Containers", "AmazonECS", "FargateTask", prod,
             f"arn:aws:ecs:us-east-1:{prod}:cluster/gateway", "USE1-Fargate-vCPU-Hours:perCPU", "hours", 4_048_000, 576, 0.9, "platform"),
        Line("Amazon Elastic Container Service", "Compute", "Containers", "AmazonECS", "FargateTask", prod,
             f"arn:aws:ecs:us-east-1:{prod}:cluster/gateway", "USE1-Fargate-GB-Hours", "hours", 444_500, 1_152, 0.9, "platform"),
        Line("Amazon OpenSearch Service", "Databases", "Other (Databases)", "AmazonES", "ESDomain", prod,
             f"arn:aws:es:us-east-1:{prod}:domain/knowledge", "USE1-ESInstance:r6g.xlarge", "Hrs", 33_500_000, 72, 1.0, "it-knowledge"),
        Line("Amazon ElastiCache", "Databases", "Caching", "AmazonElastiCache", "CreateCacheCluster", prod,
             f"arn:aws:elasticache:us-east-1:{prod}:cluster:sessions", "USE1-NodeUsage:cache.r6g.large", "Hrs", 20_600_000, 48, 1.0),
        Line("Amazon Virtual Private Cloud", "Networking", "Network Infrastructure", "AmazonVPC", "NatGateway", prod,
             f"arn:aws:ec2:us-east-1:{prod}:natgateway/nat-0acme", "USE1-NatGateway-Hours", "Hrs", 4_500_000, 72, 1.0),
        Line("Amazon Virtual Private Cloud", "Networking", "Network Infrastructure", "AmazonVPC", "NatGateway", prod,
             f"arn:aws:ec2:us-east-1:{prod}:natgateway/nat-0acme", "USE1-NatGateway-Bytes", "GB", 4_500_000, 410, 0.7),
        Line("AWS Data Transfer", "Networking", "Other (Networking)", "AWSDataTransfer", "InterZone-Out", prod, "",
             "USE1-DataTransfer-Out-Bytes", "GB", 9_000_000, 260, 0.7),
        Line("AWS Key Management Service", "Security", "Other (Security)", "awskms", "Decrypt", prod,
             f"arn:aws:kms:us-east-1:{prod}:key/acme", "us-east-1-KMS-Requests", "Requests", 300, 90_000, 0.7),
        Line("AWS Glue", "Analytics", "Data Processing", "AWSGlue", "Jobrun", data,
             f"arn:aws:glue:us-east-1:{data}:job/nightly", "USE1-ETL-DPU-Hour", "DPU-Hour", 44_000_000, 60, 0.9, "data"),
        Line("Amazon Athena", "Analytics", "Analytics Platforms", "AmazonAthena", "RunQuery", data,
             f"arn:aws:athena:us-east-1:{data}:workgroup/primary", "USE1-DataScannedInTB", "Terabytes", 500_000_000, 7.5, 0.3, "data"),
        Line("Amazon Simple Storage Service", "Storage", "Object Storage", "AmazonS3", "StandardStorage", data,
             "arn:aws:s3:::acme-lake", "USE1-TimedStorage-ByteHrs", "GB-Mo", 2_300_000, 1_450, 1.0, "data"),
        Line("Amazon SageMaker", "AI and Machine Learning", "Machine Learning", "AmazonSageMaker", "RunInstance", ml,
             f"arn:aws:sagemaker:us-east-1:{ml}:endpoint/reranker", "USE1-Host:ml.g5.xlarge", "Hrs", 140_800_000, 48, 1.0, "it-knowledge",
             instance="ml.g5.xlarge"),
        Line(*ec2, ml, f"arn:aws:ec2:us-east-1:{ml}:instance/i-0embeddings", "USE1-BoxUsage:g5.2xlarge", "Hrs", 121_200_000, 48, 1.0,
             "platform", instance="g5.2xlarge"),
        Line(*ec2, ml, f"arn:aws:ec2:us-east-1:{ml}:instance/i-0training", "USE1-BoxUsage:g6e.12xlarge", "Hrs", 1_049_264_000, 9, 0.1,
             "data", "experiment", first=dt.date(2026, 1, 12), instance="g6e.12xlarge"),
        Line(*ec2, ml, f"arn:aws:ec2:us-east-1:{ml}:instance/i-0finetune", "USE1-BoxUsage:p4d.24xlarge", "Hrs", 3_277_260_000, 8, 1.0,
             "legal-ai", "experiment", first=dt.date(2026, 4, 6), last=dt.date(2026, 4, 24), instance="p4d.24xlarge"),
    ]  # fmt: skip
    return tuple(found)


LINES = _lines()

_TEXT = (
    "AvailabilityZone", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "CapacityReservationId", "CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedUnit", "InvoiceId",
    "InvoiceIssuerName", "PricingCategory", "PricingCurrency", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "x_Operation", "x_ServiceCode",
)  # fmt: skip
_MONEY = (
    "BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost",
    "ListCost", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity",
)  # fmt: skip
_TIMES = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
_MAPS = ("SkuPriceDetails", "Tags")
COLUMNS = tuple(sorted((*_TEXT, *_MONEY, *_TIMES, *_MAPS, "x_Discounts")))
PICO = 1e12


def _times(day: dt.date, end: dt.date) -> dict[str, dt.datetime]:
    return {
        "BillingPeriodStart": calendar.midnight(calendar.month_start(day)),
        "BillingPeriodEnd": calendar.midnight(calendar.next_month(day)),
        "ChargePeriodStart": calendar.midnight(day), "ChargePeriodEnd": calendar.midnight(end),
    }  # fmt: skip


def _base(day: dt.date, end: dt.date, account: str) -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS),
        "BillingAccountId": AWS_PAYER, "BillingAccountName": "Acme", "BillingAccountType": "Management Account",
        "BillingCurrency": "USD", "PricingCurrency": "USD", "InvoiceIssuerName": ISSUER, "ProviderName": "AWS",
        "PublisherName": ISSUER, "SubAccountId": account, "SubAccountName": _ACCOUNT_NAMES[account],
        "SubAccountType": "Linked Account", **_times(day, end), "Tags": {}, "x_Discounts": {}, "pico": 0,
    }  # fmt: skip


@functools.cache
def _template(number: int) -> dict[str, Any]:
    """What every row of a meter has in common."""
    line = LINES[number]
    tags = {"user:environment": line.environment} | ({"user:team": line.team} if line.team else {})
    sku = token("sku", line.meter, 16).upper()
    price = line.price / 1e8
    row = _base(calendar.FIRST_DAY, calendar.FIRST_DAY, line.account) | {
        "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ChargeDescription": f"${price:.8f} per {line.unit} {line.meter}",
        "ServiceName": line.service, "ServiceCategory": line.category, "ServiceSubcategory": line.subcategory,
        "x_ServiceCode": line.code, "x_Operation": line.operation, "ResourceId": line.resource or None,
        "ResourceType": line.resource.split(":")[2].upper() if line.resource else None, "RegionId": "us-east-1",
        "RegionName": "US East (N. Virginia)", "SkuId": sku, "SkuPriceId": f"{sku}.JRTCKXETXF.6YS6EN2CT7", "SkuMeter": line.meter,
        "ConsumedUnit": line.unit, "PricingUnit": line.unit, "PricingCategory": "Standard", "ListUnitPrice": price,
        "ContractedUnitPrice": price, "PricingCurrencyListUnitPrice": price, "PricingCurrencyContractedUnitPrice": price,
        "SkuPriceDetails": {"InstanceType": line.instance} if line.instance else None, "Tags": tags,
    }  # fmt: skip
    if line.covered:
        row |= {
            "PricingCategory": "Committed", "CommitmentDiscountCategory": "Spend", "CommitmentDiscountId": SAVINGS_PLAN,
            "CommitmentDiscountType": "Compute Savings Plans", "CommitmentDiscountStatus": "Used", "CommitmentDiscountUnit": "USD",
        }  # fmt: skip
    return row


def _usage(times: dict[str, dt.datetime], number: int, quantity: int) -> dict[str, Any]:
    """A usage row; `quantity` in ten-thousandths of a unit."""
    line = LINES[number]
    pico = quantity * line.price
    units, listed = quantity / 1e4, pico / PICO
    row = {**_template(number), **times, "ConsumedQuantity": units, "PricingQuantity": units, "ListCost": listed, "ContractedCost": listed}
    if line.covered:
        effective = quantity * COVERED_RATE * 100 / PICO
        return row | {"BilledCost": 0.0, "EffectiveCost": effective, "PricingCurrencyEffectiveCost": effective,
                      "CommitmentDiscountQuantity": effective, "pico": 0}  # fmt: skip
    return row | {"BilledCost": listed, "EffectiveCost": listed, "PricingCurrencyEffectiveCost": listed, "pico": pico}


def _savings_plan(day: dt.date, used: int) -> list[dict[str, Any]]:
    """The day's purchase and its unused part; `used` in 1e-12 USD."""
    committed = 24 * SAVINGS_PLAN_HOURLY * 1_000_000
    shared = {
        "ServiceName": "Savings Plans for AWS Compute usage", "ServiceCategory": "Compute", "ServiceSubcategory": "Other (Compute)",
        "x_ServiceCode": "ComputeSavingsPlans", "ResourceId": SAVINGS_PLAN, "ResourceType": "SAVINGSPLAN", "RegionId": None,
        "SkuId": "SPCOMPUTE1YNO", "SkuPriceId": "SPCOMPUTE1YNO.1", "SkuMeter": "ComputeSP:1yrNoUpfront", "PricingUnit": "Hrs",
        "PricingQuantity": 24.0, "CommitmentDiscountCategory": "Spend", "CommitmentDiscountId": SAVINGS_PLAN,
        "CommitmentDiscountType": "Compute Savings Plans", "CommitmentDiscountUnit": "USD",
    }  # fmt: skip
    end = day + dt.timedelta(days=1)
    hourly = SAVINGS_PLAN_HOURLY / 1e6
    purchase = _base(day, end, AWS_PAYER) | shared | {
        "ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "ChargeDescription": "1 year No Upfront Compute Savings Plan",
        "PricingCategory": "Standard", "ListUnitPrice": hourly, "ContractedUnitPrice": hourly, "ListCost": committed / PICO,
        "ContractedCost": committed / PICO, "BilledCost": committed / PICO, "EffectiveCost": 0.0,
        "CommitmentDiscountQuantity": committed / PICO, "pico": committed,
    }  # fmt: skip
    unused = (committed - used) / PICO
    rest = _base(day, end, AWS_PAYER) | shared | {
        "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ChargeDescription": "Unused Savings Plan commitment",
        "PricingCategory": "Committed", "ListUnitPrice": 0.0, "ContractedUnitPrice": 0.0, "ListCost": 0.0, "ContractedCost": 0.0,
        "BilledCost": 0.0, "EffectiveCost": unused, "CommitmentDiscountStatus": "Unused", "CommitmentDiscountQuantity": unused,
    }  # fmt: skip
    return [purchase, rest] if unused > 0 else [purchase]


_BEDROCK_METERS = (
    ("uncached", "input", "input-tokens"), ("cache_read", "cache_read", "cache-read-input-token-count"),
    ("write_5m", "cache_write_5m", "cache-write-input-token-count"),
    ("write_1h", "cache_write_1h", "cache-write-1h-input-token-count"), ("output", "output", "output-tokens"),
)  # fmt: skip
_BEDROCK_NAMES = {"us.anthropic.claude-haiku-4-5-20251001-v1:0": "Claude4.5Haiku", "amazon.nova-lite-v1:0": "NovaLite"}


def _bedrock(company: Company, clock: dt.datetime, faults: Faults, month: dt.date) -> list[dict[str, Any]]:
    usage = bills.visible_usage(company, "aws", clock, faults).filter(
        pl.col("day").dt.truncate("1mo") == month, pl.col("day") < clock.date()
    )
    rows = []
    for row in usage.iter_rows(named=True):
        gateway = row["credential"] == -1
        account = AWS_ACCOUNTS[1 if gateway else 2][0]
        for column, meter, suffix in _BEDROCK_METERS:
            tokens, pico = row[column], row[f"cost_{meter}"]
            if not pico:
                continue
            day, model = row["day"], row["model"]
            name = f"USE1-{_BEDROCK_NAMES[model]}-{suffix}"
            sku = token("sku", name, 16).upper()
            price = pico / tokens / 1e9
            arn = BEDROCK_GATEWAY_PROFILE if gateway else f"arn:aws:bedrock:us-east-1:{account}:inference-profile/{model}"
            rows.append(_base(day, day + dt.timedelta(days=1), account) | {
                "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ChargeDescription": f"${price:.8f} per 1K tokens for {name}",
                "ServiceName": "Amazon Bedrock", "ServiceCategory": "AI and Machine Learning", "ServiceSubcategory": "Generative AI",
                "x_ServiceCode": "AmazonBedrock", "x_Operation": "InvokeModelInference", "ResourceId": arn,
                "ResourceType": "BEDROCK", "RegionId": "us-east-1", "RegionName": "US East (N. Virginia)", "SkuId": sku,
                "SkuPriceId": f"{sku}.JRTCKXETXF.6YS6EN2CT7", "SkuMeter": name, "ConsumedQuantity": tokens / 1e3,
                "ConsumedUnit": "1K tokens", "PricingQuantity": tokens / 1e3, "PricingUnit": "1K tokens", "PricingCategory": "Standard",
                "ListUnitPrice": price, "ContractedUnitPrice": price, "ListCost": pico / PICO, "ContractedCost": pico / PICO,
                "BilledCost": pico / PICO, "EffectiveCost": pico / PICO, "PricingCurrencyListUnitPrice": price,
                "PricingCurrencyContractedUnitPrice": price, "PricingCurrencyEffectiveCost": pico / PICO,
                "Tags": {"user:team": "platform" if gateway else "data", "user:environment": "production"}, "pico": pico,
            })  # fmt: skip
    return rows


def _monthly(month: dt.date, rows: list[dict[str, Any]], first_day: dt.date) -> list[dict[str, Any]]:
    """Support, credit and tax on what the month has so far; whole cents."""
    after = calendar.next_month(month)
    start = max(month, first_day)
    cents = sum(r["pico"] for r in rows) // 10_000_000_000
    support_cents = cents * 3 // 100
    support = _base(start, after, AWS_PAYER) | {
        "ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "ChargeDescription": "AWS Business Support",
        "ServiceName": "AWS Support (Business)", "ServiceCategory": "Other", "ServiceSubcategory": "Other (Other)",
        "x_ServiceCode": "AWSSupportBusiness", "SkuId": "SUPPORTBUSINESS", "SkuPriceId": "SUPPORTBUSINESS.1",
        "SkuMeter": "Support-Business", "PricingQuantity": 1.0, "PricingUnit": "Months", "PricingCategory": "Standard",
        **dict.fromkeys(("ListUnitPrice", "ContractedUnitPrice", "ListCost", "ContractedCost", "BilledCost", "EffectiveCost"),
                        support_cents / 100), "pico": support_cents * 10_000_000_000,
    }  # fmt: skip
    found = [support]
    if CREDIT_MONTHS[0] <= month <= CREDIT_MONTHS[1]:
        credit = min(CREDIT_CENTS, cents)
        found.append(_flat(start, after, "Credit", "One-Time", "AWS Activate credit", "AWS Credits", -credit))
        cents -= credit
    found.append(_flat(start, after, "Tax", "Recurring", "Sales tax", "Tax", (cents + support_cents) * TAX_PERCENT // 100))
    return found


def _flat(start: dt.date, end: dt.date, category: str, frequency: str, text: str, service: str, cents: int) -> dict[str, Any]:
    amount = cents / 100
    return _base(start, end, AWS_PAYER) | {
        "ChargeCategory": category, "ChargeFrequency": frequency, "ChargeDescription": text, "ServiceName": service,
        "ServiceCategory": "Other", "ServiceSubcategory": "Other (Other)", "x_ServiceCode": service, "ListCost": amount,
        "ContractedCost": amount, "BilledCost": amount, "EffectiveCost": amount, "pico": cents * 10_000_000_000,
    }  # fmt: skip


def invoice_id(month: dt.date) -> str:
    """The invoice that bills a month."""
    return f"AWS-{month:%Y%m}-7781"


def month_rows(company: Company, month: dt.date, clock: dt.datetime, faults: Faults) -> list[dict[str, Any]]:
    """FOCUS 1.2 rows of a billing month as the export has them at `clock`; besides COLUMNS the exact `pico` billed.

    Yesterday lacks every 20th meter until the next day. The invoice id appears on the 4th of the next month.
    """
    rows: list[dict[str, Any]] = []
    day = max(month, company.days[0])
    while day < calendar.next_month(month) and day < clock.date() and day <= calendar.LAST_DAY:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([company.seed, 51, day.toordinal()])))
        noise = rng.uniform(0.93, 1.07, len(LINES))
        growth = float(np.exp(0.25 * (day - calendar.LAST_DAY).days / 365))
        factor = faults.restatement("aws", day)
        used = 0
        times = _times(day, day + dt.timedelta(days=1))
        for number, line in enumerate(LINES):
            if not line.first <= day <= line.last or (number % 20 == 19 and day == clock.date() - dt.timedelta(days=1)):
                continue
            busy = line.weekend if day.weekday() >= 5 else 1.0
            if line.covered:
                quantity = int(line.quantity * 10_000)
                used += quantity * COVERED_RATE * 100
            else:
                quantity = max(1, int(line.quantity * busy * growth * noise[number] * 10_000)) * factor // 1000
            rows.append(_usage(times, number, quantity))
        rows += _savings_plan(day, used)
        day += dt.timedelta(days=1)
    rows += _bedrock(company, clock, faults, month)
    if rows:
        rows += _monthly(month, rows, company.days[0])
    if clock.date() >= calendar.next_month(month) + dt.timedelta(days=INVOICED_ON_DAY - 1):
        for row in rows:
            row["InvoiceId"] = invoice_id(month)
    return rows


def months(company: Company) -> list[dt.date]:
    """First days of the billing months of the company, oldest first."""
    return sorted({calendar.month_start(d) for d in company.days})
