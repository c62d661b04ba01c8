"""Ways in which a payload can be wrong, as plans that hypothesis draws and `spoiled` carries out on bytes."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
import zipfile
from dataclasses import dataclass
from typing import Any

import polars as pl
from hypothesis import strategies as st

# What happens to one value of one record; the last five happen to the record or to the whole payload.
FIELD_KINDS = ("missing", "null", "wrong type", "huge", "negative", "NaN", "unknown field")
RECORD_KINDS = ("duplicated", "reordered")
PAYLOAD_KINDS = ("truncated", "wrong encoding")
KINDS = (*FIELD_KINDS, *RECORD_KINDS, *PAYLOAD_KINDS)
# Files of JSON lines, which may hold one line or none.
LINES = (".jsonl", ".ndjson")
_NAN = "\u0001NaN\u0001"


@dataclass(frozen=True)
class Plan:
    """One fault: its kind and where it falls. `place` and `field` count on, past the end they start again."""

    kind: str
    payload: int
    place: int
    field: int
    value: int


plans = st.builds(
    Plan,
    kind=st.sampled_from(KINDS),
    payload=st.integers(0, 1000),
    place=st.integers(0, 100_000),
    field=st.integers(0, 200),
    value=st.integers(0, 3),
)


@dataclass(frozen=True)
class Wrong:
    """A payload with a fault in it. `field`: the JSON key that was changed. `is_untold`: it is a text of lines that ends as
    whole lines do, so that nothing in it tells of the ones that are gone."""

    content: bytes
    field: str | None = None
    is_untold: bool = False


def spoiled(content: bytes, plan: Plan, name: str = "") -> Wrong | None:
    """The payload with the plan's fault in it, or None where it has no place for it or changes nothing."""
    if plan.kind == "truncated" and len(content) > 1:
        return _cut(content, plan.place % len(content), name)
    wrong = _spoiled(content, plan)
    return None if wrong is None or wrong.content == content else wrong


def _spoiled(content: bytes, plan: Plan) -> Wrong | None:
    if content[:2] == b"\x1f\x8b":
        inner = _spoiled(gzip.decompress(content), plan)
        return None if inner is None else Wrong(gzip.compress(inner.content, mtime=0), inner.field)
    if plan.kind == "wrong encoding":
        at = plan.place % (len(content) + 1)
        return Wrong(content[:at] + b"\xff\xfe\xfa" + content[at:])
    if content[:2] == b"PK":
        return _zip(content, plan)
    if content[:4] == b"PAR1":
        return _parquet(content, plan)
    if content.lstrip()[:1] not in (b"{", b"["):
        found = _csv(content, plan)
        return None if found is None else Wrong(found)
    try:
        return _json(json.loads(content), plan)
    except json.JSONDecodeError:
        lines = content.splitlines(keepends=True)
        at = plan.place % len(lines)
        if plan.kind in RECORD_KINDS:
            return Wrong(b"".join(_moved(lines, at, plan)))
        try:
            line = _json([json.loads(lines[at])], plan)
        except json.JSONDecodeError:
            return None
        if line is None:
            return None
        return Wrong(b"".join([*lines[:at], line.content[1:-1] + b"\n", *lines[at + 1 :]]), line.field)


def _cut(content: bytes, at: int, name: str) -> Wrong:
    """The first bytes of a payload. JSON lines tell of a cut inside a line; a CSV line only when cells are missing."""
    kept, rest = content[:at], content[at:]
    if content[:2] in (b"\x1f\x8b", b"PA", b"PK") or (_is_json(content) and not name.endswith(LINES)):
        return Wrong(kept)
    is_untold = not kept.strip() or kept[-1:] == b"\n" or rest[:1] in (b"\r", b"\n")
    if not is_untold and content.lstrip()[:1] != b"{":
        rows = list(csv.reader(io.StringIO(kept.decode("utf-8", errors="replace"), newline="")))
        is_untold = len(rows) > 1 and len(rows[-1]) == len(rows[0])
    return Wrong(kept, None, is_untold)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _json(document: Any, plan: Plan) -> Wrong | None:
    document = copy.deepcopy(document)
    places: list[tuple[list[Any], int]] = []
    _records(document, places)
    if not places:
        return None
    array, at = places[plan.place % len(places)]
    key = None
    if plan.kind in RECORD_KINDS:
        array[:] = _moved(array, at, plan)
    else:
        record = array[at]
        fields = _fields(record)
        if not fields:
            return None
        holder, key = fields[plan.field % len(fields)]
        _change(holder, key, plan)
    return Wrong(json.dumps(document).replace(json.dumps(_NAN), "NaN").encode(), key)


