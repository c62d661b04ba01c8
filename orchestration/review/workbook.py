"""The review workbook: the same facts as the page, with a formula wherever a reviewer would check a sum.

Every formula carries its value, so that readers which do not recalculate show it too. Excel keeps amounts as binary
numbers of 15 digits; the exact amounts are in the warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.review import formats as f
from orchestration.review.headlines import verdicts
from orchestration.review.queries import ATTRIBUTED_TIERS, COVERAGE_TARGET, Review, Row
from orchestration.review.reset import WHOLE, Reset, effect_name
from orchestration.review.sections.outlook import scored
from orchestration.review.sections.spend import workflow_rows
from orchestration.review.summary import interval_coverage_text, tier_without_error

_FORMATS: Mapping[str, str] = {
    "money": "#,##0.00;[Red]-#,##0.00;0.00",
    "count": "#,##0",
    "share": "0.0%",
    "ratio": "0.00",
    "day": "d mmm yyyy",
    "month": "mmm yyyy",
}
_WIDTHS: Mapping[str, int] = {"money": 16, "count": 12, "share": 12, "ratio": 11, "day": 13, "month": 12}
_HEAD_ROW = 4


@dataclass(frozen=True)
class _Field:
    """A column: head, key of the row, kind (text or a number format), width in characters."""

    head: str
    key: str
    kind: str = "text"
    width: int = 0


class _Sheet:
    """One sheet: title, what it is and as of when, a frozen head row, then rows."""

    def __init__(self, book: Any, styles: Mapping[str, Any], review: Review, name: str, about: str) -> None:
        self.sheet = book.add_worksheet(name)
        self.styles = styles
        self.next_row = _HEAD_ROW
        context = review.context
        self.sheet.hide_gridlines(2)
        self.sheet.set_landscape()
        self.sheet.set_paper(9)
        self.sheet.fit_to_pages(1, 0)
        self.sheet.set_row(0, 22)
        self.sheet.set_row(_HEAD_ROW, 28)  # two lines of head; readers that guess the height cover the first row
        self.sheet.write_string(0, 0, name, styles["title"])
        self.sheet.write_string(1, 0, about, styles["muted"])
        self.sheet.write_string(
            2,
            0,
            f"As of {f.instant(context.as_of)}; last complete day {f.day(context.last_complete_day)}; "
            f"money in {context.reporting_currency} unless a column says otherwise. Italic grey cells are formulas.",
            styles["muted"],
        )

    def table(self, fields: Sequence[_Field], rows: Sequence[Row], nothing: str, freeze: bool = True) -> int:
        """Write head and rows; returns the row number (0-based) of the first data row."""
        for i, field in enumerate(fields):
            self.sheet.write_string(self.next_row, i, field.head, self.styles["head" if field.kind == "text" else "head_number"])
            if freeze:
                self.sheet.set_column(i, i, field.width or _WIDTHS.get(field.kind, 18))
        if freeze:
            self.sheet.freeze_panes(self.next_row + 1, 1)
            self.sheet.repeat_rows(self.next_row)
            if rows:
                self.sheet.autofilter(self.next_row, 0, self.next_row + len(rows), len(fields) - 1)
        first = self.next_row + 1
        for n, row in enumerate(rows):
            for i, field in enumerate(fields):
                self.cell(first + n, i, row[field.key], field.kind)
        if not rows:
            self.sheet.write_string(first, 0, nothing, self.styles["muted"])
        self.next_row = first + max(1, len(rows))
        return first

    def cell(self, row: int, column: int, value: Any, kind: str, bold: bool = False) -> None:
        """Write one value; text is never read as a formula or a link, and nothing stays blank."""
        style = self.styles[("total_" if bold else "") + kind]
        if isinstance(value, datetime | date):
            self.sheet.write_datetime(row, column, value, self.styles["day" if kind == "text" else kind])
        elif f.is_number(value):
            self.sheet.write_number(row, column, float(value), style)
        elif isinstance(value, bool):
            self.sheet.write_string(row, column, "yes" if value else "no", style)
        elif value is None or value == "":
            self.sheet.write_blank(row, column, None, style)
        else:
            self.sheet.write_string(row, column, str(value), style)

    def formula(self, row: int, column: int, text: str, value: Any, kind: str, total: bool = False) -> None:
        """Write a formula with its value."""
        style = self.styles[("total_" if total else "formula_") + kind]
        self.sheet.write_formula(row, column, text, style, float(value) if f.is_number(value) else 0)

    def totals(self, fields: Sequence[_Field], rows: Sequence[Row], first: int, keys: Sequence[str]) -> int:
        """A total row with a SUM for each named column; returns its row number."""
        at = self.next_row
        for i, field in enumerate(fields):
            if i == 0:
                self.cell(at, 0, "Total", "text", bold=True)
            elif field.key in keys:
                value = sum((f.exact(r[field.key]) for r in rows if f.is_number(r[field.key])), Decimal(0))
                span = f"{_address(first, i)}:{_address(first + len(rows) - 1, i)}"
                self.formula(at, i, f"=SUM({span})", value, field.kind, total=True)
            else:
                self.cell(at, i, None, "text", bold=True)
        self.next_row += 1
        return at

    def gap(self, title: str = "") -> None:
        """An empty row and a small heading before a second table."""
        self.next_row += 1
        if title:
            self.sheet.write_string(self.next_row, 0, title, self.styles["subtitle"])
            self.next_row += 1


def write_workbook(review: Review, reset: Reset, path: Path) -> None:
    """Write the workbook, replacing an older one. The same facts give the same bytes."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        # Without a fixed creation time two runs over one snapshot would differ.
        book.set_properties(
            {
                "title": f"AI spend review, {review.context.company or review.context.profile}",
                "created": review.context.as_of.astimezone(UTC).replace(tzinfo=None),
            }
        )
        styles = _styles(book)

        def sheet(name: str, about: str) -> _Sheet:
            return _Sheet(book, styles, review, name, about)

        _summary(sheet("Summary", "What was spent, what it will come to, how much of it is explained"), review)
        _providers(sheet("Spend by provider", "Billed spend by provider and month, all charge categories"), review)
        _workflows(sheet("Workflow ledger", f"Spend by workflow, {review.month_label(review.workflow_month)}"), review)
        _unit_costs(sheet("Unit costs", f"Cost per unit, {review.month_label(review.unit_month)}, with the month and the quarter before"), review)
        _coverage(sheet("Coverage", "Spend by fidelity tier with the error measured on own data"), review)
        _tie_out(sheet("Tie-out", "Invoice, FOCUS and ledger per issuer, billing period and billing currency"), review)
        _forecast(sheet("Forecast & pacing", "Forecast totals with intervals; budgets with pace and breach"), review)
        for month in reset.months:
            _reset(sheet(f"Reset {month:%Y-%m}", f"What finance signs for {f.month(month)}; yellow cells are inputs"), reset, month)
        _backtest(sheet("Back-test", "Resolved windows of the rolling-origin back-test, method against naive"), review)
        _movers(sheet("Top deltas", "Largest changes of the newest complete week against the week before"), review)
        _work_items(sheet("Work items", "The 200 dearest work items; cost by fidelity tier"), review)
        _freshness(sheet("Freshness & gates", "What each source last delivered; gates; FOCUS rules"), review)


