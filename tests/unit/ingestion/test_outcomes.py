"""Dropped outcome counts: whole numbers, at most as many successes as events, and nothing else of the file."""

from __future__ import annotations

import datetime as dt

from ingestion.connectors import CONNECTORS
from ingestion.files.outcomes import read_outcomes
from ingestion.source import SourceConfig
from sandbox import build, calendar
from sandbox.exports import outcomes
from sandbox.truth import write
from sandbox.vendors.base import World

COUNTS = b"""outcome_date,workflow,event,customer_id,events,successes,reported_by
2026-09-01,copilot,conversation,acme,120,90,Ann of product
2026-09-01,copilot,conversation,,7,0,
2026-09-02,copilot,conversation,acme,5,6,
2026-09-02,copilot,conversation,,1.5,1,
2026-09-02,copilot,document,,-3,0,
yesterday,copilot,document,,3,1,
2026-09-03,copilot,document,,,1,
2026-09-03,copilot,document,,0,0,
"""


def test_counts_are_whole_and_successes_are_part_of_the_events():
    batch = read_outcomes("outcomes-2026-09.csv", COUNTS)
    found = batch.records.select("outcome_date", "event", "customer_id", "events", "successes").rows()
    assert [(str(day), *rest) for day, *rest in found] == [
        ("2026-09-01", "conversation", "acme", 120, 90), ("2026-09-01", "conversation", None, 7, 0), ("2026-09-03", "document", None, 0, 0),
    ]  # fmt: skip
    assert sorted((r.ordinal, r.reason, r.field) for r in batch.rejects) == [
        (2, "unknown_value", "successes"), (3, "not_a_number", "events"), (4, "not_a_number", "events"),
        (5, "unreadable_time", "outcome_date"), (6, "missing_value", "events"),
    ]  # fmt: skip
    assert [str(d) for d in batch.days] == ["2026-09-01", "2026-09-03"]
    assert "Ann of product" not in batch.records.write_csv()


def test_what_the_company_dropped_is_landed_as_it_was_counted(tmp_path):
    import polars as pl

    company = build.generate(calendar.days_ending(4), 1, 0.05)
    write(company, tmp_path / "truth")
    clock = calendar.AS_OF - dt.timedelta(days=2)
    outcomes.deliver(World(company, clock), tmp_path / "focus", None)
    environment = outcomes.environment(tmp_path / "focus", None)
    config = SourceConfig("outcomes", options={"location": environment["AISL_OUTCOMES_LOCATION"]})
    connector = CONNECTORS["outcomes__daily"]
    landed = pl.concat([batch.records for _, batch in connector.fetch(None, config, connector.find(config, []))]).drop("file_name")
    truth = pl.read_parquet(tmp_path / "truth" / "outcomes.parquet").filter(pl.col("outcome_date") < clock.date())
    assert landed.height > 0 and landed.sort(pl.all()).rows() == truth.sort(pl.all()).select(landed.columns).rows()
    assert (landed["successes"] <= landed["events"]).all() and landed["successes"].sum() > 0
