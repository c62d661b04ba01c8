"""Google Cloud's billing export: which shards count, what a row becomes, and that no cent comes or goes."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.clouds.gcp import SYSTEM, _open
from ingestion.errors import ContractBroken, SourceUnavailable
from ingestion.files.folder import S3Folder
from ingestion.lake import LocalLake
from ingestion.records import exact_sum
from ingestion.run import IngestReport, ingest
from ingestion.source import SourceConfig
from ingestion.windows import month_window
from sandbox import calendar
from sandbox.build import Company
from sandbox.exports import gcp as sandbox_gcp
from sandbox.faults import Faults
from sandbox.vendors.base import World

NOW = datetime(2026, 10, 20, 6, tzinfo=UTC)
MONTH = "export/billing_period=2026-10"


def row(**columns: Any) -> dict[str, Any]:
    return {
        "billing_account_id": "01AAAA-2BBBBB-3CCCCC", "invoice": {"month": "202610"},
        "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
        "sku": {"id": "AAAA-0000-0001", "description": "Gemini 2.5 Flash GA Text Input - Predictions"},
        "usage_start_time": "2026-10-02 05:00:00 UTC", "usage_end_time": "2026-10-02 06:00:00 UTC",
        "export_time": "2026-10-02 11:31:07.123456 UTC", "project": {"id": "search", "labels": [{"key": "team", "value": "search"}]},
        "labels": [{"key": "env", "value": "prod"}], "tags": [{"key": "cc", "value": "9", "inherited": True, "namespace": "acme"}],
        "cost": 0.30, "currency": "USD", "currency_conversion_rate": 1.0, "cost_type": "regular",
        "usage": {"amount": 1000000, "unit": "requests", "amount_in_pricing_units": 1000000, "pricing_unit": "count"},
        "price": {"effective_price": "0.3", "tier_start_amount": "0", "unit": "count", "pricing_unit_quantity": "1000000"},
        "credits": [{"type": "PROMOTION", "amount": -0.05}, {"type": "DISCOUNT", "amount": -1e-7}], **columns,
    }  # fmt: skip


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def parquet(*rows: dict[str, Any]) -> bytes:
    def typed(value: Any) -> Any:
        if isinstance(value, str) and value.endswith(" UTC"):
            return datetime.fromisoformat(value.removesuffix(" UTC")).replace(tzinfo=UTC)
        return value

    table = pa.Table.from_pylist([{k: typed(v) for k, v in r.items()} for r in rows])
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


@pytest.fixture
def export(tmp_path: Path) -> Any:
    """`put` writes a file of the export, `land` ingests it, `rows` reads the lake."""

    class Export:
        root = tmp_path / "gcp"
        lake = LocalLake(tmp_path / "lake")

        def put(self, name: str, content: bytes = b"", month: str = MONTH) -> None:
            path = self.root / month / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        def land(self, dataset: str = "billing_export", start: date = date(2026, 10, 1), **options: str) -> IngestReport:
            config = SourceConfig("gcp", options={"location": str(self.root), **options})
            return ingest(f"gcp__{dataset}", config, self.lake, start_date=start, as_of=NOW, run_id="test")

        def rows(self, sql: str, dataset: str = "billing_export") -> list[tuple[Any, ...]]:
            files = f"{tmp_path}/lake/raw/gcp/{dataset}/window=*/*.parquet"
            with duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                return connection.execute(sql.replace("landed", f"read_parquet('{files}', union_by_name = true)")).fetchall()

    return Export()


def test_both_formats_land_the_same_row_digit_for_digit(export: Any) -> None:
    fields = (
        "cost, net_cost, credits, tags, usage_start_time::timestamp, export_time::timestamp, usage_amount, usage_unit, usage_pricing_unit,"
        " price_effective_price, price_pricing_unit_quantity, invoice_month, project_id, resource_name"
    )
    landed = []
    for name, content in (("part-0.json", lines(row())), ("part-0.parquet", parquet(row()))):
        for old in export.root.rglob("part-*"):
            old.unlink()
        export.put(name, content)
        export.put("_SUCCESS")
        report = export.land()
        assert (report.rows, report.control_total, report.control_unit) == (1, Decimal("0.2499999"), "USD")
        landed += export.rows(f"select {fields} from landed order by raw_fetched_at desc limit 1")
    first, second = landed
    assert first == second
    assert first[0] == "0.3" and first[1] == "0.2499999"
    assert [c["amount"] for c in json.loads(first[2])] == ["-0.05", "-0.0000001"]
    assert json.loads(first[3]) == {"label/env": "prod", "project_label/team": "search", "tag/acme/cc": "9"}
    assert first[4] == datetime(2026, 10, 2, 5) and first[5] == datetime(2026, 10, 2, 11, 31, 7, 123456)


def test_equal_rows_are_two_charges_and_int64_text_is_a_number(export: Any) -> None:
    export.put("part-0.json", lines(row(), row(), row(cost="1e-9", credits=None)))
    export.put("_SUCCESS")
    assert export.land().rows == 3
    assert export.rows("select sum(net_cost::decimal(38,12)) from landed") == [(Decimal("0.499999801"),)]


def test_shards_of_a_bigger_earlier_run_do_not_count(export: Any) -> None:
    kept, left = [row(cost=n) for n in range(1, 6)], [row(cost=1), row(cost=3)]
    export.put("part-0.json", lines(*kept[:3]))
    export.put("part-1.json", lines(*kept[3:]))
    export.put("part-2.json", lines(*left))
    export.put("_SUCCESS")
    with pytest.raises(ContractBroken, match=r"only repeat rows of the others \(part-2\.json\)"):
        export.land()
    listing = {"files": [f"gs://b/{MONTH}/part-{n}.json" for n in (0, 1)], "rows": 5, "net_cost": "14.7499995"}
    export.put("_MANIFEST", json.dumps(listing).encode())
    report = export.land()
    assert (report.rows, report.control_total) == (5, Decimal("14.7499995"))


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        ({"files": ["part-0.json"], "rows": 2}, "1 rows where it says 2"),
        ({"files": ["part-0.json"], "net_cost": "0.26"}, "another net cost"),
        ({"files": ["part-0.json"], "net_cost": 299.9999}, "another net cost"),
        ({"files": ["part-0.json", "part-7.json"]}, "one that is not there"),
        ({"files": ["part-0.json", "gs://b/part-0.json"]}, "named twice"),
        ({"rows": 1}, "no JSON object with a list called files"),
    ],
)
def test_a_listing_that_disagrees_stops_the_month(export: Any, listing: dict[str, Any], found: str) -> None:
    export.put("part-0.json", lines(row()))
    export.put("_SUCCESS", json.dumps(listing).encode())
    with pytest.raises(ContractBroken, match=found):
        export.land()
    assert list((export.lake.root / "raw").rglob("*default*.parquet")) == []


def test_a_month_counts_when_its_run_has_finished_and_only_under_its_own_name(export: Any) -> None:
    export.put("part-0.json", lines(row()))
    with pytest.raises(SourceUnavailable, match="no _SUCCESS and no listing"):
        export.land()
    export.put("_SUCCESS")
    export.put("part-0.json", lines(row(cost=99)), "export/billing_period=2026-1")
    export.put("_SUCCESS", month="export/billing_period=2026-1")
    assert export.land(start=date(2026, 1, 1)).control_total == Decimal("0.2499999")
    again = export.land()
    assert (again.deliveries_new, again.skipped) == (0, 1)
    # _SUCCESS is the same empty file after every run: the shards tell that there was another one.
    export.put("part-0.json", lines(row(), row(cost=2, export_time="2026-10-09 00:00:00 UTC")))
    later = export.land()
    assert (later.deliveries_new, later.rows) == (1, 2)


def test_two_exports_of_one_month_are_not_added(export: Any) -> None:
    for name in ("detailed", "standard"):
        export.put("part-0.json", lines(row()), f"{name}/billing_period=2026-10")
        export.put("_SUCCESS", month=f"{name}/billing_period=2026-10")
    with pytest.raises(ContractBroken, match="set AISL_GCP_EXPORT"):
        export.land()
    assert export.land(export="standard").rows == 1


_BAD = {
    "wrong_type": (row(cost={"value": 3}), "not_a_number"),
    "text_for_record": (row(usage="many"), "wrong_type"),
    "no_cost": (row(cost=None), "missing_value"),
    "text_cost": (row(cost="a lot"), "not_a_number"),
    "infinite": (row(cost="Infinity"), "not_a_number"),
    "huge": (row(cost=1e300), "out_of_range"),
    "bad_credit": (row(credits=[{"type": "DISCOUNT", "amount": "half"}]), "not_a_number"),
    "bad_time": (row(usage_start_time="yesterday"), "unreadable_time"),
    "no_month": (row(invoice={"month": "202613"}), "unreadable_time"),
    "missing": ({k: v for k, v in row().items() if k != "currency"}, "missing_field"),
}


@pytest.mark.parametrize("name", _BAD)
def test_what_cannot_be_read_is_a_reject_and_the_rest_lands(export: Any, name: str) -> None:
    bad, reason = _BAD[name]
    many = [row(cost=n) for n in range(5)]
    export.put("part-0.json", lines(*many, bad | {"surprise": {"new": 1}}))
    export.put("_SUCCESS")
    report = export.land()
    assert (report.rows, report.rejects) == (5, 1)
    assert report.control_total == Decimal("10") - 5 * Decimal("0.0500001")
    with duckdb.connect() as connection:
        rejects = connection.execute(f"select ordinal, reason, detail from '{export.lake.root}/rejects/gcp/*/*.parquet'").fetchall()
    assert rejects[0][:2] == (5, reason)
    assert "a lot" not in str(rejects)


def test_fifty_spoiled_files_every_line_is_accepted_or_rejected_with_a_reason(export: Any) -> None:
    generator = random.Random(7)
    connector: Any = SYSTEM.connectors[0]
    config = SourceConfig("gcp", options={"location": str(export.root)})
    client: Any = None
    kept = refused = 0
    export.put("_SUCCESS")
    good = lines(*[row(cost=n) for n in range(4)]).splitlines(keepends=True)
    for _ in range(50):
        spoiled = list(good)
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(spoiled))
            line = bytearray(spoiled[at])
            how = generator.randrange(5)
            if how == 0:
                spoiled[at] = bytes(line[: generator.randrange(1, len(line))]) + b"\n"
            elif how == 1:
                line[generator.randrange(len(line) - 1)] = generator.randrange(32, 256)
                spoiled[at] = bytes(line)
            elif how == 2:
                spoiled.insert(at, bytes(line))
            elif how == 3:
                generator.shuffle(spoiled)
            else:
                spoiled[at] = bytes(line).replace(b'"cost": ', b'"cost": ' + generator.choice((b"NaN,", b"-", b"[1],", b"9e99"))[:9], 1)
        content = b"".join(spoiled)
        export.put("part-0.json", content)
        (window,) = connector.find(config, [month_window(date(2026, 10, 1))])
        ((_, batch),) = connector.fetch(client, config, [window])
        assert batch.records.height + len(batch.rejects) == len([line for line in content.splitlines() if line.strip()])
        assert batch.control_total == exact_sum(batch.records["net_cost"])
        assert all(reject.reason and reject.record_digest for reject in batch.rejects)
        kept += batch.records.height
        refused += len(batch.rejects)
    assert kept > 100 and refused > 40


def test_google_s_own_buckets_are_read_through_its_s3_address() -> None:
    folder = _open(SourceConfig("gcp", options={"location": "gs://acme-billing/exports"}))
    assert isinstance(folder, S3Folder)
    assert (folder.bucket, folder.prefix, folder.options.endpoint_url) == ("acme-billing", "exports/", "https://storage.googleapis.com")


FOCUS_ROW = {
    "BilledCost": "0.25", "EffectiveCost": "0.25", "ListCost": "0.3", "ContractedCost": "0.3", "BillingCurrency": "USD",
    "BillingAccountId": "01AAAA", "BillingPeriodStart": "2026-10-01 07:00:00 UTC", "BillingPeriodEnd": "2026-11-01 07:00:00 UTC",
    "ChargePeriodStart": "2026-10-02 05:00:00 UTC", "ChargePeriodEnd": "2026-10-02 06:00:00 UTC", "ChargeCategory": "Usage",
    "ChargeDescription": "Gemini 2.5 Flash GA Text Input - Predictions", "ServiceName": "Vertex AI", "ProviderName": "Google Cloud",
    "SkuId": "AAAA", "x_Credits": [{"Type": "PROMOTION", "Amount": "-0.05"}], "x_ExportTime": "2026-10-02 11:00:00 UTC",
    "x_Labels": [{"Key": "env", "Value": "prod"}], "x_ProjectLabels": [{"Key": "team", "Value": "search"}],
    "x_Tags": [{"Key": "cc", "Value": "9", "x_Inherited": True, "x_Namespace": "acme"}],
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_the_native_focus_export_keeps_its_columns_and_gets_its_tags(export: Any, suffix: str) -> None:
    export.put(f"part-0.{suffix}", lines(FOCUS_ROW) if suffix == "json" else parquet(FOCUS_ROW))
    export.put("_SUCCESS")
    report = export.land("focus_export", kind="focus")
    assert (report.rows, report.rejects, report.control_total) == (1, 0, Decimal("0.25"))
    found = export.rows("select Tags, x_extra, ChargePeriodStart, InvoiceIssuerName from landed", "focus_export")[0]
    assert json.loads(found[0]) == {"label/env": "prod", "project_label/team": "search", "tag/acme/cc": "9"}
    extra = json.loads(found[1])
    assert json.loads(extra["x_Credits"])[0]["Type"] == "PROMOTION" and extra["x_ExportTime"].startswith("2026-10-02")
    assert found[2].startswith("2026-10-02") and found[3] is None


def delivered(export: Any, days: int, *faults: dict[str, Any]) -> Company:
    """Puts what the sandbox company's export holds where `export` reads."""
    company = object.__new__(Company)
    object.__setattr__(company, "days", calendar.days_ending(days))
    bills = export.root.parent / "drop" / "bills"
    bucket: Any = None
    sandbox_gcp.deliver(World(company, calendar.AS_OF, Faults(list(faults))), bills, bucket)
    export.root = Path(sandbox_gcp.environment(bills, bucket)["AISL_GCP_LOCATION"])
    return company


