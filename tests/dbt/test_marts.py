"""The marts: they add up to the ledger, say what they do not know, and a daily run leaves what a full one would."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tests.dbt.ledger_rows import (
    PRICES,
    PROJECTS,
    aws_charge,
    call,
    charge,
    company_warehouse,
    money,
    put_charges,
    tokens_charge,
)

WORKFLOWS = {
    "support": (1240, 6800, "38", "41800"),
    "contracts": (210, 12400, "22", "24200"),
    "sales": (96, 9100, "16", "17600"),
    "knowledge": (880, 3200, "14", "15400"),
    "marketing": (140, 2400, "6", "6600"),
    "everything-else": (320, 1900, "4", "4400"),
}
INCREMENTAL = {
    "ledger.fct_model_call": (), "ledger.int_call_pool_day": (), "ledger.int_logged_usage_day": (), "ledger.fct_attribution_ledger": (),
    "ledger.fct_ledger_residuals": (), "marts.mart_daily_spend": ("raw_input_digest",),
    "marts.mart_workflow_ledger": (), "marts.mart_forecast_series": (),
}  # fmt: skip


MARTS = (
    "mart_attribution_coverage", "mart_daily_spend", "mart_fidelity_error", "mart_forecast_series", "mart_invoice_difference",
    "mart_invoice_tie_out", "mart_top_deltas", "mart_work_item_cost", "mart_workflow_ledger",
)  # fmt: skip


def build(warehouse, **arguments):
    """Ledger stage, and these marts with what they read of the marts stage."""
    warehouse.build("models/staging/github", "models/staging/jira", "models/ledger", **arguments)
    warehouse.build(*(f"+{mart},models/marts" for mart in MARTS), **arguments)
    return warehouse


def test_the_printed_workflow_ledger_comes_out_to_the_cent(raw_warehouse):
    """W1 at a thousandth of its calls: each workflow's tokens are weighed so that the pool splits 38/22/16/14/6/4."""
    calls, total = [], 0
    for workflow, (_, context, share, _) in WORKFLOWS.items():
        requests = 4
        for i in range(requests):
            tokens = int(share) * 1000 // requests
            calls.append(call(f"{workflow}-{i}", tokens, tag_workflow=workflow, prompt_tokens=context))
            total += tokens
    contexts = sum(context for _, context, _, _ in WORKFLOWS.values()) * 4
    warehouse = company_warehouse(
        raw_warehouse,
        [tokens_charge("bill", "110000", total), tokens_charge("free input", "0", contexts, "input")],
        calls,
        seeds={"workflows": [{"workflow": w, "workflow_name": w, "team": "support"} for w in WORKFLOWS]},
    )
    build(warehouse)
    rows = {r["workflow"]: r for r in warehouse.rows("select * from marts.mart_workflow_ledger")}
    for workflow, (_, context, share, cost) in WORKFLOWS.items():
        assert rows[workflow]["cost"] == Decimal(cost)
        assert rows[workflow]["share_of_spend"] == pytest.approx(int(share) / 100)
        assert rows[workflow]["average_input_tokens"] == context
    assert sum(r["cost"] for r in rows.values()) == Decimal(110_000)


def test_coverage_names_the_unattributed_part_and_adds_to_one(raw_warehouse):
    charges = [tokens_charge("c", "60", 10), aws_charge("owned", "30", SubAccountId="111"), aws_charge("orphan", "10")]
    warehouse = build(company_warehouse(raw_warehouse, charges, [call("a", 10, tag_ticket="PAY-1")]))
    rows = warehouse.rows("select * from marts.mart_attribution_coverage where team is null")
    assert {r["fidelity_tier"]: (r["share_of_spend"], r["is_attributed"]) for r in rows} == {
        "call": (0.6, True), "team": (0.3, True), "unattributed": (0.1, False),
    }  # fmt: skip


