{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_ledger_scope'), {'charge_date': 'charge_date'}) }}",
) }}
-- Evidence in falling order: the request's own ticket; the one ticket its session carries on the same branch; the branch;
-- the one ticket of its whole session; the request's workflow; the engineer and what they worked on that day; the gateway's
-- team. Calls are aggregated before work items are joined, so a day costs its groups, not its requests.
with calls as (
    select calls.*
    from {{ ref('fct_model_call') }} as calls
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = calls.charge_date
    where not calls.is_gateway_cache_hit
),

session_days as (
    select sessions.*
    from {{ ref('int_session_day') }} as sessions
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = sessions.charge_date
),

-- A session that changes its branch is told by each branch first.
session_branches as (
    select charge_date, account, session_id, branch, repo, first_ticket as ticket_key
    from session_days
    where branch is not null and first_ticket = last_ticket
),

session_tickets as (
    select charge_date, account, session_id, min(first_ticket) as ticket_key
    from session_days
    group by charge_date, account, session_id
    having min(first_ticket) = max(last_ticket)
    union all
    select carried.charge_date, carried.account, carried.session_id, carried.ticket_key
    from {{ ref('int_session_carry') }} as carried
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = carried.charge_date
),

tied_branches as (
    select distinct repo, branch from {{ ref('dim_branch') }}
),

evidenced as (
    select
        calls.*,
        case
            when calls.ticket_key is not null then 'ticket_stamp'
            when session_branches.ticket_key is not null then 'session_ticket'
            when tied_branches.branch is not null then 'branch_ticket'
            when session_tickets.ticket_key is not null then 'session_ticket'
            when calls.workflow is not null then 'workflow_stamp'
            when calls.person_id is not null then 'person_activity'
            when calls.team is not null then 'gateway_team'
            else 'none'
        end as method,
        coalesce(
            calls.ticket_key, session_branches.ticket_key, case when tied_branches.branch is null then session_tickets.ticket_key end
        ) as own_ticket
    from calls
    left join session_branches
        on session_branches.charge_date = calls.charge_date
        and session_branches.account = calls.account
        and session_branches.session_id = calls.session_id
        and session_branches.branch = calls.branch
        and session_branches.repo is not distinct from calls.repo
    left join session_tickets
        on session_tickets.charge_date = calls.charge_date
        and session_tickets.account = calls.account
        and session_tickets.session_id = calls.session_id
    left join tied_branches
        on tied_branches.branch = calls.branch and tied_branches.repo is not distinct from calls.repo
),

grouped as (
    select
        charge_date,
        provider_source,
        provider_account,
        coalesce(provider_credential_id, provider_workspace_id, '') as pool_key,
        model_id,
        method,
        own_ticket,
        case when method = 'branch_ticket' then repo end as repo,
        case when method = 'branch_ticket' then branch end as branch,
        coalesce(workflow, owner_workflow) as workflow,
        feature,
        team,
        customer_id,
        person_id,
        -- Null keys never match: both joins below stay plain equalities.
        case when method = 'person_activity' then person_id end as active_person_id,
        environment,
        cast(count(*) as bigint) as calls,
        cast(sum(tokens_input_uncached) as bigint) as input_tokens,
        cast(sum(tokens_cache_read) as bigint) as cache_read_tokens,
        cast(sum(tokens_cache_write_5m) as bigint) as cache_write_5m_tokens,
        cast(sum(tokens_cache_write_1h) as bigint) as cache_write_1h_tokens,
        cast(sum(tokens_cache_write_unspecified) as bigint) as cache_write_tokens,
        cast(sum(tokens_output) as bigint) as output_tokens,
        -- A call is counted on one meter only: output when it answered, else plain input, else what it has.
        cast(sum(case when tokens_output > 0 then 1 else 0 end) as bigint) as output_calls,
        cast(sum(case when tokens_output = 0 and tokens_input_uncached > 0 then 1 else 0 end) as bigint) as input_calls,
        cast(sum(case when tokens_output = 0 and tokens_input_uncached = 0 and tokens_cache_read > 0 then 1 else 0 end) as bigint)
            as cache_read_calls
    from evidenced
    where tokens_total > 0
    group by
        charge_date, provider_source, provider_account, coalesce(provider_credential_id, provider_workspace_id, ''), model_id, method, own_ticket,
        case when method = 'branch_ticket' then repo end, case when method = 'branch_ticket' then branch end,
        case when method = 'person_activity' then person_id end, coalesce(workflow, owner_workflow), feature, team, customer_id, person_id, environment
),

