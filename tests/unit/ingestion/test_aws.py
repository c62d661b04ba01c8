"""AWS Data Exports in a bucket: what counts is the top manifest; FOCUS and CUR 2.0, Parquet and CSV, one of them booked."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest
from sandbox_vendor import company, rows

from ingestion.clouds import aws
from ingestion.errors import ContractBroken, RequestRejected
from ingestion.run import ingest
from ingestion.source import SourceConfig
from sandbox import canaries, s3
from sandbox.exports import aws_cur
from sandbox.faults import Faults
from sandbox.vendors.base import World

CUR, FOCUS = "aws__cur_export", "aws__focus_export"
FIRST = dt.date(2026, 9, 24)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(12)]
NOW = dt.datetime(2026, 10, 6, 6, tzinfo=dt.UTC)
FOCUS_1_0 = {
    "BilledCost": "1.5", "BillingAccountId": "012345678901", "BillingCurrency": "USD", "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z", "ChargeCategory": "Usage", "ChargePeriodStart": "2026-10-02T00:00:00Z",
    "ChargePeriodEnd": "2026-10-03T00:00:00Z", "ProviderName": "AWS", "ServiceName": "Amazon Bedrock",
    "x_UsageType": "USE1-NovaLite-input-tokens",
}  # fmt: skip
FOCUS_1_2 = {**FOCUS_1_0, "InvoiceId": "", "SkuMeter": "USE1-NovaLite-input-tokens"}


@pytest.fixture(scope="module")
def server():
    bucket = s3.Bucket()
    yield bucket
    bucket.close()


@pytest.fixture
def bucket(server, tmp_path):
    """The bucket, empty."""
    server.remove("")
    server.shown.clear()
    return server


def deliver(bucket, tmp_path, clock=NOW, *faults):
    world = World(company(DAYS), clock, Faults(list(faults)))
    (tmp_path / "drop").mkdir(exist_ok=True)
    aws_cur.deliver(world, tmp_path / "drop" / "bills", bucket)
    return world


def account(bucket, **options):
    secrets = {"ACCESS_KEY_ID": s3.ACCESS_KEY, "SECRET_ACCESS_KEY": canaries.SECRET_AWS}
    own = {"bucket": s3.BUCKET, "prefix": aws_cur.PREFIX, "endpoint_url": bucket.endpoint, "region": "us-east-1"}
    return SourceConfig("aws", "orbit", None, secrets, {**own, **options})


def land(key, config, lake, clock=NOW):
    return ingest(key, config, lake, start_date=FIRST, as_of=clock, run_id="run")


def newest(key, lake):
    """Rows of the current deliveries."""
    from ingestion import manifest

    frames = [pl.read_parquet(lake.root / d.path) for d in manifest.current(manifest.read(lake, key)) if d.rows]
    return pl.concat(frames) if frames else pl.DataFrame()


def focus_export(bucket, name, row, month="2026-10"):
    """A FOCUS export of one row in the layout that overwrites, its partition in lower case, told by its columns alone."""
    text = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    data = f"{aws_cur.PREFIX}/{name}/data/billing_period={month}/{name}-00001.csv.gz"
    bucket.put(data, gzip.compress(text.encode(), mtime=0))
    manifest = {"dataFiles": [f"s3://{s3.BUCKET}/{data}"]}
    bucket.put(f"{aws_cur.PREFIX}/{name}/metadata/billing_period={month}/{name}-Manifest.json", json.dumps(manifest).encode())


def billed(now, *days):
    return sum(Decimal(d.billed) for d in aws_cur.truth(now.company) if not days or d.day in days)


def test_both_layouts_and_formats_land_to_the_digit_and_older_runs_do_not(bucket, lake, tmp_path):
    now = deliver(bucket, tmp_path)
    report = land(CUR, account(bucket), lake)
    assert (report.windows, report.rejects, report.control_total) == (2, 0, billed(now))
    names = [name for name in bucket.written if "/data/" in name]
    runs = {name.rpartition("/")[0] for name in names if "billing_period=2026-09" in name}
    assert len(runs) == 2 and any("BILLING_PERIOD=2026-10/orbit-cur-00001.snappy.parquet" in name for name in names)
    landed = newest(CUR, lake)
    assert landed.height == sum(len(aws_cur.month_lines(now.company, m, NOW, now.faults)) for m in aws_cur.months(now.company))
    assert set(landed["payer_account_id"]) == {"012345678901"}
    # The map is the same text whichever format it came in, and the tags that repeat it are not kept.
    september = landed.filter(pl.col("usage_start") < "2026-10")
    for rows_of in (september, landed.filter(pl.col("usage_start") >= "2026-10")):
        tags = [json.loads(t) for t in rows_of["tags"].drop_nulls().unique()]
        assert {"resourceTags/user:Team": "legal-ai"} in tags and {"iamPrincipal/project": "northstar"} in tags
        models = {json.loads(p).get("model") for p in rows_of["product"].drop_nulls()}
        assert {"Claude Opus 4.6", "Nova Lite", None} <= models
    assert not landed["x_extra"].str.contains("resource_tags").any()
    assert land(FOCUS, account(bucket), lake).absent == ["2026-09", "2026-10"]


def test_a_restated_month_replaces_the_old_one_and_new_line_ids_alone_change_no_money(bucket, lake, tmp_path):
    now = deliver(bucket, tmp_path)
    land(CUR, account(bucket), lake)
    deliver(bucket, tmp_path, NOW, {"kind": "restated_month", "vendor": "aws_cur", "month": "2026-09", "permille": 1200})
    report = land(CUR, account(bucket), lake)
    assert (report.windows, report.skipped) == (1, 1)
    september, october = ([d for d in DAYS if d.month == m] for m in (9, 10))
    landed = newest(CUR, lake)
    cost = {m: sum(map(Decimal, landed.filter(pl.col("usage_start").str.starts_with(m))["unblended_cost"])) for m in ("2026-09", "2026-10")}
    assert cost["2026-10"] == billed(now, *october) and cost["2026-09"] > billed(now, *september) * Decimal("1.15")
    later = NOW + dt.timedelta(hours=6)
    deliver(bucket, tmp_path, later)
    report = land(CUR, account(bucket), lake, later)
    assert report.control_total == billed(now)


def test_a_file_named_twice_is_broken_and_a_file_not_named_is_not_read(bucket, lake, tmp_path):
    deliver(bucket, tmp_path, NOW, {"kind": "doubled_page", "vendor": "aws_cur"})
    with pytest.raises(ContractBroken, match=r"aws__cur_export 2026-09.*a data file named twice"):
        land(CUR, account(bucket), lake)
    now = deliver(bucket, tmp_path, NOW, {"kind": "missing_page", "vendor": "aws_cur"})
    assert 0 < land(CUR, account(bucket), lake).control_total < billed(now)


def test_principals_that_are_expected_and_missing_are_told(bucket, lake, tmp_path):
    deliver(bucket, tmp_path)
    assert land(CUR, account(bucket, iam_principal="required"), lake).failed == []
    columns = tuple(c for c in aws_cur.COLUMNS if c != "line_item_iam_principal")
    lines = aws_cur.month_lines(company(DAYS), dt.date(2026, 10, 1), NOW, Faults())
    key = next(k for k in bucket.written if k.endswith("2026-10/orbit-cur-00002.snappy.parquet"))
    bucket.put(key, aws_cur.as_parquet([line.columns for line in lines], columns))
    manifest = next(k for k in bucket.written if k.endswith("2026-10/orbit-cur-Manifest.json"))
    bucket.put(manifest, bucket.written[manifest] + b"\n")
    with pytest.raises(ContractBroken, match=r"no column line_item_iam_principal.*INCLUDE_IAM_PRINCIPAL_DATA"):
        land(CUR, account(bucket, iam_principal="required"), lake)
    assert land(CUR, account(bucket), lake).failed == []


@pytest.mark.parametrize(("row", "version"), [(FOCUS_1_0, "1.0"), (FOCUS_1_2, "1.2")])
def test_an_export_is_told_by_its_columns(bucket, lake, row, version):
    focus_export(bucket, "any-name", row)
    report = land(FOCUS, account(bucket), lake)
    assert (report.rows, report.control_total) == (1, Decimal("1.5"))
    landed = rows(FOCUS, lake)
    assert (landed["focus_version_in"][0], landed["export_name"][0]) == (version, "any-name")
    assert "USE1-NovaLite-input-tokens" in (landed["SkuMeter"][0] or landed["x_extra"][0])
    assert land(CUR, account(bucket), lake).windows == 0


def test_a_month_of_both_kinds_is_booked_from_the_one_that_is_named(bucket, lake, tmp_path):
    now = deliver(bucket, tmp_path)
    assert land(CUR, account(bucket), lake).control_total == billed(now)
    focus_export(bucket, "orbit-focus", FOCUS_1_2)
    for key in (CUR, FOCUS):
        with pytest.raises(ContractBroken, match=r"orbit-cur and orbit-focus; adding both would double.*AISL_AWS_BILL"):
            land(key, account(bucket), lake)
    with pytest.raises(RequestRejected, match="focus or cur"):
        land(FOCUS, account(bucket, bill="both"), lake)
    # October had landed from the report; FOCUS takes it over, September stays where it is.
    by_focus = account(bucket, bill="focus")
    land(CUR, by_focus, lake)
    land(FOCUS, by_focus, lake)
    assert newest(FOCUS, lake).height == 1
    assert set(newest(CUR, lake)["usage_start"].str.slice(0, 7)) == {"2026-09"}
    by_cur = account(bucket, bill="cur")
    land(CUR, by_cur, lake)
    land(FOCUS, by_cur, lake)
    assert newest(FOCUS, lake).is_empty()
    assert sum(map(Decimal, newest(CUR, lake)["unblended_cost"])) == billed(now)


def test_one_kind_twice_needs_a_name_and_several_names_follow_one_another(bucket, lake, tmp_path):
    deliver(bucket, tmp_path)
    focus_export(bucket, "old", FOCUS_1_0, "2026-08")
    focus_export(bucket, "new", FOCUS_1_2, "2026-10")
    focus_export(bucket, "tried-out", FOCUS_1_2, "2026-10")
    config = account(bucket, bill="focus")
    with pytest.raises(ContractBroken, match="two exports, new and tried-out"):
        land(FOCUS, config, lake)
    found = aws.find_months(replace(config, options={**config.options, "export": "old, NEW"}), aws._folder(config))
    assert {key: {m.export for m in kinds.values()} for key, kinds in found.items()} == {"2026-08": {"old"}, "2026-10": {"new"}}
    assert aws.SYSTEM.look(account(bucket, export="old,new,orbit-cur")) == ("2 FOCUS months, 2 CUR months", "2026-10")


def test_a_manifest_of_something_else_is_broken(bucket, lake):
    focus_export(bucket, "carbon", {"usage_account_id": "1", "total_emissions": "2"})
    with pytest.raises(ContractBroken, match="neither a FOCUS export nor a Cost and Usage Report"):
        land(FOCUS, account(bucket), lake)


def test_lines_with_unreadable_money_are_rejected_one_by_one(bucket, tmp_path):
    lines = [line.columns for line in aws_cur.month_lines(company(DAYS), dt.date(2026, 10, 1), NOW, Faults())][:4]
    text = gzip.decompress(aws_cur.as_csv(lines)).decode("utf-8-sig")
    header, *body = text.splitlines()
    cost = aws_cur.COLUMNS.index("line_item_unblended_cost")
    cells = list(csv.reader(body))
    cells[0][cost], cells[1][cost], cells[2][cost] = "NaN", "", "1e30"
    out = io.StringIO()
    csv.writer(out).writerows([header.split(","), *cells])
    batch = aws.read_file(aws.CUR_EXPORT, "x.csv", out.getvalue().encode())
    assert [(r.ordinal, r.reason, r.field) for r in sorted(batch.rejects, key=lambda r: r.ordinal)] == [
        (0, "not_a_number", "unblended_cost"), (1, "missing_value", "unblended_cost"), (2, "out_of_range", "unblended_cost"),
    ]  # fmt: skip
    assert batch.records.height == 1
