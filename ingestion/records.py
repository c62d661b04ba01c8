"""From undecoded records to typed columns: each record is accepted, or rejected with a reason and never with its text.

Unknown fields are welcome and never landed. A field of the wrong type rejects its record and no other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, Inexact, localcontext
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from ingestion.catalog import ColumnType, Dataset
from ingestion.errors import ContractBroken

if TYPE_CHECKING:
    import polars as pl

# A token or event count: never negative, and above any real day by orders of magnitude.
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
# Any other whole number, as wide as the lake's columns.
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=20_000)]

# DECIMAL(38,14) holds 24 digits before the point; a binary float printed in full needs 40 after it at the most.
LARGEST_AMOUNT = Decimal(10) ** 24
FINEST_EXPONENT = -40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATH = re.compile(r"`\$\.?([^`]*)`")

# A record as it lands: its cells in the column order of the catalog.
Cell = str | int | datetime | date | None
Row = tuple[Cell, ...]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


@dataclass(frozen=True)
class Reject:
    """One record that was not landed. `ordinal`: its position as delivered; `record_digest`: SHA-256 of its bytes."""

    ordinal: int
    reason: str
    field: str | None = None
    detail: str | None = None
    record_digest: str | None = None


@dataclass
class Batch:
    """What one window's fetch gave: accepted records as a table of the dataset's columns, and the rejects.

    `control_total`: exact sum of the money column over the accepted records. `days`: charge days in a month or file.
    """

    records: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)
    control_total: Decimal | None = None
    control_unit: str | None = None
    pages: int = 0
    days: list[date] | None = None


class Refused(ValueError):
    """A record that decodes but must not be landed: `reason`, `field` and a detail without its values."""

    def __init__(self, reason: str, field: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.detail = detail


class Reader(Generic[T]):
    """Decodes arrays of one record type: the whole array at once, and one by one only when something is wrong."""

    def __init__(self, record_type: type[T]) -> None:
        self._many: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(GenericAlias(list, record_type))
        self._one: msgspec.json.Decoder[T] = msgspec.json.Decoder(record_type)
        self._raw: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])

    def read(self, array: msgspec.Raw, context: str, first_ordinal: int = 0) -> tuple[list[tuple[int, T]], list[Reject]]:
        """(ordinal, record) of the good ones, and the rejects. Raises ContractBroken when it is no array at all."""
        try:
            return list(enumerate(self._many.decode(array), first_ordinal)), []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        try:
            parts = self._raw.decode(array)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ContractBroken(
                tried=context,
                found=f"records that are not a JSON array ({error})",
                to_do="compare the answer with the vendor's documentation; the connector may need an update",
            ) from None
        good: list[tuple[int, T]] = []
        bad: list[Reject] = []
        for ordinal, part in enumerate(parts, first_ordinal):
            try:
                good.append((ordinal, self._one.decode(part)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                bad.append(_undecodable(ordinal, bytes(part), error))
        return good, bad

    def read_lines(self, content: bytes, first_ordinal: int = 0) -> tuple[list[tuple[int, T]], list[Reject]]:
        """(ordinal, record) of the good lines of a JSON-lines text, and the rejects. Blank lines do not count."""
        lines = [line for line in content.splitlines() if line.strip()]
        try:
            return list(enumerate(map(self._one.decode, lines), first_ordinal)), []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        good: list[tuple[int, T]] = []
        bad: list[Reject] = []
        for ordinal, line in enumerate(lines, first_ordinal):
            try:
                good.append((ordinal, self._one.decode(line)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                bad.append(_undecodable(ordinal, line, error))
        return good, bad


def _undecodable(ordinal: int, content: bytes, error: Exception) -> Reject:
    if not isinstance(error, msgspec.ValidationError):
        return Reject(ordinal, "malformed", None, type(error).__name__, digest(content))
    # msgspec names type and path only; quotes would mean a value, which must not be kept
    message = str(error)
    path = _PATH.search(message)
    detail = message.split(" - at ")[0]
    return Reject(
        ordinal,
        "missing_field" if "missing required field" in detail else "wrong_type",
        path.group(1) or None if path else None,
        detail if "'" not in detail and '"' not in detail else None,
        digest(content),
    )


def digest(content: bytes | str) -> str:
    """SHA-256 of a record, to find it again at the vendor without keeping it."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


