"""GitHub Copilot: billing usage, usage by model, the exported report, seats, user metrics.

Quantities are kept in millionths, money in 1e-8 USD. What a month's plan includes is one pool for all seats.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.company import ORGANIZATION, PEOPLE, TEAMS, team_on, token
from sandbox.vendors.base import Answer, DayTruth, Refusal, Request, World, drawn, number, owned, spoil_records

SECRET = canaries.SECRET_COPILOT
ENTERPRISE = "acme-enterprise"
ADOPTED = dt.date(2026, 5, 18)
CREDITS_SINCE = dt.date(2026, 6, 1)
HOLDERS = tuple(i for i in range(len(PEOPLE)) if i % 4 == 1)
SEAT_TEAM = "devx"
SEAT_CENTS = 1_900
DAYS_KEPT = 365
_MICRO = 1_000_000
_INCLUDED = {"ai_credit": 1_900 * _MICRO, "premium_request": 300 * _MICRO}
_CENTS = {"ai_credit": 1, "premium_request": 4}
_WORDS = {
    "ai_credit": ("Copilot", "Copilot AI Credits", "credits", "copilot", "copilot_ai_credit", "ai-credits"),
    "premium_request": ("Copilot", "Copilot Premium Request", "requests", "copilot", "copilot_premium_request", "requests"),
}
_MODELS = ("Claude Sonnet 4.5", "GPT-5", "Auto: GPT-5 mini")
_NUMBERS = ("grossAmount", "total_seats", "user_id", "quantity")


@dataclass(frozen=True)
class Use:
    """What one person used of one model on a day: millionths of a unit; `covered` is the part the pool took."""

    day: dt.date
    person: int
    model: str
    meter: str
    quantity: int
    covered: int

    @property
    def cents(self) -> int:
        """Price of a unit in cents."""
        return _CENTS[self.meter]


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {
        "AISL_COPILOT_BASE_URL": base_url, "AISL_COPILOT_TOKEN": SECRET, "AISL_COPILOT_ORGANIZATION": ORGANIZATION,
        "AISL_COPILOT_ENTERPRISE": ENTERPRISE,
    }  # fmt: skip


def ownership() -> list[dict[str, str]]:
    """Who pays for the seats."""
    return [owned("copilot", "sub_account", ORGANIZATION, SEAT_TEAM, environment="development")]


def truth(company: Company) -> Iterator[DayTruth]:
    """Net amounts and seats as cash by day and team, what the plan covers as an estimate."""
    sums: dict[tuple[dt.date, str], list[int]] = {}
    for day in company.days:
        if seats := _seat_quantity(day):
            sums[day, SEAT_TEAM] = [seats * SEAT_CENTS, 0]
    for use in uses(company):
        found = sums.setdefault((use.day, TEAMS[team_on(use.person, use.day)].team), [0, 0])
        found[0] += (use.quantity - use.covered) * use.cents
        found[1] += use.covered * use.cents
    for (day, team), (billed, estimated) in sums.items():
        yield DayTruth("copilot", "default", day, "USD", bills.decimal_text(billed, 8), bills.decimal_text(estimated, 8), team, "GitHub")


def uses(company: Company) -> list[Use]:
    """Everything used in the company's days, in the order in which the month's pool covers it."""
    found = []
    pool: dict[tuple[dt.date, str], int] = {}
    for day in company.days:
        if day < ADOPTED:
            continue
        meter = "ai_credit" if day >= CREDITS_SINCE else "premium_request"
        for person in HOLDERS:
            name = f"copilot:{day}:{person}"
            if day.weekday() > 4 or drawn(company, f"{name}:works", 0, 4) == 0:
                continue
            model = _MODELS[drawn(company, f"{name}:model", 0, len(_MODELS) - 1)]
            quantity = drawn(company, f"{name}:credits", 40_000, 700_000) * 1_000 if meter == "ai_credit" else drawn(company, name, 5, 80) * _MICRO
            month = calendar.month_start(day)
            left = pool.setdefault((month, meter), _INCLUDED[meter] * len(HOLDERS))
            covered = min(left, quantity)
            pool[month, meter] = left - covered
            found.append(Use(day, person, model, meter, quantity, covered))
    return found


def handle(world: World, request: Request) -> Answer:
    """Answer a request of the API, or of the file store that the signed links point to."""
    if request.path.startswith("/files/"):
        return _file(world, request)
    if request.header("authorization") != f"Bearer {SECRET}":
        raise Refusal(401, {"message": "Bad credentials", "documentation_url": "https://docs.example"})
    billing = f"/organizations/{ORGANIZATION}/settings/billing"
    found: dict[tuple[str, str], Callable[[World, Request], Answer]] = {
        ("GET", f"{billing}/usage"): _billing_usage,
        ("GET", f"{billing}/ai_credit/usage"): lambda w, r: _model_usage(w, r, "ai_credit"),
        ("GET", f"{billing}/premium_request/usage"): lambda w, r: _model_usage(w, r, "premium_request"),
        ("POST", f"/enterprises/{ENTERPRISE}/settings/billing/reports"): _export,
        ("GET", f"/orgs/{ORGANIZATION}/copilot/billing/seats"): _seats,
        ("GET", f"/orgs/{ORGANIZATION}/copilot/metrics/reports/users-1-day"): _metrics,
    }
    if answer := found.get((request.method, request.path)):
        return answer(world, request)
    if request.method == "GET" and request.path.startswith(f"/enterprises/{ENTERPRISE}/settings/billing/reports/"):
        name = request.path.rpartition("/")[2]
        return Answer(200, {"id": name, "status": "completed", "download_urls": [_signed(request, f"{name}.csv")]})
    raise Refusal(404, {"message": "Not Found"})


def _signed(request: Request, name: str) -> str:
    return f"{request.base_url}/files/{name}?se=2026-12-31&sig={token('copilot-file', name, 40)}"


def _file(world: World, request: Request) -> Answer:
    name = request.path.removeprefix("/files/")
    if request.header("authorization") or request.one("sig") != token("copilot-file", name, 40):
        raise Refusal(403, {"message": "signature does not fit"})
    if name.startswith("metrics-"):
        return Answer(200, _metrics_lines(world, dt.date.fromisoformat(name[8:18])))
    first, last = (dt.date.fromisoformat(part) for part in name.removesuffix(".csv").split("_")[-2:])
    return Answer(200, _report(world, first, last))


def _seat_quantity(day: dt.date) -> int:
    """Millionths of a user-month of all seats on a day."""
    if day < ADOPTED:
        return 0
    return len(HOLDERS) * _MICRO // (calendar.next_month(day) - calendar.month_start(day)).days


def _shown(world: World) -> list[Use]:
    """The uses of complete days as they stand now."""

    def make() -> list[Use]:
        faults = world.faults
        found = []
        for use in uses(world.company):
            if use.day < world.clock.date():
                permille = faults.restatement("copilot", use.day)
                found.append(replace(use, quantity=use.quantity * permille // 1000, covered=use.covered * permille // 1000))
        return found

    return world.once("copilot-uses", make)


def _period(request: Request) -> tuple[int, int, int]:
    try:
        return tuple(int(request.one(name, "0")) for name in ("year", "month", "day"))
    except ValueError as wrong:
        raise Refusal(400, {"message": "year, month and day are numbers"}) from wrong


def _percent(world: World, request: Request, field: str) -> int:
    """100, or another share where the fault says that this field (or all) comes in another unit."""
    fault = world.faults.find("wrong_unit", "copilot", request.path)
    return int(fault.get("factor", 10_000)) if fault and fault.get("field", field) == field else 100


def _amounts(world: World, request: Request, gross: int, covered: int) -> dict[str, Any]:
    values = {"grossAmount": gross, "discountAmount": covered, "netAmount": gross - covered}
    return {k: number(bills.decimal_text(v * _percent(world, request, k), 10)) for k, v in values.items()}


def _items(world: World, request: Request, items: list[dict[str, Any]], **more: Any) -> Answer:
    if world.faults.find("missing_page", "copilot", request.path):
        items = items[: len(items) // 2]
    if world.faults.find("doubled_page", "copilot", request.path):
        items = items + items
    return Answer(200, {**more, "usageItems": spoil_records(world.faults, "copilot", request.path, items, _NUMBERS)})


def _billing_usage(world: World, request: Request) -> Answer:
    year, month, _ = _period(request)
    sums: dict[tuple[dt.date, str], list[int]] = {}
    for use in _shown(world):
        found = sums.setdefault((use.day, use.meter), [0, 0])
        found[0] += use.quantity
        found[1] += use.covered
    items = []
    for day in world.company.days:
        if (day.year, day.month) != (year, month) or day >= world.clock.date() or day < ADOPTED:
            continue
        common = {"date": f"{day.isoformat()}T00:00:00Z", "organizationName": ORGANIZATION, "repositoryName": ""}
        for meter, words in _WORDS.items():
            if (day, meter) in sums:
                quantity, covered = sums[day, meter]
                cents = _CENTS[meter]
                items.append({
                    **common, "product": words[0], "sku": words[1], "unitType": words[2],
                    "quantity": number(bills.decimal_text(quantity, 6)), "pricePerUnit": number(bills.decimal_text(cents, 2)),
                    **_amounts(world, request, quantity * cents, covered * cents),
                })  # fmt: skip
        seats = _seat_quantity(day)
        items.append({
            **common, "product": "Copilot", "sku": "Copilot Business", "unitType": "user-months",
            "quantity": number(bills.decimal_text(seats, 6)), "pricePerUnit": number(bills.decimal_text(SEAT_CENTS, 2)),
            **_amounts(world, request, seats * SEAT_CENTS, 0),
        })  # fmt: skip
        items.append({
            **common, "product": "Actions", "sku": "Actions Linux", "unitType": "minutes", "quantity": 100,
            "pricePerUnit": number("0.008"), "grossAmount": number("0.8"), "discountAmount": 0, "netAmount": number("0.8"),
            "repositoryName": f"{ORGANIZATION}/agents",
        })  # fmt: skip
    return _items(world, request, items)


def _model_usage(world: World, request: Request, meter: str) -> Answer:
    wanted = _period(request)
    sums: dict[str, list[int]] = {}
    for use in _shown(world):
        if use.meter == meter and (use.day.year, use.day.month, use.day.day) == wanted:
            found = sums.setdefault(use.model, [0, 0])
            found[0] += use.quantity
            found[1] += use.covered
    product, sku, unit, *_ = _WORDS[meter]
    items = [
        {
            "product": product, "sku": sku, "model": model, "unitType": unit, "pricePerUnit": number(bills.decimal_text(_CENTS[meter], 2)),
            "grossQuantity": number(bills.decimal_text(quantity, 6)), "discountQuantity": number(bills.decimal_text(covered, 6)),
            "netQuantity": number(bills.decimal_text(quantity - covered, 6)),
            **_amounts(world, request, quantity * _CENTS[meter], covered * _CENTS[meter]),
        }
        for model, (quantity, covered) in sorted(sums.items())
    ]  # fmt: skip
    year, month, day = wanted
    return _items(world, request, items, timePeriod={"year": year, "month": month, "day": day}, organization=ORGANIZATION)


def _export(world: World, request: Request) -> Answer:
    try:
        asked = msgspec.json.decode(request.body, type=dict[str, Any])
        first, last = (dt.date.fromisoformat(asked[k]) for k in ("start_date", "end_date"))
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as wrong:
        raise Refusal(422, {"message": "Validation Failed"}) from wrong
    if not first <= last <= first + dt.timedelta(days=31) or asked.get("report_type") not in _WORDS:
        raise Refusal(422, {"message": "Validation Failed"})
    return Answer(202, {"id": f"{asked['report_type']}_{first}_{last}", "status": "processing"})


def _report(world: World, first: dt.date, last: dt.date) -> bytes:
    names = (
        "date", "username", "product", "sku", "model", "quantity", "unit_type", "applied_cost_per_quantity", "gross_amount",
        "discount_amount", "net_amount", "total_monthly_quota", "organization", "repository", "cost_center_name", "aic_quantity",
        "aic_gross_amount",
    )  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    for use in _shown(world):
        if first <= use.day <= last:
            quantity, gross = bills.decimal_text(use.quantity, 6), bills.decimal_text(use.quantity * use.cents, 8)
            writer.writerow((
                use.day.isoformat(), PEOPLE[use.person].github_login, *_WORDS[use.meter][3:5], use.model, quantity,
                _WORDS[use.meter][5], bills.decimal_text(use.cents, 2), gross, bills.decimal_text(use.covered * use.cents, 8),
                bills.decimal_text((use.quantity - use.covered) * use.cents, 8), "-1", ORGANIZATION, "", "", quantity, gross,
            ))  # fmt: skip
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _seats(world: World, request: Request) -> Answer:
    if world.clock.date() < ADOPTED:
        return Answer(200, {"total_seats": 0, "seats": []})
    seats = [
        {
            "created_at": "2026-05-18T09:00:00+03:00", "updated_at": "2026-05-18T09:00:00+03:00", "pending_cancellation_date": None,
            "last_activity_at": None if person == HOLDERS[-1] else "2026-10-19T19:12:15+03:00", "last_authenticated_at": None,
            "last_activity_editor": "vscode/1.99.0/copilot-chat/0.30.0", "plan_type": "business",
            "assignee": {"login": PEOPLE[person].github_login, "id": PEOPLE[person].github_id, "type": "User"},
            "assigning_team": {"id": 1, "slug": "copilot-users", "name": "Copilot users"},
        }
        for person in HOLDERS
    ]  # fmt: skip
    size, page = min(100, int(request.one("per_page", "50"))), int(request.one("page", "1"))
    shown = spoil_records(world.faults, "copilot", request.path, seats[(page - 1) * size : page * size], ())
    following = page * size < len(seats) and not world.faults.find("missing_page", "copilot", request.path)
    link = {"Link": f'<{request.base_url}{request.path}?per_page={size}&page={page + 1}>; rel="next"'} if following else {}
    return Answer(200, {"total_seats": len(seats), "seats": shown}, link)


def _metrics(world: World, request: Request) -> Answer:
    try:
        day = dt.date.fromisoformat(request.one("day"))
    except ValueError as wrong:
        raise Refusal(422, {"message": "day must be YYYY-MM-DD"}) from wrong
    if not world.clock.date() - dt.timedelta(days=DAYS_KEPT) <= day < world.clock.date():
        raise Refusal(404, {"message": "Not Found"})
    used = any(use.day == day for use in _shown(world))
    links = [_signed(request, f"metrics-{day.isoformat()}.ndjson")] if used else []
    return Answer(200, {"download_links": links, "report_day": day.isoformat()})


def _metrics_lines(world: World, day: dt.date) -> bytes:
    lines = []
    for use in _shown(world):
        if use.day == day:
            who = PEOPLE[use.person]
            asked = drawn(world.company, f"copilot:{day}:{use.person}:asked", 3, 60)
            lines.append({
                "user_id": who.github_id, "user_login": who.github_login, "day": day.isoformat(), "user_initiated_interaction_count": asked,
                "code_generation_activity_count": asked * 3, "code_acceptance_activity_count": asked, "loc_added_sum": asked * 8,
                "totals_by_cli": {"session_count": 1, "request_count": asked, "prompt_count": asked,
                                  "token_usage": {"output_tokens_sum": asked * 400, "prompt_tokens_sum": asked * 5_000}},
                "ai_credits_used": number(bills.decimal_text(use.quantity, 6)), "last_prompt": canaries.PROMPT,
            })  # fmt: skip
    return b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n"
