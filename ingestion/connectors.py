"""Every dataset's connector: how it is fetched, and how its client is made. The one list others look datasets up in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingestion import prices
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Client
from ingestion.clouds import aws_focus
from ingestion.files import billing, invoices
from ingestion.gateways import litellm
from ingestion.providers import anthropic, openai
from ingestion.records import Batch
from ingestion.source import SourceConfig
from ingestion.trackers import github, jira
from ingestion.windows import Window

__all__ = ["CONNECTORS", "Connector", "SourceConfig", "make_client"]

Fetch = Callable[[Client, SourceConfig, Sequence[Window]], Iterator[tuple[Window, Batch]]]
# Finds what there is to read: all windows of a folder, or those of the wanted windows that have been delivered.
Find = Callable[[SourceConfig, Sequence[Window]], list[Window]]


@dataclass(frozen=True)
class Connector:
    """How one dataset is fetched. `find` is set where the source itself says which windows it has (files, exports)."""

    dataset: Dataset
    fetch: Fetch
    find: Find | None = None


@dataclass(frozen=True)
class _Http:
    base_url: str | None
    headers: Callable[[SourceConfig], Mapping[str, str]]
    auth: Callable[[SourceConfig], tuple[str, str]] | None = None


_HTTP: dict[str, _Http] = {
    "anthropic": _Http(anthropic.BASE_URL, anthropic.headers),
    "openai": _Http(openai.BASE_URL, openai.headers),
    "litellm": _Http(None, litellm.headers),
    "github": _Http(github.BASE_URL, github.headers),
    "jira": _Http(None, jira.headers, jira.auth),
}


def make_client(config: SourceConfig) -> Client:
    """The HTTP client of an account. Sources that are not spoken to over HTTP get one that is never used."""
    http = _HTTP.get(config.source, _Http(None, lambda _: {}))
    return Client(
        base_url=config.base_url or http.base_url or "",
        headers=http.headers(config),
        auth=http.auth(config) if http.auth else None,
        secrets=tuple(config.secrets.values()),
        proxy=config.option("proxy") or None,
        ca_bundle=config.option("ca_bundle") or None,
    )


def _listed(connectors: Iterable[Connector]) -> dict[str, Connector]:
    return {connector.dataset.key: connector for connector in connectors}


CONNECTORS: dict[str, Connector] = _listed(
    (
        Connector(anthropic.USAGE, anthropic.fetch_usage_messages),
        Connector(anthropic.COST, anthropic.fetch_cost_report),
        Connector(anthropic.CLAUDE_CODE, anthropic.fetch_claude_code),
        Connector(anthropic.API_KEYS, anthropic.fetch_api_keys),
        Connector(anthropic.WORKSPACES, anthropic.fetch_workspaces),
        Connector(anthropic.USERS, anthropic.fetch_users),
        Connector(openai.COSTS, openai.fetch_costs),
        Connector(openai.COMPLETIONS, openai.fetch_usage_completions),
        Connector(openai.EMBEDDINGS, openai.fetch_usage_embeddings),
        Connector(openai.PROJECTS, openai.fetch_projects),
        Connector(openai.PROJECT_API_KEYS, openai.fetch_project_api_keys),
        Connector(openai.USERS, openai.fetch_users),
        Connector(litellm.SPEND_LOGS, litellm.fetch_spend_logs),
        Connector(github.PULLS, github.fetch_pulls),
        Connector(github.ISSUES, github.fetch_issues),
        Connector(github.DEPLOYMENTS, github.fetch_deployments),
        Connector(jira.ISSUES, jira.fetch_issues),
        Connector(jira.CHANGELOG, jira.fetch_changelog),
        Connector(jira.SPRINTS, jira.fetch_sprints),
        Connector(jira.PROJECTS, jira.fetch_projects),
        Connector(aws_focus.FOCUS_EXPORT, aws_focus.fetch_focus_export, aws_focus.find_months),
        *(
            Connector(BY_KEY[key], billing.fetcher(key), billing.finder(key))
            for key in ("files__focus", "files__aws_cur", "files__oci_cost", "files__azure_ea")
        ),
        Connector(invoices.LINES, invoices.fetch_lines, invoices.find_files),
        Connector(prices.GENAI_PRICES, prices.fetch_genai_prices),
    )
)
