"""docs/add-a-source.md followed literally: its blocks, as files in a copy of the project, bring the made-up vendor's bill into FOCUS."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/add-a-source.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"`([\w./]+)`\n\n```\w+\n(.*?)```\n", re.DOTALL)
LIST = "dbt_project/dbt_project.yml"
KEY = "a-key-of-nobody"

# What the vendor bills: project, model and cents of each day. Fractions of a cent are real.
BILL = {
    "2026-10-01": [("search", "papaya-large", "1234.5"), ("search", "papaya-small", "0.0421")],
    "2026-10-02": [],
    "2026-10-03": [("chat", "papaya-large", "99999999.999999999999"), ("search", "papaya-large", "-12")],
}

# What a person does next: ask for the source's data, then build the FOCUS stage with its tests.
FOLLOW = """
from datetime import date
from orchestration import dbt_build, warehouse
from orchestration.resources import lake_of
from orchestration.settings import load_settings
from ingestion.run import ingest

settings = load_settings()
lake = lake_of(settings)
(account,) = [a for a in settings.accounts if a.source == "papaya" and a.is_on()]
ingest("papaya__costs", account, lake, start_date=date(2026, 10, 1), as_of=settings.as_of, run_id="guide")
columns = dbt_build.contract_columns(dbt_build.manifest(settings), "focus_cost_and_usage")
warehouse.prepare(settings, lake, frozen_columns=columns, fingerprint="guide", run_id="guide", full=True)
failed = dbt_build.explain(dbt_build.build(settings, "focus", full_refresh=True))
assert not failed, failed
with warehouse.session(settings, read_only=True) as connection:
    rows = connection.execute(
        "select charge_date::text, x_WorkspaceId, x_ModelId, BilledCost::text, BillingCurrency, x_SpendSource"
        " from focus.focus_cost_and_usage where x_SourceId = 'papaya' order by 1, 2, 3"
    ).fetchall()
print(*("|".join(row) for row in rows), sep="\\n")
"""


@pytest.fixture
def vendor() -> Iterator[str]:
    """Papaya on loopback, two days a page."""

    class Papaya(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            day, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
            wanted = []
            while day < end:
                wanted.append(day)
                day += timedelta(days=1)
            at = int(asked.get("page", "0"))
            body = {
                "data": [self.bucket(d) for d in wanted[at : at + 2]],
                "has_more": at + 2 < len(wanted),
                "next_page": str(at + 2),
            }
            is_known = self.headers["Authorization"] == f"Bearer {KEY}" and urlsplit(self.path).path == "/v1/costs"
            # Amounts are JSON numbers, digit for digit.
            content = re.sub(r'"cents:([^"]*)"', r"\1", json.dumps(body)).encode()
            self.send_response(200 if is_known else 401)
            self.end_headers()
            self.wfile.write(content if is_known else b"{}")

        def bucket(self, day: datetime) -> dict[str, Any]:
            results = [
                {"project": p, "model": m, "amount_cents": f"cents:{c}", "currency": "USD"}
                for p, m, c in BILL.get(f"{day:%Y-%m-%d}", ())
            ]
            return {"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat(), "results": results}

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Papaya)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_guide_s_own_blocks_bring_a_new_vendor_s_bill_into_focus(vendor: str, tmp_path: Path) -> None:
    house = tmp_path / "house"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (house / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, house / name)

    files, lines = 0, 0
    for name, text in BLOCK.findall(GUIDE):
        path = house / name
        if name == LIST:
            before = path.read_text(encoding="utf-8")
            assert before.count("\n  charge_models:\n") == 1
            path.write_text(before.replace("\n  charge_models:\n", f"\n  charge_models:\n{text}"), encoding="utf-8")
        else:
            assert not path.exists(), f"{name} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        files, lines = files + 1, lines + len(text.splitlines())
    print(f"\na new vendor: {files} files, {lines} lines, of which in existing files: 1 line")
    assert (files, lines <= 160) == (5, True), (files, lines)

    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(house), "AISL_HOME": str(tmp_path / "home"),
        "AISL_AS_OF": "2026-10-04T06:00:00Z", "AISL_START_DATE": "2026-10-01", "AISL_PAPAYA_API_KEY": KEY,
        "AISL_PAPAYA_BASE_URL": vendor, "DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FOLLOW], cwd=house, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    booked = [line.split("|") for line in done.stdout.splitlines()]
    assert {(d, p, m, Decimal(c), unit, kind) for d, p, m, c, unit, kind in booked} == {
        (day, project, model, Decimal(cents) / 100, "USD", "direct_model_api")
        for day, lines_of_day in BILL.items()
        for project, model, cents in lines_of_day
    }
    assert len(booked) == sum(map(len, BILL.values()))
