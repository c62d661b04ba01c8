"""Google Cloud: the detailed billing export as a scheduled `EXPORT DATA` leaves it in a folder, month by month.

Money is whole 1e-12 USD until a row is written. The export is append-only: what changes is a new row with a later
`export_time`. Parquet until August 2026, JSON lines after; every run leaves `_SUCCESS`, and a listing since July.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox import bills, calendar
from sandbox.build import Company
from sandbox.company import TEAM_INDEX, TEAMS, token
from sandbox.faults import Faults
from sandbox.vendors.base import DayTruth, World, owned

if TYPE_CHECKING:
    from sandbox.s3 import Bucket

ADOPTED = dt.date(2026, 6, 22)
JSON_FROM = dt.date(2026, 9, 1)
LISTED_FROM = dt.date(2026, 7, 1)
BILLING_ACCOUNT = "01ACME-2BILL3-4ACCT5"
EXPORT = "acme-billing-export"
TAX_PERCENT = 6
RESTATED_EVERY = 29
VERTEX, STUDIO, COMPUTE, ASSIST = (
    ("C7E2-9256-1C43", "Vertex AI"), ("AEFD-7695-64FA", "Gemini API"), ("6F81-5844-456A", "Compute Engine"),
    ("C011-D3AB-1457", "Gemini for Google Cloud"),
)  # fmt: skip
_PICO = 1_000_000_000_000


@dataclass(frozen=True)
class Meter:
    """A SKU that a project uses every day. `price`: 1e-12 USD a pricing unit (a token, an hour); `amount`: units on a
    weekday; `usage_unit` and `scale`: what the export says of the same amount in its base unit."""

    team: str
    project: str
    service: tuple[str, str]
    sku: str
    pricing_unit: str
    price: int
    amount: int
    usage_unit: str = "requests"
    scale: int = 1
    weekend: int = 100
    label: str = ""
    resource: str = ""
    credit: str = ""
    first: dt.date = ADOPTED


def _tokens(team: str, project: str, service: tuple[str, str], sku: str, micro: int, millions: int, **more: Any) -> Meter:
    """A meter of tokens; `micro`: millionths of a dollar per million tokens."""
    return Meter(team, project, service, sku, "count", micro, millions * 1_000_000, **({"weekend": 40} | more))


METERS = (
    _tokens("revenue-ai", "acme-sales-vertex", VERTEX, "Gemini 2.5 Flash GA Text Input - Predictions", 300_000, 60),
    _tokens("revenue-ai", "acme-sales-vertex", VERTEX, "Gemini 2.5 Flash GA Input Text Caching - Predictions", 30_000, 90),
    _tokens("revenue-ai", "acme-sales-vertex", VERTEX, "Gemini 2.5 Flash GA Text Output - Predictions", 2_500_000, 6),
    _tokens("revenue-ai", "acme-sales-vertex", VERTEX, "Gemini 2.5 Flash GA Thinking Text Output - Predictions", 2_500_000, 3),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Gemini 2.5 Pro Long Text Input - Predictions", 2_500_000, 5, credit="promotion"),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Gemini 2.5 Pro Batch Text Input - Predictions", 625_000, 14),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Gemini 2.5 Pro Text Output - Predictions", 10_000_000, 2, credit="two"),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Claude Sonnet 4.5 Input Tokens", 3_000_000, 4, usage_unit="count"),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Claude Sonnet 4.5 Cache Write Input Tokens", 3_750_000, 1, usage_unit="count"),
    _tokens("legal-ai", "acme-legal-vertex", VERTEX, "Claude Sonnet 4.5 Output Tokens", 15_000_000, 1, usage_unit="count"),
    _tokens("brand-ai", "acme-brand-studio", STUDIO, "Gemini 2.5 Flash Lite Text Input", 100_000, 25),
    _tokens("brand-ai", "acme-brand-studio", STUDIO, "Gemini 2.5 Flash Lite Text Output", 400_000, 8),
    # Nobody has told the pipeline of this model yet.
    _tokens("brand-ai", "acme-brand-studio", STUDIO, "Gemini 9.9 Aurora Text Output", 800_000, 1, first=dt.date(2026, 10, 1)),
    Meter("revenue-ai", "acme-sales-vertex", VERTEX, "Gemini 2.5 Flash GA Input Caching Storage - Predictions", "h", 1_000_000,
          40_000_000, "h"),
    Meter("platform", "acme-ml-platform", VERTEX, "Vertex AI: Provisioned Throughput 1 month", "mo", 2_700 * _PICO, 1, "seconds",
          2_678_400, first=dt.date(2026, 8, 3), credit="none"),
    Meter("platform", "acme-ml-platform", COMPUTE, "Nvidia H100 80GB GPU running in Iowa", "hour", 9_796_550_000_000, 8, "seconds", 3600,
          90, "research", "projects/acme-ml-platform/zones/us-central1-a/instances/trainer-1", "cud"),
    Meter("platform", "acme-ml-platform", COMPUTE, "A3 Instance Core running in Iowa", "hour", 29_300_000_000, 104, "seconds", 3600, 90,
          "research", "projects/acme-ml-platform/zones/us-central1-a/instances/trainer-1"),
    Meter("platform", "acme-ml-platform", COMPUTE, "Commitment v1: Nvidia H100 80GB GPU in Iowa for 1 Year", "hour", 4_000_000_000_000,
          6, "seconds", 3600, resource="", credit="fee"),
    Meter("data", "acme-data", COMPUTE, "E2 Instance Core running in Iowa", "hour", 21_811_590_000, 192, "seconds", 3600, 80, "warehouse",
          "projects/acme-data/zones/us-central1-b/instances/etl-1", "sustained"),
    Meter("devx", "acme-devx", ASSIST, "Gemini Code Assist Standard Subscription 1 month", "mo", 19 * _PICO, 12, "mo"),
)  # fmt: skip
_CREDITS: dict[str, tuple[tuple[str, str, int], ...]] = {
    # type, name and thousandths of the cost
    "promotion": (("PROMOTION", "Startup programme", 200),),
    "two": (("DISCOUNT", "Negotiated discount", 100), ("PROMOTION", "Startup programme", 50), ("FREE_TIER", "Free tier", 7)),
    "cud": (("COMMITTED_USAGE_DISCOUNT", "Committed usage discount: GPU", 600),),
    "sustained": (("SUSTAINED_USAGE_DISCOUNT", "Sustained usage discount", 150),),
    "fee": (("FEE_UTILIZATION_OFFSET", "Fee utilisation offset", 250),),
}


def environment(folder: Path, bucket: Bucket) -> dict[str, str]:
    """The variables with which the pipeline finds the export."""
    return {"AISL_GCP_LOCATION": str(folder.parent / "gcp")}


def ownership() -> list[dict[str, str]]:
    """Every project belongs to a team."""
    found = {m.project: m.team for m in METERS}
    return [owned("gcp", "sub_account", project, team) for project, team in sorted(found.items())]


@dataclass(frozen=True)
class Charge:
    """A row of the export. `cost` and `credits` in 1e-12 USD, `exported` when it appeared; `team` is the truth."""

    meter: Meter | None
    start: dt.datetime
    exported: dt.datetime
    units: int
    cost: int
    credits: tuple[tuple[str, str, int], ...]
    invoice_month: str
    team: str | None
    cost_type: str = "regular"
    adjustment: str = ""


@functools.cache
def _pacific() -> ZoneInfo:
    return ZoneInfo("America/Los_Angeles")


@functools.lru_cache(maxsize=512)
def _of_day(day: dt.date) -> tuple[Charge, ...]:
    """All rows whose usage is of that UTC day, late ones and restatements too."""
    rows: list[Charge] = []
    for number, meter in enumerate(METERS):
        if day < meter.first:
            continue
        busy = meter.weekend if day.weekday() >= 5 else 100
        noise = 90 + int(token("gcp", f"{day}{meter.sku}", 4), 16) % 21 if meter.credit not in ("none", "fee") else 100
        units = meter.amount * busy * noise // 10_000
        # A month's price falls due in daily parts: millionths of a month.
        cost = units * meter.price if meter.pricing_unit != "mo" else meter.amount * meter.price // 31
        # The last meter of a day is used in its first hours, which are the day before in California; another one is late.
        hour = 3 if number == 4 else 9 + number % 12
        start = calendar.midnight(day) + dt.timedelta(hours=hour)
        month = f"{start.astimezone(_pacific()):%Y%m}"
        late = number == 11 and day == calendar.next_month(day) - dt.timedelta(days=1)
        exported = calendar.midnight(day) + dt.timedelta(days=1, hours=2 + number % 3, minutes=31, seconds=7)
        if late:
            month, exported = f"{calendar.next_month(day):%Y%m}", exported + dt.timedelta(days=1)
        credits = tuple((kind, name, -(cost * share // 1000)) for kind, name, share in _CREDITS.get(meter.credit, ()))
        rows.append(Charge(meter, start, exported, units, cost, credits, month, meter.team))
        if (day.toordinal() + number) % RESTATED_EVERY == 0:
            # Two percent were counted too much: a new row takes them back, days later and perhaps in the next month.
            again = exported + dt.timedelta(days=3)
            back = cost * 2 // 100
            rows.append(Charge(meter, start, again, 0, -back, (), f"{again.astimezone(_pacific()):%Y%m}", meter.team, "adjustment",
                               "USAGE_CORRECTION"))  # fmt: skip
        if number == 10 and day.weekday() == 0:
            rows.append(rows[-1])  # equal rows are two charges
    return tuple(rows)


def _charges(company: Company) -> list[Charge]:
    """Every row the export will ever have; taxes and rounding close each Pacific month."""
    rows = [row for day in company.days if day >= ADOPTED for row in _of_day(day)]
    by_month: dict[str, int] = {}
    for row in rows:
        by_month[row.invoice_month] = by_month.get(row.invoice_month, 0) + row.cost + sum(c[2] for c in row.credits)
    for month, net in sorted(by_month.items()):
        last = calendar.next_month(dt.date(int(month[:4]), int(month[4:]), 1)) - dt.timedelta(days=1)
        if last > company.days[-1] or last < company.days[0]:
            continue
        start = calendar.midnight(last) + dt.timedelta(hours=20)
        exported = start + dt.timedelta(days=2)
        tax = net * TAX_PERCENT // 100 // 10_000_000_000 * 10_000_000_000
        rows.append(Charge(None, start, exported, 0, tax, (), month, None, "tax"))
        rows.append(Charge(None, start, exported, 0, 3_000_000_000, (), month, None, "rounding_error"))
    return rows


def _usd(pico: int) -> str:
    return bills.decimal_text(pico, 12)


def _record(row: Charge, faults: Faults) -> dict[str, Any]:
    """One row as the export has it; money as decimal text, turned into a number when it is written."""
    meter = row.meter
    scaled = faults.find("wrong_unit", "gcp")
    units = row.units
    if scaled and meter is not None and meter.pricing_unit == "count":
        units = units // int(scaled.get("divisor", 1_000_000))
    months = meter is not None and meter.pricing_unit == "mo"
    base = {
        "billing_account_id": BILLING_ACCOUNT,
        "invoice": {"month": row.invoice_month, "publisher_type": "GOOGLE"},
        "usage_start_time": row.start, "usage_end_time": row.start + dt.timedelta(hours=1), "export_time": row.exported,
        "cost": _usd(row.cost), "currency": "EUR" if faults.find("wrong_currency", "gcp") else "USD", "currency_conversion_rate": "1.0", "cost_type": row.cost_type,
        "credits": [
            {"id": token("gcp-credit", name, 12), "full_name": name, "type": kind, "name": name, "amount": _usd(value)}
            for kind, name, value in row.credits
        ],
        "adjustment_info": {"id": None, "description": None, "mode": None, "type": None},
        "labels": [], "system_labels": [], "tags": [], "transaction_type": "GOOGLE", "seller_name": None,
        "consumption_model": {"id": None, "description": None}, "subscription": {"instance_id": None},
    }  # fmt: skip
    if faults.find("unknown_field", "gcp"):
        base["surprise_field"] = "unheard of"
    if row.adjustment:
        base["adjustment_info"] = {"id": token("gcp-adjust", f"{row.start}", 10), "description": "Usage corrected",
                                   "mode": "PARTIAL_CORRECTION", "type": row.adjustment}  # fmt: skip
    if meter is None:
        text = "Tax" if row.cost_type == "tax" else "Rounding error"
        return base | {
            "service": {"id": "INVOICE", "description": "Invoice"}, "sku": {"id": text.upper().replace(" ", "-"), "description": text},
            "project": None, "location": None, "resource": None, "usage": None, "price": None, "cost_at_list": _usd(row.cost),
        }  # fmt: skip
    amount = bills.decimal_text(meter.amount * 1_000_000 // 31, 6) if months and row.units else str(units)
    in_base = str(meter.amount * meter.scale // 31) if months and row.units else str(units * meter.scale)
    if meter.label:
        base["labels"] = [{"key": "environment", "value": meter.label}]
    if meter.credit == "cud":
        base["system_labels"] = [{"key": "compute.googleapis.com/machine_spec", "value": "a3-highgpu-8g"}]
        base["tags"] = [{"key": "cost-center", "value": "CC-500", "inherited": True, "namespace": "acme"}]
    if meter.credit in ("fee", "none"):
        base["subscription"] = {"instance_id": token("gcp-subscription", meter.sku, 16)}
    return base | {
        "service": {"id": meter.service[0], "description": meter.service[1]},
        "sku": {"id": token("gcp-sku", meter.sku, 12).upper(), "description": meter.sku},
        "project": {"id": meter.project, "number": str(int(token("gcp-project", meter.project, 9), 16)), "name": meter.project.title(),
                    "ancestry_numbers": "/900100200300/", "labels": [{"key": "team", "value": meter.team}]},
        "location": {"location": "us-central1", "country": "US", "region": "us-central1", "zone": None},
        "resource": {"name": meter.resource.rpartition("/")[2] or None, "global_name": f"//compute.googleapis.com/{meter.resource}" if meter.resource else None},
        "usage": {"amount": in_base, "unit": meter.usage_unit, "amount_in_pricing_units": amount, "pricing_unit": meter.pricing_unit},
        "price": {"effective_price": _usd(meter.price), "tier_start_amount": "0", "unit": meter.pricing_unit, "pricing_unit_quantity": "1",
                  "list_price": _usd(meter.price)},
        "cost_at_list": _usd(row.cost),
    }  # fmt: skip


_FLOATS = ("cost", "cost_at_list", "currency_conversion_rate", "amount", "amount_in_pricing_units")
_TIMES = ("usage_start_time", "usage_end_time", "export_time")


def _json_line(record: dict[str, Any]) -> str:
    """A row as `bq extract` writes it: FLOAT as numbers, NUMERIC and INT64 as text, times with a trailing UTC."""

    def shaped(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: shaped(k, v) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            return [shaped(name, v) for v in value]
        if name in _TIMES:
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        return float(value) if name in _FLOATS and value is not None else value

    return json.dumps({k: shaped(k, v) for k, v in record.items() if v is not None}, separators=(",", ":"))


_PAIR = pa.struct([("key", pa.string()), ("value", pa.string())])
_NUMERIC = pa.decimal128(38, 9)
SCHEMA = pa.schema([
    ("billing_account_id", pa.string()), ("invoice", pa.struct([("month", pa.string()), ("publisher_type", pa.string())])),
    *((n, pa.struct([("id", pa.string()), ("description", pa.string())])) for n in ("service", "sku")),
    *((n, pa.timestamp("us", tz="UTC")) for n in _TIMES),
    ("project", pa.struct([*((n, pa.string()) for n in ("id", "number", "name", "ancestry_numbers")), ("labels", pa.list_(_PAIR))])),
    ("labels", pa.list_(_PAIR)), ("system_labels", pa.list_(_PAIR)),
    ("tags", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string()), ("inherited", pa.bool_()), ("namespace", pa.string())]))),
    ("location", pa.struct([(n, pa.string()) for n in ("location", "country", "region", "zone")])),
    ("resource", pa.struct([("name", pa.string()), ("global_name", pa.string())])),
    ("cost", pa.float64()), ("cost_at_list", pa.float64()), ("currency", pa.string()), ("currency_conversion_rate", pa.float64()),
    ("credits", pa.list_(pa.struct([*((n, pa.string()) for n in ("id", "full_name", "type", "name")), ("amount", pa.float64())]))),
    ("usage", pa.struct([("amount", pa.float64()), ("unit", pa.string()), ("amount_in_pricing_units", pa.float64()), ("pricing_unit", pa.string())])),
    ("price", pa.struct([("effective_price", _NUMERIC), ("tier_start_amount", _NUMERIC), ("unit", pa.string()),
                         ("pricing_unit_quantity", _NUMERIC), ("list_price", _NUMERIC)])),
    ("cost_type", pa.string()),
    ("adjustment_info", pa.struct([(n, pa.string()) for n in ("id", "description", "mode", "type")])),
    ("transaction_type", pa.string()), ("seller_name", pa.string()),
    ("consumption_model", pa.struct([("id", pa.string()), ("description", pa.string())])),
    ("subscription", pa.struct([("instance_id", pa.string())])),
])  # fmt: skip


def _parquet(records: list[dict[str, Any]]) -> bytes:
    from decimal import Decimal

    def shaped(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: shaped(k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [shaped(name, v) for v in value]
        if value is None:
            return None
        if name in _FLOATS:
            return float(value)
        if name in ("effective_price", "tier_start_amount", "pricing_unit_quantity", "list_price"):
            # NUMERIC has nine digits after the point; what is finer is rounded by the export.
            return Decimal(value).quantize(Decimal("0.000000001"))
        return value

    rows = [{k: shaped(k, v) for k, v in record.items()} for record in records]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), out, compression="zstd")
    return out.getvalue()


@functools.lru_cache(maxsize=64)
def _run(rows: tuple[Charge, ...], month: dt.date, active: str) -> dict[str, bytes]:
    """Files of one run of a month, two shards, and what an earlier run with a third one left behind. `active`: faults as JSON."""
    faults = Faults(json.loads(active))
    records = [_record(row, faults) for row in rows]
    half = (len(records) + 1) // 2
    chunks = [records[:half], records[half:]] if len(records) > 1 else [records]
    suffix = "json" if month >= JSON_FROM else "parquet"

    def content(chunk: list[dict[str, Any]]) -> bytes:
        return ("\n".join(map(_json_line, chunk)) + "\n").encode() if suffix == "json" else _parquet(chunk)

    files = {f"part-{number:012d}.{suffix}": content(chunk) for number, chunk in enumerate(chunks)}
    if month >= LISTED_FROM:
        net = sum(row.cost + sum(c[2] for c in row.credits) for row in rows)
        listing = {
            "files": [f"gs://acme-billing/{EXPORT}/billing_period={month:%Y-%m}/{name}" for name in files], "rows": len(rows),
            "net_cost": bills.decimal_text((net + 500) // 1000, 9),
        }  # fmt: skip
        files["_MANIFEST"] = json.dumps(listing).encode()
        files[f"part-{len(chunks):012d}.{suffix}"] = content(chunks[0][: max(1, half // 2)])
    if faults.find("doubled_page", "gcp"):
        files.pop("_MANIFEST", None)
    if faults.find("missing_page", "gcp"):
        files.pop(f"part-{len(chunks) - 1:012d}.{suffix}")
    return files | {"_SUCCESS": b""}


def deliver(world: World, folder: Path, bucket: Bucket) -> None:
    """Write the month folders as they lie there at the world's clock; a month without rows is not there."""
    root = folder.parent / "gcp" / EXPORT
    by_month: dict[str, list[Charge]] = {}
    restated = [
        # The export is append-only: a restatement is one more row, exported now.
        replace(row, exported=world.clock, units=0, cost=row.cost * (permille - 1000) // 1000, credits=(), cost_type="adjustment",
                adjustment="USAGE_CORRECTION")
        for row in _charges(world.company)
        if (permille := world.faults.restatement("gcp", row.start.date())) != 1000 and row.exported <= world.clock
    ]  # fmt: skip
    for row in sorted([*_charges(world.company), *restated], key=lambda r: (r.exported, r.start, r.cost)):
        if row.exported <= world.clock:
            by_month.setdefault(row.invoice_month, []).append(row)
    wanted: dict[Path, bytes] = {}
    active = json.dumps(world.faults.concerning("gcp"), sort_keys=True)
    for text, rows in by_month.items():
        month = dt.date(int(text[:4]), int(text[4:]), 1)
        for name, content in _run(tuple(rows), month, active).items():
            wanted[root / f"billing_period={month:%Y-%m}" / name] = content
    for path in root.rglob("*") if root.is_dir() else ():
        if path.is_file() and path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    root.mkdir(parents=True, exist_ok=True)


def truth(company: Company) -> list[DayTruth]:
    """What Google charged per usage day and team, credits taken off; taxes and rounding belong to nobody."""
    sums: dict[tuple[dt.date, str | None], int] = {}
    for row in _charges(company):
        if row.exported <= calendar.AS_OF:
            key = (row.start.date(), row.team)
            sums[key] = sums.get(key, 0) + row.cost + sum(c[2] for c in row.credits)
    order = lambda item: (item[0][0], TEAM_INDEX.get(item[0][1] or "", len(TEAMS)))  # noqa: E731
    return [DayTruth("gcp", "default", day, "USD", _usd(pico), team=team) for (day, team), pico in sorted(sums.items(), key=order)]
