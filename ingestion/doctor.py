"""One cheap read-only question per configured source: reachable, allowed, how fresh. Never prints a secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from ingestion.client import Client
from ingestion.connectors import SYSTEMS, make_client
from ingestion.errors import ContractBroken, IngestionError, RequestRejected, SourceUnavailable
from ingestion.source import SourceConfig

State = Literal["off", "ok", "unreachable", "denied", "broken"]


@dataclass(frozen=True)
class Finding:
    """What the doctor saw at one account of one source, and what to do about it."""

    source: str
    account: str
    state: State
    detail: str
    freshness: str | None = None
    to_do: str | None = None


def check(config: SourceConfig, client: Client | None = None, *, now: datetime | None = None) -> Finding:
    """Asks the source one small question. `now` decides which day is yesterday; default: this instant."""
    missing = config.missing()
    if not config.enabled:
        return Finding(config.source, config.account, "off", "switched off")
    if missing:
        to_do = "set " + ", ".join(missing)
        return Finding(config.source, config.account, "off", "not configured", to_do=to_do)
    own_client = client or _patient(make_client(config))
    try:
        detail, freshness = _ask(config, own_client, now or datetime.now(UTC))
    except RequestRejected as error:
        return Finding(config.source, config.account, "denied", own_client.redact(error.found), to_do=error.to_do)
    except SourceUnavailable as error:
        return Finding(config.source, config.account, "unreachable", own_client.redact(error.found), to_do=error.to_do)
    except (ContractBroken, IngestionError) as error:
        return Finding(config.source, config.account, "broken", own_client.redact(error.found), to_do=error.to_do)
    finally:
        if client is None:
            own_client.close()
    return Finding(config.source, config.account, "ok", detail, freshness)


def _patient(client: Client) -> Client:
    """A client that gives up early: a person is waiting."""
    client.tries = 2
    client.read_timeout = 15.0
    return client


def _ask(config: SourceConfig, client: Client, now: datetime) -> tuple[str, str | None]:
    yesterday = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    system = SYSTEMS[config.source]
    if system.http is None:
        return system.look(config) if system.look else ("nothing to ask", None)
    answer = client.send(system.http.question(config, yesterday), f"doctor {config.source}")
    try:
        msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        raise ContractBroken(
            tried=f"doctor {config.source}: {answer.url}", found="an answer that is not JSON", to_do="check the base URL"
        ) from None
    return "answered", answer.headers.get("date")

