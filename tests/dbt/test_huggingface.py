"""Hugging Face from raw rows to charges: nano- and micro-dollars, and the included credit of a billing period."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse, statuses

D = Decimal


def inference(day, used, before, included="2000000000", requests=412):
    return {
        "usage_date": day, "entity": "acme", "product": "inferenceProviders", "used_nano_usd": used, "included_nano_usd": included,
        "used_before_nano_usd": before, "num_requests": requests, "period_start": "2026-11-12 00:00:00+00",
        "period_end": "2026-12-12 00:00:00+00",
    }  # fmt: skip


def jobs(day, used, minutes="17"):
    return {"usage_date": day, "entity": "acme", "product": "jobs", "used_micro_usd": used, "total_minutes": minutes}


INFERENCE = "huggingface_inference_costs_between_a_thousandth_of_a_cent_and_a_dollar_a_request"
JOBS = "huggingface_jobs_cost_between_a_hundredth_of_a_cent_and_ten_dollars_a_minute"
FRAMES = {
    "huggingface__usage": [
        inference("2026-11-16", "1500000000", "0"),
        inference("2026-11-17", "750000001", "1500000000"),
        inference("2026-11-18", "300000000", "2250000001"),
        inference("2026-11-19", "400000000", None),
        jobs("2026-11-17", "340000"),
        jobs("2026-11-18", "1", "1"),
        {"usage_date": "2026-11-18", "entity": "acme", "product": "storage", "other_measures": '{"usedTB":1.5}'},
    ]
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, seeded_file, project):
    """A warehouse with these rows staged, and the status of every test."""
    path = tmp_path_factory.mktemp("huggingface") / "warehouse.duckdb"
    shutil.copy(seeded_file, path)
    warehouse = Warehouse(path, project).land(FRAMES)
    return warehouse, statuses(warehouse.build("path:models/staging/huggingface", tests=True))


def charges(warehouse, basis):
    return [
        tuple(r.values())
        for r in warehouse.rows(
            "select charge_date::varchar as day, service_name, billed_cost + billed_cost_remainder as cost, quantity, unit"
            " from staging.stg_huggingface__usage_charges where cost_basis = ? order by 1, 2",
            basis,
        )
    ]


def test_cash_is_what_the_period_used_beyond_its_credit(built):
    warehouse, _ = built
    inference, jobs = "Hugging Face Inference Providers", "Hugging Face Jobs"
    billed, covered = charges(warehouse, "billed"), charges(warehouse, "estimated")
    assert billed == [
        ("2026-11-17", inference, D("0.250000001"), 412, "Requests"),
        ("2026-11-17", jobs, D("0.34"), 17, "Minutes"),
        ("2026-11-18", inference, D("0.3"), 412, "Requests"),
        ("2026-11-18", jobs, D("0.000001"), 1, "Minutes"),
        ("2026-11-19", inference, D("0.4"), 412, "Requests"),
    ]
    assert covered == [
        ("2026-11-16", inference, D("1.5"), 412, "Requests"),
        ("2026-11-17", inference, D("0.5"), None, None),
    ]
    # max(0, used - included) over the period of the three days that know theirs
    assert sum(row[2] for row in billed if row[1] == inference and row[0] < "2026-11-19") == D("2.550000001") - 2


def test_what_cannot_be_priced_or_placed_is_reported(built):
    _, found = built
    assert {name for name, status in found.items() if status == "warn"} == {
        "huggingface_products_name_their_amount",
        "huggingface_billing_period_is_known",
    }
    assert "fail" not in found.values() and "error" not in found.values()


@pytest.mark.parametrize(
    ("row", "test", "status"),
    [
        (inference("2026-11-18", "1500000", "0"), INFERENCE, "warn"),
        (inference("2026-11-18", "1500000000000", "0"), INFERENCE, "warn"),
        (inference("2026-11-18", "15000000000000", "0"), "huggingface_inference_costs_at_most_ten_dollars_a_request", "fail"),
        (jobs("2026-11-18", "340000000"), JOBS, "fail"),
        (jobs("2026-11-18", "340"), JOBS, "fail"),
    ],
)
def test_micro_dollars_where_nano_dollars_are_said_and_the_reverse_are_caught(built, row, test, status):
    warehouse, _ = built
    warehouse.land({"huggingface__usage": [row]})
    assert statuses(warehouse.build("stg_huggingface__usage", tests=True))[test] == status
