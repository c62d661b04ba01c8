"""Mistral admin API: usage of a month in euros, by category, model and direction. Money is kept in millionths of a euro."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.faults import Faults
from sandbox.vendors.base import Answer, DayTruth, Refusal, Request, World, drawn, number, owned, spoil_records

SECRET = canaries.SECRET_MISTRAL
ADOPTED = dt.date(2026, 2, 16)
CURRENCY = "EUR"
# Workspace, team, workflow, what it uses: category, model and the most it spends a day. Nobody lists the last one.
_WORKSPACES = (
    ("ws-legal-eu", "legal-ai", "contract-extraction", (("chat", "mistral-large-2512", 4_000_000), ("ocr", "mistral-ocr-2512", 1_500_000))),
    ("ws-brand-eu", "brand-ai", "marketing-drafting", (("chat", "mistral-small-2603", 900_000),)),
    ("ws-trial", "", "", (("completion", "codestral-2508", 600_000),)),
)  # fmt: skip
_DIRECTIONS = (("input", 2), ("output", 3))
_FINAL = dt.datetime(2100, 1, 1, tzinfo=calendar.UTC)


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"object": "error", "message": message, "type": "invalid_request_error", "code": str(status)})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    listed = ",".join(name for name, team, _, _ in _WORKSPACES if team)
    return {"AISL_MISTRAL_BASE_URL": f"{base_url}/v1/admin", "AISL_MISTRAL_ADMIN_KEY": SECRET, "AISL_MISTRAL_WORKSPACES": listed}


def ownership() -> list[dict[str, str]]:
    """Who owns the listed workspaces."""
    return [owned("mistral", "workspace", name, team, workflow) for name, team, workflow, _ in _WORKSPACES if team]


def truth(company: Company) -> Iterator[DayTruth]:
    """What each team's workspaces cost in a month, under the month's first day: the vendor knows no days."""
    for month in sorted({calendar.month_start(day) for day in company.days}):
        for name, team, _, _ in _WORKSPACES:
            cost = sum(_sums(company, month, (name,), _FINAL, Faults()).values())
            if cost:
                yield DayTruth("mistral", "default", month, CURRENCY, bills.decimal_text(cost, 6), team=team or None, issuer="Mistral AI")


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/v1/admin`."""
    if request.header("x-api-key") != SECRET:
        raise _error(401, "Unauthorized")
    if request.path != "/v1/admin/usage":
        raise _error(404, "Not Found")
    try:
        month = dt.date(int(request.one("year")), int(request.one("month")), 1)
    except ValueError as wrong:
        raise _error(422, "year and month are whole numbers") from wrong
    return Answer(200, _usage(world, request, month))


def _sums(
    company: Company, month: dt.date, workspaces: tuple[str, ...], clock: dt.datetime, faults: Faults
) -> dict[tuple[str, str, str], int]:
    """Millionths of a euro by category, model and direction, of the month's complete days at `clock`."""
    sums: dict[tuple[str, str, str], int] = {}
    for day in company.days:
        if calendar.month_start(day) != month or day < ADOPTED or day >= clock.date():
            continue
        permille = faults.restatement("mistral", day)
        for name, _, _, uses in _WORKSPACES:
            for category, model, most in uses if name in workspaces else ():
                spent = drawn(company, f"mistral:{day}:{name}:{model}", most // 4, most) // (1 if day.weekday() < 5 else 8)
                for direction, fifths in _DIRECTIONS:
                    key = (category, model, direction)
                    sums[key] = sums.get(key, 0) + spent * fifths // 5 * permille // 1000
    return sums


def _usage(world: World, request: Request, month: dt.date) -> dict[str, Any]:
    asked = request.one("workspace_id")
    workspaces = (asked,) if asked else tuple(name for name, _, _, _ in _WORKSPACES)
    faults = world.faults
    places = 4 if faults.find("wrong_unit", "mistral", request.path) else 6
    dollars = faults.find("wrong_currency", "mistral", request.path)
    categories: dict[str, Any] = {name: {"models": {}} for name in ("chat", "completion", "ocr", "audio", "fine_tuning", "vibe_usage")}
    for (category, model, direction), cost in sorted(_sums(world.company, month, workspaces, world.clock, faults).items()):
        entry = {"amount": number(bills.decimal_text(cost, places)), "quantity": cost * 2, "display_name": model}
        entries = spoil_records(faults, "mistral", request.path, [entry], ("amount",))
        place = categories[category]["models"].setdefault(model, {"input": [], "output": []})
        place[direction] += entries * (2 if faults.find("doubled_page", "mistral", request.path) else 1)
    last = min(calendar.next_month(month), max(world.clock.date(), month + dt.timedelta(days=1))) - dt.timedelta(days=1)
    head = {"start_date": month.isoformat(), "end_date": last.isoformat(), "currency": "USD" if dollars else CURRENCY}
    return head | categories | {"connectors": {}, "libraries_api": {}}
