"""Dropped daily counts of business events: one row per day, workflow, event and customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.files.folder import look, open_folder
from ingestion.files.lines import Cells, find_files, read_lines
from ingestion.records import Batch, Refused
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

DAILY = BY_KEY["outcomes__daily"]
REQUIRED = ("outcome_date", "workflow", "event", "events", "successes")


def fetch_daily(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Counts of dropped outcome files."""
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        yield window, read_outcomes(window.locator, folder.read(window.locator))


def read_outcomes(name: str, content: bytes) -> Batch:
    """One file as a batch. Raises ContractBroken when a required column is missing."""
    return read_lines(DAILY, name, content, REQUIRED, "outcome_date", _counted)


def _counted(row: Cells) -> Cells:
    for column in ("events", "successes"):
        cell = (row[column] or "").strip()
        if cell and not (cell.isascii() and cell.isdigit()):
            raise Refused("not_a_number", column, "a count is a whole number from 0 on")
    if row["events"] and row["successes"] and int(row["successes"]) > int(row["events"]):
        raise Refused("unknown_value", "successes", "more successes than events")
    return row


SYSTEM = System("outcomes", (Connector(DAILY, fetch_daily, find_files),), look=look)
