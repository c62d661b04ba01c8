"""What a connector is told about one account of one source. Secrets never show in a repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.catalog import SOURCES


@dataclass(frozen=True)
class SourceConfig:
    """One account of a source: where it is, how to get in, what to ask for.

    `account` is the alias that names its files and rows. `secrets` are keyed by the suffix of their variable
    (`ADMIN_KEY`), `options` by lower-case names (`bucket`, `prefix`, `repos`, `location`, ...).
    """

    source: str
    account: str = "default"
    base_url: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True

    def secret(self, name: str) -> str:
        """The secret of that suffix, or an empty text."""
        return self.secrets.get(name, "")

    def option(self, name: str, default: str = "") -> str:
        """The option of that name, or the default when it is missing or empty."""
        return self.options.get(name) or default

    def entries(self, name: str, default: str = "") -> list[str]:
        """The comma-separated entries of that option, without blanks and empty ones."""
        return [entry for part in self.option(name, default).split(",") if (entry := part.strip())]

    def missing(self) -> list[str]:
        """Names of the variables that must still be set before the source can be asked; empty when it is ready."""
        prefix = f"AISL_{self.source.upper()}_"
        source = SOURCES[self.source]
        lacking = [name for name in source.secrets if not self.secrets.get(name)]
        for name in source.required:
            if not (self.base_url if name == "BASE_URL" else self.option(name.lower())):
                lacking.append(name)
        return [prefix + name for name in lacking]

    def is_on(self) -> bool:
        """Whether the source is switched on and has everything it needs."""
        return self.enabled and not self.missing()
