-- Why an invoice and its bill differ, by name. Each line of both sides is put under one name; the differences of an issuer's
-- period and currency add to invoice less bill, tax included, to the last digit.
with lines as (
    select
        invoice_issuer_name,
        cast(date_trunc('month', billing_period_start) as date) as billing_period,
        currency as billing_currency,
        amount,
        case
            when lower(line_type) = 'tax' or charge_category = 'Tax' then 'tax'
            when lower(line_type) = 'refund' or lower(description) like '%refund%' then 'refunds'
            when lower(line_type) = 'credit' or charge_category = 'Credit' then 'credits'
            when lower(line_type) = 'commitment' then 'commitments'
            when lower(line_type) = 'rounding' or lower(description) like '%rounding%' then 'rounding'
            when lower(coalesce(service_name, '')) like '%marketplace%' or lower(coalesce(description, '')) like '%marketplace%' then 'marketplace'
            when lower(line_type) = 'adjustment' or charge_category = 'Adjustment' then 'adjustments'
            else 'charges'
        end as name
    from {{ ref('stg_invoices__lines') }}
    where lower(coalesce(invoice_issue_status, 'issued')) not in ('void', 'voided', 'canceled', 'cancelled')
),

bills as (
    select
        InvoiceIssuerName as invoice_issuer_name,
        cast(date_trunc('month', BillingPeriodStart) as date) as billing_period,
        BillingCurrency as billing_currency,
        BilledCost as amount,
        case
            when ChargeCategory = 'Tax' then 'tax'
            when lower(ChargeDescription) like '%refund%' or (ChargeClass = 'Correction' and BilledCost < 0) then 'refunds'
            when ChargeCategory = 'Credit' then 'credits'
            when ChargeCategory = 'Purchase' and CommitmentDiscountId is not null then 'commitments'
            when lower(ChargeDescription) like '%rounding%' then 'rounding'
            when lower(concat(coalesce(ServiceName, ''), ' ', coalesce(ChargeDescription, ''))) like '%marketplace%' then 'marketplace'
            when ChargeCategory = 'Adjustment' then 'adjustments'
            else 'charges'
        end as name
    from {{ ref('focus_cost_and_usage') }}
),

sides as (
    select invoice_issuer_name, billing_period, billing_currency, name, sum(amount) as invoice_amount, cast(0 as decimal(38, 14)) as focus_amount
    from lines
    group by invoice_issuer_name, billing_period, billing_currency, name
    union all
    select invoice_issuer_name, billing_period, billing_currency, name, cast(0 as decimal(38, 14)), sum(amount)
    from bills
    group by invoice_issuer_name, billing_period, billing_currency, name
),

named as (
    select
        invoice_issuer_name, billing_period, billing_currency, name,
        sum(invoice_amount) as invoice_amount, sum(focus_amount) as focus_amount
    from sides
    group by invoice_issuer_name, billing_period, billing_currency, name
),

-- An invoice in a currency that the bill does not speak: what is left once both are in the reporting currency is exchange.
currencies as (
    select
        invoice_issuer_name, billing_period,
        max(case when invoice_amount <> 0 and focus_amount = 0 then 1 else 0 end) as has_invoice_only,
        max(case when invoice_amount = 0 and focus_amount <> 0 then 1 else 0 end) as has_bill_only
    from (
        select invoice_issuer_name, billing_period, billing_currency, sum(abs(invoice_amount)) as invoice_amount, sum(abs(focus_amount)) as focus_amount
        from named
        group by invoice_issuer_name, billing_period, billing_currency
    ) as totals
    group by invoice_issuer_name, billing_period
),

judged as (
    select
        named.invoice_issuer_name, named.billing_period, named.billing_currency, named.invoice_amount, named.focus_amount,
        named.invoice_amount - named.focus_amount as difference,
        case when named.billing_currency = context.reporting_currency then 1 else rates.rate end as rate,
        coalesce(abs(tied.difference_invoice_focus) <= tied.tolerance, false) as is_within,
        case
            when currencies.has_invoice_only = 1 and currencies.has_bill_only = 1
                then case when named.name = 'charges' then 'exchange' else named.name end
            when tied.invoice_amount is null and tied.tax_amount is null then 'no invoice'
            when named.name <> 'charges' then named.name
            when tied.focus_amount is null and tied.focus_tax_amount is null then 'no bill'
            when named.invoice_amount = named.focus_amount then 'charges'
            when abs(named.invoice_amount - named.focus_amount) <= tied.tolerance then 'rounding'
            else 'unexplained'
        end as difference_name
    from named
    cross join {{ source('raw', 'run_context') }} as context
    left join {{ ref('fx_rates') }} as rates
        on rates.currency = named.billing_currency
        and rates.reporting_currency = context.reporting_currency
        and named.billing_period >= coalesce(rates.valid_from, cast('1900-01-01' as date))
        and named.billing_period < coalesce(rates.valid_to, cast('9999-12-31' as date))
    left join currencies
        on currencies.invoice_issuer_name = named.invoice_issuer_name and currencies.billing_period = named.billing_period
    left join {{ ref('mart_invoice_tie_out') }} as tied
        on tied.invoice_issuer_name = named.invoice_issuer_name
        and tied.billing_period = named.billing_period
        and tied.billing_currency = named.billing_currency
)

select
    cast(invoice_issuer_name as string) as invoice_issuer_name,
    billing_period,
    cast(billing_currency as string) as billing_currency,
    cast(difference_name as string) as difference_name,
    cast(sum(invoice_amount) as decimal(38, 14)) as invoice_amount,
    cast(sum(focus_amount) as decimal(38, 14)) as focus_amount,
    cast(sum(difference) as decimal(38, 14)) as difference,
    cast(sum(cast(difference as decimal(28, 8)) * cast(rate as decimal(10, 6))) as decimal(38, 14)) as reporting_difference,
    max(case when is_within then 1 else 0 end) = 1 as is_within_tolerance
from judged
group by invoice_issuer_name, billing_period, billing_currency, difference_name
