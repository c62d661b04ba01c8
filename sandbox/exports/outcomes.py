"""Daily outcome counts: a file a month, as a product team's own report would drop it."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

import polars as pl

from sandbox import calendar
from sandbox.build import Company
from sandbox.company import WORKFLOWS
from sandbox.vendors.base import World, drawn

COLUMNS = ("outcome_date", "workflow", "event", "customer_id", "events", "successes", "reported_by")
# The event that is each workflow's unit of value, its success rate in permille, and whether it is reported by customer.
EVENTS = {
    "support-copilot": ("conversation", 780, True), "contract-extraction": ("document", 860, True),
    "sales-research-agent": ("report", 620, False), "internal-knowledge-bot": ("answer", 720, False),
    "marketing-drafting": ("asset", 540, False), "everything-else": ("task", 900, False),
}  # fmt: skip
# The rate moves by this much from day to day; after the launch of a region fewer conversations are resolved.
_SPREAD, _LAUNCH_LOSS = 60, 40


def environment(folder: Path, bucket: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the counts."""
    return {"AISL_OUTCOMES_LOCATION": str(folder.parent / "outcomes")}


def outcomes(company: Company) -> list[dict[str, str]]:
    """The true counts of every logged day: user actions that happened and those that were a success."""
    log = company.log.filter(pl.col("true_workflow").is_in([w.workflow for w in WORKFLOWS]))
    counted = log.group_by("day", "true_workflow", "true_customer").agg(pl.col("user_action").n_unique().alias("events"))
    rows: dict[tuple[dt.date, str, str], int] = {}
    for row in counted.iter_rows(named=True):
        by_customer = EVENTS[row["true_workflow"]][2]
        key = (dt.date.fromordinal(row["day"]), row["true_workflow"], (row["true_customer"] or "") if by_customer else "")
        rows[key] = rows.get(key, 0) + row["events"]
    found = []
    for (day, workflow, customer), events in sorted(rows.items()):
        event, permille, _ = EVENTS[workflow]
        rate = drawn(company, f"outcome-{day}-{workflow}-{customer}", permille - _SPREAD, permille + _SPREAD)
        if workflow == "support-copilot" and day >= calendar.LAUNCH_SUPPORT_EMEA:
            rate -= _LAUNCH_LOSS
        found.append({
            "outcome_date": day.isoformat(), "workflow": workflow, "event": event, "customer_id": customer, "events": str(events),
            "successes": str(events * rate // 1000), "reported_by": "product analytics",
        })  # fmt: skip
        if workflow == "support-copilot":
            # A conversation has a first question and, mostly, two more.
            messages = events + events * 2 * drawn(company, f"messages-{day}-{customer}", 700, 900) // 1000
            found.append({**found[-1], "event": "message", "events": str(messages), "successes": str(messages)})
    return found


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """One file per month, with the complete days up to the clock."""
    place = folder.parent / "outcomes"
    place.mkdir(parents=True, exist_ok=True)
    everything = world.once("outcomes", lambda: outcomes(world.company))
    months: dict[str, list[dict[str, str]]] = {}
    for row in everything:
        if row["outcome_date"] < world.clock.date().isoformat():
            months.setdefault(row["outcome_date"][:7], []).append(row)
    wanted = {f"outcomes-{month}.csv": _file(rows) for month, rows in months.items()}
    for old in place.glob("*.csv"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = place / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _file(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
