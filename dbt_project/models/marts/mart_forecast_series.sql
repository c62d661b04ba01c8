-- Usage only: credits, taxes, refunds (negative lines) and one-off purchases are no rate of spending. A day is closed when every
-- source with Usage in the last 35 days has billed up to it or beyond.
with context as (
    select as_of_date from {{ source('raw', 'run_context') }}
),

spend as (
    select
        daily.charge_date,
        daily.provider,
        daily.team,
        daily.workflow,
        daily.reporting_cost,
        daily.calls,
        daily.tokens_input_uncached,
        daily.tokens_cache_read,
        daily.tokens_cache_write,
        daily.tokens_output
    from {{ ref('mart_daily_spend') }} as daily
    cross join context
    where daily.cost_basis = 'billed' and daily.charge_category = 'Usage' and daily.charge_date < context.as_of_date
        and daily.reporting_cost >= 0
),

closed as (
    select min(last_date) as closed_until
    from (
        select spend.provider, max(spend.charge_date) as last_date
        from spend
        cross join context
        group by spend.provider, context.as_of_date
        having max(spend.charge_date) >= context.as_of_date - interval '35' day
    ) as providers
),

leveled as (
    select 'total' as level, 'total' as scope, spend.* from spend
    union all
    select 'team' as level, coalesce(team, '(no team)') as scope, spend.* from spend
    union all
    select 'workflow' as level, coalesce(workflow, '(no workflow)') as scope, spend.* from spend
    union all
    select 'provider' as level, coalesce(provider, '(no provider)') as scope, spend.* from spend
),

daily as (
    select
        level,
        scope,
        charge_date,
        sum(reporting_cost) as cost,
        sum(calls) as calls,
        sum(tokens_input_uncached) as tokens_input_uncached,
        sum(tokens_cache_read) as tokens_cache_read,
        sum(tokens_cache_write) as tokens_cache_write,
        sum(tokens_output) as tokens_output
    from leveled
    group by level, scope, charge_date
),

series as (
    select level, scope, min(charge_date) as first_date from daily group by level, scope
),

days as (
    {{ date_spine("(select coalesce(min(first_date), date '2026-01-01') from series)", "(select as_of_date from context)") }}
)

select
    cast(concat(series.level, ':', series.scope) as string) as series_key,
    cast(series.level as string) as level,
    cast(series.scope as string) as scope,
    cast(coalesce(daily.cost, 0) as decimal(38, 14)) as cost,
    cast(coalesce(daily.calls, 0) as bigint) as calls,
    cast(coalesce(daily.tokens_input_uncached, 0) as decimal(28, 12)) as tokens_input_uncached,
    cast(coalesce(daily.tokens_cache_read, 0) as decimal(28, 12)) as tokens_cache_read,
    cast(coalesce(daily.tokens_cache_write, 0) as decimal(28, 12)) as tokens_cache_write,
    cast(coalesce(daily.tokens_output, 0) as decimal(28, 12)) as tokens_output,
    coalesce(days.charge_date <= closed.closed_until, false) as is_closed,
    days.charge_date
from series
inner join days on days.charge_date >= series.first_date
left join daily on daily.level = series.level and daily.scope = series.scope and daily.charge_date = days.charge_date
cross join closed
