"""List prices from the pinned price package, walked once into dated rows. The package's own data; no network.

A price holds from its start date until the next one begins. The oldest known price holds from 2020-01-01, because the
package answers every earlier question with it too; the overrides seed can say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.records import Batch, Row, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

GENAI_PRICES = BY_KEY["prices__genai_prices"]
PROVIDERS = ("anthropic", "openai", "aws", "azure", "google", "x-ai", "mistral", "cohere", "groq", "deepseek")
FIRST_DAY = date(2020, 1, 1)
_METERS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
}
_SEARCHES = "web_searches_kcount"
# What the package calls a variant → our tier. Others (fast mode) have no tier in any usage report that is read.
_TIERS = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}


def fetch_genai_prices(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Every token and web-search price of the known providers, in USD per 1,000,000."""
    (window,) = windows
    yield window, Batch(table(GENAI_PRICES, price_rows()))


def price_rows() -> list[Row]:
    """Dated price rows in the order of the catalog."""
    from genai_prices import data_snapshot

    package = version("genai-prices")
    rows: list[Row] = []
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id not in PROVIDERS:
            continue
        for model in provider.models:
            for tier, dated in _tiers(model):
                for meter, step, price, start, end in _intervals(dated):
                    rows.append((provider.id, model.id, meter, tier, step, f"{price:f}", start, end, package))
    return rows


def _tiers(model: Any) -> Iterator[tuple[str, list[tuple[date, Any]]]]:
    """Tier and its (start date, prices) for a model, oldest first."""
    base = model.prices if isinstance(model.prices, list) else [model.prices]
    yield "standard", _dated((getattr(p, "constraint", None), getattr(p, "prices", p)) for p in base)
    for when, tier in _TIERS.items():
        variants = [v for v in model.price_variants or () if tuple(v.when.items()) == (when,)]
        if variants:
            yield tier, _dated((v.constraint, v.prices) for v in variants)


def _dated(prices: Any) -> list[tuple[date, Any]]:
    """Prices by start date. A night tariff is left out: daily usage cannot tell the hour."""
    found = []
    for constraint, price in prices:
        if constraint is None:
            found.append((FIRST_DAY, price))
        elif hasattr(constraint, "start_date"):
            found.append((constraint.start_date, price))
    return sorted(found, key=lambda dated: dated[0])


def _intervals(dated: list[tuple[date, Any]]) -> Iterator[tuple[str, int, Decimal, date, date | None]]:
    """(meter, context step, price, effective_from, effective_to) without overlaps; equal neighbours are one row."""
    starts = [FIRST_DAY, *(start for start, _ in dated[1:])]
    ends = [*starts[1:], None]
    open_rows: dict[tuple[str, int], tuple[Decimal, date, date | None]] = {}
    done: list[tuple[str, int, Decimal, date, date | None]] = []
    for (_, prices), start, end in zip(dated, starts, ends, strict=True):
        if start == end:
            continue
        for slot, price in _steps(prices):
            before = open_rows.get(slot)
            if before is not None and before[0] == price and before[2] == start:
                open_rows[slot] = (price, before[1], end)
                continue
            if before is not None:
                done.append((*slot, *before))
            open_rows[slot] = (price, start, end)
    done += [(*slot, *row) for slot, row in open_rows.items()]
    yield from done


def _steps(prices: Any) -> Iterator[tuple[tuple[str, int], Decimal]]:
    """((meter, context_from_tokens), USD per 1,000,000) of one model price. Searches are priced per 1,000 there."""
    for name, meter in _METERS.items():
        price = getattr(prices, name)
        if price is None:
            continue
        yield (meter, 0), getattr(price, "base", price)
        for tier in getattr(price, "tiers", ()):
            yield (meter, tier.start), tier.price
    searches = getattr(prices, _SEARCHES)
    if searches is not None:
        yield ("web_search", 0), getattr(searches, "base", searches) * 1000


SYSTEM = System(
    "prices",
    (Connector(GENAI_PRICES, fetch_genai_prices),),
    look=lambda _: ("comes with the pinned price package", None),
)
