-- SKUs of Google's model services that fit no known pattern: their money is booked, their model and tokens are not known.
select
    ServiceName as service_name,
    ChargeDescription as sku_description,
    cast(count(*) as bigint) as charge_count,
    cast(sum(BilledCost) as decimal(38, 14)) as billed_cost,
    BillingCurrency as billing_currency,
    cast(min(charge_date) as date) as first_charge_date,
    cast(max(charge_date) as date) as last_charge_date
from {{ ref('focus_cost_and_usage') }}
where x_SourceId = 'gcp' and {{ json_text('x_NativeColumns', 'x_SkuKind') }} = 'unclassified'
group by ServiceName, ChargeDescription, BillingCurrency
