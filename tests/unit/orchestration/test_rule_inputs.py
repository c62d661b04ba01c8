"""What the rules are told of the warehouse: queries on their own."""

from __future__ import annotations

from datetime import date

import duckdb

from forecasting.scenarios import LEVER_DRIVERS
from orchestration.assets.rules import QUERIES

START = date(2026, 9, 14)


def _changes(*rows: tuple[object, ...]) -> list[dict]:
    """Rows of `known_changes` (driver, workflow, mode, value, ramp_days, confidence) as the incidents are told of them."""
    connection = duckdb.connect()
    connection.execute("create schema seeds")
    connection.execute("create table seeds.changes (workflow varchar, changed_on date, window_days integer)")
    connection.execute("insert into seeds.changes values ('agent', date '2026-08-01', 28), (null, date '2026-08-01', 28)")
    connection.execute(
        "create table seeds.known_changes (driver varchar, workflow varchar, mode varchar, value double, ramp_days integer,"
        " confidence double, start date)"
    )
    for row in rows:
        connection.execute("insert into seeds.known_changes values (?, ?, ?, ?, ?, ?, ?)", [*row, START])
    return connection.execute(f"select * from ({QUERIES['changes']}) order by all").pl().to_dicts()


def test_a_known_change_explains_what_it_declares_until_the_baselines_hold_it():
    found = _changes(("user_actions", "desk", "multiplier", 1.25, 14, 0.8), ("context_in", "desk", "multiplier", 0.5, None, 0.9))
    mine = [(r["family"], r["first_day"], r["last_day"], r["multiplier"]) for r in found if r["scope"] == "desk"]
    assert mine == [
        ("context", START, date(2026, 11, 9), 1.0),
        ("spend", START, date(2026, 11, 9), 1.0),
        ("spend", START, date(2026, 11, 23), 1.25),
    ]
    assert {r["family"] for r in found if r["scope"] == "agent"} == {"spend", "mix", "context", "cache"}


def test_rumours_and_changes_of_no_workflow_explain_nothing():
    found = _changes(("price", "desk", "multiplier", 2.0, 0, 0.4), ("price", None, "multiplier", 2.0, 0, 1.0))
    assert {r["scope"] for r in found} == {"agent"}


def test_every_driver_that_can_change_moves_spend():
    rows = [(driver, driver, "absolute", 0.5, 0, 1.0) for driver in LEVER_DRIVERS]
    found = {r["scope"]: r["multiplier"] for r in _changes(*rows) if r["family"] == "spend" and r["scope"] != "agent"}
    assert found == dict.fromkeys(LEVER_DRIVERS, 1e6)
