"""The review page: every section said in words first, then drawn, then tabulated. One file, nothing fetched.

Sections are built here as plain data; `review.html.j2` only lays them out and escapes every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from orchestration.review import charts
from orchestration.review import formats as f
from orchestration.review.queries import (
    ATTRIBUTED_TIERS,
    COVERAGE_TARGET,
    DAYS_SHOWN,
    MINIMUM_WINDOWS_TO_SCORE,
    MONTHS_SHOWN,
    Review,
    Row,
)
from orchestration.review.summary import error_text, interval_coverage_text, tier_without_error

_HERE = Path(__file__).parent
_WORKFLOWS_SHOWN = 12
_INVOICES_SHOWN = 24
_ITEMS_SHOWN = 15
_RULES_SHOWN = 20
_MOVERS_SHOWN_PER_DIMENSION = 3

# Workflow names under which the ledger files what belongs to no workflow.
_NO_WORKFLOW = {"", "(no workflow)", "unattributed", "everything else"}

_GOOD, _WATCH, _BAD, _QUIET = "good", "watch", "bad", "quiet"
_STATE_TONES = {
    "tied": _GOOD, "open": _QUIET, "difference": _BAD, "no invoice": _WATCH, "no bill": _BAD,
    "pass": _GOOD, "fail": _BAD, "waived": _WATCH, "not applicable": _QUIET,
    "watch": _WATCH, "warn": _WATCH, "critical": _BAD, "ok": _GOOD, "none": _GOOD,
    "fresh": _GOOD, "complete": _GOOD, "on time": _GOOD, "late": _WATCH, "stale": _BAD, "failed": _BAD, "missing": _BAD,
    "blocking": _QUIET, "reported": _QUIET, "passed": _GOOD,
}


@dataclass(frozen=True)
class Cell:
    """Text of a cell; `tone` colours it as a state, `bar` (0 to 1) draws a quiet bar under it."""

    text: str
    tone: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """Head of a column with its unit; kinds: text, number, state, wrap (long text)."""

    label: str
    unit: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] = ()
    note: str = ""


@dataclass(frozen=True)
class Figure:
    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A section without tables and figure must carry a lead that says why there is nothing to show."""

    key: str
    title: str
    lead: str
    source: str = ""
    figure: Figure | None = None
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Kpi:
    label: str
    value: str
    detail: str
    tone: str = ""


def render(review: Review) -> str:
    """The whole page as HTML text."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["svg"] = Markup
    return environment.get_template("review.html.j2").render(
        style=Markup((_HERE / "review.css").read_text(encoding="utf-8")),
        title=f"AI spend review, {review.context.company or review.context.profile}",
        context=review.context,
        facts=_facts(review),
        verdicts=verdicts(review),
        kpis=_kpis(review),
        sections=_sections(review),
        glossary=_GLOSSARY,
    )


def _unbroken(value: object) -> object:
    """A number keeps its per cent sign on its line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


def verdicts(review: Review) -> list[Cell]:
    """The sentences a reader needs first: do the invoices tie, and which gates did not pass."""
    lines = [_tie_out_verdict(review)]
    failed = [g for g in review.context.gates if not g.passed]
    if failed:
        named = "; ".join(f"{g.name}: {g.detail}" if g.detail else g.name for g in failed)
        lines.append(Cell(f"{len(failed)} of {len(review.context.gates)} gates did not pass: {named}.", _BAD))
    blocking = [r for r in review.conformance if r["state"] == "fail" and r["level"] == "blocking"]
    if blocking:
        lines.append(Cell(f"{_many(len(blocking), 'blocking FOCUS rule check')} failing.", _BAD))
    breaching = [r for r in review.pacing if r["level"] in ("critical", "warn")]
    if breaching:
        named = ", ".join(_scope(r) for r in breaching[:4]) + (" and others" if len(breaching) > 4 else "")
        lines.append(Cell(f"{_many(len(breaching), 'budget')} likely to be exceeded: {named}.", _WATCH))
    return lines


