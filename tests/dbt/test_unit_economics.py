"""Unit costs from landed records: the papers' worked examples to the cent, pooled ratios, and what a zero or a change reads as.

One company, one month per subject: March W1, April W5, May W6, June W7 and tickets, July W8, August W9, September and October
two quarters of outcomes with a change between them.
"""

from __future__ import annotations

import shutil
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.dbt.conftest import Warehouse, messages

D = Decimal
MARTS = ("mart_workflow_ledger", "mart_unit_cost", "mart_change_impact", "mart_spend_concentration", "mart_cache_recount")
GPT, OPUS, HAIKU, SONNET = "gpt-5", "claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-4-5"
PER_TOKEN = D("0.000001")

# W1: workflow: calls, uncached input, cache reads, output tokens; the printed average input, share and cost. Card per million.
W1_CARD = {"input": "5", "cache_read": "0.5", "output": "25"}
W1 = {
    "support": (1_240_000, 6_905_333_333, 1_526_666_667, 260_400_000, 6_800, 38, 41_800),
    "contracts": (210_000, 2_604_000_000, 0, 447_200_000, 12_400, 22, 24_200),
    "sales": (96_000, 873_600_000, 0, 529_280_000, 9_100, 16, 17_600),
    "knowledge": (880_000, 2_816_000_000, 0, 52_800_000, 3_200, 14, 15_400),
    "marketing": (140_000, 336_000_000, 0, 196_800_000, 2_400, 6, 6_600),
    # Everything else has no owner: its key is in no list.
    "(no workflow)": (320_000, 608_000_000, 0, 54_400_000, 1_900, 4, 4_400),
}
# W8: model: cached share as read and uncached tokens, price of a read per million at an input price of 5, naive over true.
W8 = {
    "claude-opus-4-1": (8_000_000, 1_000_000, "0.5", 5.0), "claude-opus-4": (3_000_000, 0, "0.5", 10.0),
    "claude-sonnet-4": (3_000_000, 0, "1.25", 4.0), "claude-sonnet-3-7": (3_000_000, 0, "2.5", 2.0),
    "claude-haiku-3-5": (0, 4_000_000, "0.5", 1.0),
}  # fmt: skip
OWNED = [
    *(("openai", f"key_{w}", "alpha", w, "") for w in W1 if w[0] != "("), ("openai", "key_alpha", "alpha", "", ""),
    ("openai", "key_beta", "beta", "", ""), ("openai", "key_bugs", "alpha", "bug-triage", ""),
    ("openai", "key_other", "beta", "assistant", ""), ("openai", "key_up", "alpha", "up", ""),
    ("openai", "key_flat", "beta", "flat", ""), ("openai", "key_zero", "beta", "zero", ""),
    ("openai", "key_ann", "", "", "ann"), ("openai", "key_bob", "", "", "bob"),
]  # fmt: skip


def cents(amount):
    return amount.quantize(D("0.01"), ROUND_HALF_UP)


def cost(day, key, line, usd):
    return {"start_time": f"{day} 00:00:00+00", "end_time": f"{day} 23:59:59+00", "project_id": "proj", "api_key_id": key,
            "line_item": f"{GPT}, {line}", "amount_usd": str(usd), "currency": "usd"}  # fmt: skip


def bucket(day, key, calls, uncached, cached, output):
    return {"start_time": f"{day} 00:00:00+00", "end_time": f"{day} 23:59:59+00", "project_id": "proj", "api_key_id": key, "model": GPT,
            "input_tokens": uncached + cached, "input_cached_tokens": cached, "input_cache_write_tokens": 0,
            "output_tokens": output, "num_model_requests": calls}  # fmt: skip


def usage(day, key, model, uncached, cached, output=0):
    return {"starting_at": f"{day} 00:00:00+00", "ending_at": f"{day} 23:59:59+00", "api_key_id": key, "workspace_id": "w", "model": model,
            "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "uncached_input_tokens": uncached,
            "cache_read_input_tokens": cached, "cache_creation_5m_input_tokens": 0, "cache_creation_1h_input_tokens": 0,
            "output_tokens": output, "web_search_requests": 0}  # fmt: skip


