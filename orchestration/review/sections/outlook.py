"""Where the money is going: budgets and their pace, and how far past forecasts missed."""

from __future__ import annotations

from orchestration.review import formats as f
from orchestration.review.headlines import budget_scope
from orchestration.review.page import Cell, Column, Section, Table, many, state_cell
from orchestration.review.queries import MINIMUM_WINDOWS_TO_SCORE, Review, Row


def pacing(review: Review) -> Section:
    title, source = "Budgets and pacing", "marts.budget_pacing"
    if not review.pacing:
        refusal = review.forecast_refusal()
        why = f" ({refusal})" if refusal else ""
        lead = f"Nothing to show: no budget is set for this period, or its pace cannot be forecast yet{why}."
        return Section("pacing", title, lead, source)
    risky = sum(r["level"] in ("warn", "critical") for r in review.pacing)
    unmeasured = sum(r["p_breach"] is None for r in review.pacing)
    lead = f"{many(len(review.pacing), 'budget')} in force; "
    if risky:
        lead += f"{risky} more likely than not to be exceeded."
    elif unmeasured < len(review.pacing):
        lead += "none likely to be exceeded at the present pace."
    if unmeasured:
        lead += f" {unmeasured} without a measured probability of breach yet."
    lead = lead.replace(";  ", "; ")
    rows = [
        [
            Cell(budget_scope(r)), Cell(f.money(r["budget"], 0)), Cell(f.money(r["mtd"], 0)), Cell(f.money(r["plan_to_date"], 0)),
            Cell(f.ratio(r["pace_index"])), Cell(f.money(r["month_end"], 0)),
            Cell(f"{f.money(r['lo80'], 0)} to {f.money(r['hi80'], 0)}" if r["lo80"] is not None else "not yet measured"),
            Cell(f.percent(r["p_breach"], 0)), Cell(_breach(r)), state_cell(r["level"] or "ok"),
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


def backtest(review: Review) -> Section:
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
