"""Rows per second from raw to FOCUS for each kind of source, and its peak memory, at the sandbox's volume and at ten times it.

`python -m benchmarks.sources [--days N] [--times 1 10] [--keep FOLDER]`. A kind is one of the models that all charges come
from. Each measurement is a process of its own that makes the kind's models, from the raw Parquet to a table of FOCUS rows,
and reads every value of the same Parquet once without them. More volume is the same deliveries under further accounts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ingestion.catalog import BY_KEY
from ingestion.errors import IngestionError
from ingestion.run import ingest
from orchestration import dbt_build, warehouse
from orchestration.cli import QUIET, sandbox
from orchestration.resources import lake_of
from orchestration.settings import Settings, load_settings

BOOKED = "int_booked_charge"
# The price catalogue belongs to no account: more accounts do not make it larger.
WITHOUT_ACCOUNT = ("prices",)
Row = dict[str, Any]


def main() -> None:
    """Run the benchmark and print the table. Exits with 1 when more volume does not give exactly that many times the money."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, help="length of the company's history (default: all of it)")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--keep", type=Path, help="folder to keep the home in")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_one(options.one[0], int(options.one[1]))))
        return
    os.environ.update(QUIET)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-"))
    os.environ.update({"AISL_PROFILE": "sandbox", "AISL_HOME": str(folder)})
    try:
        kinds = _prepare(options.days, max(options.times))
        found = {(kind, times): _measure(kind, times) for times in options.times for kind in kinds}
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    _print(found, options.times)
    wrong = _not_proportional(found, options.times)
    for line in wrong:
        print(line)
    raise SystemExit(1 if wrong else 0)


