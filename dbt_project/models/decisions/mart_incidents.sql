-- Beside what the rules found: the rows to look at (a condition on a published relation) and what to do about the kind.
with people as (
    select person_id, display_name from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
),

found as (select * from {{ source('raw', 'incidents') }})

select
    found.incident_id, found.family, found.scope_type, found.scope, found.rules, found.first_day, found.last_day,
    found.detected_day, found.severity, found.peak_z, cast(round(found.excess, 6) as decimal(38, 14)) as excess,
    cast(round(found.excess_lo80, 6) as decimal(38, 14)) as excess_lo80,
    cast(round(found.excess_hi80, 6) as decimal(38, 14)) as excess_hi80, found.days,
    found.parent_id, found.owner, cast(coalesce(people.display_name, found.owner) as string) as owner_name, found.state,
    found.route, found.reason,
    cast(concat(
        case found.scope_type
            when 'user' then concat('ledger.attribution where user_id = ''', found.scope, '''')
            when 'team' then concat('ledger.attribution where team = ''', found.scope, '''')
            when 'workflow' then concat('ledger.attribution where workflow = ''', found.scope, '''')
            when 'session' then concat('ledger.model_calls where session_id = ''', found.scope, '''')
            when 'source' then concat('ledger.model_calls where source = ''', found.scope, '''')
            else concat('ledger.model_calls where concat(workflow, '' / '', model_id) = ''', found.scope, '''')
        end,
        ' and charge_date between ''', cast(found.first_day as string), ''' and ''', cast(found.last_day as string), ''''
    ) as string) as evidence,
    cast(case found.family
        when 'spend' then 'Ask what ran; if it is wanted, record it in seed changes, else stop it or cap it.'
        when 'mix' then 'Check the model the caller asks for; if the upgrade is wanted, record it in seed changes.'
        when 'context' then 'Start a new session or prune the history; look at what fills the context.'
        when 'loop' then 'Stop the session, bound its steps, and look at the error it repeats.'
        when 'cache' then 'Look at what changed at the start of the prompt; a moving prefix is never read from the cache.'
        else 'Ask the source again for these days: run --from --to.'
    end as string) as next_step,
    found.as_of, found.run_id, found.config_hash
from found
left join people on people.person_id = found.owner
