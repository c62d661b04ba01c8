"""Dropped evaluation results: CSV and JSON lines give the same records, money keeps its digits, words of a judge never land."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace

import polars as pl
import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken
from ingestion.files.evaluations import read_results
from ingestion.source import SourceConfig
from sandbox import calendar
from sandbox.exports import evaluations

RECORDS = [
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "item_id": "a", "config_id": "base", "trial": 1, "passed": True, "cost_usd": 0.1234567890123456,
     "tokens": 12, "judge_version": "j", "judge_said": "CANARY brilliant answer"},
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "item_id": "b", "config_id": "base", "passed": None, "cost_usd": 0},
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "item_id": "c", "config_id": "base", "passed": "maybe", "cost_usd": 1},
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "item_id": "d", "config_id": "base", "passed": False, "cost_usd": -1},
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "config_id": "base", "passed": False, "cost_usd": 1},
    {"evaluated_on": "soon", "eval_set_id": "s", "item_id": "e", "config_id": "base", "cost_usd": 1},
    {"evaluated_on": "2026-09-01", "eval_set_id": "s", "item_id": "f", "config_id": "base", "trial": -2, "cost_usd": 1},
]  # fmt: skip


def _lines(records: list[dict]) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in records)


def test_records_and_rejects_of_json_lines():
    batch = read_results("run.jsonl", _lines(RECORDS) + b"[1]\n\n{broken\n")
    assert batch.records.select("item_id", "trial", "passed", "cost_usd", "tokens").rows() == [
        ("a", 1, True, "0.1234567890123456", 12), ("b", 1, None, "0", None),
    ]  # fmt: skip
    assert sorted((r.ordinal, r.reason, r.field) for r in batch.rejects) == [
        (2, "unknown_value", "passed"), (3, "unknown_value", "cost_usd"), (4, "missing_value", "item_id"),
        (5, "unreadable_time", "evaluated_on"), (6, "not_a_number", "trial"), (7, "malformed", None), (8, "malformed", None),
    ]  # fmt: skip
    assert "CANARY" not in batch.records.write_csv() and batch.days == [dt.date(2026, 9, 1)]


def test_csv_and_json_lines_are_the_same_records():
    rows = evaluations.results(*evaluations.RUNS[1])[:50]
    money = pl.col("cost_usd").cast(pl.Decimal(38, 14))
    frames = [read_results(name, text).records.drop("file_name").with_columns(money) for name, text in (
        ("run.csv", evaluations._csv(rows).encode()), ("run.jsonl", _lines([evaluations._typed(r) for r in rows])),
    )]  # fmt: skip
    assert frames[0].equals(frames[1]) and frames[0].height == 50


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"item_id": "a"}\n'])
def test_a_file_without_the_columns_is_refused(content):
    with pytest.raises(ContractBroken):
        read_results("run.jsonl", content)


def test_what_the_company_dropped_is_landed(tmp_path):
    evaluations.deliver(SimpleNamespace(clock=calendar.AS_OF), tmp_path / "focus", None)
    location = evaluations.environment(tmp_path / "focus", None)["AISL_EVALUATIONS_LOCATION"]
    config = SourceConfig("evaluations", options={"location": location})
    connector = CONNECTORS["evaluations__results"]
    landed = pl.concat([batch.records for _, batch in connector.fetch(None, config, connector.find(config, []))])
    passed = dict(landed.group_by("config_id").agg(pl.col("passed").sum()).iter_rows())
    assert passed == {config_id: passes for config_id, passes, _, _ in evaluations.RUNS}
    assert landed.select("eval_set_id", "item_id", "config_id", "trial").is_unique().all()
