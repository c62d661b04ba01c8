"""Google Cloud billing exports from a folder or bucket: one billing month is what its finished export run holds.

A run may leave shards of a bigger earlier one beside its own. A listing says which shards count; without one, shards whose
rows all stand in others too are refused.
"""

from __future__ import annotations

import functools
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import msgspec

from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Client
from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable
from ingestion.files import tabular
from ingestion.files.billing import FOCUS, shape
from ingestion.files.folder import Dropped, Folder, S3Folder, gunzip, open_folder, s3_options
from ingestion.lake import split_s3_url
from ingestion.records import (
    Batch,
    Intake,
    Reader,
    Refused,
    Reject,
    Row,
    Text,
    amount,
    exact_sum,
    instant,
    one_currency,
    table,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, Find, System
from ingestion.windows import Window, month_window

if TYPE_CHECKING:
    import polars as pl

BILLING_EXPORT = BY_KEY["gcp__billing_export"]
FOCUS_EXPORT = BY_KEY["gcp__focus_export"]
_FOCUS_LAYOUT = replace(FOCUS, dataset=FOCUS_EXPORT)
_GOOGLE_STORAGE = "https://storage.googleapis.com"
# The whole key: the prefix `billing_period=2026-1` is also one of October.
_OF_MONTH = re.compile(r"^(?:(?P<export>.*)/)?billing_period=(?P<year>\d{4})-(?P<month>\d{2})/(?P<name>[^/]+)$")
_PART = re.compile(r"\.(parquet|json|jsonl|ndjson)(\.gz)?$", re.IGNORECASE)
_LISTINGS = ("_manifest", "_manifest.json", "manifest.json")
_FINISHED = "_success"
_TO_DO = "check the export's schema and the job that writes it"


# The export's records. A missing record is one of nulls; numbers come as JSON numbers or, from INT64 and NUMERIC, as text.
class _Pair(msgspec.Struct):
    key: Text
    value: Text | None = None
    namespace: Text | None = None


class _Credit(msgspec.Struct):
    amount: msgspec.Raw
    type: Text | None = None
    name: Text | None = None
    full_name: Text | None = None
    id: Text | None = None


class _Invoice(msgspec.Struct):
    month: Text | None = None
    publisher_type: Text | None = None


class _Named(msgspec.Struct):
    id: Text | None = None
    description: Text | None = None


class _Project(msgspec.Struct):
    id: Text | None = None
    number: Text | None = None
    name: Text | None = None
    ancestry_numbers: Text | None = None
    labels: list[_Pair] | None = None


class _Location(msgspec.Struct):
    location: Text | None = None
    country: Text | None = None
    region: Text | None = None
    zone: Text | None = None


class _Resource(msgspec.Struct):
    name: Text | None = None
    global_name: Text | None = None


class _Usage(msgspec.Struct):
    amount: msgspec.Raw = msgspec.Raw(b"null")
    unit: Text | None = None
    amount_in_pricing_units: msgspec.Raw = msgspec.Raw(b"null")
    pricing_unit: Text | None = None


class _Price(msgspec.Struct):
    effective_price: msgspec.Raw = msgspec.Raw(b"null")
    tier_start_amount: msgspec.Raw = msgspec.Raw(b"null")
    unit: Text | None = None
    pricing_unit_quantity: msgspec.Raw = msgspec.Raw(b"null")
    list_price: msgspec.Raw = msgspec.Raw(b"null")


class _Adjustment(msgspec.Struct):
    id: Text | None = None
    description: Text | None = None
    mode: Text | None = None
    type: Text | None = None


class _Subscription(msgspec.Struct):
    instance_id: Text | None = None


class _Line(msgspec.Struct):
    """A row of the standard or detailed export."""

    billing_account_id: Text
    service: _Named
    sku: _Named
    usage_start_time: Text
    usage_end_time: Text
    export_time: Text
    cost: msgspec.Raw
    currency: Text
    invoice: _Invoice
    project: _Project | None = None
    labels: list[_Pair] | None = None
    system_labels: list[_Pair] | None = None
    tags: list[_Pair] | None = None
    location: _Location | None = None
    resource: _Resource | None = None
    cost_at_list: msgspec.Raw = msgspec.Raw(b"null")
    cost_at_effective_price_default: msgspec.Raw = msgspec.Raw(b"null")
    credits: list[_Credit] | None = None
    currency_conversion_rate: msgspec.Raw = msgspec.Raw(b"null")
    usage: _Usage | None = None
    price: _Price | None = None
    cost_type: Text | None = None
    adjustment_info: _Adjustment | None = None
    transaction_type: Text | None = None
    seller_name: Text | None = None
    consumption_model: _Named | None = None
    subscription: _Subscription | None = None


_READER = Reader(_Line)
_NO_PROJECT, _NO_LOCATION, _NO_RESOURCE, _NO_USAGE = _Project(), _Location(), _Resource(), _Usage()
_NO_PRICE, _NO_ADJUSTMENT, _NO_MODEL, _NO_SUBSCRIPTION = _Price(), _Adjustment(), _Named(), _Subscription()


class _Listing(msgspec.Struct):
    """What a run says it wrote: names or addresses of its shards, and perhaps how many rows and how much net cost."""

    files: list[str]
    rows: int | None = None
    net_cost: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True)
