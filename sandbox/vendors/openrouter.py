"""OpenRouter: activity of complete UTC days, the same by key, keys, lifetime credits.

Money is kept in 1e-12 USD. A model called with the company's own key at its provider costs a fee here and the rest there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox import bills, canaries
from sandbox.build import Company
from sandbox.company import PERSON_INDEX, TEAMS, team_on, token
from sandbox.vendors.base import Answer, DayTruth, Refusal, Request, World, drawn, number, owned, spoil_records

SECRET = canaries.SECRET_OPENROUTER
ADOPTED = dt.date(2026, 9, 24)
DAYS_KEPT = 30
KEYS_PER_PAGE = 100
_FEE_PERCENT = 5
_NUMBERS = ("usage", "prompt_tokens", "total_usage")


@dataclass(frozen=True)
class _Model:
    """A model as routed. Prices are whole millionths of a dollar per million tokens."""

    name: str
    permaslug: str
    provider: str
    prompt: int
    cached: int
    completion: int
    is_own_key: bool = False


_SONNET = _Model("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "Anthropic", 3_000_000, 300_000, 15_000_000)
_DEEPSEEK = _Model("deepseek/deepseek-v3.2", "deepseek/deepseek-v3.2-20251201", "DeepInfra", 260_000, 130_000, 390_000)
_LLAMA = _Model("meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct", "Groq", 590_000, 590_000, 790_000)
_FREE = _Model("meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct", "Venice", 0, 0, 0)
_OWN = _Model("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "OpenAI", 250_000, 25_000, 2_000_000, True)


@dataclass(frozen=True)
class _Key:
    """An API key. A deleted one is in the account's activity and in no list."""

    name: str
    models: tuple[_Model, ...]
    team: str = ""
    workflow: str = ""
    person: str = ""
    is_deleted: bool = False

    @property
    def hash(self) -> str:
        """What the vendor calls the key."""
        return token("openrouter", self.name, 64)


_KEYS = (
    _Key("legal-evaluation", (_SONNET, _DEEPSEEK), "legal-ai", "contract-extraction"),
    _Key("prospecting", (_DEEPSEEK, _LLAMA), "revenue-ai", "sales-research-agent"),
    _Key("brand-drafts", (_OWN, _FREE), "brand-ai", "marketing-drafting"),
    _Key("data-notebooks", (_SONNET, _LLAMA, _OWN), "data"),
    _Key("p041-own", (_SONNET,), person="p041"),
    _Key("hackathon", (_DEEPSEEK,), is_deleted=True),
)
_WORKSPACE = "ws_01default"


def _error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": {"code": status, "message": message}})


def environment(base_url: str) -> dict[str, str]:
    """The variables with which the pipeline finds this vendor."""
    return {"AISL_OPENROUTER_BASE_URL": f"{base_url}/api/v1", "AISL_OPENROUTER_MANAGEMENT_KEY": SECRET}


def ownership() -> list[dict[str, str]]:
    """Who owns the listed keys."""
    return [owned("openrouter", "api_key", k.hash, k.team, k.workflow, k.person) for k in _KEYS if not k.is_deleted]


def truth(company: Company) -> Iterator[DayTruth]:
    """Cash by day and team; own-key inference as an estimate."""
    for day in company.days:
        sums: dict[str | None, tuple[int, int]] = {}
        for line in _lines(company, day):
            key = line["key"]
            team = TEAMS[team_on(PERSON_INDEX[key.person], day)].team if key.person else key.team or None
            usage, own = sums.get(team, (0, 0))
            sums[team] = (usage + line["usage"], own + line["own"])
        for team, (usage, own) in sums.items():
            yield DayTruth("openrouter", "default", day, "USD", bills.decimal_text(usage, 12), bills.decimal_text(own, 12), team, "OpenRouter")


def handle(world: World, request: Request) -> Answer:
    """Answer a request below `/api/v1`."""
    if request.header("authorization") != f"Bearer {SECRET}":
        raise _error(401, "Missing or invalid management key")
    if request.path == "/api/v1/activity":
        return Answer(200, {"data": _activity(world, request)})
    if request.path == "/api/v1/keys":
        return Answer(200, {"data": _listed(world, request)})
    if request.path == "/api/v1/credits":
        return Answer(200, {"data": _credits(world, request)})
    raise _error(404, "Not Found")


