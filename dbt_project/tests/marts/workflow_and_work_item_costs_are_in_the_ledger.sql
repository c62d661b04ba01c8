select 'workflow' as finding, mart.cost, ledger.cost as ledger_cost
from (select coalesce(sum(cost), 0) as cost from {{ ref('mart_workflow_ledger') }}) as mart
cross join (
    select coalesce(sum(x_ReportingCost), 0) as cost
    from {{ ref('fct_attribution_ledger') }}
    where workflow is not null or token_meter is not null
) as ledger
where mart.cost <> ledger.cost
union all
select 'work item' as finding, mart.cost, ledger.cost as ledger_cost
from (select coalesce(sum(cost), 0) as cost from {{ ref('mart_work_item_cost') }}) as mart
cross join (
    select coalesce(sum(x_ReportingCost), 0) as cost from {{ ref('fct_attribution_ledger') }} where work_item_key is not null
) as ledger
where mart.cost <> ledger.cost
