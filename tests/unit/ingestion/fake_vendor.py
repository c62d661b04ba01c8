"""What a vendor on loopback is asked and answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """One request as the vendor saw it."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any

    def get(self, name: str) -> str | None:
        return dict(self.params).get(name)

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.params if k == name]


@dataclass
class Reply:
    """What the vendor answers. `cut`: close the connection after that many bytes of the promised body."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Vendor:
    """The vendor: `routes` by path give a reply, a list of replies (one per request), or a function of the request."""

    url: str
    routes: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def reply(self, request: Asked) -> Reply:
        self.asked.append(request)
        found = self.routes.get(request.path)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(request)
        if found is None:
            return Reply({"error": {"type": "not_found_error"}}, 404)
        return found if isinstance(found, Reply) else Reply(found)
