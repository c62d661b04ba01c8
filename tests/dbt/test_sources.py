"""The dbt sources are the catalog's datasets and the relations that orchestration prepares, no more and no less."""

from __future__ import annotations

from ingestion.catalog import DATASETS
from orchestration.frames import DERIVED_RELATIONS

PREPARED = {"manifest", "scope", "rejects", "frozen_charges", "frozen_periods", "run_context"}


def test_every_dataset_is_a_source_with_its_grain(project):
    described = {s.name: s.description for s in project.parsed.sources.values() if s.source_name == "raw"}
    assert set(described) == {d.key for d in DATASETS} | PREPARED | set(DERIVED_RELATIONS)
    assert {d.key: described[d.key] for d in DATASETS} == {d.key: f"One row per {d.grain}." for d in DATASETS}


def test_every_dataset_has_one_staging_model_that_reads_it(project):
    models = {n.name: n for n in project.parsed.nodes.values() if n.resource_type == "model"}
    for dataset in DATASETS:
        assert models[f"stg_{dataset.key}"].sources == [["raw", dataset.key]]
        assert models[f"stg_{dataset.key}"].schema == "staging"


def test_only_staging_reads_raw_bills(project):
    bills = {d.key for d in DATASETS if d.money_unit is not None}
    readers = {
        n.name: {table for _, table in n.sources} & bills
        for n in project.parsed.nodes.values()
        if n.resource_type == "model" and n.sources and not n.name.startswith("stg_")
    }
    assert {name: tables for name, tables in readers.items() if tables} == {}