placed as (
    select
        grouped.*,
        coalesce(grouped.own_ticket, branches.work_item_key, activity.work_item_key) as work_item_key,
        coalesce(branches.share_ppm, activity.share_ppm, 1000000) as share_ppm,
        coalesce(branches.share_ppm_to, activity.share_ppm_to, 1000000) as share_ppm_to,
        case
            when grouped.method = 'person_activity' and activity.work_item_key is null then 'person_known'
            else grouped.method
        end as allocation_method
    from grouped
    left join {{ ref('dim_branch') }} as branches
        on branches.branch = grouped.branch
        and branches.repo is not distinct from grouped.repo
    left join {{ ref('fct_work_activity') }} as activity
        on activity.person_id = grouped.active_person_id
        and activity.charge_date = grouped.charge_date
),

teamed as (
    select
        placed.*,
        coalesce(placed.team, people.team, workflows.team) as share_team
    from placed
    left join {{ ref('dim_person') }} as people
        on people.person_id = placed.person_id
        and placed.charge_date >= people.valid_from
        and placed.charge_date < people.valid_to
    left join {{ ref('dim_workflow') }} as workflows
        on workflows.workflow = placed.workflow
        and placed.charge_date >= workflows.valid_from
        and placed.charge_date < workflows.valid_to
),

meters as (
    select 'input' as token_meter
    union all select 'cache_read' as token_meter
    union all select 'cache_write_5m' as token_meter
    union all select 'cache_write_1h' as token_meter
    union all select 'cache_write' as token_meter
    union all select 'output' as token_meter
),

metered as (
    select
        teamed.*,
        meters.token_meter,
        case meters.token_meter
            when 'input' then input_tokens
            when 'cache_read' then cache_read_tokens
            when 'cache_write_5m' then cache_write_5m_tokens
            when 'cache_write_1h' then cache_write_1h_tokens
            when 'cache_write' then cache_write_tokens
            else output_tokens
        end as tokens,
        case meters.token_meter
            when 'output' then output_calls
            when 'input' then input_calls
            when 'cache_read' then cache_read_calls
            else 0
        end as meter_calls
    from teamed
    cross join meters
)

select
    cast(provider_source as string) as provider_source,
    cast(provider_account as string) as provider_account,
    cast(pool_key as string) as pool_key,
    cast(model_id as string) as model_id,
    cast(token_meter as string) as token_meter,
    cast(case
        when method in ('ticket_stamp', 'workflow_stamp') then 'call'
        when method in ('session_ticket', 'branch_ticket') then 'session'
        when method = 'person_activity' then 'person'
        when method = 'gateway_team' then 'team'
    end as string) as fidelity_tier,
    cast(allocation_method as string) as allocation_method,
    cast(workflow as string) as workflow,
    cast(feature as string) as feature,
    cast(share_team as string) as team,
    cast(customer_id as string) as customer_id,
    cast(person_id as string) as person_id,
    cast(work_item_key as string) as work_item_key,
    cast(environment as string) as environment,
    -- Tokens weighed in millionths keep the split over several work items in whole numbers.
    cast(sum(tokens * share_ppm) as bigint) as weight,
    cast(sum({{ integer_quotient('meter_calls * share_ppm_to', '1000000') }}
        - {{ integer_quotient('meter_calls * (share_ppm_to - share_ppm)', '1000000') }}) as bigint) as calls,
    charge_date
from metered
where tokens > 0
group by
    provider_source, provider_account, pool_key, model_id, token_meter, method, allocation_method,
    workflow, feature, share_team, customer_id, person_id, work_item_key, environment, charge_date
