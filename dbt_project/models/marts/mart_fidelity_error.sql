{#- Two-sided 95 % quantiles of Student's t by degrees of freedom; above 30 the normal one is close enough. -#}
{%- set t_quantiles = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228,
    12: 2.179, 15: 2.131, 20: 2.086, 25: 2.060, 30: 2.042} %}
-- The stamps of ticketed requests are hidden, the lower method places their rated cost, and both are compared per work item
-- and week. Interval: weeks left out one at a time (jackknife of the pooled ratio) times Student's t. The session method
-- keeps every second request of a session as its evidence and is measured on the others. Last 180 days.
with calls as (
    select
        calls.*,
        cast(date_trunc('week', calls.charge_date) as date) as week,
        coalesce(people.team, calls.team) as person_team,
        row_number() over (
            partition by calls.account, calls.charge_date, calls.session_id order by calls.started_at, calls.request_id
        ) as ordinal_in_session
    from {{ ref('fct_model_call') }} as calls
    cross join {{ source('raw', 'run_context') }} as context
    left join {{ ref('dim_person') }} as people
        on people.person_id = calls.person_id
        and calls.charge_date >= people.valid_from
        and calls.charge_date < people.valid_to
    where calls.ticket_key is not null
        and calls.list_cost_usd > 0
        and calls.charge_date >= context.as_of_date - interval '180' day
),

hidden as (
    select
        week, charge_date, account, ticket_key, person_id, person_team, repo, branch, session_id,
        ordinal_in_session % 2 = 0 as is_even,
        sum(list_cost_usd) as cost
    from calls
    group by week, charge_date, account, ticket_key, person_id, person_team, repo, branch, session_id, ordinal_in_session % 2 = 0
),

session_evidence as (
    select charge_date, account, session_id, min(ticket_key) as work_item_key
    from hidden
    where session_id is not null and not is_even
    group by charge_date, account, session_id
    having count(distinct ticket_key) = 1
),

team_activity as (
    select activity.charge_date, people.team, activity.work_item_key, sum(activity.share_ppm) as weight
    from {{ ref('fct_work_activity') }} as activity
    inner join {{ ref('dim_person') }} as people
        on people.person_id = activity.person_id
        and activity.charge_date >= people.valid_from
        and activity.charge_date < people.valid_to
    where people.team is not null
    group by activity.charge_date, people.team, activity.work_item_key
),

team_shares as (
    select *, sum(weight) over (partition by charge_date, team) as total_weight from team_activity
),

-- What each method is asked to place, and where it puts it. The parts are measurements, not money: DOUBLE is enough.
asked as (
    select 'session_ticket' as method, week, ticket_key as work_item_key, sum(cost) as cost
    from hidden
    where session_id is not null and is_even
    group by week, ticket_key
    union all
    select 'branch_ticket' as method, week, ticket_key as work_item_key, sum(cost) as cost
    from hidden
    where branch is not null
    group by week, ticket_key
    union all
    select 'person_activity' as method, week, ticket_key as work_item_key, sum(cost) as cost
    from hidden
    where person_id is not null
    group by week, ticket_key
    union all
    select 'team_activity' as method, week, ticket_key as work_item_key, sum(cost) as cost
    from hidden
    where person_team is not null
    group by week, ticket_key
),

placed as (
    select 'session_ticket' as method, hidden.week, evidence.work_item_key, cast(hidden.cost as double) as cost
    from hidden
    inner join session_evidence as evidence
        on evidence.charge_date = hidden.charge_date
        and evidence.account = hidden.account
        and evidence.session_id = hidden.session_id
    where hidden.is_even
    union all
    select 'branch_ticket' as method, hidden.week, branches.work_item_key, cast(hidden.cost as double) * branches.share_ppm / 1000000.0 as cost
    from hidden
    inner join {{ ref('dim_branch') }} as branches
        on branches.branch = hidden.branch and branches.repo is not distinct from hidden.repo
    union all
    select 'person_activity' as method, hidden.week, activity.work_item_key, cast(hidden.cost as double) * activity.share_ppm / 1000000.0 as cost
    from (
        select week, charge_date, person_id, sum(cost) as cost from hidden where person_id is not null group by week, charge_date, person_id
    ) as hidden
    inner join {{ ref('fct_work_activity') }} as activity
        on activity.person_id = hidden.person_id and activity.charge_date = hidden.charge_date
    union all
    select 'team_activity' as method, hidden.week, shares.work_item_key, cast(hidden.cost as double) * shares.weight / shares.total_weight as cost
    from (
        select week, charge_date, person_team, sum(cost) as cost from hidden where person_team is not null group by week, charge_date, person_team
    ) as hidden
    inner join team_shares as shares on shares.team = hidden.person_team and shares.charge_date = hidden.charge_date
),

