"""Dropped billing files: FOCUS of any version, AWS Cost and Usage Report, OCI cost report, Azure EA usage.

A file is told by its columns. Every row lands with its native text or is rejected; what the catalog has no column for
goes to `x_extra`. A file is one window: dropping a new content under the same name replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Client
from ingestion.errors import ContractBroken
from ingestion.files.folder import Dropped, Folder, look, open_folder
from ingestion.files.tabular import SUFFIXES, header, json_of, read, without_nothing
from ingestion.focus_columns import COST_AND_USAGE_COLUMNS
from ingestion.records import Batch, Refused, Reject, amount, digest, exact_sum, instant, one_currency, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window, file_window

if TYPE_CHECKING:
    import polars as pl

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_ISO_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}")

# The columns that came with a version of FOCUS; the newest that a file has anything of is its version.
_FOCUS_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("1.4", ("InvoiceDetailId", "CommitmentProgramEligibilityDetails")),
    ("1.3", ("ServiceProviderName", "HostProviderName", "AllocatedMethodId", "ContractApplied", "AllocatedResourceId")),
    ("1.2", ("InvoiceId", "PricingCurrency", "BillingAccountType", "SubAccountType")),
    ("1.1", ("ServiceSubcategory", "SkuMeter", "SkuPriceDetails", "CapacityReservationId", "CommitmentDiscountQuantity")),
)


# Names of drafts before 1.0, which Oracle still delivers, and what they are called since.
_BEFORE_1_0 = {
    "Provider": "ProviderName", "Publisher": "PublisherName", "InvoiceIssuer": "InvoiceIssuerName", "Region": "RegionId",
    "UsageQuantity": "ConsumedQuantity", "UsageUnit": "ConsumedUnit", "ChargeType": "ChargeCategory",
    "BilledCurrency": "BillingCurrency",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How one kind of file maps to its dataset.

    `columns`: file column (lower case, `/` as `_`) → catalog column, first match wins. `tag_prefix`: columns that are
    cost-allocation tags. `cost` and `day`: catalog columns of the money and of the charge day. `unit`: column that
    holds the currency. A null cost is allowed where `free` says that free usage has none.
    """

    dataset: Dataset
    columns: Mapping[str, str]
    cost: str
    day: str
    unit: str
    tag_prefix: str | None = None
    free: bool = False


