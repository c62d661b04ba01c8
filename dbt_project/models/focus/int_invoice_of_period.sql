select
    invoice_issuer_name,
    billing_account_id,
    billing_period_start,
    min(invoice_id) as invoice_id
from {{ ref('stg_invoices__lines') }}
where line_type = 'usage' and coalesce(invoice_issue_status, 'Issued') <> 'Voided'
group by invoice_issuer_name, billing_account_id, billing_period_start
-- Two invoices of one period cannot be told apart by the charge, so none is named.
having count(distinct invoice_id) = 1
