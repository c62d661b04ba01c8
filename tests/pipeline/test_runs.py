"""Running again, out of order, killed, restated, watched: the marts are those of an undisturbed run."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from sandbox import canaries
from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, content, instant

ROOT = Path(__file__).resolve().parents[2]


def test_one_run_lands_attributes_ties_out_and_publishes(built: Home) -> None:
    rows = dict(built.query("select fidelity_tier, sum(cost) from marts.attribution_coverage where team is null group by 1"))
    assert sum(rows.values()) > 0 and rows.get("call", 0) > 0
    assert built.query("select count(*) from marts.invoice_tie_out where state = 'difference'") == [(0,)]
    [(focus, ledger)] = built.query(
        "select (select sum(BilledCost) from focus.cost_and_usage), (select sum(BilledCost) from ledger.attribution)"
    )
    assert focus == ledger
    for name in ("review.html", "review.xlsx", "snapshot.json", "warehouse.duckdb"):
        assert (built.path / "published/current" / name).stat().st_size > 0


def test_every_published_relation_is_there_as_parquet_with_the_same_rows(built: Home) -> None:
    record = json.loads((built.path / "published/current/snapshot.json").read_text())
    connection = duckdb.connect()
    for name, facts in record["relations"].items():
        folder = built.path / "published/current/parquet" / name.replace(".", "/")
        row = connection.execute(f"select count(*) from read_parquet('{folder}/*.parquet')").fetchone()
        assert row == (facts["rows"],), name


def test_the_same_day_twice_changes_nothing(home: Home) -> None:
    before = content(home)
    assert home.run(), (home.failed, home.failures)
    assert content(home) == before
    assert home.query("select count(*) from raw.scope", published=False) == [(0,)]


def test_an_incremental_build_equals_a_full_one(home: Home) -> None:
    before = content(home)
    assert home.run(full=True), (home.failed, home.failures)
    assert content(home) == before


def test_days_out_of_order_give_the_same_marts(built: Home, vendors: Sandbox, tmp_path: Path) -> None:
    end = built.settings().as_of.date()
    home = Home(tmp_path / "home", dict(built.environment))
    for back in (4, 0):
        day = end - dt.timedelta(days=back)
        vendors.change(clock=dt.datetime(day.year, day.month, day.day, 6, tzinfo=dt.UTC))
        assert home.run(AISL_AS_OF=instant(day)), (home.failed, home.failures)
    assert content(home) == content(built)


def test_a_restated_day_changes_its_source_and_day_and_nothing_else(home: Home, vendors: Sandbox) -> None:
    spend = "select x_SourceId, charge_date, sum(BilledCost) from focus.cost_and_usage group by all"
    before = {row[:2]: row[2] for row in home.query(spend)}
    day = home.settings().last_complete_day - dt.timedelta(days=2)
    vendors.change(faults=[{"kind": "restated_day", "vendor": "anthropic", "day": day.isoformat()}])
    assert home.run(), (home.failed, home.failures)
    after = {row[:2]: row[2] for row in home.query(spend)}
    assert {key for key in before | after if before.get(key) != after.get(key)} == {("anthropic", day)}
    assert after["anthropic", day] > before["anthropic", day]


def _killed(home: Home, seconds: float) -> None:
    """Start a run as a process of its own and kill it, with what it started, after some seconds."""
    environment = {**os.environ, **home.environment, "AISL_HOME": str(home.path), "PYTHONPATH": str(ROOT)}
    code = (
        "from orchestration.settings import load_settings; from orchestration.cli import materialise;"
        "from orchestration.progress import Progress;"
        "materialise(load_settings(), Progress(lambda line: None), full=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert alive, "the run was over before the kill"


def test_two_kills_and_a_rerun_give_the_marts_of_an_undisturbed_run(home: Home) -> None:
    before = content(home)
    for seconds in (8.0, 16.0):
        _killed(home, seconds)
        assert content(home) == before, "a killed run changed what readers see"
    assert home.run(), (home.failed, home.failures)
    assert content(home) == before
    assert not list((home.path / "published").glob(".building-*"))


def test_a_reader_neither_blocks_a_run_nor_sees_half_of_it(home: Home) -> None:
    reader = duckdb.connect(str(home.path / "published/current/warehouse.duckdb"), read_only=True)
    try:
        question = "select count(*), sum(BilledCost) from focus.cost_and_usage"
        before = reader.execute(question).fetchone()
        assert home.run(), (home.failed, home.failures)
        assert reader.execute(question).fetchone() == before
    finally:
        reader.close()


def _texts() -> list[str]:
    found = [v for n, v in vars(canaries).items() if n.isupper() and isinstance(v, str) and len(v) > 8]
    assert found
    return found


def test_no_prompt_text_and_no_secret_is_written_anywhere(built: Home) -> None:
    needles = [t.encode() for t in (*_texts(), *built.settings().secret_values) if len(t) > 8]
    guilty = []
    connection = duckdb.connect()
    for path in sorted(p for p in built.path.rglob("*") if p.is_file() and not p.is_symlink()):
        blob = path.read_bytes()
        if path.suffix == ".parquet":  # compressed: read the values
            rows = connection.execute(f"select * from read_parquet('{path}')").fetchall()
            blob = repr(rows).encode()
        guilty += [f"{path.relative_to(built.path)}: {n[:8]!r}" for n in needles if n in blob]
    for file in ("warehouse/warehouse.duckdb", "published/current/warehouse.duckdb"):
        database = duckdb.connect(str(built.path / file), read_only=True)
        tables = database.execute(
            "select table_schema, table_name from information_schema.tables where table_schema <> 'information_schema'"
        ).fetchall()
        for schema, table in tables:
            blob = repr(database.execute(f'select * from "{schema}"."{table}"').fetchall()).encode()
            guilty += [f"{schema}.{table}: {n[:8]!r}" for n in needles if n in blob]
        database.close()
    assert guilty == []
