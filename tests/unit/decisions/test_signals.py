"""Signals, incidents and their measurement: laws, injected faults, decoys, and public labelled series."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from decisions.config import SignalConfig
from decisions.incidents import fold, none_yet
from decisions.schemas import SCHEMAS, DecisionError, empty
from decisions.scoring import score
from decisions.signals import (
    ESCALATION,
    PREMIUM_MIX,
    baseline,
    cache_fall_multiple,
    cache_signals,
    day_signals,
    drift_signals,
    input_cost_share,
    seasonal_z,
    share_overdispersion,
    share_signals,
    share_z,
    step_ratio,
    theil_sen,
    trend_signals,
)
from decisions.statistics import benjamini_hochberg, cusum, floored_spread

AS_OF = date(2026, 9, 21)
FIXTURES = Path(__file__).parents[2] / "fixtures/anomaly"
QUICK = settings(max_examples=100, deadline=None)
AMOUNTS = st.lists(st.integers(1, 10**6).map(lambda c: c / 100), min_size=2, max_size=40)


def _frame(matrix: dict[str, np.ndarray], scope_type="user", parent="team", **more) -> pl.DataFrame:
    """Days of each scope that end the day before `AS_OF`; zeros are no rows."""
    parts = []
    for scope, values in matrix.items():
        days = [AS_OF - timedelta(days=len(values) - i) for i in range(len(values))]
        parts.append(
            pl.DataFrame({"scope_type": scope_type, "scope": scope, "parent": parent, "day": days, "value": values})
        )
    return pl.concat(parts).filter(pl.col("value") > 0).with_columns(pl.lit(v).alias(k) for k, v in more.items())


def _developers(seed: int, count: int = 20, days: int = 120, sigma: float = 0.55) -> dict[str, np.ndarray]:
    """Heavy-tailed developer days: about 22 active a month, quiet weekends."""
    rng = np.random.default_rng(seed)
    weekday = np.array([(AS_OF - timedelta(days=days - i)).weekday() < 5 for i in range(days)])
    out = {}
    for i in range(count):
        active = rng.random(days) < np.where(weekday, 0.95, 0.1)
        out[f"d{i:02d}"] = np.where(active, np.exp(rng.normal(3.0 + 0.4 * rng.normal(), sigma, days)), 0.0)
    return out


# -- arithmetic --------------------------------------------------------------------------------------------------------


@QUICK
@given(AMOUNTS, st.floats(0.01, 100))
def test_robust_z_does_not_depend_on_the_currency(history, factor):
    one, other = baseline(history), baseline(np.array(history) * factor)
    assert other.z(factor * 7.0) == pytest.approx(one.z(7.0), rel=1e-6, abs=1e-6)
    assert one.spread >= 0.25 * one.median - 1e-9


@QUICK
@given(AMOUNTS, st.integers(0, 39), st.floats(1, 1e9))
def test_one_spike_moves_the_median_no_further_than_its_neighbours(history, at, spike):
    changed = list(history)
    changed[at % len(history)] = spike
    ordered = np.sort(history)
    middle = len(ordered) // 2
    low, high = ordered[max(middle - 2, 0)], ordered[min(middle + 1, len(ordered) - 1)]
    assert low <= np.median(changed) <= high or len(history) < 4


@QUICK
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 500), st.integers(0, 500), st.floats(1, 50))
def test_share_z_changes_sign_when_the_periods_change_places_and_shrinks_with_overdispersion(n1, n0, x1, x0, phi):
    x1, x0 = min(x1, n1), min(x0, n0)
    z = share_z(x1, n1, x0, n0)
    assert share_z(x0, n0, x1, n1) == pytest.approx(-z)
    assert abs(share_z(x1, n1, x0, n0, phi)) <= abs(z) + 1e-12


def test_sessions_make_shares_overdispersed():
    rng = np.random.default_rng(1)
    plain = rng.binomial(100, 0.3, 60)
    clustered = 20 * rng.binomial(5, 0.3, 60)
    assert share_overdispersion(plain, [100] * 60) < 2
    assert 10 < share_overdispersion(clustered, [100] * 60) < 40
    assert share_overdispersion([], []) == 1.0


@QUICK
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_a_fall_of_the_hit_rate_never_makes_input_cheaper(a, b, read):
    high, low = max(a, b), min(a, b)
    assert cache_fall_multiple(high, low, read) >= 1 - 1e-12
    assert input_cost_share(0, read) == 1 and input_cost_share(1, read) == pytest.approx(read)


@QUICK
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=40))
def test_cusum_never_falls_below_zero_and_reset_alarms_first_at_the_same_place(z):
    path, first = cusum(z, 0.5, 2.0)
    again, same = cusum(z, 0.5, 2.0, reset=True)
    assert (path >= 0).all() and first == same
    if first is not None:
        assert (path[: first + 1] == again[: first + 1]).all() and path[first] > 2


@QUICK
@given(st.lists(st.floats(0, 1), min_size=0, max_size=20), st.floats(0.01, 0.5))
def test_false_discovery_rate_lies_between_bonferroni_and_none(p, q):
    rejected = benjamini_hochberg(p, q)
    values = np.array(p)
    assert (rejected >= (values <= q / max(len(p), 1))).all()
    assert not (rejected & (values > q)).any()


def test_slopes_and_steps():
    assert theil_sen([*range(9), 500]) == 1.0, "one outlier does not tilt it"
    assert theil_sen(np.arange(20) * 3.0) == 3.0 and theil_sen([5]) == 0.0
    assert step_ratio([10] * 7 + [30] * 3, 7) == 3.0
    assert step_ratio([10], 0) is None
    with pytest.raises(ValueError, match="history"):
        floored_spread([])


@pytest.mark.parametrize("cut", [24 * 20, 24 * 20 + 7])
def test_seasonal_z_looks_back_only_and_knows_the_hour(cut):
    rng = np.random.default_rng(2)
    hour = np.arange(24 * 30) % 24
    x = 10 + 5 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(0, 0.2, len(hour))
    later = x.copy()
    later[cut:] += 50
    np.testing.assert_array_equal(seasonal_z(x)[:cut], seasonal_z(later)[:cut])
    assert seasonal_z(later)[cut] > 20
    assert np.isnan(seasonal_z(x)[:48]).all() and np.nanmax(np.abs(seasonal_z(x)[24 * 16 :])) < 6
    holes = x.copy()
    holes[24 * 18 : 24 * 18 + 5] = np.nan
    assert np.isnan(seasonal_z(holes)[24 * 18 : 24 * 18 + 5]).all() and not np.isnan(seasonal_z(holes)[24 * 19])


# -- rules -------------------------------------------------------------------------------------------------------------


def test_frames_have_exactly_the_agreed_columns():
    expected = {k: (v() if isinstance(v, type) else v) for k, v in SCHEMAS["signals"].items()}
    frame = _frame(_developers(1, 3))
    for result in (
        day_signals(frame, AS_OF),
        trend_signals(frame, AS_OF),
        drift_signals(frame, AS_OF),
        day_signals(frame.head(0), AS_OF),
    ):
        assert dict(result.schema) == expected
    assert dict(fold(empty("signals"), AS_OF).schema) == dict(none_yet().schema)


def test_rules_look_back_only_and_do_not_mind_the_order():
    frame = _frame(_developers(3, 5))
    whole = day_signals(frame, AS_OF)
    assert_frame_equal(whole, day_signals(frame.sample(fraction=1, shuffle=True, seed=1), AS_OF), check_exact=True)
    cut = AS_OF - timedelta(days=10)
    earlier = day_signals(frame, cut).drop("as_of")
    assert_frame_equal(whole.filter(pl.col("day") < cut).drop("as_of"), earlier, check_exact=True)
    tail = day_signals(frame, AS_OF, first_day=cut)
    assert_frame_equal(tail, whole.filter(pl.col("day") >= cut), check_exact=True)


def test_golden_history_through_the_rule():
    values = np.array([10, 12, 9, 11, 10, 13, 8, 10, 11, 12, 24], dtype=float)
    row = day_signals(_frame({"a": values}), AS_OF).tail(1).row(0, named=True)
    assert (row["baseline"], row["spread"], row["robust_z"]) == pytest.approx((10.5, 2.625, 5.142857142857143))
    assert row["state"] == "notice"
    plain = day_signals(_frame({"a": values}), AS_OF, config=SignalConfig(spread_floor=0.0)).tail(1).row(0, named=True)
    assert plain["robust_z"] == pytest.approx(9.105625252934034) and plain["state"] == "page"


def test_nothing_pages_below_the_money_floor():
    values = np.array([0.10] * 20 + [1.50])
    row = day_signals(_frame({"a": values}), AS_OF).tail(1).row(0, named=True)
    assert row["robust_z"] > 6 and row["state"] == "notice" and row["floor"] == 5.0


def test_a_new_developer_borrows_the_team_and_alone_says_so():
    team = dict(_developers(4, 8).items()) | {"new": np.array([25.0, 500.0])}
    result = day_signals(_frame(team), AS_OF).filter(pl.col("scope") == "new").sort("day")
    assert result["reason"].to_list() == ["cold_start"] * 2 and result["state"].to_list() == ["silent", "page"]
    alone = day_signals(_frame({"new": np.array([25.0, 500.0])}), AS_OF)
    assert set(alone["state"]) == {"insufficient_history"}


def test_one_spike_does_not_hide_the_next_and_a_new_level_is_accepted():
    rng = np.random.default_rng(5)
    base = rng.normal(20, 1, 60)
    spikes = base.copy()
    spikes[[40, 45, 50, 55]] = 200
    found = day_signals(_frame({"a": spikes}), AS_OF).filter(pl.col("state") == "page")
    assert found.height == 4
    level = np.concatenate([base, rng.normal(200, 5, 40)])
    shifted = day_signals(_frame({"a": level}), AS_OF).sort("day")
    assert shifted["state"].to_list()[60:70] == ["page"] * 10
    assert shifted["state"].to_list()[-20:] == ["silent"] * 20


def test_weekly_trend():
    rng = np.random.default_rng(6)
    calm = rng.normal(100, 5, 120)
    jump = calm.copy()
    jump[-7:] *= 2.5
    rows = trend_signals(
        _frame({"calm": calm, "jump": jump}, scope_type="team"), AS_OF, first_day=AS_OF - timedelta(days=1)
    )
    assert dict(zip(rows["scope"], rows["state"], strict=True)) == {"calm": "silent", "jump": "page"}
    month = trend_signals(_frame({"calm": calm}), AS_OF, recent=28, base=28)
    assert set(month["state"]) == {"silent"}


def _shares(rates: np.ndarray, seed: int, cluster: int = 10, **more) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    hits = cluster * rng.binomial(400 // cluster, np.clip(rates, 0, 1))
    days = [AS_OF - timedelta(days=len(rates) - i) for i in range(len(rates))]
    frame = pl.DataFrame(
        {"scope_type": "workflow", "scope": "w", "parent": "", "day": days, "hits": hits, "n": [400] * len(rates)}
    )
    return frame.with_columns(pl.lit(v).alias(k) for k, v in more.items())


def test_mix_shift_and_escalation():
    steady, risen = np.full(60, 0.2), np.concatenate([np.full(53, 0.2), np.full(7, 0.45)])
    last = AS_OF - timedelta(days=1)
    for rates, state in ((steady, "silent"), (risen, "notice")):
        assert share_signals(_shares(rates, 1), AS_OF, PREMIUM_MIX, first_day=last)["state"].to_list() == [state]
    dear = _shares(risen, 1, cost_now=90.0, cost_before=50.0)
    assert share_signals(dear, AS_OF, PREMIUM_MIX, first_day=last)["state"].to_list() == ["page"]
    small = share_signals(
        _shares(np.concatenate([np.full(53, 0.2), np.full(7, 0.29)]), 1), AS_OF, ESCALATION, first_day=last
    )
    assert small["value"][0] - small["baseline"][0] > 0.05


@pytest.mark.parametrize(
    ("after", "price", "state"),
    [(0.9, 3.0, "silent"), (0.75, 3.0, "notice"), (0.4, 3.0, "page"), (0.4, 0.001, "notice")],
)
def test_cache_fall(after, price, state):
    rng = np.random.default_rng(7)
    hit = np.concatenate([0.9 + rng.normal(0, 0.008, 40), [after]])
    days = [AS_OF - timedelta(days=41 - i) for i in range(41)]
    tokens = 1e8
    frame = pl.DataFrame(
        {"scope_type": "workflow", "scope": "w", "parent": "", "day": days, "reads": hit * tokens,
         "input_tokens": tokens,
         "price_input": price, "price_read": price / 10}
    )  # fmt: skip
    row = cache_signals(frame, AS_OF).tail(1).row(0, named=True)
    assert row["state"] == state
    if state == "page":
        assert row["excess"] == pytest.approx(tokens * (row["baseline"] - after) * 0.9 * price / 1e6)


def test_slow_drift_of_context():
    rng = np.random.default_rng(8)
    noise = np.exp(rng.normal(0, 0.05, 90))
    grow = 5000 * noise * 1.02 ** np.maximum(np.arange(90) - 60, 0)
    result = drift_signals(_frame({"flat": 5000 * noise, "grow": grow}, scope_type="workflow"), AS_OF)
    loud = result.filter(pl.col("state") != "silent")
    assert set(loud["scope"]) == {"grow"}
    found = (loud["day"].min() - (AS_OF - timedelta(days=30))).days
    assert 0 <= found <= 21


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop("value"), "lacks the columns value"),
        (lambda f: pl.concat([f, f.head(1)]), "two rows"),
        (lambda f: pl.concat([f, f.head(1).with_columns(pl.lit("x").alias("scope_type"))]), "one scope type"),
    ],
)  # fmt: skip
def test_broken_frames_are_named(change, words):
    with pytest.raises(DecisionError, match=words):
        day_signals(change(_frame(_developers(1, 2))), AS_OF)


# -- incidents ---------------------------------------------------------------------------------------------------------


def _candidate(
    day: int, scope="a", scope_type="user", family="spend", state="page", excess=100.0, ratio=5.0, rule="A1"
):
    when = AS_OF - timedelta(days=day)
    return dict.fromkeys(SCHEMAS["signals"]) | {
        "rule": rule, "family": family, "scope_type": scope_type, "scope": scope, "day": when, "robust_z": 9.0,
        "ratio": ratio, "excess": excess, "state": state,
    }  # fmt: skip


def _fold(*rows, **more):
    return fold(pl.DataFrame(list(rows), schema=SCHEMAS["signals"]), AS_OF, **more)


SCOPES = pl.DataFrame(
    {
        "scope_type": ["user", "user", "team"],
        "scope": ["a", "b", "t"],
        "parent_type": ["team", "team", None],
        "parent": ["t", "t", None],
        "owner": ["ana", "bo", "lea"],
    }
)


def test_candidates_of_one_cause_are_one_incident():
    frame = _fold(
        _candidate(9, state="notice"),
        _candidate(7),
        _candidate(6),
        _candidate(1),
        _candidate(6, family="mix", rule="A3"),
    )
    spend = frame.filter(pl.col("family") == "spend").sort("first_day")
    assert spend["days"].to_list() == [3, 1] and spend["excess"].to_list() == [300.0, 100.0]
    assert spend["severity"].to_list() == ["page", "page"] and spend["state"].to_list() == ["closed", "open"]
    assert frame.height == 3 and frame["incident_id"].n_unique() == 3


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 60),
            st.sampled_from("abc"),
            st.sampled_from(["page", "notice", "silent"]),
            st.integers(0, 500),
        ),
        max_size=40,
    )
)
def test_excess_is_conserved_order_does_not_matter_and_budgets_hold(rows):
    unique = {(d, s): (d, s, st_, e) for d, s, st_, e in rows}
    candidates = [_candidate(d, s, state=st_, excess=float(e)) for d, s, st_, e in unique.values()]
    frame = _fold(*candidates, scopes=SCOPES)
    assert frame["excess"].sum() == pytest.approx(sum(e for _, _, st_, e in unique.values() if st_ != "silent"))
    assert_frame_equal(frame, _fold(*candidates[::-1], scopes=SCOPES), check_exact=True)
    pages = frame.filter(pl.col("route") == "page")
    assert pages.group_by("scope", pl.col("first_day").dt.truncate("1mo")).len().filter(pl.col("len") > 1).is_empty()
    assert pages.filter(pl.col("state") == "open").height <= 5


def test_owner_parent_and_child():
    frame = _fold(
        _candidate(1, excess=80.0),
        _candidate(1, "t", "team", excess=100.0),
        _candidate(1, "b", excess=20.0),
        scopes=SCOPES,
    )
    by = {(r["scope_type"], r["scope"]): r for r in frame.iter_rows(named=True)}
    assert by["team", "t"]["route"] == "parent" and by["user", "a"]["parent_id"] == by["team", "t"]["incident_id"]
    assert by["user", "b"]["parent_id"] is None and by["user", "a"]["owner"] == "ana"
    assert by["user", "a"]["route"] == "page"


def test_known_changes_suppress_up_to_what_was_declared():
    change = pl.DataFrame(
        {
            "scope_type": ["user"],
            "scope": ["a"],
            "family": ["spend"],
            "first_day": [AS_OF - timedelta(days=5)],
            "last_day": [AS_OF],
            "multiplier": [3.0],
        }
    )
    frame = _fold(_candidate(1, ratio=3.5), _candidate(1, "b", ratio=3.5), changes=change)
    states = {r["scope"]: (r["state"], r["route"], r["reason"]) for r in frame.iter_rows(named=True)}
    assert states == {"a": ("suppressed", "none", "known change"), "b": ("open", "page", None)}
    assert _fold(_candidate(1, ratio=3.7), changes=change)["state"].to_list() == ["open"], (
        "more than declared is no launch"
    )


def test_what_is_no_longer_found_is_withdrawn_not_deleted():
    before = _fold(_candidate(2), _candidate(2, "b"))
    after = _fold(_candidate(2, "b"), previous=before)
    assert dict(zip(after["scope"], after["state"], strict=True)) == {"a": "withdrawn", "b": "open"}
    assert set(before["incident_id"]) == set(after["incident_id"])


# -- measurement -------------------------------------------------------------------------------------------------------


def _injected(seed: int, size: float, rule=day_signals) -> tuple[float, float]:
    """(share of faults of `size` x the mean day that paged the same day, pages per developer-month without faults)."""
    clean = _developers(seed)
    quiet = rule(_frame(clean), AS_OF, first_day=AS_OF - timedelta(days=60))
    pages = quiet.filter(pl.col("state") == "page").height / (len(clean) * 2)
    rng = np.random.default_rng(seed + 1000)
    dirty, hits = {}, {}
    for name, values in clean.items():
        active = np.flatnonzero(values[:-1] > 0)
        at = int(rng.choice(active[active > 70]))
        changed = values.copy()
        changed[at] += size * values[active].mean()
        dirty[name], hits[name] = changed, AS_OF - timedelta(days=len(values) - at)
    found = rule(_frame(dirty), AS_OF).filter(pl.col("state") == "page")
    caught = {(r["scope"], r["day"]) for r in found.iter_rows(named=True)}
    return sum((n, d) in caught for n, d in hits.items()) / len(hits), pages


@pytest.mark.parametrize(("size", "recall"), [(10.0, 1.0), (5.0, 0.8)])
def test_injected_days_are_found_the_same_day(size, recall):
    """Extra spend of 5 and 10 mean days; a page for fewer than one developer-month in one."""
    results = [_injected(seed, size) for seed in range(3)]
    assert np.mean([r for r, _ in results]) >= recall
    assert np.mean([p for _, p in results]) < 1.0


def test_decoys_stay_silent():
    """A Monday peak and a month-end batch that come every time are the baseline's own shape."""
    rng = np.random.default_rng(9)
    days = [AS_OF - timedelta(days=150 - i) for i in range(150)]
    monday = np.array([60.0 if d.weekday() == 0 else 40.0 for d in days]) * np.exp(rng.normal(0, 0.1, 150))
    result = day_signals(_frame({"monday": monday}), AS_OF)
    assert result.filter(pl.col("state") == "page").is_empty()


