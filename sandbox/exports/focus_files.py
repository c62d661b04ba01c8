"""FOCUS files that somebody drops: Pinecone's 1.4 zip of numbered parts and Snowflake's 1.3 view as CSV, one per month.

Money is whole 1e-12 USD until a row is written.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import calendar
from sandbox.bills import decimal_text
from sandbox.build import Company
from sandbox.company import token
from sandbox.faults import Faults
from sandbox.vendors.base import DayTruth, World, drawn, owned

FIRST_DAY = dt.date(2026, 8, 1)
MINIMUM = 500 * 10**12  # Pinecone's monthly minimum


@dataclass(frozen=True)
class Meter:
    """What is used daily: `price` in 1e-12 USD per unit, `low` to `high` units."""

    vendor: str
    account: str
    resource: str
    name: str
    unit: str
    service: str
    category: str
    subcategory: str
    price: int
    low: int
    high: int
    team: str


_VECTOR = ("Pinecone Database", "Databases", "Other (Databases)")
METERS = (
    Meter("Pinecone", "proj-knowledge", "idx-knowledge", "Read Units", "Read Units", *_VECTOR, 16 * 10**6, 400_000, 700_000, "it-knowledge"),
    Meter("Pinecone", "proj-knowledge", "idx-knowledge", "Write Units", "Write Units", *_VECTOR, 4 * 10**6, 200_000, 500_000, "it-knowledge"),
    Meter("Pinecone", "proj-knowledge", "idx-knowledge", "Storage", "GB-Months", *_VECTOR, 330 * 10**9, 1, 2, "it-knowledge"),
    Meter("Pinecone", "proj-support", "idx-cases", "Read Units", "Read Units", *_VECTOR, 16 * 10**6, 100_000, 200_000, "support-ai"),
    Meter("Snowflake", "ACME_PROD", "WH_REPORTING", "COMPUTE", "Credits", "Snowflake Warehouse", "Analytics", "Analytics Platforms",
          3 * 10**12, 2, 5, "data"),
    Meter("Snowflake", "ACME_PROD", "", "STORAGE", "TB", "Snowflake Storage", "Storage", "Storage Platforms", 767 * 10**9, 1, 1, "data"),
    Meter("Snowflake", "ACME_PROD", "", "AI_SERVICES", "Credits", "Snowflake Cortex AI", "AI and Machine Learning", "Generative AI",
          3 * 10**12, 1, 4, "data"),
)  # fmt: skip


def _days(company: Company) -> list[dt.date]:
    return [day for day in company.days if day >= FIRST_DAY]


def _billed(company: Company, meter: Meter, day: dt.date, faults: Faults) -> tuple[int, int]:
    """Units of a meter on a day, and what they cost."""
    units = drawn(company, f"focus-files/{meter.resource}/{meter.name}/{day}", meter.low, meter.high)
    units = units * faults.restatement("files", day) // 1000
    return units, units * meter.price


def _top_up(company: Company, month: dt.date, faults: Faults) -> int:
    """What is missing to the monthly minimum, once the month is over and was whole."""
    days = [d for d in _days(company) if calendar.month_start(d) == month]
    if len(days) < (calendar.next_month(month) - month).days:
        return 0
    used = sum(_billed(company, m, d, faults)[1] for m in METERS if m.vendor == "Pinecone" for d in days)
    return max(0, MINIMUM - used)


def _row(meter: Meter, day: dt.date, currency: str, **changed: str) -> dict[str, str]:
    month = calendar.month_start(day)
    sku = token("sku", f"{meter.vendor}/{meter.name}", 12)
    return {
        "BillingAccountId": f"acme-{meter.vendor.lower()}", "BillingAccountName": "Acme", "BillingAccountType": "Organization",
        "BillingCurrency": currency, "BillingPeriodStart": f"{month}T00:00:00Z", "BillingPeriodEnd": f"{calendar.next_month(month)}T00:00:00Z",
        "ChargeCategory": "Usage", "ChargeClass": "", "ChargeDescription": meter.name, "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": f"{day}T00:00:00Z", "ChargePeriodEnd": f"{day + dt.timedelta(days=1)}T00:00:00Z", "HostProviderName": "AWS",
        "InvoiceIssuerName": meter.vendor, "PricingCategory": "Standard", "PricingUnit": meter.unit, "ConsumedUnit": meter.unit,
        "RegionId": "us-east-1", "RegionName": "us-east-1", "ResourceId": meter.resource, "ResourceName": meter.resource,
        "ServiceCategory": meter.category, "ServiceName": meter.service, "ServiceProviderName": meter.vendor,
        "ServiceSubcategory": meter.subcategory, "SkuId": sku, "SkuMeter": meter.name, "SkuPriceId": f"{sku}.1", "SubAccountId": meter.account,
        "SubAccountName": meter.account, "Tags": json.dumps({"team": meter.team}), **changed,
    }  # fmt: skip


def _usage(company: Company, meter: Meter, day: dt.date, faults: Faults, currency: str) -> dict[str, str]:
    units, pico = _billed(company, meter, day, faults)
    cost, price = decimal_text(pico, 12), decimal_text(meter.price, 12)
    return _row(
        meter, day, currency, BilledCost=cost, EffectiveCost=cost, ListCost=cost, ContractedCost=cost, ListUnitPrice=price,
        ContractedUnitPrice=price, PricingQuantity=str(units), ConsumedQuantity=str(units),
    )  # fmt: skip


def _month(company: Company, vendor: str, month: dt.date, before: dt.date, faults: Faults) -> list[dict[str, str]]:
    currency = "EUR" if faults.find("wrong_currency", "files", vendor) else "USD"
    days = [d for d in _days(company) if calendar.month_start(d) == month and d < before]
    rows = [_usage(company, m, d, faults, currency) for d in days for m in METERS if m.vendor == vendor]
    missing = _top_up(company, month, faults) if vendor == "Pinecone" and before >= calendar.next_month(month) else 0
    if missing:
        cost = decimal_text(missing, 12)
        rows.append(_row(
            METERS[0], days[-1], currency, ChargeCategory="Purchase", ChargeFrequency="Recurring", ChargeDescription="Monthly minimum top-up",
            BilledCost=cost, EffectiveCost=cost, ListCost=cost, ContractedCost=cost, ListUnitPrice=cost, ContractedUnitPrice=cost,
            PricingQuantity="1", PricingUnit="Months", ConsumedQuantity="", ConsumedUnit="", SkuId="minimum", SkuPriceId="minimum.1",
            SkuMeter="Minimum", ResourceId="", ResourceName="",
        ))  # fmt: skip
    if faults.find("changed_type", "files", vendor):
        rows = [row | {"BilledCost": '{"value": 1}'} for row in rows]
    return rows


def _csv(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _pinecone(rows: list[dict[str, str]], faults: Faults) -> bytes:
    """Two numbered parts and a manifest, as the cost and usage export packs them."""
    version = {"InvoiceDetailId": "", "x_Plan": "standard"} | ({"x_Surprise": "1"} if faults.find("unknown_field", "files", "Pinecone") else {})
    rows = [row | version for row in rows]
    half = (len(rows) + 1) // 2
    parts = {f"part-{n}-of-2.csv": _csv(part or rows[:1]) for n, part in enumerate((rows[:half], rows[half:]), 1)}
    if faults.find("missing_page", "files", "Pinecone"):
        del parts["part-2-of-2.csv"]
    parts["manifest.json"] = json.dumps({"focusVersion": "1.4", "rows": len(rows)}).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _snowflake(rows: list[dict[str, str]], faults: Faults) -> bytes:
    """The view's columns come out in upper case."""
    return _csv([{name.upper(): value for name, value in row.items()} for row in rows])


