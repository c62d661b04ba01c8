"""One day of model calls through the gateway, call by call, with the truth about each."""

from __future__ import annotations

import datetime as dt

import numpy as np

from sandbox import calendar, demand, work
from sandbox.company import (
    CODING,
    CREDENTIALS,
    CUSTOMERS,
    DEPLOYMENT_INDEX,
    DEPLOYMENTS,
    FEATURE_INDEX,
    ORPHAN_KEY,
    OWN_KEY_PEOPLE,
    PEOPLE,
    PERSON_INDEX,
    SHARED_KEY,
    WORKFLOWS,
    team_on,
    token,
)
from sandbox.prices import LONG_CONTEXT_FROM, METERS, rates

OK, FAILED, REFUSED = 0, 1, 2
# How much of the truth a request shows: ticket; session (and branch); only a user; only a key.
STAMP_TICKET, STAMP_SESSION, STAMP_USER, STAMP_TEAM = range(4)
_PRODUCT_STAMPS = (0.83, 0.07, 0.04, 0.06)
_CODING_STAMPS = (0.68, 0.18, 0.09, 0.05)
LOOP_CALLS = 4_000

COLUMNS = (
    "start", "latency", "stream", "action", "step", "attempt", "status", "gateway_hit", "deployment", "issue", "branch_issue", "stamp",
    "customer", "feature", "person", "session", "virtual_key", "uncached", "cache_read", "write_5m", "write_1h", "output",
    "reasoning", "web", "incident",
)  # fmt: skip

# Calls per user action, mean output tokens, chance of a prompt cache hit.
_FAN_OUT = (2.0, 3.0, 30.0, 1.5, 2.0, 1.2, 12.0)
_OUTPUT = (230, 2130, 4600, 420, 1400, 170, 650)
_CACHE_HIT = (0.45, 0.10, 0.60, 0.30, 0.10, 0.10, 0.95)
_GAP_SECONDS = (9, 20, 12, 7, 15, 8, 14)
_CODING_INPUT = 42_000
_GATEWAY_USERS = tuple(i for i, p in enumerate(PEOPLE) if p.person_id not in OWN_KEY_PEOPLE)


def _mix(stream: int, upgraded: bool) -> dict[str, float]:
    sonnet = "gw-sonnet-5" if upgraded else "gw-sonnet-4-5"
    return (
        {"gw-opus-4-5": 0.42, sonnet: 0.33, "gw-haiku-4-5": 0.20, "gw-bedrock-haiku-4-5": 0.05},
        {"gw-opus-4-5": 0.62, "gw-batch-sonnet-4-5": 0.38},
        {"gw-opus-4-5": 0.88, sonnet: 0.12},
        {"gw-gpt-5": 0.42, sonnet: 0.25, "gw-haiku-4-5": 0.08, "gw-embed-3-small": 0.25},
        {"gw-opus-4-5": 0.60, "gw-gpt-5": 0.40},
        {sonnet: 0.25, "gw-haiku-4-5": 0.15, "gw-gpt-5-mini": 0.25, "gw-bedrock-haiku-4-5": 0.20, "gw-bedrock-nova-lite": 0.15},
        {"gw-code-sonnet-5" if upgraded else "gw-code-sonnet-4-5": 0.82, "gw-code-opus-4-5": 0.18},
    )[stream]


