"""Telemetry as a collector's file exporter rotates it, one file a day: some of the product's calls, which the gateway logged too,
the data team's embedding calls, which it never saw, and what Claude Code reports of people who work on a subscription.

Two instrumentations disagree: the Bedrock one counts cached tokens beside the input, the others inside.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from sandbox import calendar, canaries
from sandbox.build import Company
from sandbox.company import (
    CODING,
    CREDENTIAL_INDEX,
    DEPLOYMENTS,
    PEOPLE,
    PERSON_INDEX,
    SEAT_PEOPLE,
    TEAMS,
    team_on,
    token,
)
from sandbox.prices import METERS, rates
from sandbox.requests import OK
from sandbox.team_calls import of_key
from sandbox.vendors.base import DayTruth, World, drawn, owned
from sandbox.work import SECOND

SINCE = calendar.LAST_DAY - dt.timedelta(days=29)
MOST_A_DAY = 6
SEATS = SEAT_PEOPLE[:3]
SEAT_MODEL = "claude-sonnet-4-5"
EMBEDDER = "search-indexer"
# One instrumentation, under the name its library gives it.
_SCOPES = {"bedrock": "opentelemetry.instrumentation.bedrock", "openai": "opentelemetry.instrumentation.openai_v2"}
_OTHER_SCOPE = "opentelemetry.instrumentation.anthropic"
_PROVIDERS = {"bedrock": "aws.bedrock"}


def environment(folder: Path, _: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the files."""
    return {
        "AISL_OTEL_LOCATION": str(_location(folder, "otel")),
        "AISL_CLAUDE_CODE_OTEL_LOCATION": str(_location(folder, "claude_code_otel")),
    }


def ownership() -> list[dict[str, str]]:
    """Whose services and terminals report."""
    return [owned("otel", "team_id", "data", "data"), *(owned("claude_code_otel", "team_id", t.team, t.team) for t in TEAMS)]


def truth(company: Company) -> list[DayTruth]:
    """What the subscriptions' use would have cost: nobody invoices it."""
    found: dict[tuple[dt.date, str], int] = {}
    for call in _seat_calls(company):
        key = (call["day"], TEAMS[team_on(call["person"], call["day"])].team)
        found[key] = found.get(key, 0) + call["micros"]
    return [
        DayTruth("claude_code_otel", "default", day, "USD", "0", f"{micros // 10**6}.{micros % 10**6:06d}", team)
        for (day, team), micros in sorted(found.items())
    ]


def deliver(world: World, folder: Path, _: Any) -> None:
    """Write the files of every day, with what had ended by the world's clock."""
    spans: dict[dt.date, list[dict[str, Any]]] = {}
    for day, document in (*_product_spans(world), *_embedding_spans(world)):
        spans.setdefault(day, []).append(document)
    events: dict[dt.date, list[dict[str, Any]]] = {}
    for call in _seat_calls(world.company):
        if _moment(call["end"]) <= world.clock:
            events.setdefault(call["day"], []).extend(_claude_code(world, call))
    _write(world, "otel", _location(folder, "otel"), {f"traces-{day}.jsonl": d for day, d in spans.items()})
    _write(world, "claude_code_otel", _location(folder, "claude_code_otel"), {f"claude-code-{day}.jsonl": d for day, d in events.items()})


def _location(folder: Path, name: str) -> Path:
    return folder.parent / name


