"""The whole system on one screen: sources → raw → FOCUS → ledger → marts → forecasts → decisions, gates between."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration import automation, dbt_build
from orchestration.assets.alerts import alerts_asset
from orchestration.assets.decisions import frozen_periods_asset, published_assets
from orchestration.assets.forecasts import forecast_assets
from orchestration.assets.monthly import monthly_assets
from orchestration.assets.raw import raw_assets
from orchestration.assets.rules import rule_assets
from orchestration.assets.warehouse import BUILT, built_deliveries_asset, prepared_asset, stage_assets
from orchestration.gates import decisions, focus, forecasts, ledger, marts, raw
from orchestration.gates.suites import gate_checks
from orchestration.resources import resources_of
from orchestration.settings import Settings, load_settings

GATES = (raw.GATE, focus.GATE, ledger.GATE, marts.GATE, forecasts.GATE, decisions.GATE)


def build_definitions(
    settings: Settings,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Everything of one home. Parses the dbt project when it changed; `resources` replaces those of the settings."""
    # Single-run backfills are chosen with open eyes (they are still called beta); one line of noise per asset helps nobody.
    warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
    parsed = dbt_build.manifest(settings)
    landed = raw_assets(settings)
    stages = {stage: stage_assets(parsed, stage) for stage in dbt_build.STAGES}
    doors = [gate.asset for gate in GATES]
    return dg.Definitions(
        assets=[
            *landed,
            prepared_asset([key for asset in landed for key in asset.keys], parsed),
            stages["focus"],
            stages["ledger"],
            built_deliveries_asset([*stages["ledger"].keys, focus.FOCUS]),
            stages["marts"],
            forecast_assets([marts.DAILY_SPEND]),
            monthly_assets(),
            rule_assets([k for k in stages["marts"].keys if k.path[-1].startswith("int_")], [marts.DAILY_SPEND]),
            stages["decisions"],
            frozen_periods_asset([*doors, BUILT]),
            published_assets(parsed, doors),
            alerts_asset(),
        ],
        asset_checks=[gate_checks(gate) for gate in GATES],
        jobs=automation.jobs(settings),
        schedules=automation.schedules(settings),
        resources=dict(resources or resources_of(settings)),
        executor=dg.in_process_executor,
        loggers=dict(loggers) if loggers else None,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location; reads the environment only when Dagster loads it."""
    return build_definitions(load_settings())


