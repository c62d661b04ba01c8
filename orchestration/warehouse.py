"""The warehouse file around dbt: what dbt finds before the first stage, and what is remembered after the ledger.

One short DuckDB session per function; nothing here keeps the file open between steps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from ingestion import manifest
from ingestion.catalog import DATASETS, SOURCES, Dataset
from ingestion.lake import Lake, S3Lake
from orchestration.frames import DERIVED_RELATIONS, MANIFEST_COLUMNS, REJECT_COLUMNS
from orchestration.freeze import frozen_keys
from orchestration.settings import DBT_PROJECT, Settings

# Cut by day or file, but small and needed whole: they have no charge days to rebuild.
_ALWAYS_WHOLE = ("invoices", "prices", "seats", "expenses", "outcomes", "evaluations")
_DUCKDB_TYPES = {
    "text": "varchar",
    "money_text": "varchar",
    "json": "varchar",
    "int": "bigint",
    "bool": "boolean",
    "ts": "timestamptz",
    "date": "date",
}


class WarehouseBusy(RuntimeError):
    """Another process has the warehouse file open."""


class DeliveryUnreadable(RuntimeError):
    """A file the manifest names is gone or is no whole Parquet file."""

# Models of later rooms read the staging models of these by name.
_ALWAYS_BUILT = ("anthropic", "evaluations", "expenses", "files", "invoices", "openai", "outcomes", "prices", "seats")


@dataclass(frozen=True)
class Preparation:
    """What the next dbt build will rebuild. `scope_days` counts (source, account, charge day)."""

    is_full_rebuild: bool
    scope_days: int
    total_days: int
    deliveries: int
    reason: str


@contextmanager
def session(settings: Settings, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """One DuckDB session on the warehouse with the run's limits; closed at the end whatever happens.

    Raises WarehouseBusy when another process holds the file.
    """
    path = settings.warehouse_path
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "temp_directory": str(settings.spill_dir),
        "autoinstall_known_extensions": False,
    }
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise WarehouseBusy(
            f"{path} is open in another process: {error}. Readers should open published/current/warehouse.duckdb, "
            "which is never locked; close the other program and run again."
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def prepare(
    settings: Settings,
    lake: Lake,
    *,
    frozen_columns: Mapping[str, str],
    fingerprint: str,
    run_id: str,
    full: bool | None = None,
) -> Preparation:
    """Create every `raw` relation dbt reads and say which source-days it has to rebuild.

    `frozen_columns`: column → type of frozen FOCUS rows when nothing is frozen yet. `fingerprint` identifies the dbt
    project; another one than last built, an empty state, or `full=True` makes a full rebuild. Raises DeliveryUnreadable.
    """
    with session(settings) as connection:
        _reach_lake(connection, lake)
        connection.execute("create schema if not exists raw; create schema if not exists state")
        _create_state(connection)
        _load_manifest(connection, lake)
        reason = _reason_for_full(connection, fingerprint, full)
        _create_scope(connection, full=reason is not None)
        as_relation = "table" if isinstance(lake, S3Lake) else "view"
        for dataset in DATASETS:
            _create_raw(connection, lake, dataset, as_relation, full=reason is not None)
        _create_rejects(connection, lake)
        _create_frozen(connection, lake, frozen_columns)
        for name in DERIVED_RELATIONS:
            _create_derived(connection, lake, name)
        _create_run_context(connection, settings, run_id, reason is not None)
        connection.execute("create or replace table raw.project as select ? as fingerprint", [fingerprint])
        counts = connection.execute(
            "select (select count(*) from raw.scope), (select count(*) from raw.source_day),"
            " (select count(*) from raw.current_delivery)"
        ).fetchone()
    assert counts is not None
    return Preparation(reason is not None, counts[0], counts[1], counts[2], reason or "changed deliveries only")


def mark_built(settings: Settings) -> int:
    """Remember the deliveries and the project the ledger was just built from; returns how many were new."""
    with session(settings) as connection:
        connection.execute("begin")
        new = connection.execute(
            "select count(*) from raw.current_delivery where delivery_id not in"
            " (select delivery_id from state.built_delivery)"
        ).fetchone()
        connection.execute("delete from state.built_delivery")
        connection.execute(
            'insert into state.built_delivery select source, dataset, account, "window", delivery_id, days'
            " from raw.current_delivery"
        )
        connection.execute("delete from state.built_project")
        connection.execute("insert into state.built_project select fingerprint from raw.project")
        connection.execute("commit")
    assert new is not None
    return int(new[0])


def load_derived(settings: Settings, lake: Lake, names: Iterable[str]) -> None:
    """Create these `raw` relations of forecasts or decisions again after new results were written to the lake."""
    with session(settings) as connection:
        _reach_lake(connection, lake)
        for name in names:
            _create_derived(connection, lake, name)


def project_fingerprint(settings: Settings, lake: Lake) -> str:
    """Digest of everything outside the charges that decides what a build gives: models, macros, seeds, prices."""
    folders = [DBT_PROJECT / "models", DBT_PROJECT / "macros", *seed_folders(settings)]
    digest = files_digest(folders, (".sql", ".csv", ".yml"))
    prices = [d.content_hash for d in manifest.current(manifest.read(lake, "prices__genai_prices"))]
    newest = json.dumps([digest, prices[-1:], settings.reporting_currency, sources_on(settings, lake)])
    return hashlib.sha256(newest.encode()).hexdigest()


def sources_on(settings: Settings, lake: Lake) -> list[str]:
    """Sources whose models are built, by name: those with credentials, those that ever delivered, and `_ALWAYS_BUILT`."""
    delivered = {key.split("/")[1] for key in lake.list("manifest")}
    return sorted(delivered.union(_ALWAYS_BUILT, (account.source for account in settings.accounts if account.is_on())))


def seed_folders(settings: Settings) -> list[Path]:
    """The two folders of seeds in use: shared ones and those of the company."""
    company = settings.company_seeds or f"seeds/company/{settings.profile}"
    return [DBT_PROJECT / "seeds" / "shared", (DBT_PROJECT / company).resolve()]


def files_digest(folders: Iterable[Path], suffixes: Sequence[str]) -> str:
    """SHA-256 over names and contents of all files below the folders, in sorted order."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in suffixes):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _reach_lake(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    if not isinstance(lake, S3Lake):
        return
    import duckdb_extension_httpfs

    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions"
    found = sorted(folder.glob(f"v{duckdb.__version__}/httpfs.duckdb_extension"))
    if not found:
        raise RuntimeError(f"no httpfs extension for DuckDB {duckdb.__version__} in {folder}; install requirements.lock")
    connection.execute(f"load '{found[0]}'")
    options = lake.options
    endpoint = (options.endpoint_url or "").removeprefix("https://").removeprefix("http://").rstrip("/")
    parts = [
        "type s3",
        f"scope '{_quoted(f's3://{lake.bucket}')}'",
        f"region '{_quoted(options.region or 'us-east-1')}'",
        *([f"endpoint '{_quoted(endpoint)}'", "url_style 'path'"] if endpoint else []),
        *(["use_ssl false"] if (options.endpoint_url or "").startswith("http://") else []),
        *([f"key_id '{_quoted(options.access_key_id)}'"] if options.access_key_id else []),
        *([f"secret '{_quoted(options.secret_access_key)}'"] if options.secret_access_key else []),
        *([f"session_token '{_quoted(options.session_token)}'"] if options.session_token else []),
    ]
    connection.execute(f"create or replace temporary secret lake ({', '.join(parts)})")


