"""GitHub Copilot: billing usage, usage by model, the exported user report, seats, user metrics.

Amounts are dollars: gross = quantity x price, discount = covered by the plan, net = invoiced. Reports are downloaded from
signed links of other origins, by a client that carries no credential.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from ingestion import jobs
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.pages import LinkPages, walk
from ingestion.records import (
    Batch,
    Count,
    Intake,
    Integer,
    Reader,
    Refused,
    Row,
    Text,
    amount,
    exact_sum,
    instant,
    table,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import DAY, Window, days

BASE_URL = "https://api.github.com"
API_VERSION = "2026-03-10"
SEATS_PER_PAGE = 100
# AI credits replaced premium requests on this day.
CREDITS_SINCE = date(2026, 6, 1)
PATIENCE = 600.0
_WRITING = ("pending", "processing", "queued", "in_progress")


def headers(config: SourceConfig) -> dict[str, str]:
    """Headers of a token that may read the organization's billing and Copilot seats."""
    return {
        "Authorization": f"Bearer {config.secret('TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": config.option("api_version", API_VERSION),
    }


class UsageAnswer(msgspec.Struct):
    """A billing answer; it has no paging."""

    usageItems: msgspec.Raw


class UsageItem(msgspec.Struct):
    """Usage of one SKU on one day."""

    date: Text
    product: Text
    sku: Text
    netAmount: Decimal
    grossAmount: Decimal
    discountAmount: Decimal
    quantity: Decimal
    pricePerUnit: Decimal
    unitType: Text | None = None
    organizationName: Text | None = None
    repositoryName: Text | None = None


class ModelItem(msgspec.Struct):
    """Usage of one SKU and model over the period asked for."""

    product: Text
    sku: Text
    netAmount: Decimal
    grossAmount: Decimal
    discountAmount: Decimal
    grossQuantity: Decimal
    discountQuantity: Decimal
    netQuantity: Decimal
    pricePerUnit: Decimal
    model: Text | None = None
    unitType: Text | None = None


class ReportRow(msgspec.Struct):
    """A line of the exported report, all text."""

    date: Text
    product: Text
    sku: Text
    quantity: Decimal
    applied_cost_per_quantity: Decimal
    gross_amount: Decimal
    discount_amount: Decimal
    net_amount: Decimal
    username: Text | None = None
    model: Text | None = None
    unit_type: Text | None = None
    organization: Text | None = None
    repository: Text | None = None
    cost_center_name: Text | None = None
    input_tokens: Text | None = None
    output_tokens: Text | None = None
    cache_read_tokens: Text | None = None
    cache_write_tokens: Text | None = None


class Export(msgspec.Struct):
    """An export that was asked for."""

    id: Text | int
    status: Text
    download_urls: list[Text] = []


class Party(msgspec.Struct):
    """A user, team or organization; a user has an id and a login, a team a slug."""

    id: int | None = None
    login: Text | None = None
    slug: Text | None = None


class Seat(msgspec.Struct):
    """A Copilot seat."""

    assignee: Party
    created_at: Text | None = None
    organization: Party | None = None
    assigning_team: Party | None = None
    pending_cancellation_date: Text | None = None
    last_activity_at: Text | None = None
    last_activity_editor: Text | None = None
    last_authenticated_at: Text | None = None
    plan_type: Text | None = None


class SeatsPage(msgspec.Struct):
    """A page of seats; the total counts people."""

    total_seats: int
    seats: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The seats."""
        return self.seats


class MetricsAnswer(msgspec.Struct):
    """Where a day's metrics can be downloaded."""

    download_links: list[Text]
    report_day: Text | None = None


class CliTokens(msgspec.Struct):
    """Tokens of the command line client."""

    prompt_tokens_sum: Count = 0
    output_tokens_sum: Count = 0


class Cli(msgspec.Struct):
    """Use of the command line client."""

    session_count: Count = 0
    request_count: Count = 0
    token_usage: CliTokens = msgspec.field(default_factory=CliTokens)


class UserDay(msgspec.Struct):
    """What one user did on one day."""

    user_id: Integer
    user_login: Text | None = None
    day: Text | None = None
    user_initiated_interaction_count: Count = 0
    code_generation_activity_count: Count = 0
    code_acceptance_activity_count: Count = 0
    loc_added_sum: Count = 0
    totals_by_cli: Cli | None = None
    ai_credits_used: Decimal | None = None


T = TypeVar("T")

BILLING = BY_KEY["copilot__billing_usage"]
MODELS = BY_KEY["copilot__model_usage"]
REPORT = BY_KEY["copilot__usage_report"]
SEATS = BY_KEY["copilot__seats"]
METRICS = BY_KEY["copilot__user_metrics"]


def fetch_billing_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """All GitHub products of a month by day. Control total: net dollars."""
    reader = Reader(UsageItem)
    for window in windows:
        context = f"{BILLING.key} {window.key}"
        intake = Intake(reader)
        day = window.day
        answer = _answer(client, _usage_call(config, "usage", year=day.year, month=day.month), UsageAnswer, context)
        rows = intake.accept(intake.read(answer.usageItems, context), _usage_row, window)
        yield window, _priced(BILLING, intake, rows)


