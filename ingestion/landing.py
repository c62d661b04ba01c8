"""Writes one window of one dataset into the raw lake: Parquet, rejects and a manifest line, replaced whole.

Deliveries are immutable and named by their content: the same records land under the same id, in whatever order they
came, so a rerun after a kill repeats names and bytes instead of adding to them.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from ingestion.catalog import AUDIT_COLUMNS, Dataset
from ingestion.errors import ContractBroken, IngestionError
from ingestion.lake import Lake
from ingestion.manifest import Delivery, ManifestWriter
from ingestion.records import Batch, Reject, polars_type
from ingestion.windows import DAY, Window, midnight

if TYPE_CHECKING:
    import polars as pl

# More repeated identities than this share of a delivery mean a repeated page, which must not be repaired silently.
DUPLICATES_TOLERATED = Decimal("0.01")

# Most windows have a few rows, for which starting the engine costs more than the work.
SMALL = 200

REJECT_COLUMNS = {
    "source": "text",
    "dataset": "text",
    "account": "text",
    "window": "text",
    "delivery_id": "text",
    "ordinal": "int",
    "reason": "text",
    "field": "text",
    "detail": "text",
    "record_digest": "text",
}


def land(
    manifest: ManifestWriter,
    window: Window,
    batch: Batch,
    *,
    account: str,
    run_id: str,
    fetched_at: datetime,
) -> tuple[Delivery, bool]:
    """Land one fetched window. Returns its delivery and whether it is new (false: same content as the current one).

    Raises ContractBroken when more than 1 % of the records repeat an identity; the old delivery then stays current.
    """
    dataset, lake = manifest.dataset, manifest.lake
    records, repeated = _unique(dataset, batch.records, window)
    rejects = [*batch.rejects, *repeated]
    content_hash = hash_records(records)
    common: dict[str, Any] = {
        "checked_at": fetched_at,
        "rejects": len(rejects),
        "pages": batch.pages,
        "source_version": window.version,
        "locator": window.locator,
    }
    current = manifest.current(account, window.key)
    if current is not None and current.content_hash == content_hash:
        if rejects or current.rejects:
            _write_rejects(lake, dataset, account, window, current.delivery_id, rejects)
        delivery = msgspec.structs.replace(current, **common)
        manifest.put(delivery)
        return delivery, False

    delivery_id = _delivery_id(manifest, account, window.key, content_hash)
    path = None
    if records.height:
        path = f"raw/{dataset.source}/{dataset.name}/window={window.key}/{account}-{delivery_id}.parquet"
        audited = _audited(dataset, records, account, window.key, delivery_id, fetched_at, run_id)
        lake.write(path, to_parquet(audited))
    if rejects:
        _write_rejects(lake, dataset, account, window, delivery_id, rejects)
    start, end = _bounds(window, batch.days)
    delivery = Delivery(
        delivery_id=delivery_id,
        source=dataset.source,
        dataset=dataset.name,
        account=account,
        window=window.key,
        window_start=start,
        window_end=end,
        state="complete",
        rows=records.height,
        content_hash=content_hash,
        control_total=None if batch.control_total is None else f"{batch.control_total:f}",
        control_unit=batch.control_unit,
        path=path,
        fetched_at=fetched_at,
        run_id=run_id,
        superseded_content_hash=current.content_hash if current else None,
        days=None if batch.days is None else [d.isoformat() for d in sorted(batch.days)],
        **common,
    )
    manifest.put(delivery)
    return delivery, True


def land_failure(
    manifest: ManifestWriter, window: Window, error: IngestionError, *, account: str, run_id: str, at: datetime
) -> Delivery:
    """Write down that a window gave no answer. The current delivery stays; repeated failures keep one line."""
    last = manifest.last(account, window.key)
    if last is not None and last.state == "failed":
        delivery = msgspec.structs.replace(last, checked_at=at, run_id=run_id, error=str(error))
    else:
        name = f"failed|{account}|{window.key}|{last.delivery_id if last else ''}|{at.isoformat()}"
        delivery = Delivery(
            delivery_id="failed-" + hashlib.sha256(name.encode()).hexdigest()[:16],
            source=manifest.dataset.source,
            dataset=manifest.dataset.name,
            account=account,
            window=window.key,
            window_start=window.start,
            window_end=window.end,
            state="failed",
            rows=0,
            rejects=0,
            content_hash=None,
            control_total=None,
            control_unit=None,
            path=None,
            fetched_at=at,
            checked_at=at,
            run_id=run_id,
            pages=0,
            error=str(error),
            locator=window.locator,
        )
    manifest.put(delivery)
    return delivery


def ensure_schema(lake: Lake, dataset: Dataset) -> None:
    """Write the dataset's zero-row `_schema.parquet` unless the same one is there, so that the dataset always reads."""
    import polars as pl

    key = f"raw/{dataset.source}/{dataset.name}/_schema.parquet"
    content = to_parquet(pl.DataFrame(schema={name: polars_type(kind) for name, kind in dataset.schema.items()}))
    if lake.read(key) != content:
        lake.write(key, content)


