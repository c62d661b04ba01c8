"""Dropped FOCUS files of any vendor: zips of parts, upper-case columns, names of drafts before 1.0."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from decimal import Decimal
from types import SimpleNamespace

import pytest

from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken
from ingestion.files.billing import FOCUS, read_file
from ingestion.source import SourceConfig
from sandbox import calendar
from sandbox.exports import focus_files
from sandbox.faults import Faults
from sandbox.vendors.base import World

CLOCK = dt.datetime(2026, 10, 4, 6, tzinfo=dt.UTC)
COMPANY = SimpleNamespace(days=[d for d in calendar.days_ending(52) if d < CLOCK.date()], seed=1)
HEAD = "BilledCost,BillingCurrency,ChargePeriodStart,ChargeCategory\n"


@pytest.fixture
def dropped(tmp_path):
    """Function: the sandbox's dropped FOCUS files as batches by file name, with faults."""

    def drop(*faults):
        focus_files.deliver(World(COMPANY, CLOCK, Faults(list(faults))), tmp_path, None)
        connector = CONNECTORS["files__focus"]
        config = SourceConfig("files", options={"location": str(tmp_path)})
        windows = connector.find(config, [])
        return {w.locator: b for w, b in connector.fetch(None, config, windows)}

    return drop


def test_a_zip_of_parts_and_a_view_in_upper_case_come_through_to_the_digit(dropped):
    found = dropped()
    assert sorted(found) == [f"{v}-focus-2026-{m}.{s}" for v, s in (("pinecone", "zip"), ("snowflake", "csv")) for m in ("08", "09", "10")]
    versions = {name: batch.records["focus_version_in"].unique().to_list() for name, batch in found.items()}
    assert {n.partition("-")[0]: v for n, v in versions.items()} == {"pinecone": ["1.4"], "snowflake": ["1.3"]}
    truth = {}
    for row in focus_files.truth(COMPANY):
        key = f"{row.issuer.lower()}-focus-{row.day:%Y-%m}"
        truth[key] = truth.get(key, 0) + Decimal(row.billed)
    assert {name.rpartition(".")[0]: batch.control_total for name, batch in found.items()} == truth
    assert not any(batch.rejects for batch in found.values())
    september = found["pinecone-focus-2026-09.zip"].records
    assert september.filter(september["ChargeCategory"] == "Purchase")["ChargeDescription"].to_list() == ["Monthly minimum top-up"]
    assert json.loads(september["x_extra"][0]) == {"x_Plan": "standard"}
    print({name: (b.records.height, str(b.control_total)) for name, b in found.items()})


def test_a_missing_part_is_refused_and_other_faults_are_named(dropped):
    with pytest.raises(ContractBroken, match="without some of its numbered parts"):
        dropped({"kind": "missing_page", "vendor": "files", "path": "Pinecone"})
    broken = dropped({"kind": "changed_type", "vendor": "files"})
    assert {r.reason for b in broken.values() for r in b.rejects} == {"not_a_number"}
    assert {b.records.height for b in broken.values()} == {0}
    strange = dropped({"kind": "unknown_field", "vendor": "files"})["pinecone-focus-2026-09.zip"]
    assert json.loads(strange.records["x_extra"][0])["x_Surprise"] == "1"


def packed(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "-") + ".csv", text)
    return out.getvalue()


def test_rows_of_parts_are_numbered_through_and_rejects_with_them():
    row = "1,USD,2026-09-01,Usage\n"
    parts = packed(part__1__of__2=HEAD + row + "x,USD,2026-09-01,Usage\n", part__2__of__2=HEAD + row + "1,USD\n" + row)
    batch = read_file(FOCUS, "f.zip", parts)
    assert (batch.records.height, batch.control_total) == (3, 3)
    assert sorted((r.ordinal, r.reason) for r in batch.rejects) == [(1, "not_a_number"), (3, "ragged_row")]


@pytest.mark.parametrize(
    "content",
    [packed(), packed(part__2__of__2=HEAD), packed(part__1__of__2=HEAD, part__2__of__3=HEAD), b"PK\x03\x04cut", packed(a=HEAD, b="a,b\n1,2\n")],
    ids=["empty", "first part lacks", "two counts", "cut", "different columns"],
)
def test_an_archive_that_is_not_whole_is_refused(content):
    with pytest.raises(ContractBroken):
        read_file(FOCUS, "f.zip", content)


def test_oracles_older_names_are_read_as_what_they_are_called_now():
    head = (
        "BilledCost,BillingCurrency,ChargePeriodStart,ChargeCategory,Provider,Publisher,InvoiceIssuer,Region,UsageQuantity,UsageUnit,"
        "ChargeSubcategory,oci_ReferenceNumber,oci_BackReferenceNumber\n"
    )
    row = "1.25,USD,2026-09-01T00:00Z,Usage,Oracle,Oracle,Oracle,eu-frankfurt-1,2,HOURS,On-Demand,ref-1,ref-0\n"
    batch = read_file(FOCUS, "0001.csv", (head + row).encode())
    (line,) = batch.records.to_dicts()
    assert {c: line[c] for c in ("ProviderName", "RegionId", "ConsumedQuantity", "ConsumedUnit", "focus_version_in")} == {
        "ProviderName": "Oracle", "RegionId": "eu-frankfurt-1", "ConsumedQuantity": "2", "ConsumedUnit": "HOURS", "focus_version_in": "0.5",
    }  # fmt: skip
    assert json.loads(line["x_extra"]) == {
        "ChargeSubcategory": "On-Demand", "oci_ReferenceNumber": "ref-1", "oci_BackReferenceNumber": "ref-0",
    }  # fmt: skip
    # The present name wins over the older one.
    both = read_file(FOCUS, "b.csv", (HEAD.strip() + ",Provider,ProviderName\n1,USD,2026-09-01,Usage,old,new\n").encode())
    assert both.records["ProviderName"].to_list() == ["new"]