class _Run:
    """The files of one billing month below the location: their folder, listed versions, and the listing if there is one."""

    folder: str
    files: tuple[Dropped, ...]

    @property
    def version(self) -> str:
        """Changes when any file of the month does: `_SUCCESS` is empty and looks the same after every run."""
        text = "\n".join(f"{f.name} {f.version}" for f in self.files)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def named(self, names: Sequence[str]) -> str | None:
        return next((f.name for f in self.files if f.name.rpartition("/")[2].lower() in names), None)

    @property
    def parts(self) -> list[str]:
        return [f.name for f in self.files if _PART.search(f.name) and f.name.rpartition("/")[2].lower() not in _LISTINGS]


def _open(config: SourceConfig) -> Folder:
    location = config.option("location")
    if not location.startswith("gs://"):
        return open_folder(config)
    options = s3_options(config)
    bucket, prefix = split_s3_url("s3://" + location.removeprefix("gs://"))
    return S3Folder(bucket, prefix, replace(options, endpoint_url=options.endpoint_url or _GOOGLE_STORAGE))


def _runs(config: SourceConfig, folder: Folder) -> dict[tuple[str, date], _Run]:
    """Every billing month that lies below the location, by export and month."""
    chosen = config.option("export").strip("/")
    found: dict[tuple[str, date], list[Dropped]] = {}
    for item in folder.files():
        match = _OF_MONTH.match(item.name)
        if match is None or not 1 <= int(match["month"]) <= 12:
            continue
        export = match["export"] or ""
        if not chosen or export == chosen:
            found.setdefault((export, date(int(match["year"]), int(match["month"]), 1)), []).append(item)
    return {key: _Run(files[0].name.rpartition("/")[0], tuple(files)) for key, files in found.items()}


def _finder(dataset: Dataset, kind: str) -> Find:
    def find(config: SourceConfig, asked: Sequence[Window]) -> list[Window]:
        """Those of the asked months that lie below the location. Raises ContractBroken for a month in two exports."""
        wanted_kind = config.option("kind", "billing").lower()
        if wanted_kind not in ("billing", "focus"):
            raise RequestRejected(
                tried="read AISL_GCP_KIND", found="neither billing nor focus", to_do="set it to what the export is"
            )
        if wanted_kind != kind:
            return []
        wanted = {window.key for window in asked}
        months: dict[str, tuple[str, Window]] = {}
        for (export, month), run in sorted(_runs(config, _open(config)).items()):
            window = month_window(month, run.folder, run.version)
            if window.key not in wanted or not (run.parts or run.named((_FINISHED, *_LISTINGS))):
                continue
            if window.key in months:
                raise ContractBroken(
                    tried=f"{dataset.key}: find the export of {window.key}",
                    found=f"two exports, {months[window.key][0] or '.'} and {export}; adding both would double the month",
                    to_do="set AISL_GCP_EXPORT to the one to read",
                )
            months[window.key] = (export, window)
        return [months[key][1] for key in sorted(months)]

    return find


