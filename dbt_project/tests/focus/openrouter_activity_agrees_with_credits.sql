{{ config(enabled=is_on('openrouter')) }}
-- Lifetime usage is the vendor's other word for activity. A snapshot falls inside a day, so activity is held between two
-- bounds: all complete days before it, and growth since the snapshot before, with and without the two days cut.
with snapshots as (
    select
        account,
        snapshot_date,
        max(total_usage_usd) as total_usage_usd
    from {{ ref('stg_openrouter__credits') }}
    group by account, snapshot_date
),

growth as (
    select
        *,
        lag(snapshot_date) over (partition by account order by snapshot_date) as previous_date,
        total_usage_usd - lag(total_usage_usd) over (partition by account order by snapshot_date) as growth_usd
    from snapshots
),

booked as (
    select x_Account as account, charge_date, sum(BilledCost) as cost
    from {{ ref('int_booked_charge') }}
    where x_SourceId = 'openrouter'
    group by x_Account, charge_date
),

compared as (
    select
        growth.account,
        growth.snapshot_date,
        growth.previous_date,
        growth.total_usage_usd,
        growth.growth_usd,
        context.as_of_date,
        coalesce(sum(booked.cost), 0) as cost_before,
        coalesce(sum(case when booked.charge_date > growth.previous_date then booked.cost end), 0) as cost_between,
        coalesce(sum(case when booked.charge_date >= growth.previous_date then booked.cost end), 0) as cost_since_previous,
        coalesce(max(of_the_day.cost), 0) as cost_of_the_day
    from growth
    cross join {{ source('raw', 'run_context') }} as context
    left join booked on booked.account = growth.account and booked.charge_date < growth.snapshot_date
    left join booked as of_the_day on of_the_day.account = growth.account and of_the_day.charge_date = growth.snapshot_date
    group by
        growth.account, growth.snapshot_date, growth.previous_date, growth.total_usage_usd, growth.growth_usd, context.as_of_date
)

-- A cent is left to the vendor's rounding.
select *
from compared
where cost_before > total_usage_usd + 0.01
    or cost_between > growth_usd + 0.01
    or (snapshot_date < as_of_date and cost_since_previous + cost_of_the_day < growth_usd - 0.01)
