"""Dropped invoice CSVs: one row per invoice line, in the columns of the catalog.

`billing_period_end` is exclusive. Amounts are decimal major units of the row's currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken
from ingestion.files.billing import kind_of
from ingestion.files.folder import look, open_folder
from ingestion.files.tabular import header, read, without_nothing
from ingestion.records import Batch, Cell, Refused, Reject, Row, amount, digest, exact_sum, one_currency, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window, file_window

LINES = BY_KEY["invoices__lines"]
LINE_TYPES = frozenset({"usage", "tax", "credit", "seat", "support", "commitment", "adjustment"})
REQUIRED = ("invoice_issuer_name", "invoice_id", "billing_period_start", "billing_period_end", "amount", "currency")


def find_files(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Dropped CSV files that are not billing files of another kind."""
    folder = open_folder(config)
    found = [f for f in folder.files() if f.name.lower().endswith((".csv", ".csv.gz"))]
    kinds = ((f, kind_of(header(f.name, folder.head(f.name), None))) for f in found)
    return [file_window(f.name, f.version) for f, kind in kinds if kind in (None, LINES.key)]


def fetch_lines(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Lines of dropped invoices. Control total: sum of the amounts of one currency."""
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        yield window, read_invoices(window.locator, folder.read(window.locator))


def read_invoices(name: str, content: bytes) -> Batch:
    """One invoice file as a batch. Raises ContractBroken when a required column is missing."""
    frame, rejects = read(name, content)
    lacking = [column for column in REQUIRED if column not in frame.columns]
    if lacking:
        raise ContractBroken(
            tried=f"read dropped invoice {name}",
            found=f"no column {', '.join(lacking)}",
            to_do="use the column names of the invoice template",
        )
    rows: list[Row] = []
    for row in without_nothing(frame).iter_rows(named=True):
        try:
            rows.append(_line(row, name))
        except Refused as refused:
            text = digest("|".join(str(v) for v in row.values()))
            rejects.append(Reject(row["__row"], refused.reason, refused.field, refused.detail, text))
    records = table(LINES, rows)
    total = exact_sum(records.get_column("amount"))
    unit = one_currency(records.get_column("currency").unique().to_list())
    days = records.get_column("billing_period_start").unique().sort().to_list()
    return Batch(records, rejects, total, unit, 1, days)


def _line(row: dict[str, Any], name: str) -> Row:
    for column in REQUIRED:
        if row[column] is None:
            raise Refused("missing_value", column)
    kind = row.get("line_type")
    if kind is not None and kind not in LINE_TYPES:
        raise Refused("unknown_value", "line_type", "not one of " + ", ".join(sorted(LINE_TYPES)))
    values: list[Cell] = []
    for column, logical in LINES.columns.items():
        cell = name if column == "file_name" else row.get(column)
        if cell is not None and logical == "money_text":
            cell = _decimal(cell, column)
        elif cell is not None and logical == "date":
            cell = _date(cell, column)
        values.append(cell)
    return tuple(values)


def _decimal(text: str, column: str) -> str | None:
    try:
        return amount(Decimal(text.strip()), column)
    except InvalidOperation:
        raise Refused("not_a_number", column) from None


def _date(text: str, column: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Refused("unreadable_time", column) from None


SYSTEM = System("invoices", (Connector(LINES, fetch_lines, find_files),), look=look)
