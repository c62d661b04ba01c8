"""Ninety days from the slowest vendor, 20 requests a minute, on a clock that only waiting moves, killed on the way."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections import Counter, deque
from decimal import Decimal
from pathlib import Path

import pytest
from fake_vendor import Reply

from ingestion import manifest
from ingestion.lake import LocalLake

ROOT = Path(__file__).resolve().parents[3]
KEY = "cursor__usage_events"
FIRST, DAYS, EVENTS_A_DAY, PER_PAGE = dt.date(2026, 7, 22), 90, 130, 100
LIMIT = 20
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# The pipeline as a process of its own. Its client waits by telling the vendor to move the clock; the n-th wait kills it.
RUN = """
import os, signal, sys, urllib.request
from datetime import UTC, date, datetime, timedelta
from ingestion.connectors import make_client
from ingestion.lake import LocalLake
from ingestion.run import ingest
from ingestion.source import SourceConfig

url, folder, waits_left, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
config = SourceConfig("cursor", "main", url, {"API_KEY": "k"}, {"requests_per_minute": pace} if pace else {})
client = make_client(config)
clock = datetime(2026, 10, 20, 6, tzinfo=UTC)

def sleep(seconds):
    global clock, waits_left
    waits_left -= 1
    if waits_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    clock += timedelta(seconds=seconds)
    urllib.request.urlopen(f"{url}/clock?seconds={seconds}").read()

client.sleep, client.now, client.jitter = sleep, lambda: clock, lambda low, high: high
as_of = datetime(2026, 10, 20, 6, tzinfo=UTC)
report = ingest("cursor__usage_events", config, LocalLake(folder), start_date=date(2026, 7, 22), as_of=as_of,
                run_id="backfill", client=client)
print(report.windows, report.rows, report.requests, report.retries)
"""


class SlowVendor:
    """Refuses the 21st request within a minute of its own clock; a refused request counts too."""

    def __init__(self):
        self.seconds = 0.0
        self.recent = deque()
        self.refused = 0
        self.days_asked = []

    def wait(self, asked):
        self.seconds += float(asked.get("seconds"))
        return {}

    def events(self, asked):
        while self.recent and self.recent[0] <= self.seconds - 60:
            self.recent.popleft()
        self.recent.append(self.seconds)
        if len(self.recent) > LIMIT:
            self.refused += 1
            return Reply({"error": "Too Many Requests", "message": "rate limit"}, 429)
        first = EPOCH + dt.timedelta(milliseconds=asked.body["startDate"])
        count = (asked.body["endDate"] + 1 - asked.body["startDate"]) // 86_400_000
        every = [(first + dt.timedelta(days=d, minutes=n), d, n) for d in range(count) for n in range(EVENTS_A_DAY)]
        number, size = asked.body["page"], asked.body["pageSize"]
        if number == 1:
            self.days_asked += [(first + dt.timedelta(days=d)).date().isoformat() for d in range(count)]
        shown = [
            {"timestamp": str(int(at.timestamp()) * 1000), "userEmail": f"{n}@example.com", "isChargeable": True, "chargedCents": 0.25}
            for at, _, n in every[(number - 1) * size : number * size]
        ]
        pagination = {"currentPage": number, "hasNextPage": number * size < len(every)}
        return {"usageEvents": shown, "totalUsageEventsCount": len(every), "pagination": pagination}


@pytest.fixture
def slow(vendor):
    found = SlowVendor()
    vendor.routes |= {"/clock": found.wait, "/teams/filtered-usage-events": found.events}
    return found


def run(vendor, folder, kill_at=0, pace=""):
    """One run as a process; kill_at 0 lets it live."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", RUN, vendor.url, str(folder), str(kill_at), pace]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=False)


def landed(folder):
    return {d.window: d for d in manifest.current(manifest.read(LocalLake(folder), KEY))}


def pages(days):
    """Requests that this many days take, asked in ranges of seven."""
    return sum(-(-min(7, days - done) * EVENTS_A_DAY // PER_PAGE) for done in range(0, days, 7))


def whole(folder):
    """Every day once, with its rows and its exact total."""
    found = landed(folder)
    assert sorted(found) == [(FIRST + dt.timedelta(days=n)).isoformat() for n in range(DAYS)]
    assert {d.rows for d in found.values()} == {EVENTS_A_DAY}
    return sum(Decimal(d.control_total) for d in found.values()) == Decimal("0.25") * EVENTS_A_DAY * DAYS


def test_a_killed_backfill_goes_on_where_it_was_and_keeps_to_the_limit(vendor, slow, tmp_path):
    killed = run(vendor, tmp_path, kill_at=55)
    assert killed.returncode == -signal.SIGKILL
    finished = set(landed(tmp_path))
    asked_before = Counter(slow.days_asked)
    # 55 requests are five whole ranges of ten pages and half of a sixth
    assert len(finished) == 5 * 7 and len(asked_before) == 6 * 7

    slow.days_asked.clear()
    slow.recent.clear()
    seconds_before = slow.seconds
    rest = run(vendor, tmp_path)
    assert rest.returncode == 0, rest.stderr
    windows, rows, requests, retries = map(int, rest.stdout.split())
    assert not finished & set(slow.days_asked) and max(Counter(slow.days_asked).values()) == 1
    assert (windows, rows, requests, retries) == (55, 55 * EVENTS_A_DAY, pages(55), 0)
    assert whole(tmp_path)
    assert slow.refused == 0 and slow.seconds - seconds_before >= 3 * (requests - 1)

    slow.days_asked.clear()
    again = run(vendor, tmp_path)
    assert again.returncode == 0 and len(slow.days_asked) == 7, "only the restated days"


def test_a_run_without_pace_waits_the_refusals_out(vendor, slow, tmp_path):
    killed = run(vendor, tmp_path, kill_at=9, pace="1000000000")
    assert killed.returncode == -signal.SIGKILL and slow.refused > 0
    finished = set(landed(tmp_path))
    slow.days_asked.clear()
    rest = run(vendor, tmp_path, pace="1000000000")
    assert rest.returncode == 0, rest.stderr
    assert not finished & set(slow.days_asked) and whole(tmp_path)
