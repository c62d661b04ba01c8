"""The ledger: every way a charge can go, exact conservation on each, and nothing counted twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dbt.conftest import messages, statuses
from tests.dbt.ledger_rows import DAY, aws_charge, call, charge, company_warehouse, money, shares, tokens_charge

ISSUES = [
    {"id": "10", "key": "SRCH-1", "project_key": "SRCH", "summary": "Ranking", "issue_type": "Epic", "status_id": "1",
     "status_name": "Open", "status_category": "new", "created_at": "2026-10-01 00:00:00+00", "updated_at": "2026-10-01 00:00:00+00"},
    {"id": "11", "key": "SRCH-7", "project_key": "SRCH", "summary": "Cache", "issue_type": "Story", "status_id": "3",
     "status_name": "In Progress", "status_category": "indeterminate", "assignee_account_id": "jira-ann", "parent_key": "SRCH-1",
     "created_at": "2026-10-20 00:00:00+00", "updated_at": "2026-11-01 00:00:00+00"},
    {"id": "12", "key": "SRCH-8", "project_key": "SRCH", "summary": "Index", "issue_type": "Story", "status_id": "3",
     "status_name": "In Progress", "status_category": "indeterminate", "assignee_account_id": "jira-ann", "parent_key": "SRCH-1",
     "created_at": "2026-10-20 00:00:00+00", "updated_at": "2026-11-01 00:00:00+00"},
]  # fmt: skip
PULLS = [
    {"repo": "acme/search", "id": "900", "number": 1, "state": "closed", "title": "SRCH-8 index", "head_ref": "wip", "author_id": "501",
     "author_login": "ann", "author_type": "User", "created_at": f"{DAY} 10:00:00+00", "updated_at": f"{DAY} 12:00:00+00",
     "merged_at": f"{DAY} 12:00:00+00", "closed_at": f"{DAY} 12:00:00+00"},
]  # fmt: skip


@pytest.fixture
def ledger(raw_warehouse):
    """Function: charges, requests and other frames to a warehouse whose ledger stage is built and tested."""

    def build(charges, calls=(), **frames):
        warehouse = company_warehouse(raw_warehouse, charges, calls, **frames)
        warehouse.build("models/ledger")
        assert_conserved(warehouse)
        return warehouse

    return build


def assert_conserved(warehouse):
    """Shares of every charge add to exactly 1 and its costs to exactly the charge's, both ways."""
    off = warehouse.rows(
        """
        select coalesce(c.x_charge_id, l.x_charge_id) as x_charge_id, l.share, c.BilledCost, l.billed, c.EffectiveCost, l.effective
        from focus.focus_cost_and_usage as c
        full outer join (
            select x_charge_id, sum(share) as share, sum(BilledCost) as billed, sum(EffectiveCost) as effective,
                sum(x_ReportingCost) as reporting
            from ledger.fct_attribution_ledger group by x_charge_id
        ) as l on l.x_charge_id = c.x_charge_id
        where l.share is distinct from 1 or l.billed is distinct from c.BilledCost or l.effective is distinct from c.EffectiveCost
            or l.reporting is distinct from c.x_ReportingCost
        """
    )
    assert off == []


