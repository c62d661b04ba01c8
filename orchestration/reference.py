"""The reference tables of the README, derived from the catalog and the settings."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.catalog import DATASETS, SOURCES, Dataset
from orchestration.settings import variables

_WINDOWS = {
    "day": "charge day, {0} days back",
    "month": "billing month, the open one and {0} before",
    "updated": "update day, {0} days back",
    "snapshot": "as it is now",
    "file": "dropped file, when it changes",
}


def variables_markdown() -> str:
    """Every environment variable: name, default, meaning."""
    return _table(("Variable", "Default", "Meaning"), [(f"`{v.name}`", v.default, v.meaning) for v in variables()])


def sources_markdown() -> str:
    """Every dataset: what one record is, which windows are asked again, unit of its money, how well the contract is known."""
    rows = [
        (SOURCES[d.source].title, f"`{d.source}`", f"`{d.name}`", d.grain, _window(d), d.money_unit or "", d.confidence)
        for d in DATASETS
    ]
    return _table(("System", "Source", "Dataset", "One record is", "Asked again", "Money", "Contract known"), rows)


def _window(dataset: Dataset) -> str:
    return _WINDOWS[dataset.window].format(dataset.restatement_days)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