def to_parquet(frame: pl.DataFrame) -> bytes:
    """The table as zstd Parquet bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def hash_records(records: pl.DataFrame) -> str:
    """SHA-256 over names, types and sorted rows: independent of delivery order and of audit columns.

    `records` must be sorted already, as `_unique` gives them.
    """
    head = ",".join(f"{name}:{kind}" for name, kind in records.schema.items())
    content = records.write_ndjson() if records.height else ""
    return hashlib.sha256(head.encode() + b"\n" + content.encode()).hexdigest()


def _unique(dataset: Dataset, records: pl.DataFrame, window: Window) -> tuple[pl.DataFrame, list[Reject]]:
    """Records sorted, the second and later ones of an identity taken out as rejects.

    Where records carry updated_at the newest version stays, and repeats are no sign of a repeated page: a list sorted
    by update time moves while it is read.
    """
    import polars as pl

    if records.height < 2:
        return records, []
    moving = "updated_at" in dataset.columns
    first = [*dataset.identity, *(["updated_at"] if moving and dataset.identity else [])]
    order = [*first, *(name for name in records.columns if name not in first)]
    if not dataset.identity:
        return records.sort(order), []
    if not _has_repeats(records.select(dataset.identity)):
        return records.sort(dataset.identity), []
    records = records.sort(order, descending=[name == "updated_at" for name in order])
    is_first = records.select(pl.struct(dataset.identity).is_first_distinct()).to_series()
    repeated = records.filter(~is_first)
    if not moving and repeated.height > DUPLICATES_TOLERATED * records.height:
        raise ContractBroken(
            tried=f"{dataset.key} window {window.key}: land {records.height} records",
            found=f"{repeated.height} of them repeat an identity ({', '.join(dataset.identity)}), as a doubled page does",
            to_do="fetch the window again; if it stays, the identity in the catalog no longer fits the vendor's grain",
        )
    rejects = [
        Reject(ordinal, "duplicate_identity", dataset.identity[0], None, hashlib.sha256(line.encode()).hexdigest())
        for ordinal, line in enumerate(repeated.write_ndjson().splitlines())
    ]
    return records.filter(is_first), rejects


def _has_repeats(identities: pl.DataFrame) -> bool:
    if identities.height < SMALL:
        return len(set(identities.iter_rows())) < identities.height
    return bool(identities.is_duplicated().any())


def _delivery_id(manifest: ManifestWriter, account: str, window: str, content_hash: str) -> str:
    """Name of a delivery: from its content, and a count when the same content comes back after another one."""
    base = hashlib.sha256(f"{manifest.dataset.key}|{account}|{window}|{content_hash}".encode()).hexdigest()[:20]
    delivery_id, again = base, 1
    while manifest.has(delivery_id):
        again += 1
        delivery_id = f"{base}-{again}"
    return delivery_id


def _audited(
    dataset: Dataset,
    records: pl.DataFrame,
    account: str,
    window: str,
    delivery_id: str,
    fetched_at: datetime,
    run_id: str,
) -> pl.DataFrame:
    import polars as pl

    values = {
        "raw_source": dataset.source,
        "raw_account": account,
        "raw_dataset": dataset.name,
        "raw_window": window,
        "raw_delivery_id": delivery_id,
        "raw_fetched_at": fetched_at,
        "raw_run_id": run_id,
    }
    height = records.height
    audit = [
        pl.Series(name, range(height), dtype=pl.Int64)
        if name == "raw_ordinal"
        else pl.Series(name, [values[name]], dtype=polars_type(kind)).new_from_index(0, height)
        for name, kind in AUDIT_COLUMNS.items()
    ]
    return records.hstack(audit)


def _write_rejects(
    lake: Lake, dataset: Dataset, account: str, window: Window, delivery_id: str, rejects: Sequence[Reject]
) -> None:
    import polars as pl

    rows = [
        (dataset.source, dataset.name, account, window.key, delivery_id, *astuple(r))
        for r in rejects
    ]
    types = {name: pl.Int64 if kind == "int" else pl.String for name, kind in REJECT_COLUMNS.items()}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    lake.write(f"rejects/{dataset.source}/{dataset.name}/{delivery_id}.parquet", to_parquet(frame))


def _bounds(window: Window, days: Sequence[date] | None) -> tuple[datetime, datetime]:
    if window.end > window.start or not days:
        return window.start, window.end
    return midnight(min(days)), midnight(max(days)) + DAY