def _tie_out_verdict(review: Review) -> Cell:
    closed = review.closed_invoices()
    differing = [r for r in closed if r["state"] == "difference"]
    missing = [r for r in review.tie_out if r["state"] in ("no invoice", "no bill")]
    tail = ""
    if missing:
        tail = f" {_many(len(missing), 'billing period')} cannot be compared: an invoice or a bill is missing."
    if not closed:
        reason = "no invoice has been delivered" if not _invoiced(review) else "every invoiced period is still open"
        return Cell(f"No closed invoice to tie yet: {reason}.{tail}", _QUIET)
    if not differing:
        what = "The one closed invoice ties" if len(closed) == 1 else f"All {len(closed)} closed invoices tie"
        return Cell(f"{what} to the ledger.{tail}", _WATCH if missing else _GOOD)
    named = "; ".join(
        f"{f.words(r['invoice_issuer_name'])} {f.month(r['billing_period'])} "
        f"({f.words(r['billing_currency'])} {f.signed(_gap(r))})"
        for r in differing[:4]
    )
    more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
    return Cell(f"{len(differing)} of {len(closed)} closed invoices do not tie to the ledger: {named}{more}.{tail}", _BAD)


def _gap(row: Row) -> Decimal | None:
    parts = [row["difference_invoice_focus"], row["difference_focus_ledger"]]
    known = [p for p in parts if p is not None]
    return sum(known, Decimal(0)) if known else None


def _invoiced(review: Review) -> bool:
    return any(r["invoice_amount"] is not None for r in review.tie_out)


def _facts(review: Review) -> list[tuple[str, str]]:
    context = review.context
    return [
        ("Profile", context.profile or f.NOTHING),
        ("As of", f.instant(context.as_of)),
        ("Last complete day", f.day(context.last_complete_day)),
        ("Currency", context.reporting_currency),
        ("Run", context.run_id or f.NOTHING),
        ("Snapshot", context.snapshot_state),
    ]


# ---- Headline numbers -----------------------------------------------------------------------------------------------


def _kpis(review: Review) -> list[Kpi]:
    return [_spend_kpi(review), _forecast_kpi(review), _coverage_kpi(review), _tie_out_kpi(review), _fresh_kpi(review)]


def _spend_kpi(review: Review) -> Kpi:
    spend = review.spend_of(review.month)
    label = f"Month to date, {f.month(review.month)}"
    if spend is None:
        last = review.spend_days["last_day"]
        return Kpi(label, "none", f"newest billed day: {f.day(last)}" if last else "nothing billed yet", _QUIET)
    usage = review.spend_of(review.month, "usage_cost") or Decimal(0)
    return Kpi(label, f.headline(spend, review.currency), f"of which usage {f.money(usage, 0)}, all providers, billed")


def _forecast_kpi(review: Review) -> Kpi:
    row, refusal = review.month_end, review.forecast_refusal()
    if row is None or refusal is not None:
        return Kpi("Month-end forecast", "none", refusal or "", _QUIET)
    interval = review.interval()
    spread = f"80 % interval {f.money(interval[0], 0)} to {f.money(interval[1], 0)}; " if interval else "no interval; "
    return Kpi(
        f"Month-end forecast, {f.month(row['period_start'])}",
        f.headline(row["point"], review.currency),
        f"{spread}{interval_coverage_text(row)}; usage charges only",
    )


def _coverage_kpi(review: Review) -> Kpi:
    share = review.coverage_of(review.coverage_month)
    label = f"Attribution coverage, {review.month_label(review.coverage_month)}"
    if share is None:
        return Kpi("Attribution coverage", "none", "no attributed spend in this snapshot", _QUIET)
    met = share >= COVERAGE_TARGET
    parts = f"target above {f.percent(COVERAGE_TARGET, 0)}: {'met' if met else 'not met'}"
    if review.coverage_month != review.month and (current := review.coverage_of(review.month)) is not None:
        parts += f"; month to date {f.percent(current)}"
    return Kpi(label, f.percent(share), parts, _GOOD if met else _WATCH)


def _tie_out_kpi(review: Review) -> Kpi:
    closed = review.closed_invoices()
    if not closed:
        return Kpi("Invoice tie-out", "none", "no closed invoice to compare", _QUIET)
    tied = sum(r["state"] == "tied" for r in closed)
    pending = sum(r["state"] == "open" for r in review.tie_out)
    tone = _GOOD if tied == len(closed) else _BAD
    return Kpi("Invoice tie-out", f"{tied} of {len(closed)}", f"closed invoices tied; {pending} still open", tone)


