"""Cursor Admin API: usage events with their charges, daily activity, spend of the cycle, members.

Times are epoch milliseconds, bounds of a range are inclusive, amounts are cents unless their name says dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.pages import NumberedPages, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, epoch, exact_sum, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.cursor.com"
REQUESTS_PER_MINUTE = "20"
RECORDS_PER_PAGE = "100"
_ONE_BY_ONE = NumberedPages(in_body=True)


class Pagination(msgspec.Struct):
    """Where a page stands. Events say `currentPage`, daily rows say `page`."""

    hasNextPage: bool
    currentPage: int | None = None
    page: int | None = None


class _Paged(msgspec.Struct):
    """A page that says whether another follows."""

    pagination: Pagination = msgspec.field(default_factory=lambda: Pagination(False))

    @property
    def page(self) -> int | None:
        """The page's number as the vendor echoes it."""
        return self.pagination.currentPage or self.pagination.page

    @property
    def total_pages(self) -> int:
        """One more than this page as long as another follows: numbers of pages move while events arrive."""
        return (self.page or 1) + self.pagination.hasNextPage


class EventsPage(_Paged, kw_only=True):
    """A page of usage events. Recorded answers also carry them as `usageEventsDisplay`, whole and without paging."""

    totalUsageEventsCount: int | None = None
    usageEvents: msgspec.Raw = msgspec.Raw()
    usageEventsDisplay: msgspec.Raw = msgspec.Raw()

    def records(self) -> msgspec.Raw:
        """The events."""
        return self.usageEvents or self.usageEventsDisplay


class DailyPage(_Paged, kw_only=True):
    """A page of member days."""

    data: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The member days."""
        return self.data


class SpendPage(msgspec.Struct):
    """A page of members with their spend; its own number is not echoed."""

    teamMemberSpend: msgspec.Raw
    subscriptionCycleStart: int
    totalPages: int = 1
    page: int | None = None

    @property
    def total_pages(self) -> int:
        """Pages in all."""
        return self.totalPages

    def records(self) -> msgspec.Raw:
        """The members."""
        return self.teamMemberSpend


class MembersPage(msgspec.Struct):
    """All members at once."""

    teamMembers: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The members."""
        return self.teamMembers


class TokenUsage(msgspec.Struct):
    """Disjoint token classes and the model's cost in cents, before the token fee."""

    inputTokens: Count = 0
    outputTokens: Count = 0
    cacheWriteTokens: Count = 0
    cacheReadTokens: Count = 0
    totalCents: Decimal | None = None
    discountPercentOff: Decimal | None = None


class UsageEvent(msgspec.Struct):
    """One usage event. `tokenUsage` is absent where the event is not token based."""

    timestamp: Text | int
    model: Text | None = None
    kind: Text | None = None
    userEmail: Text | None = None
    userId: Text | int | None = None
    serviceAccountId: Text | int | None = None
    serviceAccountName: Text | None = None
    isChargeable: bool | None = None
    isTokenBasedCall: bool | None = None
    maxMode: bool | None = None
    isHeadless: bool | None = None
    isFreeBugbot: bool | None = None
    requestsCosts: Decimal | None = None
    tokenUsage: TokenUsage | None = None
    cursorTokenFee: Decimal | None = None
    chargedCents: Decimal | None = None
    conversationId: Text | None = None
    cloudAgentId: Text | None = None
    automationId: Text | None = None


class MemberDay(msgspec.Struct):
    """What one member did on one day."""

    date: int
    email: Text | None = None
    userId: Text | int | None = None
    isActive: bool | None = None
    totalLinesAdded: Count = 0
    totalLinesDeleted: Count = 0
    acceptedLinesAdded: Count = 0
    acceptedLinesDeleted: Count = 0
    totalApplies: Count = 0
    totalAccepts: Count = 0
    totalRejects: Count = 0
    totalTabsShown: Count = 0
    totalTabsAccepted: Count = 0
    composerRequests: Count = 0
    chatRequests: Count = 0
    agentRequests: Count = 0
    cmdkUsages: Count = 0
    bugbotUsages: Count = 0
    subscriptionIncludedReqs: Count = 0
    apiKeyReqs: Count = 0
    usageBasedReqs: Count = 0
    mostUsedModel: Text | None = None
    clientVersion: Text | None = None


