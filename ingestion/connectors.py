"""Every system and every dataset's connector: the one list others look them up in."""

from __future__ import annotations

import importlib
import pkgutil

from ingestion import clouds, files, gateways, prices, providers, trackers
from ingestion.client import Client
from ingestion.source import SourceConfig
from ingestion.system import Connector, System

__all__ = ["CONNECTORS", "SYSTEMS", "Connector", "System", "make_client"]


def _systems() -> list[System]:
    """`SYSTEM` of every connector module in the folders of this room."""
    modules = [prices]
    for folder in (clouds, files, gateways, providers, trackers):
        names = sorted(found.name for found in pkgutil.iter_modules(folder.__path__))
        modules += [importlib.import_module(f"{folder.__name__}.{name}") for name in names]
    return [module.SYSTEM for module in modules if hasattr(module, "SYSTEM")]


SYSTEMS: dict[str, System] = {system.source: system for system in _systems()}
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
