"""What a connector module tells about its system: how to reach it, how to ask whether it answers, how to fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion.catalog import Dataset
from ingestion.client import Call, Client
from ingestion.records import Batch
from ingestion.source import SourceConfig
from ingestion.windows import Window

Fetch = Callable[[Client, SourceConfig, Sequence[Window]], Iterator[tuple[Window, Batch]]]
# Finds what there is to read: all windows of a folder, or those of the wanted windows that have been delivered.
Find = Callable[[SourceConfig, Sequence[Window]], list[Window]]


@dataclass(frozen=True)
class Connector:
    """How one dataset is fetched. `find` is set where the source itself says which windows it has (files, exports)."""

    dataset: Dataset
    fetch: Fetch
    find: Find | None = None


@dataclass(frozen=True)
class Http:
    """How a vendor is spoken to. `question`: the smallest call that needs the same permission as the real ones, given
    the start of yesterday. `base_url` is None where every company has an address of its own. `requests_per_minute`: the
    vendor's limit where it is tight; the option of that name may say otherwise."""

    base_url: str | None
    question: Callable[[SourceConfig, datetime], Call]
    headers: Callable[[SourceConfig], Mapping[str, str]] = lambda _: {}
    auth: Callable[[SourceConfig], tuple[str, str]] | None = None
    requests_per_minute: str = ""


@dataclass(frozen=True)
class System:
    """A source of the catalog with its connectors. Without `http` it is files; `look` then says what lies there: a
    detail and how fresh it is."""

    source: str
    connectors: tuple[Connector, ...]
    http: Http | None = None
    look: Callable[[SourceConfig], tuple[str, str | None]] | None = None