def generator(seed: int, purpose: int, day: dt.date, stream: int = 0) -> np.random.Generator:
    """A generator of its own for each purpose, day and stream, so that no draw depends on the company's length."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose, day.toordinal(), stream])))


def _lognormal(rng: np.random.Generator, mean: float, sigma: float, size: int) -> np.ndarray:
    return np.maximum(1, rng.lognormal(np.log(mean) - sigma * sigma / 2, sigma, size)).astype(np.int64)


def _tokens(rng: np.random.Generator, stream: int, deployment: np.ndarray, mean_input: float) -> dict[str, np.ndarray]:
    n = len(deployment)
    provider = np.array([0 if d.provider == "anthropic" else 1 if d.provider == "openai" else 2 for d in DEPLOYMENTS])[deployment]
    embedding = deployment == DEPLOYMENT_INDEX["gw-embed-3-small"]
    nova = deployment == DEPLOYMENT_INDEX["gw-bedrock-nova-lite"]
    batch = deployment == DEPLOYMENT_INDEX["gw-batch-sonnet-4-5"]
    total = _lognormal(rng, mean_input, 0.45, n)
    total = np.where(embedding, np.maximum(20, total // 6), total)
    long = batch & (rng.random(n) < 0.03)
    total = np.where(long, rng.integers(LONG_CONTEXT_FROM + 10_000, 380_000, n), np.minimum(total, 190_000))
    hit = (rng.random(n) < _CACHE_HIT[stream]) & ~embedding & ~nova & ~long
    share_read = rng.uniform(0.86, 0.95, n) if stream == CODING else rng.uniform(0.35, 0.75, n)
    read = np.where(hit, (total * share_read).astype(np.int64), 0)
    can_write = (provider != 1) & ~nova & ~long
    write_share = np.where(hit, 0.04, np.where(rng.random(n) < 0.35, 0.4, 0.0))
    write = np.where(can_write, (total * write_share).astype(np.int64), 0)
    hour = rng.random(n) < (0.15 if stream == CODING else 0.08)
    output = np.where(embedding, 0, _lognormal(rng, _OUTPUT[stream], 0.5, n))
    thinks = np.isin(deployment, [DEPLOYMENT_INDEX["gw-gpt-5"], DEPLOYMENT_INDEX["gw-gpt-5-mini"]])
    web = (rng.random(n) < 0.3).astype(np.int64) if stream == 2 else np.zeros(n, np.int64)
    return {
        "uncached": total - read - write,
        "cache_read": read,
        "write_5m": np.where(hour, 0, write),
        "write_1h": np.where(hour, write, 0),
        "output": output,
        "reasoning": np.where(thinks, output * 4 // 10, 0),
        "web": np.where(provider == 0, web, 0),
    }


def _product_actions(rng: np.random.Generator, day: dt.date, stream: int, count: int, plan: work.Work) -> dict[str, np.ndarray]:
    workflow = WORKFLOWS[stream]
    open_cases = [
        case
        for back in range(1, work.CASE_DAYS + 1)
        for case in plan.cases.get((stream, day - dt.timedelta(days=back)), [])
    ]
    case = np.array(open_cases, dtype=np.int64)[rng.integers(0, len(open_cases), count)]
    assignee = np.array([issue.assignee for issue in plan.issues], dtype=np.int64)[case]
    features = np.array([FEATURE_INDEX[f] for f in workflow.features])
    customer = case % len(CUSTOMERS) if stream in (0, 1) else np.full(count, -1)
    key = np.full(count, stream)
    odd = rng.random(count)
    if workflow.workflow == "everything-else":
        key = np.where(odd < 0.06, ORPHAN_KEY, np.where(odd < 0.16, SHARED_KEY, key))
    seconds = np.clip(rng.normal(13.5, 3.8, count), 0.1, 23.2) * 3600
    return {
        "issue": case,
        "branch_issue": np.full(count, -1),
        "person": assignee,
        "customer": customer,
        "feature": features[rng.integers(0, len(features), count)],
        "session": case * 4 + rng.integers(0, 2, count),
        "virtual_key": key,
        "stamp": rng.choice(4, count, p=_PRODUCT_STAMPS),
        "seconds": seconds,
    }


def _coding_actions(rng: np.random.Generator, day: dt.date, count: int, plan: work.Work) -> dict[str, np.ndarray]:
    person = np.array(_GATEWAY_USERS)[rng.integers(0, len(_GATEWAY_USERS), count)]
    pick = rng.random(count)
    issue = np.full(count, -1, dtype=np.int64)
    branch_issue = np.full(count, -1, dtype=np.int64)
    # Now and then the work is on one ticket and the checkout still on another's branch.
    stale = rng.random(count) < 0.04
    for who in _GATEWAY_USERS:
        tickets = plan.active.get((who, day), [])
        mine = person == who
        if tickets:
            weights = np.array([2.0 ** -n for n in range(len(tickets))])
            edges = np.cumsum(weights / weights.sum())
            issue[mine] = np.array(tickets)[np.minimum(np.searchsorted(edges, pick[mine]), len(tickets) - 1)]
            branch_issue[mine] = np.where(stale[mine], tickets[-1], issue[mine])
    stamp = rng.choice(4, count, p=_CODING_STAMPS)
    stamp = np.where((issue < 0) & (stamp < STAMP_USER), STAMP_USER, stamp)
    team = np.array([team_on(p, day) for p in range(len(PEOPLE))])[person]
    key = np.where(rng.random(count) < 0.03, SHARED_KEY, len(WORKFLOWS) + team)
    # A session is one ticket's, except where somebody keeps one open all day and switches work in it.
    mixed = (rng.random(count) < 0.12) | (issue < 0)
    return {
        "issue": issue,
        "branch_issue": branch_issue,
        "person": person,
        "customer": np.full(count, -1),
        "feature": np.full(count, FEATURE_INDEX["coding"]),
        "session": np.where(mixed, person * 4 + 3, issue * 4 + 2),
        "virtual_key": key,
        "stamp": stamp,
        "seconds": np.clip(rng.normal(13.3, 2.2, count), 8.6, 16.9) * 3600,
    }


def _stream(seed: int, day: dt.date, stream: int, scale: float, plan: work.Work) -> dict[str, np.ndarray]:
    rng = generator(seed, 21, day, stream)
    mean = demand.mean_calls(stream, day, scale) * rng.lognormal(0, 0.06)
    actions = int(rng.poisson(mean / _FAN_OUT[stream]))
    if actions == 0:
        return {c: np.zeros(0, np.int64) for c in COLUMNS}
    facts = _coding_actions(rng, day, actions, plan) if stream == CODING else _product_actions(rng, day, stream, actions, plan)
    calls = 1 + rng.poisson(_FAN_OUT[stream] - 1, actions)
    action = np.repeat(np.arange(actions), calls)
    step = np.arange(len(action)) - np.repeat(np.cumsum(calls) - calls, calls)
    frame = {name: values[action] for name, values in facts.items()}
    mix = _mix(stream, day >= calendar.MODEL_UPGRADE)
    names = np.array([DEPLOYMENT_INDEX[d] for d in mix])
    frame["deployment"] = names[rng.choice(len(names), len(action), p=np.array(list(mix.values())))]
    if stream == 3:
        index_feature = FEATURE_INDEX["search-index"]
        frame["feature"] = np.where(frame["deployment"] == DEPLOYMENT_INDEX["gw-embed-3-small"], index_feature, FEATURE_INDEX["answer"])
    mean_input = _CODING_INPUT if stream == CODING else WORKFLOWS[stream].input_tokens
    frame |= _tokens(rng, stream, frame["deployment"], mean_input)
    n = len(action)
    frame["start"] = ((frame.pop("seconds") + step * _GAP_SECONDS[stream]) * 1e6).astype(np.int64) + rng.integers(0, 1_000_000, n)
    frame |= {"action": action, "step": step, "stream": np.full(n, stream), "attempt": np.ones(n, np.int64),
              "incident": np.zeros(n, np.int64)}  # fmt: skip
    frame["latency"] = 300_000 + frame["output"] * 9_000 + rng.integers(0, 400_000, n)
    frame["status"] = np.zeros(n, np.int64)
    frame["gateway_hit"] = ((rng.random(n) < 0.02) & (stream == 3)).astype(np.int64)
    anthropic = np.array([d.provider == "anthropic" for d in DEPLOYMENTS])[frame["deployment"]]
    refused = anthropic & (rng.random(n) < 0.002)
    frame["status"][refused] = REFUSED
    for name in ("output", "web"):
        frame[name] = np.where(refused, 0, frame[name])
    return _with_retries(rng, day, frame)


def _with_retries(rng: np.random.Generator, day: dt.date, frame: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    n = len(frame["start"])
    storm = day == calendar.RETRY_STORM_DAY
    failures = np.where(rng.random(n) < (0.20 if storm else 0.012), 3 if storm else 1, 0)
    failures[(frame["gateway_hit"] == 1) | (frame["status"] == REFUSED)] = 0
    copies = failures + 1
    source = np.repeat(np.arange(n), copies)
    attempt = np.arange(len(source)) - np.repeat(np.cumsum(copies) - copies, copies) + 1
    failed = attempt < copies[source]
    frame = {name: values[source] for name, values in frame.items()}
    frame["attempt"] = attempt
    frame["start"] = frame["start"] + (attempt - 1) * 1_500_000
    frame["status"] = np.where(failed, FAILED, frame["status"])
    frame["latency"] = np.where(failed, 1_000_000, frame["latency"])
    frame["incident"] = np.where(failed & storm, 2, frame["incident"])
    for name in ("uncached", "cache_read", "write_5m", "write_1h", "output", "reasoning", "web"):
        frame[name] = np.where(failed, 0, frame[name])
    return frame


def _runaway(seed: int, day: dt.date, scale: float, plan: work.Work) -> dict[str, np.ndarray]:
    """The loop: one action of the sales research agent whose context grows with every turn of 40, again and again."""
    rng = generator(seed, 22, day)
    n = max(40, int(LOOP_CALLS * scale))
    turn = np.arange(n) % 40
    total = 6_000 + turn * 900 + rng.integers(0, 500, n)
    case = plan.cases[2, calendar.RUNAWAY_DAYS[0] - dt.timedelta(days=1)][0]
    zeros = np.zeros(n, np.int64)
    return {
        "start": (np.arange(n) * (20 * 3600 * 1_000_000 // n)) + 3 * 3600 * 1_000_000,
        "latency": np.full(n, 4_000_000), "stream": np.full(n, 2), "action": np.full(n, 10_000_000), "step": np.arange(n),
        "attempt": zeros + 1, "status": zeros, "gateway_hit": zeros, "deployment": np.full(n, DEPLOYMENT_INDEX["gw-opus-4-5"]),
        "issue": np.full(n, case), "branch_issue": zeros - 1, "stamp": zeros, "customer": zeros - 1, "feature": np.full(n, FEATURE_INDEX["account-brief"]),
        "person": np.full(n, plan.issues[case].assignee), "session": np.full(n, case * 4), "virtual_key": np.full(n, 2),
        "uncached": total // 2, "cache_read": total - total // 2, "write_5m": zeros, "write_1h": zeros,
        "output": rng.integers(300, 900, n), "reasoning": zeros, "web": zeros, "incident": zeros + 1,
    }  # fmt: skip


def of_day(seed: int, day: dt.date, scale: float, plan: work.Work) -> dict[str, np.ndarray]:
    """Every call of a day in the order of its start; integer columns COLUMNS and `cost` (1e-12 USD, truth).

    `start` is microseconds since 1970, `latency` microseconds; `customer`, `issue`, `person` are -1 when there is none.
    """
    parts = [_stream(seed, day, stream, scale, plan) for stream in range(CODING + 1)]
    if day in calendar.RUNAWAY_DAYS:
        parts.append(_runaway(seed, day, scale, plan))
    offsets = np.cumsum([0] + [int(p["action"].max(initial=-1)) + 1 for p in parts])
    for part, offset in zip(parts, offsets, strict=False):
        part["action"] = part["action"] + offset
    frame = {c: np.concatenate([p[c] for p in parts]).astype(np.int64) for c in COLUMNS}
    frame["start"] = np.minimum(frame["start"], 86_395 * 1_000_000) + work.day_start(day)
    order = np.lexsort((frame["attempt"], frame["step"], frame["action"], frame["start"]))
    frame = {c: v[order] for c, v in frame.items()}
    frame["cost"] = cost(day, frame)
    return frame


TOKEN_COLUMNS = ("uncached", "cache_read", "write_5m", "write_1h", "output")


def is_long(frame: dict[str, np.ndarray]) -> np.ndarray:
    """True for calls whose input is past the long-context step."""
    return frame["uncached"] + frame["cache_read"] + frame["write_5m"] + frame["write_1h"] > LONG_CONTEXT_FROM


def cost(day: dt.date, frame: dict[str, np.ndarray]) -> np.ndarray:
    """What each call is billed at, in 1e-12 USD; 0 for failed and refused calls and for the gateway's own cache."""
    table = np.zeros((len(DEPLOYMENTS), 2, len(METERS)), dtype=np.int64)
    for i, d in enumerate(DEPLOYMENTS):
        for long in (0, 1):
            table[i, long] = rates("aws" if d.provider == "bedrock" else d.provider, d.model, day, d.tier, bool(long))
    chosen = table[frame["deployment"], is_long(frame).astype(np.int64)]
    quantities = np.stack([frame["uncached"], frame["cache_read"], frame["write_5m"], frame["write_1h"], frame["output"], frame["web"]], axis=1)
    total = (chosen * quantities).sum(axis=1)
    return np.where((frame["status"] == OK) & (frame["gateway_hit"] == 0), total, 0)


def own_key_index(person: str) -> int:
    """Index in CREDENTIALS of the coding key that a person made for themselves."""
    return next(i for i, c in enumerate(CREDENTIALS) if c.name == f"claude-code-{person}")


OWN_KEYS = tuple((PERSON_INDEX[p], own_key_index(p)) for p in OWN_KEY_PEOPLE)


def aws_request_id(gateway_id: str) -> str:
    """The id that Bedrock gave a call of the gateway."""
    mark = token("bedrock-call", gateway_id, 32)
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-b{mark[17:20]}-{mark[20:]}"
