-- The Shapley shares of a scenario's levers add to its change over all workflows and months exactly.
select levers.scenario_id, levers.amount, scenarios.change
from (select scenario_id, sum(amount) as amount from {{ ref('mart_scenario_lever') }} group by scenario_id) as levers
full outer join (
    select scenario_id, sum(change) as change from {{ ref('mart_scenarios') }} where scenario_id <> 'baseline' group by scenario_id
) as scenarios on scenarios.scenario_id = levers.scenario_id
where levers.amount is distinct from scenarios.change
