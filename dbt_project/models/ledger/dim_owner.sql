-- Claims that overlap and disagree cancel each other for the days they share: a wrong owner is worse than none. The
-- stretch stays as a row without owner, so that ledger and worklist can name the dispute.
{%- set facts = ['team', 'workflow', 'person_id', 'environment'] %}
with claims as (
    select
        source, object_type, external_id, {{ facts | join(', ') }},
        case when coalesce(cast(is_gateway as boolean), false) then 1 else 0 end as is_gateway,
        coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
        coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
    from {{ ref('ownership') }}
),

cuts as (
    select source, object_type, external_id, valid_from as cut from claims
    union
    select source, object_type, external_id, valid_to as cut from claims
),

stretches as (
    select
        source, object_type, external_id, cut as valid_from,
        lead(cut) over (partition by source, object_type, external_id order by cut) as valid_to
    from cuts
),

claimed as (
    select
        stretches.source, stretches.object_type, stretches.external_id, stretches.valid_from, stretches.valid_to,
        {% for fact in facts %}min(claims.{{ fact }}) as {{ fact }}, count(distinct coalesce(claims.{{ fact }}, '')) as {{ fact }}_answers, {% endfor %}
        min(claims.is_gateway) as is_gateway
    from stretches
    inner join claims
        on claims.source = stretches.source
        and claims.object_type = stretches.object_type
        and claims.external_id = stretches.external_id
        and claims.valid_from < stretches.valid_to
        and claims.valid_to > stretches.valid_from
    group by stretches.source, stretches.object_type, stretches.external_id, stretches.valid_from, stretches.valid_to
)

select
    cast(source as string) as source,
    cast(object_type as string) as object_type,
    cast(external_id as string) as external_id,
    {% for fact in facts -%}
    cast(case when {{ 'team_answers = 1 and ' if fact != 'environment' }}{{ fact }}_answers = 1 then {{ fact }} end as string) as {{ fact }},
    {% endfor -%}
    is_gateway = 1 as is_gateway,
    team_answers > 1 or person_id_answers > 1 as is_disputed,
    valid_from,
    valid_to
from claimed
