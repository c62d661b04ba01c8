"""The real sample bills and the specification's examples as raw rows, read by the connector for dropped files."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingestion.catalog import BY_KEY
from ingestion.files.billing import LAYOUTS, read_file

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"
BILLS = {
    "focus_1_0_aws_azure_oracle.csv.gz": "files__focus",
    "aws_cur_legacy_csv.csv.gz": "files__aws_cur",
    "oci_cost_report.csv.gz": "files__oci_cost",
    "azure_ea_export.csv.gz": "files__azure_ea",
    "azure_ea_actual_small.csv.gz": "files__azure_ea",
    "azure_ea_amortized_small.csv.gz": "files__azure_ea",
}


def landed(*names: str) -> dict[str, list[dict[str, Any]]]:
    """Raw relation to rows of the named sample files, each file a window of its own."""
    frames: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        key = BILLS[name]
        batch = read_file(LAYOUTS[key], name, (SAMPLES / name).read_bytes())
        assert not batch.rejects
        rows = batch.records.to_dicts()
        frames.setdefault(key, []).extend({"raw_window": name, **row} for row in rows)
    return frames


def spec_examples(*names: str) -> list[dict[str, Any]]:
    """Rows of the named examples of the specification as landed text for `files__focus`, each file a window of its own.

    The correction example names no currency: it is in USD here. It writes `(null)` for null.
    """
    columns = BY_KEY["files__focus"].columns
    rows: list[dict[str, Any]] = []
    for name in names:
        with (SAMPLES.parent / "spec_examples" / name).open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file):
                known = {c: v.strip() or None for c, v in line.items() if c in columns and v != "(null)"}
                known.setdefault("BillingCurrency", "USD")
                extra = {c: v for c, v in line.items() if c not in columns and v}
                rows.append({"raw_window": name, "focus_version_in": "1.2", "x_extra": json.dumps(extra), **known})
    return rows


def money(rows: list[dict[str, Any]], column: str, **where: str) -> Decimal:
    """Exact sum of a delivered money column; an empty cost counts as 0."""
    chosen = (r for r in rows if all(r[c] == v for c, v in where.items()))
    return sum((Decimal(r[column] or "0") for r in chosen), Decimal(0))
