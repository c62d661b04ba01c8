"""Running out of order, restated, watched: the marts are those of an undisturbed run."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.cli import main
from sandbox import canaries
from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, content, hashes


def test_one_run_lands_attributes_ties_out_and_publishes(built: Home) -> None:
    rows = dict(built.query("select fidelity_tier, sum(cost) from marts.attribution_coverage where team is null group by 1"))
    assert sum(rows.values()) > 0 and rows.get("call", 0) > 0
    ties = dict(built.query("select state, count(*) from marts.invoice_tie_out where billing_period = date '2026-09-01' group by 1"))
    assert ties == {"tied": 3}
    unequal = """
        select x_charge_id, f.BilledCost, l.BilledCost from focus.cost_and_usage as f
        full join (select x_charge_id, sum(BilledCost) as BilledCost, sum(EffectiveCost) as EffectiveCost
                   from ledger.attribution group by 1) as l using (x_charge_id)
        where f.BilledCost is distinct from l.BilledCost or f.EffectiveCost is distinct from l.EffectiveCost
    """
    assert built.query(unequal) == []
    for name in ("review.html", "weekly.html", "reset.html", "gateway-policy.yaml", "explain.html", "review.xlsx", "snapshot.json", "warehouse.duckdb"):
        assert (built.path / "published/current" / name).stat().st_size > 0


def test_every_published_relation_is_there_as_parquet_with_the_same_rows(built: Home) -> None:
    record = json.loads((built.path / "published/current/snapshot.json").read_text())
    connection = duckdb.connect()
    for name, facts in record["relations"].items():
        folder = built.path / "published/current/parquet" / name.replace(".", "/")
        row = connection.execute(f"select count(*) from read_parquet('{folder}/*.parquet')").fetchone()
        assert row == (facts["rows"],), name


def test_error_budgets_count_every_day_and_request_once(built: Home) -> None:
    """Told again from the published ledger: a day is the sum of its usage, a request is a row of the log."""
    as_of = built.settings().as_of.date()
    budgets = built.query(
        "select kind, scope_type, scope, ceiling, window_days, events, bad_events, allowed_bad_events, consumed_share, target, state from marts.cost_error_budget"
    )
    assert {b[0] for b in budgets} == {"daily_spend", "request_cost"}
    for kind, scope_type, scope, ceiling, days, events, bad, allowed, consumed, target, state in budgets:
        since = as_of - dt.timedelta(days=days)
        if kind == "daily_spend":
            wanted = "true" if scope_type == "total" else f"workflow = '{scope}'"
            rows = f"""
                select sum(reporting_cost) as cost from marts.daily_spend
                where {wanted} and cost_basis = 'billed' and charge_category = 'Usage' and reporting_cost >= 0
                    and charge_date >= date '{since}' and charge_date <= (select max(last_date) from marts.cost_error_budget where kind = 'daily_spend')
                group by charge_date"""
        else:
            rows = f"select list_cost_usd as cost from ledger.model_calls where workflow = '{scope}' and charge_date >= date '{since}' and list_cost_usd is not null"
        assert built.query(f"select count(*), count(*) filter (where cost > {ceiling}) from ({rows})") == [(events, bad)]
        assert float(allowed) == pytest.approx(events * (1 - float(target))) and float(consumed) == pytest.approx(bad / float(allowed))
        assert (state == "spent") == (bad > 0 and bad >= float(allowed))


def test_a_stage_is_reached_when_all_before_it_are_met(built: Home) -> None:
    stages = built.query("select evidence >= threshold, is_met, is_reached, next_step is null from marts.practice_maturity order by stage")
    assert len(stages) == 5
    so_far = True
    for enough, is_met, is_reached, is_silent in stages:
        so_far = so_far and is_met
        assert (enough, is_silent, so_far) == (is_met, is_met, is_reached)


def test_days_landed_out_of_order_give_the_same_marts(built: Home, vendors: Sandbox, tmp_path: Path) -> None:
    last = built.settings().last_complete_day
    start = built.settings().start_date
    home = Home(tmp_path / "home", dict(built.environment))
    shutil.copytree(built.path / "dbt_target", home.path / "dbt_target")  # the same project, parsed
    assert home.run(days=(last - dt.timedelta(days=3), last), assets='key:"raw/anthropic*" or key:"raw/litellm*"'), (home.failed, home.failures)
    assert not home.run(days=(start + dt.timedelta(days=2), start + dt.timedelta(days=9))), "days between are missing"
    assert any("raw_missing_windows" in reason for reason in home.failed)
    assert home.run(), (home.failed, home.failures)
    assert content(home) == content(built)


def test_days_that_are_not_there_yet_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--profile", "samples", "--from", "2100-01-01"]) == 2
    assert "the last complete day" in capsys.readouterr().err


# Reads the published file before and after, in a process of its own, with the file open all the time.
_READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
ask = lambda: connection.execute("select count(*), sum(BilledCost), max(charge_date) from focus.cost_and_usage").fetchone()
print(ask(), flush=True)
sys.stdin.readline()
print(ask(), flush=True)
"""


