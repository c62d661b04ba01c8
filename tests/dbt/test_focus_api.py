"""Charges of the API vendors and of invoices: billed dollars rule, usage shares them out, nothing is lost."""

from __future__ import annotations

from decimal import Decimal

from tests.dbt.conftest import statuses

DAY = "2026-11-10"
START, END = f"{DAY} 00:00:00+00", "2026-11-11 00:00:00+00"
API_MODELS = (
    "+focus_anthropic_charges", "+focus_openai_charges", "+focus_invoice_only_charges", "stg_rejected_values",
)  # fmt: skip


def cost(amount_cents: str, token_type: str | None = "uncached_input_tokens", **fields):
    return {
        "starting_at": START, "ending_at": END, "cost_type": "tokens", "token_type": token_type, "model": "claude-sonnet-4-5",
        "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "currency": "USD",
        "amount_cents": amount_cents, "workspace_id": "wrkspc_a", "description": "Sonnet", **fields,
    }  # fmt: skip


def usage(key: str | None, **fields):
    return {
        "starting_at": START, "ending_at": END, "api_key_id": key, "workspace_id": "wrkspc_a", "model": "claude-sonnet-4-5",
        "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "uncached_input_tokens": 0,
        "cache_read_input_tokens": 0, "cache_creation_5m_input_tokens": 0, "cache_creation_1h_input_tokens": 0,
        "output_tokens": 0, "web_search_requests": 0, **fields,
    }  # fmt: skip


def price(meter: str, value: str, model: str = "claude-sonnet-4-5", provider: str = "anthropic", **fields):
    return {
        "provider_id": provider, "model_id": model, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
        "price_usd_per_million": value, "package_version": "test", **fields,
    }  # fmt: skip


PRICES = [price("input", "3"), price("output", "15"), price("cache_read", "0.3"), price("cache_write_5m", "3.75")]


def build(raw_warehouse, frames):
    warehouse = raw_warehouse({"prices__genai_prices": PRICES, **frames})
    warehouse.seed("price_overrides", [])
    warehouse.build(*API_MODELS)
    return warehouse


def charges(warehouse, columns: str, source: str = "anthropic"):
    return warehouse.rows(f"select {columns} from focus.focus_{source}_charges order by all")


def test_billed_cents_are_shared_to_keys_by_tokens_and_add_up_to_the_bill(raw_warehouse):
    warehouse = build(
        raw_warehouse,
        {
            "anthropic__cost_report": [cost("1000.01"), cost("250.5", "output_tokens")],
            "anthropic__usage_messages": [
                usage("key_a", uncached_input_tokens=100, output_tokens=10),
                usage("key_b", uncached_input_tokens=200),
                usage(None, uncached_input_tokens=0, output_tokens=5, account_id="user_1"),
            ],
        },
    )
    rows = charges(
        warehouse, "x_TokenMeter as m, x_CredentialId as k, BilledCost as c, ConsumedQuantity as q, x_ResidualName as r"
    )
    assert [(r["m"], r["k"], r["q"], r["r"]) for r in rows] == [
        ("input", "key_a", 100, None),
        ("input", "key_b", 200, None),
        ("output", "key_a", 10, None),
        ("output", None, 5, None),
    ]
    assert [r["c"] for r in rows] == [
        Decimal("3.33336666666667"), Decimal("6.66673333333333"), Decimal("1.67"), Decimal("0.835"),
    ]  # fmt: skip
    assert sum(r["c"] for r in rows) == Decimal("12.5051")


def test_billed_money_without_usage_is_a_named_residual(raw_warehouse):
    frames = {
        "anthropic__cost_report": [cost("5"), cost("7", model="claude-other")],
        "anthropic__usage_messages": [usage("key_a", uncached_input_tokens=1)],
    }
    rows = charges(
        build(raw_warehouse, frames),
        "x_ModelId as m, x_CredentialId as k, BilledCost as c, x_ResidualName as r, SkuPriceId as s",
    )
    assert rows == [
        {"m": "claude-other", "k": None, "c": Decimal("0.07"), "r": "cost_without_usage", "s": None},
        {"m": "claude-sonnet-4-5", "k": "key_a", "c": Decimal("0.05"), "r": None, "s": rows[1]["s"]},
    ]


def test_tier_context_geo_and_workspace_keep_bills_apart(raw_warehouse):
    frames = {
        "anthropic__cost_report": [
            cost("10"), cost("20", service_tier="batch"), cost("40", context_window="200k-1M"), cost("80", inference_geo="us"),
            cost("160", workspace_id=None),
        ],
        "anthropic__usage_messages": [
            usage("standard", uncached_input_tokens=1), usage("batch", uncached_input_tokens=1, service_tier="batch"),
            usage("long", uncached_input_tokens=1, context_window="200k-1M"),
            usage("us", uncached_input_tokens=1, inference_geo="us"),
            usage("default", uncached_input_tokens=1, workspace_id="wrkspc_default"),
            usage("committed", uncached_input_tokens=10**6, service_tier="priority"),
        ],
        "anthropic__workspaces": [{"id": "wrkspc_default", "name": "Default", "is_default": True}],
    }  # fmt: skip
    rows = charges(build(raw_warehouse, frames), "x_CredentialId as k, BilledCost as c, x_WorkspaceId as w")
    assert {r["k"]: r["c"] for r in rows} == {
        "standard": Decimal("0.1"), "batch": Decimal("0.2"), "long": Decimal("0.4"), "us": Decimal("0.8"),
        "default": Decimal("1.6"),
    }  # fmt: skip
    assert {r["w"] for r in rows if r["k"] == "default"} == {"wrkspc_default"}


