"""Azure Cost Management exports: one month is what the newest manifest of an export says of it, and nothing else.

Paths are never read: Microsoft writes their order both ways. A manifest arrives after the files of its run, so a run
without one is still being written.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken, SourceUnavailable
from ingestion.files.billing import AZURE_COST, FOCUS, Layout, read_file, together
from ingestion.files.folder import Folder, open_folder
from ingestion.records import Batch, Refused, digest, instant
from ingestion.source import SourceConfig
from ingestion.system import Connector, Find, System
from ingestion.windows import Window, month_window

FOCUS_COST = replace(FOCUS, dataset=BY_KEY["azure__focus_cost"])
COST_DETAILS = replace(AZURE_COST, dataset=BY_KEY["azure__cost_details"])
# Type of export (lower case) → the view of cost that its rows are, None where both are in one row.
_FOCUS_TYPES: dict[str, str | None] = {"focuscost": None}
_DETAIL_TYPES: dict[str, str | None] = {"actualcost": "actual", "amortizedcost": "amortized"}


class Blob(msgspec.Struct):
    """One file of a run; `blobName` is its path in the container. Counts come with newer API versions only."""

    blobName: str
    byteCount: int | None = None
    dataRowCount: int | None = None


class ExportConfig(msgspec.Struct):
    """Which export ran. `resourceId` tells two scopes apart that use one name."""

    exportName: str
    type: str
    resourceId: str | None = None


class RunInfo(msgspec.Struct):
    """When the run was asked for, and the first day of what it holds."""

    submittedTime: str
    startDate: str


class Manifest(msgspec.Struct):
    """What is required of a manifest.json; its other fields change with API versions."""

    exportConfig: ExportConfig
    runInfo: RunInfo
    blobs: list[Blob] | None = None
    blobCount: int | None = None


_DECODER = msgspec.json.Decoder(Manifest)


@dataclass(frozen=True)
class Run:
    """A run as its manifest tells it. `export`: identity over names and scopes; `version`: of the manifest's content."""

    path: str
    version: str
    export: str
    name: str
    kind: str
    month: date
    submitted: datetime
    blobs: tuple[Blob, ...]


def newest_runs(config: SourceConfig, folder: Folder, types: Iterable[str]) -> list[Run]:
    """Per export and month the run submitted last. One without files never replaces one that has some.

    Raises ContractBroken for a manifest that cannot be read, and when two exports of one type carry the same month and
    the option `exports` names neither: adding both would double it.
    """
    chosen = {name.lower() for name in config.entries("exports")}
    found: dict[tuple[str, str, date], Run] = {}
    for item in folder.files():
        if posixpath.basename(item.name).lower() != "manifest.json":
            continue
        run = _run(item.name, item.version, folder.read(item.name))
        if run.kind not in types or (chosen and run.name not in chosen):
            continue
        key = (run.kind, run.export, run.month)
        if key not in found or _rank(run) > _rank(found[key]):
            found[key] = run
    runs = sorted(found.values(), key=lambda run: (run.month, run.kind, run.export))
    if not chosen:
        for run, following in itertools.pairwise(runs):
            if (run.month, run.kind) == (following.month, following.kind):
                raise ContractBroken(
                    tried=f"azure: find the exports of {run.month:%Y-%m}",
                    found=f"two exports of type {run.kind}, {run.name} and {following.name}; adding both may double the month",
                    to_do="set AISL_AZURE_EXPORTS to those to read; name several only when their scopes do not overlap",
                )
    return runs


def finder(types: dict[str, str | None]) -> Find:
    """Finds those of the asked months that have a run, with the versions of the manifests as version."""

    def find(config: SourceConfig, asked: Sequence[Window]) -> list[Window]:
        wanted = {window.key for window in asked}
        months: dict[date, list[Run]] = {}
        for run in newest_runs(config, open_folder(config), types):
            months.setdefault(run.month, []).append(run)
        windows = [
            month_window(month, "\n".join(r.path for r in runs), digest("\n".join(f"{r.path} {r.version}" for r in runs)))
            for month, runs in months.items()
        ]
        return [window for window in windows if window.key in wanted]

    return find


