"""Every conformance rule catches the violation it is for, and only that one."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.conftest import PROJECT, drop, invoke, messages

MODELS = ("focus_conformance_day", "focus_conformance_sets", "focus_conformance_check")
with (PROJECT / "seeds/shared/focus_rules.csv").open(newline="", encoding="utf-8") as _file:
    RULES = {row["rule_id"]: row for row in csv.DictReader(_file)}


@pytest.fixture(scope="module")
def compiled(project, tmp_path_factory) -> dict[str, str]:
    """SQL of the three conformance models, compiled once."""
    path: Path = tmp_path_factory.mktemp("conformance") / "warehouse.duckdb"
    result = invoke(["compile", "--select", *MODELS], path, project.parsed)
    assert result.success, messages(result)
    return {r.node.name: r.node.compiled_code for r in result.result.results if r.node.name in MODELS}


@pytest.fixture(scope="module")
def template(seeded_file, project, tmp_path_factory) -> duckdb.DuckDBPyConnection:
    """A warehouse with seeds and empty FOCUS relations as tables."""
    nodes = project.parsed.nodes.values()
    path: Path = tmp_path_factory.mktemp("rules") / "warehouse.duckdb"
    path.write_bytes(seeded_file.read_bytes())
    connection = duckdb.connect(str(path))
    connection.execute("create schema if not exists focus")
    connection.execute("create schema if not exists raw")
    for name in ("focus_cost_and_usage", "focus_invoice_detail", "focus_contract_commitment"):
        node = next(n for n in nodes if n.name == name)
        columns = ", ".join(f"{c.name} {c.data_type}" for c in node.columns.values())
        drop(connection, f"focus.{name}")
        connection.execute(f"create table focus.{name} ({columns})")
    connection.execute("create or replace table raw.frozen_charges as select * from focus.focus_cost_and_usage")
    connection.execute(
        "create or replace table raw.run_context as select timestamp '2026-11-01' as as_of, date '2026-11-01' as as_of_date,"
        " 'sandbox' as profile"
    )
    connection.execute("delete from seeds.focus_waivers")
    yield connection
    connection.close()


def charge(**columns: Any) -> dict[str, Any]:
    """A usage charge that breaks no rule."""
    return {
        "BilledCost": 6, "EffectiveCost": 6, "ListCost": 8, "ContractedCost": 6, "BillingCurrency": "USD",
        "BillingAccountId": "a-1", "BillingAccountName": "Acme", "BillingPeriodStart": "2026-09-01",
        "BillingPeriodEnd": "2026-10-01", "ChargePeriodStart": "2026-09-02", "ChargePeriodEnd": "2026-09-03",
        "ChargeCategory": "Usage", "ChargeDescription": "tokens", "ChargeFrequency": "Usage-Based",
        "ServiceCategory": "AI and Machine Learning", "ServiceSubcategory": "Generative AI", "ServiceName": "Model API",
        "InvoiceIssuerName": "Vendor", "ServiceProviderName": "Vendor", "HostProviderName": "Vendor", "SkuId": "sku",
        "SkuPriceId": "sku-p", "SkuMeter": "Input Tokens", "ListUnitPrice": 4, "ContractedUnitPrice": 3,
        "PricingQuantity": 2, "PricingUnit": "1000000 Tokens", "PricingCategory": "Standard",
        "ConsumedQuantity": 2000000, "ConsumedUnit": "Tokens", "x_charge_id": "c-1", "x_SourceId": "vendor",
        "x_Account": "main", "x_CostBasis": "billed", "x_FocusVersionIn": "1.2", "charge_date": "2026-09-02", **columns,
    }  # fmt: skip


COMMITMENT = {
    "CommitmentDiscountId": "plan", "CommitmentDiscountCategory": "Spend", "CommitmentDiscountType": "Savings Plan",
    "CommitmentDiscountUnit": "USD",
}  # fmt: skip
COVERED = {
    **COMMITMENT, "BilledCost": 0, "EffectiveCost": 6, "CommitmentDiscountStatus": "Used", "PricingCategory": "Committed",
    "CommitmentDiscountQuantity": 6,
}  # fmt: skip
PURCHASE = charge(
    **COMMITMENT, x_charge_id="p-1", ChargeCategory="Purchase", ChargeFrequency="One-Time", EffectiveCost=0,
    ConsumedQuantity=None, ConsumedUnit=None, ResourceId="plan", CommitmentDiscountQuantity=6, PricingUnit="USD",
    SkuId="plan-sku", SkuPriceId="plan-p", SkuMeter="Commitment", ChargePeriodEnd="2026-09-30",
)  # fmt: skip
UNPRICED = dict.fromkeys(
    ("SkuId", "SkuPriceId", "SkuMeter", "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory",
     "ConsumedQuantity", "ConsumedUnit")
)  # fmt: skip
TAX = charge(
    **{**UNPRICED, "ListCost": 6}, ChargeCategory="Tax", ChargeFrequency="One-Time", ServiceSubcategory=None
)  # fmt: skip


def line(**columns: Any) -> dict[str, Any]:
    """An issued invoice line that fits `charge`."""
    return {
        "InvoiceIssuerName": "Vendor", "InvoiceId": "i-1", "InvoiceDetailId": "1", "ReferenceInvoiceId": "i-1",
        "PaymentCurrencyInvoiceDetailId": "1", "InvoiceIssueStatus": "Issued", "ChargeCategory": "Usage", "BilledCost": 6,
        "BillingCurrency": "USD", "BillingPeriodStart": "2026-09-01", "BillingPeriodEnd": "2026-10-01", **columns,
    }  # fmt: skip


Frames = Mapping[str, list[dict[str, Any]]]


def rows(*charges: dict[str, Any], **frames: list[dict[str, Any]]) -> Frames:
    """Frames with the given charges, numbered."""
    numbered = [{**c, "x_charge_id": f"c-{i}"} for i, c in enumerate(charges)]
    return {"focus_cost_and_usage": numbered, **frames}


def split(**columns: Any) -> dict[str, Any]:
    """One of two allocated charges of the same origin."""
    return charge(
        AllocatedMethodId="m", AllocatedResourceId="pod", AllocatedResourceName="pod",
        AllocatedMethodDetails=json.dumps({"Elements": [{"AllocatedRatio": 0.5}]}), **columns,
    )  # fmt: skip


GOOD: dict[str, Frames] = {
    "usage": rows(charge()),
    "tax": rows(TAX),
    "commitment": rows(PURCHASE, charge(**COVERED)),
    "invoice": rows(charge(InvoiceId="i-1"), focus_invoice_detail=[line()]),
    "a month of Pacific time": rows(
        charge(InvoiceId="i-1", BillingPeriodStart="2026-09-01 07:00:00", BillingPeriodEnd="2026-10-01 07:00:00"),
        focus_invoice_detail=[line()],
    ),
    "frozen": rows(charge(), frozen_charges=[charge(x_charge_id="c-0")]),
    "split": rows(split(), split()),
    "json": rows(
        charge(
            Tags='{"team":"search","a":true}',
            SkuPriceDetails='{"x_ModelId":"m","CoreCount":2}',
            x_NativeColumns='{"x_A":"1"}',
        )
    ),
    "correction": rows(charge(ChargeClass="Correction", ChargePeriodStart="2026-08-02", ChargePeriodEnd="2026-08-03")),
    "contract": rows(charge(), focus_contract_commitment=[{"ContractCommitmentId": "c", "ContractId": "k"}]),
}
# rule → frames that break it, and the further rules that the same fact breaks
BROKEN: list[tuple[str, Frames, set[str]]] = [
    ("R1", rows(charge(InvoiceIssuerName=None)), set()),
    ("R1", rows(charge(ContractedCost=None)), set()),
    ("R2", rows(charge(ChargePeriodEnd="2026-09-02")), set()),
    ("R2", rows(charge(BillingPeriodEnd="2026-09-01")), {"R3"}),
    ("R3", rows(charge(ChargePeriodStart="2026-08-31")), set()),
    ("R4", rows(charge(ChargeClass="Correction")), set()),
    ("R5", rows({**TAX, "SkuId": "x", "SkuPriceId": "x"}), set()),
    ("R6", rows(charge(PricingCategory=None)), set()),
    ("R7", rows(charge(SkuPriceId=None)), {"R6"}),
    ("R8", rows(charge(ConsumedQuantity=None, ConsumedUnit=None)), set()),
    ("R8", rows({**PURCHASE, "ConsumedQuantity": 1, "ConsumedUnit": "USD"}), set()),
    ("R9", rows(charge(ConsumedUnit=None)), set()),
    ("R9", rows(charge(), focus_contract_commitment=[{"ContractCommitmentId": "c", "ContractCommitmentQuantity": 1}]), set()),
    ("R10", rows(charge(ListCost=13)), set()),
    ("R10", rows(charge(ContractedCost=6.0001)), set()),
    ("R11", rows(charge(ListUnitPrice=-4, ListCost=-8)), set()),
    ("R12", rows(charge(EffectiveCost=13)), set()),
    ("R12", rows({**TAX, "EffectiveCost": 13}), set()),
    ("R13", rows({**PURCHASE, "EffectiveCost": 1}), set()),
    ("R13", rows(charge(**{**COVERED, "BilledCost": 6})), set()),
    ("R14", rows(charge(**UNPRICED)), {"R6", "R8"}),
    ("R15", rows({**PURCHASE, "ChargeFrequency": "Usage-Based"}), set()),
    ("R16", rows(charge(**{**COVERED, "CommitmentDiscountType": None})), set()),
    ("R16", rows({**PURCHASE, "ResourceId": "other"}), set()),
    ("R16", rows(charge(**{**COVERED, "PricingCategory": "Standard"})), set()),
    ("R17", rows(charge(RegionId="eu-1")), set()),
    ("R18", rows(charge(CapacityReservationId="r")), set()),
    ("R19", rows(charge(ChargeFrequency="Usage-based")), set()),
    ("R19", rows(charge(ServiceSubcategory="Virtual Machines")), set()),
    ("R20", rows(charge(ResourceName="")), set()),
    ("R20", rows(charge(ResourceType="N/A")), set()),
    ("R21", rows(charge(Tags='"team": "search"')), set()),
    ("R21", rows(charge(Tags='{"team":{"name":"search"}}')), set()),
    ("R21", rows(charge(SkuPriceDetails='{"ModelId":"m"}')), set()),
    ("R22", rows(charge(x_NativeColumns='{"Id":"7"}')), set()),
    ("S1", rows({**PURCHASE, "BilledCost": 60}, charge(**COVERED)), {"S2"}),
    ("S2", rows({**PURCHASE, "EffectiveCost": 60}, charge(**{**COVERED, "EffectiveCost": 60, "BilledCost": 114})), {"R13"}),
    ("S3", rows(charge(InvoiceId="i-1"), focus_invoice_detail=[line(BilledCost=7.5)]), set()),
    ("S4", rows(charge(InvoiceId="i-1"), focus_invoice_detail=[line(BillingPeriodStart="2026-10-01", BillingPeriodEnd="2026-11-01")]), {"S10"}),
    ("S5", rows(charge(), frozen_charges=[charge(x_charge_id="c-0", BilledCost=5)]), set()),
    ("S5", rows(charge(), charge(), frozen_charges=[charge(x_charge_id="c-0")]), set()),
    ("S6", rows(charge(), charge(ServiceCategory="Other", ServiceSubcategory="Other (Other)")), set()),
    ("S6", rows(charge(), charge(SkuId="sku-2")), set()),
    ("S7", rows(split(), split(), charge()), set()),
    ("S7", rows(split()), set()),
    ("S8", rows(charge(), charge(SkuMeter="Output Tokens")), set()),
    ("S9", rows(charge(), charge(x_SourceId="files", x_Dataset="focus")), set()),
    ("S9", rows(charge(x_SourceId="aws", x_Dataset="focus_export"), charge(x_SourceId="aws", x_Dataset="cur_export")), set()),
    ("S10", rows(charge(), focus_invoice_detail=[line(ChargeCategory="Purchase")]), set()),
    ("S11", rows(charge(), focus_invoice_detail=[line(ReferenceInvoiceId=None)]), set()),
    ("S11", rows(charge(), focus_invoice_detail=[line(PaymentCurrencyInvoiceDetailId="9")]), set()),
]  # fmt: skip


def judge(connection: duckdb.DuckDBPyConnection, compiled: Mapping[str, str], frames: Frames) -> list[dict[str, Any]]:
    """The conformance table for these frames."""
    for name in ("focus_cost_and_usage", "focus_invoice_detail", "focus_contract_commitment"):
        _fill(connection, f"focus.{name}", frames.get(name, []))
    _fill(connection, "raw.frozen_charges", frames.get("frozen_charges", []))
    for name in MODELS[:2]:
        connection.execute(f"create or replace table focus.{name} as {compiled[name]}")
    cursor = connection.execute(compiled["focus_conformance_check"])
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _fill(connection: duckdb.DuckDBPyConnection, table: str, values: list[dict[str, Any]]) -> None:
    connection.execute(f"delete from {table}")
    for row in values:
        marks = ", ".join("?" for _ in row)
        connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def _failing(table: list[dict[str, Any]]) -> set[str]:
    return {row["rule_id"] for row in table if row["state"] == "fail"}


def test_every_rule_is_planted():
    assert {rule for rule, *_ in BROKEN} == set(RULES)
    assert set(RULES) == {f"R{i}" for i in range(1, 23)} | {f"S{i}" for i in range(1, 12)}


@pytest.mark.parametrize("name", GOOD)
def test_good_rows_break_no_rule(template, compiled, name):
    table = judge(template, compiled, GOOD[name])
    assert _failing(table) == set()
    assert {row["state"] for row in table} <= {"pass", "not applicable"}


@pytest.mark.parametrize(("rule", "frames", "others"), BROKEN, ids=[f"{r}-{i}" for i, (r, *_) in enumerate(BROKEN)])
def test_a_planted_violation_fails_its_rule_and_no_other(template, compiled, rule, frames, others):
    table = judge(template, compiled, frames)
    assert _failing(table) == {rule} | others
    failed = [row for row in table if row["rule_id"] == rule and row["state"] == "fail"]
    assert all(row["example"] and row["level"] == RULES[rule]["level"] for row in failed)


def test_a_waiver_with_dates_and_profile_turns_a_failure_into_waived(template, compiled):
    broken = rows(charge(ListCost=13))
    try:
        for values, state in (
            ("('R10', 'vendor', null, 'why', null, null)", "waived"),
            ("('R10', 'vendor', 'samples', 'why', null, null)", "fail"),
            ("('R10', 'vendor', null, 'why', null, date '2026-11-01')", "fail"),
            ("('R10', 'other', null, 'why', null, null)", "fail"),
        ):
            template.execute("delete from seeds.focus_waivers")
            template.execute(f"insert into seeds.focus_waivers values {values}")
            states = {row["state"] for row in judge(template, compiled, broken) if row["rule_id"] == "R10"}
            assert states == {state}, values
    finally:
        template.execute("delete from seeds.focus_waivers")
