"""The monthly decisions as one call: what adds up, what never changes again, and what a restatement does to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from forecasting.monthly import Inputs, monthly
from forecasting.schemas import DECISION_SCHEMAS, MONEY, MONTHLY_SCHEMAS, SCHEMAS, TOKEN_CLASSES

AS_OF = date(2026, 10, 2)
FIRST = date(2026, 6, 1)
# workflow, team, model, provider, cost and calls of a day
CELLS = (
    ("chat", "front", "small", "A", 40.0, 900), ("chat", "front", "large", "A", 90.0, 300), ("agent", "back", "large", "A", 120.0, 200),
    ("drafts", "front", "small", "B", 30.0, 500), (None, "back", None, "B", 60.0, 0), (None, "front", "small", "A", 12.0, 0),
)  # fmt: skip
KEPT = ("frozen_outlook", "frozen_cells", "forecast_reset", "pacing_history")


def empty(schema: dict) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


def usage(days: int, seed: int = 1) -> pl.DataFrame:
    """Daily rows of every cell with a weekday shape; `agent` grows by half in September."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(days):
        day = FIRST + timedelta(days=n)
        for workflow, team, model, provider, cost, calls in CELLS:
            level = (1.1 if day.weekday() < 5 else 0.7) * np.exp(rng.normal(0, 0.15)) * (1.5 if workflow == "agent" and day >= date(2026, 9, 1) else 1)
            tokens = {f"tokens_{k}": Decimal(round(cost * level * w)) if model else Decimal(0) for k, w in zip(TOKEN_CLASSES, (5000, 3000, 500, 900), strict=True)}
            costs = [Decimal(f"{cost * level * w:.6f}") for w in (0.4, 0.1, 0.1, 0.4)]
            rows.append(
                {"charge_date": day, "provider": provider, "team": team, "workflow": workflow, "model": model, "currency": "USD",
                 "reporting_currency": "USD", "cost": sum(costs), "billed": sum(costs), "calls": round(calls * level), **tokens,
                 **{f"cost_{k}": c if model else None for k, c in zip(TOKEN_CLASSES, costs, strict=True)}}
            )  # fmt: skip
    money = dict.fromkeys(("cost", "billed", *(f"cost_{k}" for k in TOKEN_CLASSES)), MONEY)
    return pl.DataFrame(rows, schema_overrides=money | dict.fromkeys((f"tokens_{k}" for k in TOKEN_CLASSES), pl.Decimal(38, 12)))


def series(rows: pl.DataFrame) -> pl.DataFrame:
    """The levels of mart_forecast_series, every day closed."""
    parts = []
    for level in ("total", "team", "workflow", "provider"):
        scope = pl.lit("total") if level == "total" else pl.col(level).fill_null(f"(no {level})")
        measures = [pl.col(c).sum() for c in ("cost", "calls", *(f"tokens_{k}" for k in TOKEN_CLASSES))]
        parts.append(rows.group_by("charge_date", scope=scope).agg(measures).with_columns(level=pl.lit(level)))
    return pl.concat(parts, how="diagonal").with_columns(series_key=pl.format("{}:{}", "level", "scope"), is_closed=pl.lit(True))


def given(rows: pl.DataFrame, **changes: pl.DataFrame) -> Inputs:
    """Inputs around the usage; what a test does not name is empty."""
    day, text = pl.Date, pl.String
    blank = Inputs(
        series=series(rows),
        usage=rows,
        actions=empty({"workflow": text, "charge_date": day, "user_actions": pl.Int64, "requests": pl.Int64, "retries": pl.Int64}),
        items=empty({"item": text, "cost": MONEY, "points": pl.Float64, "work_item_type": text, "team": text, "fidelity_tier": text, "resolved_on": day, "is_delivered": pl.Boolean, "is_cancelled": pl.Boolean}),
        unit_costs=empty({"workflow": text, "month": day, "unit": text, "unit_cost": MONEY}),
        budgets=pl.DataFrame({"budget_id": ["t"], "scope_type": ["total"], "scope": [""], "period_start": [date(2026, 9, 1)], "period_end": [date(2026, 10, 1)], "amount_usd": [Decimal(9000)]}, schema_overrides={"amount_usd": MONEY}),
        known_changes=empty(DECISION_SCHEMAS["known_changes"]),
        scenario_levers=empty(DECISION_SCHEMAS["levers"]),
        forecast_overrides=empty({"scope": text, "month": day, "forecast": MONEY, "issued_on": day, "author": text, "reason": text}),
        reset_sign_offs=empty({"month": day, "scope": text, "content_hash": text, "signed_by": text, "signed_on": day}),
        one_offs=empty({"workflow": text, "model": text, "first_day": day, "end_day": day}),
        cost_notes=empty({"note_id": text}),
        pacing=empty(SCHEMAS["budget_pacing"]),
        backtest=empty(SCHEMAS["backtest"]),
    )  # fmt: skip
    return replace(blank, **changes)