@pytest.mark.parametrize(
    ("fault", "message"),
    [({"kind": "missing_page"}, "one that is not there"), ({"kind": "doubled_page"}, "only repeat rows of the others")],
)
def test_a_lost_or_left_over_shard_of_the_sandbox_stops_its_month(export: Any, fault: dict[str, Any], message: str) -> None:
    company = delivered(export, 12, fault)
    with pytest.raises(ContractBroken, match=message):
        export.land(start=company.days[0])


def test_a_restated_day_is_more_rows_and_another_currency_is_said(export: Any) -> None:
    company = delivered(export, 12)
    before = export.land(start=company.days[0])
    delivered(export, 12, {"kind": "restated_day", "day": "2026-10-12", "permille": 900}, {"kind": "unknown_field"})
    later = export.land(start=company.days[0])
    assert later.rejects == 0 and later.rows > before.rows and later.control_total < before.control_total
    delivered(export, 12, {"kind": "wrong_currency"})
    assert export.land(start=company.days[0]).control_unit == "EUR"


def test_the_sandbox_company_lands_to_the_digit(export: Any) -> None:
    company = delivered(export, 70)
    report = export.land(start=company.days[0])
    truth = sum((Decimal(day.billed) for day in sandbox_gcp.truth(company)), Decimal(0))
    assert report.rejects == 0 and report.control_total == truth
    by_day = dict(export.rows("select usage_start_time::date::text, sum(net_cost::decimal(38,12)) from landed group by 1"))
    expected: dict[str, Decimal] = {}
    for day in sandbox_gcp.truth(company):
        expected[day.day.isoformat()] = expected.get(day.day.isoformat(), Decimal(0)) + Decimal(day.billed)
    assert by_day == expected
    # Rows and net cost are the same however many credits a row carries: none, one or three.
    counts = export.rows("select coalesce(json_array_length(credits), 0) as n, count(*) from landed group by 1 order by 1")
    assert [n for n, _ in counts] == [0, 1, 3] and sum(c for _, c in counts) == report.rows
