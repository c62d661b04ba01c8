{#- What a gateway calculated for an account's day lies between `low` times the cheapest and `high` times the dearest list
    price of its tokens: wide enough for contracts and tiers, too narrow for cents, nano-dollars or tokens per thousand.
    Days below `materiality` USD at the dearest price, failed calls and models without a price are not judged. -#}
{% test cost_near_list_price(model, low=0.2, high=5, materiality=0.01) %}
{%- set meters = {
    'input': 'tokens_input_uncached', 'cache_read': 'tokens_cache_read',
    'cache_write_5m': '(tokens_cache_write_5m + tokens_cache_write_unspecified)', 'cache_write_1h': 'tokens_cache_write_1h',
    'output': 'tokens_output',
} %}
with prices as (
    select
        provider_id,
        model_name
        {%- for meter in meters %},
        cast(min(case when token_meter = '{{ meter }}' then unit_price end) as decimal(18, 6)) as {{ meter }}_cheapest,
        cast(max(case when token_meter = '{{ meter }}' then unit_price end) as decimal(18, 6)) as {{ meter }}_dearest
        {%- endfor %}
    from {{ ref('int_price') }}
    where unit_price > 0
    group by provider_id, model_name
),

valued as (
    select
        requests.account,
        requests.charge_date,
        requests.cost_usd
        {%- for bound in ('cheapest', 'dearest') %},
        cast(0.000001 as decimal(6, 6)) * cast(
            {%- for meter, tokens in meters.items() %}
            cast({{ tokens }} as decimal(18, 0)) * coalesce(prices.{{ meter }}_{{ bound }}, prices.input_{{ bound }}, 0){{ ' +' if not loop.last }}
            {%- endfor %} as decimal(30, 6)) as {{ bound }}
        {%- endfor %}
    from {{ model }} as requests
    inner join prices
        on prices.provider_id = requests.provider_name
        and prices.model_name = {{ canonical_model('requests.model_name') }}
    where requests.cost_usd is not null and not requests.is_gateway_cache_hit
)

select account, charge_date, sum(cost_usd) as cost_usd, sum(cheapest) as cheapest, sum(dearest) as dearest
from valued
group by account, charge_date
having sum(dearest) >= {{ materiality }} and not sum(cost_usd) between {{ low }} * sum(cheapest) and {{ high }} * sum(dearest)
{% endtest %}
