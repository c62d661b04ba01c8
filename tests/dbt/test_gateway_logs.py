"""Gateways and request logs: raw rows to model requests, disjoint classes to the token, and wrong units that do not pass."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dbt.conftest import statuses

PRICES = [
    {"provider_id": provider, "model_id": model, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
     "price_usd_per_million": price}
    for provider, model, prices in (
        ("openai", "gpt-5", ("1.25", "0.125", "10")), ("anthropic", "claude-haiku-4-5", ("1", "0.1", "5")),
    )
    for meter, price in zip(("input", "cache_read", "output"), prices, strict=True)
]  # fmt: skip
CLASSES = (
    "tokens_input_uncached", "tokens_cache_read", "tokens_cache_write_5m", "tokens_cache_write_1h",
    "tokens_cache_write_unspecified", "tokens_output", "tokens_output_reasoning", "vendor_total_tokens",
)  # fmt: skip


def classes(warehouse, model):
    """Disjoint classes and the vendor's total by request id."""
    found = warehouse.rows(f"select request_id, {', '.join(CLASSES)} from staging.{model}")
    return {row["request_id"]: tuple(row[c] for c in CLASSES) for row in found}


def observation(name, **values):
    return {
        "id": name, "model": "gpt-5", "level": "DEFAULT", "environment": "default", "input_means": "exclusive",
        "start_time": "2026-11-18T09:00:00+00", "user_id": "Ada@acme.example", **values,
    }  # fmt: skip


def test_langfuse_input_is_told_by_the_total(raw_warehouse):
    parts = {"cache_read_tokens": 600, "reasoning_tokens": 30}
    rows = [
        observation("side_by_side", input_tokens=400, output_tokens=70, total_tokens=1100, **parts),
        observation("all_inside", input_tokens=1000, output_tokens=100, total_tokens=1100, **parts),
        observation("input_inside", input_tokens=1000, output_tokens=70, total_tokens=1100, **parts),
        observation("output_inside", input_tokens=400, output_tokens=100, total_tokens=1100, **parts),
        observation("no_total", input_tokens=400, output_tokens=70, **parts),
        observation("no_total_set", input_tokens=1000, output_tokens=100, input_means="inclusive", **parts),
        # the vendor added every key up, although the instrumentation counts cached input inside
        observation("made_up_total", input_tokens=1000, output_tokens=100, total_tokens=1730, input_means="inclusive", **parts),
        observation("too_small_to_hold_its_parts", input_tokens=400, output_tokens=20, input_means="inclusive", **parts),
        observation("audio", input_tokens=400, other_input_tokens=50, output_tokens=10, total_tokens=460),
        observation("unknown_key", input_tokens=400, output_tokens=10, unknown_tokens=3, total_tokens=413),
        observation("written", input_tokens=5, cache_write_tokens=7, cache_write_5m_tokens=8, cache_write_1h_tokens=9, total_tokens=29),
        observation("failed", level="ERROR"),
    ]
    warehouse = raw_warehouse({"langfuse__observations": rows})
    built = statuses(warehouse.build("stg_langfuse__observations+1", "int_price", "stg_prices__genai_prices", tests=True))
    assert set(built.values()) <= {"success", "pass"}, built
    found = classes(warehouse, "stg_langfuse__observations_requests")
    whole = (400, 600, 0, 0, 0, 100, 30)
    for name in ("side_by_side", "all_inside", "input_inside", "output_inside"):
        assert found[name] == (*whole, 1100), name
    for name in ("no_total", "no_total_set", "made_up_total"):
        assert found[name] == (*whole, None), name
    assert found["too_small_to_hold_its_parts"] == (400, 600, 0, 0, 0, 50, 30, None)
    assert found["audio"] == (450, 0, 0, 0, 0, 10, None, 460)
    assert found["unknown_key"] == (400, 0, 0, 0, 0, 10, None, None)
    assert found["written"] == (5, 0, 8, 9, 7, 0, None, 29)
    (failed,) = warehouse.rows("select * from staging.stg_langfuse__observations_requests where request_id = 'failed'")
    assert (failed["status"], failed["user_email"], failed["tag_environment"], failed["provider_name"]) == ("failure", "ada@acme.example", None, "openai")


