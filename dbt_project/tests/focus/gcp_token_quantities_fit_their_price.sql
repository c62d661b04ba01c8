{{ config(tags=['focus'], severity='error', enabled=is_on('gcp')) }}
-- Tokens x unit price is the cost before credits: off by thousands or millions means that a quantity is in another unit.
-- A check of magnitude, so binary floats do.
with priced as (
    select
        charges.sku_description,
        charges.usage_start_time,
        charges.usage_amount_in_pricing_units,
        charges.usage_pricing_unit,
        charges.price_effective_price,
        charges.price_pricing_unit_quantity,
        charges.cost,
        abs(cast(charges.cost as double)) as cost_before_credits,
        abs(cast(charges.usage_amount_in_pricing_units as double) * cast(charges.price_effective_price as double)
            / cast(nullif(coalesce(charges.price_pricing_unit_quantity, 1), 0) as double)) as quantity_at_price
    from {{ ref('stg_gcp__billing_export') }} as charges
    inner join {{ ref('int_gcp_sku') }} as skus
        on charges.service_description = skus.service_description and charges.sku_description = skus.sku_description
    where skus.sku_kind in ('tokens', 'cache_storage', 'unclassified')
        and charges.problem is null
        and charges.price_effective_price > 0
        and charges.usage_amount_in_pricing_units <> 0
)

select *
from priced
where abs(cost_before_credits - quantity_at_price) > 0.01
    and (cost_before_credits > 10 * quantity_at_price or cost_before_credits < 0.1 * quantity_at_price)