def test_the_tie_out_says_tied_open_difference_no_bill_and_no_invoice(raw_warehouse):
    def invoice(issuer, month, amount, **columns):
        return {
            "invoice_issuer_name": issuer, "invoice_id": f"{issuer}-{month}", "invoice_detail_id": f"1{amount}", "line_type": "usage",
            "billing_period_start": f"{month}-01", "billing_period_end": f"{month}-28", "amount": amount, "currency": "USD",
            "invoice_issue_status": "Issued", **columns,
        }  # fmt: skip

    charges = [
        charge("tied", "100", "2026-08-03"), charge("tied tax", "7", "2026-08-03", ChargeCategory="Tax"),
        charge("off", "100", "2026-09-03"), charge("missing invoice", "5", "2026-10-03"), charge("running", "5", "2026-11-03"),
    ]  # fmt: skip
    invoices = [
        invoice("Anthropic", "2026-08", "100.99"), invoice("Anthropic", "2026-08", "9", line_type="tax"),
        invoice("Anthropic", "2026-09", "101.01"), invoice("Nobody", "2026-09", "1"),
    ]  # fmt: skip
    warehouse = build(company_warehouse(raw_warehouse, charges, invoices__lines=invoices, arguments={"as_of": "2026-11-09T06:00:00"}))
    rows = warehouse.rows("select * from marts.mart_invoice_tie_out")
    states = {(r["invoice_issuer_name"], str(r["billing_period"])): r["state"] for r in rows}
    assert states == {
        ("Anthropic", "2026-08-01"): "tied", ("Anthropic", "2026-09-01"): "difference", ("Nobody", "2026-09-01"): "no bill",
        ("Anthropic", "2026-10-01"): "no invoice", ("Anthropic", "2026-11-01"): "open",
    }  # fmt: skip
    october = next(r for r in rows if str(r["billing_period"]) == "2026-10-01")
    assert str(october["closes_on"]) == "2026-11-06"  # five business days after Sunday 1 November
    assert next(r for r in rows if r["state"] == "tied")["tax_amount"] == money("9")
    differences = warehouse.rows("select * from marts.mart_invoice_difference where difference <> 0")
    assert {(r["invoice_issuer_name"], r["billing_period"].month, r["difference_name"]): r["difference"] for r in differences} == {
        ("Anthropic", 8, "rounding"): money("0.99"), ("Anthropic", 8, "tax"): money("2"), ("Anthropic", 9, "unexplained"): money("1.01"),
        ("Nobody", 9, "no bill"): money("1"), ("Anthropic", 10, "no invoice"): money("-5"), ("Anthropic", 11, "no invoice"): money("-5"),
    }  # fmt: skip


def test_work_item_cost_adds_the_tiers_and_knows_delivery(raw_warehouse):
    issue = {"id": "1", "key": "PAY-1", "project_key": "PAY", "summary": "x", "issue_type": "Bug", "status_id": "9",
             "status_name": "Done", "status_category": "done", "created_at": "2026-10-01 00:00:00+00",
             "updated_at": "2026-11-01 00:00:00+00", "resolved_at": "2026-11-01 00:00:00+00"}  # fmt: skip
    calls = [call("a", 30, tag_ticket="PAY-1", session_id="s"), call("b", 10, session_id="s"), call("c", 60, tag_ticket="PAY-2")]
    warehouse = build(company_warehouse(raw_warehouse, [tokens_charge("c", "10", 100)], calls, jira__issues=[issue]))
    rows = {r["work_item_key"]: r for r in warehouse.rows("select * from marts.mart_work_item_cost")}
    assert (rows["PAY-1"]["cost_call"], rows["PAY-1"]["cost_session"], rows["PAY-1"]["cost"]) == (money("3"), money("1"), money("4"))
    assert (rows["PAY-1"]["is_delivered"], rows["PAY-1"]["calls"], rows["PAY-1"]["sessions"]) == (True, 2, 1)
    assert (rows["PAY-2"]["is_delivered"], rows["PAY-2"]["is_known"]) == (False, False)


def test_estimates_stand_beside_billed_spend_and_series_hold_only_dense_billed_usage(raw_warehouse):
    charges = [tokens_charge("c", "4", 10), aws_charge("later", "6", "2026-11-05", SubAccountId="111"),
               aws_charge("bought", "99", "2026-11-05", ChargeCategory="Purchase", SubAccountId="111")]  # fmt: skip
    calls = [call("a", 10, tag_workflow="copilot"), call("b", 1_000_000, "2026-11-06", tag_workflow="copilot")]
    warehouse = build(company_warehouse(raw_warehouse, charges, calls, arguments={"as_of": "2026-11-08T06:00:00"}))
    basis = warehouse.rows("select cost_basis, sum(reporting_cost) as cost from marts.mart_daily_spend group by 1 order by 1")
    assert basis == [{"cost_basis": "billed", "cost": Decimal(109)}, {"cost_basis": "estimated", "cost": Decimal(15)}]
    total = warehouse.rows(
        "select charge_date::varchar as day, cost, is_closed from marts.mart_forecast_series where level = 'total' order by 1"
    )
    assert [(r["day"][-2:], r["cost"], r["is_closed"]) for r in total] == [
        ("02", 4, True), ("03", 0, False), ("04", 0, False), ("05", 6, False), ("06", 0, False), ("07", 0, False),
    ]  # fmt: skip
    sums = warehouse.rows("select level, sum(cost) as cost from marts.mart_forecast_series group by 1")
    assert {r["cost"] for r in sums} == {Decimal(10)}