def _styles(book: Any) -> dict[str, Any]:
    base = {"font_name": "Arial", "font_size": 10, "valign": "top"}
    left = {"align": "left", "indent": 1}  # or a text touches the number before it
    styles = {
        "title": book.add_format({**base, "bold": True, "font_size": 14, "font_color": "#1d4f76"}),
        "subtitle": book.add_format({**base, "bold": True, "font_color": "#1d4f76"}),
        "muted": book.add_format({**base, "font_color": "#5a6671"}),
        "head": book.add_format({**base, **left, "bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#eef3f7"}),
        "head_number": book.add_format(
            {**base, "bold": True, "bottom": 1, "text_wrap": True, "align": "right", "bg_color": "#eef3f7"}
        ),
    }
    for kind in ("text", "money"):
        number = {"num_format": _FORMATS[kind]} if kind in _FORMATS else left
        styles[f"input_{kind}"] = book.add_format({**base, **number, "bg_color": "#fff6cc", "border": 1, "border_color": "#d9c36a"})
    for kind in ("text", *_FORMATS):
        number = {"num_format": _FORMATS[kind], "align": "right"} if kind in _FORMATS else left
        styles[kind] = book.add_format({**base, **number})
        styles[f"formula_{kind}"] = book.add_format({**base, **number, "italic": True, "font_color": "#5a6671"})
        styles[f"total_{kind}"] = book.add_format({**base, **number, "bold": True, "top": 1})
    return styles


