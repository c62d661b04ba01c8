select
    cast(workflow as string) as workflow,
    cast(workflow_name as string) as workflow_name,
    cast(team as string) as team,
    cast(outcome as string) as outcome,
    coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('workflows') }}
