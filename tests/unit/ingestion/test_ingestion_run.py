"""Laws of landing and of a whole ingest, shown on a made-up Anthropic organization."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from fake_vendor import Reply

from ingestion import manifest
from ingestion.catalog import BY_KEY, DATASETS
from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable
from ingestion.landing import ensure_schema, hash_records, land
from ingestion.manifest import ManifestWriter
from ingestion.records import Batch, table
from ingestion.run import ingest, plan_windows
from ingestion.source import SourceConfig
from ingestion.windows import day_window

AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)
START = date(2026, 11, 16)
COST = BY_KEY["anthropic__cost_report"]
PATH = "/v1/organizations/cost_report"
CONFIG = SourceConfig("anthropic", "acme", secrets={"ADMIN_KEY": "sk-test-key"})


def cost(amount, **rest):
    return {"amount": amount, "currency": "USD", "workspace_id": None, "description": "d"} | rest


def buckets(request, per_day):
    """Day buckets of the range asked for; `per_day(day)` gives the results."""
    first = date.fromisoformat(request.get("starting_at")[:10])
    after = date.fromisoformat(request.get("ending_at")[:10])
    found = []
    while first < after:
        following = first + timedelta(days=1)
        found.append(
            {"starting_at": f"{first}T00:00:00Z", "ending_at": f"{following}T00:00:00Z", "results": per_day(first)}
        )
        first = following
    return found


def serve(vendor, per_day):
    vendor.routes[PATH] = lambda r: {"data": buckets(r, per_day), "has_more": False, "next_page": None}


def run(lake, client, run_id="r1", **options):
    return ingest(
        "anthropic__cost_report", CONFIG, lake, **{"start_date": START, "as_of": AS_OF, **options}, run_id=run_id,
        client=client,
    )  # fmt: skip


def deliveries(lake):
    return manifest.read(lake, COST)


def rows(lake, delivery):
    return pl.read_parquet(lake.url(delivery.path))


def test_a_range_is_asked_once_and_lands_as_days(vendor, client, lake):
    serve(vendor, lambda day: [cost("250.5"), cost("0.10", description=f"{day}")])
    report = run(lake, client)
    assert len(vendor.asked) == 1
    assert vendor.asked[0].get("starting_at") == "2026-11-16T00:00:00Z"
    assert vendor.asked[0].get("ending_at") == "2026-11-20T00:00:00Z"
    assert vendor.asked[0].all("group_by[]") == ["workspace_id", "description"]
    assert (report.windows, report.rows, report.rejects, report.deliveries_new) == (4, 8, 0, 4)
    assert report.control_total == Decimal("1002.40")
    found = deliveries(lake)
    assert [d.window for d in found] == ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]
    assert {d.control_total for d in found} == {"250.60"}
    first = rows(lake, found[0])
    assert first.columns == list(COST.schema)
    assert sorted(first["amount_cents"]) == ["0.10", "250.5"]
    assert first["raw_delivery_id"].unique().to_list() == [found[0].delivery_id]
    assert first["raw_ordinal"].to_list() == [0, 1]


def test_the_same_answer_again_writes_no_file_and_moves_checked_at(vendor, client, lake):
    serve(vendor, lambda day: [cost("1")])
    run(lake, client)
    files = lake.list("raw")
    before = {d.window: d for d in deliveries(lake)}
    report = run(lake, client, "r2", as_of=AS_OF + timedelta(hours=1))
    assert (report.deliveries_new, report.unchanged) == (0, 4)
    assert lake.list("raw") == files
    after = {d.window: d for d in deliveries(lake)}
    assert all(after[w].delivery_id == before[w].delivery_id for w in before)
    assert all(after[w].checked_at == AS_OF + timedelta(hours=1) and after[w].run_id == "r1" for w in before)


def test_a_restated_day_gets_a_new_delivery_and_the_old_file_stays(vendor, client, lake):
    serve(vendor, lambda day: [cost("1")])
    run(lake, client)
    old = {d.window: d for d in manifest.current(deliveries(lake))}
    serve(vendor, lambda day: [cost("2" if day.day == 18 else "1")])
    assert run(lake, client, "r2").deliveries_new == 1
    new = {d.window: d for d in manifest.current(deliveries(lake))}
    assert [w for w in old if old[w].delivery_id != new[w].delivery_id] == ["2026-11-18"]
    assert new["2026-11-18"].superseded_content_hash == old["2026-11-18"].content_hash
    assert rows(lake, old["2026-11-18"])["amount_cents"].to_list() == ["1"]
    serve(vendor, lambda day: [cost("1")])
    run(lake, client, "r3")
    again = {d.window: d for d in manifest.current(deliveries(lake))}["2026-11-18"]
    assert again.content_hash == old["2026-11-18"].content_hash and again.delivery_id != old["2026-11-18"].delivery_id


def test_a_day_without_spend_is_complete_with_no_rows_and_replaces_what_was_there(vendor, client, lake):
    serve(vendor, lambda day: [cost("1")])
    run(lake, client)
    serve(vendor, lambda day: [])
    run(lake, client, "r2")
    current = manifest.current(deliveries(lake))
    assert {(d.state, d.rows, d.path, d.control_total) for d in current} == {("complete", 0, None, "0")}


def test_a_day_the_vendor_says_nothing_about_is_failed_not_empty(vendor, client, lake):
    def answer(request):
        found = buckets(request, lambda day: [cost("1")])
        return {"data": [b for b in found if "2026-11-18" not in b["starting_at"]], "has_more": False}

    vendor.routes[PATH] = answer
    with pytest.raises(ContractBroken, match="no bucket for 1 of 1 days, first 2026-11-18") as broken:
        run(lake, client)
    assert broken.value.report.failed == ["2026-11-18"]
    assert {d.window: d.state for d in deliveries(lake)} == {
        "2026-11-16": "complete", "2026-11-17": "complete", "2026-11-18": "failed", "2026-11-19": "complete",
    }  # fmt: skip


def test_a_doubled_page_fails_its_days_and_keeps_the_old_delivery(vendor, client, lake):
    serve(vendor, lambda day: [cost("1"), cost("2", description="e")])
    run(lake, client)
    old = {d.window: d.delivery_id for d in manifest.current(deliveries(lake))}
    serve(vendor, lambda day: [cost("1"), cost("2", description="e")] * (2 if day.day == 17 else 1))
    with pytest.raises(ContractBroken, match="repeat an identity") as broken:
        run(lake, client, "r2")
    assert broken.value.report.failed == ["2026-11-17"]
    assert {d.window: d.delivery_id for d in manifest.current(deliveries(lake))} == old


def test_one_repeated_identity_among_many_is_a_reject(lake):
    window, repeated = day_window(START), 40
    row = (window.start, window.end, None, "x", None, None, None, None, None, None, "USD", "1")
    records = [(*row[:3], f"d{n}", *row[4:]) for n in range(200)]
    records.append((*records[repeated][:-1], "99"))
    writer = ManifestWriter(lake, COST)
    delivery, _ = land(writer, window, Batch(table(COST, records)), account="a", run_id="r", fetched_at=AS_OF)
    assert (delivery.rows, delivery.rejects) == (200, 1)
    (reject,) = pl.read_parquet(lake.url(f"rejects/anthropic/cost_report/{delivery.delivery_id}.parquet")).to_dicts()
    assert reject["reason"] == "duplicate_identity" and "99" not in (reject["detail"] or "")


def test_content_hash_does_not_know_the_order(lake):
    window = day_window(START)
    records = [
        (window.start, window.end, None, f"d{n}", None, None, None, None, None, None, "USD", str(n)) for n in range(50)
    ]
    hashes = set()
    for seed in range(3):
        random.Random(seed).shuffle(records)
        writer = ManifestWriter(lake, COST)
        hashes.add(land(writer, window, Batch(table(COST, records)), account="a", run_id="r", fetched_at=AS_OF)[0].content_hash)
    assert len(hashes) == 1
    assert hash_records(table(COST, records)) not in hashes or records == sorted(records)


def test_currency_that_is_not_dollars_is_rejected_with_its_reason(vendor, client, lake):
    serve(vendor, lambda day: [cost("1"), cost("5", currency="EUR", description="e")])
    report = run(lake, client)
    assert (report.rows, report.rejects, report.control_total) == (4, 4, Decimal(4))
    found = pl.concat(pl.read_parquet(lake.url(k)) for k in lake.list("rejects"))
    assert set(found["reason"]) == {"unexpected_currency"} and set(found["field"]) == {"currency"}
    assert not any("EUR" in str(v) for v in found.row(0))


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e400", "abc", None, True, {}, "9" * 30])
def test_money_that_is_no_money_rejects_its_record_only(vendor, client, lake, bad):
    serve(vendor, lambda day: [cost(bad), cost("1e-7", description="e")])
    report = run(lake, client)
    assert (report.rows, report.rejects, report.control_total) == (4, 4, Decimal("0.0000004"))
    assert rows(lake, deliveries(lake)[0])["amount_cents"].to_list() == ["0.0000001"]


def test_unknown_fields_are_welcome_and_never_landed(vendor, client, lake):
    serve(vendor, lambda day: [cost("1", prompt="CANARY TEXT")])
    run(lake, client)
    assert not any(b"CANARY" in (lake.read(key) or b"") for key in lake.list(""))


def test_a_refusal_stops_at_once_and_fails_every_window(vendor, client, lake):
    vendor.routes[PATH] = Reply({"error": {"type": "authentication_error"}}, 401)
    with pytest.raises(RequestRejected) as refused:
        run(lake, client, start_date=date(2026, 8, 1))
    assert len(vendor.asked) == 1
    assert len(refused.value.report.failed) == 111
    assert {d.state for d in deliveries(lake)} == {"failed"} and "HTTP 401" in deliveries(lake)[0].error


def test_an_outage_fails_its_range_only_and_a_repeat_keeps_one_line(vendor, client, lake):
    def answer(request):
        if "2026-10-10" in request.get("starting_at"):
            return Reply({}, 503)
        return {"data": buckets(request, lambda day: [cost("1")]), "has_more": False}

    vendor.routes[PATH] = answer
    for _ in range(2):
        with pytest.raises(SourceUnavailable) as gone:
            run(lake, client, start_date=date(2026, 9, 9))
    assert len(gone.value.report.failed) == 31
    lines = deliveries(lake)
    assert sum(d.state == "failed" for d in lines) == 31
    assert sum(d.state == "complete" for d in lines) == 72 - 31


def test_two_silent_ranges_in_a_row_end_the_questions(vendor, client, lake):
    vendor.routes[PATH] = Reply({}, 503)
    with pytest.raises(SourceUnavailable):
        run(lake, client, start_date=date(2025, 11, 20))
    assert len(vendor.asked) == 16
    assert len(deliveries(lake)) == 365


def test_days_are_given_only_after_the_last_page(vendor, client, lake):
    def answer(request):
        if request.get("page"):
            return Reply({}, 400)
        return {"data": buckets(request, lambda day: [cost("1")])[:2], "has_more": True, "next_page": "p2"}

    vendor.routes[PATH] = answer
    with pytest.raises(RequestRejected):
        run(lake, client)
    assert {d.state for d in deliveries(lake)} == {"failed"} and not lake.list("raw")[1:]


def test_a_failed_window_that_heals_is_complete_again(vendor, client, lake):
    vendor.routes[PATH] = Reply({}, 401)
    with pytest.raises(RequestRejected):
        run(lake, client)
    serve(vendor, lambda day: [cost("1")])
    run(lake, client, "r2")
    assert [d.state for d in deliveries(lake)] == ["failed"] * 4 + ["complete"] * 4
    assert len(manifest.current(deliveries(lake))) == 4


def test_every_dataset_reads_with_its_schema(lake):
    for dataset in DATASETS:
        ensure_schema(lake, dataset)
        found = pl.read_parquet(lake.url(f"raw/{dataset.source}/{dataset.name}/_schema.parquet"))
        assert found.columns == list(dataset.schema) and found.height == 0


def delivery(window, state="complete", **rest):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given = {"delivery_id": f"{window}-{state}", "source": "s", "dataset": "d", "account": "a", "window_start": at}
    given |= {"window_end": at, "rows": 1, "rejects": 0, "content_hash": "h", "control_total": None, "control_unit": None}
    given |= {"path": None, "fetched_at": at, "checked_at": at, "run_id": "r", "pages": 1} | rest
    return manifest.Delivery(window=window, state=state, **given)


def test_plan_asks_for_restated_days_and_for_gaps():
    landed = [delivery(f"2026-11-{d:02}") for d in range(1, 20) if d != 5] + [delivery("2026-11-05", "failed")]
    plan = plan_windows(COST, landed, date(2026, 11, 1), AS_OF)
    assert [w.key for w in plan] == ["2026-11-05"] + [f"2026-11-{d}" for d in range(13, 20)]


def test_plan_never_asks_for_a_day_that_is_not_over():
    assert plan_windows(COST, [], date(2026, 11, 19), AS_OF)[-1].key == "2026-11-19"
    asked = (date(2026, 11, 19), date(2026, 11, 25))
    assert [w.key for w in plan_windows(COST, [], START, AS_OF, asked)] == ["2026-11-19"]


def test_plan_of_months_has_the_open_one_the_restated_and_the_missing():
    aws = BY_KEY["aws__focus_export"]
    landed = [delivery("2026-09"), delivery("2026-10"), delivery("2026-11")]
    assert [w.key for w in plan_windows(aws, landed, date(2026, 8, 15), AS_OF)] == ["2026-08", "2026-10", "2026-11"]
    asked = (date(2026, 9, 30), date(2026, 10, 1))
    assert [w.key for w in plan_windows(aws, landed, START, AS_OF, asked)] == ["2026-09", "2026-10"]


def test_plan_of_a_snapshot_is_the_day_of_the_clock():
    assert [w.key for w in plan_windows("anthropic__users", [], START, AS_OF)] == ["2026-11-20"]


def test_manifest_lines_of_two_writers_are_all_kept(lake):
    first, second = ManifestWriter(lake, COST), ManifestWriter(lake, COST)
    first.put(delivery("2026-11-01"))
    second.put(delivery("2026-11-02"))
    first.commit()
    second.commit()
    assert [d.window for d in manifest.read(lake, COST)] == ["2026-11-01", "2026-11-02"]


def test_missing_settings_are_named_and_secrets_are_not_shown():
    assert SourceConfig("jira").missing() == ["AISL_JIRA_EMAIL", "AISL_JIRA_API_TOKEN", "AISL_JIRA_BASE_URL"]
    assert CONFIG.missing() == [] and "sk-test-key" not in repr(CONFIG)
    assert SourceConfig("prices").is_on() and not SourceConfig("files").is_on()
