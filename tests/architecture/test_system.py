"""The system as Dagster loads it: every dataset, stage, pool and gate is where the design says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingestion.catalog import DATASETS
from orchestration import dbt_build
from orchestration.assets.decisions import REVIEW, SNAPSHOT
from orchestration.assets.warehouse import PREPARED
from orchestration.definitions import GATES, build_definitions
from orchestration.reference import sources_markdown, variables_markdown
from orchestration.resources import WAREHOUSE_POOL
from orchestration.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"AISL_HOME": str(tmp_path_factory.mktemp("home")), "AISL_AS_OF": "2026-10-20T06:00:00Z"})


@pytest.fixture(scope="module")
def definitions(settings: Settings) -> dg.Definitions:
    return build_definitions(settings)


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> Any:
    dg.Definitions.validate_loadable(definitions)
    return definitions.get_repository_def().asset_graph


def test_every_dataset_has_an_asset_a_staging_model_and_a_source_description(graph: Any, settings: Settings) -> None:
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    parsed = dbt_build.manifest(settings)
    # A source that is off has its models in the project, switched off.
    nodes = [*parsed["nodes"].values(), *(n for found in parsed["disabled"].values() for n in found)]
    models = {n["name"] for n in nodes if n["resource_type"] == "model"}
    described = {s["name"] for s in parsed["sources"].values() if s["description"]}
    for dataset in DATASETS:
        assert f"raw/{dataset.key}" in keys
        assert f"stg_{dataset.key}" in models
        assert dataset.key in described


@pytest.mark.parametrize(("name", "table"), [("variables", variables_markdown), ("sources", sources_markdown)])
def test_the_readme_shows_the_reference_tables(name: str, table: Callable[[], str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    assert section.strip() == table().strip(), f"write it with: python -m orchestration.cli {name}"


def test_everything_that_opens_the_warehouse_is_in_its_pool(definitions: dg.Definitions) -> None:
    outside = []
    repository = definitions.get_repository_def()
    for node in repository.get_job("daily").all_node_defs:
        is_raw = node.name.startswith("raw__")
        if not is_raw and getattr(node, "pools", None) != {WAREHOUSE_POOL}:
            outside.append(node.name)
    assert outside == []


def test_pools_hold_one_step_at_a_time() -> None:
    import yaml

    instance = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert instance["concurrency"]["pools"]["default_limit"] == 1
    assert instance["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert instance["telemetry"]["enabled"] is False
    assert instance["run_retries"]["retry_on_asset_or_op_failure"] is False


def test_every_gate_has_a_blocking_check_on_an_asset_that_everything_behind_it_waits_for(graph: Any) -> None:
    for gate in GATES:
        assert any(e.is_blocking for e in gate.expectations), gate.name
        blocking = [
            k for k in graph.asset_check_keys if k.asset_key == gate.asset and graph.get(k).blocking  # type: ignore[attr-defined]
        ]
        assert {f"{gate.name}_{e.name}" for e in gate.expectations if e.is_blocking} <= {k.name for k in blocking}
        behind = _all_downstream(graph, gate.asset)
        assert {SNAPSHOT, REVIEW} <= behind, gate.name


def test_each_stage_waits_for_the_gate_before_it(graph: Any) -> None:
    keys = graph.get_all_asset_keys()
    doors = [gate.asset for gate in GATES]
    stages = [("focus", doors[0]), ("ledger", doors[1]), ("marts", doors[2]), ("forecasts", doors[3]), ("decisions", doors[3]), ("published", doors[5])]
    for group, door in stages:
        members = {k for k in keys if graph.get(k).group_name == group}
        assert members, group
        # One op builds the whole stage, so one member that waits makes all of them wait.
        assert members & _all_downstream(graph, door), f"stage {group} does not wait for {door.to_user_string()}"


def test_every_asset_has_an_owner_and_a_description_of_its_rows(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.owners, key
        if key.path[0] in ("focus", "ledger", "marts", "raw", "forecasts", "published", "decisions"):
            assert node.description, key


def test_published_names_are_those_the_readers_rely_on(settings: Settings) -> None:
    names = set(dbt_build.published_names(dbt_build.manifest(settings)))
    assert {
        "focus.cost_and_usage", "focus.cost_and_usage_v1_2", "focus.contract_commitment", "focus.invoice_detail",
        "focus.billing_period", "ledger.attribution", "ledger.model_calls", "ledger.work_items", "ledger.pull_requests",
        "ledger.deployments", "ledger.people", "ledger.estimated_charges", "marts.daily_spend", "marts.workflow_ledger",
        "marts.attribution_coverage", "marts.fidelity_error", "marts.invoice_tie_out", "marts.work_item_cost",
        "marts.budget_pacing", "marts.top_deltas", "marts.forecast_daily", "marts.forecast_total", "marts.backtest",
        "marts.source_freshness", "marts.focus_conformance", "marts.variance_bridge", "marts.forecast_reset", "marts.scenarios",
        "marts.work_item_forecast", "marts.cost_notes", "marts.budget_alerts",
        "marts.signals", "marts.incidents", "marts.kpi_scorecard",
        "marts.commitment_sizing", "marts.commitment_performance", "marts.eval_gate", "marts.lever_impact",
    } <= names  # fmt: skip


def test_prepared_warehouse_waits_for_every_raw_asset(graph: Any) -> None:
    assert {dg.AssetKey(["raw", d.key]) for d in DATASETS} <= set(graph.get(PREPARED).parent_keys)


def test_schedules_ask_for_the_restated_days_and_the_open_month(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    context = dg.build_schedule_context(repository_def=repository)
    found = {}
    for name in ("billing_months_0500", "daily_0530"):
        data = repository.get_schedule_def(name).evaluate_tick(context)
        found[name] = data.run_requests[0].tags
    assert found["daily_0530"]["dagster/asset_partition_range_start"] == "2026-10-13"
    assert found["daily_0530"]["dagster/asset_partition_range_end"] == "2026-10-19"
    assert found["billing_months_0500"]["dagster/asset_partition_range_end"] == "2026-10-01"


def _all_downstream(graph: Any, start: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [start]
    while waiting:
        for child in graph.get(waiting.pop()).child_keys:
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


@pytest.mark.parametrize("stage", ["focus", "ledger"])
def test_a_stage_that_keeps_its_views_still_runs_every_test_on_rows_that_change(stage: str, settings: Settings) -> None:
    def listed(keeps: bool, kind: str) -> set[str]:
        options = dbt_build.selection(stage, keeps=keeps)
        if "--exclude-resource-type" in options:
            options = options[: options.index("--exclude-resource-type")]
        return set(dbt_build.listed(settings, [*options, "--resource-type", kind]))

    nodes = dbt_build.manifest(settings)["nodes"]
    on_seeds = {
        ".".join(node["fqn"])
        for node in nodes.values()
        if node["resource_type"] == "test" and all(parent.startswith("seed.") for parent in node["depends_on"]["nodes"])
    }
    assert listed(True, "test") == listed(False, "test") - on_seeds != set()
    assert listed(True, "seed") == set()
    assert listed(True, "model") < listed(False, "model")
