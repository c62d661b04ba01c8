{#- Unit prices for `needs`, a relation with provider_id, model_name (canonical), token_meter, tier, context_from_tokens (first
    token of the band that was used) and charge_date: one row per distinct need that has a price of `kind` (`list` or
    `contract`), with price_id and unit_price in USD per 1,000,000 units. A need without a price gives no row.
    A correction of the list price wins over the catalogue, then the highest context step not above the need's. -#}
{% macro dated_price(needs, kind) -%}
select
    need.provider_id,
    need.model_name,
    need.token_meter,
    need.tier,
    need.context_from_tokens,
    need.charge_date,
    price.price_id,
    price.unit_price
from (
    select distinct provider_id, model_name, token_meter, tier, context_from_tokens, charge_date from {{ needs }}
) as need
inner join {{ ref('int_price') }} as price
    on need.provider_id = price.provider_id
    and need.model_name = price.model_name
    and need.token_meter = price.token_meter
    and need.tier = price.tier
    and need.context_from_tokens >= price.context_from_tokens
    and need.charge_date >= price.valid_from
    and need.charge_date < price.valid_to
where price.price_kind = '{{ kind }}' and price.is_preferred_name
qualify row_number() over (
    partition by need.provider_id, need.model_name, need.token_meter, need.tier, need.context_from_tokens, need.charge_date
    order by price.context_from_tokens desc, price.is_override desc, price.valid_from desc, price.price_id
) = 1
{%- endmacro %}
