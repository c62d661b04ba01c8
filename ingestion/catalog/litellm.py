"""LiteLLM proxy spend logs."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, counts, instants, text

SOURCE = Source(
    "litellm",
    "LiteLLM",
    secrets=("MASTER_KEY",),
    required={"BASE_URL": "Address of your LiteLLM proxy"},
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="litellm",
        name="spend_logs",
        grain="gateway request",
        window="day",
        restatement_days=3,
        money_unit="USD dollars, calculated by the gateway",
        control_column="spend_usd",
        identity=("request_id",),
        columns={
            **text(
                "request_id", "provider_response_id", "call_type", "api_key_hash", "model", "model_id", "model_group",
                "custom_llm_provider", "user_id", "team_id", "organization_id", "end_user", "session_id", "status",
            ),
            **instants("start_time", "end_time", "completion_start_time"),
            "is_gateway_cache_hit": "bool",
            **counts(
                "prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_creation_tokens",
                "cache_creation_1h_tokens", "reasoning_tokens",
            ),
            "spend_usd": "money_text",
            **text("user_api_key_alias", "user_api_key_team_alias"),
            # request tags `key:value` and spend_logs_metadata, allow-listed keys only, first value wins
            **text(
                "tag_ticket", "tag_workflow", "tag_feature", "tag_customer", "tag_environment", "tag_task_type",
                "meta_user_action_id", "meta_repo", "meta_branch",
            ),
            **counts(
                "meta_attempt", "meta_agent_step", "meta_system_prompt_tokens", "meta_retrieval_tokens",
                "meta_history_tokens", "meta_tool_schema_tokens", "dropped_tag_count",
            ),
        },
        notes="prompt_tokens includes cache read and write. messages, response and proxy_server_request are never read.",
    ),
)
