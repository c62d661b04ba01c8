select
    scope, month, comparison, position, effect_group, effect, amount, base_cost, actual_cost, change
from {{ source('raw', 'variance_bridge') }}