def test_a_pool_is_shared_by_tokens_over_all_evidence_and_the_unseen_rest_is_named(ledger):
    calls = [
        call("stamped", 100, tag_ticket="SRCH-7", session_id="s1", tag_workflow="copilot"),
        call("in-session", 50, session_id="s1", user_id="bob"),
        call("on-branch", 150, meta_repo="acme/search", meta_branch="feature/srch-8-index", user_id="bob"),
        call("workflow", 200, tag_workflow="copilot", tag_customer="acme", tag_environment="production"),
        call("engineer", 120, user_id="ann"),
        call("idle-engineer", 40, user_id="bob"),
        call("team", 60, team_id="team-search"),
        call("bare", 30),
        call("cached-answer", 999, is_gateway_cache_hit=True, tag_ticket="SRCH-7"),
    ]
    warehouse = ledger(
        [tokens_charge("c", "10.00000000000001", 1000, EffectiveCost="-7.77777777777777")],
        calls, jira__issues=ISSUES, github__pulls=PULLS,
    )  # fmt: skip
    found = {
        (r["fidelity_tier"], r["allocation_method"], r["work_item_key"], r["team"], r["residual_name"]): r["tokens"]
        for r in shares(warehouse, "c")
    }
    assert found == {
        ("call", "ticket_stamp", "SRCH-7", "support", None): 100,
        ("session", "session_ticket", "SRCH-7", "platform", None): 50,
        ("session", "branch_ticket", "SRCH-8", "platform", None): 150,
        ("call", "workflow_stamp", None, "support", None): 200,
        # In progress on two issues, one of which also had a pull request opened and merged: weights 1 and 3.
        ("person", "person_activity", "SRCH-7", "search", None): 30,
        ("person", "person_activity", "SRCH-8", "search", None): 90,
        ("person", "person_known", None, "platform", None): 40,
        ("team", "gateway_team", None, "search", None): 60,
        ("team", "api_key_owner", None, "platform", None): 30,
        ("team", "api_key_owner", None, "platform", "not_seen_by_gateway"): 250,
    }
    by_workflow = next(r for r in shares(warehouse, "c") if r["allocation_method"] == "workflow_stamp")
    assert (by_workflow["customer_id"], by_workflow["environment"], by_workflow["cost_center"]) == (
        "acme",
        "production",
        "CC-3",
    )
    assert sum(r["calls"] for r in shares(warehouse, "c")) == 8
    residuals = warehouse.rows("select residual_name, tokens from ledger.fct_ledger_residuals")
    assert residuals == [{"residual_name": "not_seen_by_gateway", "tokens": Decimal(250)}]


def test_calls_are_counted_once_although_they_use_several_meters_and_charges(ledger):
    calls = [
        call(
            "a",
            10,
            prompt_tokens=100,
            cache_read_tokens=40,
            cache_creation_tokens=20,
            cache_creation_1h_tokens=5,
            tag_ticket="PAY-1",
        ),
        call("b", 0, prompt_tokens=30, tag_ticket="PAY-2"),
    ]
    charges = [
        tokens_charge("in", "1", 70, "input"), tokens_charge("read", "1", 40, "cache_read"),
        tokens_charge("w5", "1", 15, "cache_write_5m"), tokens_charge("w1", "1", 5, "cache_write_1h"),
        tokens_charge("out", "1", 10, "output"), tokens_charge("out-fix", "-0.1", 0, "output", ChargeClass="Correction"),
    ]  # fmt: skip
    warehouse = ledger(charges, calls)
    rows = warehouse.rows(
        "select work_item_key, sum(calls) as calls from ledger.fct_attribution_ledger group by 1 order by 1"
    )
    assert rows == [{"work_item_key": "PAY-1", "calls": 1}, {"work_item_key": "PAY-2", "calls": 1}]
    assert [(r["work_item_key"], r["tokens"]) for r in shares(warehouse, "in")] == [("PAY-1", 40), ("PAY-2", 30)]
    assert shares(warehouse, "out-fix")[0]["BilledCost"] == money("-0.1")
    facts = warehouse.rows("select * from ledger.fct_model_call where request_id = 'a'")[0]
    assert (facts["tokens_input_uncached"], facts["tokens_total"], facts["latency_ms"]) == (40, 110, 2000)
    # 40 x 3 + 40 x 0.3 + 15 x 3.75 + 5 x 6 + 10 x 15 = 368.25 millionths of a dollar
    assert facts["list_cost_usd"] == Decimal("0.00036825")


def test_a_bill_with_one_cache_write_meter_takes_all_kinds_of_cache_writes(ledger):
    calls = [
        call("five", 0, prompt_tokens=20, cache_creation_tokens=20, cache_creation_1h_tokens=0, tag_ticket="PAY-1"),
        call("hour", 0, prompt_tokens=30, cache_creation_tokens=30, cache_creation_1h_tokens=30, tag_ticket="PAY-2"),
        call("unknown", 0, prompt_tokens=50, cache_creation_tokens=50, tag_ticket="PAY-3"),
    ]
    warehouse = ledger([tokens_charge("w", "1", 100, "cache_write")], calls)
    assert {r["work_item_key"]: r["BilledCost"] for r in shares(warehouse, "w")} == {
        "PAY-1": money("0.2"), "PAY-2": money("0.3"), "PAY-3": money("0.5"),
    }  # fmt: skip


