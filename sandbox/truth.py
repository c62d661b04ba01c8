"""The ground truth as files. The vendors never serve it and the pipeline never reads it; tests do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import polars as pl

from sandbox import calendar
from sandbox.build import Company
from sandbox.company import CREDENTIALS, PEOPLE, TEAMS
from sandbox.requests import STAMP_SESSION, STAMP_TEAM, STAMP_TICKET, STAMP_USER

_STAMPS = {STAMP_TICKET: "call", STAMP_SESSION: "session", STAMP_USER: "person", STAMP_TEAM: "team"}


def _usd(column: str) -> pl.Expr:
    return (pl.col(column).cast(pl.Decimal(38, 12)) * pl.lit("0.000000000001").cast(pl.Decimal(38, 12))).cast(pl.Decimal(38, 12))


def _requests(company: Company) -> pl.DataFrame:
    log = company.log
    # 1e-12 USD as whole numbers become decimals by moving the point, without a float in between.
    return log.select(
        "request_id",
        pl.col("true_ticket").alias("work_item_key"),
        pl.col("true_workflow").alias("workflow"),
        pl.col("true_team").alias("team"),
        pl.col("true_person").alias("person_id"),
        pl.col("true_customer").alias("customer_id"),
        pl.col("true_feature").alias("feature"),
        pl.col("stamp").replace_strict(_STAMPS, return_dtype=pl.String).alias("stamp_shown"),
        pl.col("incident").replace_strict({0: None, 1: "runaway_loop", 2: "retry_storm"}, return_dtype=pl.String).alias("incident"),
        pl.col("cost").alias("cost_pico_usd"),
        _usd("cost").alias("cost_usd"),
    )


def _outside(company: Company) -> pl.DataFrame:
    keys = [i.key for i in company.plan.issues]
    names = {i: c.name for i, c in enumerate(CREDENTIALS)} | {-1: "bedrock-gateway", -2: "bedrock-data"}
    ids = {i: c.key_id for i, c in enumerate(CREDENTIALS)}
    lookup = lambda values, name: pl.col(name).map_elements(  # noqa: E731
        lambda i: values[i] if i >= 0 else None, return_dtype=pl.String
    )
    return company.outside.with_columns(
        lookup(keys, "issue").alias("work_item_key"),
        lookup([p.person_id for p in PEOPLE], "person").alias("person_id"),
        lookup([t.team for t in TEAMS], "team").alias("team"),
        pl.col("credential").replace_strict(names, return_dtype=pl.String).alias("credential_name"),
        pl.col("credential").map_elements(lambda i: ids.get(i), return_dtype=pl.String).alias("credential_id"),
    ).drop("issue", "person")


def _work_items(company: Company) -> pl.DataFrame:
    merged = {}
    for pull in company.plan.pulls:
        if pull.issue >= 0 and pull.merged is not None:
            merged[pull.issue] = max(pull.merged, merged.get(pull.issue, 0))
    rows = [
        (i.key, i.kind, TEAMS[i.team].team, i.created, i.started, i.done, PEOPLE[i.assignee].person_id if i.assignee >= 0 else None,
         len(i.pulls), merged.get(n))
        for n, i in enumerate(company.plan.issues)
    ]  # fmt: skip
    names = ["work_item_key", "kind", "team", "created", "started", "done", "assignee", "pull_requests", "merged"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(pl.col("created", "started", "done", "merged").cast(pl.Datetime("us", "UTC")))


def _incidents(company: Company) -> list[dict]:
    found = []
    for code, name, days in ((1, "runaway_loop", calendar.RUNAWAY_DAYS), (2, "retry_storm", (calendar.RETRY_STORM_DAY,))):
        rows = company.log.filter(pl.col("incident") == code)
        if rows.height:
            found.append({
                "incident": name, "days": [d.isoformat() for d in days], "requests": rows.height,
                "cost_pico_usd": int(rows["cost"].sum()), "work_item_key": rows["true_ticket"][0],
                "workflow": rows["true_workflow"].unique().sort().to_list(),
            })  # fmt: skip
    for name, day in (
        ("launch internal-knowledge-bot", calendar.LAUNCH_KNOWLEDGE_BOT), ("launch marketing-drafting", calendar.LAUNCH_BRAND_STUDIO),
        ("launch support-copilot EMEA", calendar.LAUNCH_SUPPORT_EMEA), ("negotiated price claude-haiku-4-5", calendar.NEGOTIATED_PRICE_FROM),
        ("model upgrade claude-sonnet-4-5 to claude-sonnet-5", calendar.MODEL_UPGRADE),
    ):  # fmt: skip
        if day >= company.days[0]:
            found.append({"incident": name, "days": [day.isoformat()]})
    return found


def _vendor_days(company: Company) -> pl.DataFrame:
    from sandbox.exports import EXPORTS
    from sandbox.vendors import VENDORS

    modules = (*VENDORS.values(), *EXPORTS.values())
    rows = [asdict(row) for module in modules if hasattr(module, "truth") for row in module.truth(company)]
    schema = {"source": pl.String, "account": pl.String, "day": pl.Date, "currency": pl.String, "billed": pl.String,
              "estimated": pl.String, "team": pl.String, "issuer": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema).sort(pl.all())


def _outcomes(company: Company) -> pl.DataFrame:
    from sandbox.exports.outcomes import outcomes

    frame = pl.DataFrame(outcomes(company), schema=["outcome_date", "workflow", "event", "customer_id", "events", "successes", "reported_by"])
    return frame.select(
        pl.col("outcome_date").str.to_date(), "workflow", "event", pl.col("customer_id").replace("", None),
        pl.col("events", "successes").cast(pl.Int64),
    )  # fmt: skip


def write(company: Company, folder: Path) -> None:
    """Write requests, outside_gateway, work_items, vendor_days, outcomes (Parquet) and incidents (JSON); the invoices come with the drop folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _requests(company).write_parquet(folder / "requests.parquet")
    _outside(company).write_parquet(folder / "outside_gateway.parquet")
    _work_items(company).write_parquet(folder / "work_items.parquet")
    _vendor_days(company).write_parquet(folder / "vendor_days.parquet")
    _outcomes(company).write_parquet(folder / "outcomes.parquet")
    (folder / "incidents.json").write_text(json.dumps(_incidents(company), indent=1) + "\n")
