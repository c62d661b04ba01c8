"""The coming quarter by month: points add, ranges widen with the lead, known changes move it, nothing is invented."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forecasting.config import ForecastConfig
from forecasting.hierarchy import build_tree
from forecasting.intervals import Sample, offset, sample, scores
from forecasting.models import path
from forecasting.outlook import NO_RANGE, next_months, outlook
from forecasting.run import forecast
from forecasting.schemas import DECISION_SCHEMAS
from forecasting.selection import candidates
from forecasting.series import build_panel

END = date(2026, 9, 20)
PERIODS = next_months(date(2026, 9, 15))


@pytest.fixture(scope="module")
def table(company) -> pl.DataFrame:
    return outlook(company, END, PERIODS, run_id="r")


def changes(**row: object) -> pl.DataFrame:
    start = {
        "change_id": "c",
        "kind": "launch",
        "driver": "user_actions",
        "workflow": "w00",
        "mode": "multiplier",
        "value": 3.0,
        "start": date(2026, 11, 1),
        "ramp_days": 0,
        "confidence": 0.9,
        "recorded_on": date(2026, 8, 1),
        "owner": "p1",
        "note": "",
    }
    return pl.DataFrame([start | row], schema=DECISION_SCHEMAS["known_changes"], strict=False)


def drivers(count: int) -> pl.DataFrame:
    row = {
        "model": "m",
        "user_actions": 10,
        "fan_out": 5,
        "retry": 0,
        "share": 1,
        "tokens_input_uncached": 900,
        "price_input_uncached": 3,
    }
    zero = {f"{m}_{k}": 0.0 for m in ("tokens", "price") for k in ("cache_read", "cache_write", "output")}
    return pl.DataFrame(
        [row | zero | {"workflow": f"w{i:02d}"} for i in range(count)], schema=DECISION_SCHEMAS["drivers"], strict=False
    )


def test_periods_are_the_next_three_months_and_their_sum():
    assert next_months(date(2026, 11, 30)) == [
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2027, 1, 1), date(2027, 2, 1)),
        (date(2027, 2, 1), date(2027, 3, 1)),
        (date(2026, 12, 1), date(2027, 3, 1)),
    ]


def test_months_add_to_the_quarter_and_children_to_the_total(table):
    assert dict(table.schema) == {
        k: v() if isinstance(v, type) else v for k, v in DECISION_SCHEMAS["forecast_outlook"].items()
    }
    whole = (PERIODS[-1][0], PERIODS[-1][1])
    quarter = (pl.col("period_start") == whole[0]) & (pl.col("period_end") == whole[1])
    by_month = table.filter(~quarter).group_by("series_key").agg(pl.col("point").sum()).sort("series_key")
    one = table.filter(quarter).sort("series_key")
    assert by_month["point"].to_list() == pytest.approx(one["point"].to_list())
    sums = table.group_by("level", "period_start", "period_end").agg(pl.col("point").sum())
    total = sums.filter(pl.col("level") == "total").sort("period_start", "period_end")["point"].to_list()
    for level in ("team", "workflow"):
        found = sums.filter(pl.col("level") == level).sort("period_start", "period_end")["point"].to_list()
        assert found == pytest.approx(total)


def test_the_range_holds_the_point_and_says_where_it_comes_from(table):
    known = table.filter(pl.col("lo80").is_not_null())
    assert known.height > 0
    assert known.select(
        (
            (pl.col("lo95") <= pl.col("lo80"))
            & (pl.col("lo80") <= pl.col("point") + 1e-9)
            & (pl.col("point") <= pl.col("hi80") + 1e-9)
            & (pl.col("hi80") <= pl.col("hi95"))
        ).all()
    ).item()
    assert (known["n_eff"] >= 2).all()
    empty = table.filter(pl.col("lo80").is_null())
    assert set(empty["range_state"]) <= {NO_RANGE}


def test_the_first_days_agree_with_the_published_forecast(company):
    week = [(END + timedelta(days=1), END + timedelta(days=8))]
    found = outlook(company, END, week, run_id="r").sort("series_key")
    budgets = pl.DataFrame(
        schema={
            "budget_id": pl.String,
            "scope_type": pl.String,
            "scope": pl.String,
            "period_start": pl.Date,
            "period_end": pl.Date,
            "amount_usd": pl.String,
        }
    )
    daily = forecast(company, END, budgets, run_id="r").forecast_daily.filter(pl.col("target_date") < week[0][1])
    published = daily.group_by("series_key").agg(pl.col("point").sum()).sort("series_key")
    assert found["point"].to_list() == pytest.approx(published["point"].to_list())


def test_a_month_in_progress_counts_what_is_spent(company):
    found = outlook(
        company, END, [(date(2026, 9, 1), date(2026, 10, 1)), (date(2026, 8, 1), date(2026, 9, 1))], run_id="r"
    )
    rows = (
        company.filter(pl.col("charge_date") >= date(2026, 9, 1))
        .group_by("series_key")
        .agg(pl.col("cost").sum())
        .sort("series_key")
    )
    now = found.filter(pl.col("period_start") == date(2026, 9, 1)).sort("series_key")
    assert now["spent"].to_list() == pytest.approx(rows["cost"].to_list())
    assert (now["point"] > now["spent"]).all()
    measured = now.filter(pl.col("lo80").is_not_null())
    assert measured.height > 0 and (measured["lo95"] >= measured["spent"]).all()
    assert (measured["hi80"] >= measured["point"] - 1e-9).all()
    past = found.filter(pl.col("period_start") == date(2026, 8, 1))
    assert past["range_state"].unique().to_list() == ["known"]
    assert past["point"].to_list() == past["lo95"].to_list() == past["hi95"].to_list()


def test_nothing_after_the_day_of_the_forecast_is_looked_at(company, table):
    later = company.with_columns(pl.col("charge_date") + pl.duration(days=60)).filter(pl.col("charge_date") > END)
    assert_frame_equal(outlook(pl.concat([company, later]), END, PERIODS, run_id="r"), table)


def test_a_launch_moves_its_months_only_and_the_total_with_it(company, table):
    with_it = outlook(company, END, PERIODS, changes=changes(), drivers=drivers(6), run_id="r")
    assert with_it["has_known_changes"].all() and set(with_it["level"]) == {"total", "workflow"}
    keys = ["series_key", "period_start", "period_end"]
    both = table.join(with_it, on=keys, suffix="_with")
    ratio = {
        (r["series_key"], r["period_start"].month, r["period_end"].month): r["point_with"] / r["point"]
        for r in both.to_dicts()
    }
    assert ratio["workflow=w00", 10, 11] == pytest.approx(1)
    assert ratio["workflow=w00", 11, 12] == pytest.approx(3)
    assert ratio["workflow=w01", 11, 12] == pytest.approx(1)
    assert 1 < ratio["total", 11, 12] < 3
    wide = both.filter(
        (pl.col("series_key") == "workflow=w00")
        & (pl.col("period_start") == date(2026, 11, 1))
        & pl.col("lo80").is_not_null()
    )
    for row in wide.to_dicts():
        if row["period_end"] == date(2026, 12, 1):
            assert row["hi80_with"] == pytest.approx(3 * row["hi80"])


def test_short_history_has_points_and_no_range(make):
    short = make["hierarchy"]({"a": np.full(40, 10.0)}, teams=1)
    found = outlook(short, END, PERIODS, run_id="r")
    assert found["point"].min() > 0
    assert found["range_state"].unique().to_list() == [NO_RANGE]
    assert found["lo80"].null_count() == found.height


def test_without_rows_or_periods_the_frame_is_empty(company):
    assert outlook(company, date(2020, 1, 1), PERIODS, run_id="r").is_empty()
    assert outlook(company, END, [], run_id="r").is_empty()


def test_a_score_with_a_lead_is_that_of_the_later_days(company):
    config, panel = ForecastConfig(), build_panel(company, END)
    pattern = candidates(build_tree(panel, config), config).published[: len(panel.keys)]
    day, lead, length, s = 150, 12, 9, 2
    found = scores(panel, pattern, length, config, lead)[s, day]
    came = panel.cost[s, day + 1 + lead : day + 1 + lead + length].sum()
    told = path(pattern[s, day], lead + length)[lead:].sum()
    c = 0.25 * length * panel.cost[s, : day + 1].mean()
    assert found == pytest.approx(np.log((came + c) / (told + c)))
    assert np.isnan(scores(panel, pattern, length, config, lead)[s, -(lead + length) :]).all()


def test_the_range_of_a_late_period_is_that_of_its_own_lead(make):
    """Levels wander, so scores of the next days would give a range that is too narrow for a period weeks ahead."""
    rng = np.random.default_rng(3)
    series = make["hierarchy"]({f"w{i}": 100 * np.exp(np.cumsum(rng.normal(0, 0.03, 420))) for i in range(4)})
    period = (END + timedelta(days=57), END + timedelta(days=71))
    row = outlook(series, END, [period], run_id="r").filter(pl.col("scope") == "w1").row(0, named=True)
    config, panel = ForecastConfig(), build_panel(series, END)
    tree = build_tree(panel, config)
    pattern, s = candidates(tree, config).published, panel.scopes.index("w1")
    others = [k for k in tree.children("workflow") if k != s]
    c = float(offset(tree.panel, 14, config)[s, -1])

    def drawn(lead: int) -> Sample:
        return sample(scores(tree.panel, pattern, 14, config, lead), s, others, 70, config)

    soon, late = (drawn(lead).interval(row["point"], c, 0.2) for lead in (0, 56))
    assert [row["lo80"], row["hi80"]] == pytest.approx(late)
    assert late[1] - late[0] > 1.3 * (soon[1] - soon[0])
