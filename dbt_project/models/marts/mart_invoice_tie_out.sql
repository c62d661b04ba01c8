-- S3: at most 100 cents, or half a cent per row by the square root of their number, whichever is larger. Tax may differ
-- at invoice level, so it stands beside the compared amounts.
with invoices as (
    select
        invoice_issuer_name,
        cast(date_trunc('month', billing_period_start) as date) as billing_period,
        currency as billing_currency,
        sum(case when is_tax then 0 else amount end) as invoice_amount,
        sum(case when is_tax then amount else 0 end) as tax_amount,
        max(case when lower(coalesce(invoice_issue_status, 'issued')) = 'open' then 1 else 0 end) as open_lines
    from (
        select *, coalesce(lower(line_type) = 'tax', false) or coalesce(charge_category = 'Tax', false) as is_tax
        from {{ ref('stg_invoices__lines') }}
        where lower(coalesce(invoice_issue_status, 'issued')) not in ('void', 'voided', 'canceled', 'cancelled')
    ) as lines
    group by invoice_issuer_name, cast(date_trunc('month', billing_period_start) as date), currency
),

focus as (
    select
        InvoiceIssuerName as invoice_issuer_name,
        cast(date_trunc('month', BillingPeriodStart) as date) as billing_period,
        BillingCurrency as billing_currency,
        sum(case when ChargeCategory = 'Tax' then 0 else BilledCost end) as focus_amount,
        sum(case when ChargeCategory = 'Tax' then BilledCost else 0 end) as focus_tax_amount,
        count(*) as rows_in_focus
    from {{ ref('focus_cost_and_usage') }}
    group by InvoiceIssuerName, cast(date_trunc('month', BillingPeriodStart) as date), BillingCurrency
),

ledger as (
    select
        InvoiceIssuerName as invoice_issuer_name,
        cast(date_trunc('month', BillingPeriodStart) as date) as billing_period,
        BillingCurrency as billing_currency,
        sum(case when ChargeCategory = 'Tax' then 0 else BilledCost end) as ledger_amount
    from {{ ref('fct_attribution_ledger') }}
    group by InvoiceIssuerName, cast(date_trunc('month', BillingPeriodStart) as date), BillingCurrency
),

keys as (
    select invoice_issuer_name, billing_period, billing_currency from invoices
    union
    select invoice_issuer_name, billing_period, billing_currency from focus
),

-- The n-th business day after the period's end; the rule of the issuer wins over the rule for every issuer.
rules as (
    select keys.*, coalesce(rules.close_business_days, 5) as close_business_days
    from keys
    left join {{ ref('period_close_rules') }} as rules
        on coalesce(rules.invoice_issuer_name, keys.invoice_issuer_name) = keys.invoice_issuer_name
        and (rules.valid_from is null or keys.billing_period >= rules.valid_from)
        and (rules.valid_to is null or keys.billing_period < rules.valid_to)
    qualify row_number() over (
        partition by keys.invoice_issuer_name, keys.billing_period, keys.billing_currency
        order by case when rules.invoice_issuer_name is not null then 0 else 1 end
    ) = 1
),

spine as (
    {{ date_spine(
        "(select coalesce(min(billing_period), date '2026-01-01') from keys)",
        "(select coalesce(max(billing_period), date '2026-01-01') + interval '4' month from keys)") }}
),

business_days as (
    select charge_date as day, cast(date_trunc('month', charge_date) as date) as month
    from spine
    where cast(date_trunc('week', charge_date) as date) + interval '5' day > charge_date
),

closing_days as (
    select rules.invoice_issuer_name, rules.billing_period, rules.billing_currency, business_days.day as closes_on
    from rules
    inner join business_days on business_days.day >= cast(rules.billing_period + interval '1' month as date)
    qualify row_number() over (
        partition by rules.invoice_issuer_name, rules.billing_period, rules.billing_currency order by business_days.day
    ) = greatest(rules.close_business_days, 1)
),

compared as (
    select
        keys.invoice_issuer_name,
        keys.billing_period,
        keys.billing_currency,
        invoices.invoice_amount,
        focus.focus_amount,
        ledger.ledger_amount,
        invoices.tax_amount,
        focus.focus_tax_amount,
        coalesce(invoices.invoice_amount, 0) - coalesce(focus.focus_amount, 0) as difference_invoice_focus,
        coalesce(focus.focus_amount, 0) - coalesce(ledger.ledger_amount, 0) as difference_focus_ledger,
        cast(greatest(1.0, 0.005 * sqrt(cast(coalesce(focus.rows_in_focus, 0) as double))) as decimal(20, 6)) as tolerance,
        coalesce(focus.rows_in_focus, 0) as rows_in_focus,
        closing_days.closes_on,
        context.as_of_date > closing_days.closes_on and coalesce(invoices.open_lines, 0) = 0 as is_closed
    from keys
    left join invoices
        on invoices.invoice_issuer_name = keys.invoice_issuer_name
        and invoices.billing_period = keys.billing_period
        and invoices.billing_currency = keys.billing_currency
    left join focus
        on focus.invoice_issuer_name = keys.invoice_issuer_name
        and focus.billing_period = keys.billing_period
        and focus.billing_currency = keys.billing_currency
    left join ledger
        on ledger.invoice_issuer_name = keys.invoice_issuer_name
        and ledger.billing_period = keys.billing_period
        and ledger.billing_currency = keys.billing_currency
    left join closing_days
        on closing_days.invoice_issuer_name = keys.invoice_issuer_name
        and closing_days.billing_period = keys.billing_period
        and closing_days.billing_currency = keys.billing_currency
    cross join {{ source('raw', 'run_context') }} as context
)

select
    cast(invoice_issuer_name as string) as invoice_issuer_name,
    billing_period,
    cast(billing_currency as string) as billing_currency,
    cast(invoice_amount as decimal(38, 14)) as invoice_amount,
    cast(focus_amount as decimal(38, 14)) as focus_amount,
    cast(ledger_amount as decimal(38, 14)) as ledger_amount,
    cast(tax_amount as decimal(38, 14)) as tax_amount,
    cast(focus_tax_amount as decimal(38, 14)) as focus_tax_amount,
    cast(difference_invoice_focus as decimal(38, 14)) as difference_invoice_focus,
    cast(difference_focus_ledger as decimal(38, 14)) as difference_focus_ledger,
    tolerance,
    cast(rows_in_focus as bigint) as rows_in_focus,
    closes_on,
    is_closed,
    cast(case
        when difference_focus_ledger <> 0 then 'difference'
        when focus_amount is null and focus_tax_amount is null then 'no bill'
        when invoice_amount is null and is_closed then 'no invoice'
        when invoice_amount is null then 'open'
        when abs(difference_invoice_focus) <= tolerance then 'tied'
        when is_closed then 'difference'
        else 'open'
    end as string) as state
from compared
