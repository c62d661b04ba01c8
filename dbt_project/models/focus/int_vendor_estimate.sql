{{ config(
    materialized='table' if target.type == 'spark' else 'incremental',
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_focus_scope'), {'source': 'source', 'account': 'account', 'charge_date': 'charge_date'}) }}",
) }}
-- Value that a vendor names and nobody invoices. Kept apart from the charges, day by day as they are rebuilt.
with charge as (
    select
        *,
        row_number() over (partition by source, account, charge_key order by delivery_id, billed_cost, quantity) as ordinal_among_equal
    from {{ ref('int_vendor_charge') }}
    where cost_basis = 'estimated' and billed_cost is not null
)

select
    cast({{ row_hash(['charge.source', 'charge.account', 'charge.charge_key', 'charge.ordinal_among_equal']) }} as string) as estimate_id,
    cast(charge.source as string) as source,
    charge.account,
    charge.delivery_id,
    charge.charge_key,
    charge.charge_start,
    charge.charge_end,
    charge.billed_cost as estimated_cost,
    cast(upper(charge.currency) as string) as currency,
    charge.description,
    charge.service_name,
    charge.provider_name,
    charge.quantity,
    charge.unit,
    cast(coalesce(names.model_id, {{ canonical_model('charge.model_name') }}) as string) as model_id,
    charge.token_meter,
    charge.credential_id,
    charge.principal_id,
    charge.workspace_id,
    charge.charge_date
from charge
left join {{ ref('model_names') }} as names on names.model_name = {{ canonical_model('charge.model_name') }}
