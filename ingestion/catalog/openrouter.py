"""OpenRouter management API."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Source, counts, flags, instants, money, text

SOURCE = Source("openrouter", "OpenRouter", secrets=("MANAGEMENT_KEY",))

_LINE = ("model", "model_permaslug", "endpoint_id", "provider_name", "workspace_id")
_activity = partial(
    Dataset,
    source="openrouter",
    window="day",
    restatement_days=3,
    range_days=30,
    history_days=30,
    money_unit="USD dollars",
    control_column="usage_usd",
    spend_source="direct_model_api",
)
_MEASURES = {
    **money("usage_usd", "byok_usage_inference_usd"),
    **counts("requests", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens"),
}


DATASETS: tuple[Dataset, ...] = (
    _activity(
        name="activity",
        grain="UTC day x model x endpoint x provider x workspace",
        identity=_LINE,
        columns={"activity_date": "date", **text(*_LINE), **_MEASURES},
        notes=(
            "The last 30 complete UTC days only, so a day missed for a month is lost. byok_usage_inference_usd was charged by "
            "another provider on the company's own key and is no cash here. cached_tokens are normally part of prompt_tokens, "
            "reasoning_tokens of completion_tokens."
        ),
    ),
    _activity(
        name="activity_by_key",
        grain="UTC day x API key x model x endpoint x provider x workspace",
        identity=("api_key_hash", *_LINE),
        columns={"activity_date": "date", **text("api_key_hash", *_LINE), **_MEASURES},
        notes="The same money as activity, asked once per listed key: what activity has beyond it belongs to keys deleted since.",
    ),
    Dataset(
        source="openrouter",
        name="keys",
        grain="API key as it is now, disabled ones too",
        window="snapshot",
        restatement_days=0,
        identity=("hash",),
        columns={
            **text("hash", "name", "workspace_id", "creator_user_id"),
            **flags("disabled"),
            **instants("created_at", "updated_at"),
        },
        confidence="medium",
        notes="label (parts of the key) is not landed.",
    ),
    Dataset(
        source="openrouter",
        name="credits",
        grain="account's lifetime credits and usage as they are now",
        window="snapshot",
        restatement_days=0,
        money_unit="USD dollars",
        columns=money("total_credits_usd", "total_usage_usd"),
        notes="The control total of activity: what total_usage_usd grew by.",
    ),
)