def _plain(name: str) -> str:
    """A column name for comparison: lower case, slashes as underscores, snake and camel case alike."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _layout(
    key: str,
    named: Mapping[str, str | Sequence[str]],
    *,
    cost: str,
    day: str,
    unit: str,
    tag_prefix: str | None = None,
    free: bool = False,
) -> Layout:
    columns: dict[str, str] = {}
    for target, sources in named.items():
        for source in [sources] if isinstance(sources, str) else sources:
            columns[_plain(source)] = target
    return Layout(BY_KEY[key], columns, cost, day, unit, tag_prefix, free)


FOCUS = Layout(
    BY_KEY["files__focus"],
    {_plain(c): c for c in COST_AND_USAGE_COLUMNS} | {_plain(old): c for old, c in _BEFORE_1_0.items()},
    "BilledCost",
    "ChargePeriodStart",
    "BillingCurrency",
)
AWS_CUR = _layout(
    "files__aws_cur",
    {
        "line_item_id": "identity/LineItemId",
        "time_interval": "identity/TimeInterval",
        "invoice_id": "bill/InvoiceId",
        "invoicing_entity": "bill/InvoicingEntity",
        "billing_entity": "bill/BillingEntity",
        "bill_type": "bill/BillType",
        "payer_account_id": "bill/PayerAccountId",
        "billing_period_start": "bill/BillingPeriodStartDate",
        "billing_period_end": "bill/BillingPeriodEndDate",
        "usage_account_id": "lineItem/UsageAccountId",
        "usage_account_name": "lineItem/UsageAccountName",
        "line_item_type": "lineItem/LineItemType",
        "usage_start": "lineItem/UsageStartDate",
        "usage_end": "lineItem/UsageEndDate",
        "product_code": "lineItem/ProductCode",
        "usage_type": "lineItem/UsageType",
        "operation": "lineItem/Operation",
        "availability_zone": "lineItem/AvailabilityZone",
        "resource_id": "lineItem/ResourceId",
        "usage_amount": "lineItem/UsageAmount",
        "currency_code": "lineItem/CurrencyCode",
        "unblended_rate": "lineItem/UnblendedRate",
        "unblended_cost": "lineItem/UnblendedCost",
        "net_unblended_cost": "lineItem/NetUnblendedCost",
        "line_item_description": "lineItem/LineItemDescription",
        "tax_type": "lineItem/TaxType",
        "legal_entity": "lineItem/LegalEntity",
        "product_name": "product/ProductName",
        "product_family": "product/productFamily",
        "region_code": "product/regionCode",
        "sku": "product/sku",
        "rate_code": "pricing/RateCode",
        "rate_id": "pricing/RateId",
        "public_on_demand_cost": "pricing/publicOnDemandCost",
        "public_on_demand_rate": "pricing/publicOnDemandRate",
        "pricing_term": "pricing/term",
        "pricing_unit": "pricing/unit",
        "reservation_arn": "reservation/ReservationARN",
        "reservation_effective_cost": "reservation/EffectiveCost",
        "reservation_unused_amortized_upfront_fee": "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod",
        "reservation_unused_recurring_fee": "reservation/UnusedRecurringFee",
        "savings_plan_arn": "savingsPlan/SavingsPlanARN",
        "savings_plan_effective_cost": "savingsPlan/SavingsPlanEffectiveCost",
        "savings_plan_total_commitment_to_date": "savingsPlan/TotalCommitmentToDate",
        "savings_plan_used_commitment": "savingsPlan/UsedCommitment",
        "iam_principal": "lineItem/IamPrincipal",
        "product": "product",
        # Both hold the resource tags; only the first has those of principals, accounts and users too.
        "tags": ("tags", "resource_tags"),
    },
    cost="unblended_cost",
    day="usage_start",
    unit="currency_code",
    tag_prefix="resourceTags/",
)
OCI_COST = _layout(
    "files__oci_cost",
    {
        "reference_no": "lineItem/referenceNo",
        "tenant_id": "lineItem/tenantId",
        "interval_usage_start": "lineItem/intervalUsageStart",
        "interval_usage_end": "lineItem/intervalUsageEnd",
        "service": "product/service",
        "compartment_id": "product/compartmentId",
        "compartment_name": "product/compartmentName",
        "region": "product/region",
        "availability_domain": "product/availabilityDomain",
        "resource_id": "product/resourceId",
        "billed_quantity": "usage/billedQuantity",
        "billed_quantity_overage": "usage/billedQuantityOverage",
        "subscription_id": "cost/subscriptionId",
        "product_sku": "cost/productSku",
        "description": "product/Description",
        "unit_price": "cost/unitPrice",
        "unit_price_overage": "cost/unitPriceOverage",
        "my_cost": "cost/myCost",
        "my_cost_overage": "cost/myCostOverage",
        "currency_code": "cost/currencyCode",
        "billing_unit_readable": "cost/billingUnitReadable",
        "sku_unit_description": "cost/skuUnitDescription",
        "overage_flag": "cost/overageFlag",
        "is_correction": "lineItem/isCorrection",
        "backreference_no": "lineItem/backreferenceNo",
    },
    cost="my_cost",
    day="interval_usage_start",
    unit="currency_code",
    tag_prefix="tags/",
    free=True,
)
AZURE_COST = _layout(
    "files__azure_ea",
    {
        "billing_account_id": "BillingAccountId",
        "billing_account_name": "BillingAccountName",
        "billing_period_start": "BillingPeriodStartDate",
        "billing_period_end": "BillingPeriodEndDate",
        "billing_profile_id": "BillingProfileId",
        "billing_profile_name": "BillingProfileName",
        "subscription_id": "SubscriptionId",
        "subscription_name": "SubscriptionName",
        "usage_date": "Date",
        "product_name": ("ProductName", "Product"),
        "part_number": ("PartNumber", "ProductId"),
        "meter_id": "MeterId",
        "service_family": "ServiceFamily",
        "meter_category": "MeterCategory",
        "meter_subcategory": "MeterSubCategory",
        "meter_region": "MeterRegion",
        "meter_name": "MeterName",
        "quantity": "Quantity",
        "effective_price": "EffectivePrice",
        "cost": ("CostInBillingCurrency", "Cost"),
        "unit_price": "UnitPrice",
        "billing_currency": ("BillingCurrencyCode", "BillingCurrency"),
        "resource_location": "ResourceLocation",
        "availability_zone": "AvailabilityZone",
        "consumed_service": "ConsumedService",
        "resource_id": "ResourceId",
        "resource_name": "ResourceName",
        "additional_info": "AdditionalInfo",
        "tags_text": "Tags",
        "cost_center": "CostCenter",
        "unit_of_measure": "UnitOfMeasure",
        "resource_group": ("ResourceGroup", "ResourceGroupName"),
        "reservation_id": "ReservationId",
        "reservation_name": "ReservationName",
        "product_order_id": "ProductOrderId",
        "product_order_name": "ProductOrderName",
        "offer_id": "OfferId",
        "term": "Term",
        "publisher_name": "PublisherName",
        "publisher_type": "PublisherType",
        "plan_name": "PlanName",
        "charge_type": "ChargeType",
        "frequency": "Frequency",
        "payg_price": "PayGPrice",
        "pricing_model": "PricingModel",
        "invoice_section_id": "InvoiceSectionId",
        "invoice_section_name": ("InvoiceSectionName", "InvoiceSection"),
        "benefit_id": "benefitId",
        "benefit_name": "benefitName",
    },
    cost="cost",
    day="usage_date",
    unit="billing_currency",
)
LAYOUTS = {layout.dataset.key: layout for layout in (FOCUS, AWS_CUR, OCI_COST, AZURE_COST)}


def kind_of(names: Sequence[str]) -> str | None:
    """Which dataset a header belongs to: a catalog key, `invoices__lines`, or None for none that is known."""
    plain = {_plain(name) for name in names}
    if {"billedcost", "chargeperiodstart", "billingcurrency"} <= plain or {"billedcost", "chargecategory"} <= plain:
        return "files__focus"
    if "lineitemunblendedcost" in plain and plain & {"identitylineitemid", "lineitemlineitemtype"}:
        return "files__aws_cur"
    if {"lineitemreferenceno", "costmycost"} <= plain:
        return "files__oci_cost"
    if {"meterid", "subscriptionid", "date"} <= plain and plain & {"cost", "costinbillingcurrency"}:
        return "files__azure_ea"
    if {"invoiceissuername", "invoiceid", "amount"} <= plain:
        return "invoices__lines"
    return None


def focus_version(names: Sequence[str]) -> str:
    """The FOCUS version a header shows, 1.0 to 1.4; 0.5 for names of drafts before 1.0, whatever came with them."""
    present = {_plain(name) for name in names}
    newest = next((version for version, marks in _FOCUS_MARKS if present & {_plain(mark) for mark in marks}), "1.0")
    return "0.5" if newest == "1.0" and "provider" in present and "providername" not in present else newest


def finder(key: str) -> Callable[[SourceConfig, Sequence[Window]], list[Window]]:
    """Finds the dropped files of one kind. Files of no known kind are found by the FOCUS dataset, which reports them."""

    def find(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
        folder = open_folder(config)
        tables = [f for f in folder.files() if f.name.lower().endswith(SUFFIXES)]
        kinds = ((f, _kind(folder, f)) for f in tables)
        return [
            file_window(f.name, f.version) for f, kind in kinds if kind == key or (kind is None and key == FOCUS.dataset.key)
        ]

    return find


def fetcher(key: str) -> Callable[[Client, SourceConfig, Sequence[Window]], Iterator[tuple[Window, Batch]]]:
    """Reads dropped files of one kind. Control total: the sum of the cost column."""
    layout = LAYOUTS[key]

    def fetch(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
        folder = open_folder(config)
        for window in windows:
            assert window.locator is not None
            yield window, read_file(layout, window.locator, folder.read(window.locator))

    return fetch


def _kind(folder: Folder, dropped: Dropped) -> str | None:
    try:
        return kind_of(header(dropped.name, folder.head(dropped.name), lambda: folder.read(dropped.name)))
    except ContractBroken:
        return None


def read_file(
    layout: Layout, name: str, content: bytes, export: str | None = None, view: str | None = None
) -> Batch:
    """One file as a batch. `view`: the cost view of an Azure export where it is known, else its rows tell it.

    Raises ContractBroken when it is unreadable or not of the layout's kind.
    """
    frame, rejects = read(name, content)
    names = [n for n in frame.columns if n != "__row"]
    if kind_of(names) != LAYOUTS_KIND.get(layout.dataset.key, layout.dataset.key):
        raise ContractBroken(
            tried=f"read dropped file {name}",
            found=f"a header of {len(names)} columns that belongs to no known billing format",
            to_do="drop FOCUS, AWS CUR, OCI or Azure EA files here, and move other files away",
        )
    return shape(layout, frame, rejects, name, export, view)


LAYOUTS_KIND = {
    "aws__focus_export": "files__focus",
    "aws__cur_export": "files__aws_cur",
    "azure__focus_cost": "files__focus",
    "azure__cost_details": "files__azure_ea",
}


def together(dataset: Dataset, batches: Sequence[Batch]) -> Batch:
    """The files of one delivery as one batch."""
    import polars as pl

    frames = [batch.records for batch in batches] or [table(dataset, [])]
    rejects = [reject for batch in batches for reject in batch.rejects]
    days = sorted({day for batch in batches for day in batch.days or ()})
    total = sum((batch.control_total or Decimal(0) for batch in batches), Decimal(0))
    unit = one_currency({batch.control_unit for batch in batches if batch.control_unit})
    return Batch(pl.concat(frames), rejects, total, unit, len(batches), days)


def shape(
    layout: Layout,
    frame: pl.DataFrame,
    rejects: list[Reject],
    name: str,
    export: str | None = None,
    view: str | None = None,
) -> Batch:
    """Text columns of a file as the dataset's columns; rows with an unreadable cost or day become rejects."""
    import polars as pl

    dataset = layout.dataset
    frame = without_nothing(frame)
    names = [n for n in frame.columns if n != "__row"]
    delivered = {_plain(column): column for column in reversed(names)}
    source: dict[str, str] = {}
    for plain, target in layout.columns.items():
        if plain in delivered:
            source.setdefault(target, delivered[plain])
    # A second column of tags repeats the first: it is neither read nor kept.
    repeated = {delivered[p] for p, target in layout.columns.items() if target == "tags" and p in delivered}
    mapped = {*source.values(), *repeated}
    tags = [n for n in names if layout.tag_prefix and n.startswith(layout.tag_prefix) and n not in mapped]
    extra = [n for n in names if n not in mapped and n not in tags]
    texts = [
        pl.col(source[target]).alias(target) if target in source else pl.lit(None, dtype=pl.String).alias(target)
        for target in dataset.columns
    ]
    shaped = frame.select("__row", *texts).with_columns(pl.lit(name).alias("file_name"))
    if "x_extra" in dataset.columns:
        shaped = shaped.with_columns(json_of(frame, {n: n for n in extra}).alias("x_extra"))
    if tags and layout.tag_prefix and "tags" in dataset.columns:
        keys = {n: n.removeprefix(layout.tag_prefix) for n in tags}
        shaped = shaped.with_columns(json_of(frame, keys).alias("tags"))
    if "focus_version_in" in dataset.columns:
        shaped = shaped.with_columns(
            pl.lit(focus_version(names)).alias("focus_version_in"), pl.lit(export, dtype=pl.String).alias("export_name")
        )
    if "cost_view" in dataset.columns:
        shaped = shaped.with_columns(pl.lit(view or cost_view(shaped, name)).alias("cost_view"))
    refused = _refused_rows(layout, shaped)
    good = shaped.filter(~pl.col("__row").is_in(list(refused)))
    for row in shaped.filter(pl.col("__row").is_in(list(refused))).iter_rows(named=True):
        number = row["__row"]
        text = "|".join(str(v) for v in row.values())
        rejects.append(Reject(number, *refused[number], None, digest(text)))
    days = sorted({day for text in good.get_column(layout.day).unique() if (day := _day(text)) is not None})
    total = exact_sum(good.get_column(layout.cost).str.strip_chars())
    units = good.get_column(layout.unit).drop_nulls().unique().sort()
    return Batch(
        good.select(list(dataset.columns)),
        rejects,
        total,
        one_currency(units.to_list()),
        1,
        days,
    )


