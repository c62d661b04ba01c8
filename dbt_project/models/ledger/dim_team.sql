select
    cast(team as string) as team,
    cast(team_name as string) as team_name,
    cast(cost_center as string) as cost_center,
    cast(department as string) as department,
    cast(owner_person_id as string) as owner_person_id,
    coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('teams') }}
