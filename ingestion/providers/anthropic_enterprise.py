"""Claude Enterprise analytics: cost by product and model, with the part that the vendor's top groups leave out.

Amounts are decimal text in cents. The analytics key is not the Admin key of the API organization.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from ingestion import buckets
from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.providers.anthropic import BASE_URL, BUCKETS_PER_PAGE, VERSION, Bucket
from ingestion.records import Batch, Row, Text, amount, exact_sum, table, usd
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

COST = BY_KEY["anthropic_enterprise__analytics_cost"]
_BUCKETS = msgspec.json.Decoder(list[Bucket])


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication headers of an analytics key."""
    return {"x-api-key": config.secret("ANALYTICS_KEY"), "anthropic-version": VERSION}


class CostRow(msgspec.Struct):
    """Cents of one group of a day; without a group, of the day."""

    amount: Decimal
    currency: Text
    list_amount: Decimal | None = None
    product: Text | None = None
    model: Text | None = None


def fetch_analytics_cost(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Cents of consecutive days by group, and what the whole day cost beyond them. Control total: the whole day.

    Raises ContractBroken when the groups of a day cost more than the day.
    """
    groups = config.entries("groups", "product,model")
    basis = config.option("cost_basis", "estimated")
    whole = {w.key: b for w, b in _walk(client, windows, [], basis)}
    for window, grouped in _walk(client, windows, groups, basis):
        day = whole[window.key]
        rest, list_rest = (_sum(day, c) - _sum(grouped, c) for c in ("amount_cents", "list_amount_cents"))
        if rest < 0 <= _sum(day, "amount_cents"):
            raise ContractBroken(
                tried=f"{COST.key} {window.key}: cost by {', '.join(groups)}",
                found=f"groups that cost {-rest} cents more than the whole day",
                to_do="ask only for groups that do not overlap (setting GROUPS)",
            )
        rows: list[Row] = list(grouped.records.iter_rows())
        if rest or list_rest:
            rows.append((window.start, window.end, None, None, True, f"{rest:f}", f"{list_rest:f}", "USD", basis))
        rejects = [*day.rejects, *grouped.rejects]
        yield window, Batch(table(COST, rows), rejects, _sum(day, "amount_cents"), COST.money_unit, grouped.pages)


def _sum(batch: Batch, column: str) -> Decimal:
    return exact_sum(batch.records.get_column(column))


def _walk(
    client: Client, windows: Sequence[Window], groups: Sequence[str], basis: str
) -> Iterator[tuple[Window, Batch]]:
    def row(r: CostRow, start: datetime, end: datetime) -> Row:
        return (
            start, end, r.product, r.model, False, amount(r.amount, "amount"),
            amount(r.amount if r.list_amount is None else r.list_amount, "list_amount"), usd(r.currency), basis,
        )  # fmt: skip

    call = Call(
        "/v1/organizations/analytics/cost_report",
        (
            ("starting_at", f"{windows[0].start:%Y-%m-%dT%H:%M:%SZ}"),
            ("ending_at", f"{windows[-1].end:%Y-%m-%dT%H:%M:%SZ}"),
            ("bucket_width", "1d"),
            ("limit", str(BUCKETS_PER_PAGE)),
            *(("group_by[]", name) for name in groups),
        ),
    )
    return buckets.by_day(client, windows, COST, call, _decode, CostRow, row)


def _decode(array: msgspec.Raw) -> list[buckets.Bucket]:
    return [(b.starting_at, b.ending_at, b.results) for b in _BUCKETS.decode(array)]


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    start = f"{yesterday:%Y-%m-%dT%H:%M:%SZ}"
    return Call("/v1/organizations/analytics/cost_report", (("starting_at", start), ("bucket_width", "1d"), ("limit", "1")))


SYSTEM = System("anthropic_enterprise", (Connector(COST, fetch_analytics_cost),), Http(BASE_URL, _question, headers))
