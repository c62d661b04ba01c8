"""OTLP as the collector's file exporter writes it: one JSON document, or one per line, plain or gzipped.

Only what is declared here is decoded: events, links, bodies and contents are passed over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from ingestion.errors import ContractBroken
from ingestion.files.folder import gunzip, open_folder
from ingestion.records import Refused
from ingestion.source import SourceConfig
from ingestion.windows import Window, file_window

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Nanoseconds since 1970 have 18 digits or more from 2001 on; fewer are another unit.
_LEAST_NANOSECONDS = 10**18
_MOST_NANOSECONDS = 5 * 10**18

_SIGNALS = (b'"resourceSpans"', b'"resourceMetrics"', b'"resourceLogs"')

Attributes = Mapping[str, str | int | float | bool | Decimal]


class AnyValue(msgspec.Struct):
    """A scalar attribute; arrays and maps are not read."""

    stringValue: str | None = None
    intValue: int | str | None = None
    doubleValue: Decimal | None = None
    boolValue: bool | None = None


class KeyValue(msgspec.Struct):
    """One attribute."""

    key: str
    value: AnyValue | None = None


class Resource(msgspec.Struct):
    """What emitted the telemetry."""

    attributes: list[KeyValue] = []


class Scope(msgspec.Struct):
    """The instrumentation that emitted it."""

    name: str = ""


E = TypeVar("E")


def documents(name: str, content: bytes, kind: type[E]) -> Iterator[E]:
    """Every OTLP document of a file. Raises ContractBroken when a part of it is none."""
    if name.lower().endswith(".gz"):
        try:
            content = gunzip(content)
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(name, type(error).__name__) from None
    decoder = msgspec.json.Decoder(kind)
    try:
        document = decoder.decode(content)
        _names_a_signal(name, content, "the document")
        yield document
        return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if b"\n" not in content.strip():
            raise unreadable(name, type(error).__name__) from None
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                document = decoder.decode(line)
                _names_a_signal(name, line, f"line {number}")
                yield document
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise unreadable(name, f"line {number}: {type(error).__name__}") from None


def _names_a_signal(name: str, document: bytes, place: str) -> None:
    """Empty lists may be left out of OTLP, but a document about nothing is another format, or has lost its content."""
    if not any(signal in document for signal in _SIGNALS):
        raise unreadable(name, f"{place}: neither spans nor metrics nor logs")


def unreadable(name: str, found: str) -> ContractBroken:
    """A dropped file that is no telemetry."""
    return ContractBroken(
        tried=f"read {name}", found=f"no readable OTLP document ({found})", to_do="deliver the file again, whole and in UTF-8"
    )


def find_files(config: SourceConfig, suffixes: tuple[str, ...] = JSON_SUFFIXES) -> list[Window]:
    """One window per dropped file of these suffixes."""
    dropped = open_folder(config).files()
    return [file_window(f.name, f.version) for f in dropped if f.name.lower().endswith(suffixes)]


def flat(attributes: list[KeyValue]) -> dict[str, str | int | float | bool | Decimal]:
    """Attributes by key; 64-bit integers, which OTLP writes as text, as numbers. The first of a repeated key counts."""
    found: dict[str, str | int | float | bool | Decimal] = {}
    for pair in attributes:
        value = pair.value
        if value is None or pair.key in found:
            continue
        if value.intValue is not None:
            found[pair.key] = _integer(value.intValue, pair.key)
        elif value.stringValue is not None:
            found[pair.key] = value.stringValue
        elif value.doubleValue is not None:
            found[pair.key] = value.doubleValue
        elif value.boolValue is not None:
            found[pair.key] = value.boolValue
    return found


def nanoseconds(value: int | str | None, field: str) -> datetime | None:
    """An OTLP instant, cut to microseconds. Refuses what cannot be nanoseconds since 1970."""
    if value is None or value in ("", "0", 0):
        return None
    number = _integer(value, field)
    if not _LEAST_NANOSECONDS <= number <= _MOST_NANOSECONDS:
        raise Refused("unreadable_time", field, "not in nanoseconds since 1970")
    return _EPOCH + timedelta(microseconds=number // 1000)


def count(attributes: Attributes, *names: str) -> int | None:
    """A token count under the first of the names that is there. Refuses what is no whole number from 0."""
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            value = _integer(value, name)
        if isinstance(value, (float, Decimal)) and value == value // 1:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**15:
            raise Refused("wrong_type", name, "expected a whole number from 0")
        return value
    return None


def decimal(attributes: Attributes, name: str) -> Decimal | None:
    """A number under a name, digit for digit, also when it is written as text."""
    value = attributes.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Refused("not_a_number", name) from None
    if isinstance(value, bool) or not number.is_finite():
        raise Refused("not_a_number", name)
    return number


def word(attributes: Attributes, *names: str) -> str | None:
    """A text under the first of the names that has one."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            if len(value) > 1000:
                raise Refused("out_of_range", name, "longer than 1,000 characters")
            return value
    return None


# Where the conventions put what a label says under a name of its own.
_LABEL_OF = {
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "team.id": "team",
    "team.name": "team",
    "vcs.repository.name": "repo",
    "vcs.ref.head.name": "branch",
    "session.id": "session",
}


def labels(prefix: str, known: tuple[str, ...], *places: Attributes) -> list[tuple[str, Any]]:
    """(key, value) of the attributes that are labels: allow-listed keys after the prefix, and their conventional names."""
    found: list[tuple[str, Any]] = []
    for attributes in places:
        for key, value in attributes.items():
            bare = key[len(prefix) :] if prefix and key.startswith(prefix) else key
            label = _LABEL_OF.get(bare, bare)
            if label.lower().replace("-", "_") in known:
                found.append((label, value))
    return found


def _integer(value: int | str, field: str) -> int:
    if isinstance(value, int):
        return value
    digits = value[1:] if value.startswith("-") else value
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise Refused("wrong_type", field, "expected a whole number")
    return int(value)
