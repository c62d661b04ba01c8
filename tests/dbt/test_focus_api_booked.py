"""What is booked: days are replaced whole, closed periods stay, changes after the close are visible corrections."""

from __future__ import annotations

from decimal import Decimal

from tests.dbt.conftest import statuses

ACCOUNT = "main"
BOOKED = ("+focus_cost_and_usage",)


def cost(day: str, cents: str, model: str = "claude-sonnet-4-5", **fields):
    return {
        "starting_at": f"{day} 00:00:00+00", "cost_type": "tokens", "token_type": "uncached_input_tokens", "model": model,
        "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "amount_cents": cents, **fields,
    }  # fmt: skip


def usage(day: str, key: str = "k", tokens: int = 1000, model: str = "claude-sonnet-4-5", **fields):
    return {
        "starting_at": f"{day} 00:00:00+00", "api_key_id": key, "model": model, "service_tier": "standard",
        "context_window": "0-200k", "inference_geo": "global", "uncached_input_tokens": tokens, **fields,
    }  # fmt: skip


def frames(*days_and_cents: tuple[str, str], **extra):
    return {
        "anthropic__cost_report": [cost(d, c) for d, c in days_and_cents],
        "anthropic__usage_messages": [usage(d) for d, _ in days_and_cents],
        **extra,
    }


def booked(warehouse):
    return warehouse.rows(
        "select * from focus.focus_cost_and_usage order by charge_date, BillingPeriodStart, x_charge_id"
    )


def test_a_day_in_scope_is_replaced_whole_also_by_nothing_and_other_days_stay(raw_warehouse):
    warehouse = raw_warehouse(frames(("2026-11-01", "100"), ("2026-11-02", "200"), ("2026-11-03", "300")))
    warehouse.build(*BOOKED, full_refresh=True)
    warehouse.land(
        frames(("2026-11-02", "250")),
        scope=[("anthropic", ACCOUNT, "2026-11-02"), ("anthropic", ACCOUNT, "2026-11-03")],
        full=False,
    )
    warehouse.build(*BOOKED)
    incremental = booked(warehouse)
    assert [r["BilledCost"] for r in incremental] == [Decimal(1), Decimal("2.5")]

    again = raw_warehouse(frames(("2026-11-01", "100"), ("2026-11-02", "250")))
    again.build(*BOOKED, full_refresh=True)
    assert booked(again) == incremental


def test_a_redelivered_line_keeps_its_charge_id(raw_warehouse):
    ids = []
    for delivery in ("first", "second"):
        given = frames(("2026-11-01", "100"))
        given["anthropic__cost_report"][0]["raw_delivery_id"] = delivery
        warehouse = raw_warehouse(given)
        warehouse.build(*BOOKED)
        ids.append([r["x_charge_id"] for r in booked(warehouse)])
    assert ids[0] == ids[1]


def closed_october(warehouse):
    rows = [r for r in booked(warehouse) if r["BillingPeriodStart"].isoformat()[:7] == "2026-10"]
    return {
        "frozen_charges": rows,
        "frozen_periods": [
            {"source": "anthropic", "account": ACCOUNT, "billing_period": "2026-10-01", "content_hash": "h"}
        ],
    }


