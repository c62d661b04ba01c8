"""Amazon Bedrock model invocation logs: gzipped JSON lines in S3, one folder an hour, account and region.

What was said to a model and what it answered is in the same lines; it is never decoded.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.files.folder import Dropped, S3Folder, gunzip, s3_options
from ingestion.gateways.labels import kept, pairs, plain_name
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import DAY, Window, months

_LOGS = "BedrockModelInvocationLogs"
# Bodies too long for a line lie in a folder `data` beside; permission checks are not below an hour.
_OBJECT = re.compile(r"/(20\d\d)/(0[1-9]|1[0-2])/(0[1-9]|[12]\d|3[01])/([01]\d|2[0-3])/[^/]+\.json\.gz$")
_ROLE = re.compile(r"^arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/(.+)$")


class Input(msgspec.Struct):
    """Tokens that went in; cached ones are beside the plain ones."""

    inputTokenCount: Count | None = None
    cacheReadInputTokenCount: Count | None = None
    cacheWriteInputTokenCount: Count | None = None


class Output(msgspec.Struct):
    """Tokens that came out."""

    outputTokenCount: Count | None = None


class Identity(msgspec.Struct):
    """Who called."""

    arn: Text | None = None


class Invocation(msgspec.Struct):
    """One call of a model."""

    timestamp: Text
    requestId: Text
    accountId: Text
    region: Text
    modelId: Text
    schemaType: Text | None = None
    operation: Text | None = None
    inferenceRegion: Text | None = None
    identity: Identity | None = None
    requestMetadata: dict[str, Any] | None = None
    input: Input | None = None
    output: Output | None = None
    errorCode: Text | None = None


INVOCATIONS = BY_KEY["bedrock_logs__invocations"]
_NO_INPUT, _NO_OUTPUT = Input(), Output()


def find_days(config: SourceConfig, asked: Sequence[Window]) -> list[Window]:
    """Every asked day, with a digest of its objects as version: a day that nothing was added to is not read again.

    A day without objects is a day without calls, because the log is written all the time.
    """
    objects = _objects(_folder(config), asked)
    return [replace(window, version=_version(objects[window.day])) for window in asked]


def fetch_invocations(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Invocations by the UTC day of their timestamp, of every account and region that logs into the bucket."""
    folder = _folder(config)
    profiles = _profiles(config)
    objects = _objects(folder, windows)
    reader = Reader(Invocation)
    for window in windows:
        intake = Intake(reader)
        rows: list[Row] = []
        for item in objects[window.day]:
            good = intake.read_lines(_unpacked(item.name, folder.read(item.name)))
            found = intake.accept(good, _row, window, _hour(item.name), profiles)
            rows += [row for row in found if row is not None]
        yield window, Batch(table(INVOCATIONS, rows), intake.rejects, pages=intake.pages)


def _row(r: Invocation, window: Window, hour: datetime, profiles: Mapping[str, str]) -> Row | None:
    """The invocation as it lands; None for one in a first hour that is landed with the other day that reads that hour."""
    invoked = instant(r.timestamp, "timestamp")
    if invoked is None:
        raise Refused("unreadable_time", "timestamp")
    if not window.start <= invoked < window.end:
        if hour.hour == 0 and hour - DAY <= invoked < hour + DAY:
            return None
        raise Refused("outside_window", "timestamp")
    arn = r.identity.arn if r.identity else None
    role = _ROLE.match(arn or "")
    given, out = r.input or _NO_INPUT, r.output or _NO_OUTPUT
    name = r.modelId.rpartition("/")[2]
    is_profile = ":application-inference-profile/" in r.modelId
    return (
        r.requestId,
        r.accountId,
        r.region,
        r.inferenceRegion,
        r.operation,
        r.modelId,
        profiles.get(name) or profiles.get(r.modelId) if is_profile else name,
        arn,
        f"arn:{role[1]}:iam::{role[2]}:role/{role[3]}" if role else arn,
        plain_name(role[4]) if role else None,
        r.errorCode,
        invoked,
        given.inputTokenCount,
        given.cacheReadInputTokenCount,
        given.cacheWriteInputTokenCount,
        out.outputTokenCount,
        *kept(pairs(r.requestMetadata)),
    )


def _folder(config: SourceConfig) -> S3Folder:
    return S3Folder(config.option("bucket"), config.option("prefix"), s3_options(config)).below("AWSLogs")


def _objects(folder: S3Folder, windows: Sequence[Window]) -> dict[date, list[Dropped]]:
    """Log objects by day, with those of the first hour of the day after. Listed by month: a backfill asks for many days."""
    found: dict[date, list[Dropped]] = {window.day: [] for window in windows}
    if not windows:
        return found
    asked = list(months(windows[0].day, windows[-1].day + DAY))
    for account in folder.folders():
        for region in folder.below(f"{account}/{_LOGS}").folders():
            for month in asked:
                path = f"{account}/{_LOGS}/{region}/{month:%Y/%m}"
                for item in folder.below(path).files():
                    name = f"{path}/{item.name}"
                    if "/data/" in name or not _OBJECT.search(name):
                        continue
                    hour = _hour(name)
                    for day in {hour.date(), (hour - timedelta(hours=1)).date()}:
                        if day in found:
                            found[day].append(Dropped(name, item.version))
    return found


def _hour(name: str) -> datetime:
    """Start of the hour whose folder an object lies in."""
    match = _OBJECT.search(name)
    assert match is not None
    year, month, day, hour = (int(part) for part in match.groups())
    return datetime(year, month, day, hour, tzinfo=UTC)


def _version(objects: Sequence[Dropped]) -> str:
    return hashlib.sha256("\n".join(sorted(f"{o.name} {o.version}" for o in objects)).encode()).hexdigest()[:32]


def _unpacked(name: str, content: bytes) -> bytes:
    try:
        return gunzip(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ContractBroken(
            tried=f"{INVOCATIONS.key}: read {name}",
            found=f"no whole gzip file ({type(error).__name__})",
            to_do="run again; if it stays, restore the object or remove it from the bucket",
        ) from None


def _profiles(config: SourceConfig) -> dict[str, str]:
    """Model by id of an application inference profile."""
    found: dict[str, str] = {}
    for entry in config.entries("profiles"):
        profile, separator, model = entry.partition("=")
        if not separator or not profile.strip() or not model.strip():
            raise RequestRejected(
                tried=f"{INVOCATIONS.key}: read the settings",
                found="an entry of AISL_BEDROCK_LOGS_PROFILES that is not `<profile id>=<model id>`",
                to_do="correct it",
            )
        found[profile.strip()] = model.strip()
    return found


def _look(config: SourceConfig) -> tuple[str, str | None]:
    folder = _folder(config)
    places = [f"{a} {r}" for a in folder.folders() for r in folder.below(f"{a}/{_LOGS}").folders()]
    return f"{len(places)} accounts and regions that log", None


SYSTEM = System("bedrock_logs", (Connector(INVOCATIONS, fetch_invocations, find_days),), look=_look)
