"""Dropped CSV files in a template of ours: each row becomes a record of its dataset, or a reject with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestion.catalog import Dataset
from ingestion.errors import ContractBroken
from ingestion.files.folder import open_folder
from ingestion.files.tabular import read, without_nothing
from ingestion.records import Batch, Cell, Refused, Reject, Row, amount, digest, exact_sum, instant, one_currency, table
from ingestion.source import SourceConfig
from ingestion.windows import Window, file_window

Cells = dict[str, Any]
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def find_files(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Dropped CSV files."""
    found = (f for f in open_folder(config).files() if f.name.lower().endswith((".csv", ".csv.gz")))
    return [file_window(f.name, f.version) for f in found]


def read_lines(
    dataset: Dataset,
    name: str,
    content: bytes,
    required: Sequence[str],
    day: str,
    complete: Callable[[Cells], Cells] = lambda row: row,
) -> Batch:
    """One file as a batch; `day` is the date column whose days the file covers, `complete` adds or refuses cells.

    Raises ContractBroken when a required column is missing.
    """
    frame, rejects = read(name, content)
    lacking = [column for column in required if column not in frame.columns]
    if lacking:
        raise ContractBroken(
            tried=f"{dataset.key}: read dropped file {name}",
            found=f"no column {', '.join(lacking)}",
            to_do="use the column names of the template",
        )
    rows: list[Row] = []
    for row in without_nothing(frame).iter_rows(named=True):
        try:
            rows.append(_record(dataset, complete({**row, "file_name": name}), required))
        except Refused as refused:
            text = digest("|".join(str(v) for v in row.values()))
            rejects.append(Reject(row["__row"], refused.reason, refused.field, refused.detail, text))
    records = table(dataset, rows)
    days = records.get_column(day).unique().sort().to_list()
    if dataset.control_column is None:
        return Batch(records, rejects, pages=1, days=days)
    unit = one_currency(records.get_column("currency").unique().to_list())
    return Batch(records, rejects, exact_sum(records.get_column(dataset.control_column)), unit, 1, days)


def _record(dataset: Dataset, row: Cells, required: Sequence[str]) -> Row:
    for column in required:
        if row[column] is None:
            raise Refused("missing_value", column)
    return tuple(_cell(row.get(column), kind, column) for column, kind in dataset.columns.items())


def _cell(cell: str | None, kind: str, column: str) -> Cell:
    if cell is None:
        return None
    if kind == "money_text":
        try:
            return amount(Decimal(cell.strip()), column)
        except InvalidOperation:
            raise Refused("not_a_number", column) from None
    if kind == "date":
        try:
            return date.fromisoformat(cell.strip()[:10])
        except ValueError:
            raise Refused("unreadable_time", column) from None
    if kind == "int":
        try:
            return int(cell)
        except ValueError:
            raise Refused("not_a_number", column) from None
    if kind == "bool":
        if (word := cell.strip().lower()) not in _WORDS:
            raise Refused("unknown_value", column, "neither true nor false")
        return _WORDS[word]
    return instant(cell.strip(), column) if kind == "ts" else cell.strip()
