"""Cursor Admin API."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, counts, flags, money, text

SOURCE = Source(
    "cursor",
    "Cursor",
    secrets=("API_KEY",),
    options=(
        Option("PAGE_SIZE", "100", "Records asked for per page; the largest size the API takes is not documented."),
        Option("REQUESTS_PER_MINUTE", "20", "Requests are spread so that no more are sent; the Admin API's limit."),
    ),
)

_of = partial(Dataset, source="cursor")


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="usage_events",
        grain="usage event",
        window="day",
        restatement_days=7,
        range_days=7,
        money_unit="USD cents, fractions allowed; cash only where the event is chargeable",
        control_column="charged_cents",
        spend_source="developer_ai_tool",
        confidence="medium",
        columns={
            "event_at": "ts",
            **text("user_email", "user_id", "service_account_id", "service_account_name", "model", "kind"),
            **flags("is_chargeable", "is_token_based_call", "is_max_mode", "is_headless", "is_free_bugbot"),
            **money("request_units"),
            **counts("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"),
            **money("model_cents", "discount_percent_off", "token_fee_cents", "charged_cents"),
            **text("conversation_id", "cloud_agent_id", "automation_id"),
        },
        notes=(
            "Events have no id and may be equal. Token classes are disjoint. charged_cents = model cost after discount"
            " + token fee; on events that are not chargeable it is value that nobody invoices. Where isChargeable is"
            " missing, kind decides, its spelling varies. Seats are in no endpoint."
        ),
    ),
    _of(
        name="daily_usage",
        grain="UTC day x member, inactive ones too",
        window="day",
        restatement_days=3,
        range_days=30,
        confidence="medium",
        identity=("usage_date", "user_id", "user_email"),
        columns={
            "usage_date": "date",
            **text("user_id", "user_email"),
            **flags("is_active"),
            **counts(
                "lines_added", "lines_deleted", "accepted_lines_added", "accepted_lines_deleted", "applies", "accepts",
                "rejects", "tabs_shown", "tabs_accepted", "composer_requests", "chat_requests", "agent_requests",
                "cmdk_usages", "bugbot_usages", "included_requests", "api_key_requests", "usage_based_requests",
            ),
            **text("most_used_model", "client_version"),
        },
        notes="Asked with paging, which lists every member. usage_based_requests counts events, not billable units.",
    ),
    _of(
        name="spend",
        grain="member's spend in the current billing cycle, as it is now",
        window="snapshot",
        restatement_days=0,
        money_unit="USD cents, fractions allowed; limits in USD dollars",
        control_column="spend_cents",
        confidence="medium",
        identity=("user_id", "user_email"),
        columns={
            "cycle_start": "ts",
            **text("user_id", "user_email", "name", "role"),
            **money("spend_cents", "overall_spend_cents", "included_spend_cents"),
            **counts("fast_premium_requests"),
            **money("hard_limit_override_usd", "monthly_limit_usd"),
        },
        notes="Never charges: the control total of the cycle's chargeable events. spend_cents is the part on demand.",
    ),
    _of(
        name="members",
        grain="member as it is now, removed ones too",
        window="snapshot",
        restatement_days=0,
        identity=("id", "email"),
        columns={**text("id", "email", "name", "role"), **flags("is_removed")},
    ),
)
