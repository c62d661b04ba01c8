"""Portkey: the request log through export jobs: create, start, wait, download JSON lines.

Requests and responses are not asked for. Of metadata only allow-listed keys are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from ingestion import jobs
from ingestion.buckets import by_update_day
from ingestion.catalog import BY_KEY
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.gateways.labels import kept, pairs, plain_name
from ingestion.records import (
    Batch,
    Count,
    Intake,
    Integer,
    Reader,
    Refused,
    Row,
    Text,
    amount,
    digest,
    exact_sum,
    instant,
    usd,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.portkey.ai/v1"
ROWS_PER_EXPORT = 50_000
EXPORT_CEILING = 1_000
UNITS = ("cents", "usd")
ASKED_FOR = (
    "id", "trace_id", "created_at", "is_success", "ai_org", "ai_model", "req_units", "res_units", "total_units", "cost",
    "cost_currency", "response_time", "response_status_code", "mode", "config", "prompt_slug", "metadata",
)  # fmt: skip
DONE = frozenset({"success", "completed", "complete"})
WAITING = frozenset({"draft", "pending", "queued", "in_progress", "running", "started"})
# A duration, at most a week: a longer one is in another unit.
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=7 * 86_400_000)]
_SPOKEN_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2}) GMT\+0000\b.*")


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of an API key."""
    return {"x-portkey-api-key": config.secret("API_KEY")}


class Created(msgspec.Struct):
    """An export that was created; `total` counts its records where the vendor knows it already."""

    id: Text
    total: Count | None = None


class Export(msgspec.Struct):
    """State of an export."""

    status: Text


class Download(msgspec.Struct):
    """Where the file lies, for a short time."""

    signed_url: Text


class Log(msgspec.Struct):
    """One request."""

    id: Text
    created_at: Text
    trace_id: Text | None = None
    is_success: bool | int | str | None = None
    ai_org: Text | None = None
    ai_model: Text | None = None
    req_units: Count | None = None
    res_units: Count | None = None
    total_units: Count | None = None
    cost: Decimal | None = None
    cost_currency: Text | None = None
    response_time: Milliseconds | None = None
    response_status_code: Integer | None = None
    mode: Text | None = None
    config: Any = None
    prompt_slug: Text | None = None
    metadata: Any = None


LOGS = BY_KEY["portkey__logs"]


def fetch_logs(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Requests of consecutive days, by the UTC day they were made. Control total in the unit of the setting COST_UNIT."""
    unit = config.option("cost_unit", "cents").lower()
    if unit not in UNITS:
        raise RequestRejected(
            tried=f"{LOGS.key}: read the settings",
            found="AISL_PORTKEY_COST_UNIT is no unit that is known",
            to_do="set it to " + " or ".join(UNITS),
        )
    context = f"{LOGS.key} {windows[0].key}..{windows[-1].key}"
    intake = Intake(Reader(Log))
    dated: list[tuple[datetime, Row]] = []
    seen: set[str] = set()
    for page in range(EXPORT_CEILING):
        content, promised = _export(client, config, windows, page, context)
        dated += intake.accept(intake.read_lines(content), _row, windows, unit)
        lines = sum(1 for line in content.splitlines() if line.strip())
        if promised is not None and lines < min(promised, ROWS_PER_EXPORT):
            raise _broken(context, f"{lines} records where the vendor promised {promised}")
        if lines < ROWS_PER_EXPORT:
            break
        if digest(content) in seen:
            raise _broken(context, "an export that repeats one before")
        seen.add(digest(content))
    else:
        raise _broken(context, f"more than {EXPORT_CEILING} exports and no end")
    for window, batch in by_update_day(LOGS, windows, dated, intake.rejects, intake.pages):
        batch.control_total, batch.control_unit = exact_sum(batch.records.get_column("cost")), unit
        yield window, batch


def _export(
    client: Client, config: SourceConfig, windows: Sequence[Window], page: int, context: str
) -> tuple[bytes, int | None]:
    """The JSON lines of one page of the days, and how many records the vendor promised."""
    body: dict[str, Any] = {
        "filters": {
            "time_of_generation_min": f"{windows[0].start:%Y-%m-%dT%H:%M:%SZ}",
            "time_of_generation_max": f"{windows[-1].end:%Y-%m-%dT%H:%M:%SZ}",
            "page_size": ROWS_PER_EXPORT,
            "current_page": page,
        },
        "requested_data": list(ASKED_FOR),
        "description": f"AI spend ledger {windows[0].key} to {windows[-1].key}",
    }
    if config.option("workspace_id"):
        body["workspace_id"] = config.option("workspace_id")
    created = jobs.said(client.send(Call("/logs/exports", body=body, method="POST"), context), Created, context)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", created.id):
        raise _broken(context, "an export without a plain id")
    path = f"/logs/exports/{created.id}"
    client.send(Call(f"{path}/start", body={}, method="POST"), context)
    jobs.wait_for(
        client, lambda: jobs.said(client.send(Call(path), context), Export, context).status, context, done=DONE, waiting=WAITING
    )
    where = jobs.said(client.send(Call(f"{path}/download"), context), Download, context)
    return jobs.download(client, where.signed_url, context), created.total


def _row(r: Log, windows: Sequence[Window], unit: str) -> tuple[datetime, Row]:
    created = _moment(r.created_at)
    # Whether the end of the filter is inclusive is not said: a request at that instant belongs to the next window.
    if not windows[0].start <= created <= windows[-1].end:
        raise Refused("outside_window", "created_at")
    labels = r.metadata if isinstance(r.metadata, dict) else {}
    return created, (
        r.id,
        plain_name(r.trace_id),
        r.ai_org,
        r.ai_model,
        r.mode,
        plain_name(r.config),
        plain_name(r.prompt_slug),
        plain_name(labels.get("_user")),
        created,
        created + timedelta(milliseconds=r.response_time) if r.response_time is not None else None,
        r.response_status_code,
        r.req_units,
        r.res_units,
        r.total_units,
        _truth(r.is_success),
        amount(r.cost, "cost"),
        unit,
        usd(r.cost_currency, "cost_currency") if r.cost_currency else None,
        *kept(pairs({key: value for key, value in labels.items() if key != "_user"})),
    )


def _moment(text: str) -> datetime:
    """An ISO instant, or one as a browser writes it."""
    spoken = _SPOKEN_TIME.fullmatch(text)
    try:
        iso = f"{datetime.strptime(spoken[1], '%b %d %Y %H:%M:%S').isoformat()}+00:00" if spoken else text
    except ValueError:
        iso = ""
    found = instant(iso, "created_at")
    if found is None:
        raise Refused("unreadable_time", "created_at")
    return found


def _truth(value: bool | int | str | None) -> bool | None:
    return value.lower() in ("true", "1") if isinstance(value, str) else None if value is None else bool(value)


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=f"{context}: export the log",
        found=found,
        to_do="run again; if it stays, compare the export with the vendor's documentation",
    )


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    workspace = config.option("workspace_id")
    return Call("/logs/exports", (("workspace_id", workspace),) if workspace else ())


SYSTEM = System("portkey", (Connector(LOGS, fetch_logs),), Http(BASE_URL, _question, headers))
