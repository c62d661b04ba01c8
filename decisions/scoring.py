"""How good are the signals? Precision, recall, F1 and delay against labelled windows or injected faults.

An alert within 24 hours (the cool-down of hourly rules) of an incident's last one joins that incident. It is
true when one of its alerts lies inside a labelled window; a window is detected when an alert lies inside it.
Windows include both ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from decisions.schemas import SCHEMAS, require

HOLD = timedelta(hours=24)


def precision_recall_f1(
    faults: int, detected: int, alerts: int, true_alerts: int
) -> tuple[float | None, float | None, float | None]:
    """(precision, recall, F1); None where there is nothing to divide by."""
    precision = true_alerts / alerts if alerts else None
    recall = detected / faults if faults else None
    if precision is None or recall is None:
        return precision, recall, None
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def score(
    alerts: pl.DataFrame, windows: pl.DataFrame, *, series: pl.Series | None = None, hold: timedelta = HOLD
) -> pl.DataFrame:
    """`detection`: one row per series and one for all (scope ``).

    `alerts`: series, at. `windows`: series, window_start, window_end. `series` names every series looked at, so that
    quiet ones without a window count too.
    """
    require(alerts, ("series", "at"), "alerts")
    require(windows, ("series", "window_start", "window_end"), "windows")
    names = sorted({*alerts["series"], *windows["series"], *([] if series is None else series)})
    at = {k[0]: sorted(f["at"]) for k, f in alerts.group_by("series")}
    labelled = {k[0]: sorted(f.select("window_start", "window_end").iter_rows()) for k, f in windows.group_by("series")}
    rows: list[tuple[str, int, int, int, list[float]]] = []
    for name in names:
        mine, spans = at.get(name, []), labelled.get(name, [])
        opened: list[list[datetime]] = []
        for moment in mine:
            if not opened or moment - opened[-1][-1] > hold:
                opened.append([moment])
            else:
                opened[-1].append(moment)
        inside = [any(a <= m <= b for m in found for a, b in spans) for found in opened]
        first = [next((m for m in mine if a <= m <= b), None) for a, b in spans]
        late = [(m - a) / timedelta(hours=1) for m, (a, _) in zip(first, spans, strict=True) if m is not None]
        rows.append((name, len(opened), sum(inside), len(spans), late))
    whole = (
        "", sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows), [h for r in rows for h in r[4]]
    )  # fmt: skip
    return pl.DataFrame([_line(*row) for row in [*rows, whole]], schema=SCHEMAS["detection"])


def _line(scope: str, incidents: int, true: int, windows: int, late: list[float]) -> dict[str, Any]:
    detected = len(late)
    precision, recall, f1 = precision_recall_f1(windows, detected, incidents, true)
    return {
        "scope": scope, "incidents": incidents, "true_incidents": true, "windows": windows, "detected": detected,
        "precision": precision, "recall": recall, "f1": f1,
        "median_delay_hours": float(np.median(late)) if late else None,
    }  # fmt: skip