def fetcher(
    layout: Layout, types: dict[str, str | None]
) -> Callable[[Client, SourceConfig, Sequence[Window]], Iterator[tuple[Window, Batch]]]:
    """Reads every file of each month's runs, native text. Control total: the sum of the cost column over all views."""

    def fetch(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
        folder = open_folder(config)
        names = {item.name for item in folder.files()}
        for window in windows:
            batches = [
                batch
                for path in (window.locator or "").split("\n")
                for batch in _read_run(layout, folder, names, _run(path, "", folder.read(path)), types)
            ]
            yield window, together(layout.dataset, batches)

    return fetch


def _read_run(
    layout: Layout, folder: Folder, names: set[str], run: Run, types: dict[str, str | None]
) -> Iterator[Batch]:
    context = f"{layout.dataset.key} {run.month:%Y-%m}: run {run.path}"
    for blob in run.blobs:
        # The manifest lies beside its files, wherever in the container the copy begins.
        beside = posixpath.join(posixpath.dirname(run.path), posixpath.basename(blob.blobName))
        name = blob.blobName if blob.blobName in names else beside
        content = folder.read(name) if name in names else None
        if content is None or blob.byteCount not in (None, len(content)):
            raise SourceUnavailable(
                tried=f"{context}: read {posixpath.basename(name)}",
                found="no such file" if content is None else f"{len(content)} bytes where the manifest says {blob.byteCount}",
                to_do="run again when the container has been copied whole",
            )
        batch = read_file(layout, name, content, run.name, types[run.kind])
        rows = batch.records.height + len(batch.rejects)
        if blob.dataRowCount not in (None, rows):
            raise _broken(context, f"{rows} rows in {posixpath.basename(name)} where the manifest says {blob.dataRowCount}")
        yield batch
    if _run(run.path, "", folder.read(run.path)).blobs != run.blobs:
        raise SourceUnavailable(
            tried=f"{context}: read {len(run.blobs)} files",
            found="the run was replaced while it was read",
            to_do="run again in some minutes",
        )


def _run(path: str, version: str, content: bytes) -> Run:
    context = f"azure: read {path}"
    try:
        manifest = _DECODER.decode(content)
        submitted = instant(manifest.runInfo.submittedTime, "submittedTime")
        start = instant(manifest.runInfo.startDate, "startDate")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(context, f"no manifest of an export ({error})") from None
    except Refused as refused:
        raise _broken(context, f"no readable {refused.field}") from None
    if submitted is None or start is None:
        raise _broken(context, "no submittedTime or startDate")
    blobs = tuple(manifest.blobs or ())
    if manifest.blobCount not in (None, len(blobs)):
        raise _broken(context, f"{len(blobs)} files named where blobCount says {manifest.blobCount}")
    if len({blob.blobName for blob in blobs}) != len(blobs):
        raise _broken(context, "a file named twice")
    export = manifest.exportConfig
    name = export.exportName.lower()
    return Run(
        path, version, (export.resourceId or name).lower(), name, export.type.lower(),
        start.date().replace(day=1), submitted, blobs,
    )  # fmt: skip


def _rank(run: Run) -> tuple[bool, datetime, str]:
    return bool(run.blobs), run.submitted, run.path


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(tried=context, found=found, to_do="run the export again; re-create it if its settings changed")


def _look(config: SourceConfig) -> tuple[str, str | None]:
    runs = newest_runs(config, open_folder(config), {**_FOCUS_TYPES, **_DETAIL_TYPES})
    newest = max((run.submitted for run in runs), default=None)
    freshness = newest.isoformat() if newest else None
    return f"{len(runs)} months of {len({run.export for run in runs})} exports", freshness


SYSTEM = System(
    "azure",
    (
        Connector(FOCUS_COST.dataset, fetcher(FOCUS_COST, _FOCUS_TYPES), finder(_FOCUS_TYPES)),
        Connector(COST_DETAILS.dataset, fetcher(COST_DETAILS, _DETAIL_TYPES), finder(_DETAIL_TYPES)),
    ),
    look=_look,
)
