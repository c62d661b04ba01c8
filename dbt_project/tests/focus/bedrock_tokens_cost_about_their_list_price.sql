-- Thousands and millions of tokens look alike but for the unit's text. List cost by token is held against the price
-- catalogue, wide enough for every region, tier and context window: a wrong scale is off by exactly a thousand.
with billed as (
    select
        charge.x_SourceId as source,
        charge.x_Account as account,
        charge.charge_date,
        charge.x_ModelId as model_id,
        case charge.x_TokenMeter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else charge.x_TokenMeter end as token_meter,
        sum(charge.ListCost) as list_cost,
        sum(charge.ConsumedQuantity) as tokens
    from {{ ref('int_booked_charge') }} as charge
    inner join {{ ref('int_focus_scope') }} as scope
        on charge.x_SourceId = scope.source and charge.x_Account = scope.account and charge.charge_date = scope.charge_date
    where charge.x_SourceId in ('aws', 'files') and charge.BillingCurrency = 'USD' and charge.ChargeClass is null
        and charge.x_ModelId is not null and charge.ConsumedUnit = 'Tokens' and charge.ListCost > 0
        and {{ is_bedrock_model("lower(concat_ws(' ', charge.ServiceName, charge.x_NativeColumns))") }}
    group by 1, 2, 3, 4, 5
),

prices as (
    select
        {{ canonical_model("replace(replace(model_id, 'regional.', ''), 'global.', '')") }} as model_id,
        token_meter,
        min(unit_price) as lowest,
        max(unit_price) as highest
    from {{ ref('int_price') }}
    where provider_id = 'aws' and price_kind = 'list' and unit_price > 0
    group by 1, 2
)

select billed.*, prices.lowest, prices.highest
from billed
inner join prices on prices.model_id = billed.model_id and prices.token_meter = billed.token_meter
where cast(billed.list_cost as double) * 1000000 / cast(billed.tokens as double) > cast(prices.highest as double) * 30
    or cast(billed.list_cost as double) * 1000000 / cast(billed.tokens as double) < cast(prices.lowest as double) / 30
