"""The weekly review page: pacing, what moved, what is wrong, what to do, and where the roll-out stands. Published names only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.review import formats as f
from orchestration.review.page import BAD, GOOD, QUIET, WATCH, Cell, Column, Kpi, Section, Table, capped, many
from orchestration.review.queries import Review, Row, Snapshot
from orchestration.review.sections import outlook, spend

ACTIONS, INCIDENTS_SHOWN = 3, 15
# Notices below this (reporting currency) are counted, not listed.
LEAST_SHOWN = 1
_TONES = {
    "met": GOOD, "missed": BAD, "tracked": QUIET, "not yet measured": QUIET, "open": WATCH, "closed": QUIET, "withdrawn": QUIET,
    "suppressed": QUIET, "PROMOTE": GOOD, "REJECT": BAD, "INCONCLUSIVE": WATCH, "INVALID": WATCH, "as_expected": GOOD,
    "below_expectation": WATCH, "re_gate": WATCH, "roll_back": BAD, "not_applied": BAD, "not_measured": QUIET, "recommend": GOOD,
    "stay_on_demand": QUIET, "insufficient_data": WATCH, "saving": GOOD, "loss": BAD, "done": GOOD, "to do": WATCH,
    "reached": GOOD, "ok": GOOD, "burning": WATCH, "spent": BAD, "page": BAD, "digest": QUIET, "parent": QUIET, "none": QUIET,
}  # fmt: skip

_INCIDENTS = """
select first_day, last_day, scope_type, scope, family, rules, excess, excess_lo80, excess_hi80, owner_name, route, state, days, evidence, next_step
from marts.incidents
where (state = 'open' or (route = 'page' and last_day >= $since)) and route <> 'none'
order by route <> 'page', state <> 'open', excess desc, first_day desc, incident_id
"""

_SCORECARD = """
select kpi, kpi_name, unit, direction, target, is_non_negotiable, cadence, accountable_role, owner,
       max(value) filter (where month = $full) as value, max(state) filter (where month = $full) as state,
       max(reason) filter (where month = $full) as reason, max(value) filter (where month = $open) as now,
       max(state) filter (where month = $open) as state_now
from marts.kpi_scorecard
where scope = '' and month in ($full, $open)
group by all
order by is_non_negotiable desc, kpi
"""

_GATE = """
select eval_set_id, baseline_config, candidate_config, items, baseline_rate, candidate_rate, rate_lower, margin,
       baseline_cost_per_success, candidate_cost_per_success, expected_saving_share, outcome, reason
from marts.eval_gate order by eval_set_id, outcome desc, candidate_config
"""

_LEVERS = """
select promotion_id, lever_set, workflow, promoted_on, days_after, realised_saving, realised_saving_share, expected_saving_share,
       applied_share, cost_per_call_drift, state, reason, owner_name
from marts.lever_impact order by promoted_on desc, promotion_id
"""

_SIZING = """
select pool, offer_id, units, unit, monthly_saving, captured_share, decision, reason, is_advised
from marts.commitment_sizing
where scope = '' and kind = 'commitment' and level = 'advised'
qualify row_number() over (
    partition by pool order by is_advised desc, decision = 'recommend' desc, decision = 'insufficient_data' desc,
    decision = 'stay_on_demand' desc, monthly_saving desc nulls last, offer_id
) = 1
order by pool
"""

_COMMITMENTS = """
select commitment_id, min(period_start)::date as first_day, sum(used_cost) as used, sum(commitment_cost) as paid, sum(forfeiture) as forfeiture,
       sum(covered_on_demand) as covered, sum(eligible_on_demand) as eligible, sum(realised_saving) as saving,
       arg_max(alert, period_start) as alert
