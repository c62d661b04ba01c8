"""Every system and every dataset's connector: the one list others look them up in."""

from __future__ import annotations

from ingestion import prices
from ingestion.client import Client
from ingestion.clouds import aws_focus
from ingestion.files import billing, invoices
from ingestion.gateways import litellm
from ingestion.providers import anthropic, openai
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.trackers import github, jira

__all__ = ["CONNECTORS", "SYSTEMS", "Connector", "System", "make_client"]

SYSTEMS: dict[str, System] = {
    system.source: system
    for system in (
        anthropic.SYSTEM,
        openai.SYSTEM,
        litellm.SYSTEM,
        github.SYSTEM,
        jira.SYSTEM,
        aws_focus.SYSTEM,
        billing.SYSTEM,
        invoices.SYSTEM,
        prices.SYSTEM,
    )
}
CONNECTORS: dict[str, Connector] = {c.dataset.key: c for system in SYSTEMS.values() for c in system.connectors}


def make_client(config: SourceConfig) -> Client:
    """The HTTP client of an account. Sources that are not spoken to over HTTP get one that is never used."""
    http = SYSTEMS[config.source].http
    return Client(
        base_url=config.base_url or (http.base_url if http else None) or "",
        headers=http.headers(config) if http else {},
        auth=http.auth(config) if http and http.auth else None,
        secrets=tuple(config.secrets.values()),
        proxy=config.option("proxy") or None,
        ca_bundle=config.option("ca_bundle") or None,
    )
