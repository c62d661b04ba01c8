"""Telling people of budget alerts: one message per change of state to one webhook, retried, never in the way of a run.

The address is a secret (chat webhooks carry their key in it): it is in no message, log or metadata.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from ingestion.lake import Lake

TOLD_KEY = "derived/alerts/told.json"
ATTEMPTS = 3
SECONDS = 10.0
# A change older than this was overtaken by what came after; telling it now would only confuse.
FRESH_DAYS = 3
JSON, SLACK = "json", "slack"


@dataclass(frozen=True)
class Telling:
    """What one run did: messages told, and why others were not (in words without the address)."""

    told: int
    failed: Sequence[str]


def payload(row: Mapping[str, Any], style: str, currency: str = "USD") -> dict[str, Any]:
    """One change of an alert as the body of a message: flat JSON, or Slack's `text` with one block."""
    scope = row["scope"] or row["scope_type"]
    month_end = "not known" if row["month_end"] is None else f"{row['month_end']:,.0f} {currency}"
    chance = "not measured" if row["p_breach"] is None else f"{row['p_breach']:.0%}"
    text = (
        f"Budget {row['budget_id']} ({scope}): {row['previous_level']} -> {row['open_level']}. Spent {row['mtd']:,.0f} of"
        f" {row['budget']:,.0f} {currency}, period end expected at {month_end}, chance of breach {chance}."
    )
    if style == SLACK:
        return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
    keys = ("budget_id", "scope_type", "scope", "period_start", "period_end", "as_of", "open_level", "previous_level",
            "budget", "mtd", "month_end", "p_breach", "breach_date_p50")  # fmt: skip
    return {"event": "budget_alert", "text": text} | {k: _plain(row[k]) for k in keys}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, float, int, bool)) else str(value)


def due(alerts: pl.DataFrame, told: Sequence[str], today: date) -> list[dict[str, Any]]:
    """Changes of state of the last days that nobody was told of, oldest first; the last one of each budget and period."""
    fresh = alerts.filter(pl.col("is_change") & (pl.col("as_of") > today - timedelta(days=FRESH_DAYS)))
    newest = fresh.sort("as_of").unique(subset=["budget_id", "period_start"], keep="last", maintain_order=True)
    return [row for row in newest.iter_rows(named=True) if key(row) not in told]


def key(row: Mapping[str, Any]) -> str:
    """Identity of a change: budget, period, day and the level it came to."""
    return f"{row['budget_id']}|{row['period_start']}|{row['as_of']}|{row['open_level']}"


def tell(
    alerts: pl.DataFrame,
    lake: Lake,
    url: str,
    today: date,
    *,
    style: str = JSON,
    currency: str = "USD",
    sleep: Callable[[float], None] = time.sleep,
) -> Telling:
    """Post every change that is due and remember it once it was taken; never raises for a message that was not.

    5xx, 429 and a lost connection are tried three times, another status once. What was not taken is due again next time.
    """
    import httpx2

    found = lake.read(TOLD_KEY)
    told: list[str] = json.loads(found) if found is not None else []
    done, failed = 0, []
    with httpx2.Client(timeout=SECONDS, follow_redirects=False) as client:
        for row in due(alerts, told, today):
            reason = ""
            for attempt in range(ATTEMPTS):
                if attempt:
                    sleep(2.0**attempt)
                try:
                    answer = client.post(url, json=payload(row, style, currency))
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    # The error's own words may hold the address.
                    reason = type(error).__name__
                    continue
                if 200 <= answer.status_code < 300:
                    reason = ""
                    break
                reason = f"HTTP {answer.status_code}"
                if answer.status_code < 500 and answer.status_code != 429:
                    break
            if reason:
                failed.append(f"{row['budget_id']}: {reason}")
                continue
            done += 1
            told.append(key(row))
            lake.write(TOLD_KEY, json.dumps(told).encode())
    return Telling(done, failed)
