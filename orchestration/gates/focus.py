"""The door after FOCUS: billed money agrees with list price times usage, and nothing doubled or lost on the way."""

from __future__ import annotations

import dagster as dg

from orchestration.gates.suites import Expectation, Gate

FOCUS = dg.AssetKey(["focus", "focus_cost_and_usage"])

# Two independent answers of the vendor, its bill and its usage report, rated at contract or list price. A missing or
# doubled page, cents read as dollars and cached tokens counted twice leave the band of focus_billed_vs_rated.
_OUTSIDE = """
select source, account, charge_date, state, ratio as billed_over_rated, billed_cost, rated_cost
from focus.focus_billed_vs_rated
where state not in ('in band', 'no price')
order by charge_date desc, source
"""

_DOUBLED = """
select x_charge_id, count(*) as copies from focus.focus_cost_and_usage group by 1 having count(*) > 1
"""

_SILENT = """
select m.source, m.account, m.charge_date, sum(m."rows") as rows_delivered
from (
    select source, account, "rows", unnest(days) as charge_date from raw.manifest
    where is_current and dataset in ('cost_report', 'costs') and control_total::decimal(38, 14) <> 0
) as m
semi join raw.scope as s on s.source = m.source and s.account = m.account and s.charge_date = m.charge_date
group by all
"""

_LOST_DAYS = f"""
select silent.* from ({_SILENT}) as silent
anti join focus.focus_cost_and_usage as f
    on f.x_SourceId = silent.source and f.x_Account = silent.account and f.charge_date = silent.charge_date
order by all
"""

_UNCONVERTED = """
select source, account, charge_date, billing_currency, charges, billed_cost from focus.focus_unconverted_charges order by all
"""

GATE = Gate(
    name="focus",
    asset=FOCUS,
    profile=f"""
    select (select count(*) from focus.focus_cost_and_usage) as charges,
           (select count(*) from ({_DOUBLED})) as doubled_charges,
           (select count(*) from ({_OUTSIDE})) as source_days_outside_band,
           (select count(*) from ({_LOST_DAYS})) as billed_days_without_charges,
           (select count(*) from ({_UNCONVERTED})) as days_without_rate
    """,
    expectations=(
        Expectation(
            "charges",
            "FOCUS holds charges",
            "Look at raw.manifest: did any billing dataset deliver rows?",
            minimum=1,
        ),
        Expectation(
            "doubled_charges",
            "Every charge is there once",
            "Compare the deliveries of the charges named; a page was read twice or two files overlap.",
            maximum=0,
            evidence=_DOUBLED,
        ),
        Expectation(
            "source_days_outside_band",
            "Billed cost agrees with reported usage times price on every source-day",
            "Materialise the days named again: a page may be missing or doubled, or a unit was misread.",
            maximum=0,
            evidence=_OUTSIDE,
        ),
        Expectation(
            "billed_days_without_charges",
            "Every billed day reached FOCUS",
            "Read raw.rejects and the staging model of the source.",
            maximum=0,
            evidence=_LOST_DAYS,
        ),
        Expectation(
            "days_without_rate",
            "Every charge in another currency has a dated rate",
            "Add the rates to seeds/shared/fx_rates.csv: until then these charges are in no sum in the reporting currency.",
            maximum=0,
            evidence=_UNCONVERTED,
            is_blocking=False,
        ),
    ),
)
