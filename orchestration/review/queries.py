"""Every query of the review pack. Reads the published names only (schema `marts`); formatting happens elsewhere.

A relation that a profile does not publish reads as empty: the page then says that there is nothing to show and why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.review.model import ReviewContext

Row = dict[str, Any]

ATTRIBUTED_TIERS = ("call", "session", "person", "team")
TIERS = (*ATTRIBUTED_TIERS, "policy", "unattributed")
COVERAGE_TARGET = Decimal("0.95")
DAYS_SHOWN = 90
MONTHS_SHOWN = 6
MINIMUM_DAYS_TO_FORECAST = 14
MINIMUM_WINDOWS_TO_SCORE = 3

_DAILY = """
select charge_date, coalesce(provider, 'unknown provider') as provider, sum(reporting_cost) as cost
from marts.daily_spend
where cost_basis = 'billed' and charge_category = 'Usage' and reporting_cost is not null
  and charge_date between $first and $last
group by all
order by charge_date, provider
"""

_SPEND_DAYS = """
select min(charge_date) as first_day, max(charge_date) as last_day,
       count(distinct charge_date) filter (where charge_category = 'Usage') as usage_days
from marts.daily_spend
where cost_basis = 'billed' and charge_date <= $last
"""

_PROVIDER_MONTHS = """
select date_trunc('month', charge_date)::date as month, coalesce(provider, 'unknown provider') as provider,
       sum(reporting_cost) as cost,
       sum(reporting_cost) filter (where charge_category = 'Usage') as usage_cost
from marts.daily_spend
where cost_basis = 'billed' and reporting_cost is not null and charge_date between $first and $last
group by all
order by month, provider
"""

_UNCONVERTED = """
select billing_currency, count(*) as rows_without_rate, sum(billed_cost) as billed_cost
from marts.daily_spend
where cost_basis = 'billed' and reporting_cost is null and charge_date <= $last
group by all
order by billing_currency
"""

_WORKFLOWS = """
select coalesce(workflow_name, workflow) as workflow, string_agg(distinct team, ', ' order by team) as team, sum(calls) as calls,
       sum(average_input_tokens * calls) / nullif(sum(calls) filter (where average_input_tokens is not null), 0)
           as average_input_tokens,
       sum(cost) as cost
from marts.workflow_ledger
where month = $month
group by coalesce(workflow_name, workflow)
order by cost desc, workflow
"""

_COVERAGE = """
select month, fidelity_tier, sum(cost) as cost
from marts.attribution_coverage
where team is null and month between $first and $last
group by all
order by month, fidelity_tier
"""

_COVERAGE_BY_TEAM = """
select team, fidelity_tier, sum(cost) as cost
from marts.attribution_coverage
where team is not null and month = $month
group by all
order by team, fidelity_tier
"""

_FIDELITY = """
select fidelity_tier, allocation_method, items, spend, wape, bias, wape_lo, wape_hi, state
from marts.fidelity_error
order by fidelity_tier, spend desc nulls last, allocation_method
"""

_WORKLIST = """
select rank, kind, source, object_type, external_id, gain, action, cost, share_of_spend, days
from marts.attribution_worklist
order by rank
limit $limit
"""

_WORKLIST_TOTAL = """
select count(*) as things, sum(cost) filter (where gain = 'coverage') as coverage_cost
from marts.attribution_worklist
"""

_DIFFERENCES = """
select invoice_issuer_name, billing_period, billing_currency, difference_name, invoice_amount, focus_amount, difference,
       reporting_difference, is_within_tolerance
from marts.invoice_difference
where difference <> 0 and difference_name not in ('no invoice', 'no bill')
order by is_within_tolerance, billing_period desc, abs(difference) desc, invoice_issuer_name, difference_name
"""

_TIE_OUT = """
select invoice_issuer_name, billing_period, billing_currency, invoice_amount, focus_amount, ledger_amount, tax_amount,
       difference_invoice_focus, difference_focus_ledger, tolerance, rows_in_focus, state