def test_list_cost_is_list_price_times_quantity_and_the_contract_price_stands_beside(raw_warehouse):
    warehouse = raw_warehouse(
        {
            "prices__genai_prices": PRICES,
            "anthropic__cost_report": [cost("28.35")],
            "anthropic__usage_messages": [usage("k", uncached_input_tokens=105_000)],
        }
    )
    override = {"provider_id": "anthropic", "model_id": "claude-sonnet-4-5", "token_meter": "input", "tier": "standard"}
    warehouse.seed(
        "price_overrides",
        [
            {
                **override,
                "context_from_tokens": 0,
                "price_usd_per_million": "2.7",
                "source": "contract A",
                "valid_from": "2026-11-01",
            }
        ],
    )
    warehouse.build(*API_MODELS)
    (row,) = charges(
        warehouse,
        "ListUnitPrice, PricingQuantity, ListCost, ContractedUnitPrice, ContractedCost, BilledCost, PricingUnit, SkuMeter",
    )
    assert row == {
        "ListUnitPrice": Decimal(3), "PricingQuantity": Decimal("0.105"), "ListCost": Decimal("0.315"),
        "ContractedUnitPrice": Decimal("2.7"), "ContractedCost": Decimal("0.2835"), "BilledCost": Decimal("0.2835"),
        "PricingUnit": "1000000 Tokens", "SkuMeter": "Input Tokens",
    }  # fmt: skip


def test_web_search_and_code_execution_are_meters_of_their_own(raw_warehouse):
    frames = {
        "anthropic__cost_report": [
            cost(
                "30",
                None,
                cost_type="web_search",
                model=None,
                service_tier=None,
                context_window=None,
                inference_geo=None,
            ),
            cost(
                "4",
                None,
                cost_type="code_execution",
                model=None,
                service_tier=None,
                context_window=None,
                inference_geo=None,
            ),
        ],
        "anthropic__usage_messages": [
            usage("a", web_search_requests=1),
            usage("b", web_search_requests=2, model="claude-haiku-4-5"),
        ],
    }
    rows = charges(
        build(raw_warehouse, frames),
        "SkuMeter as m, x_CredentialId as k, BilledCost as c, ConsumedUnit as u, x_TokenMeter as t, x_ResidualName as r",
    )
    assert [(r["m"], r["k"], r["c"], r["u"], r["t"], r["r"]) for r in rows] == [
        ("Code Execution", None, Decimal("0.04"), None, None, None),
        ("Web Searches", "a", Decimal("0.1"), "Requests", None, None),
        ("Web Searches", "b", Decimal("0.2"), "Requests", None, None),
    ]


def test_an_amount_that_does_not_fit_is_listed_and_left_out(raw_warehouse):
    frames = {
        "anthropic__cost_report": [
            cost("1.5"),
            cost("0.00000000000000000000001", "output_tokens"),
            cost("x", "cache_read_input_tokens"),
        ],
        "anthropic__usage_messages": [usage("k", uncached_input_tokens=1)],
    }
    warehouse = build(raw_warehouse, frames)
    assert [r["c"] for r in charges(warehouse, "BilledCost as c")] == [Decimal("0.015")]
    rejected = warehouse.rows(
        "select dataset, ordinal, field, reason from staging.stg_rejected_values order by ordinal"
    )
    assert [tuple(r.values()) for r in rejected] == [
        ("cost_report", 1, "amount_cents", "too many fractional digits"),
        ("cost_report", 2, "amount_cents", "not a number"),
    ]


def test_a_cost_finer_than_the_ledger_is_booked_with_its_remainder(raw_warehouse):
    delivered = {"a": "0.30000000000000004", "b": "1.1E-15", "c": "-0.30000000000000004", "d": "2.5"}
    frames = {
        "openai__costs": [
            {"start_time": START, "end_time": END, "project_id": "p", "line_item": item, "amount_usd": amount, "currency": "usd"}
            for item, amount in delivered.items()
        ],
        # The same noise in cents, shared out over two keys.
        "anthropic__cost_report": [cost("30.000000000000004")],
        "anthropic__usage_messages": [usage("k1", uncached_input_tokens=2), usage("k2", uncached_input_tokens=1)],
    }  # fmt: skip
    warehouse = build(raw_warehouse, frames)
    assert warehouse.rows("select * from staging.stg_rejected_values") == []
    openai = charges(warehouse, "ChargeDescription as d, BilledCost as c, x_BilledCostRemainder as r", "openai")
    assert {r["d"]: r["c"] + r["r"] for r in openai} == {item: Decimal(text) for item, text in delivered.items()}
    assert {r["d"]: r["c"] for r in openai} == {"a": Decimal("0.3"), "b": 0, "c": Decimal("-0.3"), "d": Decimal("2.5")}
    anthropic = charges(warehouse, "x_CredentialId as k, BilledCost as c, x_BilledCostRemainder as r")
    assert [(r["k"], r["c"]) for r in anthropic] == [("k1", Decimal("0.2")), ("k2", Decimal("0.1"))]
    assert sum(r["c"] + r["r"] for r in anthropic) == Decimal("0.30000000000000004")