def test_tokens_seen_beyond_the_bill_are_a_residual_without_cost(ledger):
    warehouse = ledger(
        [tokens_charge("c", "3", 60)], [call("a", 100, tag_ticket="PAY-1"), call("b", 50, tag_ticket="PAY-2")]
    )
    assert [(r["work_item_key"], r["BilledCost"]) for r in shares(warehouse, "c")] == [
        ("PAY-1", money("2")),
        ("PAY-2", money("1")),
    ]
    rows = warehouse.rows("select residual_name, tokens, BilledCost from ledger.fct_ledger_residuals")
    assert rows == [{"residual_name": "seen_not_billed", "tokens": Decimal(90), "BilledCost": None}]


def test_calls_after_the_last_billed_day_are_estimated_and_stay_out_of_the_ledger(ledger):
    warehouse = ledger(
        [tokens_charge("c", "3", 100)],
        [call("a", 100, tag_ticket="PAY-1"), call("b", 1_000_000, "2026-11-03", tag_ticket="PAY-1", user_id="ann")],
    )
    rows = warehouse.rows(
        "select charge_date::varchar as day, BilledCost, x_CostBasis, team, work_item_key from ledger.estimated_charges"
    )
    assert rows == [
        {
            "day": "2026-11-03",
            "BilledCost": money("15"),
            "x_CostBasis": "estimated",
            "team": "search",
            "work_item_key": "PAY-1",
        }
    ]
    assert warehouse.rows("select distinct charge_date::varchar as day from ledger.fct_attribution_ledger") == [
        {"day": DAY}
    ]


def test_an_unpriced_model_is_a_named_exception_and_never_free(ledger):
    warehouse = ledger([], [call("a", 10, model="anthropic/claude-unheard-of"), call("b", 10)])
    costs = warehouse.rows("select request_id, list_cost_usd from ledger.fct_model_call order by 1")
    assert costs == [
        {"request_id": "a", "list_cost_usd": None}, {"request_id": "b", "list_cost_usd": money("0.00015")},
    ]  # fmt: skip
    assert warehouse.rows("select model_id, tokens, reason from ledger.fct_unpriced_usage") == [
        {"model_id": "claude-unheard-of", "tokens": 10, "reason": "no_price"}
    ]


def test_the_price_of_the_day_and_the_context_rates_a_call_and_the_company_s_own_price_wins(ledger):
    prices = [
        {"provider_id": "anthropic", "model_id": "claude-sonnet-4-5", "token_meter": "output", "tier": "standard",
         "context_from_tokens": step, "price_usd_per_million": price, "effective_from": start, "effective_to": end}
        for step, price, start, end in (
            (0, "10", None, "2026-11-02"), (0, "20", "2026-11-02", None), (200_000, "40", None, None),
        )
    ] + [{"provider_id": "anthropic", "model_id": "claude-sonnet-4-5", "token_meter": "input", "tier": "standard",
          "context_from_tokens": 0, "price_usd_per_million": "0"}]  # fmt: skip
    contract = {"provider_id": "anthropic", "model_id": "claude-sonnet-4-5", "token_meter": "output", "tier": "standard",
                "context_from_tokens": 0, "price_usd_per_million": "5", "source": "contract A", "valid_from": "2026-11-04"}  # fmt: skip
    calls = [
        call("before", 1_000_000, "2026-11-01"), call("after", 1_000_000, "2026-11-02"),
        call("long", 1_000_000, "2026-11-02", prompt_tokens=250_000), call("contract", 1_000_000, "2026-11-04"),
    ]  # fmt: skip
    warehouse = ledger([], calls, prices__genai_prices=prices, seeds={"price_overrides": [contract]})
    found = {
        r["request_id"]: r["list_cost_usd"]
        for r in warehouse.rows("select request_id, list_cost_usd from ledger.fct_model_call")
    }
    assert found == {"before": money("10"), "after": money("20"), "long": money("40"), "contract": money("5")}


