with lines as (
    select
        *,
        case lower(coalesce(charge_category, line_type))
            when 'usage' then 'Usage'
            when 'tax' then 'Tax'
            when 'credit' then 'Credit'
            when 'adjustment' then 'Adjustment'
            else 'Purchase'
        end as category,
        coalesce(invoice_issue_date, billing_period_end) as issued_on
    from {{ ref('stg_invoices__lines') }}
    where amount is not null
)

select
    {{ focus_row({
        'BilledCost': 'amount',
        'BillingAccountId': 'billing_account_id',
        'BillingCurrency': 'currency',
        'BillingPeriodEnd': 'billing_period_end',
        'BillingPeriodStart': 'billing_period_start',
        'ChargeCategory': 'category',
        'InvoiceDetailCreated': 'issued_on',
        'InvoiceDetailDescription': 'description',
        'InvoiceDetailGrain': json_object_text({'ServiceName': 'service_name', 'x_LineType': 'line_type'}),
        'InvoiceDetailId': 'invoice_detail_id',
        'InvoiceDetailLastUpdated': 'issued_on',
        'InvoiceId': 'invoice_id',
        'InvoiceIssueDate': 'invoice_issue_date',
        'InvoiceIssuerName': 'invoice_issuer_name',
        'InvoiceIssueStatus': "case lower(invoice_issue_status)
            when 'open' then 'Open' when 'voided' then 'Voided' when 'issued' then 'Issued' else coalesce(invoice_issue_status, 'Issued')
        end",
        'PaymentCurrency': 'currency',
        'PaymentCurrencyBilledCost': 'amount',
        'PaymentCurrencyInvoiceDetailId': 'invoice_detail_id',
        'PaymentDueDate': 'payment_due_date',
        'PaymentTerms': "case
            when payment_due_date is null or invoice_issue_date is null then 'Not stated'
            when payment_due_date = invoice_issue_date then 'Due on receipt'
            else concat('Net ', cast(" ~ days_between('invoice_issue_date', 'payment_due_date') ~ " as string))
        end",
        'PurchaseOrderNumber': 'purchase_order_number',
        'ReferenceInvoiceId': 'coalesce(reference_invoice_id, invoice_id)'
    }, 'InvoiceDetail') }}
from lines
