"""OpenRouter from raw rows to booked charges: the account's activity to the digit, own-key inference beside it."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal
LINE = {"model_permaslug": "anthropic/claude-4.5-sonnet-20250929", "endpoint_id": "e1", "provider_name": "Anthropic"}


def line(day, usage, own="0", key=None, model="anthropic/claude-sonnet-4.5", **fields):
    row = {
        "activity_date": day, "model": model, "usage_usd": usage, "byok_usage_inference_usd": own, "requests": 2,
        "prompt_tokens": 100, "completion_tokens": 10, "reasoning_tokens": 4, "cached_tokens": 60, **LINE, **fields,
    }  # fmt: skip
    return row | ({"api_key_hash": key} if key else {})


FRAMES = {
    "openrouter__activity": [
        line("2026-11-18", "0.8400000000000001", prompt_tokens=300, completion_tokens=30, cached_tokens=180),
        line("2026-11-18", "0.05", "1.000000000000000123", model="openai/gpt-5-mini", provider_name="OpenAI"),
        line("2026-11-18", "0", model="meta-llama/llama-3.3-70b-instruct:free", cached_tokens=101),
        line("2026-11-19", "2"),
    ],
    "openrouter__activity_by_key": [
        line("2026-11-18", "0.5", key="k1"),
        line("2026-11-18", "0.3000000000000000001", key="k2"),
        line("2026-11-18", "0.05", "1.000000000000000123", "k2", model="openai/gpt-5-mini", provider_name="OpenAI"),
        line("2026-11-18", "0", key="k1", model="meta-llama/llama-3.3-70b-instruct:free", cached_tokens=101),
        line("2026-11-19", "2", key="k1"),
    ],
    "openrouter__keys": [{"hash": "k1", "name": "one", "workspace_id": "w1"}, {"hash": "k2", "name": "two"}],
    "openrouter__credits": [
        {"total_credits_usd": "50", "total_usage_usd": "10.5", "raw_window": "2026-11-18"},
        {"total_credits_usd": "50", "total_usage_usd": "12.9", "raw_window": "2026-11-20"},
    ],
}
CONTROL = "openrouter_activity_agrees_with_credits"


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows booked, and the status of every test."""
    path = tmp_path_factory.mktemp("openrouter") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES)
    warehouse.build("+int_booked_charge", full_refresh=True)
    result = warehouse.build("path:models/staging/openrouter", CONTROL, tests=True)
    return warehouse, statuses(result)


def test_the_account_s_usage_is_booked_to_the_digit_and_what_no_key_explains_has_none(built):
    warehouse, _ = built
    found = warehouse.rows(
        "select charge_date::varchar as day, x_ModelId as model, x_CredentialId as key, BilledCost, x_BilledCostRemainder as rest,"
        " ConsumedQuantity as tokens from focus.int_booked_charge where x_SourceId = 'openrouter' order by 1, 2, 3"
    )
    assert [tuple(r.values()) for r in found] == [
        ("2026-11-18", "claude-sonnet-4-5", "k1", D("0.5"), 0, 110),
        ("2026-11-18", "claude-sonnet-4-5", "k2", D("0.3"), D("1e-19"), 110),
        ("2026-11-18", "claude-sonnet-4-5", None, D("0.04"), D("9.99e-17"), 110),
        ("2026-11-18", "gpt-5-mini", "k2", D("0.05"), 0, 110),
        ("2026-11-18", "llama3-3-70b-instruct", "k1", 0, 0, 110),
        ("2026-11-19", "claude-sonnet-4-5", "k1", 2, 0, 110),
    ]
    assert sum(r["BilledCost"] + r["rest"] for r in found) == D("2.8900000000000001")


def test_inference_on_an_own_key_is_an_estimate_and_never_a_charge(built):
    warehouse, _ = built
    (own,) = warehouse.rows(
        "select billed_cost + billed_cost_remainder as cost, credential_id, model_name, quantity"
        " from staging.stg_openrouter__activity_charges where cost_basis = 'estimated'"
    )
    assert tuple(own.values()) == (D("1.000000000000000123"), "k2", "openai/gpt-5-mini", None)


def test_more_cached_than_prompt_tokens_are_cut_and_reported(built):
    warehouse, found = built
    (free,) = warehouse.rows(
        "select tokens_input_uncached, tokens_cache_read, tokens_output, tokens_output_reasoning"
        " from staging.stg_openrouter__activity where model like '%:free'"
    )
    assert tuple(free.values()) == (0, 100, 10, 4)
    assert found["stg_openrouter__activity_cached_tokens_are_part_of_the_prompt"] == "warn"
    assert {name: status for name, status in found.items() if status not in ("pass", "success")} == {
        "stg_openrouter__activity_cached_tokens_are_part_of_the_prompt": "warn",
        "stg_openrouter__activity_by_key_cached_tokens_are_part_of_the_prompt": "warn",
    }


@pytest.mark.parametrize(
    ("credits", "status"),
    [
        ([("2026-11-20", "2.89")], "pass"),
        # dollars landed as cents make usage a hundredth of what activity says
        ([("2026-11-20", "0.0289")], "fail"),
        # a page that is missing from activity: usage grew by more than all the days it may cover
        ([("2026-11-18", "10.5"), ("2026-11-19", "289")], "fail"),
        # a page that came twice: the whole day between two snapshots cost more than usage grew
        ([("2026-11-18", "10.5"), ("2026-11-20", "11.5")], "fail"),
    ],
)
def test_credits_hold_activity_between_two_bounds(built, credits, status):
    warehouse, _ = built
    frames = FRAMES | {"openrouter__credits": [{"total_usage_usd": usage, "raw_window": day} for day, usage in credits]}
    warehouse.land(frames)
    result = warehouse.build(CONTROL, tests=True)
    assert statuses(result)[CONTROL] == status


def test_keys_that_sum_to_more_than_the_account_are_caught(built):
    warehouse, _ = built
    doubled = FRAMES["openrouter__activity_by_key"] + [line("2026-11-19", "2", key="k2")]
    warehouse.land(FRAMES | {"openrouter__activity_by_key": doubled})
    result = warehouse.build("path:models/staging/openrouter", tests=True)
    assert statuses(result)["openrouter_keys_explain_no_more_than_the_account"] == "fail"
    (total,) = warehouse.rows(
        "select sum(billed_cost + billed_cost_remainder) as cost from staging.stg_openrouter__activity_charges where cost_basis = 'billed'"
    )
    assert total["cost"] == D("2.8900000000000001")
