"""The fixed calendar of the company: its clock, its days and the dates on which something changed."""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC
AS_OF = dt.datetime(2026, 10, 20, 6, tzinfo=UTC)
LAST_DAY = dt.date(2026, 10, 19)
MAX_DAYS = 420
FIRST_DAY = LAST_DAY - dt.timedelta(days=MAX_DAYS - 1)
LOG_DAYS = 120

# Two product launches and one new big customer: steps of demand.
LAUNCH_KNOWLEDGE_BOT = dt.date(2025, 11, 17)
LAUNCH_BRAND_STUDIO = dt.date(2026, 3, 2)
LAUNCH_SUPPORT_EMEA = dt.date(2026, 9, 14)
# claude-haiku-4-5 costs less from this day on, by contract.
NEGOTIATED_PRICE_FROM = dt.date(2026, 8, 1)
# Coding tools and the support copilot move from claude-sonnet-4-5 to claude-sonnet-5.
MODEL_UPGRADE = dt.date(2026, 9, 8)
# The sales research agent calls itself in a loop from Saturday morning to Sunday night.
RUNAWAY_DAYS = (dt.date(2026, 8, 22), dt.date(2026, 8, 23))
# A provider outage: many failed attempts before each answer.
RETRY_STORM_DAY = dt.date(2026, 10, 14)


def days_ending(count: int) -> list[dt.date]:
    """The last `count` complete days of the company, oldest first; 1 to 420."""
    if not 1 <= count <= MAX_DAYS:
        raise ValueError(f"the company has 1 to {MAX_DAYS} days, not {count}")
    return [LAST_DAY - dt.timedelta(days=n) for n in range(count - 1, -1, -1)]


def midnight(day: dt.date) -> dt.datetime:
    """The instant at which `day` begins, UTC."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=UTC)


def month_start(day: dt.date) -> dt.date:
    """First day of the month of `day`."""
    return day.replace(day=1)


def next_month(day: dt.date) -> dt.date:
    """First day of the month after the one of `day`."""
    return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)


def iso(instant: dt.datetime) -> str:
    """`2026-10-05T09:00:00Z`; fractions of a second are dropped."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> dt.datetime:
    """An ISO date or instant as an aware UTC instant; a date is its midnight, a missing zone is UTC."""
    instant = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
