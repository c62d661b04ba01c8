{#- The state is read without ref(): it is written after the ledger, so a ref would close a circle. -#}
{%- set state = adapter.get_relation(database=this.database, schema=this.schema, identifier='ledger_day_state') if execute else none -%}
{%- set ledger = adapter.get_relation(database=this.database, schema=this.schema, identifier='fct_attribution_ledger') if execute else none -%}
-- Days whose inputs differ from those the ledger was last built from, and days whose inputs are gone.
with inputs as (
    select charge_date, input_digest from {{ ref('int_ledger_input_day') }}
),

built as (
    {% if state is none or ledger is none or flags.FULL_REFRESH -%}
    select cast(null as date) as charge_date, cast(null as string) as input_digest where 1 = 0
    {%- else -%}
    select charge_date, input_digest from {{ state }}
    {%- endif %}
),

context as (
    select is_full_rebuild from {{ source('raw', 'run_context') }}
)

select
    inputs.input_digest,
    coalesce(inputs.charge_date, built.charge_date) as charge_date
from inputs
full outer join built on built.charge_date = inputs.charge_date
cross join context
where context.is_full_rebuild or inputs.input_digest is distinct from built.input_digest
