"""One team's work is in Linear and on GitLab, and nowhere else; both vendors refuse what the real ones refuse."""

from __future__ import annotations

import json

from sandbox.canaries import GITLAB_CONFIDENTIAL, GITLAB_DESCRIPTION
from sandbox.exports import expenses, seats
from sandbox.seeds import files
from sandbox.server import Sandbox

INFO = "pageInfo { hasNextPage endCursor }"


def linear(client, query, **variables):
    headers = {"authorization": client.env["AISL_LINEAR_API_KEY"], "content-type": "application/json"}
    body = json.dumps({"query": query, "variables": variables}).encode()
    return client.send(f"{client.env['AISL_LINEAR_BASE_URL']}/graphql", headers, body)


def gitlab(client, path, **query):
    headers = {"private-token": client.env["AISL_GITLAB_TOKEN"]}
    url = path if path.startswith("http") else f"{client.env['AISL_GITLAB_BASE_URL']}/projects/acme%2Ftooling/{path}"
    return client.get(url, headers, query)


def test_the_team_s_tickets_are_in_linear_only_and_pages_give_each_once(client, served: tuple[Sandbox, int]):
    query = f"query($after: String) {{ issues(first: 20, after: $after, includeArchived: true) {{ nodes {{ identifier branchName }} {INFO} }} }}"
    seen, after = [], None
    while True:
        found = linear(client, query, after=after).json["data"]["issues"]
        seen += [n["identifier"] for n in found["nodes"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) > 60 and {s.split("-")[0] for s in seen} == {"DEVX"}
    active = linear(client, f"query {{ issues(first: 250) {{ nodes {{ identifier archivedAt }} {INFO} }} }}").json["data"]["issues"]["nodes"]
    assert {n["identifier"] for n in active} <= set(seen)
    assert client.jira("api/3/search/jql", {"jql": "project in (DEVX)"}).status == 400
    assert client.once(f"{client.env['AISL_GITHUB_BASE_URL']}/repos/acme/tooling/pulls", {"authorization": "Bearer " + client.env["AISL_GITHUB_TOKEN"]}).status in (404, 429, 503)


def test_linear_refuses_unknown_fields_and_too_complex_queries_with_400(client):
    wrong = linear(client, f"query {{ issues(first: 1) {{ nodes {{ identifier secrets }} {INFO} }} }}")
    assert (wrong.status, wrong.json["errors"][0]["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")
    inner = f"history(first: 50) {{ nodes {{ id createdAt actorId fromStateId toStateId }} {INFO} }}"
    assert linear(client, f"query {{ issues(first: 250) {{ nodes {{ id {inner} }} {INFO} }} }}").status == 400
    assert linear(client, f"query {{ issues(first: 5) {{ nodes {{ id {inner} }} {INFO} }} }}").status == 200


def test_gitlab_pages_by_link_and_deployments_need_their_sorting(client):
    query = {"state": "all", "order_by": "updated_at", "updated_after": "2026-09-01T00:00:00Z", "per_page": 20}
    reply = gitlab(client, "merge_requests", **query)
    seen = reply.json
    while "Link" in reply.headers:
        reply = gitlab(client, reply.headers["Link"].split("<")[1].split(">")[0])
        seen += reply.json
    assert len({m["iid"] for m in seen}) == len(seen) > 20
    assert [m["updated_at"] for m in seen] == sorted((m["updated_at"] for m in seen), reverse=True)
    assert all(m["description"] == GITLAB_DESCRIPTION and m["updated_at"].endswith("+02:00") for m in seen)
    assert gitlab(client, "deployments", updated_after="2026-09-01T00:00:00Z").status == 400
    assert {d["status"] for d in gitlab(client, "deployments", per_page=100).json} >= {"success"}
    titles = [i["title"] for i in gitlab(client, "issues", per_page=100).json if i["confidential"]]
    assert set(titles) <= {GITLAB_CONFIDENTIAL}


def test_the_company_lists_ids_of_the_team_in_both_systems():
    rows = [line.split(",")[1] for line in files()["identities.csv"].splitlines()[1:]]
    assert (rows.count("linear_user_id"), rows.count("gitlab_user_id"), rows.count("gitlab_username")) == (3, 3, 3)


def test_seats_tie_with_the_invoice_and_one_changes_hands(served: tuple[Sandbox, int]):
    lists = {p.name: p.read_text() for p in (served[0].state / "drop" / "seats").glob("*.csv")}
    assert sorted(lists) == [f"claude-team-2026-{day}.csv" for day in ("07-31", "08-31", "09-30")]
    assert {sum(",active," in row for row in text.splitlines()) for text in lists.values()} == {len(seats.SEAT_PEOPLE)}
    assert sum(",removed," in row for row in lists["claude-team-2026-08-31.csv"].splitlines()) == 1


def test_expense_reports_hold_a_few_ai_vendors_among_ordinary_lines(served: tuple[Sandbox, int]):
    import datetime as dt

    found = expenses.lines(dt.date(2026, 9, 1))
    assert sum(line["is_ai"] == "true" for line in found) == 4 < len(found)
    text = (served[0].state / "drop" / "expenses" / "expenses-2026-09.csv").read_text()
    assert text.count("\n") == len(found) + 1 and "is_ai" not in text
