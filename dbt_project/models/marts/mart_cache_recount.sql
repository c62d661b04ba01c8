-- R214: the same billed tokens counted twice, each class at its own price and all input at the price of uncached input, as a
-- tracker does that adds up tokens. Prices are the company's: contract before list.
{%- set meters = {'input': 'input_uncached', 'cache_read': 'cache_read', 'cache_write': 'cache_write', 'output': 'output'} %}
with charges as (
    select
        charge_date,
        x_SourceId as source,
        ServiceProviderName as provider,
        x_ModelId as model_name,
        case when coalesce(x_ServiceTier, 'default') = 'default' then 'standard' else x_ServiceTier end as tier,
        cast(case when x_ContextWindow = '200k-1M' then 200001 else 0 end as bigint) as context_from_tokens,
        case when x_TokenMeter like 'cache_write%' then 'cache_write' else x_TokenMeter end as token_meter,
        max(case
            when x_TokenMeter = 'input' and PricingUnit = '1000000 Tokens' then ContractedUnitPrice
            when x_TokenMeter = 'input' and PricingUnit = '1000 Tokens' then cast(ContractedUnitPrice * 1000 as decimal(28, 16))
        end) as input_price,
        sum(ConsumedQuantity) as tokens,
        sum(ContractedCost) as cost,
        sum(BilledCost) as billed_cost
    from {{ ref('focus_cost_and_usage') }}
    where x_ModelId is not null
        and ConsumedUnit = 'Tokens'
        and ConsumedQuantity > 0
        and (x_TokenMeter in ('input', 'cache_read', 'output') or x_TokenMeter like 'cache_write%')
    group by 1, 2, 3, 4, 5, 6, 7
),

days as (
    select
        charge_date, source, provider, model_name, tier, context_from_tokens,
        max(input_price) as input_price
        {%- for meter, name in meters.items() %},
        sum(case when token_meter = '{{ meter }}' then tokens else 0 end) as tokens_{{ name }},
        sum(case when token_meter = '{{ meter }}' then cost else 0 end) as cost_{{ name }}
        {%- endfor %},
        sum(billed_cost) as billed_cost
    from charges
    group by charge_date, source, provider, model_name, tier, context_from_tokens
),

-- A day that billed cached input only has no price of plain input on the bill; the price list has it.
needs as (
    select distinct
        {{ price_provider('source') }} as provider_id, model_name, 'input' as token_meter, tier, context_from_tokens, charge_date
    from days
    where input_price is null
),

list_price as ({{ dated_price('needs', 'list') }}),

contract_price as ({{ dated_price('needs', 'contract') }}),

priced as (
    select
        days.*,
        tokens_input_uncached + tokens_cache_read + tokens_cache_write as tokens_input,
        coalesce(days.input_price, contract_price.unit_price, list_price.unit_price) as naive_price
    from days
    left join list_price
        on list_price.provider_id = {{ price_provider('days.source') }} and list_price.model_name = days.model_name
        and list_price.tier = days.tier and list_price.context_from_tokens = days.context_from_tokens
        and list_price.charge_date = days.charge_date
    left join contract_price
        on contract_price.provider_id = {{ price_provider('days.source') }} and contract_price.model_name = days.model_name
        and contract_price.tier = days.tier and contract_price.context_from_tokens = days.context_from_tokens
        and contract_price.charge_date = days.charge_date
),

months as (
    select
        cast(date_trunc('month', charge_date) as date) as month, provider, model_name as model_id
        {%- for name in meters.values() %},
        cast(sum(tokens_{{ name }}) as decimal(28, 12)) as tokens_{{ name }},
        cast(sum(cost_{{ name }}) as decimal(38, 14)) as cost_{{ name }}
        {%- endfor %},
        cast(sum(billed_cost) as decimal(38, 14)) as billed_cost,
        cast(coalesce(
            sum({{ decimal_product('cast(tokens_input * cast(0.000001 as decimal(6, 6)) as decimal(28, 12))', 'naive_price') }}), 0
        ) as decimal(38, 14)) as naive_input_cost,
        sum(case when naive_price is null and tokens_input > 0 then 1 else 0 end) as days_without_price
    from priced
    group by cast(date_trunc('month', charge_date) as date), provider, model_name
)

select
    month,
    cast(provider as string) as provider,
    cast(model_id as string) as model_id,
    tokens_input_uncached,
    tokens_cache_read,
    tokens_cache_write,
    tokens_output,
    {{ ratio('tokens_cache_read', 'tokens_input_uncached + tokens_cache_read + tokens_cache_write') }} as cached_share,
    cost_input_uncached,
    cost_cache_read,
    cost_cache_write,
    cost_output,
    cast(cost_input_uncached + cost_cache_read + cost_cache_write as decimal(38, 14)) as input_cost,
    case when days_without_price = 0 then naive_input_cost end as naive_input_cost,
    cast(case when days_without_price = 0 then naive_input_cost - (cost_input_uncached + cost_cache_read + cost_cache_write) end as decimal(38, 14))
        as overstated_cost,
    case when days_without_price = 0 then
        {{ ratio('naive_input_cost', 'cost_input_uncached + cost_cache_read + cost_cache_write') }}
    end as overstatement_input,
    case when days_without_price = 0 then
        {{ ratio('naive_input_cost + cost_output', 'cost_input_uncached + cost_cache_read + cost_cache_write + cost_output') }}
    end as overstatement,
    billed_cost,
    cast(case when days_without_price = 0 then 'recounted' else 'no input price' end as string) as state
from months
