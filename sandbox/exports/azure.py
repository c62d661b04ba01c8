"""The Azure bill as Cost Management exports in a copied container: Azure OpenAI by subscription, a PTU reservation, a GPU
machine and ordinary services.

In August an ActualCost and an AmortizedCost export with MCA columns; from September a FocusCost 1.2-preview export, while
the two older ones go on. Money is whole 1e-12 USD until a row is written.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import calendar
from sandbox.bills import decimal_text
from sandbox.build import Company
from sandbox.company import token
from sandbox.faults import Faults
from sandbox.vendors.base import DayTruth, World, drawn, owned

ISSUER = "Microsoft"
BILLING_ACCOUNT = "7a1c0000-acme"
FIRST_DAY = dt.date(2026, 8, 1)
FOCUS_FROM = dt.date(2026, 9, 1)
RESTATED_MONTH = dt.date(2026, 9, 1)
RESERVED_PTU = 15
PTU_MONTH = 260 * 10**12  # of one unit
PTU_HOUR = 10**12
TEAMS = {"ai-legal": "legal-ai", "ai-revenue": "revenue-ai", "ai-shared": "platform", "ml": "data", "workplace": "devx"}


@dataclass(frozen=True)
class Meter:
    """A meter that runs daily. `price` is 1e-12 USD per single unit or token, list; `percent` of it is paid. `low` to `high`
    units a weekday; `block` units are priced together; `team` is tagged where the subscription does not say it."""

    name: str
    category: str
    subcategory: str
    service: str
    service_category: str
    service_subcategory: str
    subscription: str
    resource: str
    price: int
    low: int
    high: int
    block: int = 1
    unit: str = "Units"
    team: str = ""
    percent: int = 100
    details: str = ""
    weekend: int = 3  # tenths of a weekday

    @property
    def unit_of_measure(self) -> str:
        """As the actual and amortized exports write it."""
        return {1_000: "1K", 1_000_000: "1M"}.get(self.block) or {"Units/Hour": "1/Hour"}.get(self.unit, "1 Unit")


def _openai(name: str, series: str, subscription: str, account: str, price: int, low: int, high: int, block: int, team: str = "") -> Meter:
    return Meter(name, "Foundry Models", series, "Azure OpenAI Service", "AI and Machine Learning", "Generative AI", subscription,
                 f"microsoft.cognitiveservices/accounts/{account}", price, low, high, block, team=team)  # fmt: skip


def _service(name: str, category: str, service: str, kind: str, sub: str, subscription: str, resource: str, price: int, low: int, high: int,
             **more: Any) -> Meter:  # fmt: skip
    return Meter(name, category, more.pop("series", category), service, kind, sub, subscription, resource, price, low, high, **more)


METERS = (
    _openai("gpt 4.1 Inp glbl Tokens", "Azure OpenAI", "ai-legal", "acme-legal", 2_000_000, 900_000, 1_400_000, 1_000),
    _openai("gpt 4.1 cached Inp glbl Tokens", "Azure OpenAI", "ai-legal", "acme-legal", 500_000, 400_000, 800_000, 1_000),
    _openai("gpt 4.1 Outp glbl Tokens", "Azure OpenAI", "ai-legal", "acme-legal", 8_000_000, 120_000, 190_000, 1_000),
    _openai("GPT 5 Mini Inpt Glbl 1M Tokens", "Azure OpenAI GPT5", "ai-revenue", "acme-revenue", 250_000, 3_000_000, 5_000_000, 1_000_000),
    _openai("GPT 5 Mini cd Inpt Glbl 1M Tokens", "Azure OpenAI GPT5", "ai-revenue", "acme-revenue", 25_000, 1_000_000, 2_500_000, 1_000_000),
    _openai("GPT 5 Mini outpt Glbl 1M Tokens", "Azure OpenAI GPT5", "ai-revenue", "acme-revenue", 2_000_000, 500_000, 900_000, 1_000_000),
    _openai("5.4 mini Inp DZ 1M Tokens", "Azure OpenAI GPT5", "ai-shared", "acme-shared", 825_000, 800_000, 1_600_000, 1_000_000, "brand-ai"),
    _openai("5.4 mini Outp DZ 1M Tokens", "Azure OpenAI GPT5", "ai-shared", "acme-shared", 4_950_000, 90_000, 200_000, 1_000_000, "brand-ai"),
    _openai("gpt-4o-0806-Batch-Inp-glbl Tokens", "Azure OpenAI", "ai-shared", "acme-shared", 1_250_000, 700_000, 900_000, 1_000, "it-knowledge"),
    _openai("gpt-4o-0806-Batch-Outp-glbl Tokens", "Azure OpenAI", "ai-shared", "acme-shared", 5_000_000, 60_000, 90_000, 1_000, "it-knowledge"),
    _openai("text embedding 3 small glbl Tokens", "Azure OpenAI Embedding", "ai-shared", "acme-shared", 20_000, 9_000_000, 12_000_000, 1_000,
            "it-knowledge"),
    _service("NC24ads A100 v4", "Virtual Machines", "Virtual Machines", "Compute", "Virtual Machines", "ml",
             "microsoft.compute/virtualmachines/finetune-01", 3_673 * 10**9, 3, 8, unit="Units/Hour", series="NCads A100 v4 Series",
             details='{"ServiceType":"Standard_NC24ads_A100_v4","VCPUs":"24"}'),
    _service("D4s v5", "Virtual Machines", "Virtual Machines", "Compute", "Virtual Machines", "ml",
             "microsoft.compute/virtualmachines/jumpbox", 192 * 10**9, 24, 24, unit="Units/Hour", series="Dsv5 Series", weekend=10, percent=95),
    _service("Hot LRS Data Stored", "Storage", "Storage Accounts", "Storage", "Object Storage", "ai-shared",
             "microsoft.storage/storageaccounts/acmeknowledge", 18 * 10**9, 30, 34, weekend=10, percent=95),
    _service("vCore", "SQL Database", "Azure SQL Database", "Databases", "Relational Databases", "workplace",
             "microsoft.sql/servers/acme/databases/intranet", 152 * 10**9, 48, 48, unit="Units/Hour", weekend=10, percent=95),
    _service("Standard S1 Search Unit", "Azure Cognitive Search", "Azure AI Search", "Analytics", "Search", "ai-shared",
             "microsoft.search/searchservices/knowledge", 336 * 10**9, 24, 24, unit="Units/Hour", weekend=10, team="it-knowledge"),
    _service("Standard Data Transfer Out", "Bandwidth", "Bandwidth", "Networking", "Network Connectivity", "ai-shared",
             "microsoft.network/virtualnetworks/hub", 87 * 10**9, 20, 40),
    _service("Copilot Business", "GitHub", "GitHub", "Developer Tools", "Developer Platforms", "workplace",
             "microsoft.visualstudio/account/acme", 630 * 10**9, 12, 12, weekend=10, details='{"ServiceType":"GitHub Copilot"}'),
)  # fmt: skip
PTU = _openai("Provisioned Managed Global Unit", "Azure OpenAI", "ai-legal", "acme-legal", PTU_HOUR, 0, 0, 1)


def subscription_id(name: str) -> str:
    """The id of a subscription."""
    text = token("azure-subscription", name, 32)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def reservation(month: dt.date) -> str:
    """The reservation of one month: bought on the first, for the month."""
    order = token("azure-order", month.isoformat(), 12)
    return f"/providers/Microsoft.Capacity/reservationOrders/{order}/reservations/{token('azure-reservation', month.isoformat(), 12)}"


@dataclass(frozen=True)
class Charge:
    """A row: `units` consumed, `list`, `billed` and `effective` in 1e-12 USD. `kind`: Usage, Purchase or Unused; `covered` by the
    reservation or not."""

    meter: Meter
    day: dt.date
    units: int
    listed: int
    billed: int
    effective: int
    kind: str = "Usage"
    covered: bool = False


def _month_days(day: dt.date) -> int:
    return (calendar.next_month(day) - calendar.month_start(day)).days


def charges(company: Company, day: dt.date, faults: Faults, early: bool = False) -> list[Charge]:
    """The charges of a day; `early`: as an older run had them, before the last rating."""
    factor = faults.restatement("azure", day) * (980 if early else 1000) // 1000
    found = []
    for meter in METERS:
        units = drawn(company, f"azure/{meter.name}/{day}", meter.low, meter.high) * (10 if day.weekday() < 5 else meter.weekend) // 10
        units = units * factor // 1000 if meter.block > 1 else max(1, units)
        listed = units * meter.price
        paid = listed * meter.percent // 100
        found.append(Charge(meter, day, units, listed, paid, paid))
    deployed = RESERVED_PTU + 1 if day.weekday() < 5 else RESERVED_PTU - 5
    used = 24 * min(deployed, RESERVED_PTU)
    whole = RESERVED_PTU * PTU_MONTH
    month = calendar.month_start(day)
    # The reservation's price spread over its days; the last day takes the rest.
    share = whole // _month_days(day)
    if calendar.next_month(day) == day + dt.timedelta(days=1):
        share = whole - share * (_month_days(day) - 1)
    part = share * used // (24 * RESERVED_PTU)
    found.append(Charge(PTU, day, used, used * PTU_HOUR, 0, part, covered=True))
    if deployed > RESERVED_PTU:
        over = 24 * (deployed - RESERVED_PTU)
        found.append(Charge(PTU, day, over, over * PTU_HOUR, over * PTU_HOUR, over * PTU_HOUR))
    if used < 24 * RESERVED_PTU:
        found.append(Charge(PTU, day, 24 * RESERVED_PTU - used, 0, 0, share - part, "Unused", True))
    if day == month:
        found.append(Charge(PTU, day, RESERVED_PTU, whole, whole, 0, "Purchase", True))
    return found


def _text(pico: int) -> str:
    return decimal_text(pico, 12)


def _blocks(charge: Charge) -> str:
    places = {1_000: 3, 1_000_000: 6}.get(charge.meter.block)
    return decimal_text(charge.units, places) if places else str(charge.units)


def _resource(meter: Meter) -> str:
    return f"/subscriptions/{subscription_id(meter.subscription)}/resourcegroups/{meter.subscription}/providers/{meter.resource}"


def _tags(meter: Meter) -> dict[str, str]:
    return {"env": "production"} | ({"team": meter.team} if meter.team else {})


def focus_row(charge: Charge, currency: str, wrong_unit: bool) -> dict[str, str]:
    """A charge as FOCUS 1.2-preview writes it."""
    meter, day, month = charge.meter, charge.day, calendar.month_start(charge.day)
    is_usage = charge.kind == "Usage"
    sku = token("azure-meter", meter.name, 32)
    unit_price = meter.price * meter.block
    bought = charge.kind == "Purchase"
    if bought:
        unit_price = PTU_MONTH
    block = meter.block * 1_000 if wrong_unit and meter.block == 1_000 else meter.block
    plan = reservation(month) if charge.covered else ""
    priced = charge.kind != "Unused"
    return {
        "BilledCost": _text(charge.billed), "BillingAccountId": f"/providers/Microsoft.Billing/billingAccounts/{BILLING_ACCOUNT}",
        "BillingAccountName": "Acme", "BillingAccountType": "Billing Account", "BillingCurrency": currency,
        "BillingPeriodEnd": f"{calendar.next_month(month)}T00:00:00Z", "BillingPeriodStart": f"{month}T00:00:00Z",
        "ChargeCategory": "Purchase" if bought else "Usage", "ChargeClass": "",
        "ChargeDescription": f"{meter.service} - {meter.name}", "ChargeFrequency": "One-Time" if bought else "Usage-Based",
        "ChargePeriodEnd": f"{day + dt.timedelta(days=1)}T00:00:00Z", "ChargePeriodStart": f"{day}T00:00:00Z",
        "CommitmentDiscountCategory": "Usage" if plan else "", "CommitmentDiscountId": plan,
        "CommitmentDiscountName": "PTU-Global" if plan else "",
        "CommitmentDiscountStatus": "" if bought or not plan else "Used" if is_usage else "Unused",
        "CommitmentDiscountType": "Reservation" if plan else "",
        "ConsumedQuantity": str(charge.units * block // meter.block) if is_usage else "",
        "ConsumedUnit": meter.unit if is_usage else "",
        "ContractedCost": _text(charge.listed * meter.percent // 100), "ContractedUnitPrice": _text(unit_price * meter.percent // 100) if priced else "",
        "EffectiveCost": _text(charge.effective), "InvoiceId": "", "InvoiceIssuerName": ISSUER, "ListCost": _text(charge.listed),
        "ListUnitPrice": _text(unit_price) if priced else "", "PricingCategory": ("Committed" if plan and is_usage else "Standard") if priced else "",
        "PricingCurrency": currency, "PricingQuantity": _blocks(charge) if priced else "", "PricingUnit": meter.unit if priced else "",
        "ProviderName": "Microsoft", "PublisherName": "Microsoft", "RegionId": "swedencentral", "RegionName": "Sweden Central",
        # The export lower-cases resource ids, but not the ids of commitments.
        "ResourceId": _resource(meter) if is_usage else plan.lower(), "ResourceName": meter.resource.rpartition("/")[2],
        "ResourceType": meter.resource.rpartition("/")[0], "ServiceCategory": meter.service_category, "ServiceName": meter.service,
        "ServiceSubcategory": meter.service_subcategory, "SkuId": sku, "SkuMeter": meter.name, "SkuPriceId": sku,
        "SubAccountId": f"/subscriptions/{subscription_id(meter.subscription)}", "SubAccountName": f"acme-{meter.subscription}",
        "SubAccountType": "Subscription", "Tags": json.dumps(_tags(meter)), "x_PricingBlockSize": str(block),
        "x_PricingUnitDescription": meter.unit_of_measure, "x_SkuDetails": meter.details, "x_SkuMeterCategory": meter.category,
        "x_SkuMeterName": meter.name, "x_SkuMeterSubcategory": meter.subcategory, "x_ResourceGroupName": meter.subscription,
        "x_AmortizationClass": "Principal" if bought else "Amortized Charge" if plan else "",
    }  # fmt: skip


def detail_row(charge: Charge, view: str, currency: str) -> dict[str, str] | None:
    """A charge as the actual or amortized export of an MCA account writes it; None when that view has no such row."""
    if (view == "actual" and charge.kind == "Unused") or (view == "amortized" and charge.kind == "Purchase"):
        return None
    meter, month = charge.meter, calendar.month_start(charge.day)
    unit_price = PTU_MONTH if charge.kind == "Purchase" else meter.price * meter.block
    return {
        "invoiceId": "", "billingAccountId": BILLING_ACCOUNT, "billingAccountName": "Acme", "billingProfileId": "ACME-BP",
        "billingPeriodStartDate": f"{month:%m/%d/%Y}", "billingPeriodEndDate": f"{calendar.next_month(month) - dt.timedelta(days=1):%m/%d/%Y}",
        "date": f"{charge.day:%m/%d/%Y}", "serviceFamily": meter.service_category, "consumedService": meter.resource.partition("/")[0],
        "meterId": token("azure-meter", meter.name, 32), "meterName": meter.name, "meterCategory": meter.category,
        "meterSubCategory": meter.subcategory, "ProductId": token("azure-meter", meter.name, 32), "ProductName": f"{meter.subcategory} - {meter.name}",
        "SubscriptionId": subscription_id(meter.subscription), "subscriptionName": f"acme-{meter.subscription}", "publisherType": "Azure",
        "publisherName": "Microsoft", "resourceGroupName": meter.subscription, "ResourceId": _resource(meter), "resourceLocation": "swedencentral",
        "meterRegion": "SE Central", "quantity": _blocks(charge), "unitOfMeasure": "1" if charge.kind == "Purchase" else meter.unit_of_measure,
        "chargeType": {"Unused": "UnusedReservation"}.get(charge.kind, charge.kind), "billingCurrency": currency, "pricingCurrency": currency,
        "costInBillingCurrency": _text(charge.billed if view == "actual" else charge.effective), "exchangeRatePricingToBilling": "1",
        "unitPrice": _text(0 if charge.covered and charge.kind == "Usage" else unit_price * meter.percent // 100),
        "PayGPrice": _text(unit_price), "frequency": "OneTime" if charge.kind == "Purchase" else "UsageBased",
        "reservationId": reservation(month) if charge.covered else "", "reservationName": "PTU-Global" if charge.covered else "",
        "pricingModel": "Reservation" if charge.covered else "OnDemand", "additionalInfo": meter.details,
        # Written without braces, as these exports do.
        "tags": json.dumps(_tags(meter))[1:-1],
    }  # fmt: skip


def _table(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return ("\ufeff" + out.getvalue()).encode()


def _run(export: str, kind: str, month: dt.date, at: dt.datetime, rows: list[dict[str, str]], faults: Faults) -> dict[str, bytes]:
    """One run by file name: two parts and, last, the manifest beside them."""
    last = calendar.next_month(month) - dt.timedelta(days=1)
    run_id = token("azure-run", f"{export}/{month}/{at}", 32)
    place = f"{export}/{month:%Y%m%d}-{last:%Y%m%d}/{at:%Y%m%d%H%M}/{run_id}"
    half = (len(rows) + 1) // 2
    blobs: list[dict[str, Any]] = []
    files = {}
    for number, part in enumerate((rows[:half], rows[half:])):
        if not part:
            continue
        content = gzip.compress(_table(part if not faults.find("missing_page", "azure", export) else part[:-1] or part), mtime=0)
        name = f"{place}/part_{number}_0001.csv.gz"
        files[name] = content
        blobs.append({"blobName": f"acme/{name}", "byteCount": len(content), "dataRowCount": len(part)})
    if faults.find("doubled_page", "azure", export):
        blobs.append(blobs[0])
    manifest = {
        "blobCount": len(blobs), "dataRowCount": sum(b["dataRowCount"] for b in blobs), "byteCount": sum(b["byteCount"] for b in blobs),
        "exportConfig": {
            "exportName": export, "type": kind, "dataVersion": "1.2-preview" if kind == "FocusCost" else "2021-10-01", "apiVersion": "2025-03-01",
            "resourceId": f"/providers/Microsoft.Billing/billingAccounts/{BILLING_ACCOUNT}/providers/Microsoft.CostManagement/exports/{export}",
            "timeFrame": "MonthToDate", "granularity": "Daily",
        },
        "deliveryConfig": {"partitionData": True, "dataOverwriteBehavior": "CreateNewReport", "fileFormat": "Csv", "compressionMode": "gzip"},
        "runInfo": {
            "executionType": "Scheduled", "submittedTime": calendar.iso(at), "runId": run_id, "startDate": f"{month}T00:00:00",
            "endDate": f"{last}T00:00:00",
        },
        "blobs": blobs,
    }  # fmt: skip
    content = json.dumps(manifest)
    cut = len(content) // 2 if faults.find("truncated_json", "azure", export) else len(content)
    return files | {f"{place}/manifest.json": content[:cut].encode()}


def _rows(company: Company, kind: str, month: dt.date, before: dt.date, faults: Faults, early: bool) -> list[dict[str, str]]:
    currency = "EUR" if faults.find("wrong_currency", "azure") else "USD"
    wrong_unit = faults.find("wrong_unit", "azure") is not None
    rows = []
    for day in _days(company):
        if not (month <= day < calendar.next_month(month) and day < before):
            continue
        # The older run of the restated month lacked the last rating of its last days.
        old = early and month == RESTATED_MONTH and day.day > 27
        for charge in charges(company, day, faults, old):
            if kind == "FocusCost":
                rows.append(focus_row(charge, currency, wrong_unit))
            else:
                row = detail_row(charge, "actual" if kind == "ActualCost" else "amortized", currency)
                rows += [row] if row else []
    if faults.find("unknown_field", "azure"):
        rows = [row | {"x_Surprise": "unheard of"} for row in rows]
    if faults.find("changed_type", "azure"):
        rows = [row | {name: '{"value": 1}' for name in ("BilledCost", "costInBillingCurrency") if name in row} for row in rows]
    return rows


def _days(company: Company) -> list[dt.date]:
    return [day for day in company.days if day >= FIRST_DAY]


def location(folder: Path) -> Path:
    """Where the container is copied to: beside the dropped bills, not among them."""
    return folder.parent / "azure"


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """Write every export's runs of every month; the open and the last month keep an older run beside the newest."""
    root, today = location(folder), world.clock.date()
    files: dict[str, bytes] = {}
    for kind, export in (("ActualCost", "actual-daily"), ("AmortizedCost", "amortized-daily"), ("FocusCost", "focus-daily")):
        for month in sorted({calendar.month_start(day) for day in _days(world.company) if day < today}):
            if kind == "FocusCost" and month < FOCUS_FROM:
                continue
            closing = calendar.midnight(calendar.next_month(month) + dt.timedelta(days=4)) + dt.timedelta(hours=5)
            newest = min(world.clock, closing)
            for at, early in ((newest - dt.timedelta(days=1), True), (newest, False)):
                rows = _rows(world.company, kind, month, min(at.date(), today), world.faults, early)
                if rows:
                    files |= _run(export, kind, month, at, rows, world.faults)
    root.mkdir(parents=True, exist_ok=True)
    for path in root.rglob("*"):
        if path.is_file() and path.relative_to(root).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = root / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def environment(folder: Path, bucket: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the copied container."""
    return {"AISL_AZURE_LOCATION": str(location(folder))}


def ownership() -> list[dict[str, str]]:
    """Who owns the subscriptions."""
    return [owned("azure", "sub_account", f"/subscriptions/{subscription_id(name)}", team) for name, team in TEAMS.items()]


def truth(company: Company) -> list[DayTruth]:
    """What every day truly cost, by team."""
    sums: dict[tuple[dt.date, str], int] = {}
    for day in _days(company):
        for charge in charges(company, day, Faults()):
            key = (day, charge.meter.team or TEAMS[charge.meter.subscription])
            sums[key] = sums.get(key, 0) + charge.billed
    return [DayTruth("azure", "default", day, "USD", _text(pico), team=team, issuer=ISSUER) for (day, team), pico in sums.items()]