def test_a_change_after_the_close_is_a_correction_in_the_open_period(raw_warehouse):
    first = [("2026-10-05", "100"), ("2026-10-06", "200"), ("2026-11-01", "50")]
    warehouse = raw_warehouse(frames(*first))
    warehouse.build(*BOOKED, full_refresh=True)
    closed = closed_october(warehouse)
    october = {r["charge_date"].day: r for r in closed["frozen_charges"]}

    # The vendor restates the 5th, withdraws the 6th and adds a charge on the 7th.
    restated = [("2026-10-05", "130"), ("2026-10-07", "11"), ("2026-11-01", "50")]
    scope = [("anthropic", ACCOUNT, d) for d in ("2026-10-05", "2026-10-06", "2026-10-07", "2026-11-01")]
    warehouse.land(frames(*restated, **closed), scope=scope, full=False)
    warehouse.build(*BOOKED)
    rows = booked(warehouse)
    assert [r for r in rows if r["BillingPeriodStart"].month == 10] == [october[5], october[6]]
    corrections = {r["charge_date"].day: r for r in rows if r["ChargeClass"] == "Correction"}
    assert {d: r["BilledCost"] for d, r in corrections.items()} == {
        5: Decimal("0.3"),
        6: Decimal(-2),
        7: Decimal("0.11"),
    }
    assert {d: r["ConsumedQuantity"] for d, r in corrections.items()} == {5: 0, 6: -1000, 7: 1000}
    assert {
        (r["BillingPeriodStart"].isoformat()[:10], r["BillingPeriodEnd"].isoformat()[:10]) for r in corrections.values()
    } == {("2026-11-01", "2026-12-01")}
    assert {d: r["ChargePeriodStart"].day for d, r in corrections.items()} == {5: 5, 6: 6, 7: 7}
    assert corrections[5]["x_OriginChargeId"] == october[5]["x_charge_id"]
    assert len({r["x_charge_id"] for r in rows}) == len(rows)

    full = raw_warehouse(frames(*restated, **closed), scope=scope)
    full.build(*BOOKED, full_refresh=True)
    assert booked(full) == rows

    # November closes with the corrections in it: nothing is corrected twice, a second restatement goes to December.
    both = {
        "frozen_charges": rows,
        "frozen_periods": [*closed["frozen_periods"], {**closed["frozen_periods"][0], "billing_period": "2026-11-01"}],
    }
    again = raw_warehouse(frames(*restated, **both), scope=scope)
    again.build(*BOOKED, full_refresh=True)
    assert booked(again) == rows
    third = [("2026-10-05", "131"), *restated[1:]]
    later = raw_warehouse(frames(*third, **both), scope=scope)
    later.build(*BOOKED, full_refresh=True)
    new = [r for r in booked(later) if r not in rows]
    assert [(r["BilledCost"], r["BillingPeriodStart"].month, r["x_OriginChargeId"]) for r in new] == [
        (Decimal("0.01"), 12, october[5]["x_charge_id"])
    ]


def test_frozen_days_that_nobody_delivers_any_more_survive_a_full_rebuild(raw_warehouse):
    warehouse = raw_warehouse(frames(("2026-10-05", "100")))
    warehouse.build(*BOOKED, full_refresh=True)
    closed = closed_october(warehouse)
    empty = raw_warehouse(frames(**closed), scope=[])
    empty.build(*BOOKED, full_refresh=True)
    assert booked(empty) == closed["frozen_charges"]


def test_reporting_cost_is_converted_at_the_rate_of_the_day_and_null_without_one(raw_warehouse):
    given = frames(("2026-11-01", "100"), ("2026-11-02", "100"), ("2026-11-03", "100"))
    for row in given["anthropic__cost_report"][:2]:
        row["currency"] = "EUR"
    warehouse = raw_warehouse(given)
    rate = {"currency": "EUR", "reporting_currency": "USD", "rate": "1.1625", "valid_from": "2026-11-02"}
    warehouse.seed("fx_rates", [rate])
    warehouse.build(*BOOKED)
    found = [(r["BillingCurrency"], r["BilledCost"], r["x_ReportingCost"], r["x_FxRate"]) for r in booked(warehouse)]
    assert found == [
        ("EUR", Decimal(1), None, None),
        ("EUR", Decimal(1), Decimal("1.1625"), Decimal("1.1625")),
        ("USD", Decimal(1), Decimal(1), Decimal(1)),
    ]
    assert {r["x_SpendSource"] for r in booked(warehouse)} == {"direct_model_api"}


def test_the_invoice_is_named_as_soon_as_it_is_there_without_rebuilding_days(raw_warehouse):
    warehouse = raw_warehouse(frames(("2026-10-05", "100"), ("2026-11-01", "100")))
    warehouse.build(*BOOKED)
    assert {r["InvoiceId"] for r in booked(warehouse)} == {None}
    line = {
        "invoice_issuer_name": "Anthropic", "billing_account_id": ACCOUNT, "invoice_id": "INV-10", "invoice_detail_id": "1",
        "line_type": "usage", "billing_period_start": "2026-10-01", "billing_period_end": "2026-11-01", "amount": "1",
        "currency": "USD",
    }  # fmt: skip
    warehouse.land({"invoices__lines": [line]}, scope=[], full=False)
    warehouse.build(*BOOKED)
    assert [(r["charge_date"].month, r["InvoiceId"]) for r in booked(warehouse)] == [(10, "INV-10"), (11, None)]