def _records(node: Any, places: list[tuple[list[Any], int]]) -> None:
    """Objects that stand in an array: a vendor's records, and what they consist of."""
    if isinstance(node, list):
        for at, part in enumerate(node):
            if isinstance(part, dict):
                places.append((node, at))
            _records(part, places)
    elif isinstance(node, dict):
        for part in node.values():
            _records(part, places)


def _fields(record: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    found = []
    for key, value in record.items():
        found.append((record, key))
        if isinstance(value, dict):
            found += _fields(value)
    return found


def _change(holder: dict[str, Any], key: str, plan: Plan) -> None:
    before = holder[key]
    if plan.kind == "missing":
        del holder[key]
    elif plan.kind == "null":
        holder[key] = None
    elif plan.kind == "unknown field":
        holder["a_field_nobody_has_heard_of"] = before
    elif plan.kind == "NaN":
        holder[key] = _NAN
    elif plan.kind == "negative":
        holder[key] = f"-{before}" if isinstance(before, str) else -1 if not isinstance(before, int | float) else -before - 1
    elif plan.kind == "huge":
        holder[key] = ("9" * 60, 10**40, "x" * 100_000, -(10**30))[plan.value]
    else:
        holder[key] = ({"value": before}, [before], "wrong", True)[plan.value]


def _moved(parts: list[Any], at: int, plan: Plan) -> list[Any]:
    if plan.kind == "duplicated":
        return [*parts[: at + 1], copy.deepcopy(parts[at]), *parts[at + 1 :]]
    mixed = list(parts)
    random.Random(plan.value).shuffle(mixed)
    return mixed


def _zip(content: bytes, plan: Plan) -> Wrong | None:
    """One member of an archive spoiled."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(members)[plan.payload % len(members)]
    wrong = _spoiled(members[name], plan)
    if wrong is None:
        return None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, inner in (members | {name: wrong.content}).items():
            archive.writestr(member, inner)
    return Wrong(buffer.getvalue(), wrong.field)


def _parquet(content: bytes, plan: Plan) -> Wrong | None:
    """A column gone, added or of another type, or a row without a value, twice or elsewhere."""
    frame = pl.read_parquet(content)
    if not frame.height:
        return None
    at, column = plan.place % frame.height, frame.columns[plan.field % frame.width]
    if plan.kind == "missing":
        frame = frame.drop(column)
    elif plan.kind == "unknown field":
        frame = frame.with_columns(frame[column].alias("a_field_nobody_has_heard_of"))
    elif plan.kind == "wrong type":
        frame = frame.with_columns(pl.lit("wrong").alias(column))
    elif plan.kind == "null":
        frame = frame.with_columns(pl.when(pl.int_range(frame.height) == at).then(None).otherwise(pl.col(column)).alias(column))
    elif plan.kind == "duplicated":
        frame = pl.concat([frame, frame[at : at + 1]])
    elif plan.kind == "reordered":
        frame = frame.sample(fraction=1.0, shuffle=True, seed=plan.value)
    else:
        number = {"huge": 1e38, "negative": -1e6, "NaN": float("nan")}[plan.kind]
        is_hit = pl.int_range(frame.height) == at
        if not frame.schema[column].is_float():
            return None
        frame = frame.with_columns(pl.when(is_hit).then(number).otherwise(pl.col(column)).alias(column))
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return Wrong(buffer.getvalue(), column)


def _csv(content: bytes, plan: Plan) -> bytes | None:
    """One cell of a row changed; quoted rows are left alone, they are covered by the byte faults."""
    lines = content.split(b"\n")
    rows = [i for i, line in enumerate(lines) if i and line.strip() and b'"' not in line]
    if not rows:
        return None
    at = rows[plan.place % len(rows)]
    if plan.kind == "duplicated":
        return b"\n".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])
    if plan.kind == "reordered":
        mixed = [lines[i] for i in rows]
        random.Random(plan.value).shuffle(mixed)
        for i, line in zip(rows, mixed, strict=True):
            lines[i] = line
        return b"\n".join(lines)
    cells = lines[at].split(b",")
    cell = plan.field % len(cells)
    if plan.kind == "missing":
        del cells[cell]
    elif plan.kind == "unknown field":
        cells.append(b"surprise")
    else:
        cells[cell] = {
            "null": b"", "wrong type": b"wrong", "huge": b"9" * 60, "negative": b"-" + cells[cell], "NaN": b"NaN",
        }[plan.kind]  # fmt: skip
    lines[at] = b",".join(cells)
    return b"\n".join(lines)
