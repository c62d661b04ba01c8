{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_ledger_scope'), {'charge_date': 'charge_date'}) }}",
) }}
-- Written after the ledger: a run that dies in between finds the old digest and builds the day again.
with built as (
    select charge_date, count(*) as ledger_rows
    from {{ ref('fct_attribution_ledger') }}
    group by charge_date
)

select
    scope.input_digest,
    cast(coalesce(built.ledger_rows, 0) as bigint) as ledger_rows,
    scope.charge_date
from {{ ref('int_ledger_scope') }} as scope
left join built on built.charge_date = scope.charge_date
where scope.input_digest is not null