def _lines(company: Company, day: dt.date) -> list[dict[str, Any]]:
    """What each key used of each model on a day; nothing before the adoption."""
    if day < ADOPTED:
        return []
    lines = []
    for key in _KEYS:
        for model in key.models:
            name = f"openrouter:{day}:{key.name}:{model.name}"
            requests = drawn(company, name, 12, 60) // (1 if day.weekday() < 5 else 6)
            prompt = requests * drawn(company, f"{name}:prompt", 1_500, 9_000)
            cached = 0 if model is _LLAMA else prompt * drawn(company, f"{name}:cached", 0, 70) // 100
            completion = requests * drawn(company, f"{name}:completion", 150, 900)
            cost = (prompt - cached) * model.prompt + cached * model.cached + completion * model.completion
            lines.append({
                "key": key, "model": model, "requests": requests, "prompt": prompt, "cached": cached, "completion": completion,
                "usage": cost * _FEE_PERCENT // 100 if model.is_own_key else cost, "own": cost if model.is_own_key else 0,
            })  # fmt: skip
    return lines


def _shown(world: World, day: dt.date) -> list[dict[str, Any]]:
    """The lines of a day as they stand now."""
    permille = world.faults.restatement("openrouter", day)
    lines = _lines(world.company, day) if day in world.company.days else []
    return [
        line | {k: line[k] * permille // 1000 for k in ("prompt", "cached", "completion", "usage", "own")} for line in lines
    ]


def _activity(world: World, request: Request) -> list[dict[str, Any]]:
    today = world.clock.date()
    complete = [today - dt.timedelta(days=n) for n in range(DAYS_KEPT, 0, -1)]
    if wanted := request.one("date"):
        try:
            day = dt.date.fromisoformat(wanted)
        except ValueError as wrong:
            raise _error(400, "date must be YYYY-MM-DD") from wrong
        if day not in complete:
            raise _error(400, "date must be within the last 30 completed UTC days")
        complete = [day]
    key_hash = request.one("api_key_hash")
    faults = world.faults
    cents = 100 if faults.find("wrong_unit", "openrouter", request.path) else 1
    above = faults.find("cached_double_count", "openrouter", request.path)
    rows = []
    for day in complete:
        sums: dict[_Model, dict[str, int]] = {}
        for line in _shown(world, day):
            if key_hash in ("", line["key"].hash):
                total = sums.setdefault(line["model"], dict.fromkeys(("usage", "own", "requests", "prompt", "cached", "completion"), 0))
                for measure in total:
                    total[measure] += line[measure]
        rows += [
            {
                "date": f"{day.isoformat()} 00:00:00", "model": model.name, "model_permaslug": model.permaslug,
                "endpoint_id": token("openrouter-endpoint", model.name, 32), "provider_name": model.provider,
                "usage": number(bills.decimal_text(total["usage"] * cents, 12)),
                "byok_usage_inference": number(bills.decimal_text(total["own"] * cents, 12)), "requests": total["requests"],
                "prompt_tokens": total["prompt"], "completion_tokens": total["completion"],
                "reasoning_tokens": total["completion"] // 4, "cached_tokens": total["prompt"] + 1 if above else total["cached"],
            }
            for model, total in sorted(sums.items(), key=lambda item: item[0].name)
        ]  # fmt: skip
    if faults.find("doubled_page", "openrouter", request.path):
        rows += rows
    if faults.find("missing_page", "openrouter", request.path) and not key_hash:
        rows = rows[: len(rows) // 2]
    return spoil_records(faults, "openrouter", request.path, rows, _NUMBERS)


def _listed(world: World, request: Request) -> list[dict[str, Any]]:
    start = int(request.one("offset", "0"))
    keys = [
        {
            "hash": k.hash, "name": k.name, "label": canaries.REDACTED_KEY, "disabled": False, "limit": None, "usage": 0,
            "workspace_id": _WORKSPACE, "created_at": "2026-09-23T09:00:00.000Z", "updated_at": None,
        }
        for k in _KEYS
        if not k.is_deleted
    ]  # fmt: skip
    return spoil_records(world.faults, "openrouter", request.path, keys[start : start + KEYS_PER_PAGE], ())


def _credits(world: World, request: Request) -> dict[str, Any]:
    today = world.clock.date()
    used = sum(line["usage"] for day in world.company.days if day < today for line in _shown(world, day))
    credits = {"total_credits": 2_000, "total_usage": number(bills.decimal_text(used, 12))}
    return spoil_records(world.faults, "openrouter", request.path, [credits], _NUMBERS)[0]
