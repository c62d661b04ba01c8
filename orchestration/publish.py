"""The published snapshot: built aside, compared with the warehouse, then switched by one rename.

A snapshot is a folder with a DuckDB file, the same relations as Parquet, the review pack and `snapshot.json`.
Months whose content did not change are taken over from the snapshot before, so a day's cost does not grow with history.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import Settings

BUILDING = ".building-"
CURRENT = "current"
# The first one a relation has cuts it into months; FOCUS 1.2 has no charge day.
PARTITION_COLUMNS = ("charge_date", "ChargePeriodStart")
WHOLE = "all"
UNDATED = "none"
# Deleted rows leave holes in the DuckDB file; past this growth it is written afresh.
_GROWTH_BEFORE_REWRITE = 2.0

Digests = dict[str, dict[str, tuple[int, str]]]


class SnapshotDiffers(RuntimeError):
    """The snapshot built aside is not equal to the warehouse; `published/current` was left alone."""


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot. `rows` by published name; `copied` and `taken_over` count relation-months."""

    path: Path
    run_id: str
    rows: Mapping[str, int]
    copied: int
    taken_over: int
    seconds_of_added_files: float


def publish(
    settings: Settings,
    names: Mapping[str, str],
    *,
    run_id: str,
    describe: Mapping[str, tuple[str, Mapping[str, str]]],
    facts: Mapping[str, Any],
    add_files: Callable[[duckdb.DuckDBPyConnection, Path], None],
) -> Snapshot:
    """Publish the warehouse's relations under their published names and switch `published/current` to them.

    `names`: published `schema.name` → warehouse `schema.name`. `describe`: published name → description and column
    descriptions. `add_files` gets a read-only connection to the new snapshot and its folder (review pack).
    Raises SnapshotDiffers; the folder built aside is then removed and the link stays.
    """
    root = settings.published_dir
    root.mkdir(parents=True, exist_ok=True)
    clean_unfinished(settings)
    previous = current(settings)
    target = root / f"{settings.as_of:%Y%m%dT%H%M%SZ}-{run_id[:8]}"
    building = root / f"{BUILDING}{run_id[:8]}"
    building.mkdir()
    try:
        counts = _build(settings, names, building, previous, describe, run_id, dict(facts), add_files)
        if target.exists():
            shutil.rmtree(target)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    switch(root, target)
    prune(settings)
    return Snapshot(target, run_id, *counts)


def current(settings: Settings) -> Path | None:
    """Folder of the current snapshot, or None when nothing was published yet."""
    link = settings.published_dir / CURRENT
    return link.resolve() if link.is_symlink() and (link / "snapshot.json").is_file() else None


def switch(root: Path, target: Path) -> None:
    """Point `current` at a snapshot; readers see the old one or the new one."""
    aside = root / f".{CURRENT}-{os.getpid()}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(target.name, target_is_directory=True)
    aside.replace(root / CURRENT)


def clean_unfinished(settings: Settings) -> list[str]:
    """Remove what a killed run left aside; returns the names."""
    found = sorted(p for p in settings.published_dir.glob(f"{BUILDING}*") if p.is_dir())
    for path in found:
        shutil.rmtree(path)
    for link in settings.published_dir.glob(f".{CURRENT}-*"):
        link.unlink()
    return [p.name for p in found]


def prune(settings: Settings, keep: int | None = None) -> list[str]:
    """Remove all but the newest `keep` snapshots beside the current one; returns the names removed."""
    root = settings.published_dir
    now = current(settings)
    old = [p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and (p / "snapshot.json").is_file()]
    old = sorted((p for p in old if p != now), key=lambda p: p.stat().st_mtime, reverse=True)
    removed = old[settings.snapshots_to_keep if keep is None else keep :]
    for path in removed:
        shutil.rmtree(path)
    return [p.name for p in removed]


