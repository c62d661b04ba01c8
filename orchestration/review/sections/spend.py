"""Where the money went: days, providers, workflows, and what moved week on week."""

from __future__ import annotations

from decimal import Decimal

from orchestration.review import charts
from orchestration.review import formats as f
from orchestration.review.page import BAD, GOOD, Cell, Column, Figure, Section, Table, capped, many
from orchestration.review.queries import DAYS_SHOWN, MONTHS_SHOWN, Review, Row

_WORKFLOWS_SHOWN = 12
_MOVERS_SHOWN_PER_DIMENSION = 3

# Workflow names under which the ledger files what belongs to no workflow.
_NO_WORKFLOW = {"", "(no workflow)", "unattributed", "everything else"}


def daily(review: Review) -> Section:
    svg = charts.daily_spend(review)
    source = "marts.daily_spend, marts.forecast_daily, marts.forecast_total"
    title = "Daily spend and forecast"
    refusal = review.forecast_refusal()
    if svg is None:
        return Section("daily", title, "Nothing to draw: the snapshot holds no billed usage with a charge day.", source)
    first, last = (pick(r["charge_date"] for r in review.daily) for pick in (min, max))
    lead = f"Usage charges billed by day and provider, {f.day(first)} to {f.day(last)}."
    if refusal is not None:
        lead += f" No forecast is shown: {refusal}."
    else:
        row = review.month_end or {}
        interval = review.interval()
        lead += f" {f.month(row['period_start'])} is expected to close at {f.headline(row['point'], review.currency)}"
        lead += f", between {f.money(interval[0], 0)} and {f.money(interval[1], 0)} (80 % interval)." if interval else "."
    caption = f"Up to {DAYS_SHOWN} days. Taxes, credits and purchases such as seats are left out: they fall on single days."
    if charts.forecast_band(review):
        caption += (
            " Amber: the days to come, with a mark at the daily forecast. The bars spread the 80 % interval of the month's"
            " total over its days in proportion to the forecast; they are not the interval of one day."
        )
    return Section("daily", title, lead, source, Figure(svg, caption), notes=_unconverted_notes(review))


def _unconverted_notes(review: Review) -> list[str]:
    if not review.unconverted:
        return []
    amounts = ", ".join(
        f"{f.words(r['billing_currency'])} {f.money(r['billed_cost'])} ({many(r['rows_without_rate'], 'row')})"
        for r in review.unconverted
    )
    return [f"Not in any total in {review.currency}, for want of an exchange rate: {amounts}."]


def by_provider(review: Review) -> Section:
    title, source = "Spend by provider and month", "marts.daily_spend"
    months = review.months()
    if not months:
        return Section("providers", title, "Nothing to show: no charge has been billed up to this day.", source)
    by_key = {(r["provider"], r["month"]): r["cost"] for r in review.provider_months}
    providers = review.providers()
    columns = [Column("Provider"), *(Column(review.month_label(m), review.currency, "number") for m in months)]
    rows = [[Cell(p), *(Cell(f.money(by_key.get((p, m)))) for m in months)] for p in providers]
    totals = [review.spend_of(m) for m in months]
    closed = [m for m in months if m <= review.full_month]
    newest = closed[-1] if closed else months[-1]
    lead = f"{review.month_label(newest)} was billed at {f.headline(review.spend_of(newest), review.currency)}"
    before = review.spend_of(closed[-2]) if len(closed) > 1 else None
    if before:
        now = review.spend_of(newest) or Decimal(0)
        lead += f", {f.signed_percent(now / before - 1)} on {f.month(closed[-2])}"
    table = Table(
        f"Billed spend by provider, last {MONTHS_SHOWN} months with spend",
        columns,
        rows,
        [Cell("Total"), *(Cell(f.money(t)) for t in totals)],
        "All charge categories by charge day (UTC). Rounded for display; totals add the unrounded amounts.",
    )
    return Section("providers", title, lead + ".", source, tables=[table])


def workflow_rows(review: Review, limit: int = _WORKFLOWS_SHOWN) -> tuple[list[Row], Row]:
    """The dearest workflows of the month and the row for everything else, which closes the sum to the workflow ledger's.

    Everything else holds the smaller workflows and what no workflow could be named for. `outside` of that row is what the
    month was billed for beyond the workflow ledger (other cloud charges, seats, taxes); it is in none of the rows.
    """
    named = [r for r in review.workflows if str(r["workflow"] or "").strip().lower() not in _NO_WORKFLOW]
    unnamed = [r for r in review.workflows if str(r["workflow"] or "").strip().lower() in _NO_WORKFLOW]
    rest = named[limit:] + unnamed
    ledger_total = sum((r["cost"] for r in review.workflows if r["cost"] is not None), Decimal(0))
    spend = review.spend_of(review.workflow_month)
    outside = Decimal(0) if spend is None else spend - ledger_total
    counted = [(r["calls"], r["average_input_tokens"]) for r in rest if r["calls"] and r["average_input_tokens"]]
    calls = sum(r["calls"] or 0 for r in rest)
    tokens = sum(f.exact(c) * f.exact(a) for c, a in counted)
    other = {
        "workflow": "Everything else / unattributed",
        "team": "various",
        "calls": calls,
        "average_input_tokens": tokens / sum(f.exact(c) for c, _ in counted) if counted else None,
        "cost": sum((r["cost"] for r in rest if r["cost"] is not None), Decimal(0)),
        "outside": outside,
        "smaller": len(named[limit:]),
    }
    return named[:limit], other


