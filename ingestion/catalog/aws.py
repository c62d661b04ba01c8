"""AWS Data Exports in S3: FOCUS, and the Cost and Usage Report."""

from __future__ import annotations

from ingestion.catalog.dataset import FOCUS_FILE, ColumnType, Dataset, Option, Source, text

SOURCE = Source(
    "aws",
    "AWS Data Exports",
    secrets=("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
    required={"BUCKET": "Bucket that AWS Data Exports writes to"},
    options=(
        Option("PREFIX", "none", "Prefix of the exports in the bucket"),
        Option("EXPORT", "every one found", "Name of the export; several, with commas, where one follows another"),
        Option("BILL", "fails when a month has both", "`focus` or `cur`: the export that is booked for months that have both"),
        Option("IAM_PRINCIPAL", "optional", "`required`: an export without `line_item_iam_principal` is refused"),
        Option("REGION", "us-east-1", "Region of the bucket"),
        Option("ENDPOINT_URL", "AWS", "Another address of the S3 API"),
    ),
)

# A line of a Cost and Usage Report, whatever its version: native text.
CUR_LINE: dict[str, ColumnType] = {
    **text(
        "line_item_id", "time_interval", "invoice_id", "invoicing_entity", "billing_entity", "bill_type",
        "payer_account_id", "billing_period_start", "billing_period_end", "usage_account_id", "usage_account_name",
        "line_item_type", "usage_start", "usage_end", "product_code", "usage_type", "operation", "availability_zone",
        "resource_id", "usage_amount", "currency_code", "unblended_rate", "unblended_cost", "net_unblended_cost",
        "line_item_description", "tax_type", "legal_entity", "product_name", "product_family", "region_code", "sku",
        "rate_code", "rate_id", "public_on_demand_cost", "public_on_demand_rate", "pricing_term", "pricing_unit",
        "reservation_arn", "reservation_effective_cost", "reservation_unused_amortized_upfront_fee",
        "reservation_unused_recurring_fee", "savings_plan_arn", "savings_plan_effective_cost",
        "savings_plan_total_commitment_to_date", "savings_plan_used_commitment", "iam_principal",
    ),
    "product": "json",
    "tags": "json",
    "x_extra": "json",
    **text("file_name"),
}

_ONLY = "The whole billing period is redelivered; only files of its top manifest count. "

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
        notes=f"{_ONLY}FOCUS 1.0 or 1.2, told by its columns. A month that has a CUR export too is booked from the one that "
        "AISL_AWS_BILL names; without it the month fails.",
    ),
    Dataset(
        source="aws",
        name="cur_export",
        grain="line item of a CUR 2.0 export as AWS delivered it in the newest manifest of a billing period",
        window="month",
        restatement_days=1,
        money_unit="currency code of the line, per line item",
        control_column="unblended_cost",
        spend_source="cloud",
        confidence="medium",
        columns=CUR_LINE,
        notes=f"{_ONLY}`tags` is read and `resource_tags`, which repeats it, only where `tags` is not exported. Lines of "
        "split cost allocation land and are not booked: their parent carries the cost. IAM principals are told where the "
        "export has them (since 2026-04-08); AISL_AWS_IAM_PRINCIPAL=required refuses an export without.",
    ),
)
