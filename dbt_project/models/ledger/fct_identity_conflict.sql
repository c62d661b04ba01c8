select distinct
    one.system,
    one.external_id,
    one.person_id,
    other.person_id as other_person_id,
    one.valid_from,
    one.valid_to
from {{ ref('int_declared_identity') }} as one
inner join {{ ref('int_declared_identity') }} as other
    on other.system = one.system
    and other.external_id = one.external_id
    and other.person_id <> one.person_id
    and other.valid_from < one.valid_to
    and one.valid_from < other.valid_to
