-- What each commitment paid for on a day, and eligible usage it did not reach (same service and provider). The charge row
-- says Used or Unused; its list price is what the same usage costs without the commitment, and where a bill gives none the
-- usage is counted at its own cost: no saving is claimed.
with charges as (
    select
        CommitmentDiscountId as commitment_id,
        CommitmentDiscountStatus as status,
        ServiceProviderName as provider,
        ServiceName as service,
        coalesce(SubAccountId, '') as scope,
        cast(ChargePeriodStart as timestamp) as period_start,
        cast(ChargePeriodEnd as timestamp) as period_end,
        EffectiveCost as effective_cost,
        case when CommitmentDiscountStatus = 'Unused' then 0 else coalesce(nullif(ListCost, 0), nullif(ContractedCost, 0), EffectiveCost) end as on_demand_cost
    from {{ ref('focus_cost_and_usage') }}
    where ChargeCategory = 'Usage'
        and x_CostBasis = 'billed'
        and (CommitmentDiscountId is not null or ServiceCategory = 'Compute')
),

held as (
    select commitment_id, provider, service, min(period_start) as first_period, max(period_end) as last_period
    from charges
    where commitment_id is not null and status = 'Used'
    group by commitment_id, provider, service
),

lines as (
    select commitment_id, status, scope, period_start, period_end, effective_cost, on_demand_cost
    from charges
    where commitment_id is not null
    union all
    select held.commitment_id, cast(null as string) as status, charges.scope, charges.period_start, charges.period_end,
        charges.effective_cost, charges.on_demand_cost
    from charges
    inner join held
        on held.provider = charges.provider and held.service = charges.service
        and charges.period_start >= held.first_period and charges.period_end <= held.last_period
    where charges.commitment_id is null
)

select
    cast(commitment_id as string) as commitment_id,
    cast(status as string) as status,
    cast(scope as string) as scope,
    period_start,
    period_end,
    cast(sum(effective_cost) as decimal(38, 14)) as effective_cost,
    cast(sum(on_demand_cost) as decimal(38, 14)) as on_demand_cost
from lines
group by commitment_id, status, scope, period_start, period_end
