"""Claude Code's own OpenTelemetry export, dropped as files."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, instants, money, text

SOURCE = Source(
    "claude_code_otel",
    "Claude Code (OpenTelemetry)",
    required={"LOCATION": "Folder or `s3://` prefix where the collector drops OTLP JSON files"},
    options=(
        Option("BILLED_AS", "subscription", "`subscription`: the cost it names is notional; `api`: the provider's own bill holds it"),
        Option("LABEL_PREFIX", "none", "Prefix of the resource attributes that hold ticket, workflow, team and so on"),
    ),
    logs_requests=True,
)

_of = partial(Dataset, source="claude_code_otel", window="file", restatement_days=0, confidence="medium")

DATASETS: tuple[Dataset, ...] = (
    _of(
        name="api_requests",
        grain="event claude_code.api_request of a dropped OTLP file",
        money_unit="USD dollars, estimated by the client at list price",
        control_column="cost_usd",
        spend_source="developer_ai_tool",
        identity=("request_id",),
        columns={
            **text(
                "request_id", "provider_request_id", "session_id", "prompt_id", "model", "user_email", "user_id",
                "account_uuid", "organization_id", "query_source", "speed", "billed_as",
            ),
            **instants("started_at", "ended_at"),
            **counts("duration_ms", "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),
            **money("cost_usd"),
            **REQUEST_LABELS,
        },
        notes=(
            "Input, cache reads and cache writes are disjoint. cost_usd_micros is preferred to cost_usd; the two must agree. "
            "An estimate: notional for subscriptions, never cash. user_prompt, tool_result and other events never land."
        ),
    ),
    _of(
        name="token_usage",
        grain="point of metric claude_code.token.usage or claude_code.cost.usage of a dropped OTLP file",
        columns={
            **text("session_id", "user_email", "model", "metric", "token_type", "temporality", "series"),
            **instants("started_at", "ended_at"),
            **counts("tokens"),
            **money("cost_usd"),
        },
        notes="A control beside the requests, never added to them. Cumulative points of one series must not be added.",
    ),
)