@pytest.mark.parametrize(("cost", "verdict"), [("0.00155", "pass"), ("0.155", "fail"), ("1550000", "fail"), ("0.0000155", "fail")])
def test_a_cost_in_cents_or_nano_dollars_is_far_from_the_list_price(raw_warehouse, cost, verdict):
    rows = [
        observation(f"o{n}", input_tokens=400, cache_read_tokens=400, output_tokens=100, total_tokens=900, total_cost_usd=cost)
        for n in range(20)
    ]
    warehouse = raw_warehouse({"langfuse__observations": rows, "prices__genai_prices": PRICES})
    built = statuses(warehouse.build("stg_langfuse__observations+1", "int_price", "stg_prices__genai_prices", tests=True))
    assert built["stg_langfuse__observations_requests_cost_is_near_the_list_price"] == verdict


def helicone(name, **values):
    return {
        "request_id": name, "provider": "ANTHROPIC", "model": "claude-haiku-4-5-20251001", "response_status": 200, "cost_unit": "usd",
        "request_created_at": "2026-11-18T09:00:00+00", "is_cached_answer": False, **values,
    }  # fmt: skip


def test_helicone_total_leaves_cached_tokens_out_and_tells_where_reasoning_is(raw_warehouse):
    parts = {"prompt_tokens": 400, "cache_read_tokens": 600, "cache_write_tokens": 50}
    rows = [
        helicone("reasoning_outside", completion_tokens=70, reasoning_tokens=30, total_tokens=500, **parts),
        helicone("reasoning_inside", completion_tokens=100, reasoning_tokens=30, total_tokens=500, **parts),
        helicone("no_total", completion_tokens=70, reasoning_tokens=30, **parts),
        helicone("cached", completion_tokens=100, total_tokens=500, cost="0.5", **parts | {"is_cached_answer": True}),
        helicone("failed", response_status=529),
        helicone("nano", cost="1550000", **parts | {"cost_unit": "nano_usd"}),
        helicone("dollars", cost="0.00155"),
    ]
    warehouse = raw_warehouse({"helicone__requests": rows})
    built = statuses(warehouse.build("stg_helicone__requests+1", "int_price", "stg_prices__genai_prices", tests=True))
    assert set(built.values()) <= {"success", "pass"}, built
    found = classes(warehouse, "stg_helicone__requests_requests")
    assert found["reasoning_outside"] == found["reasoning_inside"] == (400, 600, 0, 0, 50, 100, 30, 1150)
    assert found["no_total"] == (400, 600, 0, 0, 50, 100, 30, None)
    assert found["cached"] == (0, 0, 0, 0, 0, 0, 0, None)
    costs = warehouse.rows("select request_id, cost_usd, status from staging.stg_helicone__requests_requests where cost_usd is not null")
    assert {r["request_id"]: str(r["cost_usd"].normalize()) for r in costs} == {"cached": "0", "nano": "0.00155", "dollars": "0.00155"}
    assert found["failed"][:6] == (0,) * 6


@pytest.mark.parametrize(("unit", "cost", "verdict"), [
    ("usd", "0.0009", "pass"), ("usd", "900000", "fail"), ("nano_usd", "900000", "pass"), ("nano_usd", "0.0009", "fail"),
])  # fmt: skip
def test_helicone_cost_of_the_raw_table_read_as_dollars_is_caught(raw_warehouse, unit, cost, verdict):
    rows = [
        helicone(f"h{n}", prompt_tokens=400, completion_tokens=100, total_tokens=500, cost=cost, cost_unit=unit) for n in range(20)
    ]
    warehouse = raw_warehouse({"helicone__requests": rows, "prices__genai_prices": PRICES})
    built = statuses(warehouse.build("stg_helicone__requests+1", "int_price", "stg_prices__genai_prices", tests=True))
    assert built["stg_helicone__requests_requests_cost_is_near_the_list_price"] == verdict


def portkey(name, **values):
    return {
        "id": name, "ai_org": "anthropic", "ai_model": "claude-haiku-4-5", "is_success": True, "cost_unit": "cents", "cost_currency": "USD",
        "created_at": "2026-11-18T09:00:00+00", "request_tokens": 400, "response_tokens": 100, "total_tokens": 500, **values,
    }  # fmt: skip


