"""A run as a process of its own that is killed, with all it started, at a chosen point of a chosen step."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from orchestration.cli import log_path
from tests.pipeline.conftest import Home

ROOT = Path(__file__).resolve().parents[2]
_RUN = (
    "import sys; from orchestration.settings import load_settings; from orchestration.cli import materialise;"
    "from orchestration.progress import Progress;"
    "materialise(load_settings(), Progress(lambda line: None), full=sys.argv[1] == 'full')"
)
_STEP = re.compile(r" - (\w+) - STEP_(START|SUCCESS|FAILURE) - ")


def draw(seconds: Mapping[str, float], generator: random.Random) -> tuple[str, float]:
    """A step, longer ones more often but each one sometimes, and the seconds into it."""
    steps = list(seconds)
    [step] = generator.choices(steps, [seconds[s] + 0.5 for s in steps])
    return step, generator.random() * seconds[step]


def killed(home: Home, step: str, delay: float, *, full: bool, patience: float = 300.0) -> str:
    """SIGKILL a run `delay` seconds after `step` started; gives the step it was in, or '' when it was over before."""
    log = log_path(home.settings())
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = log.stat().st_size if log.exists() else 0
    environment = {**os.environ, **home.environment, "AISL_HOME": str(home.path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _RUN, "full" if full else "due"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + patience
    try:
        while process.poll() is None and f" - {step} - STEP_START - " not in _written(log, begin):
            assert time.monotonic() < deadline, f"step {step} did not start"
            time.sleep(0.05)
        time.sleep(delay)
    finally:
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if not alive:
        return ""
    events = _STEP.findall(_written(log, begin))
    name, kind = events[-1] if events else ("start", "START")
    return name if kind == "START" else f"after {name}"


def _written(log: Path, begin: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