def fetch_model_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Credits or requests of a month by model; answers have no date, so each day that has begun is asked for."""
    reader = Reader(ModelItem)
    is_legacy = config.option("premium_requests", "false").lower() == "true"
    for window in windows:
        context = f"{MODELS.key} {window.key}"
        intake = Intake(reader)
        rows: list[Row] = []
        for day in days(window.day, min(window.end, client.now().astimezone(UTC) + DAY).date()):
            for meter in _meters(day, is_legacy):
                call = _usage_call(config, f"{meter}/usage", year=day.year, month=day.month, day=day.day)
                answer = _answer(client, call, UsageAnswer, context)
                rows += intake.accept(intake.read(answer.usageItems, context), _model_row, day, meter)
        yield window, _priced(MODELS, intake, rows)


def find_reports(config: SourceConfig, windows: Sequence[Window]) -> list[Window]:
    """Every month asked for where an enterprise can export it."""
    return list(windows) if config.option("enterprise") else []


def fetch_usage_report(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """The exported report of a month, by user. Control total: net dollars.

    Raises SourceUnavailable when the export is not ready after ten minutes, ContractBroken when it fails.
    """
    reader = Reader(ReportRow)
    for window in windows:
        context = f"{REPORT.key} {window.key}"
        intake = Intake(reader)
        rows: list[Row] = []
        for url in _export(client, config, window, context):
            rows += intake.accept(intake.read(_csv(jobs.download(client, url, context), context), context), _report_row, window)
        yield window, _priced(REPORT, intake, rows)


def fetch_seats(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Seats as they are now. Raises ContractBroken when there are fewer than the vendor counts."""
    (window,) = windows
    context = f"{SEATS.key} {window.key}"
    intake = Intake(Reader(Seat))
    rows: list[Row] = []
    promised = 0
    call = Call(f"/orgs/{config.option('organization')}/copilot/billing/seats", (("per_page", str(SEATS_PER_PAGE)),))
    for page in walk(client, call, LinkPages(), SeatsPage, context):
        promised = page.total_seats
        rows += intake.accept(intake.read(page.seats, context), _seat_row, config.option("organization"))
    read = len(rows) + len(intake.rejects)
    if read < promised:
        raise ContractBroken(
            tried=context,
            found=f"{read} seats over all pages where the vendor counts {promised}",
            to_do="fetch the seats again; if it stays, a page is lost: compare with the vendor's documentation",
        )
    yield window, Batch(table(SEATS, rows), intake.rejects, pages=intake.pages)


