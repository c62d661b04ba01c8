"""The ledger beside the truth the company kept: which work item every request really belonged to."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sandbox.server import Sandbox
from tests.pipeline.conftest import Home

# Tokens of the requests whose own ticket is known to the ledger, by what is billed and the true work item. The gateway's
# plain input is the bill's `embedding` where the model makes embeddings.
TRUE_POOLS = """
    select charge_date, source, credential, model_id, token_meter, work_item_key, sum(tokens) as tokens
    from (
        unpivot (
            select
                calls.charge_date, calls.provider_source as source, coalesce(calls.provider_credential_id, '') as credential,
                calls.model_id, truth.work_item_key, calls.tokens_input_uncached as input, calls.tokens_cache_read as cache_read,
                calls.tokens_cache_write_5m + calls.tokens_cache_write_unspecified as cache_write_5m,
                calls.tokens_cache_write_1h as cache_write_1h, calls.tokens_output as output
            from warehouse.ledger.fct_model_call as calls
            inner join truth using (request_id)
            where calls.ticket_key is not null and not calls.is_gateway_cache_hit
        ) on input, cache_read, cache_write_5m, cache_write_1h, output into name token_meter value tokens
    )
    where tokens > 0
    group by all
"""

LEDGER_POOLS = """
    select
        shares.charge_date, shares.source, coalesce(charges.x_CredentialId, '') as credential, shares.model_id,
        case shares.token_meter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else shares.token_meter end
            as token_meter,
        shares.work_item_key, sum(shares.tokens) as tokens, sum(shares.x_ReportingCost) as cost
    from warehouse.ledger.fct_attribution_ledger as shares
    inner join warehouse.focus.focus_cost_and_usage as charges using (x_charge_id)
    where shares.fidelity_tier = 'call' and shares.allocation_method = 'ticket_stamp'
    group by all
"""

# Requests the session tier places, valued at what their pool was billed, by the work item they really were for.
SESSION_TRUTH = """
    with session_tickets as (
        select charge_date, account, session_id
        from warehouse.ledger.fct_model_call
        where session_id is not null and ticket_key is not null and not is_gateway_cache_hit
        group by all
        having count(distinct ticket_key) = 1
    ),
    branches as (select distinct repo, branch from warehouse.ledger.dim_branch)
    select truth.work_item_key, sum(calls.attributed_cost_reporting) as cost
    from warehouse.ledger.ledger_model_calls as calls
    inner join truth using (request_id)
    left join session_tickets using (charge_date, account, session_id)
    left join branches on branches.branch = calls.branch and branches.repo is not distinct from calls.repo
    where calls.ticket_key is null
        and not calls.is_gateway_cache_hit
        and (session_tickets.session_id is not null or branches.branch is not null)
    group by all
"""


@pytest.fixture(scope="module")
def beside_truth(built: Home, served: tuple[Sandbox, dict[str, str]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The built warehouse with `truth` (requests) and `outside` (billed usage no gateway saw) beside it."""
    connection = open_beside_truth(built.path / "warehouse/warehouse.duckdb", served[0].state / "truth")
    yield connection
    connection.close()


def open_beside_truth(warehouse: Path, truth: Path) -> duckdb.DuckDBPyConnection:
    """A session on `warehouse` (read only) with the truth files as views."""
    connection = duckdb.connect()
    connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
    connection.execute(f"create view truth as select * from read_parquet('{truth}/requests.parquet')")
    connection.execute(f"create view outside as select * from read_parquet('{truth}/outside_gateway.parquet')")
    return connection


