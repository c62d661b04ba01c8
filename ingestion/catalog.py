"""The source catalog: one row per dataset that can land in the raw lake.

This is the one home of grain, window, restatement, money unit, identity and raw columns. Assets, landing,
staging sources, docs and tests are derived from it. It holds facts only: no I/O, no vendor calls, no mapping.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from ingestion.focus_columns import COST_AND_USAGE_COLUMNS

# Logical column types and the Parquet type that landing writes for each.
#   text  UTF-8 string · int  64-bit integer · bool · ts  timestamp(us, UTC) · date  calendar day (UTC)
#   money_text  decimal number as the vendor wrote it, as text; the unit is the suffix of the column name
#   json  a JSON document as text, built from allow-listed fields only
ColumnType = Literal["text", "int", "bool", "ts", "date", "money_text", "json"]

# How a dataset is cut into windows. A window is fetched, landed and replaced whole.
#   day       charge day, UTC, half-open
#   month     billing period
#   updated   records whose last update fell on that UTC day; the newest version of an id wins downstream
#   snapshot  the full list as it is now; key = the as-of day; the newest snapshot is the current one
#   file      one dropped file; key = path digest; replaced when the file's content changes
WindowKind = Literal["day", "month", "updated", "snapshot", "file"]

# The five spend sources of requirements R24 to R28 and what is not spend.
SpendSource = Literal[
    "direct_model_api", "managed_ai_platform", "ai_infrastructure", "developer_ai_tool", "ai_in_saas", "cloud", "none"
]

# Columns that landing adds to every raw record. They are audit columns: two builds are equal without them.
AUDIT_COLUMNS: dict[str, ColumnType] = {
    "raw_source": "text",
    "raw_account": "text",
    "raw_dataset": "text",
    "raw_window": "text",
    "raw_delivery_id": "text",
    "raw_ordinal": "int",
    "raw_fetched_at": "ts",
    "raw_run_id": "text",
}


@dataclass(frozen=True)
class Dataset:
    """One dataset of one source.

    `restatement_days`: how many complete windows back the daily run asks again (for `month`: how many closed
    months beside the open one). `identity`: columns that identify a record within account and window; a second
    record with the same identity in one delivery is rejected as `duplicate_identity`; empty where the vendor has
    no identity and equal rows may both be right. `secrets`: suffixes of AISL_<SOURCE>_<SUFFIX>; all must be set
    or the source is off.
    """

    source: str
    name: str
    grain: str
    window: WindowKind
    restatement_days: int
    columns: dict[str, ColumnType]
    identity: tuple[str, ...] = ()
    money_unit: str | None = None
    spend_source: SpendSource = "none"
    confidence: Literal["high", "medium", "low"] = "high"
    range_days: int = 1
    secrets: tuple[str, ...] = ()
    notes: str = ""

    @property
    def key(self) -> str:
        """`source__name`, the name of the raw relation and of the asset."""
        return f"{self.source}__{self.name}"

    @property
    def schema(self) -> dict[str, ColumnType]:
        """Record columns followed by the audit columns."""
        return {**self.columns, **AUDIT_COLUMNS}


def _text(*names: str) -> dict[str, ColumnType]:
    return dict.fromkeys(names, "text")


def _ts(*names: str) -> dict[str, ColumnType]:
    return dict.fromkeys(names, "ts")


def _int(*names: str) -> dict[str, ColumnType]:
    return dict.fromkeys(names, "int")


# A FOCUS file of any version: native text of every FOCUS column it has, everything else in x_extra.
_FOCUS_FILE: dict[str, ColumnType] = {
    **_text(*COST_AND_USAGE_COLUMNS),
    "x_extra": "json",
    **_text("focus_version_in", "export_name", "file_name"),
}

# What the datasets of one source, or of one kind, have in common.
_anthropic = partial(Dataset, source="anthropic", secrets=("ADMIN_KEY",))
_anthropic_list = partial(_anthropic, window="snapshot", restatement_days=0, identity=("id",))
_openai = partial(Dataset, source="openai", secrets=("ADMIN_KEY",))
_openai_list = partial(_openai, window="snapshot", restatement_days=0, identity=("id",))
_github = partial(
    Dataset, source="github", secrets=("TOKEN",), window="updated", restatement_days=2, range_days=3650, identity=("id",)
)
_jira = partial(Dataset, source="jira", secrets=("EMAIL", "API_TOKEN"))
_jira_list = partial(_jira, window="snapshot", restatement_days=0, identity=("id",))
_jira_updates = partial(_jira, window="updated", restatement_days=2, range_days=3650)
_dropped_bill = partial(Dataset, source="files", window="file", restatement_days=0, spend_source="cloud")

DATASETS: tuple[Dataset, ...] = (
    # ---- Anthropic -------------------------------------------------------------------------------------------
    _anthropic(
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
            **_ts("starting_at", "ending_at"),
            **_text(
                "api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier",
                "context_window", "inference_geo",
            ),
            **_int(
                "uncached_input_tokens", "cache_read_input_tokens", "cache_creation_5m_input_tokens",
                "cache_creation_1h_input_tokens", "output_tokens", "web_search_requests",
            ),
        },
        notes="Token classes are disjoint. Requests refused before output are here and are not billed.",
    ),
    _anthropic(
        name="cost_report",
        grain="UTC day x workspace x description (cost type, token type, model, tier, context window, geo)",
        window="day",
        restatement_days=7,
        range_days=31,
        money_unit="USD cents, fractions allowed",
        spend_source="direct_model_api",
        identity=(
            "workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window",
            "inference_geo",
        ),
        columns={
            **_ts("starting_at", "ending_at"),
            **_text(
                "workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window",
                "inference_geo", "currency",
            ),
            "amount_cents": "money_text",
        },
    ),
    _anthropic(
        name="claude_code",
        grain="UTC day x actor x customer type x subscription type x terminal x model; activity counts only on model_ordinal 0",
        window="day",
        restatement_days=3,
        money_unit="USD cents, an estimate; notional for subscriptions; never added to cost_report",
        spend_source="developer_ai_tool",
        identity=("actor_type", "actor_id", "customer_type", "subscription_type", "terminal_type", "model_ordinal"),
        columns={
            "usage_date": "date",
            **_text("organization_id", "actor_type", "actor_id", "customer_type", "subscription_type", "terminal_type"),
            **_int(
                "num_sessions", "lines_added", "lines_removed", "commits", "pull_requests", "tools_accepted",
                "tools_rejected", "model_ordinal",
            ),
            **_text("model"),
            **_int("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),
            "estimated_cost_cents": "money_text",
            **_text("estimated_cost_currency"),
        },
    ),
    _anthropic_list(
        name="api_keys",
        grain="API key as it is now",
        columns={
            **_text("id", "name", "status", "workspace_id", "created_by_user_id"),
            "created_at": "ts",
        },
        notes="partial_key_hint is not landed.",
    ),
    _anthropic_list(
        name="workspaces",
        grain="workspace as it is now, archived ones too",
        columns={
            **_text("id", "name"),
            "is_default": "bool",
            **_ts("created_at", "archived_at"),
            "tags": "json",
        },
    ),
    _anthropic_list(
        name="users",
        grain="organization member as it is now",
        columns={**_text("id", "email", "name", "role"), "added_at": "ts"},
    ),
    # ---- OpenAI ----------------------------------------------------------------------------------------------
    _openai(
        name="costs",
        grain="UTC day x project x API key x line item",
        window="day",
        restatement_days=7,
        range_days=180,
        money_unit="USD dollars",
        spend_source="direct_model_api",
        identity=("project_id", "api_key_id", "line_item"),
        columns={
            **_ts("start_time", "end_time"),
            **_text("organization_id", "project_id", "api_key_id", "line_item"),
            "amount_usd": "money_text",
            **_text("currency"),
            "quantity": "money_text",
            **_text("quantity_unit"),
        },
    ),
    _openai(
        name="usage_completions",
        grain="UTC day x project x user x API key x model x batch x service tier",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=("project_id", "user_id", "api_key_id", "model", "batch", "service_tier"),
        columns={
            **_ts("start_time", "end_time"),
            **_text("project_id", "user_id", "api_key_id", "model"),
            "batch": "bool",
            **_text("service_tier"),
            **_int(
                "input_tokens", "input_cached_tokens", "input_cache_write_tokens", "input_uncached_tokens",
                "output_tokens", "input_audio_tokens", "output_audio_tokens", "num_model_requests",
            ),
        },
        notes="input_tokens includes cached and cache-written tokens; input_uncached_tokens is null in old payloads.",
    ),
    _openai(
        name="usage_embeddings",
        grain="UTC day x project x user x API key x model",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=("project_id", "user_id", "api_key_id", "model"),
        columns={
            **_ts("start_time", "end_time"),
            **_text("project_id", "user_id", "api_key_id", "model"),
            **_int("input_tokens", "num_model_requests"),
        },
    ),
    _openai_list(
        name="projects",
        grain="project as it is now, archived ones too",
        columns={**_text("id", "name", "status"), "created_at": "ts", "archived_at": "ts"},
    ),
    _openai_list(
        name="project_api_keys",
        grain="project API key as it is now",
        columns={
            **_text("id", "project_id", "name", "owner_type", "owner_id", "owner_email"),
            "created_at": "ts",
        },
        notes="redacted_value is not landed.",
    ),
    _openai_list(
        name="users",
        grain="organization member as it is now",
        columns={**_text("id", "email", "name", "role"), "added_at": "ts"},
    ),
    # ---- LiteLLM ---------------------------------------------------------------------------------------------
    Dataset(
        source="litellm",
        name="spend_logs",
        grain="gateway request",
        window="day",
        restatement_days=3,
        money_unit="USD dollars, calculated by the gateway",
        identity=("request_id",),
        secrets=("MASTER_KEY",),
        columns={
            **_text(
                "request_id", "provider_response_id", "call_type", "api_key_hash", "model", "model_id", "model_group",
                "custom_llm_provider", "user_id", "team_id", "organization_id", "end_user", "session_id", "status",
            ),
            **_ts("start_time", "end_time", "completion_start_time"),
            "is_gateway_cache_hit": "bool",
            **_int(
                "prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_creation_tokens",
                "cache_creation_1h_tokens", "reasoning_tokens",
            ),
            "spend_usd": "money_text",
            **_text("user_api_key_alias", "user_api_key_team_alias"),
            # request tags `key:value` and spend_logs_metadata, allow-listed keys only, first value wins
            **_text(
                "tag_ticket", "tag_workflow", "tag_feature", "tag_customer", "tag_environment", "tag_task_type",
                "meta_user_action_id", "meta_repo", "meta_branch",
            ),
            **_int(
                "meta_attempt", "meta_agent_step", "meta_system_prompt_tokens", "meta_retrieval_tokens",
                "meta_history_tokens", "meta_tool_schema_tokens", "dropped_tag_count",
            ),
        },
        notes="prompt_tokens includes cache read and write. messages, response and proxy_server_request are never read.",
    ),
    # ---- GitHub ----------------------------------------------------------------------------------------------
    _github(
        name="pulls",
        grain="pull request, one row per version seen on its update day",
        columns={
            **_text("repo", "id"),
            **_int("number"),
            **_text(
                "state", "title", "head_ref", "head_sha", "base_ref", "merge_commit_sha", "author_id", "author_login",
                "author_type",
            ),
            "labels": "json",
            "is_draft": "bool",
            **_ts("created_at", "updated_at", "closed_at", "merged_at"),
        },
    ),
    _github(
        name="issues",
        grain="issue (pull requests dropped), one row per version seen on its update day",
        columns={
            **_text("repo", "id"),
            **_int("number"),
            **_text("state", "state_reason", "title", "author_id", "author_login", "assignee_id", "assignee_login"),
            "labels": "json",
            **_ts("created_at", "updated_at", "closed_at"),
        },
    ),
    _github(
        name="deployments",
        grain="deployment by creation day, with its latest success time",
        columns={
            **_text("repo", "id", "sha", "ref", "task", "environment", "creator_id", "creator_login", "latest_state"),
            "is_production": "bool",
            **_ts("created_at", "updated_at", "first_success_at"),
        },
    ),
    # ---- Jira ------------------------------------------------------------------------------------------------
    _jira_updates(
        name="issues",
        grain="issue, one row per version seen on its update day",
        identity=("id",),
        columns={
            **_text(
                "id", "key", "project_key", "summary", "issue_type", "is_subtask", "status_id", "status_name",
                "status_category", "resolution", "priority", "assignee_account_id", "parent_id", "parent_key",
                "epic_key",
            ),
            "labels": "json",
            "sprint_ids": "json",
            "story_points": "money_text",
            **_ts("created_at", "updated_at", "resolved_at"),
        },
        notes="description and comments are never asked for.",
    ),
    _jira_updates(
        name="changelog",
        grain="changed field of one history entry, landed with the issue's update day",
        identity=("history_id", "item_ordinal"),
        columns={
            **_text("issue_id", "history_id"),
            **_int("item_ordinal"),
            **_text("author_account_id", "field", "from_id", "from_text", "to_id", "to_text"),
            "created_at": "ts",
        },
        notes="Only status, assignee, Sprint, Key, resolution and story point changes are landed.",
    ),
    _jira_list(
        name="sprints",
        grain="sprint as it is now",
        columns={
            **_text("id", "board_id", "name", "state"),
            **_ts("started_at", "ended_at", "completed_at"),
        },
    ),
    _jira_list(
        name="projects",
        grain="project as it is now: the known ticket prefixes",
        columns=_text("id", "key", "name"),
    ),
    # ---- AWS Data Exports ------------------------------------------------------------------------------------
    Dataset(
        source="aws",
        name="focus_export",
        grain="charge as AWS delivered it in the newest manifest of a billing period",
        window="month",
        restatement_days=1,
        money_unit="BillingCurrency of the row",
        spend_source="cloud",
        secrets=("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
        columns=_FOCUS_FILE,
        notes="FOCUS 1.0 or 1.2 export in S3. The whole billing period is redelivered; only files of the manifest count.",
    ),
    # ---- Dropped billing files: a folder or a bucket prefix ------------------------------------------------------
    _dropped_bill(
        name="focus",
        grain="charge of a dropped FOCUS file, 1.0 to 1.4, detected by its columns",
        money_unit="BillingCurrency of the row",
        columns=_FOCUS_FILE,
    ),
    _dropped_bill(
        name="aws_cur",
        grain="line item of a dropped AWS Cost and Usage Report (legacy slash names or CUR 2.0)",
        money_unit="lineItem currency code",
        columns={
            **_text(
                "line_item_id", "time_interval", "invoice_id", "invoicing_entity", "billing_entity", "bill_type",
                "payer_account_id", "billing_period_start", "billing_period_end", "usage_account_id", "line_item_type",
                "usage_start", "usage_end", "product_code", "usage_type", "operation", "availability_zone",
                "resource_id", "usage_amount", "currency_code", "unblended_rate", "unblended_cost",
                "net_unblended_cost", "line_item_description", "tax_type", "legal_entity", "product_name",
                "product_family", "region_code", "sku", "rate_code", "rate_id", "public_on_demand_cost",
                "public_on_demand_rate", "pricing_term", "pricing_unit", "reservation_arn",
                "reservation_effective_cost", "reservation_unused_amortized_upfront_fee",
                "reservation_unused_recurring_fee", "savings_plan_arn", "savings_plan_effective_cost",
                "savings_plan_total_commitment_to_date", "savings_plan_used_commitment", "iam_principal",
            ),
            "tags": "json",
            "x_extra": "json",
            **_text("file_name"),
        },
    ),
    _dropped_bill(
        name="oci_cost",
        grain="line of a dropped OCI cost report",
        money_unit="cost/currencyCode",
        columns={
            **_text(
                "reference_no", "tenant_id", "interval_usage_start", "interval_usage_end", "service",
                "compartment_id", "compartment_name", "region", "availability_domain", "resource_id",
                "billed_quantity", "billed_quantity_overage", "subscription_id", "product_sku", "description",
                "unit_price", "unit_price_overage", "my_cost", "my_cost_overage", "currency_code",
                "billing_unit_readable", "sku_unit_description", "overage_flag", "is_correction", "backreference_no",
            ),
            "tags": "json",
            "x_extra": "json",
            **_text("file_name"),
        },
    ),
    _dropped_bill(
        name="azure_ea",
        grain="line of a dropped Azure EA usage export (actual or amortized view)",
        money_unit="billing currency of the row",
        columns={
            **_text(
                "cost_view", "billing_account_id", "billing_account_name", "billing_period_start",
                "billing_period_end", "billing_profile_id", "billing_profile_name", "subscription_id",
                "subscription_name", "usage_date", "product_name", "part_number", "meter_id", "service_family",
                "meter_category", "meter_subcategory", "meter_region", "meter_name", "quantity", "effective_price",
                "cost", "unit_price", "billing_currency", "resource_location", "availability_zone",
                "consumed_service", "resource_id", "resource_name", "additional_info", "tags_text", "cost_center",
                "unit_of_measure", "resource_group", "reservation_id", "reservation_name", "product_order_id",
                "product_order_name", "offer_id", "term", "publisher_name", "publisher_type", "plan_name",
                "charge_type", "frequency", "payg_price", "pricing_model", "invoice_section_id",
                "invoice_section_name", "benefit_id", "benefit_name",
            ),
            "x_extra": "json",
            **_text("file_name"),
        },
        notes="cost_view is actual or amortized, told by the rows; the two views of one month are never added.",
    ),
    Dataset(
        source="invoices",
        name="lines",
        grain="invoice line of a dropped invoice CSV",
        window="file",
        restatement_days=0,
        money_unit="currency column, decimal major units",
        spend_source="none",
        identity=("invoice_issuer_name", "invoice_id", "invoice_detail_id"),
        columns={
            **_text(
                "invoice_issuer_name", "billing_account_id", "invoice_id", "invoice_detail_id", "invoice_issue_status",
                "line_type", "charge_category", "service_name", "description",
            ),
            "billing_period_start": "date",
            "billing_period_end": "date",
            "invoice_issue_date": "date",
            "payment_due_date": "date",
            "quantity": "money_text",
            "amount": "money_text",
            **_text("currency", "purchase_order_number", "reference_invoice_id", "file_name"),
        },
        notes="line_type: usage, tax, credit, seat, support, commitment, adjustment. billing_period_end is exclusive.",
    ),
    # ---- Prices ----------------------------------------------------------------------------------------------
    Dataset(
        source="prices",
        name="genai_prices",
        grain="provider x model x token meter x processing tier x context step x effective date, from the pinned package",
        window="snapshot",
        restatement_days=0,
        money_unit="USD per 1,000,000 tokens",
        identity=("provider_id", "model_id", "token_meter", "tier", "context_from_tokens", "effective_from"),
        columns={
            **_text("provider_id", "model_id", "token_meter", "tier"),
            **_int("context_from_tokens"),
            "price_usd_per_million": "money_text",
            "effective_from": "date",
            "effective_to": "date",
            "package_version": "text",
        },
        notes="token_meter: input, output, cache_read, cache_write_5m, cache_write_1h, web_search (per 1,000,000).",
    ),
)

BY_KEY: dict[str, Dataset] = {d.key: d for d in DATASETS}
SOURCES: tuple[str, ...] = tuple(dict.fromkeys(d.source for d in DATASETS))