def test_top_deltas_rank_the_movers_of_complete_weeks_with_an_owner(raw_warehouse):
    charges = [
        aws_charge("a1", "10", "2026-11-02", Tags='{"team": "search"}'), aws_charge("a2", "25", "2026-11-09", Tags='{"team": "search"}'),
        aws_charge("b1", "10", "2026-11-03", SubAccountId="111"), aws_charge("b2", "9", "2026-11-10", SubAccountId="111"),
        aws_charge("open week", "1000", "2026-11-16", SubAccountId="111"),
    ]  # fmt: skip
    warehouse = build(company_warehouse(raw_warehouse, charges, arguments={"as_of": "2026-11-18T06:00:00"}))
    rows = warehouse.rows("select * from marts.mart_top_deltas where dimension in ('team', 'provider') order by dimension, rank")
    assert [(str(r["week"]), r["dimension"], r["member"], r["change"], r["rank"], r["owner"]) for r in rows] == [
        ("2026-11-09", "provider", "AWS", money("14"), 1, "Ann"),
        ("2026-11-09", "team", "search", money("15"), 1, "Ann"),
        ("2026-11-09", "team", "platform", money("-1"), 2, "Bob"),
    ]


def test_fidelity_is_measured_on_hidden_stamps_and_not_guessed_without_enough_items(raw_warehouse):
    rng = random.Random(7)
    issues, calls = [], []
    for n in range(1, 41):
        issues.append({
            "id": str(n), "key": f"PAY-{n}", "project_key": "PAY", "summary": "x", "issue_type": "Task", "status_id": "3",
            "status_name": "Doing", "status_category": "indeterminate", "assignee_account_id": "jira-ann",
            "created_at": f"2026-10-{1 + n % 28:02d} 00:00:00+00", "updated_at": "2026-11-01 00:00:00+00",
        })  # fmt: skip
        for i in range(4):
            day = f"2026-11-{2 + (n + i) % 15:02d}"
            calls.append(call(f"{n}-{i}", rng.randint(50, 500), day, tag_ticket=f"PAY-{n}", session_id=f"s{n}-{day}", user_id="ann",
                              meta_repo="r", meta_branch=f"pay-{n}-work"))  # fmt: skip
            calls.append(call(f"{n}-{i}b", 100, day, tag_ticket=f"PAY-{n}", session_id=f"s{n}-{day}", user_id="ann"))
    warehouse = build(company_warehouse(raw_warehouse, [], calls, jira__issues=issues))
    rows = {r["allocation_method"]: r for r in warehouse.rows("select * from marts.mart_fidelity_error")}
    assert (rows["branch_ticket"]["wape"], rows["branch_ticket"]["state"], rows["branch_ticket"]["items"]) == (0.0, "measured", 40)
    assert (rows["session_ticket"]["wape"], rows["session_ticket"]["bias"]) == (0.0, 0.0)
    # Ann is in progress on all forty items every day: placed in full, but spread evenly.
    assert rows["person_activity"]["bias"] == pytest.approx(0, abs=1e-6)
    assert rows["person_activity"]["wape"] > 0.5
    assert rows["person_activity"]["wape_lo"] < rows["person_activity"]["wape"] < rows["person_activity"]["wape_hi"]
    assert rows["ticket_stamp"]["state"] == "exact by construction"
    assert (rows["allocation_rule"]["state"], rows["allocation_rule"]["wape"]) == ("not yet measured", None)


