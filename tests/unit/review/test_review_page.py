"""The review page: right numbers, plain words for what is missing, nothing fetched, nothing executed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from orchestration.review import ReviewContext, build
from orchestration.review.html import verdicts, workflow_rows
from orchestration.review.queries import read_review

_VOID = {"meta", "link", "br", "img", "hr", "input", "col"}


class _Page(HTMLParser):
    """Checks nesting while it collects headings, tables and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.unlabelled_drawings = 0
        self.heads_without_scope = 0
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data", "srcset", "xlink:href")]
        self.unlabelled_drawings += tag == "svg" and not (given.get("role") == "img" and given.get("aria-label"))
        self.heads_without_scope += tag == "th" and "scope" not in given
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self._caption += data
        elif "td" in self.open or "th" in self.open:
            self._rows[-1][-1] += data.replace("\u00a0", " ")


def _page(connection: duckdb.DuckDBPyConnection, folder: Path, context: ReviewContext) -> tuple[str, _Page]:
    text = build(connection, folder, context).html.read_text(encoding="utf-8")
    page = _Page(text)
    assert page.open == [], "an element was left open"
    return text.replace("\u00a0", " "), page


def _table(page: _Page, caption: str) -> list[list[str]]:
    return next(rows for name, rows in page.tables.items() if name.startswith(caption))


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("−", "-"))


@pytest.fixture(scope="module")
def page(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, _Page]:
    return _page(filled, tmp_path_factory.mktemp("page"), context)


def test_head_says_whose_page_it_is_and_of_when(page: tuple[str, _Page]) -> None:
    for words in ("Meridian Works", "sandbox", "22 Sep 2026, 06:00 UTC", "21 Sep 2026", "0f3c9d2e", "all gates passed"):
        assert words in page[0]


def test_headline_numbers_are_those_of_the_snapshot(page: tuple[str, _Page], filled: duckdb.DuckDBPyConnection) -> None:
    (spend,) = filled.execute(
        "select sum(reporting_cost) from marts.daily_spend where cost_basis = 'billed' and charge_date >= '2026-09-01'"
    ).fetchone() or (None,)
    assert f"USD {spend:,.0f}" in page[0]
    assert "USD 118,401" in page[0]
    assert "80 % interval 110,300 to 128,901; measured coverage 82 %" in page[0]
    assert "91.0 %" in page[0]
    assert "15 of 15" in page[0]
    assert "2 of 3" in page[0] and "datasets fresh; litellm spend_logs is late, 3 days behind" in page[0]
    assert "All 15 closed invoices tie to the ledger." in page[0]


def test_estimated_spend_is_in_no_sum(page: tuple[str, _Page], filled: duckdb.DuckDBPyConnection) -> None:
    estimated = filled.execute(
        "select sum(reporting_cost) from marts.daily_spend where charge_date >= '2026-09-01'"
    ).fetchone()
    assert estimated and f"{estimated[0]:,.2f}" not in page[0]


def test_provider_columns_add_to_their_totals(page: tuple[str, _Page], filled: duckdb.DuckDBPyConnection) -> None:
    rows = _table(page[1], "Billed spend by provider")
    exact = filled.execute(
        "select date_trunc('month', charge_date), sum(reporting_cost) from marts.daily_spend "
        "where cost_basis = 'billed' group by 1 order by 1"
    ).fetchall()
    assert [_amount(v) for v in rows[-1][1:]] == [round(total, 2) for _, total in exact]
    for i in range(1, len(rows[0])):
        parts = sum(_amount(r[i]) for r in rows[1:-1])
        assert abs(parts - _amount(rows[-1][i])) <= Decimal("0.005") * len(rows)


