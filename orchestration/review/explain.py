"""The page beside the review that explains single dollars: from a ledger row back to its charge, requests and rule.

Shown are the largest ledger row of every fidelity tier and of the dearest work items. The same path in SQL, for any row:
docs/explain.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.review import formats as f
from orchestration.review.page import Cell, Column, Section, Table, many
from orchestration.review.queries import TIERS, Review, Row
from orchestration.review.summary import error_text, tier_without_error

ITEMS_EXPLAINED = 5
_TARGETS_SHOWN = 8
_REQUESTS_SHOWN = 5
_NEEDED = {("ledger", "attribution"), ("focus", "cost_and_usage"), ("ledger", "model_calls"), ("ledger", "allocation_rules")}

_LARGEST_OF_TIERS = """
select * from ledger.attribution
where charge_date >= $first and charge_date <= $last and x_ReportingCost > 0
qualify row_number() over (partition by fidelity_tier order by x_ReportingCost desc, ledger_id) = 1
"""

_LARGEST_OF_ITEMS = """
select * from ledger.attribution
where list_contains($items, work_item_key) and x_ReportingCost > 0
qualify row_number() over (partition by work_item_key order by x_ReportingCost desc, ledger_id) = 1
"""

_CHARGES = """
select x_charge_id, ChargeDescription, InvoiceId, InvoiceIssuerName, ServiceName, ChargeCategory, ConsumedQuantity, ConsumedUnit,
       BilledCost, BillingCurrency, x_SourceId, x_Delivery, coalesce(x_CredentialId, x_WorkspaceId, SubAccountId) as pool
from focus.cost_and_usage
where list_contains($charges, x_charge_id)
"""

_REST = """
select x_charge_id, fidelity_tier, allocation_method, coalesce(work_item_key, user_id, team, residual_name) as target, rule_id,
       sum(share) as share, sum(BilledCost) as cost
from ledger.attribution
where list_contains($charges, x_charge_id)
group by all
order by x_charge_id, cost desc, target
"""

_REQUESTS = """
select request_id, started_at, status, ticket_key, branch, person_id, tokens_total, attributed_cost_reporting as cost
from ledger.model_calls
where charge_date = $day and provider_source = $source and model_id = $model
  and coalesce(provider_credential_id, provider_workspace_id, '') = coalesce($pool, '')
  and ($item is null or ticket_key = $item or ticket_key is null)