def _address(row: int, column: int) -> str:
    from xlsxwriter.utility import xl_rowcol_to_cell

    return xl_rowcol_to_cell(row, column)


def _summary(sheet: _Sheet, review: Review) -> None:
    context, row = review.context, review.month_end or {}
    refusal = review.forecast_refusal()
    interval = review.interval()
    coverage = review.coverage_of(review.coverage_month)
    closed = review.closed_invoices()
    facts: list[tuple[str, Any, str, str]] = [
        ("Profile", context.profile, "text", ""),
        ("Run", context.run_id, "text", ""),
        ("Snapshot", context.snapshot_state, "text", ""),
        *(("Verdict", v.text, "text", "") for v in verdicts(review)),
        ("Month to date", review.spend_of(review.month), "money", f"{f.month(review.month)}, billed, all categories"),
        ("Month to date, usage charges", review.spend_of(review.month, "usage_cost"), "money", f.month(review.month)),
        ("Last full month", review.spend_of(review.full_month), "money", f.month(review.full_month)),
        (
            "Month-end forecast",
            None if refusal else row.get("point"),
            "money",
            refusal or f"{f.month(row['period_start'])}, usage charges, method {f.words(row['method'])}",
        ),
        ("80 % interval, low", interval[0] if interval else None, "money", "" if refusal else interval_coverage_text(row)),
        ("80 % interval, high", interval[1] if interval else None, "money", ""),
        ("Attribution coverage", coverage, "share", f"{review.month_label(review.coverage_month)}: {' + '.join(ATTRIBUTED_TIERS)}"),
        ("Attribution coverage, target above", COVERAGE_TARGET, "share", ""),
        ("Closed invoices", len(closed), "count", ""),
        ("Closed invoices that tie", sum(r["state"] == "tied" for r in closed), "count", ""),
    ]
    sheet.sheet.set_column(0, 0, 36)
    sheet.sheet.set_column(1, 1, 20)
    sheet.sheet.set_column(2, 2, 70)
    for i, head in enumerate(("Fact", "Value", "Note")):
        sheet.sheet.write_string(_HEAD_ROW, i, head, sheet.styles["head"])
    sheet.sheet.freeze_panes(_HEAD_ROW + 1, 1)
    for n, (name, value, kind, note) in enumerate(facts, _HEAD_ROW + 1):
        sheet.cell(n, 0, name, "text")
        sheet.cell(n, 1, value if value is not None else "none", kind if value is not None else "text")
        sheet.cell(n, 2, note, "text")


def _providers(sheet: _Sheet, review: Review) -> None:
    months = review.months()
    fields = [_Field("Provider", "provider", width=30)]
    fields += [_Field(review.month_label(m), m.isoformat(), "money") for m in months]
    by_key = {(r["provider"], r["month"]): r["cost"] for r in review.provider_months}
    rows: list[Row] = [
        {"provider": p, **{m.isoformat(): by_key.get((p, m)) for m in months}} for p in review.providers()
    ]
    first = sheet.table(fields, rows, "No charge has been billed up to this day.")
    if not rows:
        return
    at = sheet.totals(fields, rows, first, [m.isoformat() for m in months])
    head = len(fields)
    sheet.sheet.write_string(first - 1, head, "All months", sheet.styles["head_number"])
    sheet.sheet.set_column(head, head, 16)
    grand = Decimal(0)
    for n, row in enumerate(rows):
        value = sum((row[m.isoformat()] or Decimal(0) for m in months), Decimal(0))
        grand += value
        span = f"{_address(first + n, 1)}:{_address(first + n, head - 1)}"
        sheet.formula(first + n, head, f"=SUM({span})", value, "money")
    span = f"{_address(at, 1)}:{_address(at, head - 1)}"
    sheet.formula(at, head, f"=SUM({span})", grand, "money", total=True)