def test_workflow_shares_add_to_100_and_the_rest_of_the_month_is_named(
    page: tuple[str, _Page], filled: duckdb.DuckDBPyConnection
) -> None:
    rows = _table(page[1], "Spend by workflow")
    assert rows[-2][0] == "Everything else / unattributed"
    assert sum(Decimal(r[4].removesuffix(" %")) for r in rows[1:-1]) == Decimal("100.0")
    assert rows[-1][4] == "100.0 %"
    assert abs(sum(_amount(r[5]) for r in rows[1:-1]) - _amount(rows[-1][5])) <= Decimal("0.01")
    assert rows[-1][5] == "110,000.38"
    outside = filled.execute(
        "select (select sum(reporting_cost) from marts.daily_spend where month(charge_date) = 8) "
        "- (select sum(cost) from marts.workflow_ledger)"
    ).fetchone()
    assert outside and f"{outside[0]:,.2f} of it is outside the workflow ledger" in page[0]


def test_workflows_past_the_limit_move_into_everything_else(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext
) -> None:
    review = read_review(filled, context)
    named, other = workflow_rows(review, limit=2)
    assert len(named) == 2 and other["smaller"] == 3
    assert sum(r["cost"] for r in named) + other["cost"] == Decimal("110000.375")
    assert Decimal("110000.375") + other["outside"] == review.spend_of(date(2026, 8, 1))


def test_each_tier_stands_beside_its_measured_error(page: tuple[str, _Page]) -> None:
    rows = {r[0]: r[4] for r in _table(page[1], "Spend by fidelity tier")}
    assert rows["call"] == "exact by construction"
    assert rows["session"] == "WAPE 8.3 % (6.1 % to 10.9 %), bias −1.2 %, 140 items"
    assert rows["team"] == "not yet measured"


def test_a_source_without_an_answer_is_not_counted_as_fresh(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    rows = [
        ("openai", "costs", "main", None, None, 1, 3, 3, 0, 0, "missing"),
        ("anthropic", "usage", "main", "2026-09-21", 0, 1, 9, 0, 0, 0, "fresh"),
    ]
    text, _ = _page(changed(source_freshness=rows), tmp_path, context)
    assert "1 of 2" in text and "datasets fresh; openai costs is missing" in text


def test_backtest_sets_the_published_method_beside_naive(page: tuple[str, _Page]) -> None:
    rows = _table(page[1], "Rolling-origin back-test")
    assert [r[1] for r in rows[1:]] == ["7 days", "30 days", "the calendar month"]
    for row in rows[1:]:
        assert row[2] == "published"
        assert _amount(row[5].removesuffix(" %")) < _amount(row[6].removesuffix(" %"))
        assert Decimal(row[7]) < 1


def test_forecast_is_drawn_only_to_month_end(page: tuple[str, _Page]) -> None:
    assert "the daily forecast to 2026-09-30" in page[0]


def test_page_fetches_nothing_and_runs_nothing(page: tuple[str, _Page]) -> None:
    text, parsed = page
    assert {address for address in parsed.addresses if not address.startswith("#")} == {"explain.html", "reset.html", "weekly.html"}
    assert "script" not in parsed.tags
    assert not re.search(r"@import|url\((?!#)|//[a-z0-9.-]+\.[a-z]{2,}/(?!2000/svg)", text)
    assert len(text.encode()) < 600_000


def test_page_is_accessible(page: tuple[str, _Page]) -> None:
    text, parsed = page
    assert parsed.tags.count("h1") == 1
    assert parsed.tags.count("svg") == 2 and parsed.unlabelled_drawings == 0
    assert parsed.heads_without_scope == 0
    assert '<html lang="en">' in text
    assert len(parsed.tables) >= 11 and "" not in parsed.tables


def test_identifiers_are_unique_although_both_charts_number_theirs_from_one(page: tuple[str, _Page]) -> None:
    found = re.findall(r'\bid="([^"]+)"', page[0])
    assert len(found) == len(set(found))
    assert set(re.findall(r"url\(#([^)]+)\)", page[0])) <= set(found)


def test_the_worklist_says_what_to_name_next_and_what_it_gains(page: tuple[str, _Page]) -> None:
    rows = _table(page[1], "Dearest first")[1:]
    assert [r[0] for r in rows] == ["owner missing", "identity unknown"]
    assert (rows[0][7], rows[0][8]) == ("3.1 %", "812.50")
    assert "2 things to name in the last 90 days; USD 812.50 of spend would gain an owner." in page[0]
    assert "<script>x" not in page[0]


def test_differences_of_invoices_are_named_and_the_open_ones_come_first(page: tuple[str, _Page]) -> None:
    rows = _table(page[1], "Differences by name")[1:]
    assert [(r[0], r[3], r[6], r[7]) for r in rows] == [
        ("Oracle", "exchange", "+100.00", "+117.32"), ("Anthropic", "rounding", "+0.01", "+0.01"),
    ]  # fmt: skip


def test_every_work_item_s_cost_has_its_expected_error_beside_it(page: tuple[str, _Page]) -> None:
    errors = [r[-1] for r in _table(page[1], "Work items by cost")[1:]]
    assert errors[0] == "not yet measured" and errors[1].startswith("± 9.")


def test_a_snapshot_without_ledger_rows_has_a_page_that_says_so(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path: Path
) -> None:
    files = build(filled, tmp_path, context)
    text = files.explained.read_text(encoding="utf-8")
    assert "Nothing to explain" in text and 'href="review.html"' in text


def test_unit_costs_are_shown_with_what_they_decide_and_never_a_number_for_nothing(page: tuple[str, _Page]) -> None:
    rows = _table(page[1], "Cost per unit that somebody decides with, Aug 2026")
    assert [row[:2] for row in rows[1:]] == [["successful outcome", "support-copilot"], ["successful outcome", "marketing-drafting"],
                                              ["developer sprint", "all, sprint from 7 Sep 2026"]]  # fmt: skip
    assert rows[1][4:6] == ["0.1672", "0.2100"] and rows[1][-2:] == ["succeeding", "missed"]
    assert rows[2][4] == "no outcomes"
    assert "The dearest tenth of 12 users caused 45.0 %" in page[0].replace("\u00a0", " ")
    assert "5.00 times as much" in page[0]


def test_long_tables_say_how_much_they_show(page: tuple[str, _Page]) -> None:
    assert "Showing 15 of 30 work items" in page[0]


@pytest.mark.parametrize("word", ["nan", "none,", "inf", "None", "NaN", "null"])
def test_no_placeholder_of_a_program_is_shown(page: tuple[str, _Page], word: str) -> None:
    visible = re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page[0], flags=re.S)
    assert not re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", visible)


