"""What a build is asked to rebuild: exactly the source-days whose current delivery is not the one last built."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import duckdb
import msgspec
import polars as pl
import pytest
import yaml

from ingestion.catalog import BY_KEY, SOURCES
from ingestion.lake import Lake, LocalLake
from ingestion.landing import to_parquet
from ingestion.manifest import Delivery
from ingestion.records import polars_type
from orchestration import warehouse
from orchestration.frames import DECISION_RELATIONS, decision_key
from orchestration.settings import DBT_PROJECT, Settings, load_settings

AT = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)


def delivery(dataset: str, window: str, delivery_id: str, days: list[str] | None = None) -> Delivery:
    source, name = dataset.split("__")
    return Delivery(
        delivery_id=delivery_id, source=source, dataset=name, account="default", window=window, window_start=AT,
        window_end=AT, state="complete", rows=0, rejects=0, content_hash=delivery_id, control_total=None,
        control_unit=None, path=None, fetched_at=AT, checked_at=AT, run_id="r", pages=1, days=days,
    )  # fmt: skip


class World:
    """A home with an empty lake to which deliveries are added."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings({"AISL_HOME": str(folder), "AISL_AS_OF": "2026-10-20T06:00:00Z"})
        self.lake: Lake = LocalLake(folder / "lake")

    def add(self, *found: Delivery) -> None:
        for one in found:
            key = f"manifest/{one.source}/{one.dataset}.jsonl"
            self.lake.write(key, (self.lake.read(key) or b"") + msgspec.json.encode(one) + b"\n")

    def prepare(self, fingerprint: str = "f", full: bool = False) -> set[str]:
        done = warehouse.prepare(
            self.settings, self.lake, frozen_columns={"x": "varchar"}, fingerprint=fingerprint, run_id="r", full=full
        )
        with warehouse.session(self.settings) as connection:
            rows = connection.execute("select source || ' ' || charge_date from raw.scope").fetchall()
        assert done.scope_days == len(rows)
        return {text for (text,) in rows}


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.add(
        delivery("anthropic__cost_report", "2026-10-18", "c18"),
        delivery("anthropic__cost_report", "2026-10-19", "c19"),
        delivery("anthropic__usage_messages", "2026-10-19", "u19"),
        delivery("files__focus", "aaaa", "f1", ["2026-09-01", "2026-09-02"]),
        delivery("files__focus", "bbbb", "f2", ["2026-09-02", "2026-09-03"]),
        delivery("files__focus", "cccc", "f3", ["2026-10-05"]),
        delivery("invoices__lines", "dddd", "i1", ["2026-09-01"]),
    )
    return found


EVERYTHING = {
    "anthropic 2026-10-18", "anthropic 2026-10-19", "files 2026-09-01", "files 2026-09-02", "files 2026-09-03",
    "files 2026-10-05",
}  # fmt: skip


def test_the_first_build_rebuilds_everything_and_the_next_one_nothing(world: World) -> None:
    assert world.prepare() == EVERYTHING
    warehouse.mark_built(world.settings)
    assert world.prepare() == set()


def test_a_build_that_never_reached_the_ledger_is_done_again(world: World) -> None:
    world.prepare()
    assert world.prepare() == EVERYTHING


def test_a_restated_day_is_rebuilt_alone(world: World) -> None:
    world.prepare()
    warehouse.mark_built(world.settings)
    world.add(delivery("anthropic__cost_report", "2026-10-18", "c18b"))
    assert world.prepare() == {"anthropic 2026-10-18"}


def test_a_changed_file_takes_the_files_that_share_a_day_with_it(world: World) -> None:
    world.prepare()
    warehouse.mark_built(world.settings)
    world.add(delivery("files__focus", "aaaa", "f1b", ["2026-09-01", "2026-09-02"]))
    assert world.prepare() == {"files 2026-09-01", "files 2026-09-02", "files 2026-09-03"}


def test_days_that_a_new_content_no_longer_has_are_rebuilt_too(world: World) -> None:
    world.prepare()
    warehouse.mark_built(world.settings)
    world.add(delivery("files__focus", "cccc", "f3b", ["2026-10-06"]))
    assert world.prepare() == {"files 2026-10-05", "files 2026-10-06"}


