"""xAI management API."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Option, Source, instants, money, text

SOURCE = Source(
    "xai",
    "xAI",
    secrets=("MANAGEMENT_KEY",),
    required={"TEAM_ID": "Id of the team whose billing is read"},
    options=(
        Option("VALUE", "usd", "Name of the usage value in dollars"),
        Option("AGGREGATION", "AGGREGATION_SUM", "How the value is aggregated"),
        Option("TIME_UNIT", "TIME_UNIT_DAY", "Spelling of the day as time unit"),
        Option("TIME_ZONE", "Etc/GMT", "Zone of the days; anything but UTC is refused"),
        Option("TIME_FORMAT", "%Y-%m-%d %H:%M:%S", "Spelling of startTime and endTime"),
        Option("DESCRIPTION_DIMENSION", "description", "Dimension that says what was used"),
        Option("KEY_DIMENSION", "api_key_id", "Dimension of the API key; `none` leaves it out"),
    ),
)

_of = partial(Dataset, source="xai", confidence="medium")
_snapshot = partial(_of, window="snapshot", restatement_days=0, money_unit="USD cents; the sign of balances is inverted")


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="usage",
        grain="UTC day x API key x description (model and meter)",
        window="day",
        restatement_days=3,
        money_unit="USD dollars",
        control_column="usage_usd",
        spend_source="direct_model_api",
        identity=("api_key_id", "description"),
        columns={
            **instants("bucket_start"),
            **text("api_key_id", "api_key_name", "description"),
            **money("usage_usd"),
        },
        confidence="low",
        notes=(
            "Names of value, time unit and dimensions were never seen in a payload: all are settings. A truncated answer "
            "(limitReached) is never landed. No tokens and no person, only keys."
        ),
    ),
    _snapshot(
        name="balance_changes",
        grain="change of the prepaid balance, all there are",
        columns={**text("change_origin"), **instants("created_at"), **money("amount_cents")},
        notes="Negative cents are credit. SPEND repeats what usage says, PURCHASE moves cash into the balance: no charges.",
    ),
    _snapshot(
        name="prepaid_balance",
        grain="prepaid balance as it is now",
        columns=money("total_cents"),
        notes="Negative cents are credit left.",
    ),
    _snapshot(
        name="invoice_preview",
        grain="preview of the open billing cycle's invoice as it is now",
        columns={**text("cycle_year", "cycle_month"), **money("total_with_corrections_cents", "prepaid_credits_cents")},
        notes="The control total of usage in the open cycle. prepaid_credits_cents are negative.",
    ),
)
