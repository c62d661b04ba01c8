"""One request schema over all gateways and logs: the same request seen twice is one, and its token classes add up."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses
from tests.dbt.ledger_rows import COMPANY, DAY, MODEL, PRICES, PROJECTS, call

SOURCES = ("litellm", "otel", "claude_code_otel", "agent_logs")

SPAN = {
    "scope_name": "opentelemetry.instrumentation.anthropic", "service_name": "helpdesk", "operation": "chat", "provider": "anthropic",
    "model": MODEL, "status": "success", "is_cache_inside_input": True,
}  # fmt: skip
ANSWER = {"agent": "claude_code", "provider": "anthropic", "model": MODEL, "line_count": 3}
EVENT = {"model": MODEL, "billed_as": "subscription", "user_email": "ann@example.com"}


def span(span_id, output, response_id=None, day=DAY, **columns):
    """A span of `output` output tokens at nine in the morning."""
    return {
        **SPAN, "trace_id": "t1", "span_id": span_id, "response_id": response_id, "output_tokens": output, "input_tokens": 0,
        "started_at": f"{day} 09:00:00+00", "ended_at": f"{day} 09:00:02+00", "raw_window": "spans.json", **columns,
    }  # fmt: skip


def answer(response_id, output, day=DAY, **columns):
    """An answer in a session log."""
    return {
        **ANSWER, "answer_id": response_id, "provider_response_id": response_id, "tokens_output": output, "user_folder": "ann@example.com",
        "ended_at": f"{day} 09:00:02+00", "raw_window": "log.jsonl",
        **dict.fromkeys(
            ("tokens_input_uncached", "tokens_cache_read", "tokens_cache_write_5m", "tokens_cache_write_1h", "tokens_cache_write_unspecified"), 0
        ), **columns,
    }  # fmt: skip


def event(request_id, output, day=DAY, **columns):
    """An api_request event of Claude Code."""
    return {
        **EVENT, "request_id": request_id, "provider_request_id": request_id, "output_tokens": output, "input_tokens": 0,
        "started_at": f"{day} 09:00:00+00", "ended_at": f"{day} 09:00:02+00", "raw_window": "events.json", **columns,
    }  # fmt: skip


def on(day, rows):
    """The rows moved to a day."""
    return [{k: v.replace(DAY, day) if isinstance(v, str) else v for k, v in row.items()} for row in rows]


# Each scene has a day of its own: requests of different days are never one.
SCENES = {
    "2026-11-03": {
        "litellm__spend_logs": [call("chatcmpl-1", 100, provider_response_id="msg_1", tag_ticket="SRCH-7"), call("chatcmpl-2", 5)],
        "otel__spans": [span("s1", 100, "msg_1"), span("s2", 7, "msg_9")],
        "agent_logs__answers": [answer("msg_1", 100, repo="acme/search", branch="pay-3", session_id="sess"), answer("msg_8", 3)],
    },
    "2026-11-04": {
        "litellm__spend_logs": [call("chatcmpl-1", 10, provider_response_id=None), call("chatcmpl-2", 20, provider_response_id="msg_2")],
        "otel__spans": [span("s1", 10, "chatcmpl-1"), span("s2", 20, "chatcmpl-2")],
    },
    "2026-11-05": {
        "claude_code_otel__api_requests": [event("req_1", 10), event("req_2", 20)],
        "agent_logs__answers": [answer("msg_1", 10, provider_request_id="req_1", branch="srch-7")],
    },
    "2026-11-06": {
        "agent_logs__answers": [
            answer("a1", 10, provider_response_id=None),
            answer("a1", 10, provider_response_id="msg_1", raw_window="copy.jsonl"),
        ],
        "otel__spans": [span("s1", 10, "msg_1")],
    },
    "2026-11-07": {
        "litellm__spend_logs": [
            call("a", 0, provider_response_id="msg_1", tag_ticket="PAY-3"),
            call("b", 9, provider_response_id="msg_2", status="failure"),
        ],
        "otel__spans": [span("s1", 40, "msg_1"), span("s2", 50, "msg_2")],
    },
    "2026-11-08": {
        "litellm__spend_logs": [
            call("a", 10, provider_response_id="msg_1"),
            call("a_cache_hit", 10, provider_response_id="msg_1", is_gateway_cache_hit=True),
        ],
    },
    "2026-11-09": {
        "litellm__spend_logs": [call(f"c{i}", i + 1, provider_response_id=f"msg_{i}") for i in range(12)],
        "otel__spans": [span(f"s{i}", i + 1, f"msg_{i}") for i in range(4, 16)],
        "agent_logs__answers": [answer(f"msg_{i}", i + 1, provider_request_id=f"req_{i}") for i in range(8, 20)],
        "claude_code_otel__api_requests": [event(f"req_{i}", i + 1) for i in range(10, 24)],
    },
    "2026-11-10": {
        "litellm__spend_logs": [
            call("inside", 10, prompt_tokens=100, total_tokens=110, cache_read_tokens=60, cache_creation_tokens=20)
        ],
        "otel__spans": [
            span("inside", 10, input_tokens=100, cache_read_tokens=60, cache_creation_tokens=20, stated_total_tokens=110),
            span("beside", 10, input_tokens=20, cache_read_tokens=60, cache_creation_tokens=20, is_cache_inside_input=False),
        ],
        "claude_code_otel__api_requests": [event("r", 10, input_tokens=20, cache_read_tokens=60, cache_creation_tokens=20)],
    },
    "2026-11-11": {
        "otel__spans": [
            span("agent", 30),
            span("c1", 10, "msg_1", parent_span_id="agent", raw_window="later.json"),
            span("c2", 20, "msg_2", parent_span_id="agent", raw_window="later.json"),
            span("c2", 20, "msg_2", parent_span_id="agent", raw_window="sent-again.json"),
        ]
    },
    "2026-11-12": {"agent_logs__answers": [answer("msg_1", 10)], "otel__spans": [span("s1", 20)]},
    "2026-11-13": {"litellm__spend_logs": [call("odd", 10, total_tokens=99)]},
}  # fmt: skip

@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, seeded_file, project):
    """All scenes in one warehouse, with the requests built."""
    frames = {}
    for day, scene in SCENES.items():
        for name, rows in scene.items():
            frames.setdefault(name, []).extend(on(day, rows))
    scope = [(source, "main", day) for source in SOURCES for day in SCENES]

    folder = tmp_path_factory.mktemp("requests")
    shutil.copy(seeded_file, folder / "warehouse.duckdb")
    made = Warehouse(folder / "warehouse.duckdb", project)
    made.land({"prices__genai_prices": PRICES, "jira__projects": PROJECTS, **frames}, scope=scope)
    for name in ("identities", "ownership", "gateway_deployments"):
        made.seed(name, COMPANY[name])
    made.build("+fct_token_mismatch")
    return made


def found(warehouse, day, *columns):
    """Rows of a scene, in order of their first columns."""
    sql = f"select {', '.join(columns)} from ledger.fct_model_call where charge_date = ? order by 1, 2"
    return [tuple(r.values()) for r in warehouse.rows(sql, day)]


def test_the_same_answer_seen_by_gateway_telemetry_and_agent_is_one_request(warehouse):
    assert found(warehouse, "2026-11-03", "source", "request_id", "tokens_output", "sightings", "ticket_key") == [
        ("agent_logs", "msg_8", 3, 1, None),
        ("litellm", "chatcmpl-1", 100, 3, "SRCH-7"),
        ("litellm", "chatcmpl-2", 5, 1, None),
        ("otel", "t1:s2", 7, 1, None),
    ]
    # What the gateway does not know is filled from those that do.
    [kept] = warehouse.rows(
        "select repo, branch, session_id, person_id from ledger.fct_model_call where sightings = 3 and source = 'litellm'"
        " and charge_date = '2026-11-03'"
    )
    assert kept == {"repo": "acme/search", "branch": "pay-3", "session_id": "sess", "person_id": "ann"}


def test_a_gateway_s_own_answer_id_is_the_id_its_caller_saw(warehouse):
    assert found(warehouse, "2026-11-04", "source", "request_id", "sightings") == [("litellm", "chatcmpl-1", 2), ("litellm", "chatcmpl-2", 2)]


def test_events_and_session_logs_of_one_agent_meet_in_the_provider_s_request_id(warehouse):
    assert found(warehouse, "2026-11-05", "source", "request_id", "sightings", "branch", "person_id") == [
        ("claude_code_otel", "req_1", 2, "srch-7", "ann"),
        ("claude_code_otel", "req_2", 1, None, "ann"),
    ]


def test_a_request_that_its_source_names_only_once_is_still_one(warehouse):
    assert found(warehouse, "2026-11-06", "source", "request_id", "sightings") == [("otel", "t1:s1", 3)]


def test_a_richer_source_that_saw_no_tokens_or_a_failure_does_not_win(warehouse):
    assert found(warehouse, "2026-11-07", "source", "tokens_output", "sightings", "ticket_key") == [
        ("otel", 40, 2, "PAY-3"), ("otel", 50, 2, None),
    ]  # fmt: skip


def test_an_answer_from_the_gateway_s_cache_does_not_hide_the_request_it_repeats(warehouse):
    assert found(warehouse, "2026-11-08", "request_id", "tokens_total", "sightings") == [("a", 10, 1), ("a_cache_hit", 0, 1)]


def test_every_request_has_one_row_and_every_sighting_is_counted(warehouse):
    [sums] = warehouse.rows(
        "select count(*) as requests, sum(sightings) as sightings, sum(tokens_output) as tokens from ledger.fct_model_call"
        " where charge_date = '2026-11-09'"
    )
    assert sums == {"requests": 24, "sightings": 12 + 12 + 12 + 14, "tokens": sum(range(1, 25))}


def test_the_cached_tokens_of_every_emitter_end_in_disjoint_classes(warehouse):
    classes = ("tokens_input_uncached", "tokens_cache_read", "tokens_cache_write_unspecified", "tokens_output", "tokens_total")
    assert found(warehouse, "2026-11-10", *classes) == [(20, 60, 20, 10, 110)] * 4
    assert warehouse.rows("select * from ledger.fct_token_mismatch where charge_date = '2026-11-10'") == []


def test_requests_without_a_billing_pool_are_requests_all_the_same(warehouse):
    result = warehouse.build("fct_model_call", tests=True)
    assert {k: v for k, v in statuses(result).items() if v not in ("pass", "success")} == {}
    assert found(warehouse, "2026-11-12", "source", "provider_source", "list_cost_usd") == [
        ("agent_logs", None, Decimal("0.00015")), ("otel", None, Decimal("0.0003")),
    ]  # fmt: skip


def test_one_wrong_total_is_an_exception_and_a_wrong_reading_stops(warehouse):
    mismatches = warehouse.rows("select account, calls, tokens_stated, tokens_classed from ledger.fct_token_mismatch")
    assert mismatches == [{"account": "main", "calls": 1, "tokens_stated": 99, "tokens_classed": 10}]
    name = "token_classes_add_to_the_stated_total"
    assert statuses(warehouse.build(name, tests=True))[name] == "pass"
    # The same source on another account, its cached tokens read on the wrong side of the total throughout.
    with warehouse.connect() as connection:
        connection.execute(
            "insert into ledger.fct_model_call select * replace ('second' as account, tokens_total + 5 as vendor_total_tokens)"
            " from ledger.fct_model_call where source = 'litellm' and not is_gateway_cache_hit limit 5"
        )
    assert statuses(warehouse.build(name, tests=True))[name] == "fail"
