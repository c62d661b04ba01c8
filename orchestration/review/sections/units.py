"""What a unit of value cost: pooled unit costs that somebody decides with, and what naive token counting would have said."""

from __future__ import annotations

from orchestration.review import formats as f
from orchestration.review.page import BAD, GOOD, WATCH, Cell, Column, Section, Table, many
from orchestration.review.queries import Review, Row

_TONES = {"succeeding": GOOD, "cheaper": GOOD, "failing": BAD, "shrinking": WATCH, "met": GOOD, "missed": BAD}


def unit_costs(review: Review) -> Section:
    title, source = "Unit costs", "marts.unit_cost, marts.spend_concentration, marts.cache_recount"
    rows = [r for r in review.unit_costs if r["is_core"] and (r["scope_type"] == "total" or r["scope_type"] == "workflow")]
    notes = [text for text in (_recount(review),) if text]
    if not rows:
        lead = "Nothing to show: no unit of value is defined with a decision (seed unit_definitions)."
        return Section("units", title, lead, source, notes=notes)
    counted = [r for r in rows if r["state"] != "no_outcomes"]
    missed = sum(r["target_state"] == "missed" for r in rows)
    lead = (
        f"{many(len(counted), 'unit')} of {len(rows)} counted in {review.month_label(review.unit_month)},"
        f" {missed} above target. {_concentration(review)}Each is a period's cost over what was counted in it."
    )
    table = Table(
        f"Cost per unit that somebody decides with, {review.month_label(review.unit_month)}",
        [
            Column("Unit"), Column("Scope"), Column("Cost", review.currency, "number"), Column("Counted", "", "number"),
            Column("Per unit", review.currency, "number"), Column("Month before", review.currency, "number"),
            Column("Quarter before", review.currency, "number"), Column("Target", review.currency, "number"),
            Column("By hand", review.currency, "number"), Column("Reading", "", "state"), Column("On target", "", "state"),
        ],
        [_cells(r) for r in rows],
        note="Reading: spend up with unit cost down is succeeding; spend not down with unit cost up is failing. The part of a change that"
        " comes from volume and the part that comes from the unit cost are in the workbook.",
    )
    return Section("units", title, lead, source, tables=[table], notes=notes)


def _cells(row: Row) -> list[Cell]:
    no_outcomes = row["state"] == "no_outcomes"
    return [
        Cell(f.words(row["unit"]).replace("_", " ")), Cell(_scope(row)),
        Cell(f.money(row["numerator"])), Cell(f.count(row["denominator"])),
        Cell("no outcomes" if no_outcomes else f.money(row["unit_cost"], 4)), Cell(f.money(row["previous_unit_cost"], 4)),
        Cell(f.money(row["previous_quarter_unit_cost"], 4)), Cell(f.money(row["target_unit_cost"])), Cell(f.money(row["manual_unit_cost"])),
        Cell(f.words(row["reading"]), _TONES.get(row["reading"], "")), Cell(f.words(row["target_state"]), _TONES.get(row["target_state"], "")),
    ]  # fmt: skip


def _scope(row: Row) -> str:
    scope = "all" if row["scope_type"] == "total" else f.words(row["scope"])
    return scope if row["period_kind"] == "month" else f"{scope}, {row['period_kind']} from {f.day(row['period_start'])}"


def _concentration(review: Review) -> str:
    row = review.top_users
    if row is None or row["share"] is None:
        return ""
    return f"The dearest tenth of {many(row['members'], 'user')} caused {f.percent(row['share'])} of what is known by user. "


def _recount(review: Review) -> str:
    row = review.cache_recount
    if row is None or not row["input_cost"]:
        return ""
    return (
        f"Counting every input token at the price of fresh input would show {f.headline(row['naive_input_cost'], review.currency)} for input"
        f" that cost {f.headline(row['input_cost'], review.currency)}: {f.ratio(row['overstatement'])} times as much"
        f" ({f.percent(row['cached_share'])} of input was read from a cache)."
    )
