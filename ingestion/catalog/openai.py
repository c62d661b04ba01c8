"""OpenAI organization API."""

from __future__ import annotations

from functools import partial

from ingestion.catalog.dataset import Dataset, Source, counts, instants, text

SOURCE = Source("openai", "OpenAI", secrets=("ADMIN_KEY",))

_of = partial(Dataset, source="openai")
_listed = partial(_of, window="snapshot", restatement_days=0, identity=("id",))
_CALLER = ("project_id", "user_id", "api_key_id")


def _usage(kind: str, grain: str, dimensions: tuple[str, ...], measures: tuple[str, ...], notes: str = "") -> Dataset:
    """A usage kind beside tokens: every dimension there is, and its measures. The path says `kind`."""
    return _of(
        name=f"usage_{kind}",
        grain=f"UTC day x {grain}",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=dimensions,
        columns={**instants("start_time", "end_time"), **text(*dimensions), **counts(*measures)},
        notes=notes,
    )


# Their money is in costs. results[].object is spelled in other words than the path (file_searches, web_searches).
USAGE_KINDS: dict[str, Dataset] = {
    dataset.name.removeprefix("usage_"): dataset
    for dataset in (
        _usage(
            "moderations", "project x user x API key x model", (*_CALLER, "model"),
            ("input_tokens", "num_model_requests"),
        ),
        _usage(
            "images", "project x user x API key x model x size x source", (*_CALLER, "model", "size", "source"),
            ("images", "num_model_requests"),
        ),
        _usage(
            "audio_speeches", "project x user x API key x model", (*_CALLER, "model"),
            ("characters", "num_model_requests"),
        ),
        _usage(
            "audio_transcriptions", "project x user x API key x model", (*_CALLER, "model"),
            ("seconds", "num_model_requests"),
        ),
        _usage(
            "vector_stores", "project", ("project_id",), ("usage_bytes",),
            "A stored size, not a flow: never added up over days.",
        ),
        _usage("code_interpreter_sessions", "project", ("project_id",), ("num_sessions",)),
        _usage(
            "file_search_calls", "project x user x API key x vector store", (*_CALLER, "vector_store_id"),
            ("num_requests",),
        ),
        _usage(
            "web_search_calls", "project x user x API key x model x context level",
            (*_CALLER, "model", "context_level"), ("num_requests", "num_model_requests"),
        ),
    )
}  # fmt: skip


DATASETS: tuple[Dataset, ...] = (
    _of(
        name="costs",
        grain="UTC day x project x API key x line item",
        window="day",
        restatement_days=7,
        range_days=180,
        money_unit="USD dollars",
        control_column="amount_usd",
        spend_source="direct_model_api",
        identity=("project_id", "api_key_id", "line_item"),
        columns={
            **instants("start_time", "end_time"),
            **text("organization_id", "project_id", "api_key_id", "line_item"),
            "amount_usd": "money_text",
            **text("currency"),
            "quantity": "money_text",
            **text("quantity_unit"),
        },
    ),
    _of(
        name="usage_completions",
        grain="UTC day x project x user x API key x model x batch x service tier",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=("project_id", "user_id", "api_key_id", "model", "batch", "service_tier"),
        columns={
            **instants("start_time", "end_time"),
            **text("project_id", "user_id", "api_key_id", "model"),
            "batch": "bool",
            **text("service_tier"),
            **counts(
                "input_tokens", "input_cached_tokens", "input_cache_write_tokens", "input_uncached_tokens",
                "output_tokens", "input_audio_tokens", "output_audio_tokens", "num_model_requests",
            ),
        },
        notes="input_tokens includes cached and cache-written tokens; input_uncached_tokens is null in old payloads.",
    ),
    _of(
        name="usage_embeddings",
        grain="UTC day x project x user x API key x model",
        window="day",
        restatement_days=7,
        range_days=31,
        spend_source="direct_model_api",
        identity=("project_id", "user_id", "api_key_id", "model"),
        columns={
            **instants("start_time", "end_time"),
            **text("project_id", "user_id", "api_key_id", "model"),
            **counts("input_tokens", "num_model_requests"),
        },
    ),
    *USAGE_KINDS.values(),
    _listed(
        name="projects",
        grain="project as it is now, archived ones too",
        columns={**text("id", "name", "status"), "created_at": "ts", "archived_at": "ts"},
    ),
    _listed(
        name="project_api_keys",
        grain="project API key as it is now",
        columns={
            **text("id", "project_id", "name", "owner_type", "owner_id", "owner_email"),
            "created_at": "ts",
        },
        notes="redacted_value is not landed.",
    ),
    _listed(
        name="users",
        grain="organization member as it is now",
        columns={**text("id", "email", "name", "role"), "added_at": "ts"},
    ),
)