def kept(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {name: frames[name] for name in KEPT}


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return usage(123)


@pytest.fixture(scope="module")
def frames(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    override = pl.DataFrame(
        {"scope": ["total:total"], "month": [date(2026, 9, 1)], "forecast": [Decimal(11000)], "issued_on": [date(2026, 8, 30)], "author": ["p1"], "reason": ["agent launch"]},
        schema_overrides={"forecast": MONEY},
    )
    return monthly(given(rows, forecast_overrides=override), {}, AS_OF, run_id="r")


def test_every_frame_has_its_columns_and_types(frames: dict[str, pl.DataFrame]) -> None:
    assert {n: dict(f.schema) for n, f in frames.items()} == {n: {c: pl.DataType.from_python(t) if isinstance(t, type) and not issubclass(t, pl.DataType) else (t() if isinstance(t, type) else t) for c, t in s.items()} for n, s in MONTHLY_SCHEMAS.items()}


def test_effects_of_every_scope_add_to_its_variance_exactly(frames: dict[str, pl.DataFrame]) -> None:
    sums = frames["variance_bridge"].group_by("scope", "month", "comparison").agg(pl.col("amount").sum(), pl.col("change").first())
    assert sums.height > 30
    assert sums.filter(pl.col("amount") != pl.col("change")).is_empty()
    against = sums.filter(pl.col("comparison") == "forecast").join(frames["forecast_reset"], on=["scope", "month"])
    assert against.height and against.filter(pl.col("change") != pl.col("variance")).is_empty()


def test_the_levels_of_forecast_and_actual_add_to_the_total(frames: dict[str, pl.DataFrame]) -> None:
    lines = frames["forecast_reset"].filter(pl.col("month") == date(2026, 9, 1)).with_columns(level=pl.col("scope").str.split(":").list.first())
    sums = {r["level"]: r for r in lines.group_by("level").agg(pl.col("actual").sum(), pl.col("frozen_forecast").sum()).to_dicts()}
    for level in ("team", "workflow", "provider"):
        assert sums[level]["actual"] == sums["total"]["actual"]
        assert abs(sums[level]["frozen_forecast"] - sums["total"]["frozen_forecast"]) < Decimal("0.000001")


def test_a_jump_of_one_workflow_is_found_as_its_calls(frames: dict[str, pl.DataFrame]) -> None:
    september = frames["variance_bridge"].filter((pl.col("month") == date(2026, 9, 1)) & (pl.col("comparison") == "previous month"))
    agent = {r["effect"]: float(r["amount"]) for r in september.filter(pl.col("scope") == "workflow:agent").to_dicts()}
    assert agent["volume"] > 0.9 * sum(agent.values()) > 0


def test_a_person_s_figure_stands_beside_the_machine_s_and_both_are_scored(frames: dict[str, pl.DataFrame]) -> None:
    mine = frames["forecast_scores"].filter((pl.col("scope") == "total:total") & (pl.col("month") == date(2026, 9, 1)))
    machine, human = (mine.row(by_predicate=pl.col("kind") == kind, named=True) for kind in ("machine", "override"))
    assert (human["author"], human["reason"], human["forecast"]) == ("p1", "agent launch", Decimal(11000))
    assert machine["forecast"] != human["forecast"] and machine["actual"] == human["actual"]
    line = frames["forecast_reset"].row(by_predicate=(pl.col("scope") == "total:total") & (pl.col("month") == date(2026, 9, 1)), named=True)
    assert line["override"] == Decimal(11000) and line["budget_kpi"] == "missed"


def test_late_forecasts_say_that_they_were_reconstructed(frames: dict[str, pl.DataFrame]) -> None:
    basis = dict(frames["frozen_outlook"].group_by("as_of").agg(pl.col("basis").first()).iter_rows())
    assert basis.pop(date(2026, 10, 1)) == "frozen"
    assert basis and set(basis.values()) == {"reconstructed"}
    assert all(r["data_cutoff"] < r["as_of"] for r in frames["frozen_outlook"].iter_rows(named=True))


def test_row_order_changes_nothing_and_a_second_run_changes_nothing(rows: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> None:
    shuffled = given(rows.sample(fraction=1, shuffle=True, seed=3))
    shuffled = replace(shuffled, series=shuffled.series.sample(fraction=1, shuffle=True, seed=4))
    plain = monthly(given(rows), {}, AS_OF, run_id="r")
    again = monthly(shuffled, kept(plain), AS_OF, run_id="r")
    assert [n for n in plain if not plain[n].equals(again[n])] == []


def test_a_restatement_after_the_signature_is_a_difference_and_the_signed_rows_stay(rows: pl.DataFrame) -> None:
    month = date(2026, 9, 1)
    sign = pl.DataFrame(
        {"month": [month], "scope": [""], "content_hash": [""], "signed_by": ["p9"], "signed_on": [date(2026, 10, 2)]},
    )
    first = monthly(given(rows, reset_sign_offs=sign), {}, AS_OF, run_id="r")
    signed = first["forecast_reset"].filter(pl.col("month") == month)
    assert set(signed["sign_off_state"]) == {"signed"}
    more = pl.when((pl.col("workflow") == "agent") & (pl.col("charge_date") == date(2026, 9, 10))).then(pl.col("cost") + 100).otherwise(pl.col("cost"))
    late = rows.with_columns(cost=more.cast(MONEY))
    old = signed.head(1).with_columns(month=pl.lit(date(2024, 1, 1)))
    before = kept(first) | {"forecast_reset": pl.concat([old, first["forecast_reset"]])}
    second = monthly(given(late, reset_sign_offs=sign), before, AS_OF + timedelta(days=1), run_id="r2")
    assert second["forecast_reset"].filter(pl.col("month") == date(2024, 1, 1)).equals(old), "nor does an old month go"
    now = second["forecast_reset"].filter(pl.col("month") == month)
    assert now.filter(pl.col("sign_off_state") == "signed").equals(signed), "signed rows are byte-equal"
    again = now.filter(pl.col("sign_off_state") == "restated after sign-off")
    assert set(again["scope"]) == {"total:total", "team:back", "workflow:agent", "provider:A"} and set(again["version"]) == {2}
    both = now.filter(pl.col("scope") == "workflow:agent").sort("version")
    assert both["actual"][1] - both["actual"][0] == 100
    assert second["frozen_outlook"].equals(first["frozen_outlook"]) and second["frozen_cells"].equals(first["frozen_cells"])
    told, retold = (_effects(f, "workflow:agent", month) for f in (first, second))
    assert retold == told | {"late_data": Decimal(100)}, "what came after the close explains no driver"
    assert _effects(second, "total:total", month)["late_data"] == 100


def _effects(frames: dict[str, pl.DataFrame], scope: str, month: date) -> dict[str, Decimal]:
    """Effect → amount of the bridge from the frozen forecast; they add to actual less forecast."""
    mine = frames["variance_bridge"].filter((pl.col("month") == month) & (pl.col("comparison") == "forecast") & (pl.col("scope") == scope))
    assert mine["amount"].sum() == mine["actual_cost"][0] - mine["base_cost"][0]
    return dict(mine.select("effect", "amount").iter_rows())


def test_restated_days_before_the_month_are_a_line_of_their_own(rows: pl.DataFrame) -> None:
    month = date(2026, 9, 1)
    first = monthly(given(rows), {}, AS_OF, run_id="r")
    early = (pl.col("workflow") == "agent") & pl.col("charge_date").is_between(date(2026, 8, 10), date(2026, 8, 20))
    fewer = pl.when(early).then(pl.col("cost") - 30).otherwise(pl.col("cost"))
    second = monthly(given(rows.with_columns(cost=fewer.cast(MONEY))), kept(first), AS_OF + timedelta(days=1), run_id="r2")
    for scope in ("workflow:agent", "team:back", "provider:A", "total:total"):
        before, after = _effects(first, scope, month), _effects(second, scope, month)
        assert "restated_history" not in before
        assert Decimal(-450) < after["restated_history"] < Decimal(-250), "11 days of 30 less, over 28 days, for 30 days"
    assert "restated_history" not in _effects(second, "workflow:chat", month)
    assert second["frozen_cells"].equals(first["frozen_cells"]) and second["frozen_outlook"].equals(first["frozen_outlook"])


def test_the_first_run_from_day_ten_and_twenty_on_keeps_its_forecast_and_is_scored() -> None:
    history = usage(157)  # to 4 November
    before: dict[str, pl.DataFrame] = {}
    frozen = {}
    for day in (date(2026, 10, 2), date(2026, 10, 12), date(2026, 10, 13), date(2026, 10, 21), date(2026, 11, 2)):
        found = monthly(given(history.filter(pl.col("charge_date") < day)), before, day, run_id=f"{day}")
        before, frozen[day] = kept(found), found["frozen_outlook"]
    assert frozen[date(2026, 10, 13)].equals(frozen[date(2026, 10, 12)]), "one forecast a freeze, the first"
    mine = frozen[date(2026, 11, 2)].filter((pl.col("series_key") == "total:total") & (pl.col("freeze_day") > 1))
    assert mine.select("freeze_day", "as_of", "data_cutoff", "period_start").rows() == [
        (10, date(2026, 10, 12), date(2026, 10, 11), date(2026, 10, 1)), (20, date(2026, 10, 21), date(2026, 10, 20), date(2026, 10, 1)),
    ]  # fmt: skip
    scores = found["forecast_scores"].filter((pl.col("scope") == "total:total") & (pl.col("month") == date(2026, 10, 1))).sort("freeze_day")
    assert scores["freeze_day"].to_list() == [1, 10, 20] and scores["actual"].n_unique() == 1
    off = [abs(e) for e in scores["error"].to_list()]
    assert off[2] < off[0], "what is spent by day 20 is known"
    assert found["forecast_reset"].filter((pl.col("scope") == "total:total") & (pl.col("month") == date(2026, 10, 1))).height == 1


def test_known_changes_move_the_forecast_and_late_ones_are_an_effect(rows: pl.DataFrame) -> None:
    def change(recorded: date) -> pl.DataFrame:
        row = {
            "change_id": "launch", "kind": "launch", "driver": "user_actions", "workflow": "agent", "model": "", "token_class": "", "mode": "multiplier",
            "value": 1.5, "start": date(2026, 9, 1), "ramp_days": 0, "confidence": 0.9, "recorded_on": recorded, "owner": "p", "note": "",
        }  # fmt: skip
        return pl.DataFrame([row], schema=DECISION_SCHEMAS["known_changes"])

    def of(found: dict[str, pl.DataFrame], scope: str) -> tuple[Decimal, set[str]]:
        mine = found["variance_bridge"].filter((pl.col("month") == date(2026, 9, 1)) & (pl.col("comparison") == "forecast") & (pl.col("scope") == scope))
        return mine["base_cost"][0], set(mine["effect"])

    told = monthly(given(rows, known_changes=change(date(2026, 8, 20))), {}, AS_OF, run_id="r")
    late = monthly(given(rows, known_changes=change(date(2026, 9, 20))), {}, AS_OF, run_id="r")
    for scope in ("total:total", "workflow:agent", "team:back", "provider:A"):
        assert float(of(told, scope)[0]) > 1.02 * float(of(late, scope)[0]), scope
        assert "known_changes_not_in_forecast" in of(late, scope)[1] - of(told, scope)[1], scope


def test_a_company_of_a_few_days_and_one_without_any_give_empty_decisions(rows: pl.DataFrame) -> None:
    short = rows.filter(pl.col("charge_date") >= date(2026, 9, 20))
    few = monthly(given(short), {}, AS_OF, run_id="r")
    assert few["forecast_reset"].is_empty() and few["frozen_outlook"].is_empty() and few["forecast_drivers"].height
    none = monthly(given(rows.clear()), {}, AS_OF, run_id="r")
    assert {n for n, f in none.items() if f.height} == set()


def test_bills_without_tokens_have_a_bridge_and_no_drivers(rows: pl.DataFrame) -> None:
    cloud = rows.filter(pl.col("model").is_null())
    found = monthly(given(cloud), {}, AS_OF, run_id="r")
    assert found["forecast_drivers"].is_empty() and set(found["variance_bridge"]["effect"]) == {"services_without_tokens"}
