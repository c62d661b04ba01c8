"""Freezing closed billing periods: their FOCUS rows are kept beside the lake, so a vendor's later change shows as a
correction in the open period and never rewrites a closed one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ingestion.lake import Lake
from orchestration.settings import Settings

# A period is closed for an account when every issuer of its charges has closed it. One of which a day is still to be
# landed waits: frozen now, its missing days would come as corrections.
_DUE = """
with asked as (
    select distinct m.source, m.dataset, m.account, unnest(range(c.start_date::timestamp, c.as_of_date::timestamp, interval 1 day))::date as day
    from raw.manifest as m, raw.run_context as c
    where not m.is_whole and regexp_full_match(m."window", '\\d{4}-\\d{2}-\\d{2}')
),
missing as (
    select distinct a.source, a.account, date_trunc('month', a.day)::date as billing_period
    from asked as a
    anti join raw.manifest as m
        on m.source = a.source and m.dataset = a.dataset and m.account = a.account
        and m."window" = strftime(a.day, '%Y-%m-%d') and m.state = 'complete'
)
select f.x_SourceId as source, f.x_Account as account, f.BillingPeriodStart::date as billing_period, count(*) as charges
from focus.focus_cost_and_usage as f
left join focus.focus_billing_period as p
    on p.InvoiceIssuerName = f.InvoiceIssuerName and p.BillingPeriodStart = f.BillingPeriodStart
left join raw.frozen_periods as done
    on done.source = f.x_SourceId and done.account = f.x_Account and done.billing_period = f.BillingPeriodStart::date
left join missing
    on missing.source = f.x_SourceId and missing.account = f.x_Account
    and missing.billing_period = f.BillingPeriodStart::date
where done.source is null and missing.source is null
group by all
having bool_and(coalesce(p.BillingPeriodStatus = 'Closed', false))
order by all
"""


class FrozenPeriodChanged(RuntimeError):
    """A frozen file is not the one that was frozen."""


@dataclass(frozen=True)
class FrozenPeriod:
    """One account's billing period as it was frozen. `content_hash`: SHA-256 of the Parquet file."""

    source: str
    account: str
    billing_period: date
    charges: int
    content_hash: str


def freeze_closed(connection: duckdb.DuckDBPyConnection, settings: Settings, lake: Lake) -> list[FrozenPeriod]:
    """Freeze every closed period that is not frozen yet; returns those frozen now, oldest first."""
    frozen: list[FrozenPeriod] = []
    due = connection.execute(_DUE).fetchall()
    if not due:
        return frozen
    # One pass over the charges for all of them.
    connection.execute(
        f"create or replace temp table closing as select f.* from focus.focus_cost_and_usage as f semi join ({_DUE}) as due"
        " on due.source = f.x_SourceId and due.account = f.x_Account and due.billing_period = f.BillingPeriodStart::date"
    )
    for source, account, period, charges in due:
        content = _rows(connection, source, account, period)
        digest = hashlib.sha256(content).hexdigest()
        key = f"frozen/{source}/{account}/{period:%Y-%m}"
        lake.write(f"{key}.parquet", content)
        facts = {
            "source": source,
            "account": account,
            "billing_period": period.isoformat(),
            "charges": charges,
            "content_hash": digest,
            "frozen_at": settings.as_of.replace(tzinfo=None).isoformat(),
        }
        # The facts come last: rows without them are a freeze that was killed, and it is done again.
        lake.write(f"{key}.json", json.dumps(facts, indent=1).encode())
        frozen.append(FrozenPeriod(source, account, period, charges, digest))
    connection.execute("drop table closing")
    return frozen


def frozen_keys(lake: Lake) -> list[tuple[str, dict[str, str]]]:
    """Lake key of the rows and facts of every frozen period.

    Raises FrozenPeriodChanged when the rows are not those that were frozen.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for key in lake.list("frozen"):
        if not key.endswith(".json"):
            continue
        facts = json.loads(lake.read(key) or b"{}")
        rows = f"{key.removesuffix('.json')}.parquet"
        if hashlib.sha256(lake.read(rows) or b"").hexdigest() != facts["content_hash"]:
            raise FrozenPeriodChanged(
                f"{rows} is not the file frozen on {facts['frozen_at']}: restore it from a backup of the lake, or "
                "remove it together with its .json to freeze the period as it is now"
            )
        found.append((rows, facts))
    return found


def _rows(connection: duckdb.DuckDBPyConnection, source: str, account: str, period: date) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        for name, value in (("source", source), ("account", account), ("period", period)):
            connection.execute(f"set variable {name} = ?", [value])
        connection.execute(
            "copy (select * from closing where x_SourceId = getvariable('source') and x_Account = getvariable('account')"
            f" and BillingPeriodStart::date = getvariable('period') order by x_charge_id) to '{path}' (format parquet, compression zstd)"
        )
        return path.read_bytes()
