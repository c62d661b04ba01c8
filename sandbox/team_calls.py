"""Single model calls that teams make past the central gateway with keys of their own, for the logs that saw some of them.

A day's calls are a slice of the bill of one key: fewer calls than it was billed for, and never more tokens.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sandbox import calendar
from sandbox.build import Company
from sandbox.company import PEOPLE, TEAMS, members, token
from sandbox.prices import METERS, rates
from sandbox.work import SECOND

MOST_A_DAY = 8


@dataclass(frozen=True)
class Call:
    """One call. Tokens are disjoint, output has reasoning inside; `cost` is in 1e-12 USD; instants in microseconds."""

    call_id: str
    response_id: str
    number: int
    day: dt.date
    start: int
    milliseconds: int
    model: str
    uncached: int
    cache_read: int
    write_5m: int
    output: int
    reasoning: int
    cost: int
    failed: bool
    repeated: bool
    ticket: str | None
    email: str
    session: str

    def iso(self, milliseconds: int = 0) -> str:
        """Start of the call, or so many milliseconds after it."""
        moment = dt.datetime.fromtimestamp(self.start // SECOND, calendar.UTC) + dt.timedelta(
            milliseconds=self.start % SECOND // 1000 + milliseconds
        )
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def of_key(company: Company, vendor: str, source: str, credential: int, hours: int = 10) -> dict[dt.date, list[Call]]:
    """The calls that `vendor`'s log saw of one credential, by day, over the days for which logs are kept.

    All fall in the first so many `hours` from 8 o'clock. Every 29th failed without tokens; every 13th could be
    answered from a cache of the vendor's own (`repeated`).
    """
    found: dict[dt.date, list[Call]] = {}
    first = company.log_days[0]
    rows = company.outside.filter((company.outside["credential"] == credential) & (company.outside["day"] >= first))
    for row in rows.sort("day", "model").iter_rows(named=True):
        count = min(MOST_A_DAY, row["requests"])
        calls = found.setdefault(row["day"], [])
        tickets = _open_tickets(company, row["team"], row["day"])
        calls += [_call(vendor, source, row, n, hours, tickets) for n in range(len(calls), len(calls) + count)]
    return found


def _call(vendor: str, source: str, row: dict[str, object], number: int, hours: int, tickets: list[str]) -> Call:
    day: dt.date = row["day"]
    count: int = row["requests"]
    model = str(row["model"])
    mark = token(f"{vendor}-call", f"{day}-{model}-{number}", 24)
    spread = int(mark[:6], 16)
    # 70 to 100 % of the key's mean, so that the slice stays below the bill.
    share = 700 + spread % 301
    uncached, read, write, output = (
        int(row[c]) * share // (1000 * count)
        for c in ("uncached", "cache_read", "write_5m", "output")
    )
    place = day.toordinal() * MOST_A_DAY + number
    failed, repeated = place % 29 == 7, place % 13 == 5
    if failed:
        uncached = read = write = output = 0
    price = dict(zip(METERS, rates(source, model, day), strict=True))
    cost = uncached * price["input"] + read * price["cache_read"] + write * price["cache_write_5m"] + output * price["output"]
    second = 8 * 3600 + spread % (hours * 3600)
    team = int(row["team"])
    person = PEOPLE[members(TEAMS[team].team)[spread % TEAMS[team].size]]
    return Call(
        call_id=f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-a{mark[17:20]}-{mark[:12]}",
        response_id=("chatcmpl-" if source == "openai" else "msg_01") + mark,
        number=place, day=day, start=int(calendar.midnight(day).timestamp() + second) * SECOND + spread % 1000 * 1000,
        milliseconds=400 + spread % 9000, model=model, uncached=uncached, cache_read=read, write_5m=write, output=output,
        reasoning=output * 2 // 5 if model.startswith("gpt-5") else 0, cost=cost, failed=failed, repeated=repeated,
        # Two calls in five name no ticket.
        ticket=tickets[spread % len(tickets)] if tickets and spread % 5 >= 2 else None, email=person.email, session=f"s-{day:%m%d}-{spread % 5}",
    )  # fmt: skip


def _open_tickets(company: Company, team: int, day: dt.date) -> list[str]:
    """Tickets of a team that were open when the day began."""
    before = int(calendar.midnight(day).timestamp()) * SECOND
    return [i.key for i in company.plan.issues if i.team == team and i.created < before and (i.done is None or i.done >= before)]
