"""The monthly reset pack: for the last closed months what was forecast, what came, why, and what finance is asked to sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from orchestration.review import formats as f
from orchestration.review.page import BAD, GOOD, QUIET, WATCH, Cell, Column, Kpi, Section, Table, many
from orchestration.review.queries import Row, Snapshot

MONTHS = 2
WHOLE = "total:total"
_EFFECTS: dict[str, str] = {
    "restated_history": "Restated days before the month", "late_data": "Restated after the close",
    "known_changes_not_in_forecast": "Known changes the forecast did not have", "volume": "Number of calls",
    "adoption": "User actions", "fan_out": "Calls per user action", "workflow_mix": "Mix of workflows", "model_mix": "Mix of models",
    "context": "Tokens per call", "token_mix": "Mix of token classes (cache, output)", "rate": "Rate per token", "cost_per_call": "Cost per call",
    "price": "Price per token", "list_price": "List price", "discount": "Discount", "new": "New models and workflows",
    "retired": "Retired models and workflows", "migration_in": "Migrated to", "migration_out": "Migrated from", "fx": "Rate of exchange",
    "credits": "Credits", "unexplained": "Calls not known", "services_without_tokens": "Services without tokens (cloud, compute)",
    "tokens_without_requests": "Model usage without a request log", "forecast_without_drivers": "Forecast without history", "none": "No change",
}  # fmt: skip


@dataclass(frozen=True)
class Reset:
    """Rows of the last closed months, newest month first; money in the reporting currency."""

    months: Sequence[date]
    lines: list[Row]
    bridge: list[Row]
    cells: list[Row]
    scores: list[Row]
    outlook: list[Row]
    changes: list[Row]
    notes: list[Row]

    def of(self, rows: Sequence[Row], month: date) -> list[Row]:
        """Rows of one month."""
        return [r for r in rows if r["month"] == month]

    def line(self, month: date, scope: str = WHOLE) -> Row | None:
        """The line of a scope that counts: its newest version."""
        found = [r for r in self.lines if r["month"] == month and r["scope"] == scope]
        return max(found, key=lambda r: r["version"]) if found else None


def read_reset(connection: duckdb.DuckDBPyConnection) -> Reset:
    """Everything the pack shows, from a published snapshot; empty where a profile has no closed month."""
    snapshot = Snapshot.of(connection)
    found = snapshot.rows("forecast_reset", f"select distinct month from marts.forecast_reset order by month desc limit {MONTHS}")
    months = [r["month"] for r in found]

    def rows(relation: str, sql: str) -> list[Row]:
        return snapshot.rows(relation, sql, months=months) if months else []

    level = "case split_part(scope, ':', 1) when 'total' then 0 when 'team' then 1 when 'workflow' then 2 else 3 end"
    return Reset(
        months=months,
        lines=rows("forecast_reset", f"select * from marts.forecast_reset where list_contains($months, month) order by month desc, {level}, actual desc, scope, version"),
        bridge=rows("variance_bridge", "select * from marts.variance_bridge where list_contains($months, month) order by month desc, scope, comparison, position, effect"),
        cells=rows("variance_cell", "select * from marts.variance_cell where list_contains($months, month) order by month desc, rank"),
        scores=rows("forecast_score", f"select * from marts.forecast_score where list_contains($months, month) order by month desc, {level}, actual desc, scope, kind, freeze_day"),
        outlook=rows(
            "frozen_forecast",
            "select *, (as_of - interval 1 month)::date as month from marts.frozen_forecast where level = 'total' and freeze_day = 1"
            " and list_contains($months, (as_of - interval 1 month)::date) order by as_of desc, period_start, period_end",
        ),
        changes=rows(
            "known_changes",
            "select m.month, c.* from marts.known_changes as c, (select unnest($months) as month) as m"
            " where c.recorded_on < m.month + interval 2 month and c.starts_on + greatest(c.ramp_days, 1)::integer > m.month"
            " order by m.month desc, starts_on, change_id",
        ),
        notes=rows("cost_notes", "select * from marts.cost_notes where $months is not null order by is_due desc, review_date, note_id"),
    )  # fmt: skip


def verdicts(reset: Reset, currency: str) -> list[Cell]:
    """One sentence per month: what came against what was forecast and approved."""
    out = []
    for month in reset.months:
        line = reset.line(month)
        if line is None:
            continue
        text = f"{f.month(month)} came to {f.headline(line['actual'], currency)}"
        if line["frozen_forecast"] is None:
            text += "; no forecast of it was frozen"
        else:
            text += f", {_against(line['variance_share'])} the forecast of {f.headline(line['frozen_forecast'], currency)}"
        if line["budget"]:
            text += f" and {_against(line['budget_variance'] / line['budget'])} the budget of {f.headline(line['budget'], currency)}"
        missed = "missed" in (line["forecast_kpi"], line["budget_kpi"])
        out.append(Cell(f"{text}. {_signed(line)}", BAD if line["budget_kpi"] == "missed" else WATCH if missed else GOOD))
    basis = {r["basis"] for r in reset.scores if r["scope"] == WHOLE and r["kind"] == "machine"}
    if "reconstructed" in basis:
        out.append(
            Cell(
                "Forecasts marked reconstructed were made later, from today's data of the days before the month: they show what the"
                " method would have said, not what was published then.",
                QUIET,
            )
        )
    return out or [Cell("No month is closed yet, so there is nothing to reset.", QUIET)]


def effect_name(name: object) -> str:
    """Name of an effect or line in words."""
    return _EFFECTS.get(str(name), str(name))


def _against(value: object) -> str:
    share = float(value) if f.is_number(value) else 0.0
    if abs(share) < 0.0005:
        return "equal to"
    return f"{f.percent(abs(share))} {'above' if share > 0 else 'below'}"


def _signed(line: Row) -> str:
    if line["sign_off_state"] == "signed":
        return f"Signed by {line['signed_by']} on {f.day(line['signed_on'])}."
    return "Restated after it was signed: to be signed again." if line["sign_off_state"].startswith("restated") else "Not signed yet."


def kpis(reset: Reset, currency: str) -> list[Kpi]:
    """Five numbers of the newest month."""
    line = reset.line(reset.months[0]) if reset.months else None
    if line is None:
        return []
    label = f.month(line["month"])
    over = None if not line["budget"] else line["budget_variance"] / line["budget"]
    ends = "range not yet measured" if line["new_baseline_lo80"] is None else f"80 %: {f.money(line['new_baseline_lo80'], 0)} to {f.money(line['new_baseline_hi80'], 0)}"
    bias = f"bias {f.signed_percent(line['bias'])} over {many(line['months'], 'month')}" if line["bias"] is not None else line["accuracy_state"]
    return [
        Kpi(f"Actual usage, {label}", f.headline(line["actual"], currency), f"forecast {f.money(line['frozen_forecast'], 0)}"),
        Kpi("Against forecast", f.signed_percent(line["variance_share"]), f"{_off(line)}target at most 10 %: {line['forecast_kpi']}", _kpi_tone(line["forecast_kpi"])),
        Kpi("Against budget", f.signed_percent(over), f"target within 5 %: {line['budget_kpi']}", _kpi_tone(line["budget_kpi"])),
        Kpi("WAPE so far", f.percent(line["wape"]), bias),
        Kpi("Proposed next month", f.headline(line["new_baseline"], currency), ends),
    ]


def _off(line: Row) -> str:
    """The error that its target is about, a share of the actual as WAPE is; the variance beside it is one of the forecast."""
    if line["variance"] is None or not line["actual"]:
        return ""
    return f"error {f.percent(abs(line['variance'] / line['actual']))} of the actual, "


def _kpi_tone(state: str) -> str:
    return {"met": GOOD, "missed": BAD}.get(state, QUIET)


def sections(reset: Reset, currency: str) -> list[Section]:
    """The sections of every month, newest first, then what holds for all."""
    out = []
    for month in reset.months:
        out += [_lines(reset, month, currency), _bridge(reset, month, currency), _next(reset, month, currency)]
    out += [_accuracy(reset), _notes(reset, currency)]
    if not reset.months:
        return [Section("lines", "Lines to sign", "Nothing to show: no calendar month is closed on every provider yet.", "marts.forecast_reset")]
    return out


def _scope(scope: str) -> str:
    level, _, member = scope.partition(":")
    return "Total" if scope == WHOLE else f"{level.capitalize()} {member}"


def _lines(reset: Reset, month: date, currency: str) -> Section:
    rows = []
    lines = reset.of(reset.lines, month)
    for r in lines:
        state = r["sign_off_state"]
        tone = GOOD if state == "signed" else BAD if state.startswith("restated") else WATCH
        name = _scope(r["scope"]) + (f" (version {r['version']})" if r["version"] > 1 else "")
        rows.append(
            [
                Cell(name), Cell(f.money(r["frozen_forecast"], 0)), Cell(f.money(r["override"], 0)), Cell(f.money(r["actual"], 0)),
                Cell(_signed_money(r["variance"])), Cell(f.signed_percent(r["variance_share"]), tone=_kpi_tone(r["forecast_kpi"]) if r["variance_share"] is not None else ""),
                Cell("–" if r["inside80"] is None else "yes" if r["inside80"] else "no"), Cell(f.money(r["budget"], 0)),
                Cell(_signed_money(r["budget_variance"])), Cell(f.money(r["new_baseline"], 0)),
                Cell("open" if state == "open" else state, tone), Cell((r["content_hash"] or "")[:12]),
            ]
        )  # fmt: skip
    open_lines = sum(r["sign_off_state"] != "signed" for r in lines)
    lead = f"{many(len(lines), 'line')}, {open_lines} to sign. A signature is a row in the seed reset_sign_offs; the hash names the figures it stands for."
    table = Table(
        f"Usage of {f.month(month)}, {currency}",
        [
            Column("Scope"), Column("Forecast", "machine", "number"), Column("Override", "person", "number"), Column("Actual", "", "number"),
            Column("Variance", "actual − forecast", "number"), Column("Variance", "%", "number"), Column("In 80 % range"),
            Column("Budget", "", "number"), Column("Over budget", "", "number"), Column("Next month", "proposed", "number"),
            Column("Sign-off", "", "state"), Column("Hash"),
        ],
        rows,
        note="Forecast: frozen for the month's first day, from the days before it. Levels overlap: teams, workflows and providers each add to the"
        " total, and so do their forecasts. Usage charges only; taxes, credits and purchases are not forecast."
        " Green and red: an error of at most 10 % of the actual, or more.",
    )  # fmt: skip
    return Section(f"lines-{month:%Y-%m}", f"{f.month(month)}: lines to sign", lead, "marts.forecast_reset", tables=[table])


def _signed_money(value: Decimal | None) -> str:
    return f.signed(value, 0)


def _bridge(reset: Reset, month: date, currency: str) -> Section:
    title, key = f"{f.month(month)}: why", f"bridge-{month:%Y-%m}"
    mine = [r for r in reset.of(reset.bridge, month) if r["scope"] == WHOLE]
    if not mine:
        return Section(key, title, "Nothing to explain: neither a frozen forecast nor a month before it.", "marts.variance_bridge")
    tables = []
    lead = ""
    for comparison, base in (("forecast", "Forecast"), ("previous month", "Month before")):
        rows = [r for r in mine if r["comparison"] == comparison]
        if not rows:
            continue
        change = rows[0]["change"]
        largest = max((abs(r["amount"]) for r in rows), default=Decimal(1)) or Decimal(1)
        body = [[Cell(base), Cell(""), Cell(f.money(rows[0]["base_cost"], 0))]]
        running = rows[0]["base_cost"]
        for r in rows:
            running += r["amount"]
            body.append(
                [Cell(effect_name(r["effect"])), Cell(f.signed(r["amount"], 0), bar=float(abs(r["amount"]) / largest)), Cell(f.money(running, 0))]
            )
        total = [Cell("Actual"), Cell(f.signed(change, 0)), Cell(f.money(rows[0]["actual_cost"], 0))]
        tables.append(
            Table(f"From the {base.lower()} to the actual, {currency}", [Column("Effect"), Column("Amount", "", "number"), Column("Running", "", "number")], body, total)
        )
        if not lead:
            first = sorted(rows, key=lambda r: -abs(r["amount"]))[:2]
            named = " and ".join(f"{effect_name(r['effect']).lower()} ({f.signed(r['amount'], 0)})" for r in first)
            lead = f"Against the {base.lower()} the month moved by {f.signed(change, 0)} {currency}; most of it by {named}. The effects add up without a remainder."
    cells = reset.of(reset.cells, month)
    if cells:
        tables.append(
            Table(
                f"Cells that moved most against the forecast, {currency}",
                [Column("Workflow"), Column("Team"), Column("Model or service"), Column("Provider"), Column("Change", "", "number"), Column("Kind", "", "state")],
                [
                    [
                        Cell(r["workflow"]), Cell(r["team"]), Cell(r["model"] or effect_name(r["line"])), Cell(r["variant"]), Cell(f.signed(r["amount"], 0)),
                        Cell(r["label"], WATCH if r["label"] == "one-off" else QUIET),
                    ]
                    for r in cells
                ],
            )
        )  # fmt: skip
    return Section(key, title, lead, "marts.variance_bridge, marts.variance_cell", tables=tables)


def _next(reset: Reset, month: date, currency: str) -> Section:
    title, key = f"{f.month(month)}: what comes next", f"next-{month:%Y-%m}"
    rows = reset.of(reset.outlook, month)
    changes = reset.of(reset.changes, month)
    tables = []
    if rows:
        whole = [r for r in rows if (r["period_end"] - r["period_start"]).days > 31]
        parts = [r for r in rows if r not in whole]

        def cells(r: Row, name: str) -> list[Cell]:
            ends = "not yet measured" if r["lo80"] is None else f"{f.money(r['lo80'], 0)} to {f.money(r['hi80'], 0)}"
            return [Cell(name), Cell(f.money(r["point"], 0)), Cell(ends), Cell("yes" if r["has_known_changes"] else "no"), Cell(r["basis"])]

        tables.append(
            Table(
                f"Proposed baseline, total usage, {currency}",
                [Column("Month"), Column("Forecast", "", "number"), Column("80 % range", "", "number"), Column("Known changes in it"), Column("Basis")],
                [cells(r, f.month(r["period_start"])) for r in parts],
                cells(whole[0], "Three months") if whole else (),
                note="Months add to the three months; ranges do not. The range of a month that begins later is wider.",
            )
        )
    if changes:
        tables.append(
            Table(
                "Known changes to confirm",
                [Column("Change"), Column("Kind"), Column("Moves"), Column("By", "", "number"), Column("From"), Column("Ramp", "days", "number"), Column("Confidence", "", "number"), Column("Used in"), Column("Owner"), Column("Note", "", "wrap")],
                [
                    [
                        Cell(r["change_id"]), Cell(r["kind"]), Cell(" ".join(x for x in (r["driver"].replace("_", " "), r["workflow"], r["model"]) if x)),
                        Cell(f"× {f.ratio(r['value'])}" if r["mode"] == "multiplier" else f.ratio(r["value"])), Cell(f.day(r["starts_on"])),
                        Cell(f.count(r["ramp_days"])), Cell(f.percent(r["confidence"], 0)), Cell(r["used_in"]), Cell(r["owner"]), Cell(f.words(r["note"])),
                    ]
                    for r in changes
                ],
                note="Say of each that began whether it happened; correct the seed known_changes where it did not.",
            )
        )  # fmt: skip
    lead = "The new baseline is forecast from the days up to the close, with the changes known by then." if rows else "No forecast was frozen after this month."
    return Section(key, title, lead, "marts.frozen_forecast, marts.known_changes", tables=tables)


def _accuracy(reset: Reset) -> Section:
    month = reset.months[0] if reset.months else None
    every = [r for r in reset.scores if r["month"] == month]
    rows = [r for r in every if r["freeze_day"] == 1]
    if not rows:
        return Section("accuracy", "Error so far", "No frozen forecast of a closed month yet.", "marts.forecast_score")
    body = []
    for r in rows:
        measured = r["state"] == "measured"
        body.append(
            [
                Cell(_scope(r["scope"])), Cell(r["kind"] + (f" ({r['author']})" if r["author"] else "")), Cell(f.count(r["months"])), Cell(f.signed_percent(-(r["error"] / r["actual"]) if r["actual"] else None)),
                Cell(f.percent(r["wape"]) if measured else r["state"]), Cell(f.signed_percent(r["bias"]) if measured else f.NOTHING),
                Cell(f.percent(r["machine_wape"]) if r["kind"] == "override" and measured else f.NOTHING), Cell(f.words(r["basis"] or r["reason"])),
            ]
        )  # fmt: skip
    table = Table(
        f"Up to six months ending with {f.month(month)}",
        [
            Column("Scope"), Column("Forecast by"), Column("Months", "", "number"), Column("This month", "actual vs forecast", "number"), Column("WAPE", "", "number"),
            Column("Bias", "", "number"), Column("Machine's WAPE", "same months", "number"), Column("Basis or reason", "", "wrap"),
        ],
        body,
        note="Refused below three months. An override is scored beside the machine's figure on the months it spoke of.",
    )  # fmt: skip
    tables = [table]
    if within := [r for r in every if r["freeze_day"] != 1]:
        there = {r["scope"] for r in within}
        shown = [r for r in every if r["scope"] in there and r["kind"] == "machine"]
        tables.append(
            Table(
                f"How the forecast of {f.month(month)} came closer",
                [Column("Scope"), Column("Kept on"), Column("Knew", "last day"), Column("Forecast", "", "number"), Column("Actual", "", "number"), Column("Actual vs forecast", "", "number"), Column("In 80 % range")],
                [
                    [
                        Cell(_scope(r["scope"])), Cell(f"day {r['freeze_day']}"), Cell(f.day(r["data_cutoff"])), Cell(f.money(r["forecast"], 0)), Cell(f.money(r["actual"], 0)),
                        Cell(f.signed_percent(-(r["error"] / r["actual"]) if r["actual"] else None)), Cell("not yet measured" if r["inside80"] is None else "yes" if r["inside80"] else "no"),
                    ]
                    for r in shown
                ],
                note="The first run on or after days 10 and 20 keeps its forecast of the month, what was spent by then included.",
            )
        )  # fmt: skip
    return Section("accuracy", "Error so far, machine and people", "Every frozen forecast is scored on what came, and so is every override.", "marts.forecast_score", tables=tables)


def _notes(reset: Reset, currency: str) -> Section:
    due = sum(bool(r["is_due"]) for r in reset.notes)
    if not reset.notes:
        return Section("notes", "Cost notes", "No launch has a cost note (seed cost_note_inputs).", "marts.cost_notes")
    body = [
        [
            Cell(r["note_id"]), Cell(r["workflow"]), Cell(f.day(r["launched_on"])), Cell(f.decimal_text(r["expected_unit_cost"], 4)), Cell(f.decimal_text(r["actual_unit_cost"], 4)),
            Cell(f.signed_percent(r["error"])), Cell(f.decimal_text(r["run_p50"], 4)), Cell(f.decimal_text(r["run_p95"], 4)), Cell(f.money(r["month_p80"], 0)), Cell(f.money(r["monthly_budget"], 0)),
            Cell(f.day(r["review_date"]), WATCH if r["is_due"] else ""), Cell(r["state"], {"approved": GOOD, "open": WATCH}.get(r["state"], BAD)), Cell(f.words(r["reasons"])),
        ]
        for r in reset.notes
    ]  # fmt: skip
    table = Table(
        f"Launches, {currency}",
        [
            Column("Note"), Column("Workflow"), Column("Launch"), Column("Unit cost", "expected", "number"), Column("Unit cost", "since", "number"), Column("Error", "", "number"),
            Column("Run p50", "model", "number"), Column("Run p95", "model", "number"), Column("Month p80", "model", "number"), Column("Cap", "month", "number"),
            Column("Review"), Column("State", "", "state"), Column("Why not approved", "", "wrap"),
        ],
        body,
    )  # fmt: skip
    lead = f"{many(len(reset.notes), 'note')}, {due} due for review." if due else f"{many(len(reset.notes), 'note')}, none due for review."
    return Section("notes", "Cost notes", lead, "marts.cost_notes", tables=[table])
