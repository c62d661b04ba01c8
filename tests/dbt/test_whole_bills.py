"""A bill of which a part was not booked, or could not be read, stops the run."""

from __future__ import annotations

import pytest

from tests.dbt.conftest import statuses

DAY = "2026-11-18"
FRAMES = {
    "xai__usage": [{"bucket_start": f"{DAY} 00:00:00+00", "api_key_id": "k", "description": "grok-4 input", "usage_usd": "1.42"}],
    "openrouter__activity": [
        {"activity_date": DAY, "model": "m", "model_permaslug": "m", "endpoint_id": "e", "provider_name": "p", "usage_usd": "2.5",
         "byok_usage_inference_usd": "0", "prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 0}
    ],
    "mistral__usage": [
        {"period_start": "2026-11-01", "currency": "EUR", "category": "chat", "model": "m", "direction": "input",
         "entry_path": "chat.m.input.0", "amount": "7.25", "raw_window": "2026-11"}
    ],
}  # fmt: skip
SCOPE = [("xai", "main", DAY), ("openrouter", "main", DAY), ("mistral", "main", "2026-11-01")]


def test_every_dollar_of_a_bill_that_is_one_list_is_booked(raw_warehouse):
    warehouse = raw_warehouse(FRAMES, scope=SCOPE)
    warehouse.build("+int_booked_charge", full_refresh=True)
    test = "delivered_money_is_booked"

    def verdict() -> str:
        return statuses(warehouse.build(test, tests=True))[test]

    assert verdict() == "pass"
    for source, *_ in SCOPE:
        for change in ("+", "-"):
            with warehouse.connect() as connection:
                sql = f"update focus.int_booked_charge set BilledCost = BilledCost {change} 0.00000000000001 where x_SourceId = ?"
                assert connection.execute(sql, [source]).fetchall() == [(1,)]
            assert verdict() == ("fail" if change == "+" else "pass"), source


@pytest.mark.parametrize(
    ("key", "row", "verdicts"),
    [
        ("xai__usage", {"usage_usd": "1e-30"}, ("fail", "pass")),
        ("openrouter__activity", {"usage_usd": "a lot"}, ("fail", "pass")),
        ("copilot__billing_usage", {"net_usd": None, "discount_usd": "0", "usage_date": DAY}, ("fail", "pass")),
        ("cursor__usage_events", {"charged_cents": "1e30"}, ("fail", "pass")),
        ("huggingface__usage", {"used_nano_usd": "1.5.2", "usage_date": DAY}, ("fail", "pass")),
        ("litellm__spend_logs", {"spend_usd": "a lot"}, ("pass", "warn")),
    ],
)
def test_an_amount_that_cannot_be_read_stops_the_run_and_an_estimate_does_not(raw_warehouse, key, row, verdicts):
    warehouse = raw_warehouse({key: [row]}, scope=[])
    found = statuses(warehouse.build("stg_rejected_values", tests=True))
    assert (found["stg_rejected_values_billed_amounts"], found["stg_rejected_values_other_numbers"]) == verdicts
