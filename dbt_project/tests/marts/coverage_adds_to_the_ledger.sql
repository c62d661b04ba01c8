-- Both grains of the coverage mart add to the month's ledger cost.
with ledger as (
    select cast(date_trunc('month', charge_date) as date) as month, sum(x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }}
    group by cast(date_trunc('month', charge_date) as date)
),

coverage as (
    select month, sum(case when team is null then cost end) as all_teams, sum(case when team is not null then cost end) as by_team
    from {{ ref('mart_attribution_coverage') }}
    group by month
)

select coalesce(ledger.month, coverage.month) as month, ledger.cost, coverage.all_teams, coverage.by_team
from ledger
full outer join coverage on coverage.month = ledger.month
where ledger.cost is distinct from coverage.all_teams or ledger.cost is distinct from coverage.by_team
