select distinct
    cast(system as string) as system,
    cast(case when system in ('email', 'github_login', 'gitlab_username') then lower(external_id) else external_id end as string) as external_id,
    cast(person_id as string) as person_id,
    coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('identities') }}