def _prepare(days: int | None, times: int) -> list[str]:
    """Land the company, load seeds, compile the models; writes the plan that the measured processes read. Returns the kinds."""
    with sandbox(load_settings(), days) as announced:
        settings = load_settings({**os.environ, **announced})
        needed, plan = _plan(settings)
        lake = lake_of(settings)
        for account in settings.accounts:
            for key in needed:
                if account.source == BY_KEY[key].source and account.is_on():
                    _land(key, settings, account)
    parsed = dbt_build.manifest(settings)
    warehouse.prepare(
        settings, lake, frozen_columns=dbt_build.contract_columns(parsed, "focus_cost_and_usage"),
        fingerprint="benchmark", run_id="benchmark", full=True,
    )  # fmt: skip
    _enlarge(settings, needed, times)
    _dbt(settings, "seed")
    compiled = {r.node.unique_id: r.node.compiled_code for r in _dbt(settings, "compile", "--select", f"+{BOOKED}")}
    for kind in plan.values():
        for model in kind["models"]:
            model["sql"] = compiled[model["id"]]
    (settings.home / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return list(plan)


def _land(key: str, settings: Settings, account: Any) -> None:
    try:
        ingest(key, account, lake_of(settings), start_date=settings.start_date, as_of=settings.as_of, run_id="benchmark")
    except IngestionError as error:
        raise SystemExit(f"{key} was not landed: {error}") from None


def _plan(settings: Settings) -> tuple[list[str], dict[str, Row]]:
    """Datasets that charges are made from, and per kind its models in the order of their making and its datasets."""
    nodes = dbt_build.manifest(settings)["nodes"]
    booked = next(n for n in nodes.values() if n["name"] == BOOKED)
    # Charges known from their invoice alone are the rest of the other kinds, not a kind.
    kinds = [d for d in booked["depends_on"]["nodes"] if d.startswith("model.") and d.endswith("_charges") and "invoice" not in d]
    plan: dict[str, Row] = {}
    for kind in kinds:
        above, waiting = {}, [kind]
        while waiting:
            name = waiting.pop()
            if name in nodes and nodes[name]["resource_type"] == "model" and name not in above:
                above[name] = nodes[name]["depends_on"]["nodes"]
                waiting += above[name]
        order = [n for n in TopologicalSorter(above).static_order() if n in above]
        read = {d.rpartition(".")[2] for parents in above.values() for d in parents if d.startswith("source.")}
        models = [
            {"id": n, "relation": f"{nodes[n]['schema']}.{nodes[n]['alias']}", "is_view": nodes[n]["config"]["materialized"] == "view"}
            for n in order
        ]
        plan[nodes[kind]["name"].removeprefix("focus_").removesuffix("_charges")] = {
            "models": models, "datasets": sorted(read & set(BY_KEY)),
        }  # fmt: skip
    return sorted({key for kind in plan.values() for key in kind["datasets"]}), plan


def _dbt(settings: Settings, *arguments: str) -> list[Any]:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    folder = str(warehouse.DBT_PROJECT)
    common = ["--project-dir", folder, "--profiles-dir", folder, "--target-path", str(settings.dbt_target_dir / "bench")]
    os.environ.update(settings.dbt_environment())
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            outcome: Any = dbtRunner().invoke(["--quiet", "--log-level-file", "none", *arguments, *common])
    finally:
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
    if not outcome.success:
        raise SystemExit(f"dbt {arguments[0]}: {outcome.exception or [r.message for r in outcome.result.results if r.message]}")
    return list(outcome.result.results)


def _measure(kind: str, times: int) -> Row:
    print(f"{kind}, {times} x", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.sources", "--one", kind, str(times)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{kind} stopped")
    measured: Row = json.loads(run.stdout.splitlines()[-1])
    return measured


def _one(kind: str, times: int) -> Row:
    """One kind at one volume, in this process: rows in and out, billed cost, seconds of models and scan, peak memory in MB
    (and what the process held before its first model)."""
    settings = load_settings()
    plan = json.loads((settings.home / "plan.json").read_text(encoding="utf-8"))[kind]
    with warehouse.session(settings) as connection:
        read = []
        for key in plan["datasets"]:
            files = _copies(settings, key, times)
            if files:
                listed = ", ".join(f"'{file}'" for file in files)
                # Snapshots are tables, which a view does not replace.
                _drop_table(connection, key)
                connection.execute(f'create or replace view raw."{key}" as select * from read_parquet([{listed}])')
                read.append(key)
        rows_in = sum(_number(connection, f'select count(*) from raw."{key}"') for key in read)
        start, begun, cpu = peak_mb(), time.monotonic(), _cpu_seconds()
        for model in plan["models"]:
            made = "view" if model["is_view"] else "table"
            connection.execute(f"create schema if not exists {model['relation'].split('.')[0]}")
            connection.execute(f"create or replace {made} {model['relation']} as {model['sql']}")
        connection.execute(f"create or replace table main.measured as select * from {plan['models'][-1]['relation']}")
        seconds, cpu, peak = time.monotonic() - begun, _cpu_seconds() - cpu, peak_mb()
        begun = time.monotonic()
        for key in read:
            connection.execute(f'select max(hash(delivered)) from raw."{key}" as delivered').fetchall()
        scan = time.monotonic() - begun
        rows = _number(connection, "select count(*) from main.measured")
        billed = _number(connection, "select coalesce(sum(cast(BilledCost as decimal(38, 12))), 0) from main.measured")
        connection.execute("drop table main.measured")
    return {
        "rows_in": rows_in, "rows": rows, "billed": str(billed), "seconds": seconds, "cpu": cpu, "scan": scan, "peak": peak,
        "start": start,
    }  # fmt: skip


def _drop_table(connection: Any, key: str) -> None:
    tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
    if (key,) in tables:
        connection.execute(f'drop table raw."{key}"')


def _number(connection: Any, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def peak_mb() -> float:
    """The most memory this process has held, in MB. Linux: getrusage would count the parent's before this one started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _copies(settings: Settings, key: str, times: int) -> list[Path]:
    """Files of a dataset at a volume; none when the sandbox has no row of it."""
    wanted = 1 if BY_KEY[key].source in WITHOUT_ACCOUNT else times
    files = [settings.home / "copies" / f"{key}-{number}.parquet" for number in range(1, wanted + 1)]
    return [file for file in files if file.is_file()]


def _enlarge(settings: Settings, keys: list[str], times: int) -> None:
    """Every dataset in one file as landed, and the same again under further accounts."""
    folder = settings.home / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    with warehouse.session(settings) as connection:
        for key in keys:
            if not _number(connection, f'select count(*) from raw."{key}"'):
                continue
            landed = folder / f"{key}-1.parquet"
            connection.execute(f"copy (select * from raw.\"{key}\") to '{landed}' (format parquet, compression zstd)")
            for number in range(2, 2 if BY_KEY[key].source in WITHOUT_ACCOUNT else times + 1):
                connection.execute(
                    f"copy (select * replace (raw_account || '-{number}' as raw_account, raw_delivery_id || '-{number}' as"
                    f" raw_delivery_id) from '{landed}') to '{folder}/{key}-{number}.parquet' (format parquet, compression zstd)"
                )


def _print(found: dict[tuple[str, int], Row], volumes: list[int]) -> None:
    print("| kind | volume | raw rows | FOCUS rows | seconds | CPU seconds | raw rows/s | x plain scan | peak MB | at start |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for kind in dict.fromkeys(kind for kind, _ in found):
        for times in volumes:
            row = found[kind, times]
            if not row["rows_in"]:
                print(f"| {kind} | {times} x | 0 | no rows in the sandbox | | | | | | |")
                continue
            rate, ratio = row["rows_in"] / row["seconds"], row["seconds"] / max(row["scan"], 1e-9)
            print(
                f"| {kind} | {times} x | {row['rows_in']:,} | {row['rows']:,} | {row['seconds']:.2f} | {row['cpu']:.2f} |"
                f" {rate:,.0f} | {ratio:.1f} | {row['peak']:.0f} | {row['start']:.0f} |"
            )


def _not_proportional(found: dict[tuple[str, int], Row], volumes: list[int]) -> list[str]:
    """Kinds whose rows or money at a volume are not those of the first volume as many times over."""
    first = volumes[0]
    wrong = []
    for (kind, times), row in found.items():
        base = found[kind, first]
        if row["rows"] * first != base["rows"] * times or Decimal(row["billed"]) * first != Decimal(base["billed"]) * times:
            wrong.append(f"{kind}: {row['rows']} rows and {row['billed']} at {times} x, {base['rows']} and {base['billed']} at {first} x")
    return wrong


if __name__ == "__main__":
    main()