placed_items as (
    select method, week, work_item_key, sum(cast(cost as decimal(38, 12))) as cost from placed group by method, week, work_item_key
),

compared as (
    select
        coalesce(asked.method, placed.method) as method,
        coalesce(asked.week, placed.week) as week,
        coalesce(asked.work_item_key, placed.work_item_key) as work_item_key,
        asked.work_item_key is not null as is_asked,
        cast(coalesce(asked.cost, 0) as decimal(38, 12)) as true_cost,
        coalesce(placed.cost, 0) as placed_cost
    from asked
    full outer join placed_items as placed
        on placed.method = asked.method and placed.week = asked.week and placed.work_item_key = asked.work_item_key
),

weeks as (
    select
        method,
        week,
        cast(sum(abs(placed_cost - true_cost)) as double) as absolute_error,
        cast(sum(placed_cost - true_cost) as double) as error,
        cast(sum(true_cost) as double) as spend
    from compared
    group by method, week
),

totals as (
    select method, sum(absolute_error) as absolute_error, sum(error) as error, sum(spend) as spend, count(*) as week_count
    from (select * from weeks order by method, week) as ordered
    group by method
),

items as (
    select method, count(distinct case when is_asked then work_item_key end) as items, sum(true_cost) as spend
    from compared
    group by method
),

left_out as (
    select
        weeks.method,
        (totals.absolute_error - weeks.absolute_error) / nullif(totals.spend - weeks.spend, 0) as wape_without,
        totals.week_count
    from weeks
    inner join totals on totals.method = weeks.method
),

spread as (
    select
        method,
        max(week_count) as week_count,
        sqrt(var_pop(wape_without) * (max(week_count) - 1)) as standard_error
    from left_out
    where wape_without is not null
    group by method
),

methods as (
    select 1 as ordinal, 'call' as fidelity_tier, 'ticket_stamp' as method
    union all select 2, 'call', 'workflow_stamp'
    union all select 3, 'session', 'session_ticket'
    union all select 4, 'session', 'branch_ticket'
    union all select 5, 'person', 'person_activity'
    union all select 6, 'team', 'team_activity'
    union all select 7, 'policy', 'allocation_rule'
),

measured as (
    select
        methods.fidelity_tier,
        methods.method,
        coalesce(items.items, 0) as items,
        coalesce(items.spend, 0) as spend,
        totals.absolute_error / nullif(totals.spend, 0) as wape,
        totals.error / nullif(totals.spend, 0) as bias,
        spread.week_count,
        spread.standard_error * case
            {%- for freedom, quantile in t_quantiles.items() %}
            when spread.week_count - 1 <= {{ freedom }} then {{ quantile }}
            {%- endfor %}
            else 1.96
        end as half_width,
        case
            when methods.fidelity_tier = 'call' then 'exact by construction'
            when coalesce(items.items, 0) >= 30 then 'measured'
            else 'not yet measured'
        end as state
    from methods
    left join items on items.method = methods.method
    left join totals on totals.method = methods.method
    left join spread on spread.method = methods.method
)

select
    cast(fidelity_tier as string) as fidelity_tier,
    cast(method as string) as allocation_method,
    cast(items as bigint) as items,
    cast(spend as decimal(38, 12)) as spend,
    case state when 'measured' then round(wape, 9) when 'exact by construction' then cast(0 as double) end as wape,
    case state when 'measured' then round(bias, 9) when 'exact by construction' then cast(0 as double) end as bias,
    case when state = 'measured' and week_count >= 3 then round(greatest(wape - half_width, 0), 9) end as wape_lo,
    case when state = 'measured' and week_count >= 3 then round(wape + half_width, 9) end as wape_hi,
    cast(coalesce(week_count, 0) as bigint) as weeks,
    cast(state as string) as state
from measured