def test_scores_of_simple_cases():
    t0 = datetime(2026, 9, 1)
    windows = pl.DataFrame({"series": ["a"], "window_start": [t0], "window_end": [t0 + timedelta(hours=10)]})

    def scored(*hours: int):
        at = [t0 + timedelta(hours=h) for h in hours]
        alerts = pl.DataFrame(
            {"series": ["a"] * len(at), "at": at}, schema={"series": pl.String, "at": pl.Datetime("us")}
        )
        return score(alerts, windows, series=pl.Series(["a", "b"])).filter(pl.col("scope") == "").row(0, named=True)

    hit = scored(3, 4, 5)
    assert (hit["precision"], hit["recall"], hit["f1"], hit["median_delay_hours"]) == (1.0, 1.0, 1.0, 3.0)
    assert (scored(50)["precision"], scored(50)["recall"], scored(50)["f1"]) == (0.0, 0.0, 0.0)
    both = scored(3, 80)
    assert (both["incidents"], both["true_incidents"], both["precision"]) == (2, 1, 0.5)
    none = scored()
    assert none["precision"] is None and none["recall"] == 0.0 and none["f1"] is None


def test_public_labelled_series():
    """15 hourly series with 33 labelled windows: a sanity check, not a goal (the labels have known problems)."""
    hours = pl.read_csv(FIXTURES / "nab_hourly_means.csv.gz", try_parse_dates=True)
    windows = pl.read_csv(FIXTURES / "nab_windows.csv", try_parse_dates=True)
    alerts = []
    for (name,), rows in hours.group_by("series", maintain_order=True):
        first = rows["hour"].min().replace(hour=0, minute=0, second=0)
        at = (rows["hour"] - first).dt.total_hours().to_numpy()
        grid = np.full(int(at.max()) + 1, np.nan)
        grid[at] = rows["mean_value"].to_numpy()
        loud = np.flatnonzero(np.abs(np.nan_to_num(seasonal_z(grid))) > 8)
        alerts += [(name, first + timedelta(hours=int(h))) for h in loud]
    frame = pl.DataFrame(alerts, schema={"series": pl.String, "at": pl.Datetime("us")}, orient="row")
    whole = score(frame, windows, series=hours["series"].unique()).filter(pl.col("scope") == "").row(0, named=True)
    assert whole["windows"] == 33
    assert whole["f1"] == pytest.approx(0.35, abs=0.03) and whole["recall"] == pytest.approx(0.55, abs=0.03)


