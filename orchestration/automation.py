"""Two jobs a day, in UTC: billing months first, then every other dataset and everything built from them."""

from datetime import date, timedelta
from typing import Any

import dagster as dg

from ingestion.catalog import DATASETS
from orchestration.assets.raw import DUE, raw_key
from orchestration.assets.warehouse import FULL_REBUILD
from orchestration.settings import Settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
BILLING_MONTHS, DAILY = "billing_months", "daily"

# Charges only: commits are asked again for a month, and naming a month of partitions would cost minutes, see daily_tags.
_RESTATED_DAYS = max(d.restatement_days for d in DATASETS if d.window == "day")


def jobs(settings: Settings) -> list[Any]:
    """The two jobs. Days and months cannot share a run, so the monthly datasets have their own.

    A source that is off is in neither: its assets, materialised by hand, say what is missing, as `doctor` does.
    """
    monthly = {raw_key(d) for d in DATASETS if d.window == "month"}
    off = {raw_key(d) for d in DATASETS if d.source in settings.sources_off}
    return [
        dg.define_asset_job(
            BILLING_MONTHS,
            # A job of nothing is none, and the schedule wants one.
            selection=dg.AssetSelection.assets(*(monthly - off or monthly)),
            description="Billing exports of the open month and the restated ones.",
        ),
        dg.define_asset_job(
            DAILY,
            selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*monthly | off),
            description="All other raw datasets, then warehouse, gates, forecasts and the published snapshot.",
        ),
    ]


def daily_tags(settings: Settings, today: date | None = None) -> dict[str, str]:
    """Tags of one daily run: it stands for the longest restatement window of charges and asks whatever is due.

    Never completed days since the start date and older commits are due too. They are not named as partitions of the run:
    Dagster writes one event per asset and partition, 25 ms each, which would be minutes for a first year.
    """
    last = (today or settings.as_of.date()) - timedelta(days=1)
    restated = last - timedelta(days=_RESTATED_DAYS - 1)
    return {
        RANGE_START: max(restated, settings.start_date).isoformat(),
        RANGE_END: max(last, settings.start_date).isoformat(),
        DUE: "true",
    }


def monthly_tags(settings: Settings, today: date | None = None) -> dict[str, str]:
    """Tags of one run of the billing months: the open month and the one before; older gaps are due too."""
    month = (today or settings.as_of.date()).replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    start = max(before, settings.start_date.replace(day=1))
    return {RANGE_START: start.isoformat(), RANGE_END: month.isoformat(), DUE: "true"}


def range_tags(first: date, last: date) -> dict[str, str]:
    """Tags of a run that asks for exactly the partitions from `first` to `last`, as a backfill does."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """05:00 billing months, 05:30 the day; one run at a time, so the second waits for the first."""

    def today(context: dg.ScheduleEvaluationContext) -> date:
        return settings.as_of.date() if settings.is_clock_fixed else context.scheduled_execution_time.date()

    @dg.schedule(job_name=BILLING_MONTHS, cron_schedule="0 5 * * *", execution_timezone="UTC", name="billing_months_0500")
    def months(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=None, tags=monthly_tags(settings, today=today(context)))

    @dg.schedule(job_name=DAILY, cron_schedule="30 5 * * *", execution_timezone="UTC", name="daily_0530")
    def day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=None, tags=daily_tags(settings, today=today(context)))

    return [months, day]


__all__ = ["BILLING_MONTHS", "DAILY", "FULL_REBUILD", "daily_tags", "jobs", "monthly_tags", "range_tags", "schedules"]
