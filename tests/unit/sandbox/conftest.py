"""A ten-day company and a sixty-day company, small, served once for all tests of the sandbox."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import build, calendar
from sandbox.server import Sandbox, serving

SCALE = 0.1


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """A patient client: it repeats refused and failed requests, as any client of these vendors must."""

    env: dict[str, str]
    root: str
    refusals: int = 0

    def once(self, url: str, headers: dict[str, str], body: bytes | None = None) -> Reply:
        request = urllib.request.Request(url, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request) as found:
                return Reply(found.status, dict(found.headers), found.read().decode())
        except urllib.error.HTTPError as refused:
            return Reply(refused.code, dict(refused.headers), refused.read().decode())

    def send(self, url: str, headers: dict[str, str], body: bytes | None = None) -> Reply:
        for _ in range(8):
            found = self.once(url, headers, body)
            if found.status not in (429, 500, 503):
                return found
            self.refusals += 1
        raise AssertionError(f"{url} never answered")

    def anthropic(self, path: str, **query: Any) -> Any:
        headers = {"x-api-key": self.env["AISL_ANTHROPIC_ADMIN_KEY"], "anthropic-version": "2023-06-01"}
        return self.get(f"{self.env['AISL_ANTHROPIC_BASE_URL']}/v1/organizations/{path}", headers, query).json

    def openai(self, path: str, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {self.env['AISL_OPENAI_ADMIN_KEY']}"}
        return self.get(f"{self.env['AISL_OPENAI_BASE_URL']}/organization/{path}", headers, query).json

    def litellm(self, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {self.env['AISL_LITELLM_MASTER_KEY']}"}
        return self.get(f"{self.env['AISL_LITELLM_BASE_URL']}/spend/logs/v2", headers, query).json

    def github(self, path: str, **query: Any) -> Reply:
        headers = {"authorization": f"Bearer {self.env['AISL_GITHUB_TOKEN']}"}
        url = path if path.startswith("http") else f"{self.env['AISL_GITHUB_BASE_URL']}/{path}"
        return self.get(url, headers, query)

    def jira(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> Reply:
        import base64

        pair = f"{self.env['AISL_JIRA_EMAIL']}:{self.env['AISL_JIRA_API_TOKEN']}"
        headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "content-type": "application/json"}
        url = f"{self.env['AISL_JIRA_BASE_URL']}/rest/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query, doseq=True)
        return self.send(url, headers, None if body is None else json.dumps(body).encode())

    def get(self, url: str, headers: dict[str, str], query: dict[str, Any]) -> Reply:
        pairs = {k.replace("group_by", "group_by[]"): v for k, v in query.items()}
        return self.send(url + ("?" + urllib.parse.urlencode(pairs, doseq=True) if pairs else ""), headers)

    def switch(self, name: str, body: Any = None) -> Any:
        if name == "requests":
            return self.once(f"{self.root}/_sandbox/requests", {}).json
        return self.once(f"{self.root}/_sandbox/{name}", {}, json.dumps(body or {}).encode()).json


@pytest.fixture(scope="session")
def company() -> build.Company:
    return build.generate(calendar.days_ending(10), 1, SCALE)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, int]]:
    with serving(tmp_path_factory.mktemp("sandbox"), days=60, scale=SCALE) as found:
        yield found


@pytest.fixture
def client(served: tuple[Sandbox, int]) -> Iterator[Client]:
    sandbox, port = served
    yield Client(sandbox.environment(port), f"http://127.0.0.1:{port}")
    sandbox.reset()
