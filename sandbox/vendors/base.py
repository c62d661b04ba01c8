"""What all vendors share: a request, an answer, a world with one clock, and the faults of a page of records."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox import calendar
from sandbox.build import Company
from sandbox.company import token
from sandbox.faults import Faults


def number(text: str) -> msgspec.Raw:
    """Decimal text as a JSON number of the same digits."""
    return msgspec.Raw(text.encode())


@dataclass
class World:
    """The company as the vendors see it now. `memo` holds answers that stay right until clock or faults change."""

    company: Company
    clock: dt.datetime
    faults: Faults = field(default_factory=Faults)
    memo: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, make: Any) -> Any:
        """`make()` computed once per clock and set of faults."""
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]


@dataclass(frozen=True)
class Request:
    """A request with the vendor's prefix taken off its path; `query` keeps repeated parameters."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    base_url: str

    def one(self, name: str, default: str = "") -> str:
        """The last value of a parameter."""
        return self.query.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """All values of a list parameter, written with or without brackets."""
        return self.query.get(f"{name}[]", []) + self.query.get(name, [])

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class DayTruth:
    """What one source truly cost on a UTC day: `billed` and `estimated` (value that nobody invoices) in `currency`, decimal
    text; `team` is who caused it, None where nobody can know. With `issuer`, the sandbox writes that vendor's invoice of
    every closed month over its billed rows."""

    source: str
    account: str
    day: dt.date
    currency: str
    billed: str
    estimated: str = "0"
    team: str | None = None
    issuer: str | None = None


def owned(source: str, kind: str, name: str, team: str = "", workflow: str = "", person: str = "", environment: str = "",
           is_gateway: bool = False) -> dict[str, str]:  # fmt: skip
    """A row of seed ownership: who an object of a source belongs to."""
    return {
        "source": source, "object_type": kind, "external_id": name, "team": team, "workflow": workflow, "person_id": person,
        "environment": environment, "is_gateway": str(is_gateway).lower(), "valid_from": "", "valid_to": "",
    }  # fmt: skip


def drawn(company: Company, name: str, low: int, high: int) -> int:
    """A whole number of `low` to `high` that belongs to `name` in this company, the same on every machine."""
    return low + int(token(f"drawn-{company.seed}", name, 12), 16) % (high - low + 1)


@dataclass
class Answer:
    """Status, JSON body (encoded here unless it is bytes) and extra headers."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as bytes."""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


class Refusal(Exception):
    """The vendor refuses the request; carries the status and the vendor's own error body."""

    def __init__(self, status: int, body: Any):
        super().__init__(f"{status}: {body}")
        self.answer = Answer(status, body)


def cursor(kind: str, position: int) -> str:
    """An opaque page token."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def position(kind: str, token: str) -> int:
    """The position inside a token made by `cursor`. Raises ValueError for a token of another kind or no token at all."""
    found, _, value = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")
    if found != kind:
        raise ValueError(f"not a {kind} token")
    return int(value)


def whole_days(start: dt.datetime, end: dt.datetime) -> list[dt.date]:
    """UTC days touched by a half-open span of time."""
    first = start.astimezone(calendar.UTC).date()
    days = []
    while calendar.midnight(first) < end:
        days.append(first)
        first += dt.timedelta(days=1)
    return days


def spoil_records(faults: Faults, vendor: str, path: str, records: list[dict], number_fields: tuple[str, ...]) -> list[dict]:
    """Apply the faults that concern single records: a field nobody has seen, and a number of another type."""
    if faults.find("unknown_field", vendor, path):
        records = [{**r, "surprise_field": "unheard of"} for r in records]
    if faults.find("changed_type", vendor, path):
        records = [{k: {"value": v} if k in number_fields else v for k, v in r.items()} for r in records]
    return records


def bucket_page(world: World, vendor: str, request: Request, buckets: list[dict], limit: int, kind: str) -> dict[str, Any]:
    """One page of daily buckets with `has_more` and `next_page`, lost and doubled pages included.

    Raises ValueError for a token that is not ours.
    """
    token = request.one("page")
    doubled = False
    start = 0
    if token:
        try:
            start = position(kind, token)
        except ValueError:
            start, doubled = position(f"{kind}-again", token), True
    page = buckets[start : start + limit]
    following = start + limit
    next_page = cursor(kind, following) if following < len(buckets) else None
    if world.faults.find("doubled_page", vendor, request.path) and start == 0 and not doubled:
        next_page = cursor(f"{kind}-again", 0)
    if world.faults.find("missing_page", vendor, request.path):
        page = [{**b, "results": b["results"][: len(b["results"]) // 2]} for b in page]
        next_page = None
    return {"data": page, "has_more": next_page is not None, "next_page": next_page}
