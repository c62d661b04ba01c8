"""Dropped invoice CSVs: one row per invoice line, in the columns of the catalog.

`billing_period_end` is exclusive. Amounts are decimal major units of the row's currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.files.billing import kind_of
from ingestion.files.folder import look, open_folder
from ingestion.files.lines import Cells, read_lines
from ingestion.files.tabular import header
from ingestion.records import Batch, Refused
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
    return read_lines(LINES, name, content, REQUIRED, "billing_period_start", _line)


def _line(row: Cells) -> Cells:
    kind = row.get("line_type")
    if kind is not None and kind not in LINE_TYPES:
        raise Refused("unknown_value", "line_type", "not one of " + ", ".join(sorted(LINE_TYPES)))
    return row


SYSTEM = System("invoices", (Connector(LINES, fetch_lines, find_files),), look=look)
