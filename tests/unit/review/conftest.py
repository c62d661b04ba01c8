"""Small published snapshots for the review pack: one with plausible rows, one with empty relations, one with none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.review import GateResult, ReviewContext

LAST_DAY = date(2026, 9, 21)

MONEY, SHARE, REAL, TEXT, DAY, WHOLE = "DECIMAL(38,14)", "DECIMAL(20,18)", "DOUBLE", "VARCHAR", "DATE", "BIGINT"

RELATIONS: dict[str, dict[str, str]] = {
    "daily_spend": {
        "charge_date": DAY, "provider": TEXT, "service": TEXT, "model_id": TEXT, "team": TEXT, "workflow": TEXT,
        "billing_currency": TEXT, "charge_category": TEXT, "cost_basis": TEXT, "billed_cost": MONEY,
        "effective_cost": MONEY, "reporting_cost": MONEY, "calls": WHOLE,
    },
    "workflow_ledger": {
        "month": DAY, "workflow": TEXT, "workflow_name": TEXT, "team": TEXT, "calls": WHOLE, "average_input_tokens": "DECIMAL(28,12)",
        "share_of_spend": SHARE, "cost": MONEY,
    },
    "unit_cost": {
        "unit": TEXT, "scope_type": TEXT, "scope": TEXT, "period_kind": TEXT, "period_start": DAY, "is_complete": "BOOLEAN",
        "numerator": MONEY, "denominator": "DECIMAL(28,12)", "top_decile_share": REAL, "unit_cost": MONEY, "previous_unit_cost": MONEY,
        "previous_quarter_unit_cost": MONEY, "change_share": REAL, "cost_change": MONEY, "volume_effect": MONEY, "unit_cost_effect": MONEY,
        "reading": TEXT, "target_unit_cost": MONEY, "target_state": TEXT, "manual_unit_cost": MONEY, "counted_share": REAL, "state": TEXT,
        "decision": TEXT, "is_core": "BOOLEAN", "owner_person_id": TEXT,
    },
    "spend_concentration": {
        "month": DAY, "dimension": TEXT, "member": TEXT, "rank": WHOLE, "members": WHOLE, "cost": MONEY, "cumulative_share": REAL,
    },
    "cache_recount": {
        "month": DAY, "provider": TEXT, "model_id": TEXT, "tokens_input_uncached": WHOLE, "tokens_cache_read": WHOLE,
        "tokens_cache_write": WHOLE, "input_cost": MONEY, "naive_input_cost": MONEY, "state": TEXT,
    },
    "attribution_coverage": {"month": DAY, "team": TEXT, "fidelity_tier": TEXT, "cost": MONEY, "share_of_spend": SHARE},
    "fidelity_error": {
        "fidelity_tier": TEXT, "allocation_method": TEXT, "items": WHOLE, "spend": MONEY, "wape": REAL, "bias": REAL,
        "wape_lo": REAL, "wape_hi": REAL, "state": TEXT,
    },
    "invoice_tie_out": {
        "invoice_issuer_name": TEXT, "billing_period": DAY, "billing_currency": TEXT, "invoice_amount": MONEY,
        "focus_amount": MONEY, "ledger_amount": MONEY, "tax_amount": MONEY, "difference_invoice_focus": MONEY,
        "difference_focus_ledger": MONEY, "tolerance": MONEY, "rows_in_focus": WHOLE, "state": TEXT,
    },
    "forecast_total": {
        "series_key": TEXT, "level": TEXT, "scope": TEXT, "as_of": DAY, "period_kind": TEXT, "period_start": DAY,
        "period_end": DAY, "point": REAL, "lo80": REAL, "hi80": REAL, "lo95": REAL, "hi95": REAL, "n_eff": REAL,
        "coverage80_180d": REAL, "coverage95_180d": REAL, "coverage_state": TEXT, "method": TEXT, "quality": TEXT,
        "data_cutoff": DAY,
    },
    "forecast_daily": {
        "series_key": TEXT, "level": TEXT, "scope": TEXT, "as_of": DAY, "target_date": DAY, "point": REAL,
        "method": TEXT, "state": TEXT,
    },
    "budget_pacing": {
        "budget_id": TEXT, "scope_type": TEXT, "scope": TEXT, "period_start": DAY, "period_end": DAY, "as_of": DAY,
        "budget": MONEY, "mtd": REAL, "mtd_adjusted": REAL, "plan_to_date": REAL, "pace_index": REAL,
        "linear_pace_index": REAL, "month_end": REAL, "lo80": REAL, "hi80": REAL, "p_breach": REAL,
        "breach_date_p10": DAY, "breach_date_p50": DAY, "breach_date_p90": DAY, "level": TEXT,
    },
    "backtest": {
        "series_key": TEXT, "level": TEXT, "as_of": DAY, "horizon": TEXT, "method": TEXT, "forecast": REAL,
        "actual": REAL, "lo80": REAL, "hi80": REAL, "lo95": REAL, "hi95": REAL, "error": REAL, "is_resolved": "BOOLEAN",
    },
    "top_deltas": {
        "week": DAY, "dimension": TEXT, "member": TEXT, "cost": MONEY, "previous_cost": MONEY, "change": MONEY,
        "change_share": "DECIMAL(28,12)", "rank": WHOLE, "owner": TEXT,
    },
    "work_item_cost": {
        "work_item_key": TEXT, "work_item_type": TEXT, "team": TEXT, "feature": TEXT, "sprint": TEXT, "status": TEXT,
        "created_at": "TIMESTAMP", "resolved_at": "TIMESTAMP", "cost": MONEY, "cost_call": MONEY,
        "cost_session": MONEY, "cost_person": MONEY, "cost_rework": MONEY, "cost_error": REAL, "calls": WHOLE, "tokens": WHOLE, "models": WHOLE,
        "sessions": WHOLE, "pull_requests": WHOLE, "is_delivered": "BOOLEAN",
    },
    "attribution_worklist": {
        "rank": WHOLE, "kind": TEXT, "source": TEXT, "object_type": TEXT, "external_id": TEXT, "gain": TEXT, "action": TEXT,
        "cost": MONEY, "share_of_spend": REAL, "days": WHOLE,
    },
    "invoice_difference": {
        "invoice_issuer_name": TEXT, "billing_period": DAY, "billing_currency": TEXT, "difference_name": TEXT,
        "invoice_amount": MONEY, "focus_amount": MONEY, "difference": MONEY, "reporting_difference": MONEY,
        "is_within_tolerance": "BOOLEAN",
    },
    "source_freshness": {
        "source": TEXT, "dataset": TEXT, "account": TEXT, "last_complete_window": TEXT, "lag_days": WHOLE,
        "expected_lag_days": WHOLE, "windows": WHOLE, "failed_windows": WHOLE, "restatements": WHOLE,
        "rejects": WHOLE, "state": TEXT,
    },
    "focus_conformance": {
        "rule_id": TEXT, "description": TEXT, "source": TEXT, "checked_on": DAY, "rows_checked": WHOLE,
        "rows_failing": WHOLE, "example": TEXT, "level": TEXT, "state": TEXT,
    },
}

_PROVIDERS = {"Anthropic": 1310, "OpenAI": 870, "Amazon Web Services": 640, "Oracle": 95}
_WORKFLOWS = {
    "support copilot": ("CX", 1_240_000, 6_800, "41800.25"),
    "contract extraction": ("Legal Ops", 210_000, 12_400, "24200.125"),
    "sales research agent": ("Revenue", 96_000, 9_100, "17600"),
    "internal knowledge bot": ("IT", 880_000, 3_200, "15400"),
    "marketing drafting": ("Brand", 140_000, 2_400, "6600"),
}
_TIERS = {"call": 58, "session": 14, "person": 12, "team": 9, "policy": 4, "unattributed": 3}


def spend_on(day: date, provider: str) -> Decimal:
    """Usage of a provider on a day: a weekday shape on slow growth, exact to the cent."""
    shape = 100 if day.weekday() < 5 else 38
    grown = 100 + (day - date(2026, 3, 1)).days // 3
    return Decimal(_PROVIDERS[provider] * shape * grown + day.day) / Decimal(10_000)


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _daily_spend() -> Iterator[tuple[Any, ...]]:
    for day in _days(date(2026, 4, 1), LAST_DAY):
        for provider in _PROVIDERS:
            cost = spend_on(day, provider)
            yield (day, provider, "API", "m", "CX", "support copilot", "USD", "Usage", "billed", cost, cost, cost, 10)
        if day.day == 1:
            yield (day, "OpenAI", "Seats", None, None, None, "USD", "Purchase", "billed", 900, 900, 900, None)
    yield (LAST_DAY, "Anthropic", "API", "m", "CX", None, "USD", "Usage", "estimated", 5000, 5000, 5000, 1)


def month_total(month: date, provider: str | None = None) -> Decimal:
    """Billed spend of a month in the filled snapshot, as the tests expect to read it."""
    return sum(
        (
            row[11] if isinstance(row[11], Decimal) else Decimal(row[11])
            for row in _daily_spend()
            if row[8] == "billed" and row[0].replace(day=1) == month and provider in (None, row[1])
        ),
        Decimal(0),
    )


def _workflow_ledger() -> Iterator[tuple[Any, ...]]:
    month = date(2026, 8, 1)
    for name, (team, calls, tokens, cost) in _WORKFLOWS.items():
        yield (month, name.replace(" ", "-"), name, team, calls, tokens, 0, Decimal(cost))
    yield (month, "(no workflow)", None, None, 320_000, 1_900, 0, Decimal("4400"))


def _unit_costs() -> Iterator[tuple[Any, ...]]:
    month = date(2026, 8, 1)
    effects = (Decimal(100), Decimal(225), Decimal(-125))
    yield ("successful_outcome", "workflow", "support-copilot", "month", month, True, 41800, 250_000, None, Decimal("0.1672"), Decimal("0.21"),
           Decimal("0.2345"), -0.2, *effects, "succeeding", Decimal("0.12"), "missed", Decimal("4.80"), None, "measured", "scale it", True, "ada")  # fmt: skip
    yield ("successful_outcome", "workflow", "marketing-drafting", "month", month, True, 6600, 0, None, None, None, None, None, None, None, None,
           "not comparable", 1, "no outcomes", 35, None, "no_outcomes", "keep it", True, "ada")  # fmt: skip
    yield ("developer_sprint", "total", "all", "sprint", date(2026, 9, 7), True, 120, 60, None, 2, 3, None, -0.33, *effects, "cheaper", 1, "missed", None,
           None, "measured", "seats", True, "ada")  # fmt: skip
    yield ("deployment", "total", "all", "month", month, True, 9000, 90, None, 100, 90, 95, 0.11, *effects, "failing", None, "no target", None,
           None, "measured", None, False, "ada")  # fmt: skip


def _concentration() -> Iterator[tuple[Any, ...]]:
    for n in range(12):
        yield (date(2026, 8, 1), "user", f"p{n}", n + 1, 12, 40 - 3 * n, 0.4 + 0.05 * n)


def _cache_recount() -> Iterator[tuple[Any, ...]]:
    yield (date(2026, 8, 1), "Anthropic", "claude-sonnet-5", 1_000_000, 8_000_000, 0, 9000, 45000, "recounted")
    yield (date(2026, 8, 1), "Other", "mystery", 1, 1, 0, 1, None, "no input price")


def _coverage() -> Iterator[tuple[Any, ...]]:
    for n, month in enumerate([date(2026, m, 1) for m in range(4, 10)]):
        for tier, share in _TIERS.items():
            share = share - 2 * (5 - n) if tier == "call" else share + 2 * (5 - n) if tier == "unattributed" else share
            yield (month, None, tier, Decimal(share) * 1000, Decimal(share) / 100)
            yield (month, "CX", tier, Decimal(share) * 400, Decimal(share) / 100)


def _tie_out() -> Iterator[tuple[Any, ...]]:
    for issuer in ("Anthropic, PBC", "OpenAI, LLC", "Amazon Web Services, Inc."):
        for m in range(4, 9):
            amount = Decimal("12345.67") + m * 1000
            yield (issuer, date(2026, m, 1), "USD", amount, amount, amount, 0, 0, 0, Decimal("0.01"), 500, "tied")
        amount = Decimal("9876.54")
        yield (issuer, date(2026, 9, 1), "USD", None, amount, amount, 0, None, 0, Decimal("0.01"), 300, "open")


def _forecast_total() -> Iterator[tuple[Any, ...]]:
    as_of = LAST_DAY + timedelta(days=1)
    for level, scope, factor in (("total", "all", 1.0), ("team", "CX", 0.4)):
        yield (
            f"{level}:{scope}", level, scope, as_of, "month_end", date(2026, 9, 1), date(2026, 10, 1),
            118_400.5 * factor, 110_300.25 * factor, 128_900.75 * factor, 104_000.0 * factor, 136_000.0 * factor, 11.5,
            0.82, 0.96, "measured", "bottom_up", "ok", LAST_DAY,
        )


def _forecast_daily() -> Iterator[tuple[Any, ...]]:
    as_of = LAST_DAY + timedelta(days=1)
    for day in _days(as_of, date(2026, 10, 5)):
        yield ("total:all", "total", "all", as_of, day, 4600.0 if day.weekday() < 5 else 1750.0, "ens3", "ok")


def _pacing() -> Iterator[tuple[Any, ...]]:
    as_of = LAST_DAY + timedelta(days=1)
    period = (date(2026, 9, 1), date(2026, 10, 1), as_of)
    yield (
        "b-total", "total", None, *period, 115_000, 83_622.5, 83_700.0, 79_870.0, 1.047, 1.06, 118_400.5, 110_300.25,
        128_900.75, 0.64, date(2026, 9, 27), date(2026, 9, 29), None, "warn",
    )
    yield (
        "b-cx", "team", "CX", *period, 60_000, 35_000.0, 35_100.0, 42_000.0, 0.83, 0.84, 49_200.0, 45_600.0, 53_400.0, 0.03,
        None, None, None, None,
    )


def _backtest() -> Iterator[tuple[Any, ...]]:
    for horizon in ("h7", "h30", "month_end"):
        for n in range(24):
            as_of = date(2026, 3, 1) + timedelta(days=5 * n)
            actual = 2800.0 + 20 * n
            for method, miss in (("published", 0.06), ("ens3", 0.06), ("seasonal_naive", 0.11), ("ma7", 0.2)):
                forecast = actual * (1 + (miss if n % 2 else -miss / 2))
                yield (
                    "total:all", "total", as_of, horizon, method, forecast, actual, forecast * 0.9, forecast * 1.1,
                    forecast * 0.8, forecast * 1.2, forecast - actual, True,
                )


def _top_deltas() -> Iterator[tuple[Any, ...]]:
    week = date(2026, 9, 14)
    moves = [("team", "CX", 900, 700), ("team", "IT", 120, 250), ("workflow", "support copilot", 820, 610)]
    for rank, (dimension, member, now, before) in enumerate(moves, 1):
        change = Decimal(now - before)
        yield (week, dimension, member, now, before, change, change / before, rank, "M. Okafor" if now > 300 else None)
    yield (week, "model", "claude-new", 77, 0, 77, None, 1, None)


def _work_items() -> Iterator[tuple[Any, ...]]:
    for n in range(30):
        parts = [Decimal(4000 - 37 * n) / 7, Decimal(300 - n) / 3, Decimal(n)]
        parts = [p.quantize(Decimal("0.00000001")) for p in parts]
        yield (
            f"PAY-{n + 100}", "Story", "Payments", "Refund automation for marketplaces", "S18", "Done",
            datetime(2026, 8, 1), datetime(2026, 8, 20), sum(parts), *parts, parts[2], float(parts[1]) / 10 if n % 2 else None, 1000 - n, 9_000_000, 3, 4, 1, n % 3 == 0,
        )


def _worklist() -> Iterator[tuple[Any, ...]]:
    yield (1, "owner missing", "aws", "sub_account", "444455556666", "coverage", "give it an owner", Decimal("812.5"), 0.0312, 30)
    yield (2, "identity unknown", "litellm", "user", "<script>x", "fidelity", "name the person", Decimal("90.25"), None, 3)


def _differences() -> Iterator[tuple[Any, ...]]:
    yield ("Oracle", date(2026, 8, 1), "EUR", "exchange", Decimal(100), Decimal(0), Decimal(100), Decimal("117.32"), False)
    yield ("Anthropic", date(2026, 8, 1), "USD", "rounding", Decimal("10.01"), Decimal(10), Decimal("0.01"), Decimal("0.01"), True)


def _freshness() -> Iterator[tuple[Any, ...]]:
    yield ("anthropic", "usage", "main", "2026-09-21", 0, 1, 420, 0, 12, 0, "fresh")
    yield ("aws", "focus", "111122223333", "2026-09", 1, 1, 14, 0, 3, 2, "fresh")
    yield ("litellm", "spend_logs", "main", "2026-09-18", 3, 0, 120, 2, 0, 5, "late")


def _conformance() -> Iterator[tuple[Any, ...]]:
    day = LAST_DAY
    yield ("R1", "BilledCost is not null", "aws", day, 4000, 0, None, "blocking", "pass")
    yield ("R7", "ListCost = ListUnitPrice × PricingQuantity", "oracle", day, 120, 14, "x_charge_id 91ab: 1.20 ≠ 1.25", "reported", "fail")
    yield ("S3", "EffectiveCost adds up", "azure", day, 80, 80, "rounded by the vendor", "reported", "waived")
    yield ("S9", "Commitment rows agree", "aws", day, 0, 0, None, "reported", "not applicable")


FILLED: dict[str, Callable[[], Iterator[tuple[Any, ...]]]] = {
    "daily_spend": _daily_spend, "workflow_ledger": _workflow_ledger,
    "unit_cost": _unit_costs, "spend_concentration": _concentration, "cache_recount": _cache_recount, "attribution_coverage": _coverage,
    "invoice_tie_out": _tie_out, "forecast_total": _forecast_total, "forecast_daily": _forecast_daily,
    "budget_pacing": _pacing, "backtest": _backtest, "top_deltas": _top_deltas, "work_item_cost": _work_items,
    "attribution_worklist": _worklist, "invoice_difference": _differences,
    "source_freshness": _freshness, "focus_conformance": _conformance,
    "fidelity_error": lambda: iter(
        [
            ("call", "stamp", 0, 58_000, None, None, None, None, "exact by construction"),
            ("session", "branch", 140, 14_000, 0.083, -0.012, 0.061, 0.109, "measured"),
            ("person", "active items", 140, 12_000, 0.412, 0.005, 0.35, 0.47, "measured"),
            ("team", "key owner", 3, 9_000, float("nan"), float("inf"), None, None, "not yet measured"),
        ]
    ),
}


def create_snapshot(path: Path, relations: dict[str, Callable[[], Iterator[tuple[Any, ...]]]]) -> None:
    """Write a DuckDB file with every relation of schema `marts`; those not named stay empty."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("begin")
        connection.execute("create schema marts")
        for name, columns in RELATIONS.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"create table marts.{name} ({listed})")
            rows = list(relations[name]()) if name in relations else []
            if rows:
                marks = ", ".join("?" for _ in columns)
                connection.executemany(f"insert into marts.{name} values ({marks})", rows)
        connection.execute("commit")


@pytest.fixture(scope="session")
def context() -> ReviewContext:
    return ReviewContext(
        company="Meridian Works",
        profile="sandbox",
        as_of=datetime(2026, 9, 22, 6, 0, tzinfo=UTC),
        last_complete_day=LAST_DAY,
        run_id="0f3c9d2e",
        snapshot_state="published, all gates passed",
        gates=(GateResult("raw", True, "420 windows complete"), GateResult("ledger", True, "conserved to the digit")),
    )


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("filled") / "warehouse.duckdb"
    create_snapshot(path, FILLED)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    create_snapshot(path, {})
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[Callable[..., duckdb.DuckDBPyConnection]]:
    """The filled snapshot with some relations given other rows."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def make(**rows: list[tuple[Any, ...]]) -> duckdb.DuckDBPyConnection:
        path = tmp_path / f"warehouse{len(opened)}.duckdb"
        create_snapshot(path, {**FILLED, **{name: (lambda r=r: iter(r)) for name, r in rows.items()}})
        opened.append(duckdb.connect(str(path), read_only=True))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()
