"""AWS Data Exports, FOCUS 1.0 or 1.2, from S3: one billing month is what the month's top-level manifest names.

Other files below the prefix are older runs of the same month and are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken, SourceUnavailable
from ingestion.files.billing import FOCUS, read_file
from ingestion.files.folder import S3Folder, s3_options
from ingestion.lake import split_s3_url
from ingestion.records import Batch, Reject, one_currency, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window, month_window

if TYPE_CHECKING:
    import polars as pl

FOCUS_EXPORT = BY_KEY["aws__focus_export"]
_LAYOUT = replace(FOCUS, dataset=FOCUS_EXPORT)
# Directly below the period: manifests of single runs lie one level deeper.
_MANIFEST = re.compile(r"(?:^|.*/)([^/]+)/metadata/billing_period=(\d{4})-(\d{2})/[^/]*manifest\.json$", re.IGNORECASE)


class ExportManifest(msgspec.Struct):
    """What is required of a manifest: the files of the newest run."""

    dataFiles: list[str]


_DECODER = msgspec.json.Decoder(ExportManifest)


def find_months(config: SourceConfig, asked: Sequence[Window]) -> list[Window]:
    """Those of the asked months that have a manifest, with its ETag as version. Months not there are not delivered.

    Raises ContractBroken when several exports below the prefix carry the same month.
    """
    wanted = {window.key for window in asked}
    chosen = config.option("export").lower()
    found: dict[str, tuple[str, Window]] = {}
    for item in _folder(config).files():
        match = _MANIFEST.match(item.name)
        if not match or (chosen and match.group(1).lower() != chosen):
            continue
        window = month_window(date(int(match.group(2)), int(match.group(3)), 1), item.name, item.version)
        if window.key not in wanted:
            continue
        if window.key in found:
            raise ContractBroken(
                tried=f"{FOCUS_EXPORT.key}: find the export of {window.key}",
                found=f"two exports, {found[window.key][0]} and {match.group(1)}; adding both would double the month",
                to_do="set AISL_AWS_EXPORT to the one to read",
            )
        found[window.key] = (match.group(1), window)
    return [found[key][1] for key in sorted(found)]


def fetch_focus_export(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Every data file of each month's manifest, native text. Control total: sum of BilledCost."""
    folder = _folder(config)
    for window in windows:
        assert window.locator is not None
        export = window.locator.split("/metadata/")[0].rpartition("/")[2]
        keys = _data_files(folder, window, export)
        batches = [read_file(_LAYOUT, key, folder.read_key(key), export) for key in keys]
        if _data_files(folder, window, export) != keys:
            raise SourceUnavailable(
                tried=f"{FOCUS_EXPORT.key} {window.key}: read {len(keys)} data files",
                found="the export was replaced while it was read",
                to_do="run again in some minutes",
            )
        yield window, _together(batches)


def _folder(config: SourceConfig) -> S3Folder:
    return S3Folder(config.option("bucket"), config.option("prefix"), s3_options(config))


def _data_files(folder: S3Folder, window: Window, export: str) -> list[str]:
    context = f"{FOCUS_EXPORT.key} {window.key}: manifest of {export}"
    try:
        files = _DECODER.decode(folder.read(window.locator or "")).dataFiles
    except msgspec.MsgspecError as error:
        raise _broken(context, f"no manifest with dataFiles ({error})") from None
    keys = []
    for url in files:
        bucket, key = split_s3_url(url)
        if not url.startswith("s3://") or bucket != folder.bucket:
            raise _broken(context, "a data file outside the export's bucket")
        keys.append(key)
    if len(set(keys)) != len(keys):
        raise _broken(context, "a data file named twice")
    return keys


def _together(batches: Sequence[Batch]) -> Batch:
    import polars as pl

    frames: list[pl.DataFrame] = [batch.records for batch in batches] or [table(FOCUS_EXPORT, [])]
    rejects: list[Reject] = [reject for batch in batches for reject in batch.rejects]
    days = sorted({day for batch in batches for day in batch.days or ()})
    total = sum((batch.control_total or Decimal(0) for batch in batches), Decimal(0))
    unit = one_currency({batch.control_unit for batch in batches if batch.control_unit})
    return Batch(pl.concat(frames), rejects, total, unit, len(batches), days)


def _broken(context: str, found: str) -> ContractBroken:
    return ContractBroken(tried=context, found=found, to_do="check the export's settings; re-create it if they changed")


def _look(config: SourceConfig) -> tuple[str, str | None]:
    folder = S3Folder(config.option("bucket"), config.option("prefix"), s3_options(config))
    manifests = [f.name for f in folder.files() if f.name.lower().endswith("manifest.json")]
    newest = max((name.rpartition("/")[0].rpartition("/")[2] for name in manifests), default=None)
    return f"{len(manifests)} export manifests", newest


SYSTEM = System("aws", (Connector(FOCUS_EXPORT, fetch_focus_export, find_months),), look=_look)
