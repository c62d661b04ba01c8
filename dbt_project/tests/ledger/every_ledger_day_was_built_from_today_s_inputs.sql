-- After the ledger stage no day may be left that was built from other inputs than there are now.
select coalesce(inputs.charge_date, state.charge_date) as charge_date
from {{ ref('int_ledger_input_day') }} as inputs
full outer join {{ ref('ledger_day_state') }} as state on state.charge_date = inputs.charge_date
where inputs.input_digest is distinct from state.input_digest
