-- A closed period with an invoice ties; whatever else happens, bill and ledger are equal to the last digit.
select *
from {{ ref('mart_invoice_tie_out') }}
where (is_closed and invoice_amount is not null and state <> 'tied') or coalesce(difference_focus_ledger, 1) <> 0
