"""What the review pack is told and what it hands back. No I/O, no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path


@dataclass(frozen=True)
class GateResult:
    """Outcome of one gate of the run that made the snapshot."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class ReviewContext:
    """Facts about the run that are not in the warehouse.

    `as_of` is the instant everything was computed for (UTC); `last_complete_day` is the newest charge day (UTC) that
    counts as complete; `snapshot_state` is said in the head of the page, e.g. `published`.
    """

    company: str
    profile: str
    as_of: datetime
    last_complete_day: date
    run_id: str
    snapshot_state: str
    reporting_currency: str = "USD"
    gates: tuple[GateResult, ...] = ()


@dataclass(frozen=True)
class ReviewFiles:
    """The files of one review pack."""

    html: Path
    explained: Path
    reset: Path
    workbook: Path
    weekly: Path
    policy: Path
