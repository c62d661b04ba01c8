with catalogue as (
    select
        provider_id,
        model_id,
        token_meter,
        tier,
        coalesce(context_from_tokens, 0) as context_from_tokens,
        price_usd_per_million as unit_price,
        'list' as price_kind,
        false as is_override,
        coalesce(effective_from, date '0001-01-01') as valid_from,
        coalesce(effective_to, date '9999-12-31') as valid_to,
        package_version as price_source
    from {{ ref('stg_prices__genai_prices') }}
    where price_usd_per_million is not null
),

overrides as (
    select
        provider_id,
        model_id,
        token_meter,
        tier,
        coalesce(context_from_tokens, 0) as context_from_tokens,
        price_usd_per_million as unit_price,
        case when source like 'contract%' then 'contract' else 'list' end as price_kind,
        true as is_override,
        coalesce(valid_from, date '0001-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        source as price_source
    from {{ ref('price_overrides') }}
),

prices as (
    select *, {{ canonical_model('model_id') }} as model_name from catalogue
    union all
    select *, {{ canonical_model('model_id') }} as model_name from overrides
)

select
    {{ row_hash(['provider_id', 'model_id', 'token_meter', 'tier', 'context_from_tokens', 'price_kind', 'is_override', 'valid_from']) }} as price_id,
    provider_id,
    model_id,
    model_name,
    token_meter,
    tier,
    cast(context_from_tokens as bigint) as context_from_tokens,
    cast(unit_price as decimal(28, 16)) as unit_price,
    price_kind,
    is_override,
    -- A dated build of a model may have a price of its own; the plain name then means the plain entry.
    rank() over (
        partition by provider_id, model_name
        order by case when lower(model_id) = model_name then 0 else 1 end, model_id
    ) = 1 as is_preferred_name,
    valid_from,
    valid_to,
    price_source
from prices
