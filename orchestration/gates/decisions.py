"""The door before publishing: no size that cannot be bought, no incident without an owner, no promotion without its proof."""

from __future__ import annotations

import dagster as dg

from orchestration.gates.suites import Expectation, Gate

INCIDENTS = dg.AssetKey(["marts", "mart_incidents"])

_IMPOSSIBLE = """
select pool, scope, offer_id, level, units, utilisation, decision, reason from marts.mart_commitment_sizing
where units < 0 or commit_usd < 0 or utilisation not between 0 and 1.000001 or (decision = 'insufficient_data' and (units is not null or reason is null))
   or (is_advised and decision not in ('recommend', 'override'))
order by all
"""

_OWNERLESS = """
select incident_id, family, scope_type, scope, first_day, owner from marts.mart_incidents where coalesce(owner, '') = ''
order by all
"""

_BASELESS = """
select i.incident_id, i.scope_type, i.scope, i.family, i.first_day, i.last_day from marts.mart_incidents as i
where i.state in ('open', 'suppressed') and not exists (
    select 1 from marts.mart_signals as s
    where s.scope_type = i.scope_type and s.scope = i.scope and s.family = i.family and s.day between i.first_day and i.last_day
      and s.state in ('notice', 'page'))
order by all
"""

_UNPROVEN = """
select eval_set_id, candidate_config, outcome, rate_lower, margin, cost_ratio_upper from marts.mart_eval_gate
where outcome = 'PROMOTE' and not coalesce(rate_lower > -margin and cost_ratio_upper < 1 and items >= 30, false)
order by all
"""

_UNSHARED = """
select p.commitment_id, p.period_start, any_value(p.actual_cost) as actual_cost, sum(c.cost) as shared
from marts.mart_commitment_performance as p
left join marts.mart_commitment_chargeback as c using (commitment_id, period_start)
group by p.commitment_id, p.period_start
having sum(c.cost) is distinct from any_value(p.actual_cost)
order by all
"""

_ACCOUNTABLE = """
select activity, count(*) filter (where responsibility = 'A') as accountable from seeds.raci group by activity
having count(*) filter (where responsibility = 'A') <> 1
order by all
"""

GATE = Gate(
    name="decisions",
    asset=INCIDENTS,
    profile=f"""
    select (select count(*) from ({_IMPOSSIBLE})) as impossible_sizes,
           (select count(*) from ({_OWNERLESS})) as incidents_without_owner,
           (select count(*) from ({_BASELESS})) as incidents_without_signal,
           (select count(*) from ({_UNPROVEN})) as promotions_without_proof,
           (select count(*) from ({_UNSHARED})) as commitments_not_shared_out,
           (select count(*) from ({_ACCOUNTABLE})) as activities_without_one_accountable
    """,
    expectations=(
        Expectation(
            "impossible_sizes",
            "No commitment is sized below zero, and a refusal prints no size",
            "Report the pool and offer named: sizing must never give this.",
            maximum=0,
            evidence=_IMPOSSIBLE,
        ),
        Expectation(
            "incidents_without_owner",
            "Every incident has somebody who answers for it",
            "Name an owner in seed teams, or the accountable role of review_kpis in seed raci.",
            maximum=0,
            evidence=_OWNERLESS,
        ),
        Expectation(
            "incidents_without_signal",
            "Every live incident has the signals it was made of",
            "Materialise the decisions again; the rows named are in mart_incidents.",
            maximum=0,
            evidence=_BASELESS,
        ),
        Expectation(
            "promotions_without_proof",
            "Nothing is promoted without quality within the margin, a lower cost per success and 30 items",
            "Report the candidate named: the evaluation gate must never give this.",
            maximum=0,
            evidence=_UNPROVEN,
        ),
        Expectation(
            "commitments_not_shared_out",
            "The chargeback of a commitment adds to its actual cost, exactly",
            "Read mart_commitment_chargeback of the period named.",
            maximum=0,
            evidence=_UNSHARED,
        ),
        Expectation(
            "activities_without_one_accountable",
            "Every activity has exactly one accountable role",
            "Correct seed raci.",
            maximum=0,
            evidence=_ACCOUNTABLE,
        ),
    ),
)
