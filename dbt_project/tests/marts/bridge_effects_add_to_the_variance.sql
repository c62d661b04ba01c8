-- The effects of a bridge add to its change exactly, and the change against the forecast is the variance finance signs.
select 'effects' as finding, scope, month, comparison, sum(amount) as found, max(change) as wanted
from {{ ref('mart_variance_bridge') }}
group by scope, month, comparison
having sum(amount) <> max(change) or min(change) <> max(change)
union all
select 'reset' as finding, bridge.scope, bridge.month, bridge.comparison, bridge.change, reset.variance
from (
    select distinct scope, month, comparison, base_cost, actual_cost, change
    from {{ ref('mart_variance_bridge') }}
    where comparison = 'forecast'
) as bridge
inner join {{ ref('mart_forecast_reset') }} as reset
    on reset.scope = bridge.scope and reset.month = bridge.month and reset.sign_off_state <> 'signed'
where reset.variance is distinct from bridge.change
