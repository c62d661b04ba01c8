"""Evaluation runs of the company: one cheaper configuration that keeps quality and one that does not, as CSV and JSON lines."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

from sandbox import calendar
from sandbox.company import owner
from sandbox.vendors.base import World

SET, WORKFLOW, ITEMS = "support-holdout-2026-08", "support-copilot", 1000
BASELINE, ROUTED, COMPRESSED = "sonnet-4-5-full-context", "sonnet-5-routed", "sonnet-5-aggressive-compression"
EVALUATED_ON = calendar.MODEL_UPGRADE - dt.timedelta(days=14)
# Configuration, passes of 1,000, items the baseline passes and it does not, and dollars per 1,000 calls.
RUNS = ((BASELINE, 950, 0, "33.6"), (ROUTED, 954, 6, "14.9"), (COMPRESSED, 880, 90, "12.1"))
COLUMNS = (
    "evaluated_on", "eval_set_id", "item_id", "slice", "config_id", "trial", "passed", "cost_usd", "tokens", "latency_ms", "judge_version",
    "grader_comment",
)  # fmt: skip


def environment(folder: Path, bucket: Any) -> dict[str, str]:
    """The variables with which the pipeline finds the results."""
    return {"AISL_EVALUATIONS_LOCATION": str(folder.parent / "evaluations")}


def plans() -> list[dict[str, str]]:
    """Seed eval_plans: what is compared, with the margins set before the run."""
    return [
        {
            "plan_id": f"{WORKFLOW}-{name}", "workflow": WORKFLOW, "eval_set_id": SET, "baseline_config": BASELINE, "candidate_config": config,
            "lever_set": lever, "margin": "0.02", "margin_slice": "0.05", "critical_slices": "refund;account", "latency_p95_ms": "",
            "refusal_rate": "", "looks": "1", "look": "1", "waiver_owner": "", "waiver_reason": "",
            "owner_person_id": owner("support-ai").person_id,
        }
        for name, config, lever in (("routing", ROUTED, "model routing"), ("compression", COMPRESSED, "model routing + aggressive compression"))
    ]  # fmt: skip


def promotions() -> list[dict[str, str]]:
    """Seed promotions: the candidate the gate accepted, with what it promised."""
    return [
        {
            "promotion_id": f"{WORKFLOW}-routing", "lever_set": "model routing", "workflow": WORKFLOW, "baseline_config": BASELINE,
            "candidate_config": ROUTED, "promoted_on": calendar.MODEL_UPGRADE.isoformat(), "baseline_cost_per_success": "0.0354",
            "candidate_cost_per_call": "0.0149", "expected_saving_share": "0.5584", "margin": "0.02", "applied_kind": "model",
            "applied_from": "claude-sonnet-4-5", "applied_to": "claude-sonnet-5", "owner": owner("support-ai").person_id,
        }
    ]  # fmt: skip


def results(config: str, passes: int, lost: int, dollars: str) -> list[dict[str, str]]:
    """Records of one configuration; the baseline passes its first items, others lose some of these and win later ones."""
    rows = []
    for i in range(ITEMS):
        passed = i < 950 - lost or (950 <= i < passes + lost) if lost else i < passes
        rows.append({
            "evaluated_on": EVALUATED_ON.isoformat(), "eval_set_id": SET, "item_id": f"case-{i:04d}",
            "slice": ("refund", "account", "shipping", "other")[i % 4], "config_id": config, "trial": "1",
            "passed": "true" if passed else "false", "cost_usd": f"0.0{int(dollars.replace('.', '')) + (i % 7 - 3):03d}",
            "tokens": str(5200 + i % 900), "latency_ms": str(1800 + i * 7 % 1100), "judge_version": "judge-3",
            "grader_comment": "never landed",
        })  # fmt: skip
    return rows


def deliver(world: World, folder: Path, bucket: Any) -> None:
    """One file per configuration once the evaluation has run; candidates as JSON lines."""
    place = folder.parent / "evaluations"
    place.mkdir(parents=True, exist_ok=True)
    for config, passes, lost, dollars in RUNS if world.clock.date() > EVALUATED_ON else ():
        rows = results(config, passes, lost, dollars)
        is_lines = config != BASELINE
        path = place / f"{SET}-{config}.{'jsonl' if is_lines else 'csv'}"
        text = "".join(json.dumps(_typed(row)) + "\n" for row in rows) if is_lines else _csv(rows)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    kinds = {"passed": lambda v: v == "true", "cost_usd": float, "trial": int, "tokens": int, "latency_ms": int}
    return {k: kinds[k](v) if k in kinds else v for k, v in row.items()}


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
