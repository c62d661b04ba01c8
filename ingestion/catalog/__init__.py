"""The source catalog: every system that is asked and every dataset that can land in the raw lake, one module per source.

The one home of grain, window, restatement, money unit, identity, raw columns and settings. Assets, landing, staging
sources, docs and tests are derived from it.
"""

from __future__ import annotations

from ingestion.catalog import (
    agent_logs,
    anthropic,
    anthropic_enterprise,
    aws,
    azure,
    azure_llm_logs,
    bedrock_logs,
    claude_code_otel,
    copilot,
    cursor,
    expenses,
    files,
    gcp,
    github,
    gitlab,
    helicone,
    huggingface,
    invoices,
    jira,
    langfuse,
    linear,
    litellm,
    mistral,
    openai,
    openrouter,
    otel,
    portkey,
    prices,
    seats,
    xai,
)
from ingestion.catalog.dataset import AUDIT_COLUMNS, ColumnType, Dataset, Option, Source, SpendSource, WindowKind

__all__ = [
    "AUDIT_COLUMNS", "BY_KEY", "DATASETS", "SOURCES", "ColumnType", "Dataset", "Option", "Source", "SpendSource",
    "WindowKind",
]  # fmt: skip

# A source belongs here and, with its connector, in ingestion/connectors.py.
_MODULES = (
    anthropic, anthropic_enterprise, openai, mistral, huggingface, xai, openrouter, copilot, cursor, litellm, github,
    jira, gitlab, linear, aws, azure, gcp, files, invoices, seats, expenses, prices, langfuse, helicone, otel,
    claude_code_otel, agent_logs, portkey, bedrock_logs, azure_llm_logs,
)  # fmt: skip

SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
DATASETS: tuple[Dataset, ...] = tuple(dataset for module in _MODULES for dataset in module.DATASETS)
BY_KEY: dict[str, Dataset] = {d.key: d for d in DATASETS}
