"""Cursor Admin API: members, daily activity, spend of the cycle, usage events.

Money is kept in millionths of a cent. Each member's plan includes an amount per billing cycle; what comes after it is charged.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.company import PEOPLE, TEAMS, Person, team_on
from sandbox.vendors.base import Answer, DayTruth, Refusal, Request, World, drawn, number, owned, spoil_records

SECRET = canaries.SECRET_CURSOR
ADOPTED = dt.date(2026, 6, 15)
MEMBERS = tuple(i for i in range(len(PEOPLE)) if i % 5 == 4)
LEFT, LEFT_ON = MEMBERS[-1], dt.date(2026, 9, 1)
SERVICE_ACCOUNT = ("sa_01reviewbot", "review-bot")
SERVICE_TEAM = "devx"
# The billing cycle begins at this instant of each month.
CYCLE_DAY, CYCLE_HOUR = 5, 14
LONGEST_RANGE = 30 * 86_400_000
_INCLUDED = 2 * 100 * 1_000_000
_FEE = 25
_NUMBERS = ("chargedCents", "spendCents", "totalLinesAdded")


@dataclass(frozen=True)
class _Model:
    """A model by Cursor's name. Prices are millionths of a cent per token; `has_fee`: Cursor's own fee comes on top."""

    name: str
    input: int
    cache_write: int
    cache_read: int
    output: int
    has_fee: bool = True


_MODELS = (
    _Model("claude-sonnet-4-5", 300, 375, 30, 1_500),
    _Model("gpt-5", 125, 0, 12, 1_000),
    _Model("composer-2.5", 50, 0, 20, 250, False),
    _Model("default", 125, 125, 25, 600, False),
)


@dataclass(frozen=True)
class Event:
    """One usage event. `cost` and `fee` in millionths of a cent; `person` -1 is the service account."""

    at: dt.datetime
    person: int
    model: _Model
    kind: str
    is_chargeable: bool
    tokens: tuple[int, int, int, int]
    cost: int
    fee: int

    @property
    def charged(self) -> int:
        """Model cost and fee, whether charged or not."""
        return self.cost + self.fee


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": "Unauthorized" if status == 401 else "Bad Request", "message": message})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {
        "AISL_CURSOR_BASE_URL": base_url, "AISL_CURSOR_API_KEY": SECRET, "AISL_CURSOR_REQUESTS_PER_MINUTE": "1000000",
    }  # fmt: skip


def ownership() -> list[dict[str, str]]:
    """Who answers for the service account."""
    return [owned("cursor", "api_key", SERVICE_ACCOUNT[0], SERVICE_TEAM, environment="development")]


def truth(company: Company) -> Iterator[DayTruth]:
    """Chargeable events by day and team as cash, all others as an estimate."""
    sums: dict[tuple[dt.date, str], list[int]] = {}
    for event in events(company):
        day = event.at.date()
        team = SERVICE_TEAM if event.person < 0 else TEAMS[team_on(event.person, day)].team
        sums.setdefault((day, team), [0, 0])[0 if event.is_chargeable else 1] += event.charged
    for (day, team), (billed, estimated) in sums.items():
        yield DayTruth("cursor", "default", day, "USD", bills.decimal_text(billed, 8), bills.decimal_text(estimated, 8), team, "Cursor")


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/teams`."""
    expected = base64.b64encode(f"{SECRET}:".encode()).decode()
    if request.header("authorization") != f"Basic {expected}":
        raise _error(401, "Invalid API key")
    found = {
        ("GET", "/teams/members"): _members,
        ("POST", "/teams/daily-usage-data"): _daily,
        ("POST", "/teams/spend"): _spend,
        ("POST", "/teams/filtered-usage-events"): _events,
    }.get((request.method, request.path))
    if found is None:
        raise Refusal(404, {"error": "Not Found", "message": f"{request.method} {request.path}"})
    return Answer(200, found(world, request))


def cycle_start(moment: dt.datetime) -> dt.datetime:
    """The instant at which the billing cycle of `moment` began."""
    month = calendar.month_start(moment.date())
    start = calendar.midnight(month) + dt.timedelta(days=CYCLE_DAY - 1, hours=CYCLE_HOUR)
    if start <= moment:
        return start
    return calendar.midnight(calendar.month_start(month - dt.timedelta(days=1))) + dt.timedelta(days=CYCLE_DAY - 1, hours=CYCLE_HOUR)