order by ticket_key is distinct from $item, cost desc nulls last, request_id
limit $limit
"""

_RULES = """
select rule_id, any_value(method) as method, any_value(basis) as basis, any_value(priority) as priority
from ledger.allocation_rules
group by rule_id
"""


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> list[Row]:
    """Rows of a query as dictionaries."""
    result = connection.execute(sql, parameters) if parameters else connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def explained(connection: duckdb.DuckDBPyConnection, review: Review) -> list[Section]:
    """One section per explained ledger row; none when the snapshot lacks the relations of the path."""
    found = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
    if not set(found) >= _NEEDED:
        return []
    items = [r["work_item_key"] for r in review.work_items[:ITEMS_EXPLAINED]]
    last = review.context.last_complete_day
    tiers = rows_of(connection, _LARGEST_OF_TIERS, first=review.full_month, last=last)
    order = {tier: n for n, tier in enumerate(TIERS)}
    tiers.sort(key=lambda r: order.get(r["fidelity_tier"], len(order)))
    by_item = {r["work_item_key"]: r for r in rows_of(connection, _LARGEST_OF_ITEMS, items=items)} if items else {}
    chosen = [(f"Tier {r['fidelity_tier']}: its largest row since {f.day(review.full_month)}", r) for r in tiers]
    chosen += [(f"Work item {item}: its largest row", by_item[item]) for item in items if item in by_item]
    charges = sorted({row["x_charge_id"] for _, row in chosen})
    if not charges:
        return []
    charge_of = {r["x_charge_id"]: r for r in rows_of(connection, _CHARGES, charges=charges)}
    rest: dict[str, list[Row]] = {}
    for row in rows_of(connection, _REST, charges=charges):
        rest.setdefault(row["x_charge_id"], []).append(row)
    rules = {r["rule_id"]: r for r in rows_of(connection, _RULES)}
    sections = []
    for number, (title, row) in enumerate(chosen, 1):
        charge = charge_of[row["x_charge_id"]]
        requests = [] if row["model_id"] is None else rows_of(
            connection, _REQUESTS, day=row["charge_date"], source=row["source"], model=row["model_id"], pool=charge["pool"],
            item=row["work_item_key"], limit=_REQUESTS_SHOWN,
        )  # fmt: skip
        sections.append(_section(f"row-{number}", title, row, charge, rest[row["x_charge_id"]], requests, rules, review))
    return sections


def _section(
    key: str, title: str, row: Row, charge: Row, rest: Sequence[Row], requests: Sequence[Row], rules: dict[str, Row], review: Review
) -> Section:
    currency = f.words(charge["BillingCurrency"])
    target = row["work_item_key"] or row["user_id"] or row["team"] or row["residual_name"]
    errors = [error_text(r) for r in review.fidelity if r["allocation_method"] == row["allocation_method"]]
    sure = errors[0] if errors else tier_without_error(row["fidelity_tier"])
    lead = (
        f"{currency} {f.money(row['BilledCost'])} of {f.day(row['charge_date'])} went to {f.words(target)} by "
        f"{row['allocation_method']} (tier {row['fidelity_tier']}; error: {sure})."
    )
    rule = rules.get(row["rule_id"])
    facts = [
        ("Ledger row", row["ledger_id"]), ("Charge", charge["x_charge_id"]), ("Billed by", charge["InvoiceIssuerName"]),
        ("Invoice", charge["InvoiceId"]), ("Service", charge["ServiceName"]), ("Description", charge["ChargeDescription"]),
        ("Whole charge", f"{currency} {f.money(charge['BilledCost'])}"),
        ("Quantity", f"{f.decimal_text(charge['ConsumedQuantity'], 0)} {charge['ConsumedUnit']}" if charge["ConsumedQuantity"] is not None else None),
        ("Share of it", f.percent(row["share"], 4)), ("Key, workspace or account", charge["pool"]),
        ("Rule", f"{rule['rule_id']}: {rule['method']} {rule['basis'] or ''}, priority {rule['priority']}" if rule else row["rule_id"]),
        ("Delivery", f"{charge['x_SourceId']} {charge['x_Delivery']}"),
    ]  # fmt: skip
    path = Table(
        "The path back", [Column("Step"), Column("Fact", "", "wrap")],
        [[Cell(name), Cell(f.words(value))] for name, value in facts if value is not None],
    )  # fmt: skip
    shown, others = rest[:_TARGETS_SHOWN], rest[_TARGETS_SHOWN:]
    became = [
        [Cell(r["fidelity_tier"]), Cell(r["allocation_method"]), Cell(f.words(r["target"])), Cell(f.percent(r["share"], 2)), Cell(f.money(r["cost"]))]
        for r in shown
    ]
    if others:
        became.append([
            Cell("others"), Cell(""), Cell(many(len(others), "target")), Cell(f.percent(sum((r["share"] for r in others), Decimal(0)), 2)),
            Cell(f.money(sum((r["cost"] for r in others), Decimal(0)))),
        ])  # fmt: skip
    total = sum((r["cost"] for r in rest), Decimal(0))
    whole = Table(
        "What the whole charge became",
        [Column("Tier"), Column("Method"), Column("Target"), Column("Share", "", "number"), Column("Cost", currency, "number")],
        became,
        [Cell("Total"), Cell(""), Cell(""), Cell(f.percent(sum((r["share"] for r in rest), Decimal(0)), 2)), Cell(f.money(total))],
    )
    tables = [path, whole]
    if requests:
        tables.append(Table(
            "Requests of its pool, its own first",
            [Column("Request"), Column("Started"), Column("Status"), Column("Ticket"), Column("Branch"), Column("Person"),
             Column("Tokens", "", "number"), Column("Cost", review.currency, "number")],
            [
                [Cell(f.shortened(r["request_id"], 28)), Cell(f.instant(r["started_at"])), Cell(f.words(r["status"])),
                 Cell(f.words(r["ticket_key"])), Cell(f.shortened(r["branch"], 34)), Cell(f.words(r["person_id"])),
                 Cell(f.count(r["tokens_total"])), Cell(f.money(r["cost"], 4))]
                for r in requests
            ],
        ))  # fmt: skip
    return Section(key, title, lead, "ledger.attribution, focus.cost_and_usage, ledger.model_calls, ledger.allocation_rules", tables=tables)
