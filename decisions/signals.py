"""Signals on AI spend that are not plain SQL: robust baselines, shares, drifts, seasonal rates, cache falls.

Every rule is a function of (history up to the day, day, config) and gives at most one row per rule, scope and day, with
state `silent`, `notice` (digest), `page`, or `insufficient_history`. Robust z is (x - median) / (1.4826 MAD), floored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from decisions.config import SignalConfig
from decisions.schemas import SCHEMAS, DecisionError, empty, require
from decisions.statistics import MAD_SCALE, Array, benjamini_hochberg, cusum, floored_spread

SILENT, NOTICE, PAGE, SHORT = "silent", "notice", "page", "insufficient_history"
# A shift is the new level after so many active days: the baseline restarts there.
ACCEPT_DAYS = 10
SEASON_DAYS, SEASON_MIN_DAYS = 14, 2


# -- arithmetic --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Baseline:
    """Median, floored spread and mean of an active-day history."""

    median: float
    spread: float
    mean: float

    def z(self, value: float) -> float:
        """Robust z of a value; infinite above a history without any spread."""
        excess = value - self.median
        return excess / self.spread if self.spread > 0 else 0.0 if excess == 0 else np.copysign(np.inf, excess)

    def ratio(self, value: float) -> float:
        """Value over the mean of the history."""
        return value / self.mean if self.mean > 0 else np.inf if value > 0 else 1.0


def baseline(history: ArrayLike, relative_floor: float = 0.25, absolute_floor: float = 0.0) -> Baseline:
    """Baseline of a history; the spread is at least `relative_floor` x median. Raises ValueError without history."""
    x = np.asarray(history, dtype=float)
    return Baseline(float(np.median(x)), floored_spread(x, relative_floor, absolute_floor), float(x.mean()))


def share_z(hits_now: float, n_now: float, hits_before: float, n_before: float, phi: float = 1.0) -> float:
    """z of two shares with overdispersion: `(p1 - p0) / sqrt(phi p (1 - p) (1/n1 + 1/n0))`, p pooled; 0 if equal."""
    p = (hits_now + hits_before) / (n_now + n_before)
    variance = phi * p * (1 - p) * (1 / n_now + 1 / n_before)
    return float((hits_now / n_now - hits_before / n_before) / np.sqrt(variance)) if variance > 0 else 0.0


def share_overdispersion(hits: ArrayLike, n: ArrayLike) -> float:
    """phi over a history of shares: mean of `(x - n p)^2 / (n p (1 - p))`, at least 1. 10 to 50 is usual."""
    x, count = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    x, count = x[count > 0], count[count > 0]
    if len(count) == 0:
        return 1.0
    p = x.sum() / count.sum()
    return max(1.0, float(((x - count * p) ** 2 / (count * p * (1 - p))).mean())) if 0 < p < 1 else 1.0


def input_cost_share(hit: float, read_multiplier: float) -> float:
    """Cost of input as a share of list price at this cache-hit rate; reads cost `read_multiplier` of an input token."""
    return 1 - hit + hit * read_multiplier


def cache_fall_multiple(hit_before: float, hit_after: float, read_multiplier: float) -> float:
    """What a change of the hit rate multiplies the input cost with."""
    return input_cost_share(hit_after, read_multiplier) / input_cost_share(hit_before, read_multiplier)


def cache_fall_cost(
    input_tokens: float, hit_before: float, hit_after: float, price_input: float, price_read: float
) -> float:
    """USD of a fall: `tokens x (hit0 - hit1) x (P_in - P_read)`, prices per 1,000,000 tokens; negative for a rise."""
    return input_tokens * (hit_before - hit_after) * (price_input - price_read) / 1e6


def theil_sen(values: ArrayLike) -> float:
    """Median slope per step over all pairs of a sequence (tokens per call along a session); 0 for fewer than two."""
    y = np.asarray(values, dtype=float)
    i, j = np.triu_indices(len(y), 1)
    return float(np.median((y[j] - y[i]) / (j - i))) if len(i) else 0.0


def seasonal_z(hours: ArrayLike, relative_floor: float = 0.05) -> Array:
    """Two-sided z of each hour against the median of the same hour over the last 14 days, one spread from all.

    `hours` starts at hour 0 of a day and may hold NaN (no data). NaN where fewer than two earlier days or no earlier
    residuals are known. The spread is at least `relative_floor` x |median|. Looks back only.
    """
    x = np.asarray(hours, dtype=float)
    days = -(-len(x) // 24)
    grid = np.full((SEASON_DAYS + days) * 24, np.nan)
    grid[SEASON_DAYS * 24 : SEASON_DAYS * 24 + len(x)] = x
    windows = sliding_window_view(grid.reshape(-1, 24), SEASON_DAYS, axis=0)[:-1]
    known = (~np.isnan(windows)).sum(axis=2)
    centre = np.where(known >= SEASON_MIN_DAYS, _nanmedian(windows, 2), np.nan).ravel()[: len(x)]
    residual = x - centre
    padded = np.concatenate([np.full(SEASON_DAYS * 24, np.nan), residual])
    earlier = sliding_window_view(padded, SEASON_DAYS * 24)[:-1]
    middle = _nanmedian(earlier, 1)
    spread = MAD_SCALE * _nanmedian(np.abs(earlier - middle[:, None]), 1)
    spread = np.maximum(spread, relative_floor * np.abs(centre))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, residual / spread, np.where(residual == 0, 0.0, np.sign(residual) * np.inf))


def _nanmedian(values: NDArray[np.float64], axis: int) -> Array:
    """Median that is NaN, without a warning, where nothing is known."""
    ordered = np.sort(values, axis=axis)
    count = (~np.isnan(ordered)).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.maximum(count // 2, 0).clip(max=values.shape[axis] - 1), axis=axis)
    return np.where(count > 0, (low + high) / 2, np.nan).squeeze(axis)


# -- panels ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """Scopes (sorted) over one calendar; `measures` are (scopes, days), 0 or NaN where a day has no row."""

    scope_type: str
    scopes: tuple[str, ...]
    parents: tuple[str, ...]
    days: tuple[date, ...]
    measures: dict[str, Array]


def panel_of(frame: pl.DataFrame, as_of: date, measures: Sequence[str], missing: float = 0.0) -> Panel | None:
    """Panel of the days before `as_of`; None without rows. `frame`: scope_type, scope, day, optional parent, measures.

    Raises DecisionError for a missing column, two rows for a scope's day, or several scope types in one frame.
    """
    require(frame, ("scope_type", "scope", "day", *measures), "signal")
    rows = frame.filter(pl.col("day").cast(pl.Date) < as_of)
    if rows.is_empty():
        return None
    if rows["scope_type"].n_unique() > 1:
        raise DecisionError("signals: one scope type per frame")
    for row in rows.filter(pl.struct("scope", "day").is_duplicated()).head(1).iter_rows(named=True):
        raise DecisionError(f"signals: two rows of {row['scope']!r} on {row['day']}")
    parent = pl.col("parent") if "parent" in rows.columns else pl.lit("")
    rows = rows.with_columns(parent.cast(pl.String).fill_null("").alias("parent"), pl.col("day").cast(pl.Date))
    names = rows.sort("day").group_by("scope").agg(pl.col("parent").last()).sort("scope").with_row_index("s")
    first = rows["day"].min()
    assert isinstance(first, date)
    count = (as_of - first).days
    at = rows.join(names.select("scope", "s"), on="scope").with_columns(
        (pl.col("day") - first).dt.total_days().alias("t")
    )
    grids = {}
    for name in measures:
        grid = np.full((names.height, count), missing)
        grid[at["s"].to_numpy(), at["t"].to_numpy()] = at[name].cast(pl.Float64).fill_null(missing).to_numpy()
        grids[name] = grid
    days = tuple(first + timedelta(days=i) for i in range(count))
    return Panel(str(rows["scope_type"][0]), tuple(names["scope"]), tuple(names["parent"]), days, grids)


def _recent(values: Array, t: int, usable: NDArray[np.bool_], config: SignalConfig) -> Array:
    """Active-day history before day t, NaN elsewhere: the last 28 usable values > 0 within the last 56 days."""
    first = max(0, t - config.lookback)
    window, kept = values[:, first:t], usable[:, first:t] & (values[:, first:t] > 0)
    rank = np.cumsum(kept[:, ::-1], axis=1)[:, ::-1]
    return np.where(kept & (rank <= config.history), window, np.nan)


def _stats(history: Array, relative: float, absolute: float = 0.0) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Median, floored spread, mean and count per row of a history with NaN."""
    count = (~np.isnan(history)).sum(axis=1)
    if history.shape[1] == 0:
        nothing = np.full(len(history), np.nan)
        return nothing, nothing, nothing, count
    median = _nanmedian(history, 1)
    spread = MAD_SCALE * _nanmedian(np.abs(history - median[:, None]), 1)
    spread = np.maximum(np.maximum(spread, relative * np.abs(median)), absolute)
    mean = np.where(count > 0, np.nansum(history, axis=1) / np.maximum(count, 1), np.nan)
    return median, spread, mean, count


