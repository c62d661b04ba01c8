"""The edge table: short, dormant, spiky and broken series, odd budgets, odd days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from forecasting.config import ForecastConfig
from forecasting.intervals import Sample
from forecasting.pacing import alert_level, pace
from forecasting.run import forecast
from forecasting.schemas import SCHEMAS
from forecasting.series import SeriesError

AS_OF = date(2026, 9, 20)
ALL = ForecastConfig(materiality=0.0)


def _month(result, key):
    return result.forecast_total.filter(series_key=key, period_kind="month_end").row(0, named=True)


def _with_company(make, key_costs: list[float]) -> pl.DataFrame:
    """A series `workflow=x` that ends with the others and may start later, inside a company of four workflows."""
    flows = make["stationary"](4, 200, seed=4)
    full = [0.0] * (200 - len(key_costs)) + list(key_costs)
    frame = make["hierarchy"](flows | {"x": np.array(full)}, teams=1)
    late = AS_OF - timedelta(days=len(key_costs) - 1)
    return frame.filter((pl.col("series_key") != "workflow=x") | (pl.col("charge_date") >= late))


def test_three_days_of_history(make):
    result = forecast(_with_company(make, [10, 20, 30]), AS_OF, make["budget"](), config=ALL, run_id="r")
    daily = result.forecast_daily.filter(series_key="workflow=x")
    assert daily["point"].to_list() == pytest.approx([20.0] * daily.height)
    row = _month(result, "workflow=x")
    assert row["quality"] == "thin" and row["coverage_state"] == "coverage: not yet measured"
    assert row["coverage80_180d"] is None
    assert row["lo80"] < row["point"] < row["hi80"], "the pooled interval of its siblings"
    assert result.backtest.filter(series_key="workflow=x").is_empty()
    state = result.accuracy.filter(series_key="workflow=x", horizon="h7", method="ens3")["state"].item()
    assert state == "insufficient data: 0 of 3 windows"


def test_series_that_starts_yesterday_whether_zeros_are_given_or_not(make):
    short = forecast(_with_company(make, [7]), AS_OF, make["budget"](), config=ALL, run_id="r")
    padded = forecast(_with_company(make, [0.0] * 99 + [7]), AS_OF, make["budget"](), config=ALL, run_id="r")
    for result in (short, padded):
        assert result.forecast_daily.filter(series_key="workflow=x")["point"].unique().to_list() == [7.0]


def test_alone_and_young_there_is_no_interval(make):
    result = forecast(make["rows"]("total", "total", "", [5.0, 6.0, 7.0]), AS_OF, make["budget"](), run_id="r")
    row = _month(result, "total")
    assert row["lo80"] is None and row["n_eff"] is None and row["method"] == "ens3"
    assert result.budget_pacing["p_breach"][0] is None and result.budget_pacing["level"][0] == "ok"


def test_dormant_series(make):
    result = forecast(_with_company(make, [50.0] * 100 + [0.0] * 28), AS_OF, make["budget"](), config=ALL, run_id="r")
    daily = result.forecast_daily.filter(series_key="workflow=x")
    assert daily["point"].unique().to_list() == [0.0] and daily["state"].unique().to_list() == ["dormant"]


def test_all_zero(make):
    result = forecast(
        make["hierarchy"]({"a": [0.0] * 120, "b": [0.0] * 120}), AS_OF, make["budget"](amount_usd="0"), run_id="r"
    )
    assert result.forecast_total["point"].unique().to_list() == [0.0]
    assert result.forecast_total["quality"].unique().to_list() == ["dormant"]
    pacing = result.budget_pacing.row(0, named=True)
    assert (pacing["p_breach"], pacing["level"], pacing["pace_index"]) == (0.0, "ok", None)
    assert result.accuracy["wape"].null_count() == result.accuracy.height


@pytest.mark.parametrize(("age", "at_most"), [(40, 4.0), (120, 1.1)])
def test_single_spike_fades(make, age, at_most):
    """One day at 1,000 times the level: the coming month is not a month of spikes, and nothing is infinite."""
    costs = np.full(200, 1.0)
    costs[-age] = 1000.0
    result = forecast(_with_company(make, costs.tolist()), AS_OF, make["budget"](), config=ALL, run_id="r")
    point = result.forecast_total.filter(series_key="workflow=x", period_kind="h30")["point"].item()
    assert 30.0 - 1e-6 <= point <= 30.0 * at_most
    finite = result.backtest.filter(series_key="workflow=x").select(pl.selectors.float().is_infinite().any())
    assert not any(value for value in finite.row(0) if value is not None)


def test_missing_yesterday_moves_the_cutoff_not_the_period(make):
    frame = make["hierarchy"](make["stationary"](3, 150, seed=1))
    late = frame.filter(pl.col("charge_date") < AS_OF)
    result = forecast(late, AS_OF, make["budget"](), run_id="r")
    row = _month(result, "total")
    assert row["as_of"] == AS_OF and row["data_cutoff"] == AS_OF - timedelta(days=1)
    assert result.forecast_daily["target_date"].min() == AS_OF
    assert row["period_end"] == date(2026, 10, 1)


@pytest.mark.parametrize(("closed_days_ago", "cutoff_days_ago"), [(0, 0), (3, 3), (7, 7), (8, 0), (None, 0)])
def test_open_days_are_waited_for_but_not_for_ever(make, closed_days_ago, cutoff_days_ago):
    """A late source moves the cutoff back by up to a week; one that has stopped does not hold up everybody."""
    frame = make["hierarchy"](make["stationary"](3, 150, seed=1))
    until = AS_OF - timedelta(days=999 if closed_days_ago is None else closed_days_ago)
    frame = frame.with_columns(is_closed=pl.col("charge_date") <= until)
    result = forecast(frame, AS_OF + timedelta(days=1), make["budget"](), run_id="r")
    cutoff = AS_OF - timedelta(days=cutoff_days_ago)
    assert result.forecast_total["data_cutoff"].unique().to_list() == [cutoff]
    total = frame.filter(pl.col("level") == "total", pl.col("charge_date").is_between(date(2026, 9, 1), cutoff))
    assert float(result.budget_pacing["mtd"][0]) == pytest.approx(total["cost"].sum())


def test_one_series_missing_yesterday_is_a_gap_not_a_zero(make):
    frame = make["hierarchy"](make["stationary"](3, 150, seed=1), teams=1)
    gone = (pl.col("series_key") == "workflow=w00") & (pl.col("charge_date") == AS_OF)
    result = forecast(
        frame.filter(~gone), AS_OF, make["budget"](scope_type="workflow", scope="w00"), config=ALL, run_id="r"
    )
    states = result.forecast_daily.filter(series_key="workflow=w00")["state"].unique().to_list()
    assert states == ["gap"]
    pacing = result.budget_pacing.row(0, named=True)
    week_before = frame.filter(series_key="workflow=w00", charge_date=AS_OF - timedelta(days=7))["cost"].item()
    assert pacing["mtd_adjusted"] == pytest.approx(float(pacing["mtd"]) + week_before)


def test_unknown_days_resolve_no_window(make):
    frame = make["rows"]("total", "total", "", make["stationary"](1, 150, seed=1)["w00"])
    gap = AS_OF - timedelta(days=12)
    unknown = frame.with_columns(pl.when(pl.col("charge_date") != gap).then(pl.col("cost")).alias("cost"))
    rows = forecast(unknown, AS_OF, make["budget"](), run_id="r").backtest.filter(horizon="h7", method="ens3")
    over = rows.filter(pl.col("as_of") <= AS_OF - timedelta(days=7))
    blind = over.filter((pl.col("as_of") < gap) & (pl.col("as_of") >= gap - timedelta(days=7)))
    assert blind.height > 0 and not blind["is_resolved"].any() and blind["actual"].null_count() == blind.height
    assert over.join(blind, on="as_of", how="anti")["is_resolved"].all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            pl.when(pl.col("charge_date") == AS_OF).then(-1.0).otherwise(pl.col("cost")).alias("cost"),
            "'workflow=a': cost is -1.0 on 2026-09-20",
        ),
        (
            pl.when(pl.col("charge_date") == AS_OF).then(float("nan")).otherwise(pl.col("cost")).alias("cost"),
            "'workflow=a': cost is nan",
        ),
        (pl.lit("galaxy").alias("level"), "'workflow=a': level 'galaxy'"),
        (pl.lit(AS_OF).alias("charge_date"), "'workflow=a': two rows for 2026-09-20"),
        (
            pl.when(pl.col("charge_date") == AS_OF).then(pl.lit("b")).otherwise(pl.col("scope")).alias("scope"),
            "'workflow=a': appears with more than one",
        ),
        (pl.lit(None, dtype=pl.Date).alias("charge_date"), "must not be null"),
    ],
)
def test_broken_series_are_named(make, change, words):
    frame = make["rows"]("workflow=a", "workflow", "a", [1.0] * 30).with_columns(change)
    with pytest.raises(SeriesError) as error:
        forecast(frame, AS_OF, make["budget"](), run_id="r")
    assert words in str(error.value)


def test_children_above_the_total_are_an_error(make):
    frame = make["hierarchy"]({"a": [1.0] * 90, "b": [2.0] * 90})
    more = frame.with_columns(
        pl.when(pl.col("series_key") == "workflow=a").then(5.0).otherwise(pl.col("cost")).alias("cost")
    )
    with pytest.raises(SeriesError, match="'workflow' adds to more than the total"):
        forecast(more, AS_OF, make["budget"](), run_id="r")


@pytest.mark.parametrize("change", [{"amount_usd": "-1"}, {"period_end": date(2026, 9, 1)}, {"amount_usd": None}])
def test_broken_budgets_are_named(make, company, change):
    with pytest.raises(ValueError, match="budget 'b'"):
        forecast(company, AS_OF, make["budget"](**change), run_id="r")


def test_no_rows_and_no_budgets_give_typed_empty_frames(make, company):
    nothing = forecast(company.clear(), AS_OF, make["budget"]().clear(), run_id="r")
    for name, frame in nothing.frames().items():
        assert frame.is_empty() and frame.columns == list(SCHEMAS[name])
    unpaced = forecast(company, AS_OF, make["budget"]().clear(), run_id="r")
    assert unpaced.budget_pacing.is_empty() and dict(unpaced.budget_pacing.schema) == dict(nothing.budget_pacing.schema)


def test_budgets_of_every_kind(make, company):
    budgets = pl.concat(
        [
            make["budget"](budget_id="zero", amount_usd="0"),
            make["budget"](budget_id="quarter", period_start=date(2026, 7, 1), amount_usd="100000"),
            make["budget"](budget_id="nobody", scope_type="team", scope="unknown"),
            make["budget"](budget_id="past", period_start=date(2026, 8, 1), period_end=date(2026, 9, 1)),
            make["budget"](
                budget_id="year_end", period_start=date(2026, 4, 1), period_end=date(2027, 1, 1), amount_usd="1"
            ),
        ]
    )
    rows = {
        r["budget_id"]: r for r in forecast(company, AS_OF, budgets, run_id="r").budget_pacing.iter_rows(named=True)
    }
    assert set(rows) == {"zero", "quarter", "nobody", "year_end"}
    assert (rows["zero"]["p_breach"], rows["zero"]["breach_date_p50"], rows["zero"]["level"]) == (
        1.0,
        date(2026, 9, 1),
        "critical",
    )
    assert rows["year_end"]["breach_date_p10"] == date(2026, 4, 1)
    assert rows["nobody"]["level"] == "no data" and rows["nobody"]["mtd"] == 0
    total = company.filter(pl.col("level") == "total")
    quarter = (
        total.filter(pl.col("charge_date") >= date(2026, 7, 1))
        .select(pl.col("cost").cast(pl.Decimal(38, 14)).sum())
        .item()
    )
    assert isinstance(rows["quarter"]["mtd"], Decimal) and rows["quarter"]["mtd"] == quarter
    assert rows["quarter"]["pace_index"] < 1 and rows["quarter"]["p_breach"] < 0.5


@pytest.mark.parametrize(
    ("end", "first", "last"),
    [
        (date(2025, 12, 31), date(2025, 12, 1), date(2026, 1, 1)),
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 2, 1)),
        (date(2028, 2, 28), date(2028, 2, 1), date(2028, 3, 1)),
    ],
)
def test_year_end_first_of_month_and_leap_day(make, end, first, last):
    frame = make["hierarchy"](make["stationary"](2, 150, seed=6, end=end), end=end)
    result = forecast(frame, end, make["budget"](period_start=first, period_end=last), run_id="r")
    row = _month(result, "total")
    assert (row["period_start"], row["period_end"]) == (first, last)
    spent = frame.filter(pl.col("level") == "total", pl.col("charge_date") >= first)["cost"].sum()
    left = (last - end).days - 1
    ahead = result.forecast_daily.filter(pl.col("level") == "total", pl.col("target_date") < last)
    assert ahead.height == left
    assert row["point"] == pytest.approx(spent + ahead["point"].sum(), rel=1e-9)
    if left == 0:
        assert row["lo95"] == row["hi95"] == row["point"]
        assert result.budget_pacing["month_end"][0] == pytest.approx(float(result.budget_pacing["mtd"][0]))


def test_run_on_the_first_with_data_to_the_day_before_forecasts_the_new_month(make):
    end = date(2026, 8, 31)
    frame = make["hierarchy"](make["stationary"](2, 150, seed=6, end=end), end=end)
    result = forecast(frame, date(2026, 9, 1), make["budget"](), run_id="r")
    assert _month(result, "total")["period_start"] == date(2026, 9, 1)
    pacing = result.budget_pacing.row(0, named=True)
    assert pacing["mtd"] == 0 and pacing["pace_index"] is None
    assert pacing["month_end"] == pytest.approx(_month(result, "total")["point"])
    assert pacing["lo80"] < pacing["month_end"] < pacing["hi80"]


def _pace(**changes):
    settings = {
        "budget": 100.0,
        "first": date(2026, 9, 1),
        "end": date(2026, 10, 1),
        "cutoff": date(2026, 9, 20),
        "spent": np.full(20, 3.0),
        "daily": np.full(10, 3.0),
        "sample": Sample(np.zeros(4), np.full(4, 0.25), 4.0),
        "c": 0.0,
        "config": ForecastConfig(),
    }
    return pace(**(settings | changes))


def test_late_data_raises_month_to_date():
    state = _pace(completeness=0.8)
    assert (state.mtd_adjusted, state.month_end) == (75.0, 105.0)
    assert state.p_breach == pytest.approx(4.5 / 5)


def test_no_forecast_spend_breaches_only_when_already_over():
    assert _pace(daily=np.zeros(10)).p_breach == 0.0
    over = _pace(daily=np.zeros(10), budget=59.0)
    assert (over.p_breach, over.breach_p50, over.level) == (1.0, date(2026, 9, 20), "critical")


def test_expected_share_follows_the_weekdays():
    weekdays_only = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    state = _pace(weekday_weight=weekdays_only)
    assert state.plan_to_date == pytest.approx(100 * 14 / 22)
    assert state.linear_pace_index == pytest.approx(60 / (100 * 20 / 30))


@pytest.mark.parametrize(("as_of", "workdays", "weekend"), [(AS_OF, 14, 6), (AS_OF - timedelta(days=4), 12, 4)])
def test_plan_to_date_uses_the_measured_weekday_shape(make, as_of, workdays, weekend):
    """Ten a weekday, nothing at weekends: shrunk over eight weeks the shape is 1.32 and 0.2, on any day of the week."""
    days = [AS_OF - timedelta(days=i) for i in range(139, -1, -1)]
    frame = make["rows"]("total", "total", "", [10.0 if d.weekday() < 5 else 0.0 for d in days])
    plan = forecast(frame, as_of, make["budget"](amount_usd="1000"), run_id="r").budget_pacing["plan_to_date"][0]
    assert plan == pytest.approx(1000 * (workdays * 1.32 + weekend * 0.2) / (22 * 1.32 + 8 * 0.2))


@pytest.mark.parametrize(
    ("p", "pace_index", "left", "breached", "level"),
    [
        (0.29, 2.0, 0.5, False, "ok"),
        (0.3, 0.8, 0.26, False, "watch"),
        (0.3, 0.79, 0.26, False, "ok"),
        (0.3, 0.8, 0.25, False, "ok"),
        (0.5, 0.1, 0.1, False, "warn"),
        (0.8, 0.1, 0.1, False, "critical"),
        (None, 2.0, 0.5, False, "ok"),
        (None, None, 0.5, True, "critical"),
    ],
)
def test_alert_levels(p, pace_index, left, breached, level):
    assert alert_level(p, pace_index, left, breached, ForecastConfig()) == level
