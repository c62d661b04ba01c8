"""One small company with a closed month, built once; every test works on its own cheap copy of the home."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.cli import QUIET, materialise
from orchestration.progress import Progress
from orchestration.settings import Settings, load_settings
from sandbox.server import Sandbox, serving

# 26 September to 19 October at a fifth of the volume: September is closed, with invoices.
DAYS, SCALE = 24, 0.2


@dataclass
class Home:
    """One home with the settings to run it. `steps` (with their seconds) and `failed` are those of the last run."""

    path: Path
    environment: dict[str, str]
    steps: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def settings(self, **changes: str) -> Settings:
        """Settings of this home with some variables changed."""
        return load_settings({**self.environment, "AISL_HOME": str(self.path), **changes})

    def run(
        self, *, full: bool = False, days: tuple[dt.date, dt.date] | None = None, assets: str | None = None, **changes: str
    ) -> bool:
        """One run; whether it published. `days` asks again for exactly these, as `run --from --to` does; `assets` is a
        selection, as in Dagster's pages, of a home whose other assets are built."""
        progress = Progress(lambda _: None)
        done = materialise(self.settings(**changes), progress, full=full, days=days, assets=assets)
        self.steps, self.failed, self.failures = progress.seconds, progress.failed_checks, progress.failures
        return done

    def query(self, sql: str, *, published: bool = True) -> list[tuple[Any, ...]]:
        """Rows of the published snapshot or of the warehouse."""
        path = "published/current/warehouse.duckdb" if published else "warehouse/warehouse.duckdb"
        connection = duckdb.connect(str(self.path / path), read_only=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def copy(self, target: Path) -> Home:
        """The same home elsewhere: immutable files are linked, everything written in place is copied."""

        def link_or_copy(source: str, destination: str) -> None:
            if source.endswith((".parquet", ".gif", ".png", ".otf", ".js", ".svg", ".css")):
                os.link(source, destination)
            else:
                shutil.copy2(source, destination)

        shutil.copytree(self.path, target, symlinks=True, copy_function=link_or_copy)
        return Home(target, dict(self.environment))


# What most of these tests run on: every kind of source once. tests/pipeline/test_sources.py runs all of them.
CORE = ("anthropic", "openai", "litellm", "github", "gitlab", "jira", "linear")


# Not content but how it came: the run, the delivery a row was read from, and when it was looked at.
AUDIT = {"run_id", "fetched_at", "built_at", "x_Delivery", "last_checked_at"}
# Counts of deliveries and windows: a day fetched twice on the way is counted twice.
AUDIT_OF = {"marts.source_freshness": {"windows", "failed_windows", "restatements", "rejects"}}
# S5 looks at the periods frozen before the run: a run that freezes one is the first in which it can apply.
ROWS = {"marts.focus_conformance": "rule_id <> 'S5'"}


def content(home: Home) -> dict[str, tuple[int, str]]:
    """Rows and hash of every published relation without audit columns, whatever the order: what builds are compared by."""
    connection = duckdb.connect(str(home.path / "published/current/warehouse.duckdb"), read_only=True)
    try:
        relations = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by 1"
        ).fetchall()
        found = {r: hashes(connection, r, where=ROWS.get(r, "true")).get((), (0, "0")) for (r,) in relations}
    finally:
        connection.close()
    assert found["focus.cost_and_usage"][0] > 0
    return found


def hashes(
    connection: duckdb.DuckDBPyConnection, relation: str, by: tuple[str, ...] = (), where: str = "true"
) -> dict[tuple[Any, ...], tuple[int, str]]:
    """Rows and hash of a relation's rows for each value of the columns `by`, without audit columns."""
    schema, _, table = relation.partition(".")
    columns = connection.execute(
        "select column_name from duckdb_columns() where schema_name = ? and table_name = ? order by 1", [schema, table]
    ).fetchall()
    audit = AUDIT | AUDIT_OF.get(relation, set())
    kept = ", ".join(f'"{c}"' for (c,) in columns if c not in audit and not c.startswith("raw_"))
    keys = "".join(f"{c}, " for c in by)
    rows = connection.execute(
        f"select {keys}count(*), sum(hash(row({kept}))::hugeint)::varchar from {relation} where {where}"
        + (f" group by {', '.join(by)}" if by else " having count(*) > 0")
    ).fetchall()
    return {row[: len(by)]: row[len(by) :] for row in rows}


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """No telemetry from any tool."""
    patch = pytest.MonkeyPatch()
    for name, value in QUIET.items():
        patch.setenv(name, value)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """The company's vendors on loopback."""
    with serving(tmp_path_factory.mktemp("sandbox"), days=DAYS, scale=SCALE, only=CORE) as (sandbox, port):
        yield sandbox, sandbox.environment(port)


@pytest.fixture
def vendors(served: tuple[Sandbox, dict[str, str]]) -> Iterator[Sandbox]:
    """The vendors, honest again after the test."""
    served[0].reset()
    yield served[0]
    served[0].reset()


@pytest.fixture(scope="session")
def built(served: tuple[Sandbox, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home after one undisturbed run of the core sources at the end of the company's days."""
    home = Home(tmp_path_factory.mktemp("built") / "home", served[1])
    assert home.run(), (home.failed, home.failures)
    return home


@pytest.fixture
def home(built: Home, vendors: Sandbox, tmp_path: Path) -> Home:
    """A copy of the built home that the test may spoil."""
    return built.copy(tmp_path / "home")
