"""Automatic models of statsforecast on the same series and origins; run by `benchmarks.forecasts` in an environment of its own.

`python peers.py IN.parquet OUT.parquet SECONDS.json MODEL ...`: IN holds unique_id, ds, y; IN-origins.parquet the pairs
(series_key, as_of) to forecast from, each with the days up to as_of alone.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from statsforecast.models import ADIDA, IMAPA, AutoARIMA, AutoCES, AutoETS, AutoTheta

MODELS = {
    "AutoETS": lambda: AutoETS(season_length=7),
    "AutoTheta": lambda: AutoTheta(season_length=7),
    "AutoCES": lambda: AutoCES(season_length=7),
    "AutoARIMA": lambda: AutoARIMA(season_length=7, approximation=True),
    "IMAPA": IMAPA,
    "ADIDA": ADIDA,
}
SHORTEST = 15
"""Days since the first spend under which a peer forecasts the last week again, as seasonal naive does."""


def main() -> None:
    """Point forecasts of 31 days ahead, floored at 0, per series, origin and model; seconds per model, without the first fit."""
    source, target, timing, *names = sys.argv[1:]
    warnings.filterwarnings("ignore")
    frame = pl.read_parquet(source).sort("unique_id", "ds")
    origins = pl.read_parquet(source.replace(".parquet", "-origins.parquet"))
    values = {key[0]: (part["ds"].to_numpy(), part["y"].to_numpy()) for key, part in frame.group_by("unique_id", maintain_order=True)}
    rows, seconds = [], {}
    for name in names:
        MODELS[name]().forecast(y=np.abs(np.sin(np.arange(100.0))) * 5 + 1, h=31)  # compiled before it is timed
        begin = time.perf_counter()
        for key, origin in origins.iter_rows():
            days, y = values[key]
            past = y[days <= np.datetime64(origin)]
            first = int(np.argmax(past > 0)) if (past > 0).any() else 0
            if len(past) - first < SHORTEST:  # too short for the library's estimators
                found = np.resize(past[-7:], 31)
            else:
                found = MODELS[name]().forecast(y=past[first:], h=31)["mean"]
            rows.append((key, origin, name, np.clip(np.nan_to_num(found), 0, 10 * past.max() + 1e-9).tolist()))
        seconds[name] = time.perf_counter() - begin
    pl.DataFrame(rows, schema=["series_key", "as_of", "method", "path"], orient="row").write_parquet(target)
    Path(timing).write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