def _build(
    settings: Settings,
    names: Mapping[str, str],
    building: Path,
    previous: Path | None,
    describe: Mapping[str, tuple[str, Mapping[str, str]]],
    run_id: str,
    facts: dict[str, Any],
    add_files: Callable[[duckdb.DuckDBPyConnection, Path], None],
) -> tuple[dict[str, int], int, int, float]:
    path = building / "warehouse.duckdb"
    before = _usable(previous)
    if before is not None and previous is not None:
        shutil.copyfile(previous / "warehouse.duckdb", path)
    connection = duckdb.connect(
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(settings.spill_dir),
        }
    )
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach '{_quoted(str(path))}' as snapshot (storage_version 'v1.4.0')")
        # Views of the warehouse name their relations as dbt wrote them: with the file's own name in front.
        connection.execute(f"attach '{_quoted(str(settings.warehouse_path))}' as warehouse (read_only)")
        connection.execute("use warehouse")
        there = _columns(connection)
        columns = {name: there[relation] for name, relation in names.items()}
        by = {name: _partition_column(columns[name]) for name in names}
        wanted = {name: _digest(connection, relation, by[name]) for name, relation in names.items()}
        known = _known(before, names, columns)
        for schema in sorted({n.split(".")[0] for n in names}):
            connection.execute(f'create schema if not exists snapshot."{schema}"')
        _drop_unnamed(connection, names)
        copied = 0
        # One transaction: a checkpoint for each of a thousand comments would take longer than the rows.
        connection.execute("begin")
        for name, relation in names.items():
            copied += _copy(connection, name, relation, by[name], wanted[name], known.get(name))
            if name not in known:
                _describe(connection, name, columns[name], describe.get(name))
        connection.execute("commit")
        differing = sorted(name for name in names if not _equals(connection, name, by[name], wanted[name], known.get(name)))
        if differing:
            raise SnapshotDiffers(f"snapshot of {run_id} differs from the warehouse in {', '.join(differing)}")
        connection.execute("use snapshot")
        connection.execute("detach warehouse")
        links = _write_parquet(connection, building, by, wanted, previous, known)
        connection.execute("checkpoint snapshot")
    finally:
        connection.close()
    reader = duckdb.connect(str(path), read_only=True)
    begun = time.monotonic()
    try:
        add_files(reader, building)
    finally:
        reader.close()
    seconds = time.monotonic() - begun
    rows = {name: sum(count for count, _ in months.values()) for name, months in wanted.items()}
    size = path.stat().st_size
    record = {
        **facts,
        "run_id": run_id,
        "as_of": settings.as_of.isoformat(),
        "profile": settings.profile,
        "duckdb": duckdb.__version__,
        "bytes": size,
        "bytes_when_rewritten": before["bytes_when_rewritten"] if before else size,
        "relations": {
            name: {"rows": rows[name], "columns": columns[name], "months": wanted[name]} for name in sorted(names)
        },
    }
    (building / "snapshot.json").write_text(json.dumps(record, indent=1, default=str), encoding="utf-8")
    return rows, copied, links, seconds


def _usable(previous: Path | None) -> dict[str, Any] | None:
    """The snapshot before, when its file can be carried on: same DuckDB, not full of holes."""
    if previous is None:
        return None
    record: dict[str, Any] = json.loads((previous / "snapshot.json").read_text(encoding="utf-8"))
    grown = record["bytes"] > _GROWTH_BEFORE_REWRITE * record["bytes_when_rewritten"]
    return None if record["duckdb"] != duckdb.__version__ or grown else record


def _digest(connection: duckdb.DuckDBPyConnection, relation: str, by: str | None) -> dict[str, tuple[int, str]]:
    """Month → (rows, hash over the set of rows); relations without a charge date have one entry, `all`."""
    rows = connection.execute(
        f"select {_month(by)}, count(*), sum(hash(t)::hugeint) from warehouse.{relation} as t group by 1 order by 1"
    ).fetchall()
    return {m: (int(count), str(total)) for m, count, total in rows}


def _equals(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    by: str | None,
    wanted: dict[str, tuple[int, str]],
    known: dict[str, tuple[int, str]] | None,
) -> bool:
    """Whether a relation of the snapshot holds what the warehouse does: rows of every month, hash of those written now.

    Months taken over were compared when they were written; their bytes came with the copied file.
    """
    written = wanted if known is None else {m: w for m, w in wanted.items() if known.get(m) != w}
    month = _month(by)
    where = _in_months(by, written) or "false"
    found = connection.execute(
        f"select {month}, count(*), sum(hash(t)::hugeint) from snapshot.{name} as t where {where} group by 1"
    ).fetchall()
    rows = connection.execute(f"select {month}, count(*) from snapshot.{name} group by 1").fetchall()
    return {m: (int(c), str(h)) for m, c, h in found} == written and dict(rows) == {m: c for m, (c, _) in wanted.items()}


