-- Every charge is in the ledger and every ledger row has its charge; shares of a charge add to exactly 1.
select coalesce(charges.x_charge_id, shares.x_charge_id) as x_charge_id, shares.share
from {{ ref('focus_cost_and_usage') }} as charges
full outer join (
    select x_charge_id, sum(share) as share from {{ ref('fct_attribution_ledger') }} group by x_charge_id
) as shares on shares.x_charge_id = charges.x_charge_id
where charges.x_charge_id is null or shares.x_charge_id is null or shares.share <> 1
