"""AWS Data Exports from S3, FOCUS 1.0 or 1.2 and CUR 2.0: one billing month is what the month's top-level manifest names.

Other files below the prefix are older runs of the same month and are never read. What an export holds is told by its
columns. A month that has exports of both kinds is booked from one: AISL_AWS_BILL says which, and the other kind lands
the month empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable
from ingestion.files.billing import AWS_CUR, FOCUS, Layout, kind_of, read_file, together
from ingestion.files.folder import S3Folder, s3_options
from ingestion.files.tabular import header
from ingestion.lake import split_s3_url
from ingestion.records import Batch
from ingestion.source import SourceConfig
from ingestion.system import Connector, Fetch, Find, System
from ingestion.windows import Window, month_window

FOCUS_EXPORT = replace(FOCUS, dataset=BY_KEY["aws__focus_export"])
CUR_EXPORT = replace(AWS_CUR, dataset=BY_KEY["aws__cur_export"])
# AISL_AWS_BILL → what it books, with the kind its columns show.
_KINDS = {"focus": "files__focus", "cur": "files__aws_cur"}
# Directly below the period: manifests of single runs lie one level deeper.
_MANIFEST = re.compile(r"(?:^|.*/)([^/]+)/metadata/billing_period=(\d{4})-(\d{2})/[^/]*manifest\.json$", re.IGNORECASE)
# Version of a month that the other kind of export books.
_ELSEWHERE = "booked from the other export"


class ExportManifest(msgspec.Struct):
    """What is required of a manifest: the files of the newest run. `columns`, where it is told, has no fixed form."""

    dataFiles: list[str]
    columns: msgspec.Raw = msgspec.Raw(b"[]")


_DECODER = msgspec.json.Decoder(ExportManifest)


@dataclass(frozen=True)
class Month:
    """A billing month of one export, by its top manifest."""

    key: str
    export: str
    kind: str
    window: Window


def find_months(config: SourceConfig, folder: S3Folder) -> dict[str, dict[str, Month]]:
    """Every month that has been delivered: window key → kind of export (`focus`, `cur`) → its month.

    Raises ContractBroken when several exports of one kind below the prefix carry the same month.
    """
    chosen = {name.lower() for name in config.entries("export")}
    manifests: dict[str, list[tuple[str, Window]]] = {}
    for item in folder.files():
        match = _MANIFEST.match(item.name)
        if match and (not chosen or match.group(1).lower() in chosen):
            window = month_window(date(int(match.group(2)), int(match.group(3)), 1), item.name, item.version)
            manifests.setdefault(item.name.split("/metadata/")[0], []).append((match.group(1), window))
    found: dict[str, dict[str, Month]] = {}
    for months in manifests.values():
        kind = _kind_of_export(folder, sorted((window for _, window in months), reverse=True))
        for export, window in months:
            others = found.setdefault(window.key, {})
            if kind in others:
                raise ContractBroken(
                    tried=f"aws: find the {kind} export of {window.key}",
                    found=f"two exports, {others[kind].export} and {export}; adding both would double the month",
                    to_do="set AISL_AWS_EXPORT to the one to read",
                )
            others[kind] = Month(window.key, export, kind, window)
    return found


def finder(kind: str) -> Find:
    """Finds those of the asked months that an export of this kind has, with the manifest's ETag as version.

    A month that the other kind books is found too, as one without content: what had landed of it must go. Months that
    are not asked again stay with the export they were booked from. Raises ContractBroken for a month of both kinds
    while AISL_AWS_BILL says neither.
    """

    def find(config: SourceConfig, asked: Sequence[Window]) -> list[Window]:
        booked = config.option("bill").lower()
        if booked and booked not in _KINDS:
            raise RequestRejected(
                tried="aws: choose the export to book", found="another word", to_do="set AISL_AWS_BILL to focus or cur"
            )
        wanted = {window.key for window in asked}
        windows = []
        for key, months in sorted(find_months(config, _folder(config)).items()):
            if kind not in months or key not in wanted:
                continue
            if len(months) > 1 and not booked:
                names = " and ".join(sorted(month.export for month in months.values()))
                raise ContractBroken(
                    tried=f"aws: find the export of {key}",
                    found=f"a FOCUS export and a CUR export, {names}; adding both would double the month",
                    to_do="set AISL_AWS_BILL to focus or cur, or AISL_AWS_EXPORT to the one to read",
                )
            window = months[kind].window
            is_elsewhere = len(months) > 1 and booked != kind
            windows.append(replace(window, locator=None, version=_ELSEWHERE) if is_elsewhere else window)
        return windows

    return find


def fetcher(layout: Layout) -> Fetch:
    """Every data file of each month's manifest, native text. Control total: the sum of the cost column."""
    dataset = layout.dataset

    def fetch(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
        folder = _folder(config)
        for window in windows:
            if window.locator is None:
                yield window, together(dataset, [])
                continue
            export = window.locator.split("/metadata/")[0].rpartition("/")[2]
            context = f"{dataset.key} {window.key}: manifest of {export}"
            keys = _data_files(folder, window, context)
            batches = [_read(layout, key, folder.read_key(key), export, config) for key in keys]
            if _data_files(folder, window, context) != keys:
                raise SourceUnavailable(
                    tried=f"{dataset.key} {window.key}: read {len(keys)} data files",
                    found="the export was replaced while it was read",
                    to_do="run again in some minutes",
                )
            yield window, together(dataset, batches)

    return fetch


def _read(layout: Layout, key: str, content: bytes, export: str, config: SourceConfig) -> Batch:
    if layout is CUR_EXPORT and config.option("iam_principal").lower() == "required":
        names = header(key, content, lambda: content)
        if not any(re.sub("[^a-z]", "", name.lower()) == "lineitemiamprincipal" for name in names):
            raise ContractBroken(
                tried=f"{layout.dataset.key}: read {key.rpartition('/')[2]} of {export}",
                found="no column line_item_iam_principal; who used Bedrock would be lost",
                to_do="set INCLUDE_IAM_PRINCIPAL_DATA of the export to TRUE, or unset AISL_AWS_IAM_PRINCIPAL",
            )
    return read_file(layout, key, content, export)


def _folder(config: SourceConfig) -> S3Folder:
    return S3Folder(config.option("bucket"), config.option("prefix"), s3_options(config))


def _manifest(folder: S3Folder, window: Window, context: str) -> ExportManifest:
    try:
        return _DECODER.decode(folder.read(window.locator or ""))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _broken(context, f"no manifest with dataFiles ({error})") from None


def _data_files(folder: S3Folder, window: Window, context: str) -> list[str]:
    keys = []
    for url in _manifest(folder, window, context).dataFiles:
        bucket, key = split_s3_url(url)
        if not url.startswith("s3://") or bucket != folder.bucket:
            raise _broken(context, "a data file outside the export's bucket")
        keys.append(key)
    if len(set(keys)) != len(keys):
        raise _broken(context, "a data file named twice")
    return keys


def _kind_of_export(folder: S3Folder, months: Sequence[Window]) -> str:
    """`focus` or `cur`: by the columns that a manifest names, else by those of its first file. Newest month first; a
    manifest that cannot be read must not take the other months with it, so it is left to its own month."""
    for window in months:
        try:
            manifest = _manifest(folder, window, f"aws {window.key}")
        except ContractBroken:
            continue
        told = msgspec.json.decode(manifest.columns)
        names = [c.get("name") if isinstance(c, dict) else c for c in told] if isinstance(told, list) else []
        kind = kind_of([name for name in names if isinstance(name, str)])
        if kind not in _KINDS.values() and manifest.dataFiles:
            key = split_s3_url(manifest.dataFiles[0])[1]
            content = folder.read_key(key)
            kind = kind_of(header(key, content, lambda content=content: content))
        for word, known in _KINDS.items():
            if kind == known:
                return word
    raise _broken(f"aws: manifest {months[0].locator}", "columns of neither a FOCUS export nor a Cost and Usage Report")


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(tried=context, found=found, to_do="check the export's settings; re-create it if they changed")


def _look(config: SourceConfig) -> tuple[str, str | None]:
    months = find_months(config, _folder(config))
    counts = [f"{n} {kind.upper()} months" for kind in _KINDS if (n := sum(kind in kinds for kinds in months.values()))]
    return ", ".join(counts) or "no export", max(months, default=None)


_CONNECT: tuple[tuple[Layout, str], ...] = ((FOCUS_EXPORT, "focus"), (CUR_EXPORT, "cur"))
SYSTEM = System(
    "aws",
    tuple(Connector(layout.dataset, fetcher(layout), finder(kind)) for layout, kind in _CONNECT),
    look=_look,
)
