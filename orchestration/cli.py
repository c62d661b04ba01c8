"""Command line: `python -m orchestration.cli run|doctor|variables|sources|prune|explain-home`.

Exit codes: 0 published, 1 a gate or step stopped the run, 2 a setting is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.reference import sources_markdown, variables_markdown
from orchestration.settings import PROFILES, PROJECT_ROOT, Settings, SettingsError, load_settings

# On every run started here and not by Dagster's daemon, which looks after its own.
_BY_COMMAND = "aisl/by_command"
_SANDBOX_SECONDS = 300.0
QUIET = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "OMP_NUM_THREADS": "1",
}


class SandboxFailed(RuntimeError):
    """The sandbox company did not start."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    try:
        return int(options.command(options))
    except (SettingsError, SandboxFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestration.cli", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("run", help="materialise everything and publish a snapshot")
    run.add_argument("--profile", choices=PROFILES)
    run.add_argument("--days", type=int, help="sandbox only: length of the company's history")
    run.add_argument("--full", action="store_true", help="rebuild the whole warehouse from the lake")
    run.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE",
                     help="ask every source again for the days from DATE (default: what is due)")  # fmt: skip
    run.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="with --from: last day, included")
    run.set_defaults(command=_run)

    doctor = commands.add_parser("doctor", help="ask each configured source one cheap read-only question")
    doctor.add_argument("--profile", choices=PROFILES)
    doctor.add_argument("--days", type=int)
    doctor.set_defaults(command=_doctor)

    dev = commands.add_parser("dev", help="Dagster's pages and daemon with the daily schedule")
    dev.add_argument("--profile", choices=PROFILES)
    dev.add_argument("--days", type=int)
    dev.add_argument("--port", type=int, default=3000)
    dev.set_defaults(command=_dev)

    table = commands.add_parser("variables", help="the table of environment variables")
    table.set_defaults(command=lambda _: print(variables_markdown()) or 0)
    table = commands.add_parser("sources", help="the table of sources and their datasets")
    table.set_defaults(command=lambda _: print(sources_markdown()) or 0)

    prune = commands.add_parser("prune", help="remove old snapshots and logs")
    prune.add_argument("--profile", choices=PROFILES)
    prune.add_argument("--keep", type=int, help="snapshots to keep beside the current one")
    prune.set_defaults(command=_prune)

    explain = commands.add_parser("explain-home", help="where a profile keeps what")
    explain.add_argument("--profile", choices=PROFILES)
    explain.set_defaults(command=_explain_home)
    return parser


def _environment(options: argparse.Namespace) -> dict[str, str]:
    env = dict(os.environ)
    if options.profile:
        env["AISL_PROFILE"] = options.profile
    return env


