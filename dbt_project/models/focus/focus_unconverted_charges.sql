-- Charges in another currency for whose day no rate is known: their reporting cost is null, never the same number.
select
    x_SourceId as source,
    x_Account as account,
    BillingCurrency as billing_currency,
    x_ReportingCurrency as reporting_currency,
    count(*) as charges,
    sum(BilledCost) as billed_cost,
    charge_date
from {{ ref('int_booked_charge') }}
where x_ReportingCost is null
group by x_SourceId, x_Account, BillingCurrency, x_ReportingCurrency, charge_date