def test_a_response_logged_twice_is_one_call(ledger):
    twice = [
        call("a", 10, provider_response_id="msg-1"),
        call("b", 0, provider_response_id="msg-1", status="failure"),
        call("c", 5),
    ]
    warehouse = ledger([], twice)
    assert [r["request_id"] for r in warehouse.rows("select request_id from ledger.fct_model_call order by 1")] == [
        "a",
        "c",
    ]


def test_ticket_keys_of_a_branch_are_known_projects_only(ledger):
    expected = {
        "feature/srch-12-fix": ["SRCH-12"],
        "SRCH-12_and_pay-3": ["PAY-3", "SRCH-12"],
        "pay-1-pay-2-pay-3": ["PAY-1", "PAY-2", "PAY-3"],
        "utf-8-gpt-4-sha-256": [],
        "xsrch-12": [],
        "srch-12b": [],
        "srch-012": [],
        "dependabot/npm/left-pad-3": [],
    }
    warehouse = ledger([], [call(branch, 1, meta_repo="r", meta_branch=branch) for branch in expected])
    rows = warehouse.rows(
        "select branch, work_item_key, share_ppm from ledger.dim_branch order by branch, work_item_key"
    )
    found = {branch: [r["work_item_key"] for r in rows if r["branch"] == branch] for branch in expected}
    assert found == expected
    assert sum(r["share_ppm"] for r in rows) == 1_000_000 * sum(1 for keys in expected.values() if keys)


def test_a_ticket_tag_counts_only_with_a_known_project(ledger):
    calls = [call(t, 1, tag_ticket=t) for t in ("UTF-8", "GPT-4", "srch-7", "PAY-0", "PAY-12x", " PAY-3 ")]
    warehouse = ledger([], calls)
    rows = warehouse.rows("select ticket_key from ledger.fct_model_call where ticket_key is not null order by 1")
    assert [r["ticket_key"] for r in rows] == ["PAY-3", "SRCH-7"]


def test_own_keys_split_over_the_engineer_s_work_and_an_idle_day_stays_with_the_engineer(ledger):
    charges = [tokens_charge("ann", "1", 10, key="k_ann"), tokens_charge("bob", "1", 10, key="k_bob")]
    warehouse = ledger(charges, jira__issues=ISSUES)
    assert [(r["work_item_key"], r["BilledCost"], r["user_id"]) for r in shares(warehouse, "ann")] == [
        ("SRCH-7", money("0.5"), "ann"), ("SRCH-8", money("0.5"), "ann"),
    ]  # fmt: skip
    assert [
        (r["fidelity_tier"], r["allocation_method"], r["work_item_key"], r["team"]) for r in shares(warehouse, "bob")
    ] == [("person", "person_known", None, "platform")]


def test_work_activity_of_a_day_does_not_change_when_the_issue_moves_on_later(ledger):
    moved = [
        {
            **ISSUES[1],
            "status_id": "9",
            "status_category": "done",
            "assignee_account_id": "jira-other",
            "updated_at": "2026-11-05 00:00:00+00",
        },
        {**ISSUES[1], "raw_window": "2026-11-01"},
    ]
    log = [
        {"issue_id": "11", "history_id": "1", "item_ordinal": 0, "field": "status", "from_id": "3", "to_id": "9",
         "created_at": "2026-11-04 15:00:00+00"},
        {"issue_id": "11", "history_id": "2", "item_ordinal": 0, "field": "assignee", "from_id": "jira-ann", "to_id": "jira-other",
         "created_at": "2026-11-05 00:00:00+00"},
    ]  # fmt: skip
    warehouse = ledger([tokens_charge("ann", "1", 10, key="k_ann")], jira__issues=moved, jira__changelog=log)
    assert [r["work_item_key"] for r in shares(warehouse, "ann")] == ["SRCH-7"]
    last = warehouse.rows(
        "select max(charge_date)::varchar as day from ledger.fct_work_activity where work_item_key = 'SRCH-7'"
    )
    assert last == [{"day": "2026-11-04"}]


