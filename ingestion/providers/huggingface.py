"""Hugging Face: billed usage of the Hub, one UTC day at a time, in nano- and micro-dollars.

Bounds are Unix seconds. A day is asked twice: alone, and from the start of its billing period to its midnight, because
the included credit belongs to the period.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.pages import OnePage, walk
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, amount, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import DAY, Window

BASE_URL = "https://huggingface.co"
INFERENCE = "inferenceProviders"


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of a token that may read billing."""
    return {"Authorization": f"Bearer {config.secret('TOKEN')}"}


class Usage(msgspec.Struct):
    """The usage-v2 answer: one block per product."""

    usage: dict[str, msgspec.Raw]

    def records(self) -> msgspec.Raw:
        """The blocks as an array of `{product, block}`."""
        parts = [b'{"product":%s,"block":%s}' % (msgspec.json.encode(k), bytes(v)) for k, v in self.usage.items()]
        return msgspec.Raw(b"[" + b",".join(parts) + b"]")


class Block(msgspec.Struct):
    """What one product used in the span. Inference is in nano-, jobs in micro-dollars; `included` is the period's credit."""

    usedNanoUsd: Decimal | None = None
    usedMicroUsd: Decimal | None = None
    includedNanoUsd: Decimal | None = None
    limitNanoUsd: Decimal | None = None
    numRequests: Count | None = None
    totalMinutes: Decimal | None = None
    periodStart: Text | None = None
    periodEnd: Text | None = None


class Product(msgspec.Struct):
    """A product with its undecoded block: only two products have a documented one."""

    product: Text
    block: msgspec.Raw


USAGE = BY_KEY["huggingface__usage"]
_DOCUMENTED = (INFERENCE, "jobs")
_COLUMNS = frozenset(Block.__struct_fields__)
_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def fetch_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """What each product used on each day. Control total in nano-dollars, of products counted in them."""
    for window in windows:
        context = f"{USAGE.key} {window.key}"
        intake = Intake(Reader(Product))
        rows: list[Row] = []
        for page in walk(client, _call(config, window.start, window.end), OnePage(), Usage, context):
            products = intake.read(page.records(), context)
            rows = intake.accept(products, _row, window, config, client, context)
        records = table(USAGE, rows)
        total = exact_sum(records.get_column("used_nano_usd"))
        yield window, Batch(records, intake.rejects, total, "USD 1e-9", intake.pages)


def _call(config: SourceConfig, start: datetime, end: datetime) -> Call:
    organization = config.option("organization")
    place = f"/api/organizations/{organization}/billing" if organization else "/api/settings/billing"
    bounds = (("startDate", str(int(start.timestamp()))), ("endDate", str(int(end.timestamp()))))
    return Call(f"{place}/usage-v2", bounds)


def _row(p: Product, window: Window, config: SourceConfig, client: Client, context: str) -> Row:
    block = _block(p)
    begin, end = instant(block.periodStart, "block.periodStart"), instant(block.periodEnd, "block.periodEnd")
    before = None
    if p.product == INFERENCE and begin and end and begin < window.end and window.start < end:
        before = _used(client, config, begin, window, context) if begin < window.start else Decimal(0)
    return (
        window.day, config.option("organization") or None, p.product, amount(block.usedNanoUsd, "block.usedNanoUsd"),
        amount(block.usedMicroUsd, "block.usedMicroUsd"), amount(block.includedNanoUsd, "block.includedNanoUsd"),
        amount(block.limitNanoUsd, "block.limitNanoUsd"), amount(before, "block.usedNanoUsd"), block.numRequests,
        amount(block.totalMinutes, "block.totalMinutes"), begin, end, _other_measures(p.block),
    )  # fmt: skip


def _block(p: Product) -> Block:
    """The block's known fields. One that cannot be read is refused; of an undocumented product it is kept without them."""
    try:
        return msgspec.json.decode(p.block, type=Block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if p.product in _DOCUMENTED:
            raise Refused("wrong_type", f"usage.{p.product}") from None
        return Block()


def _used(client: Client, config: SourceConfig, begin: datetime, window: Window, context: str) -> Decimal | None:
    """Nano-dollars of inference from the start of the billing period to the day; None when the answer has none."""
    for page in walk(client, _call(config, begin, window.start), OnePage(), Usage, context):
        if INFERENCE in page.usage:
            return _block(Product(INFERENCE, page.usage[INFERENCE])).usedNanoUsd
    return None


def _other_measures(block: msgspec.Raw) -> str | None:
    """Numbers of a block that have no column of their own, digit for digit; texts are left out."""
    try:
        fields = msgspec.json.decode(block, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    other = {k: v for k, v in fields.items() if k not in _COLUMNS and _NUMBER.fullmatch(bytes(v))}
    return msgspec.json.encode(other).decode() if other else None


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return _call(config, yesterday, yesterday + DAY)


SYSTEM = System("huggingface", (Connector(USAGE, fetch_usage),), Http(BASE_URL, _question, headers))
