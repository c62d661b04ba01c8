"""Amazon Bedrock model invocation logs in S3."""

from __future__ import annotations

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, instants, text

SOURCE = Source(
    "bedrock_logs",
    "Bedrock model invocation logs",
    secrets=("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
    required={"BUCKET": "Bucket that model invocation logging writes to"},
    options=(
        Option("PREFIX", "none", "Prefix above `AWSLogs/` in the bucket"),
        Option(
            "PROFILES",
            "none",
            "Models of application inference profiles, whose ids name none: `<profile id>=<model id>`, comma-separated",
        ),
        Option("REGION", "us-east-1", "Region of the bucket"),
        Option("ENDPOINT_URL", "AWS", "Another address of the S3 API"),
    ),
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="bedrock_logs",
        name="invocations",
        grain="model invocation, failed ones too",
        window="day",
        restatement_days=3,
        range_days=31,
        identity=("account_id", "region", "request_id"),
        columns={
            **text(
                "request_id", "account_id", "region", "inference_region", "operation", "model_id", "model", "identity_arn",
                "role_arn", "session_name", "error_code",
            ),
            **instants("invoked_at"),
            **counts("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
            **REQUEST_LABELS,
        },
        notes=(
            "The objects of a day are found by prefix, with the first hour of the next day: logs are delivered late. Token "
            "counts are disjoint; failed calls have none. No cost, no duration, no lifetime of cache writes. Bodies are "
            "never decoded. An application inference profile names no model: AISL_BEDROCK_LOGS_PROFILES does."
        ),
    ),
)