def test_openai_line_items_become_meters_with_quantities_in_tokens(raw_warehouse):
    def line(item, amount, quantity=None, unit=None, **fields):
        return {
            "start_time": START, "end_time": END, "project_id": "proj_1", "api_key_id": "key_1", "line_item": item,
            "amount_usd": amount, "currency": "usd", "quantity": quantity, "quantity_unit": unit, **fields,
        }  # fmt: skip

    frames = {
        "prices__genai_prices": [price("input", "1.25", "gpt-5", "openai"), price("output", "10", "gpt-5", "openai")],
        "openai__costs": [
            line("gpt-5, input", "0.1", "80", "1000_tokens"),
            line("gpt-5-2025-08-07, output", "1.2E-7", "12", "tokens"),
            line("gpt-5, cached input", "0.02"),
            line("text-embedding-3-small, input", "0.3", "7", "tokens"),
            line("assistants storage", "0.9", "1.5", "gibibyte_hours"),
            line("Scale Tier bundle", "5", project_id=None, api_key_id=None),
        ],
        "openai__usage_completions": [
            {"start_time": START, "project_id": "proj_1", "api_key_id": "key_1", "model": "gpt-5", "user_id": u,
             "input_tokens": 100, "input_cached_tokens": 40, "output_tokens": 1, "batch": False}
            for u in ("u1", "u2")
        ],
    }  # fmt: skip
    rows = charges(
        build(raw_warehouse, frames),
        "ChargeDescription as d, x_ModelId as model, x_TokenMeter as m, BilledCost as c, ConsumedQuantity as q, ConsumedUnit as u,"
        " ListCost as l",
        "openai",
    )
    assert [tuple(r.values()) for r in rows] == [
        ("Scale Tier bundle", None, None, Decimal(5), None, None, Decimal(5)),
        ("assistants storage", None, None, Decimal("0.9"), Decimal("1.5"), "GiB-Hours", Decimal("0.9")),
        ("gpt-5, cached input", "gpt-5", "cache_read", Decimal("0.02"), Decimal(80), "Tokens", Decimal("0.02")),
        ("gpt-5, input", "gpt-5", "input", Decimal("0.1"), Decimal(80000), "Tokens", Decimal("0.1")),
        ("gpt-5-2025-08-07, output", "gpt-5", "output", Decimal("1.2E-7"), Decimal(12), "Tokens", Decimal("0.00012")),
        ("text-embedding-3-small, input", "text-embedding-3-small", "embedding", Decimal("0.3"), Decimal(7), "Tokens", Decimal("0.3")),
    ]  # fmt: skip


def test_only_invoice_lines_that_no_feed_carries_become_charges(raw_warehouse):
    def line(number, line_type, amount, quantity=None, **fields):
        return {
            "invoice_issuer_name": "Anthropic", "billing_account_id": "main", "invoice_id": "INV-1", "invoice_detail_id": number,
            "invoice_issue_status": "Issued", "line_type": line_type, "service_name": "Claude", "description": line_type,
            "billing_period_start": "2026-10-01", "billing_period_end": "2026-11-01", "quantity": quantity, "amount": amount,
            "currency": "USD", "file_name": "inv.csv", **fields,
        }  # fmt: skip

    frames = {
        "invoices__lines": [
            line("1", "usage", "100"), line("2", "seat", "250.00", "10"), line("3", "tax", "20"), line("4", "credit", "-5"),
            line("5", "seat", "10", "3"), line("6", "seat", "99", "1", invoice_issue_status="Voided"),
            line("7", "tax", "8", invoice_issuer_name="Amazon Web Services, Inc."),
        ]
    }  # fmt: skip
    rows = charges(
        build(raw_warehouse, frames),
        "InvoiceDetailId as n, ChargeCategory as k, BilledCost as c, PricingQuantity as q, ListUnitPrice as p, SkuId is null as s",
        "invoice_only",
    )
    assert [tuple(r.values()) for r in rows] == [
        ("2", "Purchase", Decimal(250), Decimal(10), Decimal(25), False),
        ("3", "Tax", Decimal(20), None, None, True),
        ("4", "Credit", Decimal(-5), None, None, True),
        ("5", "Purchase", Decimal(10), Decimal(3), None, False),
    ]


def test_the_unit_tests_beside_the_models_pass(raw_warehouse):
    warehouse = raw_warehouse({})
    warehouse.build("+int_price", "+int_invoice_of_period")
    ran = statuses(warehouse.unit_tests("int_price", "int_invoice_of_period"))
    assert len(ran) == 2
    assert set(ran.values()) == {"pass"}
