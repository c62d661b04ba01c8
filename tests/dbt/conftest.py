"""A small warehouse for dbt tests: raw relations from literal rows, dbt run in this process.

`raw_warehouse({"anthropic__cost_report": [{...}], ...})` gives a `Warehouse` on a file of its own: every raw relation exists with
the columns of the catalog, empty unless rows are given, and all seeds are loaded. A row names only the columns that matter.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

from ingestion.catalog import AUDIT_COLUMNS, BY_KEY
from orchestration.frames import DERIVED_RELATIONS, MANIFEST_COLUMNS, REJECT_COLUMNS

PROJECT = Path(__file__).parents[2] / "dbt_project"
TYPES = {
    "text": "varchar", "money_text": "varchar", "json": "varchar", "int": "bigint", "bool": "boolean",
    "ts": "timestamptz", "date": "date",
}  # fmt: skip
CONTEXT_COLUMNS = {
    "as_of": "timestamp", "as_of_date": "date", "start_date": "date", "profile": "varchar", "run_id": "varchar",
    "reporting_currency": "varchar", "is_full_rebuild": "boolean",
}  # fmt: skip
PERIOD_COLUMNS = {
    "source": "varchar", "account": "varchar", "billing_period": "date", "content_hash": "varchar", "frozen_at": "timestamp",
}  # fmt: skip
ALWAYS_WHOLE = ("invoices", "prices", "seats", "expenses", "outcomes", "evaluations")
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """A model that is a table: its place, and the query of its first build with the types of its contract."""

    name: str
    relation: str
    query: str
    is_incremental: bool

    @classmethod
    def of(cls, node: Any) -> Table:
        """Taken out of dbt's node, which the next invocation compiles anew."""
        columns = ", ".join(f'cast("{c.name}" as {c.data_type}) as "{c.name}"' for c in node.columns.values())
        chosen = columns if node.contract.enforced else "*"
        return cls(node.name, f"{node.schema}.{node.alias}", f"select {chosen} from ({node.compiled_code})",
                   node.config.materialized == "incremental")  # fmt: skip


class Project:
    """dbt's parsed project, and the SQL that dbt compiled of each model for its first build."""

    def __init__(self, path: Path) -> None:
        result = invoke(["parse"], path)
        assert result.success, messages(result)
        self.parsed: Any = result.result
        self.tables: list[Table] = []
        self._selected: dict[tuple[str, ...], frozenset[str]] = {}

    def first_build(self, select: tuple[str, ...], path: Path) -> list[Table]:
        """The selected tables in the order dbt built them."""
        if select not in self._selected:
            result = invoke(["list", "--select", *select, "--resource-type", "model", "--output", "name"], path, self.parsed)
            assert result.success, messages(result)
            self._selected[select] = frozenset(result.result)
        return [t for t in self.tables if t.name in self._selected[select]]


