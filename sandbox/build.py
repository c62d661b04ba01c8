"""Makes the whole company, keeps it on disk under a digest of this code and the arguments, and loads it again.

`<state>/company-<digest>/` holds what the vendors serve, `<state>/truth/` what only tests may read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sandbox import calendar, outside, requests, work
from sandbox.company import (
    CODING,
    CREDENTIALS,
    CUSTOMERS,
    DEPLOYMENTS,
    FEATURES,
    PEOPLE,
    TEAM_INDEX,
    TEAMS,
    VIRTUAL_KEYS,
    WORKFLOW_NAMES,
    WORKFLOWS,
    team_on,
)

USAGE_TOKENS = ("uncached", "cache_read", "write_5m", "write_1h", "output", "web", "requests")


@dataclass(frozen=True)
class Company:
    """The generated company. `log` is one row per gateway request; `usage` one per day, credential, model and tier.

    In `usage` rows with `billed` false are refused requests: their tokens are reported, their cost is not charged.
    `credential` indexes CREDENTIALS, -1 is the gateway's AWS profile and -2 the data team's own Bedrock use.
    """

    seed: int
    scale: float
    days: list[dt.date]
    plan: work.Work
    log: pl.DataFrame
    usage: pl.DataFrame
    outside: pl.DataFrame

    @property
    def log_days(self) -> list[dt.date]:
        """The days of which the gateway still has its log."""
        return self.days[-calendar.LOG_DAYS :]


def _logged_usage(day: dt.date, frame: dict[str, np.ndarray]) -> pl.DataFrame:
    sent = (frame["status"] != requests.FAILED) & (frame["gateway_hit"] == 0)
    long = requests.is_long(frame)
    calls = pl.DataFrame(
        {
            "deployment": frame["deployment"][sent],
            "long": long[sent],
            "billed": frame["status"][sent] == requests.OK,
            **{c: frame[c][sent] for c in USAGE_TOKENS[:-1]},
        }
    )
    sums = calls.group_by("deployment", "long", "billed").agg(
        *(pl.col(c).sum() for c in USAGE_TOKENS[:-1]), pl.len().cast(pl.Int64).alias("requests")
    )
    facts = pl.DataFrame(
        {
            "deployment": list(range(len(DEPLOYMENTS))),
            "source": [d.source for d in DEPLOYMENTS],
            "credential": [d.credential for d in DEPLOYMENTS],
            "model": [d.model for d in DEPLOYMENTS],
            "tier": [d.tier for d in DEPLOYMENTS],
        },
        schema_overrides={"deployment": pl.Int64, "credential": pl.Int64},
    )
    return sums.join(facts, on="deployment").with_columns(pl.lit(day).alias("day"), pl.lit("logged").alias("kind"))


_USAGE_KEY = ("day", "source", "credential", "model", "tier", "long", "billed")


def _outside_frame(rows: list[dict[str, object]], day: dt.date) -> list[dict[str, object]]:
    for row in rows:
        credential = row["credential"]
        row["source"] = "aws" if credential < 0 else CREDENTIALS[credential].source
        row["day"] = day
        row["long"] = False
    return rows


_OUTSIDE_SCHEMA = {
    "day": pl.Date, "source": pl.String, "credential": pl.Int64, "model": pl.String, "tier": pl.String,
    "long": pl.Boolean, "billed": pl.Boolean, **dict.fromkeys(USAGE_TOKENS, pl.Int64),
    "issue": pl.Int64, "person": pl.Int64, "team": pl.Int64, "kind": pl.String,
}  # fmt: skip


def _texts(values: list[str | None], index: np.ndarray) -> pl.Series:
    """`values` at `index`; an index of -1 gives null."""
    lookup = pl.Series([*values, None], dtype=pl.String)
    return lookup.gather(np.where(index < 0, len(values), index))


def _log_frame(parts: list[dict[str, np.ndarray]], days: list[dt.date], plan: work.Work) -> pl.DataFrame:
    sizes = [len(p["start"]) for p in parts]
    frame = {c: np.concatenate([p[c] for p in parts]) for c in parts[0]}
    day_code = np.repeat(np.array([d.toordinal() for d in days]), sizes)
    ordinal = np.concatenate([np.arange(n) for n in sizes])
    issue, stamp, coding = frame["issue"], frame["stamp"], frame["stream"] == CODING
    with_ticket = stamp == requests.STAMP_TICKET
    with_session = stamp <= requests.STAMP_SESSION
    with_user = (stamp == requests.STAMP_USER) | (coding & with_session)
    end = frame["start"] + frame["latency"]
    key_team = [k.team_id for k in VIRTUAL_KEYS]
    embedding = np.array([d.model.startswith("text-embedding") for d in DEPLOYMENTS])[frame["deployment"]]
    truth_team = np.where(
        coding,
        np.array([[team_on(p, d) for p in range(len(PEOPLE))] for d in days])[np.repeat(np.arange(len(days)), sizes), frame["person"]],
        np.array([TEAM_INDEX[w.team] for w in WORKFLOWS] + [0])[frame["stream"]],
    )
    log = pl.DataFrame(
        {
            "day": pl.Series(day_code, dtype=pl.Int64),
            "ordinal": ordinal,
            **{c: frame[c] for c in ("start", "status", "gateway_hit", "deployment", "virtual_key", "attempt", "step", "stream")},
            "end": end,
            "first_token": np.where(frame["status"] == requests.FAILED, end, frame["start"] + np.minimum(frame["latency"], 600_000)),
            **{c: frame[c] for c in ("uncached", "cache_read", "write_5m", "write_1h", "output", "reasoning", "web", "cost", "incident")},
            "stamp": stamp,
            "action": frame["action"],
            "session": frame["session"],
            "is_embedding": embedding,
            # what the request shows
            "tag_ticket": _texts([i.key for i in plan.issues], np.where(with_ticket, issue, -1)),
            "tag_workflow": _texts(list(WORKFLOW_NAMES), np.where(with_ticket, frame["stream"], -1)),
            "tag_feature": _texts(list(FEATURES), np.where(with_ticket, frame["feature"], -1)),
            "end_user": _texts([c for c, _ in CUSTOMERS], np.where(stamp <= requests.STAMP_USER, frame["customer"], -1)),
            "user": _texts([p.litellm_user_id for p in PEOPLE], np.where(with_user, frame["person"], -1)),
            "team_id": _texts(key_team, frame["virtual_key"]),
            "branch": _texts([i.branch or None for i in plan.issues], np.where(with_session, frame["branch_issue"], -1)),
            "repo": _texts([f"acme/{TEAMS[i.team].repo}" for i in plan.issues], np.where(with_session, frame["branch_issue"], -1)),
            "has_session": with_session,
            # what is true
            "true_ticket": _texts([i.key for i in plan.issues], issue),
            "true_workflow": _texts(list(WORKFLOW_NAMES), frame["stream"]),
            "true_team": _texts([t.team for t in TEAMS], truth_team),
            "true_person": _texts([p.person_id for p in PEOPLE], frame["person"]),
            "true_customer": _texts([c for c, _ in CUSTOMERS], frame["customer"]),
            "true_feature": _texts(list(FEATURES), frame["feature"]),
        }
    )
    prefix = pl.Series(["chatcmpl-" if d.provider == "openai" else "msg_01" for d in DEPLOYMENTS]).gather(frame["deployment"])
    number = pl.col("ordinal").cast(pl.String).str.zfill(7)
    return log.with_columns(
        (pl.lit(prefix) + (pl.col("day") - 700_000).cast(pl.String) + number
         + pl.when(pl.col("gateway_hit") == 1).then(pl.lit("_cache_hit")).otherwise(pl.lit(""))).alias("request_id"),
        pl.format("ua-{}-{}", pl.col("day") - 700_000, "action").alias("user_action"),
        pl.when("has_session").then(pl.format("sess-{}-{}", pl.col("day") - 700_000, "session")).alias("session_id"),
    )  # fmt: skip


def generate(days: list[dt.date], seed: int, scale: float) -> Company:
    """Make the company; the same arguments give the same bytes on every machine."""
    plan = work.build(seed)
    usage, outside_rows, logged, logged_days = [], [], [], days[-calendar.LOG_DAYS :]
    for number, day in enumerate(days):
        frame = requests.of_day(seed, day, scale, plan)
        usage.append(_logged_usage(day, frame))
        outside_rows += _outside_frame(outside.of_day(seed, day, scale, plan, frame), day)
        if day >= logged_days[0]:
            logged.append(frame)
        if number % 60 == 59:
            print(f"sandbox: {number + 1} of {len(days)} days", file=sys.stderr, flush=True)
    beyond = pl.DataFrame(outside_rows, schema=_OUTSIDE_SCHEMA, orient="row")
    columns = [*_USAGE_KEY, "kind", *USAGE_TOKENS]
    total = (
        pl.concat([pl.concat(usage).select(columns), beyond.select(columns)])
        .group_by(_USAGE_KEY)
        .agg(*(pl.col(c).sum() for c in USAGE_TOKENS))
        .sort(_USAGE_KEY)
    )
    return Company(seed, scale, days, plan, _log_frame(logged, logged_days, plan), total, beyond)


def source_digest() -> str:
    """Digest of the generator's own source: a changed generator never reuses an old company."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def folder_of(state: Path, days: int, seed: int, scale: float) -> Path:
    """Where the company of these arguments is kept."""
    text = source_digest() + json.dumps([days, seed, scale])
    return state / f"company-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def load(state: Path, days: int, seed: int, scale: float) -> Company:
    """The company from `state`, generated first when it is not there yet. Writes the truth files too."""
    from sandbox import truth

    folder = folder_of(state, days, seed, scale)
    span = calendar.days_ending(days)
    if (folder / "done").exists():
        plan = work.build(seed)
        frames = [pl.read_parquet(folder / f"{name}.parquet") for name in ("log", "usage", "outside")]
        return Company(seed, scale, span, plan, *frames)
    company = generate(span, seed, scale)
    for old in state.glob("company-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True)
    for name in ("log", "usage", "outside"):
        getattr(company, name).write_parquet(folder / f"{name}.parquet", compression="zstd")
    truth.write(company, state / "truth")
    (folder / "done").touch()
    return company
