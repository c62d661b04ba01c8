"""Dropped results of evaluation runs: one row per item, configuration and trial, as CSV or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.files.folder import look, open_folder
from ingestion.files.lines import Cells, read_lines
from ingestion.records import Batch, Refused
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window, file_window

RESULTS = BY_KEY["evaluations__results"]
REQUIRED = ("evaluated_on", "eval_set_id", "item_id", "config_id", "cost_usd")
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


def find_files(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Dropped CSV files and JSON lines."""
    found = (f for f in open_folder(config).files() if f.name.lower().endswith(SUFFIXES))
    return [file_window(f.name, f.version) for f in found]


def fetch_results(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Results of dropped evaluation files."""
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        yield window, read_results(window.locator, folder.read(window.locator))


def read_results(name: str, content: bytes) -> Batch:
    """One file as a batch. Raises ContractBroken when a required column is missing."""
    return read_lines(RESULTS, name, content, REQUIRED, "evaluated_on", _counted)


def _counted(row: Cells) -> Cells:
    for column in ("trial", "tokens", "latency_ms"):
        cell = (row.get(column) or "").strip()
        if cell and not (cell.isascii() and cell.isdigit()):
            raise Refused("not_a_number", column, "a whole number from 0 on")
    try:
        negative = Decimal((row["cost_usd"] or "0").strip()) < 0
    except InvalidOperation:
        raise Refused("not_a_number", "cost_usd") from None
    if negative:
        raise Refused("unknown_value", "cost_usd", "a run costs nothing or something")
    return {**row, "trial": row.get("trial") or "1"}


SYSTEM = System("evaluations", (Connector(RESULTS, fetch_results, find_files),), look=look)
