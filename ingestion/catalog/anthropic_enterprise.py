"""Claude Enterprise analytics: what an organization of claude.ai cost, by product and model."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Option, Source, flags, instants, money, text

SOURCE = Source(
    "anthropic_enterprise",
    "Claude Enterprise",
    secrets=("ANALYTICS_KEY",),
    options=(
        Option("GROUPS", "product,model", "Dimensions asked for, in the vendor's words; product and model are kept."),
        Option("COST_BASIS", "estimated", "billed: the contract invoices usage at these amounts; estimated: a plan covers it."),
    ),
)

DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="anthropic_enterprise",
        name="analytics_cost",
        grain="UTC day x product x model, and one remainder row a day for what lies outside the vendor's top groups",
        window="day",
        restatement_days=7,
        range_days=31,
        history_days=364,
        money_unit="USD cents, fractions allowed; after discount, before credits",
        control_column="amount_cents",
        spend_source="ai_in_saas",
        confidence="low",
        identity=("product", "model", "is_remainder"),
        columns={
            **instants("starting_at", "ending_at"),
            **text("product", "model"),
            **flags("is_remainder"),
            **money("amount_cents", "list_amount_cents"),
            **text("currency", "cost_basis"),
        },
        notes=(
            "Figures can move for 30 days: ask for older days by hand (run --from --to) when a month closes. A bucket holds the 100 largest groups and no remainder, so the day is asked for twice, whole and grouped."
            " Whether amounts are invoiced depends on the contract: setting COST_BASIS. Overlapping groups (rbac_group_id)"
            " are never asked for."
        ),
    ),
)
