"""Dropped billing files: a folder or a bucket prefix."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.aws import CUR_LINE
from ingestion.catalog.azure import COST_DETAILS
from ingestion.catalog.dataset import FOCUS_FILE, Dataset, Source, text

SOURCE = Source(
    "files", "Dropped billing files", required={"LOCATION": "Folder or `s3://` prefix where billing files are dropped"}
)

_of = partial(Dataset, source="files", window="file", restatement_days=0, spend_source="cloud")


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="focus",
        grain="charge of a dropped FOCUS file, 1.0 to 1.4 and Oracle's older names, detected by its columns",
        money_unit="BillingCurrency of the row",
        control_column="BilledCost",
        columns=FOCUS_FILE,
        notes="CSV, gzipped CSV, Parquet, or a zip with all numbered parts of one export. Columns outside FOCUS are kept in x_extra"
        " and reported by rule R22.",
    ),
    _of(
        name="aws_cur",
        grain="line item of a dropped AWS Cost and Usage Report (legacy slash names or CUR 2.0)",
        money_unit="lineItem currency code",
        control_column="unblended_cost",
        columns=CUR_LINE,
    ),
    _of(
        name="oci_cost",
        grain="line of a dropped OCI cost report",
        money_unit="cost/currencyCode",
        control_column="my_cost",
        columns={
            **text(
                "reference_no", "tenant_id", "interval_usage_start", "interval_usage_end", "service",
                "compartment_id", "compartment_name", "region", "availability_domain", "resource_id",
                "billed_quantity", "billed_quantity_overage", "subscription_id", "product_sku", "description",
                "unit_price", "unit_price_overage", "my_cost", "my_cost_overage", "currency_code",
                "billing_unit_readable", "sku_unit_description", "overage_flag", "is_correction", "backreference_no",
            ),
            "tags": "json",
            "x_extra": "json",
            **text("file_name"),
        },
    ),
    _of(
        name="azure_ea",
        grain="line of a dropped Azure EA usage export (actual or amortized view)",
        money_unit="billing currency of the row",
        control_column="cost",
        columns=COST_DETAILS,
        notes="cost_view is actual or amortized, told by the rows; the two views of one month are never added.",
    ),
)
