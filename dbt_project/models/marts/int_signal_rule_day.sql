-- Rules that are thresholds and need no statistics: session tokens (A4), runaway loop (A5), silent upgrade (A6), context of
-- one session (A7s), price drift (A11). Sessions are held against their workflow's 28 days before.
{%- set columns = ['rule', 'family', 'scope_type', 'scope', 'day', 'value', 'baseline', 'spread', 'robust_z', 'ratio', 'excess', 'floor',
    'history', 'state', 'reason'] %}
with sessions as (
    select session_id, workflow, day, calls, tokens, list_cost_usd, user_actions, calls_of_hour, idle_trouble, first_input_tokens, last_input_tokens,
        cast(calls as double) / nullif(user_actions, 0) as fan_out
    from {{ ref('int_signal_session') }}
),

days as (select distinct workflow, day from sessions),

usual as (
    select
        days.workflow,
        days.day,
        count(*) as history,
        {{ percentile('sessions.tokens', 0.99) }} as tokens_p99,
        {{ percentile('sessions.calls_of_hour', 0.99) }} as calls_p99,
        {{ percentile('sessions.fan_out', 0.99) }} as fan_out_p99
    from days
    inner join sessions
        on sessions.workflow = days.workflow
        and sessions.day < days.day
        and sessions.day >= cast(days.day - interval '28' day as date)
    group by days.workflow, days.day
    having count(*) >= {{ var('signal_min_sessions') }}
),

judged as (
    select
        sessions.*,
        usual.history,
        usual.calls_p99,
        usual.fan_out_p99,
        case when usual.tokens_p99 > {{ var('session_token_limit') }} then usual.tokens_p99 else {{ var('session_token_limit') }} end as token_limit,
        case when sessions.calls_of_hour / nullif(usual.calls_p99, 0) >= coalesce(sessions.fan_out / nullif(usual.fan_out_p99, 0), 0)
            then sessions.calls_of_hour / nullif(usual.calls_p99, 0)
            else sessions.fan_out / nullif(usual.fan_out_p99, 0) end as loop_ratio
    from sessions
    inner join usual on usual.workflow = sessions.workflow and usual.day = sessions.day
),

session_tokens as (
    select
        'A4' as rule, 'context' as family, 'session' as scope_type, session_id as scope, day, cast(tokens as double) as value,
        cast(token_limit as double) as baseline, cast(null as double) as spread, cast(null as double) as robust_z,
        cast(tokens as double) / token_limit as ratio,
        cast(list_cost_usd as double) * (1 - token_limit / tokens) as excess,
        cast({{ var('signal_floor') }} as double) as floor, history,
        case when (tokens > 3 * token_limit or list_cost_usd > {{ var('session_cost_cap') }})
            and cast(list_cost_usd as double) * (1 - token_limit / tokens) >= {{ var('signal_floor') }} then 'page' else 'notice' end as state,
        concat('workflow ', workflow, ', ', cast(calls as string), ' calls') as reason
    from judged
    where tokens > token_limit
),

runaway as (
    select
        'A5' as rule, 'loop' as family, 'session' as scope_type, session_id as scope, day, cast(calls_of_hour as double) as value,
        cast(calls_p99 as double) as baseline, cast(null as double) as spread, cast(null as double) as robust_z, loop_ratio as ratio,
        case when loop_ratio > 1 then cast(list_cost_usd as double) * (1 - 1 / loop_ratio) else 0 end as excess,
        cast({{ var('signal_floor') }} as double) as floor, history,
        case when list_cost_usd > {{ var('session_cost_cap') }} then 'page' else 'notice' end as state,
        concat('workflow ', workflow, ', ', cast(calls as string), ' calls, ', cast(user_actions as string), ' user actions') as reason
    from judged
    where loop_ratio > 3 or idle_trouble >= 20
),

bloat as (
    select
        'A7s' as rule, 'context' as family, 'session' as scope_type, session_id as scope, day, cast(last_input_tokens as double) as value,
        cast(first_input_tokens as double) as baseline, cast(null as double) as spread, cast(null as double) as robust_z,
        cast(last_input_tokens as double) / first_input_tokens as ratio, cast(null as double) as excess,
        cast({{ var('signal_floor') }} as double) as floor, history,
        case when last_input_tokens >= 10 * first_input_tokens and list_cost_usd >= {{ var('signal_floor') }} then 'page' else 'notice' end as state,
        concat('workflow ', workflow, ', ', cast(calls as string), ' calls') as reason
    from judged
    where calls >= 10 and first_input_tokens > 0 and last_input_tokens >= 5 * first_input_tokens
),

models as (
    select workflow, caller_key, provider, model_id, day, calls,
        tokens_input_uncached, tokens_cache_read, tokens_cache_write, tokens_output, input_price, cache_read_price, output_price,
        cast(calls as double) / sum(calls) over (partition by workflow, caller_key, day) as share,
        min(day) over (partition by workflow, caller_key, model_id) as first_use,
        min(day) over (partition by workflow, caller_key) as first_day
    from {{ ref('int_signal_model_day') }}
),

