"""Each source from payloads written after its contract, and the recorded real ones in full."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from fake_vendor import Reply
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.catalog import BY_KEY
from ingestion.connectors import CONNECTORS
from ingestion.doctor import check
from ingestion.errors import ContractBroken, IngestionError
from ingestion.files.billing import AWS_CUR, AZURE_COST, FOCUS, OCI_COST, focus_version, kind_of, read_file
from ingestion.files.invoices import read_invoices
from ingestion.gateways.litellm import SpendLog
from ingestion.prices import price_rows
from ingestion.providers.anthropic import ClaudeCodeRow, CostResult, UsageResult
from ingestion.providers.openai import CompletionsResult, fetch_usage_completions
from ingestion.providers.openai import CostResult as OpenAiCost
from ingestion.records import Reader, Reject
from ingestion.source import SourceConfig
from ingestion.trackers import github, jira
from ingestion.windows import day_window

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAMPLES = FIXTURES / "samples"
DAY = day_window(date(2026, 11, 18))


def recorded(name):
    content = (FIXTURES / name).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if name.endswith(".gz") else content).splitlines()]


def fetch(key, client, config=None, windows=(DAY,)):
    return [batch for _, batch in CONNECTORS[key].fetch(client, config or SourceConfig(key.split("__")[0]), list(windows))]


def test_litellm_keeps_allow_listed_tags_that_look_like_names(vendor, client):
    log = {
        "request_id": "r1", "startTime": "2026-11-18T09:00:00.5Z", "prompt_tokens": 2100, "completion_tokens": 180,
        "total_tokens": 2280, "spend": 0.00421, "cache_hit": "False", "user": "", "messages": [{"content": "CANARY"}],
        "request_tags": [
            "ticket:ACME-12", "ticket:ACME-13", "feature:search", "secret:x", "environment:" + "x" * 129,
            "task_type:please write a poem about our secret plan",
        ],
        "metadata": {
            "usage_object": {"cache_creation": {"ephemeral_1h_input_tokens": 7}, "prompt_tokens_details": {"cached_tokens": 1500}},
            "additional_usage_values": {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 10},
            "spend_logs_metadata": {"attempt": "2", "repo": ["not", "a", "name"], "branch": "acme-12-x", "question": "CANARY"},
        },
    }  # fmt: skip
    next_midnight = log | {"request_id": "r2", "startTime": "2026-11-19T00:00:00Z"}
    stray = log | {"request_id": "r3", "startTime": "2026-11-17T23:59:59Z"}
    vendor.routes["/spend/logs/v2"] = {"data": [log, next_midnight, stray], "page": 1, "total_pages": 1}
    (batch,) = fetch("litellm__spend_logs", client)
    (row,) = batch.records.to_dicts()
    assert (row["tag_ticket"], row["tag_feature"], row["tag_environment"], row["tag_task_type"]) == ("ACME-12", "search", None, None)
    assert row["dropped_tag_count"] == 4
    assert (row["meta_attempt"], row["meta_repo"], row["meta_branch"]) == (2, None, "acme-12-x")
    assert (row["cache_read_tokens"], row["cache_creation_tokens"], row["cache_creation_1h_tokens"]) == (1500, 10, 7)
    assert (row["spend_usd"], row["is_gateway_cache_hit"], row["user_id"]) == ("0.00421", False, None)
    assert batch.control_total == Decimal("0.00421")
    assert [(r.reason, r.field) for r in batch.rejects] == [("outside_window", "startTime")]
    assert "CANARY" not in str(batch.records.to_dicts())
    assert vendor.asked[0].get("start_date") == "2026-11-18 00:00:00"


def test_claude_code_counts_activity_once_over_several_models(vendor, client):
    model = {"tokens": {"input": 1, "output": 2, "cache_read": 3, "cache_creation": 4}, "estimated_cost": {"amount": 12.5, "currency": "USD"}}
    row = {
        "date": "2026-11-18T00:00:00Z", "actor": {"type": "user_actor", "email_address": "a@example.com"},
        "customer_type": "api", "core_metrics": {"num_sessions": 3, "lines_of_code": {"added": 10, "removed": 2}},
        "tool_actions": {"edit_tool": {"accepted": 5, "rejected": 1}, "write_tool": {"accepted": 2, "rejected": 0}},
        "model_breakdown": [{"model": "b", **model}, {"model": "a", **model}],
    }  # fmt: skip
    vendor.routes["/v1/organizations/usage_report/claude_code"] = {"data": [row], "has_more": False, "next_page": None}
    (batch,) = fetch("anthropic__claude_code", client)
    rows = batch.records.to_dicts()
    assert [(r["model"], r["model_ordinal"], r["num_sessions"], r["tools_accepted"]) for r in rows] == [("a", 0, 3, 7), ("b", 1, 0, 0)]
    assert batch.control_total == Decimal("25.0")


def test_recorded_openai_usage_is_read_in_full(vendor, client):
    buckets = json.loads((FIXTURES / "providers/openai_completions_usage_buckets.json").read_text())
    whole = [b for b in buckets if b["start_time"] % 86400 == 0 and b["end_time"] % 86400 == 0]
    assert len(whole) == 13
    for bucket in whole:
        window = day_window(datetime.fromtimestamp(bucket["start_time"], UTC).date())
        vendor.routes["/organization/usage/completions"] = {"data": [bucket], "has_more": False, "next_page": None}
        ((_, batch),) = fetch_usage_completions(client, SourceConfig("openai"), [window])
        assert batch.records["input_tokens"].sum() == sum(r["input_tokens"] for r in bucket["results"])
        assert not batch.rejects and batch.records["input_uncached_tokens"].null_count() == batch.records.height
    vendor.routes["/organization/usage/completions"] = {"data": buckets[:1], "has_more": False}
    with pytest.raises(ContractBroken, match="no UTC day"):
        list(fetch_usage_completions(client, SourceConfig("openai"), [day_window(date(2025, 1, 11))]))


def test_recorded_pull_requests_are_read_in_full_and_issues_without_them():
    pulls = msgspec.json.decode(json.dumps(recorded("trackers/github_pulls.jsonl.gz")).encode(), type=list[github.Pull])
    rows = [github._pull_row("o/r", p) for p in pulls]
    assert len(rows) == 28 and sum(row[-1] is not None for row in rows) == 15
    issues = msgspec.json.decode(json.dumps(recorded("trackers/github_issues.jsonl.gz")).encode(), type=list[github.Issue])
    assert sum(github._issue_row("o/r", i) is not None for i in issues) == 18


def test_github_walks_newest_first_until_before_the_first_day(vendor, client):
    rows = recorded("trackers/github_pulls.jsonl.gz")[:3]
    for row, day in zip(rows, ("2026-11-19", "2026-11-18", "2026-11-10"), strict=True):
        row["updated_at"] = f"{day}T10:00:00Z"
    link = {"Link": f'<{vendor.url}/repos/o/r/pulls?page=2>; rel="next"'}
    vendor.routes["/repos/o/r/pulls"] = lambda r: Reply(rows[:2] if not r.get("page") else rows[2:], headers=link)
    (batch,) = fetch("github__pulls", client, SourceConfig("github", options={"repos": "o/r"}))
    assert batch.records["id"].to_list() == [str(rows[1]["id"])]
    assert len(vendor.asked) == 2


def test_a_deployment_has_its_first_success(vendor, client):
    deployment = {"id": 9, "created_at": "2026-11-18T01:00:00Z", "updated_at": "2026-11-18T05:00:00Z", "environment": "production"}
    statuses = [("inactive", 4), ("success", 3), ("success", 2), ("in_progress", 1)]
    vendor.routes["/repos/o/r/deployments"] = [[deployment]]
    vendor.routes["/repos/o/r/deployments/9/statuses"] = [
        [{"id": h, "state": s, "created_at": f"2026-11-18T0{h}:00:00Z"} for s, h in statuses]
    ]
    (batch,) = fetch("github__deployments", client, SourceConfig("github", options={"repos": "o/r"}))
    (row,) = batch.records.to_dicts()
    assert (row["latest_state"], row["is_production"], row["first_success_at"].hour) == ("inactive", True, 2)


def test_recorded_jira_issues_and_histories_are_read_in_full():
    infos = [jira.FieldInfo("customfield_10020", "Sprint"), jira.FieldInfo("customfield_10016", "Story point estimate")]
    site = jira.site_of(infos)
    issues = [{"id": i["id"], "key": i["key"], "fields": i["fields"]} for i in recorded("trackers/jira_issues.jsonl.gz")]
    reader = Reader(jira.issue_type(site.fields_type()))
    good, bad = reader.read(msgspec.Raw(json.dumps(issues).encode()), "recorded")
    rows = [jira.issue_row(issue) for _, issue in good]
    category = list(BY_KEY["jira__issues"].columns).index("status_category")
    assert len(rows) == 22 and not bad
    assert sorted(row[category] for row in rows) == ["done"] * 17 + ["new"] * 5
    updated = list(BY_KEY["jira__issues"].columns).index("updated_at")
    assert all(row[updated].utcoffset().total_seconds() == 0 for row in rows)
    histories = recorded("trackers/jira_changelogs.jsonl.gz")
    logs = [{"issueId": h["issue_id"], "changeHistories": [h]} for h in histories]
    found = [jira.changelog_rows(log, site) for log in msgspec.json.decode(json.dumps(logs).encode(), type=list[jira.IssueChangelog])]
    assert len(found) == 179
    assert {row[4] for _, rows in found for row in rows} <= {"status", "assignee", "Sprint", "Key", "resolution"}
    sprints = msgspec.json.decode(json.dumps(recorded("trackers/jira_sprints.jsonl")).encode(), type=list[jira.Sprint])
    assert len([jira.sprint_row(s, 1) for s in sprints]) == 22


@pytest.mark.parametrize("created", [1760000000, 1760000000000, "2025-10-09T08:53:20.000+0000", "2025-10-09T10:53:20+02:00"])
def test_a_changelog_time_is_seconds_milliseconds_or_text(created):
    log = msgspec.convert(
        {"issueId": 7, "changeHistories": [{"id": 1, "created": created, "items": [{"field": "status", "from": "1", "to": "2"}]}]},
        jira.IssueChangelog,
    )
    ((row,),) = [jira.changelog_rows(log, jira.Site(None, (), None))[1]]
    assert row[-1] == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


REAL = [
    (FOCUS, "focus_1_0_aws_azure_oracle.csv.gz", 616, "BilledCost"),
    (AWS_CUR, "aws_cur_legacy_csv.csv.gz", 776, "lineItem/UnblendedCost"),
    (OCI_COST, "oci_cost_report.csv.gz", 314, "cost/myCost"),
    (AZURE_COST, "azure_ea_export.csv.gz", 15, "CostInBillingCurrency"),
    (AZURE_COST, "azure_ea_actual_small.csv.gz", 11, "Cost"),
    (AZURE_COST, "azure_ea_amortized_small.csv.gz", 12, "Cost"),
]


@pytest.mark.parametrize(("layout", "name", "count", "column"), REAL)
def test_a_real_bill_lands_whole_and_to_the_last_digit(layout, name, count, column):
    import csv

    content = (SAMPLES / name).read_bytes()
    lines = list(csv.DictReader(gzip.decompress(content).decode("utf-8-sig").splitlines(keepends=True)))
    batch = read_file(layout, name, content)
    assert (len(lines), batch.records.height, len(batch.rejects)) == (count, count, 0)
    assert batch.control_total == sum(Decimal(line[column] or 0) for line in lines)


def test_a_file_with_bad_rows_lands_the_rest_and_counts_all():
    head = "BilledCost,BillingCurrency,ChargePeriodStart,ChargeCategory,Strange,x_mine\n"
    body = "1.5,USD,2026-09-01T00:00:00Z,Usage,s,m\nNULL,USD,2026-09-01,Usage,,\n$4,USD,2026-09-01,Usage,,\n2,USD,9/1/26,Usage,,\n1,USD\n"
    batch = read_file(FOCUS, "f.csv", ("\ufeff" + head + body).encode())
    assert (batch.records.height, batch.control_total, batch.control_unit) == (1, Decimal("1.5"), "USD")
    assert sorted((r.ordinal, r.reason) for r in batch.rejects) == [
        (1, "missing_value"), (2, "not_a_number"), (3, "unreadable_time"), (4, "ragged_row"),
    ]  # fmt: skip
    assert json.loads(batch.records["x_extra"][0]) == {"Strange": "s", "x_mine": "m"}


def test_focus_versions_are_told_by_their_columns():
    assert [focus_version([c]) for c in ("BilledCost", "SkuMeter", "InvoiceId", "HostProviderName", "InvoiceDetailId")] == [
        "1.0", "1.1", "1.2", "1.3", "1.4",
    ]  # fmt: skip
    assert kind_of(["identity_line_item_id", "line_item_unblended_cost"]) == "files__aws_cur"
    assert kind_of(["a", "b"]) is None


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"a,b\n1,2\n", b"a,a\n1,2\n"])
def test_a_file_of_no_known_kind_is_refused_whole(content):
    with pytest.raises(ContractBroken):
        read_file(FOCUS, "x.csv", content)


def test_invoices_land_typed_and_bad_lines_are_rejected():
    head = "invoice_issuer_name,invoice_id,invoice_detail_id,line_type,billing_period_start,billing_period_end,amount,currency\n"
    good = "Anthropic,INV-1,1,usage,2026-09-01,2026-10-01,12.340,USD\n"
    bad = "Anthropic,INV-1,2,gift,2026-09-01,2026-10-01,1,USD\nAnthropic,INV-1,3,usage,2026-09-01,2026-10-01,x,USD\n"
    batch = read_invoices("i.csv", (head + good + bad).encode())
    (row,) = batch.records.to_dicts()
    assert (row["amount"], row["billing_period_end"], batch.control_total) == ("12.340", date(2026, 10, 1), Decimal("12.340"))
    assert sorted(r.reason for r in batch.rejects) == ["not_a_number", "unknown_value"]


def test_dated_prices_equal_the_packages_own_answers():
    from genai_prices import Usage, calc_price

    rows = price_rows()
    usage = {"input": "input_tokens", "output": "output_tokens"}
    for model, meter, day in [("o3", "input", date(2025, 6, 9)), ("o3", "input", date(2025, 6, 10)), ("gpt-6-sol", "output", date(2026, 11, 1))]:
        (price,) = [
            Decimal(r[5]) for r in rows
            if r[:5] == ("openai", model, meter, "standard", 0) and r[6] <= day and (r[7] is None or day < r[7])
        ]  # fmt: skip
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        asked = calc_price(Usage(**{usage[meter]: 1000}), model, provider_id="openai", genai_request_timestamp=at)
        assert asked.total_price == price * Decimal(1000) / Decimal(1_000_000)
    by_slot = {}
    for row in rows:
        by_slot.setdefault(row[:5], []).append(row[6:8])
    for spans in by_slot.values():
        ordered = sorted(spans)
        assert all(a[1] is not None and a[1] <= b[0] for a, b in itertools.pairwise(ordered))


def test_the_doctor_tells_off_denied_and_ok_apart(vendor):
    secret = {"ADMIN_KEY": "sk-very-secret"}
    assert check(SourceConfig("anthropic")).state == "off"
    vendor.routes["/v1/organizations/usage_report/messages"] = [Reply({}, 401), {"data": []}, Reply(b"<html>")]
    config = SourceConfig("anthropic", "a", vendor.url, secret)
    found = [check(config) for _ in range(3)]
    assert [f.state for f in found] == ["denied", "ok", "broken"]
    assert "sk-very-secret" not in str(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
RECORD_TYPES = [UsageResult, CostResult, ClaudeCodeRow, CompletionsResult, OpenAiCost, SpendLog, github.Pull, github.Issue, jira.Sprint, jira.IssueChangelog]


@pytest.mark.parametrize("record_type", RECORD_TYPES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_record_is_accepted_or_rejected_with_a_reason(record_type, data):
    names = [field.encode_name for field in msgspec.structs.fields(record_type)]
    records = data.draw(st.lists(st.dictionaries(st.sampled_from(names), JSON, max_size=len(names)) | JSON, max_size=4))
    good, bad = Reader(record_type).read(msgspec.Raw(json.dumps(records).encode()), "made up")
    assert len(good) + len(bad) == len(records)
    assert all(isinstance(r, Reject) and r.reason and r.record_digest for r in bad)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: ("BilledCost,ChargeCategory,ChargePeriodStart,BillingCurrency\n" + t).encode()))
def test_any_dropped_file_lands_or_is_refused(content):
    with contextlib.suppress(IngestionError):
        read_file(FOCUS, "x.csv", content)