def cost_view(rows: pl.DataFrame, name: str) -> str:
    """`actual` or `amortized`: told by the rows; a file whose rows fit both is told by its name, else it is actual.

    Only an amortized view gives usage covered by a reservation its price, and only an actual view has the purchase.
    """
    import polars as pl

    charge = pl.col("charge_type").str.to_lowercase()
    model = pl.col("pricing_model").str.to_lowercase().is_in(["reservation", "savingsplan"])
    cost = pl.col("cost").str.contains(r"[1-9]")
    if rows.filter(charge.str.starts_with("unused") | ((charge == "usage") & model & cost)).height:
        return "amortized"
    if rows.filter((charge == "purchase") & model & cost).height:
        return "actual"
    return "amortized" if "amortized" in name.lower() else "actual"


def _refused_rows(layout: Layout, shaped: pl.DataFrame) -> dict[int, tuple[str, str]]:
    """Row number → (reason, column) of rows whose cost is no number or whose charge day cannot be read."""
    import polars as pl

    refused: dict[int, tuple[str, str]] = {}
    cost, day = pl.col(layout.cost), pl.col(layout.day)
    if not layout.free:
        for number in shaped.filter(cost.is_null()).get_column("__row"):
            refused[number] = ("missing_value", layout.cost)
    for number in shaped.filter(cost.is_not_null() & ~cost.str.contains(_NUMBER)).get_column("__row"):
        refused[number] = ("not_a_number", layout.cost)
    huge = shaped.filter(cost.str.contains(r"[eE]") | (cost.str.len_chars() > 24))
    for number, text in huge.select("__row", layout.cost).iter_rows():
        if number not in refused:
            try:
                amount(Decimal(text.strip()), layout.cost)
            except (Refused, InvalidOperation):
                refused[number] = ("out_of_range", layout.cost)
    for number in shaped.filter(day.is_null()).get_column("__row"):
        refused.setdefault(number, ("missing_value", layout.day))
    for text in shaped.get_column(layout.day).drop_nulls().unique():
        if _day(text) is None:
            for number in shaped.filter(day == text).get_column("__row"):
                refused.setdefault(number, ("unreadable_time", layout.day))
    return refused


def _day(text: str) -> date | None:
    """The charge day of a native time: ISO with or without zone and seconds, or M/D/YYYY. UTC where none is said."""
    text = text.strip()
    if _ISO_DAY.match(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        utc = instant(moment.isoformat(), "day")
        return utc.date() if utc else None
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()
    except ValueError:
        return None


SYSTEM = System(
    "files",
    tuple(
        Connector(BY_KEY[key], fetcher(key), finder(key))
        for key in ("files__focus", "files__aws_cur", "files__oci_cost", "files__azure_ea")
    ),
    look=look,
)
