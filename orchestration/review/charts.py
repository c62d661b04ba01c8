"""Charts of the review page as static SVG text: drawn once, no script, no request, no identifier that could collide.

Amounts become floats here because a drawing has no cents; every exact number stands in a table beside its chart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import quoteattr

from orchestration.review.queries import TIERS, Review

ACCENT = "#1d4f76"
_INK = "#24303b"
_MUTED = "#66727d"
_RULE = "#dfe4e8"
_PROVIDER_COLOURS = ("#1d4f76", "#6a9bc3", "#b9cfe0", "#5f8f87", "#8b98a4", "#8c6d9f")
_OTHER_COLOUR = "#cfd6dc"
_TIER_COLOURS: Mapping[str, str] = {
    "call": "#1d4f76",
    "session": "#4c80ab",
    "person": "#8db3d1",
    "team": "#c3d7e6",
    "policy": "#d8c48f",
    "unattributed": "#c2726a",
}
_WIDTH = 900
_DAYS_DRAWN_AT_LEAST = 28
_PROVIDERS_DRAWN = len(_PROVIDER_COLOURS)


def daily_spend(review: Review) -> str | None:
    """Daily usage spend stacked by provider, with the daily forecast and its band to month end; None without spend."""
    if not review.daily:
        return None
    providers = _leading(review.daily, "provider", _PROVIDERS_DRAWN)
    spend = [
        {"day": _iso(row["charge_date"]), "provider": name, "cost": float(row["cost"]), "order": providers.index(name)}
        for row, name in ((r, r["provider"] if r["provider"] in providers else "other providers") for r in review.daily)
        if name in providers
    ]
    others: dict[str, float] = {}
    for row in review.daily:
        if row["provider"] not in providers:
            others[_iso(row["charge_date"])] = others.get(_iso(row["charge_date"]), 0.0) + float(row["cost"])
    names, colours = list(providers), list(_PROVIDER_COLOURS[: len(providers)])
    if others:
        names.append("other providers")
        colours.append(_OTHER_COLOUR)
        spend += [
            {"day": day, "provider": "other providers", "cost": cost, "order": len(providers)}
            for day, cost in others.items()
        ]

    last_day = max(row["charge_date"] for row in review.daily)
    band = forecast_band(review)
    last_drawn = max((date.fromisoformat(b["day"]) for b in band), default=last_day)
    first_drawn = min(min(r["charge_date"] for r in review.daily), last_day - timedelta(days=_DAYS_DRAWN_AT_LEAST - 1))
    import altair as alt

    x = alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(domain=[_iso(first_drawn), _iso(last_drawn + timedelta(days=1))], type="utc"),
        axis=alt.Axis(format="%-d %b", tickCount=10, grid=False, labelFlush=True),
    )
    y_axis = alt.Axis(format=",~f", tickCount=5, domain=False, ticks=False)
    y = alt.Y("cost:Q", title=f"{review.currency} a day", stack="zero", axis=y_axis)
    bar_width = max(2.0, min(12.0, (_WIDTH - 60) / ((last_drawn - first_drawn).days + 2) - 2))
    layers = [
        alt.Chart(alt.Data(values=spend))
        .mark_bar(size=bar_width, xOffset=bar_width / 2)
        .encode(
            x=x,
            y=y,
            order=alt.Order("order:Q"),
            color=alt.Color(
                "provider:N",
                title=None,
                sort=names,
                scale=alt.Scale(domain=names, range=colours),
                legend=alt.Legend(orient="top", symbolType="square", columns=4, labelLimit=220),
            ),
        )
    ]
    if band:
        data = alt.Data(values=band)
        if band[0]["low"] is not None:
            layers.append(
                alt.Chart(data)
                .mark_bar(size=bar_width, xOffset=bar_width / 2, color="#ecc98f")
                .encode(x=x, y=alt.Y("low:Q", axis=y_axis), y2="high:Q")
            )
        layers.append(
            alt.Chart(data)
            .mark_tick(size=bar_width, xOffset=bar_width / 2, thickness=2, color="#7a5200", orient="horizontal")
            .encode(x=x, y=alt.Y("point:Q", axis=y_axis))
        )
    chart = _dressed(alt.layer(*layers).properties(width=_WIDTH, height=280))
    label = f"Daily usage spend by provider in {review.currency}, {_iso(first_drawn)} to {_iso(last_day)}"
    return _svg(chart, label + (f", and the daily forecast to {band[-1]['day']}" if band else ""))


def forecast_band(review: Review) -> list[dict[str, Any]]:
    """Daily forecast with the month's 80 % interval spread over its days in proportion to the daily forecast.

    The interval is of the month's total: the band shows how far all days together may lie from the line, not the spread
    of one day.
    """
    days, total = review.forecast_days, review.month_end
    if not days or total is None or review.forecast_refusal() is not None:
        return []
    remaining = sum(float(d["point"]) for d in days)
    interval = review.interval()
    low = high = None
    if interval is not None and total["point"] is not None and remaining > 0:
        low = max(0.0, 1 - (float(total["point"]) - float(interval[0])) / remaining)
        high = 1 + (float(interval[1]) - float(total["point"])) / remaining
    return [
        {
            "day": _iso(d["target_date"]),
            "point": float(d["point"]),
            "low": None if low is None else float(d["point"]) * low,
            "high": None if high is None else float(d["point"]) * high,
        }
        for d in days
    ]


def coverage_by_month(review: Review, months: Sequence[date]) -> str | None:
    """Share of spend by fidelity tier, one bar a month, newest last; None when no month has positive spend."""
    rows = []
    for month in months:
        tiers = review.tiers_of(month)
        total = sum(tiers.values(), Decimal(0))
        if total <= 0 or min(tiers.values()) < 0:
            continue
        rows += [
            {"month": f"{month:%b %Y}", "tier": t, "share": float(v / total), "order": TIERS.index(t)}
            for t, v in tiers.items()
            if t in _TIER_COLOURS
        ]
    if not rows:
        return None
    labels = list(dict.fromkeys(str(r["month"]) for r in rows))
    import altair as alt

    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X(
                "share:Q",
                title=None,
                stack="zero",
                scale=alt.Scale(domain=[0, 1], nice=False),
                axis=alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False),
            ),
            y=alt.Y(
                "month:N",
                title=None,
                sort=labels,
                scale=alt.Scale(paddingInner=0.35, paddingOuter=0.2),
                axis=alt.Axis(domain=False, ticks=False, labelPadding=8, grid=False),
            ),
            order=alt.Order("order:Q"),
            color=alt.Color(
                "tier:N",
                title=None,
                scale=alt.Scale(domain=list(TIERS), range=[_TIER_COLOURS[t] for t in TIERS]),
                legend=alt.Legend(orient="top", symbolType="square"),
            ),
        )
    )
    target = (
        alt.Chart(alt.Data(values=[{"target": 0.95}]))
        .mark_rule(color=_INK, strokeDash=[3, 3], strokeWidth=1.2)
        .encode(x="target:Q")
    )
    chart = _dressed(alt.layer(bars, target).properties(width=_WIDTH - 20, height=34 * len(labels)))
    return _svg(chart, f"Share of spend by fidelity tier, {labels[0]} to {labels[-1]}; the dashed line marks 95 %")


def _leading(rows: Sequence[Mapping[str, Any]], name: str, limit: int) -> list[str]:
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row[name]] = totals.get(row[name], Decimal(0)) + row["cost"]
    return sorted(totals, key=lambda member: (-totals[member], member))[:limit]


def _iso(day: date) -> str:
    return day.isoformat()


def _dressed(chart: Any) -> Any:
    font = "Helvetica, Arial, Liberation Sans, sans-serif"
    return (
        chart.configure(font=font, aria=False, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_MUTED, titleColor=_MUTED, gridColor=_RULE, domainColor=_RULE, tickColor=_RULE,
            labelFontSize=13, titleFontSize=13, titleFontWeight="normal",
        )
        .configure_legend(labelColor=_INK, labelFontSize=13, symbolSize=110, offset=12, columnPadding=18)
    )


def _svg(chart: Any, label: str) -> str:
    """The chart as an `<svg>` element that fills its box and says in words what it shows."""
    import vl_convert

    text = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    text = text[text.index("<svg") :]
    # Every chart numbers its clip paths from 1; on one page the second would be cut by the first.
    prefix = re.sub(r"[^a-z]", "", label.lower())[:12]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    box = re.search(r'viewBox="([^"]+)"', text)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box.group(1) if box else "0 0 940 300"}" role="img" '
    return re.sub(r"^<svg[^>]*>", lambda _: f"{head}aria-label={quoteattr(label)}>", text)