from marts.invoice_tie_out
order by state not in ('difference', 'no bill'), billing_period desc, invoice_issuer_name, billing_currency
"""

_MONTH_END = """
select as_of, period_start, period_end, point, lo80, hi80, lo95, hi95, n_eff, coverage80_180d, coverage_state, method,
       quality, data_cutoff
from marts.forecast_total
where level = 'total' and period_kind = 'month_end'
order by as_of desc, series_key
limit 1
"""

_FORECAST_TOTALS = """
select level, scope, period_kind, period_start, period_end, point, lo80, hi80, lo95, hi95, n_eff, coverage80_180d,
       coverage_state, method, quality
from marts.forecast_total
where as_of = (select max(as_of) from marts.forecast_total)
order by level <> 'total', level, scope, period_kind
"""

_FORECAST_DAYS = """
select target_date, sum(point) as point
from marts.forecast_daily
where level = 'total' and as_of = $as_of and target_date >= $first and target_date < $end and point is not null
group by target_date
order by target_date
"""

_PACING = """
select budget_id, scope_type, scope, period_start, period_end, as_of, budget, mtd, mtd_adjusted, plan_to_date,
       pace_index, linear_pace_index, month_end, lo80, hi80, p_breach, breach_date_p10, breach_date_p50,
       breach_date_p90, level
from marts.budget_pacing
qualify as_of = max(as_of) over () and row_number() over (partition by budget_id order by period_start desc) = 1
order by scope_type <> 'total', p_breach desc nulls last, budget desc, budget_id
"""

# A method is compared with the naive one on the windows both have answered, or the relation would flatter one of them.
# Decimals, because a sum of floats depends on the order in which threads meet the rows.
_BACKTEST = """
with resolved as (
    select series_key, level, as_of::date as as_of, horizon::varchar as horizon, method, lo80, hi80,
           forecast::decimal(28, 8) as forecast, actual::decimal(28, 8) as actual,
           method in ('seasonal_naive', 'naive_last', 'ma7', 'run_rate') as is_naive
    from marts.backtest
    where is_resolved and forecast is not null and actual is not null
),
naive as (
    select series_key, as_of, horizon, forecast, actual
    from resolved
    where method = 'seasonal_naive'
)
select r.level, r.horizon, r.method, r.is_naive, count(*) as windows, count(distinct r.series_key) as series,
       date_diff('day', min(r.as_of), max(r.as_of)) as days_spanned,
       sum(abs(r.forecast - r.actual)) / nullif(sum(r.actual), 0) as wape,
       sum(r.forecast - r.actual) / nullif(sum(r.actual), 0) as bias,
       sum(abs(r.forecast - r.actual)) filter (where n.series_key is not null)
           / nullif(sum(abs(n.forecast - n.actual)), 0) as relative_wape,
       avg(case when r.actual between r.lo80 and r.hi80 then 1.0 else 0.0 end)
           filter (where r.lo80 is not null and r.hi80 is not null) as coverage80,
       count(*) filter (where r.lo80 is not null and r.hi80 is not null) as windows_with_interval
from resolved as r
left join naive as n
    on n.series_key = r.series_key and n.as_of = r.as_of and n.horizon = r.horizon
group by r.level, r.horizon, r.method, r.is_naive
order by r.level <> 'total', r.level, try_cast(regexp_extract(r.horizon, '[0-9]+') as integer) nulls last, r.horizon,
         r.is_naive, wape, r.method
"""

_MOVERS = """
select week, dimension, member, cost, previous_cost, change, change_share, rank, owner
from marts.top_deltas
where week = (select max(week) from marts.top_deltas where week <= $last)
order by dimension, rank, member
"""

_WORK_ITEMS = """
select work_item_key, work_item_type, team, feature, sprint, status, created_at, resolved_at, cost, cost_call,
       cost_session, cost_person, cost_rework, cost_error, calls, tokens, models, sessions, pull_requests, is_delivered
