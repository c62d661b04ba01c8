"""OpenAI's usage kinds beside tokens: one mechanism, each kind with its own path, dimensions and measures."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from sandbox_vendor import land, plug, world

from ingestion.catalog.openai import USAGE_KINDS
from ingestion.errors import ContractBroken
from sandbox.vendors import openai

NOW = dt.datetime(2026, 10, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 9, 1)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(49)]
KINDS = (
    "moderations", "images", "audio_speeches", "audio_transcriptions", "vector_stores", "code_interpreter_sessions",
    "file_search_calls", "web_search_calls",
)  # fmt: skip


def at(*faults):
    return world(DAYS, NOW, *faults)


def test_with_completions_and_embeddings_these_are_the_ten_kinds():
    assert tuple(USAGE_KINDS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_read_over_its_pages_by_all_its_dimensions(vendor, lake, kind):
    now = at()
    config = plug(vendor, openai, now, "openai")
    dataset = USAGE_KINDS[kind]
    report, landed = land(dataset.key, config, lake, now, FIRST)
    # 49 days in ranges of 31; use begins on the seventh day, two lines a day
    assert (report.windows, report.rejects, report.rows, len(vendor.asked)) == (49, 0, 86, 2)
    assert tuple(vendor.asked[0].all("group_by[]")) == dataset.identity
    assert {a.path for a in vendor.asked} == {f"/v1/organization/usage/{kind}"}
    _, _, measures = openai._OTHER_KINDS[kind]
    for measure, most in measures.items():
        assert landed[measure].min() >= most // 3 > 0
    for dimension in set(dataset.identity) - {"user_id"}:
        assert landed[dimension].null_count() == 0
    assert landed["start_time"].dt.date().min() == dt.date(2026, 9, 7)


def test_names_of_results_are_not_the_words_of_the_path(vendor):
    plug(vendor, openai, at(), "openai")
    words = {kind: word for kind, (word, _, _) in openai._OTHER_KINDS.items() if word != kind}
    assert words == {"file_search_calls": "file_searches", "web_search_calls": "web_searches"}


@pytest.mark.parametrize(
    ("result", "reason", "field"),
    [
        ({"images": None}, "missing_field", "images"),
        ({"images": "12"}, "wrong_type", "images"),
        ({"images": -1}, "wrong_type", "images"),
        ({"model": 5}, "wrong_type", "model"),
    ],
)
def test_a_result_without_the_measure_of_its_kind_is_rejected_alone(vendor, lake, result, reason, field):
    config = plug(vendor, openai, at(), "openai")
    del vendor.reply
    start = int(dt.datetime(2026, 10, 19, tzinfo=dt.UTC).timestamp())
    good = {"images": 2, "num_model_requests": 1, "model": "gpt-image-1", "news": {}}
    bucket = {"start_time": start, "end_time": start + 86_400, "results": [good, good | {"model": "other"} | result]}
    vendor.routes["/v1/organization/usage/images"] = {"data": [bucket], "has_more": False}
    report, landed = land("openai__usage_images", config, lake, at(), dt.date(2026, 10, 19))
    (reject,) = (lake.root / "rejects/openai/usage_images").glob("*.parquet")
    assert (report.rows, landed["images"].to_list()) == (1, [2])
    assert pl.read_parquet(reject).select("reason", "field").rows() == [(reason, field)]


def test_a_page_that_came_twice_is_caught(vendor, lake):
    now = at({"kind": "doubled_page", "vendor": "openai"})
    config = plug(vendor, openai, now, "openai")
    with pytest.raises(ContractBroken, match="repeats the records"):
        land("openai__usage_moderations", config, lake, now, FIRST)
