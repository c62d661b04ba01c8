"""A small real HTTP vendor on loopback, and clients that never wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fake_vendor import Asked, Vendor

from ingestion.client import Client
from ingestion.lake import LocalLake

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor: Vendor

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            lower = {k.lower(): v for k, v in self.headers.items()}
            query = parse_qsl(parts.query, keep_blank_values=True)
            reply = vendor.reply(Asked(self.command, parts.path, query, lower, body))
            content = reply.content()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if reply.cut is None else content[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor = Vendor(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield vendor
    server.shutdown()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    """Seconds the client would have slept."""
    return []


@pytest.fixture
def connect(vendor: Vendor, waits: list[float]) -> Iterator[Callable[..., Client]]:
    """Makes clients of the vendor with a clock that stands still and full jitter drawn at its upper end."""
    made: list[Client] = []

    def make(**options: Any) -> Client:
        client = Client(
            vendor.url, sleep=waits.append, now=lambda: NOW, jitter=lambda low, high: high, **options
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def lake(tmp_path: Any) -> LocalLake:
    return LocalLake(tmp_path / "lake")
