"""Seat inventories: the chat product's members at the end of each month, as an administrator would export them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

from sandbox import calendar
from sandbox.company import PEOPLE, SEAT_PEOPLE, token
from sandbox.vendors.base import World

COLUMNS = (
    "snapshot_date", "vendor", "product", "plan", "seat_id", "user_id", "user_email", "status", "assigned_at", "removed_at",
    "last_activity_at", "team", "cost_center", "unit_price", "currency", "billing_period", "contract_id",
)  # fmt: skip
# Inventories are kept since this month; one seat changed hands in the middle of a month.
FIRST_LIST = dt.date(2026, 7, 31)
CHANGED_ON, HANDED_TO = dt.date(2026, 8, 16), "p001"
_ASSIGNED = dt.date(2025, 6, 1)
UNIT_PRICE = "30.00"


def environment(folder: Path, bucket: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the inventories."""
    return {"AISL_SEATS_LOCATION": str(folder.parent / "seats")}


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """One file per month's end up to the clock."""
    place = folder.parent / "seats"
    place.mkdir(parents=True, exist_ok=True)
    wanted = {f"claude-team-{day}.csv": _file(day) for day in _lists(world)}
    for old in place.glob("*.csv"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = place / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _lists(world: World) -> list[dt.date]:
    found = []
    month = FIRST_LIST.replace(day=1)
    while True:
        last = calendar.next_month(month) - dt.timedelta(days=1)
        if calendar.midnight(last + dt.timedelta(days=1)) > world.clock:
            return found
        found.append(last)
        month = calendar.next_month(month)


def holders(day: dt.date) -> list[tuple[str, dt.date]]:
    """(person, assigned on) of every seat held on a day."""
    kept = [(p, _ASSIGNED) for p in SEAT_PEOPLE[:-1]]
    return [*kept, (HANDED_TO, CHANGED_ON) if day >= CHANGED_ON else (SEAT_PEOPLE[-1], _ASSIGNED)]


def _file(day: dt.date) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    emails = {p.person_id: p.email for p in PEOPLE}
    rows = [(p, assigned, "active", "") for p, assigned in holders(day)]
    if day.replace(day=1) == CHANGED_ON.replace(day=1):
        rows.append((SEAT_PEOPLE[-1], _ASSIGNED, "removed", f"{CHANGED_ON}T00:00:00Z"))
    for person, assigned, status, removed in rows:
        number = int(token("seat-use", person, 4), 16)
        # Some are busy, some stopped in July, some never used it or so long ago that the vendor forgot.
        last = {0: "None", 1: f"{dt.date(2026, 7, 1 + number % 20)}T10:00:00Z"}.get(number % 5, f"{day}T{8 + number % 9:02d}:00:00Z")
        writer.writerow({
            "snapshot_date": day.isoformat(), "vendor": "Anthropic", "product": "Claude Team", "plan": "team", "seat_id": "",
            "user_id": "", "user_email": emails[person].capitalize(), "status": status, "assigned_at": f"{assigned}T09:00:00Z",
            "removed_at": removed, "last_activity_at": last, "team": "", "cost_center": "",
            "unit_price": UNIT_PRICE, "currency": "USD", "billing_period": "month", "contract_id": "",
        })  # fmt: skip
    return out.getvalue()