class Intake(Generic[T]):
    """Takes in a list page by page: its ordinals run on from page to page, its rejects and pages are kept here."""

    def __init__(self, reader: Reader[T]) -> None:
        self._reader = reader
        self._read = 0
        self.rejects: list[Reject] = []
        self.pages = 0

    def read(self, array: msgspec.Raw, context: str) -> list[tuple[int, T]]:
        """(ordinal, record) of the page's records that decode. Raises ContractBroken when it is no array at all."""
        good, bad = self._reader.read(array, context, self._read)
        return self._taken(good, bad)

    def read_lines(self, content: bytes) -> list[tuple[int, T]]:
        """(ordinal, record) of the JSON lines that decode."""
        return self._taken(*self._reader.read_lines(content, self._read))

    def _taken(self, good: list[tuple[int, T]], bad: list[Reject]) -> list[tuple[int, T]]:
        self._read += len(good) + len(bad)
        self.pages += 1
        self.rejects += bad
        return good

    def accept(
        self,
        records: Iterable[tuple[int, T]],
        row: Callable[Concatenate[T, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> list[R]:
        """What `row` makes of each record; a record for which it raises Refused becomes a reject."""
        rows = []
        for ordinal, record in records:
            try:
                rows.append(row(record, *args, **kwargs))
            except Refused as refused:
                content = digest(msgspec.json.encode(record))
                self.rejects.append(Reject(ordinal, refused.reason, refused.field, refused.detail, content))
        return rows


def amount(value: Decimal | None, field: str) -> str | None:
    """A decimal as plain text, digit for digit. Refuses NaN, infinities and what no DECIMAL(38,14) can hold."""
    if value is None:
        return None
    if not value.is_finite():
        raise Refused("not_a_number", field)
    exponent = value.as_tuple().exponent
    if (value and value.adjusted() >= 24) or not isinstance(exponent, int) or not FINEST_EXPONENT <= exponent <= 24:
        raise Refused("out_of_range", field, "more digits than DECIMAL(38,14) can take in")
    return f"{value:f}"


def instant(text: str | None, field: str) -> datetime | None:
    """An ISO instant, with or without colon in its offset, as UTC; without offset it is UTC already."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("unreadable_time", field) from None


def epoch(value: int | None, field: str) -> datetime | None:
    """Unix seconds, or milliseconds when there are 12 digits or more, as UTC."""
    if value is None:
        return None
    try:
        return _EPOCH + (timedelta(milliseconds=value) if abs(value) >= 10**11 else timedelta(seconds=value))
    except OverflowError:
        raise Refused("unreadable_time", field) from None


def usd(currency: str | None, field: str = "currency") -> str:
    """The currency as delivered, when it is USD in any case; anything else must not be summed as dollars."""
    if currency is None or currency.upper() != "USD":
        raise Refused("unexpected_currency", field, "the contract says USD")
    return currency


def polars_type(column: ColumnType) -> pl.DataType | type[pl.DataType]:
    """The polars type that landing writes for a catalog column."""
    import polars as pl

    types: dict[ColumnType, pl.DataType | type[pl.DataType]] = {
        "text": pl.String,
        "money_text": pl.String,
        "json": pl.String,
        "int": pl.Int64,
        "bool": pl.Boolean,
        "ts": pl.Datetime("us", "UTC"),
        "date": pl.Date,
    }
    return types[column]


def table(dataset: Dataset, rows: Sequence[Row]) -> pl.DataFrame:
    """Rows in catalog column order as a typed table. Raises ContractBroken for a value that its column cannot hold."""
    import polars as pl

    if not rows:
        return pl.DataFrame(schema={name: polars_type(kind) for name, kind in dataset.columns.items()})
    columns = zip(*rows, strict=True)
    typed: list[pl.Series] = []
    for (name, kind), values in zip(dataset.columns.items(), columns, strict=True):
        try:
            typed.append(pl.Series(name, values, dtype=polars_type(kind), strict=True))
        except (TypeError, OverflowError):
            raise ContractBroken(
                tried=f"{dataset.key}: type column {name}",
                found=f"a value that is no {kind}",
                to_do="compare the answer with the vendor's documentation; the connector may need an update",
            ) from None
    return pl.DataFrame(typed)


def exact_sum(amounts: Iterable[str | None]) -> Decimal:
    """Exact sum of decimal texts; nulls count as nothing."""
    with localcontext() as context:
        context.prec = 400
        context.traps[Inexact] = True
        return sum((Decimal(a) for a in amounts if a is not None), Decimal(0))


def one_currency(currencies: Collection[str]) -> str | None:
    """What a control total over rows of these currencies is said to be in; None without any."""
    return "several currencies" if len(currencies) > 1 else next(iter(currencies), None)
