"""The door after the marts: their sums are the ledger's, and closed periods tie out with their invoices."""

from __future__ import annotations

import dagster as dg

from orchestration.gates.suites import Expectation, Gate

DAILY_SPEND = dg.AssetKey(["marts", "mart_daily_spend"])

_SPEND_DIFFERENCES = """
select coalesce(l.charge_date, m.charge_date) as charge_date, l.currency, l.billed as ledger_billed, m.billed as mart_billed
from (
    select charge_date, BillingCurrency as currency, sum(BilledCost) as billed
    from ledger.fct_attribution_ledger group by all
) as l
full join (
    select charge_date, billing_currency as currency, sum(billed_cost) as billed
    from marts.mart_daily_spend where cost_basis = 'billed' group by all
) as m on m.charge_date = l.charge_date and m.currency is not distinct from l.currency
where l.billed is distinct from m.billed
order by all
"""

_COVERAGE_DIFFERENCES = """
select month, sum(cost) as in_tiers, any_value(ledger_cost) as ledger_cost
from marts.mart_attribution_coverage as c
join (
    select date_trunc('month', charge_date)::date as month, sum(x_ReportingCost) as ledger_cost
    from ledger.fct_attribution_ledger group by all
) as l using (month)
where c.team is null
group by month
having abs(sum(cost)::decimal(38, 14) - any_value(ledger_cost)) > 0.01
order by all
"""

_UNTIED = """
select invoice_issuer_name, billing_period, billing_currency, invoice_amount, focus_amount, ledger_amount, tolerance
from marts.mart_invoice_tie_out where state = 'difference' order by all
"""

GATE = Gate(
    name="marts",
    asset=DAILY_SPEND,
    profile=f"""
    select (select count(*) from ({_SPEND_DIFFERENCES})) as days_with_a_difference,
           (select count(*) from ({_COVERAGE_DIFFERENCES})) as coverage_months_with_a_difference,
           (select count(*) from ({_UNTIED})) as invoices_with_a_difference
    """,
    expectations=(
        Expectation(
            "days_with_a_difference",
            "Daily spend equals the ledger on every day and currency, exactly",
            "Build stage marts again; int_ledger_scope decides which days it rebuilds.",
            maximum=0,
            evidence=_SPEND_DIFFERENCES,
        ),
        Expectation(
            "coverage_months_with_a_difference",
            "The tiers of a month add up to its spend",
            "Read mart_attribution_coverage of the months named.",
            maximum=0,
            evidence=_COVERAGE_DIFFERENCES,
        ),
        Expectation(
            "invoices_with_a_difference",
            "Every invoice of a closed period ties out with FOCUS and the ledger",
            "Ask the issuer, or land the missing bill; the difference is in mart_invoice_tie_out.",
            maximum=0,
            evidence=_UNTIED,
        ),
    ),
)
