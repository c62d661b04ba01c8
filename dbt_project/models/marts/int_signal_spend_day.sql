-- Spend of everything whose days are watched: Usage in the reporting currency, as the ledger shares it out.
with context as (
    select as_of_date, cast(as_of_date - interval '{{ var("signal_history_days") }}' day as date) as first_day
    from {{ source('raw', 'run_context') }}
),

ledger as (
    select ledger.charge_date, ledger.user_id, ledger.team, ledger.workflow, ledger.x_ReportingCost as cost
    from {{ ref('fct_attribution_ledger') }} as ledger
    cross join context
    where ledger.charge_date >= context.first_day
        and ledger.charge_date < context.as_of_date
        and ledger.ChargeCategory = 'Usage'
),

people as (
    select person_id, team from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
),

workflows as (
    select workflow, team from {{ ref('dim_workflow') }}
    qualify row_number() over (partition by workflow order by valid_from desc) = 1
),

members as (
    select 'user' as scope_type, ledger.user_id as scope, people.team as parent, ledger.charge_date, ledger.cost
    from ledger
    left join people on people.person_id = ledger.user_id
    where ledger.user_id is not null
    union all
    select 'team' as scope_type, team as scope, cast(null as string) as parent, charge_date, cost
    from ledger where team is not null
    union all
    select 'workflow' as scope_type, ledger.workflow as scope, workflows.team as parent, ledger.charge_date, ledger.cost
    from ledger
    left join workflows on workflows.workflow = ledger.workflow
    where ledger.workflow is not null
)

select
    cast(scope_type as string) as scope_type,
    cast(scope as string) as scope,
    cast(coalesce(max(parent), '') as string) as parent,
    charge_date as day,
    cast(sum(cost) as decimal(38, 14)) as cost
from members
group by scope_type, scope, charge_date
