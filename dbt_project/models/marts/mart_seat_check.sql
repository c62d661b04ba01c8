-- Seats times price is a check of the invoice and never a second booking. The newest list within a month stands for it.
with listed as (
    select
        vendor, product, contract_id, upper(currency) as currency, unit_price, billing_period, status,
        cast(date_trunc('month', snapshot_date) as date) as month
    from {{ ref('stg_seats__snapshot') }}
    qualify snapshot_date = max(snapshot_date) over (partition by account, vendor, product, date_trunc('month', snapshot_date))
),

expected as (
    select
        vendor, product, contract_id, currency, month,
        count(*) as seats,
        sum(case when billing_period = 'month' then unit_price end) as expected_amount,
        count(case when billing_period = 'month' and unit_price is not null then 1 end) as priced_seats
    from listed
    where status in ('active', 'pending', 'suspended')
    group by vendor, product, contract_id, currency, month
),

lines as (
    select
        lower(invoice_issuer_name) as issuer, lower(service_name) as product, contract_id, upper(currency) as currency,
        cast(date_trunc('month', billing_period_start) as date) as month, amount, quantity
    from {{ ref('stg_invoices__lines') }}
    where line_type = 'seat' and coalesce(invoice_issue_status, 'Issued') <> 'Voided'
),

-- By contract where both name one, else by issuer and product; a marketplace bills a contract under its own name.
invoiced as (
    select
        expected.vendor, expected.product, expected.contract_id, expected.currency, expected.month,
        sum(lines.amount) as invoiced_amount,
        sum(lines.quantity) as invoiced_seats,
        count(distinct lines.issuer) as issuers
    from expected
    inner join lines
        on lines.month = expected.month
        and lines.currency = expected.currency
        and case
            when lines.contract_id is not null and expected.contract_id is not null then lines.contract_id = expected.contract_id
            else lines.issuer = expected.vendor and lines.product = lower(expected.product)
        end
    group by expected.vendor, expected.product, expected.contract_id, expected.currency, expected.month
)

select
    cast(expected.month as date) as month,
    cast(expected.vendor as string) as vendor,
    cast(expected.product as string) as product,
    cast(expected.contract_id as string) as contract_id,
    cast(expected.currency as string) as currency,
    cast(expected.seats as bigint) as seats,
    cast(invoiced.invoiced_seats as decimal(28, 12)) as invoiced_seats,
    cast(expected.expected_amount as decimal(38, 14)) as expected_amount,
    cast(invoiced.invoiced_amount as decimal(38, 14)) as invoiced_amount,
    cast(invoiced.invoiced_amount - expected.expected_amount as decimal(38, 14)) as difference,
    cast(coalesce(invoiced.issuers, 0) as bigint) as issuers,
    cast(case
        when invoiced.invoiced_amount is null then 'no invoice'
        when invoiced.issuers > 1 then 'billed by several issuers'
        when expected.priced_seats < expected.seats then 'not priced by the month'
        when invoiced.invoiced_amount = expected.expected_amount then 'tied'
        else 'difference'
    end as string) as state
from expected
left join invoiced
    on invoiced.vendor = expected.vendor
    and invoiced.product = expected.product
    and invoiced.contract_id is not distinct from expected.contract_id
    and invoiced.currency is not distinct from expected.currency
    and invoiced.month = expected.month
