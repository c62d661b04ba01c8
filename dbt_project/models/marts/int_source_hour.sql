-- Requests each source of logs delivered in an hour: what a silent or half-silent source is measured by (A12).
select
    cast(calls.source as string) as source,
    cast(date_trunc('hour', calls.started_at) as timestamp) as hour,
    cast(count(*) as bigint) as rows
from {{ ref('fct_model_call') }} as calls
cross join {{ source('raw', 'run_context') }} as context
where calls.charge_date < context.as_of_date
    and calls.charge_date >= cast(context.as_of_date - interval '{{ var("signal_history_days") }}' day as date)
group by calls.source, date_trunc('hour', calls.started_at)
