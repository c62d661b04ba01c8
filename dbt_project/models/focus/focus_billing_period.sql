{#- A period is closed when its rows are frozen, or when the business days of its issuer's close rule have passed. -#}
with periods as (
    select
        InvoiceIssuerName,
        BillingPeriodStart,
        max(BillingPeriodEnd) as BillingPeriodEnd,
        max(case when frozen.frozen_at is not null then 1 else 0 end) as is_frozen
    from {{ ref('focus_cost_and_usage') }} as charges
    left join {{ source('raw', 'frozen_periods') }} as frozen
        on
            charges.x_SourceId = frozen.source
            and charges.x_Account = frozen.account
            and cast(charges.BillingPeriodStart as date) = frozen.billing_period
    where InvoiceIssuerName is not null
    group by InvoiceIssuerName, BillingPeriodStart
    union all
    select
        InvoiceIssuerName,
        BillingPeriodStart,
        max(BillingPeriodEnd) as BillingPeriodEnd,
        0 as is_frozen
    from {{ ref('focus_invoice_detail') }}
    where InvoiceIssuerName is not null and BillingPeriodStart is not null
    group by InvoiceIssuerName, BillingPeriodStart
),

merged as (
    select
        InvoiceIssuerName,
        BillingPeriodStart,
        max(BillingPeriodEnd) as BillingPeriodEnd,
        max(is_frozen) = 1 as is_frozen
    from periods
    group by InvoiceIssuerName, BillingPeriodStart
),

ruled as (
    select
        merged.*,
        coalesce(cast(rules.close_business_days as integer), 5) as close_days,
        -- 0 is Monday: the first of January 2024 was one.
        mod({{ days_between("date '2024-01-01'", 'merged.BillingPeriodEnd') }} + 7000, 7) as weekday
    from merged
    left join {{ ref('period_close_rules') }} as rules
        on
            coalesce(cast(rules.invoice_issuer_name as string), '') in ('', merged.InvoiceIssuerName)
            and (rules.valid_from is null or cast(rules.valid_from as date) <= cast(merged.BillingPeriodEnd as date))
            and (rules.valid_to is null or cast(merged.BillingPeriodEnd as date) < cast(rules.valid_to as date))
    qualify row_number() over (
        partition by merged.InvoiceIssuerName, merged.BillingPeriodStart
        order by
            case when cast(rules.invoice_issuer_name as string) = merged.InvoiceIssuerName then 0 else 1 end,
            rules.valid_from desc, rules.close_business_days
    ) = 1
),

closing as (
    select
        *,
        -- The instant after the last of `close_days` business days that start with the period's end.
        BillingPeriodEnd + (
            case when weekday >= 5 then 7 - weekday else 0 end
            + close_days
            + 2 * cast(floor((case when weekday >= 5 then 0 else weekday end + close_days - 1) / 5) as integer)
        ) * interval '1' day as closes_at
    from ruled
)

select
    {{ focus_row({
        'BillingPeriodCreated': 'closing.BillingPeriodStart',
        'BillingPeriodEnd': 'closing.BillingPeriodEnd',
        'BillingPeriodLastUpdated': 'case when run.as_of >= closing.closes_at then closing.closes_at else run.as_of end',
        'BillingPeriodStart': 'closing.BillingPeriodStart',
        'BillingPeriodStatus': "case when closing.is_frozen or run.as_of >= closing.closes_at then 'Closed' else 'Open' end",
        'InvoiceIssuerName': 'closing.InvoiceIssuerName'
    }, 'BillingPeriod') }}
from closing
cross join {{ source('raw', 'run_context') }} as run
