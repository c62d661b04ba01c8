"""Google Cloud billing as its BigQuery export is handed on: Parquet or JSON lines in a folder or bucket."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import FOCUS_FILE, Dataset, Option, Source, instants, money, text

SOURCE = Source(
    "gcp",
    "Google Cloud Billing",
    required={
        "LOCATION": "Folder, `s3://` or `gs://` prefix with `billing_period=YYYY-MM/part-*` (Parquet or JSON lines), as a "
        "scheduled `EXPORT DATA` writes it"
    },
    options=(
        Option("KIND", "billing", "`billing` (standard or detailed export) or `focus` (native FOCUS export)"),
        Option("EXPORT", "every one found", "Folder above `billing_period=...` to read, where there are several"),
        Option("ENDPOINT_URL", "of the location", "Another address of the S3 API (`gs://` is spoken to over Google's)"),
        Option("REGION", "us-east-1", "Region of the bucket"),
    ),
)

_of = partial(
    Dataset,
    source="gcp",
    window="month",
    restatement_days=1,
    money_unit="currency of the row",
    spend_source="cloud",
)


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="billing_export",
        grain="row of the standard or detailed billing export; equal rows are separate charges",
        control_column="net_cost",
        confidence="medium",
        columns={
            **text(
                "billing_account_id", "invoice_month", "publisher_type", "service_id", "service_description", "sku_id",
                "sku_description",
            ),
            **instants("usage_start_time", "usage_end_time", "export_time"),
            **text(
                "project_id", "project_number", "project_name", "project_ancestry", "location", "country", "region",
                "zone", "resource_name", "resource_global_name", "currency", "currency_conversion_rate", "usage_amount",
                "usage_unit", "usage_amount_in_pricing_units", "usage_pricing_unit", "price_effective_price",
                "price_tier_start_amount", "price_unit", "price_pricing_unit_quantity", "price_list_price",
            ),
            **money("cost", "cost_at_list", "cost_at_effective_price_default", "net_cost"),
            **text(
                "cost_type", "adjustment_id", "adjustment_description", "adjustment_mode", "adjustment_type",
                "transaction_type", "seller_name", "consumption_model_id", "consumption_model_description",
                "subscription_instance_id",
            ),
            "credits": "json",
            "tags": "json",
            **text("file_name"),
        },
        notes="Append-only: corrections and late usage are new rows with a later export_time, so a month is read whole. "
        "net_cost is cost plus all credits of the row, added by landing. Tags keep their origin in front of the key: "
        "label/, project_label/, tag/, system_label/. A month needs `_SUCCESS`; a listing (`_MANIFEST`, `manifest.json`: "
        "files, rows, net_cost) decides which shards count.",
    ),
    _of(
        name="focus_export",
        grain="row of the native FOCUS export (preview)",
        control_column="BilledCost",
        confidence="medium",
        columns=FOCUS_FILE,
        notes="55 columns without Tags, ServiceCategory and InvoiceIssuerName: Tags come from the x_ labels, the other "
        "two from the service. All other x_ columns are kept. Read when KIND is `focus`.",
    ),
)
