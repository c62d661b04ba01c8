"""The ledger at 5 million requests on 1 million charges: build time, peak memory, the increment of one day, and a plain join beside it.

`python -m benchmarks.ledger [--requests N] [--charges N] [--days N] [--keep FOLDER]`. The sandbox company is run through once; then
its requests and charges are there again under further accounts until there are as many as asked for. Each measurement is a
process of its own, on the same file: the plain join (each charge's requests of its day, account, key, model and meter, summed
per ticket and team: DuckDB alone), the models of stage `ledger` behind the requests, their tests, and both again after one
day's charges changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.sources import peak_mb
from orchestration import dbt_build, warehouse
from orchestration.cli import QUIET, materialise, sandbox
from orchestration.progress import Progress
from orchestration.settings import Settings, load_settings

CHARGES, REQUESTS, CALLS = "focus.int_booked_charge", "ledger.fct_model_call", "main.plain"
STEPS = ("plain join", "models", "tests", "models of one day", "tests of one day")
# The requests themselves come from staging, which `benchmarks.sources` measures.
SELECTION = ("--select", "tag:ledger", "--exclude", "+fct_model_call")
PLAIN = f"""
    create or replace table {CALLS} as
    select charges.x_charge_id, calls.ticket_key, calls.team, sum(calls.tokens) as tokens, count(*) as calls, any_value(charges.BilledCost) as cost
    from focus.focus_cost_and_usage as charges
    inner join (
        unpivot (
            select charge_date, provider_source, provider_account, coalesce(provider_credential_id, '') as credential, model_id, ticket_key, team,
                tokens_input_uncached as input, tokens_cache_read as cache_read, tokens_output as output
            from {REQUESTS}
        ) on input, cache_read, output into name meter value tokens
    ) as calls
        on calls.charge_date = charges.charge_date and calls.provider_source = charges.x_SourceId
        and calls.provider_account = charges.x_Account and calls.credential = coalesce(charges.x_CredentialId, '')
        and calls.model_id = charges.x_ModelId and calls.meter = charges.x_TokenMeter
    where calls.tokens > 0
    group by all
"""


def main() -> None:
    """Run the benchmark and print the table. Exits with 1 when the ledger's cost is not the charges'."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000_000)
    parser.add_argument("--charges", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=120, help="length of the company's history")
    parser.add_argument("--keep", type=Path, help="folder to keep the home in")
    parser.add_argument("--one", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_one(load_settings(), options.one)))
        return
    os.environ.update(QUIET)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-"))
    os.environ.update({"AISL_PROFILE": "sandbox", "AISL_HOME": str(folder)})
    try:
        _build(options.days)
        settings = load_settings()
        print("more accounts", file=sys.stderr, flush=True)
        _enlarge(settings, options.requests, options.charges)
        found: dict[str, dict[str, float]] = {}
        for step in STEPS:
            print(step, file=sys.stderr, flush=True)
            if step == "models of one day":
                _change_a_day(settings)
            found[step] = _measure(step)
        wrong = _print(settings, found)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(1 if wrong else 0)


def _build(days: int) -> None:
    with sandbox(load_settings(), days) as announced:
        # Later steps ask for the same sources, whose credentials decide which models there are.
        os.environ.update(announced)
        progress = Progress(lambda line: print(line, file=sys.stderr, flush=True))
        if not materialise(load_settings(), progress):
            raise SystemExit(f"stopped: {progress.failed_checks} {progress.failures}")


def _enlarge(settings: Settings, requests: int, charges: int) -> None:
    """The same requests and charges again under further accounts; every day is in scope."""
    with warehouse.session(settings) as connection:
        for relation, wanted, renamed in (
            (CHARGES, charges, "x_charge_id, x_Account"),
            (REQUESTS, requests, "request_id, account, provider_account, session_id, user_action_id"),
        ):
            there = _number(connection, f"select count(*) from {relation}")
            replaced = ", ".join(f"{column} || '~' || further as {column}" for column in renamed.split(", "))
            connection.execute(
                f"insert into {relation} by name select * exclude (further) replace ({replaced}) from {relation}"
                f" cross join (select unnest(range(1, {-(-wanted // there)}))::varchar as further) limit {wanted - there}"
            )
        connection.execute("update raw.run_context set is_full_rebuild = true")
        connection.execute(f"delete from raw.scope; insert into raw.scope select distinct source, account, charge_date from {REQUESTS}")


def _change_a_day(settings: Settings) -> None:
    """A vendor restates the last day but one: its charges are other rows now."""
    with warehouse.session(settings) as connection:
        day = connection.execute(f"select (max(charge_date) - interval 2 day)::date from {REQUESTS}").fetchall()[0][0]
        connection.execute(f"update {CHARGES} set BilledCost = BilledCost * 2 where charge_date = ?", [day])
        connection.execute("update raw.run_context set is_full_rebuild = false")
        connection.execute("delete from raw.scope where charge_date <> ?", [day])


def _measure(step: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ledger", "--one", step]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{step} stopped: {run.stdout}")
    measured: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return measured


def _one(settings: Settings, step: str) -> dict[str, float]:
    """One step in this process: seconds of its SQL, seconds with what surrounds it, peak memory in MB and what was held before."""
    if step == "plain join":
        before, begun = peak_mb(), time.monotonic()
        with warehouse.session(settings) as connection:
            connection.execute(PLAIN)
        seconds = time.monotonic() - begun
        return {"sql": seconds, "seconds": seconds, "peak": peak_mb(), "start": before}
    dbt_build.parse(settings)
    before, begun = peak_mb(), time.monotonic()
    wanted = ("run",) if step.startswith("models") else ("test", "--indirect-selection", "buildable")
    refresh = ("--full-refresh",) if step == "models" else ()
    results = dbt_build.invoke(settings, [*wanted, *SELECTION, *refresh])
    failed = dbt_build.explain(results)
    if failed:
        raise SystemExit(failed)
    return {"sql": sum(r.seconds for r in results), "seconds": time.monotonic() - begun, "peak": peak_mb(), "start": before}


def _number(connection: Any, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _print(settings: Settings, found: dict[str, dict[str, float]]) -> bool:
    """The table; whether a charge's cost in the ledger is not its own."""
    with warehouse.session(settings, read_only=True) as connection:
        sizes = {name: _number(connection, f"select count(*) from {name}") for name in (REQUESTS, CHARGES, "ledger.fct_attribution_ledger")}
        wrong = _number(
            connection,
            f"""
            select count(*) from {CHARGES} as charges
            full join (select x_charge_id, sum(BilledCost) as cost from ledger.fct_attribution_ledger group by 1) as shares using (x_charge_id)
            where charges.BilledCost is distinct from shares.cost
            """,
        )
    print(", ".join(f"{rows:,} rows in {name}" for name, rows in sizes.items()))
    print(f"{wrong} charges whose cost in the ledger is not their own")
    plain = found["plain join"]["sql"]
    print("\n| step | seconds of SQL | x plain join | seconds | peak MB | at start |")
    print("|---|---:|---:|---:|---:|---:|")
    for step, row in found.items():
        print(f"| {step} | {row['sql']:.1f} | {row['sql'] / plain:.1f} | {row['seconds']:.1f} | {row['peak']:.0f} | {row['start']:.0f} |")
    return wrong > 0


if __name__ == "__main__":
    main()
