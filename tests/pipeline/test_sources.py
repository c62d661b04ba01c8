"""Every source end to end, against the truth: what a vendor really billed is in FOCUS and in the ledger to the digit."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from sandbox.exports import EXPORTS
from sandbox.vendors import VENDORS
from tests.pipeline.conftest import Home

BILLED = sorted(name for name, module in (VENDORS | EXPORTS).items() if hasattr(module, "truth"))


@pytest.fixture(scope="module")
def truth(built: Home) -> pl.DataFrame:
    """Day, source, account, currency and team with the exact amounts, up to the last day the run could see."""
    paths = sorted(built.path.parent.glob("**/truth/vendor_days.parquet"))
    frame = pl.read_parquet(paths[0])
    last = built.settings().last_complete_day
    return frame.filter(pl.col("day") <= last)


def test_every_source_with_money_has_a_truth(truth: pl.DataFrame) -> None:
    assert set(truth["source"]) >= {
        "cursor", "copilot", "openrouter", "xai", "mistral", "huggingface", "azure", "gcp", "aws",
    }  # fmt: skip


def test_what_was_billed_is_in_focus_and_in_the_ledger(built: Home, truth: pl.DataFrame) -> None:
    wanted: dict[tuple[str, str, str], Decimal] = {}
    for source, account, currency, billed in truth.select("source", "account", "currency", "billed").iter_rows():
        key = (source, account, currency)
        wanted[key] = wanted.get(key, Decimal(0)) + Decimal(billed)
    accounts = ", ".join(f"('{s}', '{a}', '{c}')" for s, a, c in wanted)
    focus = built.query(
        "select x_SourceId, x_Account, BillingCurrency, sum(BilledCost) from focus.cost_and_usage"
        f" where (x_SourceId, x_Account, BillingCurrency) in ({accounts}) group by all"
    )
    ledger = built.query(
        "select x_SourceId, x_Account, BillingCurrency, sum(BilledCost) from ledger.attribution"
        f" where (x_SourceId, x_Account, BillingCurrency) in ({accounts}) group by all"
    )
    assert {(s, a, c): v for s, a, c, v in focus} == {k: v for k, v in wanted.items() if v}
    assert {(s, a, c): v for s, a, c, v in ledger} == {k: v for k, v in wanted.items() if v}
