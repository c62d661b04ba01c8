{{ config(enabled=is_on('xai'), severity='error', warn_if='> 0', error_if='>= 1000', fail_calc='coalesce(sum(case when is_of_another_unit then 1000 else 1 end), 0)') }}
-- Dollars of usage against cents of the invoice preview: what the cycle costs before credits lies between its complete days
-- before the snapshot and those with the day of it. Ten times off is another unit and stops the run; less is a warning, because
-- the preview's contract is known second-hand.
with previews as (
    select
        account, snapshot_date, billing_period_start,
        max(total_with_corrections_usd + coalesce(prepaid_credits_usd, 0)) as cycle_usd
    from {{ ref('stg_xai__invoice_preview') }}
    group by account, snapshot_date, billing_period_start
),

booked as (
    select x_Account as account, charge_date, sum(BilledCost) as cost, count(*) as lines
    from {{ ref('int_booked_charge') }}
    where x_SourceId = 'xai'
    group by x_Account, charge_date
),

compared as (
    select
        previews.account,
        previews.snapshot_date,
        previews.cycle_usd,
        context.as_of_date,
        coalesce(sum(case when booked.charge_date < previews.snapshot_date then booked.cost end), 0) as cost_before,
        coalesce(sum(booked.cost), 0) as cost_with_the_day,
        -- Half a cent per line is left to the preview's rounding.
        0.01 + 0.005 * coalesce(sum(booked.lines), 0) as tolerance,
        min(booked.charge_date) as first_day,
        min(previews.billing_period_start) as billing_period_start,
        min(context.start_date) as start_date
    from previews
    cross join {{ source('raw', 'run_context') }} as context
    left join booked
        on booked.account = previews.account
        and booked.charge_date >= previews.billing_period_start
        and booked.charge_date <= previews.snapshot_date
    group by previews.account, previews.snapshot_date, previews.cycle_usd, context.as_of_date
)

select
    *,
    cycle_usd > 1 and (cost_before > 10 * cycle_usd or (start_date <= billing_period_start and cost_with_the_day < cycle_usd / 10)) as is_of_another_unit
from compared
where cost_before > cycle_usd + tolerance
    or (snapshot_date < as_of_date and start_date <= billing_period_start and cost_with_the_day < cycle_usd - tolerance)