class Warehouse:
    """One DuckDB file with raw relations; `build` runs dbt on it, `rows` reads it."""

    def __init__(self, path: Path, project: Project) -> None:
        self.path = path
        self._project = project
        self._filled: set[str] = set()

    def land(
        self,
        frames: Mapping[str, Rows],
        *,
        scope: Sequence[tuple[str, str, str]] | None = None,
        as_of: str = "2026-11-20T06:00:00",
        start_date: str = "2025-09-01",
        full: bool = True,
        reporting_currency: str = "USD",
    ) -> Warehouse:
        """Replace every raw relation by `frames` (relation name to rows; missing names become empty).

        `scope`: (source, account, day) to rebuild; by default every charge day that `frames` has rows for.
        """
        frozen = frames.get("frozen_charges")
        with self.connect() as connection:
            connection.execute("create schema if not exists raw")
            for key, dataset in BY_KEY.items():
                if key in frames or key in self._filled:
                    columns = {c: TYPES[t] for c, t in dataset.schema.items()}
                    _create(connection, key, columns, _with_audit_columns(key, frames.get(key, ())))
            self._filled = set(frames)
            manifest = {**MANIFEST_COLUMNS, "is_current": "boolean", "is_whole": "boolean", "position": "bigint"}
            _create(connection, "manifest", manifest, frames.get("manifest", ()))
            _create(connection, "rejects", REJECT_COLUMNS, frames.get("rejects", ()))
            _create(connection, "frozen_charges", self.contract("focus_cost_and_usage"), frozen or ())
            _create(connection, "frozen_periods", PERIOD_COLUMNS, frames.get("frozen_periods", ()))
            for name, (_, columns) in DERIVED_RELATIONS.items():
                _create(connection, name, columns, frames.get(name, ()))
            days = _charge_days(frames) if scope is None else sorted(set(scope))
            in_scope = [dict(zip(("source", "account", "charge_date"), d, strict=True)) for d in days]
            _create(connection, "scope", {"source": "varchar", "account": "varchar", "charge_date": "date"}, in_scope)
            context = {
                "as_of": as_of, "as_of_date": as_of[:10], "start_date": start_date, "profile": "sandbox", "run_id": "test",
                "reporting_currency": reporting_currency, "is_full_rebuild": full,
            }  # fmt: skip
            _create(connection, "run_context", CONTEXT_COLUMNS, [context])
        return self

    def seed(self, name: str, rows: Rows) -> Warehouse:
        """Replace the rows of a loaded seed; columns that a row leaves out are null."""
        with self.connect() as connection:
            connection.execute(f"delete from seeds.{name}")
            for row in rows:
                names = ", ".join(row)
                marks = ", ".join("?" for _ in row)
                connection.execute(f"insert into seeds.{name} ({names}) values ({marks})", list(row.values()))
        return self

    def build(self, *select: str, tests: bool = False, full_refresh: bool = False) -> dbtRunnerResult | None:
        """Run the selected models (with their data tests if asked); fails the test when dbt fails, unless tests ran.

        What a first build or a full one comes to is known since the file was made, so then dbt's SQL is run without dbt:
        most of these tests are about what the SQL gives. Tests, and incremental builds on what is there, are dbt's own.
        """
        if not tests and self._build_first(select, full_refresh):
            return None
        command = "build" if tests else "run"
        arguments = [command, "--select", *select, "--indirect-selection", "cautious"]
        if not tests:
            # Views read whatever is landed, so the ones the file came with are as good.
            arguments += ["--exclude", "config.materialized:view"]
        if tests:
            arguments += ["--exclude-resource-type", "unit_test", "--exclude-resource-type", "seed"]
        if full_refresh:
            arguments.append("--full-refresh")
        result = invoke(arguments, self.path, self._project.parsed)
        if not tests:
            assert result.success, messages(result)
        return result

    def _build_first(self, select: tuple[str, ...], is_full: bool) -> bool:
        """Whether everything selected is new or made anew by every build; then it is."""
        tables = self._project.first_build(select, self.path)
        with self.connect() as connection:
            there = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
            if not is_full and any(t.is_incremental and t.name in there for t in tables):
                return False
            for table in tables:
                connection.execute(f"create or replace table {table.relation} as {table.query}")
        return True

    def unit_tests(self, *models: str) -> dbtRunnerResult:
        """Run the dbt unit tests of models whose inputs are already built."""
        select = [f"{model},test_type:unit" for model in models]
        return invoke(["test", "--select", *select], self.path, self._project.parsed)

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query as dictionaries."""
        with self.connect() as connection:
            cursor = connection.execute(sql, list(parameters))
            names = [d[0] for d in cursor.description or ()]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def contract(self, model: str) -> dict[str, str]:
        """Column to SQL type of a model's contract."""
        nodes = self._project.parsed.nodes.values()
        node = next(n for n in nodes if n.name == model and n.resource_type == "model")
        return {c.name: "varchar" if c.data_type == "string" else str(c.data_type) for c in node.columns.values()}

    @contextlib.contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A session in UTC on the file, which stays open until dbt or `release` needs it: opening reads the whole catalog."""
        if self.path not in _OPEN:
            _OPEN[self.path] = duckdb.connect(str(self.path), config={"threads": 1})
        with _OPEN[self.path].cursor() as session:
            session.execute("set TimeZone = 'UTC'")
            yield session


_OPEN: dict[Path, duckdb.DuckDBPyConnection] = {}


def release(path: Path) -> None:
    """Close the file, so that another opens it."""
    if path in _OPEN:
        _OPEN.pop(path).close()


def drop(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Drop a table or view that may be there."""
    for kind in ("view", "table"):
        with contextlib.suppress(duckdb.CatalogException):
            connection.execute(f"drop {kind} if exists {relation}")


