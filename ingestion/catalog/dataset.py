"""What a dataset and a source of the catalog are: types only, no I/O, no vendor calls, no mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    no identity and equal rows may both be right. `control_column`: the money column whose exact sum landing writes down
    as the delivery's control total. `history_days`: how many complete days back a vendor that forgets still answers;
    older days are never asked. `confidence`: how well the vendor's contract is known; below high, its module is
    tolerant and says in `notes` what is configuration.
    """

    source: str
    name: str
    grain: str
    window: WindowKind
    restatement_days: int
    columns: dict[str, ColumnType]
    identity: tuple[str, ...] = ()
    money_unit: str | None = None
    control_column: str | None = None
    spend_source: SpendSource = "none"
    confidence: Literal["high", "medium", "low"] = "high"
    range_days: int = 1
    history_days: int | None = None
    notes: str = ""

    @property
    def key(self) -> str:
        """`source__name`, the name of the raw relation and of the asset."""
        return f"{self.source}__{self.name}"

    @property
    def schema(self) -> dict[str, ColumnType]:
        """Record columns followed by the audit columns."""
        return {**self.columns, **AUDIT_COLUMNS}


@dataclass(frozen=True)
class Option:
    """A setting AISL_<SOURCE>_<NAME> of a source that may be left out."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Source:
    """A system that is asked, with its settings. The source is off until all secrets and required settings are there.

    `secrets` and `required` are suffixes of AISL_<SOURCE>_<SUFFIX>; `required` maps each to its meaning. `logs_requests`:
    its datasets hold one record per model request, so a charge day is read from all such sources together.
    """

    name: str
    title: str
    secrets: tuple[str, ...] = ()
    required: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    logs_requests: bool = False


def text(*names: str) -> dict[str, ColumnType]:
    """Text columns."""
    return dict.fromkeys(names, "text")


def money(*names: str) -> dict[str, ColumnType]:
    """Columns of decimal numbers kept as the vendor wrote them; the unit is the suffix of each name."""
    return dict.fromkeys(names, "money_text")


def instants(*names: str) -> dict[str, ColumnType]:
    """Columns of UTC instants."""
    return dict.fromkeys(names, "ts")


def days(*names: str) -> dict[str, ColumnType]:
    """Columns of UTC calendar days."""
    return dict.fromkeys(names, "date")


def counts(*names: str) -> dict[str, ColumnType]:
    """Columns of 64-bit integers."""
    return dict.fromkeys(names, "int")


def flags(*names: str) -> dict[str, ColumnType]:
    """Columns of booleans."""
    return dict.fromkeys(names, "bool")


# A FOCUS file of any version: native text of every FOCUS column it has, everything else in x_extra.
FOCUS_FILE: dict[str, ColumnType] = {
    **text(*COST_AND_USAGE_COLUMNS),
    "x_extra": "json",
    **text("focus_version_in", "export_name", "file_name"),
}

# What a caller says about its request: values of the allow-listed keys, and how many other labels were left out.
REQUEST_LABELS: dict[str, ColumnType] = {
    **text(
        "tag_ticket", "tag_workflow", "tag_feature", "tag_customer", "tag_environment", "tag_task_type", "tag_team",
        "tag_repo", "tag_branch", "tag_session",
    ),
    **counts("dropped_tag_count"),
}
