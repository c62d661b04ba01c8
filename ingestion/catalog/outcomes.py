"""Daily counts of business events as dropped CSV: the denominators of unit costs that no other source knows."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, counts, text

SOURCE = Source(
    "outcomes", "Business outcomes", required={"LOCATION": "Folder or `s3://` prefix where daily outcome counts are dropped"}
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="outcomes",
        name="daily",
        grain="UTC day x workflow x event x customer, from a dropped CSV",
        window="file",
        restatement_days=0,
        identity=("outcome_date", "workflow", "event", "customer_id"),
        columns={
            "outcome_date": "date",
            **text("workflow", "event", "customer_id"),
            **counts("events", "successes"),
            **text("file_name"),
        },
        notes="events: how often it happened. successes: how many of them count as success by the business's own rule; at most"
        " events. Which event is a workflow's unit of value is said, dated, in seed unit_definitions.",
    ),
)
