{#- Read without ref(): the mart is built after its scope. -#}
{%- set mart = adapter.get_relation(database=this.database, schema=this.schema, identifier='mart_daily_spend') if execute else none -%}
-- Days whose ledger was built from other inputs than the mart shows, days that left the ledger, and every estimated day.
with built as (
    {% if mart is none or flags.FULL_REFRESH -%}
    select cast(null as date) as charge_date, cast(null as string) as raw_input_digest, cast(null as string) as cost_basis where 1 = 0
    {%- else -%}
    select distinct charge_date, raw_input_digest, cost_basis from {{ mart }}
    {%- endif %}
),

ledger as (
    select charge_date, input_digest from {{ ref('ledger_day_state') }} where ledger_rows > 0
),

changed as (
    select coalesce(ledger.charge_date, billed.charge_date) as charge_date
    from ledger
    full outer join (select * from built where cost_basis = 'billed') as billed on billed.charge_date = ledger.charge_date
    where ledger.input_digest is distinct from billed.raw_input_digest
    union
    select charge_date from built where cost_basis = 'estimated'
    union
    select charge_date from {{ ref('estimated_charges') }} where x_EstimateKind = 'not yet billed'
    union
    select ledger.charge_date from ledger cross join {{ source('raw', 'run_context') }} as context where context.is_full_rebuild
)

select distinct charge_date from changed