def fetch_user_metrics(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Activity of users on consecutive days, from downloaded reports."""
    reader = Reader(UserDay)
    for window in windows:
        context = f"{METRICS.key} {window.key}"
        intake = Intake(reader)
        rows: list[Row] = []
        path = f"/orgs/{config.option('organization')}/copilot/metrics/reports/users-1-day"
        answer = _answer(client, Call(path, (("day", window.day.isoformat()),)), MetricsAnswer, context)
        for url in answer.download_links:
            lines = _lines(jobs.download(client, url, context))
            rows += intake.accept(intake.read(lines, context), _metrics_row, window)
        yield window, Batch(table(METRICS, rows), intake.rejects, pages=max(1, intake.pages))


def _meters(day: date, is_legacy: bool) -> list[str]:
    if day < CREDITS_SINCE:
        return ["premium_request"]
    return ["ai_credit", "premium_request"] if is_legacy else ["ai_credit"]


def _usage_call(config: SourceConfig, path: str, **period: int) -> Call:
    params = tuple((name, str(value)) for name, value in period.items())
    return Call(f"/organizations/{config.option('organization')}/settings/billing/{path}", params)


def _answer(client: Client, call: Call, answer_type: type[T], context: str) -> T:
    """The one answer of a call that has no pages."""
    return jobs.said(client.send(call, context), answer_type, context)


def _export(client: Client, config: SourceConfig, window: Window, context: str) -> list[str]:
    """Links to the files of a month's report, once the vendor has written it."""
    last = min((window.end - DAY).date(), client.now().astimezone(UTC).date())
    path = f"/enterprises/{config.option('enterprise')}/settings/billing/reports"
    body = {
        "report_type": "ai_credit" if window.day >= CREDITS_SINCE else "premium_request",
        "start_date": window.day.isoformat(),
        "end_date": last.isoformat(),
        "send_email": False,
    }
    export = _answer(client, Call(path, body=body, method="POST"), Export, context)
    found = [export]

    def state() -> str:
        if found[0].status.lower() in _WRITING:
            found[0] = _answer(client, Call(f"{path}/{export.id}"), Export, context)
        return found[0].status

    jobs.wait_for(client, state, context, done=("completed",), waiting=_WRITING, patience=PATIENCE)
    if not found[0].download_urls:
        raise _broken(context, "an export that is done and has no file")
    return found[0].download_urls


def _csv(content: bytes, context: str) -> msgspec.Raw:
    """The lines of a CSV as JSON records of text, empty cells left out. A line without the header's cells is no record."""
    try:
        lines = [line for line in csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _broken(context, f"a report that is no CSV ({type(error).__name__})") from None
    if not lines:
        raise _broken(context, "a report without a header")
    names = lines[0]
    records = [
        {name: cell for name, cell in zip(names, line, strict=True) if cell} if len(line) == len(names) else line
        for line in lines[1:]
    ]
    return msgspec.Raw(msgspec.json.encode(records))


def _lines(content: bytes) -> msgspec.Raw:
    """JSON lines, or one JSON array, as an array."""
    text = content.strip()
    if text.startswith(b"["):
        return msgspec.Raw(text)
    return msgspec.Raw(b"[" + b",".join(line for line in text.splitlines() if line.strip()) + b"]")


def _priced(dataset: Dataset, intake: Intake[T], rows: list[Row]) -> Batch:
    records = table(dataset, rows)
    charged = sorted(set(records.get_column("usage_date")))
    total = exact_sum(records.get_column("net_usd"))
    return Batch(records, intake.rejects, total, "USD", max(1, intake.pages), charged)


def _day(text: str, window: Window) -> date:
    moment = instant(text, "date")
    if moment is None or not window.start <= moment < window.end:
        raise Refused("outside_window", "date")
    return moment.date()


def _usage_row(i: UsageItem, window: Window) -> Row:
    return (
        _day(i.date, window), i.product, i.sku, i.unitType, amount(i.quantity, "quantity"),
        amount(i.pricePerUnit, "pricePerUnit"), amount(i.grossAmount, "grossAmount"),
        amount(i.discountAmount, "discountAmount"), amount(i.netAmount, "netAmount"), i.organizationName or None,
        i.repositoryName or None,
    )  # fmt: skip


def _model_row(i: ModelItem, day: date, meter: str) -> Row:
    return (
        day, meter, i.product, i.sku, i.model, i.unitType, amount(i.grossQuantity, "grossQuantity"),
        amount(i.discountQuantity, "discountQuantity"), amount(i.netQuantity, "netQuantity"),
        amount(i.pricePerUnit, "pricePerUnit"), amount(i.grossAmount, "grossAmount"),
        amount(i.discountAmount, "discountAmount"), amount(i.netAmount, "netAmount"),
    )  # fmt: skip


def _report_row(r: ReportRow, window: Window) -> Row:
    return (
        _day(r.date, window), r.username, r.product, r.sku, r.model, r.unit_type, amount(r.quantity, "quantity"),
        amount(r.applied_cost_per_quantity, "applied_cost_per_quantity"), amount(r.gross_amount, "gross_amount"),
        amount(r.discount_amount, "discount_amount"), amount(r.net_amount, "net_amount"), r.organization, r.repository,
        r.cost_center_name, *map(_count, (r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens)),
    )  # fmt: skip


def _count(text: str | None) -> int | None:
    """A token count written as text; None when it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _seat_row(s: Seat, organization: str) -> Row:
    if s.assignee.id is None and s.assignee.login is None:
        raise Refused("missing_field", "assignee")
    ends = instant(s.pending_cancellation_date, "pending_cancellation_date")
    return (
        s.assignee.login, str(s.assignee.id) if s.assignee.id is not None else s.assignee.login,
        (s.organization.login if s.organization else None) or organization,
        s.assigning_team.slug if s.assigning_team else None, s.plan_type, ends.date() if ends else None,
        instant(s.created_at, "created_at"), instant(s.last_activity_at, "last_activity_at"),
        instant(s.last_authenticated_at, "last_authenticated_at"), s.last_activity_editor,
    )  # fmt: skip


def _metrics_row(u: UserDay, window: Window) -> Row:
    cli = u.totals_by_cli or Cli()
    return (
        _day(u.day or window.day.isoformat(), window), str(u.user_id), u.user_login,
        u.user_initiated_interaction_count, u.code_generation_activity_count, u.code_acceptance_activity_count,
        u.loc_added_sum, cli.session_count, cli.request_count, cli.token_usage.prompt_tokens_sum,
        cli.token_usage.output_tokens_sum, amount(u.ai_credits_used, "ai_credits_used"),
    )  # fmt: skip


def _broken(tried: str, found: str) -> ContractBroken:
    to_do = "compare the answer with the vendor's documentation; the connector may need an update"
    return ContractBroken(tried=tried, found=found, to_do=to_do)


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    day = yesterday.date()
    return _usage_call(config, "ai_credit/usage", year=day.year, month=day.month, day=day.day)


SYSTEM = System(
    "copilot",
    (
        Connector(BILLING, fetch_billing_usage),
        Connector(MODELS, fetch_model_usage),
        Connector(REPORT, fetch_usage_report, find_reports),
        Connector(SEATS, fetch_seats),
        Connector(METRICS, fetch_user_metrics),
    ),
    Http(BASE_URL, _question, headers),
)
