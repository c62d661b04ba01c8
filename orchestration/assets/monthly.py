"""The monthly decisions: drivers, frozen forecasts, bridge, reset, scenarios, work items and alerts, from marts and seeds."""

import io
from collections.abc import Iterator

import dagster as dg
import duckdb
import polars as pl

from forecasting.schemas import MONTHLY_SCHEMAS
from ingestion.lake import Lake
from orchestration import warehouse
from orchestration.assets.forecasts import forecast_key, parquet
from orchestration.frames import MONTHLY_RELATIONS, lake_key
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.settings import Settings

_DESCRIPTIONS = {
    "frozen_outlook": "One row per month, series and period: what was forecast at the month's start; never changed again.",
    "frozen_cells": "One row per month, scope and cell: the drivers behind the frozen forecast.",
    "forecast_scores": "One row per scope, month and kind (machine, override): frozen forecast, actual and error so far.",
    "variance_bridge": "One row per scope, month, comparison and effect; effects add to the change exactly.",
    "variance_cells": "One row per month and rank: the cells of the total that moved most.",
    "forecast_reset": "One row per scope, month and version: the line finance signs.",
    "baseline_drivers": "One row per workflow and model: what the next forecast starts from, one-offs removed.",
    "forecast_drivers": "One row per workflow and model: drivers of the last 28 days.",
    "forecast_outlook": "One row per series and coming period, with range and known changes.",
    "forecast_changes": "One row per series and day: the forecast with and without known changes.",
    "scenarios": "One row per scenario, workflow and month.",
    "scenario_lever_shares": "One row per scenario and lever: its Shapley share of the change.",
    "work_item_forecasts": "One row per work item and mode (at plan, in flight).",
    "work_item_accuracy": "One row per unit (item, bundle of 20): error measured leave-one-out.",
    "cost_notes": "One row per launch note: expectation, cost model and actual unit cost.",
    "pacing_history": "One row per budget, period and day: pacing of every day so far.",
    "budget_alerts": "One row per budget, period and day: the open alert and whether it changed.",
    "method_comparison": "One row per horizon: the published method against the seasonal naive one.",
}
# What a later run takes over from the one before.
KEPT = ("frozen_outlook", "frozen_cells", "forecast_reset", "pacing_history")
_QUERIES = {
    "series": "select * from marts.mart_forecast_series order by all",
    "usage": """
        select daily.charge_date, daily.provider, daily.team, daily.workflow, daily.model_id as model, daily.billing_currency as currency,
            context.reporting_currency, sum(daily.reporting_cost) as cost, sum(daily.billed_cost) as billed, sum(daily.calls) as calls,
            sum(daily.tokens_input_uncached) as tokens_input_uncached, sum(daily.tokens_cache_read) as tokens_cache_read,
            sum(daily.tokens_cache_write) as tokens_cache_write, sum(daily.tokens_output) as tokens_output,
            sum(daily.cost_input_uncached) as cost_input_uncached, sum(daily.cost_cache_read) as cost_cache_read,
            sum(daily.cost_cache_write) as cost_cache_write, sum(daily.cost_output) as cost_output
        from marts.mart_daily_spend as daily, raw.run_context as context
        where daily.cost_basis = 'billed' and daily.charge_category = 'Usage' and daily.reporting_cost >= 0
            and daily.charge_date < context.as_of_date
        group by all order by all
    """,
    "actions": """
        select coalesce(logged.workflow, '(no workflow)') as workflow, logged.charge_date,
            sum(case when kind = 'user_action' then quantity else 0 end) as user_actions,
            sum(case when kind = 'user_action' then requests else 0 end) as requests, coalesce(any_value(again.retries), 0) as retries
        from ledger.int_logged_usage_day as logged
        left join (
            select coalesce(workflow, '(no workflow)') as workflow, charge_date, sum(calls) as retries
            from ledger.fct_call_outcome where is_retry group by all
        ) as again on again.workflow = coalesce(logged.workflow, '(no workflow)') and again.charge_date = logged.charge_date
        group by all order by all
    """,
    "items": """
        select costs.work_item_key as item, costs.cost, costs.story_points::double as points, coalesce(costs.work_item_type, '') as work_item_type,
            coalesce(costs.team, '') as team,
            case greatest(cost_call, cost_session, cost_person) when cost_call then 'call' when cost_session then 'session' else 'person' end
                as fidelity_tier,
            costs.resolved_at::date as resolved_on, costs.is_delivered,
            costs.resolved_at is not null and not costs.is_delivered as is_cancelled
        from marts.mart_work_item_cost as costs where costs.is_known order by item
    """,
    "unit_costs": """
        select scope as workflow, period_start as month, unit, unit_cost from marts.mart_unit_cost
        where scope_type = 'workflow' and period_kind = 'month' and is_complete and unit_cost is not null order by all
    """,
    "pacing": "select * from raw.budget_pacing order by all",
    "backtest": "select * from raw.backtest order by all",
}
_SEEDS = ("budgets", "known_changes", "scenario_levers", "forecast_overrides", "reset_sign_offs", "one_offs")


def monthly_assets() -> dg.AssetsDefinition:
    """One op for all frames; it waits for the forecasts of the run."""

    @dg.multi_asset(
        name="monthly",
        specs=[
            dg.AssetSpec(
                forecast_key(name),
                deps=[forecast_key("backtest"), forecast_key("budget_pacing")],
                group_name="forecasts",
                owners=OWNERS,
                kinds={"polars", "parquet"},
                description=_DESCRIPTIONS[name],
            )
            for name in MONTHLY_SCHEMAS
        ],
        pool=WAREHOUSE_POOL,
    )
    def monthly(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult]:
        from forecasting import monthly as months

        with warehouse.session(settings, read_only=True) as connection:
            given = months.Inputs(**_read(connection))
        kept = {name: pl.read_parquet(io.BytesIO(found)) for name in KEPT if (found := lake.read(lake_key(name))) is not None}
        frames = months.monthly(given, kept, settings.as_of.date(), run_id=context.run_id)
        for name, frame in frames.items():
            lake.write(lake_key(name), parquet(frame))
        warehouse.load_derived(settings, lake, MONTHLY_RELATIONS)
        for name, frame in frames.items():
            yield dg.MaterializeResult(asset_key=forecast_key(name), metadata={"rows": frame.height})

    return monthly


def _read(connection: duckdb.DuckDBPyConnection) -> dict[str, pl.DataFrame]:
    found = {name: connection.execute(query).pl() for name, query in _QUERIES.items()}
    found |= {name: connection.execute(f"select * from seeds.{name} order by all").pl() for name in _SEEDS}
    return found | {"cost_notes": connection.execute("select * from seeds.cost_note_inputs order by all").pl()}
