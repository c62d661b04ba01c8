"""What people get: closed periods frozen, the snapshot published, the review pack beside it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from ingestion.lake import Lake
from orchestration import dbt_build, warehouse
from orchestration.freeze import freeze_closed
from orchestration.publish import publish
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.review import build as build_review
from orchestration.review.model import GateResult, ReviewContext
from orchestration.settings import Settings

FROZEN = dg.AssetKey(["decisions", "frozen_periods"])
SNAPSHOT = dg.AssetKey(["published", "snapshot"])
REVIEW = dg.AssetKey(["published", "review_pack"])
COMPANY = {"sandbox": "Sandbox company", "samples": "Sample bills", "production": "Your company"}


def frozen_periods_asset(gate_assets: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """Freezes closed periods once every gate before publishing has passed."""

    @dg.asset(
        key=FROZEN,
        deps=gate_assets,
        group_name="decisions",
        owners=OWNERS,
        kinds={"duckdb", "parquet"},
        pool=WAREHOUSE_POOL,
        description="FOCUS rows of closed billing periods, kept with their hash: later changes become corrections.",
    )
    def frozen_periods(
        settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        with warehouse.session(settings, read_only=True) as connection:
            frozen = freeze_closed(connection, settings, lake)
        named = [f"{f.source}/{f.account} {f.billing_period:%Y-%m}" for f in frozen]
        return dg.MaterializeResult(
            metadata={
                "frozen now": len(frozen),
                "periods": ", ".join(named) or "none",
                "charges": sum(f.charges for f in frozen),
            }
        )

    return frozen_periods


def published_assets(parsed: Mapping[str, Any], gate_assets: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """One op that builds the snapshot and the review pack aside and switches to them when they are equal and whole."""
    names = dbt_build.published_names(parsed)
    words = dbt_build.descriptions(parsed)
    deps = [*(dg.AssetKey(r.split(".")) for r in names.values()), *gate_assets, FROZEN]

    @dg.multi_asset(
        name="publish",
        specs=[
            dg.AssetSpec(
                SNAPSHOT,
                deps=list(dict.fromkeys(deps)),
                group_name="published",
                owners=OWNERS,
                kinds={"duckdb", "parquet"},
                description="The published warehouse: what analysts, BI tools and finance read.",
                freshness_policy=dg.FreshnessPolicy.cron(deadline_cron="0 9 * * *", lower_bound_delta=timedelta(days=1)),
            ),
            dg.AssetSpec(
                REVIEW,
                deps=list(dict.fromkeys(deps)),
                group_name="published",
                owners=OWNERS,
                kinds={"html", "xlsx"},
                description="Review page and workbook of the snapshot, for the monthly forecast reset.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "publish_snapshot_equals_warehouse",
                asset=SNAPSHOT,
                blocking=True,
                description="Every published relation has the warehouse's rows, compared month by month by hash",
            )
        ],
        pool=WAREHOUSE_POOL,
    )
    def published(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        gates = _gates(context)

        def add_review(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
            build_review(
                connection,
                folder,
                ReviewContext(
                    company=COMPANY[settings.profile],
                    profile=settings.profile,
                    as_of=settings.as_of,
                    last_complete_day=settings.last_complete_day,
                    run_id=context.run_id,
                    snapshot_state="published",
                    reporting_currency=settings.reporting_currency,
                    gates=gates,
                ),
            )

        snapshot = publish(
            settings,
            names,
            run_id=context.run_id,
            describe=words,
            facts={"gates": [{"name": g.name, "passed": g.passed, "detail": g.detail} for g in gates]},
            add_files=add_review,
        )
        yield dg.MaterializeResult(
            asset_key=SNAPSHOT,
            metadata={
                "path": dg.MetadataValue.path(snapshot.path),
                "relations": len(snapshot.rows),
                "rows": sum(snapshot.rows.values()),
                "relation-months written": snapshot.copied,
                "files taken over": snapshot.taken_over,
            },
        )
        yield dg.MaterializeResult(
            asset_key=REVIEW,
            metadata={
                "page": dg.MetadataValue.path(snapshot.path / "review.html"),
                "workbook": dg.MetadataValue.path(snapshot.path / "review.xlsx"),
                "seconds": round(snapshot.seconds_of_added_files, 3),
            },
        )
        yield dg.AssetCheckResult(
            asset_key=SNAPSHOT, check_name="publish_snapshot_equals_warehouse", passed=True
        )

    return published


def _gates(context: dg.AssetExecutionContext) -> tuple[GateResult, ...]:
    """What the gates of this run said, one line per gate."""
    records = context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found: dict[str, list[tuple[str, bool, bool]]] = {}
    for entry in records:
        event = entry.dagster_event
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        gate = evaluation.check_name.split("_")[0]
        is_ours = gate in ("raw", "focus", "ledger", "marts", "forecasts", "decisions") and "value" in evaluation.metadata
        name = gate if is_ours else "dbt tests"
        blocking = evaluation.severity == dg.AssetCheckSeverity.ERROR
        found.setdefault(name, []).append((evaluation.check_name, evaluation.passed, blocking))
    results = []
    for name, checks in found.items():
        failed = [c for c, passed, _ in checks if not passed]
        stopped = any(not passed and blocking for _, passed, blocking in checks)
        detail = f"{len(checks)} checks" + (f", reported: {', '.join(failed)}" if failed else "")
        results.append(GateResult(name, not stopped, detail))
    return tuple(results)
