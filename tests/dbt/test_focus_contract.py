"""The FOCUS contract is generated, complete and enforced; the datasets beside Cost and Usage follow from it."""

from __future__ import annotations

import csv
import importlib.util
from decimal import Decimal

import pytest

from tests.dbt.conftest import PROJECT, statuses
from tests.dbt.sample_bills import BILLS, landed

SIZES = {"CostAndUsage_1_2": 57, "ContractCommitment": 30, "InvoiceDetail": 22, "BillingPeriod": 6}


@pytest.fixture(scope="module")
def generator():
    """The module that generates the contract."""
    spec = importlib.util.spec_from_file_location("generate_focus_contract", PROJECT / "generate_focus_contract.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_generated_files_are_up_to_date(generator):
    contracts = generator.read_contracts()
    assert generator.MACRO_PATH.read_text() == generator.render_macro(contracts, generator.read_allowed_values())
    assert generator.YAML_PATH.read_text() == generator.render_yaml(contracts)
    assert generator.FILES_YAML_PATH.read_text() == generator.render_files_yaml(contracts)


def test_the_contract_has_the_columns_of_focus_1_4_then_own_ones_then_the_partition(generator):
    contracts = generator.read_contracts()
    names = [c.name for c in contracts["CostAndUsage"]]
    focus = [n for n in names if not n.startswith("x_") and n != "charge_date"]
    assert len(focus) == 65 and focus == sorted(focus) == names[:65]
    assert names[-1] == "charge_date" and all(n.startswith("x_") for n in names[65:-1])
    assert {dataset: len(contracts[dataset]) for dataset in SIZES} == SIZES
    assert all(c.description.endswith((".", "null.")) for columns in contracts.values() for c in columns)
    types = {c.name: c.sql_type for c in contracts["CostAndUsage"]}
    assert types["BilledCost"] == "decimal(38,14)" and types["ListUnitPrice"] == "decimal(28,16)"
    assert types["ConsumedQuantity"] == "decimal(28,12)" and types["ChargePeriodEnd"] == "timestamp"


def test_the_service_map_uses_listed_categories_only():
    def read(name):
        with (PROJECT / "seeds/shared" / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    listed = {(r["service_category"], r["service_subcategory"]) for r in read("focus_service_subcategories.csv")}
    used = read("cloud_service_map.csv")
    assert {(r["service_category"], r["service_subcategory"]) for r in used} <= listed
    keys = [(r["provider"], r["service_key"]) for r in used]
    assert len(set(keys)) == len(keys) and all(key == key.lower() for _, key in keys)
    names = {}
    for row in used:
        assert names.setdefault(row["service_name"], row["service_category"]) == row["service_category"]


def test_the_samples_pass_the_gate_and_a_planted_fault_stops_it(raw_warehouse):
    frames = landed(*BILLS)
    warehouse = raw_warehouse(frames, scope=[])
    _profile(warehouse, "samples")
    warehouse.build("+focus_conformance_check", "+focus_cost_and_usage_v1_2", "+focus_billing_period")
    states = warehouse.rows("select distinct rule_id, source from focus.focus_conformance_check where state = 'fail'")
    assert states == []
    gate = warehouse.build("assert_blocking_focus_rules_hold", tests=True)
    assert statuses(gate)["assert_blocking_focus_rules_hold"] == "pass"

    # Lossless: the 1.2 view has every charge, the parties of 1.0 included.
    old = warehouse.rows("select count(*) as n, sum(BilledCost) as billed from focus.focus_cost_and_usage_v1_2")
    assert old == warehouse.rows("select count(*) as n, sum(BilledCost) as billed from focus.focus_cost_and_usage")
    publishers = warehouse.rows(
        "select count(*) as n from focus.focus_cost_and_usage_v1_2 where PublisherName = 'Red Hat Inc.'"
    )
    assert publishers == [{"n": 1}]

    periods = warehouse.rows("select distinct BillingPeriodStatus as s from focus.focus_billing_period")
    assert periods == [{"s": "Closed"}]

    # A value with the wrong case after the mapping is a blocking fault.
    with warehouse.connect() as connection:
        connection.execute(
            "update focus.focus_conformance_check set state = 'fail' where rule_id = 'R19' and source = 'files/focus'"
        )
    gate = warehouse.build("assert_blocking_focus_rules_hold", tests=True)
    assert statuses(gate)["assert_blocking_focus_rules_hold"] == "fail"


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        ("2026-09-30T23:00:00", "Open"),
        ("2026-10-07T23:59:00", "Open"),  # 1 October 2026 is a Thursday: 5 business days end on Wednesday the 7th
        ("2026-10-08T00:00:00", "Closed"),
    ],
)
def test_a_billing_period_closes_after_its_business_days(raw_warehouse, as_of, status):
    line = {
        "invoice_issuer_name": "Vendor", "billing_account_id": "a", "invoice_id": "i", "invoice_detail_id": "1",
        "invoice_issue_status": "Issued", "line_type": "usage", "charge_category": "Usage", "amount": "12.50",
        "currency": "USD", "billing_period_start": "2026-09-01", "billing_period_end": "2026-10-01",
        "invoice_issue_date": "2026-10-03", "payment_due_date": "2026-11-02", "description": "usage",
    }  # fmt: skip
    warehouse = raw_warehouse({"invoices__lines": [line]}, as_of=as_of, scope=[])
    warehouse.seed("period_close_rules", [])
    warehouse.build("+focus_billing_period")
    periods = warehouse.rows(
        "select BillingPeriodStatus as s from focus.focus_billing_period where InvoiceIssuerName = 'Vendor'"
    )
    assert periods == [{"s": status}]
    detail = warehouse.rows("select * from focus.focus_invoice_detail")[0]
    assert (detail["BilledCost"], detail["PaymentTerms"], detail["ReferenceInvoiceId"]) == (
        Decimal("12.5"),
        "Net 30",
        "i",
    )


def _profile(warehouse, profile):
    with warehouse.connect() as connection:
        connection.execute("update raw.run_context set profile = ?", [profile])