def test_charges_without_requests_go_to_owner_tag_rule_or_a_named_rest(ledger):
    charges = [
        tokens_charge("workspace", "1", 5, key="k_unknown", x_WorkspaceId="w_search"),
        tokens_charge("orphan", "1", 5, key="k_unknown"),
        tokens_charge("silent gateway", "1", 5, key="k_gateway"),
        tokens_charge("silent orphan", "1", 5, key="k_orphan_gateway"),
        aws_charge("account", "1", SubAccountId="111"),
        aws_charge("tag", "1", SubAccountId="111", Tags='{"app": "helpdesk"}'),
        aws_charge("team tag", "1", Tags='{"team": "search", "environment": "test"}'),
        aws_charge("cost centre", "1", Tags='{"cost_center": "CC-3"}'),
        aws_charge("unknown tag", "1", Tags='{"team": "nobody"}'),
        aws_charge("even", "1", ServiceName="Support plan"),
        aws_charge("fixed", "-1", ServiceName="Network"),
        aws_charge("nothing", "1"),
        aws_charge("zero", "0"),
        charge("tax", "0.03", ChargeCategory="Tax"),
    ]  # fmt: skip
    warehouse = ledger(charges)
    found = {
        name: [
            (r["fidelity_tier"], r["allocation_method"], r["team"], r["residual_name"]) for r in shares(warehouse, name)
        ]
        for name in [c["x_charge_id"] for c in charges]
    }
    assert found["workspace"] == [("team", "workspace_owner", "search", None)]
    assert found["orphan"] == [("unattributed", "none", None, "no_owner")]
    assert found["silent gateway"] == [("team", "api_key_owner", "platform", "not_seen_by_gateway")]
    assert found["silent orphan"] == [("unattributed", "none", None, "not_seen_by_gateway")]
    assert found["account"] == [("team", "sub_account_owner", "platform", None)]
    assert found["tag"] == [("team", "tag_owner", "support", None)]
    assert found["team tag"] == [("team", "team_tag", "search", None)]
    assert found["cost centre"] == [("team", "cost_center_tag", "support", None)]
    assert found["unknown tag"] == [("unattributed", "none", None, "no_owner")]
    assert {t for _, _, t, _ in found["even"]} == {"platform", "search", "support"}
    assert [r["share"] for r in shares(warehouse, "even")] == [
        Decimal("0.333333333333333334"), Decimal("0.333333333333333333"), Decimal("0.333333333333333333"),
    ]  # fmt: skip
    assert [(r["team"], r["BilledCost"], r["rule_id"]) for r in shares(warehouse, "fixed")] == [
        ("search", money("-0.66666666666667"), "thirds"), ("support", money("-0.33333333333333"), "thirds"),
    ]  # fmt: skip
    # Direct Usage spend of the day: platform 2, search 2, support 2.
    assert [(r["team"], r["BilledCost"]) for r in shares(warehouse, "tax")] == [
        ("platform", money("0.01")), ("search", money("0.01")), ("support", money("0.01")),
    ]  # fmt: skip


def test_a_proportional_rule_follows_the_day_s_direct_spend_and_is_even_without_any(ledger):
    charges = [
        aws_charge("a", "30", SubAccountId="111"), aws_charge("b", "10", Tags='{"team": "search"}'),
        charge("tax", "4", ChargeCategory="Tax"), charge("lonely tax", "3", "2026-11-05", ChargeCategory="Tax"),
    ]  # fmt: skip
    warehouse = ledger(charges)
    assert [(r["team"], r["BilledCost"]) for r in shares(warehouse, "tax")] == [
        ("platform", money("3")), ("search", money("1")), ("support", money("0")),
    ]  # fmt: skip
    assert [r["BilledCost"] for r in shares(warehouse, "lonely tax")] == [money("1")] * 3


