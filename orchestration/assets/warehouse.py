"""The warehouse: prepared from the lake, then one dbt op per stage so that a gate between two stages really stops."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from ingestion.catalog import BY_KEY
from ingestion.lake import Lake
from orchestration import dbt_build, warehouse
from orchestration.frames import DECISION_RELATIONS, FORECAST_RELATIONS, MONTHLY_RELATIONS
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.settings import Settings

# A run with this tag rebuilds the whole warehouse from the lake.
FULL_REBUILD = "aisl/full_rebuild"
PREPARED = dg.AssetKey(["warehouse", "prepared"])
BUILT = dg.AssetKey(["warehouse", "built_deliveries"])


class StageTranslator(DagsterDbtTranslator):
    """Asset keys are schema and name; sources are the raw assets, the forecasts or the prepared warehouse."""

    def __init__(self) -> None:
        super().__init__(settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`focus/focus_cost_and_usage`; a source by what makes it."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] != "source":
            return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props.get("alias") or name])
        if name in BY_KEY:
            return dg.AssetKey(["raw", name])
        if name in FORECAST_RELATIONS or name in MONTHLY_RELATIONS:
            return dg.AssetKey(["forecasts", name])
        if name in DECISION_RELATIONS:
            return dg.AssetKey(["decisions", name])
        return PREPARED

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Group = stage, owners and kinds beside what dbt says."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        stages = [t for t in node.get("tags", []) if t in dbt_build.STAGES]
        return spec.replace_attributes(
            group_name=stages[0] if stages else "raw",
            owners=OWNERS,
            kinds={"duckdb", "dbt", *(["seed"] if node["resource_type"] == "seed" else [])},
        )


def prepared_asset(raw_keys: list[dg.AssetKey], parsed: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The asset that creates schema `raw` of the warehouse from manifest and lake."""
    frozen_columns = dbt_build.contract_columns(parsed, "focus_cost_and_usage")

    @dg.asset(
        key=PREPARED,
        deps=raw_keys,
        group_name="warehouse",
        owners=OWNERS,
        kinds={"duckdb"},
        pool=WAREHOUSE_POOL,
        description="What dbt finds: current deliveries in scope, manifest, rejects, frozen periods, run context.",
    )
    def prepared(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        done = warehouse.prepare(
            settings,
            lake,
            frozen_columns=frozen_columns,
            fingerprint=warehouse.project_fingerprint(settings, lake),
            run_id=context.run_id,
            full=FULL_REBUILD in context.run.tags,
        )
        return dg.MaterializeResult(
            metadata={
                "full rebuild": done.is_full_rebuild,
                "why": done.reason,
                "source-days to rebuild": done.scope_days,
                "source-days known": done.total_days,
                "current deliveries": done.deliveries,
            }
        )

    return prepared


def stage_assets(parsed: Mapping[str, Any], stage: str) -> dg.AssetsDefinition:
    """One op that builds every model of a stage; each model is an asset and each dbt test a check of it."""

    @dbt_assets(
        manifest=parsed,
        select=f"tag:{stage}",
        exclude="resource_type:unit_test",
        name=f"dbt_{stage}",
        dagster_dbt_translator=StageTranslator(),
        pool=WAREHOUSE_POOL,
    )
    def build_stage(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        with warehouse.session(settings, read_only=True) as connection:
            full = connection.execute("select is_full_rebuild from raw.run_context").fetchone()
        results = dbt_build.build(settings, stage, full_refresh=bool(full and full[0]))
        yield from _reported(context, results)
        if any(r.has_failed for r in results):
            raise dg.Failure(
                description=f"stage {stage} stopped; everything after it keeps its content.\n"
                + dbt_build.explain(results),
                allow_retries=False,
            )

    return build_stage


def _reported(
    context: dg.AssetExecutionContext, results: list[dbt_build.NodeResult]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    # A stage is built whole; a run of some of its assets hears of those only.
    keys = {
        spec.metadata["dagster_dbt/unique_id"]: spec.key
        for spec in context.assets_def.specs
        if "dagster_dbt/unique_id" in spec.metadata and spec.key in context.selected_asset_keys
    }
    checks = {
        spec.metadata["dagster_dbt/unique_id"]: spec
        for spec in context.assets_def.check_specs
        if spec.metadata and "dagster_dbt/unique_id" in spec.metadata and spec.key in context.selected_asset_check_keys
    }
    for result in results:
        if result.unique_id in keys and not result.has_failed and not result.is_skipped:
            yield dg.MaterializeResult(
                asset_key=keys[result.unique_id], metadata={"seconds": round(result.seconds, 3)}
            )
    for result in results:
        spec = checks.get(result.unique_id)
        if spec is None or result.is_skipped:
            continue
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=result.status in ("pass", "success"),
            severity=dg.AssetCheckSeverity.ERROR if result.has_failed else dg.AssetCheckSeverity.WARN,
            description=result.message if result.status != "pass" else None,
            metadata={"seconds": round(result.seconds, 3), "failing rows": result.failures or 0, **({"query": result.evidence} if result.evidence else {})},
        )


def built_deliveries_asset(ledger_keys: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that remembers what the ledger was built from, once its gate has passed."""

    @dg.asset(
        key=BUILT,
        deps=ledger_keys,
        group_name="ledger",
        owners=OWNERS,
        kinds={"duckdb"},
        pool=WAREHOUSE_POOL,
        description="Deliveries and project the ledger was last built from: the next run rebuilds what differs.",
    )
    def built_deliveries(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"new deliveries": warehouse.mark_built(settings)})

    return built_deliveries