# -- interval of the excess --------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.5, 500.0), st.floats(1.5, 50.0)), min_size=1, max_size=4))
def test_the_interval_holds_the_excess_and_is_never_without_width(days):
    """Per day 1.2816 spreads either side; the spread is the excess over its z."""
    rows = [_candidate(i + 1, excess=e) | {"robust_z": z} for i, (e, z) in enumerate(days)]
    row = _fold(*rows).row(0, named=True)
    half = sum(1.2815515655446004 * e / z for e, z in days)
    assert row["excess_lo80"] < row["excess"] < row["excess_hi80"] and row["excess_lo80"] >= 0
    assert row["excess_hi80"] - row["excess"] == pytest.approx(half)


@pytest.mark.parametrize("z", [None, float("inf"), 0.0, -2.0])
def test_no_interval_is_claimed_without_a_spread(z):
    known, unknown = _candidate(1), _candidate(2) | {"robust_z": z}
    row = _fold(known, unknown).row(0, named=True)
    assert row["excess"] == 200.0 and row["excess_lo80"] is None and row["excess_hi80"] is None
    assert _fold(_candidate(1, excess=0.0)).row(0, named=True)["excess_hi80"] is None


def test_the_interval_of_a_day_is_that_of_the_rule_which_gives_the_excess():
    low, high = _candidate(1, excess=50.0, rule="A2") | {"robust_z": 2.0}, _candidate(1, excess=100.0) | {"robust_z": 10.0}
    for rows in ((low, high), (high, low)):
        assert _fold(*rows)["excess_hi80"].to_list() == [pytest.approx(112.815515655446)]


def test_a_developer_s_day_has_the_spread_of_its_history():
    values = np.r_[np.tile([10.0, 12, 9, 11, 10, 13, 8, 10, 11, 12], 4), 200.0]
    found = day_signals(_frame({"u": values}), AS_OF, first_day=AS_OF - timedelta(days=1))
    day = found.filter(pl.col("day") == AS_OF - timedelta(days=1)).row(0, named=True)
    row = fold(found, AS_OF).row(-1, named=True)
    assert row["excess_hi80"] - row["excess"] == pytest.approx(1.2815515655446004 * day["spread"])
