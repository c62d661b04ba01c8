"""The door after the ledger: the same money on both sides, day by day and exactly."""

from __future__ import annotations

import dagster as dg

from orchestration.gates.suites import Expectation, Gate

LEDGER = dg.AssetKey(["ledger", "fct_attribution_ledger"])

_DIFFERENCES = """
select coalesce(f.source, l.source) as source, coalesce(f.charge_date, l.charge_date) as charge_date, f.currency,
       coalesce(f.billed, 0) as focus_billed, coalesce(l.billed, 0) as ledger_billed,
       coalesce(f.effective, 0) as focus_effective, coalesce(l.effective, 0) as ledger_effective
from (
    select x_SourceId as source, charge_date, BillingCurrency as currency, sum(BilledCost) as billed,
           sum(EffectiveCost) as effective
    from focus.focus_cost_and_usage group by all
) as f
full join (
    select source, charge_date, BillingCurrency as currency, sum(BilledCost) as billed, sum(EffectiveCost) as effective
    from ledger.fct_attribution_ledger group by all
) as l on l.source = f.source and l.charge_date = f.charge_date and l.currency is not distinct from f.currency
where f.billed is distinct from l.billed or f.effective is distinct from l.effective
order by all
"""

_TIERS = "('call', 'session', 'person', 'team', 'policy', 'unattributed')"

_UNKNOWN_TIERS = f"""
select fidelity_tier, allocation_method, count(*) as shares from ledger.fct_attribution_ledger
where fidelity_tier is null or fidelity_tier not in {_TIERS} group by all
"""

GATE = Gate(
    name="ledger",
    asset=LEDGER,
    profile=f"""
    select (select count(*) from ({_DIFFERENCES})) as days_with_a_difference,
           (select count(*) from ({_UNKNOWN_TIERS})) as unknown_tiers,
           (select count(*) from ledger.fct_attribution_ledger) as shares
    """,
    expectations=(
        Expectation(
            "days_with_a_difference",
            "The ledger's cost equals FOCUS on every source-day, exactly",
            "Compare the charges of the days named with their shares in fct_attribution_ledger.",
            maximum=0,
            evidence=_DIFFERENCES,
        ),
        Expectation(
            "unknown_tiers",
            "Every share names a fidelity tier",
            "Read the rule that made the shares named.",
            maximum=0,
            evidence=_UNKNOWN_TIERS,
        ),
        Expectation("shares", "The ledger holds shares", "Read the focus gate's numbers.", minimum=1),
    ),
)
