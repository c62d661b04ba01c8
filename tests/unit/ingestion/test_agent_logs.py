"""Local agents' logs and the usage objects in them: recorded answers of every provider in full, and what logs do wrong."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from ingestion.connectors import CONNECTORS
from ingestion.gateways.usage import ProviderAnswer, TokenClasses, Usage, of_answer, of_usage
from ingestion.records import Refused
from ingestion.source import SourceConfig
from sandbox import build, calendar
from sandbox.exports import agent_logs as sandbox_logs
from sandbox.faults import Faults
from sandbox.vendors.base import World

RECORDED = Path(__file__).parents[2] / "fixtures" / "providers"
AT = "2026-10-05T09:00:00.000Z"


def classes(body):
    return of_answer(msgspec.json.decode(msgspec.json.encode(body), type=ProviderAnswer))


def read(folder, **options):
    """Batches of every log in a folder by name."""
    connector = CONNECTORS["agent_logs__answers"]
    config = SourceConfig("agent_logs", options={"location": str(folder), **options})
    return {w.locator: batch for w, batch in connector.fetch(None, config, connector.find(config, ()))}


def log(folder, *lines, name="ann@example.com/s.jsonl"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n")


def claude(message_id, output, *, request_id="req_1", **usage):
    return {
        "type": "assistant", "timestamp": AT, "sessionId": "s-1", "cwd": "/home/ann/src/search", "gitBranch": "srch-7-fix",
        "requestId": request_id, "uuid": f"{message_id}-{output}",
        "message": {"id": message_id, "model": "claude-sonnet-4-5", "content": [{"text": "CANARY"}],
                    "usage": {"input_tokens": 4, "output_tokens": output, **usage}},
    }  # fmt: skip


def codex(total, last=None, at=AT):
    info = {"total_token_usage": total, **({"last_token_usage": last} if last else {})}
    return {"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info}}


def tokens(given, cached, output, reasoning=0):
    return {"input_tokens": given, "cached_input_tokens": cached, "output_tokens": output, "reasoning_output_tokens": reasoning,
            "total_tokens": given + output}  # fmt: skip


def test_every_recorded_usage_falls_into_disjoint_classes_that_add_to_its_total():
    lines = gzip.decompress((RECORDED / "genai_prices_usages.jsonl.gz").read_bytes()).splitlines()
    sums, kinds, odd, peers = Counter(), Counter(), [], 0
    for record in map(json.loads, lines):
        found = classes(record["body"])
        assert min(found[:6]) >= 0
        sums.update({k: v or 0 for k, v in found._asdict().items()})
        kinds["stated" if found.stated is not None else "unstated"] += 1
        if found.stated not in (None, found.total):
            odd.append((found, record["body"]["model"]))
        read_by_peer = {(e["usage"].get("input_tokens", 0), e["usage"].get("output_tokens", 0)) for e in record["extracted"] if "usage" in e}
        peers += (found.total - found.output, found.output) in read_by_peer
    print(len(lines), dict(kinds), dict(sums))
    assert (len(lines), peers) == (786, 786)
    assert kinds == {"stated": 682, "unstated": 104}
    assert sums == {
        "input_uncached": 1_010_030, "cache_read": 113_732, "cache_write_5m": 1_459, "cache_write_1h": 0,
        "cache_write_unspecified": 3_277, "output": 154_731, "output_reasoning": 89_644, "stated": 565_020,
    }  # fmt: skip
    # One answer of Gemini through an OpenAI-shaped door hides its thoughts from both counts and keeps them in the total.
    assert odd == [(TokenClasses(input_uncached=35, output=12, stated=109), "gemini-2.5-pro-preview-05-06")]


def test_gemini_s_total_is_prompt_candidates_thoughts_and_tool_prompts():
    lines = gzip.decompress((RECORDED / "genai_prices_usages.jsonl.gz").read_bytes()).splitlines()
    bodies = [b for b in (json.loads(line)["body"] for line in lines) if "totalTokenCount" in b.get("usageMetadata", {})]
    assert all(classes(b).total == b["usageMetadata"]["totalTokenCount"] for b in bodies)
    thoughtful = [b["usageMetadata"] for b in bodies if b["usageMetadata"].get("thoughtsTokenCount")]
    # Reading thoughts as a part of the candidates, as other vendors mean it, would lose them.
    lost = sum(u["totalTokenCount"] - u["promptTokenCount"] - u.get("candidatesTokenCount", 0) for u in thoughtful)
    assert (len(bodies), len(thoughtful) > 150, lost > 50_000) == (227, True, True)


def test_recorded_cached_answers_are_read_inside_or_beside_as_their_provider_counts():
    rows = [json.loads(line) for line in (RECORDED / "prompt_caching_responses.jsonl").read_bytes().splitlines()]
    found = Counter()
    for row in rows:
        if row["stream"]:
            # The last line an agent keeps of a stream has the input of its start and the output of its end.
            start, delta = (next(e for e in row["events"] if e["type"] == kind) for kind in ("message_start", "message_delta"))
            body = {**start["message"], "usage": {**start["message"]["usage"], **delta["usage"]}}
        else:
            body = row["response"]
        got = classes(body)
        usage = body["usage"]
        if row["provider"] == "openai":
            assert (got.total, got.stated) == (usage["total_tokens"], usage["total_tokens"])
            assert got.input_uncached == usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]
        else:
            assert got.total == sum(
                usage[k] for k in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
            )
        found[row["provider"]] += 1
        found.update({"cache_read": got.cache_read, "input_uncached": got.input_uncached, "output": got.output})
    print(dict(found))
    assert {k: found[k] for k in ("openai", "anthropic", "bedrock")} == {"openai": 9, "anthropic": 3, "bedrock": 2}
    assert found["cache_read"] == 6 * 1024 + 1165 + 18131


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # reasoning inside the completion, and beside it where only the total says so
        ({"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 20}}, (10, 0, 30)),
        ({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 20}}, (10, 0, 30)),
        # an imitator that counts cached tokens beside the prompt gives itself away
        ({"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50}}, (10, 50, 1)),
        ({"prompt_tokens": 60, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50}}, (10, 50, 1)),
    ],
)
def test_inside_and_beside(usage, expected):
    got = of_usage(msgspec.json.decode(json.dumps(usage), type=Usage))
    assert (got.input_uncached, got.cache_read, got.output) == expected


def test_an_answer_streamed_over_several_lines_counts_once_with_its_fullest_usage(tmp_path):
    cache = {"cache_read_input_tokens": 900, "cache_creation_input_tokens": 70,
             "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 20}}  # fmt: skip
    log(
        tmp_path, {"type": "user", "message": {"content": "CANARY"}}, claude("msg_1", 1, **cache), claude("msg_1", 80, **cache),
        claude("msg_1", 80, **cache), claude("msg_2", 7, request_id="req_2"),
        {**claude("msg_3", 9), "message": {"id": "m", "model": "<synthetic>", "usage": {"input_tokens": 0, "output_tokens": 0}}},
    )  # fmt: skip
    [batch] = read(tmp_path, repo_owner="acme").values()
    shown = ("provider_response_id", "provider_request_id", "tokens_input_uncached", "tokens_cache_read", "tokens_cache_write_5m",
             "tokens_cache_write_1h", "tokens_cache_write_unspecified", "tokens_output", "line_count")  # fmt: skip
    assert batch.records.select(shown).rows() == [("msg_1", "req_1", 4, 900, 50, 20, 0, 80, 3), ("msg_2", "req_2", 4, 0, 0, 0, 0, 7, 1)]
    assert set(batch.records.select("user_folder", "repo", "branch", "session_id").rows()) == {
        ("ann@example.com", "acme/search", "srch-7-fix", "s-1")
    }
    assert "CANARY" not in str(batch.records.rows()) and "/home/ann" not in str(batch.records.rows())
    assert [d.isoformat() for d in batch.days] == ["2026-10-05"]


def test_codex_sessions_count_each_answer_by_what_the_totals_grew(tmp_path):
    git = {"branch": "pay-3", "repository_url": "git@github.com:acme/payments.git"}
    log(
        tmp_path,
        {"timestamp": AT, "type": "session_meta", "payload": {"id": "c-1", "cwd": "/Users/bob/pay", "git": git}},
        {"timestamp": AT, "type": "turn_context", "payload": {"model": "gpt-5-codex", "cwd": "/Users/bob/pay"}},
        {"timestamp": AT, "type": "event_msg", "payload": {"type": "token_count", "info": None}},
        {"timestamp": AT, "type": "response_item", "payload": {"type": "message", "content": [{"text": "CANARY"}]}},
        codex(tokens(100, 60, 30, 20), tokens(100, 60, 30, 20)),
        codex(tokens(100, 60, 30, 20), tokens(100, 60, 30, 20)),
        codex(tokens(250, 180, 40, 25)),
        codex(tokens(10, 0, 5)),
        name="bob/rollout.jsonl",
    )
    [batch] = read(tmp_path).values()
    shown = ("tokens_input_uncached", "tokens_cache_read", "tokens_output", "repo", "branch", "session_id", "model")
    place = ("acme/payments", "pay-3", "c-1", "gpt-5-codex")
    assert batch.records.select(shown).rows() == [(40, 60, 30, *place), (30, 120, 10, *place), (10, 0, 5, *place)]
    assert batch.records.get_column("answer_id").n_unique() == 3
    assert batch.rejects == [] and "CANARY" not in str(batch.records.rows())


def test_plain_provider_answers_are_read_whatever_their_provider(tmp_path):
    gemini = {"responseId": "g-1", "modelVersion": "gemini-2.5-pro",
              "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 10,
                                "thoughtsTokenCount": 30, "totalTokenCount": 140}}  # fmt: skip
    log(tmp_path, {"timestamp": AT, "session": "x", "cwd": "C:\\work\\search", "branch": "main", "response": gemini}, name="svc/a.jsonl")
    [row] = read(tmp_path)["svc/a.jsonl"].records.rows(named=True)
    assert (row["tokens_input_uncached"], row["tokens_cache_read"], row["tokens_output"], row["tokens_output_reasoning"]) == (40, 60, 40, 30)
    assert (row["stated_total_tokens"], row["repo"], row["provider"]) == (140, "search", "google")


def test_a_bad_line_is_rejected_alone_and_a_cut_file_keeps_what_is_whole(tmp_path):
    cut = json.dumps(claude("msg_9", 5)).encode()[:-30]
    huge = claude("msg_4", 10**16, request_id="req_4")
    log(
        tmp_path, claude("msg_1", 5), claude("msg_2", -5, request_id="req_2"), {**claude("msg_3", 5), "timestamp": "tomorrow"}, huge,
        claude("msg_5", 5, request_id="req_5", input_tokens="many"), b"[1, 2]", {**claude("msg_6", 5), "costUSD": "NaN"}, cut,
    )  # fmt: skip
    [batch] = read(tmp_path).values()
    assert batch.records.get_column("provider_response_id").to_list() == ["msg_1"]
    assert [(r.ordinal, r.reason) for r in batch.rejects] == [
        (1, "wrong_type"), (2, "unreadable_time"), (3, "wrong_type"), (4, "wrong_type"), (5, "wrong_type"), (6, "not_a_number"), (7, "malformed"),
    ]  # fmt: skip
    assert all(r.record_digest for r in batch.rejects)


def test_costs_that_an_agent_writes_are_kept_to_the_digit(tmp_path):
    log(tmp_path, {**claude("msg_1", 5), "costUSD": 0.0012345678901234}, {**claude("msg_2", 5, request_id="r2"), "costUSD": 0.5})
    [batch] = read(tmp_path).values()
    assert batch.control_total == Decimal("0.5012345678901234")


def test_a_usage_without_counts_is_refused():
    with pytest.raises(Refused):
        of_usage(Usage())
    with pytest.raises(Refused):
        of_answer(ProviderAnswer())


@pytest.fixture(scope="module")
def company():
    return build.generate(calendar.days_ending(5), 7, 0.3)


def test_the_sandbox_s_logs_hold_the_gateway_s_tokens_once(company, tmp_path):
    sandbox_logs.deliver(World(company, calendar.AS_OF), tmp_path / "bills", None)
    batches = read(tmp_path / "agent_logs", repo_owner="acme")
    answers = {r["provider_response_id"]: r for b in batches.values() for r in b.records.iter_rows(named=True)}
    logged = {r["request_id"]: r for r in company.log.iter_rows(named=True)}
    both = answers.keys() & logged.keys()
    assert both and answers.keys() - both
    assert len(answers) == sum(b.records.height for b in batches.values())
    for name in both:
        assert (answers[name]["tokens_input_uncached"], answers[name]["tokens_cache_read"], answers[name]["tokens_output"]) == (
            logged[name]["uncached"], logged[name]["cache_read"], logged[name]["output"],
        )  # fmt: skip
        assert answers[name]["line_count"] == 2
    assert not any(b.rejects for b in batches.values()) and "CANARY" not in str(answers)


@pytest.mark.parametrize(("kind", "reason"), [("changed_type", "wrong_type"), ("truncated_json", "malformed")])
def test_the_sandbox_s_faults_become_rejects(company, tmp_path, kind, reason):
    world = World(company, calendar.AS_OF, Faults([{"kind": kind, "vendor": "agent_logs"}]))
    sandbox_logs.deliver(world, tmp_path / "bills", None)
    batches = read(tmp_path / "agent_logs").values()
    assert {r.reason for b in batches for r in b.rejects} == {reason}
