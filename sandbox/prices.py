"""The company's own dated price table, in USD per 1,000,000 tokens (web search: per 1,000,000 searches).

Written apart from every price catalogue; a unit test compares it with the pinned one. Batch costs half.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sandbox.calendar import NEGOTIATED_PRICE_FROM

METERS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_search")
LONG_CONTEXT_FROM = 200_000
MICRO = 1_000_000  # prices are kept as whole millionths of a dollar per million

# provider, model, first token of the context step, prices in the order of METERS ("" where not sold)
_LIST = (
    ("anthropic", "claude-opus-4-5", 0, "5", "0.5", "6.25", "10", "25", "10000"),
    ("anthropic", "claude-sonnet-4-5", 0, "3", "0.3", "3.75", "6", "15", "10000"),
    ("anthropic", "claude-sonnet-4-5", LONG_CONTEXT_FROM, "6", "0.6", "7.5", "12", "22.5", "10000"),
    ("anthropic", "claude-sonnet-5", 0, "2", "0.2", "2.5", "4", "10", "10000"),
    ("anthropic", "claude-haiku-4-5", 0, "1", "0.1", "1.25", "2", "5", "10000"),
    ("openai", "gpt-5", 0, "1.25", "0.125", "", "", "10", ""),
    ("openai", "gpt-5-mini", 0, "0.25", "0.025", "", "", "2", ""),
    ("openai", "text-embedding-3-small", 0, "0.02", "", "", "", "", ""),
    ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0", 0, "1.1", "0.11", "1.375", "2.2", "5.5", ""),
    ("aws", "amazon.nova-lite-v1:0", 0, "0.06", "0.015", "", "", "0.24", ""),
)
# A tenth off the list, by contract, from a date on.
_NEGOTIATED = (("anthropic", "claude-haiku-4-5", 0, "0.9", "0.09", "1.125", "1.8", "4.5", "10000"),)


def _micro(text: str) -> int:
    return int(Decimal(text or "0") * MICRO)


LIST_PRICES = {(p, m, c): tuple(_micro(x) for x in prices) for p, m, c, *prices in _LIST}
NEGOTIATED_PRICES = {(p, m, c): tuple(_micro(x) for x in prices) for p, m, c, *prices in _NEGOTIATED}


def rates(provider: str, model: str, day: dt.date, tier: str = "standard", long_context: bool = False) -> tuple[int, ...]:
    """What the company pays, as whole millionths of a dollar per million units, in the order of METERS.

    `long_context` rows of a model without such a step cost the base price. Raises KeyError for an unknown model.
    """
    step = LONG_CONTEXT_FROM if long_context and (provider, model, LONG_CONTEXT_FROM) in LIST_PRICES else 0
    key = (provider, model, step)
    found = LIST_PRICES[key]
    if day >= NEGOTIATED_PRICE_FROM and key in NEGOTIATED_PRICES:
        found = NEGOTIATED_PRICES[key]
    if tier == "batch":
        return (*(p // 2 for p in found[:5]), found[5])
    return found


def override_rows() -> list[dict[str, str]]:
    """Rows of the seed `price_overrides`: the contract price, and batch at half before the catalogue knows it."""
    rows = []
    for (provider, model, step), values in NEGOTIATED_PRICES.items():
        for meter, value in zip(METERS[:5], values[:5], strict=True):
            rows.append(_override(provider, model, meter, "standard", step, value, "contract ACME-2026-07",
                                  NEGOTIATED_PRICE_FROM.isoformat(), ""))  # fmt: skip
    for (provider, model, step), values in LIST_PRICES.items():
        if model == "claude-sonnet-4-5":
            for meter, value in zip(METERS[:5], values[:5], strict=True):
                rows.append(_override(provider, model, meter, "batch", step, value // 2,
                                      "vendor price page: batch is half of standard", "2025-08-01", "2026-10-14"))  # fmt: skip
    return rows


def _override(provider: str, model: str, meter: str, tier: str, step: int, micro: int, source: str, start: str,
              end: str) -> dict[str, str]:  # fmt: skip
    price = format((Decimal(micro) / MICRO).normalize(), "f")
    return {
        "provider_id": provider, "model_id": model, "token_meter": meter, "tier": tier,
        "context_from_tokens": str(step), "price_usd_per_million": price, "source": source, "valid_from": start,
        "valid_to": end,
    }  # fmt: skip