def _create_state(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        'create table if not exists state.built_delivery (source varchar, dataset varchar, account varchar, "window"'
        " varchar, delivery_id varchar, days date[])"
    )
    connection.execute("create table if not exists state.built_project (fingerprint varchar)")


def _load_manifest(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    rows: list[dict[str, object]] = []
    for dataset in DATASETS:
        deliveries = manifest.read(lake, dataset)
        current = {d.delivery_id for d in manifest.current(deliveries)}
        for order, delivery in enumerate(deliveries):
            row = msgspec.to_builtins(delivery, builtin_types=())
            is_whole = dataset.window not in ("day", "month", "file") or dataset.source in _ALWAYS_WHOLE
            own_day = [delivery.window] if dataset.window == "day" else (delivery.days or [])
            rows.append(
                {k: _as_text(row.get(k)) for k in MANIFEST_COLUMNS if k != "days"}
                | {
                    "days": [] if is_whole else own_day,
                    "is_current": delivery.delivery_id in current,
                    "is_whole": is_whole,
                    "position": order,
                }
            )
    fields = [pa.field(c, pa.list_(pa.string()) if c == "days" else pa.string()) for c in MANIFEST_COLUMNS]
    fields += [pa.field("is_current", pa.bool_()), pa.field("is_whole", pa.bool_()), pa.field("position", pa.int64())]
    connection.register("manifest_lines", pa.Table.from_pylist(rows, schema=pa.schema(fields)))
    columns = ", ".join(f'"{c}"::{t} as "{c}"' for c, t in MANIFEST_COLUMNS.items())
    connection.execute(
        f"create or replace table raw.manifest as select {columns}, is_current, is_whole, position from manifest_lines"
    )
    connection.unregister("manifest_lines")
    connection.execute(
        'create or replace table raw.current_delivery as select source, dataset, account, "window", delivery_id, days,'
        " is_whole, path, rows from raw.manifest where is_current"
    )


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


def _reason_for_full(connection: duckdb.DuckDBPyConnection, fingerprint: str, full: bool | None) -> str | None:
    if full:
        return "asked for"
    built = connection.execute("select fingerprint from state.built_project").fetchone()
    if built is None:
        return "nothing built yet"
    return "models, macros, seeds or prices changed" if built[0] != fingerprint else None


def _create_scope(connection: duckdb.DuckDBPyConnection, *, full: bool) -> None:
    """`raw.scope` is closed: a file or month with one day in scope has all its days in scope, and a day in scope of one
    source of requests is in scope of all of them, since they see the same requests."""
    loggers = [name for name, source in SOURCES.items() if source.logs_requests]
    connection.execute(
        "create or replace table raw.source_day as select distinct source, account, unnest(days) as charge_date"
        " from raw.current_delivery where not is_whole"
    )
    # What was built and is no longer current has to go, so its days count too.
    connection.execute(
        """
        create or replace table raw.scope as
        with changed as (
            select coalesce(now.source, built.source) as source, coalesce(now.account, built.account) as account,
                   now.days as days_now, built.days as days_built
            from (select * from raw.current_delivery where not is_whole) as now
            full join (select * from state.built_delivery where len(days) > 0) as built
                using (source, dataset, account, "window")
            where $full or now.delivery_id is distinct from built.delivery_id
        )
        select distinct source, account, charge_date from (
            select source, account, unnest(days_now) as charge_date from changed
            union all
            select source, account, unnest(days_built) as charge_date from changed
        )
        """,
        {"full": full},
    )
    while True:
        grown = connection.execute(
            """
            insert into raw.scope
            select distinct source, account, charge_date
            from (
                select d.source, d.account, unnest(d.days) as charge_date
                from raw.current_delivery as d
                where len(d.days) > 1 and exists (
                    select 1 from raw.scope as s
                    where s.source = d.source and s.account = d.account and list_contains(d.days, s.charge_date)
                )
                union all
                select d.source, d.account, d.charge_date
                from raw.source_day as d
                where list_contains($loggers, d.source)
                    and d.charge_date in (select s.charge_date from raw.scope as s where list_contains($loggers, s.source))
            )
            except select source, account, charge_date from raw.scope
            """,
            {"loggers": loggers},
        ).fetchone()
        if grown is None or grown[0] == 0:
            break
    connection.execute(
        """
        create or replace table raw.delivery_in_scope as
        select source, dataset, delivery_id, path from raw.current_delivery
        where is_whole and path is not null
        union all
        select distinct d.source, d.dataset, d.delivery_id, d.path
        from (select *, unnest(days) as charge_date from raw.current_delivery where not is_whole) as d
        join raw.scope as s using (source, account, charge_date)
        where d.path is not null
        """
    )


def _create_raw(
    connection: duckdb.DuckDBPyConnection, lake: Lake, dataset: Dataset, as_relation: str, *, full: bool
) -> None:
    """A dataset's deliveries in scope as one relation. Trackers and snapshots are read whole and have a file per day, so
    they are kept as a table that only takes in what came and gives up what is superseded."""
    name = f'raw."{dataset.key}"'
    found = connection.execute(
        "select delivery_id, path from raw.delivery_in_scope where source = ? and dataset = ? order by path",
        [dataset.source, dataset.name],
    ).fetchall()
    columns = {c: _DUCKDB_TYPES[t] for c, t in dataset.schema.items()}
    is_kept = dataset.window in ("updated", "snapshot")
    try:
        if is_kept and not full and _table_columns(connection, dataset.key) == list(columns):
            _carry_on(connection, name, columns, {d: lake.url(p) for d, p in found})
        else:
            _replace(connection, name, "table" if is_kept else as_relation, columns, [lake.url(p) for _, p in found])
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DeliveryUnreadable(
            f"a file of {dataset.key} cannot be read: {error}. Restore it from the lake's backup, or remove its line from "
            f"{manifest.key_of(dataset)} and materialise its window."
        ) from error


def _table_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    rows = connection.execute(
        "select column_name from duckdb_columns() where schema_name = 'raw' and table_name = ? and not internal"
        " and table_oid in (select table_oid from duckdb_tables()) order by column_index",
        [relation],
    ).fetchall()
    return [name for (name,) in rows]


def _carry_on(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], urls: Mapping[str, str]
) -> None:
    """Bring a kept table to these deliveries (id → file). A kill leaves the table as it was or as it should be."""
    there = {d for (d,) in connection.execute(f"select distinct raw_delivery_id from {name}").fetchall()}
    connection.execute("begin")
    connection.execute(f"delete from {name} where not list_contains($ids, raw_delivery_id)", {"ids": list(urls)})
    new = [url for delivery, url in urls.items() if delivery not in there]
    if new:
        connection.execute(f"insert into {name} {_selected(columns, new)}")
    connection.execute("commit")