def anthropic_cost(day, model, token_type, usd):
    return {"starting_at": f"{day} 00:00:00+00", "ending_at": f"{day} 23:59:59+00", "cost_type": "tokens", "token_type": token_type,
            "model": model, "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "currency": "USD",
            "amount_cents": str(usd * 100), "workspace_id": "w", "description": model}  # fmt: skip


def split(number):
    """A month's figure as two days' buckets."""
    return number // 3, number - number // 3


def price(provider, model, meter, usd):
    return {"provider_id": provider, "model_id": model, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
            "price_usd_per_million": usd, "effective_from": "2025-01-01", "package_version": "test"}  # fmt: skip


def frames():
    """Everything that was landed, relation by relation."""
    costs, buckets, prices, anthropic_costs, anthropic_usage = [], [], [], [], []
    for workflow, (calls, uncached, cached, output, *_) in W1.items():
        key = "key_nobody" if workflow[0] == "(" else f"key_{workflow}"
        for day, *part in zip(("2026-03-04", "2026-03-05"), *map(split, (calls, uncached, cached, output)), strict=True):
            buckets.append(bucket(day, key, *part))
            for line, meter, tokens in zip(("input", "cached input", "output"), W1_CARD, part[1:], strict=True):
                if tokens:
                    costs.append(cost(day, key, line, tokens * D(W1_CARD[meter]) * PER_TOKEN))
    costs += [cost("2026-04-07", "key_alpha", "output", 4_000), cost("2026-04-08", "key_beta", "output", 4_000)]
    costs += [cost("2026-05-05", "key_bugs", "output", 40_000), cost("2026-05-06", "key_other", "output", 47_000)]
    for model, (read, uncached, read_price, _) in W8.items():
        prices += [price("anthropic", model, "input", "5"), price("anthropic", model, "cache_read", read_price)]
        anthropic_usage.append(usage("2026-07-07", "k_any", model, uncached, read))
        for token_type, tokens, per_million in (("uncached_input_tokens", uncached, "5"), ("cache_read_input_tokens", read, read_price)):
            if tokens:
                anthropic_costs.append(anthropic_cost("2026-07-07", model, token_type, tokens * D(per_million) * PER_TOKEN))
    prices += [price("anthropic", OPUS, "input", "5"), price("anthropic", OPUS, "cache_read", "0.5"), price("anthropic", HAIKU, "input", "1"),
               price("anthropic", SONNET, "output", "15"), price("openai", GPT, "input", "1.25"), price("openai", GPT, "output", "10")]  # fmt: skip
    anthropic_usage += [usage("2026-08-04", "k_any", OPUS, 2_300_000, 800_000), usage("2026-08-04", "k_any", HAIKU, 50_000, 0),
                        usage("2026-06-10", "k_gateway", SONNET, 0, 0, 143_900), usage("2026-06-11", "k_gateway", SONNET, 0, 0, 156_100)]  # fmt: skip
    anthropic_costs += [
        anthropic_cost("2026-08-04", OPUS, "uncached_input_tokens", D("11.50")), anthropic_cost("2026-08-04", OPUS, "cache_read_input_tokens", D("0.40")),
        anthropic_cost("2026-08-04", HAIKU, "uncached_input_tokens", D("0.05")), anthropic_cost("2026-06-10", SONNET, "output_tokens", D("14.39")),
        anthropic_cost("2026-06-11", SONNET, "output_tokens", D("15.61")),
    ]  # fmt: skip
    # The GPT row of W9 needs a model name; its card is gpt-5's list price.
    buckets.append(bucket("2026-08-04", "key_alpha", 11, 0, 0, 1_100_000))
    costs.append(cost("2026-08-04", "key_alpha", "output", D("11.00")))
    for key, before, after in (("up", 100, 200), ("flat", 100, 100), ("zero", 100, 50)):
        costs += [cost("2026-09-15", f"key_{key}", "output", before), cost("2026-10-15", f"key_{key}", "output", after)]
    costs += [cost("2026-09-16", "key_ann", "output", 90), cost("2026-09-16", "key_bob", "output", 10)]
    outcomes = [
        {"outcome_date": day, "workflow": workflow, "event": event, "customer_id": customer, "events": events, "successes": successes}
        for day, workflow, event, customer, events, successes in (
            ("2026-09-10", "up", "conversation", "acme", 80, 60), ("2026-09-20", "up", "conversation", None, 45, 40),
            ("2026-10-10", "up", "conversation", "acme", 500, 400), ("2026-09-11", "flat", "document", None, 100, 100),
            ("2026-10-12", "flat", "document", None, 100, 0), ("2026-10-12", "flat", "accepted", None, 60, 50),
            ("2026-09-11", "zero", "report", None, 0, 0),
        )
    ]  # fmt: skip
    return {
        "openai__costs": costs, "openai__usage_completions": buckets, "prices__genai_prices": prices, "outcomes__daily": outcomes,
        "anthropic__cost_report": anthropic_costs, "anthropic__usage_messages": anthropic_usage, **work(),
        "aws__focus_export": [GPU_CHARGE],
    }  # fmt: skip


