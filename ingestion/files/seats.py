"""Dropped seat inventories: one row per seat in the list of one day."""

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

SNAPSHOT = BY_KEY["seats__snapshot"]
REQUIRED = ("snapshot_date", "vendor", "product", "status")
STATUSES = frozenset({"active", "pending", "suspended", "removed"})
PERIODS = frozenset({"month", "year"})
_NEVER = frozenset({"none", "never", "-"})


def fetch_snapshot(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Seats of dropped inventories."""
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        yield window, read_seats(window.locator, folder.read(window.locator))


def read_seats(name: str, content: bytes) -> Batch:
    """One inventory as a batch. Raises ContractBroken when a required column is missing."""
    return read_lines(SNAPSHOT, name, content, REQUIRED, "snapshot_date", _seat)


def _seat(row: Cells) -> Cells:
    email = (row.get("user_email") or "").strip().lower() or None
    key = row.get("seat_id") or row.get("user_id") or email
    if key is None:
        raise Refused("missing_value", "seat_id", "neither seat, user nor e-mail")
    status = (row["status"] or "").strip().lower() or None
    if status is not None and status not in STATUSES:
        raise Refused("unknown_value", "status", "not one of " + ", ".join(sorted(STATUSES)))
    period = (row.get("billing_period") or "").strip().lower() or None
    if period is not None and period not in PERIODS:
        raise Refused("unknown_value", "billing_period", "neither month nor year")
    active = row.get("last_activity_at")
    if active is not None and active.strip().lower() in _NEVER:
        active = None
    return {**row, "user_email": email, "seat_key": key, "status": status, "billing_period": period, "last_activity_at": active}


SYSTEM = System("seats", (Connector(SNAPSHOT, fetch_snapshot, find_files),), look=look)
