"""From candidates to incidents: one open incident per cause, with owner, severity and a route that is not noise.

Key: scope and rule family. A candidate within the cool-down of the last one joins its incident. Known changes suppress,
a team whose excess is one member's becomes a parent, the page budget sends the rest to the digest.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import polars as pl

from decisions.config import SignalConfig
from decisions.schemas import SCHEMAS, empty, require
from decisions.signals import NOTICE, PAGE

OPEN, CLOSED, WITHDRAWN, SUPPRESSED = "open", "closed", "withdrawn", "suppressed"
DIGEST, PARENT = "digest", "parent"
# A declared change explains an increase up to its multiplier and this much more.
CHANGE_ROOM = 0.20
# Normal quantile of a central 80 % interval.
_Z80 = 1.2815515655446004
_KEY = ["scope_type", "scope", "family"]


def fold(
    signals: pl.DataFrame,
    as_of: date,
    *,
    scopes: pl.DataFrame | None = None,
    changes: pl.DataFrame | None = None,
    previous: pl.DataFrame | None = None,
    config: SignalConfig | None = None,
    run_id: str = "",
) -> pl.DataFrame:
    """`incidents` from signals (states notice and page), in any order.

    `scopes`: scope_type, scope, parent_type, parent, owner. `changes`: scope_type, scope, family, first_day, last_day,
    multiplier (known changes; without a last day one goes on). `previous`: incidents of the last run; what is in it and is no longer found is kept as
    withdrawn. `excess_lo80` and `excess_hi80` (80 % interval of the excess by the spread of its baseline) are null where
    a rule has no spread. Suppressed candidates are incidents of their own with the reason, never sent.
    """
    settings = config or SignalConfig()
    require(signals, tuple(SCHEMAS["signals"])[:-3], "signals")
    rows = signals.filter(pl.col("state").is_in([NOTICE, PAGE]) & (pl.col("day") < as_of))
    rows = rows.with_columns(explained(rows, changes).alias("explained"))
    parts = [_group(rows.filter(pl.col("explained") == flag), as_of, settings, flag) for flag in (False, True)]
    table = pl.concat(parts)
    table = _with_owners(table, scopes)
    table = _with_parents(table)
    table = _routes(table, settings)
    table = _withdrawn(table, previous)
    audit = [pl.lit(as_of).alias("as_of"), pl.lit(run_id).alias("run_id"), pl.lit(settings.hash()).alias("config_hash")]
    table = table.with_columns(audit).select(SCHEMAS["incidents"].keys())
    return table.cast(SCHEMAS["incidents"]).sort("first_day", "incident_id")  # type: ignore[arg-type]


def explained(rows: pl.DataFrame, changes: pl.DataFrame | None) -> pl.Series:
    """Whether a known change of the same scope and family covers the day and the ratio."""
    if changes is None or changes.is_empty() or rows.is_empty():
        return pl.Series([False] * rows.height, dtype=pl.Boolean)
    require(changes, (*_KEY, "first_day", "last_day", "multiplier"), "changes")
    met = rows.with_row_index("i").join(changes.select(*_KEY, "first_day", "last_day", "multiplier"), on=_KEY)
    met = met.filter(
        (pl.col("day") >= pl.col("first_day"))
        & (pl.col("last_day").is_null() | (pl.col("day") <= pl.col("last_day")))
        & (pl.col("ratio").fill_null(float("inf")) <= pl.col("multiplier") * (1 + CHANGE_ROOM))
    )
    return rows.with_row_index("i").select(pl.col("i").is_in(met["i"].implode())).to_series()


def _group(rows: pl.DataFrame, as_of: date, config: SignalConfig, suppressed: bool) -> pl.DataFrame:
    """Candidates of one key, cut where the gap to the last one is longer than the cool-down."""
    gap = pl.col("day").diff().over(_KEY).dt.total_days().fill_null(0) > config.cooldown_days
    # Several rules of a family may fire on a day for the same money: the largest of them is the day's excess.
    z, money = pl.col("robust_z"), pl.col("excess")
    # Excess over z is the baseline's spread in money, whatever the scale the rule judges on.
    half = pl.when((money > 0) & (z > 0) & z.is_finite()).then(_Z80 * money / z)
    daily = rows.with_columns(half.alias("half")).group_by(*_KEY, "day").agg(
        pl.col("rule").unique().sort(),
        (pl.col("state") == PAGE).any().alias("paged"),
        pl.col("robust_z").max(),
        pl.col("excess").max(),
        pl.col("half").sort_by("excess", "half", descending=True, nulls_last=True).first(),
    )
    grouped = (
        daily.sort(*_KEY, "day")
        .with_columns(gap.cast(pl.Int64).cum_sum().over(_KEY).alias("run"))
        .group_by(*_KEY, "run")
        .agg(
            pl.col("rule").explode().unique().sort().alias("rules"),
            pl.col("day").min().alias("first_day"),
            pl.col("day").max().alias("last_day"),
            pl.col("paged").any(),
            pl.col("robust_z").max().alias("peak_z"),
            pl.col("excess").fill_null(0.0).clip(lower_bound=0.0).sum(),
            # Days share a baseline and windows overlap: their errors add, which is the widest they can do.
            pl.when(((pl.col("excess") > 0) & pl.col("half").is_null()).any() | ~(pl.col("excess") > 0).any())
            .then(None)
            .otherwise(pl.col("half").sum())
            .alias("half"),
            pl.len().cast(pl.Int64).alias("days"),
        )
        .with_columns(
            (pl.col("excess") - pl.col("half")).clip(lower_bound=0.0).alias("excess_lo80"),
            (pl.col("excess") + pl.col("half")).alias("excess_hi80"),
        )
        .drop("half")
    )
    still = pl.col("last_day") >= as_of - timedelta(days=config.closing_periods)
    live = pl.when(still).then(pl.lit(OPEN)).otherwise(pl.lit(CLOSED))
    state = pl.lit(SUPPRESSED) if suppressed else live
    grouped = grouped.with_columns(
        pl.col("rules").list.join(", "),
        pl.col("first_day").alias("detected_day"),
        pl.when(pl.col("paged")).then(pl.lit(PAGE)).otherwise(pl.lit(NOTICE)).alias("severity"),
        state.alias("state"),
        pl.lit("known change" if suppressed else None, pl.String).alias("reason"),
    )
    ids = [_identity(r, suppressed) for r in grouped.select(*_KEY, "first_day").iter_rows()]
    return grouped.with_columns(pl.Series("incident_id", ids, dtype=pl.String)).drop("run", "paged")


def _identity(key: tuple[Any, ...], suppressed: bool) -> str:
    """Stable id of (scope, family, first day): the same in every run that finds the incident."""
    return hashlib.sha256("\x1f".join(map(str, (*key, suppressed))).encode()).hexdigest()[:16]


def _with_owners(table: pl.DataFrame, scopes: pl.DataFrame | None) -> pl.DataFrame:
    columns = ["scope_type", "scope", "parent_type", "parent", "owner"]
    known = (
        pl.DataFrame(schema=dict.fromkeys(columns, pl.String)) if scopes is None else require(scopes, columns, "scopes")
    )
    known = known.select(pl.col(c).cast(pl.String) for c in columns).unique(["scope_type", "scope"], keep="first")
    return table.join(known, on=["scope_type", "scope"], how="left")


def _with_parents(table: pl.DataFrame) -> pl.DataFrame:
    """A parent's incident whose excess is mostly one member's own is marked and points are set on the member."""
    live = table.filter(pl.col("state") != SUPPRESSED)
    up = live.select(
        pl.col("scope_type").alias("parent_type"), pl.col("scope").alias("parent"), "family",
        pl.col("incident_id").alias("parent_id"), pl.col("first_day").alias("up_first"),
        pl.col("last_day").alias("up_last"),
        pl.col("excess").alias("up_excess"),
    )  # fmt: skip
    met = live.join(up, on=["parent_type", "parent", "family"], how="inner").filter(
        (pl.col("first_day") <= pl.col("up_last")) & (pl.col("last_day") >= pl.col("up_first"))
    )
    met = met.filter(pl.col("up_excess") > 0, pl.col("excess") >= 0.6 * pl.col("up_excess"))
    met = met.sort("excess", "incident_id", descending=[True, False]).unique(
        "incident_id", keep="first", maintain_order=True
    )
    return table.join(met.select("incident_id", "parent_id"), on="incident_id", how="left")


def _routes(table: pl.DataFrame, config: SignalConfig) -> pl.DataFrame:
    """Page, digest or nothing: one page per scope and month, five open pages per parent, largest excess first."""
    parents = table["parent_id"].drop_nulls().unique()
    is_parent = pl.col("incident_id").is_in(parents.implode())
    wanted = (pl.col("severity") == PAGE) & (pl.col("state") != SUPPRESSED) & ~is_parent
    ordered = table.sort("excess", "incident_id", descending=[True, False]).with_columns(wanted.alias("wanted"))
    month = pl.col("first_day").dt.truncate("1mo")
    group = pl.coalesce("parent", "scope")
    rank_month = pl.col("wanted").cast(pl.Int64).cum_sum().over("scope_type", "scope", month)
    open_page = pl.col("wanted") & (rank_month <= 1) & (pl.col("state") == OPEN)
    rank_team = open_page.cast(pl.Int64).cum_sum().over(group)
    within = (rank_month <= 1) & ((pl.col("state") != OPEN) | (rank_team <= config.pages_per_team))
    sent = (
        pl.when(is_parent)
        .then(pl.lit(PARENT))
        .when(pl.col("wanted") & within)
        .then(pl.lit(PAGE))
        .otherwise(pl.lit(DIGEST))
    )
    route = pl.when(pl.col("state") == SUPPRESSED).then(pl.lit("none")).otherwise(sent)
    return ordered.with_columns(route.alias("route")).drop("wanted", "parent", "parent_type")


def _withdrawn(table: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    """Incidents of the last run that the re-evaluated days no longer show, kept as withdrawn."""
    if previous is None or previous.is_empty():
        return table
    gone = previous.join(table.select("incident_id"), on="incident_id", how="anti").with_columns(
        pl.lit(WITHDRAWN).alias("state"), pl.lit("none").alias("route"), pl.lit("no longer found").alias("reason")
    )
    columns = [c for c in SCHEMAS["incidents"] if c not in ("as_of", "run_id", "config_hash")]
    schema = {c: SCHEMAS["incidents"][c] for c in columns}
    return pl.concat([table.select(columns).cast(schema), gone.select(columns).cast(schema)])  # type: ignore[arg-type]


def none_yet() -> pl.DataFrame:
    """A typed frame without incidents, for a first run."""
    return empty("incidents")
