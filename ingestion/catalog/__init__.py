"""The source catalog: every system that is asked and every dataset that can land in the raw lake, one module per source.

The one home of grain, window, restatement, money unit, identity, raw columns and settings. Assets, landing, staging
sources, docs and tests are derived from it.
"""

from __future__ import annotations

import importlib
import pkgutil

from ingestion.catalog.dataset import AUDIT_COLUMNS, ColumnType, Dataset, Option, Source, SpendSource, WindowKind

__all__ = [
    "AUDIT_COLUMNS", "BY_KEY", "DATASETS", "SOURCES", "ColumnType", "Dataset", "Option", "Source", "SpendSource",
    "WindowKind",
]  # fmt: skip

# Every module of this package that describes a source is found by being here.
_MODULES = [
    module
    for name in sorted(found.name for found in pkgutil.iter_modules(__path__))
    if hasattr(module := importlib.import_module(f"{__name__}.{name}"), "SOURCE")
]

SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
DATASETS: tuple[Dataset, ...] = tuple(dataset for module in _MODULES for dataset in module.DATASETS)
BY_KEY: dict[str, Dataset] = {d.key: d for d in DATASETS}
