"""Raw assets: one per dataset of the source catalog, made by one factory."""

import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from ingestion.catalog import DATASETS, Dataset
from ingestion.errors import ContractBroken, IngestionError, RequestRejected
from ingestion.lake import Lake
from ingestion.landing import ensure_schema
from ingestion.run import IngestReport, ingest
from ingestion.source import SourceConfig
from orchestration import partitions
from orchestration.resources import OWNERS
from orchestration.settings import Settings

# A run with this tag asks what is due (restated windows and gaps); without it, exactly the partitions selected.
DUE = "aisl/due"
# The client has tried each call several times already; one more round helps after a short outage only.
RETRY = dg.RetryPolicy(max_retries=1, delay=20)
_SECONDS_BETWEEN_LINES = 5.0


def raw_key(dataset: Dataset) -> dg.AssetKey:
    """Key of a dataset's raw asset."""
    return dg.AssetKey(["raw", dataset.key])


def raw_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Every dataset of the catalog as an asset."""
    days, months = partitions.charge_days(settings), partitions.billing_months(settings)
    by_window: dict[str, dg.PartitionsDefinition] = {"day": days, "updated": days, "month": months}
    return [_raw_asset(dataset, by_window.get(dataset.window)) for dataset in DATASETS]


def _raw_asset(dataset: Dataset, partitions_def: dg.PartitionsDefinition | None) -> dg.AssetsDefinition:
    fresh_for = timedelta(days=45) if dataset.window == "file" else timedelta(hours=36)
    details: dict[str, Any] = {
        "source": dataset.source,
        "window": dataset.window,
        "restatement (windows)": dataset.restatement_days,
        "money unit": dataset.money_unit or "no money",
        "identity": ", ".join(dataset.identity) or "none: equal rows may both be right",
    }

    @dg.asset(
        key=raw_key(dataset),
        partitions_def=partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def else None,
        group_name="raw",
        owners=OWNERS,
        kinds={"parquet", dataset.source},
        retry_policy=RETRY,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=fresh_for),
        description=f"One row per {dataset.grain}. {dataset.notes}".strip(),
        metadata=details,
    )
    def land(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        ensure_schema(lake, dataset)
        accounts = settings.accounts_by_source[dataset.source]
        on = [a for a in accounts if a.is_on()]
        if not on:
            missing = sorted({v for a in accounts for v in a.missing()}) or ["not part of this profile"]
            return dg.MaterializeResult(metadata={"state": "off", "missing": ", ".join(missing)})
        asked = _asked_range(context)
        reports: list[IngestReport] = []
        errors: list[IngestionError] = []
        for account in on:
            try:
                reports.append(_ingest(context, dataset, account, lake, settings, asked))
            except IngestionError as error:
                errors.append(error)
                if error.report is not None:
                    reports.append(error.report)
        if errors:
            _raise(dataset, errors)
        return dg.MaterializeResult(metadata=_metadata(reports))

    return land


def _ingest(
    context: dg.AssetExecutionContext,
    dataset: Dataset,
    account: SourceConfig,
    lake: Lake,
    settings: Settings,
    asked: tuple[date, date] | None,
) -> IngestReport:
    told = time.monotonic()

    def tell(key: str, done: int, due: int) -> None:
        nonlocal told
        if time.monotonic() - told > _SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            context.log.info(f"progress: {key} {done} of {due} windows")

    return ingest(
        dataset,
        account,
        lake,
        start_date=settings.start_date,
        as_of=settings.as_of,
        run_id=context.run_id,
        day_range=asked,
        progress=tell,
    )


def _asked_range(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    if DUE in context.run.tags or not context.has_partition_key_range:
        return None
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)


def _raise(dataset: Dataset, errors: list[IngestionError]) -> None:
    hopeless = [e for e in errors if isinstance(e, (RequestRejected, ContractBroken))]
    if not hopeless:
        raise errors[0]
    raise dg.Failure(
        description=f"{dataset.key}: {hopeless[0]}",
        metadata={"failed windows": ", ".join(hopeless[0].report.failed[:20]) if hopeless[0].report else "unknown"},
        allow_retries=False,
    ) from hopeless[0]


def _metadata(reports: list[IngestReport]) -> Mapping[str, Any]:
    first, *_ = reports
    totals = [r.control_total for r in reports if r.control_total is not None]
    return {
        "state": "on",
        "accounts": ", ".join(r.account for r in reports),
        "windows": sum(r.windows for r in reports),
        "rows": sum(r.rows for r in reports),
        "rejects": sum(r.rejects for r in reports),
        "new deliveries": sum(r.deliveries_new for r in reports),
        "unchanged": sum(r.unchanged for r in reports),
        "not delivered yet": ", ".join(w for r in reports for w in r.absent) or "none",
        "control total": f"{sum(totals):f}" if totals else "no money",
        "control unit": first.control_unit or "none",
        "requests": sum(r.requests for r in reports),
        "retries": sum(r.retries for r in reports),
        "seconds": round(sum(r.seconds for r in reports), 2),
    }
