with spend as (
    select
        coalesce(keys.work_item_key, ledger.work_item_key) as work_item_key,
        sum(ledger.x_ReportingCost) as cost,
        sum(case when ledger.fidelity_tier = 'call' then ledger.x_ReportingCost else 0 end) as cost_call,
        sum(case when ledger.fidelity_tier = 'session' then ledger.x_ReportingCost else 0 end) as cost_session,
        sum(case when ledger.fidelity_tier = 'person' then ledger.x_ReportingCost else 0 end) as cost_person,
        sum(case when {{ work_phase('ledger', 'items') }} = 'review' then ledger.x_ReportingCost else 0 end) as cost_review,
        sum(case when {{ work_phase('ledger', 'items') }} = 'rework' then ledger.x_ReportingCost else 0 end) as cost_rework,
        -- What is stamped is exact; the rest errs as its method does, and without a measurement nobody knows. Added as decimals,
        -- because a sum of floating numbers depends on its order.
        sum(case when ledger.fidelity_tier = 'call' then 0 else {{ decimal_product('abs(ledger.x_ReportingCost)', 'cast(errors.wape as decimal(28, 16))', 14) }} end) as cost_error,
        sum(case when ledger.fidelity_tier <> 'call' and errors.wape is null and ledger.x_ReportingCost <> 0 then 1 else 0 end) as unmeasured,
        sum(ledger.calls) as calls,
        sum(ledger.tokens) as tokens,
        count(distinct ledger.model_id) as models,
        count(distinct ledger.user_id) as people,
        min(ledger.charge_date) as first_charge_date,
        max(ledger.charge_date) as last_charge_date
    from {{ ref('fct_attribution_ledger') }} as ledger
    left join {{ ref('dim_work_item_key') }} as keys on keys.key = ledger.work_item_key
    left join {{ ref('dim_work_item') }} as items on items.work_item_key = coalesce(keys.work_item_key, ledger.work_item_key)
    left join {{ ref('mart_fidelity_error') }} as errors
        on errors.allocation_method = ledger.allocation_method and errors.fidelity_tier = ledger.fidelity_tier
    where ledger.work_item_key is not null
    group by coalesce(keys.work_item_key, ledger.work_item_key)
),

sessions as (
    select
        coalesce(keys.work_item_key, calls.ticket_key) as work_item_key,
        count(distinct calls.session_id) as sessions,
        sum(case when calls.status = 'failure' then 1 else 0 end) as failed_calls,
        sum(case when calls.is_retry then 1 else 0 end) as retried_calls
    from {{ ref('fct_model_call') }} as calls
    left join {{ ref('dim_work_item_key') }} as keys on keys.key = calls.ticket_key
    where calls.ticket_key is not null
    group by coalesce(keys.work_item_key, calls.ticket_key)
),

pulls as (
    select coalesce(keys.work_item_key, links.work_item_key) as work_item_key, count(distinct links.pull_request_id) as pull_requests
    from {{ ref('int_pull_request_key') }} as links
    left join {{ ref('dim_work_item_key') }} as keys on keys.key = links.work_item_key
    group by coalesce(keys.work_item_key, links.work_item_key)
)

select
    cast(spend.work_item_key as string) as work_item_key,
    cast(items.work_item_type as string) as work_item_type,
    cast(items.team as string) as team,
    cast(items.epic_key as string) as epic_key,
    cast(items.feature as string) as feature,
    cast(items.sprint as string) as sprint,
    cast(items.status as string) as status,
    items.story_points,
    items.created_at,
    items.resolved_at,
    cast(spend.cost as decimal(38, 14)) as cost,
    cast(spend.cost_call as decimal(38, 14)) as cost_call,
    cast(spend.cost_session as decimal(38, 14)) as cost_session,
    cast(spend.cost_person as decimal(38, 14)) as cost_person,
    cast(spend.cost_review as decimal(38, 14)) as cost_review,
    cast(spend.cost_rework as decimal(38, 14)) as cost_rework,
    cast(case when spend.unmeasured = 0 then spend.cost_error end as double) as cost_error,
    cast(spend.calls as bigint) as calls,
    cast(spend.tokens as decimal(28, 12)) as tokens,
    cast(spend.models as bigint) as models,
    cast(spend.people as bigint) as people,
    cast(coalesce(sessions.sessions, 0) as bigint) as sessions,
    cast(coalesce(pulls.pull_requests, 0) as bigint) as pull_requests,
    cast(coalesce(sessions.failed_calls, 0) as bigint) as failed_calls,
    cast(coalesce(sessions.retried_calls, 0) as bigint) as retried_calls,
    coalesce(items.is_delivered, false) as is_delivered,
    items.work_item_key is not null as is_known,
    spend.first_charge_date,
    spend.last_charge_date
from spend
left join {{ ref('dim_work_item') }} as items on items.work_item_key = spend.work_item_key
left join sessions on sessions.work_item_key = spend.work_item_key
left join pulls on pulls.work_item_key = spend.work_item_key
