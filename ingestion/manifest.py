"""The manifest: one JSON line per delivery, newest last; it alone says what is current.

A line is committed only after its Parquet file is in place, so a process killed at any point leaves at most files
that no line names.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.catalog import BY_KEY, Dataset
from ingestion.lake import Lake


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the manifest: what one fetch of one window gave, or that it gave no answer.

    `control_total` is the exact sum of the delivery's money column as decimal text, in `control_unit`. `path` is the
    lake key of the Parquet file, null when there are no rows. `source_version` is what the store of a file said
    about its content (size and time, or ETag). `days`: charge days of month and file windows.
    """

    delivery_id: str
    source: str
    dataset: str
    account: str
    window: str
    window_start: datetime
    window_end: datetime
    state: Literal["complete", "failed"]
    rows: int
    rejects: int
    content_hash: str | None
    control_total: str | None
    control_unit: str | None
    path: str | None
    fetched_at: datetime
    checked_at: datetime
    run_id: str
    pages: int
    error: str | None = None
    superseded_content_hash: str | None = None
    days: list[str] | None = None
    source_version: str | None = None
    locator: str | None = None


_LINE = msgspec.json.Decoder(Delivery)


def key_of(dataset: Dataset | str) -> str:
    """Lake key of a dataset's manifest."""
    found = BY_KEY[dataset] if isinstance(dataset, str) else dataset
    return f"manifest/{found.source}/{found.name}.jsonl"


def read(lake: Lake, dataset: Dataset | str) -> list[Delivery]:
    """Every delivery of a dataset (catalog entry or its key), oldest first; none yet is an empty list."""
    content = lake.read(key_of(dataset))
    return [] if content is None else [_LINE.decode(line) for line in content.splitlines() if line]


def current(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The newest complete delivery of each (account, window), in order of account and window."""
    newest = {(d.account, d.window): d for d in deliveries if d.state == "complete"}
    return [newest[key] for key in sorted(newest)]


class ManifestWriter:
    """Collects lines and commits them in batches, because rewriting the file for each of 10,000 windows is quadratic.

    A line replaces the older line of its delivery id and goes to the end, so the last line of a window is the newest
    thing known about it. A kill loses uncommitted lines
    only, and a rerun lands those windows again under the same ids.
    """

    def __init__(self, lake: Lake, dataset: Dataset, *, every: int = 250, seconds: float = 5.0) -> None:
        self.lake = lake
        self.dataset = dataset
        self.every = every
        self.seconds = seconds
        self._lines: dict[str, Delivery] = {d.delivery_id: d for d in read(lake, dataset)}
        self._current = {(d.account, d.window): d for d in self._lines.values() if d.state == "complete"}
        self._last = {(d.account, d.window): d for d in self._lines.values()}
        self._pending: dict[str, Delivery] = {}
        self._committed_at = time.monotonic()

    def current(self, account: str, window: str) -> Delivery | None:
        """The delivery that counts for this window now, uncommitted lines included."""
        return self._current.get((account, window))

    def last(self, account: str, window: str) -> Delivery | None:
        """The newest line of this window, failed or complete."""
        return self._last.get((account, window))

    def has(self, delivery_id: str) -> bool:
        """Whether a line of that id exists."""
        return delivery_id in self._lines

    def put(self, delivery: Delivery) -> None:
        """Add or replace a line; committed when enough lines or seconds have come together."""
        slot = (delivery.account, delivery.window)
        self._pending.pop(delivery.delivery_id, None)
        self._lines[delivery.delivery_id] = self._pending[delivery.delivery_id] = delivery
        self._last[slot] = delivery
        if delivery.state == "complete":
            self._current[slot] = delivery
        if len(self._pending) >= self.every or time.monotonic() - self._committed_at > self.seconds:
            self.commit()

    def commit(self) -> None:
        """Rewrite the manifest with the pending lines, keeping what another process added meanwhile."""
        if self._pending:
            key = key_of(self.dataset)
            with self.lake.locked(key):
                lines = {d.delivery_id: d for d in read(self.lake, self.dataset)}
                kept = [d for d in lines.values() if d.delivery_id not in self._pending]
                self.lake.write(key, b"".join(_encoded([*kept, *self._pending.values()])))
            self._pending = {}
        self._committed_at = time.monotonic()


def _encoded(deliveries: Iterable[Delivery]) -> Iterator[bytes]:
    for delivery in deliveries:
        yield msgspec.json.encode(delivery) + b"\n"