def events(company: Company) -> list[Event]:
    """Every event of the company in order of time."""
    found = []
    used: dict[tuple[int, dt.datetime], int] = {}
    for day in company.days:
        if day < ADOPTED:
            continue
        for person in (*MEMBERS, -1):
            if person == LEFT and day >= LEFT_ON:
                continue
            found += [_event(company, day, person, n) for n in range(_count(company, day, person))]
    found.sort(key=lambda e: (e.at, e.person))
    judged = []
    for event in found:
        key = (event.person, cycle_start(event.at))
        used[key] = used.get(key, 0) + event.charged
        if event.kind != "Errored, Not Charged" and (event.person < 0 or used[key] > _INCLUDED):
            event = replace(event, kind="Usage-based", is_chargeable=True)
        judged.append(event)
    return judged


def _count(company: Company, day: dt.date, person: int) -> int:
    most = 3 if day.weekday() < 5 else 0
    return drawn(company, f"cursor:{day}:{person}", 0, most)


def _event(company: Company, day: dt.date, person: int, position: int) -> Event:
    name = f"cursor:{day}:{person}:{position}"
    at = calendar.midnight(day) + dt.timedelta(milliseconds=drawn(company, f"{name}:at", 7 * 3_600_000, 19 * 3_600_000))
    model = _MODELS[drawn(company, f"{name}:model", 0, len(_MODELS) - 1)]
    if drawn(company, f"{name}:error", 0, 19) == 0:
        return Event(at, person, model, "Errored, Not Charged", False, (0, 0, 0, 0), 0, 0)
    tokens = (
        drawn(company, f"{name}:in", 2_000, 40_000), drawn(company, f"{name}:out", 1_000, 30_000),
        drawn(company, f"{name}:write", 0, 60_000) if model.cache_write else 0, drawn(company, f"{name}:read", 20_000, 900_000),
    )  # fmt: skip
    cost = tokens[0] * model.input + tokens[1] * model.output + tokens[2] * model.cache_write + tokens[3] * model.cache_read
    return Event(at, person, model, "Included in Business", False, tokens, cost, sum(tokens) * _FEE if model.has_fee else 0)


def _all(world: World) -> list[Event]:
    return world.once("cursor-events", lambda: [e for e in events(world.company) if e.at < world.clock])


def _body(request: Request) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise _error(400, "the body is not JSON") from wrong
    return found


def _span(body: dict[str, Any]) -> tuple[int, int]:
    first, last = body.get("startDate"), body.get("endDate")
    if type(first) is not int or type(last) is not int or not first < last <= first + LONGEST_RANGE:
        raise _error(400, "startDate and endDate are epoch milliseconds, at most 30 days apart")
    return first, last


def _paged(body: dict[str, Any], items: list[Any]) -> tuple[list[Any], int, int, int]:
    """The page asked for, its number, its size and how many there are."""
    number_, size = body.get("page", 1), body.get("pageSize", 10)
    if type(number_) is not int or type(size) is not int or number_ < 1 or size < 1:
        raise _error(400, "page and pageSize are positive whole numbers")
    return items[(number_ - 1) * size : number_ * size], number_, size, max(1, -(-len(items) // size))


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=calendar.UTC)) // dt.timedelta(milliseconds=1)


def _user_id(person: int) -> int:
    return 700_000 + person


def _scaled(world: World, event: Event, value: int) -> int:
    return value * world.faults.restatement("cursor", event.at.date()) // 1000


