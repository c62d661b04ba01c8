"""No telemetry from any tool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.cli import QUIET


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name, value in QUIET.items():
        patch.setenv(name, value)
    yield
    patch.undo()
