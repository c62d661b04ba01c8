"""Every source end to end, against the truth: what a vendor really billed is in FOCUS and in the ledger to the digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from sandbox.server import serving
from tests.pipeline.conftest import DAYS, SCALE, Home


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The sandbox with every vendor and export there is: its folder and the variables that point at it."""
    state = tmp_path_factory.mktemp("whole")
    with serving(state, days=DAYS, scale=SCALE) as (sandbox, port):
        yield state, sandbox.environment(port)


@pytest.fixture(scope="module")
def everything(company: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after one run with every source on."""
    home = Home(tmp_path_factory.mktemp("everything") / "home", company[1])
    assert home.run(), (home.failed, home.failures)
    return home


@pytest.fixture(scope="module")
def truth(everything: Home, company: tuple[Path, dict[str, str]]) -> pl.DataFrame:
    """Day, source, account, currency and team with the exact amounts, up to the last day the run could see."""
    frame = pl.read_parquet(company[0] / "truth" / "vendor_days.parquet")
    return frame.filter(pl.col("day") <= everything.settings().last_complete_day)


def test_every_source_with_money_has_a_truth(truth: pl.DataFrame) -> None:
    assert set(truth["source"]) >= {
        "cursor", "copilot", "openrouter", "xai", "mistral", "huggingface", "azure", "gcp", "aws", "files",
    }  # fmt: skip


def test_what_was_billed_is_in_focus_and_in_the_ledger(everything: Home, truth: pl.DataFrame) -> None:
    wanted: dict[tuple[str, str, str], Decimal] = {}
    for source, account, currency, billed in truth.select("source", "account", "currency", "billed").iter_rows():
        key = (source, account, currency)
        wanted[key] = wanted.get(key, Decimal(0)) + Decimal(billed)
    accounts = ", ".join(f"('{s}', '{a}', '{c}')" for s, a, c in wanted)
    focus = everything.query(
        "select x_SourceId, x_Account, BillingCurrency, sum(BilledCost) from focus.cost_and_usage"
        f" where (x_SourceId, x_Account, BillingCurrency) in ({accounts}) group by all"
    )
    ledger = everything.query(
        "select source, account, BillingCurrency, sum(BilledCost) from ledger.attribution"
        f" where (source, account, BillingCurrency) in ({accounts}) group by all"
    )
    assert {(s, a, c): v for s, a, c, v in focus} == {k: v for k, v in wanted.items() if v}
    assert {(s, a, c): v for s, a, c, v in ledger} == {k: v for k, v in wanted.items() if v}


def test_outcomes_are_the_denominators_of_unit_costs(everything: Home, company: tuple[Path, dict[str, str]]) -> None:
    counts = pl.read_parquet(company[0] / "truth" / "outcomes.parquet").filter(
        pl.col("outcome_date") <= everything.settings().last_complete_day
    )
    wanted = {
        (workflow, event, month): events
        for workflow, event, month, events in counts.group_by(
            "workflow", "event", pl.col("outcome_date").dt.strftime("%Y-%m").alias("month")
        )
        .agg(pl.col("events").sum())
        .rows()
    }
    found = everything.query(
        "select scope, unit, strftime(period_start, '%Y-%m'), denominator, state, unit_cost from marts.unit_cost"
        " where period_kind = 'month' and scope_type = 'workflow' and unit in ('conversation', 'message', 'document', 'report', 'answer', 'asset', 'task')"
        " and denominator > 0"
    )
    assert {(scope, unit, month): quantity for scope, unit, month, quantity, *_ in found} == wanted
    assert {state for *_, state, _ in found} == {"measured"} and all(cost is not None for *_, cost in found)
    [(recounted, overstated)] = everything.query(
        "select count(*) filter (where state = 'recounted'), sum(overstated_cost) from marts.cache_recount where provider = 'Anthropic'"
    )
    assert recounted > 0 and overstated > 0
