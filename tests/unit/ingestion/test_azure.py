"""Azure exports read from a copied container: the newest run of a month counts, and a copy that is not whole is refused."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.clouds.azure import SYSTEM, _run
from ingestion.connectors import CONNECTORS
from ingestion.errors import ContractBroken, IngestionError, SourceUnavailable
from ingestion.manifest import current
from ingestion.manifest import read as deliveries
from ingestion.run import ingest
from ingestion.source import SourceConfig
from ingestion.windows import month_window
from sandbox import calendar
from sandbox.exports import azure
from sandbox.faults import Faults
from sandbox.vendors.base import World

FOCUS, DETAILS = "azure__focus_cost", "azure__cost_details"
DAYS = [d for d in calendar.days_ending(50) if d < dt.date(2026, 10, 6)]
COMPANY = SimpleNamespace(days=DAYS, seed=1)
OPEN = dt.datetime(2026, 10, 6, 6, tzinfo=dt.UTC)
SEPTEMBER = month_window(dt.date(2026, 9, 1))


@pytest.fixture
def container(tmp_path):
    """Function: deliver the sandbox's exports at a clock with faults; gives the account that reads them."""

    def deliver(clock=OPEN, *faults):
        azure.deliver(World(COMPANY, clock, Faults(list(faults))), tmp_path / "bills", None)
        return account(tmp_path / "azure")

    return deliver


def account(folder, **options):
    return SourceConfig("azure", options={"location": str(folder), **options})


def fetch(key, config, *windows):
    connector = CONNECTORS[key]
    return [b for _, b in connector.fetch(None, config, connector.find(config, windows or [SEPTEMBER]))]


def land(key, config, lake, as_of=OPEN):
    return ingest(key, config, lake, start_date=DAYS[0], as_of=as_of, run_id="r")


def manifests(tmp_path, export="focus-daily"):
    return sorted((tmp_path / "azure" / export).rglob("manifest.json"))


def total(until=calendar.LAST_DAY, early=False):
    charges = [
        c for d in DAYS if d.month == 9 and d <= until for c in azure.charges(COMPANY, d, Faults(), early and d.day > 27)
    ]
    return Decimal(sum(c.billed for c in charges)).scaleb(-12)


def test_the_newest_run_of_a_month_counts_and_an_older_one_is_never_added(container, lake, tmp_path):
    config = container()
    assert len(manifests(tmp_path)) == 4
    (batch,) = fetch(FOCUS, config)
    assert (batch.control_total, batch.control_unit, len(batch.days), batch.pages) == (total(), "USD", 30, 2)
    assert batch.records["focus_version_in"].unique().to_list() == ["1.2"]
    (details,) = fetch(DETAILS, config)
    views = dict(details.records.group_by("cost_view").len().iter_rows())
    kinds = [c for d in DAYS if d.month == 9 for c in azure.charges(COMPANY, d, Faults())]
    assert views == {
        "actual": sum(c.kind != "Unused" for c in kinds),
        "amortized": sum(c.kind != "Purchase" for c in kinds),
    }
    assert SYSTEM.look(config) == ("8 months of 3 exports", "2026-10-06T06:00:00+00:00")
    report = land(FOCUS, config, lake)
    assert (report.windows, report.absent, report.rejects) == (2, ["2026-08"], 0)
    print("azure:", report.rows, "rows,", report.control_total, report.control_unit)


def test_a_restated_month_replaces_and_an_unchanged_one_is_not_read_again(container, lake):
    closing = dt.datetime(2026, 10, 4, 6, tzinfo=dt.UTC)
    land(FOCUS, container(closing), lake, closing)
    unchanged = land(FOCUS, container(closing), lake, closing)
    assert (unchanged.windows, unchanged.skipped) == (0, 2)
    restated = {"kind": "restated_day", "vendor": "azure", "day": "2026-09-29"}
    land(FOCUS, container(OPEN, restated), lake)
    (month,) = [d for d in current(deliveries(lake, CONNECTORS[FOCUS].dataset)) if d.window == "2026-09"]
    charges = [c for d in DAYS if d.month == 9 for c in azure.charges(COMPANY, d, Faults([restated]))]
    assert Decimal(month.control_total) == Decimal(sum(c.billed for c in charges)).scaleb(-12) > total()
    assert month.superseded_content_hash


def test_an_older_manifest_copied_last_does_not_win(container, tmp_path):
    config = container()
    older = json.loads(manifests(tmp_path)[0].read_text())
    assert older["runInfo"]["submittedTime"] == "2026-10-04T05:00:00Z"
    manifests(tmp_path)[0].touch()
    (batch,) = fetch(FOCUS, config)
    assert batch.control_total == total()
    # A run without files never replaces one that has some.
    newest = manifests(tmp_path)[1]
    empty = json.loads(newest.read_text()) | {"blobs": [], "blobCount": 0, "dataRowCount": 0}
    newest.write_text(json.dumps(empty))
    (batch,) = fetch(FOCUS, config)
    assert total(early=True) == batch.control_total < total()