def test_empty_snapshot_says_in_every_section_why_there_is_nothing(
    empty: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path: Path
) -> None:
    text, parsed = _page(empty, tmp_path, context)
    assert len(re.findall(r"Nothing to (?:show|draw): ", text)) == 13
    assert "insufficient data: 0 of 14 days" in text
    assert "No closed invoice to tie yet: no invoice has been delivered." in text
    assert list(parsed.tables) == ["Gates of this run"]


def test_snapshot_without_the_optional_relations_renders(context: ReviewContext, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        text, _ = _page(connection, tmp_path, context)
    assert "insufficient data: 0 of 14 days" in text


def test_short_history_refuses_a_forecast_and_counts_the_days(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    days = [context.last_complete_day - timedelta(days=n) for n in range(5)]
    rows = [(d, "Oracle", "X", None, None, None, "USD", "Usage", "billed", 1, 1, 1, None) for d in days]
    text, _ = _page(changed(daily_spend=rows, backtest=[]), tmp_path, context)
    assert "No forecast is shown: insufficient data: 5 of 14 days." in text
    assert "amber" not in text.lower()


def test_a_company_in_its_first_month_sees_that_month(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    month, day = date(2026, 9, 1), context.last_complete_day
    connection = changed(
        daily_spend=[(day, "Oracle", "X", None, None, None, "USD", "Usage", "billed", 8, 8, 8, None)],
        attribution_coverage=[(month, None, "team", 6, None), (month, None, "policy", 2, None)],
        workflow_ledger=[(month, "bot", "Bot", "it", 1, 1, None, 8)],
    )
    text, page = _page(connection, tmp_path, context)
    assert "75.0 % of Sep 2026 to date spend has a known owner" in text
    assert _table(page, "Spend by workflow, Sep 2026 to date")[1][0] == "Bot"
    assert "Sep 2026 to date was billed at USD 8.00" in text


def test_old_bills_are_shown_where_they_are(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    rows = [(date(2024, 9, d), "Oracle", "X", None, None, None, "USD", "Usage", "billed", d, d, d, None) for d in (3, 4)]
    connection = changed(daily_spend=rows, forecast_total=[], forecast_daily=[], backtest=[], workflow_ledger=[])
    text, page = _page(connection, tmp_path, context)
    assert _table(page, "Billed spend by provider")[-1] == ["Total", "7.00"]
    assert "3 Sep 2024 to 4 Sep 2024" in text
    assert "newest billed day: 4 Sep 2024" in text


def test_spend_without_an_exchange_rate_is_named_not_dropped(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    day = context.last_complete_day
    rows = [
        (day, "Oracle", "X", None, None, None, "USD", "Usage", "billed", 5, 5, 5, None),
        (day, "Oracle", "X", None, None, None, "SEK", "Usage", "billed", 70, 70, None, None),
    ]
    text, _ = _page(changed(daily_spend=rows), tmp_path, context)
    assert "for want of an exchange rate: SEK 70.00 (1 row)." in text


def test_an_invoice_that_differs_is_the_first_thing_said(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    month = date(2026, 8, 1)
    rows = [
        ("Anthropic, PBC", month, "USD", 100, 100, 100, 0, 0, 0, Decimal("0.01"), 5, "tied"),
        ("OpenAI, LLC", date(2026, 7, 1), "USD", 100, 90, 90, 0, 10, 0, Decimal("0.01"), 5, "difference"),
        ("Oracle", month, "EUR", None, 7, 7, 0, None, 0, Decimal("0.01"), 5, "no invoice"),
    ]
    text, page = _page(changed(invoice_tie_out=rows), tmp_path, context)
    assert "1 of 2 closed invoices do not tie to the ledger: OpenAI, LLC Jul 2026 (USD +10.00)." in text
    assert "1 billing period cannot be compared" in text
    assert _table(page, "Invoice, FOCUS and ledger")[1][0] == "OpenAI, LLC"
    assert "All 1 closed" not in text


def test_blocking_rules_and_failed_gates_reach_the_verdict(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext
) -> None:
    rows = [("R1", "BilledCost is not null", "aws", context.last_complete_day, 10, 2, "x", "blocking", "fail")]
    said = [v.text for v in verdicts(read_review(changed(focus_conformance=rows), context))]
    assert "1 blocking FOCUS rule check failing." in said


def test_accuracy_of_too_few_windows_is_not_printed(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    rows = [
        ("total:all", "total", date(2026, 8, 1 + 5 * n), "h30", method, 90, 100, 80, 110, 70, 120, -10, True)
        for n in range(3)
        for method in ("published", "seasonal_naive")
    ]
    text, page = _page(changed(backtest=rows), tmp_path, context)
    assert "fewer than 3 windows that do not overlap" in text
    assert _table(page, "Rolling-origin")[1][5] == "not yet measured"


def test_hostile_names_are_text_in_page_and_drawing(
    changed: Callable[..., duckdb.DuckDBPyConnection], context: ReviewContext, tmp_path: Path
) -> None:
    hostile = '"><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>'
    day = context.last_complete_day
    rows = [(day, hostile, "X", None, None, None, "USD", "Usage", "billed", 5, 5, 5, None)]
    workflows = [(date(2026, 8, 1), hostile, None, hostile, 1, 1, 1, 5)]
    _, page = _page(changed(daily_spend=rows, workflow_ledger=workflows), tmp_path, context)
    assert "script" not in page.tags and "img" not in page.tags
    assert hostile in [r[0] for r in _table(page, "Spend by workflow")]


def test_same_snapshot_gives_the_same_bytes(
    filled: duckdb.DuckDBPyConnection, context: ReviewContext, tmp_path: Path
) -> None:
    one, two = build(filled, tmp_path / "one", context), build(filled, tmp_path / "two", context)
    assert one.html.read_bytes() == two.html.read_bytes()
    assert one.workbook.read_bytes() == two.workbook.read_bytes()
