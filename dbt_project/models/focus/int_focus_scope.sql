-- Invoices are small and always read whole, so all of them are rebuilt.
select distinct source, account, charge_date
from {{ source('raw', 'scope') }}
where source <> 'invoices'
union all
select distinct x_SourceId, x_Account, charge_date
from {{ ref('focus_invoice_only_charges') }}
