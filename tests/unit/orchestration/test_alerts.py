"""Alerts told over real loopback HTTP: once per change, retried, silent about the address, never in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest

from forecasting.schemas import MONTHLY_SCHEMAS
from ingestion.lake import Lake, LocalLake
from orchestration.alerts import due, tell
from orchestration.settings import SettingsError, load_settings

TODAY = date(2026, 10, 20)


class Hook:
    """A webhook that answers what it is told to, then 200, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.bodies.append(body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/very-secret-part"


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return LocalLake(tmp_path / "lake")


def alerts(*days: tuple[int, str, str]) -> pl.DataFrame:
    """Rows of one budget: (day of October, level open before, level open after)."""
    rows = [
        {
            "budget_id": "total-2026-10", "period_start": date(2026, 10, 1), "period_end": date(2026, 11, 1),
            "as_of": date(2026, 10, day), "level": after, "previous_level": before, "open_level": after,
            "is_change": before != after, "scope_type": "total", "scope": "", "budget": "28500", "mtd": "21000.5",
            "month_end": 31000.0, "p_breach": 0.9, "breach_date_p50": date(2026, 10, 27),
        }
        for day, before, after in days
    ]  # fmt: skip
    schema = MONTHLY_SCHEMAS["budget_alerts"]
    frame = pl.DataFrame(rows)
    return frame.select((pl.col(c) if c in frame.columns else pl.lit(None)).cast(t).alias(c) for c, t in schema.items())


def test_a_change_is_told_once_and_a_repetition_never(hook: Hook, lake: Lake) -> None:
    rows = alerts((18, "ok", "ok"), (19, "ok", "warn"), (20, "warn", "warn"))
    for _ in range(3):
        tell(rows, lake, hook.url, TODAY)
    assert [b["open_level"] for b in hook.bodies] == ["warn"]
    assert hook.bodies[0]["mtd"].startswith("21000.5") and hook.bodies[0]["breach_date_p50"] == "2026-10-27"
    tell(alerts((19, "ok", "warn"), (20, "warn", "critical")), lake, hook.url, TODAY)
    assert [b["open_level"] for b in hook.bodies] == ["warn", "critical"]


def test_a_server_that_stumbles_is_asked_again(hook: Hook, lake: Lake) -> None:
    hook.answers, waits = [503, 429], []
    done = tell(alerts((20, "ok", "watch")), lake, hook.url, TODAY, sleep=waits.append)
    assert (done.told, list(done.failed), len(hook.bodies), waits) == (1, [], 1, [2.0, 4.0])


def test_a_refusal_stops_nothing_names_no_address_and_is_due_again(hook: Hook, lake: Lake) -> None:
    hook.answers = [404]
    rows = alerts((20, "ok", "watch"))
    refused = tell(rows, lake, hook.url, TODAY, sleep=lambda _: None)
    assert refused.told == 0 and list(refused.failed) == ["total-2026-10: HTTP 404"]
    assert tell(rows, lake, hook.url, TODAY).told == 1


def test_nobody_listening_stops_nothing_and_names_no_address(
    hook: Hook, lake: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    hook.server.shutdown()
    hook.server.server_close()
    for url in (hook.url, "not an address with very-secret-part"):
        gone = tell(alerts((20, "ok", "watch")), lake, url, TODAY, sleep=lambda _: None)
        assert gone.told == 0 and len(gone.failed) == 1
        said = repr(gone) + caplog.text + "".join(capsys.readouterr())
        assert "very-secret-part" not in said and "127.0.0.1" not in said


def test_slack_gets_text_and_a_block(hook: Hook, lake: Lake) -> None:
    tell(alerts((20, "watch", "critical")), lake, hook.url, TODAY, style="slack")
    (body,) = hook.bodies
    assert set(body) == {"text", "blocks"} and "watch -> critical" in body["text"] and "90%" in body["text"]
    assert body["blocks"][0]["text"]["text"] == body["text"]


def test_old_changes_are_not_told_late_and_only_the_last_of_several() -> None:
    assert due(alerts((10, "ok", "warn")), [], TODAY) == []
    assert [r["open_level"] for r in due(alerts((19, "ok", "warn"), (20, "warn", "ok")), [], TODAY)] == ["ok"]


def test_the_address_is_a_secret_of_the_settings() -> None:
    settings = load_settings({"AISL_ALERT_WEBHOOK_URL": "https://hooks.example/very-secret-part"})
    assert "very-secret-part" not in repr(settings) and settings.alert_webhook_url in settings.secret_values
    with pytest.raises(SettingsError, match="AISL_ALERT_WEBHOOK_FORMAT"):
        load_settings({"AISL_ALERT_WEBHOOK_FORMAT": "teams"})
