"""One cheap read-only question per configured source: reachable, allowed, how fresh. Never prints a secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from ingestion.client import Call, Client
from ingestion.connectors import make_client
from ingestion.errors import ContractBroken, IngestionError, RequestRejected, SourceUnavailable
from ingestion.files.folder import S3Folder, open_folder, s3_options
from ingestion.source import SourceConfig
from ingestion.trackers.github import repositories

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
    if config.source in ("files", "invoices"):
        found = open_folder(config).files()
        return f"{len(found)} files", None
    if config.source == "aws":
        folder = S3Folder(config.option("bucket"), config.option("prefix"), s3_options(config))
        manifests = [f.name for f in folder.files() if f.name.lower().endswith("manifest.json")]
        newest = max((name.rpartition("/")[0].rpartition("/")[2] for name in manifests), default=None)
        return f"{len(manifests)} export manifests", newest
    if config.source == "prices":
        return "comes with the pinned price package", None
    answer = client.send(_question(config, yesterday), f"doctor {config.source}")
    try:
        msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        raise ContractBroken(
            tried=f"doctor {config.source}: {answer.url}", found="an answer that is not JSON", to_do="check the base URL"
        ) from None
    return "answered", answer.headers.get("date")


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    """The smallest question that needs the same permission as the real ones."""
    if config.source == "anthropic":
        day = yesterday.date().isoformat(), (yesterday + timedelta(days=1)).date().isoformat()
        bounds = (("starting_at", f"{day[0]}T00:00:00Z"), ("ending_at", f"{day[1]}T00:00:00Z"))
        return Call("/v1/organizations/usage_report/messages", (*bounds, ("bucket_width", "1d"), ("limit", "1")))
    if config.source == "openai":
        start = str(int(yesterday.timestamp()))
        return Call("/organization/costs", (("start_time", start), ("bucket_width", "1d"), ("limit", "1")))
    if config.source == "litellm":
        bounds = (("start_date", f"{yesterday:%Y-%m-%d %H:%M:%S}"), ("end_date", f"{yesterday:%Y-%m-%d} 23:59:59"))
        return Call("/spend/logs/v2", (*bounds, ("page", "1"), ("page_size", "1")))
    if config.source == "github":
        return Call(f"/repos/{repositories(config)[0]}/pulls", (("state", "all"), ("per_page", "1")))
    return Call("/rest/api/3/project/search", (("maxResults", "1"),))