def _fresh_kpi(review: Review) -> Kpi:
    if not review.freshness:
        return Kpi("Freshness", "none", "no source has delivered yet", _QUIET)
    behind = [r for r in review.freshness if r["state"] != "fresh"]
    value = f"{len(review.freshness) - len(behind)} of {len(review.freshness)}"
    if not behind:
        return Kpi("Freshness", value, "datasets as fresh as their source allows", _GOOD)
    worst = max(behind, key=lambda r: (r["state"] != "late", r["lag_days"] or 0, r["source"], r["dataset"]))
    detail = f"datasets fresh; {worst['source']} {worst['dataset']} is {f.words(worst['state'])}"
    if worst["state"] == "late" and worst["lag_days"] is not None:
        detail += f", {_many(worst['lag_days'], 'day')} behind"
    return Kpi("Freshness", value, detail, _WATCH if all(r["state"] == "late" for r in behind) else _BAD)


# ---- Sections -------------------------------------------------------------------------------------------------------


def _sections(review: Review) -> list[Section]:
    return [
        _daily(review),
        _by_provider(review),
        _workflow_ledger(review),
        _coverage(review),
        _tie_out(review),
        _pacing(review),
        _backtest(review),
        _movers(review),
        _work_items(review),
        _conformance(review),
        _freshness(review),
    ]


def _daily(review: Review) -> Section:
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
        f"{f.words(r['billing_currency'])} {f.money(r['billed_cost'])} ({_many(r['rows_without_rate'], 'row')})"
        for r in review.unconverted
    )
    return [f"Not in any total in {review.currency}, for want of an exchange rate: {amounts}."]


def _by_provider(review: Review) -> Section:
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


def _workflow_ledger(review: Review) -> Section:
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
    note += f" and {_many(other['smaller'], 'smaller workflow')}." if other["smaller"] else "."
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


_TIER_MEANINGS = {
    "call": "the request carried the stamp",
    "session": "branch or session tied to a ticket",
    "person": "engineer known, split over their work",
    "team": "owner of key, workspace, account or tag",
    "policy": "shared cost, split by a dated rule",
    "unattributed": "named, neither spread nor dropped",
}


def _coverage(review: Review) -> Section:
    title, source = "Attribution coverage", "marts.attribution_coverage, marts.fidelity_error"
    month = review.coverage_month
    tiers = review.tiers_of(month)
    if not tiers:
        return Section("coverage", title, "Nothing to show: the snapshot holds no attributed spend.", source)
    share = review.coverage_of(month)
    lead = f"{f.percent(share)} of {review.month_label(month)} spend has a known owner" if share is not None else (
        f"The spend of {f.month(month)} is not positive, so shares mean nothing"
    )
    lead += f" ({', '.join(ATTRIBUTED_TIERS)}); the target is above 95 %." if share is not None else "."
    errors: dict[str, list[Row]] = {}
    for row in review.fidelity:
        errors.setdefault(row["fidelity_tier"], []).append(row)
    printed = f.shares_of(list(tiers.values()))
    rows = []
    for (tier, cost), text in zip(tiers.items(), printed, strict=True):
        found = errors.get(tier, [])
        said = list(dict.fromkeys(error_text(r) for r in found))
        error = said[0] if len(said) == 1 else "; ".join(
            f"{f.words(r['allocation_method'])}: {error_text(r)}" for r in found
        )
        rows.append(
            [
                Cell(tier), Cell(_TIER_MEANINGS.get(tier, f.NOTHING)), Cell(f.money(cost)), Cell(text),
                Cell(error or tier_without_error(tier)),
            ]
        )
    total = sum(tiers.values(), Decimal(0))
    months = sorted({r["month"] for r in review.coverage})[-MONTHS_SHOWN:]
    svg = charts.coverage_by_month(review, months)
    caption = "Share of billed spend by fidelity tier, surest tier first. Dashed line: the 95 % target."
    table = Table(
        f"Spend by fidelity tier with its measured error, {review.month_label(month)}",
        [
            Column("Tier"), Column("What it rests on"), Column("Cost", review.currency, "number"),
            Column("Share of spend", "", "number"), Column("Measured error", "per work item", "wrap"),
        ],
        rows,
        [Cell("Total"), Cell(""), Cell(f.money(total)), Cell("100.0 %" if f.NOTHING not in printed else f.NOTHING), Cell("")],
        "Error: stamps of call-tier spend are hidden, the spend is attributed again by the lower tier's method, and the"
        " two are compared per work item.",
    )
    return Section("coverage", title, lead, source, Figure(svg, caption) if svg else None, [table])


