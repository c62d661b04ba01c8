-- Every dollar that a vendor reports for a day in scope is booked on that day, to the last digit, and nothing else is.
with delivered as (
    select 'anthropic' as source, account, charge_date, sum(amount_usd) as amount, sum(amount_usd_remainder) as remainder
    from {{ ref('stg_anthropic__cost_report') }}
    group by account, charge_date
    union all
    select 'openai', account, charge_date, sum(amount_usd), sum(amount_usd_remainder)
    from {{ ref('stg_openai__costs') }}
    group by account, charge_date
),

booked as (
    select
        charge.x_SourceId as source,
        charge.x_Account as account,
        charge.charge_date,
        sum(charge.BilledCost) as amount,
        sum(charge.x_BilledCostRemainder) as remainder
    from {{ ref('int_booked_charge') }} as charge
    inner join {{ ref('int_focus_scope') }} as scope
        on charge.x_SourceId = scope.source and charge.x_Account = scope.account and charge.charge_date = scope.charge_date
    where charge.x_SourceId in ('anthropic', 'openai')
    group by charge.x_SourceId, charge.x_Account, charge.charge_date
)

select
    coalesce(delivered.source, booked.source) as source,
    coalesce(delivered.account, booked.account) as account,
    coalesce(delivered.charge_date, booked.charge_date) as charge_date,
    delivered.amount as delivered_amount,
    booked.amount as booked_amount,
    delivered.remainder as delivered_remainder,
    booked.remainder as booked_remainder
from delivered
full outer join booked
    on delivered.source = booked.source and delivered.account = booked.account and delivered.charge_date = booked.charge_date
where coalesce(delivered.amount, 0) <> coalesce(booked.amount, 0)
    or coalesce(delivered.remainder, 0) <> coalesce(booked.remainder, 0)
