"""Langfuse observations."""

from __future__ import annotations

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, instants, money, text

SOURCE = Source(
    "langfuse",
    "Langfuse",
    secrets=("PUBLIC_KEY", "SECRET_KEY"),
    options=(
        Option(
            "INPUT_TOKENS",
            "exclusive",
            "Whether `input` counts cached tokens (`inclusive`) where no total tells; the same for output and reasoning",
        ),
    ),
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="langfuse",
        name="observations",
        grain="model call (observation of type GENERATION)",
        window="day",
        restatement_days=3,
        money_unit="USD dollars, calculated by the vendor",
        control_column="total_cost_usd",
        confidence="medium",
        identity=("id",),
        columns={
            **text(
                "id", "trace_id", "provider_response_id", "model", "level", "environment", "user_id", "session_id",
                "pricing_tier",
            ),
            **instants("start_time", "end_time", "completion_start_time", "updated_at"),
            **counts(
                "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
                "cache_write_tokens", "other_input_tokens", "output_tokens", "reasoning_tokens", "other_output_tokens",
                "unknown_tokens", "total_tokens",
            ),
            "usage_details": "json",
            **text("input_means"),
            **money("total_cost_usd"),
            **REQUEST_LABELS,
        },
        notes=(
            "usageDetails keys are free-form: recognised by their words, unknown ones counted in unknown_tokens. Whether "
            "input counts cached tokens is decided by the total; without one, or when the vendor made it up as the sum of "
            "all keys, AISL_LANGFUSE_INPUT_TOKENS says it. An observation updated later replaces its older state. Inputs "
            "and outputs are never asked for."
        ),
    ),
)
