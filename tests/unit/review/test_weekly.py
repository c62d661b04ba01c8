"""The weekly page and the gateway's proposed limits: what is proposed first, by whom, and that nothing to say is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration.review import ReviewContext, build
from orchestration.review.queries import read_review
from orchestration.review.weekly import proposed, read_week
from tests.unit.review.test_review_page import _Page

EVIL = "<script>alert('x')</script>"
RELATIONS = {
    "incidents": """
        select * from (values
            (date '2026-09-18', date '2026-09-20', 'user', $evil, 'spend', 'A1', 42.5::decimal(38, 14), 30::decimal(38, 14), 55::decimal(38, 14), 'Ada', 'page', 'open', 3, 'ledger.attribution where 1', 'Ask.'),
            (date '2026-09-20', date '2026-09-20', 'session', 's1', 'context', 'A7s', 0.2::decimal(38, 14), null, null, 'Bo', 'digest', 'open', 1, 'e', 'Prune.'),
            (date '2026-08-01', date '2026-08-02', 'user', 'old', 'spend', 'A1', 900::decimal(38, 14), null, null, 'Cy', 'page', 'closed', 2, 'e', 'Ask.')
        ) as t (first_day, last_day, scope_type, scope, family, rules, excess, excess_lo80, excess_hi80, owner_name, route, state, days, evidence, next_step),
        (select 'i' || random() as incident_id)
    """,
    "kpi_scorecard": """
        select *, 'month' as cadence, 'Finance' as accountable_role, 'Gil' as owner, '' as scope from (values
            ('attribution_coverage', 'Attribution coverage', 'share', 'min', 0.95::decimal(38, 14), false, date '2026-08-01', 0.8::decimal(38, 14), 'missed', null),
            ('month_end_against_budget', 'Projected month end over budget', 'ratio', 'max', 1, false, date '2026-08-01', null, 'not yet measured', 'closed month'),
            ('month_end_against_budget', 'Projected month end over budget', 'ratio', 'max', 1, false, date '2026-09-01', 0.9, 'met', null),
            ('budget_variance', 'Budget variance', 'share', 'max', 0.05, false, date '2026-08-01', null, 'not yet measured', 'no budget')
        ) as t (kpi, kpi_name, unit, direction, target, is_non_negotiable, month, value, state, reason)
    """,
    "eval_gate": """
        select 's' as eval_set_id, 'b' as baseline_config, 'c' as candidate_config, 500 as items, 0.95 as baseline_rate, 0.85 as candidate_rate,
               -0.12 as rate_lower, 0.02 as margin, 0.03 as baseline_cost_per_success, 0.01 as candidate_cost_per_success,
               0.6 as expected_saving_share, 'REJECT' as outcome, 'pass rate fell' as reason
    """,
    "lever_impact": """
        select 'p' as promotion_id, 'caching' as lever_set, 'w' as workflow, date '2026-09-01' as promoted_on, 14 as days_after,
               7::decimal(38, 14) as realised_saving, 0.1 as realised_saving_share, 0.4 as expected_saving_share, 0.3 as applied_share,
               0.0 as cost_per_call_drift, 'not_applied' as state, '30% of calls carry the lever' as reason, 'Dee' as owner_name
    """,
    "commitment_sizing": """
        select 'aws' as pool, 'unit-month' as offer_id, 4.0 as units, 'units' as unit, 123::decimal(38, 14) as monthly_saving, 0.9 as captured_share,
               'recommend' as decision, null::varchar as reason, true as is_advised, '' as scope, 'commitment' as kind, 'advised' as level
    """,
    "cost_error_budget": """
        select *, 'Gil' as owner from (values
            ('d', 'A day stays under 100', 28, 4, 0.857142857::decimal(20, 18), 0.9::decimal(20, 18), 2.8::decimal(38, 14), 1.43::decimal(38, 14), 2.86::decimal(38, 14), 'spent', null),
            ('r', 'A request stays under 1', 0, 0, null, 0.99, 0, null, null, 'not yet measured', 'no priced request')
        ) as t (objective_id, objective_name, events, bad_events, compliance, target, allowed_bad_events, consumed_share, burn_rate_7d, state, reason)
    """,
    "practice_maturity": """
        select * from (values (1, 'invoice awareness', 'Totals', 3::decimal(38, 14), 1::decimal(38, 14), 'issuers', true, true, null),
                              (2, 'ownership', 'Owners', 0.8, 0.95, 'share', false, false, 'Name owners.'),
                              (3, 'unit economics', 'Successes', 2, 1, 'workflows', true, false, null))
        as t (stage, stage_name, meaning, evidence, threshold, unit, is_met, is_reached, next_step)
    """,
    "rollout_checklist": """
        select * from (values (1, 30, 'inform', 'Sources deliver', true, 0::decimal(38, 14), 'late', null),
                              (2, 30, 'inform', 'Spend has owners', false, 0.8, 'share', 'Name them.'))
        as t (step, by_day, phase, step_name, is_done, evidence, unit, next_step)
    """,
}


def _snapshot(relations: dict[str, str]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema marts")
    for name, sql in relations.items():
        connection.execute(f"create table marts.{name} as {sql}", {"evil": EVIL} if "$evil" in sql else {})
    return connection


@pytest.fixture
def week() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = _snapshot(RELATIONS)
    yield connection
    connection.close()


def test_what_is_proposed_is_at_most_three_of_different_kinds_worst_first(
    week: duckdb.DuckDBPyConnection, context: ReviewContext
) -> None:
    found = proposed(read_week(week, read_review(week, context)))
    assert [(what.split(":")[0], who) for what, who, _, _ in found] == [("Apply", "Dee"), (EVIL, "Ada"), ("Buy 4 units (unit-month) for aws", "Finance")]
    assert [None if stake is None else float(stake) for *_, stake in found] == [15.0, 42.5, 123.0]


def test_the_page_holds_what_an_owner_needs(week: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path: Path) -> None:
    text = build(week, tmp_path, context).weekly.read_text(encoding="utf-8")
    page = _Page(text)
    assert page.open == [] and "script" not in page.tags and page.heads_without_scope == 0
    assert {a for a in page.addresses if not a.startswith("#")} == {"review.html", "reset.html", "explain.html"}
    incidents = next(rows for name, rows in page.tables.items() if name.startswith("Open incidents"))
    assert len(incidents) == 2, "one page of this week; the notice without money is counted, the closed one is history"
    assert incidents[1][2] == "42.50 (30.00 to 55.00)"
    assert incidents[1][3] == "Ada" and "ledger.attribution where 1" in incidents[1][6]
    assert "1 notice without money" in text
    card = {r[0]: r for r in next(rows for name, rows in page.tables.items() if name.startswith("KPIs of"))[1:]}
    assert card["Attribution coverage"][4] == "missed" and card["Projected month end over budget"][4] == "met"
    assert card["Budget variance"][1] == "not yet measured" and "Budget variance: no budget." in text
    budgets = {r[0]: r for r in next(rows for name, rows in page.tables.items() if name.startswith("Error budgets"))[1:]}
    assert budgets["A day stays under 100"][3:6] == ["4 of 2.8 allowed", "2.86", "spent"]
    assert budgets["A request stays under 1"][3] == "not yet measured"
    stages = {r[0]: r for r in next(rows for name, rows in page.tables.items() if name.startswith("Stages"))[1:]}
    assert [stages[s][2] for s in ("1 invoice awareness", "2 ownership", "3 unit economics")] == ["reached", "to do", "met"]
    assert "Stage 1 of 3 is reached: invoice awareness." in text
    assert "1 of 2 steps done." in text and text == build(week, tmp_path, context).weekly.read_text(encoding="utf-8")


def test_an_empty_snapshot_says_so(context: ReviewContext, tmp_path: Path) -> None:
    connection = _snapshot({})
    files = build(connection, tmp_path, context)
    text = files.weekly.read_text(encoding="utf-8")
    assert _Page(text).open == [] and "Nothing is proposed this week" in text and "No incident is open" in text
    assert yaml.safe_load(files.policy.read_text())["litellm_settings"]["tag_budget_config"] == {}


def test_only_tests_and_experiments_are_capped(context: ReviewContext, tmp_path: Path) -> None:
    connection = _snapshot({
        "budget_pacing": "select 'team' as scope_type, 'search' as scope, 1000::decimal(38, 14) as budget, date '2026-09-01' as period_start,"
        " date '2026-10-01' as period_end, date '2026-09-22' as as_of, * from (select null::double as mtd, null::double as mtd_adjusted,"
        " null::double as plan_to_date, null::double as pace_index, null::double as linear_pace_index, null::double as month_end, null::double as lo80,"
        " null::double as hi80, null::double as p_breach, null::date as breach_date_p10, null::date as breach_date_p50, null::date as breach_date_p90,"
        " 'ok' as level, 'search-2026-09' as budget_id)",
    })  # fmt: skip
    connection.execute("create schema ledger")
    connection.execute(
        "create table ledger.attribution as select * from (values ('production', date '2026-09-20', 500.0), ('test', date '2026-09-20', 10.4),"
        " ('test', date '2026-09-21', 3.0), ('experiment', date '2026-01-01', 99.0)) as t (environment, charge_date, cost)"
    )
    connection.execute("alter table ledger.attribution add column x_ReportingCost decimal(38, 14)")
    connection.execute("alter table ledger.attribution add column ChargeCategory varchar default 'Usage'")
    connection.execute("update ledger.attribution set x_ReportingCost = cost")
    from orchestration.review.policy import policy

    last = context.last_complete_day
    text = policy(connection, last, last.replace(day=1))
    assert yaml.safe_load(text)["litellm_settings"]["tag_budget_config"] == {"environment:test": {"max_budget": 21, "budget_duration": "1d"}}
    assert '"team_id": "search", "soft_budget": 800' in text
