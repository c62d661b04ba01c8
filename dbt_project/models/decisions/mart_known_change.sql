with forecast as (
    select max(as_of) as as_of from {{ source('raw', 'forecast_outlook') }}
)

select
    cast(changes.change_id as string) as change_id,
    cast(changes.kind as string) as kind,
    cast(changes.driver as string) as driver,
    cast(changes.workflow as string) as workflow,
    cast(changes.model as string) as model,
    cast(changes.token_class as string) as token_class,
    cast(changes.mode as string) as mode,
    cast(changes.value as double) as value,
    changes.start as starts_on,
    cast(coalesce(changes.ramp_days, 0) as integer) as ramp_days,
    cast(changes.confidence as double) as confidence,
    changes.recorded_on,
    cast(case
        when changes.confidence < 0.5 then 'scenarios only'
        when forecast.as_of is null or changes.recorded_on > forecast.as_of then 'not yet'
        else 'forecast'
    end as string) as used_in,
    cast(changes.owner as string) as owner,
    cast(changes.note as string) as note
from {{ ref('known_changes') }} as changes
cross join forecast
