"""What holds for any input: totals add, units and row order do not matter, nothing looks ahead, results repeat."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forecasting.backtest import ScoreBook, run_windows
from forecasting.config import ForecastConfig
from forecasting.drivers import driver_table
from forecasting.hierarchy import build_tree, reconcile
from forecasting.intervals import Sample, sample, weighted_quantile
from forecasting.run import forecast
from forecasting.schemas import SCHEMAS
from forecasting.selection import candidates
from forecasting.series import build_panel

AS_OF = date(2026, 9, 20)
MONEY_COLUMNS = (
    "point",
    "forecast",
    "actual",
    "error",
    "lo80",
    "hi80",
    "lo95",
    "hi95",
    "mtd_adjusted",
    "plan_to_date",
    "month_end",
)


@pytest.fixture(scope="module")
def result(company):
    budgets = pl.concat([_budget("all", "total", None, "9000"), _budget("one", "workflow", "w00", "1500")])
    return forecast(company, AS_OF, budgets, run_id="r")


def _budget(key: str, level: str, scope: str | None, amount: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "budget_id": [key],
            "scope_type": [level],
            "scope": [scope],
            "period_start": [date(2026, 9, 1)],
            "period_end": [date(2026, 10, 1)],
            "amount_usd": [amount],
        },
        schema_overrides={"scope": pl.String},
    )


def test_frames_have_exactly_the_agreed_columns(result):
    for name, frame in result.frames().items():
        assert dict(frame.schema) == {k: (v() if isinstance(v, type) else v) for k, v in SCHEMAS[name].items()}, name
        assert frame.height > 0, name
        assert frame["data_cutoff"].unique().to_list() == [AS_OF]


@pytest.mark.parametrize("level", ["workflow", "team"])
def test_children_add_to_the_total_on_every_day_and_period(result, level):
    for frame, key in ((result.forecast_daily, "target_date"), (result.forecast_total, "period_kind")):
        sums = frame.group_by("level", key).agg(pl.col("point").sum()).sort(key)
        parent = sums.filter(pl.col("level") == "total")["point"].to_numpy()
        child = sums.filter(pl.col("level") == level)["point"].to_numpy()
        assert len(parent) > 0
        np.testing.assert_allclose(child, parent, rtol=1e-9)


def test_daily_points_add_to_the_published_totals(result):
    week = result.forecast_daily.filter(pl.col("target_date") <= AS_OF + timedelta(days=7))
    by_series = week.group_by("series_key").agg(pl.col("point").sum()).sort("series_key")
    total = result.forecast_total.filter(pl.col("period_kind") == "h7").sort("series_key")
    np.testing.assert_allclose(by_series["point"].to_numpy(), total["point"].to_numpy(), rtol=1e-9)


def test_small_children_become_other_and_still_add(make):
    flows = make["stationary"](4, 200, seed=2)
    flows["tiny_a"], flows["tiny_b"] = flows["w00"] * 1e-3, flows["w01"] * 2e-3
    published = forecast(
        make["hierarchy"](flows), AS_OF, make["budget"](scope_type="workflow", scope="tiny_a"), run_id="r"
    )
    month = published.forecast_total.filter(pl.col("period_kind") == "month_end")
    assert set(month.filter(pl.col("level") == "workflow")["scope"]) == {"w00", "w01", "w02", "w03", "other"}
    by_level = month.group_by("level").agg(pl.col("point").sum())["point"]
    assert by_level.to_numpy() == pytest.approx(by_level[0], rel=1e-9)
    assert published.budget_pacing["month_end"][0] < 10, "a grouped child keeps a budget of its own"


def test_spend_no_child_carries_is_other(make):
    flows = make["stationary"](3, 200, seed=3)
    frame = make["hierarchy"](flows).filter(pl.col("series_key") != "workflow=w02")
    daily = forecast(frame, AS_OF, make["budget"](), run_id="r").forecast_daily
    assert "other" in daily.filter(pl.col("level") == "workflow")["scope"].to_list()
    sums = daily.group_by("level").agg(pl.col("point").sum())["point"].to_numpy()
    np.testing.assert_allclose(sums, sums[0], rtol=1e-9)


def test_intervals_nest_around_the_point(result):
    rows = pl.concat(
        [
            result.forecast_total.select("lo95", "lo80", "point", "hi80", "hi95"),
            result.backtest.filter(pl.col("method") == "published").select(
                "lo95", "lo80", pl.col("forecast").alias("point"), "hi80", "hi95"
            ),
        ]
    ).drop_nulls()
    assert rows.height > 1000
    ordered = (pl.col("lo95") <= pl.col("lo80")) & (pl.col("lo80") <= pl.col("point") + 1e-9)
    assert rows.filter(
        ~(ordered & (pl.col("point") <= pl.col("hi80") + 1e-9) & (pl.col("hi80") <= pl.col("hi95")))
    ).is_empty()


def test_no_part_s_upper_end_is_above_the_whole_s(result):
    published = result.backtest.filter(pl.col("method") == "published").rename({"forecast": "point", "horizon": "period_kind"})
    for rows, keys in ((result.forecast_total, ["period_kind"]), (published, ["as_of", "period_kind"])):
        whole = rows.filter(pl.col("level") == "total").select(*keys, "hi80", "hi95")
        parts = rows.filter(pl.col("level") != "total").join(whole, on=keys, suffix="_whole").drop_nulls(["hi80", "hi80_whole"])
        assert parts.height > 20
        for high in ("hi80", "hi95"):
            room = pl.max_horizontal("point", f"{high}_whole")
            assert parts.filter(pl.col(high) > room + 1e-6).is_empty(), high


def test_same_rows_in_any_order_give_identical_bytes(company, result, tmp_path):
    budgets = pl.concat([_budget("one", "workflow", "w00", "1500"), _budget("all", "total", None, "9000")])
    again = forecast(company.sample(fraction=1.0, shuffle=True, seed=1), AS_OF, budgets, run_id="r")
    for name, frame in again.frames().items():
        frame.write_parquet(tmp_path / "a.parquet")
        getattr(result, name).write_parquet(tmp_path / "b.parquet")
        assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes(), name


def test_another_config_or_cutoff_is_visible(company, make):
    one = ForecastConfig()
    assert one.hash() == ForecastConfig().hash() != ForecastConfig(pool_days=149).hash()
    late = forecast(company, AS_OF - timedelta(days=1), make["budget"](), run_id="r")
    assert late.forecast_total["data_cutoff"].unique().to_list() == [AS_OF - timedelta(days=1)]


def test_currency_factor_scales_money_and_nothing_else(company, result):
    factor = 1024.0
    budgets = pl.concat(
        [_budget("all", "total", None, str(9000 * 1024)), _budget("one", "workflow", "w00", str(1500 * 1024))]
    )
    scaled = forecast(company.with_columns(pl.col("cost") * factor), AS_OF, budgets, run_id="r")
    for name in ("forecast_daily", "forecast_total", "backtest", "budget_pacing"):
        frame = scaled.frames()[name].drop("config_hash")
        money = [c for c in MONEY_COLUMNS if c in frame.columns]
        back = frame.with_columns(pl.col(c) / factor for c in money)
        other = getattr(result, name).drop("config_hash")
        drop = [c for c in ("budget", "mtd") if c in frame.columns]
        assert_frame_equal(back.drop(drop), other.drop(drop), rel_tol=1e-6, abs_tol=1e-6)


def test_nothing_looks_ahead(company, make):
    """Spend after a day changes no forecast and no interval made on or before it."""
    known = AS_OF - timedelta(days=40)
    config = ForecastConfig(materiality=0.0)
    changed = company.with_columns(
        pl.when(pl.col("charge_date") > known).then(pl.col("cost") * 5).otherwise(pl.col("cost")),
        pl.when(pl.col("charge_date") > known).then(pl.col("calls") * 3).otherwise(pl.col("calls")),
    )
    columns = ["series_key", "as_of", "horizon", "method", "forecast", "lo80", "hi80", "lo95", "hi95"]
    before, after = (
        forecast(frame, AS_OF, make["budget"](), config=config, run_id="r").backtest for frame in (company, changed)
    )
    early = pl.col("as_of") <= known
    assert before.filter(early).height > 1000
    assert_frame_equal(before.filter(early).select(columns), after.filter(early).select(columns), check_exact=True)
    assert not before.filter(~early).select(columns).equals(after.filter(~early).select(columns))


def test_backtest_shows_what_was_published_then(company, make):
    """The row of a past origin equals a forecast run on that day, point and interval."""
    then = AS_OF - timedelta(days=50)
    config = ForecastConfig(materiality=0.0)
    history = forecast(company, AS_OF, make["budget"](), config=config, run_id="r").backtest
    that_day = forecast(company, then, make["budget"](), config=config, run_id="r").forecast_total
    for kind in ("h7", "h30", "month_end"):
        row = (
            history.filter(as_of=then, horizon=kind, method="published")
            .filter(pl.col("level") != "team")
            .sort("series_key")
        )
        live = that_day.filter(pl.col("level") != "team", period_kind=kind).sort("series_key")
        for ours, theirs in (("forecast", "point"), ("lo80", "lo80"), ("hi95", "hi95")):
            np.testing.assert_allclose(row[ours].to_numpy(), live[theirs].to_numpy(), rtol=1e-9)


def test_pool_and_sample_are_the_same_distribution(company):
    """The bisection over a whole group and the plain weighted quantile of one series agree."""
    config = ForecastConfig()
    tree = build_tree(build_panel(company, AS_OF), config)
    found = candidates(tree, config)
    book = ScoreBook(tree.panel, found.published, config)
    windows = run_windows(tree, found, book, "h14", config)
    for level in ("workflow", "team", "total"):
        rows = tree.children(level)
        for s in rows:
            one = sample(book.scores(14), s, [i for i in rows if i != s], 14, config)
            assert one.weights.sum() == pytest.approx(1.0)
            assert one.n_eff == pytest.approx(windows.n_eff[s, -1])
            ends = one.interval(windows.forecast["published"][s, -1], book.offset(14)[s, -1], windows.miss[s, 0])
            assert ends == pytest.approx((windows.low[s, -1, 0], windows.high[s, -1, 0]), rel=1e-9)


def test_drivers_multiply_back_exactly(company):
    panel = build_panel(company, AS_OF)
    table = driver_table(panel)
    direct = {key: panel.cost[i, -28:].sum() / 28 for i, key in enumerate(panel.keys)}
    for row in table.iter_rows(named=True):
        assert row["calls"] * row["context"] * row["rate"] == pytest.approx(direct[row["series_key"]], rel=1e-9)
        assert row["context"] == pytest.approx(1000)


def test_p_breach_falls_as_the_budget_grows():
    rng = np.random.default_rng(1)
    scores = Sample(rng.normal(0, 0.2, 200), np.full(200, 1 / 200), 20.0)
    p = [scores.exceeds(1000.0, 50.0, budget) for budget in range(500, 2000, 25)]
    assert all(a >= b for a, b in pairwise(p))
    assert p[0] > 0.9 and p[-1] < 0.1


def test_weighted_quantile_is_the_smallest_score_that_reaches_the_level():
    values, weights = np.array([3.0, 1.0, 2.0, 9.0]), np.array([0.25, 0.25, 0.5, 0.0])
    assert [weighted_quantile(values, weights, q) for q in (0.0, 0.25, 0.26, 0.75, 0.76, 1.0)] == [1, 1, 2, 2, 3, 3]


def test_reconcile_clips_negative_children_and_still_adds():
    children = np.array([[5.0], [60.0], [70.0]])
    parent, solved = reconcile(np.array([100.0]), children, np.array([50.0, 1.0, 1.0]))
    assert (solved >= 0).all() and solved[0, 0] == 0
    assert solved.sum() == pytest.approx(100.0) == parent[0]
    assert solved[1, 0] - solved[2, 0] == pytest.approx(-10.0)


def test_reconcile_solves_again_until_no_child_is_negative():
    """The second child turns negative only after the first was set to zero."""
    children = np.array([[2.0], [8.0], [100.0]])
    _, solved = reconcile(np.array([60.0]), children, np.array([30.0, 6.0, 14.0]))
    assert solved.ravel().tolist() == pytest.approx([0.0, 0.0, 60.0])


def test_default_path_needs_no_statsmodels():
    heavy = "('statsmodels', 'pandas', 'scipy')"
    code = f"import sys, forecasting.run; print(any(m.split('.')[0] in {heavy} for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
