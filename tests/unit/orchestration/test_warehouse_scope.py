"""What a build is asked to rebuild: exactly the source-days whose current delivery is not the one last built."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from ingestion.lake import Lake, LocalLake
from ingestion.manifest import Delivery
from orchestration import warehouse
from orchestration.settings import Settings, load_settings

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
