"""Helicone request log."""

from __future__ import annotations

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, flags, instants, text

SOURCE = Source(
    "helicone",
    "Helicone",
    secrets=("API_KEY",),
    options=(
        Option(
            "COST_UNIT", "usd", "Unit of `cost`: `usd` over REST; `nano_usd` where the raw ClickHouse table is passed on"
        ),
    ),
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="helicone",
        name="requests",
        grain="gateway request",
        window="day",
        restatement_days=3,
        money_unit="cost_unit of the row, calculated by the vendor",
        control_column="cost",
        confidence="medium",
        identity=("request_id",),
        columns={
            **text("request_id", "provider_response_id", "provider", "model", "request_model", "user_id"),
            **instants("request_created_at", "ended_at", "first_token_at"),
            **counts(
                "response_status", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cache_read_tokens",
                "cache_write_tokens", "prompt_audio_tokens", "completion_audio_tokens", "total_tokens",
            ),
            **flags("is_cached_answer", "is_passthrough_billing"),
            "cost": "money_text",
            **text("cost_unit"),
            **REQUEST_LABELS,
        },
        notes=(
            "A day is asked in halves until an answer is below the limit of 1000, never by deep offset. Cached tokens are "
            "outside prompt_tokens and total_tokens; whether reasoning is outside completion_tokens is told by the total. "
            "Cached answers cost nothing. Bodies, target addresses and other properties are not landed."
        ),
    ),
)