def _frame(rows: list[dict[str, Any]], as_of: date, config: SignalConfig, run_id: str) -> pl.DataFrame:
    if not rows:
        return empty("signals")
    schema = SCHEMAS["signals"]
    audit = {"as_of": as_of, "run_id": run_id, "config_hash": config.hash()}
    frame = pl.DataFrame([dict.fromkeys(schema) | row | audit for row in rows], schema=schema, strict=False)
    floats = [name for name, kind in schema.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(floats).fill_nan(None)).sort("rule", "scope_type", "scope", "day")


def _row(panel: Panel, i: int | np.signedinteger[Any], t: int, rule: str, family: str, **values: Any) -> dict[str, Any]:
    return {
        "rule": rule, "family": family, "scope_type": panel.scope_type, "scope": panel.scopes[i], "day": panel.days[t],
    } | values  # fmt: skip


# -- rules -------------------------------------------------------------------------------------------------------------


def day_signals(
    frame: pl.DataFrame,
    as_of: date,
    *,
    rule: str = "A1",
    family: str = "spend",
    first_day: date | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """A1: a day against the scope's own active days (developer, workflow, session cost per day, any money per day).

    Notice: above 2 x the mean and not explained by chance over all scopes of the day (Benjamini-Hochberg). Page: also
    z >= 6 and an excess over max(5 USD, 1 % of the parent's median day). Fewer than seven active days: the pooled
    history of the parent, then of all, marked `cold_start`. Days that paged leave the history until ten in a row are
    the new level. `frame`: scope_type, scope, parent, day, value. Rows from `first_day` (default: all) are returned.
    """
    settings = config or SignalConfig()
    panel = panel_of(frame, as_of, ["value"])
    if panel is None:
        return empty("signals")
    x = panel.measures["value"]
    usable = np.ones(x.shape, dtype=bool)
    paging = np.zeros(len(x), dtype=np.int64)
    parents = np.array(panel.parents)
    floor = _floor(x, parents, settings)
    rows: list[dict[str, Any]] = []
    for t in range(x.shape[1]):
        history = _recent(x, t, usable, settings)
        median, spread, mean, count = _stats(history, settings.spread_floor)
        cold = count < settings.min_history
        if cold.any() and history.shape[1]:
            _borrow(history, parents, cold, settings, (median, spread, mean))
        value = x[:, t]
        active = value > 0
        known = active & ~np.isnan(median)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(known, (value - median) / spread, np.nan)
            ratio = np.where(known, value / mean, np.nan)
        notice = np.zeros(len(x), dtype=bool)
        if known.any():
            notice[known] = benjamini_hochberg(norm.sf(z[known]), settings.false_notice_rate)
        notice &= ratio > settings.notice_ratio
        page = notice & (z >= settings.page_z) & (value - median >= floor[:, t])
        # A shift that lasts is the new level: its days come back, what was before it goes.
        paging = np.where(page, paging + 1, np.where(active, 0, paging))
        usable[page, t] = False
        for i in np.flatnonzero(paging >= ACCEPT_DAYS).tolist():
            shift = np.flatnonzero(~usable[i])
            usable[i, : shift[-ACCEPT_DAYS]] = False
            usable[i, shift[-ACCEPT_DAYS] :] = True
            paging[i] = 0
        if first_day is not None and panel.days[t] < first_day:
            continue
        for i in np.flatnonzero(active).tolist():
            state = PAGE if page[i] else NOTICE if notice[i] else SILENT if known[i] else SHORT
            rows.append(
                _row(
                    panel, i, t, rule, family, value=value[i], baseline=median[i], spread=spread[i], robust_z=z[i],
                    ratio=ratio[i], excess=value[i] - median[i], floor=floor[i, t], history=int(count[i]), state=state,
                    reason="cold_start" if cold[i] else None,
                )
            )  # fmt: skip
    return _frame(rows, as_of, settings, run_id)


def _floor(x: Array, parents: NDArray[np.str_], config: SignalConfig) -> Array:
    """Smallest excess that may page, per scope and day: max(floor, 1 % of the parent's median active day before)."""
    out = np.full(x.shape, config.floor)
    for parent in np.unique(parents):
        member = parents == parent
        whole = x[member].sum(axis=0)
        padded = np.concatenate([np.full(config.lookback, np.nan), np.where(whole > 0, whole, np.nan)])
        median = _nanmedian(sliding_window_view(padded, config.lookback)[: len(whole)], 1)
        out[member] = np.maximum(config.floor, np.nan_to_num(config.floor_share * median))
    return out


def _borrow(
    history: Array,
    parents: NDArray[np.str_],
    cold: NDArray[np.bool_],
    config: SignalConfig,
    stats: tuple[Array, Array, Array],
) -> None:
    """Baseline of scopes without history, in place: pooled days of the same parent, else of all, else unknown."""
    for parent in np.unique(parents[cold]):
        mine = cold & (parents == parent)
        for group in (parents == parent, np.ones(len(parents), dtype=bool)):
            pooled = history[group & ~cold]
            pooled = pooled[~np.isnan(pooled)]
            if len(pooled) >= config.min_history:
                found = baseline(pooled, config.spread_floor)
                for target, value in zip(stats, (found.median, found.spread, found.mean), strict=True):
                    target[mine] = value
                break
        else:
            for target in stats:
                target[mine] = np.nan


def trend_signals(
    frame: pl.DataFrame,
    as_of: date,
    *,
    rule: str = "A2",
    family: str = "spend",
    recent: int = 7,
    base: int = 28,
    first_day: date | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """A2: the last `recent` days against the `base` days before, at equal length (7 against 28, or 28 against 28).

    z is the log ratio over the MAD of the last eight weekly log changes (floor 0.15). Notice: ratio >= 1.3 and z >= 2;
    page: ratio >= 2, z >= 4 and a material excess.
    """
    settings = config or SignalConfig()
    panel = panel_of(frame, as_of, ["value"])
    if panel is None:
        return empty("signals")
    x = panel.measures["value"]
    sums = np.pad(np.cumsum(x, axis=1), ((0, 0), (1, 0)))

    def total(end: int, length: int) -> Array:
        return sums[:, end] - sums[:, end - length]

    floor = _floor(x, np.array(panel.parents), settings)
    rows: list[dict[str, Any]] = []
    for t in range(recent + base - 1, x.shape[1]):
        if first_day is not None and panel.days[t] < first_day:
            continue
        now, before = total(t + 1, recent), total(t + 1 - recent, base) * recent / base
        weeks = [total(t + 1 - recent - 7 * k, 7) for k in range(9) if t + 1 - recent - 7 * (k + 1) >= 0]
        logs = np.log(np.maximum(np.array(weeks), 1e-12))
        changes = np.where(np.array(weeks)[:-1] * np.array(weeks)[1:] > 0, logs[:-1] - logs[1:], np.nan)
        for i in np.flatnonzero((now > 0) & (before > 0)):
            own = changes[:, i][~np.isnan(changes[:, i])]
            spread = floored_spread(own, absolute=settings.week_log_floor) if len(own) else settings.week_log_floor
            ratio = float(now[i] / before[i])
            z = float(np.log(ratio)) / spread
            excess = float(now[i] - before[i])
            state = SHORT if len(own) < 3 else SILENT
            if state == SILENT and ratio >= settings.week_notice[0] and z >= settings.week_notice[1]:
                state = NOTICE
            if (
                state == NOTICE
                and ratio >= settings.week_page[0]
                and z >= settings.week_page[1]
                and excess >= recent * floor[i, t]
            ):
                state = PAGE
            rows.append(
                _row(
                    panel, i, t, rule, family, value=now[i], baseline=before[i], spread=spread, robust_z=z, ratio=ratio,
                    excess=excess, floor=recent * floor[i, t], history=len(own), state=state,
                )
            )  # fmt: skip
    return _frame(rows, as_of, settings, run_id)


@dataclass(frozen=True)
class ShareRule:
    """A rise of a share: points that notice, points and money ratio that page. `limit` notices by itself."""

    rule: str
    family: str
    points: float
    page_ratio: float | None = None
    limit: float | None = None


PREMIUM_MIX = ShareRule("A3", "mix", 0.10, page_ratio=1.5)
ESCALATION = ShareRule("A9", "mix", 0.05, page_ratio=1.2)


def share_signals(
    frame: pl.DataFrame,
    as_of: date,
    rule: ShareRule,
    *,
    first_day: date | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """A3, A9: a share over the last 7 days against the 28 before, overdispersed (calls cluster in sessions).

    Notice: the share is above `limit`, or up by `points` with z >= 4. Page: also the cost at the new mix over that at
    the old one (`cost_now` / `cost_before`, given by the ledger) at least `page_ratio` and the excess material.
    `frame`: scope_type, scope, parent, day, hits, n, optional cost_now, cost_before (both of the day).
    """
    settings = config or SignalConfig()
    money = [c for c in ("cost_now", "cost_before") if c in frame.columns]
    panel = panel_of(frame, as_of, ["hits", "n", *money])
    if panel is None:
        return empty("signals")
    hits, n = panel.measures["hits"], panel.measures["n"]
    rows: list[dict[str, Any]] = []
    for t in range(13, hits.shape[1]):
        if first_day is not None and panel.days[t] < first_day:
            continue
        now, before = slice(t - 6, t + 1), slice(max(0, t - 34), t - 6)
        for i in np.flatnonzero((n[:, now].sum(axis=1) > 0) & (n[:, before].sum(axis=1) > 0)):
            n1, n0 = float(n[i, now].sum()), float(n[i, before].sum())
            x1, x0 = float(hits[i, now].sum()), float(hits[i, before].sum())
            phi = share_overdispersion(hits[i, before], n[i, before])
            z, rise = share_z(x1, n1, x0, n0, phi), x1 / n1 - x0 / n0
            jumped = rise >= rule.points - 1e-12 and z >= settings.share_z
            state = NOTICE if jumped or (rule.limit is not None and x1 / n1 > rule.limit) else SILENT
            excess = ratio = None
            if len(money) == 2:
                new, old = (float(panel.measures[c][i, now].sum()) for c in money)
                excess, ratio = new - old, new / old if old > 0 else None
                dear = ratio is not None and rule.page_ratio is not None and ratio >= rule.page_ratio
                if state == NOTICE and jumped and dear and excess >= 7 * settings.floor:
                    state = PAGE
            rows.append(
                _row(
                    panel, i, t, rule.rule, rule.family, value=x1 / n1, baseline=x0 / n0,
                    spread=(rise / z if z else None),
                    robust_z=z, ratio=ratio, excess=excess, floor=7 * settings.floor,
                    history=int((n[i, before] > 0).sum()),
                    state=state, reason=f"phi {phi:.1f}",
                )
            )  # fmt: skip
    return _frame(rows, as_of, settings, run_id)


def cache_signals(
    frame: pl.DataFrame,
    as_of: date,
    *,
    first_day: date | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """A8: the cache-hit rate of a day against the active days before, on the logit (spread floor 0.10).

    Notice: down 10 points and z >= 4. Page: down 20 points and `tokens x fall x (P_in - P_read)` material.
    `frame`: scope_type, scope, parent, day, reads, input_tokens (uncached + reads + writes), price_input, price_read
    (per 1,000,000 tokens).
    """
    settings = config or SignalConfig()
    panel = panel_of(frame, as_of, ["reads", "input_tokens", "price_input", "price_read"])
    if panel is None:
        return empty("signals")
    tokens = panel.measures["input_tokens"]
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(tokens > 0, panel.measures["reads"] / np.where(tokens > 0, tokens, 1.0), np.nan)
    # Half a token in a thousand keeps the logit of 0 and 1 finite.
    bounded = np.clip(hit, 0.0005, 0.9995)
    logit = np.log(bounded / (1 - bounded))
    rows: list[dict[str, Any]] = []
    usable = ~np.isnan(hit)
    for t in range(tokens.shape[1]):
        first = max(0, t - settings.lookback)
        kept = usable[:, first:t]
        rank = np.cumsum(kept[:, ::-1], axis=1)[:, ::-1]
        kept = kept & (rank <= settings.history)
        past, shares = np.where(kept, logit[:, first:t], np.nan), np.where(kept, hit[:, first:t], np.nan)
        middle, spread, _, count = _stats(past, 0.0, settings.log_floor)
        usual = _nanmedian(shares, 1) if shares.shape[1] else np.full(len(hit), np.nan)
        for i in np.flatnonzero(~np.isnan(hit[:, t])):
            fall = float(usual[i] - hit[i, t])
            z = float((middle[i] - logit[i, t]) / spread[i])
            price_in, price_read = (float(panel.measures[c][i, t]) for c in ("price_input", "price_read"))
            excess = cache_fall_cost(float(tokens[i, t]), float(usual[i]), float(hit[i, t]), price_in, price_read)
            state = SHORT if count[i] < settings.min_history else SILENT
            if state == SILENT and fall >= 0.10 and z >= settings.share_z:
                state = PAGE if fall >= 0.20 and excess >= settings.floor else NOTICE
                usable[i, t] = state != PAGE
            if first_day is None or panel.days[t] >= first_day:
                rows.append(
                    _row(
                        panel, i, t, "A8", "cache", value=float(hit[i, t]), baseline=usual[i], spread=spread[i],
                        robust_z=z, excess=excess, floor=settings.floor, history=int(count[i]), state=state,
                    )
                )  # fmt: skip
    return _frame(rows, as_of, settings, run_id)


def drift_signals(
    frame: pl.DataFrame,
    as_of: date,
    *,
    rule: str = "A7",
    family: str = "context",
    page_effect: float = 0.30,
    first_day: date | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """A7b and other slow drifts of a ratio (tokens per call, retries per call, loops per task): one-sided CUSUM.

    Each day is standardised with the median and MAD (floor 0.10) of the 28 active days that end a week before it, so
    that a drift does not become its own baseline. Notice: the CUSUM alarms. Page: also the level is up by
    `page_effect`. After an alarm the sum starts again. `frame`: scope_type, scope, parent, day, value (the ratio).
    """
    settings = config or SignalConfig()
    panel = panel_of(frame, as_of, ["value"], missing=np.nan)
    if panel is None:
        return empty("signals")
    rows: list[dict[str, Any]] = []
    for i in range(len(panel.scopes)):
        x = panel.measures["value"][i]
        at = np.flatnonzero(~np.isnan(x) & (x > 0))
        logs = np.log(x[at])
        z, centre, spreads = (np.full(len(at), np.nan) for _ in range(3))
        for k in range(len(at)):
            past = logs[:k][at[:k] < at[k] - 6][-settings.history :]
            if len(past) >= settings.min_history:
                centre[k] = float(np.median(past))
                spreads[k] = floored_spread(past, absolute=settings.log_floor)
                z[k] = (logs[k] - centre[k]) / spreads[k]
        known = np.flatnonzero(~np.isnan(z))
        path, _ = cusum(z[known], settings.cusum_k, settings.cusum_h, reset=True)
        for k, s in zip(known.tolist(), path, strict=True):
            day = panel.days[at[k]]
            if first_day is not None and day < first_day:
                continue
            effect = float(np.exp(logs[k] - centre[k]) - 1)
            state = SILENT if s <= settings.cusum_h else PAGE if effect >= page_effect else NOTICE
            rows.append(
                _row(
                    panel, i, int(at[k]), rule, family, value=float(x[at[k]]), baseline=float(np.exp(centre[k])),
                    spread=float(spreads[k]), robust_z=float(z[k]), ratio=1 + effect,
                    history=int((at < at[k] - 6).sum()),
                    state=state, reason=f"cusum {s:.2f}",
                )
            )  # fmt: skip
    return _frame(rows, as_of, settings, run_id)


def step_ratio(values: ArrayLike, deployed: int, before: int = 7, after: int = 3) -> float | None:
    """A10: median of the days after a deploy marker over the median of the days before it; None with a side empty."""
    x = np.asarray(values, dtype=float)
    old, new = x[max(0, deployed - before) : deployed], x[deployed : deployed + after]
    if len(old) == 0 or len(new) == 0 or float(np.median(old)) <= 0:
        return None
    return float(np.median(new) / np.median(old))
