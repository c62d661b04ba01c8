"""Forecasts: series from the marts through the pure forecasting room, results to the lake and back as `raw.*`."""

import io
from collections.abc import Iterator

import dagster as dg
import polars as pl

from forecasting.schemas import SCHEMAS
from ingestion.lake import Lake
from orchestration import warehouse
from orchestration.frames import FORECAST_RELATIONS, lake_key, raw_name
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.settings import Settings

SERIES = dg.AssetKey(["marts", "mart_forecast_series"])
_DESCRIPTIONS = {
    "forecast_daily": "One row per series and target day: published forecast with method and cutoff.",
    "forecast_total": "One row per series and period (7, 14, 30 days, month end): forecast with intervals.",
    "backtest": "One row per series, origin, horizon and method: what was forecast and what came.",
    "budget_pacing": "One row per budget whose period is open: pace, month end with interval, breach dates.",
    "accuracy": "One row per series, horizon and method: measured error and interval coverage.",
}


def forecast_key(name: str) -> dg.AssetKey:
    """Asset key of a frame of forecasting."""
    return dg.AssetKey(["forecasts", raw_name(name)])


def forecast_assets(gate_assets: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """One op for all frames; it waits for the assets that carry the marts gate."""
    deps = list(dict.fromkeys([SERIES, *gate_assets]))

    @dg.multi_asset(
        name="forecasts",
        specs=[
            dg.AssetSpec(
                forecast_key(name),
                deps=deps,
                group_name="forecasts",
                owners=OWNERS,
                kinds={"polars", "parquet"},
                description=_DESCRIPTIONS[name],
            )
            for name in SCHEMAS
        ],
        pool=WAREHOUSE_POOL,
    )
    def forecasts(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult]:
        from forecasting.run import forecast

        with warehouse.session(settings, read_only=True) as connection:
            series = connection.execute("select * from marts.mart_forecast_series order by all").pl()
            budgets = connection.execute("select * from seeds.budgets").pl()
        result = forecast(series, settings.as_of.date(), budgets, run_id=context.run_id)
        for name, frame in result.frames().items():
            lake.write(lake_key(name), parquet(frame))
        warehouse.load_derived(settings, lake, FORECAST_RELATIONS)
        for name, frame in result.frames().items():
            cutoff = frame["data_cutoff"].max() if frame.height else None
            yield dg.MaterializeResult(
                asset_key=forecast_key(name), metadata={"rows": frame.height, "data cutoff": str(cutoff)}
            )

    return forecasts


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
