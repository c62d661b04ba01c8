"""Budget alerts told to the configured webhook, after the snapshot they speak of is published."""

import io

import dagster as dg
import polars as pl

from ingestion.lake import Lake
from orchestration.alerts import tell
from orchestration.assets.decisions import SNAPSHOT
from orchestration.assets.forecasts import forecast_key
from orchestration.frames import lake_key
from orchestration.resources import OWNERS, WAREHOUSE_POOL
from orchestration.settings import Settings

TOLD = dg.AssetKey(["published", "alerts_told"])


def alerts_asset() -> dg.AssetsDefinition:
    """Tells what changed; without a webhook, or when it does not answer, the run goes on all the same."""

    @dg.asset(
        key=TOLD,
        deps=[SNAPSHOT, forecast_key("budget_alerts")],
        group_name="published",
        owners=OWNERS,
        kinds={"webhook"},
        pool=WAREHOUSE_POOL,
        description="Changes of budget alerts told to AISL_ALERT_WEBHOOK_URL, once each; the alerts are in marts.budget_alerts.",
    )
    def alerts_told(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        found = lake.read(lake_key("budget_alerts"))
        if settings.alert_webhook_url is None or found is None:
            return dg.MaterializeResult(metadata={"told": 0, "webhook": "off"})
        telling = tell(
            pl.read_parquet(io.BytesIO(found)), lake, settings.alert_webhook_url, settings.as_of.date(),
            style=settings.alert_webhook_format, currency=settings.reporting_currency,
        )  # fmt: skip
        for reason in telling.failed:
            context.log.warning(f"alert not told, tried again on the next run: {reason}")
        return dg.MaterializeResult(metadata={"told": telling.told, "not told": len(telling.failed), "webhook": "on"})

    return alerts_told