def invoke(arguments: Sequence[str], path: Path, parsed: Any = None) -> dbtRunnerResult:
    """dbt in this process on the warehouse file at `path`, which is closed again afterwards."""
    folder = str(PROJECT)
    common = ["--project-dir", folder, "--profiles-dir", folder, "--target-path", str(path.parent / "target")]
    values = {
        "AISL_WAREHOUSE_PATH": str(path), "AISL_WAREHOUSE_TEMP": str(path.parent / "spill"), "AISL_PROFILE": "sandbox",
        "AISL_MEMORY_LIMIT": "1GB", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    release(path)
    try:
        runner = dbtRunner(manifest=parsed) if parsed is not None else dbtRunner()
        return runner.invoke(["--quiet", "--log-level-file", "none", *arguments, *common, "--no-write-json"])
    finally:
        DuckDBConnectionManager.close_all_connections()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def messages(result: dbtRunnerResult) -> str:
    """What failed, for an assertion's message."""
    if result.exception is not None:
        return str(result.exception)
    failed = [r for r in result.result.results if r.status not in ("success", "pass", "warn", "skipped")]
    return "\n".join(f"{r.node.name}: {r.status} {r.message}" for r in failed)


def statuses(result: dbtRunnerResult) -> dict[str, str]:
    """Name of each node that ran to its status."""
    return {r.node.name: str(r.status) for r in result.result.results}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """dbt's parsed project, made once per test session."""
    return Project(tmp_path_factory.mktemp("parse") / "warehouse.duckdb")


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Path:
    """A warehouse file with all seeds loaded, every dataset empty and all views there, but no table; copied for each test."""
    path = tmp_path_factory.mktemp("seeds") / "warehouse.duckdb"
    result = invoke(["seed"], path, project.parsed)
    assert result.success, messages(result)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists raw")
        for key, dataset in BY_KEY.items():
            _create(connection, key, {c: TYPES[t] for c, t in dataset.schema.items()}, ())
    Warehouse(path, project).land({})
    result = invoke(["run", "--full-refresh"], path, project.parsed)
    assert result.success, messages(result)
    project.tables = [Table.of(r.node) for r in result.result.results if r.node.config.materialized != "view"]
    with duckdb.connect(str(path)) as connection:
        for table in project.tables:
            connection.execute(f"drop table {table.relation}")
    return path


@pytest.fixture
def raw_warehouse(
    tmp_path: Path, seeded_file: Path, project: Project
) -> Iterator[Callable[..., Warehouse]]:
    """Function that makes a `Warehouse` from frames; its arguments are those of `Warehouse.land`."""
    made = 0

    def make(frames: Mapping[str, Rows], **arguments: Any) -> Warehouse:
        nonlocal made
        made += 1
        # The file's name is the database name in compiled SQL, so it is the same in every folder.
        folder = tmp_path / f"warehouse{made}"
        folder.mkdir()
        shutil.copy(seeded_file, folder / "warehouse.duckdb")
        return Warehouse(folder / "warehouse.duckdb", project).land(frames, **arguments)

    yield make
    for number in range(made):
        release(tmp_path / f"warehouse{number + 1}" / "warehouse.duckdb")


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Rows) -> None:
    declared = ", ".join(f'"{column}" {sql_type}' for column, sql_type in columns.items())
    connection.execute(f"drop table if exists raw.{name}")
    connection.execute(f"create table raw.{name} ({declared})")
    for row in rows:
        unknown = set(row) - set(columns)
        assert not unknown, f"raw.{name} has no columns {sorted(unknown)}"
        names = ", ".join(f'"{c}"' for c in row)
        connection.execute(
            f"insert into raw.{name} ({names}) values ({', '.join('?' for _ in row)})", list(row.values())
        )


def _with_audit_columns(key: str, rows: Rows) -> list[dict[str, Any]]:
    dataset = BY_KEY[key]
    completed = []
    for ordinal, row in enumerate(rows):
        window = row.get("raw_window") or _window(key, row)
        account = row.get("raw_account", "main")
        audit = {
            "raw_source": dataset.source, "raw_account": account, "raw_dataset": dataset.name, "raw_window": window,
            "raw_delivery_id": f"{key}-{account}-{window}", "raw_ordinal": ordinal,
            "raw_fetched_at": "2026-11-20T05:00:00+00", "raw_run_id": "test",
        }  # fmt: skip
        assert set(audit) == set(AUDIT_COLUMNS)
        completed.append({**audit, **row})
    return completed


def _window(key: str, row: Mapping[str, Any]) -> str:
    dataset = BY_KEY[key]
    if dataset.window == "month":
        return str(row.get("BillingPeriodStart", "2026-11"))[:7]
    if dataset.window == "file":
        return str(row.get("file_name", "file"))
    if dataset.window == "snapshot":
        return "2026-11-20"
    named = ("updated_at", "created_at") if dataset.window == "updated" else ()
    times = [c for c, t in dataset.columns.items() if t in ("ts", "date")]
    found = next((row[c] for c in (*named, *times) if row.get(c) is not None), "2026-11-19")
    return str(found)[:10]


def _charge_days(frames: Mapping[str, Rows]) -> list[tuple[str, str, str]]:
    days = set()
    for key, rows in frames.items():
        dataset = BY_KEY.get(key)
        if dataset is None or dataset.window not in ("day", "month", "file") or dataset.source in ALWAYS_WHOLE:
            continue
        for row in rows:
            found = [row.get(c) for c in ("ChargePeriodStart", "usage_start", "interval_usage_start", "usage_date")]
            day = next((str(v)[:10] for v in found if v), None) or _window(key, row)
            dt.date.fromisoformat(day)
            days.add((dataset.source, row.get("raw_account", "main"), day))
    return sorted(days)
