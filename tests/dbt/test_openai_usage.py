"""Staging of OpenAI's usage kinds beside tokens: one row per day and dimensions, and no second row of the same."""

from __future__ import annotations

import shutil

import pytest

from ingestion.catalog.openai import USAGE_KINDS
from tests.dbt.conftest import Warehouse, statuses


def rows(dataset, *days):
    measures = {c: 7 for c, kind in dataset.columns.items() if kind == "int"}
    return [{"start_time": f"{day} 00:00:00+00", "project_id": "p", **measures} for day in days]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    path = tmp_path_factory.mktemp("openai") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    return Warehouse(path, project).land({d.key: rows(d, "2026-11-18", "2026-11-19") for d in USAGE_KINDS.values()})


MODELS = tuple(f"stg_{d.key}" for d in USAGE_KINDS.values())


def test_every_kind_has_its_days_and_columns(warehouse):
    found = statuses(warehouse.build(*MODELS, tests=True))
    assert set(found.values()) == {"success", "pass"} and len(found) == 16
    for dataset in USAGE_KINDS.values():
        staged = warehouse.rows(f"select * from staging.stg_{dataset.key} order by charge_date")
        assert [r["charge_date"].isoformat() for r in staged] == ["2026-11-18", "2026-11-19"]
        assert set(dataset.columns) < set(staged[0])


def test_a_second_row_of_the_same_dimensions_fails(warehouse):
    dataset = USAGE_KINDS["web_search_calls"]
    warehouse.land({dataset.key: rows(dataset, "2026-11-18", "2026-11-18")})
    found = statuses(warehouse.build(f"stg_{dataset.key}", tests=True))
    assert "fail" in found.values()
