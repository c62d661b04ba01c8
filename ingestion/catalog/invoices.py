"""Invoice lines as dropped CSV."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, text

SOURCE = Source(
    "invoices", "Invoices", required={"LOCATION": "Folder or `s3://` prefix where invoices are dropped"}
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="invoices",
        name="lines",
        grain="invoice line of a dropped invoice CSV",
        window="file",
        restatement_days=0,
        money_unit="currency column, decimal major units",
        control_column="amount",
        identity=("invoice_issuer_name", "invoice_id", "invoice_detail_id"),
        columns={
            **text(
                "invoice_issuer_name", "billing_account_id", "invoice_id", "invoice_detail_id", "invoice_issue_status",
                "line_type", "charge_category", "service_name", "description",
            ),
            "billing_period_start": "date",
            "billing_period_end": "date",
            "invoice_issue_date": "date",
            "payment_due_date": "date",
            "quantity": "money_text",
            "amount": "money_text",
            **text("currency", "purchase_order_number", "reference_invoice_id", "contract_id", "file_name"),
        },
        notes="line_type: usage, tax, credit, seat, support, commitment, adjustment. billing_period_end is exclusive.",
    ),
)
