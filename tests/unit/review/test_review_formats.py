"""Numbers as a finance reader expects them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestration.review import formats as f


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1234567.005"), "1,234,567.01"),
        (Decimal("-1234.5"), "−1,234.50"),
        (Decimal("0"), "0.00"),
        (Decimal("0.004"), "<0.01"),
        (Decimal("-0.004"), "<0.01"),
        (Decimal("0.005"), "0.01"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (Decimal("NaN"), "–"),
    ],
)
def test_money_is_rounded_half_up_and_never_shows_a_placeholder(value: Decimal | float | None, text: str) -> None:
    assert f.money(value) == text


@pytest.mark.parametrize("values", [[1, 1, 1], [2, 1, 1, 1, 1, 1], ["41800", "24200", "17600", "15400", "6600", "4400"]])
def test_printed_shares_add_to_100(values: list[int | str]) -> None:
    printed = f.shares_of([Decimal(v) for v in values])
    assert sum(Decimal(p.removesuffix(" %")) for p in printed) == Decimal(100)


def test_worked_ledger_shares_print_as_published() -> None:
    costs = [Decimal(c) for c in (41_800, 24_200, 17_600, 15_400, 6_600, 4_400)]
    assert f.shares_of(costs, places=0) == ["38 %", "22 %", "16 %", "14 %", "6 %", "4 %"]


def test_shares_of_mixed_signs_mean_nothing() -> None:
    assert f.shares_of([Decimal(-1), Decimal(-3)]) == ["25.0 %", "75.0 %"]
    assert f.shares_of([Decimal(5), Decimal(-3)]) == ["–", "–"]
    assert f.shares_of([Decimal(0)]) == ["–"]
