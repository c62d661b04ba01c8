"""Invoices as dropped CSV files, one per issuer and closed month, and the true invoices beside the other truth."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from sandbox import aws, bills, calendar
from sandbox.build import Company
from sandbox.company import SEAT_PEOPLE
from sandbox.exports import EXPORTS
from sandbox.faults import Faults
from sandbox.prices import METERS
from sandbox.vendors import VENDORS
from sandbox.vendors.base import World

COLUMNS = (
    "invoice_issuer_name", "billing_account_id", "invoice_id", "invoice_detail_id", "invoice_issue_status", "line_type",
    "charge_category", "service_name", "description", "billing_period_start", "billing_period_end", "invoice_issue_date",
    "payment_due_date", "quantity", "amount", "currency", "purchase_order_number", "reference_invoice_id",
)  # fmt: skip
SEAT_CENTS = 3_000
# Invoices of vendors without a payer account are filed under the name of the pipeline's account.
ACCOUNT_ALIAS = "default"
_FINAL = calendar.AS_OF + dt.timedelta(days=3650)
_PICO_PER_CENT = 10_000_000_000


def _cents(pico: int) -> int:
    """Half away from zero."""
    return (abs(pico) * 2 + _PICO_PER_CENT) // (2 * _PICO_PER_CENT) * (1 if pico >= 0 else -1)


def _lines(issuer: str, account: str, number: str, month: dt.date, lines: list[tuple[str, str, str, str, str, int]],
           currency: str = "USD") -> list[dict[str, str]]:  # fmt: skip
    after = calendar.next_month(month)
    issued = after + dt.timedelta(days=2)
    return [
        {
            "invoice_issuer_name": issuer, "billing_account_id": account, "invoice_id": number, "invoice_detail_id": str(position),
            "invoice_issue_status": "Issued", "line_type": kind, "charge_category": category, "service_name": service,
            "description": text, "billing_period_start": month.isoformat(), "billing_period_end": after.isoformat(),
            "invoice_issue_date": issued.isoformat(), "payment_due_date": (issued + dt.timedelta(days=30)).isoformat(),
            "quantity": quantity, "amount": f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}",
            "currency": currency, "purchase_order_number": "PO-4471", "reference_invoice_id": number,
        }
        for position, (kind, category, service, text, quantity, cents) in enumerate(lines, start=1)
    ]  # fmt: skip


def _by_model(company: Company, source: str) -> dict[tuple[dt.date, str], int]:
    sums: dict[tuple[dt.date, str], int] = {}
    for row in bills.visible_usage(company, source, _FINAL, Faults()).iter_rows(named=True):
        for meter in METERS:
            if row[f"cost_{meter}"]:
                key = (calendar.month_start(row["day"]), "web search" if meter == "web_search" else row["model"])
                sums[key] = sums.get(key, 0) + row[f"cost_{meter}"]
    return sums


def _aws_lines(company: Company, month: dt.date) -> list[tuple[str, str, str, str, str, int]]:
    kinds = {"Usage": "usage", "Tax": "tax", "Credit": "credit"}
    sums: dict[tuple[str, str, str], int] = {}
    for row in aws.month_rows(company, month, _FINAL, Faults()):
        kind = kinds.get(row["ChargeCategory"]) or ("support" if "Support" in row["ServiceName"] else "commitment")
        key = (kind, row["ChargeCategory"], row["ServiceName"])
        sums[key] = sums.get(key, 0) + row["pico"]
    return [(*key, f"{key[2]} {month:%Y-%m}", "1", _cents(value)) for key, value in sorted(sums.items()) if _cents(value)]


def invoices(company: Company, only: Collection[str] | None = None) -> dict[str, list[dict[str, str]]]:
    """The true invoice lines of every closed month of the company, by file name. Closed: the next month began before the end."""
    found: dict[str, list[dict[str, str]]] = {}
    months = [m for m in aws.months(company) if calendar.next_month(m) <= calendar.LAST_DAY]
    for source, issuer, account in (("anthropic", "Anthropic", ACCOUNT_ALIAS), ("openai", "OpenAI", ACCOUNT_ALIAS)):
        by_model = _by_model(company, source)
        for month in months:
            lines: list[tuple[str, str, str, str, str, int]] = [
                ("usage", "Usage", "Claude API" if source == "anthropic" else "OpenAI API", model, "1", _cents(value))
                for (at, model), value in sorted(by_model.items())
                if at == month
            ]
            if source == "anthropic":
                seats = len(SEAT_PEOPLE)
                lines.append(("seat", "Purchase", "Claude Team", "Team plan seats", str(seats), seats * SEAT_CENTS))
                lines.append(("tax", "Tax", "Tax", "Sales tax", "1", sum(line[5] for line in lines) * aws.TAX_PERCENT // 100))
            found[f"{source}-{month:%Y-%m}.csv"] = _lines(issuer, account, f"{issuer.upper()[:4]}-{month:%Y%m}-0001", month, lines)
    for month in months:
        found[f"aws-{month:%Y-%m}.csv"] = _lines(aws.ISSUER, aws.AWS_PAYER, aws.invoice_id(month), month, _aws_lines(company, month))
    return found | _plugged_invoices(company, months, only)


def _plugged_invoices(company: Company, months: list[dt.date], only: Collection[str] | None) -> dict[str, list[dict[str, str]]]:
    """One invoice line per vendor, account, currency and month for the vendors whose truth names an issuer."""
    sums: dict[tuple[str, str, str, dt.date], Decimal] = {}
    for name, module in {**VENDORS, **EXPORTS}.items():
        is_on = hasattr(module, "truth") and (only is None or name in only)
        for row in module.truth(company) if is_on else ():
            if row.issuer is not None:
                key = (row.issuer, row.account, row.currency, calendar.month_start(row.day))
                sums[key] = sums.get(key, Decimal(0)) + Decimal(row.billed)
    found = {}
    for number, ((issuer, account, currency, month), amount) in enumerate(sorted(sums.items()), start=1):
        cents = int((amount * 100).to_integral_value(ROUND_HALF_UP))
        if month in months and cents:
            slug = "-".join("".join(c if c.isalnum() else " " for c in issuer.lower()).split())
            line = ("usage", "Usage", issuer, f"Usage {month:%Y-%m}", "1", cents)
            name = f"{slug}-{account}-{currency.lower()}-{month:%Y-%m}.csv"
            found[name] = _lines(issuer, account, f"{slug.upper()[:6]}-{month:%Y%m}-{number:04d}", month, [line], currency)
    return found


def stored_invoices(company: Company, folder: Path, only: Collection[str] | None = None) -> dict[str, list[dict[str, str]]]:
    """The true invoices, kept in the company's folder once they were worked out."""
    path = folder / ("invoices.json" if only is None else f"invoices-of-{len(only)}.json")
    if not path.exists():
        path.write_text(json.dumps(invoices(company, only), indent=1, sort_keys=True) + "\n")
    return json.loads(path.read_text())


def write(world: World, state: Path, everything: dict[str, list[dict[str, str]]]) -> None:
    """Put those of `everything` issued by the world's clock into `<state>/drop/invoices`, and all into the truth."""
    folder = state / "drop" / "invoices"
    folder.mkdir(parents=True, exist_ok=True)
    truth = state / "truth" / "invoices.json"
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
    wanted = {n: lines for n, lines in everything.items() if lines[0]["invoice_issue_date"] <= world.clock.date().isoformat()}
    for path in folder.glob("*.csv"):
        if path.name not in wanted:
            path.unlink()
    for name, lines in wanted.items():
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        path = folder / name
        if not path.exists() or path.read_text() != out.getvalue():
            path.write_text(out.getvalue())
