-- A session on a day: tokens, cost, its busiest hour, calls without a user action, and how its context grew (A4, A5, A7).
with context as (
    select as_of_date, cast(as_of_date - interval '{{ var("signal_history_days") }}' day as date) as first_day
    from {{ source('raw', 'run_context') }}
),

calls as (
    select
        calls.session_id,
        coalesce(calls.workflow, calls.owner_workflow) as workflow,
        calls.person_id,
        calls.charge_date,
        calls.started_at,
        calls.request_id,
        calls.user_action_id,
        calls.tokens_total,
        calls.list_cost_usd,
        case when calls.status = 'failure' or calls.is_retry then 1 else 0 end as is_trouble,
        calls.tokens_input_uncached + calls.tokens_cache_read + calls.tokens_cache_write_5m + calls.tokens_cache_write_1h
            + calls.tokens_cache_write_unspecified as input_tokens
    from {{ ref('fct_model_call') }} as calls
    cross join context
    where calls.charge_date >= context.first_day
        and calls.charge_date < context.as_of_date
        and calls.session_id is not null
),

ordered as (
    select
        *,
        row_number() over (partition by session_id, charge_date order by started_at, request_id) as first_rank,
        row_number() over (partition by session_id, charge_date order by started_at desc, request_id desc) as last_rank
    from calls
),

hours as (
    select
        session_id, charge_date, date_trunc('hour', started_at) as hour,
        count(*) as calls,
        sum(case when user_action_id is null then 1 else 0 end) as calls_without_action,
        sum(is_trouble) as trouble
    from calls
    group by session_id, charge_date, date_trunc('hour', started_at)
),

busiest as (
    select
        session_id, charge_date,
        max(calls) as calls_of_hour,
        max(case when trouble = calls then calls_without_action else 0 end) as idle_trouble
    from hours
    group by session_id, charge_date
)

select
    cast(ordered.session_id as string) as session_id,
    cast(coalesce(max(ordered.workflow), '(no workflow)') as string) as workflow,
    cast(max(ordered.person_id) as string) as person_id,
    ordered.charge_date as day,
    cast(count(*) as bigint) as calls,
    cast(sum(ordered.tokens_total) as bigint) as tokens,
    cast(coalesce(sum(ordered.list_cost_usd), 0) as decimal(38, 14)) as list_cost_usd,
    cast(count(distinct ordered.user_action_id) as bigint) as user_actions,
    cast(sum(ordered.is_trouble) as bigint) as trouble,
    cast(max(busiest.calls_of_hour) as bigint) as calls_of_hour,
    cast(max(busiest.idle_trouble) as bigint) as idle_trouble,
    cast(max(case when ordered.first_rank = 1 then ordered.input_tokens end) as bigint) as first_input_tokens,
    cast(max(case when ordered.last_rank = 1 then ordered.input_tokens end) as bigint) as last_input_tokens
from ordered
inner join busiest on busiest.session_id = ordered.session_id and busiest.charge_date = ordered.charge_date
group by ordered.session_id, ordered.charge_date