def test_a_gateway_key_s_workflow_describes_a_call_without_being_its_stamp(ledger):
    owner = {"source": "litellm", "object_type": "api_key", "external_id": "hash", "team": "support", "workflow": "copilot"}
    warehouse = ledger([tokens_charge("c", "1", 10)], [call("a", 10, api_key_hash="hash")], seeds={"ownership": [owner]})
    assert [(r["fidelity_tier"], r["workflow"], r["team"]) for r in shares(warehouse, "c")] == [("team", "copilot", "support")]


def test_an_id_claimed_by_two_people_maps_to_nobody(ledger):
    identities = [
        {"person_id": "ann", "system": "litellm_user_id", "external_id": "shared"},
        {"person_id": "bob", "system": "litellm_user_id", "external_id": "shared"},
    ]
    warehouse = ledger([], [call("a", 1, user_id="shared")], seeds={"identities": identities})
    assert warehouse.rows("select person_id from ledger.fct_model_call") == [{"person_id": None}]
    assert len(warehouse.rows("select * from ledger.fct_identity_conflict")) == 2


def test_a_vendor_directory_finds_the_engineer_by_e_mail(ledger):
    warehouse = ledger(
        [charge("own", "1", x_PrincipalId="user_9", x_TokenMeter="output", x_ModelId="m")],
        anthropic__users=[{"id": "user_9", "email": "ann@example.com"}],
    )
    assert [(r["fidelity_tier"], r["user_id"]) for r in shares(warehouse, "own")] == [("person", "ann")]


def test_work_items_know_their_epic_and_a_moved_issue_keeps_its_old_key(ledger):
    log = [{"issue_id": "11", "history_id": "1", "item_ordinal": 0, "field": "Key", "from_text": "PAY-99", "to_text": "SRCH-7",
            "created_at": "2026-10-25 00:00:00+00"}]  # fmt: skip
    warehouse = ledger(
        [tokens_charge("c", "1", 10)], [call("a", 10, tag_ticket="PAY-99")], jira__issues=ISSUES, jira__changelog=log
    )
    rows = warehouse.rows("select work_item_key, epic_key, feature from ledger.ledger_attribution")
    assert rows == [{"work_item_key": "SRCH-7", "epic_key": "SRCH-1", "feature": "Ranking"}]


def test_a_bill_without_keys_is_pooled_by_sub_account(ledger):
    cloud = {"x_SourceId": "aws", "InvoiceIssuerName": "AWS", "ServiceProviderName": "AWS", "ServiceName": "Amazon Bedrock"}
    warehouse = ledger(
        [
            tokens_charge("gateway", "1", 100, key=None, SubAccountId="111", **cloud),
            tokens_charge("elsewhere", "9", 900, key=None, SubAccountId="222", Tags='{"app": "helpdesk"}', **cloud),
        ],
        [call("a", 80, model_id="dep-cloud", tag_ticket="SRCH-7", team_id="team-search")],
    )
    found = [
        (r["x_charge_id"], r["fidelity_tier"], r["work_item_key"], r["team"], r["tokens"], r["residual_name"])
        for charge_id in ("gateway", "elsewhere")
        for r in shares(warehouse, charge_id)
    ]
    assert found == [
        ("gateway", "call", "SRCH-7", "search", 80, None),
        ("gateway", "team", None, "platform", 20, "not_seen_by_gateway"),
        ("elsewhere", "team", None, "support", 900, None),
    ]
    [cost] = warehouse.rows("select attributed_cost_reporting as cost from ledger.ledger_model_calls")
    assert cost["cost"] == Decimal("0.8")
    residuals = warehouse.rows("select residual_name, credential_id, tokens from ledger.fct_ledger_residuals")
    assert residuals == [{"residual_name": "not_seen_by_gateway", "credential_id": "111", "tokens": Decimal(20)}]


def test_the_unit_tests_of_split_and_token_classes_hold(ledger):
    result = ledger([]).unit_tests("fct_attribution_ledger", "stg_litellm__spend_logs_requests")
    assert sorted(statuses(result).values()) == ["pass", "pass"], messages(result)