def test_file_names_come_from_the_manifest_wherever_the_copy_begins(container, tmp_path):
    config = container()
    run = manifests(tmp_path)[1].parent
    moved = tmp_path / "azure" / "20260901-20260930" / "focus-daily" / "one"
    moved.parent.mkdir(parents=True)
    run.rename(moved)
    (batch,) = fetch(FOCUS, config)
    assert batch.control_total == total()
    (batch,) = fetch(FOCUS, account(moved))
    assert batch.control_total == total()


def test_a_copy_that_is_not_whole_is_refused(container, tmp_path):
    config = container()
    run = manifests(tmp_path)[1].parent
    part = sorted(run.glob("part_1*"))[0]
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    with pytest.raises(SourceUnavailable, match=r"2026-09.*part_1.*bytes where the manifest says"):
        fetch(FOCUS, config)
    part.unlink()
    with pytest.raises(SourceUnavailable, match="no such file"):
        fetch(FOCUS, config)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("missing_page", "where the manifest says"),
        ("doubled_page", "a file named twice"),
        ("truncated_json", "no manifest of an export"),
    ],
)
def test_lost_doubled_and_cut_answers_are_refused(container, kind, error):
    with pytest.raises(ContractBroken, match=error):
        fetch(FOCUS, container(OPEN, {"kind": kind, "vendor": "azure", "path": "focus"}))


def test_two_exports_of_one_month_are_added_only_when_both_are_named(container, tmp_path):
    config = container()
    other = tmp_path / "azure" / "other"
    other.mkdir()
    for path in manifests(tmp_path)[1].parent.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["exportConfig"] |= {"exportName": "other", "resourceId": "/subscriptions/x/exports/other"}
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ContractBroken, match=r"2026-09.*focus-daily and other"):
        fetch(FOCUS, config)
    location = tmp_path / "azure"
    assert [b.control_total for b in fetch(FOCUS, account(location, exports="Focus-Daily"))] == [total()]
    assert [b.control_total for b in fetch(FOCUS, account(location, exports="focus-daily, other"))] == [2 * total()]


def test_unknown_columns_are_kept_and_wrong_types_rejected_row_by_row(container):
    (batch,) = fetch(FOCUS, container(OPEN, {"kind": "unknown_field", "vendor": "azure"}))
    assert batch.control_total == total()
    assert json.loads(batch.records["x_extra"][0])["x_Surprise"] == "unheard of"
    (batch,) = fetch(FOCUS, container(OPEN, {"kind": "changed_type", "vendor": "azure"}))
    assert (batch.records.height, batch.control_total) == (0, 0)
    assert {(r.reason, r.field) for r in batch.rejects} == {("not_a_number", "BilledCost")}
    (batch,) = fetch(FOCUS, container(OPEN, {"kind": "wrong_currency", "vendor": "azure"}))
    assert batch.control_unit == "EUR"


def test_a_broken_manifest_names_its_place_and_nothing_of_its_text(container, tmp_path):
    config = container()
    manifests(tmp_path)[0].write_text('{"exportConfig": {"exportName": "SECRET-7", "type": 3}}')
    with pytest.raises(IngestionError) as error:
        fetch(FOCUS, config)
    assert "focus-daily" in str(error.value) and "SECRET-7" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
WHOLE = {
    "exportConfig": {"exportName": "e", "type": "FocusCost", "resourceId": "/x"},
    "runInfo": {"submittedTime": "2026-09-05T04:00:00Z", "startDate": "2026-09-01T00:00:00"},
    "blobs": [{"blobName": "part_0.csv", "byteCount": 1, "dataRowCount": 1}], "blobCount": 1,
}  # fmt: skip
PLACES = [("exportConfig",), ("runInfo",), ("blobs",), ("blobCount",), ("exportConfig", "type"), ("exportConfig", "exportName"),
          ("exportConfig", "resourceId"), ("runInfo", "submittedTime"), ("runInfo", "startDate")]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(place=st.sampled_from(PLACES), value=JSON, cut=st.none() | st.integers(0, 300))
def test_any_manifest_is_read_or_refused_with_its_place(place, value, cut):
    manifest = json.loads(json.dumps(WHOLE))
    target = manifest
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    try:
        run = _run("here/manifest.json", "v", json.dumps(manifest).encode()[:cut])
    except ContractBroken as error:
        assert "here/manifest.json" in str(error)
    else:
        assert run.month.day == 1 and run.submitted.tzinfo is not None