def _tie_out(review: Review) -> Section:
    title, source = "Invoice tie-out", "marts.invoice_tie_out"
    if not review.tie_out:
        lead = "Nothing to show: neither an invoice nor a bill of any billing period has been delivered."
        return Section("tie-out", title, lead, source)
    lead = _tie_out_verdict(review).text
    shown = review.tie_out[:_INVOICES_SHOWN]
    rows = [
        [
            Cell(f.words(r["invoice_issuer_name"])), Cell(f.month(r["billing_period"])),
            Cell(f.words(r["billing_currency"])), Cell(f.money(r["invoice_amount"])), Cell(f.money(r["focus_amount"])),
            Cell(f.money(r["ledger_amount"])), Cell(f.money(r["difference_invoice_focus"] if r["invoice_amount"] is not None else None)),
            Cell(f.money(r["difference_focus_ledger"])), Cell(f.money(r["tolerance"])), _state(r["state"]),
        ]
        for r in shown
    ]
    table = Table(
        "Invoice, FOCUS and ledger per issuer, billing period and currency",
        [
            Column("Issuer"), Column("Billing period"), Column("Currency"), Column("Invoice", "", "number"),
            Column("FOCUS", "", "number"), Column("Ledger", "", "number"), Column("Invoice − FOCUS", "", "number"),
            Column("FOCUS − ledger", "", "number"), Column("Tolerance", "", "number"), Column("State", "", "state"),
        ],
        rows,
        note=_capped(len(shown), len(review.tie_out), "comparison", "newest first; all are in the workbook"),
    )
    return Section("tie-out", title, lead, source, tables=[table])


def _pacing(review: Review) -> Section:
    title, source = "Budgets and pacing", "marts.budget_pacing"
    if not review.pacing:
        refusal = review.forecast_refusal()
        why = f" ({refusal})" if refusal else ""
        lead = f"Nothing to show: no budget is set for this period, or its pace cannot be forecast yet{why}."
        return Section("pacing", title, lead, source)
    risky = sum(r["level"] in ("warn", "critical") for r in review.pacing)
    unmeasured = sum(r["p_breach"] is None for r in review.pacing)
    lead = f"{_many(len(review.pacing), 'budget')} in force; "
    if risky:
        lead += f"{risky} more likely than not to be exceeded."
    elif unmeasured < len(review.pacing):
        lead += "none likely to be exceeded at the present pace."
    if unmeasured:
        lead += f" {unmeasured} without a measured probability of breach yet."
    lead = lead.replace(";  ", "; ")
    rows = [
        [
            Cell(_scope(r)), Cell(f.money(r["budget"], 0)), Cell(f.money(r["mtd"], 0)), Cell(f.money(r["plan_to_date"], 0)),
            Cell(f.ratio(r["pace_index"])), Cell(f.money(r["month_end"], 0)),
            Cell(f"{f.money(r['lo80'], 0)} to {f.money(r['hi80'], 0)}" if r["lo80"] is not None else "not yet measured"),
            Cell(f.percent(r["p_breach"], 0)), Cell(_breach(r)), _state(r["level"] or "ok"),
        ]
        for r in review.pacing
    ]
    table = Table(
        f"Budgets as of {f.day(review.pacing[0]['as_of'])}, {review.currency}",
        [
            Column("Budget"), Column("Amount", review.currency, "number"),
            Column("To date", review.currency, "number"), Column("Plan to date", review.currency, "number"),
            Column("Pace index", "to date ÷ plan", "number"), Column("Period end", review.currency, "number"),
            Column("80 % interval", review.currency, "number"), Column("P(breach)", "", "number"),
            Column("Breach date", "median (10–90 %)"), Column("Level", "", "state"),
        ],
        rows,
    )
    return Section("pacing", title, lead, source, tables=[table])


