"""A vendor of the sandbox behind the loopback server of these tests, and the account that points at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
import polars as pl
from fake_vendor import Asked, Reply, Vendor

from ingestion.catalog import SOURCES
from ingestion.connectors import make_client
from ingestion.lake import LocalLake
from ingestion.run import IngestReport, ingest
from ingestion.source import SourceConfig
from sandbox.build import Company
from sandbox.faults import Faults
from sandbox.vendors.base import Refusal, Request, World


def company(days: Sequence[dt.date]) -> Company:
    """A company of these days without gateway log and work: enough for vendors that draw their own usage."""
    nothing = pl.DataFrame()
    return Company(seed=1, scale=1.0, days=list(days), plan=None, log=nothing, usage=nothing, outside=nothing)  # type: ignore[arg-type]


def plug(vendor: Vendor, module: ModuleType, world: World, source: str) -> SourceConfig:
    """Let the loopback server answer as that vendor; gives the account as its environment says."""

    def reply(asked: Asked) -> Reply:
        vendor.asked.append(asked)
        body = b"" if asked.body is None else msgspec.json.encode(asked.body)
        query = parse_qs(urlencode(asked.params), keep_blank_values=True)
        try:
            answer = module.handle(world, Request(asked.method, asked.path, query, asked.headers, body, vendor.url))
        except Refusal as refused:
            answer = refused.answer
        return Reply(answer.encoded(), answer.status, answer.headers)

    vendor.reply = reply  # type: ignore[method-assign]
    prefix = f"AISL_{source.upper()}_"
    values = {name.removeprefix(prefix): value for name, value in module.environment(vendor.url).items()}
    base_url = values.pop("BASE_URL")
    secrets = {name: values.pop(name) for name in SOURCES[source].secrets}
    return SourceConfig(source, "main", base_url, secrets, {k.lower(): v for k, v in values.items()})


def land(key: str, config: SourceConfig, lake: LocalLake, world: World, start: dt.date) -> tuple[IngestReport, pl.DataFrame]:
    """Ingest what is due at the world's clock, without waiting between tries; the report and all landed rows."""
    client = make_client(config)
    client.sleep = lambda _: None
    with client:
        report = ingest(key, config, lake, start_date=start, as_of=world.clock, run_id="run", client=client)
    return report, rows(key, lake)


def rows(key: str, lake: LocalLake) -> pl.DataFrame:
    """All rows of a dataset's files, oldest window first."""
    source, name = key.split("__")
    files = sorted((lake.root / "raw" / source / name).glob("window=*/*.parquet"))
    return pl.concat([pl.read_parquet(f) for f in files]) if files else pl.DataFrame()


def world(days: Sequence[dt.date], clock: dt.datetime, *faults: dict[str, Any]) -> World:
    """The vendor's world at an instant with these faults on."""
    return World(company(days), clock, Faults(list(faults)))
