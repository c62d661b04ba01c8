"""Hugging Face Hub billing."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Option, Source, counts, instants, money, text

SOURCE = Source(
    "huggingface",
    "Hugging Face",
    secrets=("TOKEN",),
    options=(Option("ORGANIZATION", "the token's user", "Organization whose billing is read"),),
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="huggingface",
        name="usage",
        grain="UTC day x billed product (inferenceProviders, jobs, ...)",
        window="day",
        restatement_days=3,
        money_unit="USD 1e-9 in *_nano_usd, USD 1e-6 in *_micro_usd",
        control_column="used_nano_usd",
        spend_source="direct_model_api",
        identity=("product",),
        columns={
            "usage_date": "date",
            **text("entity", "product"),
            **money("used_nano_usd", "used_micro_usd", "included_nano_usd", "limit_nano_usd", "used_before_nano_usd"),
            **counts("num_requests"),
            **money("total_minutes"),
            **instants("period_start", "period_end"),
            "other_measures": "json",
        },
        confidence="medium",
        notes=(
            "Answers are totals of the span asked for, so a day is asked alone. Inference counts in nano-dollars, jobs in "
            "micro-dollars. included_nano_usd is the credit of the whole billing period, which begins on the day of sign-up; "
            "used_before_nano_usd is asked for the span from that day, to know how much of the credit was left. No model, no "
            "user, no tokens. Products of unknown shape keep their numbers in other_measures."
        ),
    ),
)