def _scope(row: Row) -> str:
    return "all spend" if row["scope_type"] == "total" else f"{f.words(row['scope'])} ({row['scope_type']})"


def _breach(row: Row) -> str:
    if row["budget"] is not None and row["mtd"] is not None and row["mtd"] > row["budget"]:
        return "already exceeded"
    if row["p_breach"] is None:
        return "not yet measured"
    if row["breach_date_p50"] is None:
        if row["breach_date_p10"] is None:
            return "none expected"
        return f"10 % chance by {f.short_day(row['breach_date_p10'])}"
    ends = [f.short_day(row[k]) if row[k] is not None else "after its end" for k in ("breach_date_p10", "breach_date_p90")]
    return f"{f.short_day(row['breach_date_p50'])} ({ends[0]} – {ends[1]})"


def scored(row: Row) -> bool:
    """True when a back-test group spans enough windows that do not overlap for its scores to be said."""
    digits = "".join(c for c in str(row["horizon"]) if c.isdigit())
    length = int(digits) if digits else 30
    return row["wape"] is not None and row["days_spanned"] // max(length, 1) + 1 >= MINIMUM_WINDOWS_TO_SCORE


def _backtest(review: Review) -> Section:
    title, source = "Back-test: method against naive", "marts.backtest"
    if not review.backtest:
        refusal = review.forecast_refusal()
        why = f": {refusal}" if refusal else ""
        lead = f"Nothing to show: no forecast of the past could be checked against what was then billed{why}."
        return Section("backtest", title, lead, source)
    pairs = _method_against_naive(review)
    judged = [(own, naive) for own, naive in pairs if scored(own) and own["relative_wape"] is not None]
    if judged:
        best = next((own for own, _ in reversed(judged) if own["level"] == "total"), judged[-1][0])
        better = best["relative_wape"] < 1
        lead = (
            f"For {best['level']} spend over {_horizon(best['horizon'])}, the {best['method']} forecast missed by "
            f"{f.percent(best['wape'])} of actual spend: {'less' if better else 'not less'} than the naive one "
            f"(relative WAPE {f.ratio(best['relative_wape'])})."
        )
    else:
        lead = f"Accuracy is not printed yet: fewer than {MINIMUM_WINDOWS_TO_SCORE} windows that do not overlap."
    rows = []
    for own, naive in pairs:
        enough = scored(own)
        held = f.percent(own["coverage80"], 0) if enough and own["windows_with_interval"] else "not yet measured"
        rows.append(
            [
                Cell(f.words(own["level"])), Cell(_horizon(own["horizon"])), Cell(f.words(own["method"])),
                Cell(f.count(own["series"])), Cell(f.count(own["windows"])),
                Cell(f.percent(own["wape"]) if enough else "not yet measured"),
                Cell(f.percent(naive["wape"]) if enough and naive else f.NOTHING),
                Cell(f.ratio(own["relative_wape"]) if enough else f.NOTHING),
                Cell(f.signed_percent(own["bias"]) if enough else f.NOTHING),
                Cell(f.signed_percent(naive["bias"]) if enough and naive else f.NOTHING), Cell(held),
            ]
        )
    table = Table(
        "Rolling-origin back-test, resolved windows only",
        [
            Column("Level"), Column("Horizon"), Column("Method"), Column("Series", "", "number"),
            Column("Windows", "", "number"), Column("WAPE", "method", "number"), Column("WAPE", "naive", "number"),
            Column("Relative WAPE", "naive = 1", "number"), Column("Bias", "method", "number"),
            Column("Bias", "naive", "number"), Column("80 % interval held", "measured", "number"),
        ],
        rows,
        note="Each forecast saw only what was known on its as-of day; naive repeats the last known week. Relative WAPE is"
        " taken on the windows that both answered; below 1 the method is better. Every method is in the workbook.",
    )
    return Section("backtest", title, lead, source, tables=[table])


