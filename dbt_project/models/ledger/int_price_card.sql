-- Prices per token for every stretch of time and context in which none of them changes. The company's contract wins over
-- a corrected list price, and that over the catalogue. A cache meter without a price of its own is billed as plain input.
with prices as (
    select
        provider_id,
        {{ canonical_model('model_id') }} as model_id,
        model_id as native_model_id,
        token_meter,
        coalesce(context_from_tokens, 0) as context_from_tokens,
        cast(price_usd_per_million * cast(0.000001 as decimal(6, 6)) as decimal(18, 12)) as price_per_token,
        coalesce(cast(effective_from as date), cast('1900-01-01' as date)) as effective_from,
        coalesce(cast(effective_to as date), cast('9999-12-31' as date)) as effective_to,
        3 as precedence
    from {{ ref('stg_prices__genai_prices') }}
    where coalesce(tier, 'standard') in ('standard', 'default', '')
    union all
    select
        provider_id,
        {{ canonical_model('model_id') }} as model_id,
        model_id as native_model_id,
        token_meter,
        coalesce(cast(context_from_tokens as bigint), 0) as context_from_tokens,
        cast(cast(price_usd_per_million as decimal(28, 16)) * cast(0.000001 as decimal(6, 6)) as decimal(18, 12)) as price_per_token,
        coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as effective_from,
        coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as effective_to,
        case when source like 'contract%' then 1 else 2 end as precedence
    from {{ ref('price_overrides') }}
    where coalesce(tier, 'standard') in ('standard', 'default', '')
),

edges as (
    select provider_id, model_id, effective_from as edge from prices
    union
    select provider_id, model_id, effective_to as edge from prices
),

stretches as (
    select
        provider_id,
        model_id,
        edge as effective_from,
        lead(edge) over (partition by provider_id, model_id order by edge) as effective_to
    from edges
),

steps as (
    select
        provider_id,
        model_id,
        context_from_tokens,
        lead(context_from_tokens) over (partition by provider_id, model_id order by context_from_tokens) as context_to_tokens
    from (select distinct provider_id, model_id, context_from_tokens from prices) as starts
),

cells as (
    select
        stretches.provider_id,
        stretches.model_id,
        stretches.effective_from,
        stretches.effective_to,
        steps.context_from_tokens,
        coalesce(steps.context_to_tokens, 9223372036854775807) as context_to_tokens
    from stretches
    inner join steps on steps.provider_id = stretches.provider_id and steps.model_id = stretches.model_id
    where stretches.effective_to is not null
),

-- One price per cell and meter: contract first, then the highest context step reached, then the newest, then the
-- shortest native name (the model itself before its regional variants).
chosen as (
    select cells.*, prices.token_meter, prices.price_per_token
    from cells
    inner join prices
        on prices.provider_id = cells.provider_id
        and prices.model_id = cells.model_id
        and prices.effective_from <= cells.effective_from
        and prices.effective_to > cells.effective_from
        and prices.context_from_tokens <= cells.context_from_tokens
    qualify row_number() over (
        partition by cells.provider_id, cells.model_id, cells.effective_from, cells.context_from_tokens, prices.token_meter
        order by
            prices.precedence,
            prices.context_from_tokens desc,
            prices.effective_from desc,
            length(prices.native_model_id),
            prices.native_model_id,
            prices.price_per_token
    ) = 1
),

cards as (
    select
        provider_id,
        model_id,
        effective_from,
        effective_to,
        context_from_tokens,
        context_to_tokens,
        max(case when token_meter = 'input' then price_per_token end) as input_price,
        max(case when token_meter = 'output' then price_per_token end) as output_price,
        max(case when token_meter = 'cache_read' then price_per_token end) as cache_read_price,
        max(case when token_meter in ('cache_write_5m', 'cache_write') then price_per_token end) as cache_write_5m_price,
        max(case when token_meter = 'cache_write_1h' then price_per_token end) as cache_write_1h_price
    from chosen
    group by provider_id, model_id, effective_from, effective_to, context_from_tokens, context_to_tokens
)

select
    cast(provider_id as string) as provider_id,
    cast(model_id as string) as model_id,
    cast(concat(provider_id, ':', model_id, ':', cast(effective_from as string), ':', cast(context_from_tokens as string)) as string) as price_id,
    cast(context_from_tokens as bigint) as context_from_tokens,
    cast(context_to_tokens as bigint) as context_to_tokens,
    input_price,
    output_price,
    coalesce(cache_read_price, input_price) as cache_read_price,
    coalesce(cache_write_5m_price, input_price) as cache_write_5m_price,
    coalesce(cache_write_1h_price, cache_write_5m_price, input_price) as cache_write_1h_price,
    effective_from,
    effective_to
from cards
