"""Session logs of coding agents as a nightly job copies them from developers' machines: one folder a developer, one file a day.

Some answers came through the gateway, which logged them too; those of people with a key of their own it never saw. While an answer
streams, its line is written again with the same ids and more output.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from sandbox import calendar, canaries
from sandbox.company import CODING, DEPLOYMENTS, OWN_KEY_PEOPLE, PEOPLE, PERSON_INDEX, token
from sandbox.requests import OK, OWN_KEYS
from sandbox.team_calls import of_key
from sandbox.vendors.base import World
from sandbox.work import SECOND

SINCE = calendar.LAST_DAY - dt.timedelta(days=29)
MOST_A_DAY = 5
# Three who work through the gateway and two with keys of their own.
GATEWAY_PEOPLE = tuple(p.person_id for p in PEOPLE if p.person_id not in OWN_KEY_PEOPLE)[:3]
OWN_PEOPLE = OWN_KEY_PEOPLE[:2]
_OWN_KEY = dict(OWN_KEYS)

Lines = dict[str, list[dict[str, Any]]]


def environment(folder: Path, _: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the logs."""
    return {"AISL_AGENT_LOGS_LOCATION": str(folder.parent / "agent_logs"), "AISL_AGENT_LOGS_REPO_OWNER": "acme"}


def deliver(world: World, folder: Path, _: Any) -> None:
    """Write a log per developer and day, with the lines written by the world's clock."""
    files: Lines = {}
    for name, day, lines in (*_gateway_answers(world), *_own_answers(world)):
        files.setdefault(f"{name}/{day}.jsonl", []).extend(lines)
    root = folder.parent / "agent_logs"
    contents = {name: _content(world, name, lines) for name, lines in files.items()}
    for gone in [p for p in root.rglob("*.jsonl") if p.relative_to(root).as_posix() not in contents]:
        gone.unlink()
    for name, content in contents.items():
        path = root / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    root.mkdir(parents=True, exist_ok=True)


def _content(world: World, name: str, lines: list[dict[str, Any]]) -> bytes:
    content = b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n"
    return content[: len(content) * 2 // 3] if world.faults.find("truncated_json", "agent_logs", name) else content


def _gateway_answers(world: World) -> list[tuple[str, dt.date, list[dict[str, Any]]]]:
    people = {PERSON_INDEX[p]: PEOPLE[PERSON_INDEX[p]] for p in GATEWAY_PEOPLE}
    by_person = {p.person_id: p for p in people.values()}
    anthropic = [i for i, d in enumerate(DEPLOYMENTS) if d.provider == "anthropic"]
    rows = world.company.log.filter(
        (pl.col("stream") == CODING) & (pl.col("status") == OK) & (pl.col("gateway_hit") == 0) & pl.col("deployment").is_in(anthropic)
        & pl.col("true_person").is_in(list(by_person)) & (pl.col("day") >= SINCE.toordinal())
        & (pl.col("start") // SECOND % 86_400 < 86_000) & (pl.col("end") <= int(world.clock.timestamp()) * SECOND)
    ).group_by("day", "true_person", maintain_order=True).head(MOST_A_DAY)  # fmt: skip
    return [
        (by_person[r["true_person"]].email, dt.date.fromordinal(r["day"]), _lines(
            world, r["request_id"], DEPLOYMENTS[r["deployment"]].model, r["end"], (r["uncached"], r["cache_read"], r["write_5m"], r["write_1h"],
            r["output"]), r["session_id"] or f"local-{r['day']}", r["branch"], (r["repo"] or "acme/sandbox").rpartition("/")[2]))
        for r in rows.iter_rows(named=True)
    ]  # fmt: skip


def _own_answers(world: World) -> list[tuple[str, dt.date, list[dict[str, Any]]]]:
    found = []
    for person_id in OWN_PEOPLE:
        person = PERSON_INDEX[person_id]
        for day, calls in of_key(world.company, f"agent_logs-{person_id}", "anthropic", _OWN_KEY[person]).items():
            for call in calls[:MOST_A_DAY] if day >= SINCE else ():
                end = call.start + call.milliseconds * 1000
                if not call.failed and dt.datetime.fromtimestamp(end // SECOND, calendar.UTC) <= world.clock:
                    tokens = (call.uncached, call.cache_read, call.write_5m, 0, call.output)
                    branch = call.ticket and f"feature/{call.ticket.lower()}"
                    lines = _lines(world, call.response_id, call.model, end, tokens, call.session, branch, "tooling")
                    found.append((PEOPLE[person].email, day, lines))
    return found


def _lines(
    world: World, response_id: str, model: str, end: int, tokens: tuple[int, int, int, int, int], session: str, branch: str | None, repo: str
) -> list[dict[str, Any]]:
    """What the agent writes for one answer: the prompt, the answer as it begins, and the answer as it is whole."""
    uncached, read, short, long, output = tokens
    moment = dt.datetime.fromtimestamp(end // SECOND, calendar.UTC).isoformat().replace("+00:00", ".500Z")
    common = {"sessionId": session, "cwd": f"/Users/dev/src/{repo}", "gitBranch": branch or "main", "version": "2.1.4", "userType": "external"}
    counted = uncached + read if world.faults.find("cached_double_count", "agent_logs") else uncached
    lines: list[dict[str, Any]] = [
        {**common, "type": "user", "uuid": token("line", f"{response_id}-0", 32), "timestamp": moment,
         "message": {"role": "user", "content": canaries.PROMPT}},
    ]  # fmt: skip
    for number, seen in enumerate((min(output, 1), output), 1):
        usage: dict[str, Any] = {
            "input_tokens": {"value": 1} if world.faults.find("changed_type", "agent_logs") else counted,
            "cache_read_input_tokens": read, "cache_creation_input_tokens": short + long,
            "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}, "output_tokens": seen,
            "service_tier": "standard",
        }  # fmt: skip
        line = {
            **common, "type": "assistant", "uuid": token("line", f"{response_id}-{number}", 32), "timestamp": moment,
            "requestId": f"req_011C{token('request', response_id, 20)}", "isSidechain": False,
            "message": {"id": response_id, "type": "message", "role": "assistant", "model": model, "usage": usage,
                        "content": [{"type": "text", "text": canaries.COMPLETION}]},
        }  # fmt: skip
        lines.append(line | ({"surprise_field": "unheard of"} if world.faults.find("unknown_field", "agent_logs") else {}))
    return lines
