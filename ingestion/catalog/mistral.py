"""Mistral admin API."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, days, money, text

SOURCE = Source(
    "mistral",
    "Mistral",
    secrets=("ADMIN_KEY",),
    options=(
        Option("WORKSPACES", "none", "Ids of workspaces, comma-separated, whose share of the usage is asked too"),
        Option("AMOUNT_FIELD", "amount", "Name of an entry's amount in the account's currency"),
        Option("QUANTITY_FIELD", "quantity", "Name of an entry's quantity"),
    ),
)

_of = partial(
    Dataset,
    source="mistral",
    window="month",
    restatement_days=1,
    money_unit="currency of the row",
    control_column="amount",
    spend_source="direct_model_api",
    confidence="low",
)
_ENTRY = {
    **days("period_start", "period_end"),
    **text("currency", "workspace_id", "category", "model", "direction", "entry_path"),
    **money("amount", "quantity"),
}


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="usage",
        grain="calendar month x entry of the answer (category x model x direction)",
        identity=("entry_path",),
        columns=_ENTRY,
        notes=(
            "The account's own currency, EUR included. Only the outer shape is known: whatever objects lie innermost are "
            "entries, their field names are settings, and one without an amount is rejected. A month is replaced whole; no key, "
            "no user, no day."
        ),
    ),
    _of(
        name="usage_by_workspace",
        grain="calendar month x workspace x entry of the answer (category x model x direction)",
        identity=("workspace_id", "entry_path"),
        columns=_ENTRY,
        notes="The same money as usage, asked once per workspace of AISL_MISTRAL_WORKSPACES; the rest has no workspace.",
    ),
)