def _create_rejects(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    rows = connection.execute(
        "select source, dataset, delivery_id from raw.manifest where rejects > 0 order by all"
    ).fetchall()
    urls = [lake.url(f"rejects/{source}/{dataset}/{delivery}.parquet") for source, dataset, delivery in rows]
    _replace(connection, "raw.rejects", "table", REJECT_COLUMNS, urls)


def _create_frozen(connection: duckdb.DuckDBPyConnection, lake: Lake, columns: Mapping[str, str]) -> None:
    frozen = frozen_keys(lake)
    as_relation = "table" if isinstance(lake, S3Lake) else "view"
    _replace(connection, "raw.frozen_charges", as_relation, columns, [lake.url(rows) for rows, _ in frozen])
    connection.execute(
        "create or replace table raw.frozen_periods"
        " (source varchar, account varchar, billing_period date, content_hash varchar, frozen_at timestamp)"
    )
    if frozen:
        connection.executemany(
            "insert into raw.frozen_periods values ($source, $account, $billing_period, $content_hash, $frozen_at)",
            [
                {c: f[c] for c in ("source", "account", "billing_period", "content_hash", "frozen_at")}
                for _, f in frozen
            ],
        )


def _create_derived(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str) -> None:
    key, columns = DERIVED_RELATIONS[name]
    if lake.read(key) is None:
        _replace(connection, f"raw.{name}", "table", columns, [])
        return
    # A file of an earlier release lacks the columns that came since: they are null until it is written again.
    url = lake.url(key)
    known = {row[0] for row in connection.execute(f"describe select * from read_parquet('{_quoted(url)}')").fetchall()}
    _replace(connection, f"raw.{name}", "table", {c: t for c, t in columns.items() if c in known}, [url])
    for column in columns:
        if column not in known:
            connection.execute(f"alter table raw.{name} add column {_name(column)} {columns[column]}")


def _replace(
    connection: duckdb.DuckDBPyConnection, name: str, as_relation: str, columns: Mapping[str, str], urls: Sequence[str]
) -> None:
    """Create a relation over Parquet files with exactly these columns; without files it is an empty table."""
    schema, _, relation = name.partition(".")
    kind = connection.execute(
        "select table_type from information_schema.tables where table_schema = ? and table_name = ?",
        [schema, relation.strip('"')],
    ).fetchone()
    if kind:
        connection.execute(f"drop {'view' if kind[0] == 'VIEW' else 'table'} {name}")
    if not urls:
        connection.execute(f"create table {name} ({', '.join(f'{_name(c)} {t}' for c, t in columns.items())})")
        return
    connection.execute(f"create {as_relation} {name} as {_selected(columns, urls)}")


def _selected(columns: Mapping[str, str], urls: Sequence[str]) -> str:
    files = ", ".join(f"'{_quoted(u)}'" for u in urls)
    selected = ", ".join(f"{_name(c)}::{t} as {_name(c)}" for c, t in columns.items())
    return f"select {selected} from read_parquet([{files}], union_by_name = true, hive_partitioning = false)"


def _create_run_context(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str, full: bool) -> None:
    connection.execute(
        "create or replace table raw.run_context as select ?::timestamp as as_of, ?::date as as_of_date,"
        " ?::date as start_date, ?::varchar as profile, ?::varchar as run_id, ?::varchar as reporting_currency,"
        " ?::boolean as is_full_rebuild",
        [
            settings.as_of.replace(tzinfo=None),
            settings.as_of.date(),
            settings.start_date,
            settings.profile,
            run_id,
            settings.reporting_currency,
            full,
        ],
    )


def _name(column: str) -> str:
    return f'"{column}"'


def _quoted(text: str) -> str:
    return text.replace("'", "''")