new_models as (
    select * from models
    where day = first_use and {{ days_between('first_day', 'day') }} >= 7 and input_price is not null
),

-- What the new model replaces: the one that had most calls of the same caller in the week before.
replaced as (
    select
        new_models.workflow, new_models.caller_key, new_models.model_id, new_models.day, models.model_id as old_model_id,
        max(models.input_price) as old_input_price, max(models.cache_read_price) as old_cache_read_price,
        max(models.output_price) as old_output_price, sum(models.calls) as old_calls
    from new_models
    inner join models
        on models.workflow = new_models.workflow and models.caller_key = new_models.caller_key
        and models.day < new_models.day and models.day >= cast(new_models.day - interval '7' day as date)
        and models.input_price is not null
    group by new_models.workflow, new_models.caller_key, new_models.model_id, new_models.day, models.model_id
    qualify row_number() over (
        partition by new_models.workflow, new_models.caller_key, new_models.model_id, new_models.day
        order by sum(models.calls) desc, models.model_id
    ) = 1
),

at_both_prices as (
    select
        new_models.workflow, new_models.day, new_models.model_id, replaced.old_model_id, new_models.share, replaced.old_calls,
        cast((new_models.tokens_input_uncached + new_models.tokens_cache_write) * cast(new_models.input_price as double)
            + new_models.tokens_cache_read * cast(new_models.cache_read_price as double)
            + new_models.tokens_output * cast(new_models.output_price as double) as double) as cost_new,
        cast((new_models.tokens_input_uncached + new_models.tokens_cache_write) * cast(replaced.old_input_price as double)
            + new_models.tokens_cache_read * cast(replaced.old_cache_read_price as double)
            + new_models.tokens_output * cast(replaced.old_output_price as double) as double) as cost_old
    from new_models
    inner join replaced
        on replaced.workflow = new_models.workflow and replaced.caller_key = new_models.caller_key
        and replaced.model_id = new_models.model_id and replaced.day = new_models.day
),

known as (
    select distinct at_both_prices.workflow, at_both_prices.day
    from at_both_prices
    inner join {{ ref('changes') }} as changes
        on changes.kind in ('model', 'routing')
        and coalesce(changes.workflow, at_both_prices.workflow) = at_both_prices.workflow
        and abs({{ days_between('changes.changed_on', 'at_both_prices.day') }}) <= 3
),

upgrade as (
    select
        'A6' as rule, 'mix' as family, 'workflow' as scope_type, at_both_prices.workflow as scope, at_both_prices.day, cost_new as value,
        cost_old as baseline, cast(null as double) as spread, cast(null as double) as robust_z, cost_new / cost_old as ratio,
        cost_new - cost_old as excess, cast({{ var('signal_floor') }} as double) as floor, old_calls as history,
        case when cost_new >= 1.5 * cost_old and cost_new - cost_old >= {{ var('signal_floor') }} then 'page' else 'notice' end as state,
        concat(old_model_id, ' to ', model_id) as reason
    from at_both_prices
    left join known on known.workflow = at_both_prices.workflow and known.day = at_both_prices.day
    where known.workflow is null and cost_old > 0 and (share >= 0.5 or cost_new >= 2 * cost_old)
    qualify row_number() over (partition by at_both_prices.workflow, at_both_prices.day order by cost_new - cost_old desc, model_id) = 1
),

rates as (
    select
        concat(source, ' / ', account) as scope, charge_date as day, cast(billed_cost as double) as billed, cast(rated_cost as double) as rated,
        abs(cast(billed_cost as double) / nullif(cast(rated_cost as double), 0) - 1) as gap
    from {{ ref('focus_billed_vs_rated') }}
    where state in ('in band', 'outside band') and abs(billed_cost - rated_cost) > {{ var('band_materiality') }}
),

drift as (
    select
        'A11' as rule, 'data' as family, 'source' as scope_type, scope, day, billed as value, rated as baseline, cast(null as double) as spread,
        cast(null as double) as robust_z, billed / rated as ratio, billed - rated as excess, cast({{ var('band_materiality') }} as double) as floor,
        cast(2 as bigint) as history, case when gap > 0.10 then 'page' else 'notice' end as state, cast(null as string) as reason
    from (
        select rates.*, lag(gap) over (partition by scope order by day) as gap_before, lag(day) over (partition by scope order by day) as day_before
        from rates
    ) as pairs
    where gap > 0.02 and gap_before > 0.02 and {{ days_between('day_before', 'day') }} = 1
),

found as (
    {%- for part in ['session_tokens', 'runaway', 'bloat', 'upgrade', 'drift'] %}
    select {{ columns | join(', ') }} from {{ part }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    cast(rule as string) as rule, cast(family as string) as family, cast(scope_type as string) as scope_type, cast(scope as string) as scope, day,
    value, baseline, spread, robust_z, ratio, excess, floor, cast(history as bigint) as history, cast(state as string) as state,
    cast(reason as string) as reason
from found
