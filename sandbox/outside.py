"""Traffic that the gateway never saw: own keys, team keys, an orphan, the console, and calls that went round the log."""

from __future__ import annotations

import datetime as dt

import numpy as np

from sandbox import calendar, work
from sandbox.company import CREDENTIAL_INDEX, CREDENTIALS, DEPLOYMENTS, TEAM_INDEX
from sandbox.requests import OWN_KEYS, REFUSED, generator

# credential, models before and after the upgrade, calls a weekday, (uncached, read, write 5 m, output) tokens a call
_TEAM_KEYS = (
    ("anthropic", "support-evals", "claude-sonnet-4-5", "claude-sonnet-5", 60, (6_000, 800, 200, 350)),
    ("anthropic", "data-shared-notebooks", "claude-haiku-4-5", "claude-haiku-4-5", 90, (4_000, 0, 0, 500)),
    ("anthropic", "data-shared-notebooks", "claude-sonnet-4-5", "claude-sonnet-5", 25, (9_000, 1_000, 500, 900)),
    ("anthropic", "legacy-7", "claude-haiku-4-5", "claude-haiku-4-5", 120, (2_500, 0, 0, 300)),
    ("anthropic", "pilot-2025", "claude-sonnet-4-5", "", 80, (5_000, 0, 0, 700)),
    ("anthropic", "console-p011", "claude-opus-4-5", "claude-opus-4-5", 6, (3_000, 0, 0, 900)),
    ("anthropic", "console-p047", "claude-sonnet-4-5", "claude-sonnet-5", 8, (3_000, 0, 0, 900)),
    ("anthropic", "console-p055", "claude-opus-4-5", "claude-opus-4-5", 4, (3_000, 0, 0, 900)),
    ("openai", "brand-direct", "gpt-5", "gpt-5", 70, (2_200, 300, 0, 1_300)),
    ("openai", "data-embeddings", "text-embedding-3-small", "text-embedding-3-small", 900, (900, 0, 0, 0)),
    ("openai", "playground", "gpt-5-mini", "gpt-5-mini", 15, (1_500, 0, 0, 500)),
    ("openai", "pilot-2025", "gpt-5-mini", "", 60, (1_500, 0, 0, 600)),
)  # fmt: skip
_BEDROCK_DIRECT = (("amazon.nova-lite-v1:0", 6_000), ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 2_500))
_PILOT_END = dt.date(2026, 1, 31)
OWN_KEY_CALLS = 95
BEDROCK_DIRECT = -2  # credential of the data team's direct Bedrock use


def _row(credential: int, model: str, rng: np.random.Generator, calls: int, mean: tuple[float, ...], *, tier: str = "standard",
         issue: int = -1, person: int = -1, team: int = -1, web: int = 0, billed: bool = True) -> dict[str, object]:  # fmt: skip
    uncached, read, write, output = (int(calls * m * float(rng.uniform(0.9, 1.1))) for m in mean)
    return {
        "credential": credential, "tier": tier, "model": model, "issue": issue, "person": person, "team": team,
        "requests": calls, "uncached": uncached, "cache_read": read, "write_5m": write, "write_1h": 0, "output": output,
        "web": web, "billed": billed, "kind": "outside",
    }  # fmt: skip


def _own_keys(seed: int, day: dt.date, scale: float, plan: work.Work, coder: str) -> list[dict[str, object]]:
    rng = generator(seed, 31, day)
    rows = []
    busy = 1.0 if day.weekday() < 5 else 0.06
    growth = float(np.exp(0.7 * (day - calendar.LAST_DAY).days / 365))
    for person, credential in OWN_KEYS:
        calls = int(rng.poisson(OWN_KEY_CALLS * scale * busy * growth))
        tickets = plan.active.get((person, day), [])
        weights = np.array([2.0 ** -n for n in range(max(1, len(tickets)))])
        parts = rng.multinomial(calls, weights / weights.sum())
        for position, part in enumerate(parts):
            if part:
                issue = tickets[position] if tickets else -1
                rows.append(_row(credential, coder, rng, int(part), (2_000, 38_000, 2_200, 640), issue=issue, person=person))
        if rng.random() < 0.1 * busy:
            rows.append(_row(credential, "claude-opus-4-5", rng, max(1, calls // 8), (2_500, 40_000, 2_500, 900), person=person))
    return rows


def _bypass(seed: int, day: dt.date, logged: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """A few percent of each deployment's calls that a misconfigured client sent with the gateway's key."""
    rng = generator(seed, 32, day)
    rows = []
    counts = np.bincount(logged["deployment"], minlength=len(DEPLOYMENTS))
    sums = [np.bincount(logged["deployment"], weights=logged[c], minlength=len(DEPLOYMENTS)) for c in ("uncached", "cache_read", "write_5m", "output")]
    for index, deployment in enumerate(DEPLOYMENTS):
        share = float(rng.uniform(0.015, 0.045))
        calls = int(counts[index] * share)
        if calls and deployment.provider != "bedrock":
            mean = tuple(float(s[index]) / counts[index] for s in sums)
            team = TEAM_INDEX[CREDENTIALS[deployment.credential].team]
            rows.append(_row(deployment.credential, deployment.model, rng, calls, mean, tier=deployment.tier, team=team) | {"kind": "bypass"})
    return rows


def of_day(seed: int, day: dt.date, scale: float, plan: work.Work, logged: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """Rows of traffic outside the log on a day, one per credential, model and (known only here) ticket."""
    rng = generator(seed, 33, day)
    upgraded = day >= calendar.MODEL_UPGRADE
    rows = _own_keys(seed, day, scale, plan, "claude-sonnet-5" if upgraded else "claude-sonnet-4-5")
    busy = 1.0 if day.weekday() < 5 else 0.3
    for source, name, before, after, calls_a_day, mean in _TEAM_KEYS:
        if name == "pilot-2025" and day > _PILOT_END:
            continue
        calls = int(rng.poisson(calls_a_day * scale * busy))
        index = CREDENTIAL_INDEX[source, name]
        owner = CREDENTIALS[index]
        team = TEAM_INDEX.get(owner.team, -1)
        person = int(owner.person[1:]) - 1 if owner.person else -1
        if calls:
            rows.append(_row(index, after if upgraded else before, rng, calls, mean, team=team, person=person))
    for model, calls_a_day in _BEDROCK_DIRECT:
        calls = int(rng.poisson(calls_a_day * scale * busy))
        if calls:
            rows.append(_row(BEDROCK_DIRECT, model, rng, calls, (4_000, 0, 0, 600), team=TEAM_INDEX["data"]))
    refused = int((logged["status"] == REFUSED).sum())
    if refused and rng.random() < 0.2:
        key = CREDENTIAL_INDEX["anthropic", "support-evals"]
        rows.append(_row(key, "claude-haiku-4-5", rng, 1, (3_000, 0, 0, 0), team=TEAM_INDEX["support-ai"], billed=False))
    return rows + _bypass(seed, day, logged)