from marts.work_item_cost
where cost is not null and cost <> 0
order by cost desc, work_item_key
limit $limit
"""

_WORK_ITEM_TOTAL = """
select count(*) as items, sum(cost) as cost, count(*) filter (where is_delivered) as delivered,
       sum(cost) filter (where is_delivered) as delivered_cost
from marts.work_item_cost
where cost is not null and cost <> 0
"""

_CONFORMANCE = """
select rule_id, description, source, checked_on, rows_checked, rows_failing, example, level, state
from marts.focus_conformance
qualify checked_on = max(checked_on) over (partition by rule_id, source)
order by case state when 'fail' then 0 when 'waived' then 1 else 2 end, level, rows_failing desc, rule_id, source
"""

_UNIT_COSTS = """
select unit, scope_type, scope, period_kind, period_start, is_complete, numerator, denominator, top_decile_share, unit_cost, previous_unit_cost,
       previous_quarter_unit_cost, change_share, cost_change, volume_effect, unit_cost_effect, reading, target_unit_cost, target_state,
       manual_unit_cost, counted_share, state, decision, is_core, owner_person_id
from marts.unit_cost
where scope_type in ('total', 'team', 'workflow')
  and (period_kind = 'month' and period_start = $month
    or period_kind = 'sprint' and period_start = (select max(period_start) from marts.unit_cost where period_kind = 'sprint' and is_complete))
order by unit <> 'successful_outcome', unit, scope_type <> 'total', scope_type, numerator desc, scope
"""

_TOP_USERS = """
select max(members) as members, max(cumulative_share) filter (where 10 * (rank - 1) < members) as share
from marts.spend_concentration
where month = $month and dimension = 'user'
having count(*) > 0
"""

_CACHE_RECOUNT = """
select sum(input_cost) as input_cost, sum(naive_input_cost) as naive_input_cost,
       sum(naive_input_cost)::double / nullif(sum(input_cost)::double, 0) as overstatement,
       sum(tokens_cache_read)::double
           / nullif(sum(tokens_input_uncached + tokens_cache_read + tokens_cache_write)::double, 0) as cached_share
from marts.cache_recount
where month = $month and state = 'recounted'
having count(*) > 0
"""

_FRESHNESS = """
select source, dataset, account, last_complete_window, lag_days, expected_lag_days, windows, failed_windows,
       restatements, rejects, state
from marts.source_freshness
order by source, dataset, account
"""


def _finite(value: Any) -> Any:
    """Not-a-number and infinity read as nothing: a reader gets a dash and a reason, never `nan`."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Snapshot:
    """A read-only view of the published relations that exist."""

    connection: duckdb.DuckDBPyConnection
    relations: frozenset[str]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Snapshot:
        """List the relations of schema `marts` behind this connection."""
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
        return cls(connection, frozenset(name for (name,) in found))

    def rows(self, relation: str, sql: str, **parameters: Any) -> list[Row]:
        """Rows of a query over one relation; none when the snapshot does not hold it."""
        if relation not in self.relations:
            return []
        result = self.connection.execute(sql, parameters) if parameters else self.connection.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, map(_finite, values), strict=True)) for values in result.fetchall()]


