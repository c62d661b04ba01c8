"""Faults a test can switch on: what a vendor can get wrong, named, and limited to a vendor and a path."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

KINDS = {
    "missing_page": "an answer stops early and says it is complete",
    "doubled_page": "the first page is served twice, the second time under a new cursor",
    "cents_as_dollars": "amounts are 100 times too small (or times `factor` percent)",
    "cached_double_count": "the uncached field includes the cache reads",
    "restated_day": "tokens and cost of `day` are times `permille` / 1000 (default 1100)",
    "restated_month": "tokens and cost of the closed `month` are times `permille` / 1000 (default 1100)",
    "storm_500": "every answer is a 500; with `count` only the first so many",
    "wrong_unit": "amounts are in another unit than the contract says",
    "wrong_currency": "amounts say EUR",
    "changed_type": "numbers arrive as nested objects",
    "unknown_field": "records carry a field nobody has seen",
    "truncated_json": "the body ends in the middle",
}


@dataclass
class Faults:
    """The faults that are on. Each is `{"kind", "vendor"?, "path"?, ...}`; no vendor or path means any.

    `path` is a part of the request's path. Raises ValueError for an unknown kind.
    """

    active: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        for fault in self.active:
            if fault.get("kind") not in KINDS:
                raise ValueError(f"unknown fault {fault.get('kind')!r}; known: {', '.join(KINDS)}")

    def find(self, kind: str, vendor: str, path: str = "") -> dict | None:
        """The first active fault of a kind that applies to a vendor and a path."""
        for fault in self.active:
            if fault["kind"] == kind and fault.get("vendor", vendor) == vendor and fault.get("path", "") in path:
                return fault
        return None

    def concerning(self, vendor: str) -> list[dict]:
        """The active faults that can touch a vendor."""
        return [f for f in self.active if f.get("vendor", vendor) == vendor]

    def restatement(self, source: str, day: dt.date) -> int:
        """Thousandths by which a day of a source is multiplied; 1000 when nothing was restated."""
        for fault in self.active:
            if fault.get("vendor", source) != source:
                continue
            if fault["kind"] == "restated_day" and fault["day"] == day.isoformat():
                return int(fault.get("permille", 1100))
            if fault["kind"] == "restated_month" and day.isoformat().startswith(fault["month"]):
                return int(fault.get("permille", 1100))
        return 1000
