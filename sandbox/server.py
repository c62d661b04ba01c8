"""The vendors as one HTTP server on loopback, with rate limits, hiccups and switches for tests."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sandbox import build, calendar, canaries, drop, s3
from sandbox.exports import EXPORTS
from sandbox.faults import Faults
from sandbox.vendors import VENDORS
from sandbox.vendors.base import Answer, Refusal, Request, World

# Deterministic hiccups, counted per vendor: the n-th request of each cycle.
_RATE_LIMITED = (211, 7)
_SERVER_ERROR = (401, 13)
_SLOW = (157, 5)
_BURST = 900  # requests a second and vendor before the limiter closes
RETRY_AFTER = "0.05"


class Sandbox:
    """One company being served: state folder, clock, faults, the S3 side and the request counts."""

    def __init__(self, state: Path, *, days: int = calendar.MAX_DAYS, seed: int = 1, scale: float = 1.0,
                 as_of: dt.datetime = calendar.AS_OF, faults: list[dict] | None = None, only: Collection[str] | None = None):  # fmt: skip
        self.state = state
        # Vendors and exports that the company has; None is all there are.
        self.vendors = {n: v for n, v in VENDORS.items() if only is None or n in only}
        self.exports = {n: e for n, e in EXPORTS.items() if only is None or n in only}
        self.initial = (as_of, list(faults or []))
        company = build.load(state, days, seed, scale)
        self.world = World(company, as_of, Faults(list(faults or [])))
        self.bucket = s3.Bucket()
        self.bills = (state / "drop" / "bills").resolve()
        self.invoices = drop.stored_invoices(company, build.folder_of(state, days, seed, scale), only)
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.recent: dict[str, deque[float]] = {v: deque(maxlen=_BURST) for v in VENDORS}
        self.storms: Counter[int] = Counter()
        self._deliver()

    def _deliver(self) -> None:
        self.bucket.deliver(self.world)
        drop.write(self.world, self.state, self.invoices)
        self.bills.mkdir(parents=True, exist_ok=True)
        for export in self.exports.values():
            export.deliver(self.world, self.bills, self.bucket)

    def change(self, *, clock: dt.datetime | None = None, faults: list[dict] | None = None) -> None:
        """Move the clock or replace the faults, and redeliver the files that depend on them."""
        self.world = World(
            self.world.company,
            clock or self.world.clock,
            self.world.faults if faults is None else Faults(faults),
        )
        self.storms.clear()
        self._deliver()

    def reset(self) -> None:
        """Clock and faults as at the start, counts at zero."""
        self.change(clock=self.initial[0], faults=list(self.initial[1]))
        self.counts.clear()
        self.seen.clear()

    def environment(self, port: int) -> dict[str, str]:
        """The AISL_* variables with which the pipeline finds this company."""
        found = {
            "AISL_AS_OF": calendar.iso(self.world.clock),
            "AISL_START_DATE": self.world.company.days[0].isoformat(),
            "AISL_AWS_ENDPOINT_URL": self.bucket.endpoint,
            "AISL_AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
            "AISL_AWS_SECRET_ACCESS_KEY": canaries.SECRET_AWS,
            "AISL_AWS_REGION": "us-east-1",
            "AISL_AWS_BUCKET": s3.BUCKET,
            "AISL_AWS_PREFIX": s3.PREFIX,
            "AISL_AWS_EXPORT": s3.EXPORT,
            "AISL_INVOICES_LOCATION": str((self.state / "drop" / "invoices").resolve()),
            "AISL_FILES_LOCATION": str(self.bills),
        }
        for name, vendor in self.vendors.items():
            found |= vendor.environment(f"http://127.0.0.1:{port}/{name}")
        for export in self.exports.values():
            if hasattr(export, "environment"):
                found |= export.environment(self.bills, self.bucket)
        return found

    def answer(self, vendor: str, request: Request) -> Answer:
        """The vendor's answer, hiccups and faults included."""
        with self.lock:
            self.counts[f"/{vendor}{request.path}"] += 1
            self.seen[vendor] += 1
            number = self.seen[vendor]
            now = time.monotonic()
            recent = self.recent[vendor]
            burst = len(recent) == _BURST and now - recent[0] < 1.0
            recent.append(now)
            storm = self.world.faults.find("storm_500", vendor, request.path)
            if storm is not None:
                self.storms[id(storm)] += 1
                if self.storms[id(storm)] > int(storm.get("count", 1 << 60)):
                    storm = None
        if storm is not None or number % _SERVER_ERROR[0] == _SERVER_ERROR[1]:
            headers = {"Retry-After": RETRY_AFTER} if storm is None else {}
            return Answer(503 if storm is None else 500, {"error": {"type": "api_error", "message": "Internal server error"}}, headers)
        if burst or number % _RATE_LIMITED[0] == _RATE_LIMITED[1]:
            headers = {"Retry-After": RETRY_AFTER, "X-RateLimit-Remaining": "0", "RateLimit-Reason": "jira-burst-based"}
            return Answer(429, {"error": {"type": "rate_limit_error", "message": "Too many requests"}}, headers)
        if number % _SLOW[0] == _SLOW[1]:
            time.sleep(0.15)
        world = self.world
        try:
            found = VENDORS[vendor].handle(world, request)
        except Refusal as refused:
            return refused.answer
        if world.faults.find("truncated_json", vendor, request.path):
            body = found.encoded()
            return Answer(found.status, body[: len(body) * 2 // 3], found.headers)
        return found

    def control(self, path: str, method: str, body: bytes) -> Answer:
        """`/_sandbox/...`: faults, clock, reset (POST) and requests (GET)."""
        if method == "GET" and path == "/_sandbox/requests":
            return Answer(200, dict(sorted(self.counts.items())))
        if method == "GET" and path == "/_sandbox/state":
            return Answer(200, {"as_of": calendar.iso(self.world.clock), "faults": self.world.faults.active})
        arguments: Any = msgspec.json.decode(body) if body else {}
        if method == "POST" and path == "/_sandbox/faults":
            faults = arguments.get("faults", [arguments] if "kind" in arguments else []) if isinstance(arguments, dict) else arguments
            self.change(faults=list(faults))
        elif method == "POST" and path == "/_sandbox/clock":
            self.change(clock=calendar.parse_instant(arguments["as_of"]))
        elif method == "POST" and path == "/_sandbox/reset":
            self.reset()
        else:
            return Answer(404, {"error": "unknown switch"})
        return Answer(200, {"as_of": calendar.iso(self.world.clock), "faults": self.world.faults.active})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sandbox = self.server.sandbox
        prefix, _, rest = parts.path.lstrip("/").partition("/")
        if prefix == "_sandbox":
            try:
                answer = sandbox.control(parts.path, method, body)
            except (ValueError, KeyError) as wrong:
                answer = Answer(400, {"error": str(wrong)})
        elif prefix in VENDORS:
            base = f"http://{self.headers.get('Host')}/{prefix}"
            headers = {k.lower(): v for k, v in self.headers.items()}
            query = parse_qs(parts.query, keep_blank_values=True)
            answer = sandbox.answer(prefix, Request(method, f"/{rest}", query, headers, body, base))
        else:
            answer = Answer(404, {"error": "no such vendor"})
        content = answer.encoded()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: counts are at `/_sandbox/requests`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, sandbox: Sandbox):
        self.sandbox = sandbox
        super().__init__(("127.0.0.1", port), _Handler)


@contextlib.contextmanager
def serving(state: Path, *, days: int = calendar.MAX_DAYS, seed: int = 1, scale: float = 1.0,
            as_of: dt.datetime = calendar.AS_OF, port: int = 0, faults: list[dict] | None = None,
            only: Collection[str] | None = None) -> Iterator[tuple[Sandbox, int]]:  # fmt: skip
    """Serve a company in threads of this process; yields the sandbox and the port."""
    sandbox = Sandbox(Path(state), days=days, seed=seed, scale=scale, as_of=as_of, faults=faults, only=only)
    server = _Server(port, sandbox)
    thread = threading.Thread(target=server.serve_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        yield sandbox, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        sandbox.bucket.close()


@contextlib.contextmanager
def running(state: Path | str, *, days: int = calendar.MAX_DAYS, seed: int = 1, scale: float = 1.0,
            as_of: dt.datetime = calendar.AS_OF, port: int = 0, faults: list[dict] | None = None) -> Iterator[dict[str, str]]:  # fmt: skip
    """Serve a company while the block runs; yields the AISL_* variables to find it. Leaves os.environ alone."""
    with serving(Path(state), days=days, seed=seed, scale=scale, as_of=as_of, port=port, faults=faults) as (sandbox, found):
        yield sandbox.environment(found)
