-- What to name next, dearest first, from the last 90 days. Charges count what the ledger could not attribute (or placed by
-- a rule alone); requests count at list price. One object is on the list once for each thing that is wrong with it.
with context as (
    select cast(as_of_date - interval '90' day as date) as first_day, as_of_date from {{ source('raw', 'run_context') }}
),

loose as (
    select ledger.x_charge_id, ledger.charge_date, ledger.residual_name, ledger.allocation_method, sum(ledger.x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }} as ledger
    cross join context
    where ledger.fidelity_tier in ('policy', 'unattributed') and ledger.charge_date >= context.first_day
    group by ledger.x_charge_id, ledger.charge_date, ledger.residual_name, ledger.allocation_method
),

-- The nearest thing of the charge that an owner could be given to.
ownerless as (
    select
        case when loose.residual_name = 'disputed_owner' then 'owner disputed' else 'owner missing' end as kind,
        charges.x_SourceId as source,
        case
            when charges.x_CredentialId is not null then 'api_key'
            when charges.x_PrincipalId is not null then 'principal'
            when charges.x_WorkspaceId is not null then 'workspace'
            when charges.AllocatedResourceId is not null then 'resource'
            when charges.SubAccountId is not null then 'sub_account'
            else 'service'
        end as object_type,
        coalesce(charges.x_CredentialId, charges.x_PrincipalId, charges.x_WorkspaceId, charges.AllocatedResourceId, charges.SubAccountId,
            charges.ServiceName, '(unknown)') as external_id,
        loose.charge_date,
        loose.cost
    from loose
    inner join {{ ref('focus_cost_and_usage') }} as charges
        on charges.x_charge_id = loose.x_charge_id and charges.charge_date = loose.charge_date
),

-- Only requests with something to name, in groups: the log is the big table.
calls as (
    select
        calls.source, calls.key_hash, calls.charge_date,
        case when calls.person_id is null then calls.user_id end as unknown_user,
        calls.ticket_key is null and calls.workflow is null and calls.session_id is null and calls.branch is null as is_bare,
        sum(calls.list_cost_usd) as cost
    from {{ ref('fct_model_call') }} as calls
    cross join context
    where calls.charge_date >= context.first_day
        and (
            (calls.user_id is not null and calls.person_id is null)
            or (calls.ticket_key is null and calls.workflow is null and calls.session_id is null and calls.branch is null)
        )
    group by
        calls.source, calls.key_hash, calls.charge_date, case when calls.person_id is null then calls.user_id end,
        calls.ticket_key is null and calls.workflow is null and calls.session_id is null and calls.branch is null
),

conflicts as (
    select distinct system, external_id from {{ ref('fct_identity_conflict') }}
),

principals as (
    select
        charges.x_SourceId as source, charges.x_PrincipalId as external_id, charges.charge_date, sum(charges.x_ReportingCost) as cost
    from {{ ref('focus_cost_and_usage') }} as charges
    cross join context
    where charges.x_PrincipalId is not null and charges.charge_date >= context.first_day
    group by charges.x_SourceId, charges.x_PrincipalId, charges.charge_date
),

people as (
    select calls.source, calls.unknown_user as external_id, calls.charge_date, calls.cost
    from calls
    where calls.unknown_user is not null
    union all
    select principals.source, principals.external_id, principals.charge_date, principals.cost
    from principals
    left join {{ ref('dim_identity') }} as known
        on known.external_id = case when known.system = 'email' then lower(principals.external_id) else principals.external_id end
        and known.system in ('email', {{ principal_system('principals.source') }})
        and principals.charge_date >= known.valid_from
        and principals.charge_date < known.valid_to
    left join {{ ref('dim_owner') }} as machines
        on machines.source = principals.source
        and machines.object_type = 'principal'
        and machines.external_id = principals.external_id
        and principals.charge_date >= machines.valid_from
        and principals.charge_date < machines.valid_to
    where known.person_id is null and machines.external_id is null
),

findings as (
    select kind, source, object_type, external_id, charge_date, cost, 'coverage' as gain from ownerless
    union all
    select
        case when conflicts.external_id is not null then 'identity disputed' else 'identity unknown' end as kind,
        people.source, 'user' as object_type, people.external_id, people.charge_date, people.cost, 'fidelity' as gain
    from people
    left join conflicts
        on conflicts.system in ('email', {{ principal_system('people.source') }})
        and conflicts.external_id = case when conflicts.system = 'email' then lower(people.external_id) else people.external_id end
    union all
    select
        'stamp missing' as kind, source, 'api_key' as object_type, coalesce(key_hash, '(no key)') as external_id, charge_date, cost,
        'fidelity' as gain
    from calls
    where is_bare
),

ranked as (
    select
        kind, source, object_type, external_id, gain, sum(cost) as cost, count(distinct charge_date) as days,
        min(charge_date) as first_charge_date, max(charge_date) as last_charge_date
    from findings
    group by kind, source, object_type, external_id, gain
    having sum(cost) > 0
),

total as (
    select sum(ledger.x_ReportingCost) as cost
    from {{ ref('fct_attribution_ledger') }} as ledger
    cross join context
    where ledger.charge_date >= context.first_day
)

select
    cast(row_number() over (order by ranked.cost desc, ranked.kind, ranked.source, ranked.object_type, ranked.external_id) as bigint) as rank,
    cast(ranked.kind as string) as kind,
    cast(ranked.source as string) as source,
    cast(ranked.object_type as string) as object_type,
    cast(ranked.external_id as string) as external_id,
    cast(ranked.gain as string) as gain,
    cast(case ranked.kind
        when 'owner missing' then 'give it an owner in ownership.csv, or tag it at its source'
        when 'owner disputed' then 'end one of the overlapping rows in ownership.csv'
        when 'identity unknown' then 'name the person in identities.csv, or the machine in ownership.csv'
        when 'identity disputed' then 'end all but one of its rows in identities.csv'
        else 'send ticket, workflow or session with its requests'
    end as string) as action,
    cast(ranked.cost as decimal(38, 14)) as cost,
    {{ ratio('ranked.cost', 'case when total.cost > 0 then total.cost end') }} as share_of_spend,
    cast(ranked.days as bigint) as days,
    ranked.first_charge_date,
    ranked.last_charge_date
from ranked
cross join total
