with spend as (
    select
        cast(date_trunc('month', charge_date) as date) as month,
        team,
        fidelity_tier,
        sum(x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }}
    group by cast(date_trunc('month', charge_date) as date), team, fidelity_tier
),

both_grains as (
    select month, cast(null as string) as team, true as is_all_teams, fidelity_tier, sum(cost) as cost
    from spend
    group by month, fidelity_tier
    union all
    select month, coalesce(team, '(no team)') as team, false as is_all_teams, fidelity_tier, sum(cost) as cost
    from spend
    group by month, coalesce(team, '(no team)'), fidelity_tier
)

select
    month,
    cast(team as string) as team,
    cast(fidelity_tier as string) as fidelity_tier,
    fidelity_tier in ('call', 'session', 'person', 'team') as is_attributed,
    cast(cost as decimal(38, 14)) as cost,
    -- Credits above the spend leave nothing to have a share of.
    {{ ratio('cost', 'case when sum(cost) over (partition by month, team, is_all_teams) > 0 then sum(cost) over (partition by month, team, is_all_teams) end') }}
        as share_of_spend
from both_grains