# Three hours of a machine with eight accelerators.
GPU_CHARGE = {
    "focus_version_in": "1.0", "ServiceName": "Amazon Elastic Compute Cloud", "ServiceCategory": "Compute", "ConsumedQuantity": "3",
    "ConsumedUnit": "Hrs", "x_extra": '{"x_UsageType":"USE1-BoxUsage:p5.48xlarge","x_ServiceCode":"AmazonEC2"}', "BilledCost": "3",
    "EffectiveCost": "3", "ListCost": "3", "ContractedCost": "3", "BillingCurrency": "USD", "BillingAccountId": "000111222333",
    "BillingPeriodStart": "2026-08-01 00:00:00", "BillingPeriodEnd": "2026-09-01 00:00:00", "ChargePeriodStart": "2026-08-02 00:00:00",
    "ChargePeriodEnd": "2026-08-03 00:00:00", "ChargeCategory": "Usage", "ProviderName": "AWS", "SkuId": "s", "SkuPriceId": "s.1",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
}  # fmt: skip


def work():
    """80 and 35 merged pull requests in April, one of a bot and one not merged; a feature of two tickets, done in June."""
    authors = ["501"] * 80 + ["502"] * 35
    pulls = [
        {"repo": "acme/app", "id": str(n), "number": n, "state": "closed", "title": "change", "head_ref": f"b{n}", "author_id": author,
         "author_type": "User", "merge_commit_sha": f"sha{n}", "created_at": "2026-04-02 09:00:00+00", "updated_at": f"2026-04-{2 + n % 28:02d} 10:00:00+00",
         "merged_at": f"2026-04-{2 + n % 28:02d} 10:00:00+00"}
        for n, author in enumerate(authors)
    ]  # fmt: skip
    pulls.append({**pulls[0], "id": "900", "number": 900, "author_type": "Bot", "merge_commit_sha": "bot"})
    pulls.append({**pulls[0], "id": "901", "number": 901, "merged_at": None, "merge_commit_sha": None})
    deployments = [
        {"repo": "acme/app", "id": f"d{n}", "sha": f"sha{n % 20}", "ref": "main", "environment": "production", "creator_id": "502", "latest_state": "success",
         "is_production": True, "created_at": "2026-04-30 08:00:00+00", "updated_at": "2026-04-30 09:00:00+00",
         "first_success_at": "2026-04-30 09:00:00+00"}
        for n in range(25)
    ]  # fmt: skip
    issue = {"project_key": "PAY", "status_id": "9", "status_name": "Done", "status_category": "done", "resolution": "Done",
             "assignee_account_id": "jira-ann", "created_at": "2026-06-01 00:00:00+00", "updated_at": "2026-06-20 00:00:00+00",
             "resolved_at": "2026-06-20 00:00:00+00"}  # fmt: skip
    return {
        "github__pulls": pulls, "github__deployments": deployments, "jira__projects": [{"id": "1", "key": "PAY"}],
        "jira__issues": [
            {**issue, "id": "1", "key": "PAY-1", "summary": "Wallets", "issue_type": "Epic"},
            {**issue, "id": "2", "key": "PAY-2", "summary": "Build", "issue_type": "Story", "parent_key": "PAY-1"},
            {**issue, "id": "3", "key": "PAY-3", "summary": "Rework", "issue_type": "Bug", "parent_key": "PAY-1",
             "resolved_at": "2026-06-25 00:00:00+00"},
        ],
        "jira__sprints": [
            {"id": "1", "board_id": "1", "name": "S1", "state": "closed", "started_at": "2026-08-31 08:00:00+00", "ended_at": "2026-09-14 08:00:00+00"},
            {"id": "2", "board_id": "1", "name": "S2", "state": "closed", "started_at": "2026-09-14 08:00:00+00", "ended_at": "2026-09-28 08:00:00+00"},
        ],
    }  # fmt: skip


