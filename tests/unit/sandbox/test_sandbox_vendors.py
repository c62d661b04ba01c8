"""The vendors over HTTP: authentication, paging, late data, faults, and what they should never have sent."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox import calendar, canaries
from sandbox.prices import METERS, MICRO, rates

GROUPS = ["api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier", "context_window", "inference_geo"]
TOKEN_FIELDS = {
    "uncached_input_tokens": lambda r: r["uncached_input_tokens"],
    "cache_read_input_tokens": lambda r: r["cache_read_input_tokens"],
    "cache_creation.ephemeral_5m_input_tokens": lambda r: r["cache_creation"]["ephemeral_5m_input_tokens"],
    "cache_creation.ephemeral_1h_input_tokens": lambda r: r["cache_creation"]["ephemeral_1h_input_tokens"],
    "output_tokens": lambda r: r["output_tokens"],
}
START, END = "2026-10-10T00:00:00Z", "2026-10-20T00:00:00Z"


def usage(client, start=START, end=END, **more):
    return client.anthropic("usage_report/messages", starting_at=start, ending_at=end, limit=31, group_by=GROUPS, **more)


def cost(client, start=START, end=END, **more):
    return client.anthropic("cost_report", starting_at=start, ending_at=end, limit=31, group_by=["workspace_id", "description"], **more)


def paged(ask, **query):
    buckets, page = [], None
    for _ in range(100):
        found = ask(**query, **({"page": page} if page else {}))
        buckets += found["data"]
        if not found["has_more"]:
            return buckets
        page = found["next_page"]
    raise AssertionError("paging never ended")


@pytest.mark.parametrize(
    ("variable", "path", "headers"),
    [
        ("ANTHROPIC", "/v1/organizations/users", {"x-api-key": "wrong", "anthropic-version": "2023-06-01"}),
        ("OPENAI", "/organization/users", {"authorization": "Bearer wrong"}),
        ("LITELLM", "/spend/logs/v2", {"authorization": "Bearer wrong"}),
        ("GITHUB", "/repos/acme/agents/pulls", {}),
        ("JIRA", "/rest/api/3/myself", {"authorization": "Basic d3Jvbmc6d3Jvbmc="}),
    ],
)
def test_a_wrong_key_is_refused(client, variable, path, headers):
    assert client.send(client.env[f"AISL_{variable}_BASE_URL"] + path, headers).status == 401


def test_cost_report_is_tokens_times_price_to_the_last_digit(client):
    billed: Counter = Counter()
    for bucket in usage(client)["data"]:
        day = dt.date.fromisoformat(bucket["starting_at"][:10])
        for row in bucket["results"]:
            price = rates("anthropic", row["model"], day, row["service_tier"], row["context_window"] != "0-200k")
            for place, (kind, tokens) in enumerate(TOKEN_FIELDS.items()):
                key = (day, row["workspace_id"], row["model"], kind, row["service_tier"], row["context_window"], row["inference_geo"])
                billed[key] += Decimal(tokens(row)) * price[place] / MICRO / MICRO
    reported = {}
    for bucket in cost(client)["data"]:
        for row in bucket["results"]:
            if row["cost_type"] == "tokens":
                key = (dt.date.fromisoformat(bucket["starting_at"][:10]), row["workspace_id"], row["model"], row["token_type"],
                       row["service_tier"], row["context_window"], row["inference_geo"])  # fmt: skip
                assert key not in reported
                reported[key] = Decimal(row["amount"]) / 100
    refused = sum(billed.values()) - sum(reported.values())
    assert all(billed[k] >= v for k, v in reported.items())
    exact = sum(billed[k] == v for k, v in reported.items())
    # Only rows with refused requests differ: their tokens are in the usage and not on the bill.
    assert exact > 0.9 * len(reported)
    assert 0 <= refused < sum(billed.values()) / 100
    assert len(reported) > 100


def test_openai_costs_are_tokens_times_price(client):
    start, end = 1_791_590_400, 1_792_454_400
    groups = ["project_id", "api_key_id", "line_item"]
    found = client.openai("costs", start_time=start, end_time=end, limit=180, group_by=groups)
    total = Decimal(0)
    for bucket in json.loads(json.dumps(found))["data"]:
        day = dt.datetime.fromtimestamp(bucket["start_time"], dt.UTC).date()
        for row in bucket["results"]:
            model, kind = row["line_item"].split(", ")
            place = {"input": 0, "cached input": 1, "output": 4}[kind]
            expected = Decimal(str(row["quantity"])) * 1000 * rates("openai", model, day)[place] / MICRO / MICRO
            assert abs(Decimal(str(row["amount"]["value"])) - expected) < Decimal("1e-12")
            total += expected
    assert total > 0


def test_anthropic_pages_give_every_bucket_once(client):
    whole = usage(client)["data"]
    parts = paged(lambda **q: client.anthropic("usage_report/messages", **q), starting_at=START, ending_at=END, limit=3, group_by=GROUPS)
    assert parts == whole and len(whole) == 10
    identity = [(b["starting_at"], *(r[g] for g in GROUPS)) for b in whole for r in b["results"]]
    assert len(identity) == len(set(identity))


def test_openai_pages_give_every_bucket_once(client):
    query = {"start_time": 1_791_590_400, "end_time": 1_792_454_400, "group_by": ["project_id", "api_key_id", "line_item"]}
    whole = client.openai("costs", limit=180, **query)["data"]
    assert paged(lambda **q: client.openai("costs", **q), limit=4, **query) == whole and len(whole) == 10


def test_lists_page_by_id(client):
    whole = client.anthropic("api_keys", limit=1000)["data"]
    seen, after = [], None
    while True:
        page = client.anthropic("api_keys", limit=7, **({"after_id": after} if after else {}))
        seen += page["data"]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == whole and len(whole) > 20
    projects = client.openai("projects", limit=2, include_archived="true")
    rest = client.openai("projects", limit=100, include_archived="true", after=projects["last_id"])
    assert len({p["id"] for p in projects["data"] + rest["data"]}) == 5
    assert len(client.openai("projects", limit=100)["data"]) == 4


def test_gateway_log_pages_give_every_request_once(client, served):
    sandbox, _ = served
    first = client.litellm(start_date="2026-10-18", end_date="2026-10-20", page=1, page_size=100)
    rows = list(first["data"])
    for page in range(2, first["total_pages"] + 1):
        rows += client.litellm(start_date="2026-10-18", end_date="2026-10-20", page=page, page_size=100)["data"]
    assert len(rows) == first["total"] == len({r["request_id"] for r in rows})
    days = {dt.date(2026, 10, 18).toordinal(), dt.date(2026, 10, 19).toordinal()}
    log = sandbox.world.company.log
    assert {r["request_id"] for r in rows} == set(log.filter(log["day"].is_in(list(days)))["request_id"])
    one = client.litellm(start_date="2026-10-18", end_date="2026-10-19", page=1, page_size=1000)
    assert all(r["startTime"].startswith("2026-10-18") for r in one["data"])


def test_github_pages_by_link_and_issues_contain_pull_requests(client):
    seen, url = [], "repos/acme/agents/pulls?state=all&sort=updated&direction=desc&per_page=50"
    while url:
        reply = client.github(url)
        seen += reply.json
        link = reply.headers.get("Link", "")
        url = next((p.split(">")[0].strip(" <") for p in link.split(",") if 'rel="next"' in p), "")
    assert len(seen) == len({p["id"] for p in seen}) > 100
    assert [p["updated_at"] for p in seen] == sorted((p["updated_at"] for p in seen), reverse=True)
    issues = client.github("repos/acme/agents/issues", state="all", since="2026-10-15T00:00:00Z", per_page=100).json
    assert any("pull_request" in i for i in issues) and all(i["updated_at"] >= "2026-10-15" for i in issues)


def test_github_deployments_have_their_statuses(client):
    found = client.github("repos/acme/agents/deployments", per_page=100).json
    assert {d["environment"] for d in found} <= {"production", "preview"}
    statuses = client.github(f"repos/acme/agents/deployments/{found[0]['id']}/statuses").json
    assert any(s["state"] == "success" for s in statuses)


def _jira_all(client, jql, size=50):
    seen, token = [], None
    while True:
        body = {"jql": jql, "fields": ["summary", "updated", "project"], "maxResults": size} | ({"nextPageToken": token} if token else {})
        found = client.jira("api/3/search/jql", body).json
        seen += found["issues"]
        if found["isLast"]:
            assert "nextPageToken" not in found
            return seen
        token = found["nextPageToken"]


def test_jira_search_pages_and_windows(client):
    span = 'project in (SUPP, KNOW) AND updated >= "{}" AND updated < "{}" ORDER BY updated ASC'
    whole = _jira_all(client, span.format("2026-10-10 00:00", "2026-10-20 00:00"))
    assert len(whole) == len({i["id"] for i in whole}) > 60
    assert {i["fields"]["project"]["key"] for i in whole} == {"SUPP", "KNOW"}
    days = [_jira_all(client, span.format(f"2026-10-{d} 00:00", f"2026-10-{d + 1} 00:00"), 20) for d in range(10, 20)]
    assert [i["id"] for day in days for i in day] == [i["id"] for i in whole]


def test_jira_refuses_what_the_real_one_refuses(client):
    assert client.jira("api/3/search/jql", {"jql": "ORDER BY updated"}).status == 400
    assert client.jira("api/3/search/jql", {"jql": "project in (NOPE)"}).status == 400
    assert client.jira("api/3/search").status == 410
    only_ids = client.jira("api/3/search/jql", {"jql": "project = SUPP"}).json["issues"]
    assert "fields" not in only_ids[0]


def test_jira_changelog_pages_give_every_history_once(client):
    ids = [i["id"] for i in _jira_all(client, 'project in (DATA) AND updated >= "2026-10-01 00:00"')]
    seen, token = [], None
    while True:
        body = {"issueIdsOrKeys": ids, "maxResults": 40} | ({"nextPageToken": token} if token else {})
        found = client.jira("api/3/changelog/bulkfetch", body).json
        seen += [h["id"] for log in found["issueChangeLogs"] for h in log["changeHistories"]]
        token = found.get("nextPageToken")
        if not token:
            break
    assert len(seen) == len(set(seen)) > 40


def test_jira_boards_and_sprints(client):
    boards = client.jira("agile/1.0/board").json["values"]
    assert len(boards) == 7
    found = client.jira(f"agile/1.0/board/{boards[0]['id']}/sprint").json
    assert found["isLast"] and {"active", "closed"} <= {s["state"] for s in found["values"]}


def test_the_newest_day_is_late_and_settles(client):
    def tokens():
        bucket = usage(client, "2026-10-19T00:00:00Z", "2026-10-20T00:00:00Z")["data"][0]
        return sum(r["uncached_input_tokens"] for r in bucket["results"])

    early = tokens()
    client.switch("clock", {"as_of": "2026-10-22T06:00:00Z"})
    final = tokens()
    assert 0.95 * final < early < 0.98 * final
    client.switch("clock", {"as_of": "2026-10-25T06:00:00Z"})
    assert tokens() == final
    client.switch("clock", {"as_of": "2026-10-19T00:00:00Z"})
    assert usage(client, "2026-10-18T00:00:00Z")["data"][-1]["starting_at"].startswith("2026-10-18")


def test_refusals_happen_and_carry_retry_after(client, served):
    assert served
    url = client.env["AISL_OPENAI_BASE_URL"] + "/organization/users"
    replies = [client.once(url, {"authorization": f"Bearer {client.env['AISL_OPENAI_ADMIN_KEY']}"}) for _ in range(15)]
    statuses = Counter(r.status for r in replies)
    assert statuses[429] == 1 and statuses[503] == 1
    assert float(next(r for r in replies if r.status == 429).headers["Retry-After"]) <= 1
    assert client.switch("requests")["/openai/v1/organization/users"] == 15


def test_forbidden_texts_are_really_sent(client):
    texts = [
        json.dumps(client.litellm(start_date="2026-10-10", end_date="2026-10-20", page_size=1000, page=p)) for p in (1, 2)
    ]
    texts.append(json.dumps(client.anthropic("api_keys", limit=1000)))
    texts.append(json.dumps(client.openai("projects/proj_gateway01/api_keys")))
    texts.append(client.jira("api/3/search/jql", {"jql": "project = SUPP", "fields": ["summary"]}).text)
    texts += [client.github(f"repos/acme/agents/{name}", state="all", per_page=100).text for name in ("pulls", "commits")]
    query = {"query": "query { issues(first: 5) { nodes { description } pageInfo { hasNextPage } } }"}
    key = {"authorization": client.env["AISL_LINEAR_API_KEY"], "content-type": "application/json"}
    texts.append(client.send(f"{client.env['AISL_LINEAR_BASE_URL']}/graphql", key, json.dumps(query).encode()).text)
    project, key = f"{client.env['AISL_GITLAB_BASE_URL']}/projects/88", {"private-token": client.env["AISL_GITLAB_TOKEN"]}
    texts += [client.get(f"{project}/{name}", key, {"per_page": 100}).text for name in ("merge_requests", "issues")]
    texts += [path.read_text() for path in Path(client.env["AISL_EXPENSES_LOCATION"]).glob("*.csv")]
    sent = "\n".join(texts)
    missing = [n for n, value in canaries.CANARIES.items() if not n.startswith("SECRET_") and value not in sent]
    assert missing == []


def fault(client, **what):
    assert client.switch("faults", {"faults": [what]})["faults"] == [what]


def _sum(found):
    return sum(Decimal(r["amount"]) for b in found["data"] for r in b["results"])


def test_fault_cents_as_dollars(client):
    right = _sum(cost(client))
    fault(client, kind="cents_as_dollars", vendor="anthropic")
    assert _sum(cost(client)) * 100 == right


def test_fault_cached_double_count(client):
    right = usage(client)["data"][0]["results"]
    fault(client, kind="cached_double_count", vendor="anthropic")
    wrong = usage(client)["data"][0]["results"]
    assert sum(r["uncached_input_tokens"] for r in wrong) == sum(r["uncached_input_tokens"] + r["cache_read_input_tokens"] for r in right)


def test_fault_missing_page(client):
    right = cost(client)
    fault(client, kind="missing_page", vendor="anthropic", path="cost_report")
    wrong = cost(client)
    assert not wrong["has_more"] and 0 < _sum(wrong) < _sum(right)
    assert usage(client)["data"]


def test_fault_doubled_page(client):
    right = paged(lambda **q: cost(client, **q))
    fault(client, kind="doubled_page", vendor="anthropic")
    assert paged(lambda **q: cost(client, **q)) == right + right


def test_fault_restated_day(client):
    right = cost(client)
    fault(client, kind="restated_day", vendor="anthropic", day="2026-10-12", permille=1200)
    changed = [i for i, (a, b) in enumerate(zip(right["data"], cost(client)["data"], strict=True)) if a != b]
    assert changed == [2]


def test_fault_restated_month(client):
    start, end = "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"
    right = _sum(cost(client, start, end))
    open_month = cost(client)
    fault(client, kind="restated_month", vendor="anthropic", month="2026-09", permille=1050)
    assert float(_sum(cost(client, start, end)) / right) == pytest.approx(1.05, rel=1e-3)
    assert cost(client) == open_month


def test_fault_storm_ends(client):
    fault(client, kind="storm_500", vendor="anthropic", count=3)
    headers = {"x-api-key": client.env["AISL_ANTHROPIC_ADMIN_KEY"], "anthropic-version": "2023-06-01"}
    url = client.env["AISL_ANTHROPIC_BASE_URL"] + "/v1/organizations/users"
    assert [client.once(url, headers).status for _ in range(4)] == [500, 500, 500, 200]


def test_fault_currency_type_field_and_json(client):
    fault(client, kind="wrong_currency", vendor="anthropic")
    assert {r["currency"] for b in cost(client)["data"] for r in b["results"]} == {"EUR"}
    fault(client, kind="changed_type", vendor="anthropic")
    assert isinstance(usage(client)["data"][0]["results"][0]["output_tokens"], dict)
    fault(client, kind="unknown_field", vendor="anthropic")
    assert "surprise_field" in usage(client)["data"][0]["results"][0]
    fault(client, kind="truncated_json", vendor="anthropic")
    with pytest.raises(json.JSONDecodeError):
        usage(client)
    assert client.switch("faults", {"faults": [{"kind": "nonsense"}]})["error"].startswith("unknown fault")


def test_meters_and_token_types_line_up():
    assert len(METERS) == len(TOKEN_FIELDS) + 1


def test_clock_parses_dates_and_instants():
    assert calendar.parse_instant("2026-10-20") == calendar.midnight(dt.date(2026, 10, 20))
    assert calendar.parse_instant("2026-10-20T06:00:00Z") == calendar.AS_OF
