"""Usage as a provider's answer states it → disjoint token classes, whatever the provider counts inside what.

Told by the names of the fields: Anthropic and Bedrock count cached tokens beside the input, OpenAI and its imitators inside the
prompt, Gemini inside the prompt too, but thoughts and tool prompts beside output and prompt.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ingestion.records import Count, Refused


class TokenClasses(NamedTuple):
    """Tokens of one answer, each in one class. `output` includes reasoning; `stated` is the total as the provider says it."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write_unspecified: int = 0
    output: int = 0
    output_reasoning: int | None = None
    stated: int | None = None

    @property
    def total(self) -> int:
        """Sum of the classes."""
        return sum(self[:6])


class CacheWritten(msgspec.Struct):
    """Anthropic: cache writes by time to live."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class CacheDetail(msgspec.Struct):
    """Bedrock: one time to live of the cache writes."""

    inputTokens: Count
    ttl: str | None = None


class InputDetails(msgspec.Struct):
    """OpenAI style: parts of the prompt."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """Parts of the output."""

    reasoning_tokens: Count | None = None
    thinking_tokens: Count | None = None


class Units(msgspec.Struct):
    """Cohere: what is billed."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None


class Usage(msgspec.Struct):
    """The fields of all known shapes; an answer has those of one."""

    service_tier: str | None = None
    # Anthropic, OpenAI responses, Codex
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheWritten | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    cached_input_tokens: Count | None = None
    reasoning_output_tokens: Count | None = None
    # OpenAI chat and its imitators
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: Count | None = None
    num_cached_tokens: Count | None = None
    cached_tokens: Count | None = None
    # Bedrock Converse
    inputTokens: Count | None = None
    outputTokens: Count | None = None
    totalTokens: Count | None = None
    cacheReadInputTokens: Count | None = None
    cacheWriteInputTokens: Count | None = None
    cacheDetails: list[CacheDetail] | None = None
    # Cohere
    billed_units: Units | None = None
    # xAI: what the answer cost
    cost_in_usd_ticks: Count | None = None

    @property
    def cost_usd(self) -> Decimal | None:
        """What the provider says the answer cost, in dollars: a tick is 1e-10 USD."""
        return None if self.cost_in_usd_ticks is None else Decimal(self.cost_in_usd_ticks).scaleb(-10)


class GeminiUsage(msgspec.Struct):
    """Gemini's usageMetadata."""

    promptTokenCount: Count | None = None
    candidatesTokenCount: Count | None = None
    cachedContentTokenCount: Count | None = None
    thoughtsTokenCount: Count | None = None
    toolUsePromptTokenCount: Count | None = None
    totalTokenCount: Count | None = None


class CohereMeta(msgspec.Struct):
    """Cohere's meta of an embedding."""

    billed_units: Units | None = None


class ProviderAnswer(msgspec.Struct):
    """A provider's answer as far as it is read: never its content."""

    id: str | None = None
    responseId: str | None = None
    model: str | None = None
    modelVersion: str | None = None
    usage: Usage | None = None
    usageMetadata: GeminiUsage | None = None
    meta: CohereMeta | None = None


def of_answer(answer: ProviderAnswer) -> TokenClasses:
    """Classes of a whole answer. Refuses one without usage."""
    if answer.usageMetadata is not None:
        return of_gemini(answer.usageMetadata)
    if answer.usage is not None:
        return of_usage(answer.usage)
    if answer.meta is not None and answer.meta.billed_units is not None:
        return _of_units(answer.meta.billed_units)
    raise Refused("missing_field", "usage")


