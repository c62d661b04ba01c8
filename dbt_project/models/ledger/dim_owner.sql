select
    cast(source as string) as source,
    cast(object_type as string) as object_type,
    cast(external_id as string) as external_id,
    cast(team as string) as team,
    cast(workflow as string) as workflow,
    cast(person_id as string) as person_id,
    cast(environment as string) as environment,
    coalesce(cast(is_gateway as boolean), false) as is_gateway,
    coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('ownership') }}
