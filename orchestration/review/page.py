"""What the review page is made of, as plain data: headline numbers, sections, tables and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.review import formats as f

GOOD, WATCH, BAD, QUIET = "good", "watch", "bad", "quiet"
_STATE_TONES = {
    "tied": GOOD, "open": QUIET, "difference": BAD, "no invoice": WATCH, "no bill": BAD,
    "pass": GOOD, "fail": BAD, "waived": WATCH, "not applicable": QUIET,
    "watch": WATCH, "warn": WATCH, "critical": BAD, "ok": GOOD, "none": GOOD,
    "fresh": GOOD, "complete": GOOD, "on time": GOOD, "late": WATCH, "stale": BAD, "failed": BAD, "missing": BAD,
    "blocking": QUIET, "reported": QUIET, "passed": GOOD,
}


@dataclass(frozen=True)
class Cell:
    """Text of a cell; `tone` colours it as a state, `bar` (0 to 1) draws a quiet bar under it."""

    text: str
    tone: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """Head of a column with its unit; kinds: text, number, state, wrap (long text)."""

    label: str
    unit: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] = ()
    note: str = ""


@dataclass(frozen=True)
class Figure:
    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A section without tables and figure must carry a lead that says why there is nothing to show."""

    key: str
    title: str
    lead: str
    source: str = ""
    figure: Figure | None = None
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Kpi:
    label: str
    value: str
    detail: str
    tone: str = ""


def state_cell(value: object) -> Cell:
    text = f.words(value)
    return Cell(text, _STATE_TONES.get(text.lower(), QUIET))


def many(number: int, thing: str) -> str:
    return f"{f.count(number)} {thing}" if number == 1 else f"{f.count(number)} {thing}s"


def capped(shown: int, total: int, thing: str, order: str) -> str:
    return f"Showing {shown} of {many(total, thing)}: {order}." if shown < total else ""