def _workflows(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Workflow", "workflow", width=34), _Field("Team", "team", width=22), _Field("Calls", "calls", "count"),
        _Field("Average input tokens a call", "average_input_tokens", "count", 16), _Field("Cost", "cost", "money"),
    ]
    if not review.workflows:
        sheet.table(fields, [], "No spend has been attributed to a workflow.")
        return
    named, other = workflow_rows(review, limit=len(review.workflows))
    rows = [*named, other]
    first = sheet.table(fields, rows, "")
    at = sheet.totals(fields, rows, first, ["calls", "cost"])
    column = len(fields)
    sheet.sheet.write_string(first - 1, column, "Share of spend", sheet.styles["head_number"])
    sheet.sheet.set_column(column, column, 14)
    total = sum((r["cost"] for r in rows), Decimal(0))
    if total == 0:
        return
    fixed = f"$E${at + 1}"
    for n, row in enumerate(rows):
        sheet.formula(first + n, column, f"={_address(first + n, 4)}/{fixed}", row["cost"] / total, "share")
    span = f"{_address(first, column)}:{_address(first + len(rows) - 1, column)}"
    sheet.formula(at, column, f"=SUM({span})", 1, "share", total=True)


def _coverage(sheet: _Sheet, review: Review) -> None:
    months = sorted({r["month"] for r in review.coverage})
    by_month = {m: review.tiers_of(m) for m in months}
    tiers = list(dict.fromkeys(t for found in by_month.values() for t in found))
    fields = [_Field("Month", "month", "month", 20), *(_Field(t, t, "money") for t in tiers)]
    rows: list[Row] = [{"month": m, **{t: by_month[m].get(t) for t in tiers}} for m in months]
    first = sheet.table(fields, rows, "The snapshot holds no attributed spend.")
    for i, head in enumerate(("All spend", "Coverage")):
        if rows:
            sheet.sheet.write_string(first - 1, len(fields) + i, head, sheet.styles["head_number"])
            sheet.sheet.set_column(len(fields) + i, len(fields) + i, 16 if i == 0 else 11)
    for n, month in enumerate(months):
        line, found = first + n, by_month[month]
        total = sum(found.values(), Decimal(0))
        span = f"{_address(line, 1)}:{_address(line, len(tiers))}"
        sheet.formula(line, len(fields), f"=SUM({span})", total, "money")
        covered = review.coverage_of(month)
        if covered is not None:
            last = tiers.index(ATTRIBUTED_TIERS[-1]) + 1
            part = f"SUM({_address(line, 1)}:{_address(line, last)})"
            sheet.formula(line, len(fields) + 1, f"={part}/{_address(line, len(fields))}", covered, "share")

    sheet.gap("Measured error by tier and allocation method")
    errors = [
        *review.fidelity,
        *(
            {"fidelity_tier": t, "state": tier_without_error(t)}
            for t in tiers
            if t not in {r["fidelity_tier"] for r in review.fidelity}
        ),
    ]
    error_fields = [
        _Field("Tier", "fidelity_tier"), _Field("Method", "allocation_method"), _Field("State", "state"),
        _Field("Items", "items", "count"), _Field("Spend", "spend", "money"), _Field("WAPE", "wape", "share"),
        _Field("WAPE, low", "wape_lo", "share"), _Field("WAPE, high", "wape_hi", "share"), _Field("Bias", "bias", "share"),
    ]
    blank = {field.key: None for field in error_fields}
    sheet.table(error_fields, [{**blank, **r} for r in errors], "No tier has been measured yet.", freeze=False)

    sheet.gap(f"Spend by team and tier, {review.month_label(review.coverage_month)}")
    teams = sorted({r["team"] for r in review.coverage_by_team})
    cost = {(r["team"], r["fidelity_tier"]): r["cost"] for r in review.coverage_by_team}
    team_fields = [_Field("Team", "team"), *(_Field(t, t, "money") for t in tiers)]
    team_rows: list[Row] = [{"team": t, **{tier: cost.get((t, tier)) for tier in tiers}} for t in teams]
    at = sheet.table(team_fields, team_rows, "No spend by team in this snapshot.", freeze=False)
    if team_rows:
        sheet.totals(team_fields, team_rows, at, tiers)