def test_a_restated_day_changes_its_rows_only_while_a_reader_holds_the_file(home: Home, vendors: Sandbox) -> None:
    file = home.path / "published/current/warehouse.duckdb"
    relations = {
        "focus.cost_and_usage": ("x_SourceId", "charge_date"),
        "ledger.attribution": ("source", "charge_date", "fidelity_tier"),
        "marts.daily_spend": ("provider", "charge_date"),
    }

    def by_day() -> dict[str, dict]:
        connection = duckdb.connect(str(file), read_only=True)
        try:
            return {name: hashes(connection, name, by) for name, by in relations.items()}
        finally:
            connection.close()

    before = by_day()
    day = home.settings().last_complete_day - dt.timedelta(days=2)
    [(billed,)] = home.query(f"select sum(BilledCost) from focus.cost_and_usage where x_SourceId = 'anthropic' and charge_date = '{day}'")
    vendors.change(faults=[{"kind": "restated_day", "vendor": "anthropic", "day": day.isoformat()}])
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert reader.stdout is not None
        seen = reader.stdout.readline()
        assert home.run(), (home.failed, home.failures)
        after_run, _ = reader.communicate("\n", timeout=60)
    finally:
        reader.kill()
    assert seen == after_run and "Decimal" in seen, "an open reader keeps its snapshot"

    after = by_day()
    changed = {
        name: {key for key in before[name] | after[name] if before[name].get(key) != after[name].get(key)}
        for name in relations
    }
    assert changed["focus.cost_and_usage"] == {("anthropic", day)}
    # Shared AWS cost follows the teams' direct spend of the day by a dated rule: its shares move, its cost does not.
    of_other_bills = {key for key in changed["ledger.attribution"] if key[:2] != ("anthropic", day)}
    assert of_other_bills <= {("aws", day, "policy")} and len(changed["ledger.attribution"]) > len(of_other_bills)
    assert {d for _, d in changed["marts.daily_spend"]} == {day}
    assert {key for key in changed["marts.daily_spend"] if key[0] != "Anthropic"} <= {("AWS", day)}
    [(restated,)] = home.query(f"select sum(BilledCost) from focus.cost_and_usage where x_SourceId = 'anthropic' and charge_date = '{day}'")
    assert float(restated) / float(billed) - 1.1 < 0.001 and restated > billed


def _texts() -> list[str]:
    found = [v for n, v in vars(canaries).items() if n.isupper() and isinstance(v, str) and len(v) > 8]
    assert found
    return found


def test_no_prompt_text_and_no_secret_is_written_anywhere(built: Home) -> None:
    needles = [t for t in (*_texts(), *built.settings().secret_values) if len(t) > 8]
    guilty = []
    connection = duckdb.connect()

    def search(relation: str, name: str) -> None:
        """Compressed, so the values are read: each row as text."""
        found = ", ".join("count(*) filter (where contains(line, ?))" for _ in needles)
        counts = connection.execute(f"select {found} from (select r::varchar as line from {relation} as r)", needles).fetchone()
        assert counts is not None
        guilty.extend(f"{name}: {n[:8]!r}" for n, count in zip(needles, counts, strict=True) if count)

    connection.execute("create table planted as select [{'text': 'a ' || ? || ' b'}] as nested", [needles[0]])
    search("planted", "planted")
    assert guilty == [f"planted: {needles[0][:8]!r}"], "the search finds nothing"
    guilty.clear()
    for path in sorted(p for p in built.path.rglob("*") if p.is_file() and not p.is_symlink()):
        name = str(path.relative_to(built.path))
        if path.suffix == ".parquet":
            search(f"read_parquet('{path}')", name)
        else:
            blob = path.read_bytes()
            guilty += [f"{name}: {n[:8]!r}" for n in needles if n.encode() in blob]
    for file in ("warehouse/warehouse.duckdb", "published/current/warehouse.duckdb"):
        connection.execute(f"attach '{built.path / file}' as warehouse (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'warehouse'"
        ).fetchall()
        assert len(tables) > 50
        for schema, table in tables:
            search(f'warehouse."{schema}"."{table}"', f"{file} {schema}.{table}")
        connection.execute("detach warehouse")
    assert guilty == []
