"""Copilot's connector against the sandbox vendor over HTTP, the recorded answers, and links of other origins."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from fake_vendor import Reply
from sandbox_vendor import land, plug, world

from ingestion.connectors import CONNECTORS
from ingestion.doctor import check
from ingestion.errors import ContractBroken, SourceUnavailable
from ingestion.source import SourceConfig
from ingestion.windows import day_window, month_window
from sandbox.canaries import CANARIES
from sandbox.vendors import copilot

NOW = dt.datetime(2026, 6, 20, 6, tzinfo=dt.UTC)
FIRST = dt.date(2026, 5, 25)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(26)]
BILLING, MODELS, REPORT = "copilot__billing_usage", "copilot__model_usage", "copilot__usage_report"
PROVIDERS = Path(__file__).parents[2] / "fixtures/providers"
CONFIG = SourceConfig("copilot", options={"organization": "acme", "enterprise": "e"}, secrets={"TOKEN": "ghp_secret"})
DAY, MONTH = day_window(dt.date(2026, 10, 5)), month_window(dt.date(2026, 10, 1))
LINE = {
    "date": "2026-10-05", "username": "ada", "product": "copilot", "sku": "copilot_ai_credit", "model": "Auto: GPT-5", "quantity": "120.5",
    "unit_type": "ai-credits", "applied_cost_per_quantity": "0.01", "gross_amount": "1.205", "discount_amount": "1.0", "net_amount": "0.205",
}  # fmt: skip
REPORTS = "/enterprises/e/settings/billing/reports"


def at(*faults):
    return world(DAYS, NOW, *faults)


def fetch(client, key, window=DAY, config=CONFIG):
    ((_, batch),) = CONNECTORS[key].fetch(client, config, [window])
    return batch


def net(frame, *where):
    return sum(map(Decimal, frame.filter(*where)["net_usd"]))


def csv(*lines):
    text = ",".join(f'"{name}"' for name in lines[0]) + "\r\n"
    return ("\ufeff" + text + "".join(",".join(f'"{cell}"' for cell in line.values()) + "\r\n" for line in lines)).encode()


def test_three_lists_of_the_same_usage_and_the_seats_beside_it(vendor, lake):
    now = at()
    config = plug(vendor, copilot, now, "copilot")
    _, models = land(MODELS, config, lake, now, FIRST)
    _, report = land(REPORT, config, lake, now, FIRST)
    _, billing = land(BILLING, config, lake, now, FIRST)
    used = copilot.uses(now.company)
    assert {u.meter for u in used} == {"ai_credit", "premium_request"}
    cash = sum(Decimal((u.quantity - u.covered) * u.cents) for u in used) / 10**8
    covered = sum(Decimal(u.covered * u.cents) for u in used) / 10**8
    credits = billing.filter(pl.col("sku").str.contains("Credits|Premium"))
    for frame in (models, report, credits):
        assert net(frame) == cash > 0
        assert sum(map(Decimal, frame["discount_usd"])) == covered > 0
    seats = net(billing, pl.col("sku") == "Copilot Business")
    assert cash + seats == sum(Decimal(d.billed) for d in copilot.truth(now.company))
    assert set(report["username"]) <= {copilot.PEOPLE[i].github_login for i in copilot.HOLDERS}
    assert report.height == len(used)


def test_reports_and_metrics_are_downloaded_without_the_credential(vendor, lake):
    now = at()
    config = plug(vendor, copilot, now, "copilot")
    _, report = land(REPORT, config, lake, now, FIRST)
    _, metrics = land("copilot__user_metrics", config, lake, now, FIRST)
    files = [a for a in vendor.asked if a.path.startswith("/files/")]
    assert len(files) == 2 + metrics["usage_date"].n_unique() and all("authorization" not in a.headers for a in files)
    exports = [a.body for a in vendor.asked if a.method == "POST"]
    assert [(e["report_type"], e["start_date"], e["send_email"]) for e in exports] == [
        ("premium_request", "2026-05-01", False), ("ai_credit", "2026-06-01", False),
    ]  # fmt: skip
    assert metrics.height == report.height and metrics["cli_prompt_tokens"].sum() > 0
    assert not [name for name, value in CANARIES.items() if value in str(metrics.to_dicts()) + str(report.to_dicts())]


def test_seats_are_counted_by_person_and_a_lost_page_is_seen(vendor, client, lake):
    now = at()
    config = plug(vendor, copilot, now, "copilot")
    _, seats = land("copilot__seats", config, lake, now, FIRST)
    assert seats.height == len(copilot.HOLDERS) and seats["last_activity_at"].null_count() == 1
    assert seats["created_at"].unique().to_list() == [dt.datetime(2026, 5, 18, 6, tzinfo=dt.UTC)]


def test_a_page_of_seats_that_is_missing_is_broken(vendor, client):
    recorded = json.loads((PROVIDERS / "copilot_seats.json").read_text())
    vendor.routes["/orgs/acme/copilot/billing/seats"] = recorded | {"total_seats": 3}
    with pytest.raises(ContractBroken, match="2 seats over all pages where the vendor counts 3"):
        fetch(client, "copilot__seats")


def test_a_restated_month_is_landed_again(vendor, lake):
    before = at()
    land(MODELS, plug(vendor, copilot, before, "copilot"), lake, before, FIRST)
    after = at({"kind": "restated_month", "vendor": "copilot", "month": "2026-06", "permille": 1100})
    report, _ = land(MODELS, plug(vendor, copilot, after, "copilot"), lake, after, FIRST)
    assert (report.windows, report.deliveries_new, report.unchanged) == (2, 1, 1)


def test_unknown_fields_are_welcome_and_changed_types_reject_the_record(vendor, lake):
    strange = at({"kind": "unknown_field", "vendor": "copilot"})
    report, _ = land(BILLING, plug(vendor, copilot, strange, "copilot"), lake, strange, FIRST)
    assert report.rejects == 0 < report.rows
    broken = at({"kind": "changed_type", "vendor": "copilot"})
    report, _ = land(BILLING, plug(vendor, copilot, broken, "copilot"), lake, broken, FIRST)
    assert report.rows == 0 < report.rejects


def test_the_doctor_asks_for_one_day(vendor):
    assert check(plug(vendor, copilot, at(), "copilot"), now=NOW).state == "ok"


def test_recorded_seats_are_read_in_full(vendor, client):
    vendor.routes["/orgs/acme/copilot/billing/seats"] = json.loads((PROVIDERS / "copilot_seats.json").read_text())
    batch = fetch(client, "copilot__seats")
    first, second = batch.records.to_dicts()
    assert (batch.rejects, first["created_at"]) == ([], dt.datetime(2023, 8, 28, 23, 50, 42, tzinfo=dt.UTC))
    assert (first["last_activity_at"].hour, second["last_activity_at"], second["plan_type"]) == (16, None, "enterprise")


def test_official_examples_are_read_in_full(vendor, client):
    examples = {e["path"]: e["body"] for e in json.loads((PROVIDERS / "github_copilot_examples.json").read_text())}
    billing = "/organizations/acme/settings/billing"
    vendor.routes |= {
        f"{billing}/ai_credit/usage": examples["/organizations/{org}/settings/billing/ai_credit/usage"],
        f"{billing}/premium_request/usage": examples["/organizations/{org}/settings/billing/premium_request/usage"],
        f"{billing}/usage": examples["/organizations/{org}/settings/billing/usage"],
        "/orgs/acme/copilot/billing/seats": examples["/orgs/{org}/copilot/billing/seats"],
    }
    legacy = SourceConfig("copilot", options={"organization": "acme", "premium_requests": "true"})
    both = fetch(client, MODELS, MONTH, legacy)
    assert (both.records["meter"].to_list()[:2], both.records.height) == (["ai_credit", "premium_request"], 2 * 31)
    assert both.control_total == Decimal(5) * 31 and both.records["usage_date"].n_unique() == len(both.days) == 31
    usage = fetch(client, BILLING, month_window(dt.date(2023, 8, 1)))
    assert (usage.records.height, usage.control_total, usage.days) == (1, Decimal("0.8"), [dt.date(2023, 8, 1)])
    assert [r.reason for r in fetch(client, BILLING).rejects] == ["outside_window"]
    seats = fetch(client, "copilot__seats")
    assert seats.records["assignee_login"].to_list() == ["octocat", "octokitten"] and not seats.rejects


def test_the_report_is_waited_for_and_read_by_column_name(vendor, client, waits):
    polled = [Reply({"id": "7", "status": s, "download_urls": [f"{vendor.url}/f?sig={'x' * 20}"]}) for s in ("processing", "completed")]
    vendor.routes |= {REPORTS: Reply({"id": "7", "status": "queued"}, 202), f"{REPORTS}/7": polled}
    extra = LINE | {"aic_quantity": "120.5", "exceeds_quota": "False", "input_tokens": "12", "output_tokens": "n/a"}
    vendor.routes["/f"] = Reply(csv(extra, extra | {"date": "2026-11-01"}, extra | {"net_amount": "x"}))
    batch = fetch(client, REPORT, MONTH)
    (row,) = batch.records.to_dicts()
    assert (row["net_usd"], row["gross_usd"], row["username"], row["input_tokens"], row["output_tokens"]) == ("0.205", "1.205", "ada", 12, None)
    assert [(r.reason, r.field) for r in batch.rejects] == [("wrong_type", "net_amount"), ("outside_window", "date")]
    assert batch.control_total == Decimal("0.205") and len(waits) == 1
    # the export ends today at the latest
    assert vendor.asked[0].body["end_date"] == "2026-10-31"


@pytest.mark.parametrize(
    ("status", "error"), [("failed", ContractBroken), ("processing", SourceUnavailable)]
)
def test_a_report_that_never_comes_says_so(vendor, client, status, error):
    vendor.routes |= {REPORTS: Reply({"id": 7, "status": "queued"}, 202), f"{REPORTS}/7": {"id": 7, "status": status}}
    with pytest.raises(error, match="copilot__usage_report 2026-10"):
        fetch(client, REPORT, MONTH)


def test_a_link_that_fails_shows_neither_token_nor_signature(vendor, connect):
    client = connect(headers={"Authorization": "Bearer ghp_secret"}, secrets=("ghp_secret",), tries=1)
    signature = "signature0123456789"
    vendor.routes["/orgs/acme/copilot/metrics/reports/users-1-day"] = {"download_links": [f"{vendor.url}/gone?sig={signature}"]}
    with pytest.raises(Exception, match="HTTP 404") as failure:
        fetch(client, "copilot__user_metrics")
    assert signature not in str(failure.value) and "ghp_secret" not in str(failure.value)


def test_without_an_enterprise_no_report_is_asked_for():
    months = [MONTH]
    find = CONNECTORS[REPORT].find
    assert find is not None and find(SourceConfig("copilot"), months) == [] and find(CONFIG, months) == months
