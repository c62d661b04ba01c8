-- Windows tell their grain by their key: a day, a month, or a file. A file arrives when somebody drops it.
with deliveries as (
    select
        manifest.*,
        case
            when regexp_extract(manifest."window", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', 0) <> '' then 'day'
            when regexp_extract(manifest."window", '^[0-9]{4}-[0-9]{2}$', 0) <> '' then 'month'
            else 'file'
        end as window_grain,
        row_number() over (
            partition by manifest.source, manifest.dataset, manifest.account, manifest."window"
            order by manifest.fetched_at desc, manifest.delivery_id desc
        ) as newest_first
    from {{ source('raw', 'manifest') }} as manifest
),

summed as (
    select
        source,
        dataset,
        account,
        min(window_grain) as window_grain,
        max(case when is_current and state = 'complete' then "window" end) as last_complete_window,
        max(case when is_current and state = 'complete' then window_end end) as complete_until,
        max(case when is_current and state = 'complete' then coalesce(checked_at, fetched_at) end) as last_checked_at,
        count(distinct "window") as windows,
        count(distinct case when newest_first = 1 and state = 'failed' then "window" end) as failed_windows,
        sum(case when state = 'complete' and superseded_content_hash is not null then 1 else 0 end) as restatements,
        sum(case when is_current then coalesce(rejects, 0) else 0 end) as rejects
    from deliveries
    group by source, dataset, account
),

lagged as (
    select
        summed.*,
        case when summed.complete_until is not null then
            greatest({{ days_between(utc_timestamp('summed.complete_until'), 'context.as_of_date') }}, 0)
        end as lag_days,
        case summed.window_grain when 'day' then 1 when 'month' then 31 end as expected_lag_days
    from summed
    cross join {{ source('raw', 'run_context') }} as context
)

select
    cast(source as string) as source,
    cast(dataset as string) as dataset,
    cast(account as string) as account,
    cast(window_grain as string) as window_grain,
    cast(last_complete_window as string) as last_complete_window,
    {{ utc_timestamp('complete_until') }} as complete_until,
    {{ utc_timestamp('last_checked_at') }} as last_checked_at,
    cast(lag_days as bigint) as lag_days,
    cast(expected_lag_days as bigint) as expected_lag_days,
    cast(windows as bigint) as windows,
    cast(failed_windows as bigint) as failed_windows,
    cast(restatements as bigint) as restatements,
    cast(rejects as bigint) as rejects,
    cast(case
        when last_complete_window is null then 'missing'
        when failed_windows > 0 then 'failed'
        when lag_days > expected_lag_days then 'late'
        else 'fresh'
    end as string) as state
from lagged
