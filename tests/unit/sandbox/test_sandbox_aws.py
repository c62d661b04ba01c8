"""The AWS export in the bucket, and the invoices that must tie with the bills."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from math import sqrt
from pathlib import Path

import boto3
import polars as pl
import pytest

from sandbox import aws
from sandbox.s3 import SCHEMA


@pytest.fixture
def bucket(client):
    return boto3.client(
        "s3", endpoint_url=client.env["AISL_AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=client.env["AISL_AWS_ACCESS_KEY_ID"], aws_secret_access_key=client.env["AISL_AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def _keys(bucket, env):
    prefix = f"{env['AISL_AWS_PREFIX']}/{env['AISL_AWS_EXPORT']}/"
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=env["AISL_AWS_BUCKET"], Prefix=prefix)
    return [o["Key"] for p in pages for o in p.get("Contents", [])]


def _month(bucket, env, month) -> pl.DataFrame:
    name = env["AISL_AWS_BUCKET"]
    ends = f"=2026-{month}/acme-focus-Manifest.json"
    manifests = [k for k in _keys(bucket, env) if k.endswith(ends) and k.count("/") == 4]
    assert len(manifests) == 1
    manifest = json.loads(bucket.get_object(Bucket=name, Key=manifests[0])["Body"].read())
    parts = []
    for uri in manifest["dataFiles"]:
        body = bucket.get_object(Bucket=name, Key=uri.removeprefix(f"s3://{name}/"))["Body"].read()
        parts.append(pl.read_parquet(io.BytesIO(body)))
    return pl.concat(parts)


def _tolerance(rows: int) -> Decimal:
    return max(Decimal(1), Decimal(sqrt(rows)) * Decimal("0.005"))


def test_the_export_has_sixty_columns_and_old_runs_beside_the_new(bucket, client):
    assert len(SCHEMA) == 60
    data = [k for k in _keys(bucket, client.env) if "BILLING_PERIOD=2026-10/" in k and "/data/" in k]
    runs = {k.split("/")[4] for k in data}
    assert len(runs) == 2
    october = _month(bucket, client.env, "10")
    assert october.columns == list(aws.COLUMNS)
    days = october.filter(pl.col("ChargeCategory") == "Usage")["ChargePeriodStart"].dt.date()
    assert str(days.max()) == "2026-10-19"


def test_savings_plan_money_is_the_same_in_both_views(bucket, client):
    rows = _month(bucket, client.env, "09").filter(pl.col("CommitmentDiscountId").is_not_null())
    assert rows["BilledCost"].sum() == pytest.approx(rows["EffectiveCost"].sum())
    assert set(rows["CommitmentDiscountStatus"]) == {"Used", "Unused", None}
    assert rows.filter(pl.col("ChargeCategory") == "Purchase")["BilledCost"].sum() == pytest.approx(30 * 24 * 3.2)


def test_list_cost_is_quantity_times_price(bucket, client):
    rows = _month(bucket, client.env, "09").filter(pl.col("ListUnitPrice").is_not_null() & pl.col("PricingQuantity").is_not_null())
    for quantity, price, cost in rows.select("PricingQuantity", "ListUnitPrice", "ListCost").iter_rows():
        assert Decimal(repr(quantity)) * Decimal(repr(price)) == pytest.approx(Decimal(repr(cost)), abs=Decimal("1e-9"))


def test_bedrock_rows_are_the_tokens_of_requests_and_direct_use(bucket, client, served):
    sandbox, _ = served
    usage = sandbox.world.company.usage.filter((pl.col("source") == "aws") & (pl.col("day").dt.strftime("%Y-%m") == "2026-09"))
    rows = _month(bucket, client.env, "09").filter(pl.col("ServiceName") == "Amazon Bedrock")
    tokens = sum(usage[c].sum() for c in ("uncached", "cache_read", "write_5m", "write_1h", "output"))
    assert rows["PricingQuantity"].sum() * 1000 == pytest.approx(tokens)


def test_yesterday_lacks_some_meters_until_the_next_delivery(bucket, client):
    def rows():
        october = _month(bucket, client.env, "10").filter(pl.col("ChargeCategory") == "Usage")
        return october.filter(pl.col("ChargePeriodStart").dt.date() == pl.date(2026, 10, 19)).height

    before = rows()
    client.switch("clock", {"as_of": "2026-10-21T06:00:00Z"})
    assert rows() > before
    client.switch("clock", {"as_of": "2026-10-01T00:30:00Z"})
    assert not [k for k in _keys(bucket, client.env) if "2026-10/" in k]


def test_an_invoice_id_appears_once_the_month_is_invoiced(bucket, client):
    assert _month(bucket, client.env, "09")["InvoiceId"].unique().to_list() == ["AWS-202609-7781"]
    assert _month(bucket, client.env, "10")["InvoiceId"].null_count() == _month(bucket, client.env, "10").height
    client.switch("clock", {"as_of": "2026-10-02T06:00:00Z"})
    assert _month(bucket, client.env, "09")["InvoiceId"].null_count() > 0


def test_a_restated_closed_month_is_a_new_run_with_other_sums(bucket, client):
    before = _month(bucket, client.env, "09")["BilledCost"].sum()
    client.switch("faults", {"faults": [{"kind": "restated_month", "vendor": "aws", "month": "2026-09", "permille": 1050}]})
    assert _month(bucket, client.env, "09")["BilledCost"].sum() > before * 1.02
    client.switch("reset")
    assert _month(bucket, client.env, "09")["BilledCost"].sum() == before


def _invoices(client) -> dict[tuple[str, str], list[dict[str, str]]]:
    found = defaultdict(list)
    for path in sorted(Path(client.env["AISL_INVOICES_LOCATION"]).glob("*.csv")):
        for row in csv.DictReader(path.open()):
            found[row["invoice_issuer_name"], row["billing_period_start"][:7]].append(row)
    return found


def test_aws_invoices_tie_with_the_export(bucket, client):
    lines = _invoices(client)["Amazon Web Services, Inc.", "2026-09"]
    bill = _month(bucket, client.env, "09")
    assert {line["invoice_id"] for line in lines} == {"AWS-202609-7781"}
    for tax in (True, False):
        invoiced = sum(Decimal(line["amount"]) for line in lines if (line["line_type"] == "tax") == tax)
        billed = bill.filter((pl.col("ChargeCategory") == "Tax") == tax)["BilledCost"]
        assert abs(invoiced - Decimal(str(billed.sum()))) <= _tolerance(billed.len())
    assert {"usage", "commitment", "support", "credit", "tax"} == {line["line_type"] for line in lines}


def test_anthropic_invoice_usage_ties_with_the_cost_report(client):
    lines = _invoices(client)["Anthropic", "2026-09"]
    found = client.anthropic("cost_report", starting_at="2026-09-01", ending_at="2026-10-01", limit=31, group_by=["workspace_id", "description"])
    amounts = [Decimal(r["amount"]) / 100 for b in found["data"] for r in b["results"]]
    invoiced = sum(Decimal(line["amount"]) for line in lines if line["line_type"] == "usage")
    assert abs(sum(amounts) - invoiced) <= _tolerance(len(amounts))
    assert {"usage", "seat", "tax"} == {line["line_type"] for line in lines}


def test_openai_invoice_usage_ties_with_the_costs(client):
    lines = _invoices(client)["OpenAI", "2026-09"]
    found = client.openai("costs", start_time=1_788_220_800, end_time=1_790_812_800, limit=180, group_by=["line_item"])
    amounts = [Decimal(str(r["amount"]["value"])) for b in found["data"] for r in b["results"]]
    assert abs(sum(amounts) - sum(Decimal(line["amount"]) for line in lines)) <= _tolerance(len(amounts))


def test_the_open_month_has_no_invoice_and_the_clock_takes_them_back(client):
    assert {month for _, month in _invoices(client)} == {"2026-08", "2026-09"}
    client.switch("clock", {"as_of": "2026-10-02T06:00:00Z"})
    assert {month for _, month in _invoices(client)} == {"2026-08"}