def _tie_out(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Issuer", "invoice_issuer_name", width=30), _Field("Billing period", "billing_period", "month", 14),
        _Field("Currency", "billing_currency", width=10), _Field("State", "state", width=12),
        _Field("Rows in FOCUS", "rows_in_focus", "count"), _Field("Tax in invoice", "tax_amount", "money"),
        _Field("Tolerance", "tolerance", "money"), _Field("Invoice", "invoice_amount", "money"),
        _Field("FOCUS", "focus_amount", "money"), _Field("Ledger", "ledger_amount", "money"),
        _Field("Invoice − FOCUS, as published", "difference_invoice_focus", "money", 18),
        _Field("FOCUS − ledger, as published", "difference_focus_ledger", "money", 18),
    ]
    first = sheet.table(fields, review.tie_out, "Neither an invoice nor a bill of any billing period has been delivered.")
    if not review.tie_out:
        return
    columns = {field.key: i for i, field in enumerate(fields)}
    checks = (("Check: invoice − FOCUS", "invoice_amount", "focus_amount"), ("Check: FOCUS − ledger", "focus_amount", "ledger_amount"))
    for i, (head, left, right) in enumerate(checks, len(fields)):
        sheet.sheet.write_string(first - 1, i, head, sheet.styles["head_number"])
        sheet.sheet.set_column(i, i, 18)
        for n, row in enumerate(review.tie_out, first):
            if row[left] is not None and row[right] is not None:
                text = f"={_address(n, columns[left])}-{_address(n, columns[right])}"
                sheet.formula(n, i, text, row[left] - row[right], "money")


def _forecast(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Level", "level", width=18), _Field("Scope", "scope", width=24), _Field("Period", "period_kind", width=14),
        _Field("From", "period_start", "day"), _Field("To", "period_end", "day"), _Field("Forecast", "point", "money"),
        _Field("80 % low", "lo80", "money"), _Field("80 % high", "hi80", "money"), _Field("95 % low", "lo95", "money"),
        _Field("95 % high", "hi95", "money"), _Field("Effective windows", "n_eff", "ratio"),
        _Field("80 % interval held", "coverage80_180d", "share"), _Field("Coverage", "coverage_state", width=18),
        _Field("Method", "method", width=18), _Field("Quality", "quality", width=26),
    ]
    sheet.table(fields, review.forecast_totals, f"No forecast: {review.forecast_refusal()}.")
    sheet.gap("Budgets: pace and breach")
    pacing = [
        _Field("Budget", "budget_id"), _Field("Scope type", "scope_type"), _Field("Scope", "scope"),
        _Field("From", "period_start", "day"), _Field("To", "period_end", "day"), _Field("Amount", "budget", "money"),
        _Field("To date", "mtd", "money"), _Field("Plan to date", "plan_to_date", "money"),
        _Field("Period end", "month_end", "money"), _Field("80 % low", "lo80", "money"),
        _Field("Linear pace index", "linear_pace_index", "ratio"), _Field("P(breach)", "p_breach", "share"),
        _Field("80 % high", "hi80", "money"), _Field("Breach date, median", "breach_date_p50", "day"),
        _Field("Level", "level"),
    ]
    first = sheet.table(pacing, review.pacing, "No budget is set for this period, or its pace cannot be forecast yet.", False)
    if not review.pacing:
        return
    column = len(pacing)
    sheet.sheet.write_string(first - 1, column, "Pace index (to date ÷ plan)", sheet.styles["head_number"])
    sheet.sheet.set_column(column, column, 14)
    for n, row in enumerate(review.pacing, first):
        if f.is_number(row["mtd"]) and f.is_number(row["plan_to_date"]) and row["plan_to_date"] != 0:
            value = f.exact(row["mtd"]) / f.exact(row["plan_to_date"])
            sheet.formula(n, column, f"={_address(n, 6)}/{_address(n, 7)}", value, "ratio")


