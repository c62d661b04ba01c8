"""OpenTelemetry GenAI telemetry dropped as files."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, flags, instants, text

SOURCE = Source(
    "otel",
    "OpenTelemetry GenAI",
    required={"LOCATION": "Folder or `s3://` prefix where OTLP JSON or Parquet files are dropped"},
    options=(
        Option("EXCLUSIVE_SCOPES", "none", "Instrumentation scopes, comma-separated, that count cached tokens beside the input"),
        Option("LABEL_PREFIX", "none", "Prefix of the attributes in which callers write ticket, workflow, feature and so on"),
    ),
    logs_requests=True,
)

_of = partial(Dataset, source="otel", window="file", restatement_days=0)

DATASETS: tuple[Dataset, ...] = (
    _of(
        name="spans",
        grain="model-call span of a dropped OTLP file that has no model call below it",
        confidence="medium",
        identity=("trace_id", "span_id"),
        columns={
            **text(
                "trace_id", "span_id", "parent_span_id", "scope_name", "service_name", "operation", "provider", "model",
                "response_id", "conversation_id", "user_id", "user_email", "service_tier", "status",
            ),
            **instants("started_at", "ended_at"),
            **flags("is_cache_inside_input"),
            **counts(
                "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "reasoning_tokens",
                "stated_total_tokens",
            ),
            **REQUEST_LABELS,
        },
        notes=(
            "Attributes in their new and old spellings. Whether input counts cached tokens is decided per instrumentation "
            "scope and file: exclusive where AISL_OTEL_EXCLUSIVE_SCOPES names it or one span proves it (input below its "
            "cached tokens, or a total that adds them), else inclusive as the convention says. Events and contents never land."
        ),
    ),
    _of(
        name="token_usage",
        grain="point of metric gen_ai.client.token.usage of a dropped OTLP file",
        confidence="medium",
        columns={
            **text("service_name", "scope_name", "provider", "model", "token_type", "temporality", "series"),
            **instants("started_at", "ended_at"),
            **counts("tokens", "calls"),
        },
        notes="The sum of the histogram, never its buckets. Cumulative points of one series must not be added. A control, not requests.",
    ),
)
