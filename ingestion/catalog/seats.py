"""Seat inventories as dropped CSV: who holds a licence of what, as a list of one day."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, instants, text

SOURCE = Source(
    "seats", "Seat inventories", required={"LOCATION": "Folder or `s3://` prefix where seat snapshots are dropped"}
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="seats",
        name="snapshot",
        grain="seat in the list of a day, from a dropped CSV",
        window="file",
        restatement_days=0,
        money_unit="currency column, decimal major units per seat and billing_period",
        identity=("snapshot_date", "vendor", "product", "seat_key"),
        confidence="medium",
        columns={
            "snapshot_date": "date",
            **text("vendor", "product", "plan", "seat_key", "seat_id", "user_id", "user_email", "status", "team", "cost_center"),
            "unit_price": "money_text",
            **text("currency", "billing_period", "contract_id", "file_name"),
            **instants("assigned_at", "removed_at", "last_activity_at"),
        },
        notes="seat_key: seat_id, else user_id, else e-mail. `None` and `never` are no activity. unit_price checks the invoice.",
    ),
)