VENDORS: dict[str, tuple[str, Callable[[list[dict[str, str]], Faults], bytes]]] = {
    "Pinecone": ("zip", _pinecone), "Snowflake": ("csv", _snowflake),
}  # fmt: skip


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """Write each vendor's file of every month; the open one grows by the day."""
    before = world.clock.date()
    wanted: dict[str, bytes] = {}
    for vendor, (suffix, packed) in VENDORS.items():
        for month in sorted({calendar.month_start(d) for d in _days(world.company) if d < before}):
            rows = _month(world.company, vendor, month, before, world.faults)
            wanted[f"{vendor.lower()}-focus-{month:%Y-%m}.{suffix}"] = packed(rows, world.faults)
    for vendor, (suffix, _) in VENDORS.items():
        for path in folder.glob(f"{vendor.lower()}-focus-*.{suffix}"):
            if path.name not in wanted:
                path.unlink()
    for name, content in wanted.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def ownership() -> list[dict[str, str]]:
    """Who owns the projects and accounts."""
    return [owned("files", "sub_account", account, team) for account, team in sorted({(m.account, m.team) for m in METERS})]


def truth(company: Company) -> list[DayTruth]:
    """What every day truly cost, by vendor and team; the minimum is charged on the last day of its month."""
    sums: dict[tuple[str, dt.date, str], int] = {}
    for day in _days(company):
        for meter in METERS:
            key = (meter.vendor, day, meter.team)
            sums[key] = sums.get(key, 0) + _billed(company, meter, day, Faults())[1]
        if day + dt.timedelta(days=1) == calendar.next_month(day):
            key = ("Pinecone", day, METERS[0].team)
            sums[key] += _top_up(company, calendar.month_start(day), Faults())
    return [
        DayTruth("files", "default", day, "USD", decimal_text(pico, 12), team=team, issuer=vendor)
        for (vendor, day, team), pico in sums.items()
    ]