def true_session_error(connection: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Cost the session tier placed, and the part of it that lies on a work item it was not for."""
    row = connection.execute(
        f"""
        with true_cost as ({SESSION_TRUTH}),
        placed as (
            select work_item_key, sum(x_ReportingCost) as cost
            from warehouse.ledger.fct_attribution_ledger where fidelity_tier = 'session' group by all
        )
        select sum(placed.cost), sum(abs(coalesce(placed.cost, 0) - coalesce(true_cost.cost, 0))) / sum(true_cost.cost)
        from placed full outer join true_cost using (work_item_key)
        """
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def test_the_call_tier_is_right_to_the_last_cent(beside_truth: duckdb.DuckDBPyConnection) -> None:
    """Every pool's cost lies on exactly the work items its requests were for, in proportion to their tokens."""
    connection = beside_truth
    connection.execute(f"create or replace temp table true_pools as {TRUE_POOLS}")
    connection.execute(f"create or replace temp table ledger_pools as {LEDGER_POOLS}")
    placed, wrong, items = connection.execute(
        """
        select sum(ledger.cost), coalesce(sum(ledger.cost) filter (true_pools.tokens is null), 0), count(distinct work_item_key)
        from ledger_pools as ledger
        left join true_pools using (charge_date, source, credential, model_id, token_meter, work_item_key)
        """
    ).fetchone()  # type: ignore[misc]
    assert placed > 0 and items > 30
    assert wrong == 0, f"{wrong} of {placed} USD lie on work items no request of their pool was for"
    # Shares of one pool follow the true tokens: equal rate for every work item of the pool, whatever the bill still lacks.
    [(uneven,)] = connection.execute(
        """
        select count(*) from (
            select max(ledger.tokens / true_pools.tokens) - min(ledger.tokens / true_pools.tokens) as spread, max(true_pools.tokens) as most
            from ledger_pools as ledger
            inner join true_pools using (charge_date, source, credential, model_id, token_meter, work_item_key)
            group by charge_date, source, credential, model_id, token_meter
            having spread > 0.000001
        )
        """
    ).fetchall()
    assert uneven == 0
    stamped = connection.execute(
        """
        select count(*), count(*) filter (calls.ticket_key is distinct from truth.work_item_key),
            count(*) filter (calls.workflow is not null and calls.workflow <> truth.workflow)
        from warehouse.ledger.fct_model_call as calls inner join truth using (request_id)
        where calls.ticket_key is not null
        """
    ).fetchone()
    assert stamped is not None and stamped[0] > 1000 and stamped[1:] == (0, 0)
    print(f"call tier: {placed:.2f} USD on {items} work items, 100 % right")


def test_every_charge_is_conserved_and_nothing_is_added(beside_truth: duckdb.DuckDBPyConnection) -> None:
    off = beside_truth.execute(
        """
        select x_charge_id
        from warehouse.focus.focus_cost_and_usage as charges
        full outer join (
            select x_charge_id, sum(share) as share, sum(BilledCost) as billed, sum(EffectiveCost) as effective
            from warehouse.ledger.fct_attribution_ledger group by all
        ) as shares using (x_charge_id)
        where shares.share is distinct from 1 or shares.billed is distinct from charges.BilledCost
            or shares.effective is distinct from charges.EffectiveCost
        """
    ).fetchall()
    assert off == []
    [(focus, ledger)] = beside_truth.execute(
        """
        select (select sum(x_ReportingCost) from warehouse.focus.focus_cost_and_usage),
            (select sum(x_ReportingCost) from warehouse.ledger.fct_attribution_ledger)
        """
    ).fetchall()
    assert isinstance(focus, Decimal) and focus == ledger and focus > 0


def test_the_session_tier_errs_as_little_as_it_measures(beside_truth: duckdb.DuckDBPyConnection) -> None:
    placed, error = true_session_error(beside_truth)
    measured = beside_truth.execute(
        """
        select allocation_method, wape from warehouse.marts.mart_fidelity_error
        where fidelity_tier = 'session' and state = 'measured' order by 1
        """
    ).fetchall()
    print(f"session tier: {placed:.2f} USD, true error {error:.4f}, measured {measured}")
    assert placed > 0 and measured
    # The pool's tokens are cut where the bill of the last day is not whole yet, hence the margin.
    assert error <= max(wape for _, wape in measured) + 0.03


def test_usage_of_other_accounts_never_enters_the_gateway_s_pools(beside_truth: duckdb.DuckDBPyConnection) -> None:
    """Billed tokens that passed no gateway are where their owner is, and no request is charged for them."""
    days = beside_truth.execute(
        """
        select outside.charge_date, outside.tokens, coalesce(shares.tokens, 0)
        from (
            select day as charge_date, sum(uncached + cache_read + write_5m + write_1h + output) as tokens
            from outside where billed and source = 'aws' group by all
        ) as outside
        left join (
            select charge_date, sum(tokens) as tokens
            from warehouse.ledger.fct_attribution_ledger
            where source = 'aws' and token_meter is not null and allocation_method = 'team_tag' and team = 'data'
            group by all
        ) as shares using (charge_date)
        order by 1
        """
    ).fetchall()
    *settled, before_last, last = days
    assert len(settled) >= 7
    assert [tokens for _, _, tokens in settled] == [true for _, true, _ in settled]
    # The newest two days of an AWS bill still grow.
    for _, true, tokens in (before_last, last):
        assert 0.9 * true < tokens <= true