class MemberSpend(msgspec.Struct):
    """What one member spent in the current cycle: cents, limits in dollars."""

    email: Text | None = None
    userId: Text | int | None = None
    name: Text | None = None
    role: Text | None = None
    spendCents: Decimal | None = None
    overallSpendCents: Decimal | None = None
    includedSpendCents: Decimal | None = None
    fastPremiumRequests: Count | None = None
    hardLimitOverrideDollars: Decimal | None = None
    monthlyLimitDollars: Decimal | None = None


class Member(msgspec.Struct):
    """A member of the team."""

    email: Text
    id: Text | int | None = None
    name: Text | None = None
    role: Text | None = None
    isRemoved: bool = False


T = TypeVar("T")
Dated = Callable[[T], tuple[datetime, Row]]

EVENTS = BY_KEY["cursor__usage_events"]
DAILY = BY_KEY["cursor__daily_usage"]
SPEND = BY_KEY["cursor__spend"]
MEMBERS = BY_KEY["cursor__members"]


def fetch_usage_events(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Usage events of consecutive days. Control total: cents of all events, chargeable or not.

    Raises ContractBroken when the events read are not as many as the vendor says there are.
    """
    context = f"{EVENTS.key} {windows[0].key}..{windows[-1].key}"
    intake = Intake(Reader(UsageEvent))
    events: list[tuple[int, UsageEvent]] = []
    promised = None
    for page in walk(client, _ranged("/teams/filtered-usage-events", config, windows), _ONE_BY_ONE, EventsPage, context):
        events += intake.read(page.records(), context)
        promised = page.totalUsageEventsCount
    read = len(events) + len(intake.rejects)
    if promised is not None and promised != read:
        raise ContractBroken(
            tried=context,
            found=f"{read} events over all pages where the vendor counts {promised}",
            to_do="fetch the window again; if it stays, a page is lost or doubled: compare with the vendor's documentation",
        )
    return _by_day(EVENTS, windows, intake, events, _event_row)


def fetch_daily_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Activity of every member on consecutive days."""
    context = f"{DAILY.key} {windows[0].key}..{windows[-1].key}"
    intake = Intake(Reader(MemberDay))
    rows: list[tuple[int, MemberDay]] = []
    for page in walk(client, _ranged("/teams/daily-usage-data", config, windows), _ONE_BY_ONE, DailyPage, context):
        rows += intake.read(page.records(), context)
    return _by_day(DAILY, windows, intake, rows, _daily_row)


def fetch_spend(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Spend of the current billing cycle by member, as it is now. Control total in cents."""
    (window,) = windows
    context = f"{SPEND.key} {window.key}"
    intake = Intake(Reader(MemberSpend))
    rows: list[Row] = []
    call = Call("/teams/spend", body={"page": 1, "pageSize": _page_size(config)}, method="POST")
    for page in walk(client, call, _ONE_BY_ONE, SpendPage, context):
        rows += intake.accept(intake.read(page.records(), context), _spend_row, page.subscriptionCycleStart)
    records = table(SPEND, rows)
    total = exact_sum(records.get_column("spend_cents"))
    yield window, Batch(records, intake.rejects, total, SPEND.money_unit, intake.pages)


def fetch_members(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Members as they are now, removed ones too. The list has no paging."""
    (window,) = windows
    context = f"{MEMBERS.key} {window.key}"
    intake = Intake(Reader(Member))
    rows: list[Row] = []
    for page in walk(client, Call("/teams/members"), _ONE_PAGE, MembersPage, context):
        rows += intake.accept(intake.read(page.records(), context), _member_row)
    yield window, Batch(table(MEMBERS, rows), intake.rejects, pages=intake.pages)


class _WholeList:
    """A list that is given at once."""

    def following(self, call: Call, envelope: MembersPage, answer: object) -> None:
        return None


_ONE_PAGE = _WholeList()


def _ranged(path: str, config: SourceConfig, windows: Sequence[Window]) -> Call:
    body: dict[str, Any] = {
        "startDate": _milliseconds(windows[0].start),
        "endDate": _milliseconds(windows[-1].end) - 1,
        "page": 1,
        "pageSize": _page_size(config),
    }
    return Call(path, body=body, method="POST")


def _page_size(config: SourceConfig) -> int:
    return int(config.option("page_size", RECORDS_PER_PAGE))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _by_day(
    dataset: Dataset, windows: Sequence[Window], intake: Intake[T], records: list[tuple[int, T]], row: Dated[T]
) -> Iterator[tuple[Window, Batch]]:
    """Records of one walk cut into their days. Rejects go to the last day: what cannot be read has no trusted day."""
    first, after = windows[0].start, windows[-1].end
    rows: dict[object, list[Row]] = {window.day: [] for window in windows}
    for moment, cells in intake.accept(records, _within, row, first, after):
        rows[moment.date()].append(cells)
    for window in windows:
        frame = table(dataset, rows[window.day])
        money = dataset.control_column
        total = exact_sum(frame.get_column(money)) if money else None
        rejects = list(intake.rejects) if window is windows[-1] else []
        yield window, Batch(frame, rejects, total, dataset.money_unit if money else None, intake.pages)


def _within(record: T, row: Dated[T], first: datetime, after: datetime) -> tuple[datetime, Row]:
    moment, cells = row(record)
    if not first <= moment < after:
        raise Refused("outside_window", "date")
    return moment, cells


def _event_row(e: UsageEvent) -> tuple[datetime, Row]:
    stamp = e.timestamp
    if isinstance(stamp, str):
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 19):
            raise Refused("unreadable_time", "timestamp")
        stamp = int(stamp)
    moment = epoch(stamp, "timestamp")
    assert moment is not None
    if e.chargedCents is None and e.isChargeable is not False:
        raise Refused("missing_field", "chargedCents", "an event that may be charged without its charge")
    tokens = e.tokenUsage
    return moment, (
        moment, e.userEmail or None, _text(e.userId), _text(e.serviceAccountId), e.serviceAccountName, e.model or None,
        e.kind, e.isChargeable, e.isTokenBasedCall, e.maxMode, e.isHeadless, e.isFreeBugbot,
        amount(e.requestsCosts, "requestsCosts"),
        tokens.inputTokens if tokens else None, tokens.outputTokens if tokens else None,
        tokens.cacheWriteTokens if tokens else None, tokens.cacheReadTokens if tokens else None,
        amount(tokens.totalCents, "tokenUsage.totalCents") if tokens else None,
        amount(tokens.discountPercentOff, "tokenUsage.discountPercentOff") if tokens else None,
        amount(e.cursorTokenFee, "cursorTokenFee"), amount(e.chargedCents, "chargedCents"),
        e.conversationId, e.cloudAgentId, e.automationId,
    )  # fmt: skip


def _daily_row(d: MemberDay) -> tuple[datetime, Row]:
    moment = epoch(d.date, "date")
    assert moment is not None
    return moment, (
        moment.date(), _text(d.userId), d.email, d.isActive, d.totalLinesAdded, d.totalLinesDeleted,
        d.acceptedLinesAdded, d.acceptedLinesDeleted, d.totalApplies, d.totalAccepts, d.totalRejects,
        d.totalTabsShown, d.totalTabsAccepted, d.composerRequests, d.chatRequests, d.agentRequests, d.cmdkUsages,
        d.bugbotUsages, d.subscriptionIncludedReqs, d.apiKeyReqs, d.usageBasedReqs, d.mostUsedModel, d.clientVersion,
    )  # fmt: skip


def _spend_row(s: MemberSpend, cycle_start: int) -> Row:
    return (
        epoch(cycle_start, "subscriptionCycleStart"), _text(s.userId), s.email, s.name, s.role, amount(s.spendCents, "spendCents"),
        amount(s.overallSpendCents, "overallSpendCents"), amount(s.includedSpendCents, "includedSpendCents"),
        s.fastPremiumRequests, amount(s.hardLimitOverrideDollars, "hardLimitOverrideDollars"),
        amount(s.monthlyLimitDollars, "monthlyLimitDollars"),
    )  # fmt: skip


def _member_row(m: Member) -> Row:
    return _text(m.id), m.email, m.name, m.role, m.isRemoved


def _text(value: str | int | None) -> str | None:
    """An id as text, whichever way it was written."""
    return None if value is None else str(value)


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    start = _milliseconds(yesterday.astimezone(UTC))
    body = {"startDate": start, "endDate": start + 86_399_999, "page": 1, "pageSize": 1}
    return Call("/teams/filtered-usage-events", body=body, method="POST")


SYSTEM = System(
    "cursor",
    (
        Connector(EVENTS, fetch_usage_events),
        Connector(DAILY, fetch_daily_usage),
        Connector(SPEND, fetch_spend),
        Connector(MEMBERS, fetch_members),
    ),
    Http(
        BASE_URL,
        _question,
        auth=lambda config: (config.secret("API_KEY"), ""),
        requests_per_minute=REQUESTS_PER_MINUTE,
    ),
)