def _events(world: World, request: Request) -> dict[str, Any]:
    body = _body(request)
    first, last = _span(body)
    faults = world.faults
    unit = faults.find("wrong_unit", "cursor", request.path)
    percent = int(unit.get("factor", 1)) if unit else 100
    found = [e for e in _all(world) if first <= _milliseconds(e.at) <= last]
    records = [_shown(world, e, percent) for e in found]
    records = spoil_records(faults, "cursor", request.path, records, _NUMBERS)
    page, asked, size, pages = _paged(body, records)
    if faults.find("doubled_page", "cursor", request.path):
        page, _, _, _ = _paged(body | {"page": max(1, asked - 1)}, records)
        pages += 1
    if faults.find("missing_page", "cursor", request.path):
        page, pages = page[: len(page) // 2], asked
    return {
        "totalUsageEventsCount": len(records),
        "pagination": {"numPages": pages, "currentPage": asked, "pageSize": size, "hasNextPage": asked < pages, "hasPreviousPage": asked > 1},
        "usageEvents": page, "period": {"startDate": first, "endDate": last},
    }  # fmt: skip


def _shown(world: World, event: Event, percent: int) -> dict[str, Any]:
    cents = lambda value: number(bills.decimal_text(_scaled(world, event, value) * percent, 8))  # noqa: E731
    record: dict[str, Any] = {
        "timestamp": str(_milliseconds(event.at)), "model": event.model.name, "kind": event.kind, "maxMode": False,
        "isTokenBasedCall": any(event.tokens), "isChargeable": event.is_chargeable, "isHeadless": event.person < 0,
        "requestsCosts": 0, "chargedCents": cents(event.charged), "conversationName": canaries.METADATA,
    }  # fmt: skip
    if event.person < 0:
        record |= {"serviceAccountId": SERVICE_ACCOUNT[0], "serviceAccountName": SERVICE_ACCOUNT[1]}
    else:
        record |= {"userEmail": PEOPLE[event.person].email, "userId": _user_id(event.person)}
    if any(event.tokens):
        names = ("inputTokens", "outputTokens", "cacheWriteTokens", "cacheReadTokens")
        tokens = dict(zip(names, (_scaled(world, event, t) for t in event.tokens), strict=True))
        record |= {"tokenUsage": {**tokens, "totalCents": cents(event.cost)}, "cursorTokenFee": cents(event.fee)}
    return record


def _spend(world: World, request: Request) -> dict[str, Any]:
    start = cycle_start(world.clock)
    sums: dict[int, list[int]] = {m: [0, 0] for m in MEMBERS}
    for event in _all(world):
        if event.at >= start:
            sums.setdefault(event.person, [0, 0])[0 if event.is_chargeable else 1] += _scaled(world, event, event.charged)
    rows = [
        {
            "userId": _user_id(person) if person >= 0 else 0, "name": PEOPLE[person].name if person >= 0 else SERVICE_ACCOUNT[1],
            "email": PEOPLE[person].email if person >= 0 else f"{SERVICE_ACCOUNT[0]}@service.acme.example", "role": "member",
            "spendCents": number(bills.decimal_text(spent, 6)), "overallSpendCents": number(bills.decimal_text(spent + included, 6)),
            "includedSpendCents": number(bills.decimal_text(included, 6)), "fastPremiumRequests": 0,
            "hardLimitOverrideDollars": 0, "monthlyLimitDollars": None,
        }
        for person, (spent, included) in sorted(sums.items())
    ]  # fmt: skip
    rows = spoil_records(world.faults, "cursor", request.path, rows, _NUMBERS)
    page, _, _, pages = _paged(_body(request), rows)
    return {"teamMemberSpend": page, "subscriptionCycleStart": _milliseconds(start), "totalMembers": len(rows), "totalPages": pages}


def _people_on(day: dt.date) -> list[tuple[int, Person]]:
    return [(i, PEOPLE[i]) for i in MEMBERS if day >= ADOPTED and not (i == LEFT and day >= LEFT_ON)]


def _daily(world: World, request: Request) -> dict[str, Any]:
    body = _body(request)
    first, last = _span(body)
    rows = []
    for day in world.company.days:
        at = _milliseconds(calendar.midnight(day))
        if first <= at <= last and day < world.clock.date():
            for person, who in _people_on(day):
                asked = _count(world.company, day, person)
                lines = asked * drawn(world.company, f"cursor:{day}:{person}:lines", 20, 160)
                rows.append({
                    "userId": _user_id(person), "day": day.isoformat(), "date": at, "email": who.email, "isActive": asked > 0,
                    "totalLinesAdded": lines, "totalLinesDeleted": lines // 4, "acceptedLinesAdded": lines // 2,
                    "acceptedLinesDeleted": lines // 8, "totalApplies": asked, "totalAccepts": asked, "totalRejects": 0,
                    "totalTabsShown": 10 * asked, "totalTabsAccepted": 4 * asked, "composerRequests": asked, "chatRequests": 0,
                    "agentRequests": asked, "cmdkUsages": 0, "subscriptionIncludedReqs": asked, "apiKeyReqs": 0, "usageBasedReqs": 0,
                    "bugbotUsages": 0, "mostUsedModel": "default", "clientVersion": "3.2.1",
                })  # fmt: skip
    rows = spoil_records(world.faults, "cursor", request.path, rows, _NUMBERS)
    page, asked_page, size, pages = _paged(body, rows)
    return {
        "data": page, "period": {"startDate": first, "endDate": last},
        "pagination": {"page": asked_page, "pageSize": size, "totalUsers": len(MEMBERS), "totalPages": pages, "hasNextPage": asked_page < pages},
    }  # fmt: skip


def _members(world: World, request: Request) -> dict[str, Any]:
    gone = world.clock.date() >= LEFT_ON
    rows = [
        {"id": _user_id(i), "name": PEOPLE[i].name, "email": PEOPLE[i].email, "role": "owner" if i == MEMBERS[0] else "member",
         "isRemoved": gone and i == LEFT}
        for i in MEMBERS
    ]  # fmt: skip
    return {"teamMembers": spoil_records(world.faults, "cursor", request.path, rows, ())}
