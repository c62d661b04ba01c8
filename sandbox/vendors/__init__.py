"""The vendors that answer over HTTP, each written from its contract.

A module has `handle(world, request)` and `environment(base_url)` (the AISL_* variables that point at it) and may have
`ownership()` (rows of that seed), `identities()` (person, system, external id) and `truth(company)` (`DayTruth` rows).
"""

from __future__ import annotations

from types import ModuleType

from sandbox.vendors import anthropic, github, jira, litellm, openai

VENDORS: dict[str, ModuleType] = {
    "anthropic": anthropic,
    "openai": openai,
    "litellm": litellm,
    "github": github,
    "jira": jira,
}
