-- Facts of the data gate by provider: how much of a day's model spend has an owner (R144).
with context as (
    select as_of_date, cast(as_of_date - interval '{{ var("commitment_window_days") }}' day as date) as first_day
    from {{ source('raw', 'run_context') }}
)

select
    cast(ledger.source as string) as provider,
    ledger.charge_date,
    cast(sum(ledger.x_ReportingCost) as decimal(38, 14)) as spend,
    cast(sum(case when ledger.fidelity_tier in ('call', 'session', 'person', 'team') then ledger.x_ReportingCost else 0 end)
        as decimal(38, 14)) as attributed_spend
from {{ ref('fct_attribution_ledger') }} as ledger
cross join context
where ledger.charge_date >= context.first_day
    and ledger.charge_date < context.as_of_date
    and ledger.ChargeCategory = 'Usage'
    and ledger.token_meter is not null
group by ledger.source, ledger.charge_date
