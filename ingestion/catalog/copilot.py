"""GitHub Copilot: billing usage, AI credits and premium requests, the user report, seats, metrics."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, counts, instants, money, text

SOURCE = Source(
    "copilot",
    "GitHub Copilot",
    secrets=("TOKEN",),
    required={"ORGANIZATION": "GitHub organization that is billed"},
    options=(
        Option("ENTERPRISE", "", "Enterprise whose usage report is exported; without it no amount has a user."),
        Option("API_VERSION", "2026-03-10", "Value of X-GitHub-Api-Version."),
        Option("PREMIUM_REQUESTS", "false", "true: a plan that still has premium requests after May 2026; asks for both."),
    ),
)

_of = partial(Dataset, source="copilot")
_AMOUNTS = money("price_per_unit_usd", "gross_usd", "discount_usd", "net_usd")
_UNIT = "USD dollars; net is cash, discount is value that nobody invoices"


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="billing_usage",
        grain="UTC day x product x SKU x organization x repository",
        window="month",
        restatement_days=1,
        money_unit=_UNIT,
        control_column="net_usd",
        spend_source="developer_ai_tool",
        columns={
            "usage_date": "date",
            **text("product", "sku", "unit_type"),
            **money("quantity"),
            **_AMOUNTS,
            **text("organization_name", "repository_name"),
        },
        notes=(
            "All GitHub products; only Copilot's rows become charges. Seats are fractions of user-months a day. Credits and"
            " requests are here a second time, without model: model_usage and usage_report are booked instead."
        ),
    ),
    _of(
        name="model_usage",
        grain="UTC day x SKU x model",
        window="month",
        restatement_days=1,
        money_unit=_UNIT,
        control_column="net_usd",
        spend_source="developer_ai_tool",
        identity=("usage_date", "meter", "product", "sku", "model", "unit_type"),
        columns={
            "usage_date": "date",
            **text("meter", "product", "sku", "model", "unit_type"),
            **money("gross_quantity", "discount_quantity", "net_quantity"),
            **_AMOUNTS,
        },
        notes="Answers carry neither date nor user, so each day is asked for. AI credits from 2026-06-01, premium requests before.",
    ),
    _of(
        name="usage_report",
        grain="UTC day x user x SKU x model x repository x cost center",
        window="month",
        restatement_days=1,
        money_unit=_UNIT,
        control_column="net_usd",
        spend_source="developer_ai_tool",
        confidence="medium",
        columns={
            "usage_date": "date",
            **text("username", "product", "sku", "model", "unit_type"),
            **money("quantity"),
            **_AMOUNTS,
            **text("organization", "repository", "cost_center_name"),
            **counts("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
        },
        notes=(
            "Exported by the enterprise (setting ENTERPRISE), a CSV read by column name. aic_quantity and aic_gross_amount"
            " restate the same usage and are not landed; token columns are new and may be absent."
        ),
    ),
    _of(
        name="seats",
        grain="seat as it is now, by assignee, organization and assigning team",
        window="snapshot",
        restatement_days=0,
        identity=("assignee_id", "organization", "assigning_team"),
        columns={
            **text("assignee_login", "assignee_id", "organization", "assigning_team", "plan_type"),
            "pending_cancellation_date": "date",
            **instants("created_at", "last_activity_at", "last_authenticated_at"),
            **text("last_activity_editor"),
        },
        notes="Count assignee_id once: a person assigned by two teams is two rows and one seat.",
    ),
    _of(
        name="user_metrics",
        grain="UTC day x user with activity",
        window="day",
        restatement_days=4,
        history_days=364,
        confidence="medium",
        identity=("user_id",),
        columns={
            "usage_date": "date",
            **text("user_id", "user_login"),
            **counts("interactions", "generations", "acceptances", "lines_added", "cli_sessions", "cli_requests"),
            **counts("cli_prompt_tokens", "cli_output_tokens"),
            **money("ai_credits_used"),
        },
        notes="Adoption, never billing. Only users whose editor sends telemetry; settles in three days.",
    ),
)
