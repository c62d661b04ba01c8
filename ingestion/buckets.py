"""Shapes that several vendors share: a range answered in day buckets, and a list read whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingestion.catalog import Dataset
from ingestion.errors import ContractBroken
from ingestion.records import Batch, Reader, Reject, accept, exact_sum, table
from ingestion.windows import Window

Bucket = tuple[datetime, datetime, msgspec.Raw]


def decode_buckets(decoder: msgspec.json.Decoder[Any], array: msgspec.Raw, context: str) -> Any:
    """The buckets of a page; ContractBroken when they are not the documented ones, because no day can be trusted."""
    try:
        return decoder.decode(array)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractBroken(
            tried=context,
            found=f"buckets that are not the documented ones ({error})",
            to_do="compare the answer with the vendor's documentation; the connector may need an update",
        ) from None


def by_day(
    dataset: Dataset,
    windows: Sequence[Window],
    pages: Iterable[list[Bucket]],
    reader: Reader[Any],
    row: Callable[[Any, datetime, datetime], tuple[Any, ...]],
    context: str,
    *,
    money: str | None = None,
) -> Iterator[tuple[Window, Batch]]:
    """Splits a bucketed range into its days. Nothing is given before the last page was read.

    Raises ContractBroken for a bucket that is not one of the days asked for, and for a day without any bucket: a day
    the vendor says nothing about is not a day without spend.
    """
    by_start = {window.start: window for window in windows}
    rows: dict[str, list[tuple[Any, ...]]] = {}
    rejects: dict[str, list[Reject]] = {window.key: [] for window in windows}
    seen = dict.fromkeys(rejects, 0)
    pages_read = 0
    for page in pages:
        pages_read += 1
        for start, end, results in page:
            window = by_start.get(start)
            if window is None or end != window.end:
                raise _broken(context, f"a bucket {start} to {end} that is no UTC day of the range")
            bad = rejects[window.key]
            good, undecodable = reader.read(results, context, seen[window.key])
            seen[window.key] += len(good) + len(undecodable)
            bad += undecodable
            accepted = accept(good, lambda r, s=start, e=end: row(r, s, e), bad)
            rows.setdefault(window.key, []).extend(accepted)
    missing = [window.key for window in windows if window.key not in rows]
    if missing:
        raise _broken(context, f"no bucket for {len(missing)} of {len(windows)} days, first {missing[0]}")
    position = list(dataset.columns).index(money) if money else None
    for window in windows:
        of_day = rows[window.key]
        total = None if position is None else exact_sum(r[position] for r in of_day)
        unit = dataset.money_unit if money else None
        yield window, Batch(table(dataset, of_day), rejects[window.key], total, unit, pages_read)


def whole_list(
    dataset: Dataset,
    pages: Iterable[msgspec.Raw],
    reader: Reader[Any],
    row: Callable[[Any], tuple[Any, ...]],
    context: str,
) -> Batch:
    """A list read to its end as one batch."""
    rows: list[tuple[Any, ...]] = []
    rejects: list[Reject] = []
    pages_read = ordinal = 0
    for array in pages:
        pages_read += 1
        good, bad = reader.read(array, context, ordinal)
        ordinal += len(good) + len(bad)
        rejects += bad
        rows += accept(good, row, rejects)
    return Batch(table(dataset, rows), rejects, pages=pages_read)


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=context,
        found=found,
        to_do="compare the answer with the vendor's documentation; the connector may need an update",
    )


def by_update_day(
    dataset: Dataset,
    windows: Sequence[Window],
    dated: Sequence[tuple[datetime, tuple[Any, ...]]],
    rejects: Sequence[Reject],
    pages: int,
) -> Iterator[tuple[Window, Batch]]:
    """Rows of one walk cut into the days they belong to; rows of other days are left out.

    Rejects go to the last window: a record that cannot be read has no trustworthy day.
    """
    rows: dict[Any, list[tuple[Any, ...]]] = {window.day: [] for window in windows}
    for moment, row in dated:
        day = rows.get(moment.astimezone(UTC).date())
        if day is not None:
            day.append(row)
    for window in windows:
        bad = list(rejects) if window is windows[-1] else []
        yield window, Batch(table(dataset, rows[window.day]), bad, pages=pages)
