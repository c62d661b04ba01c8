"""Decisions: frames of the ledger through the pure rooms of `decisions/`, results to the lake and back as `raw.*`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from decisions.schemas import PUBLISHED
from ingestion.lake import Lake
from orchestration import warehouse
from orchestration.assets.forecasts import forecast_key, parquet
from orchestration.frames import DECISION_RELATIONS, decision_key
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.settings import Settings

_DESCRIPTIONS = {
    "commitment_sizing": "One row per pool, scope, way to pay and level: size, saving, risk, decision or refusal.",
    "commitment_sensitivity": "One row per pool, offer, driver and change: break-even utilisation.",
    "commitment_performance": "One row per commitment and period: utilisation, coverage, savings rate, forfeiture.",
    "commitment_chargeback": "One row per commitment, period and scope: who pays what of it.",
    "eval_gate": "One row per planned comparison that was evaluated: the decision and its bounds.",
    "lever_impact": "One row per promoted change: realised against promised.",
    "signals": "One row per rule, scope and day that was judged.",
    "incidents": "One row per incident: scope, family, owner, days, excess, state.",
}
# Input of `decisions.run` → query of the warehouse.
QUERIES = {
    "spend_day": "select * from marts.int_signal_spend_day",
    "model_day": "select * from marts.int_signal_model_day",
    "rule_day": "select * from marts.int_signal_rule_day",
    "source_hour": "select * from marts.int_source_hour",
    "scopes": "select * from marts.int_signal_scope",
    # A declared change explains a rise of its workflow for as long as it is compared, whatever its size.
    "changes": """
        select 'workflow' as scope_type, workflow as scope, family, changed_on as first_day,
               (changed_on + to_days(window_days))::date as last_day, 1e6::double as multiplier
        from seeds.changes cross join (values ('spend'), ('mix'), ('context'), ('cache')) as families (family)
        where workflow is not null
        union all
        -- A known change explains what it declares of its workflow, until 56 days later every baseline holds it.
        select 'workflow', workflow, family, start, (start + to_days(coalesce(ramp_days, 0) + 56))::date,
               case when mode = 'absolute' then 1e6 else greatest(value, 1) end
        from seeds.known_changes
        inner join (values
            ('user_actions', 'spend'), ('fan_out', 'spend'), ('fan_out', 'loop'), ('retry', 'spend'), ('retry', 'loop'),
            ('context', 'spend'), ('context', 'context'), ('context_in', 'spend'), ('context_in', 'context'),
            ('context_out', 'spend'), ('context_out', 'context'), ('context_drift', 'spend'), ('context_drift', 'context'),
            ('cache_hit', 'spend'), ('cache_hit', 'cache'), ('mix', 'spend'), ('mix', 'mix'), ('price', 'spend'), ('rate', 'spend')
        ) as moves (driver, family) using (driver)
        where workflow is not null and confidence >= 0.5
    """,
    "demand_hour": "select * from marts.int_demand_hour",
    "demand_day": "select * from marts.int_demand_day",
    # Errors of the published forecast: how far the level of a term may be from what was expected.
    "forecast_errors": """
        select series_key as series, case level when 'total' then '' else split_part(series_key, ':', 2) end as provider,
               cast(substr(horizon, 2) as integer) as horizon_days, actual / forecast as ratio
        from raw.backtest
        where is_resolved and method = 'published' and level in ('total', 'provider') and horizon like 'h%' and forecast > 0
    """,
    "offers": "select * from seeds.commitment_offers",
    "commitment_usage": "select * from marts.int_commitment_usage",
    "commitment_terms": """
        select ContractCommitmentId as commitment_id, max(ContractCommitmentPeriodEnd)::timestamp as ends_at
        from focus.focus_contract_commitment group by 1
    """,
    "evaluations": "select * from staging.stg_evaluations__results",
    "eval_plans": "select * from seeds.eval_plans",
    "promotions": "select * from seeds.promotions",
    "production": "select * from marts.int_lever_production",
    "previous_incidents": "select * from raw.incidents",
}


def rule_key(name: str) -> dg.AssetKey:
    """Asset key of a decision frame."""
    return dg.AssetKey(["decisions", name])


def rule_assets(inputs: list[dg.AssetKey], gate_assets: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """One op for all frames; it waits for the marts' gate and for the models it reads."""
    deps = list(dict.fromkeys([*inputs, *gate_assets, forecast_key("backtest")]))

    @dg.multi_asset(
        name="decisions",
        specs=[
            dg.AssetSpec(
                rule_key(name),
                deps=deps,
                group_name="decisions",
                owners=OWNERS,
                kinds={"polars", "parquet"},
                description=_DESCRIPTIONS[name],
            )
            for name in PUBLISHED
        ],
        pool=WAREHOUSE_POOL,
    )
    def decisions(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult]:
        frames = decide(settings, context.run_id)
        for name, frame in frames.items():
            lake.write(decision_key(name), parquet(frame))
        warehouse.load_derived(settings, lake, DECISION_RELATIONS)
        for name, frame in frames.items():
            yield dg.MaterializeResult(asset_key=rule_key(name), metadata={"rows": frame.height})

    return decisions


def decide(settings: Settings, run_id: str) -> dict[str, pl.DataFrame]:
    """Every decision frame of the warehouse as it is."""
    from decisions.run import Inputs
    from decisions.run import decide as run

    with warehouse.session(settings, read_only=True) as connection:
        # Sums of floats depend on the order of their rows, and the engine promises none.
        inputs = Inputs(**{name: connection.execute(f"select * from ({query}) order by all").pl() for name, query in QUERIES.items()})
    return run(inputs, settings.as_of.date(), run_id=run_id)
