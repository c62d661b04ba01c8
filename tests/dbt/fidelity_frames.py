"""The sandbox's requests of one seed as frames in a warehouse: what the ledger would place, and what is true of it.

A token is a micro-dollar here and the customer of a request is its true ticket, so the ledger's own pools
(`int_call_pool_day`) come out as a table of true against placed work item, in dollars.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import polars as pl

from sandbox import build, calendar, work
from sandbox.commits import Commit, commits
from sandbox.company import PEOPLE, TEAM_INDEX, TEAMS, VIRTUAL_KEYS
from sandbox.requests import FAILED

MODELS = ("int_session_day", "int_session_carry", "int_call_pool_day", "mart_fidelity_error")
METHODS = ("session_ticket", "branch_ticket", "person_activity", "team_activity")
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Measured:
    """One method of one seed: what was published, and the error the ledger really made with it. Ratios; cost in USD."""

    seed: int
    method: str
    items: int
    published: float | None
    lo: float | None
    hi: float | None
    true: float
    true_bias: float
    cost: float

    @property
    def covered(self) -> bool:
        """The published interval holds the true error."""
        return self.lo is not None and self.hi is not None and self.lo <= self.true <= self.hi


def _days(first: int, last: int) -> list[dt.date]:
    return [EPOCH + dt.timedelta(days=n) for n in range(first // work.DAY, last // work.DAY + 1)]


def activity_of(plan: work.Work, wanted: set[dt.date], made: list[Commit]) -> list[tuple[dt.date, str, str, int]]:
    """Day, person, ticket and weight: 1 for a ticket in progress, 1 for each pull request opened or merged, 1 for the commits
    of the day that name it."""
    weights: Counter[tuple[dt.date, str, str]] = Counter()
    for issue in plan.issues:
        if issue.assignee >= 0 and issue.started is not None and issue.done is not None:
            for day in _days(issue.started, issue.done):
                weights[day, PEOPLE[issue.assignee].person_id, issue.key] += 1
    for pull in plan.pulls:
        if pull.issue >= 0 and not pull.is_bot:
            for at in (pull.created, pull.merged):
                if at is not None:
                    weights[_days(at, at)[0], PEOPLE[pull.author].person_id, plan.issues[pull.issue].key] += 1
    named = {(_days(c.authored, c.authored)[0], PEOPLE[c.person].person_id, k) for c in made if c.person >= 0 for k in c.keys}
    weights.update(named)
    return [(*key, weight) for key, weight in weights.items() if key[0] in wanted]


def _shared(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Weights of (day, person) as millionths that add to a million, in the order of the ticket keys."""
    groups: dict[tuple[Any, Any], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[row[0], row[1]].append(row)
    found = []
    for group in groups.values():
        total, upto = sum(r[3] for r in group), 0
        for day, person, key, weight in sorted(group, key=lambda r: r[2]):
            before, upto = 1_000_000 * upto // total, upto + weight
            found.append((person, key, weight, 1_000_000 * upto // total - before, 1_000_000 * upto // total, day))
    return found


def branches_of(plan: work.Work) -> list[tuple[str, str, str]]:
    """Repository, branch and ticket, where the branch's name or a pull request's title says it."""
    found = set()
    for issue in plan.issues:
        repo = f"acme/{TEAMS[issue.team].repo}"
        if issue.branch and issue.key.lower() in issue.branch:
            found.add((repo, issue.branch, issue.key))
    named = {(repo, branch) for repo, branch, _ in found}
    for pull in plan.pulls:
        repo = f"acme/{pull.repo}"
        if pull.issue >= 0 and plan.issues[pull.issue].key in pull.title and (repo, pull.branch) not in named:
            found.add((repo, pull.branch, plan.issues[pull.issue].key))
    return sorted(found)


def calls_of(company: build.Company) -> pl.DataFrame:
    """The columns of fct_model_call that evidence needs."""
    keys = pl.Series([k.team for k in VIRTUAL_KEYS], dtype=pl.String)
    workflows = pl.Series([k.workflow or None for k in VIRTUAL_KEYS], dtype=pl.String)
    people = {p.litellm_user_id: p.person_id for p in PEOPLE}
    micro = (pl.col("cost") // 1_000_000).cast(pl.Int64)
    log = company.log.filter((pl.col("status") != FAILED) & (pl.col("gateway_hit") == 0) & (micro > 0))
    zero = pl.lit(0, pl.Int64)
    return log.select(
        "request_id",
        pl.lit("litellm").alias("source"),
        pl.lit("main").alias("account"),
        pl.col("start").cast(pl.Datetime("us")).alias("started_at"),
        pl.lit("success").alias("status"),
        pl.lit("model").alias("model_id"),
        pl.lit("anthropic").alias("provider_source"),
        pl.lit("main").alias("provider_account"),
        pl.lit("key").alias("provider_credential_id"),
        *(zero.alias(f"tokens_{c}") for c in ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_unspecified")),
        micro.alias("tokens_output"),
        micro.alias("tokens_total"),
        (micro.cast(pl.Decimal(38, 14)) * pl.lit("0.000001").cast(pl.Decimal(38, 14))).alias("list_cost_usd"),
        pl.col("tag_ticket").alias("ticket_key"),
        pl.col("tag_workflow").alias("workflow"),
        keys.gather(log["virtual_key"]).alias("team"),
        workflows.gather(log["virtual_key"]).alias("owner_workflow"),
        pl.col("true_ticket").fill_null("(none)").alias("customer_id"),
        pl.col("user").replace_strict(people, default=None, return_dtype=pl.String).alias("person_id"),
        "session_id",
        pl.col("user_action").alias("user_action_id"),
        "repo",
        "branch",
        pl.lit(False).alias("is_gateway_cache_hit"),
        pl.col("day").map_elements(dt.date.fromordinal, return_dtype=pl.Date).alias("charge_date"),
    )  # fmt: skip


def put(warehouse: Any, model: str, frame: pl.DataFrame) -> None:
    """Replace a ledger relation by a frame; columns that it lacks are null, further ones stay out."""
    columns = warehouse.contract(model)
    with warehouse.connect() as connection:
        connection.register("frame", frame.to_arrow())
        connection.execute("create schema if not exists ledger")
        connection.execute(f"drop table if exists ledger.{model}")
        chosen = ", ".join(
            f"cast({name if name in frame.columns else 'null'} as {kind}) as {name}" for name, kind in columns.items()
        )
        connection.execute(f"create table ledger.{model} as select {chosen} from frame")


def land(warehouse: Any, seed: int, days: int, scale: float, with_commits: bool = True) -> None:
    """Make the company of `seed`, put its requests and work into the warehouse and build ledger pools and fidelity error."""
    span = calendar.days_ending(days)
    company = build.generate(span, seed, scale)
    as_of = (span[-1] + dt.timedelta(days=1)).isoformat()
    warehouse.land({}, scope=[("litellm", "main", day.isoformat()) for day in span], as_of=f"{as_of}T06:00:00")
    put(warehouse, "fct_model_call", calls_of(company))
    ties = pl.DataFrame(branches_of(company.plan), schema=["repo", "branch", "work_item_key"], orient="row")
    several = pl.len().over("repo", "branch")
    ordinal = pl.col("work_item_key").rank("ordinal").over("repo", "branch").cast(pl.Int64)
    ties = ties.with_columns(several.alias("n"), ordinal.alias("i")).with_columns(
        (1_000_000 * pl.col("i") // pl.col("n") - 1_000_000 * (pl.col("i") - 1) // pl.col("n")).alias("share_ppm"),
        (1_000_000 * pl.col("i") // pl.col("n")).alias("share_ppm_to"),
    )
    put(warehouse, "dim_branch", ties)
    names = ["person_id", "work_item_key", "weight", "share_ppm", "share_ppm_to", "charge_date"]
    clock = work.day_start(span[-1]) + work.DAY + 6 * work.HOUR
    made = [c for c in commits(seed, company.plan) if c.is_shown(clock)] if with_commits else []
    worked = pl.DataFrame(_shared(activity_of(company.plan, set(span), made)), schema=names, orient="row")
    put(warehouse, "fct_work_activity", worked)
    people = [(p.person_id, TEAMS[TEAM_INDEX[p.team]].team, dt.date(1900, 1, 1), dt.date(9999, 12, 31)) for p in PEOPLE]
    put(warehouse, "dim_person", pl.DataFrame(people, schema=["person_id", "team", "valid_from", "valid_to"], orient="row"))
    put(warehouse, "dim_workflow", pl.DataFrame({"workflow": [None], "valid_from": [None], "valid_to": [None]}).clear())
    with warehouse.connect() as connection:
        connection.execute("drop table if exists ledger.int_ledger_scope")
        connection.execute(
            "create table ledger.int_ledger_scope as select 'd' as input_digest, charge_date from raw.scope"
        )
    warehouse.build(*MODELS, full_refresh=True)


# What the ledger placed by each method, beside the truth, in the workflows that the published error speaks for. Team spend
# lies on no work item in the ledger: measured is what spreading it over the team's work would do.
_CONFUSION = """
    select allocation_method as method, pools.charge_date, customer_id as true_item, work_item_key as item, sum(weight)::double as cost
    from ledger.int_call_pool_day as pools
    inner join comparable on comparable.tier = pools.fidelity_tier and comparable.workflow = coalesce(pools.workflow, '')
        and comparable.team = coalesce(pools.team, '')
    where allocation_method in ('session_ticket', 'branch_ticket', 'person_activity')
    group by all
    union all
    select 'team_activity', charge_date, customer_id, null, sum(cost) from bare group by all
    union all
    select 'team_activity', charge_date, null, team_work.item, sum(bare.cost * team_work.share)
    from bare inner join team_work using (team, charge_date)
    group by all
"""
_TRUTH = f"""
    with team_work as (
        select activity.charge_date, people.team, activity.work_item_key as item,
            sum(share_ppm)::double / sum(sum(share_ppm)) over (partition by activity.charge_date, people.team) as share
        from ledger.fct_work_activity as activity inner join ledger.dim_person as people using (person_id)
        group by activity.charge_date, people.team, activity.work_item_key
    ),
    comparable as (
        select distinct 'session' as tier, coalesce(owner_workflow, workflow, '') as workflow, coalesce(team, '') as team
        from ledger.fct_model_call where ticket_key is not null and (session_id is not null or branch is not null)
        union all
        select distinct 'person', coalesce(owner_workflow, workflow, ''), coalesce(team, '')
        from ledger.fct_model_call where ticket_key is not null and person_id is not null
    ),
    bare as (
        select charge_date, team, customer_id, sum(weight)::double as cost
        from ledger.int_call_pool_day as pools
        where allocation_method = 'gateway_team'
            and exists (select 1 from team_work where team_work.team = pools.team and team_work.charge_date = pools.charge_date)
        group by all
    ),
    confusion as ({_CONFUSION}),
    cells as (
        select method, date_trunc('week', charge_date) as week, item, sum(placed) as placed, sum(truth) as truth
        from (
            select method, charge_date, item, cost as placed, 0 as truth from confusion where item is not null
            union all
            select method, charge_date, true_item, 0, cost from confusion where true_item is not null
        )
        where item <> '(none)'
        group by all
    ),
    totals as (select method, sum(cost) as cost from confusion where true_item is not null group by all)
    select method, sum(abs(placed - truth)) / any_value(totals.cost) as error, sum(placed - truth) / any_value(totals.cost) as bias,
        any_value(totals.cost) / 1e12 as cost
    from cells inner join totals using (method)
    group by all
"""


def measure(warehouse: Any, seed: int) -> list[Measured]:
    """Published beside true, per method, of a warehouse that `land` has filled."""
    true = {r["method"]: r for r in warehouse.rows(_TRUTH)}
    published = {r["allocation_method"]: r for r in warehouse.rows("select * from marts.mart_fidelity_error")}
    return [
        Measured(seed, m, published[m]["items"], published[m]["wape"], published[m]["wape_lo"], published[m]["wape_hi"],
                 true[m]["error"], true[m]["bias"], true[m]["cost"])
        for m in METHODS
        if m in true
    ]  # fmt: skip
