select
    scenario_id, lever_id, alone_cost, alone_saving, amount, share_of_change
from {{ source('raw', 'scenario_lever_shares') }}
