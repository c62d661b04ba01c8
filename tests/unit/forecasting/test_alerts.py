"""Alerts: told once per change, raised at once, cleared after two quiet days, the same however often they are run."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forecasting.alerts import RANK, alert_states, named_rules
from forecasting.config import ForecastConfig
from forecasting.pacing import alert_level

FIRST = date(2026, 9, 1)


def days(*points: tuple[str, float | None], budget: str = "b", start: date = FIRST) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "budget_id": budget,
                "period_start": start,
                "as_of": start + timedelta(days=i),
                "level": level,
                "p_breach": p,
            }
            for i, (level, p) in enumerate(points)
        ],
        schema={
            "budget_id": pl.String,
            "period_start": pl.Date,
            "as_of": pl.Date,
            "level": pl.String,
            "p_breach": pl.Float64,
        },
    )


def told(*points: tuple[str, float | None]) -> list[str]:
    return alert_states(days(*points))["open_level"].to_list()


def by_probability(ps: list[float]) -> pl.DataFrame:
    return days(*((alert_level(p, 1.0, 0.5, False, ForecastConfig()), p) for p in ps))


@settings(max_examples=100, deadline=None)
@given(ps=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_an_alert_is_never_below_the_day_and_never_told_twice(ps):
    found = alert_states(by_probability(ps))
    for row in found.to_dicts():
        assert RANK[row["open_level"]] >= RANK[row["level"]]
        assert row["is_change"] == (row["open_level"] != row["previous_level"])
    assert found["previous_level"].to_list()[1:] == found["open_level"].to_list()[:-1]


@settings(max_examples=40, deadline=None)
@given(ps=st.lists(st.floats(0, 1), min_size=2, max_size=20), cut=st.integers(1, 19), seed=st.integers(0, 9))
def test_earlier_days_do_not_change_with_later_ones_nor_with_row_order(ps, cut, seed):
    whole = by_probability(ps)
    found = alert_states(whole)
    assert_frame_equal(alert_states(whole.head(cut)), found.head(cut))
    assert_frame_equal(alert_states(whole.sample(fraction=1, shuffle=True, seed=seed)), found)


def test_it_rises_at_once_and_falls_after_two_quiet_days():
    assert told(("ok", 0.1), ("critical", 0.9), ("watch", 0.45), ("watch", 0.45)) == [
        "ok",
        "critical",
        "critical",
        "watch",
    ]


def test_a_flicker_around_the_threshold_is_one_alert():
    points = [("warn", 0.52), ("watch", 0.48), ("warn", 0.52), ("watch", 0.48), ("watch", 0.44)]
    found = alert_states(days(*points))
    assert found["open_level"].to_list() == ["warn"] * 5
    assert found["is_change"].sum() == 1


def test_one_quiet_day_between_loud_ones_clears_nothing():
    assert told(("warn", 0.6), ("ok", 0.1), ("watch", 0.45), ("ok", 0.1), ("ok", 0.1)) == ["warn"] * 4 + ["ok"]


def test_a_day_without_data_changes_nothing():
    assert told(("warn", 0.6), ("no data", None), ("ok", 0.1), ("no data", None), ("ok", 0.1)) == ["warn"] * 4 + ["ok"]


def test_every_budget_and_period_has_its_own_alert():
    both = pl.concat(
        [days(("critical", 1.0)), days(("ok", 0.1), start=date(2026, 10, 1)), days(("ok", 0.1), budget="c")]
    )
    assert alert_states(both)["open_level"].to_list() == ["critical", "ok", "ok"]
    assert alert_states(days()).is_empty()


@pytest.mark.parametrize(
    ("mtd", "budget", "typical", "left", "expected"),
    [
        (20_400, 30_000, 30_000, 13, set()),
        (21_600, 30_000, 30_000, 12, {"pace_70"}),
        (24_000, 30_000, 30_000, 10, {"pace_70", "pace_80"}),
        (24_000, 30_000, 30_000, 14, {"pace_70", "pace_80", "typical_80"}),
        (8_000, 30_000, 10_000, 14, {"typical_80"}),
        (8_000, 30_000, None, 14, set()),
        (0, 0, 10, 20, set()),
        (0.01, 0, 10, 20, {"pace_70", "pace_80"}),
    ],
)
def test_the_two_pace_rules_have_different_wholes(mtd, budget, typical, left, expected):
    assert {name for name, hit in named_rules(mtd, budget, typical, left).items() if hit} == expected
