"""xAI: daily usage in dollars, prepaid balance and invoice preview in cents.

Names that no payload has shown are settings of the account. A day is asked alone, so a truncated answer costs one day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from ingestion import buckets
from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.pages import OnePage, walk
from ingestion.records import Batch, Intake, Reader, Refused, Row, Text, amount, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import DAY, Window

BASE_URL = "https://management-api.x.ai"
NO_DIMENSION = "none"


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of a management key, which is not an inference key."""
    return {"Authorization": f"Bearer {config.secret('MANAGEMENT_KEY')}"}


class Usage(msgspec.Struct):
    """The usage answer; `limitReached` says that series are missing."""

    timeSeries: msgspec.Raw
    limitReached: bool

    def records(self) -> msgspec.Raw:
        """The series."""
        return self.timeSeries


class Point(msgspec.Struct):
    """The values asked for, in their order, of the day that starts at `timestamp`."""

    timestamp: Text
    values: list[Decimal]


class Series(msgspec.Struct):
    """One combination of the dimensions asked for, in their order."""

    group: list[Text]
    dataPoints: list[Point]
    groupLabels: list[Text] = []


class Cents(msgspec.Struct):
    """Cents as text."""

    val: Text


class Change(msgspec.Struct):
    """A change of the prepaid balance."""

    changeOrigin: Text
    amount: Cents
    createTime: Text | None = None


class BalancePage(msgspec.Struct):
    """The balance and what changed it."""

    total: msgspec.Raw
    changes: msgspec.Raw = msgspec.Raw(b"[]")

    def records(self) -> msgspec.Raw:
        """The changes."""
        return self.changes


class BalanceTotal(BalancePage):
    """The balance alone."""

    def records(self) -> msgspec.Raw:
        """The balance as an array of one."""
        return msgspec.Raw(b"[" + bytes(self.total) + b"]")


class CoreInvoice(msgspec.Struct):
    """What the cycle costs with corrections, and the credit that goes against it."""

    totalWithCorr: Cents
    prepaidCredits: Cents | None = None


class Cycle(msgspec.Struct):
    """A billing cycle."""

    year: int
    month: int


class InvoicePreview(msgspec.Struct):
    """The open cycle's invoice so far."""

    coreInvoice: CoreInvoice
    billingCycle: Cycle


class PreviewPage(msgspec.Struct):
    """The preview's two parts."""

    coreInvoice: msgspec.Raw
    billingCycle: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The preview as an array of one."""
        parts = b'[{"coreInvoice":', bytes(self.coreInvoice), b',"billingCycle":', bytes(self.billingCycle), b"}]"
        return msgspec.Raw(b"".join(parts))


USAGE = BY_KEY["xai__usage"]
BALANCE_CHANGES = BY_KEY["xai__balance_changes"]
PREPAID_BALANCE = BY_KEY["xai__prepaid_balance"]
INVOICE_PREVIEW = BY_KEY["xai__invoice_preview"]


def fetch_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Dollars of days by API key and description. Control total in dollars.

    Raises ContractBroken for a truncated answer, and for a point that is no UTC midnight of the day asked for.
    """
    for window in windows:
        context = f"{USAGE.key} {window.key}"
        intake = Intake(Reader(Series))
        rows: list[Row] = []
        for page in walk(client, _usage_call(config, window.start), OnePage(), Usage, context):
            if page.limitReached:
                raise ContractBroken(
                    tried=context,
                    found="an answer that says itself that it was cut off (limitReached)",
                    to_do="ask for fewer series: set AISL_XAI_KEY_DIMENSION=none, or ask xAI to raise the limit",
                )
            series = intake.read(page.timeSeries, context)
            _refuse_other_days(series, window, context)
            for lines in intake.accept(series, _usage_rows, config, window):
                rows += lines
        records = table(USAGE, rows)
        total = exact_sum(records.get_column("usage_usd"))
        yield window, Batch(records, intake.rejects, total, USAGE.money_unit, intake.pages)


