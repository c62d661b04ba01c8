"""A gateway's limits as a proposal in LiteLLM's configuration format: never sent anywhere, read by people first.

Hard caps only where nothing in production breaks (test and experiment tags, single sessions); everything else gets a soft
threshold that alerts and lets requests through (R109 to R112).
"""

from __future__ import annotations

import json
from datetime import date
from decimal import ROUND_UP, Decimal

import duckdb

from orchestration.review.queries import Row, Snapshot

_TEAMS = """
select scope, budget, (period_end - period_start)::integer as days from marts.budget_pacing
where scope_type = 'team' and as_of = (select max(as_of) from marts.budget_pacing)
qualify row_number() over (partition by scope order by period_start desc) = 1
order by scope
"""

_TESTS = """
select environment, max(cost) as highest_day
from (
    select environment, charge_date, sum(x_ReportingCost) as cost from ledger.attribution
    where environment in ('test', 'experiment', 'sandbox') and ChargeCategory = 'Usage' and charge_date >= $since
    group by environment, charge_date
)
where cost > 0
group by environment order by environment
"""

SOFT_SHARE = Decimal("0.8")
SESSION_CAP_USD = 25
# A cap is this many times the dearest day of the last four weeks: it stops loops, not work.
HEADROOM = 2


def policy(connection: duckdb.DuckDBPyConnection, last_day: date, since: date) -> str:
    """The file's text; amounts are USD. The same snapshot gives the same text."""
    snapshot = Snapshot.of(connection)
    found = connection.execute(
        "select count(*) from information_schema.tables where table_schema = 'ledger' and table_name = 'attribution'"
    ).fetchone()
    cursor = connection.execute(_TESTS, {"since": since}) if found and found[0] else None
    tests = [dict(zip(("environment", "highest_day"), row, strict=True)) for row in cursor.fetchall()] if cursor else []
    lines = [
        f"# Proposed limits for a LiteLLM proxy, from the ledger up to {last_day.isoformat()}. Nothing has been sent to the gateway.",
        "# Merge what you agree with into its config.yaml. Amounts are USD.",
        "general_settings:",
        '  alerting: ["slack"]  # soft thresholds speak here',
        "litellm_settings:",
        *_caps(tests),
        "#",
        "# Soft thresholds live in the proxy's database, not in this file. Bodies for POST /team/update: alert at 80 % of the approved",
        "# budget and let requests through.",
        *(f"#   {json.dumps(_team(row))}" for row in snapshot.rows("budget_pacing", _TEAMS)),
        "#",
        "# Agents get a cap per session, not per developer. litellm_params for POST /v1/agents:",
        f'#   {{"max_budget_per_session": {SESSION_CAP_USD}, "require_trace_id_on_calls_by_agent": true}}',
    ]
    return "\n".join(lines) + "\n"


def _caps(tests: list[Row]) -> list[str]:
    if not tests:
        return ["  tag_budget_config: {}  # no spend of tests and experiments in the last four weeks"]
    lines = ["  # Hard caps for tests and experiments: twice the dearest day of the last four weeks.", "  tag_budget_config:"]
    for row in tests:
        lines += [
            f"    {json.dumps('environment:' + row['environment'])}:",
            f"      max_budget: {_up(HEADROOM * row['highest_day'])}",
            "      budget_duration: 1d",
        ]
    return lines


def _team(row: Row) -> dict[str, object]:
    return {"team_id": row["scope"], "soft_budget": int(_up(row["budget"] * SOFT_SHARE)), "budget_duration": f"{row['days']}d"}


def _up(amount: Decimal) -> str:
    return str(Decimal(amount).quantize(Decimal(1), ROUND_UP))
