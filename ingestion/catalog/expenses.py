"""Lines of expense reports as dropped CSV."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, text

SOURCE = Source(
    "expenses", "Expense reports", required={"LOCATION": "Folder or `s3://` prefix where expense lines are dropped"}
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="expenses",
        name="lines",
        grain="line of an expense report, from a dropped CSV",
        window="file",
        restatement_days=0,
        money_unit="currency column, decimal major units",
        control_column="amount",
        identity=("report_id", "expense_id"),
        confidence="medium",
        columns={
            **text("report_id", "expense_id"),
            "expense_date": "date",
            **text("employee_email", "merchant", "merchant_domain", "card_descriptor", "category"),
            "amount": "money_text",
            **text("currency", "cost_center", "file_name"),
        },
        notes="Purpose and memo texts are never landed. Lines are looked through for AI vendors and never booked as charges.",
    ),
)