def _method_against_naive(review: Review) -> list[tuple[Row, Row | None]]:
    """For each level and horizon the published method, else the most accurate own one, beside the seasonal naive."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for r in review.backtest:
        groups.setdefault((r["level"], r["horizon"]), []).append(r)
    pairs = []
    for rows in groups.values():
        own = [r for r in rows if not r["is_naive"]]
        if own:
            chosen = next((r for r in own if r["method"] == "published"), own[0])
            pairs.append((chosen, next((r for r in rows if r["method"] == "seasonal_naive"), None)))
    return pairs


def _horizon(value: object) -> str:
    text = str(value)
    digits = text.removeprefix("h")
    return f"{digits} days" if digits.isdigit() else "the calendar month" if text == "month_end" else text


def _movers(review: Review) -> Section:
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
            Cell(f.money(r["cost"])), Cell(f.signed(r["change"]), _BAD if (r["change"] or 0) > 0 else _GOOD),
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
        note=_capped(len(shown), len(review.movers), "move", f"at most {_MOVERS_SHOWN_PER_DIMENSION} for each dimension"),
    )
    return Section("movers", title, lead, source, tables=[table])


def _work_items(review: Review) -> Section:
    title, source = "Dearest work items", "marts.work_item_cost"
    if not review.work_items:
        lead = "Nothing to show: no spend is tied to a ticket (no work tracker, or no request that carries a ticket key)."
        return Section("work-items", title, lead, source)
    totals = review.work_item_total
    shown = review.work_items[:_ITEMS_SHOWN]
    lead = (
        f"{_many(totals['items'], 'work item')} carry {f.headline(totals['cost'], review.currency)}; "
        f"{f.count(totals['delivered'])} of them are delivered, at {f.headline(totals['delivered_cost'] or 0, review.currency)}."
    )
    rows = [
        [
            Cell(f.words(r["work_item_key"])), Cell(f.words(r["work_item_type"])), Cell(f.words(r["team"])),
            Cell(f.shortened(r["feature"], 40)), Cell(f.words(r["status"])), Cell(f.count(r["calls"])),
            Cell(f.money(r["cost_call"])), Cell(f.money(r["cost_session"])), Cell(f.money(r["cost_person"])),
            Cell(f.money(r["cost"])),
        ]
        for r in shown
    ]
    unit = review.currency
    table = Table(
        "Work items by cost since the first charge day",
        [
            Column("Item"), Column("Type"), Column("Team"), Column("Feature"), Column("Status"),
            Column("Calls", "", "number"), Column("By call", unit, "number"), Column("By session", unit, "number"),
            Column("By person", unit, "number"), Column("Cost", unit, "number"),
        ],
        rows,
        note=_capped(len(shown), totals["items"], "work item", "the first 200 are in the workbook"),
    )
    return Section("work-items", title, lead, source, tables=[table])


def _conformance(review: Review) -> Section:
    title, source = "FOCUS conformance", "marts.focus_conformance"
    if not review.conformance:
        return Section("conformance", title, "Nothing to show: no FOCUS row has been checked yet.", source)
    judged = [r for r in review.conformance if r["state"] in ("pass", "fail", "waived")]
    offending = [r for r in review.conformance if r["state"] in ("fail", "waived")]
    passing = sum(r["state"] == "pass" for r in judged)
    lead = f"{passing} of {_many(len(judged), 'check')} (rule and source) pass."
    if not offending:
        return Section("conformance", title, lead + " No rule fails and none is waived.", source)
    failing = sum(r["state"] == "fail" for r in offending)
    waived = len(offending) - failing
    lead += f" {failing or 'None'} fail{'' if failing > 1 else 's'}; "
    lead += f"{waived or 'none'} {'are' if waived > 1 else 'is'} waived{' for a stated reason' if waived else ''}."
    shown = offending[:_RULES_SHOWN]
    rows = [
        [
            Cell(f.words(r["rule_id"])), Cell(f.shortened(r["description"], 110)), Cell(f.words(r["source"])),
            Cell(f.count(r["rows_failing"])), Cell(f.count(r["rows_checked"])), Cell(f.shortened(r["example"], 90)),
            Cell(f.words(r["level"])), _state(r["state"]),
        ]
        for r in shown
    ]
    table = Table(
        "Rules that fail or are waived",
        [
            Column("Rule"), Column("What it asks", "", "wrap"), Column("Source"), Column("Failing", "rows", "number"),
            Column("Checked", "rows", "number"), Column("Example", "", "wrap"), Column("Level"),
            Column("State", "", "state"),
        ],
        rows,
        note=_capped(len(shown), len(offending), "rule", "failing rules first"),
    )
    return Section("conformance", title, lead, source, tables=[table])


def _freshness(review: Review) -> Section:
    title, source = "Freshness of sources", "marts.source_freshness"
    gates = review.context.gates
    tables = []
    if gates:
        rows = [[Cell(g.name), Cell(g.detail or f.NOTHING), _state("passed" if g.passed else "failed")] for g in gates]
        columns = [Column("Gate"), Column("Finding", "", "wrap"), Column("State", "", "state")]
        tables.append(Table("Gates of this run", columns, rows))
    if not review.freshness:
        return Section("freshness", title, "Nothing to show: no source has delivered a window yet.", source, tables=tables)
    failed = sum(int(r["failed_windows"] or 0) for r in review.freshness)
    rejects = sum(int(r["rejects"] or 0) for r in review.freshness)
    sources = len({r["source"] for r in review.freshness})
    lead = (
        f"{_many(len(review.freshness), 'dataset')} of {_many(sources, 'source')}; "
        f"{_many(failed, 'window')} without an answer and {_many(rejects, 'rejected record')}."
    )
    rows = [
        [
            Cell(f.words(r["source"])), Cell(f.words(r["dataset"])), Cell(f.shortened(r["account"], 28)),
            Cell(f.shortened(r["last_complete_window"], 20)), Cell(f.count(r["lag_days"])),
            Cell(f.count(r["expected_lag_days"])), Cell(f.count(r["windows"])), Cell(f.count(r["failed_windows"])),
            Cell(f.count(r["restatements"])), Cell(f.count(r["rejects"])), _state(r["state"]),
        ]
        for r in review.freshness
    ]
    columns = [
        Column("Source"), Column("Dataset"), Column("Account"), Column("Last complete window"),
        Column("Behind", "days", "number"), Column("Expected", "days", "number"), Column("Windows", "", "number"),
        Column("Failed", "windows", "number"), Column("Restated", "windows", "number"),
        Column("Rejects", "records", "number"), Column("State", "", "state"),
    ]
    tables.insert(0, Table("What each source last delivered", columns, rows))
    return Section("freshness", title, lead, source, tables=tables)


def _state(value: object) -> Cell:
    text = f.words(value)
    return Cell(text, _STATE_TONES.get(text.lower(), _QUIET))


def _many(number: int, thing: str) -> str:
    return f"{f.count(number)} {thing}" if number == 1 else f"{f.count(number)} {thing}s"


def _capped(shown: int, total: int, thing: str, order: str) -> str:
    return f"Showing {shown} of {_many(total, thing)}: {order}." if shown < total else ""


_GLOSSARY: Sequence[tuple[str, str]] = (
    ("Spend, cost", "What vendors billed, by charge day in UTC, in the reporting currency. Estimates are never part of it."),
    ("Usage charges", "FOCUS ChargeCategory Usage: without taxes, credits, adjustments and purchases such as seats."),
    ("Fidelity tier", "How surely a share of a charge is tied to who caused it: call, session, person, team, policy, unattributed."),
    ("Attribution coverage", "Spend of the tiers call, session, person and team over all spend. Policy and unattributed do not count."),
    ("Workflow ledger", "Token usage and every charge that carries a workflow, by month; other cloud charges and seats are outside of it."),
    ("Tied", "Invoice, FOCUS and ledger of a closed billing period agree within the tolerance."),
    ("Open", "The billing period is not closed; differences are not judged yet."),
    ("80 % interval", "A range meant to hold the outcome 8 times out of 10; beside it stands how often it did."),
    ("Pace index", "Spend to date over the plan to date; the plan follows the usual weekday shape. 1.00 is on plan."),
    ("P(breach)", "Probability that the period closes above its budget."),
    ("WAPE", "Sum of absolute errors over the sum of actuals; 0 % is perfect."),
    ("Bias", "Sum of errors over the sum of actuals, sign kept; plus means forecast or attributed too high."),
    ("Naive", "The forecast that repeats the last known week. A method that does not beat it is not published."),
    ("Waived", "A rule that a source breaks by nature, set aside with a dated reason."),
    ("Restated", "A window that the vendor delivered again with other content."),
    ("Lag, behind", "Days between the last complete window of a source and the last complete day."),
)