@contextlib.contextmanager
def sandbox(
    settings: Settings, days: int | None, meanwhile: Callable[[], object] = lambda: None
) -> Iterator[dict[str, str]]:
    """The sandbox company as a process of its own; gives the variables that point at it. Stopped at the end.

    `meanwhile` is done while it comes up. Raises SandboxFailed when it does not.
    """
    state = settings.home / "sandbox_state"
    log = settings.logs_dir / "sandbox.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sandbox", "serve", "--state", str(state)]
    command += ["--days", str(days)] if days else []
    with log.open("a", encoding="utf-8") as errors:
        # It stops when its standard input closes, so it never outlives this process.
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        meanwhile()
        yield _announced(process, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    deadline = time.monotonic() + _SANDBOX_SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([process.stdout], [], [], 1.0)
        line = process.stdout.readline() if ready else ""
        if line.strip().startswith("{"):
            announced: Mapping[str, Any] = json.loads(line)
            return {str(k): str(v) for k, v in announced.get("env", announced).items()}
        if ready and not line and process.poll() is not None:
            break
    raise SandboxFailed(f"the sandbox company did not start; its own words are in {log}")


@contextlib.contextmanager
def _ready(
    options: argparse.Namespace, meanwhile: Callable[[Settings], object] = lambda _: None
) -> Iterator[tuple[Settings, dict[str, str]]]:
    """Settings of the profile, with the sandbox running when it is the sandbox's; `meanwhile` while that starts."""
    env = _environment(options)
    settings = load_settings(env)
    if settings.profile != "sandbox":
        yield settings, env
        return
    print("starting the sandbox company ...", flush=True)
    with sandbox(settings, options.days, lambda: meanwhile(settings)) as announced:
        env |= announced
        yield load_settings(env), env


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    with _ready(options, _warm_up) as (settings, _):
        phases = {"sandbox, libraries and dbt parse": time.monotonic() - started}
        return run(settings, full=options.full, days=_days(options, settings), phases=phases)


def _warm_up(settings: Settings) -> None:
    """The libraries, and the dbt project as parsed for the sandbox company, which has every source."""
    from orchestration import dbt_build, definitions  # noqa: F401 - imported for the time it takes
    from orchestration.gates.suites import load

    load()
    dbt_build.manifest(settings, every_source=True)


def _days(options: argparse.Namespace, settings: Settings) -> tuple[date, date] | None:
    if options.first is None and options.last is None:
        return None
    first = options.first or settings.start_date
    last = options.last or settings.last_complete_day
    if not settings.start_date <= first <= last <= settings.last_complete_day:
        raise SettingsError(
            f"--from {first} --to {last}: wanted days in order between {settings.start_date} (AISL_START_DATE) and "
            f"{settings.last_complete_day}, the last complete day"
        )
    return first, last


def run(
    settings: Settings,
    *,
    full: bool = False,
    days: tuple[date, date] | None = None,
    phases: dict[str, float] | None = None,
) -> int:
    """Materialise both jobs through Dagster and print what came of it. Returns the exit code."""
    from orchestration import publish
    from orchestration.progress import Progress

    spent = phases if phases is not None else {}
    begun = time.monotonic()
    progress = Progress(lambda line: print(line, flush=True))
    log = log_path(settings)
    print(f"profile {settings.profile}, as of {settings.as_of:%Y-%m-%d %H:%M} UTC, home {_short(settings.home)}")
    if settings.sources_off:
        print(f"off: {', '.join(settings.sources_off)} (make doctor says what each is missing)")
    if not materialise(settings, progress, full=full, days=days):
        _say_stopped(progress, publish.current(settings), log)
        return 1
    steps = sum(progress.seconds.values())
    spent["definitions and Dagster's records"] = time.monotonic() - begun - steps
    spent |= phases_of(progress.seconds)
    _say_published(settings, spent, begun)
    return 0


def log_path(settings: Settings) -> Path:
    """Where everything Dagster says in a run is written."""
    return settings.logs_dir / f"run-{settings.as_of:%Y%m%dT%H%M%SZ}.log"


def materialise(
    settings: Settings,
    progress: Any,
    *,
    full: bool = False,
    days: tuple[date, date] | None = None,
    assets: str | None = None,
) -> bool:
    """Run both jobs in this process on the home's Dagster instance; false when a gate or step stopped one.

    `days` (first, last; both included) asks for exactly these days and the billing months they touch instead of what is due.
    `assets` runs this part of the daily job only, in Dagster's selection syntax, as its pages do.
    """
    import warnings

    warnings.simplefilter("ignore")
    import dagster as dg

    from orchestration import automation
    from orchestration.definitions import build_definitions
    from orchestration.progress import progress_logger

    definitions = build_definitions(settings, loggers={"terminal": progress_logger(progress, log_path(settings))})
    rebuild = {automation.FULL_REBUILD: "true"} if full else {}
    tags = {
        automation.BILLING_MONTHS: automation.monthly_tags(settings),
        automation.DAILY: automation.daily_tags(settings) | rebuild,
    }
    if days is not None:
        first, last = days
        tags[automation.BILLING_MONTHS] = automation.range_tags(first.replace(day=1), last.replace(day=1))
        tags[automation.DAILY] = automation.range_tags(first, last) | rebuild
    chosen = None
    if assets is not None:
        del tags[automation.BILLING_MONTHS]
        graph = definitions.resolve_asset_graph()
        chosen = list(dg.AssetSelection.from_string(assets).resolve(graph))
    with instance(settings) as home_instance, _only_run(settings, home_instance):
        for job, job_tags in tags.items():
            progress.say(job.replace("_", " "))
            outcome = definitions.resolve_job_def(job).execute_in_process(
                instance=home_instance,
                tags=job_tags | {_BY_COMMAND: "true"},
                raise_on_error=False,
                run_config={"loggers": {"terminal": {"config": {}}}},
                asset_selection=chosen,
            )
            if not outcome.success:
                return False
    return True


@contextlib.contextmanager
def _only_run(settings: Settings, home_instance: Any) -> Iterator[None]:
    """Hold the home's run lock; whoever gets it ends the runs whose process was killed and frees their pool slot.

    Without that, the slot a killed run held would block every later run for ever. When another run holds the lock,
    nothing is ended: the pool makes the two wait for each other.
    """
    import dagster as dg

    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED], tags={_BY_COMMAND: "true"}
    )
    with (settings.dagster_home / "run.lock").open("w") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for killed in home_instance.get_runs(unfinished):
                home_instance.event_log_storage.free_concurrency_slots_for_run(killed.run_id)
                home_instance.report_run_failed(killed, "the process of this run was killed")
        yield


