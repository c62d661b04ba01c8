"""How good are the signals? Precision, recall, F1 and delay against labelled windows or injected faults.

Alerts of one series within 24 hours of an incident's first one are that incident. It is true when one of its alerts
lies inside a labelled window; a window is detected when an alert lies inside it. Windows include both ends.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from decisions.schemas import SCHEMAS, require

HOLD = timedelta(hours=24)


def precision_recall_f1(faults: int, detected: int, alerts: int, true_alerts: int) -> tuple[float | None, float | None, float | None]:
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
    labelled = {
        k[0]: sorted(f.select("window_start", "window_end").iter_rows()) for k, f in windows.group_by("series")
    }
    rows, delays = [], []
    for name in names:
        mine, spans = at.get(name, []), labelled.get(name, [])
        opened: list[list] = []
        for moment in mine:
            if not opened or moment - opened[-1][0] >= hold:
                opened.append([moment])
            else:
                opened[-1].append(moment)
        inside = [any(a <= m <= b for m in found for a, b in spans) for found in opened]
        first = [next((m for m in mine if a <= m <= b), None) for a, b in spans]
        late = [(m - a) / timedelta(hours=1) for m, (a, _) in zip(first, spans, strict=True) if m is not None]
        delays += late
        rows.append((name, len(opened), sum(inside), len(spans), len(late), late))
    whole = ("", *(sum(r[k] for r in rows) for k in range(1, 5)), delays)
    return pl.DataFrame([_line(*row) for row in [*rows, whole]], schema=SCHEMAS["detection"])


def _line(scope: str, incidents: int, true: int, windows: int, detected: int, late: list[float]) -> dict:
    precision, recall, f1 = precision_recall_f1(windows, detected, incidents, true)
    return {
        "scope": scope, "incidents": incidents, "true_incidents": true, "windows": windows, "detected": detected,
        "precision": precision, "recall": recall, "f1": f1, "median_delay_hours": float(np.median(late)) if late else None,
    }  # fmt: skip