@dataclass(frozen=True)
class Review:
    """Everything the pages show, unformatted. Money is in the reporting currency unless a row names its own."""

    context: ReviewContext
    month: date
    full_month: date
    spend_days: Row
    daily: list[Row]
    provider_months: list[Row]
    unconverted: list[Row]
    workflow_month: date
    workflows: list[Row]
    unit_month: date
    unit_costs: list[Row]
    top_users: Row | None
    cache_recount: Row | None
    coverage_month: date
    coverage: list[Row]
    coverage_by_team: list[Row]
    fidelity: list[Row]
    worklist: list[Row]
    worklist_total: Row
    tie_out: list[Row]
    differences: list[Row]
    month_end: Row | None
    forecast_days: list[Row]
    forecast_totals: list[Row]
    pacing: list[Row]
    backtest: list[Row]
    movers: list[Row]
    work_items: list[Row]
    work_item_total: Row
    conformance: list[Row]
    freshness: list[Row]

    @property
    def currency(self) -> str:
        return self.context.reporting_currency

    def spend_of(self, month: date, measure: str = "cost") -> Decimal | None:
        """Billed spend of a month up to the last complete day; None when nothing was billed in it."""
        values = [r[measure] for r in self.provider_months if r["month"] == month and r[measure] is not None]
        return sum(values, Decimal(0)) if values else None

    def providers(self) -> list[str]:
        """Providers of the months shown, dearest first."""
        totals: dict[str, Decimal] = {}
        for row in self.provider_months:
            totals[row["provider"]] = totals.get(row["provider"], Decimal(0)) + row["cost"]
        return sorted(totals, key=lambda name: (-totals[name], name))

    def months(self) -> list[date]:
        """Months shown, oldest first; a month without spend between two others is shown as nothing."""
        seen = [r["month"] for r in self.provider_months]
        if not seen:
            return []
        months, last = [min(seen)], max(seen)
        while months[-1] < last:
            months.append(_next_month(months[-1]))
        return months

    def tiers_of(self, month: date) -> dict[str, Decimal]:
        """Spend by fidelity tier of a month, tiers in their order, absent tiers as zero; empty without any spend."""
        found = {r["fidelity_tier"]: r["cost"] for r in self.coverage if r["month"] == month and r["cost"] is not None}
        if not found:
            return {}
        return {tier: found.get(tier, Decimal(0)) for tier in (*TIERS, *sorted(set(found) - set(TIERS)))}

    def coverage_of(self, month: date) -> Decimal | None:
        """Share of spend that the tiers call, session, person and team explain; None when a share means nothing."""
        tiers = self.tiers_of(month)
        total = sum(tiers.values(), Decimal(0))
        return sum((tiers[t] for t in ATTRIBUTED_TIERS), Decimal(0)) / total if total > 0 else None

    def closed_invoices(self) -> list[Row]:
        """Tie-outs that can be judged: an invoice is there and its period is closed."""
        return [r for r in self.tie_out if r["state"] in ("tied", "difference")]

    def month_label(self, month: date) -> str:
        """The month in words; an unfinished one says that it runs to date."""
        return f"{month:%b %Y}" + (" to date" if month == self.month != self.full_month else "")

    def interval(self) -> tuple[Any, Any] | None:
        """The 80 % interval of the month-end forecast, when there is one."""
        if self.month_end is None or self.month_end["lo80"] is None or self.month_end["hi80"] is None:
            return None
        return self.month_end["lo80"], self.month_end["hi80"]

    def forecast_refusal(self) -> str | None:
        """Why there is no month-end forecast; None when there is one."""
        days = self.spend_days.get("usage_days") or 0
        quality = self.month_end["quality"] if self.month_end is not None else None
        if quality == "dormant":
            return f"no usage was billed in the last 28 days; newest billed day: {self.spend_days['last_day'] or 'none'}"
        if days < MINIMUM_DAYS_TO_FORECAST:
            return f"insufficient data: {days} of {MINIMUM_DAYS_TO_FORECAST} days"
        if self.month_end is None or self.month_end["point"] is None:
            return "this snapshot holds no forecast of the total"
        return None


def _next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _previous_month(month: date, months: int = 1) -> date:
    for _ in range(months):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _newest(rows: list[Row], wanted: date) -> date:
    """The newest month with rows up to the wanted one, else the oldest with any, else the wanted one."""
    months = {r["month"] for r in rows}
    return max((m for m in months if m <= wanted), default=min(months, default=wanted))


