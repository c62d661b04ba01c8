"""The monthly reset: scores of machine and override, the new baseline, KPI states, sign-off and restatement."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.reset import (
    ResetError,
    content_hash,
    kpi,
    label_effects,
    new_baseline,
    notes_due,
    reset,
    score,
    to_confirm,
)
from forecasting.schemas import DECISION_SCHEMAS, MONEY

MONTHS = [date(2026, m, 1) for m in range(1, 10)]
CUTOFF = date(2026, 9, 30)


def frozen(*rows: dict[str, object]) -> pl.DataFrame:
    start = {
        "scope": "s",
        "month": MONTHS[0],
        "kind": "machine",
        "lo80": 80.0,
        "hi80": 120.0,
        "lo95": 60.0,
        "hi95": 140.0,
    }
    full = [start | row for row in rows]
    full = [
        row | {"issued_on": row.get("issued_on", row["month"]), "forecast": Decimal(str(row["forecast"]))}
        for row in full
    ]
    return pl.DataFrame(full, schema=DECISION_SCHEMAS["frozen_forecasts"])


def actuals(*values: object, scope: str = "s") -> pl.DataFrame:
    rows = [{"scope": scope, "month": m, "actual": Decimal(str(v))} for m, v in zip(MONTHS, values, strict=False)]
    return pl.DataFrame(rows, schema={"scope": pl.String, "month": pl.Date, "actual": MONEY})


def year(forecasts: list[object], kind: str = "machine") -> list[dict[str, object]]:
    who = {"author": "p1", "reason": "launch"} if kind == "override" else {}
    return [{"month": m, "forecast": f, "kind": kind} | who for m, f in zip(MONTHS, forecasts, strict=False)]


money = st.decimals(min_value=0, max_value=10**6, places=2)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(money, money), min_size=3, max_size=9))
def test_error_so_far_is_that_of_the_last_six_months(pairs):
    found = score(frozen(*year([f for f, _ in pairs])), actuals(*(a for _, a in pairs))).row(-1, named=True)
    last = pairs[-6:]
    spend = sum(a for _, a in last)
    assert found["error"] == pairs[-1][0] - pairs[-1][1]
    assert found["months"] == len(last)
    if spend > 0:
        assert found["wape"] == pytest.approx(float(sum(abs(f - a) for f, a in last) / spend), rel=1e-6, abs=1e-6)
        assert found["bias"] == pytest.approx(float(sum(f - a for f, a in last) / spend), rel=1e-6, abs=1e-6)
        assert abs(found["bias"]) <= found["wape"] + 1e-9
    else:
        assert found["wape"] is None and found["state"] == "no spend in the months"


def test_under_three_months_there_is_no_accuracy():
    found = score(frozen(*year([100, 100, 100])), actuals(90, 110, 100))
    assert found["state"].to_list() == [
        "insufficient data: 1 of 3 months",
        "insufficient data: 2 of 3 months",
        "measured",
    ]
    assert found["wape"].to_list()[:2] == [None, None]
    assert found["wape"][2] == pytest.approx(20 / 300)
    assert found["bias"][2] == pytest.approx(0)
    assert found["inside80"].to_list() == [True, True, True]


def test_an_override_and_the_machine_are_scored_on_the_same_months():
    rows = frozen(*year([100] * 5), *year([None, 130, 130, 120, 130], "override")[1:])
    found = score(rows, actuals(100, 120, 125, 130, 140)).filter(pl.col("kind") == "override").row(-1, named=True)
    spend = 120 + 125 + 130 + 140
    assert found["months"] == 4
    assert found["wape"] == pytest.approx((10 + 5 + 10 + 10) / spend)
    assert found["machine_wape"] == pytest.approx((20 + 25 + 30 + 40) / spend)
    machine = score(rows, actuals(100, 120, 125, 130, 140)).filter(pl.col("kind") == "machine")
    assert machine["months"].to_list() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"forecast": 1, "issued_on": date(2026, 1, 2)}, "after the month began"),
        ({"forecast": 1, "kind": "guess"}, "kind"),
        ({"forecast": 1, "kind": "override"}, "who and why"),
        ({"forecast": 1, "month": date(2026, 1, 5)}, "after the month"),
    ],
)
def test_forecasts_that_prove_nothing_are_refused(row, message):
    with pytest.raises(ResetError, match=message):
        score(frozen(row), actuals(1))


def test_two_figures_for_one_month_are_refused():
    with pytest.raises(ResetError, match="two frozen"):
        score(frozen({"forecast": 1}, {"forecast": 2}), actuals(1))
    with pytest.raises(ResetError, match="two actuals"):
        score(frozen({"forecast": 1}), pl.concat([actuals(1), actuals(2)]))


def usage(days: int = 60, calls: float = 10.0, cost: float = 2.0, spike: float = 1.0, model: str = "m") -> pl.DataFrame:
    """One workflow; the spike is on the tenth day before the cutoff."""
    factor = np.ones(days)
    factor[-10] = spike
    return pl.DataFrame(
        {
            "workflow": "w",
            "model": model,
            "charge_date": [CUTOFF - timedelta(days=days - 1 - i) for i in range(days)],
            "calls": calls * factor,
            "cost": cost * factor,
            "tokens_input_uncached": 100 * calls * factor,
            "tokens_cache_read": 0 * factor,
            "tokens_cache_write": 0 * factor,
            "tokens_output": 10 * calls * factor,
        }
    )


ONE_OFF = pl.DataFrame(
    {
        "workflow": ["w"],
        "model": [None],
        "first_day": [CUTOFF - timedelta(days=9)],
        "end_day": [CUTOFF - timedelta(days=8)],
    },
    schema_overrides={"model": pl.String},
)


def test_the_new_baseline_multiplies_back_to_cost_and_leaves_one_offs_out():
    plain = new_baseline(usage(), CUTOFF).row(0, named=True)
    cleaned = new_baseline(usage(spike=50), CUTOFF, ONE_OFF).row(0, named=True)
    for name in ("calls_per_day", "cost_per_day", "rate_per_million", "tokens_output"):
        assert cleaned[name] == pytest.approx(plain[name])
    assert (cleaned["window_days"], cleaned["removed_days"]) == (27, 1)
    context = sum(plain[f"tokens_{k}"] for k in ("input_uncached", "cache_read", "cache_write", "output"))
    assert plain["calls_per_day"] * context * plain["rate_per_million"] / 1e6 == pytest.approx(plain["cost_per_day"])
    assert new_baseline(usage(spike=50), CUTOFF).row(0, named=True)["cost_per_day"] > 2 * plain["cost_per_day"]


def test_few_calls_widen_the_window_and_shares_add_to_one():
    rare = new_baseline(usage(days=80, calls=0.6), CUTOFF).row(0, named=True)
    assert (rare["source"], rare["window_days"]) == ("56 days", 56)
    assert new_baseline(usage(days=80, calls=0.1), CUTOFF)["source"].to_list() == ["all history"]
    two = new_baseline(pl.concat([usage(), usage(calls=30, model="n")]), CUTOFF)
    assert two["share"].to_list() == pytest.approx([0.25, 0.75])
    assert new_baseline(usage(), CUTOFF - timedelta(days=400)).is_empty()


def test_a_day_without_a_row_is_a_day_without_calls():
    thin = usage().filter(pl.col("charge_date").dt.weekday() < 6)
    assert new_baseline(thin, CUTOFF)["calls_per_day"].to_list() == pytest.approx([10 * 20 / 28])


def coming(point: float = 130.0, month: date = date(2026, 4, 1)) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scope": ["s"],
            "period_start": [month],
            "period_end": [(month + timedelta(days=32)).replace(day=1)],
            "point": [point],
            "lo80": [100.0],
            "hi80": [160.0],
        }
    )


def pack(actual: object = 112, **more: object) -> pl.DataFrame:
    told = actuals(100, 100, actual)
    budgets = pl.DataFrame(
        {"scope": ["s"], "month": [MONTHS[2]], "budget": [Decimal(100)]}, schema_overrides={"budget": MONEY}
    )
    rows = frozen(
        *year([100, 100, 100]), {"month": MONTHS[2], "forecast": 110, "kind": "override", "author": "p", "reason": "x"}
    )
    return reset(MONTHS[2], score(rows, told), told, coming(), budgets=budgets, **more)


def sign(line: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scope": ["s"],
            "month": [MONTHS[2]],
            "content_hash": [line["content_hash"]],
            "signed_by": ["cfo"],
            "signed_on": [date(2026, 4, 7)],
        }
    )


def test_the_reset_line_says_what_came_of_the_forecast_and_what_is_proposed():
    line = pack().row(0, named=True)
    assert (line["frozen_forecast"], line["actual"], line["variance"]) == (100, 112, 12)
    assert line["variance_share"] == pytest.approx(0.12)
    assert (line["override"], line["override_wape"]) == (110, None)
    assert line["wape"] == pytest.approx(12 / 312)
    assert (line["forecast_kpi"], line["budget_kpi"], line["budget_variance"]) == ("missed", "missed", 12)
    assert (line["new_baseline"], line["new_baseline_lo80"], line["new_baseline_hi80"]) == (130, 100, 160)
    assert (line["version"], line["sign_off_state"]) == (1, "open")
    assert pack(105).row(0, named=True)["forecast_kpi"] == "met"


def test_running_a_signed_month_again_gives_the_same_rows():
    first = pack()
    signed = pack(previous=first, sign_offs=sign(first.row(0, named=True)))
    again = pack(previous=signed, sign_offs=sign(first.row(0, named=True)))
    assert_frame_equal(again, signed)
    assert signed["sign_off_state"].to_list() == ["signed"]
    assert signed["signed_by"].to_list() == ["cfo"]


def test_a_restatement_after_the_signature_is_a_new_version_and_the_signed_line_stays():
    first = pack()
    mark = sign(first.row(0, named=True))
    signed = pack(previous=first, sign_offs=mark)
    restated = pack(113, previous=signed, sign_offs=mark)
    assert restated["version"].to_list() == [1, 2]
    assert restated["actual"].to_list() == [112, 113]
    assert restated["sign_off_state"].to_list() == ["signed", "restated after sign-off"]
    assert_frame_equal(restated.head(1), signed)
    third = pack(114, previous=restated, sign_offs=mark)
    assert third["actual"].to_list() == [112, 114]
    both = pl.concat([mark, sign(third.row(1, named=True))])
    assert pack(114, previous=third, sign_offs=both)["sign_off_state"].to_list() == ["signed", "signed"]


def test_an_unsigned_line_is_replaced():
    assert pack(113, previous=pack())["version"].to_list() == [1]


def test_a_signature_of_figures_that_are_not_there_is_refused():
    with pytest.raises(ResetError, match="no line has the hash"):
        pack(113, sign_offs=sign(pack().row(0, named=True)))


def test_the_hash_covers_the_figures_and_not_the_signature():
    line = pack().row(0, named=True)
    assert content_hash(line) == line["content_hash"] == content_hash(line | {"signed_by": "x", "version": 9})
    assert content_hash(line | {"actual": Decimal(1)}) != line["content_hash"]


def test_a_month_without_forecast_budget_or_outlook_says_so():
    told = actuals(100, 100, 50)
    line = reset(MONTHS[2], score(frozen(*year([1])), told), told, coming().clear()).row(0, named=True)
    assert (line["accuracy_state"], line["forecast_kpi"], line["budget_kpi"]) == (
        "no forecast was frozen",
        "not measured",
        "no budget",
    )
    assert line["variance"] is None and line["new_baseline"] is None


@pytest.mark.parametrize(("value", "state"), [(0.1, "met"), (-0.1, "met"), (0.1001, "missed"), (None, "not measured")])
def test_a_kpi_is_met_up_to_its_tolerance(value, state):
    assert kpi(value, 0.10) == state


def test_effects_of_one_off_cells_are_labelled():
    cell = {
        "scope": "s",
        "team": "",
        "model": "m",
        "variant": "",
        "line": "usage",
        "effect": "rate",
        "effect_group": "rate",
    }
    rows = pl.DataFrame(
        [cell | {"workflow": w, "amount": Decimal(1)} for w in "wv"], schema=DECISION_SCHEMAS["variance_effects"]
    )
    assert label_effects(rows, ONE_OFF, date(2026, 9, 1))["label"].to_list() == ["structural", "one-off"]
    assert set(label_effects(rows, ONE_OFF, date(2026, 8, 1))["label"]) == {"structural"}


def test_changes_to_confirm_and_notes_due_are_those_of_the_month():
    changes = pl.DataFrame(
        {
            "change_id": ["before", "ramping", "in", "after"],
            "ramp_days": [5, 40, None, 0],
            "start": [date(2026, 8, 10), date(2026, 8, 10), date(2026, 9, 30), date(2026, 10, 1)],
        }
    )
    assert to_confirm(changes, date(2026, 9, 1))["change_id"].to_list() == ["ramping", "in"]
    notes = pl.DataFrame(
        {"note": ["late", "due", "later"], "review_date": [date(2026, 8, 1), CUTOFF, date(2026, 10, 1)]}
    )
    due = notes_due(notes, CUTOFF)
    assert due["note"].to_list() == ["late", "due"]
    assert due["days_overdue"].to_list() == [60, 0]