SEEDS = {
    "teams": [{"team": t, "team_name": t} for t in ("alpha", "beta")],
    "people": [{"person_id": "ann", "team": "alpha"}, {"person_id": "al", "team": "alpha"}, {"person_id": "bob", "team": "beta"}],
    "identities": [{"person_id": "ann", "system": "github_id", "external_id": "501"}, {"person_id": "bob", "system": "github_id", "external_id": "502"},
                   {"person_id": "ann", "system": "jira_account_id", "external_id": "jira-ann"}],
    "ownership": [
        {"source": source, "object_type": "api_key", "external_id": key, "team": team or None, "workflow": workflow or None,
         "person_id": person or None, "is_gateway": False}
        for source, key, team, workflow, person in OWNED
    ] + [{"source": "anthropic", "object_type": "api_key", "external_id": "k_gateway", "team": "beta", "is_gateway": True}],
    "workflows": [{"workflow": w, "workflow_name": w, "team": "alpha"} for w in (*W1, "bug-triage", "agent", "up", "flat", "zero") if w[0] != "("],
    "customers": [], "allocation_rules": [], "budgets": [], "period_close_rules": [],
    "gateway_deployments": [{"gateway_source": "litellm", "model_id": "dep", "provider_source": "anthropic", "provider_account": "main",
                             "provider_credential_id": "k_gateway"}],
    "price_overrides": [
        {"provider_id": "openai", "model_id": GPT, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
         "price_usd_per_million": usd, "source": "contract W1 card", "valid_from": "2026-03-01", "valid_to": "2026-04-01"}
        for meter, usd in W1_CARD.items()
    ],
    "unit_definitions": [
        {"unit": "successful_outcome", "workflow": "up", "event": "conversation", "decision": "scale it", "manual_unit_cost": "4", "target_unit_cost": "0.6",
         "owner_person_id": "ann"},
        # From October on another event is the success.
        {"unit": "successful_outcome", "workflow": "flat", "event": "document", "valid_to": "2026-10-01"},
        {"unit": "successful_outcome", "workflow": "flat", "event": "accepted", "valid_from": "2026-10-01"},
        {"unit": "successful_outcome", "workflow": "zero", "event": "report", "target_unit_cost": "1"},
    ],
    "changes": [
        {"change_id": "routing", "changed_on": "2026-10-01", "kind": "routing", "workflow": "up", "window_days": 28},
        {"change_id": "late", "changed_on": "2026-11-19", "kind": "prompt", "workflow": "up", "window_days": 28},
    ],
}  # fmt: skip

