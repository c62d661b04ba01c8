"""Who caused the spend, and how surely: coverage by fidelity tier, and the dearest work items."""

from __future__ import annotations

from decimal import Decimal

from orchestration.review import charts
from orchestration.review import formats as f
from orchestration.review.page import Cell, Column, Figure, Section, Table, capped, many
from orchestration.review.queries import ATTRIBUTED_TIERS, MONTHS_SHOWN, Review, Row
from orchestration.review.summary import error_text, tier_without_error

_ITEMS_SHOWN = 15
_WORKS_SHOWN = 15
_TIER_MEANINGS = {
    "call": "the request carried the stamp",
    "session": "branch or session tied to a ticket",
    "person": "engineer known, split over their work",
    "team": "owner of key, workspace, account or tag",
    "policy": "shared cost, split by a dated rule",
    "unattributed": "named, neither spread nor dropped",
}


def coverage(review: Review) -> Section:
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


def worklist(review: Review) -> Section:
    """What to name next to gain the most coverage, in money."""
    title, source = "What to name next", "marts.attribution_worklist"
    if not review.worklist:
        return Section("worklist", title, "Nothing to show: every charge and user of the last 90 days has an owner.", source)
    totals = review.worklist_total
    lead = f"{many(totals['things'], 'thing')} to name in the last 90 days; "
    lead += (
        f"{f.headline(totals['coverage_cost'], review.currency)} of spend would gain an owner."
        if totals["coverage_cost"]
        else "all spend has an owner, and could be tied more surely."
    )
    shown = review.worklist[:_WORKS_SHOWN]
    rows = [
        [
            Cell(f.words(r["kind"])), Cell(f.words(r["source"])), Cell(f.words(r["object_type"])), Cell(f.shortened(r["external_id"], 40)),
            Cell(f.words(r["action"])), Cell(f.words(r["gain"])), Cell(f.count(r["days"])), Cell(f.percent(r["share_of_spend"])),
            Cell(f.money(r["cost"])),
        ]
        for r in shown
    ]
    table = Table(
        "Dearest first; coverage: the cost has no owner yet, fidelity: it could be tied more surely",
        [
            Column("What"), Column("Source"), Column("Object"), Column("Id"), Column("To do", "", "wrap"), Column("Gains"),
            Column("Days", "", "number"), Column("Of spend", "", "number"), Column("Cost", review.currency, "number"),
        ],
        rows,
        note=capped(len(shown), totals["things"], "thing", "dearest first; all are in the relation"),
    )
    return Section("worklist", title, lead, source, tables=[table])


def work_items(review: Review) -> Section:
    title, source = "Dearest work items", "marts.work_item_cost"
    if not review.work_items:
        lead = "Nothing to show: no spend is tied to a ticket (no work tracker, or no request that carries a ticket key)."
        return Section("work-items", title, lead, source)
    totals = review.work_item_total
    shown = review.work_items[:_ITEMS_SHOWN]
    lead = (
        f"{many(totals['items'], 'work item')} carry {f.headline(totals['cost'], review.currency)}; "
        f"{f.count(totals['delivered'])} of them are delivered, at {f.headline(totals['delivered_cost'] or 0, review.currency)}."
    )
    rows = [
        [
            Cell(f.words(r["work_item_key"])), Cell(f.words(r["work_item_type"])), Cell(f.words(r["team"])),
            Cell(f.shortened(r["feature"], 40)), Cell(f.words(r["status"])), Cell(f.count(r["calls"])),
            Cell(f.money(r["cost_call"])), Cell(f.money(r["cost_session"])), Cell(f.money(r["cost_person"])),
            Cell(f.money(r["cost_rework"])), Cell(f.money(r["cost"])),
            Cell(f"± {f.money(r['cost_error'])}" if r["cost_error"] is not None else "not yet measured"),
        ]
        for r in shown
    ]
    unit = review.currency
    table = Table(
        "Work items by cost since the first charge day",
        [
            Column("Item"), Column("Type"), Column("Team"), Column("Feature"), Column("Status"),
            Column("Calls", "", "number"), Column("By call", unit, "number"), Column("By session", unit, "number"),
            Column("By person", unit, "number"), Column("Rework", unit, "number"), Column("Cost", unit, "number"),
            Column("Expected error", unit, "number"),
        ],
        rows,
        note=capped(len(shown), totals["items"], "work item", "the first 200 are in the workbook"),
    )
    return Section("work-items", title, lead, source, tables=[table])
