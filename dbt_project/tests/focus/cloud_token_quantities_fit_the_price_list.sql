{{ config(tags=['focus'], severity='error') }}
-- What a cloud's token meter costs per million tokens lies within 20 times of the model's list prices anywhere. Tiers, regions
-- and batches stay far inside; thousands taken for millions, or for single tokens, do not. Magnitudes, so doubles do.
with listed as (
    select
        model_name,
        token_meter,
        min(cast(unit_price as double)) as cheapest,
        max(cast(unit_price as double)) as dearest
    from {{ ref('int_price') }}
    where unit_price > 0
    group by model_name, token_meter
),

metered as (
    select
        x_SourceId as source,
        x_Account as account,
        charge_date,
        SkuMeter as meter,
        x_ModelId as model_name,
        case x_TokenMeter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else x_TokenMeter end as token_meter,
        sum(ConsumedQuantity) as tokens,
        sum(ListCost) as list_cost,
        sum(cast(ListCost as double)) / sum(cast(ConsumedQuantity as double)) * 1000000 as price_per_million
    from {{ ref('int_booked_charge') }}
    where x_SourceId in ('aws', 'azure', 'files') and ChargeCategory = 'Usage' and BillingCurrency = 'USD' and ListCost > 0
        and x_TokenMeter is not null and x_ModelId is not null and ConsumedUnit = 'Tokens' and ConsumedQuantity > 0
    group by 1, 2, 3, 4, 5, 6
)

select metered.*, listed.cheapest, listed.dearest
from metered
inner join listed on metered.model_name = listed.model_name and metered.token_meter = listed.token_meter
where metered.price_per_million < listed.cheapest / 20 or metered.price_per_million > listed.dearest * 20
