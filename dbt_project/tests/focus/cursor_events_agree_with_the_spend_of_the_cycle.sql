{{ config(tags=['focus'], severity='error', enabled=is_on('cursor')) }}
-- Booked charges of the current billing cycle against the vendor's own total of it. That total runs ahead by the hours
-- of the open day and may be rounded per member, so the band is wide: it catches cents read as dollars, dollars read as
-- cents, and pages lost or doubled on a large scale.
with snapshot as (
    select account, window_key, cast(min(cycle_start) as date) as first_day, sum(spend_usd) as spend_usd
    from {{ ref('stg_cursor__spend') }}
    where is_current
    group by account, window_key
),

booked as (
    select
        snapshot.account,
        coalesce(sum(charge.BilledCost), 0) as from_cycle_start,
        -- The cycle may begin within a day, whose earlier charges belong to the one before.
        coalesce(sum(case when charge.charge_date > snapshot.first_day then charge.BilledCost end), 0) as after_first_day
    from snapshot
    left join {{ ref('focus_cost_and_usage') }} as charge
        on charge.x_SourceId = 'cursor' and charge.x_Account = snapshot.account
        and charge.charge_date >= snapshot.first_day and charge.charge_date < cast(snapshot.window_key as date)
        and charge.ChargeCategory = 'Usage'
    group by snapshot.account
)

select
    snapshot.account,
    snapshot.window_key,
    snapshot.first_day,
    snapshot.spend_usd,
    booked.from_cycle_start,
    booked.after_first_day
from snapshot
inner join booked on booked.account = snapshot.account
cross join {{ source('raw', 'run_context') }} as context
where booked.after_first_day > snapshot.spend_usd * 1.1 + 5
    -- Only where the whole cycle was asked for can its total be missed from below.
    or (snapshot.first_day >= context.start_date and snapshot.spend_usd > booked.from_cycle_start * 2 + 25)
