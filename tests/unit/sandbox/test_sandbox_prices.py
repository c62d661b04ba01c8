"""The company's own price table agrees with the pinned catalogue, apart from the contract price."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from sandbox.calendar import NEGOTIATED_PRICE_FROM
from sandbox.prices import LIST_PRICES, METERS, MICRO, override_rows, rates

_AT = dt.datetime(2026, 10, 19, tzinfo=dt.UTC)


def _usage(meter: str, tokens: int, context: int) -> Usage:
    """Tokens of one meter; `context` further uncached tokens push the call past a context step."""
    total = tokens + context
    return {
        "input": Usage(input_tokens=total),
        "cache_read": Usage(input_tokens=total, cache_read_tokens=tokens),
        "cache_write_5m": Usage(input_tokens=total, cache_write_tokens=tokens, cache_write_5m_tokens=tokens),
        "cache_write_1h": Usage(input_tokens=total, cache_write_tokens=tokens, cache_write_1h_tokens=tokens),
        "output": Usage(input_tokens=context, output_tokens=tokens),
    }[meter]


@pytest.mark.parametrize(("provider", "model", "step"), list(LIST_PRICES))
@pytest.mark.parametrize("meter", METERS[:5])
def test_list_prices_agree_with_the_catalogue(provider, model, step, meter):
    price = Decimal(LIST_PRICES[provider, model, step][METERS.index(meter)]) / MICRO
    if not price:
        return
    context = 250_000 if step else 0
    found = calc_price(_usage(meter, 1000, context), model, provider_id=provider, genai_request_timestamp=_AT).total_price
    if context:
        found -= calc_price(Usage(input_tokens=context), model, provider_id=provider, genai_request_timestamp=_AT).total_price
    assert found * 1000 == price


def test_the_contract_price_holds_from_its_day_on():
    before = rates("anthropic", "claude-haiku-4-5", NEGOTIATED_PRICE_FROM - dt.timedelta(days=1))
    after = rates("anthropic", "claude-haiku-4-5", NEGOTIATED_PRICE_FROM)
    assert [a * 10 for a in after[:5]] == [b * 9 for b in before[:5]]


def test_batch_is_half_and_long_context_is_dearer():
    day = dt.date(2026, 9, 1)
    standard = rates("anthropic", "claude-sonnet-4-5", day)
    assert [2 * p for p in rates("anthropic", "claude-sonnet-4-5", day, "batch")[:5]] == list(standard[:5])
    assert rates("anthropic", "claude-sonnet-4-5", day, long_context=True)[0] == 2 * standard[0]
    assert rates("anthropic", "claude-opus-4-5", day, long_context=True) == rates("anthropic", "claude-opus-4-5", day)


def test_overrides_say_what_the_company_pays():
    for row in override_rows():
        day = dt.date.fromisoformat(row["valid_from"])
        paid = rates(row["provider_id"], row["model_id"], day, row["tier"], row["context_from_tokens"] != "0")
        assert Decimal(paid[METERS.index(row["token_meter"])]) / MICRO == Decimal(row["price_usd_per_million"])


def test_an_unknown_model_has_no_price():
    with pytest.raises(KeyError):
        rates("anthropic", "claude-imaginary", dt.date(2026, 9, 1))
