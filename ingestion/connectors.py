"""Every system and every dataset's connector: the one list others look them up in."""

from __future__ import annotations

from ingestion import prices
from ingestion.client import Client
from ingestion.clouds import aws, azure, gcp
from ingestion.files import billing, expenses, invoices, seats
from ingestion.gateways import (
    agent_logs,
    azure_llm_logs,
    bedrock_logs,
    claude_code_otel,
    helicone,
    langfuse,
    litellm,
    otel,
    portkey,
)
from ingestion.providers import (
    anthropic,
    anthropic_enterprise,
    copilot,
    cursor,
    huggingface,
    mistral,
    openai,
    openrouter,
    xai,
)
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.trackers import github, gitlab, jira, linear

__all__ = ["CONNECTORS", "SYSTEMS", "Connector", "System", "make_client"]

SYSTEMS: dict[str, System] = {
    system.source: system
    for system in (
        anthropic.SYSTEM,
        anthropic_enterprise.SYSTEM,
        openai.SYSTEM,
        mistral.SYSTEM,
        huggingface.SYSTEM,
        xai.SYSTEM,
        openrouter.SYSTEM,
        cursor.SYSTEM,
        copilot.SYSTEM,
        litellm.SYSTEM,
        azure_llm_logs.SYSTEM,
        bedrock_logs.SYSTEM,
        portkey.SYSTEM,
        otel.SYSTEM,
        claude_code_otel.SYSTEM,
        agent_logs.SYSTEM,
        helicone.SYSTEM,
        langfuse.SYSTEM,
        github.SYSTEM,
        jira.SYSTEM,
        gitlab.SYSTEM,
        linear.SYSTEM,
        aws.SYSTEM,
        azure.SYSTEM,
        gcp.SYSTEM,
        billing.SYSTEM,
        invoices.SYSTEM,
        seats.SYSTEM,
        expenses.SYSTEM,
        prices.SYSTEM,
    )
}
CONNECTORS: dict[str, Connector] = {c.dataset.key: c for system in SYSTEMS.values() for c in system.connectors}


def make_client(config: SourceConfig) -> Client:
    """The HTTP client of an account. Sources that are not spoken to over HTTP get one that is never used."""
    http = SYSTEMS[config.source].http
    pace = http.requests_per_minute if http else ""
    return Client(
        base_url=config.base_url or (http.base_url if http else None) or "",
        headers=http.headers(config) if http else {},
        auth=http.auth(config) if http and http.auth else None,
        secrets=tuple(config.secrets.values()),
        requests_per_minute=float(config.option("requests_per_minute", pace or "0")) or None,
        proxy=config.option("proxy") or None,
        ca_bundle=config.option("ca_bundle") or None,
    )
