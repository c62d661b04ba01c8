-- Credits and requests are on up to three lists: the report names the user, the usage by model is the same without users,
-- billing usage the same without models. A day's meter is taken from the first list that has it; seats are on the last only.
with reported as (
    select distinct account, charge_date, meter from {{ ref('stg_copilot__usage_report') }}
    where meter is not null
),

by_model as (
    select distinct account, charge_date, meter from {{ ref('stg_copilot__model_usage') }}
),

line as (
    select
        account, charge_date, delivery_id, meter, sku, model, unit_type, username, organization as organization_name,
        cost_center_name, quantity, discount_usd, discount_usd_remainder, net_usd, net_usd_remainder, price_per_unit_usd,
        case when discount_usd = 0 then quantity end as net_quantity,
        case when net_usd = 0 then quantity end as discount_quantity,
        concat('report/', coalesce(repository, '')) as list_key
    from {{ ref('stg_copilot__usage_report') }}
    where meter is not null
    union all
    select
        usage.account, usage.charge_date, usage.delivery_id, usage.meter, usage.sku, usage.model, usage.unit_type, null, null,
        null, usage.quantity, usage.discount_usd, usage.discount_usd_remainder, usage.net_usd, usage.net_usd_remainder,
        usage.price_per_unit_usd, usage.net_quantity, usage.discount_quantity, 'model'
    from {{ ref('stg_copilot__model_usage') }} as usage
    left join reported
        on reported.account = usage.account and reported.charge_date = usage.charge_date and reported.meter = usage.meter
    where reported.account is null
    union all
    select
        usage.account, usage.charge_date, usage.delivery_id, usage.meter, usage.sku, null, usage.unit_type, null,
        usage.organization_name, null, usage.quantity, usage.discount_usd, usage.discount_usd_remainder, usage.net_usd,
        usage.net_usd_remainder, usage.price_per_unit_usd,
        case when usage.discount_usd = 0 then usage.quantity end,
        case when usage.net_usd = 0 then usage.quantity end,
        concat('billing/', coalesce(usage.repository_name, ''))
    from {{ ref('stg_copilot__billing_usage') }} as usage
    left join reported
        on reported.account = usage.account and reported.charge_date = usage.charge_date and reported.meter = usage.meter
    left join by_model
        on by_model.account = usage.account and by_model.charge_date = usage.charge_date and by_model.meter = usage.meter
    where usage.meter is not null and reported.account is null and by_model.account is null
),

-- A line is cash (net) and what the plan covers (discount), which nobody invoices.
part as (
    select *, 'billed' as cost_basis, net_usd as amount, net_usd_remainder as remainder, net_quantity as charged_quantity
    from line
    where net_usd <> 0 or net_usd_remainder <> 0 or (discount_usd = 0 and discount_usd_remainder = 0)
    union all
    select *, 'estimated', discount_usd, discount_usd_remainder, discount_quantity
    from line
    where discount_usd <> 0 or discount_usd_remainder <> 0
),

-- Lines have no id, so those that differ in nothing but amounts are one charge. Its quantity is known when all of them are.
charge as (
    select
        account, charge_date, cost_basis, meter, sku, model, unit_type, username, organization_name, cost_center_name, list_key,
        price_per_unit_usd,
        min(delivery_id) as delivery_id,
        sum(amount) as amount,
        sum(remainder) as remainder,
        case when count(charged_quantity) = count(*) then sum(charged_quantity) end as charged_quantity
    from part
    group by
        account, charge_date, cost_basis, meter, sku, model, unit_type, username, organization_name, cost_center_name, list_key,
        price_per_unit_usd
)

select
{{ vendor_charge({
    'account': 'account',
    'delivery_id': 'delivery_id',
    'charge_key': row_hash(['charge_date', 'cost_basis', 'meter', 'sku', 'model', 'username', 'organization_name', 'cost_center_name', 'list_key', 'unit_type', 'price_per_unit_usd']),
    'cost_basis': 'cost_basis',
    'charge_start': 'charge_date',
    'billed_cost': 'amount',
    'billed_cost_remainder': 'remainder',
    'currency': "'USD'",
    'charge_frequency': "case when meter = 'seat' then 'Recurring' else 'Usage-Based' end",
    'description': "concat(sku, case when model is not null then concat(', ', model) else '' end)",
    'service_name': "'GitHub Copilot'",
    'provider_name': "'GitHub'",
    'sub_account_id': "case when meter = 'seat' then organization_name end",
    'sub_account_type': "case when meter = 'seat' then 'Organization' end",
    'sku_id': 'sku',
    'sku_meter': 'meter',
    'quantity': 'charged_quantity',
    'unit': "case when charged_quantity is not null then coalesce(unit_type, meter) end",
    'list_unit_price': "case when charged_quantity is not null then price_per_unit_usd end",
    'model_name': "trim(case when lower(model) like 'auto:%' then substring(model, 6) else model end)",
    'principal_id': 'username',
    'spend_source': "'developer_ai_tool'",
}) }}
from charge