def fetch_balance_changes(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Changes of the prepaid balance, in cents as delivered."""
    call = Call(_path(config, "/prepaid/balance"))
    return buckets.whole_list(client, windows, BALANCE_CHANGES, call, OnePage(), BalancePage, Change, _change_row)


def fetch_prepaid_balance(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """The prepaid balance, in cents as delivered."""
    call = Call(_path(config, "/prepaid/balance"))
    return buckets.whole_list(client, windows, PREPAID_BALANCE, call, OnePage(), BalanceTotal, Cents, _balance_row)


def fetch_invoice_preview(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """The open cycle's invoice so far, in cents as delivered."""
    call = Call(_path(config, "/postpaid/invoice/preview"))
    return buckets.whole_list(client, windows, INVOICE_PREVIEW, call, OnePage(), PreviewPage, InvoicePreview, _preview_row)


def _path(config: SourceConfig, rest: str) -> str:
    return f"/v1/billing/teams/{config.option('team_id')}{rest}"


def _dimensions(config: SourceConfig) -> list[str]:
    key = config.option("key_dimension", "api_key_id")
    return [config.option("description_dimension", "description"), *([] if key == NO_DIMENSION else [key])]


def _usage_call(config: SourceConfig, start: datetime) -> Call:
    # The last second of the day says the same whether the vendor reads the end as inside or outside.
    spelling = config.option("time_format", "%Y-%m-%d %H:%M:%S")
    body = {
        "analyticsRequest": {
            "timeRange": {
                "startTime": start.strftime(spelling),
                "endTime": (start + DAY - timedelta(seconds=1)).strftime(spelling),
                "timezone": config.option("time_zone", "Etc/GMT"),
            },
            "timeUnit": config.option("time_unit", "TIME_UNIT_DAY"),
            "values": [
                {"name": config.option("value", "usd"), "aggregation": config.option("aggregation", "AGGREGATION_SUM")}
            ],
            "groupBy": _dimensions(config),
            "filters": [],
        }
    }
    return Call(_path(config, "/usage"), body=body, method="POST")


def _refuse_other_days(series: Sequence[tuple[int, Series]], window: Window, context: str) -> None:
    """Days that start at another hour follow another zone: none of their amounts belongs to the day asked for."""
    for _, one in series:
        for point in one.dataPoints:
            try:
                moment = instant(point.timestamp, "timestamp")
            except Refused:
                continue
            if moment != window.start:
                raise ContractBroken(
                    tried=context,
                    found=f"a point at {moment}, which is not the start of that UTC day",
                    to_do="check AISL_XAI_TIME_ZONE, AISL_XAI_TIME_UNIT and AISL_XAI_TIME_FORMAT",
                )


def _usage_rows(s: Series, config: SourceConfig, window: Window) -> list[Row]:
    dimensions = _dimensions(config)
    if len(s.group) != len(dimensions):
        raise Refused("wrong_type", "group", "not one entry per dimension asked for")
    group = dict(zip(("description", "api_key_id"), s.group, strict=False))
    labels = dict(zip(("description", "api_key_id"), s.groupLabels, strict=False))
    rows: list[Row] = []
    for point in s.dataPoints:
        start = instant(point.timestamp, "dataPoints[...].timestamp")
        if len(point.values) != 1:
            raise Refused("wrong_type", "dataPoints[...].values", "not one entry per value asked for")
        usd = amount(point.values[0], "dataPoints[...].values")
        rows.append((start, group.get("api_key_id"), labels.get("api_key_id"), group["description"], usd))
    return rows


def _cents(cents: Cents | None, field: str) -> str | None:
    if cents is None:
        return None
    try:
        return amount(Decimal(cents.val), field)
    except ArithmeticError:
        raise Refused("not_a_number", field) from None


def _change_row(c: Change) -> Row:
    return c.changeOrigin, instant(c.createTime, "createTime"), _cents(c.amount, "amount.val")


def _balance_row(c: Cents) -> Row:
    return (_cents(c, "total.val"),)


def _preview_row(p: InvoicePreview) -> Row:
    invoice = p.coreInvoice
    return (
        f"{p.billingCycle.year:04d}", f"{p.billingCycle.month:02d}",
        _cents(invoice.totalWithCorr, "coreInvoice.totalWithCorr.val"),
        _cents(invoice.prepaidCredits, "coreInvoice.prepaidCredits.val"),
    )  # fmt: skip


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return _usage_call(config, yesterday)


SYSTEM = System(
    "xai",
    (
        Connector(USAGE, fetch_usage),
        Connector(BALANCE_CHANGES, fetch_balance_changes),
        Connector(PREPAID_BALANCE, fetch_prepaid_balance),
        Connector(INVOICE_PREVIEW, fetch_invoice_preview),
    ),
    Http(BASE_URL, _question, headers),
)
