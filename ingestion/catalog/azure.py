"""Azure Cost Management exports, as a folder or an S3-compatible prefix that the storage container is copied to."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import FOCUS_FILE, ColumnType, Dataset, Option, Source, text

SOURCE = Source(
    "azure",
    "Azure Cost Management exports",
    required={"LOCATION": "Folder or `s3://` prefix that holds a copy of the storage container with the exports"},
    options=(
        Option("EXPORTS", "every one found", "Names of the exports to read, separated by commas"),
        Option("ENDPOINT_URL", "AWS", "Address of the S3 API of an `s3://` location"),
        Option("REGION", "us-east-1", "Region of an `s3://` location"),
    ),
)

# A line of an actual or amortized export, EA or MCA; the columns that only one of the two has are in x_extra.
COST_DETAILS: dict[str, ColumnType] = {
    **text(
        "cost_view", "billing_account_id", "billing_account_name", "billing_period_start",
        "billing_period_end", "billing_profile_id", "billing_profile_name", "subscription_id",
        "subscription_name", "usage_date", "product_name", "part_number", "meter_id", "service_family",
        "meter_category", "meter_subcategory", "meter_region", "meter_name", "quantity", "effective_price",
        "cost", "unit_price", "billing_currency", "resource_location", "availability_zone",
        "consumed_service", "resource_id", "resource_name", "additional_info", "tags_text", "cost_center",
        "unit_of_measure", "resource_group", "reservation_id", "reservation_name", "product_order_id",
        "product_order_name", "offer_id", "term", "publisher_name", "publisher_type", "plan_name",
        "charge_type", "frequency", "payg_price", "pricing_model", "invoice_section_id",
        "invoice_section_name", "benefit_id", "benefit_name",
    ),
    "x_extra": "json",
    **text("file_name"),
}  # fmt: skip

_of = partial(Dataset, source="azure", window="month", restatement_days=1, spend_source="cloud")
_RUNS = (
    "There is no Azure client here: whoever runs this copies the container (azcopy sync, rclone) to the location. Every run"
    " lists its whole month, so per export and month only the manifest with the newest submission time counts, and its files."
)

DATASETS: tuple[Dataset, ...] = (
    _of(
        name="focus_cost",
        grain="charge as the newest run of a FocusCost export delivered it for a month",
        money_unit="BillingCurrency of the row",
        control_column="BilledCost",
        columns=FOCUS_FILE,
        notes=f"FOCUS 1.0, 1.0r2 or 1.2-preview. {_RUNS}",
    ),
    _of(
        name="cost_details",
        grain="line as the newest runs of an ActualCost and an AmortizedCost export delivered it for a month",
        money_unit="billing currency of the row",
        control_column="cost",
        confidence="medium",
        columns=COST_DETAILS,
        notes="EA and MCA column names. cost_view is the type of the export; the two views are never added, and a month that"
        f" a FOCUS export delivers too is taken from there: exports of one account of this pipeline cover one scope. {_RUNS}",
    ),
)
