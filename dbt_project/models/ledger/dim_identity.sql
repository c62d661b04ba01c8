-- Vendor directories add ids by e-mail, or else by another id they know, only where the company's own list is silent. Ids
-- claimed by two people in one period are in fct_identity_conflict and map to nobody: a wrong engineer is worse than none.
with directory as (
    select 'anthropic_user_id' as system, id as external_id, 'email' as known_system, lower(email) as known_id
    from {{ ref('stg_anthropic__users') }}
    union
    select 'openai_user_id' as system, id as external_id, 'email' as known_system, lower(email) as known_id
    from {{ ref('stg_openai__users') }}
    {%- if is_on('linear') %}
    union
    select 'linear_user_id' as system, id as external_id, 'email' as known_system, lower(email) as known_id
    from {{ ref('stg_linear__users') }}
    where not coalesce(is_app, false)
    union
    select 'linear_user_id' as system, id as external_id, 'github_id' as known_system, github_user_id as known_id
    from {{ ref('stg_linear__users') }}
    where not coalesce(is_app, false)
    {%- endif %}
),

declared as (
    select * from {{ ref('int_declared_identity') }}
),

candidates as (
    select
        directory.system,
        directory.external_id,
        people.person_id,
        people.valid_from,
        people.valid_to,
        max(case when directory.known_system = 'email' then 1 else 0 end) over (
            partition by directory.system, directory.external_id
        ) as has_email,
        directory.known_system
    from directory
    inner join declared as people on people.system = directory.known_system and people.external_id = directory.known_id
    left join (select distinct system, external_id from declared) as known
        on known.system = directory.system and known.external_id = directory.external_id
    where known.external_id is null
),

linked as (
    select distinct system, external_id, person_id, valid_from, valid_to, 'vendor_directory' as origin
    from candidates
    where known_system = 'email' or has_email = 0
),

identities as (
    select system, external_id, person_id, valid_from, valid_to, 'seed' as origin from declared
    union all
    select system, external_id, person_id, valid_from, valid_to, origin from linked
)

select
    cast(identities.system as string) as system,
    cast(identities.external_id as string) as external_id,
    cast(identities.person_id as string) as person_id,
    cast(identities.origin as string) as origin,
    identities.valid_from,
    identities.valid_to
from identities
left join {{ ref('fct_identity_conflict') }} as conflicts
    on conflicts.system = identities.system
    and conflicts.external_id = identities.external_id
    and conflicts.person_id = identities.person_id
    and conflicts.valid_from = identities.valid_from
where conflicts.external_id is null