def of_usage(usage: Usage) -> TokenClasses:
    """Classes of a `usage` object, its shape told by its fields. Refuses one without counts."""
    if usage.billed_units is not None:
        return _of_units(usage.billed_units)
    if usage.inputTokens is not None:
        written = usage.cacheWriteInputTokens or 0
        by_life = {"5m": 0, "1h": 0}
        for detail in usage.cacheDetails or ():
            if detail.ttl in by_life:
                by_life[detail.ttl] += detail.inputTokens
        return _beside(
            usage.inputTokens, usage.cacheReadInputTokens, written, by_life["5m"], by_life["1h"], usage.outputTokens, None,
            usage.totalTokens,
        )  # fmt: skip
    if usage.prompt_tokens is not None:
        details = usage.prompt_tokens_details or InputDetails()
        reasoning = (usage.completion_tokens_details or OutputDetails()).reasoning_tokens
        output = usage.completion_tokens or 0
        # One imitator states reasoning beside the completion: only its total says so.
        if reasoning and usage.total_tokens == usage.prompt_tokens + output + reasoning:
            output += reasoning
        read = _first(details.cached_tokens, usage.prompt_cache_hit_tokens, usage.num_cached_tokens, usage.cached_tokens)
        return _inside(usage.prompt_tokens, read, details.cache_write_tokens, output, reasoning, usage.total_tokens)
    if usage.input_tokens is None:
        raise Refused("missing_field", "usage")
    reasoning = usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details else None
    if usage.input_tokens_details is not None or usage.cached_input_tokens is not None:
        details = usage.input_tokens_details or InputDetails()
        return _inside(
            usage.input_tokens, _first(details.cached_tokens, usage.cached_input_tokens), details.cache_write_tokens,
            usage.output_tokens, _first(reasoning, usage.reasoning_output_tokens), usage.total_tokens,
        )  # fmt: skip
    split = usage.cache_creation or CacheWritten()
    thinking = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None
    return _beside(
        usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens or 0,
        split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0, usage.output_tokens,
        _first(thinking, reasoning), usage.total_tokens,
    )  # fmt: skip


def of_gemini(usage: GeminiUsage) -> TokenClasses:
    """Classes of usageMetadata: the prompt includes cached content; thoughts and tool prompts are counted apart."""
    if usage.promptTokenCount is None:
        raise Refused("missing_field", "usageMetadata.promptTokenCount")
    classes = _inside(
        usage.promptTokenCount, usage.cachedContentTokenCount, None,
        (usage.candidatesTokenCount or 0) + (usage.thoughtsTokenCount or 0), usage.thoughtsTokenCount, usage.totalTokenCount,
    )  # fmt: skip
    return classes._replace(input_uncached=classes.input_uncached + (usage.toolUsePromptTokenCount or 0))


def inside_or_beside(
    counted: int, read: int, written: int, *, is_inside: bool, output: int, reasoning: int | None, stated: int | None
) -> TokenClasses:
    """Classes of counts whose emitter is known to count cached tokens inside (`is_inside`) or beside its input."""
    if is_inside:
        return _inside(counted, read, written, output, reasoning, stated)
    return _beside(counted, read, written, 0, 0, output, reasoning, stated)


def _inside(
    prompt: int, read: int | None, written: int | None, output: int | None, reasoning: int | None, stated: int | None
) -> TokenClasses:
    """Cached tokens are a part of the prompt. A prompt smaller than them gives an emitter away that counts them beside it."""
    read, written = read or 0, written or 0
    uncached = prompt - read - written if prompt >= read + written else prompt
    return TokenClasses(uncached, read, 0, 0, written, output or 0, reasoning, stated)


def _beside(
    counted: int, read: int | None, written: int, short: int, long: int, output: int | None, reasoning: int | None,
    stated: int | None,
) -> TokenClasses:  # fmt: skip
    """Cached tokens come on top of the input; writes are split by time to live as far as that is said."""
    if short + long > written:
        written = short + long
    return TokenClasses(counted, read or 0, short, long, written - short - long, output or 0, reasoning, stated)


def _of_units(units: Units) -> TokenClasses:
    if units.input_tokens is None and units.output_tokens is None:
        raise Refused("missing_field", "billed_units")
    return TokenClasses(input_uncached=units.input_tokens or 0, output=units.output_tokens or 0)


def _first(*values: int | None) -> int | None:
    return next((v for v in values if v is not None), None)
