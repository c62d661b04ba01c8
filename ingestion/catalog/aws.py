"""AWS Data Exports in S3."""

from __future__ import annotations

from ingestion.catalog.dataset import FOCUS_FILE, Dataset, Option, Source

SOURCE = Source(
    "aws",
    "AWS Data Exports",
    secrets=("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
    required={"BUCKET": "Bucket that AWS Data Exports writes to"},
    options=(
        Option("PREFIX", "none", "Prefix of the export in the bucket"),
        Option("EXPORT", "every one found", "Name of the export"),
        Option("REGION", "us-east-1", "Region of the bucket"),
        Option("ENDPOINT_URL", "AWS", "Another address of the S3 API"),
    ),
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="aws",
        name="focus_export",
        grain="charge as AWS delivered it in the newest manifest of a billing period",
        window="month",
        restatement_days=1,
        money_unit="BillingCurrency of the row",
        control_column="BilledCost",
        spend_source="cloud",
        columns=FOCUS_FILE,
        notes="FOCUS 1.0 or 1.2 export in S3. The whole billing period is redelivered; only files of the manifest count.",
    ),
)
