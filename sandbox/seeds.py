"""The company facts a pipeline keeps as seeds, derived from the same constants as the vendors' answers."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

from sandbox import calendar, prices
from sandbox.company import (
    AWS_ACCOUNTS,
    CODING_WORKFLOW,
    CREDENTIALS,
    CUSTOMERS,
    DEPLOYMENTS,
    MOVED_ON,
    MOVED_PERSON,
    MOVED_TO,
    OPENAI_PROJECTS,
    PEOPLE,
    TEAMS,
    VIRTUAL_KEYS,
    WORKFLOWS,
    owner,
)
from sandbox.exports import EXPORTS, evaluations
from sandbox.vendors import VENDORS
from sandbox.vendors.base import owned

Rows = list[dict[str, str]]
_OPEN = {"valid_from": "", "valid_to": ""}


def _teams() -> Rows:
    return [
        {"team": t.team, "team_name": t.name, "cost_center": t.cost_center, "department": t.department,
         "owner_person_id": owner(t.team).person_id, **_OPEN}
        for t in TEAMS
    ]  # fmt: skip


def _people() -> Rows:
    rows = []
    for p in PEOPLE:
        row = {"person_id": p.person_id, "display_name": p.name, "team": p.team, **_OPEN}
        if p.person_id == MOVED_PERSON:
            rows.append(row | {"valid_to": MOVED_ON.isoformat()})
            row = row | {"team": MOVED_TO, "valid_from": MOVED_ON.isoformat()}
        rows.append(row)
    return rows


def _plugged(name: str) -> list[Any]:
    """What every vendor and export module that has a function of that name adds."""
    modules = (*VENDORS.values(), *EXPORTS.values())
    return [row for module in modules if hasattr(module, name) for row in getattr(module, name)()]


def _identities() -> Rows:
    own = [
        {"person_id": p.person_id, "system": system, "external_id": str(value), **_OPEN}
        for p in PEOPLE
        for system, value in (
            ("email", p.email), ("github_id", p.github_id), ("github_login", p.github_login),
            ("jira_account_id", p.jira_account_id), ("anthropic_user_id", p.anthropic_user_id),
            ("openai_user_id", p.openai_user_id), ("litellm_user_id", p.litellm_user_id),
        )
    ]  # fmt: skip
    return own + [
        {"person_id": person, "system": system, "external_id": name, **_OPEN} for person, system, name in _plugged("identities")
    ]


def _ownership() -> Rows:
    rows = [
        owned(c.source, "api_key", c.key_id, c.team, c.workflow, c.person, c.environment, c.is_gateway)
        for c in CREDENTIALS
        if c.key_id and not c.is_orphan
    ]
    rows += [
        owned("anthropic", "workspace", "wrkspc_01gateway", "platform"),
        owned("anthropic", "workspace", "wrkspc_01batch", "legal-ai", "contract-extraction"),
        owned("anthropic", "workspace", "wrkspc_01pilot", "revenue-ai", "sales-research-agent"),
    ]
    project_teams = {"proj_gateway01": ("platform", ""), "proj_brand01": ("brand-ai", "marketing-drafting"), "proj_data01": ("data", ""),
                     "proj_default01": ("it-knowledge", "internal-knowledge-bot"), "proj_pilot01": ("brand-ai", "marketing-drafting")}  # fmt: skip
    rows += [owned("openai", "project", p[0], *project_teams[p[0]]) for p in OPENAI_PROJECTS]
    rows += [owned("aws", "sub_account", account, team) for account, _, team in AWS_ACCOUNTS if team]
    rows += [
        owned("litellm", "api_key", k.key_hash, k.team, k.workflow, "", k.environment, True) for k in VIRTUAL_KEYS if k.team
    ]
    rows += [owned("litellm", "team_id", f"team-{t.team}", t.team) for t in TEAMS]
    return [*rows, *_plugged("ownership")]


def _workflows() -> Rows:
    rows = [
        {"workflow": w.workflow, "workflow_name": w.name, "team": w.team, "outcome": w.outcome, **_OPEN} for w in WORKFLOWS
    ]
    return [*rows, {"workflow": CODING_WORKFLOW, "workflow_name": "Coding tools", "team": "devx", "outcome": "pull request merged", **_OPEN}]


def _deployments() -> Rows:
    rows = []
    for d in DEPLOYMENTS:
        on_aws = d.provider == "bedrock"
        rows.append({
            "gateway_source": "litellm", "model_id": d.deployment_id, "provider_source": d.source, "provider_account": "default",
            "provider_credential_id": "" if on_aws else CREDENTIALS[d.credential].key_id or "",
            "workspace_id": AWS_ACCOUNTS[1][0] if on_aws else CREDENTIALS[d.credential].workspace or "", **_OPEN,
        })  # fmt: skip
    return rows


def _rule(rule_id: str, priority: int, method: str, *, service: str = "", source: str = "aws", category: str = "", basis: str = "",
          targets: tuple[tuple[str, str], ...] = (("", ""),)) -> Rows:  # fmt: skip
    return [
        {"rule_id": rule_id, "priority": str(priority), "source": source, "service_name": service, "sub_account_id": "",
         "charge_category": category, "method": method, "basis": basis, "target_team": team, "weight": weight, **_OPEN}
        for team, weight in targets
    ]  # fmt: skip


def _allocation_rules() -> Rows:
    return [
        *_rule("support-proportional", 10, "proportional", service="AWS Support (Business)", basis="team_spend"),
        *_rule("savings-plan-fixed", 20, "fixed", service="Savings Plans for AWS Compute usage",
               targets=tuple((t.team, "2" if t.team in ("platform", "data") else "1") for t in TEAMS)),
        *_rule("network-engineers", 30, "metric", service="Amazon Virtual Private Cloud", basis="engineers"),
        *_rule("data-transfer-proportional", 40, "proportional", service="AWS Data Transfer", basis="team_spend"),
        *_rule("cache-fixed", 50, "fixed", service="Amazon ElastiCache",
               targets=(("support-ai", "3"), ("it-knowledge", "2"), ("platform", "1"))),
        *_rule("tax-proportional", 60, "proportional", category="Tax", basis="team_spend"),
        *_rule("credit-proportional", 70, "proportional", category="Credit", basis="team_spend"),
        *_rule("seats-even", 80, "even", source="invoices", category="Purchase"),
        *_rule("invoice-tax-even", 90, "even", source="invoices", category="Tax"),
    ]  # fmt: skip


def _allocation_metrics() -> Rows:
    return [
        {"metric": "engineers", "team": t.team, "value": str(sum(p.team == t.team for p in PEOPLE)), **_OPEN} for t in TEAMS
    ]  # fmt: skip


# Monthly budgets in USD at scale 1; the support copilot's was set before its last launch.
_BUDGETS = (
    ("total", "total", "", 28_500), ("provider-anthropic", "provider", "Anthropic", 3_800), ("provider-openai", "provider", "OpenAI", 150),
    ("team-support-ai", "team", "support-ai", 2_100), ("team-data", "team", "data", 7_000), ("team-platform", "team", "platform", 4_500),
    ("workflow-support-copilot", "workflow", "support-copilot", 800), ("workflow-contract-extraction", "workflow", "contract-extraction", 600),
    ("workflow-sales-research-agent", "workflow", "sales-research-agent", 450), ("workflow-coding-tools", "workflow", "coding-tools", 2_400),
)  # fmt: skip
_OWNERS = {"total": "platform", "provider": "platform"}


def _budgets() -> Rows:
    rows = []
    month = dt.date(2026, 7, 1)
    while month <= dt.date(2026, 12, 1):
        after = calendar.next_month(month)
        for name, kind, scope, amount in _BUDGETS:
            team = scope if kind == "team" else next((w.team for w in WORKFLOWS if w.workflow == scope), _OWNERS.get(kind, "devx"))
            rows.append({
                "budget_id": f"{name}-{month:%Y-%m}", "scope_type": kind, "scope": scope, "period_start": month.isoformat(),
                "period_end": after.isoformat(), "amount_usd": str(amount), "owner_person_id": owner(team).person_id,
            })  # fmt: skip
        month = after
    return rows


# Cost of the same unit by hand and the target, USD; what is decided with the number.
_SUCCESSES = (
    ("support-copilot", "conversation", "the customer did not come back within 24 hours", "answer without a person or hand over", "4.80", "0.03"),
    ("contract-extraction", "document", "no field was corrected by a reviewer", "which contract types stay automatic", "19.00", "0.60"),
    ("sales-research-agent", "report", "a seller opened the brief before the meeting", "keep the agent or cap its steps", "22.00", "2.00"),
    ("internal-knowledge-bot", "answer", "the answer was accepted", "which model answers", "2.10", "0.05"),
    ("marketing-drafting", "asset", "the draft was published", "which drafts are made at all", "35.00", "0.50"),
)  # fmt: skip


def _unit_definitions() -> Rows:
    teams = {w.workflow: w.team for w in WORKFLOWS}
    rows = [
        {"unit": "successful_outcome", "workflow": workflow, "event": event, "success_means": means, "decision": decision,
         "spend_workflow": "", "manual_unit_cost": manual, "target_unit_cost": target,
         "owner_person_id": owner(teams[workflow]).person_id, **_OPEN}
        for workflow, event, means, decision, manual, target in _SUCCESSES
    ]  # fmt: skip
    for unit, decision, target in (
        ("pull_request_merged", "which teams get which coding tools", "1.00"), ("developer_sprint", "seats and caps of coding tools", "2.00"),
        ("deployment", "", ""), ("active_user", "seats and caps of coding tools", ""),
    ):  # fmt: skip
        rows.append({"unit": unit, "workflow": "", "event": "", "success_means": "", "decision": decision, "spend_workflow": CODING_WORKFLOW,
                     "manual_unit_cost": "", "target_unit_cost": target, "owner_person_id": owner("devx").person_id, **_OPEN})  # fmt: skip
    return rows


def _changes() -> Rows:
    return [
        {"change_id": name, "changed_on": day.isoformat(), "kind": kind, "workflow": workflow, "description": text,
         "window_days": "28", "owner_person_id": owner(team).person_id}
        for name, day, kind, workflow, text, team in (
            ("haiku-contract", calendar.NEGOTIATED_PRICE_FROM, "price", "", "Contract price of claude-haiku-4-5", "platform"),
            ("support-sonnet-5", calendar.MODEL_UPGRADE, "model", "support-copilot", "claude-sonnet-4-5 to claude-sonnet-5", "support-ai"),
            ("coding-sonnet-5", calendar.MODEL_UPGRADE, "model", CODING_WORKFLOW, "claude-sonnet-4-5 to claude-sonnet-5", "devx"),
        )
    ]  # fmt: skip


def _known_changes() -> Rows:
    launch, upgrade, contract = calendar.LAUNCH_SUPPORT_EMEA, calendar.MODEL_UPGRADE, calendar.NEGOTIATED_PRICE_FROM
    rows = (
        ("haiku-contract", "price", "price", "", "claude-haiku-4-5", "0.9", contract, 0, "1", -12, "platform", "Contract ACME-2026-07: 10 % off"),
        ("support-sonnet-5", "migration", "price", "support-copilot", "claude-sonnet-4-5", "0.6666666667", upgrade, 0, "0.9", -15, "support-ai",
         "Same tokens at the price of claude-sonnet-5"),
        ("coding-sonnet-5", "migration", "price", CODING_WORKFLOW, "claude-sonnet-4-5", "0.6666666667", upgrade, 0, "0.9", -15, "devx",
         "Same tokens at the price of claude-sonnet-5"),
        ("support-emea", "launch", "user_actions", "support-copilot", "", "1.25", launch, 0, "0.8", -5, "support-ai", "Support of the EMEA region"),
        ("brand-studio-2", "launch", "user_actions", "marketing-drafting", "", "1.6", dt.date(2026, 11, 16), 14, "0.7", -35, "brand-ai",
         "Second release of the brand studio"),
        ("cheaper-gpt-5", "price", "price", "", "gpt-5", "0.8", dt.date(2026, 12, 1), 0, "0.3", -48, "platform", "Rumoured, so in scenarios only"),
    )  # fmt: skip
    return [
        {"change_id": name, "kind": kind, "driver": driver, "workflow": workflow, "model": model, "token_class": "", "mode": "multiplier",
         "value": value, "start": start.isoformat(), "ramp_days": str(ramp), "confidence": confidence,
         "recorded_on": (start + dt.timedelta(days=told)).isoformat(), "owner": owner(team).person_id, "note": note}
        for name, kind, driver, workflow, model, value, start, ramp, confidence, told, team, note in rows
    ]  # fmt: skip


def _scenario_levers() -> Rows:
    first = "2026-11-01"
    rows = (
        ("adoption-40", "adoption", "user_actions", "", "", "", "1.4", "multiplier", "platform"),
        ("adoption-40-drift", "adoption", "user_actions", "", "", "", "1.4", "multiplier", "platform"),
        ("adoption-40-drift", "drift", "context_drift", "", "", "", "0.05", "multiplier", "platform"),
        ("adoption-40-levers", "adoption", "user_actions", "", "", "", "1.4", "multiplier", "platform"),
        ("adoption-40-levers", "trim-context", "context_in", "", "", "", "0.7", "multiplier", "platform"),
        ("adoption-40-levers", "cache", "cache_hit", "support-copilot", "", "", "0.6", "absolute", "support-ai"),
        ("adoption-40-levers", "route-down", "rate", "", "claude-opus-4-5", "", "0.8", "multiplier", "platform"),
    )
    return [
        {"scenario_id": scenario, "lever_id": lever, "driver": driver, "workflow": workflow, "model": model, "token_class": kind,
         "mode": mode, "value": value, "start": first, "ramp_days": "30", "owner": owner(team).person_id}
        for scenario, lever, driver, workflow, model, kind, value, mode, team in rows
    ]  # fmt: skip


def _forecast_overrides() -> Rows:
    rows = (
        ("total:total", "2026-08-01", "31500", "2026-07-30", "platform", "Runaway agents are capped from August on"),
        ("workflow:support-copilot", "2026-09-01", "1150", "2026-08-31", "support-ai", "EMEA launch in the middle of the month"),
        ("total:total", "2026-10-01", "36000", "2026-09-30", "platform", "A full month of EMEA, less from the new model"),
    )
    return [
        {"scope": scope, "month": month, "forecast": amount, "issued_on": issued, "author": owner(team).person_id, "reason": why}
        for scope, month, amount, issued, team, why in rows
    ]


def _reset_sign_offs() -> Rows:
    return [
        {"month": month, "scope": "", "content_hash": "", "signed_by": owner("platform").person_id, "signed_on": day, "note": note}
        for month, day, note in (
            ("2026-07-01", "2026-08-07", "July reset"), ("2026-08-01", "2026-09-08", "August reset, with the runaway weekend"),
        )
    ]  # fmt: skip


def _one_offs() -> Rows:
    first, last = calendar.RUNAWAY_DAYS
    return [
        {"one_off_id": "runaway-research-agent", "workflow": "sales-research-agent", "model": "", "first_day": first.isoformat(),
         "end_day": (last + dt.timedelta(days=1)).isoformat(), "reason": "The agent called itself in a loop; capped since",
         "recorded_by": owner("revenue-ai").person_id},
    ]  # fmt: skip


def _cost_note_inputs() -> Rows:
    return [
        {"note_id": "support-emea", "workflow": "support-copilot", "launched_on": calendar.LAUNCH_SUPPORT_EMEA.isoformat(),
         "driver": "conversations of EMEA customers", "unit": "request", "expected_unit_cost": "0.02", "actions_per_day": "260",
         "mean_steps": "4", "longest_run_steps": "12", "prefix_tokens": "1800", "user_tokens": "300", "growth_tokens": "350",
         "output_tokens": "220", "cached": "0.6", "input_price": "2", "output_price": "10", "cache_read_price": "0.2",
         "cache_write_price": "2.5", "price_version": "claude-sonnet-5 list 2026-09", "success_rate": "0.85", "monthly_budget_usd": "450",
         "fallback": "answer with claude-haiku-4-5 above the cap", "owner_person_id": owner("support-ai").person_id,
         "review_date": "2026-10-14", "designs_compared": "2"},
        {"note_id": "brand-studio-2", "workflow": "marketing-drafting", "launched_on": "2026-11-16",
         "driver": "drafts asked for by brand managers", "unit": "request", "expected_unit_cost": "0.06", "actions_per_day": "90",
         "mean_steps": "3", "longest_run_steps": "8", "prefix_tokens": "2500", "user_tokens": "600", "growth_tokens": "900",
         "output_tokens": "700", "cached": "", "input_price": "5", "output_price": "25", "cache_read_price": "0.5",
         "cache_write_price": "6.25", "price_version": "claude-opus-4-5 list 2026-10", "success_rate": "0.7", "monthly_budget_usd": "600",
         "fallback": "two drafts per asset", "owner_person_id": owner("brand-ai").person_id, "review_date": "2026-12-14",
         "designs_compared": "1"},
    ]  # fmt: skip


# R173 to R179. The paper names nobody accountable for attribution; here the team that does it is.
_RACI = (
    ("set_budget", "Set AI budget and forecast", "ACIC"), ("attribute_spend", "Attribute spend to workflows", "CAII"),
    ("apply_levers", "Apply reduction levers", "IACC"), ("define_outcome", "Define successful outcome", "CCIA"),
    ("run_eval_gate", "Run the evaluation gate", "IACC"), ("set_policy", "Set cost policy and limits", "CRAC"),
    ("review_kpis", "Review KPIs and SLOs", "ARCC"),
)  # fmt: skip
_ROLES = (("Finance", "data"), ("Engineering", "platform"), ("Governance", "legal-ai"), ("Product", "support-ai"))


def _raci() -> Rows:
    return [
        {"activity": activity, "activity_name": name, "role": role, "responsibility": letter, "person_id": owner(team).person_id}
        for activity, name, letters in _RACI
        for (role, team), letter in zip(_ROLES, letters, strict=True)
    ]


# R162 to R171: direction (`max`: at most the target), what it is compared with, and the activity whose A answers for it.
_KPIS = (
    ("unit_cost_per_success", "max", "0", "quarter", "true", "define_outcome"), ("attribution_coverage", "min", "0.95", "month", "false", "attribute_spend"),
    ("forecast_accuracy", "max", "0.10", "month", "false", "set_budget"), ("input_share_of_spend", "none", "", "month", "false", "apply_levers"),
    ("eval_pass_at_promotion", "min", "0", "change", "true", "run_eval_gate"), ("budget_variance", "max", "0.05", "month", "false", "set_budget"),
    ("cache_hit_share", "min", "0.30", "month", "false", "apply_levers"), ("all_in_spend", "none", "", "month", "false", "review_kpis"),
    ("month_end_against_budget", "max", "1", "week", "false", "set_budget"), ("lever_saving", "min", "0", "month", "false", "apply_levers"),
)  # fmt: skip


def _kpi_targets() -> Rows:
    return [
        {"kpi": kpi, "scope": "", "direction": direction, "target": target, "cadence": cadence, "is_non_negotiable": hard, "activity": activity, **_OPEN}
        for kpi, direction, target, cadence, hard, activity in _KPIS
    ] + [
        {"kpi": "cache_hit_share", "scope": w, "direction": "min", "target": target, "cadence": "month", "is_non_negotiable": "false",
         "activity": "apply_levers", **_OPEN}
        for w, target in (("support-copilot", "0.50"), (CODING_WORKFLOW, "0.60"))
    ]  # fmt: skip


def _cost_objectives() -> Rows:
    rows = (
        ("company-day", "A day of usage stays under 1,600", "daily_spend", "total", "", "1600", "0.95", "set_budget"),
        ("coding-day", "A day of the coding tools stays under 78", "daily_spend", "workflow", CODING_WORKFLOW, "78", "0.90", "set_policy"),
        ("contract-request", "A contract's request stays under a dollar", "request_cost", "workflow", "contract-extraction", "1.00", "0.995", "apply_levers"),
        ("support-request", "A support request stays under 10 cents", "request_cost", "workflow", "support-copilot", "0.10", "0.99", "apply_levers"),
    )
    return [dict(zip(_HEADERS["cost_objectives"].split(","), (*row[:7], "28", row[7]), strict=True)) for row in rows]


_HEADERS = {
    "raci": "activity,activity_name,role,responsibility,person_id",
    "kpi_targets": "kpi,scope,direction,target,cadence,is_non_negotiable,activity,valid_from,valid_to",
    "cost_objectives": "objective_id,objective_name,kind,scope_type,scope,ceiling,target,window_days,activity",
    "eval_plans": "plan_id,workflow,eval_set_id,baseline_config,candidate_config,lever_set,margin,margin_slice,critical_slices,latency_p95_ms,"
    "refusal_rate,looks,look,waiver_owner,waiver_reason,owner_person_id",
    "promotions": "promotion_id,lever_set,workflow,baseline_config,candidate_config,promoted_on,baseline_cost_per_success,"
    "candidate_cost_per_call,expected_saving_share,margin,applied_kind,applied_from,applied_to,owner",
    "teams": "team,team_name,cost_center,department,owner_person_id,valid_from,valid_to",
    "people": "person_id,display_name,team,valid_from,valid_to",
    "identities": "person_id,system,external_id,valid_from,valid_to",
    "ownership": "source,object_type,external_id,team,workflow,person_id,environment,is_gateway,valid_from,valid_to",
    "workflows": "workflow,workflow_name,team,outcome,valid_from,valid_to",
    "customers": "customer_id,customer_name",
    "gateway_deployments": "gateway_source,model_id,provider_source,provider_account,provider_credential_id,workspace_id,valid_from,valid_to",
    "allocation_rules": "rule_id,priority,source,service_name,sub_account_id,charge_category,method,basis,target_team,weight,valid_from,valid_to",
    "allocation_metrics": "metric,team,value,valid_from,valid_to",
    "budgets": "budget_id,scope_type,scope,period_start,period_end,amount_usd,owner_person_id",
    "period_close_rules": "invoice_issuer_name,close_business_days,valid_from,valid_to",
    "unit_definitions": "unit,workflow,event,success_means,decision,spend_workflow,manual_unit_cost,target_unit_cost,owner_person_id,valid_from,valid_to",
    "changes": "change_id,changed_on,kind,workflow,description,window_days,owner_person_id",
    "known_changes": "change_id,kind,driver,workflow,model,token_class,mode,value,start,ramp_days,confidence,recorded_on,owner,note",
    "scenario_levers": "scenario_id,lever_id,driver,workflow,model,token_class,mode,value,start,ramp_days,owner",
    "forecast_overrides": "scope,month,forecast,issued_on,author,reason",
    "reset_sign_offs": "month,scope,content_hash,signed_by,signed_on,note",
    "one_offs": "one_off_id,workflow,model,first_day,end_day,reason,recorded_by",
    "cost_note_inputs": "note_id,workflow,launched_on,driver,unit,expected_unit_cost,actions_per_day,mean_steps,longest_run_steps,prefix_tokens,"
    "user_tokens,growth_tokens,output_tokens,cached,input_price,output_price,cache_read_price,cache_write_price,price_version,success_rate,"
    "monthly_budget_usd,fallback,owner_person_id,review_date,designs_compared",
    "price_overrides": "provider_id,model_id,token_meter,tier,context_from_tokens,price_usd_per_million,source,valid_from,valid_to",
}


def files() -> dict[str, str]:
    """Name and text of every seed file."""
    rows: dict[str, Rows] = {
        "teams": _teams(), "people": _people(), "identities": _identities(), "ownership": _ownership(), "workflows": _workflows(),
        "customers": [{"customer_id": i, "customer_name": n} for i, n in CUSTOMERS], "gateway_deployments": _deployments(),
        "allocation_rules": _allocation_rules(), "allocation_metrics": _allocation_metrics(), "budgets": _budgets(),
        "period_close_rules": [{"invoice_issuer_name": "", "close_business_days": "5", **_OPEN}],
        "unit_definitions": _unit_definitions(), "changes": _changes(), "known_changes": _known_changes(),
        "scenario_levers": _scenario_levers(), "forecast_overrides": _forecast_overrides(), "reset_sign_offs": _reset_sign_offs(),
        "one_offs": _one_offs(), "cost_note_inputs": _cost_note_inputs(),
        "raci": _raci(), "kpi_targets": _kpi_targets(), "cost_objectives": _cost_objectives(), "eval_plans": evaluations.plans(), "promotions": evaluations.promotions(),
        "price_overrides": prices.override_rows(),
    }  # fmt: skip
    found = {}
    for name, header in _HEADERS.items():
        out = io.StringIO()
        writer = csv.DictWriter(out, header.split(","), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name])
        found[f"{name}.csv"] = out.getvalue()
    return found


def write(folder: Path) -> list[str]:
    """Write every seed file into a folder; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text)
    return list(files())


def check(folder: Path) -> list[str]:
    """Names of seed files in a folder that are missing or differ from what `write` would write."""
    return [n for n, text in files().items() if not (folder / n).exists() or (folder / n).read_text() != text]
