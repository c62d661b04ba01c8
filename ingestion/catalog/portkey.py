"""Portkey log exports."""

from __future__ import annotations

from ingestion.catalog.dataset import REQUEST_LABELS, Dataset, Option, Source, counts, flags, instants, text

SOURCE = Source(
    "portkey",
    "Portkey",
    secrets=("API_KEY",),
    options=(
        Option(
            "COST_UNIT",
            "cents",
            "Unit of `cost`, which the vendor does not label: `cents` or `usd`; a wrong one is far from the list price",
        ),
        Option("WORKSPACE_ID", "every one the key can see", "Workspace whose log is exported"),
    ),
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="portkey",
        name="logs",
        grain="gateway request",
        window="day",
        restatement_days=3,
        range_days=31,
        money_unit="cost_unit of the row, calculated by the vendor",
        control_column="cost",
        confidence="low",
        identity=("id",),
        columns={
            **text("id", "trace_id", "ai_org", "ai_model", "mode", "config", "prompt_slug", "user_id"),
            **instants("created_at", "ended_at"),
            **counts("response_status", "request_tokens", "response_tokens", "total_tokens"),
            **flags("is_success"),
            "cost": "money_text",
            **text("cost_unit", "cost_currency"),
            **REQUEST_LABELS,
        },
        notes=(
            "A job exports the days, the file is downloaded when it is done. Unit of cost, the spelling of times and what "
            "request tokens include are not documented: AISL_PORTKEY_COST_UNIT is checked against the list price, cached "
            "tokens are not told apart. Requests and responses are never asked for."
        ),
    ),
)