# W7: 1,000 user actions of 30 requests each, 250 in a session, one action and one session over midnight; every tenth action is stamped with the second ticket.
REQUESTS = """
insert into raw.litellm__spend_logs by name
select
    'r' || i as request_id, 'msg-' || i as provider_response_id, 'acompletion' as call_type, 'anthropic/claude-sonnet-4-5' as model, 'dep' as model_id,
    'anthropic' as custom_llm_provider, 'success' as status, timestamptz '2026-06-10 20:00:10+00' + to_seconds(i) as start_time,
    timestamptz '2026-06-10 20:00:12+00' + to_seconds(i) as end_time, 0 as prompt_tokens, 10 as completion_tokens, 10 as total_tokens,
    'agent' as tag_workflow, 'act' || (i // 30) as meta_user_action_id, 's' || (i // 7500) as session_id,
    case when (i // 30) % 10 = 0 then 'PAY-3' else 'PAY-2' end as tag_ticket, case when i < 24000 then 'acme' else 'globex' end as tag_customer,
    'litellm' as raw_source, 'main' as raw_account, 'spend_logs' as raw_dataset, '2026-06-10' as raw_window, 'logs' as raw_delivery_id, i as raw_ordinal,
    timestamptz '2026-11-20 05:00:00+00' as raw_fetched_at, 'test' as raw_run_id
from range(30000) as numbers(i)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """The company from landed rows through staging, FOCUS and ledger to the marts."""
    path = tmp_path_factory.mktemp("units") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(frames(), start_date="2026-03-01")
    with warehouse.connect() as connection:
        connection.execute(REQUESTS)
        connection.execute("insert into raw.scope values ('litellm', 'main', date '2026-06-10'), ('litellm', 'main', date '2026-06-11')")
    for name, rows in SEEDS.items():
        warehouse.seed(name, rows)
    warehouse.build(*(f"+{m}" for m in MARTS), "+mart_attribution_coverage", "focus_billed_vs_rated", full_refresh=True)
    return warehouse


def units(built, unit, month="2026-10", kind="month"):
    found = built.rows(
        "select * from marts.mart_unit_cost where unit = ? and period_kind = ? and strftime(period_start, '%Y-%m') = ?", unit, kind, month
    )
    return {(r["scope_type"], r["scope"]): r for r in found}


def test_w1_the_printed_ledger_comes_out_of_usage_buckets_under_its_card(built):
    rows = {r["workflow"]: r for r in built.rows("select * from marts.mart_workflow_ledger where month = date '2026-03-01'")}
    assert set(rows) == set(W1)
    for workflow, (calls, *_, context, share, printed) in W1.items():
        row = rows[workflow]
        assert (row["calls"], row["average_input_tokens"], cents(row["cost"])) == (calls, context, D(printed))
        assert row["share_of_spend"] == pytest.approx(share / 100, abs=5e-7)
        assert row["cost_per_call"] == pytest.approx(D(printed) / calls, abs=D("1e-8"))
        request = units(built, "request", "2026-03")["workflow", workflow]
        assert (request["unit_cost"], request["denominator"], request["state"]) == (row["cost_per_call"], calls, "measured")
    assert sum(r["calls"] for r in rows.values()) == 2_886_000
    assert cents(sum(r["cost"] for r in rows.values())) == D("110000.00")
    by_cost_per_call = sorted(rows, key=lambda w: -rows[w]["cost_per_call"])
    assert by_cost_per_call == ["sales", "contracts", "marketing", "support", "knowledge", "(no workflow)"]
    # Everything else counts as unattributed: 96 % is just over the target.
    [coverage] = built.rows(
        "select sum(share_of_spend) as share from marts.mart_attribution_coverage where month = date '2026-03-01' and team is null and is_attributed"
    )
    assert coverage["share"] == pytest.approx(0.96, abs=5e-7)
    rated = built.rows("select * from focus.focus_billed_vs_rated where charge_date < date '2026-04-01'")
    assert {(r["billed_cost"] == r["rated_cost"], r["state"], r["unpriced_tokens"]) for r in rated} == {(True, "in band", 0)}


def test_w5_pull_requests_are_pooled_and_never_a_mean_of_ratios(built):
    rows = units(built, "pull_request_merged", "2026-04")
    assert (rows["team", "alpha"]["numerator"], rows["team", "alpha"]["denominator"]) == (4000, 80)
    assert (rows["team", "beta"]["numerator"], rows["team", "beta"]["denominator"]) == (4000, 35)
    assert rows["team", "alpha"]["unit_cost"] == D("50")
    assert rows["team", "beta"]["unit_cost"] == D("114.28571428571429")
    assert rows["total", "all"]["unit_cost"] == D("69.56521739130435")
    assert rows["team", "beta"]["unit_cost"] / rows["team", "alpha"]["unit_cost"] == pytest.approx(D("2.2857"), abs=D("0.0001"))
    # Twenty commits went out, five of them twice; the team is that of the merged pull request's author.
    deployments = units(built, "deployment", "2026-04")
    assert (deployments["team", "alpha"]["denominator"], deployments["total", "all"]["unit_cost"]) == (20, D("400"))


def test_w6_a_slice_of_the_month_is_its_share(built):
    rows = {r["workflow"]: r for r in built.rows("select * from marts.mart_workflow_ledger where month = date '2026-05-01'")}
    assert (rows["bug-triage"]["cost"], sum(r["cost"] for r in rows.values())) == (40_000, 87_000)
    assert rows["bug-triage"]["share_of_spend"] == pytest.approx(0.45977, abs=5e-6)
    top = built.rows("select * from marts.mart_spend_concentration where month = date '2026-05-01' and dimension = 'workflow' order by rank")
    assert [(r["member"], r["cumulative_share"]) for r in top] == [("assistant", pytest.approx(47 / 87)), ("bug-triage", 1.0)]


def test_w7_fan_out_is_thirty_and_every_way_to_count_the_month_has_its_cost(built):
    [row] = built.rows("select * from marts.mart_workflow_ledger where month = date '2026-06-01'")
    assert (row["user_actions"], row["calls"], row["fan_out"], row["cost"]) == (1_000, 30_000, 30.0, 30)
    expected = {
        "request": (30_000, "0.001"), "user_action": (1_000, "0.03"), "session": (4, "7.5"), "customer": (2, "15"), "million_tokens": ("0.3", "100"),
    }  # fmt: skip
    for unit, (quantity, unit_cost) in expected.items():
        row = units(built, unit, "2026-06")["workflow", "agent"]
        assert (row["denominator"], row["unit_cost"], row["state"]) == (D(quantity), D(unit_cost), "measured")
    customers = units(built, "customer", "2026-06")
    assert (customers["customer", "acme"]["unit_cost"], customers["total", "all"]["top_decile_share"]) == (24, 0.8)
    assert units(built, "ticket_closed", "2026-06")["team", "alpha"]["denominator"] == 2
    assert units(built, "ticket_closed", "2026-06")["total", "all"]["unit_cost"] == 15
    # The epic and both tickets are done, rework included: one feature for all they cost.
    feature = units(built, "ai_assisted_feature", "2026-06")["team", "alpha"]
    assert (feature["numerator"], feature["denominator"]) == (30, 1)


def test_w8_the_recount_says_by_how_much_naive_counting_overstates(built):
    rows = {r["model_id"]: r for r in built.rows("select * from marts.mart_cache_recount where month = date '2026-07-01'")}
    assert {m: r["overstatement_input"] for m, r in rows.items()} == {m: pytest.approx(w[3]) for m, w in W8.items()}
    for model, (read, uncached, read_price, _) in W8.items():
        row, share, ratio = rows[model], read / (read + uncached), float(read_price) / 5
        assert row["overstatement_input"] == pytest.approx(1 / (1 - share * (1 - ratio)))
        assert (row["input_cost"], row["state"]) == (row["billed_cost"], "recounted")
        assert row["naive_input_cost"] == (read + uncached) * 5 * PER_TOKEN
        assert row["overstated_cost"] == row["naive_input_cost"] - row["input_cost"]
    assert rows["claude-opus-4-1"]["cached_share"] == pytest.approx(0.8889, abs=5e-5)


def test_w9_tokens_become_dollars_class_by_class(built):
    rows = {r["model_id"]: r for r in built.rows("select * from marts.mart_cache_recount where month = date '2026-08-01'")}
    assert (rows[OPUS]["cost_input_uncached"], rows[OPUS]["cost_cache_read"]) == (D("11.50"), D("0.40"))
    assert (rows[HAIKU]["cost_input_uncached"], rows[GPT]["cost_output"]) == (D("0.05"), D("11.00"))
    assert sum(r["billed_cost"] for r in rows.values()) == D("22.95")
    tokens = units(built, "million_tokens", "2026-08")
    assert (tokens["model", OPUS]["denominator"], tokens["model", HAIKU]["unit_cost"]) == (D("3.1"), 1)
    assert tokens["total", "all"]["numerator"] == D("22.95")


def test_gpu_hours_are_hours_of_single_accelerators(built):
    row = units(built, "gpu_hour", "2026-08")["total", "all"]
    assert (row["numerator"], row["denominator"], row["unit_cost"]) == (3, 24, D("0.125"))


def test_cost_read_two_ways_with_effects_that_add_up(built):
    rows = {scope: row for (_, scope), row in units(built, "successful_outcome").items()}
    up, flat = rows["up"], rows["flat"]
    # Spend doubled and each outcome got cheaper; flat spend bought half as many.
    assert (up["unit_cost"], up["previous_unit_cost"], up["reading"]) == (D("0.5"), 1, "succeeding")
    assert (up["cost_change"], up["volume_effect"], up["unit_cost_effect"]) == (100, 225, -125)
    assert (flat["unit_cost"], flat["previous_unit_cost"], flat["reading"]) == (2, 1, "failing")
    assert (flat["cost_change"], flat["volume_effect"], flat["unit_cost_effect"]) == (0, -75, 75)
    assert (up["previous_quarter_unit_cost"], up["share_of_manual"], up["target_state"]) == (1, 0.125, "met")
    before = {scope: row for (_, scope), row in units(built, "successful_outcome", "2026-09").items()}
    assert (before["up"]["target_state"], before["up"]["reading"], before["up"]["owner_person_id"]) == ("missed", "not comparable", "ann")
    assert (up["is_core"], flat["is_core"]) == (True, False)
    # A quarter that is still running is compared but not read.
    assert units(built, "successful_outcome", kind="quarter")["workflow", "up"]["reading"] == "incomplete period"
    assert units(built, "conversation")["workflow", "up"]["denominator"] == 500


def test_nothing_counted_is_a_state_and_never_an_error(built):
    for month, spend in (("2026-09", 100), ("2026-10", 50)):
        row = units(built, "successful_outcome", month)["workflow", "zero"]
        assert (row["numerator"], row["denominator"], row["unit_cost"]) == (spend, 0, None)
        assert (row["state"], row["target_state"], row["reading"]) == ("no_outcomes", "no outcomes", "not comparable")
    # Requests of keys without a log or a bucket were never counted, so their cost per request is not told as if they were.
    request = units(built, "request", "2026-05")["total", "all"]
    assert (request["state"], request["unit_cost"]) == ("no_outcomes", None)


def test_a_developer_s_sprint_and_who_the_average_hides(built):
    rows = {(r["scope_type"], r["scope"], str(r["period_start"])): r
            for r in built.rows("select * from marts.mart_unit_cost where unit = 'developer_sprint'")}  # fmt: skip
    alpha, total = rows["team", "alpha", "2026-09-14"], rows["total", "all", "2026-09-14"]
    assert (alpha["numerator"], alpha["denominator"], alpha["unit_cost"]) == (190, 2, 95)
    assert (total["numerator"], total["denominator"]) == (400, 3)
    users = units(built, "active_user", "2026-09")["total", "all"]
    assert (users["denominator"], users["unit_cost"], users["top_decile_share"]) == (2, 50, 0.9)
    ranked = built.rows("select * from marts.mart_spend_concentration where month = date '2026-09-01' and dimension = 'user' order by rank")
    assert [(r["member"], r["share_of_dimension"], r["share_of_spend"]) for r in ranked] == [("ann", 0.9, 0.225), ("bob", 0.1, 0.025)]


def test_a_change_is_compared_over_as_many_days_on_both_sides(built):
    rows = {(r["change_id"], r["unit"]): r for r in built.rows("select * from marts.mart_change_impact")}
    row = rows["routing", "successful_outcome"]
    assert (row["before_unit_cost"], row["after_unit_cost"], row["days"], row["state"]) == (1, D("0.5"), 28, "measured")
    # 400 outcomes would have cost 400 before.
    assert (row["change_share"], row["cost_effect"], row["other_changes"]) == (-0.5, -200, 0)
    assert ("late", "successful_outcome") not in rows


def test_published_unit_marts_pass_their_own_tests(built):
    result = built.build(
        *MARTS, "int_unit_fact", "int_usage_count_day", "int_logged_usage_day", "int_reported_requests", "stg_outcomes__daily", tests=True
    )
    assert result.success, messages(result)
