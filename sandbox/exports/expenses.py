"""Expense reports: a file a month, mostly travel, with some subscriptions that people bought themselves."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

from sandbox import calendar, canaries
from sandbox.company import PEOPLE, TEAMS, token
from sandbox.vendors.base import World

COLUMNS = (
    "report_id", "expense_id", "expense_date", "employee_email", "merchant", "merchant_domain", "card_descriptor", "category", "amount",
    "currency", "cost_center", "memo",
)  # fmt: skip
LINES_A_MONTH = 24
# merchant, domain, descriptor, category, cents, currency; the second list is of AI vendors
_ORDINARY = (
    ("Hotel Aurora", "", "HOTEL AURORA BERLIN", "Lodging", 14_900, "EUR"), ("City Taxi", "", "CITY TAXI 0042", "Travel", 2_350, "USD"),
    ("Bean Counter", "", "BEAN COUNTER COFFEE", "Meals", 640, "USD"), ("Nordic Rail", "rail.example", "NORDIC RAIL", "Travel", 8_820, "EUR"),
    ("Complexity Books", "", "COMPLEXITY BOOKS", "Training", 3_995, "USD"), ("Runaway Shoes", "", "RUNAWAY SHOES", "Other", 7_500, "USD"),
)  # fmt: skip
_AI = (
    ("OpenAI", "chatgpt.com", "OPENAI *CHATGPT SUBSCR", "Software", 2_000, "USD"),
    ("Midjourney Inc.", "midjourney.com", "MIDJOURNEY INC.", "Software", 3_000, "USD"),
    ("", "", "PERPLEXITY AI", "Software", 2_000, "USD"),
    ("Anthropic", "claude.ai", "CLAUDE.AI SUBSCRIPTION", "Software", 1_800, "EUR"),
)  # fmt: skip


def environment(folder: Path, bucket: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the reports."""
    return {"AISL_EXPENSES_LOCATION": str(folder.parent / "expenses")}


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """One file per month of the company up to the clock."""
    place = folder.parent / "expenses"
    place.mkdir(parents=True, exist_ok=True)
    wanted = {}
    month = world.company.days[0].replace(day=1)
    while calendar.midnight(month) < world.clock:
        wanted[f"expenses-{month:%Y-%m}.csv"] = _file(world, month)
        month = calendar.next_month(month)
    for old in place.glob("*.csv"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = place / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def lines(month: dt.date) -> list[dict[str, str]]:
    """Every expense line of a month; `is_ai` says whether it was for an AI vendor."""
    found = []
    for number in range(LINES_A_MONTH):
        seed = int(token("expense", f"{month:%Y-%m}-{number}", 8), 16)
        person = PEOPLE[seed % len(PEOPLE)]
        kinds = _AI if number % 6 == 5 else _ORDINARY
        merchant, domain, descriptor, category, cents, currency = kinds[seed // 64 % len(kinds)]
        team = next(t for t in TEAMS if t.team == person.team)
        found.append({
            "report_id": f"EXP-{month:%Y%m}-{number // 6}", "expense_id": f"{month:%Y%m}{number:03d}",
            "expense_date": (month + dt.timedelta(days=seed // 4096 % 28)).isoformat(), "employee_email": person.email,
            "merchant": merchant, "merchant_domain": domain, "card_descriptor": descriptor, "category": category,
            "amount": f"{cents // 100}.{cents % 100:02d}", "currency": currency, "cost_center": team.cost_center,
            "is_ai": "true" if kinds is _AI else "false",
        })  # fmt: skip
    return found


def _file(world: World, month: dt.date) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in lines(month):
        if calendar.midnight(dt.date.fromisoformat(line["expense_date"])) < world.clock:
            writer.writerow({**line, "memo": canaries.EXPENSE_MEMO})
    return out.getvalue()
