"""Why the numbers can be trusted: invoice tie-out, FOCUS conformance, freshness of sources and gates."""

from __future__ import annotations

from orchestration.review import formats as f
from orchestration.review.headlines import tie_out_verdict
from orchestration.review.page import Cell, Column, Section, Table, capped, many, state_cell
from orchestration.review.queries import Review

_INVOICES_SHOWN = 24
_RULES_SHOWN = 20


def tie_out(review: Review) -> Section:
    title, source = "Invoice tie-out", "marts.invoice_tie_out"
    if not review.tie_out:
        lead = "Nothing to show: neither an invoice nor a bill of any billing period has been delivered."
        return Section("tie-out", title, lead, source)
    lead = tie_out_verdict(review).text
    shown = review.tie_out[:_INVOICES_SHOWN]
    rows = [
        [
            Cell(f.words(r["invoice_issuer_name"])), Cell(f.month(r["billing_period"])),
            Cell(f.words(r["billing_currency"])), Cell(f.money(r["invoice_amount"])), Cell(f.money(r["focus_amount"])),
            Cell(f.money(r["ledger_amount"])), Cell(f.money(r["difference_invoice_focus"] if r["invoice_amount"] is not None else None)),
            Cell(f.money(r["difference_focus_ledger"])), Cell(f.money(r["tolerance"])), state_cell(r["state"]),
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
        note=capped(len(shown), len(review.tie_out), "comparison", "newest first; all are in the workbook"),
    )
    return Section("tie-out", title, lead, f"{source}, marts.invoice_difference", tables=[table, *_differences(review)])


def _differences(review: Review) -> list[Table]:
    """Why invoices and bills differ, by name; no table when none does."""
    if not review.differences:
        return []
    shown = review.differences[:_INVOICES_SHOWN]
    rows = [
        [
            Cell(f.words(r["invoice_issuer_name"])), Cell(f.month(r["billing_period"])), Cell(f.words(r["billing_currency"])),
            Cell(f.words(r["difference_name"])), Cell(f.money(r["invoice_amount"])), Cell(f.money(r["focus_amount"])),
            Cell(f.signed(r["difference"])), Cell(f.signed(r["reporting_difference"])),
        ]
        for r in shown
    ]
    return [
        Table(
            "Differences by name, tax included; periods outside their tolerance first",
            [
                Column("Issuer"), Column("Billing period"), Column("Currency"), Column("Name"), Column("Invoice", "", "number"),
                Column("FOCUS", "", "number"), Column("Difference", "", "number"), Column("Difference", review.currency, "number"),
            ],
            rows,
            note=capped(len(shown), len(review.differences), "difference", "all are in the relation"),
        )
    ]


def conformance(review: Review) -> Section:
    title, source = "FOCUS conformance", "marts.focus_conformance"
    if not review.conformance:
        return Section("conformance", title, "Nothing to show: no FOCUS row has been checked yet.", source)
    judged = [r for r in review.conformance if r["state"] in ("pass", "fail", "waived")]
    offending = [r for r in review.conformance if r["state"] in ("fail", "waived")]
    passing = sum(r["state"] == "pass" for r in judged)
    lead = f"{passing} of {many(len(judged), 'check')} (rule and source) pass."
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
            Cell(f.words(r["level"])), state_cell(r["state"]),
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
        note=capped(len(shown), len(offending), "rule", "failing rules first"),
    )
    return Section("conformance", title, lead, source, tables=[table])


def freshness(review: Review) -> Section:
    title, source = "Freshness of sources", "marts.source_freshness"
    gates = review.context.gates
    tables = []
    if gates:
        rows = [[Cell(g.name), Cell(g.detail or f.NOTHING), state_cell("passed" if g.passed else "failed")] for g in gates]
        columns = [Column("Gate"), Column("Finding", "", "wrap"), Column("State", "", "state")]
        tables.append(Table("Gates of this run", columns, rows))
    if not review.freshness:
        return Section("freshness", title, "Nothing to show: no source has delivered a window yet.", source, tables=tables)
    failed = sum(int(r["failed_windows"] or 0) for r in review.freshness)
    rejects = sum(int(r["rejects"] or 0) for r in review.freshness)
    sources = len({r["source"] for r in review.freshness})
    lead = (
        f"{many(len(review.freshness), 'dataset')} of {many(sources, 'source')}; "
        f"{many(failed, 'window')} without an answer and {many(rejects, 'rejected record')}."
    )
    rows = [
        [
            Cell(f.words(r["source"])), Cell(f.words(r["dataset"])), Cell(f.shortened(r["account"], 28)),
            Cell(f.shortened(r["last_complete_window"], 20)), Cell(f.count(r["lag_days"])),
            Cell(f.count(r["expected_lag_days"])), Cell(f.count(r["windows"])), Cell(f.count(r["failed_windows"])),
            Cell(f.count(r["restatements"])), Cell(f.count(r["rejects"])), state_cell(r["state"]),
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