from marts.commitment_performance where period_start >= $since
group by commitment_id order by paid desc, commitment_id
"""

GLOSSARY = (
    ("Above usual", "Money of an incident's days above the robust baseline of its scope; an estimate, never booked. In brackets: 80 % interval by the spread of that baseline."),
    ("Signal, incident", "A signal is one rule on one day of one scope; signals of the same scope and kind within three days are one incident."),
    ("Page, digest", "A page goes to the owner at once, at most one a month and scope; everything else waits for this page."),
    ("Lower bound", "One-sided 95 % bound of candidate less baseline pass rate; it must lie above minus the margin set before the run."),
    ("Captured", "Saving of the sizing rule in back-test weeks over that of the best size in hindsight."),
)

_BUDGETS = """
select objective_name, events, bad_events, compliance, target, allowed_bad_events, consumed_share, burn_rate_7d, state, reason, owner
from marts.cost_error_budget order by consumed_share desc nulls last, objective_id
"""

_STAGES = "select stage, stage_name, meaning, evidence, threshold, unit, is_met, is_reached, next_step from marts.practice_maturity order by stage"
_CHECKLIST = "select step, by_day, phase, step_name, is_done, evidence, unit, next_step from marts.rollout_checklist order by step"


@dataclass(frozen=True)
class Week:
    """What the page shows beside the facts of the review pack."""

    review: Review
    incidents: list[Row]
    scorecard: list[Row]
    gate: list[Row]
    levers: list[Row]
    sizing: list[Row]
    commitments: list[Row]
    error_budgets: list[Row]
    stages: list[Row]
    checklist: list[Row]


def read_week(connection: duckdb.DuckDBPyConnection, review: Review) -> Week:
    """Read the week that ends with the last complete day; a relation that is not published reads as empty."""
    snapshot, last = Snapshot.of(connection), review.context.last_complete_day
    return Week(
        review,
        incidents=snapshot.rows("incidents", _INCIDENTS, since=last - timedelta(days=6)),
        scorecard=[_judged(r) for r in snapshot.rows("kpi_scorecard", _SCORECARD, full=review.full_month, open=last.replace(day=1))],
        gate=snapshot.rows("eval_gate", _GATE),
        levers=snapshot.rows("lever_impact", _LEVERS),
        sizing=snapshot.rows("commitment_sizing", _SIZING),
        commitments=snapshot.rows("commitment_performance", _COMMITMENTS, since=last - timedelta(days=29)),
        error_budgets=snapshot.rows("cost_error_budget", _BUDGETS),
        stages=snapshot.rows("practice_maturity", _STAGES),
        checklist=snapshot.rows("rollout_checklist", _CHECKLIST),
    )


def _judged(row: Row) -> Row:
    """A KPI of open months only (a projection) is judged by the open month."""
    return row | {"state": row["state_now"]} if row["value"] is None and row["now"] is not None else row


def sections(week: Week) -> list[Section]:
    """The page from top to bottom."""
    return [
        _proposed(week), outlook.pacing(week.review), spend.movers(week.review), _incidents(week), _scorecard(week),
        _changes(week), _commitments(week), _rollout(week),
    ]  # fmt: skip


def verdicts(week: Week) -> list[Cell]:
    """What a reader needs first."""
    lines = []
    live = [r for r in week.incidents if r["state"] == "open"]
    paged = [r for r in week.incidents if r["route"] == "page"]
    tone = BAD if any(r["state"] == "open" for r in paged) else WATCH if paged else GOOD
    lines.append(Cell(f"{many(len(paged), 'incident')} paged this week, {len(live)} open.", tone))
    missed = [r for r in week.scorecard if r["state"] == "missed"]
    if missed:
        named = "; ".join(r["kpi_name"] for r in missed[:3])
        hard = any(r["is_non_negotiable"] for r in missed)
        text = f"{many(len(missed), 'KPI')} missed: {named}."
        lines.append(Cell(text, BAD if hard else WATCH))
    elif week.scorecard:
        lines.append(Cell("No KPI missed its target.", GOOD))
    return lines


def kpis(week: Week) -> list[Kpi]:
    """Five numbers of the week."""
    review = week.review
    total = next((r for r in review.pacing if r["scope_type"] == "total"), None)
    open_excess = sum((r["excess"] or Decimal(0) for r in week.incidents), Decimal(0))
    measured = [r for r in week.scorecard if r["state"] in ("met", "missed")]
    met = sum(r["state"] == "met" for r in measured)
    done = sum(bool(r["is_done"]) for r in week.checklist)
    saved = [r["realised_saving"] for r in week.levers if r["realised_saving"] is not None]
    return [
        Kpi("Projected month end over budget", f.percent(total["month_end"] / float(total["budget"]), 0), f"P(breach) {f.percent(total['p_breach'], 0)}",
            BAD if total["level"] == "critical" else WATCH if total["level"] == "warn" else GOOD)
        if total and total["month_end"] is not None and total["budget"]
        else Kpi("Projected month end over budget", "none", "no total budget is paced", QUIET),
        Kpi("Above usual, incidents of the week", f.headline(open_excess, review.currency), many(len(week.incidents), "incident"), WATCH if open_excess else GOOD),
        Kpi("KPIs on target", f"{met} of {len(measured)}" if measured else "none",
            f"{len(week.scorecard) - len(measured)} tracked or not yet measured", GOOD if measured and met == len(measured) else WATCH),
        Kpi("Saved by promoted changes", f.headline(sum(saved, Decimal(0)), review.currency) if saved else "none",
            "first 14 days of each, against the 28 before", "" if saved else QUIET),
        Kpi("Roll-out", f"{done} of {len(week.checklist)}" if week.checklist else "none", "steps the data confirms", GOOD if week.checklist and done == len(week.checklist) else ""),
    ]  # fmt: skip


def proposed(week: Week) -> list[tuple[str, str, str, Decimal | None]]:
    """One to three actions: what, who, why, and the money at stake (reporting currency a month); worst first."""
    found: list[tuple[int, Decimal, tuple[str, str, str, Decimal | None]]] = []
    for r in week.levers:
        if r["state"] in ("roll_back", "not_applied", "re_gate"):
            verb = {"roll_back": "Roll back", "not_applied": "Apply", "re_gate": "Evaluate again"}[r["state"]]
            stake = r["realised_saving"] * 30 / max(r["days_after"], 1) if r["realised_saving"] is not None else None
            found.append((0, abs(stake or Decimal(0)), (f"{verb}: {r['lever_set']} in {r['workflow']}", r["owner_name"], r["reason"], stake)))
    for r in week.incidents:
        if r["state"] == "open" or r["route"] == "page":
            why = f"{_kind(r)} since {f.short_day(r['first_day'])}, rules {r['rules']}"
            rank = 1 if r["route"] == "page" else 4
            found.append((rank, r["excess"] or Decimal(0), (f"{r['scope']}: {r['next_step']}", r["owner_name"], why, r["excess"])))
    promoted = {r["promotion_id"] for r in week.levers}
    for r in week.gate:
        if r["outcome"] == "PROMOTE" and not promoted:
            why = f"cost per success down {f.percent(r['expected_saving_share'], 0)}, quality within the margin"
            found.append((2, Decimal(0), (f"Promote {r['candidate_config']}", "owner of the plan", why, None)))
    for r in week.sizing:
        if r["is_advised"]:
            saving = f.exact(r["monthly_saving"])
            found.append((2, saving, (f"Buy {f.count(r['units'])} {r['unit']} ({r['offer_id']}) for {r['pool']}", "Finance", r["reason"] or "back-tested", saving)))
    paying = next((f"{r['owner']}" for r in week.scorecard if r["kpi"] == "month_end_against_budget"), "Finance")
    for r in week.review.pacing:
        if r["level"] in ("critical", "warn"):
            over = f.exact(r["month_end"] or 0) - f.exact(r["budget"])
            what = f"Decide on the budget of {r['scope'] or 'all spend'}: raise it or cut demand"
            found.append((3, max(over, Decimal(0)), (what, paying, f"P(breach) {f.percent(r['p_breach'], 0)}", over)))
    if week.review.worklist:
        r = week.review.worklist[0]
        found.append((5, r["cost"] or Decimal(0), (f"{r['action']} ({r['external_id']})", "Engineering", "largest unnamed spend", r["cost"])))
    found.sort(key=lambda x: (x[0], -x[1], x[2][0]))
    # One action per kind before a second of the same.
    chosen = [next(x for x in found if x[0] == rank) for rank in sorted({x[0] for x in found})][:ACTIONS]
    return [x[2] for x in chosen]


def _proposed(week: Week) -> Section:
    actions = proposed(week)
    if not actions:
        return Section("actions", "Proposed actions", "Nothing is proposed this week: no open incident, no budget at risk, nothing to buy.")
    rows = [
        [Cell(what), Cell(f.words(who)), Cell(f.words(why)), Cell(f.money(stake, 0) if stake is not None else f.NOTHING)]
        for what, who, why, stake in actions
    ]
    columns = [Column("Action", "", "wrap"), Column("Owner"), Column("Why", "", "wrap"), Column("At stake", f"{week.review.currency}", "number")]
    return Section(
        "actions", "Proposed actions", f"{many(len(actions), 'action')} for this week; the owner decides.",
        "marts.lever_impact, marts.incidents, marts.commitment_sizing, marts.budget_pacing, marts.attribution_worklist",
        tables=[Table("What to do first", columns, rows)],
    )  # fmt: skip


def _days(row: Row) -> str:
    """First and last day without a line break: 14 Oct, or 2 Sep – 13 Oct."""
    ends = [f.short_day(row["first_day"]), f.short_day(row["last_day"])]
    return " –\u2060 ".join(dict.fromkeys(ends)).replace(" ", "\u00a0")


def _kind(row: Row) -> str:
    names = {"spend": "spend above usual", "mix": "dearer model mix", "context": "growing context", "loop": "loop or retries",
             "cache": "fewer cache hits", "data": "missing data"}  # fmt: skip
    return names.get(row["family"], f.words(row["family"]))


def _excess(row: Row) -> str:
    """Money above usual and, where its baseline has a spread, the 80 % interval."""
    if row["excess_lo80"] is None:
        return f.money(row["excess"])
    return f"{f.money(row['excess'])} ({f.money(row['excess_lo80'])} to {f.money(row['excess_hi80'])})"


def _incidents(week: Week) -> Section:
    title, source = "Incidents", "marts.incidents"
    if not week.incidents:
        return Section("incidents", title, "No incident is open and none was paged this week.", source)
    worth = [r for r in week.incidents if r["route"] == "page" or (r["excess"] or 0) >= LEAST_SHOWN]
    shown, small = worth[:INCIDENTS_SHOWN], len(week.incidents) - len(worth)
    rows = [
        [
            Cell(_days(r)), Cell(f"{f.shortened(r['scope'], 36)} ({r['scope_type']}): {_kind(r)}; {r['rules']}"), Cell(_excess(r)),
            Cell(f.words(r["owner_name"])), Cell(f"{r['route']}, {r['state']}", _TONES[r["state"] if r["route"] != "page" else "page"]),
            Cell(r["next_step"]), Cell(r["evidence"]),
        ]
        for r in shown
    ]  # fmt: skip
    table = Table(
        "Open incidents and those paged in the last seven days, pages first",
        [
            Column("Days"), Column("Where and what", "", "wrap"), Column("Above usual", week.review.currency, "number"), Column("Owner"),
            Column("State", "", "state"), Column("What to do", "", "wrap"), Column("Evidence", "rows to read", "wrap"),
        ],
        rows,
        note=(capped(len(shown), len(worth), "incident", "pages first, then by money") + " "
              + (f"{many(small, 'notice')} without money to speak of: marts.incidents." if small else "")).strip(),
    )  # fmt: skip
    live = sum(r["state"] == "open" for r in week.incidents)
    return Section("incidents", title, f"{many(live, 'incident')} open; pages go to the owner, everything else to this digest.", source, tables=[table])


def _value(value: Any, unit: str) -> str:
    if value is None:
        return "not yet measured"
    return f.money(value, 0) if unit == "reporting currency" else f.ratio(value) if unit == "ratio" else f.percent(value)


def _scorecard(week: Week) -> Section:
    title, source = "Scorecard", "marts.kpi_scorecard"
    if not week.scorecard:
        return Section("scorecard", title, "Nothing to show: no month with spend.", source)
    rows = []
    for r in week.scorecard:
        sign = {"max": "at most ", "min": "at least ", "none": ""}[r["direction"]]
        target = f"{sign}{_value(r['target'], r['unit'])}" if r["target"] is not None else "tracked"
        state = r["state"] or "not yet measured"
        owner = f"{f.words(r['owner'])} ({r['accountable_role']})" if r["owner"] != r["accountable_role"] else r["owner"]
        rows.append([
            Cell(r["kpi_name"] + (" *" if r["is_non_negotiable"] else "")), Cell(_value(r["value"], r["unit"])), Cell(_value(r["now"], r["unit"])),
            Cell(target), _state(state), Cell(f.words(r["cadence"])), Cell(f.words(owner)),
        ])  # fmt: skip
    month = week.review.full_month
    table = Table(
        f"KPIs of {f.month(month)} and the month to date",
        [
            Column("KPI", "", "wrap"), Column(f.month(month), "", "number"), Column("To date", "", "number"), Column("Target", "", "number"),
            Column("State", "", "state"), Column("Cadence"), Column("Accountable"),
        ],
        rows,
        note="* A miss stops the roll-out. Workflows, providers and teams have rows of their own in marts.kpi_scorecard.",
    )  # fmt: skip
    missed = sum(r["state"] == "missed" for r in week.scorecard)
    met = sum(r["state"] == "met" for r in week.scorecard)
    why = [f"{r['kpi_name']}: {r['reason']}." for r in week.scorecard if r["reason"] and r["now"] is None]
    lead = f"{met} of {met + missed} KPIs with a target meet it; {f.month(month)} counts, or the open month for what is projected."
    tables = [table, _error_budgets(week)] if week.error_budgets else [table]
    return Section("scorecard", title, lead, source, tables=tables, notes=why)


def _error_budgets(week: Week) -> Table:
    rows = []
    for r in week.error_budgets:
        used = "not yet measured" if r["consumed_share"] is None else f"{f.count(r['bad_events'])} of {f.ratio(r['allowed_bad_events'], 1)} allowed"
        rows.append([
            Cell(r["objective_name"]), Cell(f.NOTHING if r["compliance"] is None else f.percent(r["compliance"], 2)), Cell(f.percent(r["target"], 1)),
            Cell(used), Cell(f.NOTHING if r["burn_rate_7d"] is None else f.ratio(r["burn_rate_7d"], 2)), _state(r["state"]), Cell(f.words(r["owner"])),
        ])  # fmt: skip
    return Table(
        "Error budgets for cost, the most used first",
        [
            Column("Objective", "", "wrap"), Column("Kept", "", "number"), Column("Target", "", "number"), Column("Error budget used", "", "number"),
            Column("Burn rate", "7 days", "number"), Column("State", "", "state"), Column("Accountable"),
        ],
        rows,
        note="A burn rate of 1 uses the error budget up exactly in its window. Windows and ceilings: marts.cost_error_budget.",
    )  # fmt: skip


def _changes(week: Week) -> Section:
    title, source = "Changes: gate and effect", "marts.eval_gate, marts.lever_impact"
    if not week.gate and not week.levers:
        return Section("changes", title, "Nothing to show: no evaluation has been delivered and no change promoted.", source)
    tables = []
    if week.gate:
        rows = [
            [
                Cell(r["candidate_config"]), Cell(f.count(r["items"])), Cell(f.percent(r["baseline_rate"])), Cell(f.percent(r["candidate_rate"])),
                Cell(f"{f.signed_percent(r['rate_lower'])} / {f.percent(-f.exact(r['margin']))}" if r["rate_lower"] is not None else f.NOTHING),
                Cell(f.ratio(r["baseline_cost_per_success"], 4)), Cell(f.ratio(r["candidate_cost_per_success"], 4)), _state(r["outcome"]),
                Cell(f.words(r["reason"])),
            ]
            for r in week.gate
        ]  # fmt: skip
        tables.append(Table(
            "Evaluation gate: quality first, then cost per success",
            [
                Column("Candidate", "", "wrap"), Column("Items", "", "number"), Column("Baseline", "passed", "number"), Column("Candidate", "passed", "number"),
                Column("Lower bound", "against margin", "number"), Column("Baseline", "USD a success", "number"), Column("Candidate", "USD a success", "number"),
                Column("Decision", "", "state"), Column("Reason", "", "wrap"),
            ],
            rows,
        ))  # fmt: skip
    if week.levers:
        rows = [
            [
                Cell(f"{r['lever_set']} in {r['workflow']}"), Cell(f.day(r["promoted_on"])), Cell(f.percent(r["expected_saving_share"])),
                Cell(f.signed_percent(r["realised_saving_share"])), Cell(f.money(r["realised_saving"])), Cell(f.percent(r["applied_share"], 0)),
                _state(r["state"]), Cell(f.words(r["owner_name"])), Cell(f.words(r["reason"])),
            ]
            for r in week.levers
        ]  # fmt: skip
        tables.append(Table(
            "Promoted changes: what was promised and what came",
            [
                Column("Change", "", "wrap"), Column("Since"), Column("Promised", "saving", "number"), Column("Realised", "saving", "number"),
                Column("Saved", week.review.currency, "number"), Column("Applied", "of its calls", "number"), Column("State", "", "state"), Column("Owner"), Column("Reason", "", "wrap"),
            ],
            rows,
        ))  # fmt: skip
    promoted = sum(r["outcome"] == "PROMOTE" for r in week.gate)
    lead = f"{many(len(week.gate), 'candidate')} evaluated, {promoted} may be promoted; {many(len(week.levers), 'change')} watched in production."
    return Section("changes", title, lead, source, tables=tables)


def _commitments(week: Week) -> Section:
    title, source = "Commitments", "marts.commitment_sizing, marts.commitment_performance"
    if not week.sizing and not week.commitments:
        return Section("commitments", title, "Nothing to show: no requests to size on and no commitment on the bill.", source)
    tables = []
    if week.sizing:
        rows = [
            [
                Cell(r["pool"]), Cell(r["offer_id"]), Cell(f"{f.ratio(r['units'])} {r['unit']}" if r["units"] else f.NOTHING),
                Cell(f.money(r["monthly_saving"], 0) if r["units"] else f.NOTHING), Cell(f.percent(r["captured_share"], 0)), _state(r["decision"]),
                Cell(f.words(r["reason"])),
            ]
            for r in week.sizing
        ]  # fmt: skip
        tables.append(Table(
            "What to buy next, best way to pay of each pool",
            [
                Column("Pool"), Column("Way to pay", "", "wrap"), Column("Size", "", "number"), Column("Saving", f"{week.review.currency} a month", "number"),
                Column("Captured", "of hindsight, back-test", "number"), Column("Decision", "", "state"), Column("Why", "", "wrap"),
            ],
            rows,
        ))  # fmt: skip
    if week.commitments:
        rows = [
            [
                Cell(_tail(r["commitment_id"])), Cell(f.money(r["paid"])), Cell(_share(r["used"], r["paid"])), Cell(_share(r["covered"], r["eligible"])),
                Cell(f.money(r["forfeiture"])), Cell(f.money(r["saving"])), Cell(f.words(r["alert"]).replace("_", " ")),
            ]
            for r in week.commitments
        ]  # fmt: skip
        tables.append(Table(
            "What is bought, last 30 days",
            [
                Column("Commitment", "", "wrap"), Column("Paid", "", "number"), Column("Utilisation", "", "number"), Column("Coverage", "", "number"),
                Column("Forfeited", "", "number"), Column("Saved", "", "number"), Column("Look at"),
            ],
            rows,
            note="Amounts in the currency of the bill. Saved is against list price; where a bill gives none, nothing is claimed.",
        ))  # fmt: skip
    advised = sum(bool(r["is_advised"]) for r in week.sizing)
    lead = f"{many(len(week.sizing), 'pool')} of demand looked at, {advised} with something to buy; {many(len(week.commitments), 'commitment')} in force in the last 30 days."
    return Section("commitments", title, lead, source, tables=tables)


def _tail(identity: str) -> str:
    """The telling end of a long resource name."""
    return f.words(identity).rsplit(":", 1)[-1].rsplit("/reservations/", 1)[-1]


def _share(part: Decimal | None, whole: Decimal | None) -> str:
    return f.percent(part / whole, 0) if part is not None and whole else f.NOTHING


def _rollout(week: Week) -> Section:
    title, source = "First 90 days", "marts.rollout_checklist"
    if not week.checklist:
        return Section("rollout", title, "Nothing to show.", source)
    rows = [
        [
            Cell(f"day {r['by_day']}"), Cell(r["phase"]), Cell(r["step_name"]), _state("done" if r["is_done"] else "to do"),
            Cell(f"{_figure(r['evidence'])} {r['unit']}"), Cell(f.words(r["next_step"])),
        ]
        for r in week.checklist
    ]  # fmt: skip
    done = sum(bool(r["is_done"]) for r in week.checklist)
    table = Table(
        "Ticked by the data, not by hand",
        [Column("By"), Column("Phase"), Column("Step", "", "wrap"), Column("State", "", "state"), Column("Evidence", "", "wrap"), Column("Next", "", "wrap")],
        rows,
    )
    reached = [r for r in week.stages if r["is_reached"]]
    lead = f"{done} of {len(rows)} steps done."
    if not week.stages:
        return Section("rollout", title, lead, source, tables=[table])
    stages = [
        [
            Cell(f"{r['stage']} {r['stage_name']}"), Cell(r["meaning"]), _state("reached" if r["is_reached"] else "met" if r["is_met"] else "to do"),
            Cell(f"{_figure(r['evidence'])} {r['unit']}; from {_figure(r['threshold'])}"), Cell(f.words(r["next_step"])),
        ]
        for r in week.stages
    ]  # fmt: skip
    maturity = Table(
        "Stages of the practice",
        [Column("Stage"), Column("What is true", "", "wrap"), Column("State", "", "state"), Column("Evidence", "", "wrap"), Column("Next", "", "wrap")],
        stages,
        note="A stage is reached when it and every stage before it is met.",
    )
    named = f" Stage {reached[-1]['stage']} of {len(stages)} is reached: {reached[-1]['stage_name']}." if reached else " No stage is reached yet."
    return Section("rollout", title, lead + named, f"{source}, marts.practice_maturity", tables=[table, maturity])


def _figure(value: Decimal) -> str:
    return f.ratio(value, 0) if value == int(value) else f.ratio(value, 3)


def _state(value: object) -> Cell:
    text = f.words(value)
    return Cell(text.replace("_", " ").lower(), _TONES.get(text, QUIET))


def week_of(day: date) -> str:
    """The seven days that end with a day, in words."""
    return f"{f.short_day(day - timedelta(days=6))} – {f.day(day)}"