def _month(by: str | None) -> str:
    return f"coalesce(strftime({by}, '%Y-%m'), '{UNDATED}')" if by else f"'{WHOLE}'"


def _partition_column(columns: Iterable[str]) -> str | None:
    there = set(columns)
    return next((c for c in PARTITION_COLUMNS if c in there), None)


def _in_months(by: str | None, months: Iterable[str]) -> str:
    """Condition for the rows of these months, as ranges that let DuckDB skip what lies outside."""
    ranges = []
    for month in months:
        if month == WHOLE:
            return "true"
        if month == UNDATED:
            ranges.append(f"{by} is null")
        else:
            first = f"date '{month}-01'"
            ranges.append(f"{by} >= {first} and {by} < {first} + interval 1 month")
    return " or ".join(f"({r})" for r in ranges)


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Column → type of every relation of the warehouse, in their order. Asked once: the catalog is slow to list."""
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where database_name = 'warehouse' order by 1, column_index"
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for relation, column, kind in rows:
        found.setdefault(relation, {})[column] = kind
    return found


def _known(
    before: dict[str, Any] | None,
    names: Mapping[str, str],
    columns: Mapping[str, dict[str, str]],
) -> Digests:
    """Digests of the relations in the file carried on whose columns are still the same."""
    if before is None:
        return {}
    return {
        name: {m: (int(c), h) for m, (c, h) in facts["months"].items()}
        for name, facts in before["relations"].items()
        if name in names and list(facts["columns"].items()) == list(columns[name].items())
    }


def _drop_unnamed(connection: duckdb.DuckDBPyConnection, names: Mapping[str, str]) -> None:
    there = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'snapshot'"
    ).fetchall()
    for (name,) in there:
        if name not in names:
            connection.execute(f"drop table snapshot.{name}")


def _copy(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    relation: str,
    by: str | None,
    wanted: dict[str, tuple[int, str]],
    known: dict[str, tuple[int, str]] | None,
) -> int:
    """Bring one relation to the warehouse's content; returns how many months were written."""
    if known is None:
        connection.execute(f"create or replace table snapshot.{name} as select * from {relation}")
        return len(wanted)
    changed = sorted(m for m in wanted.keys() | known.keys() if wanted.get(m) != known.get(m))
    if not changed:
        return 0
    if WHOLE in changed:
        connection.execute(f"delete from snapshot.{name}")
        connection.execute(f"insert into snapshot.{name} select * from {relation}")
        return 1
    where = _in_months(by, changed)
    connection.execute(f"delete from snapshot.{name} where {where}")
    connection.execute(f"insert into snapshot.{name} select * from {relation} where {where}")
    return len(changed)


def _describe(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    present: Mapping[str, str],
    words: tuple[str, Mapping[str, str]] | None,
) -> None:
    if words is None:
        return
    connection.execute(f"comment on table snapshot.{name} is '{_quoted(words[0])}'")
    for column, text in words[1].items():
        if column in present and text:
            connection.execute(f"comment on column snapshot.{name}.\"{column}\" is '{_quoted(text)}'")


def _write_parquet(
    connection: duckdb.DuckDBPyConnection,
    building: Path,
    by: Mapping[str, str | None],
    wanted: Digests,
    previous: Path | None,
    known: Digests,
) -> int:
    """One file per relation and month; unchanged ones are hard links to the snapshot before. Returns the links."""
    links = 0
    for name, months in wanted.items():
        folder = building / "parquet" / name.replace(".", "/")
        folder.mkdir(parents=True)
        for month in months or {WHOLE: (0, "")}:
            file = folder / f"{month}.parquet"
            old = previous / file.relative_to(building) if previous else None
            if old is not None and old.is_file() and known.get(name, {}).get(month) == months.get(month):
                os.link(old, file)
                links += 1
                continue
            connection.execute(
                f"copy (select * from {name} where {_in_months(by[name], [month])}) to '{_quoted(str(file))}'"
                " (format parquet, compression zstd)"
            )
    return links


def _quoted(text: str) -> str:
    return text.replace("'", "''")
