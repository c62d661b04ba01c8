with emails as (
    select person_id, min(external_id) as email
    from {{ ref('dim_identity') }}
    where system = 'email'
    group by person_id
)

select
    cast(people.person_id as string) as person_id,
    cast(people.display_name as string) as display_name,
    cast(people.team as string) as team,
    cast(emails.email as string) as email,
    coalesce(cast(people.valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(people.valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('people') }} as people
left join emails on emails.person_id = people.person_id