def _write(world: World, source: str, folder: Path, files: dict[str, list[dict[str, Any]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for gone in [p for p in folder.iterdir() if p.name not in files]:
        gone.unlink()
    for name, documents in files.items():
        content = b"\n".join(msgspec.json.encode(d) for d in documents) + b"\n"
        if world.faults.find("truncated_json", source, name):
            content = content[: len(content) * 2 // 3]
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def _moment(micros: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(micros // SECOND, calendar.UTC)


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP attributes; 64-bit integers are text in its JSON."""
    return [
        {"key": k, "value": {"intValue": str(v)} if isinstance(v, int) else {"doubleValue": v} if isinstance(v, float | msgspec.Raw)
         else {"stringValue": v}}
        for k, v in values.items()
        if v is not None
    ]  # fmt: skip


def _span(world: World, name: str, parent: str, start: int, end: int, attributes: dict[str, Any]) -> dict[str, Any]:
    unit = 1 if world.faults.find("wrong_unit", "otel") else 1000
    if world.faults.find("changed_type", "otel"):
        attributes = attributes | {"gen_ai.usage.input_tokens": "many"}
    span = {
        "traceId": token("trace", name.partition("/")[0], 32), "spanId": token("span", name, 16), "parentSpanId": parent, "name": "chat",
        "kind": 3, "startTimeUnixNano": str(start * unit), "endTimeUnixNano": str(end * unit), "attributes": _attributes(attributes),
        "events": [{"timeUnixNano": str(end * 1000), "name": "gen_ai.content.prompt",
                    "attributes": _attributes({"gen_ai.prompt": canaries.PROMPT})}],
        "status": {},
    }  # fmt: skip
    return span | ({"surprise_field": "unheard of"} if world.faults.find("unknown_field", "otel") else {})


def _traces(service: str, scope: str, spans: list[dict[str, Any]], **resource: str) -> dict[str, Any]:
    about = {"service.name": service, "deployment.environment.name": "production", **resource}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(about)},
                               "scopeSpans": [{"scope": {"name": scope, "version": "0.62.3"}, "spans": spans}]}]}  # fmt: skip


def _product_spans(world: World) -> Iterator[tuple[dt.date, dict[str, Any]]]:
    """The first answered calls of the product after nine, each below an agent span that repeats its tokens."""
    log = world.company.log
    rows = log.filter(
        (pl.col("stream") != CODING) & (pl.col("gateway_hit") == 0) & (pl.col("status") == OK) & ~pl.col("is_embedding")
        & (pl.col("day") >= SINCE.toordinal()) & (pl.col("start") // (3600 * SECOND) % 24 == 9)
        & (pl.col("end") <= int(world.clock.timestamp()) * SECOND)
    ).group_by("day", maintain_order=True).head(MOST_A_DAY)  # fmt: skip
    for row in rows.iter_rows(named=True):
        provider = DEPLOYMENTS[row["deployment"]].provider
        written = row["write_5m"] + row["write_1h"]
        cached = row["cache_read"] + written
        usage: dict[str, Any] = {
            "gen_ai.usage.input_tokens": row["uncached"] + (0 if provider == "bedrock" else cached),
            "gen_ai.usage.output_tokens": row["output"], "gen_ai.usage.cache_read.input_tokens": row["cache_read"],
            "gen_ai.usage.cache_creation.input_tokens": written,
        }  # fmt: skip
        model = DEPLOYMENTS[row["deployment"]].model
        about = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": _PROVIDERS.get(provider, provider), "gen_ai.request.model": model,
                 "gen_ai.response.model": model, "gen_ai.response.id": row["request_id"], **usage}  # fmt: skip
        if provider == "openai":
            # An older release of this library: names of before the convention was settled.
            about["gen_ai.system"] = about.pop("gen_ai.provider.name")
            about["gen_ai.usage.prompt_tokens"] = about.pop("gen_ai.usage.input_tokens")
            about["gen_ai.usage.completion_tokens"] = about.pop("gen_ai.usage.output_tokens")
        name = row["request_id"]
        agent = _span(world, f"{name}/agent", "", row["start"] - 2000, row["end"] + 1000,
                      {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "answerer", **usage})  # fmt: skip
        call = _span(world, f"{name}/call", agent["spanId"], row["start"] - 1000, row["end"], about)
        day = dt.date.fromordinal(row["day"])
        yield day, _traces(row["true_workflow"], _SCOPES.get(provider, _OTHER_SCOPE), [agent, call])


def _embedding_spans(world: World) -> Iterator[tuple[dt.date, dict[str, Any]]]:
    """The data team's own key for embeddings."""
    for day, calls in of_key(world.company, "otel", "openai", CREDENTIAL_INDEX["openai", "data-embeddings"]).items():
        for call in calls[:MOST_A_DAY] if day >= SINCE else ():
            end = call.start + call.milliseconds * 1000
            if _moment(end) > world.clock or call.failed:
                continue
            about = {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai", "gen_ai.request.model": call.model,
                     "gen_ai.response.id": call.response_id, "gen_ai.usage.input_tokens": call.uncached, "ticket": call.ticket,
                     "user.email": call.email}  # fmt: skip
            span = _span(world, f"{call.response_id}/call", "", call.start, end, about)
            yield day, _traces(EMBEDDER, _SCOPES["openai"], [span], **{"team.id": "data"})
            yield day, _token_metric(call.model, call.uncached, call.start, end)


def _token_metric(model: str, tokens: int, start: int, end: int) -> dict[str, Any]:
    """The histogram of the same call; its sum is what counts, its buckets are not tokens."""
    about = {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai", "gen_ai.request.model": model, "gen_ai.token.type": "input"}
    point = {
        "startTimeUnixNano": str(start * 1000), "timeUnixNano": str(end * 1000), "count": "1", "sum": tokens,
        "bucketCounts": ["0", "0", "1"], "explicitBounds": [64, 1024], "attributes": _attributes(about),
    }  # fmt: skip
    metric = {"name": "gen_ai.client.token.usage", "unit": "{token}", "histogram": {"aggregationTemporality": 1, "dataPoints": [point]}}
    return {"resourceMetrics": [{"resource": {"attributes": _attributes({"service.name": EMBEDDER})},
                                 "scopeMetrics": [{"scope": {"name": _SCOPES["openai"]}, "metrics": [metric]}]}]}  # fmt: skip


def _seat_calls(company: Company) -> Iterator[dict[str, Any]]:
    """Requests of people who work on a subscription, a few on every working day."""
    for day in company.days:
        if day < SINCE or day.weekday() > 4:
            continue
        for person_id in SEATS:
            price = dict(zip(METERS, rates("anthropic", SEAT_MODEL, day), strict=True))
            for number in range(drawn(company, f"seat-{day}-{person_id}", 0, 3)):
                name = f"seat-{day}-{person_id}-{number}"
                uncached, read, written, output = (
                    drawn(company, f"{name}-{kind}", low, high)
                    for kind, low, high in (("in", 20, 900), ("read", 5_000, 60_000), ("write", 0, 4_000), ("out", 80, 2_500))
                )
                pico = uncached * price["input"] + read * price["cache_read"] + written * price["cache_write_5m"] + output * price["output"]
                start = int(calendar.midnight(day).timestamp() + drawn(company, f"{name}-at", 8 * 3600, 17 * 3600)) * SECOND
                yield {
                    "day": day, "person": PERSON_INDEX[person_id], "request_id": f"req_011C{token('seat', name, 20)}", "number": number,
                    "uncached": uncached, "read": read, "written": written, "output": output, "micros": (pico + 500_000) // 1_000_000,
                    "milliseconds": drawn(company, f"{name}-ms", 900, 30_000), "start": start, "end": 0,
                } | {"end": start + drawn(company, f"{name}-ms", 900, 30_000) * 1000}  # fmt: skip


def _claude_code(world: World, call: dict[str, Any]) -> list[dict[str, Any]]:
    """The event of a request, the prompt event before it, and its token metric."""
    who, day = PEOPLE[call["person"]], call["day"]
    session = f"cc-{day:%m%d}-{who.person_id}"
    common = {"session.id": session, "user.email": who.email, "user.id": token("install", who.person_id, 32), "terminal.type": "vscode"}
    micros = call["micros"]
    dollars = msgspec.Raw(f"{micros // 10**6}.{micros % 10**6:06d}".encode())
    event = {
        **common, "event.name": "api_request", "model": SEAT_MODEL, "cost_usd": dollars,
        "cost_usd_micros": micros * 1000 if world.faults.find("wrong_unit", "claude_code_otel") else micros,
        "duration_ms": call["milliseconds"], "input_tokens": call["uncached"], "output_tokens": call["output"],
        "cache_read_tokens": call["read"], "cache_creation_tokens": call["written"], "request_id": call["request_id"],
        "query_source": "main", "speed": "normal",
    }  # fmt: skip
    prompt = {**common, "event.name": "user_prompt", "prompt_length": 52, "prompt": canaries.PROMPT}
    at = str(call["end"] * 1000)
    about = {"service.name": "claude-code", "team.id": TEAMS[team_on(call["person"], day)].team}
    records = [
        {"timeUnixNano": str(call["start"] * 1000), "body": {"stringValue": "claude_code.user_prompt"}, "attributes": _attributes(prompt)},
        {"timeUnixNano": at, "body": {"stringValue": "claude_code.api_request"}, "attributes": _attributes(event)},
    ]
    points = [
        {"asInt": str(call[name]), "startTimeUnixNano": str(call["start"] * 1000), "timeUnixNano": at,
         "attributes": _attributes({**common, "model": SEAT_MODEL, "type": kind})}
        for kind, name in (("input", "uncached"), ("output", "output"), ("cacheRead", "read"), ("cacheCreation", "written"))
    ]  # fmt: skip
    metric = {"name": "claude_code.token.usage", "unit": "tokens",
              "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}}  # fmt: skip
    resource = {"attributes": _attributes(about)}
    return [
        {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": records}]}]},
        {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": "com.anthropic.claude_code"}, "metrics": [metric]}]}]},
    ]
