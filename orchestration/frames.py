"""Column types of the relations that come from outside dbt: the manifest, rejects and the results of forecasting.

They are created with these types even when empty, so every model always reads.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from decisions.schemas import PUBLISHED
from decisions.schemas import SCHEMAS as DECISIONS
from forecasting.schemas import MONTHLY_SCHEMAS, SCHEMAS

MANIFEST_COLUMNS: dict[str, str] = {
    "delivery_id": "varchar",
    "source": "varchar",
    "dataset": "varchar",
    "account": "varchar",
    "window": "varchar",
    "window_start": "timestamptz",
    "window_end": "timestamptz",
    "state": "varchar",
    "rows": "bigint",
    "rejects": "bigint",
    "content_hash": "varchar",
    "control_total": "varchar",
    "control_unit": "varchar",
    "path": "varchar",
    "fetched_at": "timestamptz",
    "checked_at": "timestamptz",
    "run_id": "varchar",
    "pages": "bigint",
    "error": "varchar",
    "superseded_content_hash": "varchar",
    "days": "date[]",
}

REJECT_COLUMNS: dict[str, str] = {
    "source": "varchar",
    "dataset": "varchar",
    "account": "varchar",
    "window": "varchar",
    "delivery_id": "varchar",
    "ordinal": "bigint",
    "reason": "varchar",
    "field": "varchar",
    "detail": "varchar",
    "record_digest": "varchar",
}


def _duckdb_type(kind: object) -> str:
    if isinstance(kind, pl.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, pl.Datetime):
        return "timestamp"
    simple = {pl.String: "varchar", pl.Date: "date", pl.Float64: "double", pl.Int64: "bigint", pl.Boolean: "boolean"}
    return simple[kind]  # type: ignore[index]


def _relation(columns: Mapping[str, object]) -> dict[str, str]:
    return {name: _duckdb_type(kind) for name, kind in columns.items()}


def raw_name(frame: str) -> str:
    """Name in schema `raw`; `accuracy` says of what there, where more than forecasts are scored."""
    return "forecast_accuracy" if frame == "accuracy" else frame


def lake_key(frame: str) -> str:
    """Lake key of a frame of forecasting."""
    return f"derived/forecasting/{raw_name(frame)}.parquet"


def decision_key(frame: str) -> str:
    """Lake key of a decision frame."""
    return f"derived/decisions/{frame}.parquet"


# Relation in schema `raw` → columns.
FORECAST_RELATIONS: dict[str, dict[str, str]] = {raw_name(n): _relation(c) for n, c in SCHEMAS.items()}
MONTHLY_RELATIONS: dict[str, dict[str, str]] = {n: _relation(c) for n, c in MONTHLY_SCHEMAS.items()}
DECISION_RELATIONS: dict[str, dict[str, str]] = {n: _relation(DECISIONS[n]) for n in PUBLISHED}
# Relation in schema `raw` → lake key and columns.
DERIVED_RELATIONS: dict[str, tuple[str, dict[str, str]]] = {
    **{n: (lake_key(n), columns) for n, columns in (FORECAST_RELATIONS | MONTHLY_RELATIONS).items()},
    **{n: (decision_key(n), columns) for n, columns in DECISION_RELATIONS.items()},
}