def read_review(connection: duckdb.DuckDBPyConnection, context: ReviewContext) -> Review:
    """Read everything the review pack shows from a published snapshot.

    The month to date is the month of the last complete day; the last full month is the newest one that this day ends
    or follows. Bills that end earlier (old sample files) move the shown days and months back to where there is spend.
    """
    snapshot = Snapshot.of(connection)
    last = context.last_complete_day
    found = snapshot.rows("daily_spend", _SPEND_DAYS, last=last)
    spend_days = found[0] if found else {"first_day": None, "last_day": None, "usage_days": 0}
    month = last.replace(day=1)
    full_month = month if (last + timedelta(days=1)).day == 1 else _previous_month(month)

    newest_day = spend_days["last_day"] or last
    shown_to = last if (last - newest_day).days < DAYS_SHOWN else newest_day
    shown_month = min(month, newest_day.replace(day=1)) if (last - newest_day).days >= DAYS_SHOWN else month
    first_month = _previous_month(shown_month, MONTHS_SHOWN - 1)

    month_ends = snapshot.rows("forecast_total", _MONTH_END)
    month_end = month_ends[0] if month_ends else None
    forecast_days: list[Row] = []
    if month_end is not None and month_end["period_end"] is not None:
        forecast_days = snapshot.rows(
            "forecast_daily",
            _FORECAST_DAYS,
            as_of=month_end["as_of"],
            first=last + timedelta(days=1),
            end=_next_month((last + timedelta(days=1)).replace(day=1)),
        )

    workflow_months = snapshot.rows("workflow_ledger", "select distinct month from marts.workflow_ledger where month <= $last", last=month)
    workflow_month = _newest(workflow_months, full_month)
    unit_months = snapshot.rows(
        "unit_cost",
        "select distinct period_start as month from marts.unit_cost where period_kind = 'month' and period_start <= $last",
        last=month,
    )
    unit_month = _newest(unit_months, full_month)
    top_users = snapshot.rows("spend_concentration", _TOP_USERS, month=unit_month)
    cache_recount = snapshot.rows("cache_recount", _CACHE_RECOUNT, month=unit_month)
    coverage = snapshot.rows("attribution_coverage", _COVERAGE, first=date(1970, 1, 1), last=month)
    coverage_month = _newest(coverage, full_month)
    totals = snapshot.rows("work_item_cost", _WORK_ITEM_TOTAL)

    return Review(
        context=context,
        month=month,
        full_month=full_month,
        spend_days=spend_days,
        daily=snapshot.rows(
            "daily_spend", _DAILY, first=shown_to - timedelta(days=DAYS_SHOWN - 1), last=shown_to
        ),
        provider_months=snapshot.rows("daily_spend", _PROVIDER_MONTHS, first=first_month, last=last),
        unconverted=snapshot.rows("daily_spend", _UNCONVERTED, last=last),
        workflow_month=workflow_month,
        workflows=snapshot.rows("workflow_ledger", _WORKFLOWS, month=workflow_month),
        unit_month=unit_month,
        unit_costs=snapshot.rows("unit_cost", _UNIT_COSTS, month=unit_month),
        top_users=top_users[0] if top_users else None,
        cache_recount=cache_recount[0] if cache_recount else None,
        coverage_month=coverage_month,
        coverage=coverage,
        coverage_by_team=snapshot.rows("attribution_coverage", _COVERAGE_BY_TEAM, month=coverage_month),
        fidelity=snapshot.rows("fidelity_error", _FIDELITY),
        worklist=snapshot.rows("attribution_worklist", _WORKLIST, limit=200),
        worklist_total=(snapshot.rows("attribution_worklist", _WORKLIST_TOTAL) or [{"things": 0, "coverage_cost": None}])[0],
        tie_out=snapshot.rows("invoice_tie_out", _TIE_OUT),
        differences=snapshot.rows("invoice_difference", _DIFFERENCES),
        month_end=month_end,
        forecast_days=forecast_days,
        forecast_totals=snapshot.rows("forecast_total", _FORECAST_TOTALS),
        pacing=snapshot.rows("budget_pacing", _PACING),
        backtest=snapshot.rows("backtest", _BACKTEST),
        movers=snapshot.rows("top_deltas", _MOVERS, last=last),
        work_items=snapshot.rows("work_item_cost", _WORK_ITEMS, limit=200),
        work_item_total=totals[0] if totals else {"items": 0, "cost": None, "delivered": 0, "delivered_cost": None},
        conformance=snapshot.rows("focus_conformance", _CONFORMANCE),
        freshness=snapshot.rows("source_freshness", _FRESHNESS),
    )
