"""Where the time of a first full run and of the next day's run goes, at 120 and 420 days of history.

`python -m benchmarks.daily [--days 120 420] [--keep FOLDER]`. Every measured run is a process of its own; the sandbox is
another one and its start is not counted. "SQL and I/O" is what data costs: landing (the vendors' answers, read and written to
the lake) and what lies behind the lake: preparation, the models and tests of dbt's stages as dbt timed them, the gates'
queries, freezing and publishing. What lies behind the lake is summed by itself too. What dbt, Dagster and Great Expectations
spend on themselves beside a node is a row of its own and does not depend on the data.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from orchestration.cli import QUIET, materialise, sandbox
from orchestration.progress import Progress
from orchestration.settings import load_settings

BEHIND_THE_LAKE = (
    "preparation", "SQL of focus", "SQL of ledger", "SQL of marts", "SQL of decisions", "SQL of gates", "freezing", "publishing",
)  # fmt: skip
SQL_AND_IO = ("landing", *BEHIND_THE_LAKE)
ROWS = ("start-up", "dbt parse", *SQL_AND_IO, "forecasts", "review pack", "frameworks")
SUMS = ("SQL and I/O", "behind the lake", "total")


def main() -> None:
    """Run the benchmark and print the table and the two conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[120, 420])
    parser.add_argument("--keep", type=Path, help="folder to keep the homes in")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _one()
        return
    os.environ.update(QUIET)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-"))
    columns: dict[str, dict[str, float]] = {}
    try:
        for days in options.days:
            columns |= _measure(folder / str(days), days)
            _print(columns)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    _verdict(columns, options.days)


def _measure(home: Path, days: int) -> dict[str, dict[str, float]]:
    """A full run on the day before the last, then the last day's run. Raises SystemExit when one is stopped."""
    shutil.rmtree(home, ignore_errors=True)
    home_of = {"AISL_PROFILE": "sandbox", "AISL_HOME": str(home)}
    with sandbox(load_settings({**os.environ, **home_of}), days) as announced:
        last = dt.datetime.fromisoformat(announced["AISL_AS_OF"])
        url = announced["AISL_ANTHROPIC_BASE_URL"].rsplit("/", 1)[0]
        found = {}
        for name, back in (("full", 1), ("daily", 0)):
            clock = (last - dt.timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ")
            body = json.dumps({"as_of": clock}).encode()
            request = urllib.request.Request(f"{url}/_sandbox/clock", data=body, method="POST")
            urllib.request.urlopen(request, timeout=120).close()
            print(f"{days} days, {name} run", flush=True)
            begun = time.monotonic()
            run = subprocess.run(
                [sys.executable, "-m", "benchmarks.daily", "--one"],
                env={**os.environ, **announced, **home_of, "AISL_AS_OF": clock},
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            total = time.monotonic() - begun
            if run.returncode:
                raise SystemExit(f"stopped:\n{run.stdout}")
            spent = json.loads(run.stdout.splitlines()[-1])
            spent["start-up"] = total - sum(spent.values())
            spent["SQL and I/O"] = sum(spent.get(row, 0.0) for row in SQL_AND_IO)
            spent["behind the lake"] = sum(spent.get(row, 0.0) for row in BEHIND_THE_LAKE)
            found[f"{days} {name}"] = spent | {"total": total}
    return found


def _one() -> None:
    """One run of the home that the environment names; its phases as the last line of output."""
    from orchestration import dbt_build

    settings = load_settings(os.environ)
    settings.dbt_target_dir.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    dbt_build.manifest(settings)
    dbt_build.parse(settings)
    parse = time.monotonic() - begun
    progress = Progress(lambda line: print(line, flush=True))
    if not materialise(settings, progress):
        raise SystemExit(f"{progress.failed_checks} {progress.failures}")
    print(json.dumps({"dbt parse": parse, **_rows(progress)}))


def _rows(progress: Progress) -> dict[str, float]:
    """Seconds of the steps by row of the table; `frameworks` is what a stage or gate took beyond its own SQL."""
    found: dict[str, float] = dict.fromkeys(ROWS[2:], 0.0)
    for step, seconds in progress.seconds.items():
        inside = progress.inside.get(step, 0.0)
        if step.startswith("raw__"):
            found["landing"] += seconds
        elif step.startswith(("dbt_", "gate_")):
            found["SQL of gates" if step.startswith("gate_") else f"SQL of {step.removeprefix('dbt_')}"] += inside
            found["frameworks"] += seconds - inside
        elif step == "publish":
            found["review pack"] += inside
            found["publishing"] += seconds - inside
        elif step == "decisions__frozen_periods":
            found["freezing"] += seconds
        elif step.startswith("warehouse__"):
            found["preparation"] += seconds
        else:
            found["forecasts"] += seconds
    return found


def _print(columns: dict[str, dict[str, float]]) -> None:
    print("\n| seconds | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for row in ROWS + SUMS:
        print(f"| {row} | " + " | ".join(f"{c.get(row, 0.0):.1f}" for c in columns.values()) + " |")
    print(flush=True)


def _verdict(columns: dict[str, dict[str, float]], days: list[int]) -> None:
    for length in days:
        full, daily = columns[f"{length} full"], columns[f"{length} daily"]
        whole, behind = (daily[row] / full[row] for row in SUMS[:2])
        print(f"{length} days: a daily run's SQL and I/O is {whole:.0%} of a full run's (at most 33 %), behind the lake {behind:.0%}")
    if len(days) > 1:
        first, last = columns[f"{days[0]} daily"], columns[f"{days[-1]} daily"]
        whole, behind = (last[row] / first[row] - 1 for row in SUMS[:2])
        print(f"from {days[0]} to {days[-1]} days it grew by {whole:.0%} (at most 20 %), behind the lake by {behind:.0%}")


if __name__ == "__main__":
    main()
