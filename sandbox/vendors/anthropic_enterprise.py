"""Claude Enterprise analytics: cost by product and model, cut to the largest groups of a day. Money is in 1e-6 cents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sandbox import bills, calendar, canaries
from sandbox.build import Company
from sandbox.vendors.base import (
    Answer,
    DayTruth,
    Refusal,
    Request,
    World,
    bucket_page,
    drawn,
    spoil_records,
    whole_days,
)

SECRET = canaries.SECRET_ANTHROPIC_ANALYTICS
ADOPTED = dt.date(2026, 8, 3)
# The real cap is 100 groups; a small company never meets it, so here it is lower.
TOP_GROUPS = 5
_PRODUCTS = ("chat", "claude_code", "cowork")
_MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
_DISCOUNT_PERCENT = 10
_DIMENSIONS = ("product", "model")
_PATH = "/v1/organizations/analytics/cost_report"


def _error(status: int, kind: str, message: str) -> Refusal:
    return Refusal(status, {"type": "error", "error": {"type": kind, "message": message}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_ANTHROPIC_ENTERPRISE_BASE_URL": base_url, "AISL_ANTHROPIC_ENTERPRISE_ANALYTICS_KEY": SECRET}


def truth(company: Company) -> Iterator[DayTruth]:
    """The plan covers everything: an estimate, and nobody knows whose."""
    for day in company.days:
        total = sum(_groups(company, day).values())
        if total:
            yield DayTruth("anthropic_enterprise", "default", day, "USD", "0", bills.decimal_text(total, 8))


def _groups(company: Company, day: dt.date) -> dict[tuple[str, str], int]:
    """1e-6 cents by product and model."""
    if day < ADOPTED:
        return {}
    return {
        (product, model): drawn(company, f"enterprise:{day}:{product}:{model}", 0, 90_000_000)
        for product in _PRODUCTS
        for model in _MODELS
    }


def handle(world: World, request: Request) -> Answer:
    """Answer the cost report."""
    if request.header("x-api-key") != SECRET:
        raise _error(401, "authentication_error", "invalid x-api-key")
    if (request.method, request.path) != ("GET", _PATH):
        raise _error(404, "not_found_error", "Not found")
    groups = request.many("group_by")
    if set(groups) - set(_DIMENSIONS) or request.one("bucket_width", "1d") != "1d":
        raise _error(400, "invalid_request_error", "group_by or bucket_width")
    try:
        start = calendar.parse_instant(request.one("starting_at"))
        end = calendar.parse_instant(request.one("ending_at")) if request.one("ending_at") else world.clock
        buckets = [_bucket(world, request, day, groups) for day in whole_days(start, min(end, world.clock))]
        return Answer(200, bucket_page(world, "anthropic_enterprise", request, buckets, int(request.one("limit", "7")), "analytics"))
    except ValueError as wrong:
        raise _error(400, "invalid_request_error", str(wrong)) from wrong


def _bucket(world: World, request: Request, day: dt.date, groups: list[str]) -> dict[str, Any]:
    faults = world.faults
    permille = faults.restatement("anthropic_enterprise", day)
    percent = 1 if faults.find("wrong_unit", "anthropic_enterprise", request.path) and groups else 100
    sums: dict[tuple[str | None, ...], int] = {}
    for (product, model), value in (_groups(world.company, day) if day in world.company.days else {}).items():
        full = {"product": product, "model": model}
        key = tuple(full[d] if d in groups else None for d in _DIMENSIONS)
        sums[key] = sums.get(key, 0) + value * permille // 1000
    largest = sorted(sums.items(), key=lambda item: (-item[1], str(item[0])))
    results = [
        {
            "product": product, "model": model, "currency": "USD", "requests": None, "amount": bills.decimal_text(value * percent, 8),
            "list_amount": bills.decimal_text(value * percent * (100 + _DISCOUNT_PERCENT), 10), "note": canaries.PROMPT,
        }
        for (product, model), value in (largest[:TOP_GROUPS] if groups else largest)
    ]  # fmt: skip
    results = spoil_records(faults, "anthropic_enterprise", request.path, results, ("amount",))
    after = calendar.midnight(day) + dt.timedelta(days=1)
    return {"starting_at": calendar.iso(calendar.midnight(day)), "ending_at": calendar.iso(after), "results": results}