def _reset(sheet: _Sheet, reset: Reset, month: date) -> None:
    """Lines with variances as formulas, the bridge of the total with its sum checked, and cells for what people decide."""
    lines = reset.of(reset.lines, month)
    fields = [
        _Field("Scope", "scope", width=34), _Field("Version", "version", "count", 15), _Field("Forecast, frozen", "frozen_forecast", "money"),
        _Field("Override", "override", "money"), _Field("Actual", "actual", "money"), _Field("Variance", "variance", "money"),
        _Field("Variance, %", "variance_share", "share"), _Field("Budget", "budget", "money"), _Field("Over budget", "budget_variance", "money"),
        _Field("Next month, proposed", "new_baseline", "money"), _Field("80 % low", "new_baseline_lo80", "money"),
        _Field("80 % high", "new_baseline_hi80", "money"), _Field("Sign-off", "sign_off_state", width=22), _Field("Signed by", "signed_by", width=12),
    ]  # fmt: skip
    first = sheet.table(fields, lines, "No line: the month is not closed.")
    inputs = (("Next month, agreed", "money"), ("Sign here", "text"), ("Remark", "text"))
    for i, (head, kind) in enumerate(inputs, len(fields)):
        sheet.sheet.write_string(first - 1, i, head, sheet.styles["head"])
        sheet.sheet.set_column(i, i, 18)
        for n in range(first, first + len(lines)):
            sheet.sheet.write_blank(n, i, None, sheet.styles[f"input_{kind}"])
    # A signature names the whole hash, and nobody reads it: the last column, so that it covers none.
    last = len(fields) + len(inputs)
    sheet.sheet.write_string(first - 1, last, "Hash of the figures", sheet.styles["head"])
    sheet.sheet.set_column(last, last, 70)
    for n, r in enumerate(lines, first):
        sheet.cell(n, last, r["content_hash"], "text")
        if r["frozen_forecast"] is not None:
            sheet.formula(n, 5, f"={_address(n, 4)}-{_address(n, 2)}", r["variance"], "money")
            if r["frozen_forecast"]:
                sheet.formula(n, 6, f"={_address(n, 5)}/{_address(n, 2)}", r["variance_share"], "share")
        if r["budget"] is not None:
            sheet.formula(n, 8, f"={_address(n, 4)}-{_address(n, 7)}", r["budget_variance"], "money")
    for comparison, base in (("forecast", "Forecast, frozen"), ("previous month", "Month before")):
        rows = [r for r in reset.of(reset.bridge, month) if r["scope"] == WHOLE and r["comparison"] == comparison]
        if not rows:
            continue
        sheet.gap(f"Total: from the {base.split(',')[0].lower()} to the actual")
        bridge = [_Field("Effect", "effect"), _Field("Group", "effect_group"), _Field("Amount", "amount", "money")]
        at = sheet.table(bridge, [{**r, "effect": effect_name(r["effect"])} for r in rows], "", freeze=False)
        end = at + len(rows) - 1
        facts = ((base, rows[0]["base_cost"]), ("Actual", rows[0]["actual_cost"]))
        for n, (label, value) in enumerate(facts, end + 1):
            sheet.cell(n, 0, label, "text")
            sheet.cell(n, 2, value, "money")
        sheet.cell(end + 3, 0, "Sum of effects", "text", bold=True)
        sheet.formula(end + 3, 2, f"=SUM({_address(at, 2)}:{_address(end, 2)})", rows[0]["change"], "money", total=True)
        sheet.cell(end + 4, 0, "Check: actual - base - sum of effects (0)", "text")
        check = f"=ROUND({_address(end + 2, 2)}-{_address(end + 1, 2)}-{_address(end + 3, 2)},6)"
        sheet.formula(end + 4, 2, check, 0, "money")
        sheet.next_row = end + 5
    sheet.sheet.print_area(0, 0, sheet.next_row, last - 1)  # on paper the hash would halve the size of the figures


def _backtest(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Level", "level"), _Field("Horizon", "horizon", width=14), _Field("Method", "method", width=24),
        _Field("Series", "series", "count"), _Field("Windows", "windows", "count"), _Field("WAPE", "wape", "share"),
        _Field("Relative WAPE (naive = 1)", "relative_wape", "ratio", 14), _Field("Bias", "bias", "share"),
        _Field("80 % interval held", "coverage80", "share", 12), _Field("State", "state", width=44),
    ]
    scores = ("wape", "relative_wape", "bias", "coverage80")
    rows = [
        {**r, "state": "measured"} if scored(r)
        else {**r, **dict.fromkeys(scores), "state": "not yet measured: too few windows that do not overlap"}
        for r in review.backtest
    ]
    sheet.table(fields, rows, "No forecast of the past could be checked against what was then billed.")


def _unit_costs(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Unit", "unit", width=24), _Field("By", "scope_type", width=11), _Field("Scope", "scope", width=26), _Field("Period", "period_kind", width=8), _Field("from", "period_start", "day"),
        _Field("Cost", "numerator", "money"), _Field("Counted", "denominator", "count"), _Field("Top tenth of members", "top_decile_share", "share"),
        _Field("Per unit", "unit_cost", "money"), _Field("Month before", "previous_unit_cost", "money"),
        _Field("Quarter before", "previous_quarter_unit_cost", "money"), _Field("Change", "change_share", "share"),
        _Field("Cost change", "cost_change", "money"), _Field("from volume", "volume_effect", "money"),
        _Field("from unit cost", "unit_cost_effect", "money"), _Field("Reading", "reading", width=16), _Field("Target", "target_unit_cost", "money"),
        _Field("Target state", "target_state", width=12), _Field("By hand", "manual_unit_cost", "money"), _Field("State", "state", width=15),
        _Field("Decision", "decision", width=34), _Field("Owner", "owner_person_id", width=12),
    ]  # fmt: skip
    sheet.table(fields, review.unit_costs, "Nothing was counted: no outcome counts, no work tracker and no request log.")