@pytest.mark.parametrize(("unit", "cost", "verdict", "dollars"), [
    ("cents", "0.09", "pass", "0.0009"), ("usd", "0.09", "fail", "0.09"), ("cents", "0.0009", "fail", "0.000009"),
    ("usd", "0.0009", "pass", "0.0009"),
])  # fmt: skip
def test_portkey_cost_in_the_unit_of_the_setting_is_held_against_the_list_price(raw_warehouse, unit, cost, verdict, dollars):
    rows = [portkey(f"p{n}", cost=cost, cost_unit=unit) for n in range(20)]
    warehouse = raw_warehouse({"portkey__logs": rows, "prices__genai_prices": PRICES})
    built = statuses(warehouse.build("stg_portkey__logs+1", "int_price", "stg_prices__genai_prices", tests=True))
    assert built["stg_portkey__logs_requests_cost_is_near_the_list_price"] == verdict
    assert set(built.values()) <= {"success", "pass", verdict}
    (total,) = warehouse.rows("select sum(cost_usd) as usd from staging.stg_portkey__logs_requests")
    assert total["usd"] == 20 * Decimal(dollars)
    assert classes(warehouse, "stg_portkey__logs_requests")["p0"] == (400, 0, 0, 0, 0, 100, None, 500)


def test_bedrock_logs_counts_are_disjoint_and_failed_calls_have_none(raw_warehouse):
    common = {"account_id": "1", "region": "us-east-1", "model": "amazon.nova-lite-v1:0", "invoked_at": "2026-11-18T09:00:00+00",
              "session_name": "Ada@acme.example", "role_arn": "arn:aws:iam::1:role/r"}  # fmt: skip
    rows = [
        common | {"request_id": "a", "input_tokens": 4, "cache_read_tokens": 600, "cache_write_tokens": 50, "output_tokens": 100},
        common | {"request_id": "b", "error_code": "ThrottlingException"},
    ]
    warehouse = raw_warehouse({"bedrock_logs__invocations": rows})
    built = statuses(warehouse.build("stg_bedrock_logs__invocations+1", tests=True))
    assert set(built.values()) <= {"success", "pass"}, built
    found = warehouse.rows("select * from staging.stg_bedrock_logs__invocations_requests order by request_id")
    assert classes(warehouse, "stg_bedrock_logs__invocations_requests") == {
        "a": (4, 600, 0, 0, 50, 100, None, None), "b": (0, 0, 0, 0, 0, 0, None, None),
    }  # fmt: skip
    assert [(r["status"], r["provider_response_id"], r["user_email"], r["key_hash"], r["cost_usd"]) for r in found] == [
        ("success", "a", "ada@acme.example", "arn:aws:iam::1:role/r", None),
        ("failure", "b", "ada@acme.example", "arn:aws:iam::1:role/r", None),
    ]


def test_azure_calls_are_counted_once_and_joined_to_who_called(raw_warehouse):
    def counted(name, number, file_name="one", **tokens):
        return {"correlation_id": name, "sequence_number": number, "model_name": "gpt-5", "provider": "azure", "file_name": file_name,
                "time_generated": "2026-11-18T09:00:00+00", **tokens}  # fmt: skip

    def ended(name, code):
        return {"correlation_id": name, "subscription_id": "sub", "user_id": "Ada@acme.example", "response_code": code,
                "time_generated": "2026-11-18T09:00:01+00", "file_name": "two"}  # fmt: skip

    whole = {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}
    warehouse = raw_warehouse({
        "azure_llm_logs__llm_log": [
            counted("a", 2, **whole), counted("a", 1, prompt_tokens=400, completion_tokens=0, total_tokens=400),
            counted("a", 2, "exported again", **whole), counted("b", 0, total_tokens=30, prompt_tokens=20), counted("c", 0, **whole),
        ],
        "azure_llm_logs__gateway_log": [ended("a", 200), ended("a", 200), ended("b", 500), ended("elsewhere", 200)],
    }, scope=[("azure_llm_logs", "main", "2026-11-18")])  # fmt: skip
    built = statuses(warehouse.build("+stg_azure_llm_logs__llm_log_requests", tests=True))
    assert set(built.values()) <= {"success", "pass"}, built
    assert classes(warehouse, "stg_azure_llm_logs__llm_log_requests") == {
        "a": (400, 0, 0, 0, 0, 100, None, 500), "b": (20, 0, 0, 0, 0, 10, None, 30), "c": (400, 0, 0, 0, 0, 100, None, 500),
    }  # fmt: skip
    found = warehouse.rows("select * from staging.stg_azure_llm_logs__llm_log_requests order by request_id")
    assert [(r["status"], r["key_hash"], r["user_email"]) for r in found] == [
        ("success", "sub", "ada@acme.example"), ("failure", "sub", "ada@acme.example"), ("success", None, None),
    ]  # fmt: skip
