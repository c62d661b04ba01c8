"""Money in another unit than the contract says, vendor by vendor: from the sandbox's spoiled answers through connector, lake and
models to the test that notices. Two warehouses: one of honest answers, where each test passes, one where every vendor is wrong.

Traps with a test elsewhere: Anthropic's cents as dollars and its cached tokens counted twice (tests/pipeline/test_gates.py),
thousands and millions of tokens (test_aws, test_azure, test_gcp), micro-dollars of Claude Code and milliseconds for nanoseconds
(tests/unit/ingestion: test_claude_code_otel, test_otel), cached tokens inside or beside the input and reasoning inside or
beside the output (test_gateway_logs, test_requests, test_agent_logs).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingestion.client import Client
from ingestion.connectors import CONNECTORS
from ingestion.run import ingest
from ingestion.source import SourceConfig
from orchestration import warehouse
from orchestration.resources import lake_of
from orchestration.settings import Settings, load_settings
from sandbox.server import serving
from tests.dbt.conftest import Project, Warehouse, invoke, release, statuses

# Each trap: what the vendor (or a part of it) gets wrong, and the test that notices.
GATE = "source_days_outside_band"
TRAPS: dict[str, tuple[dict[str, Any], str]] = {
    "openai: cents for dollars": ({"kind": "cents_as_dollars", "vendor": "openai"}, GATE),
    "openrouter: cents for dollars": (
        {"kind": "wrong_unit", "vendor": "openrouter"}, "openrouter_activity_agrees_with_credits"),
    "xai: cents for dollars": ({"kind": "wrong_unit", "vendor": "xai"}, "xai_usage_agrees_with_the_invoice_preview"),
    "cursor: dollars for cents": (
        {"kind": "wrong_unit", "vendor": "cursor"}, "cursor_events_agree_with_the_spend_of_the_cycle"),
    "copilot: cents for dollars": (
        {"kind": "wrong_unit", "vendor": "copilot", "path": "ai_credit"}, "copilot_lists_agree_on_credits_and_requests"),
    "huggingface: nano-dollars for micro-dollars": (
        {"kind": "wrong_unit", "vendor": "huggingface"},
        "huggingface_jobs_cost_between_a_hundredth_of_a_cent_and_ten_dollars_a_minute"),
    "langfuse: cents for dollars": (
        {"kind": "wrong_unit", "vendor": "langfuse"}, "stg_langfuse__observations_requests_cost_is_near_the_list_price"),
    "helicone: nano-dollars for dollars": (
        {"kind": "wrong_unit", "vendor": "helicone"}, "stg_helicone__requests_requests_cost_is_near_the_list_price"),
    "portkey: dollars for cents": (
        {"kind": "wrong_unit", "vendor": "portkey"}, "stg_portkey__logs_requests_cost_is_near_the_list_price"),
}  # fmt: skip
VENDORS = {fault["vendor"] for fault, _ in TRAPS.values()}
MODELS = ("+int_booked_charge", "+focus_cost_and_usage", "+focus_billed_vs_rated")

def _land(settings: Settings, sources: set[str]) -> None:
    for account in settings.accounts:
        for key, connector in CONNECTORS.items():
            if connector.dataset.source == account.source and account.source in sources:
                ingest(key, account, lake_of(settings), start_date=settings.start_date, as_of=settings.as_of, run_id="trap")


def _verdicts(
    folder: Path, faults: list[dict[str, Any]], seeded_file: Path, project: Project
) -> dict[str, str]:
    """The verdict of each trap's test after the vendors were asked and the models of the focus stage were run."""
    with serving(folder / "state", days=24, scale=0.1, only=VENDORS, faults=faults) as (sandbox, port):
        settings = load_settings({**sandbox.environment(port), "AISL_HOME": str(folder / "home")})
        _land(settings, VENDORS | {"prices"})
    settings.warehouse_path.parent.mkdir(parents=True)
    shutil.copy(seeded_file, settings.warehouse_path)
    built = Warehouse(settings.warehouse_path, project)
    with built.connect() as connection:
        connection.execute("drop schema raw cascade")
    release(built.path)
    columns = built.contract("focus_cost_and_usage")
    warehouse.prepare(settings, lake_of(settings), frozen_columns=columns, fingerprint="", run_id="trap", full=True)
    built.build(*MODELS, full_refresh=True)
    outcome = invoke(["test", "--select", *(test for _, test in TRAPS.values())], built.path, project.parsed)
    [outside] = built.rows("select count(*) as days from focus.focus_billed_vs_rated where state = 'outside band'")
    return {GATE: "fail" if outside["days"] else "pass"} | {r.node.name: str(r.status) for r in outcome.result.results}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, seeded_file: Path, project: Project) -> dict[str, str]:
    return _verdicts(tmp_path_factory.mktemp("honest"), [], seeded_file, project)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, seeded_file: Path, project: Project) -> dict[str, str]:
    faults = [fault for fault, _ in TRAPS.values()]
    return _verdicts(tmp_path_factory.mktemp("wrong"), faults, seeded_file, project)


@pytest.mark.parametrize("trap", TRAPS)
def test_a_wrong_unit_stops_the_run_and_the_right_one_does_not(
    trap: str, honest: dict[str, str], wrong: dict[str, str]
) -> None:
    _, test = TRAPS[trap]
    assert (honest[test], wrong[test]) == ("pass", "fail")


@pytest.mark.parametrize(("per_dollar", "cost", "verdict"), [(10**10, "0.0125", "pass"), (10**12, "1.25", "fail"), (1, None, "fail")])
def test_ticks_of_an_answer_are_ten_billion_to_the_dollar(
    per_dollar: int, cost: str | None, verdict: str, tmp_path: Path, raw_warehouse: Callable[..., Warehouse]
) -> None:
    """xAI states the cost of each answer in ticks. 5,000 prompt tokens at 2 USD and 250 output tokens at 10 USD a million."""
    usage = {"prompt_tokens": 5_000, "completion_tokens": 250, "total_tokens": 5_250}
    usage["cost_in_usd_ticks"] = int(Decimal("0.0125") * per_dollar) or 1
    answer = {"timestamp": "2026-11-18T09:00:00Z", "response": {"id": "r1", "model": "grok-4", "usage": usage}}
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "a.jsonl").write_text(json.dumps(answer))
    config = SourceConfig("agent_logs", options={"location": str(tmp_path)})
    connector = CONNECTORS["agent_logs__answers"]
    assert connector.find is not None
    [(_, batch)] = connector.fetch(Client(""), config, connector.find(config, []))
    if cost is not None:
        assert batch.control_total == Decimal(cost)
    prices = [
        {"provider_id": "x-ai", "model_id": "grok-4", "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
         "price_usd_per_million": price}
        for meter, price in (("input", "2"), ("output", "10"))
    ]  # fmt: skip
    rows = [{k: v for k, v in row.items() if v is not None} | {"file_name": "2026-11-18"} for row in batch.records.to_dicts()]
    warehouse = raw_warehouse({"agent_logs__answers": rows, "prices__genai_prices": prices})
    built = statuses(warehouse.build("stg_agent_logs__requests", "int_price", "stg_prices__genai_prices", tests=True))
    assert built["stg_agent_logs__requests_cost_is_near_the_list_price"] == verdict