def workflow_ledger(review: Review) -> Section:
    title, source = "Workflow ledger", "marts.workflow_ledger"
    month = review.workflow_month
    if not review.workflows:
        lead = "Nothing to show: no spend has been attributed to a workflow."
        return Section("workflows", title, lead, source)
    named, other = workflow_rows(review)
    rows = [*named, other]
    shares = f.shares_of([r["cost"] for r in rows])
    total = sum((r["cost"] for r in rows), Decimal(0))
    top = max(float(r["cost"]) for r in rows)
    cells = [
        [
            Cell(f.words(r["workflow"])),
            Cell(f.words(r["team"])),
            Cell(f.count(r["calls"])),
            Cell(f.count(r["average_input_tokens"])),
            Cell(share, bar=max(0.0, float(r["cost"]) / top) if top > 0 else None),
            Cell(f.money(r["cost"])),
        ]
        for r, share in zip(rows, shares, strict=True)
    ]
    all_calls = sum((r["calls"] or 0 for r in rows), 0)
    summed = [r for r in review.workflows if r["calls"] and r["average_input_tokens"]]
    weight = sum((f.exact(r["calls"]) for r in summed), Decimal(0))
    average = sum(f.exact(r["calls"]) * f.exact(r["average_input_tokens"]) for r in summed) / weight if weight else None
    if named:
        lead = (
            f"{f.words(named[0]['workflow'])} was the dearest workflow of {review.month_label(month)}: {shares[0]} of "
            f"{f.headline(total, review.currency)}."
        )
    else:
        lead = f"No workflow could be named for the {f.headline(total, review.currency)} of {review.month_label(month)}."
    note = "Everything else holds spend that no workflow could be named for"
    note += f" and {many(other['smaller'], 'smaller workflow')}." if other["smaller"] else "."
    if abs(other["outside"]) >= Decimal("0.01"):
        note += (
            f" The month was billed at {review.currency} {f.money(total + other['outside'])} in all; "
            f"{f.money(other['outside'])} of it is outside the workflow ledger, which holds token usage and what carries a workflow."
        )
    table = Table(
        f"Spend by workflow, {review.month_label(month)}",
        [
            Column("Workflow"), Column("Team"), Column("Calls", "", "number"),
            Column("Average input", "tokens a call", "number"), Column("Share of spend", "", "number"),
            Column("Cost", review.currency, "number"),
        ],
        cells,
        [
            Cell("Total"), Cell(""), Cell(f.count(all_calls)), Cell(f.count(average)),
            Cell("100.0 %" if f.NOTHING not in shares else f.NOTHING), Cell(f.money(total)),
        ],
        note,
    )
    return Section("workflows", title, lead, source, tables=[table])


def movers(review: Review) -> Section:
    title, source = "Top movers, week on week", "marts.top_deltas"
    if not review.movers:
        lead = "Nothing to show: two complete weeks of spend are needed to see what moved."
        return Section("movers", title, lead, source)
    shown: list[Row] = []
    seen: dict[str, int] = {}
    for r in review.movers:
        seen[r["dimension"]] = seen.get(r["dimension"], 0) + 1
        if seen[r["dimension"]] <= _MOVERS_SHOWN_PER_DIMENSION:
            shown.append(r)
    largest = max((r for r in shown if r["change"] is not None), key=lambda r: abs(r["change"]), default=None)
    lead = f"Week of {f.day(review.movers[0]['week'])} against the week before."
    if largest is not None:
        verb = "rose" if largest["change"] > 0 else "fell"
        lead += (
            f" The largest move: {largest['dimension']} {f.words(largest['member'])} {verb} by "
            f"{review.currency} {f.money(abs(largest['change']))}."
        )
    rows = [
        [
            Cell(f.words(r["dimension"])), Cell(f.words(r["member"])), Cell(f.money(r["previous_cost"])),
            Cell(f.money(r["cost"])), Cell(f.signed(r["change"]), BAD if (r["change"] or 0) > 0 else GOOD),
            Cell(f.signed_percent(r["change_share"]) if r["change_share"] is not None else "new"),
            Cell(f.words(r["owner"]) if r["owner"] else "no owner recorded"),
        ]
        for r in shown
    ]
    table = Table(
        f"Largest changes of the week of {f.day(review.movers[0]['week'])}",
        [
            Column("Dimension"), Column("Member"), Column("Week before", review.currency, "number"),
            Column("This week", review.currency, "number"), Column("Change", review.currency, "number"),
            Column("Change", "%", "number"), Column("Owner"),
        ],
        rows,
        note=capped(len(shown), len(review.movers), "move", f"at most {_MOVERS_SHOWN_PER_DIMENSION} for each dimension"),
    )
    return Section("movers", title, lead, source, tables=[table])
