"""What assets receive: the settings and the lake. Thin: tests hand in their own objects under the same names."""

from __future__ import annotations

from typing import Any

from ingestion.lake import Lake, S3Options, open_lake
from orchestration.settings import Settings

# One slot: DuckDB lets one process write, and an open reader shuts the writer out.
WAREHOUSE_POOL = "warehouse"
OWNERS = ["team:finops-data"]


def lake_of(settings: Settings) -> Lake:
    """The raw lake of a home: a folder or an S3 prefix."""
    return open_lake(settings.lake_url, S3Options(**settings.lake_s3))


def resources_of(settings: Settings) -> dict[str, Any]:
    """Resources by the names that assets use."""
    return {"settings": settings, "lake": lake_of(settings)}
