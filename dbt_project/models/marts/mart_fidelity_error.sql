{#- Student's t, two-sided 95 %, for one less than the number of samples. Each sample reads three of the 32 hex digits of a hash. -#}
{%- set samples = 10 %}
{%- set t_quantile = 2.262 %}
-- Mask and re-attribute: of the stamped user actions a sample is drawn in which every workflow and team (stratum) has about
-- the spend that the tier really places there, since a larger sample would average errors away. The sample's stamps are
-- hidden, the lower method places its rated cost with what the other requests still show, and both are compared per work
-- item and week. The tier's own spend is one more such sample: the interval is Student's t over ten samples for a new one,
-- and 3/n more, what n item-weeks (n by their cost) without a fault still leave open. Last 180 days.
with calls as (
    select
        calls.charge_date, calls.account, calls.session_id, calls.repo, calls.branch, calls.person_id, calls.ticket_key,
        coalesce(calls.team, people.team) as person_team,
        concat(coalesce(calls.owner_workflow, calls.workflow, ''), '/', coalesce(calls.team, people.team, '')) as stratum,
        coalesce(calls.user_action_id, calls.request_id) as action_id,
        sum(calls.list_cost_usd) as cost
    from {{ ref('fct_model_call') }} as calls
    cross join {{ source('raw', 'run_context') }} as context
    left join {{ ref('dim_person') }} as people
        on people.person_id = calls.person_id
        and calls.charge_date >= people.valid_from
        and calls.charge_date < people.valid_to
    where calls.ticket_key is not null
        and calls.list_cost_usd > 0
        and calls.charge_date >= context.as_of_date - interval '180' day
    group by
        calls.charge_date, calls.account, calls.session_id, calls.repo, calls.branch, calls.person_id, calls.ticket_key,
        coalesce(calls.team, people.team),
        concat(coalesce(calls.owner_workflow, calls.workflow, ''), '/', coalesce(calls.team, people.team, '')),
        coalesce(calls.user_action_id, calls.request_id)
),

actions as (
    select calls.*, cast(date_trunc('week', charge_date) as date) as week, md5(action_id) as digest from calls
),

-- Tokens stand for the size of what each tier places and of the stamped spend that can stand for it.
placed_tokens as (
    select
        pools.fidelity_tier as tier, concat(coalesce(pools.workflow, ''), '/', coalesce(pools.team, '')) as stratum,
        cast(sum(pools.weight) as double) as tokens
    from {{ ref('int_call_pool_day') }} as pools
    cross join {{ source('raw', 'run_context') }} as context
    where pools.charge_date >= context.as_of_date - interval '180' day
        and (pools.fidelity_tier in ('session', 'person', 'team') or pools.allocation_method = 'ticket_stamp')
    group by pools.fidelity_tier, concat(coalesce(pools.workflow, ''), '/', coalesce(pools.team, ''))
),

usable as (
    select 'session' as tier, stratum, cast(sum(cost) as double) as cost from actions
    where session_id is not null or branch is not null
    group by stratum
    union all
    select 'person' as tier, stratum, cast(sum(cost) as double) as cost from actions where person_id is not null group by stratum
    union all
    select 'team' as tier, stratum, cast(sum(cost) as double) as cost from actions where person_team is not null group by stratum
),

stamped as (
    select
        (select sum(tokens) from placed_tokens where tier = 'call') as tokens,
        (select cast(sum(cost) as double) from actions) as cost
),

-- How much of the stamped spend of a stratum is drawn: at most half. A tier without any spend yet draws a fifth.
rates as (
    select
        tiers.tier,
        tiers.stratum,
        placed_tokens.tokens,
        case when usable.cost > 0 then placed_tokens.tokens else 0 end as comparable_tokens,
        case
            when sum(placed_tokens.tokens) over (partition by tiers.tier) is null then 0.2
            else least(coalesce((placed_tokens.tokens / nullif(stamped.tokens, 0)) / nullif(usable.cost / nullif(stamped.cost, 0), 0), 0), 0.5)
        end as rate
    from (select tier, stratum from placed_tokens where tier <> 'call' union select tier, stratum from usable) as tiers
    cross join stamped
    left join placed_tokens on placed_tokens.tier = tiers.tier and placed_tokens.stratum = tiers.stratum
    left join usable on usable.tier = tiers.tier and usable.stratum = tiers.stratum
),

comparable as (
    select tier, sum(comparable_tokens) / nullif(sum(tokens), 0) as comparable_share from rates group by tier
),

samples as (
    {% for sample in range(samples) %}select {{ sample }} as sample, {{ 3 * sample + 1 }} as digit{{ ' union all ' if not loop.last }}{% endfor %}
),

-- The hidden actions of each tier's samples.
drawn as (
    select rates.tier, samples.sample, actions.*
    from actions
    inner join rates on rates.stratum = actions.stratum and rates.rate > 0
    cross join samples
    where {% for place in range(3) %}{{ [256, 16, 1][place] }} * (position(substr(actions.digest, samples.digit + {{ place }}, 1) in '0123456789abcdef') - 1){{ ' + ' if not loop.last }}{% endfor %}

        < 4096 * rates.rate
),

hidden as (
    select week, charge_date, account, session_id, repo, branch, sample, ticket_key, sum(cost) as cost
    from drawn
    where tier = 'session' and (session_id is not null or branch is not null)
    group by week, charge_date, account, session_id, repo, branch, sample, ticket_key
),

-- What the stamps left over still say of the sessions with hidden ones.
shown as (
    select
        actions.charge_date, actions.account, actions.session_id, actions.repo, actions.branch, touched.sample, actions.ticket_key
    from actions
    inner join (
        select distinct charge_date, account, session_id, sample from hidden where session_id is not null
    ) as touched
        on touched.charge_date = actions.charge_date
        and touched.account = actions.account
        and touched.session_id = actions.session_id
    left join drawn
        on drawn.tier = 'session'
        and drawn.sample = touched.sample
        and drawn.action_id = actions.action_id
        and drawn.charge_date = actions.charge_date
    where drawn.action_id is null
),

branch_evidence as (
    select charge_date, account, session_id, repo, branch, sample, min(ticket_key) as work_item_key
    from shown
    where branch is not null
    group by charge_date, account, session_id, repo, branch, sample
    having min(ticket_key) = max(ticket_key)
),

session_evidence as (
    select charge_date, account, session_id, sample, min(ticket_key) as work_item_key
    from shown
    group by charge_date, account, session_id, sample
    having min(ticket_key) = max(ticket_key)
),

tied_branches as (
    select distinct repo, branch from {{ ref('dim_branch') }}
),

-- The order of evidence is the ledger's own (int_call_pool_day).
by_session as (
    select
        hidden.*,
        case
            when branch_evidence.work_item_key is not null then 'session_ticket'
            when tied_branches.branch is not null then 'branch_ticket'
            when session_evidence.work_item_key is not null then 'session_ticket'
        end as method,
        coalesce(branch_evidence.work_item_key, session_evidence.work_item_key) as session_item
    from hidden
    left join branch_evidence
        on branch_evidence.charge_date = hidden.charge_date
        and branch_evidence.account = hidden.account
        and branch_evidence.session_id = hidden.session_id
        and branch_evidence.branch = hidden.branch
        and branch_evidence.repo is not distinct from hidden.repo
        and branch_evidence.sample = hidden.sample
    left join tied_branches on tied_branches.branch = hidden.branch and tied_branches.repo is not distinct from hidden.repo
    left join session_evidence
        on session_evidence.charge_date = hidden.charge_date
        and session_evidence.account = hidden.account
        and session_evidence.session_id = hidden.session_id
        and session_evidence.sample = hidden.sample
),

activity as (
    select
        activity.charge_date, activity.person_id, activity.work_item_key, activity.share_ppm, people.team
    from {{ ref('fct_work_activity') }} as activity
    left join {{ ref('dim_person') }} as people
        on people.person_id = activity.person_id
        and activity.charge_date >= people.valid_from
        and activity.charge_date < people.valid_to
),

team_shares as (
    select
        charge_date, team, work_item_key, sum(share_ppm) as weight,
        sum(sum(share_ppm)) over (partition by charge_date, team) as total_weight
    from activity
    where team is not null
    group by charge_date, team, work_item_key
),

-- People and teams without any known work on the day keep their spend whole, so there is nothing of theirs to measure.
by_person as (
    select drawn.sample, drawn.week, drawn.charge_date, drawn.person_id, drawn.ticket_key, sum(drawn.cost) as cost
    from drawn
    inner join (select distinct charge_date, person_id from activity) as active
        on active.charge_date = drawn.charge_date and active.person_id = drawn.person_id
    where drawn.tier = 'person'
    group by drawn.sample, drawn.week, drawn.charge_date, drawn.person_id, drawn.ticket_key
),

by_team as (
    select
        drawn.sample, drawn.week, drawn.charge_date, drawn.person_team as team, drawn.ticket_key, sum(drawn.cost) as cost
    from drawn
    inner join (select distinct charge_date, team from team_shares) as active
        on active.charge_date = drawn.charge_date and active.team = drawn.person_team
    where drawn.tier = 'team'
    group by drawn.sample, drawn.week, drawn.charge_date, drawn.person_team, drawn.ticket_key
),

-- What each method is asked to place, and where it puts it. The parts are measurements, not money: DOUBLE is enough.
asked as (
    select method, sample, week, ticket_key as work_item_key, sum(cost) as cost
    from by_session
    where method is not null
    group by method, sample, week, ticket_key
    union all
    select 'person_activity' as method, sample, week, ticket_key as work_item_key, sum(cost) as cost
    from by_person
    group by sample, week, ticket_key
    union all
    select 'team_activity' as method, sample, week, ticket_key as work_item_key, sum(cost) as cost
    from by_team
    group by sample, week, ticket_key
),

placed as (
    select method, sample, week, session_item as work_item_key, cast(cost as double) as cost
    from by_session
    where method = 'session_ticket'
    union all
    select by_session.method, by_session.sample, by_session.week, branches.work_item_key,
        cast(by_session.cost as double) * branches.share_ppm / 1000000.0 as cost
    from by_session
    inner join {{ ref('dim_branch') }} as branches
        on branches.branch = by_session.branch and branches.repo is not distinct from by_session.repo
    where by_session.method = 'branch_ticket'
    union all
    select 'person_activity' as method, sums.sample, sums.week, activity.work_item_key,
        cast(sums.cost as double) * activity.share_ppm / 1000000.0 as cost
    from (
        select sample, week, charge_date, person_id, sum(cost) as cost
        from by_person
        group by sample, week, charge_date, person_id
    ) as sums
    inner join activity on activity.person_id = sums.person_id and activity.charge_date = sums.charge_date
    union all
    select 'team_activity' as method, sums.sample, sums.week, shares.work_item_key,
        cast(sums.cost as double) * shares.weight / shares.total_weight as cost
    from (
        select sample, week, charge_date, team, sum(cost) as cost from by_team group by sample, week, charge_date, team
    ) as sums
    inner join team_shares as shares on shares.team = sums.team and shares.charge_date = sums.charge_date
),

placed_items as (
    select method, sample, week, work_item_key, sum(cast(cost as decimal(38, 12))) as cost
    from placed
    group by method, sample, week, work_item_key
),

compared as (
    select
        coalesce(asked.method, placed.method) as method,
        coalesce(asked.sample, placed.sample) as sample,
        coalesce(asked.week, placed.week) as week,
        coalesce(asked.work_item_key, placed.work_item_key) as work_item_key,
        asked.work_item_key is not null as is_asked,
        cast(coalesce(asked.cost, 0) as decimal(38, 12)) as true_cost,
        coalesce(placed.cost, 0) as placed_cost
    from asked
    full outer join placed_items as placed
        on placed.method = asked.method
        and placed.sample = asked.sample
        and placed.week = asked.week
        and placed.work_item_key = asked.work_item_key
),

-- Ratios of a sample as short decimals: sums of them do not depend on the order of rows.
sample_errors as (
    select
        method,
        sample,
        sum(placed_cost - true_cost) as error,
        sum(true_cost) as spend,
        cast(cast(sum(abs(placed_cost - true_cost)) as double) / nullif(cast(sum(true_cost) as double), 0) as decimal(16, 10)) as wape
    from compared
    group by method, sample
),

totals as (
    select
        method,
        sum(error) as error,
        sum(spend) as spend,
        count(wape) as sample_count,
        cast(sum(wape) as double) as wape_sum,
        cast(sum(wape * wape) as double) as wape_square_sum
    from sample_errors
    group by method
),

items as (
    select
        method,
        count(distinct case when is_asked then work_item_key end) as items,
        count(distinct week) as week_count,
        -- As many item-weeks of equal cost would be as uneven together (Kish): one dear action may be all that is wrong.
        power(cast(sum(true_cost) as double), 2)
            / nullif(cast(sum(cast(power(cast(true_cost as double), 2) as decimal(38, 12))) as double), 0) as effective_cells
    from compared
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
        coalesce(totals.spend, 0) as spend,
        totals.wape_sum / nullif(totals.sample_count, 0) as wape,
        cast(totals.error as double) / nullif(cast(totals.spend as double), 0) as bias,
        coalesce(items.week_count, 0) as week_count,
        coalesce(totals.sample_count, 0) as sample_count,
        comparable.comparable_share,
        case when totals.sample_count > 1 then
            {{ t_quantile }} * sqrt(1.0 + 1.0 / totals.sample_count) * sqrt(
                greatest(totals.wape_square_sum - totals.wape_sum * totals.wape_sum / totals.sample_count, 0) / (totals.sample_count - 1))
            + 3.0 * totals.sample_count / nullif(items.effective_cells, 0)
        end as half_width,
        case
            when methods.fidelity_tier = 'call' then 'exact by construction'
            when coalesce(items.items, 0) >= 30 then 'measured'
            else 'not yet measured'
        end as state
    from methods
    left join items on items.method = methods.method
    left join totals on totals.method = methods.method
    left join comparable on comparable.tier = methods.fidelity_tier
)

select
    cast(fidelity_tier as string) as fidelity_tier,
    cast(method as string) as allocation_method,
    cast(items as bigint) as items,
    cast(spend as decimal(38, 12)) as spend,
    case state when 'measured' then round(wape, 9) when 'exact by construction' then cast(0 as double) end as wape,
    case state when 'measured' then round(bias, 9) when 'exact by construction' then cast(0 as double) end as bias,
    case when state = 'measured' and sample_count >= {{ samples }} then round(greatest(wape - half_width, 0), 9) end as wape_lo,
    case when state = 'measured' and sample_count >= {{ samples }} then round(wape + half_width, 9) end as wape_hi,
    cast(week_count as bigint) as weeks,
    cast(sample_count as bigint) as samples,
    case when state = 'measured' then round(comparable_share, 9) end as comparable_share,
    cast(state as string) as state
from measured
