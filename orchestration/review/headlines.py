"""What a reader needs first: verdicts in sentences, and the five headline numbers."""

from __future__ import annotations

from decimal import Decimal

from orchestration.review import formats as f
from orchestration.review.page import BAD, GOOD, QUIET, WATCH, Cell, Kpi, many
from orchestration.review.queries import COVERAGE_TARGET, Review, Row
from orchestration.review.summary import interval_coverage_text


def verdicts(review: Review) -> list[Cell]:
    """The sentences a reader needs first: do the invoices tie, and which gates did not pass."""
    lines = [tie_out_verdict(review)]
    failed = [g for g in review.context.gates if not g.passed]
    if failed:
        named = "; ".join(f"{g.name}: {g.detail}" if g.detail else g.name for g in failed)
        lines.append(Cell(f"{len(failed)} of {len(review.context.gates)} gates did not pass: {named}.", BAD))
    blocking = [r for r in review.conformance if r["state"] == "fail" and r["level"] == "blocking"]
    if blocking:
        lines.append(Cell(f"{many(len(blocking), 'blocking FOCUS rule check')} failing.", BAD))
    breaching = [r for r in review.pacing if r["level"] in ("critical", "warn")]
    if breaching:
        named = ", ".join(budget_scope(r) for r in breaching[:4]) + (" and others" if len(breaching) > 4 else "")
        lines.append(Cell(f"{many(len(breaching), 'budget')} likely to be exceeded: {named}.", WATCH))
    return lines


def tie_out_verdict(review: Review) -> Cell:
    closed = review.closed_invoices()
    differing = [r for r in closed if r["state"] == "difference"]
    missing = [r for r in review.tie_out if r["state"] in ("no invoice", "no bill")]
    tail = ""
    if missing:
        tail = f" {many(len(missing), 'billing period')} cannot be compared: an invoice or a bill is missing."
    if not closed:
        reason = "no invoice has been delivered" if not _invoiced(review) else "every invoiced period is still open"
        return Cell(f"No closed invoice to tie yet: {reason}.{tail}", QUIET)
    if not differing:
        what = "The one closed invoice ties" if len(closed) == 1 else f"All {len(closed)} closed invoices tie"
        return Cell(f"{what} to the ledger.{tail}", WATCH if missing else GOOD)
    named = "; ".join(
        f"{f.words(r['invoice_issuer_name'])} {f.month(r['billing_period'])} "
        f"({f.words(r['billing_currency'])} {f.signed(_gap(r))})"
        for r in differing[:4]
    )
    more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
    return Cell(f"{len(differing)} of {len(closed)} closed invoices do not tie to the ledger: {named}{more}.{tail}", BAD)


def _gap(row: Row) -> Decimal | None:
    parts = [row["difference_invoice_focus"], row["difference_focus_ledger"]]
    known = [p for p in parts if p is not None]
    return sum(known, Decimal(0)) if known else None


def _invoiced(review: Review) -> bool:
    return any(r["invoice_amount"] is not None for r in review.tie_out)


def budget_scope(row: Row) -> str:
    return "all spend" if row["scope_type"] == "total" else f"{f.words(row['scope'])} ({row['scope_type']})"


def kpis(review: Review) -> list[Kpi]:
    return [_spend_kpi(review), _forecast_kpi(review), _coverage_kpi(review), _tie_out_kpi(review), _fresh_kpi(review)]


def _spend_kpi(review: Review) -> Kpi:
    spend = review.spend_of(review.month)
    label = f"Month to date, {f.month(review.month)}"
    if spend is None:
        last = review.spend_days["last_day"]
        return Kpi(label, "none", f"newest billed day: {f.day(last)}" if last else "nothing billed yet", QUIET)
    usage = review.spend_of(review.month, "usage_cost") or Decimal(0)
    return Kpi(label, f.headline(spend, review.currency), f"of which usage {f.money(usage, 0)}, all providers, billed")


def _forecast_kpi(review: Review) -> Kpi:
    row, refusal = review.month_end, review.forecast_refusal()
    if row is None or refusal is not None:
        return Kpi("Month-end forecast", "none", refusal or "", QUIET)
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
        return Kpi("Attribution coverage", "none", "no attributed spend in this snapshot", QUIET)
    met = share >= COVERAGE_TARGET
    parts = f"target above {f.percent(COVERAGE_TARGET, 0)}: {'met' if met else 'not met'}"
    if review.coverage_month != review.month and (current := review.coverage_of(review.month)) is not None:
        parts += f"; month to date {f.percent(current)}"
    return Kpi(label, f.percent(share), parts, GOOD if met else WATCH)


def _tie_out_kpi(review: Review) -> Kpi:
    closed = review.closed_invoices()
    if not closed:
        return Kpi("Invoice tie-out", "none", "no closed invoice to compare", QUIET)
    tied = sum(r["state"] == "tied" for r in closed)
    pending = sum(r["state"] == "open" for r in review.tie_out)
    tone = GOOD if tied == len(closed) else BAD
    return Kpi("Invoice tie-out", f"{tied} of {len(closed)}", f"closed invoices tied; {pending} still open", tone)


def _fresh_kpi(review: Review) -> Kpi:
    if not review.freshness:
        return Kpi("Freshness", "none", "no source has delivered yet", QUIET)
    behind = [r for r in review.freshness if r["state"] != "fresh"]
    value = f"{len(review.freshness) - len(behind)} of {len(review.freshness)}"
    if not behind:
        return Kpi("Freshness", value, "datasets as fresh as their source allows", GOOD)
    worst = max(behind, key=lambda r: (r["state"] != "late", r["lag_days"] or 0, r["source"], r["dataset"]))
    detail = f"datasets fresh; {worst['source']} {worst['dataset']} is {f.words(worst['state'])}"
    if worst["state"] == "late" and worst["lag_days"] is not None:
        detail += f", {many(worst['lag_days'], 'day')} behind"
    return Kpi("Freshness", value, detail, WATCH if all(r["state"] == "late" for r in behind) else BAD)