def fetch_billing_export(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Every counted shard of each month. Control total: the sum of net_cost, cost plus credits."""
    for window, folder, shards, listing in _shards(config, windows, BILLING_EXPORT):
        intake = Intake(_READER)
        frames = []
        for name in shards:
            lines = intake.read_lines(_json_lines(name, folder.read(name)))
            frames.append(table(BILLING_EXPORT, intake.accept(lines, _row, window.locator or "")))
        _refuse_leftovers(frames, shards, window, listing)
        batch = _batch(BILLING_EXPORT, frames, intake.rejects, "net_cost", "currency", "usage_start_time")
        batch.pages = len(shards)
        _check_listing(batch, listing, window, BILLING_EXPORT)
        yield window, batch


def fetch_focus_export(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Every counted shard of each month of the native FOCUS export. Control total: the sum of BilledCost."""
    for window, folder, shards, listing in _shards(config, windows, FOCUS_EXPORT):
        batches = [_focus_shard(name, folder.read(name), window.locator or "") for name in shards]
        frames = [batch.records for batch in batches]
        _refuse_leftovers(frames, shards, window, listing)
        rejects = [reject for batch in batches for reject in batch.rejects]
        days = sorted({day for batch in batches for day in batch.days or ()})
        total = sum((batch.control_total or Decimal(0) for batch in batches), Decimal(0))
        unit = one_currency({batch.control_unit for batch in batches if batch.control_unit})
        records = _concat(FOCUS_EXPORT, frames)
        batch = Batch(records, rejects, total, unit, len(shards), days)
        _check_listing(batch, listing, window, FOCUS_EXPORT)
        yield window, batch


def _shards(
    config: SourceConfig, windows: Sequence[Window], dataset: Dataset
) -> Iterator[tuple[Window, Folder, list[str], _Listing | None]]:
    """Per month its folder, the shards that count and their listing. Raises SourceUnavailable for an unfinished or a
    replaced run, after what was read of it has been thrown away."""
    for window in windows:
        folder = _open(config)
        run = _run_of(config, folder, window)
        if run is None or not run.named((_FINISHED, *_LISTINGS)):
            raise SourceUnavailable(
                tried=f"{dataset.key} {window.key}: read {window.locator}",
                found="no _SUCCESS and no listing: the export is still being written, or its job failed",
                to_do="run again when the job has finished; start it again if it failed",
            )
        listing = _listing(folder, run, window, dataset)
        shards = run.parts
        if listing is not None:
            by_name = {name.rpartition("/")[2]: name for name in shards}
            wanted = [address.rpartition("/")[2] for address in listing.files]
            if len(set(wanted)) != len(wanted) or not set(wanted) <= set(by_name):
                raise ContractBroken(
                    tried=f"{dataset.key} {window.key}: read the listing of {window.locator}",
                    found="a shard named twice, or one that is not there",
                    to_do="run the export job again",
                )
            shards = sorted(by_name[name] for name in wanted)
        yield window, folder, shards, listing
        if (now := _run_of(config, _open(config), window)) is None or now.version != run.version:
            raise SourceUnavailable(
                tried=f"{dataset.key} {window.key}: read {len(shards)} shards",
                found="the export was replaced while it was read",
                to_do="run again in some minutes",
            )


def _run_of(config: SourceConfig, folder: Folder, window: Window) -> _Run | None:
    return next((run for run in _runs(config, folder).values() if run.folder == window.locator), None)


def _listing(folder: Folder, run: _Run, window: Window, dataset: Dataset) -> _Listing | None:
    """The run's own list of its shards: a listing file, or the content of `_SUCCESS` where the job writes one into it."""
    name = run.named(_LISTINGS) or run.named((_FINISHED,)) or ""
    content = folder.read(name)
    if name == run.named((_FINISHED,)) and not content.strip().startswith(b"{"):
        return None
    try:
        return msgspec.json.decode(content, type=_Listing)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractBroken(
            tried=f"{dataset.key} {window.key}: read the listing {name.rpartition('/')[2]}",
            found=f"no JSON object with a list called files ({type(error).__name__})",
            to_do=_TO_DO,
        ) from None


def _check_listing(batch: Batch, listing: _Listing | None, window: Window, dataset: Dataset) -> None:
    """Rows and net cost as the export job counted them, against what was read. Rounding: half of 1e-9 a row."""
    if listing is None:
        return
    read = batch.records.height + len(batch.rejects)
    context = f"{dataset.key} {window.key}: compare with the listing"
    if listing.rows is not None and listing.rows != read:
        raise ContractBroken(tried=context, found=f"{read} rows where it says {listing.rows}", to_do="run the export job again")
    try:
        said = _number(listing.net_cost, "net_cost")
    except Refused:
        raise ContractBroken(tried=context, found="a net_cost that is no number", to_do=_TO_DO) from None
    if said is None or batch.rejects:
        return
    tolerance = Decimal("0.000000001") * (batch.records.height + 1)
    if abs(Decimal(said) - (batch.control_total or Decimal(0))) > tolerance:
        raise ContractBroken(tried=context, found="another net cost than the rows add up to", to_do="run the export job again")


def _refuse_leftovers(frames: Sequence[pl.DataFrame], shards: Sequence[str], window: Window, listing: _Listing | None) -> None:
    """Raise ContractBroken when a shard holds nothing that the others do not hold too.

    The export is append-only: all rows of an earlier run are in the later one, so what it left behind is all repeated.
    One equal row may be a charge of its own; a shard of two and more that are all equal to others is none.
    """
    import polars as pl

    if listing is not None or len(frames) < 2:
        return
    counted = pl.concat(
        [frame.hash_rows(seed=7).to_frame("row").with_columns(pl.lit(i).alias("shard")) for i, frame in enumerate(frames)]
    )
    counted = counted.group_by("row", "shard").len().with_columns(pl.col("len").sum().over("row").alias("everywhere"))
    repeated = (
        counted.group_by("shard")
        .agg((pl.col("everywhere") >= 2 * pl.col("len")).all().alias("is_all_repeated"), pl.col("len").sum().alias("rows"))
        .filter("is_all_repeated", pl.col("rows") >= 2)
        .sort("shard")
    )
    if repeated.height:
        names = ", ".join(shards[i].rpartition("/")[2] for i in repeated["shard"])
        raise ContractBroken(
            tried=f"{window.key}: read {len(shards)} shards of {window.locator}",
            found=f"shards that only repeat rows of the others ({names}), as a bigger earlier run leaves them behind",
            to_do="delete what the last run did not write, or let its job write a listing (_MANIFEST with files)",
        )


def _json_lines(name: str, content: bytes) -> bytes:
    """A shard as JSON lines; Parquet keeps the digits of its numbers."""
    try:
        if name.lower().endswith(".gz"):
            return gunzip(content)
        if not name.lower().endswith(".parquet"):
            return content
        return _lines_of_parquet(content)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ContractBroken(
            tried=f"read {name}", found=f"no whole file ({type(error).__name__})", to_do="run the export job again"
        ) from None


def _lines_of_parquet(content: bytes) -> bytes:
    import io

    import polars as pl
    import pyarrow.parquet

    # pyarrow's errors are OSError or ValueError.
    frame = pl.from_arrow(pyarrow.parquet.read_table(io.BytesIO(content)))
    assert isinstance(frame, pl.DataFrame)
    return frame.write_ndjson().encode()


def _row(line: _Line, file_name: str) -> Row:
    """The record's cells in catalog order. Raises Refused for an unreadable number or time."""
    start, end = _instant(line.usage_start_time, "usage_start_time"), _instant(line.usage_end_time, "usage_end_time")
    exported = _instant(line.export_time, "export_time")
    cost = _number(line.cost, "cost")
    if cost is None:
        raise Refused("missing_value", "cost")
    if not re.fullmatch(r"\d{4}(0[1-9]|1[0-2])", line.invoice.month or ""):
        raise Refused("unreadable_time", "invoice.month")
    project, place, resource = line.project or _NO_PROJECT, line.location or _NO_LOCATION, line.resource or _NO_RESOURCE
    usage, price, adjusted = line.usage or _NO_USAGE, line.price or _NO_PRICE, line.adjustment_info or _NO_ADJUSTMENT
    model, subscription = line.consumption_model or _NO_MODEL, line.subscription or _NO_SUBSCRIPTION
    net, credits = cost, None
    if line.credits:
        amounts = [_number(credit.amount, "credits.amount") for credit in line.credits]
        net = amount(exact_sum([cost, *amounts]), "net_cost") or "0"
        credits = _json(
            [
                {"type": c.type, "name": c.name, "full_name": c.full_name, "id": c.id, "amount": a}
                for c, a in zip(line.credits, amounts, strict=True)
            ]
        )
    return (
        line.billing_account_id, line.invoice.month, line.invoice.publisher_type, line.service.id,
        line.service.description, line.sku.id, line.sku.description, start, end, exported, project.id or None,
        project.number or None, project.name or None, project.ancestry_numbers or None, place.location or None,
        place.country or None, place.region or None, place.zone or None, resource.name or None,
        resource.global_name or None, line.currency,
        _number(line.currency_conversion_rate, "currency_conversion_rate"), _number(usage.amount, "usage.amount"),
        usage.unit or None, _number(usage.amount_in_pricing_units, "usage.amount_in_pricing_units"),
        usage.pricing_unit or None, _number(price.effective_price, "price.effective_price"),
        _number(price.tier_start_amount, "price.tier_start_amount"), price.unit or None,
        _number(price.pricing_unit_quantity, "price.pricing_unit_quantity"),
        _number(price.list_price, "price.list_price"), cost, _number(line.cost_at_list, "cost_at_list"),
        _number(line.cost_at_effective_price_default, "cost_at_effective_price_default"), net,
        line.cost_type or None, adjusted.id or None, adjusted.description or None, adjusted.mode or None,
        adjusted.type or None, line.transaction_type or None, line.seller_name or None, model.id or None,
        model.description or None, subscription.instance_id or None, credits,
        _tags(line.labels, project.labels, line.tags, line.system_labels), file_name,
    )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    return instant(text.strip().removesuffix(" UTC"), "time")


def _instant(text: str, field: str) -> datetime:
    """A BigQuery timestamp, `2026-09-02 00:00:00 UTC` or ISO."""
    try:
        moment = _moment(text)
    except Refused:
        moment = None
    if moment is None or moment.year < 2000:
        raise Refused("unreadable_time", field)
    return moment.astimezone(UTC)


def _number(raw: msgspec.Raw, field: str) -> str | None:
    """A JSON number, or text of one, as plain text digit for digit; null for null."""
    text = bytes(raw)
    if text == b"null":
        return None
    if text[:1] == b'"':
        text = text[1:-1].strip()
    try:
        value = Decimal(text.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        raise Refused("not_a_number", field) from None
    return amount(value, field)


def _tags(
    labels: Iterable[_Pair] | None,
    project_labels: Iterable[_Pair] | None,
    tags: Iterable[_Pair] | None,
    system_labels: Iterable[_Pair] | None,
) -> str | None:
    """Labels and tags as one object whose keys say where each comes from."""
    found: dict[str, str] = {}
    origins = (("label", labels), ("project_label", project_labels), ("tag", tags), ("system_label", system_labels))
    for origin, pairs in origins:
        for pair in pairs or ():
            name = f"{pair.namespace}/{pair.key}" if pair.namespace else pair.key
            found[f"{origin}/{name}"] = pair.value or ""
    return _json(dict(sorted(found.items()))) if found else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _batch(
    dataset: Dataset, frames: Sequence[pl.DataFrame], rejects: list[Reject], money: str, unit: str, day: str
) -> Batch:
    records = _concat(dataset, frames)
    days = records.get_column(day).dt.date().unique().sort().to_list() if records.height else []
    currencies = records.get_column(unit).unique().to_list() if records.height else []
    return Batch(records, rejects, exact_sum(records.get_column(money)), one_currency(currencies), len(frames), days)


def _concat(dataset: Dataset, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    return pl.concat(frames) if frames else table(dataset, [])


_LABELS = {"label": "x_Labels", "project_label": "x_ProjectLabels", "tag": "x_Tags", "system_label": "x_SystemLabels"}


class _FocusPair(msgspec.Struct, rename="pascal"):
    key: str
    value: str | None = None
    namespace: str | None = msgspec.field(default=None, name="x_Namespace")


_FOCUS_PAIRS: msgspec.json.Decoder[list[_FocusPair] | None] = msgspec.json.Decoder(list[_FocusPair] | None)
_FOCUS_READER: Reader[dict[str, msgspec.Raw]] = Reader(dict[str, msgspec.Raw])


def _focus_shard(name: str, content: bytes, file_name: str) -> Batch:
    """One shard as FOCUS columns of native text, Tags built from its labels. Raises ContractBroken when it is unreadable."""
    import polars as pl

    if name.lower().endswith(".parquet"):
        frame, rejects = tabular.read(name, content)
    else:
        frame, rejects = _text_of_lines(_json_lines(name, content))
    if not {"BilledCost", "ChargePeriodStart", "BillingCurrency"} <= set(frame.columns) and frame.height:
        raise ContractBroken(
            tried=f"read {name}", found="no FOCUS columns", to_do="set AISL_GCP_KIND to billing if it is the billing export"
        )
    if "Tags" not in frame.columns:
        sources = [c for c in _LABELS.values() if c in frame.columns]
        made = [_focus_tags(row) for row in frame.select(sources).iter_rows(named=True)] if sources else [None] * frame.height
        frame = frame.with_columns(pl.Series("Tags", made, dtype=pl.String))
    return shape(_FOCUS_LAYOUT, frame, rejects, file_name)


def _text_of_lines(content: bytes) -> tuple[pl.DataFrame, list[Reject]]:
    """JSON lines as text columns with the row number in `__row`; records stay JSON text."""
    import polars as pl

    intake = Intake(_FOCUS_READER)
    lines = intake.read_lines(content)
    names = list(dict.fromkeys(name for _, line in lines for name in line))
    columns = {name: [_text(line[name]) if name in line else None for _, line in lines] for name in names}
    rows = pl.Series("__row", [ordinal for ordinal, _ in lines], dtype=pl.Int64)
    frame = pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in columns.items()] + [rows])
    return frame, intake.rejects


def _text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    if text == b"null":
        return None
    if text[:1] == b'"':
        plain: str = msgspec.json.decode(text, type=str)
        return plain.removesuffix(" UTC") + "Z" if plain.endswith(" UTC") else plain
    return text.decode()


def _focus_tags(row: dict[str, str | None]) -> str | None:
    try:
        found = {
            origin: [_Pair(p.key, p.value, p.namespace) for p in _FOCUS_PAIRS.decode(row.get(column) or "null") or ()]
            for origin, column in _LABELS.items()
        }
    except msgspec.MsgspecError:
        # Labels that are no pairs stay in x_extra as they came; the money of the row is not lost over them.
        return None
    return _tags(found["label"], found["project_label"], found["tag"], found["system_label"])


def _look(config: SourceConfig) -> tuple[str, str | None]:
    runs = _runs(config, _open(config))
    finished = [month for (_, month), run in runs.items() if run.named((_FINISHED, *_LISTINGS))]
    newest = max(finished, default=None)
    return f"{len(finished)} finished of {len(runs)} billing months", newest.strftime("%Y-%m") if newest else None


SYSTEM = System(
    "gcp",
    (
        Connector(BILLING_EXPORT, fetch_billing_export, _finder(BILLING_EXPORT, "billing")),
        Connector(FOCUS_EXPORT, fetch_focus_export, _finder(FOCUS_EXPORT, "focus")),
    ),
    look=_look,
)
