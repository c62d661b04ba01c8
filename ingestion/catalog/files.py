"""Dropped billing files: a folder or a bucket prefix."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import FOCUS_FILE, Dataset, Source, text

SOURCE = Source(
    "files", "Dropped billing files", required={"LOCATION": "Folder or `s3://` prefix where billing files are dropped"}
)

_of = partial(Dataset, source="files", window="file", restatement_days=0, spend_source="cloud")


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="focus",
        grain="charge of a dropped FOCUS file, 1.0 to 1.4, detected by its columns",
        money_unit="BillingCurrency of the row",
        control_column="BilledCost",
        columns=FOCUS_FILE,
    ),
    _of(
        name="aws_cur",
        grain="line item of a dropped AWS Cost and Usage Report (legacy slash names or CUR 2.0)",
        money_unit="lineItem currency code",
        control_column="unblended_cost",
        columns={
            **text(
                "line_item_id", "time_interval", "invoice_id", "invoicing_entity", "billing_entity", "bill_type",
                "payer_account_id", "billing_period_start", "billing_period_end", "usage_account_id", "line_item_type",
                "usage_start", "usage_end", "product_code", "usage_type", "operation", "availability_zone",
                "resource_id", "usage_amount", "currency_code", "unblended_rate", "unblended_cost",
                "net_unblended_cost", "line_item_description", "tax_type", "legal_entity", "product_name",
                "product_family", "region_code", "sku", "rate_code", "rate_id", "public_on_demand_cost",
                "public_on_demand_rate", "pricing_term", "pricing_unit", "reservation_arn",
                "reservation_effective_cost", "reservation_unused_amortized_upfront_fee",
                "reservation_unused_recurring_fee", "savings_plan_arn", "savings_plan_effective_cost",
                "savings_plan_total_commitment_to_date", "savings_plan_used_commitment", "iam_principal",
            ),
            "tags": "json",
            "x_extra": "json",
            **text("file_name"),
        },
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
        columns={
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
        },
        notes="cost_view is actual or amortized, told by the rows; the two views of one month are never added.",
    ),
)
