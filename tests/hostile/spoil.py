"""Ways in which a payload can be wrong, as plans that hypothesis draws and `spoiled` carries out on bytes."""

from __future__ import annotations

import copy
import gzip
import json
import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

# What happens to one value of one record; the last five happen to the record or to the whole payload.
FIELD_KINDS = ("missing", "null", "wrong type", "huge", "negative", "NaN", "unknown field")
RECORD_KINDS = ("duplicated", "reordered")
PAYLOAD_KINDS = ("truncated", "wrong encoding")
KINDS = (*FIELD_KINDS, *RECORD_KINDS, *PAYLOAD_KINDS)
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


def spoiled(content: bytes, plan: Plan, name: str = "") -> bytes | None:
    """The payload with the plan's fault in it, or None where it has no place for it."""
    if content[:2] == b"\x1f\x8b":
        inner = spoiled(gzip.decompress(content), plan, name.removesuffix(".gz"))
        return None if inner is None else gzip.compress(inner, mtime=0)
    if plan.kind == "truncated":
        return content[: plan.place % len(content)] if len(content) > 1 else None
    if plan.kind == "wrong encoding":
        at = plan.place % (len(content) + 1)
        return content[:at] + b"\xff\xfe\xfa" + content[at:]
    if content.lstrip()[:1] not in (b"{", b"["):
        return None if content[:4] == b"PAR1" else _csv(content, plan)
    try:
        return _json(json.loads(content), plan)
    except json.JSONDecodeError:
        lines = content.splitlines(keepends=True)
        at = plan.place % len(lines)
        if plan.kind in RECORD_KINDS:
            lines = _moved(lines, at, plan)
            return b"".join(lines)
        try:
            line = _json([json.loads(lines[at])], plan)
        except json.JSONDecodeError:
            return None
        return None if line is None else b"".join([*lines[:at], line[1:-1] + b"\n", *lines[at + 1 :]])


def _json(document: Any, plan: Plan) -> bytes | None:
    document = copy.deepcopy(document)
    places: list[tuple[list[Any], int]] = []
    _records(document, places)
    if not places:
        return None
    array, at = places[plan.place % len(places)]
    if plan.kind in RECORD_KINDS:
        array[:] = _moved(array, at, plan)
    else:
        record = array[at]
        fields = _fields(record)
        if not fields:
            return None
        holder, key = fields[plan.field % len(fields)]
        _change(holder, key, plan)
    return json.dumps(document).replace(json.dumps(_NAN), "NaN").encode()


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
