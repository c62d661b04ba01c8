"""LLM logs of Azure API Management, as dropped files."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, counts, flags, instants, text

SOURCE = Source(
    "azure_llm_logs",
    "Azure API Management LLM logs",
    required={"LOCATION": "Folder or `s3://` prefix where exported log files are dropped"},
    options=(
        Option("PROVIDER", "azure", "Provider behind the gateway, as the price catalogue calls it; the log names none"),
    ),
    logs_requests=True,
)

_of = partial(Dataset, source="azure_llm_logs", window="file", restatement_days=0, confidence="medium")


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="llm_log",
        grain="call of a model behind the gateway: the one row of its correlation id that counts tokens",
        identity=("correlation_id", "sequence_number"),
        columns={
            **text("correlation_id", "model_name", "deployment_name", "operation_id", "region", "provider"),
            **instants("time_generated"),
            **counts("sequence_number", "prompt_tokens", "completion_tokens", "total_tokens"),
            **flags("is_stream"),
            **text("file_name"),
        },
        notes=(
            "JSON lines of the table ApiManagementGatewayLlmLog or of a diagnostic setting. Long messages are split over "
            "sequence numbers; rows without tokens are left out and no message is decoded. Tokens of streamed answers are "
            "estimated by the gateway; cached tokens are not told apart. Request logs of Azure OpenAI itself "
            "(RequestResponse) count no tokens and are no source of them."
        ),
    ),
    _of(
        name="gateway_log",
        grain="request to the gateway, for who called and how it ended",
        columns={
            **text("correlation_id", "subscription_id", "product_id", "user_id", "api_id", "region"),
            **instants("time_generated"),
            **counts("response_code", "total_time_ms"),
            **text("file_name"),
        },
        notes="JSON lines of the table ApiManagementGatewayLogs; joined by correlation id. Addresses and bodies are left out.",
    ),
)
