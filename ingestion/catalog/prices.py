"""List prices of models, from a pinned package."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, counts, text

SOURCE = Source("prices", "List prices")


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="prices",
        name="genai_prices",
        grain="provider x model x token meter x processing tier x context step x effective date, from the pinned package",
        window="snapshot",
        restatement_days=0,
        money_unit="USD per 1,000,000 tokens",
        identity=("provider_id", "model_id", "token_meter", "tier", "context_from_tokens", "effective_from"),
        columns={
            **text("provider_id", "model_id", "token_meter", "tier"),
            **counts("context_from_tokens"),
            "price_usd_per_million": "money_text",
            "effective_from": "date",
            "effective_to": "date",
            "package_version": "text",
        },
        notes="token_meter: input, output, cache_read, cache_write_5m, cache_write_1h, web_search (per 1,000,000).",
    ),
)
