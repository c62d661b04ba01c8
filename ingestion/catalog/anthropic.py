"""Anthropic organization Admin API and Claude Code analytics."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Source, counts, instants, text

SOURCE = Source("anthropic", "Anthropic", secrets=("ADMIN_KEY",))

_of = partial(Dataset, source="anthropic")
_listed = partial(_of, window="snapshot", restatement_days=0, identity=("id",))


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="usage_messages",
        grain="UTC day x API key x workspace x account x service account x model x tier x context window x geo",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=(
            "api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier",
            "context_window", "inference_geo",
        ),
        columns={
            **instants("starting_at", "ending_at"),
            **text(
                "api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier",
                "context_window", "inference_geo",
            ),
            **counts(
                "uncached_input_tokens", "cache_read_input_tokens", "cache_creation_5m_input_tokens",
                "cache_creation_1h_input_tokens", "output_tokens", "web_search_requests",
            ),
        },
        notes="Token classes are disjoint. Requests refused before output are here and are not billed.",
    ),
    _of(
        name="cost_report",
        grain="UTC day x workspace x description (cost type, token type, model, tier, context window, geo)",
        window="day",
        restatement_days=7,
        range_days=31,
        money_unit="USD cents, fractions allowed",
        control_column="amount_cents",
        spend_source="direct_model_api",
        identity=(
            "workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window",
            "inference_geo",
        ),
        columns={
            **instants("starting_at", "ending_at"),
            **text(
                "workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window",
                "inference_geo", "currency",
            ),
            "amount_cents": "money_text",
        },
    ),
    _of(
        name="claude_code",
        grain="UTC day x actor x customer type x subscription type x terminal x model; activity counts only on model_ordinal 0",
        window="day",
        restatement_days=3,
        money_unit="USD cents, an estimate; notional for subscriptions; never added to cost_report",
        control_column="estimated_cost_cents",
        spend_source="developer_ai_tool",
        identity=("actor_type", "actor_id", "customer_type", "subscription_type", "terminal_type", "model_ordinal"),
        columns={
            "usage_date": "date",
            **text("organization_id", "actor_type", "actor_id", "customer_type", "subscription_type", "terminal_type"),
            **counts(
                "num_sessions", "lines_added", "lines_removed", "commits", "pull_requests", "tools_accepted",
                "tools_rejected", "model_ordinal",
            ),
            **text("model"),
            **counts("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),
            "estimated_cost_cents": "money_text",
            **text("estimated_cost_currency"),
        },
    ),
    _listed(
        name="api_keys",
        grain="API key as it is now",
        columns={
            **text("id", "name", "status", "workspace_id", "created_by_user_id"),
            "created_at": "ts",
        },
        notes="partial_key_hint is not landed.",
    ),
    _listed(
        name="workspaces",
        grain="workspace as it is now, archived ones too",
        columns={
            **text("id", "name"),
            "is_default": "bool",
            **instants("created_at", "archived_at"),
            "tags": "json",
        },
    ),
    _listed(
        name="users",
        grain="organization member as it is now",
        columns={**text("id", "email", "name", "role"), "added_at": "ts"},
    ),
)
