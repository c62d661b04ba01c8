"""The vendors that answer over HTTP, each written from its contract.

A module has `handle(world, request)` and `environment(base_url)` (the AISL_* variables that point at it) and may have
`ownership()` (rows of that seed), `identities()` (person, system, external id) and `truth(company)` (`DayTruth` rows).
"""

from __future__ import annotations

from types import ModuleType

from sandbox.vendors import (
    anthropic,
    anthropic_enterprise,
    copilot,
    cursor,
    github,
    gitlab,
    helicone,
    huggingface,
    jira,
    langfuse,
    linear,
    litellm,
    mistral,
    openai,
    openrouter,
    portkey,
    xai,
)

VENDORS: dict[str, ModuleType] = {
    "anthropic": anthropic,
    "anthropic_enterprise": anthropic_enterprise,
    "openai": openai,
    "mistral": mistral,
    "huggingface": huggingface,
    "xai": xai,
    "cursor": cursor,
    "copilot": copilot,
    "openrouter": openrouter,
    "litellm": litellm,
    "github": github,
    "jira": jira,
    "gitlab": gitlab,
    "linear": linear,
    "langfuse": langfuse,
    "helicone": helicone,
    "portkey": portkey,
}
