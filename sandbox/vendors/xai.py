"""xAI management API: usage in dollars by day, prepaid balance and invoice preview in cents with the sign turned round.

Money is kept in 1e-12 USD.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.vendors.base import (
    Answer,
    DayTruth,
    Refusal,
    Request,
    World,
    drawn,
    number,
    owned,
    spoil_records,
    whole_days,
)

SECRET = canaries.SECRET_XAI
TEAM_ID = "team-acme-0001"
ADOPTED = dt.date(2026, 6, 15)
_DIMENSIONS = ("description", "api_key_id")
_PURCHASE_CENTS = 150_000
_PICO_PER_CENT = 10_000_000_000


@dataclass(frozen=True)
class _Key:
    """An API key and the models it calls."""

    key_id: str
    name: str
    models: tuple[str, ...]
    team: str = ""
    workflow: str = ""
    person: str = ""


_KEYS = (
    _Key("xai-key-01", "knowledge-bot", ("grok-4.7",), "it-knowledge", "internal-knowledge-bot"),
    _Key("xai-key-02", "devx-agents", ("grok-code-fast-1", "grok-4.7"), "devx", "coding-tools"),
)
# What is sold, in whole millionths of a dollar per million tokens: input, cached input, output.
_PRICES = {"grok-4.7": (2_000_000, 500_000, 10_000_000), "grok-code-fast-1": (200_000, 20_000, 1_500_000)}


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"code": status, "message": message, "details": []})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_XAI_BASE_URL": base_url, "AISL_XAI_MANAGEMENT_KEY": SECRET, "AISL_XAI_TEAM_ID": TEAM_ID}


def ownership() -> list[dict[str, str]]:
    """Who owns the keys."""
    return [owned("xai", "api_key", k.key_id, k.team, k.workflow, k.person) for k in _KEYS]


def truth(company: Company) -> Iterator[DayTruth]:
    """Cost by day and team."""
    for day in company.days:
        sums: dict[str, int] = {}
        for key, _, cost in _lines(company, day):
            sums[key.team] = sums.get(key.team, 0) + cost
        for team, cost in sums.items():
            yield DayTruth("xai", "default", day, "USD", bills.decimal_text(cost, 12), team=team, issuer="xAI")


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/v1/billing/teams/<team>`."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Invalid management key")
    place = f"/v1/billing/teams/{TEAM_ID}"
    if request.path == f"{place}/usage" and request.method == "POST":
        return Answer(200, _usage(world, request))
    if request.path == f"{place}/prepaid/balance" and request.method == "GET":
        return Answer(200, _balance(world))
    if request.path == f"{place}/postpaid/invoice/preview" and request.method == "GET":
        return Answer(200, _preview(world))
    raise _error(404, "Not Found")


def _lines(company: Company, day: dt.date) -> list[tuple[_Key, str, int]]:
    """Key, description and cost of a day; nothing before the adoption."""
    if day < ADOPTED:
        return []
    lines = []
    for key in _KEYS:
        for model in key.models:
            name = f"xai:{day}:{key.key_id}:{model}"
            prompt = drawn(company, name, 200_000, 900_000) // (1 if day.weekday() < 5 else 7)
            cached = prompt * drawn(company, f"{name}:cached", 10, 60) // 100
            output = prompt * drawn(company, f"{name}:output", 5, 15) // 100
            for meter, tokens, price in zip(("input", "cached input", "output"), (prompt - cached, cached, output), _PRICES[model], strict=True):
                lines.append((key, f"{model} {meter}", tokens * price))
    return lines


def _shown(world: World, day: dt.date) -> list[tuple[_Key, str, int]]:
    if day not in world.company.days or day >= world.clock.date():
        return []
    permille = world.faults.restatement("xai", day)
    return [(key, text, cost * permille // 1000) for key, text, cost in _lines(world.company, day)]


def _instant(text: str) -> dt.datetime:
    try:
        return calendar.parse_instant(text)
    except ValueError as wrong:
        raise _error(400, "timeRange is not readable") from wrong


def _usage(world: World, request: Request) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(request.body)["analyticsRequest"]
        span, values, groups = asked["timeRange"], asked["values"], asked["groupBy"]
    except (msgspec.DecodeError, KeyError, TypeError) as wrong:
        raise _error(400, "analyticsRequest expected") from wrong
    if asked["timeUnit"] != "TIME_UNIT_DAY" or values != [{"name": "usd", "aggregation": "AGGREGATION_SUM"}]:
        raise _error(400, "unknown timeUnit or value")
    if any(g not in _DIMENSIONS for g in groups):
        raise _error(400, f"groupBy must be of {', '.join(_DIMENSIONS)}")
    faults, path = world.faults, request.path
    cents = 100 if faults.find("wrong_unit", "xai", path) else 1
    # Days follow the zone asked for; Los Angeles stands for any that is not UTC.
    shift = 0 if span["timezone"] in ("Etc/GMT", "UTC") else 7
    sums: dict[tuple[str, ...], dict[str, int]] = {}
    labels: dict[tuple[str, ...], tuple[str, ...]] = {}
    for day in whole_days(_instant(span["startTime"]), _instant(span["endTime"])):
        stamp = calendar.iso(calendar.midnight(day) + dt.timedelta(hours=shift))
        for key, text, cost in _shown(world, day):
            full = {"description": text, "api_key_id": key.key_id}
            group = tuple(full[g] for g in groups)
            labels[group] = tuple(key.name if g == "api_key_id" else text for g in groups)
            points = sums.setdefault(group, {})
            points[stamp] = points.get(stamp, 0) + cost
    series: list[dict[str, Any]] = [
        {
            "group": list(group), "groupLabels": list(labels[group]),
            "dataPoints": [
                {"timestamp": stamp, "values": [number(bills.decimal_text(cost * cents, 12))]} for stamp, cost in points.items()
            ],
        }
        for group, points in sorted(sums.items())
    ]  # fmt: skip
    truncated = faults.find("missing_page", "xai", path)
    if truncated:
        series = series[: len(series) // 2]
    if faults.find("doubled_page", "xai", path):
        series += series
    return {"timeSeries": spoil_records(faults, "xai", path, series, ("dataPoints",)), "limitReached": truncated is not None}


def _cents(pico: int) -> int:
    return (pico * 2 + _PICO_PER_CENT) // (2 * _PICO_PER_CENT)


def _spent(world: World, first: dt.date, after: dt.date) -> list[tuple[dt.date, int]]:
    """Cents of each day with use in `[first, after)`."""
    days = [(day, _cents(sum(cost for _, _, cost in _shown(world, day)))) for day in world.company.days if first <= day < after]
    return [(day, cents) for day, cents in days if cents]


def _balance(world: World) -> dict[str, Any]:
    """What is owed: credit is negative, spending positive."""
    spent = _spent(world, ADOPTED, world.clock.date())
    bought = [("PURCHASE", -_PURCHASE_CENTS, f"{ADOPTED}T08:00:00Z")] if world.clock.date() > ADOPTED else []
    changes = bought + [("SPEND", cents, f"{day}T23:59:00Z") for day, cents in spent]
    return {
        "total": {"val": str(sum(cents for _, cents, _ in changes))},
        "changes": [
            {"changeOrigin": origin, "amount": {"val": str(cents)}, "createTime": when, "invoiceId": "", "invoiceNumber": ""}
            for origin, cents, when in changes
        ],
    }  # fmt: skip


def _preview(world: World) -> dict[str, Any]:
    month = calendar.month_start(world.clock.date())
    pico = sum(cost for day in world.company.days if day >= month for _, _, cost in _shown(world, day))
    return {
        "coreInvoice": {"lines": [], "totalWithCorr": {"val": str(_cents(pico))}, "prepaidCredits": {"val": "0"}},
        "effectiveSpendingLimit": "0", "defaultCredits": "0",
        "billingCycle": {"year": month.year, "month": month.month},
    }  # fmt: skip
