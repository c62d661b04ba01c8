"""Billing tables as they are delivered: CSV, gzipped CSV, Parquet or a zip of them → a table of native text, and the ragged rows.

Nothing is interpreted here beside what "nothing" looks like: an empty cell and the literal `NULL` become null.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingestion.errors import ContractBroken
from ingestion.files.folder import gunzip
from ingestion.records import Reject, digest

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".zip")
_PART = re.compile(r"part-(\d+)-of-(\d+)", re.IGNORECASE)
# An archive that unpacks to more is refused: no bill of a month is that big.
LARGEST_ARCHIVE_BYTES = 8 << 30


def header(name: str, head: bytes, whole: Any) -> list[str]:
    """Column names of a table file, from its first bytes, or from `whole()` where its names stand at the end.

    None are found in bytes that are no CSV. Raises ContractBroken for an archive or Parquet file that cannot be read.
    """
    import csv

    if name.lower().endswith(".zip"):
        parts = _parts(name, whole())
        return header(parts[0][0], parts[0][1], lambda: parts[0][1])
    if name.lower().endswith(".parquet"):
        import pyarrow.parquet

        with _readable(name):
            return list(pyarrow.parquet.read_schema(io.BytesIO(whole())).names)
    if name.lower().endswith(".gz"):
        # the head is cut anywhere: take what can be unpacked
        with _readable(name):
            head = zlib.decompressobj(wbits=31).decompress(head)
    text = head.decode("utf-8-sig", errors="replace")
    try:
        return next(csv.reader(io.StringIO(text)), [])
    except csv.Error:
        return []


def read(name: str, content: bytes) -> tuple[pl.DataFrame, list[Reject]]:
    """The file as text columns with its row number in `__row`, and rows that do not fit the header as rejects.

    Raises ContractBroken when it is no table at all.
    """
    if name.lower().endswith(".zip"):
        return _read_parts(name, _parts(name, content))
    if name.lower().endswith(".parquet"):
        return _read_parquet(name, content), []
    if name.lower().endswith(".gz"):
        with _readable(name):
            content = gunzip(content)
    if name.lower().removesuffix(".gz").endswith(".jsonl"):
        return _read_json_lines(name, content)
    return _read_csv(name, content)


def without_nothing(frame: pl.DataFrame) -> pl.DataFrame:
    """Empty text and the literal `NULL` as null."""
    import polars as pl

    texts = [name for name in frame.columns if name != "__row"]
    return frame.with_columns(
        pl.when(pl.col(name).str.strip_chars().is_in(["", "NULL"])).then(None).otherwise(pl.col(name)).alias(name)
        for name in texts
    )


def json_of(frame: pl.DataFrame, keys: Mapping[str, str]) -> pl.Series:
    """One JSON object per row from text columns (column → key); nulls are left out, a row without any is null."""
    import polars as pl

    if not keys:
        return pl.Series("json", [None] * frame.height, dtype=pl.String)
    parts = [
        pl.when(pl.col(column).is_not_null()).then(
            pl.struct(pl.col(column).alias(key)).struct.json_encode().str.slice(1).str.head(-1)
        )
        for column, key in keys.items()
    ]
    joined = pl.concat_str(parts, separator=",", ignore_nulls=True)
    filled = pl.concat_str([pl.lit("{"), joined, pl.lit("}")])
    is_any = pl.any_horizontal(pl.col(list(keys)).is_not_null())
    return frame.select(pl.when(is_any).then(filled).alias("json")).to_series()


def _parts(name: str, content: bytes) -> list[tuple[str, bytes]]:
    """The tables in an archive, in order. Raises ContractBroken when numbered parts are missing or there is no table."""
    with _readable(name), zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [m for m in archive.infolist() if m.filename.lower().endswith((".csv", ".csv.gz", ".parquet"))]
        if sum(m.file_size for m in members) > LARGEST_ARCHIVE_BYTES:
            raise _unreadable(name, "an archive too large to be a bill")
        numbered = {m.filename: tuple(map(int, found.groups())) for m in members if (found := _PART.search(m.filename))}
        counts = {count for _, count in numbered.values()}
        if numbered and (len(counts) > 1 or {n for n, _ in numbered.values()} != set(range(1, counts.pop() + 1))):
            raise _unreadable(name, "an archive without some of its numbered parts")
        members.sort(key=lambda m: (numbered.get(m.filename, (0, 0)), m.filename))
        parts = [(m.filename, archive.read(m)) for m in members]
    if not parts:
        raise _unreadable(name, "an archive without a table")
    return parts


def _read_parts(name: str, parts: list[tuple[str, bytes]]) -> tuple[pl.DataFrame, list[Reject]]:
    """The tables of an archive as one; row numbers run on."""
    import polars as pl

    frames: list[pl.DataFrame] = []
    rejects: list[Reject] = []
    before = 0
    for part, content in parts:
        frame, ragged = read(part, content)
        if frames and set(frame.columns) != set(frames[0].columns):
            raise _unreadable(name, "parts with different columns")
        frames.append(frame.with_columns(pl.col("__row") + before))
        rejects += [replace(reject, ordinal=reject.ordinal + before) for reject in ragged]
        before += frame.height + len(ragged)
    return pl.concat([frame.select(frames[0].columns) for frame in frames]), rejects


def _read_csv(name: str, content: bytes) -> tuple[pl.DataFrame, list[Reject]]:
    import polars as pl
    import pyarrow as pa
    import pyarrow.csv

    if not content.strip():
        raise _unreadable(name, "an empty file")
    names = header("x.csv", content, None)
    if len(set(names)) != len(names):
        raise _unreadable(name, "a header that repeats a column name")
    ragged: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        ragged.append((row.number - 1 - 1, row.text))
        return "skip"

    with _readable(name):
        found = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
        frame = pl.from_arrow(found)
    rejects = [
        Reject(ordinal, "ragged_row", None, f"not the {len(names)} cells of the header", digest(text))
        for ordinal, text in ragged
    ]
    assert isinstance(frame, pl.DataFrame)
    lost = {ordinal for ordinal, _ in ragged}
    numbers = [n for n in range(frame.height + len(lost)) if n not in lost]
    return frame.with_columns(pl.Series("__row", numbers, dtype=pl.Int64)), rejects


def _read_json_lines(name: str, content: bytes) -> tuple[pl.DataFrame, list[Reject]]:
    """One object per line; numbers keep their digits, nested values are left out. Blank lines are no records."""
    import json

    import polars as pl

    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    lines = [line for line in content.splitlines() if line.strip()]
    if not lines:
        raise _unreadable(name, "an empty file")
    for ordinal, line in enumerate(lines):
        try:
            # UnicodeDecodeError is a ValueError, as is what json says.
            found = json.loads(line.decode("utf-8-sig"), parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            rejects.append(Reject(ordinal, "malformed", None, "no JSON object", digest(line)))
            continue
        words = {True: "true", False: "false", None: None}
        cells = {k: words[v] if v is None or isinstance(v, bool) else v for k, v in found.items() if not isinstance(v, (dict, list))}
        rows.append({**cells, "__row": ordinal})
    names = sorted({key for row in rows for key in row} - {"__row"})
    return pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.String), "__row": pl.Int64}), rejects


def _read_parquet(name: str, content: bytes) -> pl.DataFrame:
    import polars as pl
    import pyarrow.parquet

    with _readable(name):
        found = pyarrow.parquet.read_table(io.BytesIO(content))
    columns = [_as_text(column, field) for column, field in zip(found.columns, found.schema, strict=True)]
    return pl.DataFrame([*columns, pl.Series("__row", range(found.num_rows), dtype=pl.Int64)])


def _as_text(column: Any, field: Any) -> pl.Series:
    """A Parquet column as text: decimals exact, instants ISO in UTC, maps and structs as JSON."""
    import json

    import polars as pl
    import pyarrow as pa

    kind = field.type
    if pa.types.is_map(kind):
        objects = [None if v is None else dict(v) for v in column.to_pylist()]
    elif pa.types.is_nested(kind):
        objects = column.to_pylist()
    else:
        series = pl.Series(field.name, pl.from_arrow(column))
        if pa.types.is_timestamp(kind):
            instants = series if kind.tz is None else series.dt.convert_time_zone("UTC")
            return instants.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
        return series.cast(pl.String)
    texts = [None if o is None else json.dumps(o, default=str, ensure_ascii=False, sort_keys=True) for o in objects]
    return pl.Series(field.name, texts, dtype=pl.String)


class _readable:
    """Turns the readers' errors into ContractBroken."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import pyarrow as pa

        # A zip with a damaged directory makes zipfile seek before the start: a ValueError.
        if isinstance(error, (pa.ArrowException, OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile)):
            raise _unreadable(self.name, type(error).__name__) from None


def _unreadable(name: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=f"read {name}", found=f"no readable table ({found})", to_do="deliver the file again, whole and in UTF-8"
    )
