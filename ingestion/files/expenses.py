"""Dropped lines of expense reports, without their purpose and memo texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.files.folder import look, open_folder
from ingestion.files.lines import find_files, read_lines
from ingestion.records import Batch
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

LINES = BY_KEY["expenses__lines"]
REQUIRED = ("report_id", "expense_id", "expense_date", "amount", "currency")


def fetch_lines(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Lines of dropped expense reports. Control total: sum of the amounts of one currency."""
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        yield window, read_expenses(window.locator, folder.read(window.locator))


def read_expenses(name: str, content: bytes) -> Batch:
    """One file as a batch. Raises ContractBroken when a required column is missing."""
    return read_lines(LINES, name, content, REQUIRED, "expense_date")


SYSTEM = System("expenses", (Connector(LINES, fetch_lines, find_files),), look=look)