def _movers(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Week from", "week", "day"), _Field("Dimension", "dimension", width=16), _Field("Member", "member", width=32),
        _Field("Rank", "rank", "count", 8), _Field("Week before", "previous_cost", "money"),
        _Field("This week", "cost", "money"), _Field("Change, %", "change_share", "share"),
        _Field("Owner", "owner", width=24),
    ]
    first = sheet.table(fields, review.movers, "Two complete weeks of spend are needed to see what moved.")
    if not review.movers:
        return
    column = len(fields)
    sheet.sheet.write_string(first - 1, column, "Change", sheet.styles["head_number"])
    sheet.sheet.set_column(column, column, 16)
    for n, row in enumerate(review.movers, first):
        if row["cost"] is not None and row["previous_cost"] is not None:
            text = f"={_address(n, 5)}-{_address(n, 4)}"
            sheet.formula(n, column, text, row["cost"] - row["previous_cost"], "money")


def _work_items(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Work item", "work_item_key", width=16), _Field("Type", "work_item_type", width=14),
        _Field("Team", "team"), _Field("Feature", "feature", width=34), _Field("Sprint", "sprint", width=14),
        _Field("Status", "status", width=14), _Field("Created", "created_at", "day"),
        _Field("Resolved", "resolved_at", "day"), _Field("Delivered", "is_delivered", width=10),
        _Field("Calls", "calls", "count"), _Field("Tokens", "tokens", "count", 16), _Field("Models", "models", "count"),
        _Field("Sessions", "sessions", "count"), _Field("Pull requests", "pull_requests", "count"),
        _Field("By call", "cost_call", "money"), _Field("By session", "cost_session", "money"),
        _Field("By person", "cost_person", "money"), _Field("Cost", "cost", "money"),
    ]
    first = sheet.table(fields, review.work_items, "No spend is tied to a ticket.")
    if review.work_items:
        sheet.totals(fields, review.work_items, first, ["calls", "cost_call", "cost_session", "cost_person", "cost"])


def _freshness(sheet: _Sheet, review: Review) -> None:
    fields = [
        _Field("Source", "source", width=20), _Field("Dataset", "dataset", width=34), _Field("Account", "account", width=30),
        _Field("Last complete window", "last_complete_window", width=22), _Field("Days behind", "lag_days", "count"),
        _Field("Expected", "expected_lag_days", "count"), _Field("Windows", "windows", "count"),
        _Field("Failed windows", "failed_windows", "count"), _Field("Restatements", "restatements", "count", 14),
        _Field("Rejects", "rejects", "count"), _Field("State", "state", width=14),
    ]
    first = sheet.table(fields, review.freshness, "No source has delivered a window yet.")
    if review.freshness:
        sheet.totals(fields, review.freshness, first, ["windows", "failed_windows", "restatements", "rejects"])
    sheet.gap("Gates of this run")
    gates: list[Row] = [
        {"name": g.name, "detail": g.detail, "state": "passed" if g.passed else "failed"} for g in review.context.gates
    ]
    gate_fields = [_Field("Gate", "name"), _Field("Finding", "detail"), _Field("State", "state")]
    sheet.table(gate_fields, gates, "The outcome of the gates was not handed to this workbook.", freeze=False)
    sheet.gap("FOCUS rules")
    rules = [
        _Field("Rule", "rule_id"), _Field("What it asks", "description"), _Field("Source", "source"),
        _Field("Checked on", "checked_on", "day"), _Field("Rows checked", "rows_checked", "count"),
        _Field("Rows failing", "rows_failing", "count"), _Field("Level", "level"), _Field("State", "state"),
        _Field("Example", "example"),
    ]
    sheet.table(rules, review.conformance, "No FOCUS row has been checked yet.", freeze=False)
