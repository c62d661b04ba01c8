"""What can go wrong when a source is asked, sorted by one question: would a rerun help?

Every message says what was tried, what was found and what to do. No message carries a secret or a record's text.
"""

from __future__ import annotations

from typing import Any


class IngestionError(Exception):
    """A source could not be ingested. `report` is set when `run.ingest` raises it: what was finished anyway."""

    def __init__(self, *, tried: str, found: str, to_do: str) -> None:
        super().__init__(f"tried: {tried}; found: {found}; to do: {to_do}")
        self.tried = tried
        self.found = found
        self.to_do = to_do
        self.report: Any = None

    def within(self, context: str) -> IngestionError:
        """The same error, saying in front for which dataset and window it was."""
        error = type(self)(tried=f"{context}: {self.tried}", found=self.found, to_do=self.to_do)
        error.__cause__ = self
        return error


class SourceUnavailable(IngestionError):
    """No answer, or a passing refusal, after all tries. A later rerun helps."""


class RequestRejected(IngestionError):
    """The source understood and refused: credentials, permission, address. A rerun does not help."""


class ContractBroken(IngestionError):
    """The answer is not what the contract says. A rerun does not help; the old delivery stays current."""
