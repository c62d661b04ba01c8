"""Where the time of a first full run and of a daily run goes, at 120 and 420 days of history.

`python -m benchmarks.daily [--days 120 420] [--keep FOLDER]`. The sandbox runs in a process of its own and its time is
not counted. "SQL and I/O" is preparation, dbt's models and tests, gates, freeze and publish; landing is the vendors'
answers; the rest is start-up.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

from orchestration.cli import QUIET, materialise, phases_of, sandbox
from orchestration.progress import Progress
from orchestration.settings import load_settings

SQL_AND_IO = ("preparation", "dbt focus", "dbt ledger", "dbt marts", "dbt decisions", "gates", "decisions frozen periods", "publish")
ROWS = ("start-up", "landing", *SQL_AND_IO[:1], *SQL_AND_IO[1:5], "forecasts", *SQL_AND_IO[5:], "SQL and I/O", "total")


def main() -> None:
    """Run the benchmark and print the table and the two conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[120, 420])
    parser.add_argument("--keep", type=Path, help="folder to keep the homes in")
    options = parser.parse_args()
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
    shutil.rmtree(home, ignore_errors=True)
    base = load_settings({**os.environ, "AISL_PROFILE": "sandbox", "AISL_HOME": str(home)})
    with sandbox(base, days) as announced:
        last = dt.datetime.fromisoformat(announced["AISL_AS_OF"])
        url = announced["AISL_ANTHROPIC_BASE_URL"].rsplit("/", 1)[0]
        found = {}
        for name, back in (("full", 1), ("daily", 0)):
            clock = (last - dt.timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ")
            body = f'{{"as_of": "{clock}"}}'.encode()
            request = urllib.request.Request(f"{url}/_sandbox/clock", data=body, method="POST")
            urllib.request.urlopen(request, timeout=120).close()
            environment = {**os.environ, **announced, "AISL_PROFILE": "sandbox", "AISL_HOME": str(home)}
            settings = load_settings(environment | {"AISL_AS_OF": clock})
            progress = Progress(lambda line: print(f"    {line}", flush=True))
            print(f"{days} days, {name} run", flush=True)
            begun = time.monotonic()
            if not materialise(settings, progress):
                raise SystemExit(f"stopped: {progress.failed_checks} {progress.failures}")
            total = time.monotonic() - begun
            spent = phases_of(progress.seconds)
            spent["start-up"] = total - sum(progress.seconds.values())
            spent["SQL and I/O"] = sum(spent.get(row, 0.0) for row in SQL_AND_IO)
            found[f"{days} {name}"] = spent | {"total": total}
    return found


def _print(columns: dict[str, dict[str, float]]) -> None:
    print("\n| seconds | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for row in ROWS:
        print(f"| {row} | " + " | ".join(f"{c.get(row, 0.0):.1f}" for c in columns.values()) + " |")
    print(flush=True)


def _verdict(columns: dict[str, dict[str, float]], days: list[int]) -> None:
    for length in days:
        full, daily = columns[f"{length} full"]["SQL and I/O"], columns[f"{length} daily"]["SQL and I/O"]
        print(f"{length} days: a daily run's SQL and I/O is {daily / full:.0%} of a full run's (at most 33 %)")
    if len(days) > 1:
        growth = columns[f"{days[-1]} daily"]["SQL and I/O"] / columns[f"{days[0]} daily"]["SQL and I/O"] - 1
        print(f"from {days[0]} to {days[-1]} days a daily run's SQL and I/O grew by {growth:.0%} (at most 20 %)")


if __name__ == "__main__":
    main()