def test_a_daily_run_leaves_what_a_full_run_would(raw_warehouse):
    """One day restated, one day's requests changed, one day emptied, and activity that arrived late."""
    days = [f"2026-11-{d:02d}" for d in range(2, 8)]
    charges = {d: [
        {**tokens_charge(f"c-{d}", "10", 100), "charge_date": d, "ChargePeriodStart": f"{d} 00:00:00", "x_Delivery": f"v1-{d}"},
        {**tokens_charge(f"ann-{d}", "2", 50, key="k_ann"), "charge_date": d, "ChargePeriodStart": f"{d} 00:00:00"},
    ] for d in days}  # fmt: skip
    calls = {d: [call(f"a-{d}", 40, d, tag_ticket="PAY-1"), call(f"b-{d}", 30, d, meta_repo="r", meta_branch="wip")] for d in days}
    warehouse = company_warehouse(raw_warehouse, flat(charges), flat(calls))
    build(warehouse, full_refresh=True)

    charges[days[1]][0]["BilledCost"] = "11.5"
    calls[days[2]].append(call(f"new-{days[2]}", 20, days[2], tag_ticket="PAY-2"))
    charges[days[3]] = []
    calls[days[3]] = []
    issue = {"id": "1", "key": "PAY-5", "project_key": "PAY", "summary": "x", "issue_type": "Task", "status_id": "3",
             "status_name": "Doing", "status_category": "indeterminate", "assignee_account_id": "jira-ann",
             "created_at": f"{days[4]} 10:00:00+00", "updated_at": f"{days[4]} 10:00:00+00"}  # fmt: skip
    pull = {"repo": "r", "id": "7", "number": 7, "state": "open", "title": "PAY-9 late", "head_ref": "wip", "author_id": "501",
            "author_type": "User", "created_at": f"{days[5]} 10:00:00+00", "updated_at": f"{days[5]} 10:00:00+00"}  # fmt: skip
    frames = {"prices__genai_prices": PRICES, "jira__projects": PROJECTS, "jira__issues": [issue], "github__pulls": [pull]}
    in_scope = [d for d in days if d in (days[2], days[3])]
    warehouse.land(
        {**frames, "litellm__spend_logs": [c for d in in_scope for c in calls[d]]},
        scope=[("litellm", "main", d) for d in in_scope], full=False,
    )  # fmt: skip
    # The delivery of a day whose requests changed is a new one.
    with warehouse.connect() as connection:
        connection.execute("update raw.litellm__spend_logs set raw_delivery_id = raw_delivery_id || '-2'")
    put_charges(warehouse, flat(charges))
    build(warehouse)
    incremental = snapshot(warehouse)
    rebuilt = warehouse.rows("select charge_date::varchar as day from ledger.ledger_day_state order by 1")
    assert [r["day"] for r in rebuilt] == [d for d in days if d != days[3]]

    full = company_warehouse(raw_warehouse, flat(charges), flat(calls), jira__issues=[issue], github__pulls=[pull])
    build(full, full_refresh=True)
    expected = snapshot(full)
    for relation in INCREMENTAL:
        assert incremental[relation] == expected[relation], relation


def test_a_day_without_changed_inputs_is_not_built_again(raw_warehouse):
    charges = [tokens_charge("c", "10", 100), charge("other day", "1", "2026-11-05")]
    warehouse = build(company_warehouse(raw_warehouse, charges, [call("a", 10, tag_ticket="PAY-1")]))
    warehouse.land({"jira__projects": [{"id": "1", "key": "PAY"}]}, scope=[], full=False)
    build(warehouse)
    assert warehouse.rows("select * from ledger.int_ledger_scope") == []
    assert warehouse.rows("select count(*) as n from ledger.fct_attribution_ledger")[0]["n"] == 3
    charges[1]["BilledCost"] = "2"
    put_charges(warehouse, charges)
    build(warehouse)
    scope = warehouse.rows("select charge_date::varchar as day from ledger.int_ledger_scope")
    assert scope == [{"day": "2026-11-05"}]
    assert warehouse.rows("select sum(billed_cost) as cost from marts.mart_daily_spend") == [{"cost": Decimal(12)}]


def flat(by_day):
    """Rows of every day in one list."""
    return [row for rows in by_day.values() for row in rows]


def snapshot(warehouse):
    """Rows of every incremental relation without audit columns, sorted."""
    found = {}
    for relation, skipped in INCREMENTAL.items():
        columns = [r["column_name"] for r in warehouse.rows(
            "select column_name from information_schema.columns where table_schema || '.' || table_name = ? order by 1", relation
        )]  # fmt: skip
        kept = [c for c in columns if c not in skipped and not c.startswith("raw_")]
        rows = warehouse.rows(f"select {', '.join(kept)} from {relation}")
        found[relation] = sorted(tuple(map(str, r.values())) for r in rows)
    return found
