select
    cast(change_id as string) as change_id,
    cast(kind as string) as kind,
    cast(driver as string) as driver,
    cast(workflow as string) as workflow,
    cast(model as string) as model,
    cast(token_class as string) as token_class,
    cast(mode as string) as mode,
    cast(value as double) as value,
    start as starts_on,
    cast(coalesce(ramp_days, 0) as integer) as ramp_days,
    cast(confidence as double) as confidence,
    recorded_on,
    cast(case when confidence < 0.5 then 'scenarios only' else 'forecast' end as string) as used_in,
    cast(owner as string) as owner,
    cast(note as string) as note
from {{ ref('known_changes') }}
