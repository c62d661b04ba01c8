"""Thirty runs killed at seeded random points: readers never see half a run, and a rerun gives an undisturbed run's marts.

`AISL_SOAK_KILLS` and `AISL_SOAK_SEED` change how many and which. Run with `-s` to read where each kill hit.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, built, content, home, quiet, served, vendors  # noqa: F401
from tests.pipeline.kills import draw, killed

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]
KILLS = int(os.environ.get("AISL_SOAK_KILLS", "30"))
SEED = int(os.environ.get("AISL_SOAK_SEED", "1"))


def test_thirty_kills(built: Home, home: Home, vendors: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    """A third each: first runs of an empty home, full rebuilds, and runs that bring a restated day."""
    generator = random.Random(SEED)
    clean = content(built)
    day = home.settings().last_complete_day
    restated = [{"kind": "restated_day", "vendor": "anthropic", "day": day.isoformat()}]
    fresh = Home(tmp_path / "fresh", dict(built.environment))
    hit: Counter[str] = Counter()

    def campaign(name: str, at: Home, allowed: list[dict], *, full: bool, count: int) -> None:
        done = 0
        while done < count:
            step, delay = draw(built.steps, generator)
            where = killed(at, step, delay, full=full)
            print(f"{name} {done + 1}/{count}: {where or 'over before the kill'}", flush=True)
            if (at.path / "published/current").exists():
                assert content(at) in allowed, f"killed in {where}: readers see half a run"
            if where:
                done += 1
                hit[where] += 1

    third = max(KILLS // 3, 1)
    campaign("empty home", fresh, [clean], full=False, count=third)
    assert fresh.run(), (fresh.failed, fresh.failures)
    assert content(fresh) == clean
    campaign("full rebuild", home, [clean], full=True, count=third)
    assert home.run(), (home.failed, home.failures)
    assert content(home) == clean

    vendors.change(faults=restated)
    undisturbed = built.copy(tmp_path / "undisturbed")
    assert undisturbed.run(), (undisturbed.failed, undisturbed.failures)
    changed = content(undisturbed)
    assert changed != clean
    campaign("restated day", home, [clean, changed], full=False, count=max(KILLS - 2 * third, 1))
    assert home.run(), (home.failed, home.failures)
    assert content(home) == changed
    vendors.change(faults=[])
    assert home.run(), (home.failed, home.failures)
    assert content(home) == clean
    print(dict(hit.most_common()))
