-- Invoice lines that no feed carries, so that every monetary line of an invoice is in the data.
with lines as (
    select
        line.*,
        case
            when line.charge_category in ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment') then line.charge_category
            when line.line_type = 'tax' then 'Tax'
            when line.line_type = 'credit' then 'Credit'
            when line.line_type = 'adjustment' then 'Adjustment'
            when line.line_type = 'usage' then 'Usage'
            else 'Purchase'
        end as category
    from {{ ref('stg_invoices__lines') }} as line
    left join {{ ref('invoice_line_coverage') }} as coverage
        on line.invoice_issuer_name = coverage.invoice_issuer_name
        and line.line_type = coverage.line_type
        and line.billing_period_start >= coalesce(coverage.valid_from, date '0001-01-01')
        and line.billing_period_start < coalesce(coverage.valid_to, date '9999-12-31')
    where not coalesce(coverage.is_in_feed, false)
        and coalesce(line.invoice_issue_status, 'Issued') <> 'Voided'
        and line.amount is not null
),

units as (
    select
        *,
        category = 'Purchase' and line_type = 'seat' and quantity > 0 and amount >= 0
            and quantity = floor(quantity) as has_seats
    from lines
),

split as (
    select
        *,
        case when has_seats then {{ decimal_units('amount', 14) }} end as amount_units,
        case when has_seats then cast(floor(quantity) as {{ wide_integer_type() }}) end as seat_count
    from units
),

priced as (
    select
        *,
        -- A seat price is named only where it divides the amount exactly.
        case
            when has_seats and amount_units % seat_count = 0
                then cast(cast({{ integer_quotient('amount_units', 'seat_count') }} as decimal(38, 0)) * cast(0.00000000000001 as decimal(14, 14)) as decimal(28, 16))
        end as unit_price,
        case when category = 'Tax' then 'Tax' else coalesce(service_name, invoice_issuer_name) end as service
    from split
)

select
{{ focus_row({
    'BilledCost': 'amount',
    'BillingAccountId': 'coalesce(billing_account_id, account)',
    'BillingCurrency': 'upper(currency)',
    'BillingPeriodStart': 'billing_period_start',
    'BillingPeriodEnd': 'billing_period_end',
    'ChargeCategory': 'category',
    'ChargeDescription': 'description',
    'ChargeFrequency': "case when line_type in ('seat', 'support') then 'Recurring' else 'One-Time' end",
    'ChargePeriodStart': 'billing_period_start',
    'ChargePeriodEnd': 'billing_period_end',
    'ContractedCost': 'amount',
    'ContractedUnitPrice': 'unit_price',
    'EffectiveCost': 'amount',
    'HostProviderName': "case when category in ('Usage', 'Purchase') then invoice_issuer_name end",
    'InvoiceDetailId': 'invoice_detail_id',
    'InvoiceId': 'invoice_id',
    'InvoiceIssuerName': 'invoice_issuer_name',
    'ListCost': 'amount',
    'ListUnitPrice': 'unit_price',
    'PricingCategory': "case when has_seats then 'Standard' end",
    'PricingQuantity': 'case when has_seats then quantity end',
    'PricingUnit': "case when has_seats then 'Seats' end",
    'ServiceCategory': "case when category = 'Tax' then 'Other' else 'AI and Machine Learning' end",
    'ServiceName': 'service',
    'ServiceProviderName': 'invoice_issuer_name',
    'ServiceSubcategory': "case when category = 'Tax' then 'Other (Other)' else 'Generative AI' end",
    'SkuId': "case when category in ('Usage', 'Purchase') then concat(service, '/', line_type) end",
    'SkuPriceId': "case when has_seats then concat(service, '/', line_type, '/', currency) end",
    'x_charge_id': row_hash(["'invoices'", 'account', 'invoice_issuer_name', 'invoice_id', 'invoice_detail_id']),
    'x_SourceId': "'invoices'",
    'x_Account': 'account',
    'x_FocusVersionIn': "'native'",
    'x_Delivery': 'delivery_id',
}) }}
from priced