PRICE = {
    "provider_id": "anthropic", "model_id": "claude-sonnet-4-5", "tier": "standard", "context_from_tokens": 0,
    "package_version": "test",
}  # fmt: skip
PRICES = [
    {**PRICE, "token_meter": "input", "price_usd_per_million": "3"},
    {**PRICE, "token_meter": "cache_read", "price_usd_per_million": "0.3"},
]
# A day at list price: 10 million input and 10 million cached tokens are 33 dollars. Two keys, half each.
BILL = [cost("2026-11-01", "3000"), cost("2026-11-01", "300", token_type="cache_read_input_tokens")]
USED = [usage("2026-11-01", k, 5_000_000, cache_read_input_tokens=5_000_000) for k in ("a", "b")]
DOLLARS_READ_AS_CENTS = [{**r, "amount_cents": str(int(r["amount_cents"]) * 100)} for r in BILL]
CACHED_TWICE = [{**r, "uncached_input_tokens": 10_000_000} for r in USED]
REFUSED = [*USED, usage("2026-11-01", "c", 100_000)]


CASES = {
    "sound": (BILL, USED, "in band"),
    "some requests refused": (BILL, REFUSED, "in band"),
    "missing usage page": (BILL, USED[:1], "outside band"),
    "doubled usage page": (BILL, USED * 2, "outside band"),
    "missing cost page": (BILL[:1], USED, "outside band"),
    "doubled cost page": (BILL * 2, USED, "outside band"),
    "dollars read as cents": (DOLLARS_READ_AS_CENTS, USED, "outside band"),
    "cached tokens counted twice": (BILL, CACHED_TWICE, "outside band"),
    "a quiet day, one dollar of refused requests": ([cost("2026-11-01", "100")], [usage("2026-11-01", tokens=666_666)], "in band"),
    "no usage": (BILL, [], "no usage"),
    "no bill": ([], USED, "no bill"),
    "no price": ([cost("2026-11-01", "3", model="unheard-of")], [], "no price"),
}


def test_the_bill_stays_in_the_band_of_list_price_times_usage_or_is_seen(raw_warehouse):
    bills = [{**row, "raw_account": name} for name, (bill, _, _) in CASES.items() for row in bill]
    used = [{**row, "raw_account": name} for name, (_, rows, _) in CASES.items() for row in rows]
    warehouse = raw_warehouse(
        {"prices__genai_prices": PRICES, "anthropic__cost_report": bills, "anthropic__usage_messages": used}
    )
    warehouse.seed("price_overrides", [])
    warehouse.build("+focus_billed_vs_rated")
    found = warehouse.rows("select account, state from focus.focus_billed_vs_rated")
    assert {r["account"]: r["state"] for r in found} == {name: state for name, (_, _, state) in CASES.items()}


def test_the_focus_tests_pass_on_a_sound_day_and_see_a_lost_charge(raw_warehouse):
    warehouse = raw_warehouse(frames(("2026-11-01", "100"), ("2026-11-02", "200")))
    warehouse.build(*BOOKED)
    ran = statuses(warehouse.build("delivered_money_is_booked", "unique_int_booked_charge_x_charge_id", tests=True))
    assert set(ran.values()) == {"pass"}
    with warehouse.connect() as connection:
        connection.execute("delete from focus.int_booked_charge where charge_date = '2026-11-02'")
    ran = statuses(warehouse.build("delivered_money_is_booked", tests=True))
    assert ran == {"delivered_money_is_booked": "fail"}


def test_a_correction_carries_what_is_finer_than_the_ledger(raw_warehouse):
    warehouse = raw_warehouse(frames(("2026-10-05", "30.000000000000004"), ("2026-11-01", "50")))
    warehouse.build(*BOOKED, full_refresh=True)
    closed = closed_october(warehouse)
    (first,) = closed["frozen_charges"]
    assert (first["BilledCost"], first["x_BilledCostRemainder"]) == (Decimal("0.3"), Decimal("4E-17"))

    for restated, dollars in (("30.000000000000009", Decimal(0)), ("31", Decimal("0.01"))):
        later = raw_warehouse(frames(("2026-10-05", restated), ("2026-11-01", "50"), **closed))
        later.build(*BOOKED, full_refresh=True)
        october = [r for r in booked(later) if r["charge_date"].month == 10]
        assert [r["BilledCost"] for r in october if r["ChargeClass"] == "Correction"] == [dollars]
        assert sum(r["BilledCost"] + r["x_BilledCostRemainder"] for r in october) == Decimal(restated) / 100
