"""The few lines the command line prints after a run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import duckdb

from orchestration.review import formats as f
from orchestration.review.model import ReviewContext
from orchestration.review.queries import ATTRIBUTED_TIERS, Review, Row, Snapshot, read_review


def summary(connection: duckdb.DuckDBPyConnection, context: ReviewContext | None = None) -> list[str]:
    """Lines of plain text about a published snapshot; the caller adds where its files are.

    Without a context the newest billed day of the snapshot is taken as its last complete day.
    """
    return summary_lines(read_review(connection, context or _context_of(connection)))


def summary_lines(review: Review) -> list[str]:
    """Spend by provider, coverage by tier with its measured error, tie-out states and the month-end forecast."""
    return [
        *_spend(review),
        "",
        *_coverage(review),
        "",
        *_tie_out(review),
        "",
        *_forecast(review),
    ]


def error_text(row: Row) -> str:
    """The measured error of one allocation method, or the state that stands for it."""
    if row["state"] != "measured" or row["wape"] is None:
        return f.words(row["state"])
    text = f"WAPE {f.percent(row['wape'])}"
    if row["wape_lo"] is not None and row["wape_hi"] is not None:
        text += f" ({f.percent(row['wape_lo'])} to {f.percent(row['wape_hi'])})"
    if row["bias"] is not None:
        text += f", bias {f.signed_percent(row['bias'])}"
    return text + f", {f.count(row['items'])} items"


def interval_coverage_text(row: Row) -> str:
    """How often the 80 % interval was right so far, never the nominal level in its place."""
    if row["coverage80_180d"] is None or "not" in str(row["coverage_state"] or ""):
        return "coverage not yet measured"
    return f"measured coverage {f.percent(row['coverage80_180d'], 0)}"


def _context_of(connection: duckdb.DuckDBPyConnection) -> ReviewContext:
    rows = Snapshot.of(connection).rows(
        "daily_spend", "select max(charge_date) as newest from marts.daily_spend where cost_basis = 'billed'"
    )
    newest: date = (rows[0]["newest"] if rows else None) or date(1970, 1, 1)
    as_of = datetime.combine(newest + timedelta(days=1), time(), UTC)
    return ReviewContext("", "", as_of, newest, "", "published")


def _spend(review: Review) -> list[str]:
    title = f"Spend by provider, {review.currency} (billed, to {f.day(review.context.last_complete_day)})"
    months = list(dict.fromkeys([review.month, review.full_month]))
    if not any(r["month"] in months for r in review.provider_months):
        earlier = review.months()
        if not earlier:
            return [title, "  nothing billed yet"]
        months = [earlier[-1]]
    heads = ["month to date" if m == review.month != review.full_month else f.month(m) for m in months]
    by_key = {(r["month"], r["provider"]): r["cost"] for r in review.provider_months}
    names = [p for p in review.providers() if any((m, p) in by_key for m in months)]
    lines = [(name, [f.money(by_key.get((m, name))) for m in months]) for name in names]
    lines.append(("total", [f.money(review.spend_of(m)) for m in months]))
    width = max(len(name) for name, _ in lines)
    columns = [max(len(head), *(len(values[i]) for _, values in lines)) for i, head in enumerate(heads)]
    table = [("", heads), *lines]
    return [
        title,
        *(
            f"  {name:<{width}}  " + "  ".join(v.rjust(w) for v, w in zip(values, columns, strict=True))
            for name, values in table
        ),
    ]


def _coverage(review: Review) -> list[str]:
    month = review.coverage_month
    tiers = review.tiers_of(month)
    if not tiers:
        return ["Attribution coverage: no attributed spend in this snapshot"]
    errors: dict[str, list[str]] = {}
    for row in review.fidelity:
        errors.setdefault(row["fidelity_tier"], []).append(f"{f.words(row['allocation_method'])}: {error_text(row)}")
    lines = [
        f"Attribution coverage, {review.month_label(month)}: {f.percent(review.coverage_of(month))} "
        f"({' + '.join(ATTRIBUTED_TIERS)}; target 95 %)"
    ]
    for (tier, cost), share in zip(tiers.items(), f.shares_of(list(tiers.values())), strict=True):
        found = errors.get(tier) or [tier_without_error(tier)]
        lines.append(f"  {tier:<12}  {share:>8}  {f.money(cost):>14}  {found[0]}")
        lines += [" " * 42 + more for more in found[1:]]
    return lines


def tier_without_error(tier: str) -> str:
    """What to say beside a tier for which no error row is published."""
    return {"policy": "set by rule, no error to measure", "unattributed": "named residuals"}.get(
        tier, "not yet measured"
    )


def _tie_out(review: Review) -> list[str]:
    if not review.tie_out:
        return ["Invoice tie-out: no invoice and no bill to compare"]
    states = Counter(str(r["state"]) for r in review.tie_out)
    listed = ", ".join(f"{n} {state}" for state, n in sorted(states.items(), key=lambda s: (-s[1], s[0])))
    lines = [f"Invoice tie-out: {listed}"]
    for row in review.tie_out:
        if row["state"] == "difference":
            lines.append(
                f"  differs: {f.words(row['invoice_issuer_name'])}, {f.month(row['billing_period'])}: "
                f"{f.words(row['billing_currency'])} {f.signed(row['difference_invoice_focus'])} invoice less FOCUS, "
                f"{f.signed(row['difference_focus_ledger'])} FOCUS less ledger"
            )
    return lines


def _forecast(review: Review) -> list[str]:
    refusal = review.forecast_refusal()
    row = review.month_end
    if refusal is not None or row is None:
        return [f"Month-end forecast: none ({refusal})"]
    interval = review.interval()
    spread = (
        f"80 % interval {f.money(interval[0], 0)} to {f.money(interval[1], 0)}, {interval_coverage_text(row)}"
        if interval
        else "no interval yet"
    )
    return [
        f"Month-end forecast, {f.month(row['period_start'])}, usage: {f.headline(row['point'], review.currency)} "
        f"({spread}; method {f.words(row['method'])})"
    ]