@contextlib.contextmanager
def instance(settings: Settings) -> Iterator[Any]:
    """The Dagster instance of a home, with the project's instance settings."""
    import dagster as dg

    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    (settings.dagster_home / "dagster.yaml").write_bytes((PROJECT_ROOT / "dagster.yaml").read_bytes())
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    try:
        with dg.DagsterInstance.from_config(str(settings.dagster_home)) as opened:
            yield opened
    finally:
        os.environ.pop("DAGSTER_HOME") if before is None else os.environ.update({"DAGSTER_HOME": before})


def _say_stopped(progress: Any, current: Path | None, log: Path) -> None:
    print("\nSTOPPED", file=sys.stderr)
    for line in [*progress.failed_checks, *progress.failures]:
        print(f"  {line}", file=sys.stderr)
    kept = f"the published snapshot stays the one of {current.name}" if current else "nothing was published before"
    print(f"  {kept}\n  details: {_short(log)}", file=sys.stderr)


def _say_published(settings: Settings, spent: Mapping[str, float], begun: float) -> None:
    import duckdb

    from orchestration.review import summary

    link = settings.published_dir / "current"
    connection = duckdb.connect(str(link / "warehouse.duckdb"), read_only=True)
    try:
        lines = summary(connection)
    finally:
        connection.close()
    print()
    print("\n".join(lines))
    print(f"\nsnapshot     {_short(link / 'warehouse.duckdb')}")
    print(f"review page  {_short(link / 'review.html')}")
    print(f"workbook     {_short(link / 'review.xlsx')}")
    print("seconds      " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in spent.items()))
    print(f"total        {time.monotonic() - begun:.1f} s")


def phases_of(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the steps, summed by room."""
    found: dict[str, float] = {}
    for step, value in seconds.items():
        if step.startswith("raw__"):
            room = "landing"
        elif step.startswith("gate_"):
            room = "gates"
        elif step.startswith("dbt_"):
            room = f"dbt {step.removeprefix('dbt_')}"
        else:
            room = {"warehouse__prepared": "preparation", "warehouse__built_deliveries": "preparation"}.get(step, step)
        found[room] = found.get(room, 0.0) + value
    return {name.replace("__", " ").replace("_", " "): value for name, value in found.items()}


def _doctor(options: argparse.Namespace) -> int:
    from ingestion.doctor import check

    with _ready(options) as (settings, _):
        found = [check(account, now=settings.as_of) for account in settings.accounts]
    print(f"{'source':<12}{'account':<14}{'state':<13}detail")
    for row in found:
        fresh = f"; fresh to {row.freshness}" if row.freshness else ""
        todo = f"; {row.to_do}" if row.to_do else ""
        print(f"{row.source:<12}{row.account:<14}{row.state:<13}{row.detail}{fresh}{todo}")
    return 0 if all(row.state in ("ok", "off") for row in found) else 1


def _dev(options: argparse.Namespace) -> int:
    with _ready(options) as (settings, env):
        with instance(settings):
            pass
        env |= {
            "DAGSTER_HOME": str(settings.dagster_home),
            "AISL_HOME": str(settings.home),
            "AISL_PROFILE": settings.profile,
        }
        command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions", "-p", str(options.port)]
        try:
            return subprocess.run(command, cwd=PROJECT_ROOT, env=env, check=False).returncode
        except KeyboardInterrupt:
            return 0


def _prune(options: argparse.Namespace) -> int:
    from orchestration import publish

    settings = load_settings(_environment(options))
    removed = [*publish.clean_unfinished(settings), *publish.prune(settings, options.keep)]
    print(f"removed {len(removed)} snapshots: {', '.join(removed) or 'none'}")
    return 0


def _explain_home(options: argparse.Namespace) -> int:
    settings = load_settings(_environment(options))
    rows: list[tuple[str, Path | str | date]] = [
        ("profile", settings.profile),
        ("as of", settings.as_of.isoformat()),
        ("first charge day", settings.start_date),
        ("lake", settings.lake_url),
        ("warehouse", settings.warehouse_path),
        ("published", settings.published_dir / "current"),
        ("dagster home", settings.dagster_home),
        ("logs", settings.logs_dir),
        ("data docs", settings.home / "data_docs"),
    ]
    for name, value in rows:
        print(f"{name:<18}{value}")
    return 0


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


if __name__ == "__main__":
    raise SystemExit(main())