def test_a_day_of_requests_in_scope_is_in_scope_for_every_source_that_logs_requests(world: World) -> None:
    world.add(
        delivery("litellm__spend_logs", "2026-10-12", "l12"),
        delivery("litellm__spend_logs", "2026-10-13", "l13"),
        delivery("litellm__spend_logs", "2026-10-14", "l14"),
        delivery("otel__spans", "aaaa", "o1", ["2026-10-13", "2026-10-14"]),
    )
    world.prepare()
    warehouse.mark_built(world.settings)
    world.add(delivery("litellm__spend_logs", "2026-10-12", "l12b"))
    assert world.prepare() == {"litellm 2026-10-12"}
    warehouse.mark_built(world.settings)
    # One day of the gateway takes the telemetry file of that day, the file its other day, and that day the gateway's.
    world.add(delivery("litellm__spend_logs", "2026-10-13", "l13b"))
    assert world.prepare() == {"litellm 2026-10-13", "litellm 2026-10-14", "otel 2026-10-13", "otel 2026-10-14"}


def test_a_day_that_telemetry_no_longer_has_is_rebuilt_for_the_gateway_too(world: World) -> None:
    world.add(delivery("litellm__spend_logs", "2026-10-13", "l13"), delivery("otel__spans", "aaaa", "o1", ["2026-10-13"]))
    world.prepare()
    warehouse.mark_built(world.settings)
    world.add(delivery("otel__spans", "aaaa", "o1b", ["2026-10-16"]))
    assert world.prepare() == {"litellm 2026-10-13", "otel 2026-10-13", "otel 2026-10-16"}


def test_another_project_or_a_wish_rebuilds_everything(world: World) -> None:
    world.prepare()
    warehouse.mark_built(world.settings)
    assert world.prepare(fingerprint="other") == EVERYTHING
    warehouse.mark_built(world.settings)
    assert world.prepare(fingerprint="other", full=True) == EVERYTHING


def test_a_second_process_is_told_who_has_the_file(world: World) -> None:
    import subprocess
    import sys

    world.prepare()
    code = f"import duckdb, sys; held = duckdb.connect({str(world.settings.warehouse_path)!r}); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None and other.stdout.readline().strip() == "open"
        with (
            pytest.raises(warehouse.WarehouseBusy, match="published/current"),
            warehouse.session(world.settings),
        ):
            pass
    finally:
        other.communicate()


def test_a_tracker_keeps_its_rows_and_takes_in_only_what_came(world: World) -> None:
    def landed(window: str, delivery_id: str, issue: str) -> Delivery:
        path = f"raw/jira/issues/window={window}/default-{delivery_id}.parquet"
        rows = pl.DataFrame({"id": [issue], "key": [f"ACME-{issue}"], "raw_delivery_id": [delivery_id]})
        columns = {n: pl.Series([None], dtype=polars_type(k)) for n, k in BY_KEY["jira__issues"].schema.items()}
        frame = pl.DataFrame(columns).with_columns(rows)
        world.lake.write(path, to_parquet(frame))
        return msgspec.structs.replace(delivery("jira__issues", window, delivery_id), path=path, rows=1)

    def rows() -> list[tuple[str, str]]:
        with warehouse.session(world.settings) as connection:
            return connection.execute('select raw_delivery_id, id from raw."jira__issues" order by all').fetchall()

    world.add(landed("2026-10-18", "a", "1"), landed("2026-10-19", "b", "2"))
    world.prepare()
    warehouse.mark_built(world.settings)
    assert rows() == [("a", "1"), ("b", "2")]
    (world.settings.home / "lake/raw/jira/issues/window=2026-10-18/default-a.parquet").unlink()
    world.add(landed("2026-10-19", "c", "3"))
    world.prepare()
    assert rows() == [("a", "1"), ("c", "3")], "the lost file of an unchanged delivery is not read again"
    with pytest.raises(warehouse.DeliveryUnreadable):
        world.prepare(full=True)



def test_sources_that_log_requests_are_those_that_hand_requests_over() -> None:
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())
    handed_over = {model.removeprefix("stg_").split("__")[0] for model in project["vars"]["request_models"]}
    assert handed_over == {name for name, source in SOURCES.items() if source.logs_requests}


def test_results_of_an_earlier_release_are_read_with_nulls_for_newer_columns(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    buffer = io.BytesIO()
    pl.DataFrame({"incident_id": ["a"], "excess": [5.0]}).write_parquet(buffer)
    lake.write(decision_key("incidents"), buffer.getvalue())
    connection = duckdb.connect()
    connection.execute("create schema raw")
    warehouse._create_derived(connection, lake, "incidents")
    assert connection.execute("select incident_id, excess, excess_lo80, owner from raw.incidents").fetchall() == [("a", 5.0, None, None)]
    wanted = DECISION_RELATIONS["incidents"]
    assert {r[0]: r[1].lower() for r in connection.execute("describe raw.incidents").fetchall()} == wanted
