"""Hugging Face: billed usage of an organization for any span of time, in nano- and micro-dollars.

The billing period begins on the 12th, the day of sign-up; a credit is included in each. Bounds are Unix seconds, and
milliseconds make the vendor fail.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.vendors.base import Answer, DayTruth, Refusal, Request, World, drawn, owned, spoil_records

SECRET = canaries.SECRET_HUGGINGFACE
ORGANIZATION = "acme-ml"
ADOPTED = dt.date(2026, 7, 12)
TEAM = "data"
_INCLUDED_NANO = 20_000_000_000
_NANO_PER_MICRO = 1_000


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": message})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {
        "AISL_HUGGINGFACE_BASE_URL": base_url,
        "AISL_HUGGINGFACE_TOKEN": SECRET,
        "AISL_HUGGINGFACE_ORGANIZATION": ORGANIZATION,
    }


def ownership() -> list[dict[str, str]]:
    """The organization belongs to one team."""
    return [owned("huggingface", "sub_account", ORGANIZATION, TEAM)]


def truth(company: Company) -> Iterator[DayTruth]:
    """Cash beyond the period's credit, the credit used up in the order of the days; what it covers as an estimate."""
    left: dict[dt.date, int] = {}
    for day in company.days:
        inference, jobs = _inference(company, day), _jobs(company, day)
        if inference is None or jobs is None:
            continue
        period = _period(day)[0]
        covered = min(inference[0], left.setdefault(period, _INCLUDED_NANO))
        left[period] -= covered
        cash = inference[0] - covered + jobs[0] * _NANO_PER_MICRO
        yield DayTruth(
            "huggingface", "default", day, "USD", bills.decimal_text(cash, 9), bills.decimal_text(covered, 9), TEAM, "Hugging Face"
        )  # fmt: skip


def handle(world: World, request: Request) -> Answer:
    """Answer a request for usage."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Invalid username or password.")
    if request.path != f"/api/organizations/{ORGANIZATION}/billing/usage-v2":
        raise _error(404, "Not Found")
    try:
        first, after = (int(request.one(name)) for name in ("startDate", "endDate"))
    except ValueError as wrong:
        raise _error(400, "startDate and endDate expected") from wrong
    if max(first, after) >= 10**11:
        raise _error(500, "Internal Server Error")
    if first >= after:
        raise _error(400, "endDate must be after startDate")
    return Answer(200, {"usage": _usage(world, request, first, after)})


def _period(day: dt.date) -> tuple[dt.date, dt.date]:
    """The billing period of a day."""
    start = day.replace(day=ADOPTED.day)
    if day < start:
        start = (start.replace(day=1) - dt.timedelta(days=1)).replace(day=ADOPTED.day)
    return start, calendar.next_month(start).replace(day=ADOPTED.day)


def _inference(company: Company, day: dt.date) -> tuple[int, int] | None:
    """Nano-dollars and requests."""
    if day < ADOPTED:
        return None
    requests = drawn(company, f"huggingface:{day}", 150, 700) // (1 if day.weekday() < 5 else 5)
    return requests * drawn(company, f"huggingface:{day}:cost", 1_500_000, 4_500_000) + 7, requests


def _jobs(company: Company, day: dt.date) -> tuple[int, int] | None:
    """Micro-dollars and minutes."""
    if day < ADOPTED:
        return None
    minutes = drawn(company, f"huggingface:{day}:jobs", 10, 90)
    return minutes * 20_000 + 1, minutes


def _usage(world: World, request: Request, first: int, after: int) -> dict[str, Any]:
    begin, end = (dt.datetime.fromtimestamp(second, calendar.UTC) for second in (first, after))
    nano = requests = micro = minutes = 0
    for day in world.company.days:
        if not begin <= calendar.midnight(day) < min(end, world.clock):
            continue
        permille = world.faults.restatement("huggingface", day)
        inference, jobs = _inference(world.company, day), _jobs(world.company, day)
        if inference and jobs:
            nano += inference[0] * permille // 1000
            requests += inference[1]
            micro += jobs[0] * permille // 1000
            minutes += jobs[1]
    if world.faults.find("wrong_unit", "huggingface", request.path):
        nano, micro = nano // _NANO_PER_MICRO, micro * _NANO_PER_MICRO
    start, stop = _period(begin.date())
    blocks = [
        {
            "usedNanoUsd": nano, "includedNanoUsd": _INCLUDED_NANO, "limitNanoUsd": 500_000_000_000, "numRequests": requests,
            "periodStart": calendar.iso(calendar.midnight(start)), "periodEnd": calendar.iso(calendar.midnight(stop)),
        },
        {"usedMicroUsd": micro, "totalMinutes": minutes},
    ]  # fmt: skip
    inference_block, jobs_block = spoil_records(
        world.faults, "huggingface", request.path, blocks, ("usedNanoUsd", "usedMicroUsd")
    )
    return {"inferenceProviders": inference_block, "jobs": jobs_block}
