"""The published snapshot: equal to the warehouse or not published, switched at once, pruned by count."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration import publish
from orchestration.settings import Settings, load_settings

NAMES = {"marts.daily_spend": "marts.mart_daily_spend", "ledger.people": "ledger.dim_person"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings({"AISL_HOME": str(tmp_path), "AISL_AS_OF": "2026-10-20T06:00:00Z", "AISL_SNAPSHOTS_TO_KEEP": "2"})
    write(
        found,
        "create schema marts; create schema ledger;"
        "create table marts.mart_daily_spend as select * from (values (date '2026-09-30', 1.10::decimal(38, 14)),"
        " (date '2026-10-01', 2.20), (null, 0.30)) as t(charge_date, billed_cost);"
        "create view ledger.dim_person as select 'p1' as person_id",
    )
    return found


def write(settings: Settings, sql: str) -> None:
    settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(str(settings.warehouse_path))
    connection.execute(sql)
    connection.close()


def once(settings: Settings, run_id: str, add: Callable[..., None] = lambda connection, folder: None) -> publish.Snapshot:
    described = {"marts.daily_spend": ("One row per day.", {"billed_cost": "Billed. Unit: USD."})}
    return publish.publish(settings, NAMES, run_id=run_id, describe=described, facts={}, add_files=add)


def rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    connection = duckdb.connect(str(settings.published_dir / "current/warehouse.duckdb"), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_snapshot_stands_alone_with_words_and_parquet(settings: Settings) -> None:
    snapshot = once(settings, "run-0001")
    settings.warehouse_path.unlink()
    assert rows(settings, "select sum(billed_cost)::varchar from marts.daily_spend") == [("3.60000000000000",)]
    assert rows(settings, "select person_id from ledger.people") == [("p1",)]
    assert rows(settings, "select comment from duckdb_tables() where table_name = 'daily_spend'") == [("One row per day.",)]
    files = sorted(p.name for p in (snapshot.path / "parquet/marts/daily_spend").iterdir())
    assert files == ["2026-09.parquet", "2026-10.parquet", "none.parquet"]


def test_only_changed_months_are_written_again(settings: Settings) -> None:
    first = once(settings, "run-0001")
    write(settings, "update marts.mart_daily_spend set billed_cost = 5 where charge_date = date '2026-10-01'")
    second = once(settings, "run-0002")
    assert (second.copied, second.taken_over) == (1, 3)
    kept = "parquet/marts/daily_spend/2026-09.parquet"
    assert (first.path / kept).samefile(second.path / kept)
    assert rows(settings, "select sum(billed_cost)::varchar from marts.daily_spend") == [("6.40000000000000",)]


def test_a_relation_without_charge_days_is_cut_by_its_charge_periods(settings: Settings) -> None:
    write(
        settings,
        "create or replace view ledger.dim_person as select cost as billed_cost, day::timestamp as \"ChargePeriodStart\""
        " from (values (date '2026-08-31', 1), (date '2026-09-01', 2), (date '2026-09-30', 3)) as t(day, cost)",
    )
    snapshot = once(settings, "run-0001")
    files = sorted(p.name for p in (snapshot.path / "parquet/ledger/people").iterdir())
    assert files == ["2026-08.parquet", "2026-09.parquet"]
    read = f"select sum(billed_cost) from '{snapshot.path}/parquet/ledger/people/2026-09.parquet'"
    assert rows(settings, read) == [(5,)]


def test_a_month_that_vanished_is_gone_and_new_columns_arrive(settings: Settings) -> None:
    once(settings, "run-0001")
    write(settings, "delete from marts.mart_daily_spend where charge_date = date '2026-09-30'")
    once(settings, "run-0002")
    assert rows(settings, "select count(*) from marts.daily_spend") == [(2,)]
    write(settings, "alter table marts.mart_daily_spend add column calls bigint default 7")
    once(settings, "run-0003")
    assert rows(settings, "select distinct calls from marts.daily_spend") == [(7,)]


def test_a_failure_while_building_leaves_the_link_and_nothing_aside(settings: Settings) -> None:
    kept = once(settings, "run-0001").path

    def broken(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        once(settings, "run-0002", broken)
    assert publish.current(settings) == kept
    assert not list(settings.published_dir.glob(".*"))


def test_a_snapshot_that_differs_from_the_warehouse_is_not_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = once(settings, "run-0001").path
    write(settings, "update marts.mart_daily_spend set billed_cost = 9 where charge_date = date '2026-10-01'")
    monkeypatch.setattr(publish, "_copy", lambda *_: 0)
    with pytest.raises(publish.SnapshotDiffers, match=r"marts\.daily_spend"):
        once(settings, "run-0002")
    assert publish.current(settings) == kept


def test_what_a_killed_run_left_is_removed_by_the_next(settings: Settings) -> None:
    (settings.published_dir / ".building-dead").mkdir(parents=True)
    once(settings, "run-0001")
    assert not (settings.published_dir / ".building-dead").exists()


def test_old_snapshots_are_pruned_by_count_and_the_current_one_never(settings: Settings) -> None:
    for number in range(1, 6):
        os.utime(once(settings, f"run-000{number}").path, (number, number))
    left = sorted(p.name[-8:] for p in settings.published_dir.iterdir() if not p.is_symlink())
    assert left == ["run-0003", "run-0004", "run-0005"]
    assert json.loads((settings.published_dir / "current/snapshot.json").read_text())["run_id"] == "run-0005"
