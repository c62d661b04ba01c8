"""Partitions: the charge day and the billing month, both in UTC, ending where the run's clock says."""

from __future__ import annotations

import dagster as dg

from orchestration.settings import Settings


def charge_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition per complete charge day from the start date on."""
    end = settings.as_of.strftime("%Y-%m-%d") if settings.is_clock_fixed else None
    return dg.DailyPartitionsDefinition(start_date=settings.start_date.isoformat(), end_date=end, timezone="UTC")


def billing_months(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """One partition per billing month, the open one included."""
    start = settings.start_date.replace(day=1).isoformat()
    if not settings.is_clock_fixed:
        return dg.MonthlyPartitionsDefinition(start_date=start, timezone="UTC", end_offset=1)
    month = settings.as_of.year * 12 + settings.as_of.month
    end = f"{month // 12:04d}-{month % 12 + 1:02d}-01"
    return dg.MonthlyPartitionsDefinition(start_date=start, end_date=end, timezone="UTC")
