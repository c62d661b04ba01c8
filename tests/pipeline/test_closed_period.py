"""A vendor restates a closed month: its rows stay as booked, and the difference is a correction in the open period,
which a rebuild that is killed and run again does not change."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from decimal import Decimal
from typing import Any

from sandbox.server import Sandbox
from tests.pipeline.conftest import Home, content
from tests.pipeline.kills import draw, killed

SEPTEMBER, OCTOBER = dt.date(2026, 9, 1), dt.date(2026, 10, 1)
DAY = dt.date(2026, 9, 28)
LATE = ("dbt_focus", "dbt_ledger", "dbt_marts", "forecasts", "dbt_decisions", "publish")


def _frozen_files(home: Home) -> dict[str, str]:
    folder = home.path / "lake/frozen"
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.*"))}


def _september(home: Home) -> list[tuple[Any, ...]]:
    return home.query(f"select * from focus.cost_and_usage where BillingPeriodStart = '{SEPTEMBER}' order by x_charge_id")


def _tied(home: Home) -> list[tuple[Any, ...]]:
    return home.query(f"select * from marts.invoice_tie_out where billing_period = '{SEPTEMBER}' order by 1")


def _spend(home: Home, where: str) -> dict[str, Decimal]:
    return dict(home.query(f"select x_SourceId, sum(BilledCost) from focus.cost_and_usage where {where} group by 1"))


def test_a_restated_closed_month_becomes_a_correction_that_survives_a_kill_and_a_rebuild(home: Home, vendors: Sandbox) -> None:
    files, rows, ties = _frozen_files(home), _september(home), _tied(home)
    assert {name.split("/")[0] for name in files} == {"anthropic", "aws", "invoices", "openai"}
    of_day = f"charge_date = '{DAY}' and x_TokenMeter is not null"
    before = _spend(home, of_day)
    vendors.change(
        faults=[
            {"kind": "restated_day", "vendor": "anthropic", "day": DAY.isoformat()},
            {"kind": "restated_month", "vendor": "aws", "month": "2026-09"},
        ]
    )
    assert home.run(days=(DAY, DAY)), (home.failed, home.failures)

    assert _frozen_files(home) == files
    assert _september(home) == rows, "a closed period changed"
    for name in (n for n in files if n.endswith(".parquet")):
        facts = json.loads((home.path / "lake/frozen" / name.replace(".parquet", ".json")).read_text())
        assert facts["content_hash"] == files[name]

    corrections = home.query(
        "select x_SourceId, count(*), sum(BilledCost), min(charge_date), max(charge_date), min(BillingPeriodStart)::date,"
        " max(BillingPeriodStart)::date, count(x_OriginChargeId)"
        " from focus.cost_and_usage where ChargeClass = 'Correction' group by 1 order by 1"
    )
    assert [row[0] for row in corrections] == ["anthropic", "aws"]
    for source, count, amount, first, last, opened, closing, origins in corrections:
        assert count > 0 and origins == count and amount > 0, source
        assert SEPTEMBER <= first <= last < OCTOBER and opened == closing == OCTOBER, source
    assert corrections[0][3:5] == (DAY, DAY)
    after = _spend(home, of_day)
    assert after["openai"] == before["openai"]
    assert abs(after["anthropic"] / before["anthropic"] - Decimal("1.1")) < Decimal("0.001")

    assert _tied(home) == ties and {row[-1] for row in ties} == {"tied"}
    unequal = """
        select count(*) from (select x_charge_id, BilledCost, EffectiveCost from focus.cost_and_usage) as f
        full join (select x_charge_id, sum(BilledCost) as b, sum(EffectiveCost) as e from ledger.attribution group by 1) as l
            using (x_charge_id)
        where f.BilledCost is distinct from l.b or f.EffectiveCost is distinct from l.e
    """
    assert home.query(unequal) == [(0,)]

    # Rebuilt from the lake, and killed on the way after everything landed; `make soak` has thirty kills, anywhere.
    corrected = content(home)
    late = {step: home.steps[step] for step in LATE}
    step, delay = draw(late, random.Random(20261019))
    hit = killed(home, step, delay / 2, full=True)
    assert hit, "the run was over before the kill"
    assert content(home) == corrected, f"a run killed in {hit} changed what readers see"
    assert home.run(), (home.failed, home.failures)
    assert content(home) == corrected, "a rebuild from the lake differs"
    assert _frozen_files(home) == files
    assert not list((home.path / "published").glob(".building-*"))
