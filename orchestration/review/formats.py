"""Numbers, days and shares as a reader of a finance document expects them. Rounding happens here and nowhere before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeGuard

Number = Decimal | float | int

NOTHING = "–"
_MINUS = "−"


def exact(value: Number) -> Decimal:
    """The number as Decimal: Decimals and integers as they are, floats by their shortest decimal text."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def is_number(value: object) -> TypeGuard[Number]:
    """True for a finite number that is not a boolean."""
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int):
        return False
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)


def decimal_text(value: Number | None, places: int) -> str:
    """Rounded half up, thousands separated by commas, a true minus sign; a dash for nothing."""
    if not is_number(value):
        return NOTHING
    rounded = exact(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{abs(rounded):,.{places}f}"
    return _MINUS + text if rounded < 0 else text


def money(value: Number | None, places: int = 2) -> str:
    """An amount without its currency, which the column header or the sentence names.

    An amount too small to show says so instead of reading as zero.
    """
    if is_number(value) and value != 0 and abs(exact(value)) < Decimal("0.5").scaleb(-places):
        step = f"{Decimal(1).scaleb(-places):f}"
        return f"<{step}"
    return decimal_text(value, places)


def headline(value: Number | None, currency: str) -> str:
    """An amount with its currency for a headline: whole units from 1,000 up, cents below."""
    if not is_number(value):
        return NOTHING
    return f"{currency} {money(value, 0 if abs(exact(value)) >= 1000 else 2)}"


def signed(value: Number | None, places: int = 2) -> str:
    """An amount of change, with its sign."""
    text = money(value, places)
    return f"+{text}" if is_number(value) and value > 0 and not text.startswith("<") else text


def count(value: Number | None) -> str:
    """A whole number of things."""
    return decimal_text(value, 0)


def percent(share: Number | None, places: int = 1) -> str:
    """A share (0 to 1) in per cent."""
    return f"{decimal_text(exact(share) * 100, places)} %" if is_number(share) else NOTHING


def signed_percent(share: Number | None, places: int = 1) -> str:
    """A relative change in per cent, with its sign."""
    text = percent(share, places)
    return f"+{text}" if is_number(share) and share > 0 else text


def ratio(value: Number | None, places: int = 2) -> str:
    """An index or a relation of two numbers."""
    return decimal_text(value, places)


def day(value: date | datetime | None) -> str:
    """A calendar day, e.g. 30 Sep 2026."""
    return f"{value.day} {value:%b %Y}" if value is not None else NOTHING


def short_day(value: date | None) -> str:
    """A calendar day without its year, where the year stands nearby."""
    return f"{value.day} {value:%b}" if value is not None else NOTHING


def month(value: date | None) -> str:
    """A calendar month, e.g. Sep 2026."""
    return f"{value:%b %Y}" if value is not None else NOTHING


def instant(value: datetime) -> str:
    """An instant in UTC to the minute."""
    return f"{day(value)}, {value:%H:%M} UTC"


def words(value: object) -> str:
    """Text of a cell; a dash for nothing."""
    return NOTHING if value is None or value == "" else str(value)


def shortened(value: object, length: int) -> str:
    """Text cut to a length, with an ellipsis where something was left out."""
    text = words(value)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def shares_of(values: Sequence[Number | None], places: int = 1) -> list[str]:
    """Each value's share of their sum in per cent, rounded by largest remainder so that the printed shares add to 100.

    Dashes when the sum is zero or any two values have opposite signs: a share then means nothing.
    """
    known = [exact(v) if is_number(v) else Decimal(0) for v in values]
    total = sum(known, Decimal(0))
    if total == 0 or (min(known) < 0 < max(known)):
        return [NOTHING] * len(known)
    steps = 100 * 10**places
    scaled = [v * steps / total for v in known]
    units = [int(v) for v in scaled]
    missing = steps - sum(units)
    for i in sorted(range(len(known)), key=lambda i: (units[i] - scaled[i], i))[:missing]:
        units[i] += 1
    return [f"{Decimal(u).scaleb(-places):.{places}f} %" for u in units]
