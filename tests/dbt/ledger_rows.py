"""Rows for ledger and mart tests: one small company, its charges and its requests, with only the columns that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.dbt.conftest import drop

DAY = "2026-11-02"
MODEL = "claude-sonnet-4-5"
STAGES = ("models/ledger", "models/marts")
Row = dict[str, Any]

COMPANY: Mapping[str, Sequence[Row]] = {
    "teams": [
        {"team": "platform", "team_name": "Platform", "cost_center": "CC-1", "owner_person_id": "bob"},
        {"team": "search", "team_name": "Search", "cost_center": "CC-2", "owner_person_id": "ann"},
        {"team": "support", "team_name": "Support", "cost_center": "CC-3", "owner_person_id": "cas"},
    ],
    "people": [
        {"person_id": "ann", "display_name": "Ann", "team": "search"},
        {"person_id": "bob", "display_name": "Bob", "team": "platform"},
        {"person_id": "cas", "display_name": "Cas", "team": "support"},
    ],
    "identities": [
        {"person_id": "ann", "system": "litellm_user_id", "external_id": "ann"},
        {"person_id": "bob", "system": "litellm_user_id", "external_id": "bob"},
        {"person_id": "ann", "system": "jira_account_id", "external_id": "jira-ann"},
        {"person_id": "ann", "system": "github_id", "external_id": "501"},
        {"person_id": "ann", "system": "email", "external_id": "Ann@example.com"},
    ],
    "ownership": [
        {"source": "anthropic", "object_type": "api_key", "external_id": "k_gateway", "team": "platform", "is_gateway": True},
        {"source": "anthropic", "object_type": "api_key", "external_id": "k_orphan_gateway", "is_gateway": True},
        {"source": "anthropic", "object_type": "api_key", "external_id": "k_ann", "person_id": "ann"},
        {"source": "anthropic", "object_type": "api_key", "external_id": "k_bob", "person_id": "bob"},
        {"source": "anthropic", "object_type": "workspace", "external_id": "w_search", "team": "search"},
        {"source": "aws", "object_type": "sub_account", "external_id": "111", "team": "platform"},
        {"source": "aws", "object_type": "tag", "external_id": "app=helpdesk", "team": "support"},
        {"source": "litellm", "object_type": "team_id", "external_id": "team-search", "team": "search"},
    ],
    "workflows": [{"workflow": "copilot", "workflow_name": "Copilot", "team": "support", "outcome": "case resolved"}],
    "gateway_deployments": [
        {"gateway_source": "litellm", "model_id": "dep", "provider_source": "anthropic", "provider_account": "main",
         "provider_credential_id": "k_gateway"},
        {"gateway_source": "litellm", "model_id": "dep-orphan", "provider_source": "anthropic", "provider_account": "main",
         "provider_credential_id": "k_orphan_gateway"},
        {"gateway_source": "litellm", "model_id": "dep-cloud", "provider_source": "aws", "provider_account": "main", "workspace_id": "111"},
    ],
    "allocation_rules": [
        {"rule_id": "even-all", "priority": 10, "source": "aws", "service_name": "Support plan", "method": "even"},
        {"rule_id": "thirds", "priority": 10, "source": "aws", "service_name": "Network", "method": "fixed",
         "target_team": "search", "weight": 2},
        {"rule_id": "thirds", "priority": 10, "source": "aws", "service_name": "Network", "method": "fixed",
         "target_team": "support", "weight": 1},
        {"rule_id": "by-spend", "priority": 20, "charge_category": "Tax", "method": "proportional", "basis": "team_spend"},
    ],
    "period_close_rules": [],
    "budgets": [],
    "customers": [{"customer_id": "acme", "customer_name": "Acme"}],
    "price_overrides": [],
}  # fmt: skip

PRICES = [
    {"provider_id": "anthropic", "model_id": MODEL, "token_meter": meter, "tier": "standard", "context_from_tokens": 0,
     "price_usd_per_million": price, "effective_from": "2025-01-01"}
    for meter, price in (("input", "3"), ("output", "15"), ("cache_read", "0.3"), ("cache_write_5m", "3.75"), ("cache_write_1h", "6"))
]  # fmt: skip

PROJECTS = [{"id": "1", "key": "SRCH"}, {"id": "2", "key": "PAY"}]


def charge(charge_id: str, billed: str, day: str = DAY, **columns: Any) -> Row:
    """A charge of one day; costs are decimal text, EffectiveCost and x_ReportingCost follow BilledCost unless given."""
    month = f"{day[:7]}-01"
    following = f"{int(day[:4]) + day[5:7].startswith('12')}-{int(day[5:7]) % 12 + 1:02d}-01"
    row = {
        "x_charge_id": charge_id, "x_SourceId": "anthropic", "x_Account": "main", "BilledCost": billed, "EffectiveCost": billed,
        "x_ReportingCost": columns.get("EffectiveCost", billed), "x_ReportingCurrency": "USD", "BillingCurrency": "USD",
        "ChargeCategory": "Usage", "ChargePeriodStart": f"{day} 00:00:00", "ChargePeriodEnd": f"{day} 23:59:59",
        "BillingPeriodStart": f"{month} 00:00:00", "BillingPeriodEnd": f"{following} 00:00:00", "x_CostBasis": "billed",
        "InvoiceIssuerName": "Anthropic", "ServiceProviderName": "Anthropic", "ServiceName": "Claude API",
        "x_SpendSource": "direct_model_api", "x_Delivery": f"d-{day}-{billed}", "charge_date": day,
    }  # fmt: skip
    return {**row, **columns}


def tokens_charge(
    charge_id: str, billed: str, tokens: int, meter: str = "output", key: str = "k_gateway", **columns: Any
) -> Row:
    """A charge of one token meter of one key."""
    return charge(
        charge_id, billed, x_TokenMeter=meter, x_ModelId=MODEL, x_CredentialId=key, ConsumedQuantity=tokens,
        ConsumedUnit="Tokens", **columns,
    )  # fmt: skip


def aws_charge(charge_id: str, billed: str, day: str = DAY, **columns: Any) -> Row:
    """An ordinary cloud charge."""
    return charge(charge_id, billed, day, **{
        "x_SourceId": "aws", "InvoiceIssuerName": "AWS", "ServiceProviderName": "AWS", "ServiceName": "EC2",
        "x_SpendSource": "cloud", **columns,
    })  # fmt: skip


def call(request_id: str, output: int, day: str = DAY, **columns: Any) -> Row:
    """A request through deployment `dep` that used `output` output tokens and nothing else unless given."""
    return {
        "request_id": request_id, "provider_response_id": f"msg-{request_id}", "call_type": "acompletion", "model": f"anthropic/{MODEL}",
        "model_id": "dep", "custom_llm_provider": "anthropic", "status": "success", "start_time": f"{day} 09:00:00+00",
        "end_time": f"{day} 09:00:02+00", "prompt_tokens": 0, "completion_tokens": output, "total_tokens": output, **columns,
    }  # fmt: skip


def put_charges(warehouse: Any, charges: Sequence[Row]) -> None:
    """Replace the rows of focus.focus_cost_and_usage."""
    columns = warehouse.contract("focus_cost_and_usage")
    with warehouse.connect() as connection:
        connection.execute("create schema if not exists focus")
        for name in ("int_vendor_estimate", "int_reported_requests"):
            declared = ", ".join(f"{c} {t}" for c, t in warehouse.contract(name).items())
            connection.execute(f"create table if not exists focus.{name} ({declared})")
        drop(connection, "focus.focus_cost_and_usage")
        connection.execute(
            f"create table focus.focus_cost_and_usage ({', '.join(f'{c} {t}' for c, t in columns.items())})"
        )
        for row in charges:
            assert not set(row) - set(columns), set(row) - set(columns)
            connection.execute(
                f"insert into focus.focus_cost_and_usage ({', '.join(row)}) values ({', '.join('?' for _ in row)})",
                list(row.values()),
            )


def company_warehouse(raw_warehouse: Any, charges: Sequence[Row], calls: Sequence[Row] = (), **frames: Any) -> Any:
    """A warehouse with the company's seeds, staging views, charges and requests, ready for the ledger stage."""
    seeds = {**COMPANY, **frames.pop("seeds", {})}
    arguments = frames.pop("arguments", {})
    warehouse = raw_warehouse(
        {"prices__genai_prices": PRICES, "jira__projects": PROJECTS, "litellm__spend_logs": calls, **frames},
        **arguments,
    )
    for name, rows in seeds.items():
        warehouse.seed(name, rows)
    put_charges(warehouse, charges)
    warehouse.build("+models/ledger,models/staging", "int_price")
    return warehouse


def shares(warehouse: Any, charge_id: str) -> list[Row]:
    """The ledger rows of a charge, largest share first."""
    return warehouse.rows(
        "select * from ledger.fct_attribution_ledger where x_charge_id = ? order by share desc, team, work_item_key",
        charge_id,
    )


def money(text: str) -> Decimal:
    """A cost with the ledger's 14 fractional digits."""
    return Decimal(text).quantize(Decimal("0.00000000000001"))
