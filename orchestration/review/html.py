"""The review page: every section said in words first, then drawn, then tabulated. One file, nothing fetched.

Sections are built in `sections/` as plain data; `review.html.j2` only lays them out and escapes every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.review import formats as f
from orchestration.review import reset as monthly
from orchestration.review import weekly
from orchestration.review.headlines import kpis, verdicts
from orchestration.review.page import Section
from orchestration.review.queries import Review
from orchestration.review.reset import Reset
from orchestration.review.sections import attribution, evidence, outlook, spend, units
from orchestration.review.sections.spend import workflow_rows

__all__ = ["render", "render_explained", "render_weekly", "verdicts", "workflow_rows"]

_HERE = Path(__file__).parent


def render(review: Review) -> str:
    """The whole page as HTML text."""
    return _page(
        review,
        title=f"AI spend review, {review.context.company or review.context.profile}",
        kicker="AI spend review",
        verdicts=verdicts(review),
        kpis=kpis(review),
        sections=_sections(review),
        glossary=_GLOSSARY,
        beside=(("weekly.html", "Weekly review"), ("reset.html", "Monthly reset"), ("explain.html", "Single dollars explained")),
    )


def render_explained(review: Review, sections: Sequence[Section]) -> str:
    """The page that explains single ledger rows, as HTML text."""
    empty = Section("nothing", "Nothing to explain", "The snapshot holds no ledger rows of the last full month.")
    return _page(
        review,
        title=f"AI spend explained, {review.context.company or review.context.profile}",
        kicker="From a dollar back to its charge, requests and rule",
        verdicts=[],
        kpis=[],
        sections=list(sections) or [empty],
        glossary=[entry for entry in _GLOSSARY if entry[0] in ("Fidelity tier", "WAPE", "Bias")],
        beside=(("review.html", "Back to the review"),),
    )


def render_reset(review: Review, reset: Reset) -> str:
    """The page of the monthly reset, as HTML text."""
    currency = review.context.reporting_currency
    names = ("WAPE", "Bias", "80 % interval", "Usage charges")
    own = (
        ("Frozen forecast", "What was forecast for a month on its first day; it never changes again."),
        ("Effect", "A part of the variance. Effects add to it exactly and do not depend on an order; those of cells add to those of teams."),
        ("Override", "A person's figure beside the machine's, with who, when and why; both are scored."),
        ("Hash", "Digest of the figures of a line. A signed line is kept as it is; changed figures become a new version."),
    )
    return _page(
        review,
        title=f"Monthly reset, {review.context.company or review.context.profile}",
        kicker="Monthly forecast reset",
        verdicts=monthly.verdicts(reset, currency),
        kpis=monthly.kpis(reset, currency),
        sections=monthly.sections(reset, currency),
        glossary=[*own, *(entry for entry in _GLOSSARY if entry[0] in names)],
        beside=(("review.html", "Back to the review"),),
    )


def render_weekly(week: weekly.Week) -> str:
    """The weekly review as HTML text."""
    review = week.review
    words = ("Above usual", "Pace index", "P(breach)", "Signal, incident", "Page, digest", "Lower bound", "Captured", "80 % interval")
    return _page(
        review,
        title=f"AI spend, week of {weekly.week_of(review.context.last_complete_day)}",
        kicker=f"Weekly review, {weekly.week_of(review.context.last_complete_day)}",
        verdicts=weekly.verdicts(week),
        kpis=weekly.kpis(week),
        sections=weekly.sections(week),
        glossary=[entry for entry in (*_GLOSSARY, *weekly.GLOSSARY) if entry[0] in words],
        beside=(("review.html", "Monthly review"), ("reset.html", "Monthly reset"), ("explain.html", "Single dollars explained")),
    )


def _page(review: Review, **parts: object) -> str:
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
        context=review.context,
        facts=_facts(review),
        **parts,
    )


def _unbroken(value: object) -> object:
    """A number keeps its per cent sign on its line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


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


def _sections(review: Review) -> list[Section]:
    return [
        spend.daily(review),
        spend.by_provider(review),
        spend.workflow_ledger(review),
        units.unit_costs(review),
        attribution.coverage(review),
        attribution.worklist(review),
        evidence.tie_out(review),
        outlook.pacing(review),
        outlook.backtest(review),
        spend.movers(review),
        attribution.work_items(review),
        evidence.conformance(review),
        evidence.freshness(review),
    ]


_GLOSSARY: Sequence[tuple[str, str]] = (
    ("Spend, cost", "What vendors billed, by charge day in UTC, in the reporting currency. Estimates are never part of it."),
    ("Usage charges", "FOCUS ChargeCategory Usage: without taxes, credits, adjustments and purchases such as seats."),
    ("Fidelity tier", "How surely a share of a charge is tied to who caused it: call, session, person, team, policy, unattributed."),
    ("Attribution coverage", "Spend of the tiers call, session, person and team over all spend. Policy and unattributed do not count."),
    ("Workflow ledger", "Token usage and every charge that carries a workflow, by month; other cloud charges and seats are outside of it."),
    ("Unit cost", "Cost of a scope over what was counted in it, pooled over the period; where nothing was counted, that is said instead of a number."),
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
