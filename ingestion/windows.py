"""Half-open UTC windows: what is fetched, landed and replaced whole, and the keys they are stored under."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Window:
    """One window `[start, end)` in UTC.

    `locator` is where a file window's content is found (path or object key); `version` is what the store says about
    that content (size and time, or ETag), so that unchanged files are not read again.
    """

    key: str
    start: datetime
    end: datetime
    locator: str | None = None
    version: str | None = None

    @property
    def day(self) -> date:
        """The first UTC day of the window."""
        return self.start.date()


def midnight(day: date) -> datetime:
    """00:00 UTC of that day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_window(day: date) -> Window:
    """The UTC day; key `2026-09-01`. Also the window of `updated` and `snapshot` datasets."""
    return Window(day.isoformat(), midnight(day), midnight(day) + DAY)


def month_window(day: date, locator: str | None = None, version: str | None = None) -> Window:
    """The calendar month of that day; key `2026-09`."""
    first = day.replace(day=1)
    return Window(f"{first:%Y-%m}", midnight(first), midnight(next_month(first)), locator, version)


def file_window(locator: str, version: str) -> Window:
    """One dropped file; key = digest of its path below the dropped folder.

    Its bounds are unknown before it is read: landing replaces them by the charge days in it.
    """
    key = hashlib.sha256(locator.encode()).hexdigest()[:16]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return Window(key, epoch, epoch, locator, version)


def next_month(first: date) -> date:
    """First day of the month after."""
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_month(first: date) -> date:
    """First day of the month before."""
    return (first.replace(day=1) - DAY).replace(day=1)


def days(first: date, after: date) -> Iterator[date]:
    """Every day of `[first, after)`."""
    for offset in range((after - first).days):
        yield first + timedelta(days=offset)


def months(first: date, last: date) -> Iterator[date]:
    """First days of the months from the month of `first` to the month of `last`, both included."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = next_month(month)
