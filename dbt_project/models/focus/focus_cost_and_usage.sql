{{ config(materialized='view') }}
-- Names and invoices of an open period are looked up when read: they may become known long after the charge day was
-- built, and a closed period keeps the ones it was frozen with.
select
    {%- for column, sql_type in focus_columns() %}
    {%- if column == 'InvoiceId' %}
    case
        when charge.is_frozen or charge.InvoiceId is not null or charge.x_FocusVersionIn <> 'native' then charge.InvoiceId
        else invoice.invoice_id
    end as InvoiceId
    {%- elif column == 'SubAccountName' %}
    case
        when charge.is_frozen or charge.SubAccountName is not null or charge.x_FocusVersionIn <> 'native' then charge.SubAccountName
        else coalesce(sub_account.sub_account_name, charge.SubAccountId)
    end as SubAccountName
    {%- else %}
    charge.{{ column }}
    {%- endif %}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('int_booked_charge') }} as charge
left join {{ ref('int_invoice_of_period') }} as invoice
    on charge.InvoiceIssuerName = invoice.invoice_issuer_name
    and charge.BillingAccountId = invoice.billing_account_id
    and cast(charge.BillingPeriodStart as date) = invoice.billing_period_start
left join {{ ref('int_sub_account') }} as sub_account
    on charge.x_SourceId = sub_account.source
    and charge.x_Account = sub_account.account
    and charge.SubAccountId = sub_account.sub_account_id
