"""Shapes that several vendors share: a range answered in day buckets, a list read whole, and a walk by update time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from ingestion.catalog import Dataset
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.pages import ArrayPage, E, LinkPages, Page, Style, TokenPages, walk
from ingestion.records import Batch, Intake, Reader, Reject, Row, exact_sum, table
from ingestion.windows import Window

# Start, end (exclusive) and undecoded records of one bucket.
Bucket = tuple[datetime, datetime, msgspec.Raw]

T = TypeVar("T")


def by_day(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    call: Call,
    decode: Callable[[msgspec.Raw], list[Bucket]],
    record_type: type[T],
    row: Callable[[T, datetime, datetime], Row],
) -> Iterator[tuple[Window, Batch]]:
    """Walks a bucketed range and splits it into its days. Nothing is given before the last page was read.

    Raises ContractBroken for a bucket that is not one of the days asked for, and for a day without any bucket: a day
    the vendor says nothing about is not a day without spend.
    """
    context = f"{dataset.key} {windows[0].key}..{windows[-1].key}"
    reader = Reader(record_type)
    by_start = {window.start: window for window in windows}
    intakes = {window.key: Intake(reader) for window in windows}
    rows: dict[str, list[Row]] = {}
    pages = 0
    for page in walk(client, call, TokenPages(), Page, context):
        pages += 1
        for start, end, results in _buckets(decode, page.data, context):
            found = by_start.get(start)
            if found is None or end != found.end:
                raise _broken(context, f"a bucket {start} to {end} that is no UTC day of the range")
            intake = intakes[found.key]
            good = intake.read(results, context)
            rows.setdefault(found.key, []).extend(intake.accept(good, row, start, end))
    missing = [window.key for window in windows if window.key not in rows]
    if missing:
        raise _broken(context, f"no bucket for {len(missing)} of {len(windows)} days, first {missing[0]}")
    for window in windows:
        records = table(dataset, rows[window.key])
        total = exact_sum(records.get_column(money)) if (money := dataset.control_column) else None
        unit = dataset.money_unit if money else None
        yield window, Batch(records, intakes[window.key].rejects, total, unit, pages)


def _buckets(decode: Callable[[msgspec.Raw], list[Bucket]], array: msgspec.Raw, context: str) -> list[Bucket]:
    """The buckets of a page; ContractBroken when they are not the documented ones, because no day can be trusted."""
    try:
        return decode(array)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _broken(context, f"buckets that are not the documented ones ({error})") from None


def whole_list(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    call: Call,
    style: Style[E],
    envelope_type: type[E],
    record_type: type[T],
    row: Callable[[T], Row],
) -> Iterator[tuple[Window, Batch]]:
    """A list read to its end as the one batch of a snapshot."""
    (window,) = windows
    context = f"{dataset.key} {window.key}"
    intake = Intake(Reader(record_type))
    rows: list[Row] = []
    for page in walk(client, call, style, envelope_type, context):
        rows += intake.accept(intake.read(page.records(), context), row)
    yield window, Batch(table(dataset, rows), intake.rejects, pages=intake.pages)


def newest_first(
    client: Client,
    windows: Sequence[Window],
    dataset: Dataset,
    lists: Sequence[tuple[str, Call]],
    record_type: type[T],
    moment: Callable[[T], datetime],
    row: Callable[[str, T], Row | None],
) -> Iterator[tuple[Window, Batch]]:
    """Walks lists (name and first call) that are sorted newest first until they are older than the first wanted day.

    A record that moves to the front while it is read is seen twice; its newest version is kept. `row` gives None for a
    record of another kind.
    """
    intake = Intake(Reader(record_type))
    first, after = windows[0].start, windows[-1].end
    identity = [list(dataset.columns).index(column) for column in dataset.identity]
    newest: dict[tuple[object, ...], tuple[datetime, Row]] = {}

    def dated_row(record: T, name: str) -> tuple[datetime, Row | None]:
        return moment(record), row(name, record)

    for name, call in lists:
        context = f"{dataset.key} {name} {windows[0].key}..{windows[-1].key}"
        for page in walk(client, call, LinkPages(), ArrayPage, context):
            good = intake.read(page.array, context)
            wanted = [(i, record) for i, record in good if first <= moment(record) < after]
            for found, values in intake.accept(wanted, dated_row, name):
                if values is None:
                    continue
                key = tuple(values[i] for i in identity)
                if key not in newest or newest[key][0] < found:
                    newest[key] = found, values
            if good and all(moment(record) < first for _, record in good):
                break
    yield from by_update_day(dataset, windows, list(newest.values()), intake.rejects, intake.pages)


def by_update_day(
    dataset: Dataset,
    windows: Sequence[Window],
    dated: Sequence[tuple[datetime, Row]],
    rejects: Sequence[Reject],
    pages: int,
) -> Iterator[tuple[Window, Batch]]:
    """Rows of one walk cut into the days they belong to; rows of other days are left out.

    Rejects go to the last window: a record that cannot be read has no trustworthy day.
    """
    rows: dict[object, list[Row]] = {window.day: [] for window in windows}
    for moment, row in dated:
        day = rows.get(moment.astimezone(UTC).date())
        if day is not None:
            day.append(row)
    for window in windows:
        bad = list(rejects) if window is windows[-1] else []
        yield window, Batch(table(dataset, rows[window.day]), bad, pages=pages)


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=context,
        found=found,
        to_do="compare the answer with the vendor's documentation; the connector may need an update",
    )
